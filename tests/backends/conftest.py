"""What many tests of the backends begin with."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a randomly initialised Whisper of two layers, one for each file of tests."""
    from tests.backends.blsp_cases import make_tiny_whisper

    return make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")

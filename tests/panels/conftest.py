"""What many tests of the panels begin with: a shell over an empty home, and a note of what would have been started."""

from __future__ import annotations

import pytest

from workbench.service import Service
from workbench.settings import Settings
from workbench.shell import PageShell


@pytest.fixture
def shell(settings: Settings) -> PageShell:
    """A shell over an empty home."""
    return PageShell(Service(settings))


@pytest.fixture
def started(shell: PageShell, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict, dict]]:
    """What would have been started; the runs are called r-1, r-2 and so on."""
    begun: list[tuple[str, dict, dict]] = []
    monkeypatch.setattr(shell.service, "submit",
                        lambda task, fields, **more: begun.append((task, dict(fields), more)) or f"r-{len(begun)}")
    return begun

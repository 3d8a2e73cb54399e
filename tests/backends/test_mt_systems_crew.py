"""Many systems under one roof: turns, order, what is kept and when, language models row by row, the board."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.language import Completion, Decoding, Prompt
from backends.common.mt.systems import causal, task
from backends.common.mt.systems.board import BOARD, STATES, Board, Column, merged
from backends.common.mt.systems.lines import Line, Say, split
from backends.common.mt.systems.requests import SystemsRequest
from tests.backends.mt_systems_cases import context_in, of
from workbench.context import MemoryContext
from workbench.contract import Cancelled, Json, UserError
from workbench.settings import Settings

# --- systems that are scripted --------------------------------------------------------------------------------------


class Scripted:
    """A system that writes its name before every line, piece by piece, as slowly as it is told."""

    def __init__(self, name: str, pause: float = 0.0, seen: Callable[[int], None] = lambda _: None) -> None:
        self.name, self.pause, self.seen = name, pause, seen
        self.closed = threading.Event()

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        self.seen(1)
        try:
            for place, text in lines:
                for piece in (self.name, " ", text):
                    if self.closed.wait(self.pause):
                        raise UserError("closed")
                    say({"line": place, "delta": piece})
                say({"line": place, "text": f"{self.name} {text}", "tokens": 2, "seconds": 0.25})
        finally:
            self.seen(-1)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Scripted]]:
    """Let references be answered by scripted systems."""
    def install(**made: Scripted) -> dict[str, Scripted]:
        def opened(crew: Any, reference: str, say: Say) -> Scripted:
            say({"kind": "sm2"})
            if reference not in made:
                raise KeyError(reference)
            return register(crew, made[reference])
        monkeypatch.setattr(task.Crew, "_opened", opened)
        return made

    def register(crew: Any, system: Scripted) -> Scripted:
        with crew._lock:
            crew._open.append(system)
        return system
    return install


class Count:
    """How many are at work, and the most there were."""

    def __init__(self) -> None:
        self.now, self.most, self._lock = 0, 0, threading.Lock()

    def __call__(self, step: int) -> None:
        with self._lock:
            self.now += step
            self.most = max(self.most, self.now)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_no_more_systems_work_at_once_than_asked(at_once: int, scripted: Any, tmp_path: Path) -> None:
    count = Count()
    names = [f"s{i}" for i in range(5)]
    scripted(**{name: Scripted(name, 0.004, count) for name in names})
    request = SystemsRequest("a\nb\nc", systems=tuple(names), at_once=at_once)
    events = list(task.run(request, context_in(tmp_path)))
    assert count.most == at_once and count.now == 0
    for name in names:
        assert of(events, name, "text") == {0: f"{name} a", 1: f"{name} b", 2: f"{name} c"}


def test_events_of_one_system_stay_in_order_and_each_piece_comes_before_its_line(scripted: Any, tmp_path: Path) -> None:
    scripted(a=Scripted("a", 0.001), b=Scripted("b", 0.001))
    events = list(task.run(SystemsRequest("x\ny", systems=("a", "b")), context_in(tmp_path)))
    for name in ("a", "b"):
        mine = [event for event in events if event.get("system") == name]
        assert [event.get("state") for event in mine if "state" in event] == ["loading", "done"]
        text: dict[int, str] = {}
        for event in mine:
            if "delta" in event:
                text[event["line"]] = text.get(event["line"], "") + event["delta"]
            if "text" in event:
                assert text[event["line"]] == event["text"]
    assert events[0]["systems"][0] == {"name": "a", "reference": "a"} and "done" in events[-1]


@pytest.mark.parametrize(("reference", "said"), [
    ("path:/no/such/model", "There is nothing at"), ("bundled:no-such-model", "no-such-model"),
    ("apertium:eng-spa", "apertium is not on this machine")])
def test_what_is_not_here_is_said_before_its_turn_comes(reference: str, said: str, scripted: Any, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    slow = Scripted("slow", 0.2)
    scripted(slow=slow)
    request = SystemsRequest(text="one", systems=("slow", reference), at_once=1)
    for event in task.run(request, context_in(tmp_path)):
        if event.get("system") not in (None, "slow") and "error" in event:
            assert said in event["error"]["cause"] and not slow.closed.is_set()
            break
        assert event.get("state") != "done", "the slow one had its turn first"
    else:
        pytest.fail("nothing was said")


def test_a_fault_of_one_is_told_in_words_and_the_others_go_on(scripted: Any, tmp_path: Path) -> None:
    scripted(a=Scripted("a"))
    events = list(task.run(SystemsRequest("x", systems=("nobody", "a")), context_in(tmp_path)))
    (fault,) = [event for event in events if event.get("system") == "nobody" and "error" in event]
    assert fault["error"] == {"cause": "KeyError: 'nobody'", "advice": "The log of the run says more."}
    done = events[-1]["done"]["systems"]
    assert done[0]["error"] == fault["error"] and done[1]["tokens_per_second"] == 8.0 and done[1]["lines"] == 1


def test_closing_the_stream_closes_every_system_and_keeps_what_was_written(scripted: Any, tmp_path: Path) -> None:
    made = scripted(a=Scripted("a", 0.02), b=Scripted("b", 0.02), c=Scripted("c", 0.02))
    context = context_in(tmp_path)
    events = task.run(SystemsRequest("\n".join(["x"] * 500), systems=("a", "b", "c"), at_once=2), context)
    next(event for event in events if "text" in event)
    began = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 3 and made["a"].closed.is_set() and made["b"].closed.is_set()
    saved = json.loads((context.run / "artifacts" / BOARD).read_text(encoding="utf-8"))
    assert [one["state"] for one in saved["systems"]] == ["stopped"] * 3
    assert not any(one["error"] for one in saved["systems"]), "a stop is no failure"
    assert sum(one["done"] for one in saved["systems"]) >= 1


def test_a_cancel_ends_the_work_within_a_second(scripted: Any, tmp_path: Path) -> None:
    scripted(a=Scripted("a", 5.0))
    context = context_in(tmp_path)

    def cancel() -> None:
        time.sleep(0.3)
        context.ended_from_outside = True
    threading.Thread(target=cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(task.run(SystemsRequest("x", systems=("a",)), context))
    assert time.monotonic() - began < 3


def test_the_files_are_whole_at_every_moment(scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks between two events finds every finished line in the saved board or in the live one."""
    monkeypatch.setattr(task, "SAVE", 0.02)
    monkeypatch.setattr(task, "LOOK", 1e-6)
    scripted(a=Scripted("a", 0.002), b=Scripted("b", 0.003))
    context = context_in(tmp_path)
    seen = Board([("a", "a"), ("b", "b")], ["x"] * 12)
    path, saves = context.run / "artifacts" / BOARD, set()
    for event in task.run(SystemsRequest("\n".join(["x"] * 12), systems=("a", "b")), context):
        seen.take(event, 0.0)
        whole = json.loads(path.read_text(encoding="utf-8"))
        saves.add(path.stat().st_mtime_ns)
        live = context.lives[-1] if context.lives else {}
        found = {one["name"]: one["lines"] for one in merged(whole, live)["systems"]}
        late = sum(not found[name].get(str(place), {}).get("done") for name, column in seen.columns.items()
                   for place, line in column.lines.items() if line.get("done"))
        assert late == 0, "a page would lag behind"
    assert len(saves) > 3
    found = {one["name"]: one["lines"] for one in merged(json.loads(path.read_text(encoding="utf-8")), {})["systems"]}
    assert all(len(lines) == 12 and all(line["done"] for line in lines.values()) for lines in found.values())


def test_saving_rests_the_longer_the_more_there_is(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    keeper = task.Keeper(Board([("a", "a")], ["x"] * 20_000), context)
    before = time.monotonic()
    keeper._save()
    took = time.monotonic() - before
    assert keeper._next - before >= max(task.SAVE, task.SHARE * took * 0.5)


@pytest.mark.parametrize(("threads", "together", "cores", "expected"), [(3, 2, 16, 3), (0, 1, 2, 1), (0, 2, 16, 4),
                                                                        (0, 12, 4, 1), (0, 3, None, 1)])
def test_threads_are_shared_and_never_all_of_a_small_machine(threads: int, together: int, cores: int | None,
                                                             expected: int, tmp_path: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task.os, "cpu_count", lambda: cores)
    context = MemoryContext(tmp_path / "run", settings=Settings(home=tmp_path, threads=threads))
    assert task.threads_for(context, together) == expected


def test_the_outcome_of_a_system_that_never_began_is_all_zeros() -> None:
    found = task.outcome(Column("a", "hub:a/b", error={"cause": "c", "advice": ""}))
    assert (found.lines, found.tokens, found.seconds, found.first_seconds, found.tokens_per_second) == (0, 0, 0, 0, 0)
    assert found.unit == "tokens" and task.outcome(Column("a", "apertium:x", "apertium")).unit == "words"


# --- language models, row by row ------------------------------------------------------------------------------------


class Model:
    """A language model that answers each prompt with its number, interleaved, and refuses some."""

    def __init__(self, kind: str = "chat", stops: int = -1) -> None:
        self.card: Mapping[str, Json] = {"kind": kind}
        self.asked: list[list[str]] = []
        self.closed, self.stops = 0, stops

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, on_token: Any = None,
                 cancelled: Any = None) -> list[Completion]:
        texts = [prompt.text or prompt.messages[0].content for prompt in prompts]
        self.asked.append(texts)
        if any("refuse" in text for text in texts):
            raise UserError("This prompt does not fit.")
        for piece in ("out", "put "):
            for row in reversed(range(len(prompts))):
                cancelled()
                on_token(row, piece)
        return [Completion(f"output {text[-1]}\n\nA note.", 3, 9, 0, 0.1, "length" if "long" in text else "stop")
                for text in texts]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model()
    monkeypatch.setattr(causal, "open_model", lambda context, reference: made)
    return made


def test_rows_of_a_batch_are_given_back_to_their_own_lines(model: Model, tmp_path: Path) -> None:
    said: list[dict] = []
    lines = [(3, "a"), (5, "b"), (8, "long c"), (9, "d"), (11, "e")]
    causal.Causal(context_in(tmp_path), "x", SystemsRequest("y", template="{text}")).translate(lines, said.append)
    assert [len(texts) for texts in model.asked] == [4, 1] and model.closed == 1
    assert {event["line"]: event["text"] for event in said if "text" in event} == {
        3: "output a", 5: "output b", 8: "output c", 9: "output d", 11: "output e"}
    assert [event["line"] for event in said if event.get("cut")] == [8]
    for place, _ in lines:
        assert "".join(event["delta"] for event in said if event["line"] == place and "delta" in event) == "output "


def test_a_line_that_the_model_refuses_fails_alone(model: Model, tmp_path: Path) -> None:
    said: list[dict] = []
    lines = [(0, "a"), (1, "refuse this"), (2, "b")]
    causal.Causal(context_in(tmp_path), "x", SystemsRequest("y", template="{text}")).translate(lines, said.append)
    assert {event["line"] for event in said if "text" in event} == {0, 2}
    assert [event["error"]["cause"] for event in said if "error" in event] == ["This prompt does not fit."]


def test_a_closed_system_stops_at_the_next_token(model: Model, tmp_path: Path) -> None:
    system = causal.Causal(context_in(tmp_path), "x", SystemsRequest("y"))
    said: list[dict] = []

    def say(event: dict) -> None:
        said.append(event)
        system.close()
    with pytest.raises(Cancelled):
        system.translate([(0, "a"), (1, "b")], say)
    assert len(said) == 1 and model.closed == 1


# --- properties of the board ----------------------------------------------------------------------------------------

NAMES = ("a", "b")
EVENT = st.one_of(
    st.fixed_dictionaries({"system": st.sampled_from(NAMES), "state": st.sampled_from(STATES)}),
    st.fixed_dictionaries({"system": st.sampled_from(NAMES), "line": st.integers(0, 3), "delta": st.text(max_size=4)}),
    st.fixed_dictionaries({"system": st.sampled_from(NAMES), "line": st.integers(0, 3), "text": st.text(max_size=6),
                           "tokens": st.integers(0, 9), "seconds": st.floats(0, 9), "cut": st.booleans()}),
    st.fixed_dictionaries({"system": st.sampled_from(NAMES), "line": st.integers(0, 3),
                           "error": st.just({"cause": "c", "advice": "a"})}),
    st.fixed_dictionaries({"system": st.sampled_from(NAMES), "error": st.just({"cause": "c", "advice": "a"})}))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, max_size=25), st.integers(0, 25))
def test_whatever_comes_the_counts_fit_the_lines(events: list[dict], cut: int) -> None:
    board = Board([(name, name) for name in NAMES], ["x"] * 4)
    for number, event in enumerate(events[:cut]):
        board.take(event, float(number))
    saved = json.loads(json.dumps(board.whole()))
    board.saved()
    for number, event in enumerate(events[cut:]):
        board.take(event, float(cut + number))
    whole = json.loads(json.dumps(board.whole()))
    for one in whole["systems"]:
        lines = one["lines"].values()
        assert one["done"] == sum(bool(line.get("done")) for line in lines) and one["failed"] + one["done"] <= 4
        assert one["state"] in STATES and one["tokens"] >= 0 and one["writing"] >= 0
        output = board.output(one["name"])
        assert len(output) == 4 and all("\n" not in text for text in output)
        assert split("\n".join(output)) == split("\n".join(split("\n".join(output))))
    shown = merged(saved, json.loads(json.dumps(board.news())))
    for one, other in zip(shown["systems"], whole["systems"], strict=True):
        kept = next(s for s in saved["systems"] if s["name"] == one["name"])["lines"]
        for place, line in other["lines"].items():
            if line.get("done") and not kept.get(place, {}).get("done"):
                assert one["lines"][place] == line


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(("rows", "systems", "name", "lines", "0", "done", "state")), inner, max_size=4),
                    max_leaves=12))
def test_no_file_that_somebody_edited_breaks_the_page(value: object) -> None:
    from workbench.text import say
    from workbench.widgets import systems_board

    found = merged(value, value)
    assert isinstance(found["rows"], list) and isinstance(found["systems"], list)
    for board in (value, found):
        systems_board.heads(board, 1.0, lambda key, **more: say("en", key, **more), "en")
        systems_board.side_by_side(board, 0, lambda key, **more: say("en", key, **more))

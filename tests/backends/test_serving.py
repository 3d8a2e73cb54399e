"""A desk that serves named operations: turns, errors, cancelling, and the line to it in the same process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from backends.common.serving import Desk, LocalLine, result_of
from workbench.contract import Json, UserError


def count(payload: Mapping[str, Json]) -> Iterator[Any]:
    for number in range(payload["to"]):
        yield {"delta": [0, str(number)]} if number % 2 == 0 else None
    return payload["to"]


def refuse(payload: Mapping[str, Json]) -> Iterator[Any]:
    yield None
    raise UserError("Not this one.", advice="Take another.")


def desk(closed: list[str] | None = None) -> Desk:
    def held(payload: Mapping[str, Json]) -> Iterator[Any]:
        try:
            while True:
                yield None
        finally:
            if closed is not None:
                closed.append(payload["name"])

    return Desk({"count": count, "refuse": refuse, "held": held, "plain": lambda payload: {"got": dict(payload)},
                 "broken": lambda payload: 1 // 0})


def drained(made: Desk, most: int = 100) -> list[tuple[str, Json]]:
    events: list[tuple[str, Json]] = []
    while made.busy:
        events += made.step()
        most -= 1
        assert most, "it never ends"
    return events


def test_a_plain_function_answers_at_once() -> None:
    made = desk()
    assert not made.busy and list(made.step()) == []
    made.submit("1", "plain", {"x": 2})
    assert made.busy and drained(made) == [("1", {"result": {"got": {"x": 2}}})]


def test_deltas_come_before_the_result_and_silent_work_says_nothing() -> None:
    made = desk()
    made.submit("1", "count", {"to": 4})
    assert drained(made) == [("1", {"delta": [0, "0"]}), ("1", {"delta": [0, "2"]}), ("1", {"result": 4})]


def test_requests_go_on_in_turn() -> None:
    made = desk()
    made.submit("long", "count", {"to": 50})
    made.submit("short", "count", {"to": 1})
    events = drained(made)
    place = [name for name, _ in events].index("short")
    assert place <= 1, "the short one did not wait for the long one"
    assert events[-1] == ("long", {"result": 50})


@pytest.mark.parametrize(("operation", "words"), [("refuse", "Not this one."), ("fly", "cannot 'fly'; it can count")])
def test_what_is_wrong_with_a_request_is_its_own_error(operation: str, words: str) -> None:
    made = desk()
    made.submit("bad", operation, {})
    made.submit("good", "count", {"to": 2})
    events = drained(made)
    errors = [event for name, event in events if name == "bad"]
    assert len(errors) == 1 and words in errors[0]["error"] and "advice" in errors[0]
    assert ("good", {"result": 2}) in events


def test_other_faults_are_not_hidden() -> None:
    made = desk()
    made.submit("1", "broken", {})
    with pytest.raises(ZeroDivisionError):
        made.step()


def test_a_cancelled_request_is_closed_and_others_go_on() -> None:
    closed: list[str] = []
    made = desk(closed)
    made.submit("1", "held", {"name": "one"})
    made.submit("2", "count", {"to": 3})
    made.step()
    made.cancel("1")
    made.cancel("never there")
    assert closed == ["one"]
    assert {name for name, _ in drained(made)} == {"2"}


def test_a_line_gives_the_events_of_its_own_request() -> None:
    line = LocalLine(desk(), {"reference": "x"})
    assert line.card == {"reference": "x"}
    assert list(line.ask("count", {"to": 3})) == [{"delta": [0, "0"]}, {"delta": [0, "2"]}, {"result": 3}]
    with pytest.raises(UserError, match="Not this one") as caught:
        list(line.ask("refuse", {}))
    assert caught.value.advice == "Take another."
    line.close()


def test_closing_the_events_cancels() -> None:
    closed: list[str] = []
    made = desk(closed)
    events = LocalLine(made).ask("count", {"to": 9})
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert not made.busy


def test_the_result_of_a_line() -> None:
    heard: list[Json] = []
    assert result_of(LocalLine(desk()).ask("count", {"to": 3}), heard.append) == 3
    assert heard == [{"delta": [0, "0"]}, {"delta": [0, "2"]}]
    assert result_of(LocalLine(desk()).ask("plain", {})) == {"got": {}}
    with pytest.raises(UserError, match="without an answer"):
        result_of(iter([{"tick": 0.2}]))


def test_a_listener_ends_the_work_by_raising() -> None:
    made = desk()

    def stop(event: Json) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        result_of(LocalLine(made).ask("count", {"to": 100}), stop)
    assert not made.busy

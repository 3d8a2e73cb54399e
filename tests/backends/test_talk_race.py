"""Two ways at once: news in order, stopping, failing, and never a thread that outlives its turn."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from backends.blsp_emo.talking_race import Halted, Way, race
from backends.blsp_emo.talking_replies import growing
from backends.blsp_emo.talking_room import since, twice
from workbench.contract import Cancelled, UserError


def quiet(*_: Any) -> None:
    return None


def never() -> bool:
    return False


def test_both_ways_run_at_once_and_their_results_come_back() -> None:
    both = threading.Barrier(2, timeout=5.0)

    def meet(way: Way) -> str:
        both.wait()  # each waits for the other: one after the other would never meet
        return way.name

    assert race({"a": meet, "b": meet}, quiet, never) == ({"a": "a", "b": "b"}, {})


def test_news_come_in_the_order_in_which_a_way_tells_them() -> None:
    heard: list[tuple[str, str, Any]] = []

    def count(way: Way) -> int:
        for number in range(5):
            way.say("text", number)
        return 5

    results, failed = race({"a": count, "b": count}, lambda *news: heard.append(news), never)
    assert results == {"a": 5, "b": 5} and failed == {}
    for name in "ab":
        assert [value for way, _, value in heard if way == name] == list(range(5))


def test_the_caller_hears_news_in_its_own_thread() -> None:
    mine, seen = threading.get_ident(), set()
    race({"a": lambda way: way.say("x", 1)}, lambda *_: seen.add(threading.get_ident()), never)
    assert seen == {mine}


def test_one_way_that_fails_does_not_end_the_other() -> None:
    def fail(way: Way) -> None:
        raise UserError("It was killed.")

    results, failed = race({"a": fail, "b": lambda way: "here"}, quiet, never)
    assert results == {"b": "here"} and str(failed["a"]) == "It was killed."


def test_other_errors_are_raised_where_they_are_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        race({"a": lambda way: 1 // 0}, quiet, never)


def test_looking_stops_every_way_and_what_they_have_counts() -> None:
    looks: list[int] = []

    def endless(way: Way) -> str:
        try:
            while True:
                way.halt()
                time.sleep(0.002)
        except Halted:
            way.give_up()  # somebody still waits for what there is
            return "so far"

    def look() -> bool:
        looks.append(1)
        return len(looks) > 3

    began = time.monotonic()
    results, _ = race({"a": endless, "b": endless}, quiet, look)
    assert results == {"a": "so far", "b": "so far"} and time.monotonic() - began < 3.0
    assert len(looks) == 4, "nobody looks again once it is stopping"


def test_what_is_wanted_after_a_stop_is_finished_and_given_up_only_when_nobody_waits() -> None:
    ended: list[str] = []

    def write(way: Way) -> str:
        for _ in range(30):
            way.give_up()
            time.sleep(0.002)
        return "whole"

    assert race({"a": write}, quiet, lambda: True) == ({"a": "whole"}, {})

    def endless(way: Way) -> None:
        try:
            while True:
                way.give_up()
                time.sleep(0.002)
        finally:
            ended.append(way.name)

    def look() -> bool:
        raise Cancelled

    with pytest.raises(Cancelled):
        race({"a": endless}, quiet, look)
    assert ended == ["a"]


def test_a_way_that_has_nothing_to_keep_gives_nothing() -> None:
    def endless(way: Way) -> str:
        while True:
            way.halt()
            time.sleep(0.002)

    assert race({"a": endless}, quiet, lambda: True) == ({"a": None}, {})


def test_a_cancel_is_raised_and_leaves_no_thread() -> None:
    before = threading.active_count()

    def endless(way: Way) -> None:
        while True:
            way.halt()
            time.sleep(0.002)

    def look() -> bool:
        raise Cancelled

    with pytest.raises(Cancelled):
        race({"a": endless, "b": endless}, quiet, look)
    assert threading.active_count() == before


class Told:
    """A way of a test: it remembers what was told, and stops after so many pieces."""

    def __init__(self, most: int = 99) -> None:
        self.said: list[str] = []
        self.most = most

    def say(self, what: str, value: Any) -> None:
        self.said.append(value)
        if len(self.said) > self.most:
            raise Halted


def reply(pieces: list[str]) -> Any:
    def ask(heard: Any) -> dict[str, Any]:
        for piece in pieces:
            heard(piece)
        return {"text": "".join(pieces).strip(), "tokens": len(pieces), "finish": "stop"}

    return ask


def test_a_reply_grows_and_its_times_follow_what_was_before() -> None:
    way = Told()
    made = growing(way, 100.0, reply([" I", " see", "."]))  # type: ignore[arg-type]
    assert way.said == ["I", "I see", "I see."] and made.text == "I see." and made.tokens == 3
    assert 100.0 <= made.first_ms <= made.total_ms and made.finish == "stop"
    empty = growing(Told(), 50.0, reply([]))  # type: ignore[arg-type]
    assert empty.text == "" and empty.first_ms == empty.total_ms >= 50.0


def test_a_reply_that_was_stopped_keeps_its_words() -> None:
    made = growing(Told(most=1), 0.0, reply(["One", " two", " three"]))  # type: ignore[arg-type]
    assert (made.text, made.finish, made.tokens) == ("One two", "interrupted", 2)


def test_a_process_that_ended_is_asked_once_more_and_words_are_not_doubled() -> None:
    way, tries = Told(), []

    def ask(heard: Any) -> dict[str, Any]:
        tries.append(1)
        heard("Half")
        if len(tries) == 1:
            raise UserError("The process ended in the middle of a request.")
        heard(" whole")
        return {"text": "Half whole", "tokens": 2, "finish": "stop"}

    assert growing(way, 0.0, ask).text == "Half whole"  # type: ignore[arg-type]
    assert way.said == ["Half", "Half", "Half whole"]


def test_asking_twice_says_what_the_second_time_says() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise UserError(f"time {len(tries)}")

    with pytest.raises(UserError, match="time 2"):
        twice(work)
    assert twice(lambda: 7) == 7 and since(time.perf_counter() - 1.0) >= 1000.0

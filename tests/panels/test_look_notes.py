"""Notes of what is looked at: written short, read with care whatever was put there, stepped along any list."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels import look_notes
from panels.speech_set_look import Look as ClipLook
from panels.speech_set_look import cell, pressed
from panels.speech_set_look import look as clip_look
from panels.translation_compare_look import Look as CompareLook
from panels.translation_compare_look import look as compare_look
from panels.translation_compare_look import pressed as compare_pressed

PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                     lambda inner: st.lists(inner, max_size=3)
                     | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)


@dataclass(frozen=True)
class Blank:
    """One field of each kind."""

    word: str = "as it comes"
    number: int = -1
    on: bool = True


def test_only_what_differs_is_written() -> None:
    assert look_notes.write(Blank(), Blank()) == "{}"
    assert json.loads(look_notes.write(Blank("她", 3, False), Blank())) == {"word": "她", "number": 3, "on": False}
    assert "她" in look_notes.write(Blank("她"), Blank()), "an address stays readable"


def test_what_was_written_is_read_back() -> None:
    for made in (Blank(), Blank("x"), Blank("x", 5, False)):
        assert Blank(**look_notes.read(look_notes.write(made, Blank()), Blank())) == made


@pytest.mark.parametrize("note", ["", "{", "null", "[]", "3", '"word"', "[" * 50_000, '{"word": null}',
                                  '{"word": ["x"], "number": "5", "on": 1}', '{"number": true, "other": "x"}',
                                  '{"number": 2.5}'])
def test_what_is_no_note_says_nothing(note: str) -> None:
    assert look_notes.read(note, Blank()) == {}


def test_long_texts_and_large_numbers_are_cut() -> None:
    found = look_notes.read(json.dumps({"word": "x" * 999, "number": 10**30}), Blank())
    assert len(found["word"]) == look_notes.LONGEST and found["number"] == 10**9
    assert look_notes.read('{"number": -77}', Blank()) == {"number": -1}


@given(PLAIN)
def test_a_look_can_be_made_of_anything(value: Any) -> None:
    note = json.dumps(value)
    for read in (clip_look, compare_look):
        made = read(note, "r")
        assert made.of in ("r", "") and made.page >= 0 and made.open >= -1


@given(st.dictionaries(st.sampled_from([*ClipLook.__dataclass_fields__, "view"]), PLAIN, max_size=6))
def test_a_look_at_clips_keeps_to_what_there_is(value: dict[str, Any]) -> None:
    made = clip_look(json.dumps({**value, "of": "r"}), "r")
    assert made.kind in ("wrong", "unsure", "right", "all") and made.sort in ("sure", "doubt", "index")
    assert not made.cell or cell(made.cell) is not None
    assert clip_look(made.note(), "r") == made, "it survives a reload"


@given(st.dictionaries(st.sampled_from(["act", "key", "value"]), PLAIN | st.sampled_from(
    ["cell", "speaker", "kind", "search", "sort", "page", "open", "play", "step", "unchip", "sad.happy", "1", "-1"])))
def test_any_press_leads_to_a_look_that_can_be_kept(data: dict[str, Any]) -> None:
    made = pressed(ClipLook(of="r", open=1), data, {0: 4, 1: 1, 2: 9})
    assert clip_look(made.note(), "r") == made


@given(st.lists(st.integers(0, 50), unique=True, max_size=12), st.integers(-1, 50), st.sampled_from(["1", "-1"]))
def test_steps_stay_in_the_list(numbers: list[int], opened: int, value: str) -> None:
    order = dict(enumerate(numbers))
    after = look_notes.stepped(opened, value, order)
    if not numbers:
        assert after == opened
    elif opened not in numbers:
        assert after == numbers[0]
    else:
        place = numbers.index(opened) + (1 if value == "1" else -1)
        assert after == (numbers[place] if 0 <= place < len(numbers) else opened)


@pytest.mark.parametrize(("words", "expected"), [
    ("sad.happy", ("sad", "happy")), ("sad.", ("sad", "")), ("sad", None), ("", None), (".sad", None), (".", None),
    ("bored.sad", None), ("sad.bored", None), ("sad.happy.sad", None)])
def test_cells_are_pairs_of_emotions(words: str, expected: tuple[str, str] | None) -> None:
    assert cell(words) == expected


def test_the_note_of_one_view_means_nothing_to_another() -> None:
    """Both lie in the same place of an address."""
    other = CompareLook(of="r", metric="bleu", pair="0.1", open=7).note()
    assert clip_look(other, "r2") == ClipLook(of="r2")
    assert compare_look(ClipLook(of="r", cell="sad.happy", open=2).note(), "r2") == CompareLook(of="r2")


# --- a list that is looked along -----------------------------------------------------------------------------------

LISTED = ClipLook(of="r", search="old", page=50, open=3)


@pytest.mark.parametrize(("press", "changed"), [
    ({"act": "search", "value": "  she said "}, {"search": "she said", "page": 0}),
    ({"act": "search", "value": "x" * 999}, {"search": "x" * look_notes.LONGEST, "page": 0}),
    ({"act": "search"}, {"search": "", "page": 0}),
    ({"act": "sort", "value": "b"}, {"sort": "b", "page": 0}), ({"act": "sort", "value": "c"}, {}),
    ({"act": "page", "key": "100"}, {"page": 100}), ({"act": "page", "key": "-1"}, {"page": 0}),
    ({"act": "page", "key": "9" * 10}, {"page": 0}), ({"act": "page"}, {"page": 0}),
    ({"act": "open", "key": "7"}, {"open": 7}), ({"act": "open", "key": "7x"}, {}),
    ({"act": "open", "key": "9" * 10}, {}), ({"act": "open"}, {}),
    ({"act": "step", "value": "1"}, {"open": 8}), ({"act": "step", "value": "-1"}, {"open": 5}),
    ({"act": "step"}, {"open": 5}), ({"act": "unknown", "key": "1", "value": "2"}, {}), ({}, {}),
    ({"act": None, "key": 5}, {})])
def test_what_a_press_on_a_list_changes(press: dict[str, Any], changed: dict[str, Any]) -> None:
    assert look_notes.in_list(LISTED, press, ("a", "b"), {0: 5, 1: 3, 2: 8}) == replace(LISTED, **changed)


@pytest.mark.parametrize("order", [None, {}, {0: 3}])
def test_a_step_without_another_item_stays(order: dict[int, int] | None) -> None:
    assert look_notes.in_list(LISTED, {"act": "step", "value": "1"}, (), order) == LISTED


@pytest.mark.parametrize(("key", "number"), [("0", 0), ("42", 42), ("", 0), ("-3", 0), ("1.5", 0), ("x", 0),
                                             ("9" * 9, 999_999_999), ("9" * 10, 0)])
def test_a_number_in_a_press(key: str, number: int) -> None:
    assert look_notes.number(key) == number


def test_both_kinds_of_list_take_the_same_presses() -> None:
    for look, other in ((ClipLook(), pressed), (CompareLook(), compare_pressed)):
        for press in ({"act": "search", "value": "x"}, {"act": "page", "key": "20"}, {"act": "open", "key": "4"}):
            assert other(look, press) == look_notes.in_list(look, press, (), None) != look

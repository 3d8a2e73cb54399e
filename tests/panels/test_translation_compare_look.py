"""What is looked at in a comparison: a note that anybody may write, and what a press makes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from panels.translation_compare_look import LONGEST, Look, look, numbers, pressed

SOME = Look(of="r", metric="chrf", pair="0.2", bucket="length.1", search="cat", page=50, pairs=50, open=7)


@pytest.mark.parametrize("value", [Look(), Look(of="r"), SOME, replace(SOME, sort="index", unit="char", against="t3")])
def test_a_note_gives_the_look_back(value: Look) -> None:
    assert look(value.note()) == value
    assert look(value.note(), value.of) == value


def test_a_note_holds_only_what_is_not_as_it_comes() -> None:
    assert Look().note() == "{}" and json.loads(Look(metric="ter").note()) == {"metric": "ter"}


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{}",
        "[]",
        "null",
        "7",
        '"x"',
        "{",
        "[" * 100_000,
        '{"metric": 5, "page": "x", "open": null, "pair": []}',
        '{"unknown": 1}',
        '{"sort": "rank", "unit": "line"}',
        '{"page": -4, "pairs": -1}',
        '{"page": true}',
    ],
)
def test_a_note_of_anybody_is_no_danger(note: str) -> None:
    assert look(note) == Look()


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ('{"open": -99}', Look()),
        ('{"open": 1e99}', Look()),
        ('{"page": 99999999999999}', Look(page=10**9)),
        (json.dumps({"search": "x" * 5000}), Look(search="x" * LONGEST)),
        ('{"pair": "9.9"}', Look(pair="9.9")),
    ],
)
def test_numbers_and_texts_keep_within_bounds(note: str, expected: Look) -> None:
    assert look(note) == expected


def test_a_look_at_another_run_does_not_carry_over() -> None:
    assert look(SOME.note(), "another") == Look(of="another")
    assert look("", "r") == Look(of="r")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.2", (0, 2)),
        ("12.3", (12, 3)),
        ("", None),
        ("1", None),
        ("1.1", None),
        ("-1.2", None),
        ("1.x", None),
        ("1.2.3", None),
        ("0.99999999999", None),
        ("٣.١", (3, 1)),
    ],
)
def test_pairs_are_two_numbers_that_differ(text: str, expected: tuple[int, int] | None) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("act", "key", "value", "changed"),
    [
        ("metric", "bleu", "", {"metric": "bleu", "page": 0, "pairs": 0}),
        ("pair", "1.2", "", {"pair": "1.2", "page": 0}),
        ("pair", "0.2", "", {"pair": "", "page": 0}),
        ("pair", "2.2", "", {}),
        ("pair", "x", "", {}),
        ("bucket", "domain.0", "", {"bucket": "domain.0", "page": 0}),
        ("bucket", "length.1", "", {"bucket": "", "page": 0}),
        ("search", "", "  two words ", {"search": "two words", "page": 0}),
        ("unchip", "pair", "", {"pair": "", "page": 0}),
        ("unchip", "search", "", {"search": "", "page": 0}),
        ("unchip", "bucket", "", {"bucket": "", "page": 0}),
        ("unchip", "metric", "", {}),
        ("sort", "", "index", {"sort": "index", "page": 0}),
        ("sort", "", "best", {}),
        ("page", "100", "", {"page": 100}),
        ("page", "-5", "", {"page": 0}),
        ("page", "9" * 40, "", {"page": 0}),
        ("pairs", "100", "", {"pairs": 100}),
        ("open", "3", "", {"open": 3}),
        ("open", "x", "", {}),
        ("against", "", "t1", {"against": "t1"}),
        ("against", "", "none", {"against": "none"}),
        ("unit", "char", "", {"unit": "char"}),
        ("unit", "line", "", {}),
        ("role", "1.0", "system", {}),
        ("", "", "", {}),
        ("step", "", "1", {}),
    ],
)
def test_a_press_changes_one_thing(act: str, key: str, value: str, changed: dict) -> None:
    assert pressed(SOME, {"act": act, "key": key, "value": value}) == replace(SOME, **changed)


def test_a_press_without_data_changes_nothing() -> None:
    assert pressed(SOME, {}) == SOME and pressed(SOME, {"act": None, "key": 5, "value": None}) == SOME


@pytest.mark.parametrize(
    ("opened", "value", "expected"),
    [(-1, "1", 4), (4, "1", 9), (9, "1", 2), (2, "1", 2), (9, "-1", 4), (4, "-1", 4), (7, "-1", 4), (7, "1", 4)],
)
def test_the_keys_step_along_the_list_as_it_is_shown(opened: int, value: str, expected: int) -> None:
    order = {0: 4, 1: 9, 2: 2}
    assert pressed(Look(open=opened), {"act": "step", "value": value}, order).open == expected

"""Replies read strictly: lines and JSON, whole, broken, cut off, and with more around them than there should be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sweetiechat.scenarios.replies import (
    Candidate,
    fields_from_json,
    fields_from_lines,
    types_from_json,
    types_from_lines,
)

LABELS = {"situation": "Situation:", "trigger": "Trigger:", "since": "Since:"}
WHOLE = "Situation: It is loud. Very.\nTrigger: A note.\nSince: June"


def test_lines_of_types() -> None:
    assert types_from_lines("health & body | Noise | It is loud.\n\n self | Fear | It is dark. ", False) == [
        Candidate("Noise", "It is loud.", "health & body"),
        Candidate("Fear", "It is dark.", "self"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("health | Noise", "the line has 2 of 3 parts"),
        ("Noise", "the line has 1 of 3 parts"),
        ("a | b | c | d", "the line has 4 of 3 parts"),
        ("a || c", "the line has 2 of 3 parts"),
        ("| | |", "the line has 0 of 3 parts"),
    ],
)
def test_other_lines_are_wrong_candidates(line: str, problem: str) -> None:
    [found] = types_from_lines(line, False)
    assert (found.problem, found.name, found.category) == (problem, "", "") and found.gloss == line


def test_only_the_last_line_is_lost_when_the_reply_was_cut_off() -> None:
    first, last = types_from_lines("a | b | c.\nd | e | f and th", True)
    assert first.problem == "" and last.problem == "the line was cut off"
    assert types_from_lines("", True) == []


def test_json_types_also_inside_a_fence_or_after_a_sentence() -> None:
    body = '{"types": [{"name": " Noise ", "gloss": "It is loud.", "category": "health_body", "parent": "Sleep"}]}'
    want = [Candidate("Noise", "It is loud.", "health_body", "Sleep")]
    for text in (body, f"Sure! Here it is:\n```json\n{body}\n```\nAnything else?", f"{{broken {body}"):
        assert types_from_json(text) == want
    assert types_from_json(body.replace(', "parent": "Sleep"', "")) == [
        Candidate("Noise", "It is loud.", "health_body")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no JSON object in it"),
        ("Noise, Fear", "there is no JSON object in it"),
        ("[1]", "there is no JSON object in it"),
        ('{"types": ', "there is no JSON object in it"),
        ("{}", 'it has no list named "types"'),
        ('{"types": []}', 'it has no list named "types"'),
        ('{"types": "Noise"}', 'it has no list named "types"'),
        ('{"types": [3]}', "type 1 has no text for name, gloss, category"),
        ('{"types": [{"name": "x", "gloss": "", "category": 4}]}', "type 1 has no text for gloss, category"),
    ],
)
def test_json_that_is_none_is_said_to_be_that(text: str, problem: str) -> None:
    assert types_from_json(text) == problem


def test_fields_in_lines() -> None:
    want = {"situation": "It is loud. Very.", "trigger": "A note.", "since": "June"}
    assert fields_from_lines(WHOLE, LABELS, False) == (want, "")
    assert fields_from_lines(WHOLE.replace("\n", "\n\n") + "\nMore: of it", LABELS, False) == (want, "")


@pytest.mark.parametrize(
    ("text", "cut", "good", "problem"),
    [
        ("", False, 0, "there is no line 'Situation:'"),
        ("It is loud.", False, 0, "line 1 does not begin with 'Situation:'"),
        ("Situation: x\nSince: June", False, 1, "line 2 does not begin with 'Trigger:'"),
        ("Situation: x\nTrigger:", False, 1, "the line 'Trigger:' is empty"),
        ("Situation: x\nTrigger: y", False, 2, "there is no line 'Since:'"),
        ("Situation: x\nTrigger: y and th", True, 1, "the line 'Trigger:' was cut off"),
        (WHOLE, True, 2, "the line 'Since:' was cut off"),
        ("situation: x", False, 0, "line 1 does not begin with 'Situation:'"),
        ("The Situation: x", False, 0, "line 1 does not begin with 'Situation:'"),
    ],
)
def test_the_good_fields_before_the_first_wrong_line_are_kept(text: str, cut: bool, good: int, problem: str) -> None:
    found, why = fields_from_lines(text, LABELS, cut)
    assert (len(found), why) == (good, problem)


def test_fields_in_json() -> None:
    text = '{"situation": " x ", "trigger": "y", "since": "z", "more": 1}'
    assert fields_from_json(text, tuple(LABELS)) == ({"situation": "x", "trigger": "y", "since": "z"}, "")
    assert fields_from_json('{"situation": "x", "trigger": 3, "since": ""}', tuple(LABELS)) == (
        {"situation": "x"},
        "there is no text for trigger, since",
    )
    assert fields_from_json("none", tuple(LABELS)) == ({}, "there is no JSON object in it")


@given(st.text(max_size=300), st.booleans())
def test_no_reply_ever_raises(text: str, cut: bool) -> None:
    types_from_lines(text, cut)
    types_from_json(text)
    found, why = fields_from_lines(text, LABELS, cut)
    assert (len(found) == len(LABELS)) == (why == "")
    fields_from_json(text, tuple(LABELS))

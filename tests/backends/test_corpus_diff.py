"""The difference of two texts: against the slow shortest script, on Chinese and Latin text, bounded."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import diff
from backends.mdfg.explore.diff import Piece, difference, folded

LETTERS = st.text(alphabet="雨下山路ab1 。\n", max_size=40)


def old(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if piece.sort in ("same", "removed"))


def new(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if piece.sort in ("same", "added"))


def told(one: str, other: str) -> list[tuple[str, str]]:
    return [(piece.sort, piece.text) for piece in difference(one, other).pieces]


def shortest(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the shortest script, by the table of all prefixes."""
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(above[j - 1] if x == y else 1 + min(above[j], row[j - 1]))
        above = row
    return above[-1]


@pytest.mark.parametrize(("one", "other", "pieces"), [
    ("", "", []),
    ("雨", "雨", [("same", "雨")]),
    ("", "雨", [("added", "雨")]),
    ("雨", "", [("removed", "雨")]),
    ("春天的雨", "春天的大雨", [("same", "春天的"), ("added", "大"), ("same", "雨")]),
    ("春雨下了", "秋雨下了", [("removed", "春"), ("added", "秋"), ("same", "雨下了")]),
    ("the old radio", "the new radio", [("same", "the "), ("removed", "old"), ("added", "new"), ("same", " radio")]),
    ("in 2023", "in 2024", [("same", "in "), ("removed", "2023"), ("added", "2024")]),
    ("café du nord", "cafés du nord", [("removed", "café"), ("added", "cafés"), ("same", " du nord")]),
    ("雨下abc", "雨下abd", [("same", "雨下"), ("removed", "abc"), ("added", "abd")]),
    ("a\nb", "a\n\nb", [("same", "a\n"), ("added", "\n"), ("same", "b")]),
    ("國門", "国门", [("removed", "國門"), ("added", "国门")]),
    ("\U00020000雨", "雨", [("removed", "\U00020000"), ("same", "雨")]),
    ("<b>", "<i>", [("same", "<"), ("removed", "b"), ("added", "i"), ("same", ">")]),
])
def test_what_differs(one: str, other: str, pieces: list[tuple[str, str]]) -> None:
    assert told(one, other) == pieces
    assert difference(one, other).exact


def test_a_character_that_is_equal_by_chance_does_not_split_a_phrase() -> None:
    assert told("他去北京市了。", "他去南山市场。") == [
        ("same", "他去"), ("removed", "北京市了"), ("added", "南山市场"), ("same", "。")]
    assert ("same", " ") in told("one two", "three four"), "spaces still part words"


@given(LETTERS, LETTERS)
@settings(max_examples=300, deadline=None)
def test_both_texts_can_be_read_off(one: str, other: str) -> None:
    found = difference(one, other)
    assert old(found.pieces) == one and new(found.pieces) == other
    assert all(piece.length == len(piece.text) > 0 for piece in found.pieces)
    assert all(before.sort != after.sort for before, after in pairwise(found.pieces))
    assert not any((before.sort, after.sort) == ("added", "removed") for before, after in pairwise(found.pieces))
    assert found.removed - found.added == len(one) - len(other)
    assert found.exact and found.cut == 0


@given(st.lists(st.sampled_from("雨下山路"), max_size=14), st.lists(st.sampled_from("雨下山路"), max_size=14))
@settings(max_examples=300, deadline=None)
def test_the_script_is_the_shortest(a: list[str], b: list[str]) -> None:
    script = diff._myers(a, b, 1000)
    assert script is not None
    assert sum(sort != "same" for sort, _ in script) == shortest(a, b)
    assert [text for sort, text in script if sort != "added"] == a
    assert [text for sort, text in script if sort != "removed"] == b


@given(LETTERS)
@settings(max_examples=50, deadline=None)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert told(text, text) == ([("same", text)] if text else [])


@given(LETTERS, LETTERS)
@settings(max_examples=100, deadline=None)
def test_few_edits_allowed_still_gives_both_texts(one: str, other: str) -> None:
    found = difference(one, other, 2)
    assert old(found.pieces) == one and new(found.pieces) == other


def test_too_many_edits_are_compared_by_lines() -> None:
    draw = random.Random(1)
    lines = ["".join(draw.choice("春夏秋冬雨雪风霜") for _ in range(30)) + "\n" for _ in range(60)]
    changed = [line if number % 3 else line[:10] + "新" + line[10:] for number, line in enumerate(lines)]
    changed[30] = "完全不同的一行文字\n"
    found = difference("".join(lines), "".join(changed), 12)
    assert not found.exact
    assert old(found.pieces) == "".join(lines) and new(found.pieces) == "".join(changed)
    same = sum(piece.length for piece in found.pieces if piece.sort == "same")
    assert same > 0.5 * len("".join(lines)), "equal lines are still matched"
    assert any(piece.sort == "added" and piece.text == "新" for piece in found.pieces), "and small changes inside lines"


@pytest.mark.parametrize("kind", ["random", "one line", "repeated", "many lines"])
def test_long_texts_stay_bounded(kind: str) -> None:
    draw = random.Random(2)
    if kind == "random":
        one, other = ("".join(chr(draw.randint(0x4E00, 0x5E00)) for _ in range(60_000)) for _ in range(2))
    elif kind == "one line":
        one = "".join(chr(draw.randint(0x4E00, 0x4F00)) for _ in range(60_000))
        other = one[:30_000] + "改" * 500 + one[30_000:]
    elif kind == "repeated":
        one, other = "雨下山路" * 15_000, "雨下山路" * 14_000 + "雪" * 900
    else:
        one, other = "\n" * 20_000 + "甲" * 5000, "乙\n" * 20_000
    began = time.process_time()
    found = difference(one, other)
    assert time.process_time() - began < 8
    assert old(found.pieces) == one and new(found.pieces) == other


def test_what_is_not_compared_is_said() -> None:
    found = difference("雨" * (diff.LONGEST + 5), "雨" * (diff.LONGEST + 7))
    assert found.cut == 12
    assert [piece.sort for piece in found.pieces] == ["same"]


def test_long_equal_stretches_are_folded() -> None:
    pieces = difference("甲" * 500 + "旧" + "乙" * 500 + "去" + "丙" * 500,
                        "甲" * 500 + "新" + "乙" * 500 + "丙" * 500).pieces
    shown = folded(pieces, 20)
    assert [(piece.sort, piece.length) for piece in shown] == [
        ("left out", 480), ("same", 20), ("removed", 1), ("added", 1), ("same", 20), ("left out", 460), ("same", 20),
        ("removed", 1), ("same", 20), ("left out", 480)]
    assert all(piece.text == "" for piece in shown if piece.sort == "left out")
    assert sum(piece.length for piece in shown) == sum(piece.length for piece in pieces)
    assert shown[1].text == "甲" * 20 and shown[-2].text == "丙" * 20


def test_short_stretches_and_equal_texts_are_not_folded() -> None:
    pieces = difference("春天的雨下了", "秋天的雨下了").pieces
    assert folded(pieces) == tuple(pieces)
    same = difference("雨" * 1000, "雨" * 1000).pieces
    assert folded(same) == tuple(same)
    assert folded(()) == ()

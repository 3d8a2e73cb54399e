"""CJK-aware words and differences."""

from __future__ import annotations

import pytest

from backends.common.mt.words import Piece, difference, is_cjk, ngrams, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("it's 3.5 km", ["it's", "3", ".", "5", "km"]),
        ("我们去北京。", ["我", "们", "去", "北", "京", "。"]),
        ("用Python写代码", ["用", "Python", "写", "代", "码"]),
        ("ひらがな", ["ひ", "ら", "が", "な"]),
        ("Straße über", ["Straße", "über"]),
        ("", []),
        ("   ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "cjk"),
    [("我们", True), ("我们 go", True), ("go to 北 immediately", False), ("", False), ("123", False), ("안녕", False)],
)
def test_is_cjk(text: str, cjk: bool) -> None:
    assert is_cjk(text) is cjk


@pytest.mark.parametrize("unit", ["word", "char"])
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("the cat sat", "the dog sat"),
        ("", "new"),
        ("old", ""),
        ("a  b ", " a b"),
        ("我们去北京。", "我们来北京了。"),
        ("same", "same"),
        ("", ""),
    ],
)
def test_a_difference_gives_both_texts_back(one: str, two: str, unit: str) -> None:
    pieces = difference(one, two, unit)
    assert "".join(p.text for p in pieces if p.kind != "added") == one
    assert "".join(p.text for p in pieces if p.kind != "removed") == two


def test_a_difference_marks_only_what_changed() -> None:
    assert difference("the cat sat", "the dog sat") == (
        Piece("same", "the "),
        Piece("removed", "cat"),
        Piece("added", "dog"),
        Piece("same", " sat"),
    )
    assert Piece("removed", "去") in difference("我们去北京", "我们来北京")


def test_ngrams() -> None:
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert ngrams(["a"], 2) == []

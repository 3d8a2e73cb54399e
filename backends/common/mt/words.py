"""Words of any language for counting and for showing differences: Chinese and Japanese by the character.

Whitespace words are useless for text without spaces, so a CJK character is a word of its own; everything else is
split at spaces and at the border between letters and punctuation. This is for tables and pictures; the scores use
sacreBLEU's own tokenisers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff"
_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:['’][^\W{CJK}]+)*|[^\w\s]", re.UNICODE)
_CJK = re.compile(f"[{CJK}]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")


def words(text: str) -> list[str]:
    """Words, numbers, single CJK characters and punctuation marks, in order."""
    return _WORD.findall(text)


def is_cjk(text: str) -> bool:
    """Whether at least a third of the letters of a text are CJK characters."""
    letters = sum(character.isalpha() for character in text)
    return letters > 0 and len(_CJK.findall(text)) * 3 >= letters


def language_of(segments: Sequence[str], look: int = 200) -> str:
    """The language that the script alone gives away: ``ja`` (kana), ``ko`` (hangul) or ``zh``; empty for any other.

    Of the first ``look`` segments at least every other one that has letters must be written in it."""
    found = {"ja": 0, "ko": 0, "zh": 0}
    lettered = 0
    for segment in segments[:look]:
        lettered += any(character.isalpha() for character in segment)
        if _KANA.search(segment) and is_cjk(segment):
            found["ja"] += 1
        elif _HANGUL.search(segment):
            found["ko"] += 1
        elif is_cjk(segment):
            found["zh"] += 1
    if found["ja"] * 4 >= lettered > 0:  # a Japanese line may be without kana, a Chinese one never has any
        found["ja"] += found["zh"]
        found["zh"] = 0
    best = max(found, key=lambda name: found[name])
    return best if lettered and found[best] * 2 >= lettered else ""


@dataclass(frozen=True)
class Piece:
    """A piece of a difference: ``kind`` is ``same``, ``added`` (only in the second text) or ``removed``."""

    kind: str
    text: str


def difference(first: str, second: str, unit: str = "word") -> tuple[Piece, ...]:
    """The difference of two texts by ``unit`` (``word`` or ``char``), in reading order.

    The ``same`` and ``removed`` pieces put together are ``first``, the ``same`` and ``added`` ones ``second``,
    spaces and all."""
    one, two = (list(first), list(second)) if unit == "char" else (_spaced(first), _spaced(second))
    pieces: list[Piece] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(one[a:b])))
            continue
        if b > a:
            pieces.append(Piece("removed", "".join(one[a:b])))
        if d > c:
            pieces.append(Piece("added", "".join(two[c:d])))
    return tuple(pieces)


def _spaced(text: str) -> list[str]:
    """Words and what stands between them; joined they are the text."""
    parts: list[str] = []
    end = 0
    for found in _WORD.finditer(text):
        if found.start() > end:
            parts.append(text[end:found.start()])
        parts.append(found.group())
        end = found.end()
    return [*parts, text[end:]] if end < len(text) else parts


def ngrams(tokens: Sequence[str], order: int) -> list[tuple[str, ...]]:
    """All n-grams of one order, in order."""
    return [tuple(tokens[i:i + order]) for i in range(len(tokens) - order + 1)]

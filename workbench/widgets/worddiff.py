"""Two utterances and the words in which they differ: English by words, Chinese by characters, spaces kept.

The words that both have, in the same order, are found by ``difflib`` without its shortcut for frequent words. Where the
two share less than a quarter of their words the marks would only be noise: such a text stays plain and is said to be
different throughout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape

_PARTS = re.compile(r"\s+|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+"
                    r"(?:['\u2019][^\W\u3400-\u9fff]+)*|[^\w\s]")
ALIKE = 0.25
"""Share of common words below which nothing is marked (our default)."""
MOST = 1500
"""Longest text in parts that is compared; longer ones are shown plain, since the comparison takes quadratic time."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the second text; ``new`` where the first text does not have it."""

    text: str
    new: bool


@dataclass(frozen=True)
class Difference:
    """The second text in pieces, and how much of their words the two share (0..1)."""

    pieces: tuple[Piece, ...]
    shared: float

    @property
    def marked(self) -> bool:
        """Whether marking single words says anything."""
        return ALIKE <= self.shared < 1.0


def parts_of(text: str) -> list[str]:
    """Words, single Han characters, single signs and runs of space; joined they are the text again."""
    return _PARTS.findall(text)


def compare(first: str, second: str) -> Difference:
    """The second text against the first. ``shared`` is 2 * common / (words of both), 1 for two texts without words;
    capital letters count as the same, signs and spaces do not count."""
    one, other = parts_of(first), parts_of(second)
    if max(len(one), len(other)) > MOST:
        return Difference((Piece(second, first != second),), float(first == second))
    matcher = SequenceMatcher(None, [p.casefold() for p in one if p.strip()],
                              [p.casefold() for p in other if p.strip()], autojunk=False)
    kept = {place for block in matcher.get_matching_blocks() for place in range(block.b, block.b + block.size)}
    words = [place for place, part in enumerate(other) if part.strip()]
    common = {words[place] for place in kept}
    new = [place not in common and bool(part.strip()) for place, part in enumerate(other)]
    for place, part in enumerate(other):  # a space between two new words is part of the change
        if not part.strip() and 0 < place < len(other) - 1:
            new[place] = new[place - 1] and new[place + 1]
    return Difference(_joined(other, new), _shared(one, other))


def _shared(first: Sequence[str], second: Sequence[str]) -> float:
    one, other = ([part.casefold() for part in parts if part[0].isalnum()] for parts in (first, second))
    if not one and not other:
        return float("".join(first).strip() == "".join(second).strip())
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _joined(parts: Sequence[str], new: Sequence[bool]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for part, fresh in zip(parts, new, strict=True):
        if pieces and pieces[-1].new == fresh:
            pieces[-1] = Piece(pieces[-1].text + part, fresh)
        else:
            pieces.append(Piece(part, fresh))
    return tuple(pieces)


def marked(difference: Difference) -> str:
    """The second text as HTML with the words that the first does not have in ``<mark>``; escaped."""
    if not difference.marked:
        return _plain("".join(piece.text for piece in difference.pieces))
    return "".join(f"<mark>{_plain(piece.text)}</mark>" if piece.new else _plain(piece.text)
                   for piece in difference.pieces)


def _plain(text: str) -> str:
    return escape(text).replace("\n", "<br>")

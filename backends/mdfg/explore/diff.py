"""What differs between two texts, character by character where it is Chinese and word by word where it is Latin.

The shortest edit script of Myers (1986), found greedily over tokens: a run of letters with ASCII digits is one token,
every other character is one. What both texts begin and end with is taken off first. Texts that differ in more than
:data:`EDITS` tokens are compared line by line, which is coarser but bounded. Single characters that happen to be equal
between two changes are shown as changed, so that a reader sees phrases.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

EDITS = 600
LONGEST = 200_000
"""Characters of each text that are compared; the rest is left out and said so."""
ISLAND = 1
AROUND = 30
LINES = 5000
_TOKEN = re.compile(r"[A-Za-z\u00C0-\u024F0-9_]+|.", re.DOTALL)
Sort = Literal["same", "removed", "added", "left out"]


@dataclass(frozen=True)
class Piece:
    """A stretch of text. ``same`` and ``removed`` pieces make up the first text, ``same`` and ``added`` the second;
    ``left out`` stands for as many equal characters as ``length`` says, with an empty text."""

    sort: Sort
    text: str
    length: int


@dataclass(frozen=True)
class Difference:
    """``pieces`` in order; ``exact``: found token by token and not by lines; ``cut``: characters not compared."""

    pieces: tuple[Piece, ...]
    exact: bool
    cut: int

    @property
    def removed(self) -> int:
        """Characters that only the first text has."""
        return sum(piece.length for piece in self.pieces if piece.sort == "removed")

    @property
    def added(self) -> int:
        """Characters that only the second text has."""
        return sum(piece.length for piece in self.pieces if piece.sort == "added")


Run = tuple[Sort, str]


def difference(one: str, other: str, edits: int = EDITS) -> Difference:
    """What has to be taken from ``one`` and put in to get ``other``."""
    cut = max(0, len(one) - LONGEST) + max(0, len(other) - LONGEST)
    a, b = _TOKEN.findall(one[:LONGEST]), _TOKEN.findall(other[:LONGEST])
    begin = _common(a, b)
    end = _common(a[begin:][::-1], b[begin:][::-1])
    inner_a, inner_b = a[begin:len(a) - end], b[begin:len(b) - end]
    script = _myers(inner_a, inner_b, edits)
    inner = list(_by_lines(inner_a, inner_b, edits)) if script is None else script
    runs: list[Run] = [("same", "".join(a[:begin])), *inner, ("same", "".join(a[len(a) - end:]))]
    return Difference(tuple(Piece(sort, text, len(text)) for sort, text in _joined(runs)), script is not None, cut)


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """How many tokens two lists begin with together."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _myers(a: Sequence[str], b: Sequence[str], edits: int) -> list[Run] | None:
    """The shortest script, or nothing when it has more than ``edits`` steps.

    reach[k] is how far along ``a`` the paths of d edits come on the diagonal k = x - y."""
    reach, history = {1: 0}, []
    for d in range(min(edits, len(a) + len(b)) + 1):
        history.append(dict(reach))
        for k in range(-d, d + 1, 2):
            down = k == -d or (k != d and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            reach[k] = x
            if x >= len(a) and x - k >= len(b):
                return _traced(a, b, history)
    return None


def _traced(a: Sequence[str], b: Sequence[str], history: list[dict[int, int]]) -> list[Run]:
    """The script, read backwards from what every round had reached."""
    x, y, runs = len(a), len(b), list[Run]()
    for d in range(len(history) - 1, -1, -1):
        reach, k = history[d], x - y
        down = k == -d or (k != d and reach[k - 1] < reach[k + 1])
        before = k + 1 if down else k - 1
        at_x = reach[before] if d else 0
        at_y = at_x - before if d else 0
        while x > at_x and y > at_y:
            x, y = x - 1, y - 1
            runs.append(("same", a[x]))
        if d:
            x, y = at_x, at_y
            runs.append(("added", b[y]) if down else ("removed", a[x]))
    return runs[::-1]


def _by_lines(a: Sequence[str], b: Sequence[str], edits: int) -> Iterator[Run]:
    """Equal lines are matched; what lies between them is compared by token where it is little enough."""
    one, other = "".join(a).splitlines(keepends=True), "".join(b).splitlines(keepends=True)
    if len(one) > LINES or len(other) > LINES:
        yield from (("removed", "".join(one)), ("added", "".join(other)))
        return
    budget = edits
    for tag, i, j, k, m in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        old, new = "".join(one[i:j]), "".join(other[k:m])
        if tag == "equal":
            yield "same", old
            continue
        found = _myers(_TOKEN.findall(old), _TOKEN.findall(new), min(budget, edits // 4))
        if found is None:
            yield from (("removed", old), ("added", new))
        else:
            budget = max(0, budget - sum(sort != "same" for sort, _ in found))
            yield from found


def _joined(runs: Sequence[Run]) -> list[Run]:
    """Runs of one sort as one piece, what is removed before what is added, islands between changes given up."""
    out: list[Run] = []
    old = new = equal = ""
    for sort, text in runs:
        if sort == "same":
            equal += text
            continue
        if equal and (old or new) and len(equal) <= ISLAND and not equal.isspace():
            old, new = old + equal, new + equal
        elif equal:
            out += [*_changed(old, new), ("same", equal)]
            old = new = ""
        equal = ""
        old, new = old + (text if sort == "removed" else ""), new + (text if sort == "added" else "")
    out += _changed(old, new)
    return [*out, ("same", equal)] if equal else out


def _changed(old: str, new: str) -> list[Run]:
    both: list[Run] = [("removed", old), ("added", new)]
    return [(sort, text) for sort, text in both if text]


def folded(pieces: Sequence[Piece], around: int = AROUND) -> tuple[Piece, ...]:
    """Pieces to show: of a long equal stretch only ``around`` characters beside the changes are left."""
    shown: list[Piece] = []
    for number, piece in enumerate(pieces):
        head = around if number else 0
        tail = around if number < len(pieces) - 1 else 0
        if piece.sort != "same" or piece.length <= 2 * around + AROUND or len(pieces) == 1:
            shown.append(piece)
            continue
        left = piece.length - head - tail
        parts = (Piece("same", piece.text[:head], head), Piece("left out", "", left),
                 Piece("same", piece.text[piece.length - tail:], tail))
        shown += [part for part in parts if part.length]
    return tuple(shown)

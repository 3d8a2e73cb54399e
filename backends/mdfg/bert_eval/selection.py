"""From scores of pieces to what is kept, and to one score a document.

Selection (spec A3): a piece is kept when its score lies above T; each maximal run of kept pieces is a text of its own
with the mean of their scores; everything else goes to the rejected. A piece that could not be scored ends a run and is
listed by itself. Kept, rejected and unscored pieces in order are exactly the document.

How the official release merges pieces into one ``quality_score`` is not public. Ours: the mean weighted by length; the
smallest score and the whole list are kept too, because a mean hides one terrible piece.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backends.mdfg.bert_eval.segments import Segment
from workbench.contract import UserError

Fate = Literal["kept", "rejected", "unscored"]


@dataclass(frozen=True)
class Part:
    """A stretch of a document with one fate; ``score`` is the mean of its pieces, ``None`` where unscored."""

    begin: int
    end: int
    fate: Fate
    score: float | None


@dataclass(frozen=True)
class Merged:
    """One document's quality: length-weighted mean, smallest, and every piece's score (``None`` where unscored).
    ``score`` and ``least`` are ``None`` for a document without a scored piece."""

    score: float | None
    least: float | None
    pieces: tuple[float | None, ...]


def aligned(parts: Sequence[Segment], scores: Sequence[float]) -> list[float | None]:
    """A score or ``None`` for every piece; ``scores`` are those of the scored pieces, in order."""
    wanted = sum(part.scored for part in parts)
    if wanted != len(scores):
        raise UserError(f"There are {wanted} pieces to score and {len(scores)} scores.")
    given = iter(scores)
    return [next(given) if part.scored else None for part in parts]


def select(parts: Sequence[Segment], scores: Sequence[float], threshold: float) -> tuple[Part, ...]:
    """The document's stretches in order: kept runs joined, rejected and unscored pieces one by one."""
    found: list[Part] = []
    run: list[tuple[Segment, float]] = []

    def close() -> None:
        if run:
            found.append(Part(run[0][0].begin, run[-1][0].end, "kept", math.fsum(s for _, s in run) / len(run)))
            run.clear()

    for part, score in zip(parts, aligned(parts, scores), strict=True):
        if score is not None and score > threshold:
            run.append((part, score))
            continue
        close()
        found.append(Part(part.begin, part.end, "unscored" if score is None else "rejected", score))
    close()
    return tuple(found)


def merge(parts: Sequence[Segment], scores: Sequence[float]) -> Merged:
    """One score a document."""
    every = aligned(parts, scores)
    pairs = [(part.end - part.begin, score) for part, score in zip(parts, every, strict=True) if score is not None]
    if not pairs:
        return Merged(None, None, tuple(every))
    length = sum(size for size, _ in pairs)
    return Merged(math.fsum(size * score for size, score in pairs) / length, min(s for _, s in pairs), tuple(every))

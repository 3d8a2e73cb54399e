"""Where systems differ: segments by disagreement, and n-grams that one system has right and another has not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backends.common.mt.scores import Array
from backends.common.mt.words import ngrams, words
from workbench.contract import UserError, unknown

EXAMPLES = 5


@dataclass(frozen=True)
class Segment:
    """A segment with each system's score. ``disagreement`` is the standard deviation of the scores."""

    index: int
    scores: dict[str, float]
    disagreement: float
    best: str
    worst: str


def by_disagreement(scores: Mapping[str, Array], sign: float = 1.0) -> list[Segment]:
    """Every segment, the one systems disagree on most first; ``scores`` holds (segments,) per system.

    ``sign`` is -1 for a metric where less is better."""
    names = list(scores)
    if not names:
        raise UserError("There is no system to compare.")
    table = np.stack([scores[name] for name in names])
    spread = table.std(0)
    order = np.argsort(-spread, kind="stable")
    found = []
    for i in order.tolist():
        column = (sign * table[:, i]).tolist()
        found.append(Segment(i, {name: float(table[k, i]) for k, name in enumerate(names)}, float(spread[i]),
                             names[column.index(max(column))], names[column.index(min(column))]))
    return found


@dataclass(frozen=True)
class NgramWin:
    """An n-gram of the references that ``winner`` writes more often where it belongs than ``loser``: ``ahead`` and
    ``behind`` are how often; ``segments`` where it shows."""

    text: str
    ahead: int
    behind: int
    segments: tuple[int, ...]


def ngram_wins(systems: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]], winner: str, loser: str,
               order: int = 2, count: int = 20) -> list[NgramWin]:
    """The n-grams that ``winner`` matches most ahead of ``loser``, counted as BLEU counts matches (clipped by the
    most that any reference has)."""
    for name in (winner, loser):
        if name not in systems:
            raise unknown("system", name, systems)
    ahead: Counter[tuple[str, ...]] = Counter()
    behind: Counter[tuple[str, ...]] = Counter()
    where: dict[tuple[str, ...], list[int]] = {}
    for i, (one, two) in enumerate(zip(systems[winner], systems[loser], strict=True)):
        wanted: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            wanted |= Counter(ngrams(words(reference[i]), order))
        a, b = (Counter(ngrams(words(text), order)) & wanted for text in (one, two))
        ahead.update(a)
        behind.update(b)
        for gram in a - b:
            where.setdefault(gram, []).append(i)
    ranked = sorted(ahead, key=lambda gram: (behind[gram] - ahead[gram], gram))
    return [NgramWin(" ".join(gram), ahead[gram], behind[gram], tuple(where.get(gram, ())[:EXAMPLES]))
            for gram in ranked[:count] if ahead[gram] > behind[gram]]

"""How far annotators agree beyond chance: Cohen's kappa of every two of them, Fleiss' kappa of all.

    kappa = (agreed - chance) / (1 - chance)

Cohen (1960): agreed = share of documents with equal answers, chance = sum over answers of the product of both persons'
shares. Fleiss (1971): agreed = mean over documents of the share of equal pairs of answers, chance = sum over answers of
their share squared. Where documents have different numbers of answers, shares are means over documents (Gwet 2014);
with equal numbers that is Fleiss' own formula. An interval comes from drawing documents again with replacement
(percentile bootstrap, our default). Documents with one answer say nothing about agreement and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.labels import UNSURE, Label
from backends.mdfg.metrics_binary import kappa
from workbench.contract import UserError

DRAWS, INSIDE = 1000, (2.5, 97.5)
Table = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two annotators on the documents that both labelled; ``kappa`` is ``None`` where both always gave one answer."""

    first: str
    second: str
    documents: int
    agreed: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """``documents`` have answers of at least two people. ``fleiss`` is ``None`` where chance is 1, ``interval`` (95 %)
    where it cannot be drawn; ``unsure`` answers are left out."""

    pairs: tuple[Pair, ...]
    documents: int
    answers: tuple[str, ...]
    fleiss: float | None
    interval: tuple[float, float] | None
    unsure: int


def agreement(labels: Sequence[Label], seed: int = 0) -> Agreement:
    """Agreement on one dimension. Several domains of one document are one answer: they agree when all are the same."""
    sure = [label for label in labels if UNSURE not in label.values]
    said: dict[int, dict[str, str]] = {}
    for label in sure:
        said.setdefault(label.place, {})[label.by] = "|".join(sorted(set(label.values)))
    answers = tuple(sorted({answer for given in said.values() for answer in given.values()}))
    column = {answer: place for place, answer in enumerate(answers)}
    twice = [given for _, given in sorted(said.items()) if len(given) > 1]
    table = np.zeros((len(twice), len(answers)), dtype=np.int64)
    for row, given in enumerate(twice):
        for answer in given.values():
            table[row, column[answer]] += 1
    value = fleiss(table) if len(twice) else None
    return Agreement(_pairs(twice), len(twice), answers, value, _interval(table, seed) if value is not None else None,
                     len(labels) - len(sure))


def _pairs(said: Sequence[dict[str, str]]) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations(sorted({name for given in said for name in given}), 2):
        both = [(given[first], given[second]) for given in said if first in given and second in given]
        if both:
            a, b = zip(*both, strict=True)
            equal = sum(x == y for x, y in both) / len(both)
            found.append(Pair(first, second, len(both), equal, kappa(a, b)))
    return tuple(found)


def fleiss(table: Table) -> float | None:
    """Kappa of ``table`` (documents, answers), whose entries count people; ``None`` where chance is 1.

    Raises ``UserError`` for no document, or one with fewer than two answers."""
    counts = np.asarray(table, dtype=np.float64)
    people = counts.sum(axis=1) if counts.ndim == 2 else np.zeros(0)
    if not people.size or people.min() < 2:
        raise UserError("Fleiss' kappa needs documents with at least two answers each.",
                        advice="Leave out documents that one person labelled.")
    agreed = ((counts * (counts - 1)).sum(axis=1) / (people * (people - 1))).mean()
    chance = float(((counts / people[:, None]).mean(axis=0) ** 2).sum())
    return float((agreed - chance) / (1 - chance)) if chance < 1 - 1e-12 else None


def _interval(table: Table, seed: int) -> tuple[float, float] | None:
    generator = np.random.default_rng(seed)
    drawn = [fleiss(table[generator.integers(0, len(table), len(table))]) for _ in range(DRAWS)]
    values = [value for value in drawn if value is not None]
    if len(table) < 2 or not values:
        return None
    low, high = np.percentile(values, INSIDE)
    return float(low), float(high)

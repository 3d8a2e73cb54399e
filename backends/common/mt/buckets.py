"""Scores of parts of the test set: by length, by how rare the source words are, by domain.

A bucket's score is the corpus score of its segments (their statistics summed), not a mean of segment scores. Cuts of
length and frequency are quantiles of the set at hand, so every bucket has about as many segments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backends.common.mt.scores import Array, Scorer
from backends.common.mt.words import words
from workbench.contract import UserError

PARTS = 4
SMALL = 30
"""A bucket of fewer segments carries a warning (our default)."""


@dataclass(frozen=True)
class Bucket:
    """A part of the segments: which ones, and every system's corpus score on them."""

    label: str
    segments: tuple[int, ...]
    scores: dict[str, float]

    @property
    def small(self) -> bool:
        """Whether it is too small for its scores to be trusted."""
        return len(self.segments) < SMALL


def scored(label: str, rows: Sequence[int], metric: Scorer, statistics: Mapping[str, Array]) -> Bucket:
    """The bucket of these segments."""
    places = np.asarray(rows, dtype=np.int64)
    return Bucket(label, tuple(int(r) for r in rows),
                  {name: float(metric.score(table[places].sum(0))) for name, table in statistics.items()})


def by_value(values: Sequence[float], unit: str, metric: Scorer, statistics: Mapping[str, Array],
             parts: int = PARTS) -> list[Bucket]:
    """Buckets of about equal size by a value of each segment; equal values stay together."""
    _check(len(values), statistics)
    if not 1 <= parts <= 100:
        raise UserError(f"parts is {parts}; it must lie between 1 and 100.")
    data = np.asarray(values, dtype=np.float64)
    inner = np.linspace(0, 1, parts + 1)[1:-1]
    cuts: Array = np.unique(np.quantile(data, inner, method="lower")) if len(data) else data
    place = np.searchsorted(cuts, data, side="left")
    found = []
    for part in np.unique(place):
        rows = np.flatnonzero(place == part)
        low, high = data[rows].min(), data[rows].max()
        span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        found.append(scored(f"{span} {unit}", rows.tolist(), metric, statistics))
    return found


def lengths(segments: Sequence[str]) -> list[float]:
    """Words of each segment (CJK characters count as words)."""
    return [float(len(words(segment))) for segment in segments]


def rarity(segments: Sequence[str], counts: Mapping[str, int] | None = None) -> list[float]:
    """How often the rarest word of each segment occurs in ``counts`` (of the segments themselves by default)."""
    split = [[word.lower() for word in words(segment)] for segment in segments]
    known = counts if counts is not None else Counter(word for line in split for word in line)
    return [float(min((known.get(word, 0) for word in line), default=0)) for line in split]


def by_label(labels: Sequence[str], metric: Scorer, statistics: Mapping[str, Array]) -> list[Bucket]:
    """One bucket for each label (domain, document), the largest first."""
    _check(len(labels), statistics)
    groups: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        groups.setdefault(label or "no label", []).append(i)
    return [scored(label, rows, metric, statistics)
            for label, rows in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))]


def _check(size: int, statistics: Mapping[str, Array]) -> None:
    for name, table in statistics.items():
        if len(table) != size:
            raise UserError(f"{name} has {len(table)} segments and the buckets are of {size}.")

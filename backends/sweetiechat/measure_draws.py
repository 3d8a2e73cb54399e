"""Intervals of many numbers at once: one set of redrawn dialogues for all of them, and differences of two sources.

``rows[i]`` holds the counts of unit i (a dialogue), of any shape; a statistic turns their sum into a vector. Draw r
weighs the rows with w_r ~ Multinomial(n, 1/n), as in :mod:`metrics.intervals`. Two sources with the same units in the
same order and the same seed share their weights, so their difference is paired; otherwise the seeds differ.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.metrics.intervals import Interval, interval_of
from workbench.contract import UserError

Array = NDArray[np.float64]
Statistic = Callable[[Array], Sequence[float]]
MOST_WEIGHTS = 2_000_000
"""Weights that are held at a time: 16 MB."""


@dataclass(frozen=True)
class Draws:
    """A vector of numbers, shape (k,), its draws, shape (resamples, k), and over how many dialogues."""

    values: Array
    draws: Array
    dialogues: int

    def interval(self, place: int, level: float) -> Interval:
        """The interval of one of the numbers."""
        return interval_of(float(self.values[place]), self.draws[:, place].tolist(), self.dialogues, level)

    def part(self, first: int, end: int) -> Draws:
        """The numbers from ``first`` up to, not including, ``end``."""
        return Draws(self.values[first:end], self.draws[:, first:end], self.dialogues)

    def minus(self, other: Draws) -> Draws:
        """The difference of two vectors of equal length and as many draws."""
        return Draws(self.values - other.values, self.draws - other.draws, min(self.dialogues, other.dialogues))


def draw(rows: NDArray[np.generic], statistic: Statistic, generator: random.Random, resamples: int,
         tick: Callable[[], None] = lambda: None) -> Draws:
    """The statistic of the sum of all rows, and of every draw; not a number where it is undefined.

    ``tick`` is called now and then and may end the work by raising. Raises ``UserError`` without a row.
    """
    count = len(rows)
    if not count:
        raise UserError("There is no dialogue to draw from.", advice="Give at least one.")
    table = np.asarray(rows, dtype=np.float64)
    values = _attempt(statistic, table.sum(axis=0), 0)
    drawn = np.full((resamples, len(values)), math.nan)
    numbers = np.random.default_rng(generator.getrandbits(128))
    chunk = max(1, min(resamples, MOST_WEIGHTS // count, 100))
    for first in range(0, resamples, chunk):
        tick()
        some = min(chunk, resamples - first)
        weights = numbers.multinomial(count, np.full(count, 1 / count), size=some).astype(np.float64)
        for place, total in enumerate(np.tensordot(weights, table, axes=1)):
            drawn[first + place] = _attempt(statistic, total, len(values))
    return Draws(values, drawn, count)


def _attempt(statistic: Statistic, total: Array, size: int) -> Array:
    """The statistic, or a row of no numbers where there is nothing to compute it from."""
    try:
        return np.asarray(statistic(total), dtype=np.float64)
    except UserError:
        if not size:
            raise
        return np.full(size, math.nan)

"""Bootstrap intervals over dialogues: turns of one dialogue belong together, so whole dialogues are redrawn.

Percentile interval: draw as many dialogues with replacement as there are, compute the statistic, repeat; the
interval runs from the (1 - level) / 2 to the (1 + level) / 2 quantile (linear) of the draws. For a difference both
systems are redrawn with the same dialogues (paired). A statistic of added-up rows (BLEU, F1, bias, perplexity) goes
through ``bootstrap_sums``, which adds instead of recomputing. Randomness is only the passed generator's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

Item = TypeVar("Item")
Array = NDArray[np.float64]
FEW = 10
"""Below so many dialogues an interval carries a note (our default)."""


@dataclass(frozen=True)
class Interval:
    """A value with its percentile interval. ``low`` and ``high`` are ``None`` when nothing can be said (one
    dialogue, or a statistic that is undefined in every draw)."""

    value: float
    low: float | None
    high: float | None
    level: float
    resamples: int
    dialogues: int
    notes: tuple[str, ...] = ()

    def excludes(self, value: float = 0.0) -> bool:
        """Whether the interval lies wholly above or wholly below ``value``; an unknown interval excludes nothing."""
        return self.low is not None and self.high is not None and not self.low <= value <= self.high


def bootstrap(dialogues: Sequence[Item], statistic: Callable[[Sequence[Item]], float], generator: random.Random,
              resamples: int = 1000, level: float = 0.95) -> Interval:
    """Interval of any statistic of a list of dialogues."""
    _check(len(dialogues), resamples, level)
    draws = [_attempt(statistic, [dialogues[i] for i in row])
             for row in _draws(len(dialogues), resamples, generator)]
    return interval_of(statistic(dialogues), draws, len(dialogues), level)


def paired(first: Sequence[Item], second: Sequence[Item], statistic: Callable[[Sequence[Item]], float],
           generator: random.Random, resamples: int = 1000, level: float = 0.95) -> Interval:
    """Interval of statistic(second) - statistic(first); entry i of both is about the same dialogue."""
    _check_pair(len(first), len(second))
    _check(len(first), resamples, level)
    draws = [_attempt(statistic, [second[i] for i in row]) - _attempt(statistic, [first[i] for i in row])
             for row in _draws(len(first), resamples, generator)]
    return interval_of(statistic(second) - statistic(first), draws, len(first), level)


def bootstrap_sums(rows: NDArray[np.generic], statistic: Callable[[Array], float], generator: random.Random,
                   resamples: int = 1000, level: float = 0.95) -> Interval:
    """Interval of statistic(sum of rows); ``rows[i]`` holds the counts of dialogue i, of any shape."""
    _check(len(rows), resamples, level)
    draws = [_attempt(statistic, total) for total in _sums(rows, _weights(len(rows), resamples, generator))]
    return interval_of(statistic(_sums(rows, np.ones((1, len(rows))))[0]), draws, len(rows), level)


def paired_sums(first: NDArray[np.generic], second: NDArray[np.generic], statistic: Callable[[Array], float],
                generator: random.Random, resamples: int = 1000, level: float = 0.95) -> Interval:
    """Interval of statistic(sum of second) - statistic(sum of first), redrawn with the same dialogues."""
    _check_pair(len(first), len(second))
    _check(len(first), resamples, level)
    weights = _weights(len(first), resamples, generator)
    draws = [_attempt(statistic, b) - _attempt(statistic, a)
             for a, b in zip(_sums(first, weights), _sums(second, weights), strict=True)]
    whole = np.ones((1, len(first)))
    return interval_of(statistic(_sums(second, whole)[0]) - statistic(_sums(first, whole)[0]), draws, len(first), level)


def mean_of_sums(total: Array) -> float:
    """The statistic ``total[0] / total[1]`` for rows (sum, number): a mean over turns, redrawn by dialogue."""
    return float(total[0] / total[1]) if total[1] else math.nan


def _attempt(statistic: Callable[[Item], float], drawn: Item) -> float:
    """The statistic of one draw; not a number where the draw has nothing to compute it from."""
    try:
        return statistic(drawn)
    except UserError:
        return math.nan


def _numpy(generator: random.Random) -> np.random.Generator:
    return np.random.default_rng(generator.getrandbits(128))


def _draws(count: int, resamples: int, generator: random.Random) -> list[list[int]]:
    drawn: list[list[int]] = _numpy(generator).integers(0, count, size=(resamples, count)).tolist()
    return drawn


def _weights(count: int, resamples: int, generator: random.Random) -> Array:
    """How often each dialogue is in each draw: the same distribution as drawing places one by one."""
    return _numpy(generator).multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _sums(rows: NDArray[np.generic], weights: Array) -> Array:
    return np.tensordot(weights, np.asarray(rows, dtype=np.float64), axes=1)


def interval_of(value: float, draws: Sequence[float], dialogues: int, level: float) -> Interval:
    """The percentile interval of these draws, with notes on what stands against it."""
    defined = np.array([draw for draw in draws if math.isfinite(draw)], dtype=np.float64)
    notes = []
    if len(defined) < len(draws):
        notes.append(f"undefined in {len(draws) - len(defined)} of {len(draws)} draws, which are left out")
    if dialogues == 1:
        notes.append("one dialogue has no interval")
    elif dialogues < FEW:
        notes.append(f"only {dialogues} dialogues: the interval is rough")
    low = high = None
    if dialogues > 1 and len(defined):
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(float(value), low, high, level, len(draws), dialogues, tuple(notes))


def _check(dialogues: int, resamples: int, level: float) -> None:
    if dialogues < 1:
        raise UserError("There is no dialogue to draw from.", advice="Give at least one.")
    if resamples < 1:
        raise UserError(f"resamples is {resamples}; it must be at least 1.")
    if not 0 < level < 1:
        raise UserError(f"level is {level}; it must lie between 0 and 1, for example 0.95.")


def _check_pair(first: int, second: int) -> None:
    if first != second:
        raise UserError(f"The two systems have {first} and {second} dialogues; a paired difference needs the same "
                        "dialogues for both.")

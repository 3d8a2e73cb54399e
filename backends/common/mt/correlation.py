"""Do a metric and people agree? Over systems, and over segments.

Over systems: Pearson, Spearman and Kendall's tau-b of the metric's corpus score and the human mean (z where given);
below ten systems such a figure says little. Over segments: Kendall's tau-b inside every segment over its systems,
then the mean (WMT's "group by item"), which asks what a ranking of systems for one source is worth.

Intervals are percentiles of a bootstrap: systems are drawn again for the first three figures, segments for the last
(Deutsch, Dror and Roth 2021, the variants for inputs and for systems). Draws in which all systems have one score say
nothing and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from backends.common.mt.human import Ratings, segment_scores, system_scores
from backends.common.mt.scores import Array
from workbench.contract import UserError

FEW = 10
DRAWS, SEED, LEVEL = 1000, 12345, 0.95
CELLS = 1 << 18
"""Pairs of systems that are compared at once, over draws (2 MB a side)."""
FEWEST = 4
"""With fewer systems an interval over systems is not given: most draws would repeat one of them (our default)."""


@dataclass(frozen=True)
class Correlation:
    """Agreement of a metric with human scores. Signs are turned so that 1 is always full agreement. ``segment_tau`` is
    ``None`` where no segment has two systems that people tell apart. ``warning`` is empty when all is well.
    ``intervals`` has the 95 % interval (low, high) of ``pearson``, ``spearman``, ``kendall`` and ``segment_tau``, each
    where there is enough to draw from."""

    metric: str
    systems: int
    pearson: float
    spearman: float
    kendall: float
    segments: int
    segment_tau: float | None
    warning: str
    points: tuple[tuple[str, float, float], ...]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


def correlate(metric: str, corpus: Mapping[str, float], segments: Mapping[str, Array], ratings: Ratings,
              sign: float = 1.0, value: str = "z", seed: int = SEED) -> Correlation:
    """Compare corpus scores and segment scores of systems with ratings of the same systems.

    ``value`` is ``"z"`` or ``"mean"``; ``seed`` is that of the intervals. Raises ``UserError`` with fewer than
    three systems in common: two always correlate perfectly."""
    from scipy import stats  # type: ignore[import-untyped]

    people = {row.system: row.z if value == "z" else row.mean for row in system_scores(ratings)}
    common = [name for name in corpus if name in people]
    if len(common) < 3:
        raise UserError(f"{len(common)} systems have both a {metric} score and human scores; a correlation needs at "
                        "least 3.", advice="Check that the systems are called the same in both.")
    xs = np.array([sign * corpus[name] for name in common])
    ys = np.array([people[name] for name in common])
    if xs.std() == 0 or ys.std() == 0:
        which = "metric" if xs.std() == 0 else "human"
        raise UserError(f"All {len(common)} systems have the same {which} score; there is no correlation.")
    taus = segment_taus(segments, segment_scores(ratings.ratings), sign)
    left = sorted(set(people) - set(common))
    warnings = [f"{len(common)} systems are few: one of them can turn the figure"] if len(common) < FEW else []
    warnings += [f"rated but not scored: {', '.join(left)}"] if left else []
    points = tuple((name, float(corpus[name]), float(people[name])) for name in common)
    return Correlation(metric, len(common), float(stats.pearsonr(xs, ys).statistic),
                       float(stats.spearmanr(xs, ys).statistic), float(stats.kendalltau(xs, ys).statistic), len(taus),
                       float(np.mean(taus)) if taus else None, "; ".join(warnings), points,
                       {**over_systems(xs, ys, seed), **over_segments(taus, seed)})


def over_systems(xs: Array, ys: Array, seed: int = SEED, draws: int = DRAWS) -> dict[str, tuple[float, float]]:
    """Intervals of the three figures of ``xs`` and ``ys`` (one value a system each); empty below four systems."""
    from scipy import stats

    if len(xs) < FEWEST:
        return {}
    places = np.random.default_rng(seed).integers(len(xs), size=(draws, len(xs)))
    one, two = xs[places], ys[places]
    usable = (np.ptp(one, axis=1) > 0) & (np.ptp(two, axis=1) > 0)
    one, two = one[usable], two[usable]
    if not len(one):
        return {}
    ranked = [stats.rankdata(values, axis=1) for values in (one, two)]
    return {"pearson": interval(_pearson(one, two)), "spearman": interval(_pearson(*ranked)),
            "kendall": interval(_kendall(one, two))}


def over_segments(taus: Sequence[float], seed: int = SEED, draws: int = DRAWS) -> dict[str, tuple[float, float]]:
    """The interval of the mean of segment taus; empty below two segments."""
    if len(taus) < 2:
        return {}
    values = np.asarray(taus, dtype=np.float64)
    generator = np.random.default_rng(seed)
    means = np.array([values[generator.integers(len(values), size=len(values))].mean() for _ in range(draws)])
    return {"segment_tau": interval(means)}


def interval(values: Array) -> tuple[float, float]:
    """The middle 95 % of draws."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _pearson(one: Array, two: Array) -> Array:
    """Pearson's r of every row of two (draws, n)."""
    one, two = one - one.mean(1, keepdims=True), two - two.mean(1, keepdims=True)
    found: Array = (one * two).sum(1) / np.sqrt((one**2).sum(1) * (two**2).sum(1))
    return found


def _kendall(one: Array, two: Array) -> Array:
    """Kendall's tau-b of every row: pairs in the same order less pairs in the other, over the root of the product of
    the pairs that each side tells apart."""
    found = []
    rows = max(1, CELLS // one.shape[1] ** 2)
    for start in range(0, len(one), rows):
        block = slice(start, start + rows)
        a, b = (np.sign(values[block, :, None] - values[block, None, :]) for values in (one, two))
        found.append((a * b).sum((1, 2)) / np.sqrt((a**2).sum((1, 2)) * (b**2).sum((1, 2))))
    return np.concatenate(found)


def segment_tau(segments: Mapping[str, Array], people: Mapping[str, Mapping[int, float]],
                sign: float) -> tuple[int, float | None]:
    """Segments that could be used, and the mean over them of Kendall's tau-b over systems."""
    taus = segment_taus(segments, people, sign)
    return len(taus), float(np.mean(taus)) if taus else None


def segment_taus(segments: Mapping[str, Array], people: Mapping[str, Mapping[int, float]],
                 sign: float) -> list[float]:
    """Kendall's tau-b over systems of every segment in which both people and the metric tell systems apart."""
    from scipy import stats

    names = [name for name in segments if name in people]
    places = sorted({segment for name in names for segment in people[name]})
    taus = []
    for place in places:
        rated = [name for name in names if place in people[name] and 0 <= place < len(segments[name])]
        if len(rated) < 2:
            continue
        found = stats.kendalltau([sign * float(segments[name][place]) for name in rated],
                                 [people[name][place] for name in rated]).statistic
        if math.isfinite(found):
            taus.append(float(found))
    return taus

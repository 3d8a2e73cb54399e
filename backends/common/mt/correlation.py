"""Do a metric and people agree? Over systems, and over segments.

Over systems: Pearson, Spearman and Kendall's tau-b of the metric's corpus score and the human mean (z where given);
below ten systems such a figure says little. Over segments: Kendall's tau-b inside every segment over its systems,
then the mean (WMT's "group by item"), which asks what a ranking of systems for one source is worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.common.mt.human import Ratings, segment_scores, system_scores
from backends.common.mt.scores import Array
from workbench.contract import UserError

FEW = 10


@dataclass(frozen=True)
class Correlation:
    """Agreement of a metric with human scores. Signs are turned so that 1 is always full agreement. ``segment_tau`` is
    ``None`` where no segment has two systems that people tell apart. ``warning`` is empty when all is well."""

    metric: str
    systems: int
    pearson: float
    spearman: float
    kendall: float
    segments: int
    segment_tau: float | None
    warning: str
    points: tuple[tuple[str, float, float], ...]


def correlate(metric: str, corpus: Mapping[str, float], segments: Mapping[str, Array], ratings: Ratings,
              sign: float = 1.0, value: str = "z") -> Correlation:
    """Compare corpus scores and segment scores of systems with ratings of the same systems.

    ``value`` is ``"z"`` or ``"mean"``. Raises ``UserError`` with fewer than three systems in common: two always
    correlate perfectly."""
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
    used, tau = segment_tau(segments, segment_scores(ratings.ratings), sign)
    left = sorted(set(people) - set(common))
    warnings = [f"{len(common)} systems are few: one of them can turn the figure"] if len(common) < FEW else []
    warnings += [f"rated but not scored: {', '.join(left)}"] if left else []
    points = tuple((name, float(corpus[name]), float(people[name])) for name in common)
    return Correlation(metric, len(common), float(stats.pearsonr(xs, ys).statistic),
                       float(stats.spearmanr(xs, ys).statistic), float(stats.kendalltau(xs, ys).statistic), used, tau,
                       "; ".join(warnings), points)


def segment_tau(segments: Mapping[str, Array], people: Mapping[str, Mapping[int, float]],
                sign: float) -> tuple[int, float | None]:
    """Segments that could be used, and the mean over them of Kendall's tau-b over systems."""
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
    return len(taus), float(np.mean(taus)) if taus else None

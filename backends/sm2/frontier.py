"""One policy against the quality-latency curve of another, at equal latency (our statistic).

The curve joins the points of a family of policies (wait-k for several k, and the full sentence) by straight lines in
the plane of latency and quality. For a point (l, q) of the policy that is tested the gain is

    q - curve(l),    curve(l) = quality of the family at latency l

and beyond the ends of the family it is held against the end itself: below the smallest latency against the quality of
the earliest point (which waits longer, so this is hard on the tested policy), above the largest against the last.
The interval is the bootstrap over sentences: in every draw all points move, in both directions, and so does the curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backends.common.mt.paired import bootstrap_scores
from backends.common.mt.scores import Array, Scorer, mean_statistics, segment_scorer
from backends.sm2.requests import Gain as Gain
from workbench.contract import UserError


@dataclass(frozen=True)
class Cloud:
    """A policy on a test set as its sufficient statistics: quality (segments, k) and latency of each segment, nan
    where there was no translation."""

    quality: Array
    latency: Sequence[float]


def curve_at(latency: Array, points: Array) -> Array:
    """Quality of the family at ``latency`` (draws,); ``points`` is (draws, points, 2): latency, quality."""
    found = np.empty(len(latency))
    for row, (wanted, family) in enumerate(zip(latency, points, strict=True)):
        order = np.argsort(family[:, 0], kind="stable")
        found[row] = np.interp(wanted, family[order, 0], family[order, 1])
    return found


def gains(tested: Mapping[str, Cloud], family: Mapping[str, Cloud], metric: Scorer, resamples: int = 1000,
          seed: int = 12345) -> list[Gain]:
    """Each tested policy against the family. Raises ``UserError`` for a family without points, or policies that were
    measured on different numbers of sentences."""
    if not family:
        raise UserError("There is no policy to compare with.", advice="Give at least one wait-k or the full sentence.")
    clouds = (*tested.values(), *family.values())
    sizes = {size for cloud in clouds for size in (len(cloud.quality), len(cloud.latency))}
    if len(sizes) > 1 or 0 in sizes:
        raise UserError(f"The policies were measured on {', '.join(map(str, sorted(sizes)))} sentences; all need the "
                        "same ones, and at least one.")
    mean = segment_scorer("AL")
    each = {("tested", name): cloud for name, cloud in tested.items()}
    each.update({("family", name): cloud for name, cloud in family.items()})
    names = {key: f"{key[0]} {key[1]}" for key in each}
    quality = {names[key]: cloud.quality for key, cloud in each.items()}
    latency = {names[key]: mean_statistics(cloud.latency) for key, cloud in each.items()}
    now = {name: np.array([[float(mean.score(latency[name].sum(0))), float(metric.score(quality[name].sum(0)))]])
           for name in names.values()}
    lags, scores = bootstrap_scores(mean, latency, resamples, seed), bootstrap_scores(metric, quality, resamples, seed)
    drawn = {name: np.stack([lags[name], scores[name]], 1) for name in names.values()}
    peers = [names["family", name] for name in family]
    whole, draws = (np.stack([table[name] for name in peers], 1) for table in (now, drawn))
    found = []
    for policy in tested:
        name = names["tested", policy]
        (lag, score), = now[name].tolist()
        gap = score - float(curve_at(np.array([lag]), whole)[0])
        low, high = np.quantile(drawn[name][:, 1] - curve_at(drawn[name][:, 0], draws), (0.025, 0.975)).tolist()
        beyond = not whole[0, :, 0].min() <= lag <= whole[0, :, 0].max()
        found.append(Gain(policy, lag, score, gap, float(low), float(high), beyond))
    return found

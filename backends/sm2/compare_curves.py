"""Curves of several models on one test set against each other, from the statistics that ``sm2.curve.v1`` keeps.

``statistics.npz`` holds, in the order of the result's points, ``quality`` (policies, sentences, 10): BLEU's sufficient
statistics, and ``latency`` (policies, sentences): AL of words, nan where there was no translation. So any policy can be
held against any family afterwards, with the same draws for all (:mod:`backends.sm2.frontier`); nothing is translated
again. No torch, no sacreBLEU.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backends.common.mt.scores import Scorer, bleu, refused
from backends.sm2.frontier import Cloud, gains
from backends.sm2.requests import CurveResult, Gain, Point
from workbench.contract import UserError

STATISTICS = "statistics.npz"
FAMILIES = ("wait-k", "multipath", "full")
RESAMPLES = 1000


@dataclass(frozen=True)
class Curve:
    """A finished curve: its name, its points, and a cloud for each."""

    name: str
    result: CurveResult
    clouds: tuple[Cloud, ...]

    def of(self, kinds: Sequence[str]) -> list[tuple[Point, Cloud]]:
        """Points of these kinds of policy with their clouds."""
        return [(point, cloud) for point, cloud in zip(self.result.points, self.clouds, strict=True)
                if point.kind in kinds]


def save_statistics(path: Path, clouds: Sequence[Cloud]) -> None:
    """Write the clouds of all points, in order."""
    np.savez_compressed(path, quality=np.stack([cloud.quality for cloud in clouds]),
                        latency=np.array([list(cloud.latency) for cloud in clouds], dtype=np.float64))


def read_statistics(path: Path) -> tuple[Cloud, ...]:
    """The clouds of a finished curve. Raises ``UserError`` for a file that is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            quality, latency = kept["quality"], kept["latency"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path.name} of the curve cannot be read ({type(error).__name__}).",
                        advice="Measure the curve again.") from error
    return tuple(Cloud(one, lags.tolist()) for one, lags in zip(quality, latency, strict=True))


def gains_over(curves: Sequence[Curve], family: Curve, resamples: int = RESAMPLES,
               seed: int = 12345) -> dict[str, list[Gain]]:
    """Every SM2 threshold of every curve over wait-k (of both kinds) and the full sentence of ``family``.

    Raises ``UserError`` when the curves are of different test sets, or the family has fewer than two such points."""
    other = [curve.name for curve in curves if curve.result.test != family.result.test]
    if other:
        raise UserError(f"{', '.join(other)} and {family.name} were measured on different sentences, so no difference "
                        "between them means anything.", advice="Measure them on the same test set.")
    points = {point.policy: cloud for point, cloud in family.of(FAMILIES)}
    if len(points) < 2:
        raise UserError(f"{family.name} has {len(points)} point of wait-k or the full sentence; a curve to compare "
                        "with needs at least two.", advice="Measure it with several k.")
    metric = Scorer("bleu", refused("bleu"), bleu, family.result.signature, "")
    return {curve.name: gains({point.policy: cloud for point, cloud in curve.of(("sm2",))}, points, metric, resamples,
                              seed) for curve in curves if curve.of(("sm2",))}

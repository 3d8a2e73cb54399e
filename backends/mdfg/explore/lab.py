"""The threshold lab: what a threshold of a score means in the corpus, from few labels that are no uniform sample.

With N_h documents in score bin h, n_h of them labelled and k_h of these positive (:mod:`strata`; the threshold t is an
edge, and bins without a label are joined with a neighbour on their side of it), p_h = k_h / n_h and

    precision(t) = sum over h >= t of N_h p_h / sum over h >= t of N_h
    recall(t)    = sum over h >= t of N_h p_h / sum over all h of N_h p_h
    prevalence q = sum over all h of N_h p_h / N

so precision is what it is at the corpus's prevalence, not the sample's. With true positive rate r and false positive
rate f it equals r q / (r q + f (1 - q)); the same formula gives the precision at any other prevalence. Intervals (95 %)
are those of :mod:`shares`. How many documents and characters lie above a threshold is counted, not estimated.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.labels import Dimension, Label, agreed
from backends.mdfg.explore.population import Numbers, Population, Volume
from backends.mdfg.explore.sampled import sampled
from backends.mdfg.explore.shares import Counted, Share, part_of, weighted
from backends.mdfg.explore.strata import WEIGHED, merged, strata
from backends.mdfg.metrics_binary import precision_at_prevalence
from workbench.contract import UserError

LEAST, LEAST_EACH = 20, 3
LEAST_COVERED = 0.5
"""Share of the documents that must lie in score bins with a label of their own."""
BINS, POINTS = WEIGHED, 60


@dataclass(frozen=True, eq=False)
class Sample:
    """Documents with a human label: ``scores`` (float64) and ``truth`` (bool), each (documents,). ``undecided``
    documents have no majority; ``left_out`` counts labels by the reason why they do not count."""

    scores: Numbers
    truth: NDArray[np.bool_]
    undecided: int
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Point:
    """One threshold: documents with score >= ``threshold`` are chosen. ``precision.documents`` of the chosen have a
    label. The rates are those of positive and of negative documents that are chosen."""

    threshold: float
    precision: Share
    recall: Share
    chosen: Volume
    true_rate: float | None
    false_rate: float | None

    def at_prevalence(self, prevalence: float) -> float | None:
        """The precision where positives are as common as ``prevalence`` and scores behave as here."""
        if self.true_rate is None or self.false_rate is None:
            return None
        return precision_at_prevalence(self.true_rate, self.false_rate, prevalence)


@dataclass(frozen=True)
class Lab:
    """The curve by rising threshold, the share of positives in the corpus, and average precision (the area under the
    steps of the curve). ``positives`` of ``documents`` labelled documents are positive; ``covered`` is the share of the
    corpus in score bins that have a label of their own (the rest is spoken for by a neighbouring bin)."""

    what: str
    curve: tuple[Point, ...]
    prevalence: Share
    average_precision: float
    documents: int
    positives: int
    undecided: int
    covered: float
    left_out: Mapping[str, int]


def sample(population: Population, labels: Sequence[Label], scale: Dimension,
           without: Collection[int] = ()) -> Sample:
    """The documents whose labels speak for the population, one entry each (majority of the annotators).

    Raises ``UserError`` when there are fewer than 20 such documents, or fewer than 3 of either kind."""
    if not scale.positive:
        raise UserError(f"{scale.what} has no score with one threshold.", advice="Choose quality or toxicity.")
    usable = sampled(population, labels, without)
    every = agreed(usable.labels)
    decided = [one for one in every if len(one.value) == 1]
    truth = np.array([one.value[0] == scale.positive for one in decided], dtype=np.bool_)
    _enough(truth, scale, usable.left_out)
    scores = population.scores_of([one.place for one in decided])
    return Sample(scores, truth, len(every) - len(decided), usable.left_out)


def _enough(truth: NDArray[np.bool_], scale: Dimension, left_out: Mapping[str, int]) -> None:
    rest = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    note = f" (labels that do not count: {rest})" if rest else ""
    if len(truth) < LEAST:
        raise UserError(f"{len(truth)} drawn documents have a label of {scale.what} that its annotators agree "
                        f"on{note}; at least {LEAST} are needed.", advice="Label more documents of a queue.")
    for value, count in ((scale.positive, int(truth.sum())), (scale.negative, int((~truth).sum()))):
        if count < LEAST_EACH:
            raise UserError(f"{count} of {len(truth)} labelled documents are {value}{note}; at least {LEAST_EACH} are "
                            "needed.", advice="Label documents of other score bins (the queue by bins brings them).")


def lab(population: Population, known: Sample, *, bins: int = BINS, points: int = POINTS) -> Lab:
    """The whole curve. Thresholds are labelled scores, at most ``points`` of them.

    Raises ``UserError`` when half of the corpus or more lies in score bins without a label."""
    found = strata(population, bins)
    labelled = found.counted(known.scores)
    own = float(found.documents[labelled > 0].sum() / population.documents)
    if own < LEAST_COVERED:
        raise UserError(f"{1 - own:.0%} of the documents lie in score bins without any label; it must be at most "
                        f"{1 - LEAST_COVERED:.0%}.", advice="Label documents of the queue by bins.")
    every = np.unique(known.scores)
    chosen = every[np.unique(np.linspace(0, len(every) - 1, min(points, len(every))).round().astype(int))]
    curve = tuple(at_threshold(population, known, float(t), bins=bins) for t in chosen)
    whole = at_threshold(population, known, -math.inf, bins=bins)
    return Lab(population.what, curve, whole.precision, _area(curve), len(known.truth), int(known.truth.sum()),
               known.undecided, own, known.left_out)


def at_threshold(population: Population, known: Sample, threshold: float, *, bins: int = BINS) -> Point:
    """One point. Raises ``UserError`` for a threshold that is not a number."""
    if math.isnan(threshold):
        raise UserError("The threshold is not a number.", advice="Choose one on the scale of the score.")
    limit = population.limit(threshold)
    found = strata(population, bins, limit)
    found = merged(found, found.counted(known.scores), limit)
    labelled, positive = found.counted(known.scores), found.counted(known.scores[known.truth])
    above = (found.edges[:-1] >= limit) | (limit <= found.edges[0])
    counted = [Counted(int(n), int(m), float(k))
               for n, m, k in zip(found.documents, labelled, positive, strict=True)]
    inside = [one for one, yes in zip(counted, above, strict=True) if yes]
    outside = [one for one, yes in zip(counted, above, strict=True) if not yes]
    size, rest = sum(one.of for one in inside), sum(one.of for one in outside)
    chosen, left = weighted(inside), weighted(outside)
    recall = part_of(chosen, size, left, rest) if rest and size else Share(
        1.0 if size else 0.0, 1.0 if size else 0.0, 1.0 if size else 0.0, int(labelled.sum()))
    false = part_of(_not(chosen), size, _not(left), rest).value if rest and size else float(bool(size))
    return Point(float(threshold), chosen, recall, population.volume(threshold), recall.value, false)


def _not(one: Share) -> Share:
    return Share(None if one.value is None else 1 - one.value, 1 - one.high, 1 - one.low, one.documents)


def _area(curve: Sequence[Point]) -> float:
    area = before = 0.0
    for point in reversed(curve):
        if point.recall.value is not None and point.precision.value is not None:
            area += max(0.0, point.recall.value - before) * point.precision.value
            before = max(before, point.recall.value)
    return area

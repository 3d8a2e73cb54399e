"""Uncertainty-aware self-training: the sampler (Mukherjee and Awadallah 2020; spec A3, stage 2). No model here.

S (n, T) are the scores of n unlabelled texts in T passes with dropout on.

    thresholds   over all n T scores: the score at the top ``positive_ratio`` and the one at the top ``negative_ratio``
    pseudo label 1 if most of a text's T scores lie above the first, 0 if most lie below the second, else none
    BALD_i     = H(mean_t s_it) - mean_t H(s_it),  H(p) = -p log p - (1 - p) log(1 - p)        (nats)
    easiness_i = 1 - BALD_i after min-max scaling; inside each class texts are drawn in proportion to it
    confidence_i = -alpha log(var_t(s_it) + 1e-10)

Confidences run from 0 to 23 and are not normalised officially; ours are divided by their mean, so that the weighted
loss has the scale of the unweighted one. A text can be in neither class.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

Scores = NDArray[np.float64]
Places = NDArray[np.int64]
TINY = 1e-10


@dataclass(frozen=True)
class Pseudo:
    """Pseudo labels: ``positive`` and ``negative`` hold places of texts; the thresholds they were made with."""

    positive: Places
    negative: Places
    above: float
    below: float


def pseudo_labels(scores: Scores, positive_ratio: float = 0.2, negative_ratio: float = 0.5) -> Pseudo:
    """Majority votes against the two thresholds.

    Raises ``UserError`` for no scores, or ratios that are not 0 < positive <= negative < 1."""
    _check(scores)
    if not 0 < positive_ratio <= negative_ratio < 1:
        raise UserError(f"positive_ratio is {positive_ratio:g} and negative_ratio {negative_ratio:g}; they must be "
                        "0 < positive_ratio <= negative_ratio < 1.")
    every = np.sort(scores, axis=None)[::-1]
    above = float(every[min(len(every) - 1, int(len(every) * positive_ratio))])
    below = float(every[min(len(every) - 1, int(len(every) * negative_ratio))])
    most = scores.shape[1] / 2
    up = (scores > above).sum(axis=1) > most
    down = (scores < below).sum(axis=1) > most
    return Pseudo(np.flatnonzero(up), np.flatnonzero(down & ~up), above, below)


def _check(scores: Scores) -> None:
    if scores.ndim != 2 or not scores.size:
        raise UserError(f"Scores have the shape {scores.shape}; they must be (texts, passes), at least one of each.")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise UserError("Some scores lie outside 0..1, or are not numbers.")


def entropy(p: Scores) -> Scores:
    """H(p) in nats; 0 at 0 and 1."""
    inside = np.clip(p, TINY, 1 - TINY)
    return np.asarray(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)))


def bald(scores: Scores) -> Scores:
    """BALD of every text: how much the passes disagree about it. 0 where they all say the same."""
    _check(scores)
    return np.asarray(np.maximum(0.0, entropy(scores.mean(axis=1)) - entropy(scores).mean(axis=1)))


def easiness(scores: Scores) -> Scores:
    """1 - BALD, scaled to 0..1 over these texts; all 1 where no text is easier than another."""
    found = bald(scores)
    spread = float(np.ptp(found))
    return np.asarray(1 - (found - found.min()) / spread) if spread > 0 else np.ones(len(found))


def confidence(scores: Scores, alpha: float = 1.0) -> Scores:
    """-alpha log(variance of the passes + 1e-10); larger where they agree."""
    _check(scores)
    return np.asarray(-alpha * np.log(scores.var(axis=1) + TINY))


def draw(places: Places, easy: Scores, count: int, generator: random.Random) -> Places:
    """``count`` of these places in proportion to ``easy[place]``; with replacement only when there are too few.

    Places of easiness 0 are drawn last. Raises ``UserError`` where there is no place."""
    if not len(places):
        raise UserError("No text was given this pseudo label, so none can be drawn.",
                        advice="Take more candidates, or move positive_ratio and negative_ratio.")
    weight = np.maximum(easy[places], TINY)
    numbers = np.random.default_rng(generator.getrandbits(128))
    return numbers.choice(places, size=count, replace=count > len(places), p=weight / weight.sum())

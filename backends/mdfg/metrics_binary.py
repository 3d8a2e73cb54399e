"""Figures of one score against yes/no labels (spec A7): thresholds, ranking, and what precision means in the corpus.

Precision depends on how common the positive class is. A test set is balanced, a corpus is not: with true positive rate
t and false positive rate f measured on the test set, precision at prevalence q is

    P(q) = t q / (t q + f (1 - q))

so a classifier with P = .9 on a balanced test finds mostly false alarms where one text in ten thousand is toxic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.contract import UserError

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class AtThreshold:
    """Figures of "score >= threshold". ``corrected`` is the precision at the prevalence that was asked for; a figure
    is ``None`` where it is 0 / 0."""

    threshold: float
    precision: float | None
    recall: float | None
    f1: float
    accuracy: float
    macro_f1: float
    chosen: int
    false_positive_rate: float | None
    prevalence: float
    corrected: float | None


def arrays(scores: ArrayLike, truth: ArrayLike) -> tuple[Scores, Truth]:
    """Both as arrays of one length. Raises ``UserError`` for other lengths, no entry, or a score that is no number."""
    found, gold = np.asarray(scores, dtype=np.float64), np.asarray(truth).astype(bool)
    if found.shape != gold.shape or found.ndim != 1 or not len(found):
        raise UserError(f"There are {found.size} scores and {gold.size} labels; both lists must have one entry a text.")
    if np.isnan(found).any():
        raise UserError(f"{int(np.isnan(found).sum())} of {len(found)} scores are not numbers.",
                        advice="Leave out the texts that could not be scored.")
    return found, gold


def at_threshold(scores: ArrayLike, truth: ArrayLike, threshold: float, prevalence: float | None = None) -> AtThreshold:
    """Figures at one threshold; ``prevalence`` is the corpus's (the test set's own where none is given)."""
    found, gold = arrays(scores, truth)
    said = found >= threshold
    hit, false = int((said & gold).sum()), int((said & ~gold).sum())
    missed, right = int((~said & gold).sum()), int((~said & ~gold).sum())
    share = float(gold.mean()) if prevalence is None else prevalence
    t, f = _ratio(hit, hit + missed), _ratio(false, false + right)
    mine, other = _f1(hit, false, missed), _f1(right, missed, false)
    corrected = None if t is None or f is None else precision_at_prevalence(t, f, share)
    return AtThreshold(threshold, _ratio(hit, hit + false), t, mine, (hit + right) / len(gold), (mine + other) / 2,
                       hit + false, f, share, corrected)


def precision_at_prevalence(true_rate: float, false_rate: float, prevalence: float) -> float | None:
    """t q / (t q + f (1 - q)); ``None`` where nothing is chosen. Raises ``UserError`` outside 0..1."""
    for name, value in (("true_rate", true_rate), ("false_rate", false_rate), ("prevalence", prevalence)):
        if not 0 <= value <= 1:
            raise UserError(f"{name} is {value:g}; it must lie between 0 and 1.")
    return _ratio(true_rate * prevalence, true_rate * prevalence + false_rate * (1 - prevalence))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _f1(hit: int, false: int, missed: int) -> float:
    return 2 * hit / (2 * hit + false + missed) if hit else 0.0


def ranks(values: ArrayLike) -> Scores:
    """Ranks from 1, ties sharing their mean."""
    found = np.asarray(values, dtype=np.float64)
    _, place, counts = np.unique(found, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place])


def auc(scores: ArrayLike, truth: ArrayLike) -> float | None:
    """Area under the ROC curve: the chance that a positive text scores above a negative one, ties half."""
    found, gold = arrays(scores, truth)
    positives, negatives = int(gold.sum()), int((~gold).sum())
    if not positives or not negatives:
        return None
    return float((ranks(found)[gold].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(scores: ArrayLike, truth: ArrayLike) -> float | None:
    """Sum over thresholds of (recall step) * precision; texts with one score enter together."""
    found, gold = arrays(scores, truth)
    if not gold.any():
        return None
    order = np.argsort(-found, kind="stable")
    found, gold = found[order], gold[order]
    last = np.append(np.flatnonzero(found[1:] != found[:-1]), len(found) - 1)
    hits = np.cumsum(gold)[last]
    return float((np.diff(hits, prepend=0) * hits / (last + 1)).sum() / gold.sum())


def precision_at(scores: ArrayLike, truth: ArrayLike, count: int) -> float:
    """Share of positives among the ``count`` best; among equal scores at the end, their expected share."""
    found, gold = arrays(scores, truth)
    if not 1 <= count <= len(found):
        raise UserError(f"count is {count}; it must lie between 1 and {len(found)}.")
    limit = np.sort(found)[-count]
    above, equal = found > limit, found == limit
    return float((gold[above].sum() + (count - above.sum()) * gold[equal].mean()) / count)


def spearman(first: ArrayLike, second: ArrayLike) -> float | None:
    """Pearson's correlation of the ranks; ``None`` where one of the two does not vary. Raises ``UserError`` for
    lists of different lengths."""
    if np.size(first) != np.size(second):
        raise UserError(f"There are {np.size(first)} and {np.size(second)} values; both lists must have one entry a "
                        "text.")
    if not np.size(first):
        return None
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean(), b - b.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size else None


def kappa(first: ArrayLike, second: ArrayLike) -> float | None:
    """Cohen's kappa of two raters, (agreement - chance) / (1 - chance); ``None`` where chance is 1."""
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or not a.size:
        raise UserError(f"The raters gave {a.size} and {b.size} labels; both must rate the same texts, at least one.")
    kinds = np.unique(np.concatenate([a, b]))
    agreed = float((a == b).mean())
    chance = float(sum((a == kind).mean() * (b == kind).mean() for kind in kinds))
    return (agreed - chance) / (1 - chance) if chance < 1 else None


def wilson(hits: float, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a share (95 % by default); (0, 1) where nothing was counted. A text on which judges differ
    may count as a part of a hit."""
    if not 0 <= hits <= count:
        raise UserError(f"There are {hits} hits among {count}; hits must lie between 0 and the count.")
    if not count:
        return 0.0, 1.0
    p, square = hits / count, z * z / count
    middle, half = p + square / 2, z * math.sqrt(p * (1 - p) / count + square / (4 * count))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))

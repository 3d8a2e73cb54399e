"""Calibration: what a score of .8 means. One line per output through its logits, fitted on texts not trained on.

    Platt:        p = sigmoid(a z + b)      a, b by Newton's method on the log loss, with Platt's smoothed targets
                                            (n1 + 1) / (n1 + 2) and 1 / (n0 + 2)
    temperature:  p = softmax(z / T)        one T for all outputs, by golden-section search of the log loss

Sources: Platt 1999 with Lin, Lin and Weng 2007; Guo et al. 2017. Bins of the expected calibration error: 15, ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

Array = NDArray[np.float64]
ROUNDS, RIDGE = 100, 1e-9
COLDEST, HOTTEST = 0.05, 20.0


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def softmax(logits: Array) -> Array:
    """Rows that add up to 1."""
    wide = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def platt(logits: Array, truth: NDArray[np.bool_]) -> tuple[float, float]:
    """(a, b) of sigmoid(a z + b). Raises ``UserError`` where only one class occurs."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        raise UserError(f"Calibration has {positives} positive and {negatives} negative texts; it needs both.",
                        advice="Hold out more texts.")
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    a, b = 1.0, 0.0
    loss = _log_loss(a * logits + b, target)
    for _ in range(ROUNDS):
        p = sigmoid(a * logits + b)
        weight, gap = np.maximum(p * (1 - p), 1e-12), p - target
        gradient = np.array([gap @ logits, gap.sum()])
        hessian = np.array([[weight @ logits**2 + RIDGE, weight @ logits], [weight @ logits, weight.sum() + RIDGE]])
        step, size = np.linalg.solve(hessian, gradient), 1.0
        while size > 1e-8 and _log_loss((a - size * step[0]) * logits + b - size * step[1], target) > loss:
            size /= 2
        a, b = a - size * step[0], b - size * step[1]
        now = _log_loss(a * logits + b, target)
        if loss - now < 1e-10 * len(logits):
            break
        loss = now
    return float(a), float(b)


def _log_loss(logits: Array, target: Array) -> float:
    return float((np.logaddexp(0.0, logits) - target * logits).sum())


def temperature(logits: Array, truth: NDArray[np.int64]) -> float:
    """T of softmax(z / T); ``truth`` holds the right column of each row. Raises ``UserError`` without rows."""
    if not len(logits):
        raise UserError("Calibration has no text.", advice="Hold out some texts.")
    low, high, part = np.log(COLDEST), np.log(HOTTEST), (5**0.5 - 1) / 2
    while high - low > 1e-4:
        first, second = high - part * (high - low), low + part * (high - low)
        if _cross_entropy(logits / np.exp(first), truth) < _cross_entropy(logits / np.exp(second), truth):
            high = second
        else:
            low = first
    return float(np.exp((low + high) / 2))


def _cross_entropy(logits: Array, truth: NDArray[np.int64]) -> float:
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((total - logits[np.arange(len(logits)), truth]).mean())


def expected_error(probabilities: Array, truth: NDArray[np.bool_], bins: int = 15) -> float:
    """ECE = sum over bins of equal width of (share of texts) * |mean probability - share of positives|."""
    if not len(probabilities):
        return 0.0
    place = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    said = np.bincount(place, weights=probabilities, minlength=bins)
    found = np.bincount(place, weights=truth.astype(np.float64), minlength=bins)
    return float(np.abs(said - found)[counts > 0].sum() / len(probabilities))

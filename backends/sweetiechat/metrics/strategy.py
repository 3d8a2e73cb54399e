"""How well predicted strategies agree with gold ones: accuracy and F1 over the declared set (spec A.9).

Everything is computed from one table ``w``, shape (strategies, strategies): ``w[i, j]`` is the number of turns
with predicted strategy i and gold strategy j. Tables of several dialogues add up, so the bootstrap can resample them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.metrics.preference import preference
from workbench.contract import UserError

Table = NDArray[np.int64]


@dataclass(frozen=True)
class PerStrategy:
    """One strategy: how often it was gold and predicted, its F1, and its preference (above 1: over-used)."""

    key: str
    gold: int
    predicted: int
    precision: float
    recall: float
    f1: float
    preference: float


@dataclass(frozen=True)
class Agreement:
    """Agreement over ``turns`` turns. ``macro_f1`` is the "proficiency Q" and ``bias`` the B of Kang et al. 2024."""

    turns: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    bias: float
    strategies: tuple[PerStrategy, ...]
    warnings: tuple[str, ...]


def table(gold: Sequence[str], predicted: Sequence[str], declared: Sequence[str]) -> Table:
    """Count (predicted, gold) pairs over the declared strategies, in their order.

    Raises ``UserError`` for lists of different length, a repeated key, and any label outside the declared set: a
    spelling variant must go through the normaliser first and must never become a class of its own.
    """
    if len(gold) != len(predicted):
        raise UserError(f"There are {len(gold)} gold and {len(predicted)} predicted strategies; each turn needs both.")
    if len(set(declared)) != len(declared) or not declared:
        raise UserError(f"The strategies are {', '.join(declared) or 'none'}; each key must be there exactly once.")
    place = {key: i for i, key in enumerate(declared)}
    unknown = sorted({label for label in (*gold, *predicted) if label not in place})
    if unknown:
        raise UserError(f"{', '.join(map(repr, unknown))} is not among the declared strategies {', '.join(declared)}.",
                        advice="Normalise the labels first.")
    counts: Table = np.zeros((len(declared), len(declared)), dtype=np.int64)
    for right, said in zip(gold, predicted, strict=True):
        counts[place[said], place[right]] += 1
    return counts


def accuracy(w: NDArray[np.generic]) -> float:
    """Share of turns whose predicted strategy is the gold one."""
    return float(np.trace(w) / _total(w))


def f1_each(w: NDArray[np.generic]) -> NDArray[np.float64]:
    """F1 = 2 TP / (gold + predicted) of every declared strategy; 0 where it is neither gold nor predicted."""
    both = np.asarray(w.sum(axis=0) + w.sum(axis=1), dtype=np.float64)
    return np.asarray(2 * np.diagonal(w) / np.maximum(both, 1), dtype=np.float64)


def macro_f1(w: NDArray[np.generic]) -> float:
    """Mean F1 over the declared set: a strategy that never occurs counts 0, it is not left out."""
    _total(w)
    return float(f1_each(w).mean())


def weighted_f1(w: NDArray[np.generic]) -> float:
    """Mean F1 weighted by how often each strategy is gold."""
    return float(f1_each(w) @ w.sum(axis=0) / _total(w))


def agreement(gold: Sequence[str], predicted: Sequence[str], declared: Sequence[str]) -> Agreement:
    """Every number of this module and the preference of every strategy, with a warning for each absent class."""
    w = table(gold, predicted, declared)
    turns = int(_total(w))
    liking = preference(w, declared)
    f1 = f1_each(w)
    said, right, hits = w.sum(axis=1), w.sum(axis=0), np.diagonal(w)
    warnings = [f"{key} is {'neither gold nor predicted' if not said[i] else 'never gold'}; its F1 counts as 0"
                for i, key in enumerate(declared) if not right[i]]
    each = tuple(PerStrategy(key, int(right[i]), int(said[i]), float(hits[i] / max(said[i], 1)),
                             float(hits[i] / max(right[i], 1)), float(f1[i]), liking.values[i])
                 for i, key in enumerate(declared))
    return Agreement(turns, accuracy(w), macro_f1(w), weighted_f1(w), liking.bias, each,
                     (*warnings, *liking.warnings))


def _total(w: NDArray[np.generic]) -> float:
    total = float(np.asarray(w, dtype=np.float64).sum())
    if total <= 0:
        raise UserError("There is no turn with a gold and a predicted strategy.",
                        advice="Give at least one turn with both.")
    return total

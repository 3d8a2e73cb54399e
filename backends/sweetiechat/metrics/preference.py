"""Which strategies a model prefers, and its bias: the Bradley-Terry preference of Kang et al. (ACL 2024).

``w[i, j]`` counts turns with predicted strategy i and gold strategy j; a turn off the diagonal is a game that the
model let i win against j. Start at p = 1 and sweep 20 times, in place (Gauss-Seidel):

    p_i <- [sum over j != i of w_ij p_j / (p_i + p_j)] / [sum over j != i of w_ji / (p_i + p_j)]

dividing after each sweep by the geometric mean of the non-zero p; at the end scale to a sum of the number of
strategies. ``bias`` is the population standard deviation of p; above 1 means over-used.

The published formula has no value for a strategy that is never confused (0/0) or that wins without ever losing
(x/0). Ours: the first keeps the neutral 1 and takes no part; to the second half a lost game is added, spread over
the strategies that it won against. Both give a warning, and neither occurs in the published example.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

SWEEPS = 20
"""As in the authors' script; on their file the bias has settled to nine digits by then."""


@dataclass(frozen=True)
class Preference:
    """``values`` in the order of the strategies; they sum to their number."""

    values: tuple[float, ...]
    bias: float
    warnings: tuple[str, ...] = ()


def preference(w: NDArray[np.generic], names: Sequence[str] = (), sweeps: int = SWEEPS) -> Preference:
    """Preference of each strategy and the bias, from the table of predicted (rows) and gold (columns) counts.

    ``names`` are for the warnings only. Raises ``UserError`` for a table that is not square or has a negative count.
    """
    counts = np.array(w, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size or (counts < 0).any():
        raise UserError(f"The table of strategies has the shape {counts.shape}; it must be square, with counts of 0 "
                        "or more.")
    np.fill_diagonal(counts, 0.0)
    names = names or [str(i) for i in range(len(counts))]
    won, lost = counts.sum(axis=1), counts.sum(axis=0)
    warnings = []
    for i in np.flatnonzero((won > 0) & (lost == 0)).tolist():
        counts[:, i] += 0.5 * counts[i] / won[i]
        warnings.append(f"{names[i]} is predicted for other strategies and never missed; half a miss is assumed")
    taking_part = np.flatnonzero(won + lost > 0)
    values = np.ones(len(counts))
    if len(taking_part):
        values[taking_part] = _settle(counts[np.ix_(taking_part, taking_part)].tolist(), sweeps)
    apart = np.flatnonzero(won + lost == 0).tolist()
    warnings += [f"{names[i]} is never confused; its preference is taken as 1" for i in apart]
    return Preference(tuple(values.tolist()), float(values.std()), tuple(warnings))


def preference_bias(w: NDArray[np.generic]) -> float:
    """The bias B alone: what the bootstrap asks for."""
    return preference(w).bias


def _settle(w: list[list[float]], sweeps: int) -> list[float]:
    """The sweeps over strategies that all take part. A p of 0 (never a winner) stays 0, and two zeros do not meet."""
    size = len(w)
    p = [1.0] * size
    for _ in range(sweeps):
        for i in range(size):
            won = lost = 0.0
            for j in range(size):
                both = p[i] + p[j]
                if j != i and both > 0:
                    won += w[i][j] * p[j] / both
                    lost += w[j][i] / both
            p[i] = won / lost if lost > 0 else 0.0
        alive = [value for value in p if value > 0]
        mean = math.exp(sum(map(math.log, alive)) / len(alive)) if alive else 1.0
        p = [value / mean for value in p]
    total = sum(p)
    return [value * size / total if total > 0 else 1.0 for value in p]

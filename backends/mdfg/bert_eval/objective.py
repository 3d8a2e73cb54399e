"""The three losses of BERTEval over a batch of N scores p with labels y and weights w (1 in stage 1).

    MSE = mean_i w_i (p_i - y_i)^2
    SIM = 1 - cos(p sqrt(w), y sqrt(w))
    MR  = (1/N^2) sum_mn (w_m + w_n)/2 * max(0, b - r_mn (p_m - p_n))
          r_mn = sign(y_m - y_n), and for ties r_mn = -sign(p_m - p_n)
    loss = alpha MSE + beta MR + gamma SIM

MR is the margin ranking loss of Wang et al. 2022. The official code takes r from the *predictions*, so with b = 0 every
term is max(0, -|p_m - p_n|) = 0 and it teaches nothing; ``mr="official"`` computes exactly that, weights and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from workbench.contract import UserError

Ranking = Literal["corrected", "official"]


@dataclass(frozen=True)
class Terms:
    """Weights of the three losses and the margin b. Stage 1 of the official configuration; see :data:`STAGE_2`."""

    alpha: float = 0.6
    beta: float = 0.2
    gamma: float = 0.2
    margin: float = 0.0
    mr: Ranking = "corrected"


STAGE_2 = Terms(0.3, 0.4, 0.3)


def mse(scores: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """mean of w (p - y)^2."""
    return (weights * (scores - labels) ** 2).mean()


def similarity(scores: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """1 - cosine over the batch; 1 where all labels are 0 (a vector without direction)."""
    root = weights.sqrt()
    return 1 - functional.cosine_similarity(scores * root, labels * root, dim=0)


def ranking(scores: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, margin: float = 0.0,
            mode: Ranking = "corrected") -> torch.Tensor:
    """The margin ranking loss over all ordered pairs."""
    gap = scores[:, None] - scores[None, :]
    together = (weights[:, None] + weights[None, :]) / 2
    if mode == "official":  # r carries the weight there, and a tie of predictions leaves only the margin
        return functional.relu(margin - together * gap.abs()).mean()
    right = torch.sign(labels[:, None] - labels[None, :])
    right = torch.where(right == 0, -torch.sign(gap.detach()), right)
    return (together * functional.relu(margin - right * gap)).mean()


def loss_of(scores: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None,
            terms: Terms | None = None) -> torch.Tensor:
    """alpha MSE + beta MR + gamma SIM. Raises ``UserError`` for an empty batch or lists of different lengths."""
    t = terms or Terms()
    if scores.shape != labels.shape or scores.ndim != 1 or not len(scores):
        raise UserError(f"A batch has scores of shape {tuple(scores.shape)} and labels of {tuple(labels.shape)}; "
                        "both must be one number a text, at least one text.")
    w = torch.ones_like(scores) if weights is None else weights
    return (t.alpha * mse(scores, labels, w) + t.beta * ranking(scores, labels, w, t.margin, t.mr)
            + t.gamma * similarity(scores, labels, w))

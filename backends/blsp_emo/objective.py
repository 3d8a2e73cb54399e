"""The losses of both stages (spec A.3.2, A.4.4).

    response KL   L1 = (1/N) sum_j KL( p(. | text, y_<j; T) || p(. | speech, y_<j; T) ),   T = 2, no factor T^2
    response CE   L2 = -(1/N) sum_j log p(y_j | speech, y_<j)
    emotion  CE   L3 = -(1/sum w) sum_i w_{e_i} log softmax(W mean_t y_t)_{e_i}

Stage 1 minimises L1 with the language model's own prediction from the transcript as teacher, stage 2 L2 + L3 (1 : 1).
The row that predicts token j is the one before it. The published code takes the rows *of* the response tokens instead
(``official_mask=True``): the first token is then never distilled, and the last row predicts what follows the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from backends.blsp_emo.sequences import IGNORED
from workbench.contract import UserError

TEMPERATURE = 2.0


def response_rows(labels: torch.Tensor, official_mask: bool = False) -> torch.Tensor:
    """(B, L) bool: the rows of the logits that are compared."""
    learned = labels != IGNORED
    if official_mask:
        return learned
    rows = torch.zeros_like(learned)
    rows[:, :-1] = learned[:, 1:]
    return rows


def columns_of(*masks: torch.Tensor) -> torch.Tensor:
    """Columns that some row of some mask needs: the vocabulary is computed nowhere else."""
    return torch.stack([mask.any(0) for mask in masks]).any(0).nonzero()[:, 0]


def response_kl(student: torch.Tensor, teacher: torch.Tensor, temperature: float = TEMPERATURE) -> torch.Tensor:
    """Sum over rows of KL(teacher || student), nats. Both (N, V): the selected rows, in the same order."""
    if student.shape != teacher.shape:
        raise UserError(f"The twins do not match: {tuple(student.shape)} rows of speech, {tuple(teacher.shape)} of "
                        "text.", advice="Both sequences need the same response.")
    if not temperature > 0:
        raise UserError(f"temperature is {temperature}; it must be above 0.")
    after = F.log_softmax(student.float() / temperature, dim=-1)
    before = F.log_softmax(teacher.detach().float() / temperature, dim=-1)
    return F.kl_div(after, before, reduction="sum", log_target=True)


def response_ce(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum over rows of -log p(label), nats. ``logits`` (N, V), ``labels`` (N,)."""
    return F.cross_entropy(logits.float(), labels, reduction="sum")


def next_labels(labels: torch.Tensor) -> torch.Tensor:
    """(B, L): the label that the row of each column predicts."""
    return torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], IGNORED)], dim=1)


def emotion_ce(scores: torch.Tensor, emotions: torch.Tensor, weights: Sequence[float] = ()) -> torch.Tensor:
    """Weighted sum over the rows that have an emotion; 0 (with a gradient) where none has. ``scores`` (B, 5). The
    caller divides by :func:`emotion_weight`, which is known for a whole step before any of it is computed."""
    weight = torch.tensor(list(weights), device=scores.device, dtype=torch.float32) if weights else None
    return F.cross_entropy(scores.float(), emotions, weight=weight, ignore_index=IGNORED, reduction="sum")


def emotion_weight(emotions: Sequence[int], weights: Sequence[float] = ()) -> float:
    """The sum of the weights of the rows that have an emotion."""
    return float(sum(weights[e] if weights else 1.0 for e in emotions if e != IGNORED))

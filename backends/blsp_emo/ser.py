"""The emotion head (spec A.2): a linear map of the masked mean of the adapter's output, and the five emotions.

    p(emotion | speech) = softmax(W mean_t y_t),   W: H -> 5 without bias

The mean is over the adapter's vectors, not over states of the language model, and only over valid places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.common.speech.emotions import EMOTIONS
from workbench.contract import UserError, unknown

__all__ = ["EMOTIONS", "NONE", "class_weights", "emotion_id", "head"]


NONE = -100
"""The id of a row without an emotion (stage 1), which no loss counts."""


def emotion_id(name: str) -> int:
    """The paper's id; -100 for an empty name. Stage-1 rows of the official files have ``""``, on which the released
    code stops with a KeyError."""
    if not name:
        return NONE
    if name not in EMOTIONS:
        raise unknown("emotion", name, EMOTIONS)
    return EMOTIONS.index(name)


def class_weights(emotions: Sequence[int], classes: int = len(EMOTIONS)) -> list[float]:
    """w_c = N / (C' n_c) for the C' classes that occur, 0 for the others: every class counts alike (RAVDESS has half as
    many neutral clips as others). Raises ``UserError`` without a labelled row."""
    counts = [sum(1 for e in emotions if e == c) for c in range(classes)]
    total, present = sum(counts), sum(1 for n in counts if n)
    if not total:
        raise UserError("No row has an emotion, so there is nothing to learn for the emotion head.",
                        advice="Give rows with the field emotion, one of " + ", ".join(EMOTIONS) + ".")
    return [total / (present * n) if n else 0.0 for n in counts]


def head(width: int) -> Any:
    """The head for vectors of ``width``, beginning at zero weights: at first every emotion is as likely."""
    import torch
    from torch import nn

    layer = nn.Linear(width, len(EMOTIONS), bias=False)
    with torch.no_grad():
        layer.weight.zero_()
    return layer

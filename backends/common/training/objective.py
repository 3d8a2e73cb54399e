"""The loss of masked supervised fine-tuning (spec A.8), computed only where a reply is learned.

    L = (1/N) sum over replies t of [ lambda * sum_k -log p(head_tk | before) + sum_k -log p(rest_tk | before) ]

The sums run over the tokens of the head (the strategy) and of the rest with its end token; N is the number of replies.
``per="token"`` divides by the number of learned tokens instead, as most trainers do. The vocabulary is only computed
at columns that some row learns: for a dialogue about half of them.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from backends.common.training.batches import IGNORED, Batch
from backends.common.training.examples import HEAD


@dataclass(frozen=True)
class Sums:
    """Added-up negative log-likelihoods (nats) of heads and rests, and how many tokens each has."""

    head: float = 0.0
    rest: float = 0.0
    head_tokens: int = 0
    rest_tokens: int = 0
    replies: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.head + other.head, self.rest + other.rest, self.head_tokens + other.head_tokens,
                    self.rest_tokens + other.rest_tokens, self.replies + other.replies)

    @staticmethod
    def of(values: torch.Tensor, replies: int) -> Sums:
        """From the four numbers that :class:`Objective` returns."""
        head, rest, head_tokens, rest_tokens = values.tolist()
        return Sums(head, rest, round(head_tokens), round(rest_tokens), replies)


class Objective(nn.Module):  # type: ignore[misc]
    """A causal language model that answers a batch with four sums instead of logits, so that the wrapper of
    distributed training sees one forward pass."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._sparse = "logits_to_keep" in inspect.signature(_inner(model).forward).parameters

    def forward(self, batch: Batch) -> torch.Tensor:
        """(4,) float: NLL of heads, NLL of rests, number of tokens of heads, of rests."""
        columns = (batch.labels != IGNORED).any(0).nonzero()[:, 0]
        keep = {"logits_to_keep": columns} if self._sparse else {}
        logits = self.model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **keep).logits
        if not self._sparse:
            logits = logits[:, columns]
        labels, kinds = batch.labels[:, columns], batch.kinds[:, columns]
        losses = token_losses(logits, labels)
        heads, learned = kinds == HEAD, labels != IGNORED
        rests = learned & ~heads
        parts = [(losses * heads).sum(), (losses * rests).sum(), heads.sum(), rests.sum()]
        return torch.stack([part.to(losses.dtype) for part in parts])


def token_losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """-log p(label) at every place in at least float32, 0 where the label is -100; shape of ``labels``."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    flat = F.cross_entropy(wide.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    return flat.view(labels.shape)


def loss_of(sums: torch.Tensor, weight: float, count: float) -> torch.Tensor:
    """The scalar to minimise: (weight * head NLL + rest NLL) / count."""
    return (weight * sums[0] + sums[1]) / count


def _inner(model: Any) -> Any:
    """The transformers model inside an adapter wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model

"""The loss of SM2, all of it in log space (SM2 section A; label smoothing as fairseq's).

    L = L_OMT + L_S2T + alpha * L_conf                            summed over target tokens, divided by their number
    L_OMT  = LS(log p^o)        p^o_i: whole source
    L_S2T  = LS(log p^m)        p^m = c p^s + (1 - c) p^o; p^s_ij: prefix of j tokens encoded on its own
    L_conf = - sum log c
    LS(q)  = (1 - eps - e) * -q(y) + e * sum_v -q(v),             e = eps / (V - 1)

log p^m = logaddexp(log c + log p^s, log(1 - c) + log p^o) with log c = logsigmoid(z): finite for every z. Padding
counts nowhere (in the authors' code L_conf counts it). ``detach_omt`` keeps the modified loss from training the full
pass; the authors' code does not detach.

What c becomes: with p, q the probability of the gold token under prefix and full source, -log(c p + (1 - c) q) -
alpha log c is least at c* = min(1, alpha / (1 + alpha) * q / (q - p)) for q > p, else at 1. So c never falls below
alpha / (1 + alpha), 0.0909 for alpha 0.1, and a threshold below that never reads.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backends.sm2.data import Batch
from backends.sm2.model import Sm2, States
from workbench.contract import UserError, unknown

OBJECTIVES = ("sm2", "offline", "prefix", "multipath")


@dataclass(frozen=True)
class Weights:
    """The constants of the loss."""

    alpha: float = 0.1
    smoothing: float = 0.1
    detach_omt: bool = False


def floor(alpha: float) -> float:
    """The lowest confidence that training can reach: alpha / (1 + alpha)."""
    return alpha / (1 + alpha)


def best_confidence(p: float, q: float, alpha: float) -> float:
    """c* for the gold token's probability p under the prefix and q under the whole source."""
    return 1.0 if q <= p else min(1.0, floor(alpha) * q / (q - p))


def modified(prefix: Tensor, full: Tensor, confidence: Tensor) -> Tensor:
    """log p^m (B, I, V) of log p^s, log p^o (B, I, V) and confidence (B, I) before the sigmoid."""
    sure, unsure = F.logsigmoid(confidence)[..., None], F.logsigmoid(-confidence)[..., None]
    return torch.logaddexp(sure + prefix, unsure + full)


def smoothed(log_p: Tensor, labels: Tensor, there: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Summed smoothed loss and summed plain negative log-likelihood over the tokens that are there."""
    plain = -log_p.gather(-1, labels[..., None])[..., 0]
    share = smoothing / (log_p.shape[-1] - 1)
    loss = (1 - smoothing - share) * plain + share * -log_p.sum(-1)
    zero = torch.zeros((), dtype=log_p.dtype, device=log_p.device)
    return torch.where(there, loss, zero).sum(), torch.where(there, plain, zero).sum()


def confidence_loss(confidence: Tensor, there: Tensor) -> Tensor:
    """- sum log c over the tokens that are there."""
    return torch.where(there, -F.logsigmoid(confidence), torch.zeros_like(confidence)).sum()


def sample_prefix(lengths: list[int], per_sentence: bool, generator: random.Random, least: int = 1) -> list[int]:
    """Prefix lengths of a batch: one j for all, uniform on least..shortest source (the authors'), or one for each
    sentence, uniform on least..its length (ours, for batches that are not of one length)."""
    if min(lengths) < 1 or least < 1:
        raise UserError("Every source sentence must have a token and least must be at least 1.")
    if per_sentence:
        return [generator.randint(min(least, length), length) for length in lengths]
    return [generator.randint(min(least, *lengths), min(lengths))] * len(lengths)


def cut(batch: Batch, prefix: list[int]) -> tuple[Tensor, Tensor]:
    """Source ids (B, max j) and mask of the prefixes alone: what is beyond j is not there at all, not even as an id."""
    sizes = torch.tensor(prefix, device=batch.source.device)
    width = max(prefix)
    there = torch.arange(width, device=sizes.device) < sizes[:, None]
    return torch.where(there, batch.source[:, :width], torch.zeros_like(batch.source[:, :width])), there


class Objective(nn.Module):  # type: ignore[misc]
    """A model that answers a batch with sums, so that a distributed wrapper sees one forward pass.

    ``forward`` returns (6,): loss, NLL of the full pass, of the prefix pass, of the mixture, sum of confidences, number
    of target tokens. ``kind``: ``sm2``; ``offline`` (the full pass alone); ``prefix`` (both passes without c, which is
    SM2 with alpha to infinity); ``multipath`` (Elbayad 2020: a wait-k path with k drawn for each batch; needs a causal
    encoder)."""

    def __init__(self, model: Sm2, kind: str = "sm2", weights: Weights | None = None) -> None:
        super().__init__()
        if kind not in OBJECTIVES:
            raise unknown("objective", kind, OBJECTIVES)
        if kind == "multipath" and not model.shape.causal_encoder:
            raise UserError("The objective is 'multipath' and the encoder looks both ways, so a state would see source "
                            "that has not been read.", advice="Set encoder to 'causal'.")
        self.model, self.kind, self.weights = model, kind, weights or Weights()

    def forward(self, batch: Batch, prefix: list[int]) -> Tensor:
        """``prefix`` is j of each sentence (k for ``multipath``); ``offline`` does not look at it."""
        encoded = self.model.encode(batch.source, batch.there)
        if self.kind == "multipath":
            return self._path(batch, encoded, prefix)
        whole = self.model.decode(batch.inputs, encoded, batch.there)
        full = _log_p(whole)
        loss, nll = smoothed(full, batch.labels, batch.wanted, self.weights.smoothing)
        if self.kind != "sm2":
            loss = loss + _untouched(whole)
        count = batch.wanted.sum().to(loss.dtype)
        nothing = torch.zeros_like(loss)
        if self.kind == "offline":
            return torch.stack([loss, nll, nothing, nothing, nothing, count])
        source, there = cut(batch, prefix)
        states = self.model.decode(batch.inputs, self.model.encode(source, there), there)
        partial = _log_p(states)
        plain, prefix_nll = smoothed(partial, batch.labels, batch.wanted, self.weights.smoothing)
        if self.kind == "prefix":
            return torch.stack([loss + plain, nll, prefix_nll, prefix_nll, count, count])
        reference = full.detach() if self.weights.detach_omt else full
        mixed = modified(partial, reference, states.confidence)
        second, mixed_nll = smoothed(mixed, batch.labels, batch.wanted, self.weights.smoothing)
        third = confidence_loss(states.confidence, batch.wanted)
        total = loss + second + self.weights.alpha * third
        sure = torch.where(batch.wanted, states.confidence.sigmoid(), nothing).sum()
        return torch.stack([total, nll, prefix_nll.detach(), mixed_nll, sure, count])

    def _path(self, batch: Batch, encoded: Tensor, waits: list[int]) -> Tensor:
        """Position i looks at the first k + i - 1 source tokens (at least one, at most all)."""
        wait = torch.tensor(waits, device=encoded.device)[:, None, None]
        rows = torch.arange(batch.inputs.shape[1], device=encoded.device)[None, :, None]
        columns = torch.arange(encoded.shape[1], device=encoded.device)
        there = (columns < wait + rows) & batch.there[:, None]
        states = self.model.decode(batch.inputs, encoded, there)
        log_p = _log_p(states)
        loss, nll = smoothed(log_p, batch.labels, batch.wanted, self.weights.smoothing)
        count = batch.wanted.sum().to(loss.dtype)
        return torch.stack([loss + _untouched(states), nll, nll, nll, count, count])


def _untouched(states: States) -> Tensor:
    """0, with a gradient of 0 for the confidence head: a distributed wrapper waits for every parameter's."""
    return 0.0 * states.confidence.sum()


def _log_p(states: States) -> Tensor:
    return F.log_softmax(states.logits.float(), -1)

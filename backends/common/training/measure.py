"""How well a model predicts held-out replies: sums over examples, and one reply under several heads in one pass.

Perplexity is exp(sum of NLL / number of tokens) over the learned tokens of the rest, the end token among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backends.common.training.batches import collate, micro_batches
from backends.common.training.examples import END, Example
from backends.common.training.objective import Objective, Sums, token_losses
from workbench.contract import UserError

Tick = Callable[[], None]


def perplexity(nll: float, tokens: int) -> float:
    """exp(nll / tokens); not a number without tokens."""
    return math.exp(min(700.0, nll / tokens)) if tokens else math.nan


def measure(objective: Any, examples: Sequence[Example], micro_tokens: int, device: torch.device | str,
            tick: Tick = lambda: None) -> Sums:
    """Added-up losses of examples without dropout; the mode the model was in comes back afterwards."""
    was_training = objective.training
    objective.eval()
    total = Sums()
    try:
        for group in micro_batches(examples, micro_tokens):
            with torch.no_grad():
                values = objective(collate(group, 0).to(device))
            total += Sums.of(values, sum(example.replies for example in group))
            tick()
    finally:
        objective.train(was_training)
    return total


@dataclass(frozen=True)
class Variant:
    """Another wording of one reply: the ids of its head, ``at`` the place in the trunk where the reply begins."""

    at: int
    head: tuple[int, ...]
    rest: tuple[int, ...]


def replies_of(example: Example) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """(place, head ids, rest ids) of every reply of a packed example; the rest has the end token."""
    found = []
    place = 0
    while place < len(example.ids):
        if example.kinds[place] == 0:
            place += 1
            continue
        begin = place
        while place < len(example.ids) and example.kinds[place] != 0:
            place += 1
            if example.kinds[place - 1] == END:
                break
        heads = sum(kind in (1, 4) for kind in example.kinds[begin:place])
        found.append((begin, example.ids[begin:begin + heads], example.ids[begin + heads:place]))
    return found


def variant_losses(model: Any, trunk: Sequence[int], variants: Sequence[Variant],
                   device: torch.device | str = "cpu") -> list[float]:
    """NLL of the rest of every variant after the trunk up to its place, all in one forward pass.

    A variant that the trunk itself goes on with is read off the trunk; the others stand behind it, and a mask lets
    each see the trunk before its place and itself, with positions that count on from there. So the result equals one
    pass for each (tested). For models with full attention only.
    """
    for variant in variants:
        if not 0 < variant.at <= len(trunk):
            raise UserError(f"A variant begins at token {variant.at} of a text of {len(trunk)}.")
    if not variants:
        return []
    own = {v for v in variants if tuple(trunk[v.at:v.at + len(v.head) + len(v.rest)]) == (*v.head, *v.rest)}
    ids, positions, mask = _tree(trunk, [v for v in variants if v not in own])
    columns: list[int] = []
    start = len(trunk)
    for variant in variants:
        first = variant.at if variant in own else start
        size = len(variant.head) + len(variant.rest)
        columns += [variant.at - 1, *range(first, first + size - 1)][len(variant.head):]
        start += 0 if variant in own else size
    labels = [token for variant in variants for token in variant.rest]
    owners = [number for number, variant in enumerate(variants) for _ in variant.rest]
    dtype = next(model.parameters()).dtype
    full = torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
    keep = torch.tensor(columns, device=device)
    with torch.no_grad():
        logits = model(input_ids=ids[None].to(device), position_ids=positions[None].to(device), use_cache=False,
                       attention_mask=full[None, None].to(device), logits_to_keep=keep).logits
    losses = token_losses(logits, torch.tensor(labels, device=device)[None])[0].double().cpu()
    sums = torch.zeros(len(variants), dtype=torch.float64).index_add_(0, torch.tensor(owners), losses)
    return [float(value) for value in sums]


def _tree(trunk: Sequence[int], variants: Sequence[Variant]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, positions and who sees whom (queries, keys) of the trunk with the variants behind it."""
    sizes = [len(v.head) + len(v.rest) for v in variants]
    total = len(trunk) + sum(sizes)
    ids = torch.tensor([*trunk, *(token for v in variants for token in (*v.head, *v.rest))])
    positions = torch.arange(total)
    mask = torch.ones(total, total, dtype=torch.bool).tril()
    start = len(trunk)
    for variant, size in zip(variants, sizes, strict=True):
        rows = slice(start, start + size)
        positions[rows] = torch.arange(variant.at, variant.at + size)
        mask[rows, variant.at:start] = False
        start += size
    return ids, positions, mask


def objective_of(model: Any) -> Objective:
    """The objective of a plain model, for measuring."""
    return Objective(model)

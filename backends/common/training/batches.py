"""Which examples a step sees: the order of every epoch as a function of the seed, sources mixed by weight, padding."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from backends.common.training.examples import LEARNED, Example
from workbench.contract import UserError

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Padded sequences: ``ids``, ``mask`` (rows, tokens); ``labels`` and ``kinds`` (rows, tokens) belong to the
    *next* token, so that column i is what is predicted after token i; a label that is not learned is -100."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    kinds: torch.Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return Batch(*(tensor.to(device) for tensor in (self.ids, self.mask, self.labels, self.kinds)))


def collate(examples: Sequence[Example], padding: int) -> Batch:
    """Pad on the right to the longest example."""
    width = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), width), padding)
    mask = torch.zeros((len(examples), width), dtype=torch.long)
    labels = torch.full((len(examples), width), IGNORED)
    kinds = torch.zeros((len(examples), width), dtype=torch.long)
    for row, example in enumerate(examples):
        size = len(example.ids)
        ids[row, :size] = torch.tensor(example.ids)
        mask[row, :size] = 1
        kinds[row, :size - 1] = torch.tensor(example.kinds[1:])
        target = torch.tensor([token if kind in LEARNED else IGNORED
                               for token, kind in zip(example.ids[1:], example.kinds[1:], strict=True)])
        labels[row, :size - 1] = target
    return Batch(ids, mask, labels, kinds)


def shares(sizes: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many examples of each source an epoch has: as many in all as there are, split by ``weights`` (largest
    remainder). No weights: every example once."""
    if not weights:
        return list(sizes)
    if len(weights) != len(sizes):
        raise UserError(f"There are {len(sizes)} data sources and {len(weights)} weights; give one weight a source.")
    if min(weights) < 0 or sum(weights) <= 0:
        raise UserError(f"The weights are {', '.join(f'{w:g}' for w in weights)}; none may be negative and at least "
                        "one must be above 0.")
    empty = [number for number, (size, weight) in enumerate(zip(sizes, weights, strict=True), 1) if weight and not size]
    if empty:
        raise UserError(f"Data source {empty[0]} has weight {weights[empty[0] - 1]:g} but no example.",
                        advice="Give it the weight 0, or other data.")
    exact = [sum(sizes) * weight / sum(weights) for weight in weights]
    whole = [int(share) for share in exact]
    rest = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for place in rest[:sum(sizes) - sum(whole)]:
        whole[place] += 1
    return whole


@dataclass(frozen=True)
class Order:
    """The order of examples. ``generator(seed)`` gives the randomness; epoch e uses ``seed + e``."""

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    batch: int
    seed: int
    generator: Callable[[int], random.Random]

    @property
    def steps(self) -> int:
        """Optimizer steps of one epoch; the last one may see fewer examples."""
        return -(-sum(self.sizes) // self.batch)

    def epoch(self, number: int) -> list[tuple[int, int]]:
        """(source, example) pairs of one epoch. A source that must give more than it has is gone through again in
        another order before any example comes a third time."""
        generator = self.generator(self.seed * 1_000_003 + number)
        chosen: list[tuple[int, int]] = []
        for source, count in enumerate(shares(self.sizes, self.weights)):
            while count > 0:
                places = list(range(self.sizes[source]))
                generator.shuffle(places)
                chosen += [(source, place) for place in places[:count]]
                count -= len(places[:count])
        generator.shuffle(chosen)
        return chosen

    def at(self, step: int) -> list[tuple[int, int]]:
        """The examples of an optimizer step, counted from 0 over all epochs."""
        number, place = divmod(step, self.steps)
        return self.epoch(number)[place * self.batch:(place + 1) * self.batch]


def micro_batches(examples: Sequence[Example], tokens: int) -> list[list[Example]]:
    """The examples in groups that hold at most ``tokens`` with padding, longest first; a longer one stands alone."""
    groups: list[list[Example]] = []
    for example in sorted(examples, key=lambda e: (-len(e.ids), e.name)):
        if groups and len(groups[-1][0].ids) * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(example)
        else:
            groups.append([example])
    return groups

"""Sentence pairs as ids, in batches of similar length whose order is a function of the seed.

A source ends in the end token (J counts it); target inputs begin with the begin token, labels end in the end token.
Padding is at the right and a mask says what is there: no id is special to the arithmetic.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.contract import UserError

POOL = 64
"""Batches' worth of sentences that are sorted by length together."""


@dataclass(frozen=True)
class Pair:
    """Ids of a sentence pair, both with their end token."""

    source: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """``source``, ``there`` (B, J); ``inputs``, ``labels``, ``wanted`` (B, I)."""

    source: Tensor
    there: Tensor
    inputs: Tensor
    labels: Tensor
    wanted: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return Batch(*(t.to(device) for t in (self.source, self.there, self.inputs, self.labels, self.wanted)))


def padded(rows: Sequence[Sequence[int]], pad: int, width: int = 0) -> tuple[Tensor, Tensor]:
    """Ids (rows, longest or ``width``) and where they are."""
    width = max(width, max(map(len, rows), default=0))
    ids = torch.full((len(rows), width), pad)
    there = torch.zeros(len(rows), width, dtype=torch.bool)
    for number, row in enumerate(rows):
        ids[number, :len(row)] = torch.tensor(row, dtype=torch.long)
        there[number, :len(row)] = True
    return ids, there


def collate(pairs: Sequence[Pair], pad: int, begin: int, wider: int = 0) -> Batch:
    """Pad pairs to the longest (and ``wider`` more, which must change nothing)."""
    source, there = padded([pair.source for pair in pairs], pad, max(len(p.source) for p in pairs) + wider)
    size = max(len(pair.target) for pair in pairs) + wider
    inputs, _ = padded([(begin, *pair.target[:-1]) for pair in pairs], pad, size)
    labels, wanted = padded([pair.target for pair in pairs], pad, size)
    return Batch(source, there, inputs, labels, wanted)


@dataclass(frozen=True)
class Order:
    """Which pairs a step sees. ``tokens`` bounds pairs times longest side, padding included; a longer pair stands
    alone. Sentences are sorted by length within pools of a shuffled epoch, and the batches shuffled again."""

    lengths: tuple[int, ...]
    tokens: int
    seed: int
    generator: Callable[[int], random.Random]

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of an epoch, as places in the data."""
        generator = self.generator(self.seed * 1_000_003 + number)
        places = list(range(len(self.lengths)))
        generator.shuffle(places)
        mean = max(1, sum(self.lengths) // max(1, len(self.lengths)))
        pool = max(1, POOL * max(1, self.tokens // mean))
        found: list[list[int]] = []
        for start in range(0, len(places), pool):
            ordered = sorted(places[start:start + pool], key=lambda i: self.lengths[i])
            batch: list[int] = []
            for place in ordered:
                if batch and self.lengths[place] * (len(batch) + 1) > self.tokens:
                    found.append(batch)
                    batch = []
                batch.append(place)
            found.append(batch)
        generator.shuffle(found)
        return found


def clean(pairs: Sequence[Pair], longest: int) -> tuple[list[Pair], int]:
    """Pairs whose sides have something besides the end token and at most ``longest`` tokens; and how many were left
    out. Raises ``UserError`` when none is left."""
    kept = [pair for pair in pairs if 1 < len(pair.source) <= longest and 1 < len(pair.target) <= longest]
    if not kept:
        raise UserError(f"None of the {len(pairs)} sentence pairs can be used.",
                        advice=f"Both sides must have text and at most {longest} tokens.")
    return kept, len(pairs) - len(kept)

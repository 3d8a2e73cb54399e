"""The n-gram scorer: a linear model over hashed character n-grams, folded to one table that is summed while reading.

    z_k = b_k + (sum over n-grams g of table[bucket(g), k]) / count**power
    p_k = sigmoid(scale_k z_k + shift_k)   where outputs stand alone ("ova")
    p   = softmax(scale z + shift)         where exactly one is right ("softmax")

A model trained with a hidden layer of width d is folded to the same table: table = embedding (buckets, d) @ W^T (d, K).
``power`` is .5 for short posts (a word among few must not drown) and 1 for a plain mean. A text without any n-gram
(empty, only white space) gets the row ``empty`` of the model instead of what the bias happens to say. Probabilities
are clamped to [0, 1]; official fastText returns up to 1.00001.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.scorers.calibration import sigmoid, softmax
from backends.mdfg.scorers.hashing import Grams, folded
from workbench.contract import Json, UserError
from workbench.fields import to_json

Link = Literal["ova", "softmax"]


@dataclass(frozen=True)
class NgramScorer:
    """A trained model; a ``Scorer``. ``table`` (buckets, outputs) float32; ``bias``, ``scale``, ``shift``, ``empty``
    (outputs,). ``card`` holds what a reader should know: data, licence, held-out scores, weaknesses."""

    name: str
    outputs: tuple[str, ...]
    grams: Grams
    table: NDArray[np.float32]
    bias: NDArray[np.float64]
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    empty: NDArray[np.float64]
    link: Link = "ova"
    power: float = 0.5
    card: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        width = len(self.outputs)
        if self.table.shape != (self.grams.buckets, width):
            raise UserError(f"The table of {self.name} has the shape {self.table.shape}; {width} outputs and "
                            f"{self.grams.buckets} buckets need {(self.grams.buckets, width)}.")
        for what in ("bias", "scale", "shift", "empty"):
            if getattr(self, what).shape != (width,):
                raise UserError(f"{what} of {self.name} has the shape {getattr(self, what).shape}; it must be "
                                f"{(width,)}.")

    @cached_property
    def version(self) -> str:
        """The first 16 hex digits of the sha256 of everything that decides a score."""
        digest = hashlib.sha256()
        head = [self.outputs, to_json(self.grams), self.link, self.power]
        digest.update(json.dumps(head, ensure_ascii=False).encode())
        for array in (self.table, self.bias, self.scale, self.shift, self.empty):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def logits(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(z before calibration, whether the text has nothing to judge)."""
        sums, counts = folded(texts, self.grams, self.table, self.power)
        return sums + self.bias, counts == 0

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities (texts, outputs), each in [0, 1]."""
        logits, bare = self.logits(texts)
        return self.judged(logits, bare)

    def judged(self, logits: NDArray[np.float64], bare: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Probabilities of logits; texts that are ``bare`` get the row for empty ones."""
        raw = logits * self.scale + self.shift
        found = softmax(raw) if self.link == "softmax" and len(raw) else sigmoid(raw)
        found[bare] = self.empty
        return np.clip(found, 0.0, 1.0).astype(np.float32)


class Stack:
    """Several n-gram scorers that read the same n-grams, as one: each text is hashed once. A ``Scorer`` whose outputs
    are ``<scorer>.<output>``; the same probabilities as each gives alone."""

    def __init__(self, scorers: Sequence[NgramScorer]) -> None:
        if not scorers:
            raise UserError("There is no scorer to put together.", advice="Give at least one.")
        first = scorers[0]
        for other in scorers[1:]:
            if (other.grams, other.power) != (first.grams, first.power):
                raise UserError(f"{other.name} reads {other.grams} with power {other.power:g}, {first.name} reads "
                                f"{first.grams} with power {first.power:g}.",
                                advice="Score with them one after another.")
        self.scorers = tuple(scorers)
        self.name = "+".join(scorer.name for scorer in scorers)
        self.outputs = tuple(f"{scorer.name}.{output}" for scorer in scorers for output in scorer.outputs)
        self.version = hashlib.sha256("".join(scorer.version for scorer in scorers).encode()).hexdigest()[:16]
        self._table = np.ascontiguousarray(np.concatenate([scorer.table for scorer in scorers], axis=1))

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities (texts, all outputs), scorer after scorer."""
        first = self.scorers[0]
        sums, counts = folded(texts, first.grams, self._table, first.power)
        parts, place = [], 0
        for scorer in self.scorers:
            width = len(scorer.outputs)
            parts.append(scorer.judged(sums[:, place:place + width] + scorer.bias, counts == 0))
            place += width
        return np.concatenate(parts, axis=1)


def stacked(scorers: Sequence[NgramScorer]) -> list[NgramScorer | Stack]:
    """The fewest scorers that say the same: those that read the same n-grams are put together."""
    groups: dict[tuple[Grams, float], list[NgramScorer]] = {}
    for scorer in scorers:
        groups.setdefault((scorer.grams, scorer.power), []).append(scorer)
    return [group[0] if len(group) == 1 else Stack(group) for group in groups.values()]


def is_empty(text: str) -> bool:
    """Whether a text has nothing to judge: records carry the flag ``empty`` then."""
    return not text.strip(" \t\n\r\x0b\x0c\xa0\u3000\ufeff\u200b")

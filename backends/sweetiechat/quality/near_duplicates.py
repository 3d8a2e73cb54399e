"""Near-duplicates: texts whose sets of 5-token shingles have a Jaccard similarity above 0.7.

Turns of one dialogue are compared exactly; dialogues with all earlier ones through MinHash (Broder 1997): the share
of equal minima of k random hash functions estimates the similarity. Minima are grouped in bands, a shared band makes
a candidate, and candidates are then compared exactly, so a reported similarity is never an estimate.
128 functions in 32 bands of 4 find a pair of similarity 0.7 with probability 1 - (1 - 0.7^4)^32 = 0.9998.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.metrics.text import ngrams
from backends.sweetiechat.metrics.tokens import Tokenizer
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.verdict import Limits, Verdict, turns_named

FUNCTIONS, BANDS, SEED = 128, 32, 20_250_119
"""The seed is a constant: signatures of two runs must be comparable."""
Signature = NDArray[np.uint64]


def shingles(texts: tuple[str, ...], cut: Tokenizer, size: int) -> frozenset[int]:
    """Hashes (32 bits, the same in every process) of all runs of ``size`` tokens that lie within one text.

    A text of fewer tokens has none: two short greetings are not duplicates.
    """
    runs = {"\x1f".join(gram) for text in texts for gram in ngrams(cut(text), size)}
    return frozenset(int.from_bytes(hashlib.blake2b(run.encode(), digest_size=4).digest(), "big") for run in runs)


def jaccard(first: Set[int], second: Set[int]) -> float:
    """|A and B| / |A or B|; 0 for two empty sets, since nothing shows that they are alike."""
    union = len(first | second)
    return len(first & second) / union if union else 0.0


def signature(items: Set[int]) -> Signature:
    """The minima of 128 multiply-shift hash functions, (a x + b mod 2^64) / 2^32, over a set of 32-bit numbers."""
    draw = np.random.default_rng(SEED)
    a = draw.integers(0, 2**63, FUNCTIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    b = draw.integers(0, 2**63, FUNCTIONS, dtype=np.uint64)
    if not items:
        return np.full(FUNCTIONS, np.iinfo(np.uint64).max, dtype=np.uint64)
    values = np.fromiter(items, dtype=np.uint64, count=len(items))
    hashed: Signature = (a[:, None] * values[None, :] + b[:, None]) >> np.uint64(32)
    minima: Signature = hashed.min(axis=1)
    return minima


def estimate(first: Signature, second: Signature) -> float:
    """Estimated Jaccard similarity: the share of equal minima (standard error at most 0.045)."""
    return float((first == second).mean())


@dataclass(frozen=True)
class Nearest:
    """The most similar earlier dialogue and the exact Jaccard similarity; an empty name when there is none."""

    name: str
    similarity: float


@dataclass
class Seen:
    """The dialogues that later ones are compared with; it only grows, by :meth:`add`."""

    cut: Tokenizer
    size: int = 5
    _sets: dict[str, frozenset[int]] = field(default_factory=dict)
    _bands: dict[tuple[int, bytes], list[str]] = field(default_factory=dict)

    def add(self, dialogue: Dialogue) -> None:
        """Remember a dialogue under its id; adding an id again changes nothing."""
        items = self._shingles(dialogue)
        if not items or dialogue.id in self._sets:
            return
        self._sets[dialogue.id] = items
        for band in _bands_of(signature(items)):
            self._bands.setdefault(band, []).append(dialogue.id)

    def nearest(self, dialogue: Dialogue) -> Nearest:
        """The most similar remembered dialogue (itself left out); the first in the order of ids when several are."""
        items = self._shingles(dialogue)
        if not items:
            return Nearest("", 0.0)
        names = {name for band in _bands_of(signature(items)) for name in self._bands.get(band, ())} - {dialogue.id}
        ranked = sorted((-jaccard(items, self._sets[name]), name) for name in names)
        return Nearest(ranked[0][1], -ranked[0][0]) if ranked else Nearest("", 0.0)

    def _shingles(self, dialogue: Dialogue) -> frozenset[int]:
        return shingles(tuple(turn.text for turn in dialogue.turns), self.cut, self.size)


def _bands_of(minima: Signature) -> list[tuple[int, bytes]]:
    return [(i, rows.tobytes()) for i, rows in enumerate(minima.reshape(BANDS, -1))]


def repeated_turns(dialogue: Dialogue, cut: Tokenizer, limits: Limits) -> list[tuple[int, int, float]]:
    """Pairs of turns (earlier, later, similarity) of one dialogue above the limit, whoever speaks."""
    sets = [shingles((turn.text,), cut, limits.shingle) for turn in dialogue.turns]
    pairs = [(i, j, jaccard(sets[i], sets[j])) for j in range(len(sets)) for i in range(j)]
    return [pair for pair in pairs if pair[2] > limits.max_similarity]


def check_near_duplicates(dialogue: Dialogue, cut: Tokenizer, limits: Limits, seen: Seen | None = None) -> Verdict:
    """Value: repeated turns, and the nearest of the dialogues in ``seen`` (without it only the turns are compared)."""
    repeats = repeated_turns(dialogue, cut, limits)
    nearest = seen.nearest(dialogue) if seen is not None else Nearest("", 0.0)
    faults = []
    if repeats:
        faults.append(f"turns say the same again ({turns_named(sorted({j for _, j, _ in repeats}))})")
    if nearest.similarity > limits.max_similarity:
        faults.append(f"{nearest.similarity:.0%} like dialogue {nearest.name}")
    value = {"turns": [list(pair) for pair in repeats], "nearest": nearest.name, "similarity": nearest.similarity,
             "compared": seen is not None, "tokenizer": cut.name}
    return Verdict("near_duplicates", not faults, value, "; ".join(faults) or "nothing is said twice")

"""Near-copies between splits: what a test score is worth when the test texts were seen in training.

Each text becomes its set of 4-character shingles (white space and case left out). Sixteen minima of hashed shingles in
eight bands of two propose pairs; a pair counts as a near-copy when the Jaccard similarity of the two sets is at least
.8. Bands find a pair of similarity .8 with probability 1 - (1 - .8**2)**8 = .9997. (The corpus's own duplicate stage is
larger and faster; this one checks splits of at most some hundred thousand texts.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.scorers.hashing import Grams, buckets_of
from workbench.contract import UserError

SHINGLE, BANDS, WIDTH, SIMILAR = 4, 8, 2, 0.8
_GRAMS = Grams(SHINGLE, SHINGLE, 22)


@dataclass(frozen=True)
class Leak:
    """Text ``test`` of the test set is a near-copy of text ``train`` of the training set."""

    train: int
    test: int
    similarity: float


def leaks(train: Sequence[str], test: Sequence[str], similar: float = SIMILAR) -> list[Leak]:
    """The test texts that have a near-copy in training (the most similar one found). Texts under 4 characters are
    never near-copies unless they are equal.

    Raises ``UserError`` for a similarity outside 0..1."""
    if not 0 < similar <= 1:
        raise UserError(f"similar is {similar:g}; it must lie above 0 and at most 1.")
    known, asked = _shingles(train), _shingles(test)
    table: dict[tuple[int, int, int], list[int]] = {}
    for place, minima in enumerate(_minima(known)):
        for key in _keys(minima, len(known[place])):
            table.setdefault(key, []).append(place)
    equal = {"".join(text.lower().split()): place for place, text in reversed(list(enumerate(train)))}
    found = []
    for place, minima in enumerate(_minima(asked)):
        same = equal.get("".join(test[place].lower().split()))
        near = {other for key in _keys(minima, len(asked[place])) for other in table.get(key, [])}
        best = max(((_jaccard(known[other], asked[place]), -other) for other in near), default=(0.0, 0))
        if same is not None:
            found.append(Leak(same, place, 1.0))
        elif best[0] >= similar:
            found.append(Leak(-best[1], place, best[0]))
    return found


def without_leaks(train: Sequence[str], test: Sequence[str]) -> list[int]:
    """Places of the test texts that have no near-copy in training: what a fair figure is measured on."""
    bad = {leak.test for leak in leaks(train, test)}
    return [place for place in range(len(test)) if place not in bad]


def _shingles(texts: Sequence[str]) -> list[NDArray[np.int64]]:
    ids, ends = buckets_of(["".join(text.split()) for text in texts], _GRAMS)
    return [np.unique(ids[ends[i]:ends[i + 1]]) for i in range(len(texts))]


def _minima(shingles: Sequence[NDArray[np.int64]]) -> list[NDArray[np.uint64]]:
    numbers = np.random.default_rng(20_000)
    factors = numbers.integers(1, 2**63, BANDS * WIDTH, dtype=np.uint64) | np.uint64(1)
    return [(found.astype(np.uint64)[:, None] * factors >> np.uint64(20)).min(axis=0) if len(found)
            else np.zeros(0, dtype=np.uint64) for found in shingles]


def _keys(minima: NDArray[np.uint64], size: int) -> list[tuple[int, int, int]]:
    if not size:
        return []
    pairs = minima.reshape(BANDS, WIDTH).tolist()
    return [(band, first, second) for band, (first, second) in enumerate(pairs)]


def _jaccard(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both) if both else 0.0

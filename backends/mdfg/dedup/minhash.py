"""MinHash: the share of equal minima of k hash functions estimates the Jaccard similarity of two shingle sets.

Shingles are windows of 5 characters of the normalised text of rule 4 (lower case, no white space but U+3000). A
shingle is hashed to x of 32 bits by a rolling polynomial and a finaliser; function i is (a_i x + b_i) mod 2^32 with odd
a_i (multiply-shift, Dietzfelbinger et al. 1997). Standard error of the estimate: sqrt(J (1 - J) / k), 0.044 at most for
k = 128. A text shorter than a shingle is one shingle; an empty one has all minima at their largest value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.rules.duplication import normalise
from backends.mdfg.text.codes import Codes, Offsets, compiled
from backends.mdfg.text.tables import tables

EMPTY = np.uint32(0xFFFFFFFF)
BASE, MIXER = np.uint64(0x100000001B3), np.uint64(0xFF51AFD7ED558CCD)
S32, S33 = np.uint64(32), np.uint64(33)
Signatures = NDArray[np.uint32]


@dataclass(frozen=True)
class Functions:
    """Multipliers and offsets of k hash functions, each of shape (k,)."""

    a: NDArray[np.uint32]
    b: NDArray[np.uint32]


@cache
def functions(count: int = 128, seed: int = 1) -> Functions:
    """The hash functions of a seed; signatures of different seeds or counts cannot be compared."""
    draw = np.random.Generator(np.random.PCG64(seed))
    a = draw.integers(0, 2**32, count, dtype=np.uint32) | np.uint32(1)
    return Functions(a, draw.integers(0, 2**32, count, dtype=np.uint32))


@compiled
def _minima(x: Any, a: Any, b: Any, out: Any) -> None:
    for k in range(len(a)):
        value = np.uint32(np.uint32(a[k] * x) + b[k])
        out[k] = min(out[k], value)


@compiled
def _signatures(codes: Any, offsets: Any, lower: Any, space: Any, n: int, a: Any, b: Any, out: Any) -> None:
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    s, where = np.empty(longest, dtype=np.uint32), np.empty(longest, dtype=np.int64)
    for text in range(len(offsets) - 1):
        size = normalise(codes, offsets[text], offsets[text + 1], lower, space, s, where)
        size = -1 - size if size < 0 else size
        out[text, :] = EMPTY
        for begin in range(max(1, size - n + 1) if size > 0 else 0):
            value = np.uint64(0)
            for k in range(begin, min(begin + n, size)):
                value = (value ^ np.uint64(s[k])) * BASE
            value = (value ^ (value >> S33)) * MIXER
            _minima(np.uint32(value >> S32), a, b, out[text])


def signatures(codes: Codes, offsets: Offsets, shingle: int = 5, count: int = 128) -> Signatures:
    """Minima of shape (texts, count)."""
    table, made = tables(), functions(count)
    out = np.empty((len(offsets) - 1, count), dtype=np.uint32)
    _signatures(codes, offsets, table.lower, table.space, shingle, made.a, made.b, out)
    return out


def similarity(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """Estimated Jaccard similarity along the last axis."""
    return np.asarray(np.mean(one == other, axis=-1), dtype=np.float64)

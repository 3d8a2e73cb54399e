"""Character n-grams of a text as numbers of buckets: the features of every n-gram scorer, and the folded sum over them.

A text is a row of Unicode code points. Latin letters are lowered, full-width forms (U+FF01..FF5E) become their ASCII
forms, a run of white space becomes one space, and white space at both ends is left out. Every run of low..high
characters is hashed to one of 2**bits buckets:

    h_1 = mix(seed ^ c_1),  h_n = mix(h_(n-1) ^ c_n),  bucket = h_n >> (64 - bits)

with ``mix`` the finaliser of splitmix64. No words are split, so Chinese and English go the same way, and nothing has
to be looked up in a dictionary. The loops are compiled (numba, without the interpreter's lock): threads scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.text import codes
from backends.mdfg.text.codes import Codes, Offsets, compiled
from workbench.contract import UserError

SEED = np.uint64(0x243F6A8885A308D3)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@dataclass(frozen=True)
class Grams:
    """Which n-grams: ``low`` to ``high`` characters, in 2**``bits`` buckets, of the first ``chars`` of a text
    (0 = all of it)."""

    low: int = 1
    high: int = 3
    bits: int = 18
    chars: int = 0

    def __post_init__(self) -> None:
        for name, value, least, most in (("low", self.low, 1, 8), ("high", self.high, self.low, 8),
                                         ("bits", self.bits, 8, 22), ("chars", self.chars, 0, 10**9)):
            if not least <= value <= most:
                raise UserError(f"{name} of the n-grams is {value}; it must lie between {least} and {most}.")

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return 1 << self.bits


def codes_of(texts: Sequence[str], chars: int = 0) -> tuple[Codes, Offsets]:
    """Code points of the first ``chars`` characters of every text (0: all of it), and where each text begins."""
    return codes.codes_of([text[:chars] for text in texts] if chars else texts)


@compiled
def _mixed(value: Any) -> Any:
    value = (value + GOLDEN)
    value = (value ^ (value >> S30)) * MIX_1
    value = (value ^ (value >> S27)) * MIX_2
    return value ^ (value >> S31)


@compiled
def _plain(codes: Any, begin: int, end: int, out: Any) -> int:
    """Write the text as it is hashed into ``out``; returns its length."""
    size = 0
    space = False
    for place in range(begin, end):
        code = codes[place]
        if code == 32 or 9 <= code <= 13 or code == 0xA0 or code == 0x3000 or code == 0xFEFF or code == 0x200B:
            space = size > 0
            continue
        if space:
            out[size] = 32
            size += 1
            space = False
        if 0xFF01 <= code <= 0xFF5E:
            code = code - 0xFEE0
        if 65 <= code <= 90:
            code = code + 32
        out[size] = code
        size += 1
    return size


@compiled
def _count(size: int, low: int, high: int) -> int:
    total = 0
    for order in range(low, high + 1):
        if size >= order:
            total += size - order + 1
    return total


@compiled
def _buckets(codes: Any, offsets: Any, low: int, high: int, shift: Any, out: Any, ends: Any) -> int:
    """Fill ``out`` with the buckets of every text, ``ends`` with where each text's buckets end."""
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    plain = np.empty(longest, dtype=np.uint32)
    done = 0
    for text in range(len(offsets) - 1):
        size = _plain(codes, offsets[text], offsets[text + 1], plain)
        for begin in range(size):
            value = SEED
            for order in range(1, min(high, size - begin) + 1):
                value = _mixed(value ^ np.uint64(plain[begin + order - 1]))
                if order >= low:
                    out[done] = value >> shift
                    done += 1
        ends[text] = done
    return done


@compiled
def _folded(codes: Any, offsets: Any, low: int, high: int, shift: Any, table: Any, power: float, out: Any,
            counts: Any) -> None:
    """Sum the table's rows of a text's n-grams, over count**power."""
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    plain = np.empty(longest, dtype=np.uint32)
    width = table.shape[1]
    total = np.zeros(width, dtype=np.float64)
    for text in range(len(offsets) - 1):
        size = _plain(codes, offsets[text], offsets[text + 1], plain)
        total[:] = 0.0
        for begin in range(size):
            value = SEED
            for order in range(1, min(high, size - begin) + 1):
                value = _mixed(value ^ np.uint64(plain[begin + order - 1]))
                if order >= low:
                    bucket = value >> shift
                    for column in range(width):
                        total[column] += table[bucket, column]
        count = _count(size, low, high)
        counts[text] = count
        scale = 1.0 / count ** power if count else 0.0
        for column in range(width):
            out[text, column] = total[column] * scale


def buckets_of(texts: Sequence[str], grams: Grams) -> tuple[NDArray[np.int64], Offsets]:
    """The buckets of all texts in one array, and where each text's begin (one more entry than texts)."""
    points, offsets = codes_of(texts, grams.chars)
    most = sum(int(np.maximum(0, np.diff(offsets) - order + 1).sum()) for order in range(grams.low, grams.high + 1))
    out, ends = np.empty(most, dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    done = _buckets(points, offsets, grams.low, grams.high, np.uint64(64 - grams.bits), out, ends)
    return out[:done], np.concatenate([np.zeros(1, dtype=np.int64), ends])


def folded(texts: Sequence[str], grams: Grams, table: NDArray[np.float32],
           power: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(sums, counts): sums[i, k] = sum of table[bucket, k] over the n-grams of text i, over count**power;
    counts[i] = how many n-grams the text has (0: nothing to judge)."""
    points, offsets = codes_of(texts, grams.chars)
    out, counts = np.zeros((len(texts), table.shape[1])), np.zeros(len(texts), dtype=np.int64)
    _folded(points, offsets, grams.low, grams.high, np.uint64(64 - grams.bits), table, power, out, counts)
    return out, counts

"""Candidate words of many texts without holding them all: only those that occur in enough texts ever become strings.

A run is 2 to 4 Chinese characters in a row; other scripts give words of at least three letters. First every run of a
text falls into one of 2**22 buckets by its hash, once, which gives an upper bound of its number of texts; in the
second pass runs whose bound is below the limit are passed over. In natural text that is most of them: three thousand
texts of nine hundred characters have millions of different runs, and a dictionary of all of them does not fit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

SHORTEST, LONGEST, BITS = 2, 4, 22
_WORD, _CHINESE = re.compile(r"[^\W\d_]{3,}"), re.compile(r"[一-龥]+")
_FIRST, _LAST = 0x4E00, 0x9FA5


def frequent_runs(texts: Sequence[str], fewest: int, tick: Callable[[], None] = lambda: None) -> Iterator[set[str]]:
    """For each text, in order, the runs and words in it that may occur in ``fewest`` texts or more: all that do, and a
    few that share their bucket with others. ``tick`` is called for every text in both passes; it may raise."""
    bound = np.zeros(1 << BITS, dtype=np.int32)
    words: Counter[str] = Counter()
    for text in texts:
        tick()
        found = [buckets for buckets, _ in _hashed(text)]
        if found:
            bound[np.unique(np.concatenate(found))] += 1
        words.update(_words(text))
    for text in texts:
        tick()
        runs = {word for word in _words(text) if words[word] >= fewest}
        for size, (buckets, starts) in enumerate(_hashed(text), SHORTEST):
            runs.update(text[place:place + size] for place in starts[bound[buckets] >= fewest].tolist())
        yield runs


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_CHINESE.sub(" ", text.lower())))


def _hashed(text: str) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(bucket, start) of every run, size after size."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    chinese = (codes >= _FIRST) & (codes <= _LAST)
    whole, mixed = chinese, codes.astype(np.uint64)
    found = []
    for size in range(SHORTEST, LONGEST + 1):
        if len(codes) < size:
            break
        last = codes[size - 1:].astype(np.uint64)
        whole = whole[:-1] & chinese[size - 1:]
        with np.errstate(over="ignore"):
            mixed = (mixed[:-1] * np.uint64(0x9E3779B97F4A7C15) + last) * np.uint64(0xBF58476D1CE4E5B9)
        starts = np.flatnonzero(whole)
        found.append(((mixed[starts] >> np.uint64(64 - BITS)).astype(np.int64), starts))
    return found

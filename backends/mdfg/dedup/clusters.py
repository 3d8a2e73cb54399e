"""Clusters of near-duplicates from signatures, and which document of each is kept.

The minima are cut in bands of ``rows``; documents with an equal band are candidates: a pair of similarity J becomes one
with probability 1 - (1 - J^rows)^bands (21 bands of 6: 0.93 at J = 0.7, 0.28 at 0.5). A candidate is linked when its
estimated similarity reaches the limit, and links are joined (union-find), so a cluster may hold a chain of texts of
which the ends differ. In a group of equal bands every document is compared with the first and the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.dedup.minhash import EMPTY, Signatures
from backends.mdfg.text.codes import compiled

Index = NDArray[np.int64]
NONE = -1
PRIME = np.uint64(0x100000001B3)


@dataclass(frozen=True)
class Clusters:
    """``cluster``: number of the first document of its cluster, -1 for a document without near-duplicates; ``keep``:
    whether it is the one to keep (documents without a cluster are); ``sizes``: documents of its cluster; all of shape
    (documents,)."""

    cluster: Index
    keep: NDArray[np.bool_]
    sizes: NDArray[np.int32]


@compiled
def _root(parent: Any, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _roots(parent: Any) -> Any:
    roots = np.empty(len(parent), dtype=np.int64)
    for node in range(len(parent)):
        roots[node] = _root(parent, node)
    return roots


@compiled
def _band_keys(block: Any, begin: int, rows: int, out: Any) -> None:
    """A 64-bit key of every document's band; 0 for a document without any shingle."""
    for i in range(len(block)):
        key, empty = np.uint64(0xCBF29CE484222325), True
        for k in range(begin, begin + rows):
            key = (key ^ np.uint64(block[i, k])) * PRIME
            key = key ^ (key >> np.uint64(31))
            empty = empty and block[i, k] == EMPTY
        out[i] = np.uint64(0) if empty else key | np.uint64(1)


@compiled
def _close(one: Any, other: Any, least: int) -> bool:
    equal = 0
    for k in range(len(one)):
        if one[k] == other[k]:
            equal += 1
    return equal >= least


@compiled
def _link(order: Any, keys: Any, signatures: Any, least: int, parent: Any) -> None:
    """Join what is alike among documents with equal keys; ``order`` sorts the keys."""
    first = 0
    for i in range(1, len(order)):
        if keys[order[i]] == 0 or keys[order[i]] != keys[order[first]]:
            first = i
            continue
        for other in (order[first], order[i - 1]):
            one, two = _root(parent, order[i]), _root(parent, other)
            if one != two and _close(signatures[order[i]], signatures[other], least):
                parent[max(one, two)] = min(one, two)


def find(blocks: Sequence[Signatures], bands: int = 21, rows: int = 6, limit: float = 0.7,
         step: Callable[[int], None] = lambda band: None) -> Index:
    """Cluster of every document (see :class:`Clusters`); ``blocks`` are the signatures of the shards, in order.

    ``step`` is called with the number of every band and may raise to end the work."""
    sizes = [len(block) for block in blocks]
    total = sum(sizes)
    parent = np.arange(total, dtype=np.int64)
    if total == 0:
        return parent
    every = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    least = int(np.ceil(limit * every.shape[1] - 1e-9))
    keys = np.empty(total, dtype=np.uint64)
    for band in range(bands):
        step(band + 1)
        _band_keys(every, band * rows, rows, keys)
        _link(np.argsort(keys, kind="stable"), keys, every, least, parent)
    roots = _roots(parent)
    alone = np.bincount(roots, minlength=total)[roots] == 1
    clustered: Index = np.where(alone, NONE, roots)
    return clustered


def keep_best(cluster: Index, quality: NDArray[Any], length: NDArray[Any], eligible: NDArray[np.bool_]) -> Clusters:
    """Keep one document of each cluster: one that the rules keep before one that they drop, then the highest quality
    (a missing one is the lowest), then the longest, then the first."""
    keep = np.ones(len(cluster), dtype=np.bool_)
    members = np.flatnonzero(cluster != NONE)
    score = np.nan_to_num(np.asarray(quality, dtype=np.float64), nan=-1.0)
    order = np.lexsort((members, -np.asarray(length)[members], -score[members], ~eligible[members], cluster[members]))
    ordered = members[order]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = cluster[ordered[1:]] != cluster[ordered[:-1]]
    keep[ordered] = first
    counts = np.bincount(cluster[members], minlength=1) if len(members) else np.ones(1, dtype=np.int64)
    sizes = np.ones(len(cluster), dtype=np.int32)
    sizes[members] = counts[cluster[members]]
    return Clusters(cluster, keep, sizes)

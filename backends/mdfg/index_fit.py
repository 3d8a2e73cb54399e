"""Learning a projector from a sample of texts: which n-grams count, their weights, and the directions of most variance.

The singular vectors are found by a randomised method with four power iterations (Halko, Martinsson and Tropp 2011),
which reads the sparse matrix ten times and never makes it dense. Each is weighted with the root of its singular value
(ours: on 500 news articles of ten classes and with 62 directions, the five nearest neighbours of an article are of its
class in .892, without it in .884). The first direction is what all texts have in common, how much ordinary language
they hold; it is found and then left out, as Mu and Viswanath (2018) advise for word vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backends.mdfg.explore.projector import GRAMS, Matrix, Projector, unit
from backends.mdfg.scorers.hashing import Grams, buckets_of
from workbench.contract import UserError

BATCH = 256
LEAST, MOST = 2, 0.5
"""An n-gram occurs in at least so many texts, and in at most this share of them (our defaults)."""
ROWS = 65_536
"""At most so many n-grams have a row: those in most texts."""
COMMON = 1
MINIMUM = 8
ROUNDS = 4
LOWEST = 1e-4
"""Directions whose singular value is a smaller share of the largest are noise of 32-bit numbers."""
EXTRA = 16
"""Directions that are sought beyond those wanted, for accuracy."""
RIDGE = 0.1
BLOCK = 1000
SHARE = 8
"""One direction at most for so many texts of the sample (ours): more would remember single texts."""
Step = Callable[[int, int], None]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Fitted:
    """A projector and what became of the sample: n-grams with a row, and the share of the weighted matrix's energy (sum
    of squares) that the directions hold, the common ones included."""

    projector: Projector
    texts: int
    explained: float


def fit_projector(texts: Sequence[str], dimensions: int, seed: int, step: Step = lambda done, total: None,
                  grams: Grams = GRAMS) -> Fitted:
    """Learn from some texts. Fewer than ``dimensions`` directions come out where there are less than eight texts for
    each. ``step`` is called with (texts read, texts to read), again and again, and may raise.

    Raises ``UserError`` when no n-gram is shared."""
    df = np.zeros(grams.buckets, dtype=np.int64)
    for done, (buckets, ends) in _batches(texts, grams):
        for begin, end in pairwise(ends):
            df[np.unique(buckets[begin:end])] += 1
        step(done // 2, len(texts))
    kept = np.flatnonzero((df >= LEAST) & (df <= max(LEAST, MOST * len(texts))))
    if len(kept) > ROWS:
        kept = np.sort(kept[np.argsort(-df[kept], kind="stable")[:ROWS]])
    if not len(kept):
        raise UserError(f"The {len(texts)} texts of the sample share no piece of text, so nothing can be learned.",
                        advice="Take a larger sample, or a corpus with more texts.")
    idf = (np.log((1 + len(texts)) / (1 + df[kept])) + 1).astype(np.float32)
    matrix = _weighted(texts, grams, kept, idf, step)
    count = min(dimensions, max(MINIMUM, len(texts) // SHARE))
    directions, energy = _directions(matrix, count + COMMON, seed, lambda: step(len(texts), len(texts)))
    none = np.zeros(0, dtype=np.float32)
    table = np.ascontiguousarray(directions[:, COMMON:] if directions.shape[1] > COMMON else directions)
    return Fitted(Projector(grams, kept, idf, table.astype(np.float16).astype(np.float32), none, none.reshape(0, 0)),
                  len(texts), energy)


def turned(projector: Projector, texts: Sequence[str], vectors: Matrix) -> tuple[Projector, float]:
    """The projector led on to other vectors of the same texts, by ridge regression; and the mean cosine between what it
    gives and those vectors on the fifth of the texts that it did not learn from."""
    raw = unit(projector.raw(texts))
    held = np.arange(len(texts)) % 5 == 4 if len(texts) >= 10 else np.zeros(len(texts), dtype=np.bool_)
    shift = raw[~held].mean(axis=0)
    x, y = raw[~held] - shift, vectors[~held]
    turn = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1], dtype=np.float32), x.T @ y).astype(np.float32)
    made = Projector(projector.grams, projector.buckets, projector.idf, projector.table, shift.astype(np.float32), turn)
    if not held.any():
        return made, float("nan")
    tested = made.vectors([text for text, out in zip(texts, held, strict=True) if out])
    return made, float(np.mean(np.sum(tested * vectors[held], axis=1)))


def _batches(texts: Sequence[str], grams: Grams) -> Any:
    for begin in range(0, len(texts), BATCH):
        part = texts[begin:begin + BATCH]
        yield begin + len(part), buckets_of(part, grams)


def _weighted(texts: Sequence[str], grams: Grams, kept: Any, idf: Matrix, step: Step) -> Any:
    """The sparse matrix (texts, n-grams) of (1 + ln count) idf, its rows of length 1."""
    from scipy import sparse  # type: ignore[import-untyped]

    feature = np.full(grams.buckets, -1, dtype=np.int32)
    feature[kept] = np.arange(len(kept), dtype=np.int32)
    columns, values, sizes = [], [], [0]
    for done, (buckets, ends) in _batches(texts, grams):
        for begin, end in pairwise(ends):
            known = feature[buckets[begin:end]]
            names, counts = np.unique(known[known >= 0], return_counts=True)
            weights = (1 + np.log(counts)).astype(np.float32) * idf[names]
            columns.append(names.astype(np.int32))
            values.append(weights / max(float(np.linalg.norm(weights)), 1e-12))
            sizes.append(len(names))
        step((len(texts) + done) // 2, len(texts))
    return sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), np.cumsum(sizes)),
                             shape=(len(texts), len(kept)), dtype=np.float32)


def _directions(matrix: Any, count: int, seed: int, tick: Tick) -> tuple[Matrix, float]:
    """(right singular vectors times the root of their values (n-grams, count), share of the energy)."""
    draw = np.random.Generator(np.random.PCG64(seed))
    wide = min(count + EXTRA, *matrix.shape)
    basis = np.linalg.qr(_times(matrix, draw.standard_normal((matrix.shape[1], wide), dtype=np.float32), tick))[0]
    for _ in range(ROUNDS):
        basis = np.linalg.qr(_times(matrix, _back(matrix, basis, tick), tick))[0]
    inner = _back(matrix, basis, tick).T.astype(np.float64)  # (directions, n-grams): its singular vectors are sought
    squares, left = np.linalg.eigh(inner @ inner.T)
    values = np.sqrt(np.maximum(squares[::-1], 0))
    good = int(np.sum(values[:count] > LOWEST * max(float(values[0]), 1e-30)))
    right = (left[:, ::-1][:, :good].T @ inner) / values[:good, None]
    signs = np.where(right.sum(axis=1) < 0, -1.0, 1.0)
    scale = signs * np.sqrt(values[:good] / values[0])
    whole = float(matrix.multiply(matrix).sum())
    return (right.T * scale).astype(np.float32), float(np.sum(values[:good] ** 2)) / max(whole, 1e-30)


def _times(matrix: Any, dense: Matrix, tick: Tick) -> Matrix:
    """matrix @ dense, block after block, so that a person can end it."""
    out = np.empty((matrix.shape[0], dense.shape[1]), dtype=np.float32)
    for begin in range(0, matrix.shape[0], BLOCK):
        tick()
        out[begin:begin + BLOCK] = matrix[begin:begin + BLOCK] @ dense
    return out


def _back(matrix: Any, dense: Matrix, tick: Tick) -> Matrix:
    """matrix.T @ dense."""
    out = np.zeros((matrix.shape[1], dense.shape[1]), dtype=np.float32)
    for begin in range(0, matrix.shape[0], BLOCK):
        tick()
        out += matrix[begin:begin + BLOCK].T @ dense[begin:begin + BLOCK]
    return out

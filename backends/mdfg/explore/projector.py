"""Texts as short vectors by latent semantic analysis: a table that turns character n-grams into directions.

For the n-grams g (1 to 3 characters, hashed; see ``scorers.hashing``) of a text, counted once each:

    v = sum over g of (1 + ln count_g) idf_g T[g],   idf_g = ln((1 + n) / (1 + df_g)) + 1,   vector = v / |v|

T are the first right singular vectors of the matrix of weighted n-grams of a sample (Deerwester et al. 1990), weighted
and without the direction that every text shares (see ``index_fit``). Only n-grams that occur in at least two texts of
the sample and in at most half of them have a row. A text with none of them has the zero vector, which is like nothing.
Works on numpy arrays and compiled loops only, so the page can turn a query into a vector by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.scorers.hashing import Grams, buckets_of
from backends.mdfg.text.codes import compiled
from workbench.contract import MissingResource, UserError

FORMAT = "mdfg.projector.v1"
GRAMS = Grams(1, 3, 20, 4000)
"""1 to 3 characters, about a million buckets, the first 4,000 characters of a text (our default)."""
Matrix = NDArray[np.float32]


@compiled
def _projected(buckets: Any, ends: Any, feature: Any, table: Any, idf: Any, seen: Any, touched: Any, out: Any) -> None:
    """Add up the rows of every text's n-grams; ``seen`` counts features and is left as zeros."""
    width = table.shape[1]
    for text in range(len(ends) - 1):
        found = 0
        for place in range(ends[text], ends[text + 1]):
            row = feature[buckets[place]]
            if row >= 0:
                if seen[row] == 0:
                    touched[found] = row
                    found += 1
                seen[row] += 1
        for number in range(found):
            row = touched[number]
            weight = (1.0 + np.log(seen[row])) * idf[row]
            seen[row] = 0
            for column in range(width):
                out[text, column] += weight * table[row, column]


@dataclass(frozen=True, eq=False)
class Projector:
    """``buckets`` (rows,) ascending: which n-grams have a row; ``idf`` (rows,); ``table`` (rows, dimensions); ``shift``
    (dimensions,): what is taken off before ``turn`` (dimensions, outputs) is applied, both empty for plain LSA. The
    turn leads to the space of an encoder, of which the projector then is an approximation for short queries."""

    grams: Grams
    buckets: NDArray[np.int64]
    idf: Matrix
    table: Matrix
    shift: Matrix
    turn: Matrix

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.turn.shape[1] if self.turn.size else self.table.shape[1])

    @cached_property
    def row_of(self) -> NDArray[np.int32]:
        """Row of every bucket, -1 for those without one."""
        rows = np.full(self.grams.buckets, -1, dtype=np.int32)
        rows[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
        return rows

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors (texts, dimensions); zeros for a text without any known n-gram."""
        found = self.raw(texts)
        known = np.any(found, axis=1)
        if self.turn.size:
            found = np.where(known[:, None], (unit(found) - self.shift) @ self.turn, 0).astype(np.float32)
        return unit(found)

    def query(self, text: str) -> tuple[Matrix, float]:
        """Unit vector (dimensions,) of a query and the share of its n-grams that are known.

        Single characters are left out where a longer n-gram is known: in a text they say what it is about together, in
        a query of a few characters they lead astray (ours: of the ten documents found for a word that have no character
        of it, .91 are about its topic instead of .82, on 44 topics of the bundled library)."""
        longer = replace(self, grams=replace(self.grams, low=max(2, self.grams.low))) if self.grams.high > 1 else self
        for projector in (longer, self):
            buckets, _ = buckets_of([text], projector.grams)
            known = self.row_of[buckets] >= 0
            if known.any():
                return projector.vectors([text])[0], float(known.mean())
        return np.zeros(self.dimensions, dtype=np.float32), 0.0

    def raw(self, texts: Sequence[str]) -> Matrix:
        """The sums before they are made unit vectors, in the space of the table."""
        buckets, ends = buckets_of(texts, self.grams)
        out = np.zeros((len(texts), self.table.shape[1]))
        room = np.zeros(len(self.buckets), dtype=np.int32)
        _projected(buckets, ends, self.row_of, self.table, self.idf, room, np.zeros_like(room), out)
        return out.astype(np.float32)


def unit(rows: NDArray[Any]) -> Matrix:
    """Rows of length 1; zero rows stay zero."""
    wide = np.asarray(rows, dtype=np.float32)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1), dtype=np.float32)


def save_projector(projector: Projector, path: Path) -> None:
    """Write it as one safetensors file, under a temporary name first."""
    from safetensors.numpy import save_file

    grams = projector.grams
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({"buckets": projector.buckets, "idf": projector.idf, "table": projector.table.astype(np.float16),
               "shift": projector.shift, "turn": projector.turn,
               "grams": np.asarray([grams.low, grams.high, grams.bits, grams.chars])},
              temporary, metadata={"format": FORMAT})
    temporary.replace(path)


def load_projector(path: Path) -> Projector:
    """Read one. Raises ``MissingResource`` where there is none, ``UserError`` for a file that is something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise MissingResource(f"There is no {path.name} in {path.parent.name}.",
                              advice="Make the index again (mdfg.index.v1).")
    try:
        read = load_file(path)
        low, high, bits, chars = (int(value) for value in read["grams"])
        made = Projector(Grams(low, high, bits, chars), read["buckets"].astype(np.int64),
                         read["idf"].astype(np.float32), read["table"].astype(np.float32), read["shift"], read["turn"])
        _check(made)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, UserError) as error:
        raise UserError(f"The projector {path.name} cannot be read: {error}.",
                        advice="Make the index again (mdfg.index.v1).") from error
    return made


def _check(made: Projector) -> None:
    """Shapes fit together and every bucket exists: the compiled loop looks at nothing."""
    rows = len(made.buckets)
    if made.idf.shape != (rows,) or made.table.ndim != 2 or made.table.shape[0] != rows:
        raise ValueError(f"{rows} n-grams, but weights {made.idf.shape} and rows {made.table.shape}")
    if rows and not 0 <= int(made.buckets.min()) <= int(made.buckets.max()) < made.grams.buckets:
        raise ValueError("it names n-grams that there are not")
    if made.turn.size and (made.turn.shape[0], made.shift.shape) != (made.table.shape[1], (made.table.shape[1],)):
        raise ValueError(f"a turn {made.turn.shape} of {made.table.shape[1]} directions")

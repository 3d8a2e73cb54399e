"""The scores of a whole corpus, or of a selection in it, as arrays: what samples are drawn from and weighed against.

One query of DuckDB brings place, score and characters of every document; a million documents are 24 MB. Everything
that is drawn or estimated from it is plain numpy (:mod:`queue`, :mod:`acceptance`, :mod:`lab`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

Places = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Volume:
    """How much text: documents and characters, and their shares of all that have a score."""

    documents: int
    characters: int
    share: float
    character_share: float


@dataclass(frozen=True, eq=False)
class Population:
    """``places`` (int64, ascending), ``scores`` (float64, no gaps) and ``characters`` (int64), each (documents,).
    ``missing`` documents have no score and are in none of them. ``within``: hash of the selection, empty for all.
    ``single``: scores were stored as 32-bit floats, so limits are rounded to such before they are compared, as a run
    compares them."""

    what: str
    places: Places
    scores: Numbers
    characters: Places
    missing: int = 0
    within: str = ""
    single: bool = False

    def __post_init__(self) -> None:
        if not self.places.shape == self.scores.shape == self.characters.shape:
            raise UserError(f"There are {len(self.places)} places, {len(self.scores)} scores and "
                            f"{len(self.characters)} lengths; each document needs one of each.")

    @property
    def documents(self) -> int:
        """Documents that have a score."""
        return len(self.places)

    @cached_property
    def _sorted(self) -> tuple[Numbers, Places]:
        order = np.argsort(self.scores, kind="stable")
        sums = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(self.characters[order])])
        return self.scores[order], sums

    def below(self, edges: Sequence[float] | Numbers) -> NDArray[np.int64]:
        """How many documents score less than each edge."""
        return np.searchsorted(self._sorted[0], np.asarray(edges, dtype=np.float64), side="left")

    def limit(self, threshold: float) -> float:
        """A threshold in the precision of the scores."""
        return float(np.float32(threshold)) if self.single else float(threshold)

    def volume(self, threshold: float) -> Volume:
        """Documents that score at least ``threshold``."""
        _, sums = self._sorted
        before = int(self.below([self.limit(threshold)])[0])
        count, size = self.documents - before, int(sums[-1] - sums[before])
        return Volume(count, size, count / self.documents if self.documents else 0.0,
                      size / int(sums[-1]) if sums[-1] else 0.0)

    def scores_of(self, places: Sequence[int]) -> Numbers:
        """Scores of some documents; not-a-number for those that have none or are not in the selection."""
        asked = np.asarray(places, dtype=np.int64)
        found = np.full(len(asked), np.nan)
        if self.documents and len(asked):
            where = np.minimum(np.searchsorted(self.places, asked), self.documents - 1)
            held = self.places[where] == asked
            found[held] = self.scores[where[held]]
        return found

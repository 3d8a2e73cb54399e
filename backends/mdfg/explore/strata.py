"""Score bins of a population: what samples are stratified by, and what makes a sample speak for the corpus.

People label few documents, and mostly those whose score is rare. As long as documents were drawn at random within score
bins, their labels are a fair sample of each bin, so a figure of the corpus is

    sum over bins h of (N_h / N) * (figure of the n_h labelled documents of bin h)          (post-stratification)

however many were drawn from which bin. N_h are counted, not estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.population import Numbers, Population
from workbench.contract import UserError

Counts = NDArray[np.int64]
MOST_BINS = 50
WEIGHED = 10
"""Bins in which labels are weighed (our default)."""
DRAWN = tuple(count for count in range(1, WEIGHED + 1) if WEIGHED % count == 0)
"""Numbers of bins from which documents may be drawn, 1, 2, 5 and 10: each such bin is made of whole bins of weighing,
so what is drawn at random within it is a fair sample of each of these."""


@dataclass(frozen=True, eq=False)
class Strata:
    """Bins ``edges[h] <= score < edges[h + 1]`` (the last one includes its end) and their ``documents``."""

    edges: Numbers
    documents: Counts

    def __len__(self) -> int:
        return len(self.documents)

    def of(self, scores: Sequence[float] | Numbers) -> NDArray[np.int64]:
        """The bin of each score; scores outside fall into the nearest bin."""
        found = np.searchsorted(self.edges, np.asarray(scores, dtype=np.float64), side="right") - 1
        return np.clip(found, 0, len(self) - 1)

    def counted(self, scores: Sequence[float] | Numbers) -> Counts:
        """How many of some scores fall into each bin."""
        return np.bincount(self.of(scores), minlength=len(self)).astype(np.int64)


def strata(population: Population, bins: int = 10, threshold: float | None = None) -> Strata:
    """``bins`` bins of equal width: over 0..1 where all scores lie in it, else from the least score to the greatest. A
    ``threshold`` inside becomes one more edge; at the upper end it begins a bin of its own.

    Raises ``UserError`` for no document, or a number of bins that is not between 1 and 50."""
    if not 1 <= bins <= MOST_BINS:
        raise UserError(f"bins is {bins}; it must lie between 1 and {MOST_BINS}.")
    if not population.documents:
        raise UserError(f"No document has a score of {population.what}.",
                        advice="Filter the corpus with a scorer for it, or choose another selection.")
    low, high = float(population.scores.min()), float(population.scores.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    edges = np.linspace(low, high, bins + 1) if high > low else np.array([low, low])
    if threshold is not None and edges[0] < threshold <= edges[-1]:
        end = [np.nextafter(threshold, np.inf)] if threshold == edges[-1] else []
        edges = np.unique(np.append(edges, [threshold, *end]))
    return _counted(population, edges)


def _counted(population: Population, edges: Numbers) -> Strata:
    before = population.below(edges)
    before[0], before[-1] = 0, population.documents
    return Strata(edges, np.diff(before))


def merged(found: Strata, labelled: Counts, threshold: float | None = None) -> Strata:
    """Bins without a label joined with a neighbour (the smaller side's), never across ``threshold``, so that every
    document of the corpus is spoken for. A side of the threshold without any label stays one bin without labels."""
    edges, documents, counts = found.edges.tolist(), found.documents.tolist(), labelled.tolist()
    place = 0
    while place < len(counts):
        sides = [side for side in (place - 1, place) if 0 <= side < len(counts) - 1 and edges[side + 1] != threshold]
        if counts[place] or not sides:
            place += 1
            continue
        side = min(sides, key=lambda one: edges[one + 2] - edges[one])
        documents[side:side + 2] = [documents[side] + documents[side + 1]]
        counts[side:side + 2] = [counts[side] + counts[side + 1]]
        del edges[side + 1]
        place = side
    return Strata(np.array(edges), np.array(documents, dtype=np.int64))

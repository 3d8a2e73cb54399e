"""Shared by the tests of labels and statistics: made corpora whose truth is known, and people who label them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.labels import Label, Labels
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.queue import Ask, Kind, queue

Truth = NDArray[np.bool_]


def made(scores: Sequence[float], what: str = "quality", characters: Sequence[int] = (), **fields) -> Population:
    """A population of these scores at the places 0, 1, 2 ..."""
    lengths = characters or [100] * len(scores)
    return Population(what, np.arange(len(scores), dtype=np.int64), np.array(scores, dtype=np.float64),
                      np.array(lengths, dtype=np.int64), **fields)


def world(seed: int, documents: int = 4000, rare: bool = False) -> tuple[Population, Truth]:
    """A corpus whose chance of being positive rises with the score; ``rare``: most scores are near 0."""
    draw = np.random.default_rng(seed)
    scores = draw.beta(0.5, 4, documents) if rare else draw.random(documents)
    return made(scores), draw.random(documents) < (scores**2 if rare else 0.9 * scores)


def said_by(population: Population, truth: Truth, size: int, seed: int, kind: Kind = "bins", by: str = "ann",
            errs: Callable[[int], bool] = lambda place: False) -> list[Label]:
    """Labels of a person who knows the truth and errs at some places, for a queue of ``size`` documents."""
    items = queue(population, Labels(), Ask(kind=kind, size=size, seed=seed)).items
    return [Label(item.place, f"id{item.place}", "quality", "good" if truth[item.place] != errs(item.place) else "bad",
                  by, drawn=kind) for item in items]


def label(place: int, value: str = "good", by: str = "ann", what: str = "quality", drawn: str = "bins",
          **fields) -> Label:
    """One label."""
    return Label(place, f"id{place}", what, value, by, drawn=drawn, **fields)

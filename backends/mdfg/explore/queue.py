"""What a person should label next, and why each document is there.

==========  ==========================================================================================
bins        as many documents from every score bin: rare scores are seen too (for figures of the corpus)
uncertain   the documents whose score is nearest to a threshold (for teaching a scorer)
toxic       documents with p(toxic) > .5, drawn at random: the queue of the published rounds (spec A5)
random      documents drawn at random
==========  ==========================================================================================

The draw depends on the seed and the places only: every annotator gets the same documents, in the same order, until
``people`` have labelled each. A document that another person has labelled already comes first. Documents of the first
and the last two queues are random within a score bin, so their labels may be mixed in :mod:`acceptance` and
:mod:`lab`, which weigh in 10 bins: .5 is an edge of these, and the bins of a draw are 1, 2, 5 or 10, so none lies
across an edge. The uncertain ones lie together at one score and stand for nothing else; they count for teaching only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.explore.labels import Labels
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.strata import DRAWN, WEIGHED, Strata, strata
from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

Kind = Literal["bins", "uncertain", "toxic", "random"]
LOOK_TOXIC = 0.5
KINDS: tuple[Kind, ...] = ("bins", "uncertain", "toxic", "random")


@dataclass(frozen=True)
class Ask:
    """Which queue. ``by`` is the annotator who asks; what that person has labelled is done."""

    kind: Annotated[Kind, Knob("How documents are drawn")] = "bins"
    what: Annotated[str, Knob("Dimension that is labelled", 1, 40)] = "quality"
    size: Annotated[int, Knob("Documents of the whole queue", 1, 10_000, 1)] = 100
    bins: Annotated[int, Knob("Score bins: 1, 2, 5 or 10", 1, WEIGHED, 1)] = WEIGHED
    threshold: Annotated[float, Knob("The most uncertain documents are nearest to it")] = 0.5
    people: Annotated[int, Knob("Annotators for each document", 1, 20, 1)] = 2
    seed: Annotated[int, Knob("Same seed, same documents", 0, 2**31 - 1, 1)] = 0
    by: Annotated[str, Knob("Who asks", 0, 60)] = ""

    def __post_init__(self) -> None:
        validate(self)
        if self.bins not in DRAWN:
            raise UserError(f"bins is {self.bins}; it must be one of {', '.join(map(str, DRAWN))}. Labels are weighed "
                            f"in {WEIGHED} score bins, and bins that lie across these would count for a fair sample "
                            "although they are none.", advice="Choose one of these numbers.")


@dataclass(frozen=True)
class Item:
    """One document to label: drawn by ``kind`` from the ``of`` documents whose score lies in ``low`` .. ``high``;
    ``others`` people have labelled it."""

    place: int
    score: float
    kind: Kind
    low: float
    high: float
    of: int
    others: int = 0

    @property
    def why(self) -> tuple[str, Mapping[str, Json]]:
        """The reason as a key (the kind, or "second" for a second opinion) and the numbers that belong to it."""
        numbers = {"score": self.score, "low": self.low, "high": self.high, "of": self.of, "others": self.others}
        return ("second" if self.others else self.kind), numbers


@dataclass(frozen=True)
class Queue:
    """What is left for this person. ``drawn`` documents make the whole queue, ``done`` of them this person has labelled
    and ``complete`` have labels of enough people; ``candidates`` is what they were drawn from."""

    items: tuple[Item, ...]
    drawn: int
    done: int
    complete: int
    candidates: int
    within: str = ""


def queue(population: Population, labels: Labels, ask: Ask) -> Queue:
    """Draw. Raises ``UserError`` when no document has the score."""
    bins = strata(population, ask.bins)
    order = shuffled(population.places, ask.seed)
    taken, candidates = _drawn(population, bins, order, ask)
    mine = {one.place for one in labels.of(ask.what, ask.by)} if ask.by else set()
    counts = labels.counts(ask.what)
    places = population.places[taken].tolist()
    items = [_item(population, bins, index, ask, candidates, counts.get(place, 0))
             for index, place in zip(taken.tolist(), places, strict=True)
             if place not in mine and counts.get(place, 0) < ask.people]
    items.sort(key=lambda item: item.others == 0)
    complete = sum(counts.get(place, 0) >= ask.people for place in places)
    return Queue(tuple(items), len(places), sum(place in mine for place in places), complete, candidates,
                 population.within)


def shuffled(places: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A random number for every place that depends on place and seed only (the finalizer of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = places.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed + 1)
        mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ mixed >> np.uint64(31))


def _drawn(population: Population, bins: Strata, order: NDArray[np.uint64], ask: Ask) -> tuple[NDArray[np.int64], int]:
    """(indexes into the population in the order they are shown, from how many)."""
    every = np.arange(population.documents)
    if ask.kind == "bins":
        member = bins.of(population.scores)
        share = allotted(bins.documents, ask.size)
        parts = [_first(np.flatnonzero(member == h), order, int(share[h])) for h in np.flatnonzero(share)]
        taken = np.concatenate(parts) if parts else every[:0]
        return taken[np.argsort(order[taken], kind="stable")], population.documents
    if ask.kind == "uncertain":
        distance = np.abs(population.scores - ask.threshold)
        limit = np.partition(distance, min(ask.size, len(distance)) - 1)[min(ask.size, len(distance)) - 1]
        near = np.flatnonzero(distance <= limit)
        return near[np.lexsort((order[near], distance[near]))][:ask.size], population.documents
    source = np.flatnonzero(population.scores > LOOK_TOXIC) if ask.kind == "toxic" else every
    return _first(source, order, ask.size), len(source)


def _first(source: NDArray[np.int64], order: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    keys = order[source]
    if 0 < count < len(keys):  # the smallest ones without sorting a million
        nearest = np.argpartition(keys, count - 1)[:count]
        source, keys = source[nearest], keys[nearest]
    return source[np.argsort(keys, kind="stable")[:count]]


def allotted(documents: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """How many documents each bin gives: as equal as the bins' sizes allow, ``size`` in all (or everything)."""
    share, left = np.zeros(len(documents), dtype=np.int64), min(size, int(documents.sum()))
    while left:
        open_bins = np.flatnonzero(share < documents)
        each = max(1, left // len(open_bins))
        for h in open_bins[:left]:
            more = min(each, int(documents[h] - share[h]))
            share[h] += more
            left -= more
    return share


def _item(population: Population, bins: Strata, index: int, ask: Ask, candidates: int, others: int) -> Item:
    score, place = float(population.scores[index]), int(population.places[index])
    if ask.kind == "bins":
        h = int(bins.of([score])[0])
        return Item(place, score, ask.kind, float(bins.edges[h]), float(bins.edges[h + 1]), int(bins.documents[h]),
                    others)
    low = LOOK_TOXIC if ask.kind == "toxic" else float(bins.edges[0])
    return Item(place, score, ask.kind, low, float(bins.edges[-1]), candidates, others)

"""Human acceptance of automatic labels (spec A7): by score bin, and for the corpus.

An annotator accepts an automatic label when it is among the annotator's own. A document counts by the share of its
annotators that accept, and intervals count documents, since two opinions on one document are not two documents. The
corpus's figure weighs every bin by its documents (:mod:`shares`). Bins without a label are not spoken for: ``covered``
says which share of the corpus is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backends.mdfg.explore.labels import Label
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.sampled import sampled
from backends.mdfg.explore.shares import Counted, Share, covered, share, weighted
from backends.mdfg.explore.strata import WEIGHED, strata


@dataclass(frozen=True)
class BinAcceptance:
    """Documents with ``low`` <= score < ``high`` (the last bin includes its end): ``of`` in the corpus."""

    low: float
    high: float
    of: int
    accepted: Share


@dataclass(frozen=True)
class Acceptance:
    """``sample``: as drawn, without weights. ``corpus``: weighted by bins; ``covered`` is the share of the corpus in
    bins that have a label. ``judgements`` is the number of answers, ``left_out`` why others do not count."""

    what: str
    bins: tuple[BinAcceptance, ...]
    sample: Share
    corpus: Share
    covered: float
    judgements: int
    left_out: Mapping[str, int]


def acceptance(population: Population, labels: Sequence[Label], said: Mapping[int, str], *, bins: int = WEIGHED,
               without: Collection[int] = ()) -> Acceptance:
    """Acceptance of the automatic labels ``said`` (place -> label) by the labels of one dimension.

    Raises ``UserError`` when no document has a score."""
    found = strata(population, bins)
    usable = sampled(population, [label for label in labels if label.place in said], without)
    votes: dict[int, list[bool]] = {}
    for label in usable.labels:
        votes.setdefault(label.place, []).append(said[label.place] in label.values)
    places = sorted(votes)
    shares = [sum(votes[place]) / len(votes[place]) for place in places]
    member = found.of(population.scores_of(places)).tolist()
    rows, counted = [], []
    for h in range(len(found)):
        inside = [value for value, one in zip(shares, member, strict=True) if one == h]
        counted.append(Counted(int(found.documents[h]), len(inside), math.fsum(inside)))
        rows.append(BinAcceptance(float(found.edges[h]), float(found.edges[h + 1]), counted[h].of,
                                  share(counted[h].hits, counted[h].labelled)))
    return Acceptance(population.what, tuple(rows), share(math.fsum(shares), len(shares)), weighted(counted),
                      covered(counted), len(usable.labels), usable.left_out)

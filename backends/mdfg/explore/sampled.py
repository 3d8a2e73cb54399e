"""Which labels may stand for the corpus: those of documents that a queue drew, with a score, once each a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backends.mdfg.explore.labels import UNSURE, Label
from backends.mdfg.explore.population import Population

REASONS = ("chosen", "uncertain", "selection", "training", "score", "unsure")


@dataclass(frozen=True)
class Sampled:
    """``labels`` that count, and how many labels were ``left_out`` for each reason: the document was *chosen* by hand,
    drawn because its score was *uncertain*, drawn from another *selection*, seen in *training* of the scorer (or nearly
    so), it has no *score*, or the annotator was *unsure*."""

    labels: tuple[Label, ...]
    left_out: Mapping[str, int]


def sampled(population: Population, labels: Sequence[Label], without: Collection[int] = ()) -> Sampled:
    """The labels of one dimension that speak for ``population``. A document that was drawn from the whole corpus by its
    score is a fair draw from any selection that it lies in; one that was drawn from another selection is not.
    ``without`` are places whose texts the scorer has been trained on (:mod:`training_overlap`)."""
    known = dict(zip((one.place for one in labels), population.scores_of([one.place for one in labels]).tolist(),
                     strict=True))
    reasons = Counter[str]()
    kept = []
    for label in labels:
        reason = _reason(label, known[label.place], population, without)
        if reason:
            reasons[reason] += 1
        else:
            kept.append(label)
    return Sampled(tuple(kept), {name: reasons[name] for name in REASONS if reasons[name]})


def _reason(label: Label, score: float, population: Population, without: Collection[int]) -> str:
    if not label.sampled:
        return "uncertain" if label.drawn == "uncertain" else "chosen"
    if label.within not in ("", population.within):
        return "selection"
    if label.place in without:
        return "training"
    if np.isnan(score):
        return "score"
    return "unsure" if UNSURE in label.values else ""

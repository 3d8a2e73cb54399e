"""Labelled documents that a scorer has been trained on: a figure measured on them says nothing (spec H).

What a scorer learned from stands in its run (:mod:`training_texts`). Equal texts and near-copies (:mod:`leakage`,
similarity .8) count. Bundled scorers name their public data in their cards; those texts are not on this machine, so
nothing can be said about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from backends.mdfg.explore.training_texts import taught
from backends.mdfg.leakage import leaks

MOST = 100_000
"""Training texts that are compared at most."""


@dataclass(frozen=True)
class Overlap:
    """``places`` of labelled documents with a copy among ``texts`` training texts. ``known`` is false where training
    texts, or some of them, are not on this machine; ``cut`` says that there were more than are compared."""

    places: tuple[int, ...]
    texts: int
    known: bool
    cut: bool = False


def overlap(documents: Mapping[int, str], training_run: Path) -> Overlap:
    """Compare labelled documents (place -> text) with what the run in ``training_run`` learned from."""
    source = taught(training_run)
    found = list(islice(source.texts(), MOST + 1))
    places = list(documents)
    copies = leaks(found[:MOST], [documents[place] for place in places]) if found else []
    return Overlap(tuple(sorted(places[copy.test] for copy in copies)), min(len(found), MOST),
                   bool(found) and not source.gone, len(found) > MOST)


def training_texts(run: Path, most: int = MOST) -> Iterator[str]:
    """Texts that a training run learned from, at most ``most``; none where its files are gone."""
    return islice(taught(run).texts(), most)

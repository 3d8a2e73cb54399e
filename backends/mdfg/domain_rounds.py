"""Bootstrapping a domain classifier: keywords -> labels -> classifier -> confident texts -> better keywords, again.

Each round trains one OVA classifier on the labels that it has. Labels that it is sure of (p > .9) are added to the
labels of the next round, and candidates for keywords are ranked from the sure texts; ``review`` (a person at the page,
or :func:`first_of`, which is named in the log) says which are taken. The number of rounds and the keyword lists of the
paper are not public. Every round reports which labels changed, text by text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.mdfg.domain import REST, check_labels, empty_row
from backends.mdfg.domain_keywords import (
    LEAST,
    Candidate,
    Change,
    Keywords,
    candidates,
    difference,
    keyword_labels,
)
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.scorers.train_ngram import Recipe, labels_of, train
from workbench.contract import UserError

SURE = 0.9
Review = Callable[[int, Mapping[str, tuple[Candidate, ...]]], Mapping[str, Sequence[str]]]
"""(round, proposals) -> the accepted words of each label."""


@dataclass(frozen=True)
class DomainRound:
    """One round: how many texts had each label, the words taken at its end, and the labels that changed from before."""

    number: int
    counts: Mapping[str, int]
    proposals: Mapping[str, tuple[Candidate, ...]]
    accepted: Mapping[str, tuple[str, ...]]
    changes: tuple[Change, ...]


def first_of(count: int) -> Review:
    """A review without a person: the ``count`` strongest proposals of every label are taken."""
    def review(_round: int, proposals: Mapping[str, tuple[Candidate, ...]]) -> dict[str, list[str]]:
        return {label: [one.word for one in found[:count]] for label, found in proposals.items()}
    return review


def bootstrap(texts: Sequence[str], keywords: Keywords, review: Review, generator: random.Random, *, rounds: int = 2,
              recipe: Recipe | None = None, least: int = LEAST, name: str = "domain",
              report: Callable[[DomainRound], None] | None = None) -> tuple[NgramScorer, Keywords, list[DomainRound]]:
    """(classifier, keywords as they are at the end, what each round did).

    Raises ``UserError`` when a label is found in no text at all, or for less than one round."""
    if rounds < 1:
        raise UserError(f"rounds is {rounds}; there must be at least one.")
    names = check_labels((*[label for label in keywords if label != REST], REST))
    lists = {label: tuple(keywords.get(label, ())) for label in names if label != REST}
    plan, log = recipe or Recipe(), []
    sure: list[tuple[str, ...]] = [()] * len(texts)
    labels: list[tuple[str, ...]] = [()] * len(texts)
    for number in range(1, rounds + 1):
        before, labels = labels, together(keyword_labels(texts, lists, least), sure)
        scorer = train(name, texts, labels_of(labels, names), names, plan, generator, empty=empty_row(names))
        sure = sure_of(scorer, texts)
        proposals = candidates(texts, sure, lists)
        accepted = {label: tuple(words) for label, words in review(number, proposals).items() if words}
        lists = {label: tuple(dict.fromkeys((*words, *accepted.get(label, ())))) for label, words in lists.items()}
        counts = {label: sum(label in found for found in labels) for label in names}
        changes = difference(before, labels) if number > 1 else []
        log.append(DomainRound(number, counts, proposals, accepted, tuple(changes)))
        if report is not None:
            report(log[-1])
    return scorer, lists, log


def sure_of(scorer: NgramScorer, texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The labels with p > .9 of every text; never ``general``, which is the lack of others."""
    return [tuple(label for label, p in zip(scorer.outputs, row, strict=True) if p > SURE and label != REST)
            for row in scorer.score(texts).tolist()]


def together(found: Sequence[tuple[str, ...]], sure: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Labels from keywords and from the classifier; ``general`` only where there is no other."""
    joined = [tuple(dict.fromkeys((*(w for w in words if w != REST), *more)))
              for words, more in zip(found, sure, strict=True)]
    return [labels or (REST,) for labels in joined]

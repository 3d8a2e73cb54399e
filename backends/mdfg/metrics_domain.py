"""Figures of a domain classifier (spec A7), exactly as the official ``test.py`` counts them, and the usual ones beside.

    P_i = |said_i & gold_i| / |said_i|,   R_i = |said_i & gold_i| / |gold_i|,   both averaged over documents

A document for which nothing is said has P_i = 0 (the official script divides by zero there). Micro figures add up the
counts of all documents first; subset accuracy is the share of documents whose labels are all right and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import UserError

PREFIX = "__label__"


@dataclass(frozen=True)
class LabelFigures:
    """One label: ``gold`` documents have it, ``said`` are said to."""

    label: str
    precision: float
    recall: float
    f1: float
    gold: int
    said: int


@dataclass(frozen=True)
class DomainFigures:
    """``precision`` and ``recall`` are means over documents."""

    documents: int
    precision: float
    recall: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_f1: float
    subset_accuracy: float
    labels: tuple[LabelFigures, ...]


def domain_figures(said: Sequence[Iterable[str]], gold: Sequence[Iterable[str]]) -> DomainFigures:
    """All figures of the labels said of documents against the right ones.

    Raises ``UserError`` for lists of different lengths, no document, or a document without a right label."""
    pairs = [(set(a), set(b)) for a, b in zip(said, gold, strict=False)]
    if len(said) != len(gold) or not pairs:
        raise UserError(f"There are answers for {len(said)} documents and labels for {len(gold)}; both lists must "
                        "be about the same documents, at least one.")
    bare = next((place for place, (_, right) in enumerate(pairs) if not right), None)
    if bare is not None:
        raise UserError(f"Document {bare + 1} has no right label.", advice="Leave it out, or label it.")
    both = [len(a & b) for a, b in pairs]
    hits, answers, rights = sum(both), sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
    labels = tuple(_of_label(label, pairs) for label in sorted(set().union(*(a | b for a, b in pairs))))
    return DomainFigures(
        len(pairs),
        sum(hit / len(a) for hit, (a, _) in zip(both, pairs, strict=True) if a) / len(pairs),
        sum(hit / len(b) for hit, (_, b) in zip(both, pairs, strict=True)) / len(pairs),
        hits / answers if answers else 0.0, hits / rights, 2 * hits / (answers + rights),
        sum(label.f1 for label in labels) / len(labels), sum(a == b for a, b in pairs) / len(pairs), labels)


def _of_label(label: str, pairs: Sequence[tuple[set[str], set[str]]]) -> LabelFigures:
    hit = sum(label in a and label in b for a, b in pairs)
    said, gold = sum(label in a for a, _ in pairs), sum(label in b for _, b in pairs)
    return LabelFigures(label, hit / said if said else 0.0, hit / gold if gold else 0.0,
                        2 * hit / (said + gold) if said + gold else 0.0, gold, said)


def read_gold(path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    """(texts, right labels) of a fastText file: ``__label__news __label__book word word ...`` a line.

    Raises ``UserError`` naming the line that begins with no label."""
    texts, labels = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        words = line.split()
        if not words:
            continue
        count = next((place for place, word in enumerate(words) if not word.startswith(PREFIX)), len(words))
        if not count:
            raise UserError(f"Line {number} of {path.name} begins with no label; labels look like {PREFIX}news.")
        texts.append(" ".join(words[count:]))
        labels.append(tuple(word.removeprefix(PREFIX) for word in words[:count]))
    return texts, labels


def read_official(path: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """(single labels, multi labels) of the official predictions, a list with ``label_top1`` and ``label_multi``."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple([tuple(label.removeprefix(PREFIX) for label in row[key]) for row in rows]  # type: ignore[return-value]
                     for key in ("label_top1", "label_multi"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} is no list of predictions ({error}).",
                        advice="Each entry needs label_top1 and label_multi.") from error

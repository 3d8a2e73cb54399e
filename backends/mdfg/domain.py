"""Domains of a text (spec A4): eleven labels that can be edited, one single label and any number of others.

    single label = the likeliest label, however unlikely
    multi label  = every label with p >= .3, the likeliest first

Both rules are the official ones, so the multi label may be empty or miss the single one: the flag ``below`` says so.
With ``complete`` the single label is always part of the multi label. An empty text is ``general`` with the flag
``empty``. Text is read as character n-grams (:mod:`backends.mdfg.scorers.hashing`), where the paper splits words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contract import UserError

LABELS = ("encyclopedia", "book", "dialogue", "education", "finance", "law", "math", "news", "medicine", "technology",
          "general")
REST = "general"
THRESHOLD = 0.3


@dataclass(frozen=True)
class DomainVerdict:
    """What a record says: ``below`` when no label reaches the threshold, ``empty`` when there was nothing to read."""

    single_label: str
    multi_label: tuple[str, ...]
    below: bool = False
    empty: bool = False


def decide(probabilities: NDArray[np.floating[Any]], labels: Sequence[str] = LABELS, threshold: float = THRESHOLD,
           complete: bool = False, empty: Sequence[bool] = ()) -> list[DomainVerdict]:
    """Verdicts of rows of probabilities (texts, labels). Raises ``UserError`` for another number of columns."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise UserError(f"There are {len(labels)} labels but probabilities of shape {probabilities.shape}.")
    if not 0 <= threshold <= 1:
        raise UserError(f"threshold is {threshold:g}; it must lie between 0 and 1.")
    clean = np.clip(probabilities, 0.0, 1.0)
    order = np.argsort(-clean, axis=1, kind="stable")
    found = []
    for row, (places, values) in enumerate(zip(order, clean, strict=True)):
        if len(empty) and empty[row]:
            rest = REST if REST in labels else labels[int(places[0])]
            found.append(DomainVerdict(rest, (rest,) if complete else (), True, True))
            continue
        single = labels[int(places[0])]
        several = tuple(labels[int(k)] for k in places if values[k] >= threshold)
        found.append(DomainVerdict(single, several or ((single,) if complete else ()), not several))
    return found


def empty_row(labels: Sequence[str]) -> tuple[float, ...]:
    """Probabilities that a domain scorer gives a text without content."""
    return tuple(1.0 if label == REST else 0.0 for label in labels)


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, if they can be used: at least two, no two the same, none empty."""
    clean = tuple(label.strip() for label in labels)
    if len(clean) < 2 or len(set(clean)) != len(clean) or not all(clean):
        raise UserError(f"The labels are {', '.join(labels) or '(none)'}; there must be at least two, all different.")
    return clean

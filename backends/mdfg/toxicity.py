"""Toxic or not, from a score (spec A5), and the texts that a toxicity model should not be asked about.

    label = 1 exactly when toxic is the likelier class AND p(toxic) >= .99

A text of which more than half of the characters are digits and symbols is declared non-toxic by rule (the README names
this rule, no code has it), and so is an empty one; the flag of the verdict says which rule spoke.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from backends.mdfg.scorers.ngram import is_empty
from workbench.contract import UserError

SURE = 0.99
MOST_SYMBOLS = 0.5
Flag = Literal["", "empty", "symbols"]


@dataclass(frozen=True)
class ToxicityVerdict:
    """What a record says; ``score`` is the model's p(toxic), also where a rule decided."""

    label: int
    score: float
    flag: Flag = ""


def symbol_share(text: str) -> float:
    """Share of characters, white space left out, that are digits, punctuation or symbols; 0 for an empty text."""
    counts = {c: n for c, n in Counter(text).items() if not c.isspace()}  # few characters differ, and looking is slow
    held = sum(counts.values())
    return sum(n for c, n in counts.items() if unicodedata.category(c)[0] in "NPS") / held if held else 0.0


def decide(texts: Sequence[str], scores: ArrayLike, threshold: float = SURE,
           rule: bool = True) -> list[ToxicityVerdict]:
    """Verdicts of texts and their p(toxic). ``rule`` turns the rule about symbols on.

    Raises ``UserError`` for lists of different lengths or a threshold outside 0..1."""
    import numpy as np

    values = np.clip(np.asarray(scores, dtype=np.float64), 0.0, 1.0)
    if values.shape != (len(texts),):
        raise UserError(f"There are {len(texts)} texts and scores of shape {values.shape}.")
    if not 0 <= threshold <= 1:
        raise UserError(f"threshold is {threshold:g}; it must lie between 0 and 1.")
    found = []
    for text, value in zip(texts, values.tolist(), strict=True):
        flag: Flag = "empty" if is_empty(text) else "symbols" if rule and symbol_share(text) > MOST_SYMBOLS else ""
        found.append(ToxicityVerdict(int(not flag and value > 0.5 and value >= threshold), value, flag))
    return found

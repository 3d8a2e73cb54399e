"""A trained strategy classifier as the dialogues use it: p(s | h) for the turn that would come next.

A classifier of words needs numpy only. One with a language model's head (``lm``, ``both``) needs the model's hidden
states, which resident models do not give: its model is loaded in this process, and torch with it, when such a
classifier is asked for and never otherwise. Both opinions are joined as they were in its validation (``together``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.sweetiechat.objects import Dialogue
from workbench.contract import Context, UserError
from workbench.files import read_json

if TYPE_CHECKING:
    from backends.sweetiechat.classifier import StrategyClassifier
    from backends.sweetiechat.classifier_lm import LmHead, Reader

FREQUENCIES = "frequencies.json"
"""{strategy: its share among the turns that the classifier was trained on}."""


@dataclass(frozen=True)
class Trained:
    """A classifier at work: over words, over hidden states (head and its reader), or both."""

    words: StrategyClassifier | None
    head: LmHead | None
    reader: Reader | None
    frequencies: Mapping[str, float]

    @property
    def keys(self) -> tuple[str, ...]:
        """The strategies that it knows."""
        known = self.words or self.head
        return known.keys if known else ()

    def chances(self, dialogue: Dialogue) -> dict[str, float]:
        """p(s | h) for the turn that would come next."""
        rows: list[dict[str, float]] = []
        if self.words is not None:
            rows.append(self.words.next_strategy(dialogue))
        if self.head is not None and self.reader is not None:
            table = self.head.scores(self.reader.next_state(dialogue))
            rows.append(dict(zip(self.head.keys, table[0].tolist(), strict=True)))
        return rows[0] if len(rows) == 1 else _joined(rows)


def _joined(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The normalised geometric mean."""
    raw = {key: math.prod(row[key] + 1e-12 for row in rows) ** (1 / len(rows)) for key in rows[0]}
    total = sum(raw.values())
    return {key: value / total for key, value in raw.items()}


def open_trained(context: Context, reference: str) -> Trained:
    """Read the classifier of a reference. Raises ``UserError`` for none, for one that reads utterances, and for one
    whose parts know different strategies."""
    folder = context.resource(reference)
    words = _words(folder)
    head, reader = _head(folder, context)
    if words is None and head is None:
        raise UserError(f"{reference} holds no strategy classifier.",
                        advice="Train one with the task sweetiechat.classifier.v1 and give run:ID/classifier.")
    reads = words.vocabulary.reads if words else head.reads if head else ""
    if reads != "history":
        raise UserError(f"The classifier {reference} reads the {reads} of a turn; counselling needs one that reads the "
                        "history before it.", advice="Train one with reads = history.")
    if words and head and set(words.keys) != set(head.keys):
        raise UserError(f"The two parts of {reference} know different strategies.", advice="Train it again.")
    frequencies = read_json(folder / FREQUENCIES, {})
    return Trained(words, head, reader, frequencies if isinstance(frequencies, dict) else {})


def _words(folder: Path) -> StrategyClassifier | None:
    if not (folder / "classifier.json").is_file():
        return None
    from backends.sweetiechat.classifier import StrategyClassifier

    return StrategyClassifier.load(folder)


def _head(folder: Path, context: Context) -> tuple[LmHead | None, Reader | None]:
    if not (folder / "lm-head.json").is_file():
        return None, None
    from backends.sweetiechat.classifier_lm import LmHead, Reader

    head = LmHead.load(folder)
    return head, Reader(context.resource(head.model or context.default_model), context.device)

"""Diversity gate: Distinct-2 over all turns of the dialogue.

Distinct falls with length, so the default limit (ours) lies below what real dialogues of ESConv's length reach.
"""

from __future__ import annotations

from backends.sweetiechat.metrics.text import corpus, distinct
from backends.sweetiechat.metrics.tokens import Tokenizer
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.verdict import Limits, Verdict


def check_diversity(dialogue: Dialogue, cut: Tokenizer, limits: Limits) -> Verdict:
    """Value: Distinct-2 in percent, with the tokenizer. A dialogue without any two-token turn fails."""
    texts = [turn.text for turn in dialogue.turns]
    value = distinct(corpus(texts, None, cut), 2).value if texts else 0.0
    passed = value >= limits.min_distinct
    word = "reaches" if passed else "is below"
    return Verdict("diversity", passed, {"distinct-2": value, "tokenizer": cut.name},
                   f"Distinct-2 of {value:.1f} {word} {limits.min_distinct:g}")

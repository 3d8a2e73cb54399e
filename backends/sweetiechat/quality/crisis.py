"""Words of crisis: such a dialogue is quarantined for a person, it is never accepted by itself.

The phrases are those that stop a dialogue while it is played (``backends.sweetiechat.crisis``), in English and
Chinese, since people mix them. A match means that a person must look; no match is no promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from backends.sweetiechat.crisis import CrisisRules, load_rules
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.verdict import Verdict

Screen = Callable[[str], Sequence[str]]
"""A text -> the words of crisis found in it (``CrisisRules.found``); empty when there are none."""
RULE = "crisis"


def bundled(text: str) -> Sequence[str]:
    """Screen a text by the bundled phrases of both languages."""
    return _rules().found(text)


@cache
def _rules() -> CrisisRules:
    return load_rules()


def check_crisis(dialogue: Dialogue, screen: Screen | None) -> Verdict:
    """Value: where words of crisis stand (``turn 3``, ``situation``, ``hidden fact 1``) and which.

    A dialogue that was stopped for safety is quarantined too, whatever its text says now.
    """
    if screen is None:
        return Verdict(RULE, None, None, "not checked: no phrases were given; a person must look")
    found = [{"where": where, "words": list(words)} for where, text in _texts(dialogue) if (words := screen(text))]
    if dialogue.stop_reason == "safety":
        found.append({"where": "end", "words": ["stopped for safety"]})
    places = ", ".join(f"{item['where']} ({', '.join(item['words'])})" for item in found)
    return Verdict(RULE, not found, found, f"a person must look at: {places}" if found else "no words of crisis")


def _texts(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Everything that would reach a training set, with its place in words (turns counted from 1)."""
    yield "situation", dialogue.scenario.situation
    facts = dialogue.card.hidden_facts if dialogue.card else ()
    yield from ((f"hidden fact {i}", fact) for i, fact in enumerate(facts, 1))
    yield from ((f"turn {turn.idx + 1}", turn.text) for turn in dialogue.turns)

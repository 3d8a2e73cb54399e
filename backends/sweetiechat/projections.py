"""What each role knows of a dialogue: three classes that have no field for what the role must not see."""

from __future__ import annotations

from dataclasses import dataclass

from backends.sweetiechat.aims import Aim
from backends.sweetiechat.objects import (
    Counsel,
    Dialogue,
    Language,
    Private,
    Scenario,
    SeekerCard,
    Speaker,
    Strategy,
)

HISTORY_CHARACTERS = 6000
"""A longer public history loses its oldest turns, eight at a time so that the cached beginning rarely moves."""
BLOCK = 8


@dataclass(frozen=True)
class Line:
    """One public utterance. ``used`` is the strategy's key; only the supporter's side may see it."""

    role: Speaker
    text: str
    used: str = ""


@dataclass(frozen=True)
class SeekerView:
    """All that the seeker knows."""

    language: Language
    card: SeekerCard | None
    scenario: Scenario
    private: Private | None
    lines: tuple[Line, ...]
    aim: Aim


@dataclass(frozen=True)
class CounselorView:
    """All that the counselor knows. ``turn`` counts the utterances so far."""

    language: Language
    strategies: tuple[Strategy, ...]
    used: tuple[str, ...]
    turn: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SupporterView:
    """All that the supporter knows: of the counselor's decision only what concerns the reply."""

    language: Language
    lines: tuple[Line, ...]
    strategy: Strategy | None
    rationale: str
    address: str


def seeker_view(dialogue: Dialogue, aim: Aim) -> SeekerView:
    """The dialogue as the seeker knows it."""
    return SeekerView(dialogue.language, dialogue.card, dialogue.scenario, dialogue.last_private(),
                      public(dialogue), aim)


def counselor_view(dialogue: Dialogue) -> CounselorView:
    """The dialogue as the counselor knows it."""
    used = tuple(turn.strategy for turn in dialogue.turns if turn.strategy)
    return CounselorView(dialogue.language, dialogue.strategy_set.items, used, len(dialogue.turns),
                         public(dialogue, used=True))


def supporter_view(dialogue: Dialogue, counsel: Counsel | None) -> SupporterView:
    """The dialogue as the supporter knows it. Only a model's own rationale is worth showing."""
    chosen = dialogue.strategy_set.get(counsel.chosen) if counsel and counsel.chosen else None
    spoken = counsel is not None and counsel.mode in ("prompt", "you")
    return SupporterView(dialogue.language, public(dialogue), chosen,
                         counsel.rationale if counsel and spoken else "", counsel.address if counsel and spoken else "")


def public(dialogue: Dialogue, *, used: bool = False) -> tuple[Line, ...]:
    """The utterances that everybody heard, the newest that fit into ``HISTORY_CHARACTERS``."""
    lines = [Line(turn.role, turn.text, (turn.strategy or "") if used else "") for turn in dialogue.turns]
    first = 0
    while len(lines) - first > BLOCK and sum(len(line.text) for line in lines[first:]) > HISTORY_CHARACTERS:
        first += BLOCK
    return tuple(lines[first:])

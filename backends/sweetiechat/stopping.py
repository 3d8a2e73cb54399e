"""Why a dialogue ends (spec A.6). ``reason_to_stop`` is asked after every turn; the first reason that holds counts.

=============  ==================================================================================
safety         a phrase of the crisis rules in the last turn
want_to_stop   the seeker's private state says so, from ``min_turns`` turns on
goodbye        a farewell in the last turn of both
relieved       intensity <= 1 in the seeker's last two turns
repetition     the last two supporter turns share more than 0.6 of their 3-grams
max_turns      ``max_turns`` turns were made
budget         ``budget_tokens`` new tokens were made (0: no limit)
user           a person pressed Stop
=============  ==================================================================================
"""

from __future__ import annotations

from backends.sweetiechat.clean import overlap
from backends.sweetiechat.crisis import CrisisRules
from backends.sweetiechat.objects import Dialogue, StopReason
from backends.sweetiechat.requests import TalkSettings
from backends.sweetiechat.wording import Wording

REPETITION = 0.6


def reason_to_stop(dialogue: Dialogue, settings: TalkSettings, wording: Wording, crisis: CrisisRules,
                   tokens: int) -> StopReason:
    """Why the dialogue ends here, or ``"running"``. ``tokens`` is what it has made so far."""
    if not dialogue.turns:
        return "running"
    last = dialogue.turns[-1]
    if crisis.found(last.text):
        return "safety"
    if settings.stop_early and (early := _early(dialogue, settings, wording)):
        return early
    if len(dialogue.turns) >= settings.max_turns:
        return "max_turns"
    if settings.budget_tokens and tokens >= settings.budget_tokens:
        return "budget"
    return "running"


def _early(dialogue: Dialogue, settings: TalkSettings, wording: Wording) -> StopReason | None:
    last = dialogue.turns[-1]
    private = last.private
    if last.role == "seeker" and private and private.want_to_stop and len(dialogue.turns) >= settings.min_turns:
        return "want_to_stop"
    if said_goodbye(dialogue, wording):
        return "goodbye"
    if relieved(dialogue):
        return "relieved"
    if last.role == "supporter" and repeats(dialogue):
        return "repetition"
    return None


def said_goodbye(dialogue: Dialogue, wording: Wording) -> bool:
    """Whether the last turn of each side holds a farewell."""
    pattern = wording.pattern("rules", "farewell")
    pair = dialogue.turns[-2:]
    return len({turn.role for turn in pair}) == 2 and all(pattern.search(turn.text) for turn in pair)


def relieved(dialogue: Dialogue) -> bool:
    """Whether the seeker's intensity was at most 1 in the last two turns in which it is known."""
    known = [turn.private.intensity for turn in dialogue.said_by("seeker") if turn.private]
    return len(known) >= 2 and max(known[-2:]) <= 1


def repeats(dialogue: Dialogue) -> bool:
    """Whether the supporter's last two turns share more than ``REPETITION`` of the shorter one's 3-grams."""
    texts = [turn.text for turn in dialogue.said_by("supporter")[-2:]]
    return len(texts) == 2 and overlap(texts[1], texts[0], 3, dialogue.language) > REPETITION

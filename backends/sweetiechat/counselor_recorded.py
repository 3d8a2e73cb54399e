"""Counselor mode ``oracle``: the strategies of a recorded dialogue, one for each supporter turn in its order.

For ablations only: it knows what a person did, so it is named ``oracle`` in every decision and every turn that follows
it. A recorded turn without a strategy, and every turn after the recorded dialogue's last, is decided by ``scored``;
the decision then says so in its mode and its notes.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.counselor_scored import scored
from backends.sweetiechat.counselor_terms import stage_of
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked, dialogue_from_json
from workbench.contract import UserError

OVER = "the recorded dialogue has no strategy for this turn; scored instead"


def recorded(dialogues: Sequence[Dialogue], cast: Cast) -> list[Counsel]:
    """The recorded strategy of the turn that comes next, for each dialogue. Raises ``UserError`` where no recorded
    dialogue was given, or where its strategy is not in the set."""
    keys = strategies_of(cast)
    found: list[Counsel] = []
    for dialogue in dialogues:
        place = len(dialogue.said_by("supporter"))
        key = keys[place] if place < len(keys) else None
        found.append(_counsel(dialogue, key, cast) if key else scored([dialogue], cast, (OVER,))[0])
    return found


def strategies_of(cast: Cast) -> list[str | None]:
    """The strategy of every supporter turn of the recorded dialogue that the request carries."""
    origin = getattr(cast.settings, "origin", None)
    if not origin:
        raise UserError("counselor is 'oracle' and there is no recorded dialogue whose strategies could be followed.",
                        advice="Branch a recorded dialogue, or choose another counselor.")
    return [turn.strategy for turn in dialogue_from_json(origin).said_by("supporter")]


def _counsel(dialogue: Dialogue, key: str, cast: Cast) -> Counsel:
    label = dialogue.strategy_set.get(key).label(cast.wording.language)
    why = str(cast.wording.part("counselor")["rationale_recorded"]).format(label=label)
    return Counsel(stage_of(dialogue, cast.settings.max_turns), (Ranked(key, 1.0, 1.0, {"recorded": 1.0}),), key, why,
                   "oracle", notes=("oracle: the strategy that the recorded dialogue uses here",))

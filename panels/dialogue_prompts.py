"""The exact prompt of every role around one turn, made by the method's own ``view_for`` and checked by its hash.

A seeker turn shows the seeker's prompt for it and the other two's for the turn before; a supporter turn the other way
round. ``verified`` says whether the prompt made now is, byte for byte, the one whose hash was noted when the turn was
made (an edit of an earlier turn changes what would be sent today).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import cast, get_args

from backends.common.language import Prompt
from backends.sweetiechat.aims import Aim, AimKind
from backends.sweetiechat.objects import Dialogue, Turn, dialogue_from_json
from backends.sweetiechat.speaking import hash_of
from backends.sweetiechat.views import view_for
from backends.sweetiechat.wording import Voice, Wording, load_wording, voice_of
from workbench import hub
from workbench.contract import Json, UserError
from workbench.fields import to_json
from workbench.settings import Settings

PICKS = 240
"""First words that are tried to find the ones a small model's reply was begun with."""


def prompts_at(value: Mapping[str, Json], place: int, settings: Settings) -> dict[str, Json]:
    """Role -> ``{"messages", "text", "prefill", "turn", "verified"}`` for the turn at ``place``."""
    dialogue = dialogue_from_json(value)
    wording = load_wording(dialogue.language)
    found: dict[str, Json] = {}
    for turn in dialogue.turns[max(0, place - 1):place + 1]:
        before = dataclasses.replace(dialogue, turns=dialogue.turns[:turn.idx], stop_reason="running")
        if turn.role == "seeker":
            found["seeker"] = _seeker(before, turn, wording, _voice(dialogue, "seeker", settings))
        else:
            found["supporter"] = _supporter(before, turn, wording, _voice(dialogue, "supporter", settings))
            if turn.counselor is not None and turn.counselor.mode in ("scored", "prompt"):
                task = "score" if turn.counselor.mode == "scored" else "decide"
                prompt = view_for("counselor", before, wording, _voice(dialogue, "counselor", settings), task=task)
                found["counselor"] = _shown(prompt, turn.idx, None)
    return found


def _voice(dialogue: Dialogue, role: str, settings: Settings) -> Voice:
    reference = dialogue.models.get(role) or settings.default_model
    try:
        return voice_of(to_json(hub.card(reference, settings)))
    except UserError:
        return Voice()  # a model that is gone since: the wording for an unknown one


def _seeker(before: Dialogue, turn: Turn, wording: Wording, voice: Voice) -> Json:
    aim = aim_of(turn)
    task = "json" if turn.meta.get("state") == "json" else "speak"
    return _matching((view_for("seeker", before, wording, voice, task=task, aim=aim, pick=pick)
                      for pick in range(PICKS)), turn)


def _supporter(before: Dialogue, turn: Turn, wording: Wording, voice: Voice) -> Json:
    return _matching((view_for("supporter", before, wording, voice, counsel=turn.counselor, pick=pick)
                      for pick in range(PICKS)), turn)


def aim_of(turn: Turn) -> Aim | None:
    """The plan of a seeker's turn, which its private state notes as ``kind`` or ``kind:item``."""
    kind, _, item = (turn.private.aim if turn.private else "").partition(":")
    if kind not in get_args(AimKind):
        return None
    return Aim(cast(AimKind, kind), int(item) if item.isdecimal() else None)


def _matching(candidates: Iterator[Prompt], turn: Turn) -> Json:
    """The prompt whose hash was noted, else the first one, marked as not the same."""
    first: Prompt | None = None
    wanted = turn.meta.get("prompt_hash")
    for prompt in candidates:
        first = first or prompt
        if wanted and hash_of(prompt) == wanted:
            return _shown(prompt, turn.idx, True)
        if not wanted:
            break
    return _shown(first, turn.idx, False if wanted else None) if first else {}


def _shown(prompt: Prompt, turn: int, verified: bool | None) -> Json:
    return {**to_json(prompt), "turn": turn, "verified": verified}

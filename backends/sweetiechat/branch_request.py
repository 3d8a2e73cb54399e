"""From "change this, here" to the request of a branch, with the origin's own settings for all that stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.sweetiechat.branch import ROLES
from backends.sweetiechat.library import strategy_sets
from backends.sweetiechat.objects import Dialogue, Turn, dialogue_from_json, dialogue_to_json
from backends.sweetiechat.requests import DialogueRequest, TalkSettings
from workbench.contract import Json, UserError

ROOM = 2
"""Turns that a branch may add at least where it goes on from the end: one of each side (our default)."""


@dataclass(frozen=True)
class Change:
    """What is to be otherwise from one turn on; an empty value leaves it as it was. ``models`` by role.

    ``text`` replaces the words of the turn, which then stands; without it the turn is made anew. ``strategy`` is that
    of the turn when it is the supporter's, else of the supporter turn after it. ``more_turns`` raises the longest
    talk to so many turns after the fork.
    """

    strategy: str = ""
    text: str = ""
    counselor: str = ""
    classifier: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    more_turns: int = 0


def request_of(value: Mapping[str, Json], place: int, change: Change, *, run: str = "", number: int = 0,
               settings: Mapping[str, Json] | None = None) -> dict[str, Json]:
    """Fields of the ``DialogueRequest`` that branches the dialogue ``value`` at turn ``place`` (counted from 0).

    ``run`` and ``number`` say where the dialogue lies, ``settings`` are the fields of the request that made it. Of the
    turns after the fork only roles and strategies go along, which the oracle counselor needs. Raises ``UserError``
    for a turn that there is not (one past the last goes on from the end).
    """
    dialogue = dialogue_from_json(value)
    if not 0 <= place <= len(dialogue.turns):
        raise UserError(f"There is no turn {place} to fork at; the dialogue has {len(dialogue.turns)}, counted from 0.")
    here = dialogue.turns[place] if place < len(dialogue.turns) else None
    words = "" if here is None or change.text.strip() == here.text.strip() else change.text.strip()
    keep = place + 1 if words else place
    own = here is not None and bool(words) and here.role == "supporter"
    origin: dict[str, Json] = {**dialogue_to_json(_bare(dialogue, keep)), "run": run, "number": number}
    if words:
        origin["edited"] = {"turn": place, "text": words} | ({"strategy": change.strategy} if own else {})
    fields = _settings(settings or {}, dialogue)
    room = max(ROOM if keep == len(dialogue.turns) else 1, change.more_turns)
    most = max(int(fields.get("max_turns", DialogueRequest.max_turns)), keep + room)
    fields |= {"origin": origin, "fork_turn": keep, "fork_strategy": "" if own else change.strategy,
               "max_turns": most, "counselor": change.counselor or _mode(dialogue, settings or {})}
    fields |= {f"{role}_model": name for role, name in change.models.items() if name}
    fields |= {"classifier": change.classifier} if change.classifier else {}
    return fields | ({"seed": change.seed} if change.seed is not None else {})


def _bare(dialogue: Dialogue, keep: int) -> Dialogue:
    """The dialogue with its kept turns; of the later ones roles, strategies, and the first one's ranking."""
    later = [Turn(turn.idx, turn.role, "", turn.strategy, turn.counselor if turn.idx == keep else None)
             for turn in dialogue.turns[keep:]]
    branch = dialogue.qc.get("branch")
    return dataclasses.replace(dialogue, turns=(*dialogue.turns[:keep], *later),
                               qc={"branch": branch} if branch else {})


def _settings(settings: Mapping[str, Json], dialogue: Dialogue) -> dict[str, Json]:
    """The talk settings that made the dialogue, as far as they are known, else what the dialogue says of itself."""
    names = [f.name for f in dataclasses.fields(TalkSettings)]
    found = {name: settings[name] for name in names if name in settings}
    sets = strategy_sets()
    own = dialogue.strategy_set.name
    found.setdefault("strategy_set", own if own in sets else sets[0])
    found |= {f"{role}_model": dialogue.models.get(role) or found.get(f"{role}_model", "") for role in ROLES
              if role != "counselor" or dialogue.counselor != "classifier"}
    return {**found, "language": dialogue.language, "seed": settings.get("seed", dialogue.seed), "library": ""}


def _mode(dialogue: Dialogue, settings: Mapping[str, Json]) -> str:
    """The counselor that the dialogue had, where it can go on: an imported one is scored from here on."""
    mode = dialogue.counselor
    if not dialogue.models or (mode == "classifier" and not settings.get("classifier")):
        return "scored"
    return mode

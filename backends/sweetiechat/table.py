"""A dialogue in play: the dialogue, the decision that waits for its reply, and who plays which role.

``table_to_json`` is what ``dialogue.json`` (the artifact and the checkpoint of a watched dialogue) holds::

    {...every field of Dialogue...,          "stop_reason": "running" or why it ended
     "state": "running" | "waiting" | "paused" | "ended",
     "waiting_for": null | "seeker" | "counselor" | "supporter",    # the role a person is to play now
     "next": null | "seeker" | "counselor" | "supporter",           # whose move it is
     "pending": null | Counsel,              # the counselor's decision for the coming supporter turn
     "held": ["seeker", ...],                # roles that people play
     "applied": 3,                           # how many lines of commands.jsonl have been applied
     "refused": [{"command": 2, "do": "say", "why": "..."}],
     "paused": false, "tokens": 512,
     "resources": ["...", ...]}              # where help is, after a safety stop; else []
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from backends.sweetiechat.objects import Counsel, Dialogue, Role, dialogue_from_json, dialogue_to_json
from workbench.contract import Json
from workbench.fields import from_json, to_json


@dataclass(frozen=True)
class Table:
    """The state of one dialogue in play. ``go`` is how many more turns may pass before it pauses by itself
    (step by step play); ``held`` are the roles that people play."""

    dialogue: Dialogue
    pending: Counsel | None = None
    held: tuple[Role, ...] = ()
    applied: int = 0
    refused: tuple[Mapping[str, Json], ...] = ()
    paused: bool = False
    tokens: int = 0

    def changed(self, **values: Json) -> Table:
        """The table with other values."""
        return dataclasses.replace(self, **values)

    @property
    def next(self) -> Role | None:
        """Whose move it is; nobody's after the end. The seeker opens; the counselor decides before each reply."""
        if self.dialogue.ended:
            return None
        if not self.dialogue.turns or self.dialogue.turns[-1].role == "supporter":
            return "seeker"
        alone = self.dialogue.counselor == "none" or (
            self.dialogue.counselor == "agent" and "counselor" not in self.held)  # it decides while it writes
        return "supporter" if self.pending or alone else "counselor"

    @property
    def waiting_for(self) -> Role | None:
        """The role that a person is to play now."""
        return self.next if self.next in self.held else None

    @property
    def state(self) -> str:
        """``running``, ``waiting`` (for a person's move), ``paused`` or ``ended``."""
        if self.dialogue.ended:
            return "ended"
        return "paused" if self.paused else "waiting" if self.waiting_for else "running"


def table_to_json(table: Table) -> dict[str, Json]:
    """The content of ``dialogue.json`` (see above)."""
    safety = table.dialogue.qc.get("safety") or {}
    return {**dialogue_to_json(table.dialogue), "state": table.state, "waiting_for": table.waiting_for,
            "next": table.next, "pending": to_json(table.pending), "held": list(table.held),
            "applied": table.applied, "refused": to_json(table.refused), "paused": table.paused,
            "tokens": table.tokens, "resources": list(safety.get("resources", ()))}


def table_from_json(value: Mapping[str, Json]) -> Table:
    """The inverse of :func:`table_to_json`."""
    pending = value.get("pending")
    return Table(dialogue_from_json(value), from_json(Counsel, pending) if pending else None,
                 tuple(value.get("held", ())), int(value.get("applied", 0)), tuple(value.get("refused", ())),
                 bool(value.get("paused", False)), int(value.get("tokens", 0)))

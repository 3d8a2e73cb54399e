"""Seeker opens; then counselor, supporter, seeker, and round again (spec A.6), for many dialogues in lockstep.

``step`` makes the next move of every dialogue whose move it is: all of a role's dialogues share one model call. A
watched dialogue is the batch of one with ``on_text``; it runs through the same lines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.counselor import decide
from backends.sweetiechat.crisis import CrisisRules
from backends.sweetiechat.objects import Dialogue, Role, StopReason, Turn
from backends.sweetiechat.seeker import seeker_turns
from backends.sweetiechat.stopping import reason_to_stop
from backends.sweetiechat.supporter import supporter_turns
from backends.sweetiechat.table import Table
from workbench.contract import Json


@dataclass(frozen=True)
class Hooks:
    """What a step tells while it works: text as it grows (row, text so far), and whether to go on (by raising)."""

    on_text: Callable[[int, str], None] | None = None
    cancelled: Callable[[], None] | None = None


def step(tables: Sequence[Table], cast: Cast, hooks: Hooks | None = None) -> list[Table]:
    """Every dialogue one move on. All must be at the same role, as dialogues in lockstep are; those that have
    ended stay as they are."""
    hooks = hooks or Hooks()
    rows = [row for row, table in enumerate(tables) if table.next]
    roles = {tables[row].next for row in rows}
    if len(roles) > 1:
        raise ValueError(f"dialogues of one step are at different roles: {sorted(map(str, roles))}")
    result = list(tables)
    for role in roles:
        moved = _move(role, [tables[row] for row in rows], cast, hooks)  # type: ignore[arg-type]
        for row, table in zip(rows, moved, strict=True):
            result[row] = table
    return result


def _move(role: Role, tables: Sequence[Table], cast: Cast, hooks: Hooks) -> list[Table]:
    dialogues = [table.dialogue for table in tables]
    if role == "counselor":
        return [table.changed(pending=counsel)
                for table, counsel in zip(tables, decide(dialogues, cast, hooks.cancelled), strict=True)]
    if role == "seeker":
        made = seeker_turns(dialogues, cast, hooks.on_text, hooks.cancelled)
    else:
        pending = [table.pending for table in tables]
        made = supporter_turns(dialogues, pending, cast, hooks.on_text, hooks.cancelled)
    return [seat(table, turn, cast, tokens) for table, (turn, tokens) in zip(tables, made, strict=True)]


def seat(table: Table, turn: Turn, cast: Cast, tokens: int = 0) -> Table:
    """The table after a turn, whoever made it: appended, decision used up, and ended where a rule says so."""
    spent = table.tokens + tokens
    dialogue = table.dialogue.with_turn(turn)
    reason = reason_to_stop(dialogue, cast.settings, cast.wording, cast.crisis, spent)
    # a branch may have chosen the strategy of the reply to this turn already
    pending = table.pending if turn.role == "seeker" and reason == "running" else None
    return table.changed(dialogue=close(dialogue, reason, cast), pending=pending, tokens=spent)


def close(dialogue: Dialogue, reason: StopReason, cast: Cast) -> Dialogue:
    """The dialogue with its stop reason; a safety stop notes the phrases and where help is."""
    if reason == "running":
        return dialogue
    qc = dict(dialogue.qc)
    if reason == "safety":
        qc["safety"] = safety_note(dialogue, cast.crisis)
    return dataclasses.replace(dialogue, stop_reason=reason, qc=qc)


def safety_note(dialogue: Dialogue, crisis: CrisisRules) -> dict[str, Json]:
    """Which phrases of the last turn called for help, and where it is."""
    last = dialogue.turns[-1]
    return {"turn": last.idx, "phrases": list(crisis.found(last.text)),
            "resources": list(crisis.resources[dialogue.language])}

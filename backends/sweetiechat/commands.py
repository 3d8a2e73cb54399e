"""What people may tell a running dialogue. Applied in order, each once; ``dialogue.json`` keeps how many were.

=======================================================  ==========================================================
{"do": "pause"} / {"do": "continue"}                     hold after the current turn / go on
{"do": "stop"}                                           end the dialogue (stop reason ``user``)
{"do": "edit", "turn": 3, "text": "...",                 change a turn; the turns after it are set aside in
 "keep_rest": false}                                     ``qc.dropped`` unless ``keep_rest``; the old text is kept
                                                         in the turn's ``meta.history``
{"do": "strategy", "key": "question"}                    choose the strategy of the coming supporter turn
{"do": "say", "role": "seeker", "text": "..."}           speak for a role whose move it is; with ``"model"``, its
                                                         reference, the words are a candidate of that model's
{"do": "take", "role": "supporter"} / {"do": "release"}  play a role from now on / give it back to its model
=======================================================  ==========================================================

A command that does not fit (speaking out of turn, an unknown strategy) is refused, changes nothing and is listed
with its reason under ``refused``. ``check`` says the same beforehand, so that a page can tell the person at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.clean import printable
from backends.sweetiechat.counselor_terms import stage_of
from backends.sweetiechat.loop import close, seat
from backends.sweetiechat.objects import Counsel, Role, Turn
from backends.sweetiechat.stopping import reason_to_stop
from backends.sweetiechat.supporter import supporter_turn
from backends.sweetiechat.table import Table, table_from_json
from workbench.contract import Json, UserError
from workbench.fields import to_json

LONGEST_TEXT = 2000
INTERRUPTING = ("stop", "edit", "say", "take", "strategy")
"""Commands for which a half-written turn is given up; the others wait for its end."""
Command = Mapping[str, Json]


def apply_all(table: Table, commands: Sequence[Command], cast: Cast) -> Table:
    """The table after every command that was not applied yet, in the order in which they were given."""
    for number in range(table.applied, len(commands)):
        command = commands[number]
        try:
            table = apply(table, command, cast)
        except UserError as error:
            note = {"command": number, "do": str(command.get("do")), "why": error.message}
            table = table.changed(refused=(*table.refused, note))
        table = table.changed(applied=number + 1)
    return table


def apply(table: Table, command: Command, cast: Cast) -> Table:
    """The table after one command. Raises ``UserError`` when it does not fit; the table is then unchanged."""
    check(table, command)
    return ACTIONS[command["do"]](table, command, cast)


def check(table: Table | Mapping[str, Json], command: Command) -> None:
    """Raise ``UserError`` when a command does not fit a dialogue (a :class:`Table` or the JSON of it) now."""
    table = table if isinstance(table, Table) else table_from_json(table)
    do = str(command.get("do"))
    if do not in ACTIONS:
        raise UserError(f"There is no command {do!r}; there are {', '.join(ACTIONS)}.")
    if table.dialogue.ended and do not in ("edit", "pause", "continue", "stop"):
        raise UserError(f"The dialogue has ended ({table.dialogue.stop_reason}); {do} is no longer possible.")
    if do in CHECKS:
        CHECKS[do](table, command)


def _check_edit(table: Table, command: Command) -> None:
    number, count = command.get("turn"), len(table.dialogue.turns)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < count:
        raise UserError(f"There is no turn {number!r} to edit; the dialogue has {count} turns, counted from 0.")
    human_text(command.get("text"))


def _check_say(table: Table, command: Command) -> None:
    role = _role(command, ("seeker", "supporter"))
    move = table.next
    if role != move and not (role == "supporter" and move == "counselor"):
        raise UserError(f"The {role} cannot speak now: it is the {move}'s move.",
                        advice="Wait for that turn, or pause and edit one that was made.")
    if "turn" in command and command["turn"] != len(table.dialogue.turns):
        raise UserError(f"This was said for turn {command['turn']}; the next turn is {len(table.dialogue.turns)}.")
    human_text(command.get("text"))
    if command.get("strategy"):
        table.dialogue.strategy_set.get(str(command["strategy"]))


def _check_strategy(table: Table, command: Command) -> None:
    if table.next not in ("counselor", "supporter"):
        raise UserError("A strategy is chosen before a supporter turn; it is the seeker's move.")
    table.dialogue.strategy_set.get(str(command.get("key")))


def _check_role(table: Table, command: Command) -> None:
    _role(command, ("seeker", "counselor", "supporter"))


def _role(command: Command, allowed: Sequence[str]) -> str:
    role = command.get("role")
    if role not in allowed:
        raise UserError(f"role is {role!r}; it must be one of {', '.join(allowed)}.")
    return str(role)


def human_text(value: Json) -> str:
    """What a person typed as one utterance: control characters go, line ends become spaces.

    Raises ``UserError`` when nothing is left, or more than 2,000 characters are.
    """
    text = printable(value) if isinstance(value, str) else ""
    if not text:
        raise UserError("The text is empty; write at least one word.")
    if len(text) > LONGEST_TEXT:
        raise UserError(f"The text has {len(text):,} characters; one turn may have at most {LONGEST_TEXT:,}.")
    return text


def _stop(table: Table, command: Command, cast: Cast) -> Table:
    if table.dialogue.ended:
        return table
    return table.changed(dialogue=close(table.dialogue, "user", cast), pending=None, paused=False)


def _edit(table: Table, command: Command, cast: Cast) -> Table:
    dialogue, number = table.dialogue, int(command["turn"])
    old = dialogue.turns[number]
    history = [*old.meta.get("history", ()), {"text": old.text, "until": command.get("at"),
                                              "author": old.meta.get("author", "model")}]
    new = dataclasses.replace(old, text=human_text(command["text"]),
                              meta={**old.meta, "history": history, "author": "person"})
    rest = dialogue.turns[number + 1:]
    if command.get("keep_rest"):
        return table.changed(dialogue=dataclasses.replace(dialogue, turns=(*dialogue.turns[:number], new, *rest)))
    qc = {name: value for name, value in dialogue.qc.items() if name != "safety"}
    if rest:
        qc["dropped"] = [*qc.get("dropped", ()), {"at": command.get("at"), "after": number, "turns": to_json(rest)}]
    shorter = dataclasses.replace(dialogue, turns=(*dialogue.turns[:number], new), stop_reason="running", qc=qc)
    reason = reason_to_stop(shorter, cast.settings, cast.wording, cast.crisis, table.tokens)
    return table.changed(dialogue=close(shorter, reason, cast), pending=None)


def _strategy(table: Table, command: Command, cast: Cast) -> Table:
    old = table.pending
    stage = old.stage if old else stage_of(table.dialogue, cast.settings.max_turns)
    why = str(cast.wording.part("counselor")["rationale_you"])
    return table.changed(pending=Counsel(stage, old.ranking if old else (), str(command["key"]), why, "you"))


def _say(table: Table, command: Command, cast: Cast) -> Table:
    text, meta = human_text(command["text"]), {"author": "person", "at": command.get("at"), "tokens": 0}
    if command.get("model"):
        meta |= {"author": "model", "model": str(command["model"]), "picked_by": "person"}
    if command["role"] == "seeker":
        return seat(table, Turn(len(table.dialogue.turns), "seeker", text, meta=meta), cast)
    if command.get("strategy"):
        table = _strategy(table, {"key": command["strategy"]}, cast)
    return seat(table, supporter_turn(table.dialogue, text, table.pending, meta), cast)


def _take(table: Table, command: Command, cast: Cast) -> Table:
    role: Role = command["role"]
    return table if role in table.held else table.changed(held=(*table.held, role))


def _release(table: Table, command: Command, cast: Cast) -> Table:
    return table.changed(held=tuple(role for role in table.held if role != command["role"]))


ACTIONS: Mapping[str, Callable[[Table, Command, Cast], Table]] = {
    "pause": lambda table, command, cast: table.changed(paused=not table.dialogue.ended),
    "continue": lambda table, command, cast: table.changed(paused=False),
    "stop": _stop, "edit": _edit, "strategy": _strategy, "say": _say, "take": _take, "release": _release}
CHECKS: Mapping[str, Callable[[Table, Command], None]] = {
    "edit": _check_edit, "say": _check_say, "strategy": _check_strategy, "take": _check_role, "release": _check_role}

"""The task ``sweetiechat.dialogue.v1``: one dialogue that a person watches, and may steer or take part in.

After every move the whole state is written to ``artifacts/dialogue.json`` in one atomic step, so a run that was
killed between any two turns goes on from the last one. Where a person is to move, the run waits a moment and
then pauses (its process ends); giving a command and resuming the run goes on.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from backends.common.language import open_model
from backends.sweetiechat import branch, commands
from backends.sweetiechat.cast import Cast, Opener, close_cast, open_cast, roles_for, seed_of
from backends.sweetiechat.library import choose_card, choose_scenario, choose_strategies, load_library
from backends.sweetiechat.loop import Hooks, step
from backends.sweetiechat.objects import CODE_VERSION, Dialogue, Role
from backends.sweetiechat.requests import DialogueRequest, DialogueResult
from backends.sweetiechat.scenarios.library import choose_library
from backends.sweetiechat.table import Table, table_from_json, table_to_json
from workbench.contract import Context, Json, UserError
from workbench.files import Damaged, load_json, write_json

LINGER_SECONDS = 2.0
POLL_SECONDS = 0.25
"""How long a waiting run stays awake for a command, and how often it looks (our default)."""
WAITING = {"seeker": "waiting for your words as the seeker", "counselor": "waiting for your choice of a strategy",
           "supporter": "waiting for your words as the supporter"}


class _Interrupted(Exception):
    """A person's command makes the half-written turn pointless."""


def run(request: DialogueRequest, context: Context, opener: Opener = open_model) -> DialogueResult:
    """Play the dialogue to its end. Raises ``UserError`` for a scenario, card, strategy set or model that will not
    do; ``Paused`` where a person is to move."""
    path = context.run / "artifacts" / "dialogue.json"
    table = load_table(path) or start(request, context.run)
    context.report(len(table.dialogue.turns), request.max_turns, "loading the model")
    context.live({"phase": "loading model", "role": None, "idx": len(table.dialogue.turns), "text": ""})
    cast = open_cast(context, request, roles_needed(request), opener)
    try:
        table = table.changed(dialogue=_named(table.dialogue, cast))
        return _result(_play(table, path, request, context, cast))
    finally:
        close_cast(cast)


def roles_needed(request: DialogueRequest) -> tuple[Role, ...]:
    """The roles for which a model is opened: any may be given back by a person, but not every mode has a counselor."""
    return roles_for(request.counselor)


def start(request: DialogueRequest, run: Path | None = None) -> Table:
    """The table before the first turn of its own. ``run`` lies beside the run that a library is taken from."""
    if request.origin:
        return branch.start(request)
    library = load_library(request.language) if run is None else choose_library(request.library, request.language, run)
    scenario = choose_scenario(request.scenario, library)
    card = choose_card(request.card, scenario, library)
    dialogue = Dialogue(f"{seed_of(request.seed, scenario, card):012x}", scenario, card,
                        choose_strategies(request.strategy_set), (), "running", request.language, request.counselor,
                        seed=request.seed, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                        code_version=CODE_VERSION)
    held: tuple[Role, ...] = (*request.human_roles, *(("counselor",) if request.counselor == "you" else ()))
    return Table(dialogue, held=held)


def load_table(path: Path) -> Table | None:
    """The state of an earlier part of this run; nothing when there was none."""
    try:
        return table_from_json(load_json(path))
    except FileNotFoundError:
        return None
    except (Damaged, UserError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"dialogue.json of this run cannot be read: {error}.",
                        advice="Start the dialogue again from its request.") from error


def _named(dialogue: Dialogue, cast: Cast) -> Dialogue:
    return dataclasses.replace(dialogue, models=cast.named())


def _play(table: Table, path: Path, request: DialogueRequest, context: Context, cast: Cast) -> Table:
    table = _save(commands.apply_all(table, context.commands(), cast), path, context)
    while not table.dialogue.ended:
        if table.state != "running":
            _wait(table, context)
        else:
            table = _move(table, context, cast, request)
            table = _save(table, path, context)
        after = commands.apply_all(table, context.commands(), cast)
        if after != table:
            table = _save(after, path, context)
    context.live({"phase": "ended", "role": None, "idx": len(table.dialogue.turns), "text": ""})
    context.report(request.max_turns, request.max_turns, f"ended: {table.dialogue.stop_reason}")
    return table


def _save(table: Table, path: Path, context: Context) -> Table:
    path.parent.mkdir(exist_ok=True)
    write_json(path, table_to_json(table))
    context.artifact("dialogue.json", path, "dialogue")
    return table


def _wait(table: Table, context: Context) -> None:
    reason = WAITING[table.waiting_for] if table.waiting_for and not table.paused else "paused"
    until = time.monotonic() + LINGER_SECONDS
    while time.monotonic() < until:
        context.report(len(table.dialogue.turns), 0, reason)
        if len(context.commands()) > table.applied:
            return
        time.sleep(POLL_SECONDS)
    context.live({"phase": "waiting", "role": table.waiting_for, "idx": len(table.dialogue.turns), "text": ""})
    context.pause(reason)


def _move(table: Table, context: Context, cast: Cast, request: DialogueRequest) -> Table:
    """One move by a model; the table as it was when a command interrupts it."""
    role, began = table.next, time.monotonic()
    hooks = _hooks(table, context, request)
    try:
        after = step([table], cast, hooks)[0]
    except _Interrupted:
        return table
    if len(after.dialogue.turns) > len(table.dialogue.turns):
        _record(after, context, time.monotonic() - began)
        if request.pause_after_turn:
            after = after.changed(paused=not after.dialogue.ended)
    elif after.pending:
        context.live(_live(after, "counselor", ""))
    context.report(len(after.dialogue.turns), request.max_turns, f"{role} has finished")
    return after


def _hooks(table: Table, context: Context, request: DialogueRequest) -> Hooks:
    count, role = len(table.dialogue.turns), table.next or "seeker"
    context.live(_live(table, role, ""))
    look = [time.monotonic()]

    def cancelled() -> None:
        context.report(count, request.max_turns, f"{role} is writing")
        if time.monotonic() - look[0] < POLL_SECONDS:
            return
        look[0] = time.monotonic()
        if any(c.get("do") in commands.INTERRUPTING for c in context.commands()[table.applied:]):
            raise _Interrupted

    return Hooks(lambda row, text: context.live(_live(table, role, text)), cancelled)


def _live(table: Table, role: Role, text: str) -> dict[str, Json]:
    """What ``live.json`` holds: the half-written turn, and the decision it follows."""
    pending = table.pending if role != "seeker" else None
    ranking = [{"strategy": r.strategy, "score": r.score, "probability": r.probability} for r in pending.ranking] \
        if pending else []
    return {"phase": role, "role": role, "idx": len(table.dialogue.turns), "text": text,
            "strategy": pending.chosen if pending else None, "ranking": ranking}


def _record(table: Table, context: Context, seconds: float) -> None:
    turn = table.dialogue.turns[-1]
    values = {"seconds": seconds, "tokens": float(turn.meta.get("tokens", 0)),
              "reused_tokens": float(turn.meta.get("reused_tokens", 0)), "redraws": float(turn.meta.get("redraws", 0))}
    if turn.private:
        values |= {"intensity": float(turn.private.intensity), "level": turn.private.level}
    context.metric(turn.idx, **values)


def _result(table: Table) -> DialogueResult:
    dialogue = table.dialogue
    states = [turn.private.intensity for turn in dialogue.turns if turn.private]
    first = dialogue.scenario.intensity_0
    return DialogueResult(dialogue.id, dialogue.stop_reason, len(dialogue.turns), table.tokens,
                          states[0] if states else first, states[-1] if states else first)

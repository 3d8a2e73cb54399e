"""The task ``sweetiechat.generate.v1``: many dialogues, a batch at a time, every batch in lockstep.

A finished dialogue is judged (:mod:`quality.gate`) and appended at once: accepted and rejected ones to
``artifacts/dialogues.jsonl``, those that a person must look at to ``artifacts/quarantined.jsonl``. The tables of the
running batch are written to ``checkpoints/batch.json`` after every move. A run that was stopped goes on with the
missing dialogues and the running batch where it stood, so its files hold the same dialogues as those of a run that was
never stopped. Each dialogue's draws depend on the seed and its own number only. Nothing that depends on the clock is in
a file.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backends.common.language import open_model
from backends.sweetiechat.cast import Cast, Opener, close_cast, forget, open_cast, roles_for, seed_of
from backends.sweetiechat.library import Library, choose_strategies
from backends.sweetiechat.loop import Hooks, close, step
from backends.sweetiechat.objects import (
    CODE_VERSION,
    STOP_REASONS,
    Dialogue,
    StrategySet,
    dialogue_from_json,
    dialogue_to_json,
)
from backends.sweetiechat.quality.gate import Gate, status_of, tally_of
from backends.sweetiechat.quality.scorer import open_scorer
from backends.sweetiechat.requests import GenerateRequest, GenerateResult
from backends.sweetiechat.reviews import DIALOGUES, QUARANTINED
from backends.sweetiechat.scenarios.library import choose_library
from backends.sweetiechat.table import Table, table_from_json, table_to_json
from workbench.contract import Context, Json, UserError
from workbench.files import append_line, dumps, read_json, read_lines, write_json, write_text

VOLATILE = ("latency_ms", "reused_tokens")
"""What of a turn's meta depends on the clock or on what the model happened to have cached."""


def run(request: GenerateRequest, context: Context, opener: Opener = open_model) -> GenerateResult:
    """Generate the dialogues that are still missing and count them all."""
    plan = planned(request, choose_library(request.library, request.language, context.run))
    shelf = Shelf(context, request, plan[0].strategy_set)
    done = shelf.done
    context.report(len(done), request.count, "loading the model")
    cast = open_cast(context, dataclasses.replace(request, budget_tokens=0), roles_for(request.counselor), opener)
    try:
        for first in range(0, request.count, request.batch):
            batch = plan[first:first + request.batch]
            if all(d.id in done for d in batch):
                continue
            if not _batch(first, batch, shelf, request, context, cast):
                break
    finally:
        close_cast(cast)
    _show(context, request, done, [])
    return summary(list(done.values()))


def planned(request: GenerateRequest, library: Library) -> list[Dialogue]:
    """Every dialogue of the request before its first turn; number i takes the i-th (scenario, card) pair.

    Raises ``UserError`` where the library has no scenario of the wanted problems."""
    pairs = library.seeds(request.problems)
    if not pairs:
        raise UserError(f"The library has no scenario of {', '.join(request.problems) or 'any problem'}.",
                        advice="Choose other problems, or another library.")
    strategies = choose_strategies(request.strategy_set)
    return [Dialogue(f"{number:05d}-{seed_of(request.seed, number, *pair):012x}", *pair, strategies, (), "running",
                     request.language, request.counselor, seed=request.seed, code_version=CODE_VERSION)
            for number in range(request.count) for pair in (pairs[number % len(pairs)],)]


class Shelf:
    """The finished dialogues of a run, in its two files and by id."""

    def __init__(self, context: Context, request: GenerateRequest, strategies: StrategySet) -> None:
        self._context, self._folder = context, context.run / "artifacts"
        self._folder.mkdir(exist_ok=True)
        self.done = {d.id: d for name in (DIALOGUES, QUARANTINED) for d in _finished(self._folder / name)}
        context.artifact(DIALOGUES, self._folder / DIALOGUES, "dialogues")
        scorer = open_scorer(context, request.checker, strategies) if request.quality else None
        self._gate = Gate(request.limits, scorer, self.done.values()) if request.quality else None

    def keep(self, table: Table) -> None:
        """Judge and append a finished dialogue, without what depends on clock or cache."""
        turns = tuple(dataclasses.replace(turn, meta={k: v for k, v in turn.meta.items() if k not in VOLATILE})
                      for turn in table.dialogue.turns)
        qc = {**table.dialogue.qc, "tokens": table.tokens}
        dialogue = dataclasses.replace(table.dialogue, turns=turns, qc=qc)
        if self._gate is not None:
            dialogue = self._gate.judged(dialogue)
        name = QUARANTINED if status_of(dialogue.qc) == "quarantined" else DIALOGUES
        append_line(self._folder / name, dialogue_to_json(dialogue), durable=True)
        if name == QUARANTINED:
            self._context.artifact(name, self._folder / name, "quarantined")
        self.done[dialogue.id] = dialogue


def _finished(path: Path) -> list[Dialogue]:
    """The dialogues of a file; a line that a crash left torn is taken out of it."""
    found = read_lines(path)
    if found or path.name == DIALOGUES:
        write_text(path, "".join(dumps(value) + "\n" for value in found))
    return [dialogue_from_json(value) for value in found]


def _batch(first: int, batch: Sequence[Dialogue], shelf: Shelf, request: GenerateRequest, context: Context,
           cast: Cast) -> bool:
    """Play one batch to its end; whether there is budget for another."""
    done = shelf.done
    checkpoint = context.run / "checkpoints" / "batch.json"
    checkpoint.parent.mkdir(exist_ok=True)
    tables = _restored(checkpoint, first) or [
        Table(dataclasses.replace(d, models=cast.named())) for d in batch]
    hooks = Hooks(None, lambda: context.report(len(done), request.count, _message(tables)))
    while any(table.next for table in tables):
        context.report(len(done), request.count, _message(tables))
        tables = step(tables, cast, hooks)
        over = bool(request.budget_tokens) and _spent(done, tables) >= request.budget_tokens
        if over:
            tables = [t if t.dialogue.ended else t.changed(dialogue=close(t.dialogue, "budget", cast), pending=None)
                      for t in tables]
        for table in tables:
            if table.dialogue.ended and table.dialogue.id not in done:
                shelf.keep(table)
        write_json(checkpoint, {"first": first, "tables": [table_to_json(table) for table in tables]})
        _show(context, request, done, tables)
    forget(cast, batch)
    return not request.budget_tokens or _spent(done, []) < request.budget_tokens


def _restored(checkpoint: Path, first: int) -> list[Table]:
    value = read_json(checkpoint, None)
    if not isinstance(value, dict) or value.get("first") != first:
        return []
    return [table_from_json(table) for table in value["tables"]]


def _spent(done: dict[str, Dialogue], tables: Sequence[Table]) -> int:
    running = sum(table.tokens for table in tables if table.dialogue.id not in done)
    return running + sum(int(d.qc.get("tokens", 0)) for d in done.values())


def _message(tables: Sequence[Table]) -> str:
    active = [table for table in tables if table.next]
    if not active:
        return "done"
    return f"{len(active)} dialogues at turn {len(active[0].dialogue.turns)}: {active[0].next}"


def _show(context: Context, request: GenerateRequest, done: dict[str, Dialogue], tables: Sequence[Table]) -> None:
    """Live counts for the page: ``artifacts/progress.json``, ``live.json`` and one point of each curve."""
    result = summary(list(done.values()))
    active = [table for table in tables if table.next]
    value: dict[str, Json] = {
        "count": request.count, "done": len(done), "running": len(active), "turn": max(
            (len(table.dialogue.turns) for table in active), default=0), "tokens": _spent(done, tables),
        "turns": result.turns, "stop_reasons": dict(result.stop_reasons), "strategies": dict(result.strategies),
        "quality": dict(result.quality), "failed": dict(result.failed), "unchecked": dict(result.unchecked)}
    path = context.run / "artifacts" / "progress.json"
    write_json(path, value, durable=False)
    context.artifact("progress.json", path, "progress")
    context.live({"phase": "generating" if active else "ended", **value})
    context.metric(len(done) * request.max_turns + value["turn"], dialogues=len(done), tokens=value["tokens"])
    context.report(len(done), request.count, _message(tables))


def summary(dialogues: Sequence[Dialogue]) -> GenerateResult:
    """Counts over finished dialogues; every stop reason is listed, those that did not occur with 0."""
    reasons = Counter(d.stop_reason for d in dialogues)
    strategies = Counter(turn.strategy for d in dialogues for turn in d.turns if turn.strategy)
    judged = tally_of(dialogues)
    counts = dict(judged.statuses) if any(judged.statuses.values()) else {}
    return GenerateResult(len(dialogues), sum(len(d.turns) for d in dialogues),
                          sum(int(d.qc.get("tokens", 0)) for d in dialogues),
                          {name: reasons.get(name, 0) for name in STOP_REASONS if name != "imported"},
                          dict(sorted(strategies.items())), counts, dict(judged.failed), dict(judged.unchecked))

"""The task ``sweetiechat.scenarios.v1``: evolve the pool of problem types, then write scenarios and cards for it.

Everything that is drawn depends on the seed and on a name (round, cell, attempt), and a run that was stopped goes on
after its last whole round or batch, so its files are those of a run that was never stopped.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from backends.common.language import open_model
from backends.sweetiechat.cast import Opener
from backends.sweetiechat.library import load_library
from backends.sweetiechat.scenarios.evolve import Growth, next_round
from backends.sweetiechat.scenarios.plan import Cell, bundled_emotions, load_axes, make_plan
from backends.sweetiechat.scenarios.pool import start
from backends.sweetiechat.scenarios.request import ScenarioRequest, ScenarioResult
from backends.sweetiechat.scenarios.store import Place, Store
from backends.sweetiechat.scenarios.writer import Writer, make_writer
from backends.sweetiechat.scenarios.writing import write_batch
from workbench.contract import Context, Json
from workbench.files import read_lines


def run(request: ScenarioRequest, context: Context, opener: Opener = open_model) -> ScenarioResult:
    """Make the pool and its texts. Raises ``UserError`` for a model that does not speak the language."""
    context.report(0, 0, "loading the model")
    reference = request.model.strip() or context.default_model
    store = Store(context)
    place = store.load(Growth(start(request.language, request.seeds)))
    model = opener(context, reference)
    try:
        told = _Teller(context, store, request, place)
        writer = make_writer(model, reference, request, context.generator, told.cancelled)
        place = _evolve(place, writer, store, told)
        place = _write(place, writer, store, told)
    finally:
        model.close()
    return _result(place, request, store)


class _Teller:
    """Says how far the run is: rounds and cells together, whichever part is at work."""

    def __init__(self, context: Context, store: Store, request: ScenarioRequest, place: Place) -> None:
        self._context, self._store, self._request = context, store, request
        self._step, self._total, self._message = 0, 0, "evolving problem types"
        self.show(place, "types")

    def cancelled(self) -> None:
        """A cancel point inside a model call."""
        self._context.report(self._step, self._total, self._message)

    def show(self, place: Place, phase: str) -> None:
        """Write counts for the page after a round or a batch."""
        request, growth = self._request, place.growth
        pool = growth.pool
        scenarios, cards = self._store.counts()
        value: dict[str, Json] = {
            "phase": phase, "types": len(pool.types), "target": request.target, "seeds": len(pool.seeds),
            "accepted": len(pool.evolved), "rejected": growth.rejected, "rounds": growth.rounds, "dry": growth.dry,
            "dry_rounds": request.dry_rounds, "scenarios": scenarios, "cards": cards, "cells": place.cell,
            "count": request.scenarios, "sizes": list(growth.sizes)}
        self._store.progress(value)
        self._context.live(value)
        done = min(len(pool.types), request.target) if phase == "types" else request.target
        self._step, self._total = done + place.cell, request.target + request.scenarios
        self._message = (f"round {growth.rounds + 1}: {len(pool.types)} of {request.target} types" if phase == "types"
                         else f"{scenarios} scenarios and {cards} cards, cell {place.cell} of {request.scenarios}")
        if phase != "ended":
            self._context.metric(growth.rounds + place.cell, types=len(pool.types), rejected=growth.rejected,
                                 scenarios=scenarios, cards=cards)
        self._context.report(self._step, self._total, self._message)


def _evolve(place: Place, writer: Writer, store: Store, told: _Teller) -> Place:
    """Rounds until the pool is full, has run dry, or enough rounds were made."""
    request = writer.request
    while not (stop := place.growth.stop(request.target, request.dry_rounds, request.max_rounds)):
        growth, log = next_round(place.growth, writer)
        store.add("rejected.jsonl", log)
        place = dataclasses.replace(place, growth=growth)
        store.save(place, growth.stop(request.target, request.dry_rounds, request.max_rounds))
        told.show(place, "types")
    store.save(place, stop)
    return place


def _write(place: Place, writer: Writer, store: Store, told: _Teller) -> Place:
    """Scenarios and cards, a batch of cells at a time."""
    request, pool = writer.request, place.growth.pool
    library = load_library(request.language)
    cells = _plan(writer, place)
    names = [kind.name(request.language) for kind in pool.types]
    stop = place.growth.stop(request.target, request.dry_rounds, request.max_rounds)
    while place.cell < len(cells):
        told.show(place, "texts")
        batch = cells[place.cell:place.cell + request.batch]
        earlier = [str(line["situation"]) for line in read_lines(store.folder / "scenarios.jsonl")]
        made = write_batch(batch, earlier, library, writer, names)
        store.add("scenarios.jsonl", made.scenarios)
        store.add("cards.jsonl", made.cards)
        store.add("rejected.jsonl", made.log)
        place = dataclasses.replace(place, cell=place.cell + len(batch),
                                    scenario_attempts=place.scenario_attempts + made.scenario_attempts,
                                    card_attempts=place.card_attempts + made.card_attempts)
        store.save(place, stop)
    told.show(place, "ended")
    return place


def _plan(writer: Writer, place: Place) -> Sequence[Cell]:
    request = writer.request
    axes = load_axes(request.language, bundled_emotions(request.language))
    return make_plan(place.growth.pool.types, axes, request.scenarios, request.cards, writer.rng("plan"))


def _result(place: Place, request: ScenarioRequest, store: Store) -> ScenarioResult:
    growth = place.growth
    reasons = Counter(reason for line in store.rejected() for reason in line.get("reasons", []))
    scenarios, cards = store.counts()
    return ScenarioResult(
        len(growth.pool.types), len(growth.pool.evolved), growth.rejected, growth.rounds,
        growth.stop(request.target, request.dry_rounds, request.max_rounds), scenarios, cards, place.scenario_attempts,
        place.card_attempts, reasons=dict(reasons.most_common()))

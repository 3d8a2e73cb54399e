"""A batch of cells from plan to texts: scenarios first, then a card for every person, each tried a few times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.sweetiechat.library import Library
from backends.sweetiechat.objects import Scenario, SeekerCard
from backends.sweetiechat.quality.verdict import Verdict
from backends.sweetiechat.scenarios.plan import Cell, Persona
from backends.sweetiechat.scenarios.texts import (
    Job,
    card_facts,
    judge_card,
    judge_scenarios,
    made_card,
    made_scenario,
    scenario_facts,
    shortened,
    shown_texts,
    write_fields,
)
from backends.sweetiechat.scenarios.type_rules import reasons
from backends.sweetiechat.scenarios.verdicts import passed
from backends.sweetiechat.scenarios.writer import Writer
from workbench.contract import Json
from workbench.fields import to_json


@dataclass(frozen=True)
class Batch:
    """What a batch of cells became; attempts count replies, ``log`` has a line for every one that was not kept."""

    scenarios: tuple[Scenario, ...]
    cards: tuple[SeekerCard, ...]
    log: tuple[Json, ...]
    scenario_attempts: int
    card_attempts: int


@dataclass(frozen=True)
class _Try:
    """One text that is still to be written: the job and what it belongs to."""

    job: Job
    cell: Cell
    scenario: Scenario | None = None
    person: Persona | None = None
    place: int = 0


Judge = Callable[[Sequence[tuple[_Try, Mapping[str, str]]]], list[list[Verdict]]]


def write_batch(cells: Sequence[Cell], earlier: Sequence[str], library: Library, writer: Writer,
                problems: Sequence[str]) -> Batch:
    """Scenarios and cards of these cells; ``earlier`` are the situations kept before, ``problems`` the names of all
    types (a situation must fit its own best)."""
    language, log = writer.request.language, list[Json]()
    by_number = {cell.number: cell for cell in cells}
    known, shown = list(earlier), shown_texts(library) if writer.wording.lines else dict[str, list[str]]()

    def judge(found: Sequence[tuple[_Try, Mapping[str, str]]]) -> list[list[Verdict]]:
        verdicts = judge_scenarios([(each.cell, fields) for each, fields in found], known, problems, shown, writer)
        known.extend(fields["situation"] for (_, fields), v in zip(found, verdicts, strict=True) if passed(v))
        return verdicts
    tries = [_Try(Job(f"scenario/{cell.number}", "scenario", scenario_facts(cell, language)), cell) for cell in cells]
    kept, asked = _draw(tries, judge, library, writer, log)
    scenarios = [made_scenario(each.cell, fields, language) for each, fields in sorted(kept, key=_number)]
    styles = writer.wording.table["talk_styles"]
    people = [_Try(Job(f"card/{scenario.id}/{place}", "card", card_facts(scenario, person, styles)), cell, scenario,
                   person, place)
              for scenario in scenarios for cell in [by_number[int(scenario.id.split("-")[1])]]
              for place, person in enumerate(cell.personas[:writer.request.cards])]
    cards, cards_asked = _draw(people, lambda found: _judge_cards(found, shown, writer), library, writer, log)
    made = [made_card(each.scenario, each.person, each.place, fields)
            for each, fields in sorted(cards, key=_number) if each.scenario and each.person]
    return Batch(tuple(scenarios), tuple(made), tuple(log), asked, cards_asked)


def _number(kept: tuple[_Try, Mapping[str, str]]) -> tuple[int, int]:
    return kept[0].cell.number, kept[0].place


def _judge_cards(found: Sequence[tuple[_Try, Mapping[str, str]]], shown: Mapping[str, Sequence[str]],
                 writer: Writer) -> list[list[Verdict]]:
    return [judge_card(fields, each.scenario, shown, writer) if each.scenario else [] for each, fields in found]


def _draw(tries: Sequence[_Try], judge: Judge, library: Library, writer: Writer,
          log: list[Json]) -> tuple[list[tuple[_Try, Mapping[str, str]]], int]:
    """Write every text until it passes or the redraws are used up; those that passed, and how many were asked for."""
    kept: list[tuple[_Try, Mapping[str, str]]] = []
    waiting, asked = list(tries), 0
    for attempt in range(writer.request.redraws + 1):
        if not waiting:
            break
        asked += len(waiting)
        found = write_fields([each.job for each in waiting], library, writer, attempt)
        whole = [(each, shortened(fields, writer.request.language))
                 for each, (fields, problem) in zip(waiting, found, strict=True) if not problem]
        verdicts = {id(each): v for (each, _), v in zip(whole, judge(whole), strict=True)} if whole else {}
        again = []
        for each, (fields, problem) in zip(waiting, found, strict=True):
            mine = verdicts.get(id(each), [Verdict("shape", False, None, problem)])
            if passed(mine):
                kept.append((each, next(kind for other, kind in whole if other is each)))
            else:
                again.append(each)
                log.append(_rejected(each, fields, mine, attempt))
        waiting = again
    return kept, asked


def _rejected(each: _Try, fields: Mapping[str, str], verdicts: Sequence[Verdict], attempt: int) -> dict[str, Json]:
    return {"what": each.job.kind, "number": each.cell.number, "attempt": attempt, "reasons": reasons(verdicts),
            "about": {"problem": each.cell.problem.id, "emotion": each.cell.emotion}, "fields": dict(fields),
            "verdicts": to_json(verdicts)}

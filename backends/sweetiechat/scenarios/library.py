"""What a scenario run made, or an import of role cards brought, as the library that dialogues are generated from."""

from __future__ import annotations

import re
from pathlib import Path

from backends.sweetiechat.library import Library, load_library
from backends.sweetiechat.objects import Language, ProblemType, Scenario, SeekerCard
from backends.sweetiechat.scenarios.pool import Pool, pool_from_json
from workbench.contract import MissingResource, UserError
from workbench.fields import from_json
from workbench.files import Damaged, load_json, read_lines

RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")


def choose_library(name: str, language: Language, run: Path) -> Library:
    """The library that a request names: nothing for the bundled one, or ``run:`` and the id of a run beside ``run`` (a
    directory of the same home). Whether the person may read that run is checked where the request is taken.

    Raises ``UserError`` for what is no run id, ``MissingResource`` for a run that is gone or made no scenarios.
    """
    wanted = name.strip().removeprefix("run:")
    if not wanted:
        return load_library(language)
    if not RUN_ID.fullmatch(wanted):
        raise UserError(f"library is {wanted[:60]!r}; it must be empty (the bundled one) or run: and the id of a run.",
                        advice="Copy the id of a scenario run, or of an import of role cards.")
    return library_of(run.parent / wanted / "artifacts", language)


def library_of(folder: Path, language: Language) -> Library:
    """The library in a folder of artifacts: ``scenarios.jsonl``, ``cards.jsonl`` and, if there is one, ``pool.json``.

    Without a pool, every kind of problem that a scenario names becomes a type. Only texts of ``language`` are taken.
    Raises ``MissingResource`` for a folder without scenarios, ``UserError`` for one without any of this language.
    """
    if not (folder / "scenarios.jsonl").is_file():
        raise MissingResource(f"The run {folder.parent.name} has no scenarios.jsonl.",
                              advice="Choose a scenario run, or an import of role cards.")
    rows, card_rows = read_lines(folder / "scenarios.jsonl"), read_lines(folder / "cards.jsonl")
    scenarios = tuple(s for row in rows for s in [from_json(Scenario, row)] if s.language == language)
    if not scenarios:
        raise UserError(f"None of the {len(rows)} scenarios is in the language {language}.",
                        advice="Choose the language that they were written in.")
    ids = {scenario.id for scenario in scenarios}
    cards = tuple(card for row in card_rows for card in [from_json(SeekerCard, row)] if card.scenario_id in ids)
    bundled, pool = load_library(language), _pool(folder)
    return Library(language, bundled.categories, _types(scenarios, bundled, pool), scenarios, cards)


def _pool(folder: Path) -> Pool | None:
    try:
        return pool_from_json(load_json(folder / "pool.json"))
    except FileNotFoundError:
        return None
    except Damaged as error:
        raise UserError(f"pool.json cannot be read: {error}.", advice="Run the scenarios again.") from error


def _types(scenarios: tuple[Scenario, ...], bundled: Library, pool: Pool | None) -> tuple[ProblemType, ...]:
    """The types of the pool, or those that the scenarios name; a name that no library knows stands for itself."""
    if pool is not None:
        return pool.types
    known = {kind.id: kind for kind in bundled.problems}
    names = dict.fromkeys(scenario.problem_type_id for scenario in scenarios)
    return tuple(known.get(name) or ProblemType(name, name, name, name) for name in names)

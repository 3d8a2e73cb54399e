"""The project's own bundled problems, scenarios, cards and strategy sets, and how a request names them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from backends.sweetiechat.objects import Language, ProblemType, Scenario, SeekerCard, Strategy, StrategySet
from workbench.contract import Json, UserError, unknown
from workbench.fields import from_json

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "dialogue"
LONGEST_SITUATION = 4000
STAGES = ("exploration", "comforting", "action", "any")


@dataclass(frozen=True)
class Library:
    """Everything bundled for one language. ``cards`` of a scenario are those with its ``scenario_id``."""

    language: Language
    categories: tuple[Mapping[str, str], ...]
    problems: tuple[ProblemType, ...]
    scenarios: tuple[Scenario, ...]
    cards: tuple[SeekerCard, ...]

    def scenario(self, name: str) -> Scenario:
        """The scenario of this id."""
        found: Scenario = _find("scenario", name, {s.id: s for s in self.scenarios})
        return found

    def card(self, name: str) -> SeekerCard:
        """The card of this id."""
        found: SeekerCard = _find("seeker card", name, {c.id: c for c in self.cards})
        return found

    def problem(self, name: str) -> ProblemType:
        """The problem type of this id."""
        found: ProblemType = _find("problem type", name, {p.id: p for p in self.problems})
        return found

    def cards_of(self, scenario_id: str) -> tuple[SeekerCard, ...]:
        """The cards written for a scenario."""
        return tuple(c for c in self.cards if c.scenario_id == scenario_id)

    def seeds(self, problems: Sequence[str]) -> list[tuple[Scenario, SeekerCard]]:
        """Every (scenario, card) pair of the named problems or categories (none named: all), ordered so that
        any first n of them are spread over the problems: first card of each, then second of each, ..."""
        wanted = self._problem_ids(problems)
        scenarios = [s for s in self.scenarios if s.problem_type_id in wanted]
        decks = [self.cards_of(s.id) or (plain_card(s),) for s in scenarios]
        return [(s, deck[k]) for k in range(max(map(len, decks), default=0))
                for s, deck in zip(scenarios, decks, strict=True) if k < len(deck)]

    def _problem_ids(self, names: Sequence[str]) -> set[str]:
        by_category: dict[str, list[str]] = {}
        for problem in self.problems:
            by_category.setdefault(problem.category, []).append(problem.id)
        known = {p.id: [p.id] for p in self.problems} | by_category
        if not names:
            return {p.id for p in self.problems}
        return {problem for name in names for problem in _find("problem type or category", name, known)}


def _find(what: str, name: str, table: Mapping[str, Any]) -> Any:
    if name not in table:
        raise unknown(what, name, table)
    return table[name]


def load_library(language: Language, folder: Path = ASSETS) -> Library:
    """Read the bundled set of one language."""
    return Library(
        language,
        tuple(_json(folder / "categories.json")),
        tuple(from_json(ProblemType, item) for item in _json(folder / "problems.json")),
        tuple(from_json(Scenario, item) for item in _json(folder / f"scenarios.{language}.json")),
        tuple(from_json(SeekerCard, item) for item in _json(folder / f"cards.{language}.json")))


def _json(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


def plain_card(scenario: Scenario) -> SeekerCard:
    """The card of a seeker about whom nothing is known but the scenario."""
    return SeekerCard(id=f"{scenario.id}-plain", scenario_id=scenario.id)


def choose_scenario(value: str | Mapping[str, Json], library: Library) -> Scenario:
    """The scenario that a request means: a bundled id, a table of fields, or the situation in plain words.

    Raises ``UserError`` for an unknown id, and for a situation that is empty or too long.
    """
    table = _table(value)
    if table is not None:
        filled = {"id": "own", "problem_type_id": "own", "emotion": "distress" if library.language == "en" else "难过",
                  "intensity_0": 4, "language": library.language, **table}
        _check_situation(filled.get("situation", ""))
        scenario: Scenario = from_json(Scenario, filled)
        return scenario
    text = str(value).strip()
    if text in {s.id for s in library.scenarios}:
        return library.scenario(text)
    _check_situation(text)
    if re.fullmatch(r"[\w.-]+", text, re.ASCII):
        return library.scenario(text)
    return choose_scenario({"situation": text}, library)


def _check_situation(text: Json) -> None:
    if not isinstance(text, str) or not text.strip():
        raise UserError("The scenario is empty; it must say in a few sentences what happened.",
                        advice="Write two to four sentences, or choose a bundled scenario.")
    if len(text) > LONGEST_SITUATION:
        raise UserError(f"The scenario has {len(text):,} characters; at most {LONGEST_SITUATION:,} are allowed.",
                        advice="Shorten it to a few sentences: the models read it before every turn.")


def choose_card(value: str | Mapping[str, Json], scenario: Scenario, library: Library) -> SeekerCard:
    """The card that a request means: a bundled id, a table of fields, or (empty) the scenario's first card."""
    table = _table(value)
    if table is not None:
        card: SeekerCard = from_json(SeekerCard, {"id": "own", "scenario_id": scenario.id, **table})
        return card
    name = str(value).strip()
    if name:
        return library.card(name)
    cards = library.cards_of(scenario.id)
    return cards[0] if cards else plain_card(scenario)


def _table(value: str | Mapping[str, Json]) -> Mapping[str, Json] | None:
    if isinstance(value, Mapping):
        return value
    if not value.lstrip().startswith("{"):
        return None
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise UserError(f"The text starts like a JSON table but is none: {error}.") from error
    return parsed if isinstance(parsed, Mapping) else None


def strategy_sets(folder: Path = ASSETS) -> tuple[str, ...]:
    """Names of the bundled strategy sets, the default first."""
    names = sorted(path.stem for path in (folder / "strategies").glob("*.yaml") if path.stem != "mappings")
    return tuple(sorted(names, key=lambda name: name != "esconv-8"))


def choose_strategies(value: str, folder: Path = ASSETS) -> StrategySet:
    """A bundled set by name, or one written as YAML text (at least two strategies with key and label)."""
    name = value.strip()
    if "\n" not in name and ":" not in name:
        if name not in strategy_sets(folder):
            raise unknown("strategy set", name, strategy_sets(folder))
        return parse_strategies((folder / "strategies" / f"{name}.yaml").read_text(encoding="utf-8"))
    return parse_strategies(value)


def parse_strategies(text: str) -> StrategySet:
    """Read a strategy set from YAML. Raises ``UserError`` naming the line or the entry that is wrong."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"The strategy set is not valid YAML: {_where(error)}.",
                        advice="Compare it with assets/dialogue/strategies/esconv-8.yaml.") from error
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise UserError("The strategy set has no list named items; it needs name, version and items with a key and "
                        "a label each.", advice="Compare it with assets/dialogue/strategies/esconv-8.yaml.")
    items = tuple(_strategy(number, item) for number, item in enumerate(value["items"], 1))
    keys = [item.key for item in items]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if len(items) < 2 or repeated:
        raise UserError(f"The strategy set has {len(items)} items" + (
            f", and the key {', '.join(repeated)} more than once" if repeated else "")
            + "; it needs at least two, with a key of its own each.")
    return StrategySet(_text(value, "name") or "own", _text(value, "version") or "1", items, _text(value, "source"))


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).split("\n")[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what


def _text(table: Mapping[str, Json], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str | int | float | None):  # a nested value could unfold to gigabytes of text
        raise UserError(f"{name} in the strategy set is a {type(value).__name__}; it must be text.")
    return "" if value is None else str(value).strip()


def _strategy(number: int, item: Json) -> Strategy:
    if not isinstance(item, dict):
        raise UserError(f"Item {number} of the strategy set is {item!r}; it must have a key and a label.")
    both = {f"{name}_{language}": _text(item, f"{name}_{language}") or _text(item, name) or _text(item, f"{name}_en")
            or _text(item, f"{name}_zh") for name in ("label", "definition", "example") for language in ("en", "zh")}
    key, stage = _text(item, "key"), _text(item, "stage") or "any"
    if not key or not both["label_en"]:
        raise UserError(f"Item {number} of the strategy set has no {'label' if key else 'key'}; every item needs a "
                        "key and a label (label_en and label_zh, or label for both).")
    if stage not in STAGES:
        raise UserError(f"The stage of {key} is {stage!r}; it must be one of {', '.join(STAGES)}.")
    found: Strategy = from_json(Strategy, {"key": key, "stage": stage, **both})
    return found

"""The bundled problems, scenarios, seeker cards and strategy sets, as the set-up form offers them.

Scenario and card texts are the project's own (``assets/dialogue``). A case that was not changed is handed to the run
by its id; a changed one as a table of the fields that ``Scenario`` and ``SeekerCard`` have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import get_origin

from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.library import choose_strategies
from backends.sweetiechat.objects import Language, Scenario, SeekerCard
from workbench.contract import Json, UserError
from workbench.fields import fields_of

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "dialogue"
FIRST = "sleep"
"""The problem that is chosen when the page opens."""
STRATEGY_SETS = ("esconv-8", "extes-16", "escot-13")
SCENARIO_TEXTS = ("situation", "emotion", "trigger", "time_frame", "tried_already", "goal_of_seeker")
CARD_TEXTS = ("age_band", "gender", "occupation", "family", "personality", "hidden_facts", "opening")
_LIST_END = re.compile(r"[,;，、；\n]+")


@lru_cache(maxsize=16)
def _entries(name: str) -> tuple[Mapping[str, Json], ...]:
    return tuple(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def problems() -> tuple[Mapping[str, Json], ...]:
    """Every problem type: id, category, names and glosses in both languages."""
    return _entries("problems")


def categories() -> tuple[Mapping[str, Json], ...]:
    """The five categories in order: id, ``name_en``, ``name_zh``."""
    return _entries("categories")


def name_of(entry: Mapping[str, Json], lang: str, field: str = "name") -> str:
    """A problem's or category's name (or ``gloss``) in the reader's language."""
    return str(entry.get(f"{field}_{'zh' if lang.startswith('zh') else 'en'}") or entry.get("id") or "")


def problem_name(problem_id: str, lang: str) -> str:
    """Name of a problem type in the reader's language; its id when it is not a bundled one."""
    return next((name_of(entry, lang) for entry in problems() if entry["id"] == problem_id), problem_id)


def scenario(problem_id: str, language: str) -> Mapping[str, Json]:
    """The bundled scenario of this problem in the language of the dialogue (``en`` or ``zh``)."""
    for entry in _entries(f"scenarios.{language}"):
        if entry["problem_type_id"] == problem_id:
            return entry
    raise UserError(f"There is no bundled scenario for {problem_id!r} in {language!r}.",
                    advice="Choose another problem.")


def cards(scenario_id: str, language: str) -> tuple[Mapping[str, Json], ...]:
    """The bundled seeker cards of a scenario."""
    return tuple(card for card in _entries(f"cards.{language}") if card["scenario_id"] == scenario_id)


def shown(entry: Mapping[str, Json], name: str) -> str:
    """A field as the form shows it: lists of facts one a line, other lists with commas."""
    value = entry.get(name)
    if isinstance(value, list | tuple):
        return ("\n" if name == "hidden_facts" else ", ").join(str(item) for item in value)
    return "" if value is None else str(value)


def scenario_request(problem_id: str, language: str, edited: Mapping[str, Json]) -> str | dict[str, Json]:
    """The request's ``scenario``: the bundled id when nothing was changed, else a table of fields."""
    original = scenario(problem_id, language)
    changed = {name: value for name, value in edited.items() if str(value or "").strip() != shown(original, name)}
    if not changed:
        return str(original["id"])
    return {**_table(Scenario, {**original, **edited}), "id": f"{original['id']}-edited", "language": language}


def card_request(card_id: str, scenario_id: str, language: str, edited: Mapping[str, Json]) -> str | dict[str, Json]:
    """The request's ``card``: the bundled id when nothing was changed, else a table of fields."""
    original = next((card for card in cards(scenario_id, language) if card["id"] == card_id), {})
    changed = {name: value for name, value in edited.items() if str(value or "").strip() != shown(original, name)}
    if not changed:
        return card_id
    return {**_table(SeekerCard, {**original, **edited}), "id": f"{card_id or scenario_id}-edited",
            "scenario_id": scenario_id}


def _table(kind: type, values: Mapping[str, Json]) -> dict[str, Json]:
    """The values that this dataclass has fields for, in the types of those fields."""
    table: dict[str, Json] = {}
    for spec in fields_of(kind):
        if spec.name not in values:
            continue
        value = values[spec.name]
        if get_origin(spec.kind) is tuple:
            table[spec.name] = pieces(value, lines=spec.name == "hidden_facts")
        elif spec.kind is int:
            table[spec.name] = round(float(value))
        else:
            table[spec.name] = value if spec.kind not in (str,) else shown(values, spec.name).strip()
    return table


def pieces(value: Json, *, lines: bool = False) -> list[str]:
    """A typed list: one piece a line, or separated by commas (also Chinese ones)."""
    if isinstance(value, list | tuple):
        return [str(item).strip() for item in value if str(item).strip()]
    parts = str(value or "").splitlines() if lines else _LIST_END.split(str(value or ""))
    return [part.strip() for part in parts if part.strip()]


def grouped(lang: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """``(category name, [(problem id, name, gloss)])`` in the reader's language, for the picker."""
    return [(name_of(category, lang),
             [(str(p["id"]), name_of(p, lang), name_of(p, lang, "gloss")) for p in problems()
              if p["category"] == category["id"]]) for category in categories()]


def example_card(problem_id: str, language: str) -> str:
    """Id of the first card of a problem's scenario."""
    found: Sequence[Mapping[str, Json]] = cards(str(scenario(problem_id, language)["id"]), language)
    return str(found[0]["id"]) if found else ""


def crisis_resources(lang: str) -> tuple[str, ...]:
    """Where a person in danger finds help, in the reader's language."""
    return load_rules().resources["zh" if lang.startswith("zh") else "en"]


def strategy_names(lang: str) -> list[tuple[str, str]]:
    """``(label, key)`` of every strategy of the bundled sets, each key once, in the order of the sets."""
    spoken: Language = "zh" if lang.startswith("zh") else "en"
    items = [item for name in STRATEGY_SETS for item in choose_strategies(name).items]
    return list({item.key: (item.label(spoken), item.key) for item in reversed(items)}.values())[::-1]

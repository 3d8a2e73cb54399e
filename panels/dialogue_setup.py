"""How the set-up form behaves: choosing a case fills its texts, a language offers its models, Start makes a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from backends.sweetiechat.library import parse_strategies
from panels import dialogue_bring, dialogue_counsel
from panels import dialogue_cases as cases
from panels.dialogue_form import COUNSEL, MODEL_ROLES, SPECS, TALK, WORDS, Form
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import casepicker

SCENARIO = (*cases.SCENARIO_TEXTS, "intensity_0")
CARD = (*cases.CARD_TEXTS, "talk_style", "openness")
CASE = (*SCENARIO, *CARD)


def request_of(values: Mapping[str, Json], default_model: str) -> dict[str, Json]:
    """The fields of a ``DialogueRequest`` out of what the form holds. Raises ``UserError`` for what cannot be read."""
    language, problem = str(values["language"]), str(values["problem"])
    scenario = cases.scenario_request(problem, language, {name: values[name] for name in SCENARIO})
    scenario_id = str(cases.scenario(problem, language)["id"])
    fields: dict[str, Json] = {
        "language": language, "scenario": scenario, "counselor": values["counselor"],
        "card": cases.card_request(str(values["card_id"]), scenario_id, language, {n: values[n] for n in CARD}),
        "strategy_set": strategies(values), "human_roles": list(values.get("human_roles") or ())}
    if values["counselor"] == "classifier":
        fields["classifier"] = str(values.get("classifier") or "").strip()
    shared = str(values.get("model") or "").strip() or default_model
    for role in MODEL_ROLES:
        fields[f"{role}_model"] = str(values.get(f"{role}_model") or "").strip() or shared
    return {**fields, **knobs(values)}


def strategies(values: Mapping[str, Json]) -> str:
    """Name of the strategy set, or the person's own YAML. Raises ``UserError`` naming the line that is wrong."""
    if values["strategy_set"] != "own":
        return str(values["strategy_set"])
    text = str(values.get("strategy_yaml") or "").strip()
    if not text:
        raise UserError("The strategy set is empty; it must be YAML with name, version and items.",
                        advice="Paste your set, or choose a bundled one.")
    parse_strategies(text)
    return text


def knobs(values: Mapping[str, Json]) -> dict[str, Json]:
    """The plain numbers and switches, in the types of the request's fields; an empty one takes its default."""
    fields: dict[str, Json] = {}
    for name in (*TALK, *WORDS, *COUNSEL):
        value, spec = values.get(name), SPECS[name]
        if value is None or value == "":
            continue
        fields[name] = round(float(value)) if spec.kind is int else float(value) if spec.kind is float else value
    return fields


def values_of(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The inverse of :func:`request_of`, for "run again / change": what the form must hold to ask this again."""
    language = str(fields.get("language") or "en")
    given, card = fields.get("scenario"), fields.get("card")
    problem = str((given.get("problem_type_id") if isinstance(given, Mapping) else given) or cases.FIRST)
    if problem not in [str(p["id"]) for p in cases.problems()]:
        problem = cases.FIRST
    scenario = given if isinstance(given, Mapping) else cases.scenario(problem, language)
    bundled = cases.cards(str(cases.scenario(problem, language)["id"]), language)
    found = card if isinstance(card, Mapping) else next((c for c in bundled if c["id"] == card), bundled[0])
    values: dict[str, Json] = {"language": language, "problem": problem, "card_id": str(found.get("id") or "")}
    values |= {name: cases.shown(scenario, name) for name in cases.SCENARIO_TEXTS}
    values |= {name: cases.shown(found, name) for name in cases.CARD_TEXTS}
    values |= {"intensity_0": scenario.get("intensity_0", 3), "talk_style": found.get("talk_style", "guarded"),
               "openness": found.get("openness", 3)}
    if fields.get("scenario") and not isinstance(given, Mapping) and given != problem:
        values["situation"] = str(given)
    chosen = str(fields.get("strategy_set") or cases.STRATEGY_SETS[0])
    own = chosen not in cases.STRATEGY_SETS
    values |= {"strategy_set": "own" if own else chosen, "strategy_yaml": chosen if own else "",
               "counselor": fields.get("counselor", "scored"), "classifier": str(fields.get("classifier") or ""),
               "human_roles": list(fields.get("human_roles") or ())}
    used = [str(fields.get(f"{role}_model") or "") for role in MODEL_ROLES]
    values["model"] = used[0]
    values |= {f"{role}_model": "" if name == used[0] else name for role, name in zip(MODEL_ROLES, used, strict=True)}
    return {**values, **{name: fields.get(name, SPECS[name].default) for name in (*TALK, *WORDS, *COUNSEL)}}


def wire(shell: Shell, form: Form) -> None:
    """Connect the form's parts with one another (Start is connected by the watch view)."""
    _wire_case(shell, form)
    dialogue_bring.wire(shell, form)
    dialogue_counsel.wire(shell, form)
    form.fields["strategy_set"].input(lambda name: gr.update(visible=name == "own"), [form.fields["strategy_set"]],
                                      [form.fields["strategy_yaml"]], **QUICK)


def _wire_case(shell: Shell, form: Form) -> None:
    problem, card, language = form.of(("problem", "card_id", "language"))

    def draw(problem_id: str, card_id: str, spoken: str, request: gr.Request) -> tuple[str, str]:
        lang = shell.lang(request)
        scenario_id = str(cases.scenario(problem_id, spoken)["id"])
        return (casepicker.problem_picker(cases.grouped(lang), problem_id),
                casepicker.card_picker(cases.cards(scenario_id, spoken), card_id, partial(shell.t, lang)))

    def fill(problem_id: str, spoken: str, card_id: str = "") -> list[Any]:
        values = values_of({"scenario": problem_id, "language": spoken, "card": card_id})
        return [values[name] for name in ("problem", "card_id", *CASE)]

    def press_problem(spoken: str, event: gr.EventData) -> list[Any]:
        return fill(str(event._data.get("key") or cases.FIRST), spoken)

    def press_card(problem_id: str, spoken: str, event: gr.EventData) -> list[Any]:
        values = values_of({"scenario": problem_id, "language": spoken, "card": str(event._data.get("key") or "")})
        return [values[name] for name in ("card_id", *CARD)]
    pictures = [form.pickers["problem"], form.pickers["card"]]
    gr.on(None, shell.guard(draw), [problem, card, language], pictures, **LATEST)
    case = form.of(("problem", "card_id", *CASE))
    form.pickers["problem"].select(shell.guard(press_problem), [language], case, **QUEUED)
    form.pickers["card"].select(shell.guard(press_card), [problem, language], form.of(("card_id", *CARD)), **QUEUED)
    language.input(shell.guard(fill), [problem, language], case, **QUEUED)

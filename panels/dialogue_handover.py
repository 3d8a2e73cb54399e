"""From a trained agent or classifier to where it is used: the set-up of a watched dialogue, or of many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels import dialogue_cases as cases
from panels import dialogue_counsel as counsel_modes
from panels import dialogue_models as models
from panels import dialogue_setup as setup
from panels import dialogue_train_view as view
from panels import dialogue_trained as trained
from panels.dialogue_form import MODEL_ROLES
from workbench.contract import Json
from workbench.panel import QUEUED, Shell
from workbench.widgets.loose import table
from workbench.widgets.transcript import WINDOW

if TYPE_CHECKING:
    from panels.dialogue_many import Many
    from panels.dialogue_train import Train
    from panels.dialogue_watch import Watch

AUTO = {"joint": "agent", "given": "scored", "plain": "none"}
"""Who chooses the strategy of an agent at first: what it was trained for."""


def talk(shell: Shell, request: gr.Request, run_id: str) -> dict[str, Json]:
    """What the set-up form must hold to talk to an agent as the seeker.

    Models for seeker and counselor are the language's default: a person may give the seeker back to a model."""
    visitor = shell.visitor(request)
    run = shell.service.run(visitor, run_id)
    language, agent = view.language_of(run), f"run:{run.id}/model"
    facts = trained.facts_of(run)
    variant, strategies = str(facts.get("variant") or "joint"), table(facts.get("strategy_set"))
    other = models.default(language, shell.service.settings) or agent
    fields: dict[str, Json] = {
        "language": language, "scenario": cases.FIRST, "card": cases.example_card(cases.FIRST, language),
        "counselor": AUTO.get(variant, "agent"), "human_roles": ["seeker"],
        **{f"{role}_model": other for role in MODEL_ROLES},
        "supporter_model": agent, "strategy_set": set_of(strategies)}
    return setup.values_of(fields)


def set_of(strategies: Mapping[str, Json]) -> str:
    """The strategy set that an agent was trained with: a bundled one by name, another as text (JSON is YAML too)."""
    name = str(strategies.get("name") or cases.STRATEGY_SETS[0])
    return name if name in cases.STRATEGY_SETS else json.dumps(strategies, ensure_ascii=False, indent=1)


def wire(shell: Shell, train: Train, watch: Watch, many: Many, modes: gr.Tabs) -> None:
    """Connect the buttons of the Train view that lead to the other views."""
    form = watch.form

    def begin_talk(run_id: str, request: gr.Request) -> list[Any]:
        values = talk(shell, request, run_id)
        facts = trained.facts_of(shell.service.run(shell.visitor(request), run_id))
        fit = counsel_modes.modes_for(str(facts.get("variant") or "joint"))
        modes = counsel_modes.named_modes(shell, shell.lang(request), fit)
        values["counselor"] = gr.update(choices=modes, value=values["counselor"])
        return [gr.Tabs(selected="watch"), "", str(WINDOW), *(values[name] for name in form.names)]

    def use(run_id: str, request: gr.Request) -> list[Any]:
        values = talk(shell, request, run_id)
        return [gr.Tabs(selected="many"), "", values["language"], values["supporter_model"], values["counselor"]]

    def counsel(run_id: str, request: gr.Request) -> list[Any]:
        run = shell.service.run(shell.visitor(request), run_id)
        return [gr.Tabs(selected="watch"), "", "classifier", f"run:{run.id}/classifier"]
    train.buttons["talk"].click(shell.guard(begin_talk), [train.run], [modes, watch.run, watch.shown, *form.inputs],
                                **QUEUED)
    there = [many.fields[name] for name in ("language", "supporter_model", "counselor")]
    train.buttons["many"].click(shell.guard(use), [train.run], [modes, many.run, *there], **QUEUED)
    train.buttons["counsel"].click(shell.guard(counsel), [train.run],
                                   [modes, watch.run, *form.of(("counselor", "classifier"))], **QUEUED)

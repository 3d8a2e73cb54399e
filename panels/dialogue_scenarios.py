"""Scenarios: grow the pool of problem types, look at it as a tree, read what was written for a type, hand it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.library import load_library
from backends.sweetiechat.objects import Language
from backends.sweetiechat.scenarios.pool import pool_to_json, start
from backends.sweetiechat.scenarios.request import ScenarioRequest
from panels import dialogue_models as models
from panels import run_controls
from panels.dialogue_bring import offered
from panels.dialogue_form import pane
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.dialogue_watch import changes_of
from workbench.contract import TERMINAL, Json
from workbench.fields import to_json
from workbench.files import read_json, read_lines
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.text import say
from workbench.widgets.casepicker import PRESS
from workbench.widgets.markup import element, esc
from workbench.widgets.problem_tree import problem_tree
from workbench.widgets.rejections import rejections
from workbench.widgets.scenario_progress import scenario_strip
from workbench.widgets.scenario_sheet import scenario_sheet

if TYPE_CHECKING:
    from panels.dialogue_many import Many

TASK = "sweetiechat.scenarios.v1"
SPECS = specs_of(ScenarioRequest)
SIZE = ("target", "scenarios", "cards")
TYPES = ("seeds", "form", "max_similarity", "dry_rounds", "max_rounds", "prompts", "per_prompt", "examples", "fit")
WORDS = ("redraws", "batch", "temperature", "top_p", "seed")
CONTROLS = ("stop", "continue", "use")
EXAMPLE: Mapping[str, Json] = {"target": 16, "max_rounds": 6, "scenarios": 2, "batch": 2, "language": "en"}
"""With the embedded model and this seed: four types in one round, then two scenarios and a card."""
MOST_RUNS = 40
FILES = ("pool.json", "scenarios.jsonl", "cards.jsonl", "rejected.jsonl")


@dataclass(frozen=True)
class Scenarios:
    """The components of the view. ``run`` is the shown run (empty: the bundled pool), ``picked`` the chosen type."""

    run: gr.Textbox
    sent: gr.Textbox
    picked: gr.Textbox
    shown: gr.Dropdown
    fields: Mapping[str, Component]
    buttons: Mapping[str, gr.Button]
    note: gr.HTML
    parts: Mapping[str, gr.HTML]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`looks`."""
        return [*self.parts.values(), *(self.buttons[name] for name in CONTROLS), self.sent]


def lay_out(shell: Shell) -> Scenarios:
    """Make the components of the view."""
    run, sent, picked = shell.note(""), shell.note("{}"), shell.note("")
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="dt-hello"):
        gr.HTML(f'<h3 class="dt-title">{shell.label("scenarios.title")}</h3><p>{shell.label("scenarios.about")}</p>',
                apply_default_css=False)
        buttons["example"] = shell.example_button("scenarios.example")
    with gr.Accordion(shell.label("scenarios.make"), open=False, elem_classes="wb-group"):
        put, note = _form(shell)
        with gr.Row(elem_classes="dt-controls"):
            buttons["start"] = gr.Button(shell.label("scenarios.start"), variant="primary")
    with gr.Row(elem_classes="dt-controls sc-controls"):
        shown = gr.Dropdown([(shell.label("scenarios.bundled"), "")], value="", label=shell.label("scenarios.shown"),
                            filterable=False)
        buttons["stop"] = gr.Button(shell.label("scenarios.stop"), size="sm", visible=False)
        buttons["continue"] = gr.Button(shell.label("dialogue.continue"), size="sm", visible=False)
        buttons["use"] = gr.Button(shell.label("scenarios.use"), size="sm", variant="primary", visible=False)
    parts = {"strip": pane()}
    shell.actions(run)
    with gr.Row(elem_classes="sc-split"):
        with gr.Column(elem_classes="sc-tree"):
            parts["tree"] = pane(PRESS)
        with gr.Column(elem_classes="sc-side"):
            parts["sheet"] = pane()
    parts["rejected"] = pane()
    return Scenarios(run, sent, picked, shown, put, buttons, note, parts)


def _form(shell: Shell) -> tuple[dict[str, Component], gr.HTML]:
    put: dict[str, Component] = {}
    with gr.Row(elem_classes="sc-form"):
        put["language"] = gr.Radio([("English", "en"), ("中文", "zh")], value="en", elem_classes="dt-row",
                                   label=shell.label("scenarios.language"))
        put["model"] = gr.Dropdown([], value=shell.service.settings.default_model, allow_custom_value=True,
                                   label=shell.label("scenarios.model"))
    note = pane()
    with gr.Row(elem_classes="dt-knobs sc-knobs"):
        for name in SIZE:
            put[name] = knob(shell, SPECS[name], "scenarios")
    with gr.Accordion(shell.label("scenarios.more_settings"), open=False):
        for names in (TYPES, WORDS):
            with gr.Row(elem_classes="dt-knobs sc-knobs"):
                for name in names:
                    put[name] = knob(shell, SPECS[name], "scenarios")
    return put, note


def wire(shell: Shell, view: Scenarios, tab: gr.Tab) -> None:
    """Connect the form, the list of runs, the tree and the timer."""
    names, inputs = list(view.fields), list(view.fields.values())
    language, model = view.fields["language"], view.fields["model"]

    def begin(request: gr.Request, *values: Json) -> str:
        return make(shell, request, dict(zip(names, values, strict=True)))

    def begin_example(request: gr.Request) -> str:
        return make(shell, request, EXAMPLE)

    def models_of(spoken: str, chosen: str, request: gr.Request) -> Any:
        return offered(shell, shell.lang(request), spoken, [str(chosen or "")])[0]

    def say_model(chosen: str, spoken: str, request: gr.Request) -> str:
        return models.note([str(chosen or "")], spoken, shell.service.settings,
                           partial(shell.t, shell.lang(request)))

    def offer(run_id: str, request: gr.Request) -> Any:
        return gr.update(choices=choices(shell, request, run_id), value=run_id)

    def look(run_id: str, sent: str, picked: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, picked, request)

    def pick(event: gr.EventData) -> str:
        return str(event._data.get("key") or "")
    gr.on([tab.select, language.change], models_of, [language, model], [model], **QUICK)
    gr.on([tab.select, model.change, language.change], shell.guard(say_model), [model, language], [view.note], **LATEST)
    view.buttons["start"].click(shell.guard(begin), inputs, [view.run], **QUEUED)
    view.buttons["example"].click(shell.guard(begin_example), None, [view.run], **QUEUED)
    gr.on([view.run.change, tab.select], offer, [view.run], [view.shown], **QUICK)
    view.shown.input(lambda run_id: (run_id or "", ""), [view.shown], [view.run, view.picked], **QUICK)
    view.parts["tree"].select(pick, None, [view.picked], **QUICK)
    run_controls.wire(shell, view.run, view.buttons["stop"], view.buttons["continue"])
    shell.on_poll(look, [view.run, view.sent, view.picked], view.polled, every=0.7)


def hand_over(shell: Shell, view: Scenarios, many: Many, modes: gr.Tabs) -> None:
    """Connect the button that brings what a run made to Generate many, by its run id."""
    def use(run_id: str, request: gr.Request) -> list[Any]:
        run = shell.service.run(shell.visitor(request), run_id)
        return [gr.Tabs(selected="many"), "", str(run.fields.get("language", "en")), f"run:{run.id}"]
    view.buttons["use"].click(shell.guard(use), [view.run], [modes, many.run, many.fields["language"],
                                                             many.fields["library"]], **QUEUED)


def make(shell: Shell, request: gr.Request, values: Mapping[str, Json]) -> str:
    """Check the model against the language and make the run; its id."""
    asked = fields_from(SPECS, values.items())
    spoken = partial(shell.t, shell.lang(request))
    chosen = str(asked.get("model") or "").strip() or shell.service.settings.default_model
    models.check([chosen], str(asked.get("language", "en")), shell.service.settings, spoken)
    title = spoken("scenarios.run_title", types=asked.get("target", SPECS["target"].default),
                n=asked.get("scenarios", SPECS["scenarios"].default))
    return shell.service.submit(TASK, {**asked, "model": chosen}, visitor=shell.visitor(request), title=title)


def choices(shell: Shell, request: gr.Request, run_id: str) -> list[tuple[str, str]]:
    """The bundled pool and the runs of the scenario engine that this visitor may read, newest first."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    found, _ = shell.service.runs(visitor, task=TASK, limit=MOST_RUNS)
    listed = [(f"{run.title} · {run.id}", run.id) for run in found]
    if run_id and run_id not in [value for _, value in listed]:
        listed.insert(0, (run_id, run_id))
    return [(shell.t(lang, "scenarios.bundled"), ""), *listed]


def tick(shell: Shell, run_id: str, sent: str, picked: str, request: gr.Request) -> Any:
    """One look at the run, or at the bundled pool."""
    lang = shell.lang(request)
    if not run_id:
        look = bundled_looks(picked, lang)
    else:
        visitor = shell.visitor(request)
        run = shell.service.run(visitor, run_id)
        look = looks(run, picked, run.owner == visitor, lang)
    return changes_of(look, sent, f"{run_id}/{lang}", CONTROLS)


def bundled_looks(picked: str, lang: str) -> dict[str, Json]:
    """The pool that comes with the project."""
    pool, scenarios, cards = bundled("zh" if lang == "zh-CN" else "en")
    return {"strip": "", "tree": problem_tree(pool, lang, picked=picked, buttons=True),
            "sheet": scenario_sheet(pool, picked, scenarios, cards, lang), "rejected": "",
            **dict.fromkeys(CONTROLS, False)}


@lru_cache(maxsize=2)
def bundled(language: Language) -> tuple[Json, tuple[Json, ...], tuple[Json, ...]]:
    """Pool, scenarios and cards that come with the project, as the files of a run hold them."""
    library = load_library(language)
    pool = {name: value for name, value in pool_to_json(start(language, "bundled")).items() if name != "stop"}
    return pool, tuple(map(to_json, library.scenarios)), tuple(map(to_json, library.cards))


def looks(run: Run, picked: str, mine: bool, lang: str) -> dict[str, Json]:
    """What every part of the view must show of a run, by name; at first the type of its first scenario is open."""
    folder = run.path / "artifacts"
    state = read_json(folder / "progress.json", {})
    failed = run.failure if run.status == "failed" else None
    pool, scenarios, cards, rejected = (_held(folder / name) for name in FILES)
    strip = scenario_strip(run.status, state if isinstance(state, Mapping) else {}, run.seconds, run.message, failed,
                           lang)
    target = run.fields.get("target")
    picked = picked or next((str(row.get("problem_type_id") or "") for row in scenarios), "")
    why = rejections(rejected, lang)
    head = element("h3", esc(say(lang, "rejections.title")), class_="dt-title") if why else ""
    return {"strip": strip,
            "tree": problem_tree(pool, lang, target=target if isinstance(target, int) else 0, picked=picked,
                                 buttons=True),
            "sheet": scenario_sheet(pool, picked, scenarios, cards, lang), "rejected": head + why,
            "stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused"), "use": bool(scenarios)}


def _held(path: Path) -> Any:
    """A JSON file or the lines of one, kept while the file rests."""
    try:
        info = path.stat()
    except OSError:
        return {} if path.suffix == ".json" else []
    return _file(path, info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=64)
def _file(path: Path, size: int, changed: int) -> Any:
    return read_json(path, {}) if path.suffix == ".json" else read_lines(path)

"""Generate many: choose what to draw from, run it as one batched job, see counts and stop reasons while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.requests import GenerateRequest
from panels import dialogue_cases as cases
from panels import dialogue_many_choices as choices
from panels import dialogue_models as models
from panels import run_controls
from panels.dialogue_bring import wire_choices
from panels.dialogue_form import COUNSEL, MODEL_ROLES, TALK, WORDS, knob, pane
from panels.dialogue_watch import changes_of
from workbench.contract import TERMINAL, Json
from workbench.fields import fields_of
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.widgets import batch
from workbench.widgets.badge import badge

TASK = "sweetiechat.generate.v1"
SPECS = {spec.name: spec for spec in fields_of(GenerateRequest)}
KNOBS = tuple(name for name in (*TALK, *WORDS, *COUNSEL) if name in SPECS)
SIZE = ("count", "batch")
OWN = ("library", "classifier", "checker", "limits")
"""Fields that :mod:`dialogue_many_choices` makes."""
CONTROLS = ("stop", "continue", "browse")
EXAMPLE: Mapping[str, Json] = {"count": 4, "batch": 4, "min_turns": 4, "max_turns": 8, "language": "en"}
Say = Callable[..., str]


@dataclass(frozen=True)
class Many:
    """The components of the view."""

    run: gr.Textbox
    sent: gr.Textbox
    fields: Mapping[str, Component]
    start: gr.Button
    example: gr.Button
    stop: gr.Button
    go_on: gr.Button
    browse: gr.Button
    progress: gr.HTML
    note: gr.HTML

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`looks`."""
        return [self.progress, self.stop, self.go_on, self.browse, self.sent]


def lay_out(shell: Shell) -> Many:
    """Make the components of the view."""
    run, sent = shell.note(""), shell.note("{}")
    put: dict[str, Component] = {}
    with gr.Row(elem_classes="dt-sheet dt-many"):
        with gr.Column(min_width=300, elem_classes="dt-many-form"):
            put["language"] = gr.Radio([("English", "en"), ("中文", "zh")], value="en", elem_classes="dt-row",
                                       label=shell.label("dialogue.form.language"))
            put["library"] = gr.Dropdown([(shell.label("pipeline.library.bundled"), "")], value="",
                                         allow_custom_value=True, label=shell.label("pipeline.library"),
                                         info=shell.label("pipeline.library.help"))
            put["problems"] = gr.Dropdown([], value=[], multiselect=True, label=shell.label("dialogue.many.problems"),
                                          info=shell.label("dialogue.many.problems.help"))
            with gr.Row(elem_classes="dt-knobs"):
                for name in SIZE:
                    put[name] = knob(shell, SPECS[name])
            put["strategy_set"] = gr.Dropdown([(name, name) for name in cases.STRATEGY_SETS], filterable=False,
                                              value=cases.STRATEGY_SETS[0],
                                              label=shell.label("dialogue.field.strategy_set"))
            put["counselor"] = gr.Radio(
                [(shell.label(f"dialogue.counselor.{mode}"), mode) for mode in choices.MODES],
                value="scored", label=shell.label("dialogue.form.counselor"), elem_classes="dt-row")
            put["classifier"] = gr.Dropdown([], value="", visible=False, allow_custom_value=True,
                                            label=shell.label("dialogue.form.classifier"))
            put["model"] = gr.Dropdown([], value=shell.service.settings.default_model, allow_custom_value=True,
                                       label=shell.label("dialogue.form.model"))
            note = pane()
            with gr.Accordion(shell.label("dialogue.form.models_per_role"), open=False):
                for role in MODEL_ROLES:
                    put[f"{role}_model"] = gr.Dropdown([], value="", allow_custom_value=True,
                                                       label=shell.label(f"dialogue.role.{role}"))
            put |= choices.quality(shell)
            with gr.Accordion(shell.label("dialogue.form.more"), open=False), gr.Row(elem_classes="dt-knobs"):
                for name in KNOBS:
                    put[name] = knob(shell, SPECS[name])
            start = gr.Button(shell.label("dialogue.many.start"), variant="primary")
        with gr.Column(min_width=320, elem_classes="dt-many-work"):
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("dialogue.many.empty")}</p>', apply_default_css=False)
                example = shell.example_button("dialogue.many.example")
            progress = pane()
            with gr.Row(elem_classes="dt-controls"):
                stop = gr.Button(shell.label("dialogue.many.cancel"), size="sm", visible=False)
                go_on = gr.Button(shell.label("dialogue.continue"), size="sm", visible=False)
                browse = gr.Button(shell.label("dialogue.many.browse"), size="sm", visible=False)
            shell.actions(run)
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return Many(run, sent, put, start, example, stop, go_on, browse, progress, note)


def wire(shell: Shell, many: Many) -> None:
    """Connect the form, the buttons and the timer."""
    names = list(many.fields)
    models_of = [many.fields[name] for name in ("model", *(f"{role}_model" for role in MODEL_ROLES))]
    language = many.fields["language"]
    wire_choices(shell, language, models_of)
    choices.wire(shell, many)

    def begin(request: gr.Request, *values: Json) -> str:
        return start(shell, request, dict(zip(names, values, strict=True)))

    def begin_example(request: gr.Request) -> str:
        return start(shell, request, EXAMPLE)

    def draw(request: gr.Request, spoken: str, *chosen: Json) -> str:
        return models.note([str(name or "") for name in chosen], spoken, shell.service.settings,
                           partial(shell.t, shell.lang(request)))

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)
    gr.on(None, shell.guard(draw), [language, *models_of], [many.note], **LATEST)
    many.start.click(shell.guard(begin), [many.fields[name] for name in names], [many.run], **QUEUED)
    many.example.click(shell.guard(begin_example), None, [many.run], **QUEUED)
    run_controls.wire(shell, many.run, many.stop, many.go_on)
    shell.on_poll(look, [many.run, many.sent], many.polled, every=0.5)


def request_of(values: Mapping[str, Json], default_model: str) -> dict[str, Json]:
    """The fields of a ``GenerateRequest`` out of what the view holds; an emptied number takes its default."""
    shared = str(values.get("model") or "").strip() or default_model
    found: dict[str, Json] = {f"{role}_model": str(values.get(f"{role}_model") or "").strip() or shared
                              for role in MODEL_ROLES}
    found |= choices.fields_of_form(values)
    for item in fields(GenerateRequest):
        value = values.get(item.name)
        if item.name in (*found, *OWN) or value is None or value == "":
            continue
        kind = SPECS[item.name].kind
        found[item.name] = round(float(value)) if kind is int else float(value) if kind is float else value
    return found


def start(shell: Shell, request: gr.Request, values: Mapping[str, Json]) -> str:
    """Check the models against the language and make the run; its id."""
    asked = request_of(values, shell.service.settings.default_model)
    lang = shell.lang(request)
    say = partial(shell.t, lang)
    models.check([str(asked[f"{role}_model"]) for role in MODEL_ROLES], str(asked.get("language", "en")),
                 shell.service.settings, say)
    return shell.service.submit(TASK, asked, visitor=shell.visitor(request),
                                title=say("dialogue.many.title", count=asked.get("count", SPECS["count"].default)))


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the job."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    has = (run.path / "artifacts" / "progress.json").exists()
    progress = shell.service.read_artifact(visitor, run_id, "progress.json") if has else None
    return changes_of(looks(run, progress if isinstance(progress, Mapping) else {}, run.owner == visitor, lang,
                            partial(shell.t, lang)), sent, run_id, CONTROLS)


def looks(run: Run, progress: Mapping[str, Json], mine: bool, lang: str, say: Say) -> dict[str, Json]:
    """What every part of the view must show now, by name."""
    failed = run.failure if run.status == "failed" else None
    labels = {key: label for label, key in cases.strategy_names(lang)}
    html = batch.progress(run.status, progress, run.seconds, run.message, failed, labels, say)
    models = list(dict.fromkeys(str(run.fields.get(f"{role}_model")) for role in MODEL_ROLES))
    return {"progress": html + f'<div class="dt-made">{badge("synthetic", models, lang)}</div>',
            "stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused"),
            "browse": bool(progress.get("done"))}

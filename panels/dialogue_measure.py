"""Measure: choose one or two sources, count strategies, words and courses, look at the figures, take them away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.measure_request import ESCONV, MeasureRequest
from backends.sweetiechat.train_data import PRACTICE
from panels import dialogue_sources as sources
from panels import run_controls
from panels.dialogue_form import pane
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.dialogue_watch import changes_of
from workbench.contract import TERMINAL, Json, UserError
from workbench.files import read_json
from workbench.panel import QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.widgets import outcome
from workbench.widgets.facts import files
from workbench.widgets.markup import element, esc
from workbench.widgets.measures import measures

TASK = "sweetiechat.measure.v1"
SPECS = specs_of(MeasureRequest)
NAMES = ("data", "compare", "reference")
LABELS = {"reference": "reference_of"}
SIZE = ("accepted", "strategies", "tokenizer")
MORE = ("quality", "rounds", "limit", "resamples", "level", "seed")
CONTROLS = ("stop", "continue")
EXAMPLE: Mapping[str, Json] = {"data": PRACTICE, "reference": ESCONV}
GIVEN = ("figures.csv", "measure.json")


@dataclass(frozen=True)
class Measure:
    """The components of the view."""

    run: gr.Textbox
    sent: gr.Textbox
    fields: Mapping[str, Component]
    buttons: Mapping[str, gr.Button]
    parts: Mapping[str, gr.HTML]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`looks`."""
        return [*self.parts.values(), *(self.buttons[name] for name in CONTROLS), self.sent]


def lay_out(shell: Shell) -> Measure:
    """Make the components of the view."""
    run, sent = shell.note(""), shell.note("{}")
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="dt-hello"):
        gr.HTML(f'<h3 class="dt-title">{shell.label("measure.title")}</h3><p>{shell.label("measure.about")}</p>',
                apply_default_css=False)
        buttons["example"] = shell.example_button("measure.example")
    put: dict[str, Component] = {}
    with gr.Row(elem_classes="ms-form"):
        first = {"data": (PRACTICE, "measure.practice"), "compare": ("", "measure.nothing"),
                 "reference": (ESCONV, "measure.esconv")}
        for name in NAMES:
            value, text = first[name]
            put[name] = gr.Dropdown([(shell.label(text), value)], value=value, allow_custom_value=True,
                                    label=shell.label(f"measure.{LABELS.get(name, name)}"),
                                    info=shell.label(f"measure.{name}.help"))
    with gr.Accordion(shell.label("measure.settings"), open=False, elem_classes="wb-group"):
        for names in (SIZE, MORE):
            with gr.Row(elem_classes="dt-knobs sc-knobs"):
                for name in names:
                    put[name] = knob(shell, SPECS[name], "measure")
    with gr.Row(elem_classes="dt-controls"):
        buttons["start"] = gr.Button(shell.label("measure.start"), variant="primary")
        buttons["stop"] = gr.Button(shell.label("scenarios.stop"), size="sm", visible=False)
        buttons["continue"] = gr.Button(shell.label("dialogue.continue"), size="sm", visible=False)
    parts = {"strip": pane()}
    shell.actions(run)
    parts["report"] = pane()
    return Measure(run, sent, put, buttons, parts)


def wire(shell: Shell, view: Measure, tab: gr.Tab) -> None:
    """Connect the form, the lists of sources and the timer."""
    names, inputs = list(view.fields), list(view.fields.values())
    pickers = [view.fields[name] for name in NAMES]

    def begin(request: gr.Request, *values: Json) -> str:
        return make(shell, request, dict(zip(names, values, strict=True)))

    def begin_example(request: gr.Request) -> str:
        return make(shell, request, EXAMPLE)

    def offer(request: gr.Request) -> list[Any]:
        return choices(shell, request)

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)
    gr.on([tab.select], offer, None, pickers, **QUICK)
    gr.on(None, offer, None, pickers, **QUICK)
    view.buttons["start"].click(shell.guard(begin), inputs, [view.run], **QUEUED)
    view.buttons["example"].click(shell.guard(begin_example), None, [view.run], **QUEUED)
    run_controls.wire(shell, view.run, view.buttons["stop"], view.buttons["continue"])
    shell.on_poll(look, [view.run, view.sent], view.polled, every=0.7)


def choices(shell: Shell, request: gr.Request) -> list[Any]:
    """Updates of the three lists: what is measured, with what it is compared, whose mix is the reference."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    found = sources.offered(shell, visitor, lang)
    return [gr.update(choices=found), gr.update(choices=[(shell.t(lang, "measure.nothing"), ""), *found]),
            gr.update(choices=[(shell.t(lang, "measure.esconv"), ESCONV), *found])]


def make(shell: Shell, request: gr.Request, values: Mapping[str, Json]) -> str:
    """Make the run; its id. Raises ``UserError`` when nothing was chosen."""
    asked = fields_from(SPECS, ((name, _plain(name, value)) for name, value in values.items()))
    lang, visitor = shell.lang(request), shell.visitor(request)
    if not asked.get("data"):
        raise UserError(shell.t(lang, "measure.choose"))
    names = sources.titles(shell, visitor, lang)
    called = [names.get(str(asked[name]), str(asked[name])).split(" · ")[0] for name in ("data", "compare")
              if asked.get(name)]
    title = shell.t(lang, "measure.run_title", name=shell.t(lang, "measure.against").join(called))
    return shell.service.submit(TASK, asked, visitor=visitor, title=title[:120])


def _plain(name: str, value: Json) -> Json:
    """A chosen reference: a typed run id becomes a reference to it, a typed absolute path too."""
    if name not in NAMES or not isinstance(value, str):
        return "" if name == "compare" and value is None else value
    text = value.strip()
    if text.startswith(("/", "~")):
        return f"path:{text}"
    return f"run:{text}" if text[:8].isdecimal() and text[8:9] == "T" else text


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the job."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    names: Mapping[str, str] = {}
    if run.status == "succeeded" and f'"{run_id}/{lang}"' not in sent:
        names = sources.titles(shell, visitor, lang)
    elif run.status == "succeeded":
        return gr.skip()
    made = [(item, shell.service.artifact_path(visitor, run_id, item.name).stat().st_size)
            for item in shell.service.artifacts(visitor, run_id) if item.name in GIVEN]
    look = looks(run, names, files(run_id, made, lang) if run.status == "succeeded" else "",
                 run.owner == visitor, partial(shell.t, lang), lang)
    done = "" if run.status == "succeeded" else "/going"
    return changes_of(look, sent, f"{run_id}/{lang}{done}", CONTROLS)


def looks(run: Run, titles: Mapping[str, str], given: str, mine: bool, say: Any, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name."""
    path = run.path / "artifacts" / "measure.json"
    done = run.status == "succeeded" and path.is_file()
    head = element("div", given, class_="ms-files") if done else strip(run, say)
    return {"strip": head, "report": measures(_report(path, path.stat().st_mtime_ns), titles, lang) if done else "",
            "stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused")}


def strip(run: Run, say: Any) -> str:
    """What the job does now, or why it ended without figures."""
    if run.status == "failed" and run.failure:
        return outcome.failure(str(run.failure.get("cause", "")), str(run.failure.get("advice", "")), say)
    words = say(f"scenarios.{run.status}") if run.status != "running" else run.message or say("measure.busy")
    phase = element("div", '<i class="dt-dot"></i>' + esc(words), class_="dt-phase", role="status")
    return element("div", phase, class_=f"dt dt-strip dt-is-{run.status}")


@lru_cache(maxsize=16)
def _report(path: Path, changed: int) -> Json:
    return read_json(path, {})

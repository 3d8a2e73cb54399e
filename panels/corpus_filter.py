"""Filter: choose texts and a recipe, start the run, watch it, look at what became of the documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.mdfg.requests import SAMPLE
from panels import corpus_filter_form as forms
from panels import corpus_filter_recipe as recipes
from panels import corpus_filter_work as work
from panels import run_controls
from panels.corpus_filter_form import NAMES, TASK
from panels.dialogue_form import pane
from panels.form_fields import Form
from workbench.contract import Json
from workbench.panel import LATEST, QUEUED, QUICK, Shell

__all__ = ["TASK", "Filter", "lay_out", "wire"]
CHECKED = ("recipe", "scorers", "near_duplicates")
"""Fields that the sheet of the recipe follows."""


@dataclass(frozen=True)
class Filter:
    """The components of the view. ``run`` is the run that is watched here, ``corpus`` the one that is looked at."""

    run: gr.Textbox
    corpus: gr.Textbox
    sent: gr.Textbox
    form: Form
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`panels.corpus_filter_work.looks`."""
        return [*(self.html[name] for name in work.PARTS), *(self.buttons[name] for name in work.CONTROLS), self.sent]


def lay_out(shell: Shell, shelf: Any, corpus: gr.Textbox) -> Filter:
    """Make the components of the view: the form on the left, the run on the right."""
    run, sent, form = shell.note(""), shell.note("{}"), Form(NAMES)
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="dt-sheet dt-many cf"):
        with gr.Column(min_width=300, elem_classes="dt-many-form cf-form"):
            forms.lay_out(shell, form)
            buttons["start"] = gr.Button(shell.label("corpus_filter.start"), variant="primary", elem_classes="tr-go")
        with gr.Column(min_width=320, elem_classes="dt-many-work cf-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("corpus_filter.earlier"), elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("corpus_filter.empty")}</p>', apply_default_css=False)
                buttons["example"] = shell.example_button("corpus_filter.example")
            html = {"strip": pane()}
            with gr.Row(elem_classes="dt-controls"):
                for name in work.CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"corpus_filter.do.{name}"), size="sm", visible=False,
                                              variant="primary" if name == "look" else "secondary")
            html["outcome"] = pane()
            shell.actions(run)
            html |= {name: pane() for name in ("files", "stages", "problems")}
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return Filter(run, corpus, sent, form, earlier, html, buttons)


def wire(shell: Shell, view: Filter, tab: gr.Tab, modes: gr.Tabs | None = None) -> None:
    """Connect the form, the timer and "look at it", which shows the tab ``inspect`` of ``modes``."""
    _wire_form(shell, view, tab)
    _wire_run(shell, view, tab, modes)


def _wire_form(shell: Shell, view: Filter, tab: gr.Tab) -> None:
    form = view.form
    lists = [form.fields["sources"], form.fields["scorers"]]
    brought, recipe = form.parts["brought"], form.fields["recipe"]

    def offer(known: str, request: gr.Request) -> list[Any]:
        return forms.offered(shell, request, known)

    def take(path: str, known: str, chosen: Json, request: gr.Request) -> tuple[str, Any]:
        return bring(shell, request, Path(path), known, chosen)

    def fill(name: str) -> list[Any]:
        return [forms.preset_text(name) or gr.skip(), list(forms.scorers_for(name))]

    def check(text: str, scorers: Json, near: str, request: gr.Request) -> str:
        return recipes.shown(text, [str(name) for name in scorers or ()], near, shell.lang(request))

    def begin(request: gr.Request, *values: Json) -> str:
        return forms.make(shell, request, forms.fields_of(dict(zip(NAMES, values, strict=True))))

    def begin_example(request: gr.Request) -> str:
        return forms.make(shell, request, forms.EXAMPLE)
    gr.on([tab.select, *(part.focus for part in lists if isinstance(part, gr.Dropdown))], offer, [brought], lists,
          **QUICK)
    gr.on(None, offer, [brought], lists, **QUICK)
    form.parts["bring"].upload(shell.guard(take), [form.parts["bring"], brought, form.fields["sources"]],
                               [brought, form.fields["sources"]], **QUEUED)
    form.parts["preset"].input(fill, [form.parts["preset"]], [recipe, form.fields["scorers"]], **QUICK)
    gr.on(None, shell.guard(check), [form.fields[name] for name in CHECKED], [form.parts["sheet"]], **LATEST)
    view.buttons["start"].click(shell.guard(begin), form.inputs, [view.run], **QUEUED)
    view.buttons["example"].click(shell.guard(begin_example), None, [view.run], **QUEUED)


def _wire_run(shell: Shell, view: Filter, tab: gr.Tab, modes: gr.Tabs | None) -> None:
    def list_runs(run_id: str, request: gr.Request) -> Any:
        found = work.choices(shell, shell.visitor(request), shell.lang(request))
        return gr.update(choices=found, value=run_id or None)

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return work.tick(shell, run_id, sent, request)

    def inspect(run_id: str) -> tuple[str, Any]:
        return run_id, gr.Tabs(selected="inspect")

    def compare(run_id: str) -> tuple[str, Any]:
        return run_id, gr.Tabs(selected="compare")
    gr.on([tab.select, view.run.change], list_runs, [view.run], [view.earlier], **QUICK)
    gr.on(None, list_runs, [view.run], [view.earlier], **QUICK)
    view.earlier.input(lambda chosen: chosen or "", [view.earlier], [view.run], **QUICK)
    run_controls.wire(shell, view.run, view.buttons["stop"], view.buttons["continue"])
    if modes is not None:
        view.buttons["look"].click(inspect, [view.run], [view.corpus, modes], **QUICK)
        view.buttons["compare"].click(compare, [view.run], [view.corpus, modes], **QUICK)
    shell.on_poll(look, [view.run, view.sent], view.polled, every=0.7)


def bring(shell: Shell, request: gr.Request, path: Path, brought: str, chosen: Json) -> tuple[str, Any]:
    """Take a file in and choose it; the sample gives way to the first one."""
    reference, name = forms.take_in(shell, path)
    named = json.dumps({**forms.taken(brought), reference: name}, ensure_ascii=False)
    before: Sequence[str] = [str(part) for part in chosen or () if str(part) not in (SAMPLE, reference)]
    offered = forms.sources(shell, shell.visitor(request), shell.lang(request), named)
    return named, gr.update(choices=offered, value=[*before, reference])

"""Train: make a translator out of sentence pairs, watch its curves, measure quality against latency, then use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sm2.requests import TrainRequest
from panels import drawn_form, run_controls, run_list
from panels import translation_curves as curves
from panels import translation_train_form as forms
from panels import translation_train_view as view
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from panels.translation_desk import Desk, Handed
from workbench.contract import Json
from workbench.fields import to_json
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets.loose import listed


@dataclass(frozen=True)
class View:
    """The components of the view; notes by name (``run``, ``sent``, ``asked``: see ``translation_train_form``,
    ``brought``), buttons and the two lists of curves by the names of :data:`translation_train_view.CONTROLS`."""

    notes: Mapping[str, gr.Textbox]
    kind: gr.Radio
    example: gr.Button
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    controls: Mapping[str, Any]

    @property
    def run(self) -> gr.Textbox:
        """The note of the run that is shown."""
        return self.notes["run"]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`translation_train_view.looks`."""
        return [*(self.html[name] for name in view.PARTS), *(self.controls[name] for name in view.CONTROLS),
                self.notes["sent"]]


def lay_out(shell: Shell) -> View:
    """Make the components of the view; the form itself is drawn when the view is opened."""
    notes = {name: shell.note("") for name in ("run", "sent", "asked", "brought")}
    controls: dict[str, Any] = {}
    with gr.Row(elem_classes="dt-sheet dt-many tr-train"):
        with gr.Column(min_width=300, elem_classes="dt-many-form"):
            kind = gr.Radio([(shell.label(f"translation.train.kind.{name}"), name) for name in forms.KINDS],
                            value="translator", label=shell.label("translation.train.kind"), elem_classes="dt-row")
            form = gr.Column()
        with gr.Column(min_width=320, elem_classes="dt-many-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("translation.train.earlier"),
                                  elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("translation.train.empty")}</p>', apply_default_css=False)
                example = shell.example_button("translation.train.example")
            html = {"head": pane()}
            with gr.Row(elem_classes="dt-controls"):
                for name in view.CONTROLS[:-2]:
                    controls[name] = gr.Button(shell.label(f"translation.train.do.{name}"), size="sm", visible=False,
                                               variant="primary" if name == "play" else "secondary")
            shell.actions(notes["run"])
            html |= {"curves": pane(), "result": pane()}
            with gr.Row(elem_classes="tl-beside"):
                controls["beside"] = gr.Dropdown([], value=[], multiselect=True, max_choices=curves.MOST_BESIDE - 1,
                                                 visible=False, label=shell.label("translation.curve.beside"),
                                                 info=shell.label("translation.curve.beside.help"))
                controls["family"] = gr.Dropdown([], value=None, visible=False,
                                                 label=shell.label("translation.curve.family"),
                                                 info=shell.label("translation.curve.family.help"))
            html["beside"] = pane()
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [notes["run"]], [hint], **QUICK)
    drawn_form.draw(form, [notes["asked"], notes["brought"]], forms.asked, partial(forms.lay, shell, notes))
    return View(notes, kind, example, earlier, html, controls)


def wire(shell: Shell, made: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form's kind, the buttons, the lists and the timer."""
    _wire_form(shell, made, tab)
    _wire_run(shell, made, tab)
    _hand_over(shell, made, desk)


def _wire_form(shell: Shell, made: View, tab: gr.Tab) -> None:
    def show(note: str, kind: str, request: gr.Request) -> Any:
        known = forms.asked(note)
        same = known is not None and known.kind == kind and known.lang == shell.lang(request)
        return gr.skip() if same else forms.plan(shell, request, kind)

    def begin_example(request: gr.Request) -> str:
        return forms.start(shell, request, forms.EXAMPLE)

    def tune(run_id: str, request: gr.Request) -> list[Any]:
        fields = shell.service.run(shell.visitor(request), run_id).fields
        again = {**to_json(TrainRequest()), **fields, "start": f"run:{run_id}/model", "objective": "sm2"}
        return ["translator", forms.plan(shell, request, "translator", again)]

    def measure(run_id: str, request: gr.Request) -> list[Any]:
        return ["curve", forms.plan(shell, request, "curve", models=[f"run:{run_id}/model"])]
    asked = made.notes["asked"]
    for event in (tab.select, made.kind.change):
        event(show, [asked, made.kind], [asked], **QUICK)
    made.example.click(shell.guard(begin_example), None, [made.run], **QUEUED)
    for name, handler in (("tune", tune), ("measure", measure)):
        made.controls[name].click(shell.guard(handler), [made.run], [made.kind, asked], **QUEUED)


def _wire_run(shell: Shell, made: View, tab: gr.Tab) -> None:
    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)

    def offer(run_id: str, request: gr.Request) -> list[Any]:
        return curves.offered(shell, request, run_id)

    def again(run_id: str, request: gr.Request) -> list[Any]:
        return [gr.update(choices=part.get("choices")) for part in curves.offered(shell, request, run_id)[:2]]

    def beside(run_id: str, others: Json, family: Json, request: gr.Request) -> str:
        return curves.beside(shell, request, run_id, [str(one) for one in listed(others)], str(family or ""))
    lists = [made.controls["beside"], made.controls["family"]]
    run_list.wire(shell, made.run, made.earlier, [tab.select, made.earlier.focus, made.run.change], view.choices)
    run_controls.wire(shell, made.run, made.controls["stop"], made.controls["continue"])
    made.run.change(shell.guard(offer), [made.run], [*lists, made.html["beside"]], **QUEUED)
    for part in lists:
        part.focus(shell.guard(again), [made.run], lists, **QUICK)
        part.input(shell.guard(beside), [made.run, *lists], [made.html["beside"]], **LATEST)
    shell.on_poll(look, [made.run, made.notes["sent"]], made.polled, every=1.0)


def _hand_over(shell: Shell, made: View, desk: Desk) -> None:
    def translate(run_id: str) -> list[Any]:
        return [gr.Tabs(selected="translate"), Handed("", f"run:{run_id}/model").note()]

    def play(run_id: str) -> list[Any]:
        return [gr.Tabs(selected="simul"), Handed("", f"run:{run_id}/model").note()]
    made.controls["translate"].click(translate, [made.run], [desk.modes, desk.system], **QUICK)
    made.controls["play"].click(play, [made.run], [desk.modes, desk.sentence], **QUICK)


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: what changed since the last one."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    return changes_of(view.looks(shell, visitor, run, lang), sent, f"{run_id}/{lang}", view.CONTROLS)

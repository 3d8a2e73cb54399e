"""Data set: how well emotions are heard in a manifest of clips; the confusion, every speaker, every error by ear."""

from __future__ import annotations

from typing import Any

import gradio as gr

from panels import result_view
from panels import speech_set_data as data
from panels import speech_set_draw as draw
from panels import speech_set_form as forms
from panels import speech_set_work as work
from panels.dialogue_form import pane
from panels.form_fields import Form
from panels.result_view import View
from panels.speech_desk import Desk
from panels.speech_set_files import shown
from panels.speech_set_look import look, pressed
from workbench.contract import Json
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import speech_clips
from workbench.widgets.corpus_press import PRESS
from workbench.widgets.speech_wave import PLAY

READER = result_view.Reader(data.read, look, pressed, data.chosen, speech_clips.PAGE, {
    "verdict": draw.verdict, "confusion": draw.confusion, "speakers": draw.speakers, "clips": draw.listing,
    "reader": draw.reader})
"""How a finished measurement is read and drawn; its panes in the order of the page."""
VIEWS = tuple(READER.panes)
PRESSED = ("confusion", "speakers", "clips")
"""Panes that have buttons of ours."""


def lay_out(shell: Shell) -> View:
    """Make the components of the view: clips and settings above, the scores and what is behind them below."""
    run, done, sent, looked = shell.note(""), shell.note(""), shell.note("{}"), shell.note("{}")
    form = Form(forms.NAMES)
    buttons: dict[str, gr.Button] = {}
    html = {"intake": gr.HTML("", apply_default_css=False, elem_classes=["dt-pane"], render=False)}
    with gr.Column(elem_classes=["mt-view", "ss-view"]):
        with gr.Row(elem_classes="mt-hello") as hint:
            gr.HTML(f'<p class="dt-hint">{shell.label("speech_set.empty")}</p>', apply_default_css=False)
            buttons["example"] = shell.example_button("speech_set.example")
        with gr.Accordion(shell.label("speech_set.form"), open=True, elem_classes="mt-fold") as folded:
            forms.lay_out(shell, form, html["intake"])
        earlier = gr.Dropdown([], value=None, label=shell.label("speech_set.earlier"), elem_classes="tr-earlier")
        html["head"] = pane()
        with gr.Row(elem_classes="dt-controls"):
            for name in work.CONTROLS:
                buttons[name] = gr.Button(shell.label(f"speech_set.do.{name}"), size="sm", visible=False)
        shell.actions(run)
        with gr.Row(elem_classes="mt-split"):
            html["verdict"] = pane("", "mt-left")
            with gr.Column(elem_classes=["mt-right", "mt-beside"]):
                html["confusion"], html["speakers"] = pane(PRESS), pane(PRESS)
        with gr.Row(elem_classes="mt-split"):
            html["clips"], html["reader"] = pane(PRESS, "mt-left"), pane(PLAY, "mt-right")
        html["files"] = pane()
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return View(run, done, sent, looked, form, folded, earlier, html, buttons, work.SHEET, VIEWS)


def wire(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form, the run, and what is looked at in it."""
    _wire_form(shell, view, tab, desk)
    result_view.follow_run(shell, view, tab, work.choices, work.tick)
    result_view.look_into(shell, view, READER, PRESSED)
    shell.keep_state("speech", view.look)


def _wire_form(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    fields, part = view.form.fields, view.form.parts

    def begin_measure(request: gr.Request, *values: Json) -> str:
        return forms.make(shell, request, values)

    def begin_practice(request: gr.Request) -> str:
        return forms.example(shell, request)

    def bring_clips(paths: Json) -> tuple[Any, None]:
        return (forms.bring(shell, [str(path) for path in paths]) if paths else gr.skip()), None

    def draw_clips(manifest: str, root: str, request: gr.Request) -> str:
        return shown(shell, shell.visitor(request), manifest or "", root or "", shell.lang(request))

    def offer_recognisers(chosen: str, request: gr.Request) -> Any:
        found = forms.recognisers(shell, shell.visitor(request), shell.lang(request))
        if chosen and chosen not in [reference for _, reference in found]:
            found.append((chosen, chosen))
        return gr.update(choices=found)

    def handed_recogniser(reference: str) -> Any:
        return reference or gr.skip()
    manifest, root, recogniser = (fields[name] for name in ("manifest", "root", "recogniser"))
    part["start"].click(shell.guard(begin_measure), view.form.inputs, [view.run], **QUEUED)
    view.buttons["example"].click(shell.guard(begin_practice), None, [view.run], **QUEUED)
    part["bring"].upload(shell.guard(bring_clips), [part["bring"]], [manifest, part["bring"]], **QUEUED)
    gr.on(None, shell.guard(draw_clips), [manifest, root], [view.html["intake"]], **LATEST)
    gr.on([tab.select, view.done.change, recogniser.focus], offer_recognisers, [recogniser],
          [recogniser], **QUICK)
    desk.recogniser.change(handed_recogniser, [desk.recogniser], [recogniser], **QUICK)

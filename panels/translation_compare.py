"""Compare: any number of systems and references; scores with their tests, and where the systems differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from panels import corpus_turns, result_view
from panels import translation_compare_data as data
from panels import translation_compare_draw as draw
from panels import translation_compare_form as forms
from panels import translation_compare_work as work
from panels.dialogue_form import pane
from panels.form_fields import Form
from panels.result_view import View
from panels.translation_compare_form import NAMES, NOTES
from panels.translation_compare_look import look, pressed
from panels.translation_desk import COMPARE, Desk
from panels.translation_files import take_in
from workbench.contract import Json
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import mt_segments
from workbench.widgets.corpus_press import PRESS
from workbench.widgets.mt_segments import SHOW

READER = result_view.Reader(data.load, look, pressed, data.chosen, mt_segments.PAGE, {
    "verdict": draw.verdict, "pairs": draw.pairs, "reader": draw.reader, "grams": draw.grams, "segments": draw.listing,
    "parts": draw.parts})
"""How a finished comparison is read and drawn; its panes in the order of the page."""
VIEWS = tuple(READER.panes)


def lay_out(shell: Shell) -> View:
    """Make the components of the view: what is compared above, the verdict and what is behind it below."""
    run, done, sent, looked = shell.note(""), shell.note(""), shell.note("{}"), shell.note("{}")
    form = Form(NAMES, NOTES)
    buttons: dict[str, gr.Button] = {}
    html = {"intake": gr.HTML("", js_on_load=PRESS, apply_default_css=False, elem_classes=["dt-pane"], render=False)}
    with gr.Column(elem_classes="mt-view"):
        with gr.Row(elem_classes="mt-hello") as hint:
            gr.HTML(f'<p class="dt-hint">{shell.label("translation_compare.empty")}</p>', apply_default_css=False)
            buttons["example"] = shell.example_button("translation_compare.example")
        with gr.Accordion(shell.label("translation_compare.form"), open=True, elem_classes="mt-fold") as folded:
            forms.lay_out(shell, form, html["intake"])
        earlier = gr.Dropdown([], value=None, label=shell.label("translation_compare.earlier"),
                              elem_classes="tr-earlier")
        html["strip"] = pane()
        with gr.Row(elem_classes="dt-controls"):
            for name in work.CONTROLS:
                buttons[name] = gr.Button(shell.label(f"translation_compare.do.{name}"), size="sm", visible=False)
        html["head"] = pane()
        shell.actions(run)
        with gr.Row(elem_classes="mt-split"):
            html["verdict"], html["pairs"] = pane(PRESS, "mt-left"), pane(PRESS, "mt-right")
        with gr.Row(elem_classes="mt-split"):
            html["segments"] = pane(PRESS, "mt-left")
            with gr.Column(elem_classes=["mt-right", "mt-beside"]):
                html["reader"], html["grams"] = pane(PRESS + SHOW), pane(PRESS)
        html["parts"], html["files"] = pane(PRESS), pane()
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return View(run, done, sent, looked, form, folded, earlier, html, buttons, work.SHEET, VIEWS)


def wire(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form, the run, and what is looked at in it."""
    _wire_files(shell, view)
    _wire_form(shell, view, desk)
    result_view.follow_run(shell, view, tab, work.choices, work.tick)
    result_view.look_into(shell, view, READER, VIEWS)
    shell.keep_state("translation", view.look)


def _wire_files(shell: Shell, view: View) -> None:
    part, fields = view.form.parts, view.form.fields
    held, human = part["held"], part["human"]

    def bring(paths: Json, note: str) -> tuple[str, None]:
        return forms.bring(shell, [str(path) for path in paths or ()], note), None

    def paste(text: str, name: str, note: str) -> tuple[str, str, str]:
        return forms.paste(shell, text, name, note), "", ""

    def draw_files(note: str, language: str, tokenizer: str, request: gr.Request) -> str:
        return forms.drawn(shell, request, note, language, tokenizer)

    def press(note: str, request: gr.Request, event: gr.EventData) -> str:
        return forms.pressed(shell, request, note, event._data)

    def bring_human(path: str | None) -> Any:
        return take_in(shell, Path(path)) if path else ""
    corpus_turns.in_turn([part["bring"].upload], shell.guard(bring), [part["bring"], held], [held, part["bring"]])
    corpus_turns.in_turn([part["add"].click], shell.guard(paste), [part["text"], part["name"], held],
                         [held, part["text"], part["name"]])
    corpus_turns.pressed(view.html["intake"], shell.guard(press), [held], [held])
    gr.on([held.change, fields["language"].change, fields["tokenizer"].change], shell.guard(draw_files),
          [held, fields["language"], fields["tokenizer"]], [view.html["intake"]], **LATEST)
    gr.on([part["human_file"].upload, part["human_file"].clear], shell.guard(bring_human), [part["human_file"]],
          [human], **QUEUED)


def _wire_form(shell: Shell, view: View, desk: Desk) -> None:
    def begin(note: str, human: str, request: gr.Request, *values: Json) -> str:
        return forms.make(shell, request, note, human, values)

    def begin_example(request: gr.Request) -> str:
        return forms.example(shell, request)

    def handed(run_id: str, request: gr.Request) -> list[Any]:
        if not run_id:
            return [gr.skip(), gr.skip()]
        if shell.service.run(shell.visitor(request), run_id).task == COMPARE:
            return [run_id, gr.skip()]
        return ["", forms.from_run(shell, request, run_id)]
    inputs = view.form.inputs
    assert len(inputs) == 2 + len(NAMES)
    corpus_turns.in_turn([view.form.parts["start"].click], shell.guard(begin), inputs, [view.run])  # after a renaming
    view.buttons["example"].click(shell.guard(begin_example), None, [view.run], **QUEUED)
    desk.compared.change(shell.guard(handed), [desk.compared], [view.run, view.form.parts["held"]], **QUEUED)

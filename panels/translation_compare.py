"""Compare: any number of systems and references; scores with their tests, and where the systems differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import corpus_turns, run_controls
from panels import translation_compare_data as data
from panels import translation_compare_draw as draw
from panels import translation_compare_form as forms
from panels import translation_compare_work as work
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from panels.translation_compare_form import NAMES, Form
from panels.translation_compare_look import look, pressed
from panels.translation_desk import COMPARE, Desk
from panels.translation_files import take_in
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import mt_segments, outcome
from workbench.widgets.corpus_press import PRESS
from workbench.widgets.mt_segments import SHOW

VIEWS = ("verdict", "pairs", "reader", "grams", "segments", "parts")
"""What is drawn of a finished comparison, in the order of the page."""


@dataclass(frozen=True)
class Compare:
    """The components of the view. ``run`` is the comparison that is shown, ``done`` the same once it has succeeded,
    ``look`` what is looked at in it."""

    run: gr.Textbox
    done: gr.Textbox
    sent: gr.Textbox
    look: gr.Textbox
    form: Form
    folded: gr.Accordion
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`panels.translation_compare_work.looks`."""
        return [*(self.html[name] for name in work.PARTS), *(self.buttons[name] for name in work.CONTROLS), self.done,
                self.sent]

    @property
    def drawn(self) -> list[Component]:
        """The panes of a finished comparison, in the order of :data:`VIEWS`."""
        return [self.html[name] for name in VIEWS]


def lay_out(shell: Shell) -> Compare:
    """Make the components of the view: what is compared above, the verdict and what is behind it below."""
    run, done, sent, looked, form = shell.note(""), shell.note(""), shell.note("{}"), shell.note("{}"), Form()
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
    return Compare(run, done, sent, looked, form, folded, earlier, html, buttons)


def wire(shell: Shell, view: Compare, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form, the run, and what is looked at in it."""
    _wire_files(shell, view)
    _wire_form(shell, view, desk)
    _wire_run(shell, view, tab)
    _wire_look(shell, view)
    shell.keep_state("translation", view.look)


def _wire_files(shell: Shell, view: Compare) -> None:
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


def _wire_form(shell: Shell, view: Compare, desk: Desk) -> None:
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


def _wire_run(shell: Shell, view: Compare, tab: gr.Tab) -> None:
    def list_runs(run_id: str, request: gr.Request) -> Any:
        return gr.update(choices=work.choices(shell, shell.visitor(request), shell.lang(request)), value=run_id or None)

    def follow(run_id: str, sent: str, request: gr.Request) -> Any:
        return work.tick(shell, run_id, sent, request)

    def fold(run_id: str) -> Any:
        return gr.update(open=not run_id)
    gr.on([tab.select, view.run.change], list_runs, [view.run], [view.earlier], **QUICK)
    gr.on([view.run.change], fold, [view.run], [view.folded], **QUICK)
    view.earlier.input(lambda chosen: chosen or "", [view.earlier], [view.run], **QUICK)
    run_controls.wire(shell, view.run, view.buttons["stop"], view.buttons["continue"])
    shell.on_poll(follow, [view.run, view.sent], view.polled, every=0.7)


def _wire_look(shell: Shell, view: Compare) -> None:
    marks = shell.note("{}")

    def redraw(done: str, note: str, sent: str, request: gr.Request) -> list[Any]:
        made = dict(zip(VIEWS, drawing(shell, request, done, note), strict=True))
        return changes_of(made, sent, f"{done}/{shell.lang(request)}", ())  # the matrix of 13 systems alone is 70 kB

    def press(done: str, note: str, request: gr.Request, event: gr.EventData) -> str:
        return after(shell, request, done, note, event._data)
    gr.on([view.done.change, view.look.change], shell.guard(redraw), [view.done, view.look, marks],
          [*view.drawn, marks], **LATEST)
    for component in view.drawn:
        corpus_turns.pressed(component, shell.guard(press), [view.done, view.look], [view.look])  # type: ignore[arg-type]


def drawing(shell: Shell, request: gr.Request, done: str, note: str) -> list[str]:
    """Every pane of a finished comparison; empty ones without, and the reason where its files cannot be read."""
    if not done:
        return [""] * len(VIEWS)
    lang, now = shell.lang(request), look(note, done)
    try:
        of = data.load(shell.service.run(shell.visitor(request), done))
    except UserError as error:
        return [outcome.refusal(error.message, error.advice), *[""] * (len(VIEWS) - 1)]
    drawn = {"verdict": draw.verdict, "pairs": draw.pairs, "reader": draw.reader, "grams": draw.grams,
             "segments": draw.listing, "parts": draw.parts}
    return [drawn[name](of, now, lang) for name in VIEWS]


def after(shell: Shell, request: gr.Request, done: str, note: str, given: Mapping[str, Json]) -> str:
    """The look after a press; a step goes along the segments that are listed, and turns the page with them."""
    now = look(note, done)
    if given.get("act") != "step":
        return pressed(now, given).note()
    of = data.load(shell.service.run(shell.visitor(request), done))
    order = {place: one.index for place, one in enumerate(data.chosen(of, now))}
    made = pressed(now, given, order)
    place = next((place for place, index in order.items() if index == made.open), 0)
    return replace(made, page=place - place % mt_segments.PAGE).note()

"""Train: from a small language model that answers by emotion to a model that hears it, one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import drawn_form, run_controls, run_list
from panels import speech_train_chain as chains
from panels import speech_train_form as forms
from panels import speech_train_view as view
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from panels.speech_desk import Desk
from workbench.contract import UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.widgets.casepicker import PRESS

SCROLL = """element.addEventListener('click', (e) => {
  if (e.target.closest('[data-act=step]')) setTimeout(() => {
    document.querySelector('.sn-train .sn-form-title')?.scrollIntoView({block: 'nearest', behavior: 'smooth'});
  }, 900);
});"""
"""Brings the form into view after a press that asks for it: on a narrow page it lies far below the steps."""


@dataclass(frozen=True)
class View:
    """The components of the view; notes by name (``run``, ``sent``, ``asked``: see ``speech_train_form``,
    ``brought``), panes and buttons by the names of :mod:`panels.speech_train_view`."""

    notes: Mapping[str, gr.Textbox]
    example: gr.Button
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]

    @property
    def run(self) -> gr.Textbox:
        """The note of the run that is shown."""
        return self.notes["run"]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`speech_train_view.looks`."""
        return [*(self.html[name] for name in view.PARTS), *(self.buttons[name] for name in view.CONTROLS),
                self.notes["sent"]]


def lay_out(shell: Shell) -> View:
    """Make the components of the view; the form itself is drawn when the view is opened."""
    notes = {name: shell.note("") for name in ("run", "sent", "asked", "brought")}
    buttons: dict[str, gr.Button] = {}
    html = {"chain": pane(PRESS + SCROLL, "sn-chain-pane")}
    with gr.Row(elem_classes="dt-sheet dt-many tr-train sn-train"):
        with gr.Column(min_width=300, elem_classes="dt-many-form"):
            form = gr.Column()
        with gr.Column(min_width=320, elem_classes="dt-many-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("speech.train.earlier"), elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("speech.train.empty")}</p>', apply_default_css=False)
                example = shell.example_button("speech.train.example")
            html["head"] = pane()
            with gr.Row(elem_classes="dt-controls"):
                for name in view.CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"speech.train.do.{name}"), size="sm", visible=False,
                                              variant="primary" if name == "next" else "secondary")
            shell.actions(notes["run"])
            html |= {"curves": pane(), "result": pane()}
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [notes["run"]], [hint], **QUICK)
    drawn_form.draw(form, [notes["asked"], notes["brought"]], forms.asked, partial(forms.lay, shell, notes))
    return View(notes, example, earlier, html, buttons)


def wire(shell: Shell, made: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the chain, the form, the buttons and the timer."""
    run, asked = made.run, made.notes["asked"]

    def show(note: str, run_id: str, request: gr.Request) -> Any:
        known = forms.asked(note)
        if known is not None and known.lang == shell.lang(request):
            return gr.skip()
        return prepared(shell, request, run_id, known.step if known else "")

    def begin_example(request: gr.Request) -> str:
        return forms.start(shell, request, "stage1", forms.EXAMPLE)

    def press(run_id: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        act, key = str(event._data.get("act")), str(event._data.get("key"))
        if act == "run":
            return [key, gr.skip()]
        return [gr.skip(), prepared(shell, request, run_id, key)]

    def following(run_id: str, request: gr.Request) -> str:
        return prepared(shell, request, run_id, "")

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)
    tab.select(show, [asked, run], [asked], **QUICK)
    made.example.click(shell.guard(begin_example), None, [run], **QUEUED)
    made.html["chain"].select(shell.guard(press), [run], [run, asked], **QUEUED)
    made.buttons["next"].click(shell.guard(following), [run], [asked], **QUEUED)
    run_list.wire(shell, run, made.earlier, [tab.select, made.earlier.focus, run.change], view.choices)
    run_controls.wire(shell, run, made.buttons["stop"], made.buttons["continue"])
    made.buttons["talk"].click(lambda run_id: [gr.Tabs(selected="talk"), f"run:{run_id}/model"], [run],
                               [desk.modes, desk.model], **QUICK)
    made.buttons["score"].click(lambda run_id: [gr.Tabs(selected="set"), f"run:{run_id}/model"], [run],
                                [desk.modes, desk.recogniser], **QUICK)
    shell.on_poll(look, [run, made.notes["sent"]], made.polled, every=1.0)


def opened(shell: Shell, visitor: str, run_id: str) -> Run | None:
    """The run that a note names; nothing for an empty note or one that this visitor may not read."""
    try:
        return shell.service.run(visitor, run_id) if run_id else None
    except UserError:
        return None


def prepared(shell: Shell, request: gr.Request, run_id: str, step: str) -> str:
    """The note that asks for the form of a step, filled in from the chain of the run that is shown. No step: the next
    one, or where all are done the last."""
    visitor = shell.visitor(request)
    chain = chains.chain_of(view.every(shell, visitor), opened(shell, visitor, run_id))
    wanted = step if step in chains.STEPS else chains.following(chain) or chains.STEPS[-1]
    return forms.plan(shell, request, wanted, chains.filled(chain, wanted))


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: what changed since the last one."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id) if run_id else None
    return changes_of(view.looks(shell, visitor, run, lang), sent, f"{run_id}/{lang}", view.CONTROLS)

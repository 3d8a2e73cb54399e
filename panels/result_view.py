"""A view of a form, a run, and what is looked at in the run's result: its components, and how they are connected.

The note ``run`` holds the run that is shown, ``done`` the same once it has succeeded, ``look`` what is looked at in it
(:mod:`panels.look_notes`); ``sent`` is what the last tick has sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import gradio as gr
from gradio.components import Component

from panels import corpus_turns, run_controls, run_list
from panels.dialogue_watch import changes_of
from panels.form_fields import Form
from panels.run_watch import Parts
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUICK, Shell
from workbench.runs import Run
from workbench.widgets import outcome

EVERY = 0.7
"""Seconds between two looks at a run (our default)."""
Result = TypeVar("Result")
Look = TypeVar("Look", bound=Any)


@dataclass(frozen=True)
class Reader(Generic[Result, Look]):
    """How a result is read and drawn: ``read`` its files, ``look`` a note (of this run), ``pressed`` the look after a
    press, ``chosen`` the items that a look lists (each with its number as ``index``), ``page`` of them at a time;
    ``panes`` draw (result, look, language), by name in the order of the page."""

    read: Callable[[Run], Result]
    look: Callable[[str, str], Look]
    pressed: Callable[..., Look]
    chosen: Callable[[Result, Look], Sequence[Any]]
    page: int
    panes: Mapping[str, Callable[[Result, Look, str], str]]

    def drawing(self, shell: Shell, request: gr.Request, done: str, note: str) -> list[str]:
        """Every pane of a finished run; empty ones without, and the reason where its files cannot be read."""
        if not done:
            return [""] * len(self.panes)
        lang, now = shell.lang(request), self.look(note, done)
        try:
            of = self.read(shell.service.run(shell.visitor(request), done))
        except UserError as error:
            return [outcome.refusal(error.message, error.advice), *[""] * (len(self.panes) - 1)]
        return [draw(of, now, lang) for draw in self.panes.values()]

    def after(self, shell: Shell, request: gr.Request, done: str, note: str, given: Mapping[str, Json]) -> str:
        """The note after a press; a step goes along the items that are listed, and turns the page with them."""
        now = self.look(note, done)
        if given.get("act") != "step":
            return str(self.pressed(now, given).note())
        of = self.read(shell.service.run(shell.visitor(request), done))
        order = {place: one.index for place, one in enumerate(self.chosen(of, now))}
        made = self.pressed(now, given, order)
        place = next((place for place, index in order.items() if index == made.open), 0)
        return str(replace(made, page=place - place % self.page).note())


@dataclass(frozen=True)
class View:
    """The components: ``parts`` names those that a tick may change (its note ``done`` after the controls), ``panes``
    those that show the result."""

    run: gr.Textbox
    done: gr.Textbox
    sent: gr.Textbox
    look: gr.Textbox
    form: Form
    folded: gr.Accordion
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]
    parts: Parts
    panes: tuple[str, ...]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :attr:`panels.run_watch.Parts.empty`."""
        return [*(self.html[name] for name in self.parts.panes),
                *(self.buttons[name] for name in self.parts.controls), self.done, self.sent]

    @property
    def drawn(self) -> list[gr.HTML]:
        """The panes of a finished run, in the order of the page."""
        return [self.html[name] for name in self.panes]


def follow_run(shell: Shell, view: View, tab: gr.Tab, choices: run_list.Choices,
               tick: Callable[[Shell, str, str, gr.Request], Any]) -> None:
    """Connect the list of earlier runs, the buttons of a run and the timer; the form is folded while a run is shown."""
    def fold(run_id: str) -> Any:
        return gr.update(open=not run_id)

    def follow(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)
    run_list.wire(shell, view.run, view.earlier, [tab.select, view.run.change], choices)
    gr.on([view.run.change], fold, [view.run], [view.folded], **QUICK)
    run_controls.wire(shell, view.run, view.buttons["stop"], view.buttons["continue"])
    shell.on_poll(follow, [view.run, view.sent], view.polled, every=EVERY)


def look_into(shell: Shell, view: View, reader: Reader[Any, Any], pressable: Sequence[str]) -> None:
    """Draw the panes anew when the run is done or something else is looked at, sending those that have changed; answer
    the presses of the panes that have buttons of ours."""
    marks = shell.note("{}")

    def redraw(done: str, note: str, sent: str, request: gr.Request) -> list[Any]:
        made = dict(zip(view.panes, reader.drawing(shell, request, done, note), strict=True))
        return changes_of(made, sent, f"{done}/{shell.lang(request)}", ())  # the matrix of 13 systems alone is 70 kB

    def press(done: str, note: str, request: gr.Request, event: gr.EventData) -> str:
        return reader.after(shell, request, done, note, event._data)
    gr.on([view.done.change, view.look.change], shell.guard(redraw), [view.done, view.look, marks],
          [*view.drawn, marks], **LATEST)
    for name in pressable:
        corpus_turns.pressed(view.html[name], shell.guard(press), [view.done, view.look], [view.look])

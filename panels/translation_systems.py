"""Translate: a text goes to several systems at once; what they write is seen side by side as it comes.

The work is a run, so a reload, a closed page or a restarted server loses nothing. From here the translations go to
Compare (by the id of a run) and a line with an SM2 model to Simultaneous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.common.mt.systems import apertium
from panels import translation_files as files
from panels import translation_systems_form as forms
from panels import translation_systems_work as work
from panels.dialogue_form import pane
from panels.form_fields import Form
from panels.translation_desk import Desk, Handed, handed
from panels.translation_systems_form import NAMES
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets.casepicker import PRESS
from workbench.widgets.loose import listed
from workbench.widgets.markup import element, esc

EVERY = 0.5
"""Seconds between two looks at a run (our default)."""


@dataclass(frozen=True)
class View:
    """The components of the view. ``start`` is the first line of the page of the table that is shown."""

    run: gr.Textbox
    sent: gr.Textbox
    start: gr.Textbox
    form: Form
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]
    references: gr.Textbox

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`panels.translation_systems_work.looks`."""
        return [*(self.html[name] for name in work.PARTS), *(self.buttons[name] for name in work.CONTROLS),
                self.references, self.sent]


def lay_out(shell: Shell) -> View:
    """Make the components of the view: the form on the left, the systems at work on the right."""
    run, sent, start, form = shell.note(""), shell.note("{}"), shell.note("0"), Form(NAMES)
    buttons: dict[str, gr.Button] = {}
    html: dict[str, gr.HTML] = {}
    with gr.Row(elem_classes="dt-sheet dt-many sy-view"):
        with gr.Column(min_width=300, elem_classes="dt-many-form sy-form"):
            forms.lay_out(shell, form)
            buttons["start"] = gr.Button(shell.label("translation_systems.start"), variant="primary",
                                         elem_classes="tr-go")
        with gr.Column(min_width=320, elem_classes="dt-many-work sy-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("translation_systems.earlier"),
                                  elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("translation_systems.empty")}</p>', apply_default_css=False)
                buttons["example"] = shell.example_button("translation_systems.example")
            html["head"], html["systems"] = pane(), pane()
            with gr.Row(elem_classes="dt-controls"):
                for name in work.CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"translation_systems.do.{name}"), size="sm", visible=False,
                                              variant="primary" if name == "compare" else "secondary")
            references = gr.Textbox("", lines=2, max_lines=8, visible=False,
                                    label=shell.label("translation_systems.references"),
                                    info=shell.label("translation_systems.references.help"))
            html["table"] = pane(PRESS)
            shell.actions(run)
            html["files"] = pane()
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return View(run, sent, start, form, earlier, html, buttons, references)


def wire(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form, the timer, and the ways to the other views."""
    _wire_form(shell, view, tab, desk)
    _wire_run(shell, view, tab, desk)


def _wire_form(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    put, part = view.form.fields, view.form.parts

    def offer(request: gr.Request) -> tuple[Any, str]:
        modes = apertium.modes()
        say = partial(shell.t, shell.lang(request))
        return gr.update(choices=forms.offered(shell, request, modes)), forms.missing(say, modes)

    def take(path: str) -> tuple[str, str, Any, Any]:
        return taken(files.take_in(shell, Path(path)))

    def drop() -> tuple[str, str, Any, Any]:
        return taken("")

    def begin(request: gr.Request, *values: Json) -> tuple[str, str]:
        return forms.make(shell, request, forms.fields_of(dict(zip(NAMES, values, strict=True)))), "0"

    def begin_example(request: gr.Request) -> tuple[Any, ...]:
        fields = forms.example(shell)
        return forms.make(shell, request, fields), "0", fields["text"], fields["systems"]

    def add(note: str, systems: Json, text: str) -> tuple[Any, Any]:
        return added(note, [str(name) for name in systems or ()], text)
    gr.on([tab.select, view.run.change], offer, None, [put["systems"], part["hint"]], **QUICK)
    file_parts = [put["file"], part["file"], part["drop"], put["text"]]
    part["bring"].upload(shell.guard(take), [part["bring"]], file_parts, **QUEUED)
    part["drop"].click(drop, None, file_parts, **QUICK)
    view.buttons["start"].click(shell.guard(begin), view.form.inputs, [view.run, view.start], **QUEUED)
    view.buttons["example"].click(shell.guard(begin_example), None,
                                  [view.run, view.start, put["text"], put["systems"]], **QUEUED)
    desk.system.change(add, [desk.system, put["systems"], put["text"]], [put["systems"], put["text"]], **QUICK)


def taken(reference: str) -> tuple[str, str, Any, Any]:
    """A file that is to be translated instead of the text, with its name and the button that drops it; empty: none."""
    shown = element("p", esc(files.name_of(reference)), class_="sy-file") if reference else ""
    return reference, shown, gr.update(visible=bool(reference)), gr.update(interactive=not reference)


def added(note: str, systems: Sequence[str], text: str) -> tuple[Any, Any]:
    """A system that another view hands over is added to the chosen ones; its text fills an empty field."""
    given = handed(note)
    names = list(dict.fromkeys([*systems, *([given.model] if given.model else [])]))
    return names, given.text if given.text and not text.strip() else gr.skip()


def _wire_run(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    def list_runs(run_id: str, request: gr.Request) -> Any:
        return gr.update(choices=work.choices(shell, shell.visitor(request), shell.lang(request)), value=run_id or None)

    def stop(run_id: str, request: gr.Request) -> None:
        shell.service.cancel(shell.visitor(request), run_id)

    def again(run_id: str, request: gr.Request) -> list[Any]:
        return refill(shell, request, run_id)

    def reopened(run_id: str, text: str, file: str, request: gr.Request) -> Any:
        return gr.skip() if text.strip() or file else reopen(shell, request, run_id)

    def look(run_id: str, sent: str, start: str, request: gr.Request) -> Any:
        return work.tick(shell, run_id, sent, start, request)

    def compare(run_id: str, pasted: str, request: gr.Request) -> tuple[str, Any]:
        return work.compare(shell, request, run_id, pasted), gr.Tabs(selected="compare")

    def press(run_id: str, event: gr.EventData, request: gr.Request) -> tuple[Any, Any, Any]:
        act, key = str(event._data.get("act") or ""), str(event._data.get("key") or "")
        return pressed(shell, request, run_id, act, key)
    gr.on([tab.select, view.run.change, view.earlier.focus], list_runs, [view.run], [view.earlier], **QUICK)
    view.earlier.input(lambda chosen: (chosen or "", "0"), [view.earlier], [view.run, view.start], **QUICK)
    view.buttons["stop"].click(shell.guard(stop), [view.run], None, **QUEUED)
    form, put = [*view.form.inputs, view.form.parts["file"], view.form.parts["drop"]], view.form.fields
    view.buttons["again"].click(shell.guard(again), [view.run], form, **QUEUED)
    view.run.change(reopened, [view.run, put["text"], put["file"]], form, **QUICK)
    view.buttons["compare"].click(shell.guard(compare), [view.run, view.references], [desk.compared, desk.modes],
                                  **QUEUED)
    view.html["table"].select(shell.guard(press), [view.run], [view.start, desk.sentence, desk.modes], **QUEUED)
    shell.on_poll(look, [view.run, view.sent, view.start], view.polled, every=EVERY)


def pressed(shell: Shell, request: gr.Request, run_id: str, act: str, key: str) -> tuple[Any, Any, Any]:
    """The answer to a press in the table: another page of it, or a line to be played in Simultaneous."""
    if act == "page" and key.isdecimal():
        return key, gr.skip(), gr.skip()
    place, _, model = key.partition(" ")
    rows = listed(work.board_of(shell.service.run(shell.visitor(request), run_id))["rows"])
    if act != "play" or not place.isdecimal() or int(place) >= len(rows) or not model:
        return gr.skip(), gr.skip(), gr.skip()
    return gr.skip(), Handed(str(rows[int(place)]), model).note(), gr.Tabs(selected="simul")


def refill(shell: Shell, request: gr.Request, run_id: str) -> list[Any]:
    """The form as it was for a run, to be changed and started again: the fields, and the parts that show its file.
    Raises ``UserError`` for another task's run."""
    run = shell.service.run(shell.visitor(request), run_id)
    if run.task != forms.TASK:
        raise UserError(shell.t(shell.lang(request), "translation_systems.nothing"))
    held = {name: run.fields.get(name, forms.SPECS[name].default) for name in NAMES}
    file, shown, drop, box = taken(str(held["file"] or ""))
    return [gr.update(**{**box, "value": held["text"]}), file, *(held[name] for name in NAMES[2:]), shown, drop]


def reopen(shell: Shell, request: gr.Request, run_id: str) -> Any:
    """The form of a run that a page was opened with; nothing where there is none to be read."""
    try:
        return refill(shell, request, run_id) if run_id else gr.skip()
    except UserError:
        return gr.skip()

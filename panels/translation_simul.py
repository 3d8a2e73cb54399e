"""Simultaneous: one sentence as a simultaneous translator reads and writes it, and any threshold at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sm2.models import default_model
from panels import translation_simul_curve as curve
from panels import translation_simul_states as states
from panels.dialogue_form import pane
from panels.translation_desk import Desk, handed
from panels.translation_models import translators
from panels.translation_simul_states import Asked, Shelf
from workbench.contract import UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import sm2_player
from workbench.widgets.casepicker import PRESS
from workbench.widgets.loose import finite, table
from workbench.widgets.markup import element, esc


@dataclass(frozen=True)
class View:
    """The components of the view. ``run`` is the measuring of the curve; ``asked`` what is being computed, ``state``
    what is shown with its threshold (both are texts of :class:`panels.translation_simul_states.Asked`)."""

    run: gr.Textbox
    asked: gr.Textbox
    state: gr.Textbox
    shelf: Shelf
    fields: Mapping[str, Component]
    buttons: Mapping[str, gr.Button]
    html: Mapping[str, gr.HTML]
    file: gr.File
    curve: curve.CurveView

    @property
    def inputs(self) -> list[Component]:
        """Text, model, k, min_read, forbid_early_end."""
        return list(self.fields.values())


def lay_out(shell: Shell) -> View:
    """Make the components of the view."""
    asked, state = shell.note(""), shell.note("")
    fields: dict[str, Component] = {}
    buttons: dict[str, gr.Button] = {}
    with gr.Column(elem_classes="dt-sheet sm"):
        with gr.Row(elem_classes="sm-form"):
            fields["text"] = gr.Textbox("", lines=2, max_lines=4, label=shell.label("translation_simul.text"), scale=4,
                                        min_width=280, placeholder=shell.label("translation_simul.text.place"))
            first = default_model()
            fields["model"] = gr.Dropdown([(first, first)], value=first, allow_custom_value=True, scale=3,
                                          min_width=300, label=shell.label("translation_simul.model"))
            for name, value in (("k", 3), ("min_read", 2)):
                fields[name] = gr.Number(value, precision=0, minimum=1, maximum=1000 if name == "k" else 100,
                                         scale=1, min_width=90, label=shell.label(f"translation_simul.{name}"))
        with gr.Row(elem_classes="dt-controls"):
            buttons["go"] = gr.Button(shell.label("translation_simul.go"), variant="primary", size="md")
            buttons["stop"] = gr.Button(shell.label("translation_simul.stop"), size="md", visible=False)
            fields["forbid"] = gr.Checkbox(False, label=shell.label("translation_simul.forbid"), container=False)
        html = {"examples": pane(PRESS)}
        with gr.Column() as hint:
            gr.HTML(f'<p class="dt-hint">{shell.label("translation_simul.empty")}</p>', apply_default_css=False)
            buttons["example"] = shell.example_button("translation_simul.example")
        html |= {"player": pane(sm2_player.on_load()), "bar": pane()}
        file = gr.File(visible=False, label=shell.label("translation_simul.file"), interactive=False,
                       elem_classes="sm-file")
        drawn = curve.lay_out(shell)
    gr.on([asked.change], lambda text: gr.update(visible=not text), [asked], [hint], **QUICK)
    return View(drawn.run, asked, state, Shelf(), fields, buttons, html, file, drawn)


def wire(shell: Shell, view: View, tab: gr.Tab, desk: Desk) -> None:
    """Connect the form, the player, the address and what other views hand over."""
    shell.keep_state("translation", view.state)
    _wire_asking(shell, view, desk)
    _wire_player(shell, view)
    curve.wire(shell, view.curve, view.fields["model"], tab)  # type: ignore[arg-type]

    def offer(model: str, request: gr.Request) -> Any:
        known = [one.choice for one in translators(shell, shell.visitor(request), shell.lang(request))]
        if model and model not in [reference for _, reference in known]:
            known.append((model, model))
        return gr.update(choices=known)

    def suit(model: str, request: gr.Request) -> str:
        return states.example_buttons(shell, shell.lang(request), states.examples(shell, request, model))
    model = view.fields["model"]
    gr.on([tab.select, model.focus], offer, [model], [model], **QUICK)  # type: ignore[attr-defined]
    gr.on(None, offer, [model], [model], **QUICK)
    gr.on([tab.select, model.change], suit, [model], [view.html["examples"]], **QUICK)  # type: ignore[attr-defined]


def _wire_asking(shell: Shell, view: View, desk: Desk) -> None:
    """Whatever is to be played becomes the text of ``asked``; its change computes and shows it."""
    def begin(text: str, model: str, k: Any, min_read: Any, forbid: bool, state: str) -> str:
        before = states.asked(state)
        wanted = states.wanted_of(text, model, k, min_read, forbid, before.threshold if before else 0.5)
        return wanted.note(now=True)

    def example(model: str, request: gr.Request) -> list[Any]:
        found = states.examples(shell, request, model)
        wanted = Asked(found[0], model) if found else Asked(states.ORDER[0], "practice")
        return filled(wanted)

    def pick(event: gr.EventData, model: str, k: Any, min_read: Any, forbid: bool) -> tuple[str, str]:
        text = str(event._data.get("key", ""))
        return text, states.wanted_of(text, model, k, min_read, forbid).note(now=True)

    def receive(note: str) -> list[Any]:
        given = handed(note)
        if not given.text.strip():
            return [gr.skip()] * 6
        return filled(states.checked(Asked(given.text, given.model)))

    def restore(state: str, asked: str) -> list[Any]:
        held, now = states.asked(state), states.asked(asked)
        if held is None or (now and now.fields == held.fields):
            return [gr.skip()] * 6
        return filled(held)

    def show(asked: str, request: gr.Request) -> Iterator[Any]:
        yield from shown(shell, view, asked, request)
    outputs, everything = [view.html["player"], view.html["bar"], view.state, view.buttons["stop"]], [
        *view.inputs, view.asked]
    view.buttons["go"].click(shell.guard(begin), [*view.inputs, view.state], [view.asked], **QUEUED)
    view.fields["text"].submit(shell.guard(begin), [*view.inputs, view.state], [view.asked],  # type: ignore[attr-defined]
                               **QUEUED)
    view.buttons["example"].click(shell.guard(example), [view.fields["model"]], everything, **QUEUED)
    view.html["examples"].select(shell.guard(pick), view.inputs[1:], [view.fields["text"], view.asked], **QUEUED)
    desk.sentence.change(shell.guard(receive), [desk.sentence], everything, **QUEUED)
    view.state.change(restore, [view.state, view.asked], everything, **QUICK)
    event = view.asked.change(shell.guard(show), [view.asked], outputs, **LATEST)
    view.buttons["stop"].click(lambda: ["", "", gr.update(visible=False)], None,
                               [view.html["player"], view.asked, view.buttons["stop"]], cancels=[event], **QUICK)


def filled(wanted: Asked) -> list[Any]:
    """Values of the form and of ``asked`` for a sentence."""
    return [wanted.text, wanted.model, wanted.k, wanted.min_read, wanted.forbid_early_end, wanted.note(now=True)]


def shown(shell: Shell, view: View, note: str, request: gr.Request) -> Iterator[Any]:
    """Player, bar, state and the stop button: first that it is being computed, then the sentence or why not."""
    wanted = states.asked(note)
    if wanted is None:
        yield [gr.skip()] * 4
        return
    lang = shell.lang(request)
    waiting = element("p", esc(shell.t(lang, "translation_simul.computing", model=wanted.model)), class_="sm-wait",
                      role="status")
    yield [waiting, "", gr.skip(), gr.update(visible=True)]
    try:
        play = states.computed(shell, view.shelf, request, wanted)
    except UserError as error:
        yield [element("p", esc(error), class_="dt-bad", role="alert"), "", gr.skip(), gr.update(visible=False)]
        return
    yield [sm2_player.player(play, wanted.threshold, lang), states.bar(shell, lang, wanted), wanted.note(),
           gr.update(visible=False)]


def _wire_player(shell: Shell, view: View) -> None:
    def told(event: gr.EventData, state: str, request: gr.Request) -> list[Any]:
        return answer(shell, view, table(event._data), state, request)
    view.html["player"].select(shell.guard(told), [view.state], [view.state, view.file], **QUEUED)


def answer(shell: Shell, view: View, data: Mapping[str, Any], state: str, request: gr.Request) -> list[Any]:
    """State and file after an event of the player: the threshold it rests on, or a file to be made.

    Raises ``UserError`` when nothing is shown."""
    wanted, threshold = states.asked(state), data.get("threshold")
    if wanted is None:
        raise UserError(shell.t(shell.lang(request), "translation_simul.nothing"))
    if finite(threshold) and 0 < threshold <= 1:
        wanted = replace(wanted, threshold=round(float(threshold), 6))
    if data.get("act") != "save":
        return [wanted.note(), gr.skip()]
    play = states.computed(shell, view.shelf, request, wanted, again=False)
    folder = Path(view.file.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    path, remark = states.save(play, data, shell.lang(request), Path(tempfile.mkdtemp(dir=folder)), shell)
    if remark:
        gr.Warning(remark)
    return [wanted.note(), gr.update(value=str(path), visible=True)]

"""Below the transcript: the editor of one turn, and the exact prompt that each role got for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from panels import dialogue_prompts
from panels.dialogue_form import pane
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets import prompts
from workbench.widgets.transcript import WINDOW


@dataclass(frozen=True)
class Desk:
    """The editor (``place`` is the turn that is edited) and the view of prompts."""

    editor: gr.Column
    place: gr.Textbox
    text: gr.Textbox
    keep_rest: gr.Checkbox
    save: gr.Button
    cancel: gr.Button
    viewer: gr.Column
    views: gr.HTML
    close: gr.Button


def lay_out(shell: Shell) -> Desk:
    """Make the (at first unseen) components inside the current column."""
    with gr.Column(visible=False, elem_classes="dt-desk") as editor:
        place = shell.note("")
        text = gr.Textbox("", lines=3, max_lines=12, label=shell.label("dialogue.edit.label"))
        keep_rest = gr.Checkbox(False, label=shell.label("dialogue.edit.keep_rest"))
        with gr.Row(elem_classes="dt-controls"):
            save = gr.Button(shell.label("dialogue.edit.save"), variant="primary", size="sm")
            cancel = gr.Button(shell.label("dialogue.edit.cancel"), size="sm")
    with gr.Column(visible=False, elem_classes="dt-desk") as viewer:
        views = pane()
        close = gr.Button(shell.label("dialogue.views.close"), size="sm")
    return Desk(editor, place, text, keep_rest, save, cancel, viewer, views, close)


def wire(shell: Shell, run: gr.Textbox, shown: gr.Textbox, turns: gr.HTML, desk: Desk) -> None:
    """Answer the links in the transcript: edit a turn, what each role sees, show earlier turns."""
    def press(run_id: str, count: str, event: gr.EventData, request: gr.Request) -> list[Any]:
        action, place = str(event._data.get("act")), str(event._data.get("turn") or "")
        if action not in ("earlier", "edit", "views"):
            return [gr.skip()] * 6  # a link that somebody else answers
        if action == "earlier":
            return [str(int(count or WINDOW) + WINDOW), *[gr.skip()] * 5]
        dialogue = shell.service.read_artifact(shell.visitor(request), run_id, "dialogue.json")
        dialogue = dialogue if isinstance(dialogue, Mapping) else {}
        turn = turn_at(dialogue, place)
        if action == "edit":
            return [gr.skip(), place, turn["text"], gr.update(visible=True), gr.update(visible=False), gr.skip()]
        made = dialogue_prompts.prompts_at(dialogue, int(place), shell.service.settings)
        html = prompts.role_views(made, dialogue, int(place), partial(shell.t, shell.lang(request)))
        return [*[gr.skip()] * 3, gr.update(visible=False), gr.update(visible=True), html]
    outputs = [shown, desk.place, desk.text, desk.editor, desk.viewer, desk.views]
    turns.select(shell.guard(press), [run, shown], outputs, **QUEUED)
    for button, group in ((desk.cancel, desk.editor), (desk.close, desk.viewer)):
        button.click(lambda: gr.update(visible=False), None, [group], **QUICK)


def turn_at(dialogue: Json, place: str) -> Mapping[str, Json]:
    """The turn that a link of the page names. Raises ``UserError`` when the dialogue has no such turn."""
    turns = dialogue.get("turns") if isinstance(dialogue, Mapping) else None
    if not isinstance(turns, list) or not place.isdecimal() or int(place) >= len(turns):
        raise UserError(f"The dialogue has no turn {place!r}.", advice="It may have been edited: look at it again.")
    turn: Mapping[str, Json] = turns[int(place)]
    return turn

"""A form that is drawn anew whenever a note of the page asks for another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import gradio as gr

from workbench.contract import Json

Asked = TypeVar("Asked")


def draw(column: gr.Column, notes: Sequence[gr.Textbox], asked: Callable[[str], Asked | None],
         lay: Callable[..., None]) -> None:
    """Draw a form inside ``column`` when the first of ``notes`` changes: ``lay`` is given what ``asked`` reads in that
    note, then the texts of the other notes. A note in which ``asked`` reads nothing is no form."""
    with column:
        @gr.render(inputs=list(notes), triggers=[notes[0].change],  # type: ignore[untyped-decorator]
                   show_progress="hidden", queue=False)
        def form(text: str, *others: str) -> None:
            wanted = asked(text)
            if wanted is not None:
                lay(wanted, *others)


def plan_of(note: str) -> Mapping[str, Json] | None:
    """What a view has written in its own note of what its form is to show, as JSON; nothing of an empty note."""
    return json.loads(note) if note else None

"""The list of earlier runs that a view offers: how a run is called in it, which runs it has, what choosing one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from panels.train_parts import newest
from workbench.panel import QUICK, Shell
from workbench.runs import Run
from workbench.text import gloss

Choices = Callable[[Shell, str, str], list[tuple[str, str]]]
"""(words, run id) of the runs to choose from, given the shell, the visitor and the language."""


def line(run: Run, lang: str) -> str:
    """A run as a line of a list: its title and its id."""
    return f"{gloss(lang, run.title) or run.task} · {run.id}"


def dated(run: Run, lang: str) -> str:
    """A run as a line of a list: its title and when it was made."""
    return f"{gloss(lang, run.title) or run.task} · {when(run)}"


def when(run: Run) -> str:
    """Minute at which a run was made, in the server's zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created or 0))


def choices(shell: Shell, visitor: str, lang: str, tasks: Sequence[str], most: int) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's runs of these tasks, newest first; ``most`` of each task."""
    return [(line(run, lang), run.id) for run in newest(shell, visitor, tasks, most)]


def wire(shell: Shell, run: gr.Textbox, earlier: gr.Dropdown, events: Sequence[Any], offered: Choices) -> None:
    """Fill the list ``earlier`` anew at ``events``, showing the run of the note ``run``; choosing one puts its id
    there."""
    def list_runs(run_id: str, request: gr.Request) -> Any:
        return gr.update(choices=offered(shell, shell.visitor(request), shell.lang(request)), value=run_id or None)
    gr.on(list(events), list_runs, [run], [earlier], **QUICK)
    earlier.input(lambda chosen: chosen or "", [earlier], [run], **QUICK)

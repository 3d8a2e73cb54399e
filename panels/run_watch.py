"""One look of the timer at the run of a view: what has changed, a refusal in its place, or a view without a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gradio as gr

from panels.dialogue_watch import changes_of
from workbench.contract import Json, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.widgets import outcome

Read = TypeVar("Read")


@dataclass(frozen=True)
class Parts:
    """What a tick may change: HTML of ``panes``, ``controls`` to show or hide, and further notes with what they hold
    without a run (``more``). ``refusal`` is the pane that says why a run cannot be shown."""

    panes: tuple[str, ...]
    controls: tuple[str, ...]
    more: Mapping[str, Json] = field(default_factory=dict)
    refusal: str = "head"

    @property
    def empty(self) -> dict[str, Json]:
        """Nothing to show, by part."""
        return {**dict.fromkeys(self.panes, ""), **dict.fromkeys(self.controls, False), **self.more}


def tick(parts: Parts, run_id: str, sent: str, lang: str, read: Callable[[], Read],
         looks: Callable[[Read], Mapping[str, Json]]) -> Any:
    """An update for every part that is not as ``sent`` says, then the new note of what was sent.

    ``read`` gets the run and what is shown of it; a ``UserError`` of it is said in the view, once, instead of looking
    again and again. Without a run the parts are emptied once."""
    if not run_id:
        empty = changes_of(parts.empty, sent, "", parts.controls)
        return gr.skip() if sent in ("", "{}") else [*empty[:-1], "{}"]
    try:
        found = read()
    except UserError as error:
        refused = {**parts.empty, parts.refusal: outcome.refusal(error.message, error.advice)}
        return changes_of(refused, sent, f"{run_id}/{lang}", parts.controls)
    return changes_of(looks(found), sent, f"{run_id}/{lang}", parts.controls)


def tick_result(parts: Parts, shell: Shell, run_id: str, sent: str, request: gr.Request,
                made: Callable[[Shell, str, Run], list[Read]],
                looks: Callable[[Run, list[Read], str, str], Mapping[str, Json]]) -> Any:
    """:func:`tick` for a view of one run: ``looks`` is given the run, what it has ``made`` (nothing before
    it has succeeded), the visitor and the language."""
    visitor, lang = shell.visitor(request), shell.lang(request)

    def drawn(run: Run) -> Mapping[str, Json]:
        found = made(shell, visitor, run) if run.status == "succeeded" else []
        return looks(run, found, visitor, lang)
    return tick(parts, run_id, sent, lang, lambda: shell.service.run(visitor, run_id), drawn)

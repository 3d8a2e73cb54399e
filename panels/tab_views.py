"""A tab of several views: which of them shows a run, and how an address that names a run opens it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from workbench.contract import UserError
from workbench.panel import Shell

Views = Mapping[str, Sequence[str]]
"""Names of views, each with the beginnings of the names of the tasks whose runs it shows."""


def showing(shell: Shell, request: gr.Request, views: Views, run_id: str, otherwise: str) -> str:
    """The view that shows a run; ``otherwise`` for a run that this visitor may not read (that view says so), for none,
    and for one of a task that no view is for."""
    try:
        task = shell.service.run(shell.visitor(request), run_id).task if run_id else ""
    except UserError:
        task = ""
    return next((view for view, tasks in views.items() if task and task.startswith(tuple(tasks))), otherwise)


def wire(shell: Shell, panel: str, modes: gr.Tabs, runs: Mapping[str, gr.Textbox],
         opening: Callable[[Shell, str, gr.Request], str]) -> None:
    """Keep the runs of the views (notes by view) in the page's address, and open the view that ``opening`` names for
    a run with it."""
    for run in runs.values():
        shell.keep_run(panel, run)

    def opened(run_id: str, request: gr.Request) -> list[Any]:
        if not run_id:  # somebody may have chosen and pressed already
            return [gr.skip()] * (1 + len(runs))
        view = opening(shell, run_id, request)
        return [gr.Tabs(selected=view), *(run_id if name == view else gr.skip() for name in runs)]
    shell.on_open(panel, opened, None, [modes, *runs.values()])

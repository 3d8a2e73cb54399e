"""The two buttons that every run has: stop it, and go on with it."""

from __future__ import annotations

import gradio as gr

from workbench.panel import QUEUED, Shell


def wire(shell: Shell, run: gr.Textbox, stopping: gr.Button, going_on: gr.Button) -> None:
    """Let ``stopping`` cancel the run of the note ``run``, and ``going_on`` continue it; both only for its owner."""
    def stop(run_id: str, request: gr.Request) -> None:
        shell.service.cancel(shell.visitor(request), run_id)

    def proceed(run_id: str, request: gr.Request) -> None:
        shell.service.resume(shell.visitor(request), run_id)
    stopping.click(shell.guard(stop), [run], None, **QUEUED)
    going_on.click(shell.guard(proceed), [run], None, **QUEUED)

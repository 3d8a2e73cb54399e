"""The two buttons that every run has: stop it, and go on with it."""

from __future__ import annotations

import gradio as gr

from workbench.panel import QUEUED, Shell


def wire(shell: Shell, run: gr.Textbox, stop: gr.Button, proceed: gr.Button) -> None:
    """Let ``stop`` cancel the run of the note ``run``, and ``proceed`` continue it; both only for its owner."""
    def cancel(run_id: str, request: gr.Request) -> None:
        shell.service.cancel(shell.visitor(request), run_id)

    def resume(run_id: str, request: gr.Request) -> None:
        shell.service.resume(shell.visitor(request), run_id)
    stop.click(shell.guard(cancel), [run], None, **QUEUED)
    proceed.click(shell.guard(resume), [run], None, **QUEUED)

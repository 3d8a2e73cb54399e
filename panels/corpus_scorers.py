"""Scorers: try the models that give texts their scores, see what pushed a score, train and improve them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from panels import corpus_scorers_make as make
from panels import corpus_scorers_try as trying
from workbench.panel import QUEUED, QUICK, Shell


@dataclass(frozen=True)
class Scorers:
    """The components of the view. ``run`` is the shown run that makes a scorer (a note: set it to open one)."""

    run: gr.Textbox
    parts: gr.Tabs
    tried: trying.Try
    made: make.Make
    trying: gr.Tab
    making: gr.Tab


def lay_out(shell: Shell, shelf: Any, corpus: gr.Textbox) -> Scorers:
    """Make the components of the view; ``shelf`` and ``corpus`` are there for all views and are not needed here."""
    with gr.Tabs(elem_classes="dt-modes cl-modes", selected="try") as parts:
        with gr.Tab(shell.label("label.scorers.try"), id="try") as first:
            tried = trying.lay_out(shell)
        with gr.Tab(shell.label("label.scorers.make"), id="make") as second:
            made = make.lay_out(shell)
    return Scorers(made.run, parts, tried, made, first, second)


def wire(shell: Shell, view: Scorers, tab: gr.Tab) -> None:
    """Connect both parts; a run that is opened brings the part that shows it, "try it" the other one."""
    trying.wire(shell, view.tried, tab)
    make.wire(shell, view.made, view.making)

    def show(run_id: str) -> Any:
        return gr.Tabs(selected="make") if run_id else gr.skip()

    def try_it(run_id: str, scorers: list[str], request: gr.Request) -> list[Any]:
        reference = f"run:{run_id}/scorer"
        offered = trying.offered(shell, shell.visitor(request))
        chosen = [reference, *(one for one in scorers if one != reference)][:trying.MOST_SCORERS]
        return [gr.Tabs(selected="try"), gr.update(choices=offered, value=chosen), f"{reference}|"]
    view.run.change(show, [view.run], [view.parts], **QUICK)
    view.made.buttons["try"].click(shell.guard(try_it), [view.run, view.tried.scorers],
                                   [view.parts, view.tried.scorers, view.tried.chosen], **QUEUED)

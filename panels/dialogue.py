"""The Dialogue tab: watch three agents hold an emotional-support dialogue, generate many, browse and export them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from panels import (
    dialogue_act,
    dialogue_branch,
    dialogue_compare,
    dialogue_handover,
    dialogue_library,
    dialogue_many,
    dialogue_measure,
    dialogue_scenarios,
    dialogue_setup,
    dialogue_train,
    dialogue_train_view,
    dialogue_watch,
    method_page,
    tab_views,
)
from workbench.contract import TERMINAL
from workbench.panel import QUICK, Panel, Shell

RECENT = 15 * 60.0
"""Seconds for which an ended dialogue is shown again to somebody who opens the page anew (our default)."""

VIEWS: Mapping[str, Sequence[str]] = {"watch": (dialogue_watch.TASK,), "many": (dialogue_many.TASK,),
                                      "scenarios": (dialogue_scenarios.TASK,), "measure": (dialogue_measure.TASK,),
                                      "train": dialogue_train_view.TASKS, "compare": (dialogue_compare.PAIR,)}
"""The view that shows the runs of a task, in the order in which views are looked through for something recent."""


def build(shell: Shell) -> None:
    """Lay out the views and connect them by run id."""
    run = shell.note("")
    with gr.Tabs(elem_classes="dt-modes", selected="watch") as modes:
        with gr.Tab(shell.label("dialogue.mode.watch"), id="watch"):
            watch = dialogue_watch.lay_out(shell, run)
        with gr.Tab(shell.label("dialogue.mode.many"), id="many"):
            many = dialogue_many.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.library"), id="library") as shelf:
            library = dialogue_library.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.compare"), id="compare") as comparing:
            compare = dialogue_compare.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.scenarios"), id="scenarios") as pool:
            scenarios = dialogue_scenarios.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.measure"), id="measure") as measuring:
            measure = dialogue_measure.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.train"), id="train") as training:
            train = dialogue_train.lay_out(shell)
        with gr.Tab(shell.label("dialogue.mode.method"), id="method") as method:
            method_page.lay_out(shell, method, "sweetiechat")
    dialogue_setup.wire(shell, watch.form)
    dialogue_act.wire(shell, watch)
    dialogue_watch.wire(shell, watch)
    dialogue_many.wire(shell, many)
    dialogue_library.wire(shell, library, shelf)
    dialogue_branch.wire(shell, watch.fork, watch.html["turns"], run, [run])
    dialogue_branch.wire(shell, library.fork, library.reader["text"], library.notes["opened"], [run, modes])
    dialogue_compare.wire(shell, compare, comparing)
    dialogue_scenarios.wire(shell, scenarios, pool)
    dialogue_scenarios.hand_over(shell, scenarios, many, modes)
    dialogue_measure.wire(shell, measure, measuring)
    dialogue_train.wire(shell, train, training)
    dialogue_handover.wire(shell, train, watch, many, modes)
    shell.keep_run("dialogue", run)
    shell.keep_run("dialogue", train.run)
    shell.keep_run("dialogue", scenarios.run)
    shell.keep_run("dialogue", measure.run)
    runs = {"watch": run, "many": many.run, "scenarios": scenarios.run,
            "measure": measure.run, "train": train.run, "compare": compare.pair}

    def opened(run_id: str, request: gr.Request) -> list[Any]:
        mode, found = opening(shell, run_id, request)
        chosen = gr.Tabs(selected=mode) if any(found.values()) else gr.skip()  # somebody may have chosen already
        return [chosen, *(found.get(view, gr.skip()) for view in runs)]  # nothing: a press may have been first

    def again(run_id: str, request: gr.Request) -> list[Any]:
        return [gr.Tabs(selected="watch"), *dialogue_act.refill(shell, watch, run_id, request)]

    def side_by_side(run_id: str, request: gr.Request) -> list[Any]:
        return [gr.Tabs(selected="compare"), *dialogue_compare.opened(shell, request, run_id)]

    def browse(run_id: str) -> tuple[Any, str]:
        return gr.Tabs(selected="library"), run_id
    many.browse.click(browse, [many.run], [modes, library.filters["run"]], **QUICK)
    shell.on_open("dialogue", side_by_side, None, [modes, *compare.filled], verb="compare")
    shell.on_open("dialogue", opened, None, [modes, *runs.values()])
    shell.on_open("dialogue", again, None, [modes, run, watch.shown, *watch.form.inputs], verb="again")


def opening(shell: Shell, run_id: str, request: gr.Request) -> tuple[str, dict[str, str]]:
    """The view to show, and runs by view: the one that the address names, else this visitor's latest ones."""
    visitor = shell.visitor(request)
    if run_id:
        mode = tab_views.showing(shell, request, VIEWS, run_id, "watch")  # it says that there is no such run
        return mode, {mode: run_id}
    found = {view: newest for view, tasks in VIEWS.items()
             if (newest := next(filter(None, (latest(shell, visitor, task) for task in tasks)), ""))}
    return next(iter(found), "watch"), found


def latest(shell: Shell, visitor: str, task: str) -> str:
    """This visitor's newest run of a task that goes on, or that ended a moment ago while nobody was looking."""
    found, _ = shell.service.runs(visitor, task=task, limit=10)
    since = time.time() - RECENT
    return next((run.id for run in found if run.owner == visitor
                 and (run.status not in TERMINAL or (run.finished or 0.0) > since)), "")


PANEL = Panel("dialogue", "dialogue.title", 10, build, shows=("sweetiechat.",))

"""The Translation tab: compare systems, translate with several at once, watch a simultaneous one, train one."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from panels import (
    method_page,
    tab_views,
    translation_compare,
    translation_desk,
    translation_simul,
    translation_systems,
    translation_train,
)
from workbench.panel import Panel, Shell

VIEWS: Mapping[str, tuple[str, ...]] = {"compare": ("common.compare.",), "translate": ("common.translate.",),
                                        "train": ("sm2.train.", "sm2.curve.")}
"""The view that shows the runs of a task, by the beginning of the task's name."""
PAGES = ("translation", "sm2")


def build(shell: Shell) -> None:
    """Lay out the views, and connect them by run ids and by the notes of the desk."""
    with gr.Tabs(elem_classes="dt-modes", selected="compare") as modes:
        with gr.Tab(shell.label("translation.mode.compare"), id="compare") as comparing:
            compare = translation_compare.lay_out(shell)
        with gr.Tab(shell.label("translation.mode.translate"), id="translate") as translating:
            systems = translation_systems.lay_out(shell)
        with gr.Tab(shell.label("translation.mode.simul"), id="simul") as playing:
            simul = translation_simul.lay_out(shell)
        with gr.Tab(shell.label("translation.mode.train"), id="train") as training:
            train = translation_train.lay_out(shell)
        with gr.Tab(shell.label("translation.mode.method"), id="method") as method:
            for name in PAGES:
                method_page.lay_out(shell, method, name)
    desk = translation_desk.notes(shell, modes)
    translation_compare.wire(shell, compare, comparing, desk)
    translation_systems.wire(shell, systems, translating, desk)
    translation_simul.wire(shell, simul, playing, desk)
    translation_train.wire(shell, train, training, desk)
    runs = {"compare": compare.run, "translate": systems.run, "train": train.run}
    tab_views.wire(shell, "translation", modes, runs, opening)


def opening(shell: Shell, run_id: str, request: gr.Request) -> str:
    """The view that shows a run; the first one for a run that this visitor may not read (it says so)."""
    return tab_views.showing(shell, request, VIEWS, run_id, "compare")


PANEL = Panel("translation", "translation.title", 30, build, shows=("common.compare.", "common.translate.", "sm2."))

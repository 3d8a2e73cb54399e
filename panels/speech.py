"""The Speech tab: talk to a model that hears how something is said, score a set of clips, train such a model."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from panels import method_page, speech_desk, speech_set, speech_talk, speech_train, tab_views
from workbench.panel import Panel, Shell

VIEWS: Mapping[str, tuple[str, ...]] = {
    "talk": ("blsp_emo.talk.", "blsp_emo.selftest."), "set": ("blsp_emo.recognise.",),
    "train": tuple(f"blsp_emo.{name}." for name in ("stage0", "gate", "continuations", "stage1", "stage2", "evaluate"))}
"""The view that shows the runs of a task, by the beginning of the task's name."""


def build(shell: Shell) -> None:
    """Lay out the views, and connect them by run ids and by the notes of the desk."""
    with gr.Tabs(elem_classes="dt-modes", selected="talk") as modes:
        with gr.Tab(shell.label("speech.mode.talk"), id="talk") as talking:
            talk = speech_talk.lay_out(shell)
        with gr.Tab(shell.label("speech.mode.set"), id="set") as scoring:
            data_set = speech_set.lay_out(shell)
        with gr.Tab(shell.label("speech.mode.train"), id="train") as training:
            train = speech_train.lay_out(shell)
        with gr.Tab(shell.label("speech.mode.method"), id="method") as method:
            method_page.lay_out(shell, method, "blsp_emo")
    desk = speech_desk.notes(shell, modes)
    speech_talk.wire(shell, talk, talking, desk)
    speech_set.wire(shell, data_set, scoring, desk)
    speech_train.wire(shell, train, training, desk)
    runs = {"talk": talk.run, "set": data_set.run, "train": train.run}
    tab_views.wire(shell, "speech", modes, runs, opening)


def opening(shell: Shell, run_id: str, request: gr.Request) -> str:
    """The view that shows a run; the first one for a run that this visitor may not read (it says so)."""
    return tab_views.showing(shell, request, VIEWS, run_id, "talk")


PANEL = Panel("speech", "speech.title", 40, build, shows=("blsp_emo.",))

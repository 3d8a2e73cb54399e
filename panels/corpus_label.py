"""Label: a queue of documents to judge, how far annotators agree, and the threshold lab made of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from panels import corpus_agreement, corpus_lab
from panels import corpus_label_work as labelling
from panels.corpus_label_desk import SHOWS, WHATS, LabelDesk
from workbench.panel import Shell


@dataclass(frozen=True)
class Label:
    """The components of the view."""

    desk: LabelDesk
    parts: gr.Tabs
    tabs: dict[str, gr.Tab]
    work: labelling.Labelling
    agreement: corpus_agreement.Agreement
    lab: corpus_lab.LabView


def lay_out(shell: Shell, shelf: Any, corpus: gr.Textbox) -> Label:
    """Make the components of the view."""
    tabs: dict[str, gr.Tab] = {}
    with gr.Row(elem_classes="cl-setup cl-what"):
        what = gr.Radio([(shell.label(f"label.what.{name}"), name) for name in WHATS], value="quality",
                        label=shell.label("label.what"), elem_classes="dt-row")
        show = gr.Radio([(shell.label(f"label.show.{name}"), name) for name in SHOWS], value="all",
                        label=shell.label("label.show"), elem_classes="dt-row")
    desk = LabelDesk(shelf, corpus, what, show, shell.note(""))
    with gr.Tabs(elem_classes="dt-modes cl-modes", selected="work") as parts:
        with gr.Tab(shell.label("label.part.work"), id="work") as tabs["work"]:
            work = labelling.lay_out(shell)
        with gr.Tab(shell.label("label.part.agreement"), id="agreement") as tabs["agreement"]:
            agreement = corpus_agreement.lay_out(shell)
        with gr.Tab(shell.label("label.part.lab"), id="lab") as tabs["lab"]:
            lab = corpus_lab.lay_out(shell)
    return Label(desk, parts, tabs, work, agreement, lab)


def wire(shell: Shell, view: Label, tab: gr.Tab) -> None:
    """Connect the three parts; each is drawn when it or the whole view is opened."""
    labelling.wire(shell, view.work, view.desk, [tab, view.tabs["work"]])
    corpus_agreement.wire(shell, view.agreement, view.desk, [tab, view.tabs["agreement"]])
    corpus_lab.wire(shell, view.lab, view.desk, [tab, view.tabs["lab"]])

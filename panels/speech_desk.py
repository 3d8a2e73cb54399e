"""What the views of the Speech tab share: names of tasks, and notes by which one view hands something to another."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from workbench.panel import Shell

TALK, RECOGNISE = "blsp_emo.talk.v1", "blsp_emo.recognise.v1"
STAGE0, GATE, WORDS = "blsp_emo.stage0.v1", "blsp_emo.gate.v1", "blsp_emo.continuations.v1"
STAGE1, STAGE2, EVALUATE = "blsp_emo.stage1.v1", "blsp_emo.stage2.v1", "blsp_emo.evaluate.v1"
MOST = 50
"""Runs that a list offers, the newest first (our default)."""


@dataclass(frozen=True)
class Desk:
    """Notes that every view may write and that the view they are for follows, made once by :mod:`panels.speech`.
    Return ``gr.Tabs(selected=VIEW)`` for ``modes`` along with one; the views are ``talk``, ``set``, ``train`` and
    ``method``.

    ``model``: reference of a speech model to talk to in Talk. ``recogniser``: one of a model or probe that Data set
    shall score."""

    modes: gr.Tabs
    model: gr.Textbox
    recogniser: gr.Textbox


def notes(shell: Shell, modes: gr.Tabs) -> Desk:
    """Make the notes."""
    return Desk(modes, shell.note(""), shell.note(""))

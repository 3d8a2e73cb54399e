"""What the views of the Translation tab share: the views' bar, and notes by which one hands something to another."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from workbench.contract import Json
from workbench.panel import Shell
from workbench.widgets.loose import table

COMPARE, CURVE, TRAIN = "common.compare.v1", "sm2.curve.v1", "sm2.train.v1"
MOST = 50
"""Runs that a list offers, the newest first (our default)."""


@dataclass(frozen=True)
class Handed:
    """Something to translate and with what: a line, and the reference of a model (either may be empty)."""

    text: str = ""
    model: str = ""

    def note(self) -> str:
        """As the text of a note."""
        return json.dumps({"text": self.text, "model": self.model}, ensure_ascii=False)


def handed(note: str) -> Handed:
    """What a note says; an empty one for a note that is empty or was changed by hand into something else."""
    try:
        value: Json = json.loads(note or "{}")
    except ValueError:
        return Handed()
    said = [table(value).get(name) for name in ("text", "model")]
    return Handed(*map(str, said)) if all(isinstance(one, str) for one in said) else Handed()


@dataclass(frozen=True)
class Desk:
    """Notes that every view may write and that the view they are for follows, made once by
    :mod:`panels.translation`. Return ``gr.Tabs(selected=VIEW)`` for ``modes`` along with one; the views are
    ``compare``, ``translate``, ``simul``, ``train`` and ``method``.

    ``compared``: id of a comparison to show in Compare. ``sentence``: :meth:`Handed.note` of a line and a model to
    play in Simultaneous. ``system``: one of a model to add in Translate (its text may be empty)."""

    modes: gr.Tabs
    compared: gr.Textbox
    sentence: gr.Textbox
    system: gr.Textbox


def notes(shell: Shell, modes: gr.Tabs) -> Desk:
    """Make the notes."""
    return Desk(modes, shell.note(""), shell.note(""), shell.note(""))

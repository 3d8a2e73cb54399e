"""What the views of the Corpus tab share: the run that is looked at, the views' bar, and a document to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.shelf import Shelf
from workbench.contract import UserError
from workbench.panel import Shell

FILTER, INDEX = "mdfg.filter.v1", "mdfg.index.v1"
MOST = 50
"""Runs that a list offers, the newest first."""


@dataclass(frozen=True)
class Desk:
    """Notes that every view may read and write, made once by :mod:`panels.corpus`.

    ``corpus`` is the id of a filtering run that has succeeded, or empty. ``asked`` asks the Inspect view for something:
    ``"place=17"`` opens that document in the reader, any other query of a selection (``Selection.to_query``) is shown,
    and both may be joined by ``&``. Return ``gr.Tabs(selected="inspect")`` for ``modes`` along with it."""

    corpus: gr.Textbox
    asked: gr.Textbox
    modes: gr.Tabs


def folder_of(shell: Shell, request: gr.Request, run_id: str) -> Path:
    """The folder of a filtering run that this visitor may read. ``UserError`` where there is none, or no result yet."""
    lang = shell.lang(request)
    if not run_id:
        raise UserError(shell.t(lang, "corpus.choose_first"))
    run = shell.service.run(shell.visitor(request), run_id)
    if run.task != FILTER or run.status != "succeeded":
        raise UserError(shell.t(lang, "corpus.not_filtered", run=run_id))
    return run.path


def index_of(shell: Shell, visitor: str, run_id: str) -> Path | None:
    """The folder of the newest index of this corpus that this visitor may read."""
    found, _ = shell.service.runs(visitor, task=INDEX, status="succeeded", limit=MOST)
    wanted = (f"run:{run_id}", f"run:{run_id}/")
    return next((run.path for run in found if str(run.fields.get("corpus", "")).startswith(wanted)
                 and str(run.fields.get("corpus", "")).partition("/")[0] == wanted[0]), None)


def corpus_of(shell: Shell, shelf: Shelf, request: gr.Request, run_id: str) -> Corpus:
    """The opened corpus of a filtering run that this visitor may read, with its newest index: every view gets the same
    one from the shelf. Raises ``UserError`` like :func:`folder_of`."""
    return shelf.get(folder_of(shell, request, run_id), index_of(shell, shell.visitor(request), run_id))

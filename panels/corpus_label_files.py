"""Labels as a file, and as what a scorer is trained on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.corpus_label_desk import LabelDesk, Work, at_work
from workbench.contract import UserError
from workbench.hub_local import LABELS
from workbench.panel import QUEUED, Shell
from workbench.widgets.markup import esc

if TYPE_CHECKING:
    from backends.mdfg.explore.labels import Dimension

ROWS, FORMS = ("answers", "documents"), ("jsonl", "csv")
TRAIN = "mdfg.train_scorer.v1"


@dataclass(frozen=True)
class LabelFiles:
    """The components."""

    rows: gr.Radio
    form: gr.Radio
    export: gr.Button
    train: gr.Button
    file: gr.File
    made: gr.HTML


def lay_out(shell: Shell) -> LabelFiles:
    """Make the components."""
    with gr.Row(elem_classes="dt-controls"):
        rows = gr.Radio([(shell.label(f"label.rows.{name}"), name) for name in ROWS], value="documents",
                        show_label=False, container=False, elem_classes="dt-row")
        form = gr.Radio([(name.upper(), name) for name in FORMS], value="jsonl", show_label=False, container=False,
                        elem_classes="dt-row")
        export = gr.Button(shell.label("label.export"), size="sm")
        train = gr.Button(shell.label("label.train"), size="sm")
    file = gr.File(visible=False, label=shell.label("label.file"), interactive=False)
    made = gr.HTML("", apply_default_css=False, elem_classes=["dt-pane"])
    return LabelFiles(rows, form, export, train, file, made)


def wire(shell: Shell, view: LabelFiles, desk: LabelDesk) -> None:
    """Connect both buttons."""
    def give(request: gr.Request, *values: str) -> Any:
        path = write(shell, desk, request, values[:3], values[3], values[4])
        return gr.update(value=str(path), visible=True)

    def train(run_id: str, what: str, show: str, request: gr.Request) -> str:
        return trained(shell, desk, request, (run_id, what, show))
    view.export.click(shell.guard(give), [*desk.inputs, view.rows, view.form], [view.file], **QUEUED)
    view.train.click(shell.guard(train), desk.inputs, [view.made], **QUEUED)


def write(shell: Shell, desk: LabelDesk, request: gr.Request, asked: tuple[str, ...], rows: str, form: str) -> Path:
    """Write the labels of one dimension in a folder that nobody can guess; where the file is. Raises ``UserError``
    when there is nothing to write."""
    from backends.mdfg.explore.label_export import export
    from backends.mdfg.explore.scored import said

    work = at_work(shell, desk, request, asked[0], asked[1], asked[2])
    labels = work.labels.of(asked[1])
    folder = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    path = folder / f"labels-{asked[1]}.{'csv' if form == 'csv' else 'jsonl'}"
    automatic = said(work.corpus, sorted({label.place for label in labels}), asked[1]) if labels else {}
    export(work.corpus, labels, path, rows="answers" if rows == "answers" else "documents",
           form="csv" if form == "csv" else "jsonl", population=work.population, said=automatic)
    return path


def trained(shell: Shell, desk: LabelDesk, request: gr.Request, asked: tuple[str, str, str]) -> str:
    """Train a scorer on the documents whose annotators agree; a link to the run. Raises ``UserError`` when there are
    too few, or the run's owner is somebody else."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    say = partial(shell.t, lang)
    work = at_work(shell, desk, request, *asked)
    path = kept(shell, work, asked)
    new = shell.service.submit(TRAIN, fields_of(work.scale, f"path:{path}"), visitor=visitor, parents=(asked[0],),
                               title=say("label.train.title", what=say(f"label.what.{asked[1]}")))
    words = esc(say("label.train.started"))
    return f'<p class="dt tr-note">{words} {shell.open_link("corpus", new, say("label.lab.open"))}</p>'


def fields_of(scale: Dimension, reference: str) -> dict[str, Any]:
    """The request: yes or no where a score has one threshold, else one output a label."""
    if scale.positive:
        return {"name": scale.what, "data": [reference], "yes": [scale.positive]}
    return {"name": scale.what, "data": [reference], "target": "labels"}


def kept(shell: Shell, work: Work, asked: tuple[str, str, str]) -> Path:
    """Write the labelled documents where the training can read them again; the file's name tells what is in it."""
    from backends.mdfg.explore.label_export import export

    labels = work.labels.of(asked[1])
    folder = shell.service.settings.home / LABELS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{asked[0]}-{asked[1]}-{secrets.token_hex(16)}.jsonl"
    try:
        export(work.corpus, labels, path, rows="documents")
    except UserError:
        path.unlink(missing_ok=True)
        raise
    return path


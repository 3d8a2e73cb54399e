"""Taking dialogues out of the library (six layouts) and bringing one's own into it, with what was left out and why."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import gradio as gr

from backends.sweetiechat import bring, exports
from backends.sweetiechat.importers.zipped import ENDINGS
from backends.sweetiechat.objects import Dialogue, dialogue_from_json
from panels import dialogue_shelf as shelf
from workbench.contract import TERMINAL, Json, UserError
from workbench.files import read_lines
from workbench.panel import QUEUED, Shell
from workbench.runs import Run
from workbench.widgets import intake

if TYPE_CHECKING:
    from panels.dialogue_library import Library

LAYOUTS, WHICH = tuple(exports.FORMATS), get_args(exports.Which)
TAKEN = (*ENDINGS, ".zip")
"""What the page takes in; what a file holds is told by its content."""
IMPORT_TASK = "sweetiechat.import.v2"
MOST = 20_000
"""Dialogues in one export file: more would be a file that few programs open (our default)."""


def wire(shell: Shell, library: Library) -> None:
    """Connect the export and import buttons, and follow an import until it is over."""
    def give(request: gr.Request, layout: str, which: str, *values: str) -> Any:
        lang = shell.lang(request)
        path, waiting = write_export(shell, shell.visitor(request), lang, layout, which, list(values))
        if waiting:
            gr.Info(shell.t(lang, "pipeline.export.waiting", count=waiting), duration=8)
        return gr.update(value=str(path), visible=True)

    def take(request: gr.Request, path: str) -> str:
        return take_in(shell, shell.visitor(request), Path(path))

    def follow(run_id: str, request: gr.Request) -> tuple[Any, Any, Any]:
        return progress(shell, run_id, request)
    inputs = [library.layout, library.which, *library.inputs]
    library.buttons["export"].click(shell.guard(give), inputs, [library.file], **QUEUED)
    library.buttons["import"].upload(shell.guard(take), [library.buttons["import"]], [library.importing], **QUEUED)
    shell.on_poll(follow, [library.importing], [library.imported, library.importing, library.filters["run"]], every=0.5)


def chosen(shell: Shell, visitor: str, lang: str, wanted: shelf.Filter, picked: Sequence[str]) -> list[Dialogue]:
    """The ticked dialogues, or, when none is ticked, all that the filters let through (at most :data:`MOST`)."""
    keys = list(picked) or [row.key for row in shelf.find(shell.service, visitor, wanted, lang)]
    if not keys:
        raise UserError(shell.t(lang, "dialogue.export.nothing"))
    if len(keys) > MOST:
        raise UserError(f"{len(keys):,} dialogues match; one file may hold {MOST:,}.", advice="Narrow the filters.")
    return [dialogue_from_json(shelf.read(shell.service, visitor, key)) for key in keys]


def write_export(shell: Shell, visitor: str, lang: str, layout: str, which: str,
                 values: Sequence[str]) -> tuple[Path, int]:
    """Write the chosen dialogues in one layout; where the file is, and how many wait for a person and were left out.
    Nobody can guess its folder."""
    from panels.dialogue_library import state_of

    wanted, _, picked, _ = state_of(values)
    leaving, waiting = exports.chosen(chosen(shell, visitor, lang, wanted, picked), which)
    if not leaving:
        raise UserError(shell.t(lang, "pipeline.export.none", which=shell.t(lang, f"pipeline.which.{which}"),
                                waiting=waiting))
    data = exports.export(leaving, layout)
    folder = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    path = folder / exports.FORMATS[layout][1]
    path.write_bytes(data)
    return path, waiting


def take_in(shell: Shell, visitor: str, path: Path) -> str:
    """Keep a file in the home and start its import; the run id. What it holds the run itself finds out."""
    data = path.read_bytes()
    if not data.strip():
        raise UserError(f"{path.name} is empty.", advice="Choose another file.")
    name = hashlib.sha256(data).hexdigest()
    kept = bring.upload_path(name, shell.service.settings.home)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(data)
    fields = {"source": name, "name": path.name[:200]}
    return shell.service.submit(IMPORT_TASK, fields, visitor=visitor, title=path.name)


def progress(shell: Shell, run_id: str, request: gr.Request) -> tuple[Any, Any, Any]:
    """What the import says now. When it is over its note is emptied and the list shows its run alone."""
    if not run_id:
        return gr.skip(), gr.skip(), gr.skip()
    visitor, say = shell.visitor(request), partial(shell.t, shell.lang(request))
    run = shell.service.run(visitor, run_id)
    if run.status not in TERMINAL:
        return intake.running(run.title, run.message, say), gr.skip(), gr.skip()
    if run.status != "succeeded":
        failure = run.failure or {}
        words = intake.failed(run.title, str(failure.get("cause") or run.status), str(failure.get("advice") or ""), say)
        return words, "", gr.skip()
    result = shell.service.result(visitor, run_id) or {}
    return intake.done(run.title, result, skipped_of(run), say), "", run_id if result.get("dialogues") else gr.skip()


def skipped_of(run: Run) -> list[Json]:
    """What an import left out: where, and why."""
    return read_lines(run.path / "artifacts" / "skipped.jsonl")

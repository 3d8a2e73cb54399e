"""Taking dialogues out of the library (four layouts) and bringing one's own into it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from backends.sweetiechat import bring, exchange
from backends.sweetiechat.objects import Dialogue, dialogue_from_json
from panels import dialogue_shelf as shelf
from workbench.contract import UserError
from workbench.panel import QUEUED, Shell

if TYPE_CHECKING:
    from panels.dialogue_library import Library

LAYOUTS = tuple(exchange.FORMATS)
IMPORT_TASK = "sweetiechat.import.v1"
MOST = 20_000
"""Dialogues in one export file: more would be a file that few programs open (our default)."""


def wire(shell: Shell, library: Library) -> None:
    """Connect the export and import buttons."""
    def give(request: gr.Request, layout: str, *values: str) -> Any:
        path = write_export(shell, shell.visitor(request), shell.lang(request), layout, list(values))
        return gr.update(value=str(path), visible=True)

    def take(request: gr.Request, path: str) -> str:
        run_id, count = take_in(shell, shell.visitor(request), Path(path))
        gr.Info(shell.t(shell.lang(request), "dialogue.import.done", count=count), duration=6)
        return run_id
    library.buttons["export"].click(shell.guard(give), [library.layout, *library.inputs], [library.file], **QUEUED)
    library.buttons["import"].upload(shell.guard(take), [library.buttons["import"]], [library.filters["run"]], **QUEUED)


def chosen(shell: Shell, visitor: str, lang: str, wanted: shelf.Filter, picked: Sequence[str]) -> list[Dialogue]:
    """The ticked dialogues, or, when none is ticked, all that the filters let through (at most :data:`MOST`)."""
    keys = list(picked) or [row.key for row in shelf.find(shell.service, visitor, wanted, lang)]
    if not keys:
        raise UserError(shell.t(lang, "dialogue.export.nothing"))
    if len(keys) > MOST:
        raise UserError(f"{len(keys):,} dialogues match; one file may hold {MOST:,}.", advice="Narrow the filters.")
    return [dialogue_from_json(shelf.read(shell.service, visitor, key)) for key in keys]


def write_export(shell: Shell, visitor: str, lang: str, layout: str, values: Sequence[str]) -> Path:
    """Write the chosen dialogues in one layout; where the file is. Nobody can guess its folder."""
    from panels.dialogue_library import state_of

    wanted, _, picked, _ = state_of(values)
    text = exchange.export(chosen(shell, visitor, lang, wanted, picked), layout)
    folder = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    path = folder / exchange.FORMATS[layout][1]
    path.write_text(text, encoding="utf-8")
    return path


def take_in(shell: Shell, visitor: str, path: Path) -> tuple[str, int]:
    """Check a file, keep it in the home and start its import; the run id and the number of dialogues.

    Raises ``UserError`` naming the line that is no dialogue; nothing is kept then."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"The file is not UTF-8 text (byte {error.start}).", advice="Save it as UTF-8.") from error
    layout = bring.layout_of(text)
    count = len(bring.parse(text, layout))
    name = hashlib.sha256(data).hexdigest()
    kept = bring.upload_path(name, shell.service.settings.home)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(data)
    run_id = shell.service.submit(IMPORT_TASK, {"source": name, "layout": layout}, visitor=visitor, title=path.name)
    return run_id, count


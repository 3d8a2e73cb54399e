"""The task ``sweetiechat.import.v1``: take dialogues from a file into a run of their own, beside the generated ones.

The file is the workbench's own JSONL or ESConv's layout. Every dialogue is read and checked before the first one is
written, so a run holds the whole file or nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from backends.sweetiechat.exchange import from_esconv, from_jsonl
from backends.sweetiechat.import_request import SAMPLE, ImportRequest, ImportResult
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue, dialogue_to_json
from workbench.contract import Context, UserError
from workbench.files import dumps, write_text

UPLOAD = re.compile(r"[0-9a-f]{64}")
EVERY = 50


def run(request: ImportRequest, context: Context) -> ImportResult:
    """Read the file and write its dialogues. Raises ``UserError`` naming the line or entry that is no dialogue."""
    context.report(0, 1, "reading the file")
    dialogues = parse(place_of(request.source, context).read_text(encoding="utf-8-sig"), request.layout)
    path = context.run / "artifacts" / "dialogues.jsonl"
    path.parent.mkdir(exist_ok=True)
    lines = []
    for number, dialogue in enumerate(dialogues):
        if number % EVERY == 0:
            context.report(number, len(dialogues), f"dialogue {number + 1} of {len(dialogues)}")
        lines.append(dumps(dialogue_to_json(dialogue)) + "\n")
    write_text(path, "".join(lines))
    context.artifact("dialogues.jsonl", path, "dialogues")
    context.report(len(dialogues), len(dialogues), "done")
    return ImportResult(len(dialogues), sum(len(d.turns) for d in dialogues))


def parse(text: str, layout: str) -> list[Dialogue]:
    """The dialogues of a file's text. Raises ``UserError`` when it holds none."""
    found = from_esconv(text) if layout == "esconv" else from_jsonl(text)
    if not found:
        raise UserError("The file holds no dialogue.", advice="Give one dialogue a line, or a list in ESConv's layout.")
    return found


def layout_of(text: str) -> Literal["jsonl", "esconv"]:
    """ESConv's layout is one list; the workbench's own file has one object a line."""
    return "esconv" if text.lstrip("\ufeff \t\r\n").startswith("[") else "jsonl"


def place_of(source: str, context: Context) -> Path:
    """The file that a request names."""
    if source == SAMPLE:
        return ASSETS / "sample.esconv.json"
    if UPLOAD.fullmatch(source):
        path = upload_path(source, context.run.parents[1])
        if not path.is_file():
            raise UserError(f"The file {source[:12]}… that was taken in is no longer here.", advice="Import it again.")
        return path
    if not source.startswith("path:"):
        raise UserError(f"source is {source!r}; it must be path:/folder/file, the sha256 of a file that the page took "
                        "in, or 'sample'.")
    named = Path(source.removeprefix("path:")).expanduser()
    if named.is_dir():  # before it is resolved: that would read every file of the folder
        raise UserError(f"{named} is no file.", advice="Name the file itself, not its folder.")
    return context.resource(source)


def upload_path(sha256: str, home: Path) -> Path:
    """Where the page keeps a file that a person brought, by the sha256 of its bytes: beside the folder of runs."""
    return home / "uploads" / f"{sha256}.txt"

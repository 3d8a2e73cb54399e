"""Files that a person brings to the Translation tab: kept in the home under their own names, named by reference.

A comparison, a text to translate and a training read them like any other file. The folder is the sha256 of the bytes,
so the same file is kept once, and nobody can guess the reference of another's.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench import hub, hub_local
from workbench.contract import UserError
from workbench.hub_local import UPLOADS
from workbench.panel import Shell
from workbench.widgets.loose import table

LONGEST = 120
"""Characters of a file's name that are kept."""
ENDINGS = (".txt", ".tsv", ".csv", ".jsonl", ".json", ".xlsx", ".gz")


def take_in(shell: Shell, path: Path) -> str:
    """Keep a file that Gradio has taken in; its reference (``path:HOME/uploads/SHA256/NAME``).

    Raises ``UserError`` for an empty file."""
    if not path.stat().st_size:
        raise UserError(f"{path.name} is empty.", advice="Choose another file.")
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    return _keep(shell, sha, path.name, lambda to: shutil.copyfile(path, to))


def take_text(shell: Shell, name: str, text: str) -> str:
    """Keep text that a person pasted as a file of this name; its reference. Raises ``UserError`` for no text."""
    if not text.strip():
        raise UserError(f"{name} is empty.", advice="Paste one segment a line.")
    data = text.encode("utf-8", "replace")
    return _keep(shell, hashlib.sha256(data).hexdigest(), name, lambda to: to.write_bytes(data))


def _keep(shell: Shell, sha: str, name: str, write: Callable[[Path], object]) -> str:
    folder = shell.service.settings.home.resolve() / UPLOADS / sha
    kept = folder / plain(name)
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{secrets.token_hex(8)}.tmp"
        write(temporary)
        temporary.replace(kept)
    return f"path:{kept}"


def plain(name: str) -> str:
    """A file name without folders and control characters; its end (with the kind of file) is kept."""
    return re.sub(r"[/\\\x00-\x1f\x7f]", "_", name).lstrip(".")[-LONGEST:] or "file"


def name_of(reference: str) -> str:
    """How a file is called on the page: the last part of its reference."""
    return reference.rstrip("/").rpartition("/")[2] or reference


def references(paths: Sequence[str], shell: Shell) -> list[str]:
    """Keep several files, in order."""
    return [take_in(shell, Path(path)) for path in paths]


def as_reference(text: str) -> str:
    """What a person types as a file, as a reference: a path alone gets its ``path:``."""
    plainly = text.strip()
    return f"path:{plainly}" if plainly.startswith(("/", "~")) else plainly


def located(shell: Shell, visitor: str, reference: str) -> Path | None:
    """Where a file lies that this visitor may read; nothing for any other, or one that would have to be fetched."""
    if not reference.startswith(("path:", "run:", "bundled:")) or not readable(shell, visitor, reference):
        return None
    try:
        return hub_local.locate(hub.parse(reference), shell.service.settings)
    except (UserError, OSError):
        return None


def readable(shell: Shell, visitor: str, reference: str) -> bool:
    """Whether a visitor may read what a reference names; only references to runs belong to somebody."""
    if not reference.startswith("run:"):
        return True
    try:
        shell.service.run(visitor, reference.removeprefix("run:").partition("/")[0])
    except UserError:
        return False
    return True


def choices(brought: str) -> list[tuple[str, str]]:
    """(name, reference) of the files that were taken in, to choose from."""
    return [(name, reference) for reference, name in taken(brought).items()]


def taken(brought: str) -> dict[str, str]:
    """File names by reference of a note of what was taken in; nothing of a note that is none."""
    try:
        value = json.loads(brought or "{}")
    except ValueError:
        return {}
    return {str(reference): str(name) for reference, name in table(value).items()}

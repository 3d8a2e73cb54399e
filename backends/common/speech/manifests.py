"""Lists of clips with the published field names, one JSON object a line.

Speech recognition ``{"audio", "text"}``; emotion ``{"audio", "emotion", "text"}``; continuations add ``instruction``,
``output`` and ``early_stop``. Ours, all optional: ``speaker``, ``lang``, ``seconds``, ``fold``. A row that cannot be
used is named with its line and reason, and the others are kept. In stage 1 the emotion is ``""``, which is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from backends.common.speech import practice
from backends.common.speech.emotions import EMOTIONS, emotion_of
from backends.common.speech.slices import is_file, parse
from workbench.contract import Context, Json, MissingResource, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_text

Form = Literal["asr", "ser", "continuation"]
NEEDED: Mapping[Form, tuple[str, ...]] = {
    "asr": ("audio", "text"), "ser": ("audio", "emotion"), "continuation": ("audio", "text", "output")}
TEXTS = ("audio", "text", "emotion", "instruction", "output", "speaker", "lang", "gender", "intensity", "repetition")
LONGEST_LINE, MOST_ROWS, MOST_FAULTS = 1_000_000, 5_000_000, 1000
UPLOADS = "uploads"
"""Folder of the home with files that people brought, each under a name that nobody can guess."""


@dataclass(frozen=True)
class Row:
    """One clip. ``audio`` is as in the file; ``path`` of :class:`Manifest` makes it a place on this machine."""

    audio: str
    text: str = ""
    emotion: str = ""
    instruction: str = ""
    output: str = ""
    early_stop: bool = False
    speaker: str = ""
    lang: str = ""
    seconds: float = 0.0
    fold: str = ""
    gender: str = ""
    intensity: str = ""
    repetition: str = ""


@dataclass(frozen=True)
class Fault:
    """A row that was left out: its line, counted from 1, and the reason."""

    line: int
    why: str


@dataclass(frozen=True)
class Manifest:
    """The good rows, the first thousand faults, the folder that relative paths begin at, the fields nobody knows, and
    how many rows were left out in all."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]
    root: Path
    unknown: tuple[str, ...] = ()
    left_out: int = 0

    def source(self, row: Row) -> str:
        """What :func:`~backends.common.speech.audio.load` takes for a row."""
        return str(self.root / row.audio)

    @property
    def summary(self) -> str:
        """One line: rows, faults, the first of them."""
        if not self.faults:
            return f"{len(self.rows)} clips"
        first = self.faults[0]
        return (f"{len(self.rows)} clips; {self.left_out} rows left out, the first in line {first.line}: "
                f"{first.why}")


def read_manifest(path: Path, form: Form, root: Path | None = None, *, within: Sequence[Path] | None = None,
                  check_files: bool = True, emotions: Iterable[str] = EMOTIONS) -> Manifest:
    """Read a manifest. ``within``, where it is given, refuses clips that lie neither in ``root`` (the manifest's own
    folder by default) nor in one of these folders, as a server that is open to others must (:func:`readable`);
    ``emotions`` are the labels kept.

    Raises ``MissingResource`` where there is no file and ``UserError`` where no row can be used."""
    if not path.is_file():
        raise MissingResource(f"There is no manifest {path}.", advice="Give a .jsonl file with one clip a line.")
    root = root or path.parent
    rows: list[Row] = []
    faults: list[Fault] = []
    names: set[str] = set()
    left_out = 0
    allowed = tuple(emotions)
    folders = None if within is None else [folder.resolve() for folder in (root, *within)]
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: _line(file), b""), 1):
            if number > MOST_ROWS:
                raise UserError(f"{path.name} has more than {MOST_ROWS:,} rows.", advice="Split it.")
            if not line.strip():
                continue
            try:
                values = _values(line)
                names.update(values)
                row = _row(values, form, allowed)
                _check(row, root, folders, check_files)
                rows.append(row)
            except UserError as error:
                left_out += 1
                if len(faults) < MOST_FAULTS:
                    faults.append(Fault(number, error.message))
    if not rows:
        told = f" The first: line {faults[0].line}, {faults[0].why}" if faults else " It is empty."
        raise UserError(f"{path.name} has no usable row of the form {form}.{told}",
                        advice=f"A row needs {', '.join(NEEDED[form])}.")
    known = set(Row.__dataclass_fields__)
    return Manifest(tuple(rows), tuple(faults), root, tuple(sorted(names - known)), left_out)


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as a manifest that :func:`read_manifest` and the published loaders read; empty extras are left out."""
    lines = []
    for row in rows:
        values = to_json(row)
        keep = {name: value for name, value in values.items()
                if value not in ("", 0.0, False) or name in ("audio", "text")}
        if row.output:
            keep["early_stop"] = row.early_stop
            keep.setdefault("instruction", "")
        lines.append(dumps(keep))
    write_text(path, "\n".join(lines) + "\n")


def readable(context: Context) -> tuple[Path, ...] | None:
    """The folders whose clips a manifest may name besides its own: ``None`` (any) where only this machine reaches the
    page, else the server's ``data_roots``, what was brought to it, what this run made and the practice clips."""
    settings = getattr(context, "settings", None)
    if settings is None or settings.loopback:
        return None
    return (*settings.data_roots, settings.home / UPLOADS, context.run, practice.FOLDER)


def _line(file: BinaryIO) -> bytes:
    """The next line; of an endless one the beginning, so that memory follows what a row may have."""
    line = file.readline(LONGEST_LINE + 2)
    rest = line
    while len(rest) == LONGEST_LINE + 2 and not rest.endswith(b"\n"):
        rest = file.readline(LONGEST_LINE + 2)
    return line


def _values(line: bytes) -> Mapping[str, Json]:
    if len(line) > LONGEST_LINE:
        raise UserError(f"the line has {len(line):,} bytes.")
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"it is not JSON ({str(error)[:80]}).") from None
    if not isinstance(values, dict):
        raise UserError("it is not a JSON object.")
    return values


def _row(values: Mapping[str, Json], form: Form, allowed: tuple[str, ...]) -> Row:
    missing = [name for name in NEEDED[form] if not isinstance(values.get(name), str) or not values[name].strip()]
    if missing:
        raise UserError(f"it has no {' and no '.join(missing)}.")
    texts = {name: _text(values, name) for name in TEXTS}
    if texts["emotion"]:
        texts["emotion"] = emotion_of(texts["emotion"])
        if texts["emotion"] not in allowed:
            raise UserError(f"the emotion {texts['emotion']} is not among {', '.join(allowed)}.")
    seconds = values.get("seconds", 0.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e7:
        raise UserError(f"seconds is {seconds!r}.")
    stop = values.get("early_stop", False)
    if not isinstance(stop, bool):
        raise UserError(f"early_stop is {stop!r}; it must be true or false.")
    fold = values.get("fold", "")
    return Row(**texts, early_stop=stop, seconds=float(seconds), fold="" if fold is None else str(fold))


def _text(values: Mapping[str, Json], name: str) -> str:
    value = values.get(name, "")
    if value is None:
        return ""
    if name in ("speaker", "repetition") and isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise UserError(f"{name} is {str(value)[:40]!r}; it must be text.")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UserError(f"{name} holds half of a character, which no file can hold.")
    return value


def _check(row: Row, root: Path, folders: Sequence[Path] | None, check_files: bool) -> None:
    """Raise unless the clip lies where it may lie and, where that is asked for, is there."""
    path = parse(row.audio, root).path
    if folders is not None and not any(_real(path).is_relative_to(folder) for folder in folders):
        raise UserError(f"{row.audio[:80]} lies outside {root.name}.")
    if check_files and not is_file(path):
        raise UserError(f"there is no file {row.audio[:80]}.")


def _real(path: Path) -> Path:
    """Links resolved. ``UserError`` for links that go in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path.name[:80]} leads nowhere.") from error

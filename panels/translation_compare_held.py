"""What somebody has brought to Compare so far: files, what their columns are, what was refused. Nothing is lost.

The page keeps it as a note (:class:`Held`); a file that cannot be read stays in it with its reason, and so does what
was said about the columns of the others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from backends.common.mt.reading import Table, read_table
from backends.common.mt.roles import LONGEST_NAME, ROLES, Choice, choices
from backends.common.mt.scores import tokenizer_for
from backends.common.mt.uploads import Gathered, Opened, Upload, heads, side_by_side, with_choices
from backends.common.mt.words import language_of
from panels.translation_files import name_of
from workbench import hub_local
from workbench.contract import Json, UserError
from workbench.hub import parse
from workbench.panel import Shell
from workbench.text import say
from workbench.widgets.loose import listed, table
from workbench.widgets.mt_intake import ColumnView, FileView, IntakeView

MOST = 40
"""Files of one comparison (ours)."""
TOLD = 12
"""Refusals that are kept to be read."""


@dataclass(frozen=True)
class Held:
    """References of files in order, choices for their columns, and sentences about what was not taken."""

    files: tuple[str, ...] = ()
    chosen: tuple[Choice, ...] = ()
    refused: tuple[str, ...] = ()

    def note(self) -> str:
        """As the text of a note."""
        return json.dumps({"files": self.files, "columns": [choice.text() for choice in self.chosen],
                           "refused": self.refused[-TOLD:]}, ensure_ascii=False)

    def add(self, files: Sequence[str], refused: Sequence[str] = ()) -> Held:
        """With more files; one that is there already is not taken twice."""
        new = list(dict.fromkeys(name for name in files if name not in self.files))
        room = MOST - len(self.files)
        told = [f"{len(new) - room} files were left out: {MOST} are the most."] if len(new) > room else []
        return replace(self, files=(*self.files, *new[:room]), refused=(*self.refused, *refused, *told))

    def remove(self, number: int) -> Held:
        """Without file ``number`` (from 1); what was said of the others stays theirs."""
        if not 1 <= number <= len(self.files):
            return self
        kept = [replace(c, file=c.file - (c.file > number)) for c in self.chosen if c.file != number]
        return replace(self, files=self.files[:number - 1] + self.files[number:], chosen=tuple(kept))

    def say(self, number: int, column: str, role: str = "", name: str = "") -> Held:
        """With a role or a name for a column."""
        before = next((c for c in self.chosen if (c.file, c.column) == (number, column)), Choice(number, column))
        now = replace(before, role=role or before.role, name=name.strip()[:LONGEST_NAME] or before.name)
        return replace(self, chosen=(*(c for c in self.chosen if c != before), now))


def held(note: str) -> Held:
    """What a note says; nothing of one that was changed by hand into something else."""
    try:
        value = table(json.loads(note or "{}"))
        files = tuple(str(name) for name in listed(value.get("files")))[:MOST]
        return Held(files, tuple(choices([str(text) for text in listed(value.get("columns"))], len(files))),
                    tuple(str(text) for text in listed(value.get("refused")))[-TOLD:])
    except (ValueError, RecursionError, UserError):
        return Held()


def opened(shell: Shell, visitor: str, of: Held) -> list[Opened]:
    """Every file read with what was said of its columns, or its reason. A run's file needs the right to that run."""
    found = []
    for number, reference in enumerate(of.files, 1):
        upload = with_choices(Upload(name_of(reference), b""), [c for c in of.chosen if c.file == number])
        try:
            if reference.startswith("run:"):
                shell.service.run(visitor, reference.removeprefix("run:").partition("/")[0])
            path = hub_local.locate(parse(reference), shell.service.settings)
            stat = path.stat()
            read = _read(path, upload.name, stat.st_mtime_ns, stat.st_size)
            found.append(Opened(upload, None, read) if isinstance(read, str) else Opened(upload, read))
        except UserError as error:
            found.append(Opened(upload, None, str(error)))
        except OSError as error:
            found.append(Opened(upload, None, f"{upload.name} cannot be read: {error.strerror}. Bring it again."))
    return found


@lru_cache(maxsize=MOST)
def _read(path: Path, name: str, changed: int, size: int) -> Table | str:
    try:
        return read_table(name, path.read_bytes())
    except UserError as error:
        return str(error)


def problems(gathered: Gathered, lang: str) -> tuple[str, ...]:
    """What stands in the way of scores, one sentence each."""
    found = list(gathered.problems)
    if not any(column.role == "reference" for column in gathered.columns):
        found.append(say(lang, "translation_compare.no_reference"))
    return tuple(found)


def target_language(gathered: Gathered) -> str:
    """The language that the script of the references (else of the systems) gives away."""
    for role in ("reference", "system"):
        column = next((column for column in gathered.columns if column.role == role), None)
        if column is not None:
            return language_of(column.segments)
    return ""


def token(gathered: Gathered, language: str, tokenizer: str, lang: str) -> tuple[str, str]:
    """BLEU's tokeniser in words, and a warning where it does not fit."""
    told = target_language(gathered)
    try:
        taken, warning = tokenizer_for(language or told, tokenizer)
    except UserError as error:
        return "", str(error)
    key = "given" if language else "told" if told else "other"
    words = say(lang, f"translation_compare.token.{key}", tokenizer=taken, language=language or told)
    if not warning and told and language and language.lower()[:2] != told:
        warning = say(lang, "translation_compare.token.script", told=told, language=language)
    return words, warning


def view(files: Sequence[Opened], of: Held, language: str, tokenizer: str, lang: str) -> IntakeView:
    """What the page shows of it."""
    gathered = side_by_side(files)
    shown = []
    for number, file in enumerate(files, 1):
        columns = file.table.columns if file.table else {}
        heads_of = [ColumnView(head.column, head.role if head.role in ROLES else "system", head.name,
                               next(iter(columns[head.column]), "")) for head in heads(file)]
        notes = tuple(f"{say(lang, 'translation_compare.line', n=note.line)}: {note.text}" if note.line else note.text
                      for note in (file.table.notes if file.table else ()))
        shown.append(FileView(number, file.upload.name, file.table.format if file.table else "",
                              file.table.rows if file.table else 0, notes, tuple(heads_of), file.problem))
    wrong = tuple(p for p in problems(gathered, lang) if p not in {file.problem for file in files})
    renamed = tuple(f"{note.file}: {note.text}" for note in gathered.notes if "is shown as" in note.text)
    ready = not any(file.problem for file in files) and not wrong
    return IntakeView(tuple(shown), (*of.refused, *renamed), wrong, gathered.preview,
                      token(gathered, language, tokenizer, lang) if ready else ("", ""))


def column_at(files: Sequence[Opened], key: str) -> tuple[int, str]:
    """File number and head of the column that ``"FILE.COLUMN"`` names by numbers; ``(0, "")`` where there is none."""
    number, _, place = key.partition(".")
    if not (number.isdecimal() and place.isdecimal() and 1 <= int(number) <= len(files)):
        return 0, ""
    found = heads(files[int(number) - 1])
    return (int(number), found[int(place)].column) if int(place) < len(found) else (0, "")


def pasted_name(text: str, before: int, name: str = "") -> str:
    """How a pasted text is called: the name given, with the ending that its content asks for."""
    lines = text.strip("\n").split("\n")[:50]
    tabs = {line.count("\t") for line in lines}
    ending = ".tsv" if len(lines) > 1 and len(tabs) == 1 and tabs != {0} else ".jsonl" if _object(lines[0]) else ".txt"
    plain = name.strip() or f"pasted {before + 1}"
    return plain if "." in plain[1:] else plain + ending


def _object(line: str) -> bool:
    try:
        value: Json = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)

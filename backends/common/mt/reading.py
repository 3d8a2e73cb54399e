"""A person's file as named columns of text, with a sentence for everything that is odd about it.

txt (one segment a line), jsonl, tsv, csv and xlsx are told by their content and their ending. Only the line ends
``\\n`` and ``\\r\\n`` end a line: U+2028 or a form feed inside a segment is text. What cannot be read raises
``UserError``; what can be put right is, and a :class:`Note` says so.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.contract import Json, UserError

LARGEST_MB = 256
LONGEST = 200_000
"""Characters of one segment; a longer one is a document or a file without line ends (our default)."""
WIDEST = 1000
"""Columns of one table; more are a table that lies on its side (our default)."""
Format = Literal["", "txt", "jsonl", "tsv", "csv", "xlsx"]
FORMATS: tuple[Format, ...] = ("txt", "jsonl", "tsv", "csv", "xlsx")
BINARY = ((b"\x1f\x8b", "a gzip archive"), (b"%PDF", "a PDF"), (b"PAR1", "a Parquet file"),
          (b"\xd0\xcf\x11\xe0", "an old Office file (.doc or .xls)"), (b"\x89PNG", "a picture"),
          (b"SQLite", "a database"))
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
COLUMN = "text"
GUARDED = ("'=", "'+", "'-", "'@")
"""How a text begins that an export keeps from being taken for a formula."""
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Note:
    """Something odd that was put right or that a person should know. ``line`` counts from 1; 0 is the whole file."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Table:
    """A file as read: columns of equal length, by name, in the order of the file. A txt file has the one column
    ``text``."""

    name: str
    format: Format
    columns: dict[str, tuple[str, ...]]
    notes: tuple[Note, ...] = ()

    @property
    def rows(self) -> int:
        """Number of segments."""
        return len(next(iter(self.columns.values()), ()))


def within(path: Path) -> bytes:
    """The bytes of a file that is not larger than what is read. Raises ``UserError`` for a larger one, before it is
    read, and for what cannot be read."""
    try:
        small(path.name, path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}.", advice="Name a file.") from error


def small(name: str, size: int) -> None:
    """Raise ``UserError`` for more bytes than are read."""
    if size > LARGEST_MB * 2**20:
        raise UserError(f"{name} has {size / 2**20:,.0f} MB; at most {LARGEST_MB} MB are read.",
                        advice="Split it into several files.")


def read_table(name: str, data: bytes, format: Format = "") -> Table:
    """Read a file of the name people call it by. ``format`` overrides what content and ending say.

    Raises ``UserError`` for a file that is empty, too large, binary, not UTF-8, or not what its format says."""
    small(name, len(data))
    kind: Format = format or sniff(name, data)
    if kind == "xlsx":
        return _checked(_xlsx(name, data))
    text, notes = decoded(name, data)
    readers = {"txt": _txt, "jsonl": _jsonl, "tsv": _separated, "csv": _separated}
    table = readers[kind](name, text) if kind in ("txt", "jsonl") else _separated(name, text, kind)
    return _checked(Table(name, kind, table.columns, (*notes, *table.notes)))


def sniff(name: str, data: bytes) -> Format:
    """The format of a file: Office's zip by content, JSON lines by content, the others by ending, else txt."""
    if data.startswith(b"PK\x03\x04"):
        return "xlsx"
    ending = name.lower().rpartition(".")[2]
    for known in FORMATS[1:4]:
        if ending == known:
            return known
    first = data.lstrip(b"\xef\xbb\xbf \t\r\n").split(b"\n", 1)[0].strip()
    if ending == "json":
        return "jsonl"
    if first.startswith(b"{") and first.endswith(b"}"):
        try:
            return "jsonl" if isinstance(json.loads(first), dict) else "txt"
        except (ValueError, RecursionError):
            return "txt"
    return "txt"


def decoded(name: str, data: bytes) -> tuple[str, list[Note]]:
    """The text of bytes without its mark, line ends made ``\\n``. Raises ``UserError`` for what is no UTF-8 text."""
    for magic, words in BINARY:
        if data.startswith(magic):
            raise UserError(f"{name} is {words}, not plain text.", advice="Give UTF-8 text, or xlsx.")
    if data.startswith(UTF_16):
        raise UserError(f"{name} is UTF-16 text.", advice="Save it as UTF-8.")
    if b"\0" in data:
        raise UserError(f"{name} is a binary file or UTF-16 (byte 0 at position {data.index(0)}), not plain text.",
                        advice="Save it as UTF-8 text.")
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UserError(f"{name} is empty.", advice="Choose another file.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[:error.start].count(b"\n") + 1
        raise UserError(f"{name}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8 text.",
                        advice="Save the file as UTF-8.") from error
    notes = []
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append(Note(name, 1, "a byte order mark at the beginning was taken off"))
    ends = text.count("\r\n")
    if ends:
        text = text.replace("\r\n", "\n")
        notes.append(Note(name, 0, f"{ends:,} lines end in CR LF (Windows); the CR was taken off"))
    if "\r" in text and "\n" not in text.rstrip("\n"):
        count = text.count("\r")
        text = text.replace("\r", "\n")
        notes.append(Note(name, 0, f"{count:,} lines end in CR alone (old Mac); they were read as line ends"))
    elif "\r" in text:
        line = text[:text.index("\r")].count("\n") + 1
        notes.append(Note(name, line, f"{text.count(chr(13)):,} CR characters stand inside lines and were made spaces"))
        text = text.replace("\r", " ")
    return text, notes


def lines_of(text: str) -> list[str]:
    """Lines of a text; a line end at its end ends the last line and begins none."""
    lines = text.split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def _txt(name: str, text: str) -> Table:
    return Table(name, "txt", {COLUMN: tuple(lines_of(text))})


def _jsonl(name: str, text: str) -> Table:
    from backends.common.mt.reading_json import json_rows  # campaigns, which it knows, read lines through this module

    rows = json_rows(name, text, lines_of(text))
    names = list(dict.fromkeys(key for row in rows for key in row))
    if not names:
        raise UserError(f"{name} has objects without any text in them.",
                        advice='For example {"src": "...", "ref": "...", "my system": "..."}.')
    narrow(name, len(names))
    notes, columns = [], {}
    for column in names:
        gaps = [number for number, row in enumerate(rows, 1) if row.get(column) is None]
        if gaps:
            notes.append(Note(name, gaps[0], f"{len(gaps):,} lines have no {column!r}; they were read as empty"))
        columns[column] = tuple(_text(row.get(column)) for row in rows)
        broken = [number for number, value in enumerate(columns[column], 1) if _HALF.search(value)]
        if broken:
            notes.append(Note(name, broken[0], f"{len(broken):,} texts of {column!r} hold half a character (a lone "
                              "surrogate); it was made \ufffd"))
            columns[column] = tuple(_HALF.sub("\ufffd", value) for value in columns[column])
    return Table(name, "jsonl", {_HALF.sub("\ufffd", column): values for column, values in columns.items()},
                 tuple(notes))


def _text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _separated(name: str, text: str, kind: Format = "csv") -> Table:
    if kind == "tsv":  # quotes are text in a tab-separated file, as in WMT's
        rows: Iterator[list[str]] = iter([line.split("\t") for line in lines_of(text)])
        return _grid(name, kind, list(rows))
    try:
        old = csv.field_size_limit(LARGEST_MB * 2**20)
        try:
            return _grid(name, kind, list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))))
        finally:
            csv.field_size_limit(old)
    except csv.Error as error:
        raise UserError(f"{name} is no valid csv ({error}).",
                        advice="Save it again as UTF-8 csv, or as tsv.") from error


def _delimiter(text: str) -> str:
    """A comma, or a semicolon where the first line has more of those (spreadsheets of many countries)."""
    first = text.split("\n", 1)[0]
    return max((",", ";", "\t"), key=lambda mark: (first.count(mark), mark == ","))


def _grid(name: str, kind: Format, rows: Sequence[Sequence[str]]) -> Table:
    """The first row names the columns. Every other row must have as many cells."""
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise UserError(f"{name} has a first line with column names and nothing below it.",
                        advice="Add the segments, or choose txt for one segment a line.")
    narrow(name, len(rows[0]))
    heads, notes = _heads(name, rows[0])
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(heads):
            raise UserError(f"{name}, row {number} has {len(row)} columns and the first row {len(heads)} "
                            f"({', '.join(heads)}).",
                            advice="A tab, comma or quote inside a text may have split it; put the row right.")
    guarded = [number for number, row in enumerate(rows[1:], 2) if any(cell.startswith(GUARDED) for cell in row)]
    if guarded:
        notes.append(Note(name, guarded[0], f"{len(guarded):,} rows have a text behind an apostrophe that keeps "
                          "spreadsheets from taking it for a formula; the apostrophe was taken off"))
    return Table(name, kind, {head: tuple(row[i][row[i].startswith(GUARDED):] for row in rows[1:])
                              for i, head in enumerate(heads)}, tuple(notes))


def narrow(name: str, columns: int) -> None:
    """Raise ``UserError`` for more columns than a table of segments has."""
    if columns > WIDEST:
        raise UserError(f"{name} has {columns:,} columns; at most {WIDEST:,} are read.",
                        advice="Put one segment on each row and one system in each column.")


def _heads(name: str, row: Sequence[str]) -> tuple[list[str], list[Note]]:
    heads: list[str] = []
    notes = []
    for number, cell in enumerate(row, 1):
        head = cell.strip() or f"column {number}"
        if head in heads:
            again = next(f"{head} ({n})" for n in range(2, len(row) + 2) if f"{head} ({n})" not in heads)
            notes.append(Note(name, 1, f"two columns are named {head!r}; the second is shown as {again!r}"))
            head = again
        heads.append(head)
    return heads, notes


def _xlsx(name: str, data: bytes) -> Table:
    from backends.common.mt.reading_xlsx import first_sheet  # it speaks of files in this module's words

    rows, notes = first_sheet(name, data)
    table = _grid(name, "xlsx", rows)
    return Table(name, "xlsx", table.columns, (*table.notes, *notes))


def _checked(table: Table) -> Table:
    """Notes on empty segments; refuse one that is too long to be a segment."""
    notes = list(table.notes)
    for column, values in table.columns.items():
        where = table.name if column == COLUMN else f"{table.name}, column {column!r}"
        for number, value in enumerate(values, 1):
            if len(value) > LONGEST:
                raise UserError(f"{where}, line {number} has {len(value):,} characters; a segment may have at most "
                                f"{LONGEST:,}.", advice="The file may lack line ends. Put one segment on each line.")
        empty = [number for number, value in enumerate(values, 1) if not value.strip()]
        if empty:
            place = "" if column == COLUMN else f" of column {column!r}"
            notes.append(Note(table.name, empty[0], f"{len(empty):,} of {len(values):,} segments{place} are empty; "
                              "they are scored as such"))
    return Table(table.name, table.format, table.columns, tuple(notes))

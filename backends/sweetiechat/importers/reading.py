"""From a file to its entries, each with its place: JSON arrays, one JSON value a line, CSV, TSV.

What a file holds is told by its content, not by its name. A broken line or entry becomes a row that says what is wrong
with it, so that everything around it is still read; of a JSON array, everything before the first broken entry.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from backends.sweetiechat.importers.draft import Row
from workbench.contract import Json, UserError

IsEntry = Callable[[Json], bool]
LARGEST_MB = 512
"""Larger files are refused: a JSON array is read as a whole (our default)."""
LARGEST_CELL = 131_072
"""Characters of a table's cell: what Python's csv allows by itself."""
HEAD = 1 << 16
LOOK = 5
BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[\s,]*")
ESCONV_LINE = re.compile(r"^\d+(?:\.\d+)? [01] \d+ ")
_KINDS = ((b"PK\x03\x04", "a zip archive or an Office file"), (b"\x1f\x8b", "a gzip archive"),
                   (b"%PDF", "a PDF"), (b"PAR1", "a Parquet file"), (b"SQLite", "a database"))


def read_rows(path: Path, is_entry: IsEntry, name: str) -> Iterator[Row]:
    """Every entry of a file, first to last; ``is_entry`` knows a table that is one, ``name`` is what people call it.

    Raises ``UserError`` for a file that is empty, too large or no text."""
    size = path.stat().st_size
    if size > LARGEST_MB * 2**20:
        raise UserError(f"{name} has {size / 2**20:,.0f} MB; at most {LARGEST_MB} MB are read.",
                        advice="Split it, or give it as one JSON object a line in several files.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    check_text(name, head)
    start = head.decode("utf-8-sig", "ignore").lstrip()
    if not start:
        raise UserError(f"{name} is empty.", advice="Choose another file.")
    if _line_by_line(path):
        yield from _lines(path, name)
    elif start[0] in "[{":
        yield from _document(path, is_entry, name)
    else:
        yield from _table(path, start, name)


def check_text(name: str, head: bytes) -> None:
    """Raise ``UserError`` for bytes that are no UTF-8 text."""
    kind = next((words for magic, words in _KINDS if head.startswith(magic)), "")
    if kind or b"\0" in head:
        what = kind or f"a binary file or UTF-16 (byte 0 at position {head.index(0)})"
        raise UserError(f"{name} is {what}, not plain text.",
                        advice="Save it as UTF-8 text: JSON, JSON lines, CSV or TSV.")


def decoded(data: bytes, where: str) -> str:
    """The text of bytes. Raises ``UserError`` naming the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text (byte 0x{data[error.start]:02x} at position {error.start})",
                        advice="Save the file as UTF-8.") from error


def parsed(text: str) -> Json:
    """The JSON value of a text. Raises ``UserError`` with the reason in words."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UserError("it is nested too deeply to be read") from error
    except ValueError as error:
        raise UserError(f"it is not valid JSON ({_why(error)})") from error


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()}, character {error.pos + 1}"
    return str(error)[:120]


def _line_by_line(path: Path) -> bool:
    """Whether one of the first lines is a JSON value by itself, as in ``.jsonl`` files. The first line of a text over
    many lines opens something and is none."""
    with path.open("rb") as file:
        lines = [line.strip() for _ in range(LOOK * 4) if (line := file.readline(LARGEST_MB * 2**20)).strip()][:LOOK]
    values = [_value(line) for line in lines]
    opens = lines[0].endswith((b"{", b"[", b",", b":")) or lines[0].removeprefix(BOM).startswith(b"[")
    return any(isinstance(value, list | dict) for value in values) and not (values[0] is None and opens)


def _value(line: bytes) -> Json:
    try:
        return parsed(line.decode("utf-8-sig"))
    except (UserError, UnicodeDecodeError):
        return None


def _lines(path: Path, name: str) -> Iterator[Row]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{name}, line {number}"
            try:
                yield from expand(parsed(decoded(line, "it")), where)
            except UserError as error:
                yield Row(where, problem=error.message)


def expand(value: Json, where: str) -> Iterator[Row]:
    """The entries inside a value: those of a list, or the value itself; a list of messages is one entry."""
    if not isinstance(value, list):
        yield Row(where, value)
    elif _is_messages(value):
        yield Row(where, {"messages": value})
    else:
        for place, item in enumerate(value, 1):
            yield Row(f"{where}, entry {place}", item)


def _is_messages(value: list[Json]) -> bool:
    first = value[0] if value else None
    return isinstance(first, Mapping) and "content" in first and ("role" in first or "speaker" in first)


def _document(path: Path, is_entry: IsEntry, name: str) -> Iterator[Row]:
    """One JSON text over many lines: an array, or a table that is an entry or holds a list or a table of them."""
    text = decoded(path.read_bytes(), name)
    if text.lstrip().startswith("["):
        rows = list(_array(text, name))
        messages = [row.value for row in rows if not row.problem]
        if _is_messages(messages):
            rows = [Row(name, {"messages": messages}), *(row for row in rows if row.problem)]
        yield from rows
        return
    try:
        value = parsed(text)
    except UserError as error:
        raise UserError(f"{name} cannot be read: {error.message}.",
                        advice="Check that the file is whole.") from error
    lists = [inner for inner in value.values() if isinstance(inner, list) and inner and isinstance(inner[0], Mapping)]
    if is_entry(value):
        yield Row(name, value)
    elif len(lists) == 1:
        yield from expand(lists[0], name)
    elif value and all(isinstance(inner, Mapping) for inner in value.values()):
        yield from (Row(f"{name}, entry {key!s:.60}", inner) for key, inner in value.items())
    else:
        yield Row(name, value)


def _array(text: str, name: str) -> Iterator[Row]:
    """The items of a JSON array with their lines; an item that cannot be read ends it, with what is wrong."""
    decoder, place, line, counted = json.JSONDecoder(), text.index("[") + 1, 1, 0
    for number in range(1, len(text) + 1):
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]  # the pattern matches nothing too
        if text.startswith("]", place):
            return
        line, counted = line + text.count("\n", counted, place), place
        where = f"{name}, line {line} (entry {number})"
        if place >= len(text):
            yield Row(where, problem="the file ends in the middle of its list; nothing after this place was read")
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else f"not valid JSON: {_why(error)}"
            yield Row(where, problem=f"{why}; nothing after this place was read")
            return
        yield Row(where, value)


def _table(path: Path, start: str, name: str) -> Iterator[Row]:
    """CSV with a header, TSV with a header (quotes are ordinary there), or ESConv's lines of turns."""
    text = decoded(path.read_bytes(), name)
    if ESCONV_LINE.match(start):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield Row(f"{name}, line {number}", line.rstrip("\r"))
        return
    tabs = "\t" in start.split("\n")[0]
    csv.field_size_limit(LARGEST_CELL)  # one number for the whole process: another reader may have set its own
    reader = csv.reader(io.StringIO(text, newline=""), "excel-tab" if tabs else "excel",
                        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL)
    header: list[str] = []
    while True:
        where = f"{name}, line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(where, problem=f"it cannot be read as a table row ({error})")
            continue
        if not header:
            header = [cell.strip().casefold() for cell in cells]
        elif any(cell.strip() for cell in cells):
            yield _cells(where, header, cells)


def _cells(where: str, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        return Row(where, problem=f"it has {_columns(len(cells))} and the header has {_columns(len(header))}")
    return Row(where, dict(zip(header, cells, strict=True)))


def _columns(count: int) -> str:
    return f"{count} column{'s' if count != 1 else ''}"

"""CSV and TSV with a header line, read line by line.

A line that is too long and a cell that is too long are problems, and reading goes on behind them. A quote that is never
closed would swallow every row that follows: its line is a problem, and the lines behind it are read again. In a TSV
file quotes are ordinary characters. Columns other than those that are used are thrown away at once.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from backends.mdfg.readers.jsonl import LONGEST, bounded, too_long
from backends.mdfg.readers.rows import MOST_CHARACTERS, Problem, Read, row_of, text_name
from workbench.contract import UserError

SUFFIXES = {".csv": ",", ".tsv": "\t"}
USED = ("title", "url", "source_domain", "source", "score", "quality_score")
UNCLOSED = "a quote that opens in it is never closed"


def read_table(path: Path, text_field: str = "", delimiter: str = ",") -> Iterator[Read]:
    """Rows of a table. Raises ``UserError`` when its header names no text."""
    csv.field_size_limit(MOST_CHARACTERS + 1)
    with path.open("rb") as file:
        lines = _Lines(bounded(file, -1))
        reader = csv.reader(lines, delimiter=delimiter, strict=False,
                            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL)
        header: list[str] | None = None
        for number, cells, why in _cells(reader, lines):
            yield from lines.told()
            if why:
                yield Problem(number, why)
            elif any(cells) and header is None:
                header = _header(cells, text_field)
            elif any(cells) and header is not None:
                yield _row(cells, header, number, text_field)
        yield from lines.told()


class _Lines:
    """Lines of a table for :mod:`csv`; ``held`` are those of the row that is being read, ``ended`` says that the file
    ended before the row did."""

    def __init__(self, lines: Iterator[tuple[int, bytes | None, int]]) -> None:
        self.held, self.ended = list[tuple[int, str]](), False
        self._lines, self._again, self._problems = lines, deque[tuple[int, str]](), list[Problem]()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            self.held.append(self._again.popleft())
            return self.held[-1][1]
        try:
            number, line, size = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        if line is None:
            self._problems.append(Problem(number, too_long(size, LONGEST)))
        text = "\n" if line is None else line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
        self.held.append((number, text))
        return text

    def begin(self) -> None:
        """A row begins."""
        self.held.clear()
        self.ended = False

    def again(self) -> None:
        """Read the lines behind the first one of the row once more; no line is read a third time, since a quote in
        one of them would have closed the first."""
        self._again.extendleft(reversed(self.held[1:]))

    def told(self) -> Iterator[Problem]:
        """Problems of lines, each once."""
        while self._problems:
            yield self._problems.pop(0)


def _cells(reader: Iterator[list[str]], lines: _Lines) -> Iterator[tuple[int, list[str], str]]:
    """(number of the first line, cells, what is wrong) of every row."""
    while True:
        lines.begin()
        try:
            cells, why = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            cells, why = [], _wrong(str(error))
        if lines.ended:
            why = UNCLOSED
        if why:
            lines.again()
        yield lines.held[0][0], cells, why


def _wrong(error: str) -> str:
    if "new-line" in error:
        return "a carriage return stands inside it; lines must end in LF or CRLF"
    return f"it cannot be read as a row of a table ({error})"


def _header(cells: list[str], text_field: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    wanted = text_field if text_field in names else "" if text_field else text_name(names)
    if not wanted:
        shown = ", ".join(name[:40] for name in names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
        raise UserError(f"its header names no column {text_field or 'text'}; it names {shown}",
                        advice="Name the column of the text, or write a header line.")
    if names.count(wanted) > 1:
        raise UserError(f"its header names the column {wanted} {names.count(wanted)} times",
                        advice="Give every column a name of its own.")
    return names


def _row(cells: list[str], header: list[str], number: int, text_field: str) -> Read:
    if len(cells) != len(header):
        return Problem(number, f"it has {len(cells):,} cells and the header {len(header):,}")
    wanted = text_field or text_name(header)
    value: dict[str, str | float] = {name: cell for name, cell in zip(header, cells, strict=True)
                                     if name == wanted or name.casefold() in USED}
    broken = next((cell for cell in value.values() if isinstance(cell, str) and _undecoded(cell)), None)
    if broken is not None:
        place = next(i for i, character in enumerate(broken, 1) if "\udc80" <= character <= "\udcff")
        return Problem(number, f"it is not UTF-8 text (character {place} of a cell)")
    for name in ("score", "quality_score"):
        if name in value:
            value[name] = _number(str(value[name]))
    return row_of(value, number, wanted)


def _undecoded(cell: str) -> bool:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")

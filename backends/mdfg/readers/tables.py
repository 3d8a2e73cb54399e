"""CSV and TSV with a header line, read line by line.

A line that is too long and a cell that is too long are problems, and reading goes on behind them. In a TSV file quotes
are ordinary characters. Columns other than those that are used are thrown away at once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from backends.mdfg.readers.jsonl import LONGEST, bounded, too_long
from backends.mdfg.readers.rows import MOST_CHARACTERS, Problem, Read, row_of, text_name
from workbench.contract import UserError

SUFFIXES = {".csv": ",", ".tsv": "\t"}
USED = ("title", "url", "source_domain", "source", "score", "quality_score")


def read_table(path: Path, text_field: str = "", delimiter: str = ",") -> Iterator[Read]:
    """Rows of a table. Raises ``UserError`` when its header names no text."""
    csv.field_size_limit(MOST_CHARACTERS + 1)
    problems: list[Problem] = []
    with path.open("rb") as file:
        reader = csv.reader(_lines(bounded(file, -1), problems), delimiter=delimiter, strict=False,
                            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL)
        header: list[str] | None = None
        while True:
            first = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                problems.append(Problem(first, f"it cannot be read as a row of a table ({error})"))
                continue
            yield from problems
            problems.clear()
            if not any(cells):
                continue
            if header is None:
                header = _header(cells, text_field)
            else:
                yield _row(cells, header, first, text_field)
    yield from problems


def _lines(lines: Iterator[tuple[int, bytes | None, int]], problems: list[Problem]) -> Iterator[str]:
    for number, line, size in lines:
        if line is None:
            problems.append(Problem(number, too_long(size, LONGEST)))
            yield "\n"
        else:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


def _header(cells: list[str], text_field: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    if (text_field and text_field not in names) or not (text_field or text_name(names)):
        shown = ", ".join(name[:40] for name in names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
        raise UserError(f"its header names no column {text_field or 'text'}; it names {shown}",
                        advice="Name the column of the text, or write a header line.")
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

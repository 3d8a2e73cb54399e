"""The first sheet of an xlsx workbook as rows of texts, with a sentence for what a sheet can hold beside texts.

A translation that begins with ``=`` is a formula to a spreadsheet: what it has in place of a text is then nothing or
``#NAME?``. Such a cell is read as the formula's own text. Merged cells hold one text in their first cell only: between
the names of columns they are refused, further down they are told.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

from backends.common.mt.reading import Note, narrow, small
from workbench.contract import UserError

MOST_CELLS = 10_000_000
"""Cells of a sheet, empty ones between others counted (our default)."""
_FORMULA = re.compile(rb"<f[ >/]")
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]+(\d+)(?::[A-Z]+\d+)?)"')
_ERROR = re.compile(r"#(NAME\?|REF!|VALUE!|N/A|DIV/0!|NUM!|NULL!)")


def first_sheet(name: str, data: bytes) -> tuple[list[list[str]], list[Note]]:
    """Rows of equal width, from the first that holds anything to the last, and what was odd.

    What a small file unpacks to is checked before it is unpacked. Raises ``UserError`` for what is no workbook, for one
    that is too large, and for merged cells in the first row."""
    try:
        return _sheet(name, data)
    except UserError:
        raise
    except Exception as error:  # a damaged archive fails wherever its damage is
        raise UserError(f"{name} is a zip archive but no xlsx workbook that can be read.",
                        advice="Unpack it, or save the table as xlsx again.") from error


def _sheet(name: str, data: bytes) -> tuple[list[list[str]], list[Note]]:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        small(f"{name}, unpacked,", sum(entry.file_size for entry in archive.infolist()))
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            sheets, raw = [sheet.title for sheet in book.worksheets], archive.read(book.worksheets[0]._worksheet_path)
            rows = _rows(name, book)
        finally:
            book.close()
    notes = [Note(name, 0, f"only the first sheet, {sheets[0]!r}, was read of {len(sheets)}")][:len(sheets) - 1]
    if _FORMULA.search(raw):
        plain = load_workbook(io.BytesIO(data), read_only=True, data_only=False)
        try:
            notes += _formulas(name, rows, _rows(name, plain))
        finally:
            plain.close()
    before = next((number for number, row in enumerate(rows) if row), len(rows))
    notes += _merged(name, raw, before + 1)
    width = max((len(row) for row in rows), default=0)
    if width * len(rows) > MOST_CELLS:
        raise UserError(f"{name} has {len(rows):,} rows of {width:,} columns; at most {MOST_CELLS:,} cells are read.",
                        advice="Look for a cell far below or far to the right of the others.")
    return [[*row, *[""] * (width - len(row))] for row in rows[before:]], notes


def _rows(name: str, book: Any) -> list[list[str]]:
    """The cells of the first sheet without empty ones at the end of a row, and without empty rows at the end."""
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # a size that a file only claims would fill rows up to it
    rows: list[list[str]] = []
    for row in sheet.iter_rows(values_only=True):
        if not row:  # one of up to a million between two cells
            rows.append([])
            continue
        last = next((i for i in range(len(row), 0, -1) if row[i - 1] not in (None, "")), 0)
        narrow(name, last)
        rows.append(["" if cell is None else str(getattr(cell, "text", cell)) for cell in row[:last]])
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _formulas(name: str, rows: list[list[str]], plain: Sequence[Sequence[str]]) -> list[Note]:
    """Put the text of a formula where its value is missing or an error."""
    places = []
    rows += [[] for _ in range(len(plain) - len(rows))]
    for number, (row, formulas) in enumerate(zip(rows, plain, strict=False), 1):
        row += [""] * (len(formulas) - len(row))
        for i, text in enumerate(formulas):
            if text.startswith("=") and (not row[i] or _ERROR.fullmatch(row[i])):
                row[i] = text
                places.append(number)
    return [Note(name, places[0], f"{len(places):,} cells are formulas without a value; their own text was taken")
            ] if places else []


def _merged(name: str, raw: bytes, first: int) -> list[Note]:
    found = [(reference.decode(), int(row)) for reference, row in _MERGED.findall(raw)]
    heads = [reference for reference, row in found if row <= first]
    if heads:
        raise UserError(f"{name} has merged cells in its first row ({', '.join(heads[:3])}): columns lack a name.",
                        advice="Unmerge them and name every column in one row.")
    return [Note(name, found[0][1], f"{len(found):,} groups of merged cells (the first is {found[0][0]}); only the "
                 "first cell of each holds a text")] if found else []

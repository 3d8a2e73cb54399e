"""JSON lines, by byte ranges of a file, and whole JSON arrays.

A line longer than ``LONGEST`` is stepped over in pieces, so a file that is one line of a gigabyte costs no memory.
orjson reads a line; what it refuses is tried with the standard library once (NaN is not JSON but common), and what that
refuses is a problem with its line number. Nothing is ever evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from backends.mdfg.readers.rows import Problem, Read, row_of
from workbench.contract import Json, UserError

LONGEST = 32 * 2**20
"""Bytes of the longest line that is read (our default)."""
LARGEST_ARRAY = 256 * 2**20
PIECE = 1 << 20
BOM = b"\xef\xbb\xbf"


def read_lines(path: Path, begin: int, end: int, first: int, text_field: str = "",
               longest: int = LONGEST) -> Iterator[Read]:
    """Rows of the lines that begin in bytes ``begin`` to ``end``; ``first`` is the number of the first one."""
    with path.open("rb") as file:
        file.seek(begin)
        for number, line, size in bounded(file, end, first, longest):
            if line is None:
                yield Problem(number, too_long(size, longest))
            elif line.strip():
                yield _row(line.removeprefix(BOM) if number == 1 else line, number, text_field)


def bounded(file: BinaryIO, end: int, first: int = 1,
            longest: int = LONGEST) -> Iterator[tuple[int, bytes | None, int]]:
    """Lines up to byte ``end`` (-1: all) as (number, bytes, size); the bytes of a line that is too long are nothing."""
    number, place = first, file.tell()
    while end < 0 or place < end:
        line: bytes | None = file.readline(longest + 1)
        if not line:
            return
        size = len(line)
        if size > longest and not line.endswith(b"\n"):
            line = None
            while (piece := file.readline(PIECE)):
                size += len(piece)
                if piece.endswith(b"\n"):
                    break
        place += size
        yield number, line, size
        number += 1


def too_long(size: int, longest: int) -> str:
    """The sentence for a line that is too long."""
    return f"it has {size / 2**20:,.1f} MB; at most {longest / 2**20:,.0f} MB are read in one line"


def _row(line: bytes, number: int, text_field: str) -> Read:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value, why = _slowly(line)
        if why:
            return Problem(number, why)
    return row_of(value, number, text_field)


def _slowly(line: bytes) -> tuple[Json, str]:
    """The value by the standard library, or why there is none."""
    try:
        return json.loads(line.decode("utf-8")), ""
    except UnicodeDecodeError as error:
        return None, f"it is not UTF-8 text (byte 0x{line[error.start]:02x} at position {error.start + 1})"
    except RecursionError:
        return None, "it is nested too deeply"
    except json.JSONDecodeError as error:
        return None, f"it is not valid JSON ({error.msg.lower()}, character {error.pos + 1})"
    except ValueError as error:  # a number of thousands of digits
        return None, f"it is not valid JSON ({str(error)[:80]})"


def read_array(path: Path, text_field: str = "") -> Iterator[Read]:
    """Rows of a file that is one JSON array; rows are counted from 1. Raises ``UserError`` when it is not whole."""
    size = path.stat().st_size
    if size > LARGEST_ARRAY:
        raise UserError(f"it is one JSON array of {size / 2**20:,.0f} MB; at most {LARGEST_ARRAY >> 20} MB are read",
                        advice="Write one object a line instead.")
    data = path.read_bytes().removeprefix(BOM)
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError:
        values, why = _slowly(data)
        if why:
            raise UserError(why) from None
    entries = values if isinstance(values, list) else [values]
    yield from (row_of(value, number, text_field) for number, value in enumerate(entries, 1))

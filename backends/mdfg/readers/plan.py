"""Shards: pieces of files that are read, worked on and finished for themselves.

A file of JSON lines is cut at line ends about every ``size`` bytes, and the numbers of lines are counted on the way;
Parquet is cut between row groups; other files are one shard each. The plan depends on the files only, so a run that was
killed finds its finished shards again; a file that changed meanwhile changes the plan's hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from backends.mdfg.readers import columns, jsonl, tables
from backends.mdfg.readers.files import Format, Source, format_of
from backends.mdfg.readers.rows import Problem, Read
from workbench.contract import UserError

SIZE = 8 * 2**20
PIECE = 4 * 2**20
ALL = -1


@dataclass(frozen=True)
class Shard:
    """One piece. ``begin``/``end`` are bytes (JSON lines) or row groups (Parquet), ``first`` the number of its first
    line or row, ``rows`` how many rows are read at most (-1: all), ``bytes`` its size for measures of speed."""

    index: int
    path: str
    name: str
    format: Format
    begin: int = 0
    end: int = 0
    first: int = 1
    rows: int = ALL
    bytes: int = 0
    text_field: str = ""

    @property
    def unit(self) -> str:
        """What ``Row.number`` counts."""
        return "line" if self.format in ("jsonl", "csv", "tsv") else "row"


@dataclass(frozen=True)
class Plan:
    """All shards, the files that cannot be read at all with the reason, and a hash of the files as they are now."""

    shards: tuple[Shard, ...]
    unread: tuple[tuple[str, str], ...]
    hash: str

    @property
    def bytes(self) -> int:
        """Bytes of everything that is read."""
        return sum(shard.bytes for shard in self.shards)


def read(shard: Shard) -> Iterator[Read]:
    """Rows and problems of a shard; a file that breaks in the middle ends with a problem of the whole file, and a table
    without a row is a problem too."""
    rows, found = _rows(shard), False
    try:
        for row in rows if shard.rows < 0 else islice(rows, shard.rows):
            found = True
            yield row
        if not found and shard.format != "jsonl":
            yield Problem(0, "it holds no row")
    except UserError as error:
        yield Problem(0, error.message)
    except OSError as error:  # it was there when the shards were cut
        yield Problem(0, f"it cannot be read any more ({error.strerror or error})")


def _rows(shard: Shard) -> Iterator[Read]:
    path, field = Path(shard.path), shard.text_field
    if shard.format == "jsonl":
        return jsonl.read_lines(path, shard.begin, shard.end, shard.first, field)
    if shard.format == "array":
        return jsonl.read_array(path, field)
    if shard.format == "parquet":
        return columns.read_parquet(path, range(shard.begin, shard.end), shard.first, field)
    if shard.format == "arrow":
        return columns.read_arrow(path, field)
    return tables.read_table(path, field, "\t" if shard.format == "tsv" else ",")


def plan(sources: Sequence[Source], text_field: str = "", size: int = SIZE, limit: int = 0) -> Plan:
    """Cut files into shards. ``limit`` takes that many rows from the beginning (0: all of them)."""
    shards: list[Shard] = []
    unread: list[tuple[str, str]] = []
    marks = []
    for source in sources:
        try:
            facts = source.path.stat()
            marks.append(f"{source.name}\t{facts.st_size}\t{facts.st_mtime_ns}")
            shards += _cut(source, format_of(source.path), text_field, size)
        except UserError as error:
            unread.append((source.name, error.message))
        except OSError as error:
            unread.append((source.name, f"it cannot be read ({error.strerror})"))
    kept = list(_limited(shards, limit)) if limit else shards
    text = "\n".join([*marks, text_field, str(size), str(limit)])
    return Plan(tuple(replace(shard, index=i) for i, shard in enumerate(kept)), tuple(unread),
                hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest())


def _cut(source: Source, form: Format, text_field: str, size: int) -> Iterator[Shard]:
    whole = Shard(0, str(source.path), source.name, form, bytes=source.path.stat().st_size, text_field=text_field)
    if form == "jsonl":
        for begin, end, first in line_ranges(source.path, size):
            yield replace(whole, begin=begin, end=end, first=first, bytes=end - begin)
    elif form == "parquet":
        yield from _groups(whole, size)
    else:
        yield whole


def line_ranges(path: Path, size: int) -> Iterator[tuple[int, int, int]]:
    """(begin, end, number of the first line) of pieces of at least ``size`` bytes that end at a line's end."""
    begin, first, place, lines = 0, 1, 0, 0
    with path.open("rb") as file:
        while piece := file.read(min(PIECE, size)):
            cut = piece.find(b"\n", max(0, size - (place - begin) - 1)) if place - begin + len(piece) >= size else -1
            if cut < 0:
                lines += piece.count(b"\n")
            else:
                end = place + cut + 1
                lines += piece.count(b"\n", 0, cut + 1)
                yield begin, end, first
                first, begin, lines = first + lines, end, piece.count(b"\n", cut + 1)
            place += len(piece)
    if place > begin:
        yield begin, place, first


def _groups(whole: Shard, size: int) -> Iterator[Shard]:
    begin, rows, held, first = 0, 0, 0, 1
    groups = columns.row_groups(Path(whole.path))
    if not sum(count for count, _ in groups):
        raise UserError("it holds no row", advice="Choose another file.")
    for index, (count, weight) in enumerate(groups, 1):
        rows, held = rows + count, held + weight
        if held >= size or index == len(groups):
            yield replace(whole, begin=begin, end=index, first=first, bytes=held)
            begin, first, rows, held = index, first + rows, 0, 0


def _limited(shards: Sequence[Shard], limit: int) -> Iterator[Shard]:
    left = limit
    for shard in shards:
        if left <= 0:
            return
        count = sum(1 for _ in islice(read(shard), left))
        yield replace(shard, rows=count) if count == left else shard
        left -= count

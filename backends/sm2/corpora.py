"""Parallel text of a request: two files line by line, tables with two columns, or the synthetic order language."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.common.mt.reading import COLUMN, Table, read_table
from backends.sm2.order_language import Language, Sentence, sentences
from backends.sm2.vocabulary import SPECIAL, Words
from workbench.contract import Context, UserError

SYNTHETIC = 20_000
NAMES = {"source": ("src", "source"), "target": ("ref", "tgt", "target", "reference")}


@dataclass(frozen=True)
class Parallel:
    """Source and target lines of equal number, and remarks on how they were read."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    notes: tuple[str, ...] = ()


def words_of(language: Language) -> Words:
    """The vocabulary: subject words n0.., object words o0.., verbs v0.., and their translations N0.., O0.., V0.."""
    plain = [*(f"n{i}" for i in range(language.nouns)), *(f"o{i}" for i in range(language.things)),
             *(f"v{i}" for i in range(language.verbs))]
    return Words([*SPECIAL[:3], "svo", "sov", *plain, *(word.upper() for word in plain)])


def as_text(language: Language, made: Sequence[Sentence]) -> Parallel:
    """Sentences of the order language as text."""
    words = words_of(language)
    return Parallel(tuple(words.decode(s.pair.source) for s in made), tuple(words.decode(s.pair.target) for s in made))


def synthetic(language: Language, count: int, seed: int, context: Context) -> Parallel:
    """``count`` sentences of the order language."""
    return as_text(language, sentences(language, count or SYNTHETIC, context.generator(seed)))


def read_parallel(source: Sequence[str], target: Sequence[str], swap: bool, context: Context) -> Parallel:
    """Read and join all files. Raises ``UserError`` for files of unequal length or tables without two columns."""
    first: list[str] = []
    second: list[str] = []
    notes: list[str] = []
    for number, reference in enumerate(source):
        left = table_of(reference, context)
        notes += [f"{note.file}: {note.text}" for note in left.notes]
        if target:
            right = table_of(target[number], context)
            notes += [f"{note.file}: {note.text}" for note in right.notes]
            if left.rows != right.rows:
                raise UserError(f"{left.name} has {left.rows:,} lines and {right.name} {right.rows:,}; they must be "
                                "translations of each other line by line.")
            one, two = (next(iter(table.columns.values())) for table in (left, right))
        else:
            one, two = _columns(left, swap)
        first += one
        second += two
    return Parallel(tuple(first), tuple(second), tuple(notes))


def _columns(table: Table, swap: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    columns = table.columns
    named = [next((name for name in NAMES[side] if name in columns), "") for side in ("source", "target")]
    if all(named):
        return columns[named[0]], columns[named[1]]
    if len(columns) < 2:
        raise UserError(f"{table.name} has the column {', '.join(columns)} only; a table needs a source and a target "
                        "column.", advice="Give target files, or a tsv or jsonl with two columns.")
    one, two = list(columns.values())[:2]
    return (two, one) if swap else (one, two)


def table_of(reference: str, context: Context) -> Table:
    """Read a file, unpacking gzip. A tab-separated file without a head (Tatoeba) keeps its first line."""
    path = Path(context.resource(reference))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{reference} cannot be read: {error.strerror}.", advice="Name a file.") from error
    name = path.name
    if data.startswith(b"\x1f\x8b"):
        try:
            data, name = gzip.decompress(data), name.removesuffix(".gz")
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name} is a damaged gzip archive ({error}).") from error
    table = read_table(name, data)
    if table.format == "txt":
        lines = table.columns[COLUMN]
        if all(line.count("\t") == 1 for line in lines):
            halves = [line.split("\t") for line in lines]
            return Table(name, "tsv", {"first": tuple(h[0] for h in halves), "second": tuple(h[1] for h in halves)},
                         table.notes)
    return table

"""Texts for a round of keyword bootstrapping: a random sample of files, read in a stream, or practice texts.

Practice texts are sentences of this project with some keywords of one domain put in. The starting lists then lack a
third of these words, so that there is something to propose, and the right labels are known.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.mdfg.domain import REST
from backends.mdfg.domain_keywords import Keywords
from backends.mdfg.labelled import Labelled, rows_of
from backends.mdfg.practice import practice
from workbench.contract import Context, MissingResource, UserError

SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv", ".parquet")
EVERY = 1000
PARTS = (4, 7)
"""Keywords in a practice text, at least and at most."""


@dataclass(frozen=True)
class Drawn:
    """``texts`` of ``of`` texts in the files, in their order."""

    texts: tuple[str, ...]
    of: int


def drawn(references: Sequence[str], text_field: str, count: int, generator: random.Random, context: Context) -> Drawn:
    """``count`` texts with content at random (reservoir sampling: one pass, memory for the sample only).

    Raises ``UserError`` naming the file where the field is missing, ``MissingResource`` for a folder of no table."""
    held: list[tuple[int, str]] = []
    seen = 0
    for text in _texts(references, text_field, context):
        if len(held) < count:
            held.append((seen, text))
        elif (place := generator.randrange(seen + 1)) < count:
            held[place] = (seen, text)
        seen += 1
        if seen % EVERY == 0:
            context.report(0, 0, f"read {seen:,} texts")
    return Drawn(tuple(text for _, text in sorted(held)), seen)


def _texts(references: Sequence[str], text_field: str, context: Context) -> Iterator[str]:
    for reference in references:
        for path in tables(context.resource(reference)):
            rows = column_texts(path, text_field) if path.suffix.lower() == ".parquet" else _lines(path, text_field)
            yield from (text for text in rows if text.strip())


def tables(path: Path) -> list[Path]:
    """A file, or the tables of a folder. Raises ``MissingResource`` for a folder without any."""
    if path.is_file():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
    if not found:
        raise MissingResource(f"{path.name} holds no table.", advice=f"Give files that end in {', '.join(SUFFIXES)}.")
    return found


def _lines(path: Path, text_field: str) -> Iterator[str]:
    for number, row in rows_of(path):
        if not isinstance(row.get(text_field), str):
            raise UserError(f"Line {number} of {path.name} has no text in the field {text_field!r}; its fields are "
                            f"{', '.join(map(str, row)) or '(none)'}.")
        yield str(row[text_field])


def column_texts(path: Path, text_field: str) -> Iterator[str]:
    """The texts of a column of a Parquet file. Raises ``UserError`` for a file or a column that is none."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if text_field not in names or not _of_texts(file.schema_arrow.field(text_field).type):
                raise UserError(f"{path.name} has no column of texts {text_field!r}; its columns are "
                                f"{', '.join(names[:20])}.")
            for batch in file.iter_batches(EVERY, columns=[text_field], use_threads=False):
                yield from (text for text in batch.column(0).to_pylist() if text is not None)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path.name} cannot be read as Parquet ({' '.join(str(error).split())[:160]}).") from error


def _of_texts(kind: Any) -> bool:
    """Whether a column of this type holds texts: plain, with 64-bit offsets (polars) or as categories (pandas)."""
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))


def practice_texts(keywords: Keywords, count: int, generator: random.Random) -> list[Labelled]:
    """``count`` texts; one in six has no domain. The label is what was put in, ``general`` where nothing was."""
    fill = [row.text for row in practice("quality", "zh", 2 * count, generator) if row.labels]
    rows, labels = [], [label for label in keywords if label != REST]
    for place, text in enumerate(fill):
        if place % 6 == 5:
            rows.append(Labelled(text, (REST,), "practice"))
            continue
        label = labels[place % len(labels)]
        chosen = generator.sample(keywords[label], min(len(keywords[label]), generator.randint(*PARTS)))
        rows.append(Labelled("，".join((*chosen, text)), (label,), "practice"))
    return rows


def beginning(keywords: Keywords) -> dict[str, tuple[str, ...]]:
    """The lists without the last third of their words."""
    return {label: words[:max(3, len(words) * 2 // 3)] for label, words in keywords.items()}

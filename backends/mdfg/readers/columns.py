"""Parquet files by row groups, and the Arrow files of HF ``datasets`` folders; only columns that are used are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg.readers.rows import GIVEN, Problem, Read, row_of, text_name
from workbench.contract import UserError

USED = ("title", "url", "source_domain", "source", "score", *GIVEN)
BATCH = 256


def read_parquet(path: Path, groups: Sequence[int], first: int, text_field: str = "") -> Iterator[Read]:
    """Rows of row groups; ``first`` is the number of their first row. Raises ``UserError`` for a damaged file or a
    text column of another type."""
    try:
        with pq.ParquetFile(path) as file:
            names = _wanted(file.schema_arrow, text_field)
            batches = file.iter_batches(batch_size=BATCH, row_groups=list(groups), columns=names, use_threads=False)
            yield from _rows(batches, first, names[0])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"it is damaged or no Parquet file ({_words(error)})", advice="Write it again.") from error


def read_arrow(path: Path, text_field: str = "") -> Iterator[Read]:
    """Rows of an Arrow file, in the stream form (HF ``datasets``) or the file form."""
    try:
        with pa.memory_map(str(path)) as file:
            names = _wanted(_opened(file).schema, text_field)
            yield from _rows((batch.select(names) for batch in _batches(file)), 1, names[0])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"it is damaged or no Arrow file ({_words(error)})", advice="Save the data set again."
                        ) from error


def row_groups(path: Path) -> list[tuple[int, int]]:
    """(rows, bytes) of every row group. Raises ``UserError`` for a damaged file."""
    try:
        with pq.ParquetFile(path) as file:
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
            return [(group.num_rows, group.total_byte_size) for group in groups]
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"it is damaged or no Parquet file ({_words(error)})", advice="Write it again.") from error


def _opened(file: pa.MemoryMappedFile) -> pa.RecordBatchReader | pa.RecordBatchFileReader:
    file.seek(0)
    head = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if head == b"ARROW1" else pa.ipc.open_stream(file)


def _batches(file: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    reader = _opened(file)
    if isinstance(reader, pa.RecordBatchFileReader):
        whole = (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        whole = iter(reader)
    for batch in whole:
        yield from (batch.slice(begin, BATCH) for begin in range(0, batch.num_rows, BATCH))


def _wanted(schema: pa.Schema, text_field: str) -> list[str]:
    """Names of the columns that are read, the text first. Raises ``UserError`` when there is no column of text."""
    name = text_field if text_field in schema.names else "" if text_field else text_name(schema.names)
    if not name:
        shown = ", ".join(schema.names[:8]) + (f" and {len(schema.names) - 8:,} more" if len(schema.names) > 8 else "")
        raise UserError(f"it has no column {text_field or 'text'}; it has {shown or 'none'}",
                        advice="Name the column of the text.")
    if schema.names.count(name) > 1:
        raise UserError(f"it has {schema.names.count(name)} columns named {name}", advice="Keep one of them.")
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UserError(f"its column {name} holds {kind}; it must hold text (string)", advice="Convert the column.")
    return [name, *(other for other in USED if schema.names.count(other) == 1 and other != name)]


def _rows(batches: Iterator[pa.RecordBatch], first: int, text: str) -> Iterator[Read]:
    number = first
    for batch in batches:
        for at in range(batch.num_rows):
            try:
                value = {name: batch.column(i)[at].as_py() for i, name in enumerate(batch.schema.names)}
            except (UnicodeDecodeError, pa.ArrowException, ValueError) as error:
                yield Problem(number, f"it is not UTF-8 text ({_words(error)})")
            else:
                yield row_of(value, number, text)
            number += 1


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:160].rstrip(".")

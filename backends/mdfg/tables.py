"""The two Parquet tables of a shard: the texts, and beside them one row of attributes each.

Filtering is a query on the attributes; the text is looked up by ``part`` and ``row`` only when it is read. ``*_spans``
hold places as begin, end, begin, end ... in code points: those of listed words and traditional characters up to a fixed
number, those of repeated windows for documents that the duplication rule drops.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from backends.mdfg.pieces import Pieces
from backends.mdfg.readers.rows import Row
from backends.mdfg.records import GIVEN_COLUMNS, document_id, given_of
from backends.mdfg.rules import duplication
from backends.mdfg.rules.evaluate import Columns, Evaluator, Measured, Places
from workbench.files import dumps

COMPRESSION = "zstd"
WIDTHS = {"i": pa.int32(), "f": pa.float64()}


def documents_table(rows: Sequence[Row], measured: Measured, evaluator: Evaluator,
                    pieces: Pieces | None = None) -> pa.Table:
    """Texts of a batch with where they come from and the places that explain their values; ``quality_ends`` and
    ``quality_scores`` say where the pieces of a text end and what each is worth (empty without a quality scorer)."""
    nothing: list[list[int]] = [[] for _ in rows]
    ends, scores = (pieces.ends, pieces.scores) if pieces is not None else (nothing, nothing)
    return pa.table({
        "id": pa.array([document_id(row.text) for row in rows], pa.string()),
        "text": pa.array([row.text for row in rows], pa.string()),
        "title": pa.array([row.title for row in rows], pa.string()),
        "url": pa.array([row.url for row in rows], pa.string()),
        "site": pa.array([row.site for row in rows], pa.string()),
        "given": pa.array([dumps(row.given) if row.given else None for row in rows], pa.string()),
        "sensitive_spans": _spans(measured.sensitive, len(rows)),
        "traditional_spans": _spans(measured.traditional, len(rows)),
        "duplication_spans": pa.array(_repeated(rows, measured, evaluator), pa.list_(pa.int32())),
        "quality_ends": pa.array(ends, pa.list_(pa.int32())),
        "quality_scores": pa.array(scores, pa.list_(pa.float32()))})


def attributes_table(rows: Sequence[Row], ids: Any, source: str, part: int, first_row: int, columns: Columns,
                     words: Any) -> pa.Table:
    """Attributes of a batch: where the text is, everything measured, what an imported record said."""
    count = len(rows)
    fixed = {"id": ids, "part": pa.array(np.full(count, part, dtype=np.int32)),
             "row": pa.array(np.arange(first_row, first_row + count, dtype=np.int32)),
             "source": pa.array([source] * count, pa.string()),
             "number": pa.array([row.number for row in rows], pa.int64()), "sensitive_words": words}
    values = {name: pa.array(np.ascontiguousarray(column)) for name, column in columns.items()}
    given = list(zip(*(given_of(row.given) for row in rows), strict=True))
    kinds = (pa.float64(), pa.float64(), pa.float64(), pa.string(), pa.list_(pa.string()))
    imported = {name: pa.array(list(column), kind)
                for name, column, kind in zip(GIVEN_COLUMNS, given, kinds, strict=True)}
    return pa.table({**fixed, **values, **imported})


def words_found(places: Places, count: int, words: Sequence[str]) -> Any:
    """The distinct listed words of every text, in the order in which they are listed."""
    found: list[list[str]] = [[] for _ in range(count)]
    for text, entry in sorted({(text, entry) for text, _, _, entry in places.tolist()}):
        found[text].append(words[entry])
    return pa.array(found, pa.list_(pa.string()))


def _spans(places: Places, count: int) -> Any:
    """Begin, end, begin, end ... of every text. ``places`` are sorted by text."""
    offsets = np.zeros(count + 1, dtype=np.int32)
    offsets[1:] = 2 * np.cumsum(np.bincount(places[:, 0], minlength=count)) if len(places) else 0
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(places[:, 1:3]).reshape(-1)))


def _repeated(rows: Sequence[Row], measured: Measured, evaluator: Evaluator) -> list[list[int]]:
    spans: list[list[int]] = [[] for _ in rows]
    ask = evaluator.recipe.measure
    for row in np.flatnonzero(_dropped(measured.columns["dup_ratio"], evaluator)).tolist():
        spans[row] = [place for span in duplication.spans(rows[row].text, ask.gram, ask.last_window) for place in span]
    return spans


def _dropped(ratio: NDArray[Any], evaluator: Evaluator) -> NDArray[np.bool_]:
    dropped = np.zeros(len(ratio), dtype=np.bool_)
    for test in evaluator.recipe.rules:
        if test.column == "dup_ratio":
            dropped |= test.fails(ratio)
    return dropped


class TableWriter:
    """Writes batches to a Parquet file under a temporary name; ``close`` gives it its name."""

    def __init__(self, path: Path) -> None:
        self.path, self._temporary = path, path.with_name(f".{path.name}.{os.getpid()}.tmp")
        for left in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed
            left.unlink(missing_ok=True)
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """One more row group."""
        if self._writer is None:
            plain = ["text", "title", "url", "given", "id"]
            coded = [name for name in table.schema.names if name not in plain]
            self._writer = pq.ParquetWriter(self._temporary, table.schema, compression=COMPRESSION,
                                            use_dictionary=coded)
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> bool:
        """Finish the file; ``False`` when nothing was written, and then there is none."""
        if self._writer is None:
            self.path.unlink(missing_ok=True)
            return False
        self._writer.close()
        self._temporary.replace(self.path)
        return True

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._writer is not None:
            self._writer.close()
        self._temporary.unlink(missing_ok=True)

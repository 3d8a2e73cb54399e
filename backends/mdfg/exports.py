"""Exports: the kept documents in the form that somebody needs, and the ledger of those that were dropped.

=========  ==========================================================================================
jsonl      our records, one a line (``kept.jsonl``)
cwt2       the exact form of ChineseWebText 2.0, one a line (``kept.cwt2.jsonl``)
parquet    texts with all attributes (``kept.parquet``, zstd)
csv        the same without places (``kept.csv``)
datasets   a folder that HF ``datasets`` opens with ``load_from_disk`` (``kept.datasets``)
ledger     every dropped text with the rules that failed, the values and the places (``dropped.jsonl``)
=========  ==========================================================================================

All are written from the tables of the run, part by part, under a temporary name first.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg.records import cwt2_record, superset_record
from backends.mdfg.stage import Work
from backends.mdfg.tables import TableWriter
from workbench.contract import Json
from workbench.files import write_json

Export = Literal["jsonl", "cwt2", "parquet", "csv", "datasets", "ledger"]
NAMES: dict[Export, str] = {"jsonl": "kept.jsonl", "cwt2": "kept.cwt2.jsonl", "parquet": "kept.parquet",
                            "csv": "kept.csv", "datasets": "kept.datasets", "ledger": "dropped.jsonl"}
SHARD_ROWS = 50_000
Step = Callable[[str], None]
Batches = Iterator[tuple[pa.Table, pa.Table]]


@dataclass(frozen=True)
class Tables:
    """Where the tables of a run are: ``attributes`` (one row a document), and the texts by part."""

    work: Work
    attributes: Path

    def batches(self, kept: bool) -> Batches:
        """(texts, attributes) of documents that are kept, or that are not, a few hundred at a time, in order."""
        with pq.ParquetFile(self.attributes) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, use_threads=False)
                yield from self._of(table, kept)

    def _of(self, table: pa.Table, kept: bool) -> Batches:
        parts = table.column("part").to_numpy()
        begin = 0
        while begin < len(parts):
            end = begin + int((parts[begin:] == parts[begin]).sum())
            yield from self._joined(table.slice(begin, end - begin), int(parts[begin]), kept)
            begin = end

    def _joined(self, table: pa.Table, part: int, kept: bool) -> Batches:
        first, seen = table.column("row")[0].as_py(), 0
        with pq.ParquetFile(self.work.part(part)) as file:
            for texts in file.iter_batches(512, use_threads=False):
                begin = max(0, first - seen)
                count = min(texts.num_rows - begin, table.num_rows - max(0, seen - first))
                if count > 0:
                    attributes = table.slice(seen + begin - first, count)
                    chosen = pa.compute.equal(attributes.column("kept"), kept).combine_chunks()
                    documents = pa.Table.from_batches([texts]).slice(begin, count)
                    yield documents.filter(chosen), attributes.filter(chosen)
                seen += texts.num_rows


def write(kind: Export, tables: Tables, folder: Path, step: Step) -> Path:
    """Write one export into ``folder``. Raises ``UserError`` when ``cwt2`` is asked for and a score is missing."""
    path = folder / NAMES[kind]
    temporary = path.with_name(f".{path.name}.tmp")
    batches = _watched(tables.batches(kept=kind != "ledger"), kind, step)
    try:
        if kind == "datasets":
            _datasets(batches, temporary)
            shutil.rmtree(path, ignore_errors=True)
        elif kind == "parquet":
            _parquet(batches, temporary)
        elif kind == "csv":
            _csv(batches, temporary)
        else:
            _lines(batches, temporary, kind, tables.work)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
    return path


def _watched(batches: Batches, kind: str, step: Step) -> Batches:
    count = 0
    for documents, attributes in batches:
        count += documents.num_rows
        step(f"{kind}: {count:,} documents written")
        if documents.num_rows:
            yield documents, attributes


def _lines(batches: Batches, path: Path, kind: str, work: Work) -> None:
    rules, config = work.recipe.names, work.config
    with path.open("wb") as file:
        for documents, attributes in batches:
            for document, values in zip(documents.to_pylist(), attributes.to_pylist(), strict=True):
                text = document.pop("text")
                record: Json = cwt2_record(text, values) if kind == "cwt2" else superset_record(
                    text, values, document, rules, config, work.judge)
                file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def _joined(documents: pa.Table, attributes: pa.Table) -> pa.Table:
    for name in attributes.schema.names:
        if name not in documents.schema.names:
            documents = documents.append_column(name, attributes.column(name))
    return documents


def _parquet(batches: Batches, path: Path) -> None:
    writer = TableWriter(path)
    try:
        for documents, attributes in batches:
            writer.add(_joined(documents, attributes))
        if not writer.close():
            pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    finally:
        writer.abandon()


def _csv(batches: Batches, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        header: Sequence[str] = ()
        for documents, attributes in batches:
            table = _joined(documents, attributes)
            names = [field.name for field in table.schema if not pa.types.is_list(field.type)]
            if not header:
                header = names
                writer.writerow(header)
            columns: list[Any] = [table.column(name).to_pylist() for name in names]
            writer.writerows(zip(*columns, strict=True))
        if not header:
            writer.writerow(["text"])


def _datasets(batches: Batches, folder: Path) -> None:
    """The layout of ``save_to_disk``: Arrow streams, ``state.json`` and ``dataset_info.json``, written without holding
    the data in memory."""
    from datasets import Features

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names: list[str] = []
    sink: pa.RecordBatchStreamWriter | None = None
    schema, rows = pa.schema([("text", pa.string())]), 0
    for documents, attributes in batches:
        table = _joined(documents, attributes)
        if sink is None or rows >= SHARD_ROWS:
            if sink is not None:
                sink.close()
            schema, rows = table.schema, 0
            names.append(f"data-{len(names):05d}.arrow")
            sink = pa.ipc.new_stream(str(folder / names[-1]), schema)
        sink.write_table(table)
        rows += table.num_rows
    if sink is None:
        names.append("data-00000.arrow")
        sink = pa.ipc.new_stream(str(folder / names[-1]), schema)
    sink.close()
    write_json(folder / "dataset_info.json", {"features": Features.from_arrow_schema(schema).to_dict()})
    write_json(folder / "state.json", {
        "_data_files": [{"filename": name} for name in names], "_fingerprint": folder.parent.parent.name[-16:],
        "_format_columns": None, "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False,
        "_split": None})

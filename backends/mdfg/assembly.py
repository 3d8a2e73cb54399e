"""From finished shards to one table of attributes with verdicts and clusters, and the summary of a run.

Everything streams shard by shard; in memory are only one number or two a document and, as a file mapped to memory, the
signatures. The order of documents is that of the shards, so the result does not depend on which worker was faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from backends.mdfg.dedup import clusters
from backends.mdfg.dedup.minhash import Signatures
from backends.mdfg.records import quality_column
from backends.mdfg.rules.evaluate import Columns
from backends.mdfg.rules.verdicts import Test, Verdicts, decide, mask_counts
from backends.mdfg.stage import Done, Work
from backends.mdfg.tables import TableWriter

CHUNK = 65_536
NEAR_COLUMNS = ("dup_keep", "dup_cluster", "dup_size")
Step = Callable[[str], None]


@dataclass(frozen=True)
class Assembled:
    """What the whole run decided. ``masks``: how often each combination of failed rules occurs; ``words``: documents by
    listed word; ``sources``: documents and kept ones by file."""

    documents: int
    kept: int
    characters_kept: int
    masks: dict[int, int]
    clusters: int
    in_clusters: int
    words: dict[str, int]
    sources: dict[str, tuple[int, int]]


def assemble(work: Work, shards: Sequence[Done], path: Path, step: Step) -> Assembled:
    """Write ``attributes.parquet`` to ``path``. ``step`` is called between parts with what is done; it may raise."""
    used = [done for done in shards if done.documents]
    near = _near(work, used, step)
    writer, masks, words = TableWriter(path), Counter[int](), Counter[str]()
    sources: dict[str, tuple[int, int]] = {}
    place = kept = characters = 0
    try:
        for done in used:
            for table in _chunks(work, done.index):
                whole = _judged(table, near, place, work.recipe.tests)
                writer.add(whole)
                keeps = whole.column("kept").to_numpy(zero_copy_only=False)
                masks.update(mask_counts(whole.column("rule_fail").to_numpy()))
                words.update(pa.compute.list_flatten(table.column("sensitive_words")).to_pylist())
                before = sources.get(name := table.column("source")[0].as_py(), (0, 0))
                sources[name] = (before[0] + len(keeps), before[1] + int(keeps.sum()))
                kept, characters = kept + int(keeps.sum()), characters + int(
                    table.column("n_chars").to_numpy()[keeps].sum())
                place += table.num_rows
                step(f"{place:,} documents judged")
        writer.close()
    finally:
        writer.abandon()
    groups = near.cluster[near.cluster >= 0] if near is not None else np.zeros(0, dtype=np.int64)
    return Assembled(place, kept, characters, dict(masks), len(np.unique(groups)), len(groups),
                     dict(words.most_common(1000)), sources)


def _judged(table: pa.Table, near: clusters.Clusters | None, place: int, tests: Sequence[Test]) -> pa.Table:
    extra: Columns = {}
    if near is not None:
        part = slice(place, place + table.num_rows)
        sizes = near.sizes[part]
        extra = {"dup_cluster": near.cluster[part], "dup_keep": near.keep[part].astype(np.int32), "dup_size": sizes}
    verdicts = decide({**_values(table, tests), **extra}, tests, table.num_rows)
    added = {**extra, "rule_fail": verdicts.rule_fail, "first_fail": verdicts.first_fail, "kept": verdicts.kept}
    for name, column in added.items():
        table = table.append_column(name, pa.array(column))
    return table


def _values(table: pa.Table, tests: Sequence[Test]) -> Columns:
    """The columns that tests read, as arrays; a missing value is not-a-number."""
    names = dict.fromkeys(test.column for test in tests)
    found = {}
    for name in names:
        if name in table.schema.names and _is_number(table.schema.field(name).type):
            found[name] = table.column(name).to_numpy()
    return found


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _chunks(work: Work, index: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    with pq.ParquetFile(work.shard_folder(index) / "attributes.parquet") as file:
        names = None if columns is None else list(columns)
        for batch in file.iter_batches(CHUNK, columns=names, use_threads=False):
            yield pa.Table.from_batches([batch])


def _near(work: Work, shards: Sequence[Done], step: Step) -> clusters.Clusters | None:
    """Clusters over all shards; nothing where they are off."""
    near = work.recipe.near
    if near.mode == "off":
        return None
    step("looking for near-duplicates")
    with _signatures(work, shards, near.functions) as signatures:
        found = clusters.find(signatures.blocks, near.bands, near.rows, near.similarity,
                              lambda band: step(f"near-duplicates, band {band} of {near.bands}"))
    eligible, quality, length = _merits(work, shards, near.keep)
    return clusters.keep_best(found, quality, length, eligible)


class _signatures:
    """All signatures as one array mapped from a file, which is gone afterwards."""

    def __init__(self, work: Work, shards: Sequence[Done], functions: int) -> None:
        self._path = Path(work.folder) / "checkpoints" / "signatures.bin"
        self._sources = [work.shard_folder(done.index) / "signatures.bin" for done in shards]
        self._width = functions
        self.blocks: list[Signatures] = []

    def __enter__(self) -> _signatures:
        with self._path.open("wb") as file:
            for source in self._sources:
                with source.open("rb") as part:
                    while piece := part.read(1 << 24):
                        file.write(piece)
        if self._path.stat().st_size:
            self.blocks = [np.asarray(np.memmap(self._path, dtype=np.uint32, mode="c")).reshape(-1, self._width)]
        return self

    def __exit__(self, *_: object) -> None:
        self.blocks = []
        self._path.unlink(missing_ok=True)


def _merits(work: Work, shards: Sequence[Done], keep: str) -> tuple[NDArray[np.bool_], NDArray[Any], NDArray[Any]]:
    """What decides which document of a cluster is kept: whether the other rules keep it, quality, length."""
    tests = tuple(test for test in work.recipe.tests if test.column not in NEAR_COLUMNS)
    eligible, quality, length = [], [], []
    for done in shards:
        for table in _chunks(work, done.index):
            eligible.append(_verdicts(table, tests).kept)
            name = quality_column(table.schema.names) if keep == "quality" else ""
            quality.append(table.column(name).to_numpy() if name else np.zeros(table.num_rows))
            size = table.column("n_chars").to_numpy()
            length.append(np.zeros_like(size) if keep == "first" else size)
    if not eligible:
        return np.zeros(0, dtype=np.bool_), np.zeros(0), np.zeros(0)
    return np.concatenate(eligible), np.concatenate(quality), np.concatenate(length)


def _verdicts(table: pa.Table, tests: Sequence[Test]) -> Verdicts:
    return decide(_values(table, tests), tests, table.num_rows)


def throughput(shards: Sequence[Done]) -> dict[str, Mapping[str, float]]:
    """CPU seconds, documents a second and megabytes of text a second of every stage, over all processes."""
    documents, size = sum(done.documents for done in shards), sum(done.bytes for done in shards) / 2**20
    seconds: Counter[str] = Counter()
    for done in shards:
        seconds.update({stage: spent for stage, spent in done.seconds.items() if stage != "wall"})
    seconds["all"] = sum(seconds.values())
    return {stage: {"cpu_seconds": round(spent, 4), "documents_per_second": round(documents / spent, 1),
                    "mb_per_second": round(size / spent, 3)} for stage, spent in seconds.items() if spent > 0}

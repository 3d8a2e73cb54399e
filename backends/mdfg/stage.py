"""The work on one shard: read, measure, score, sign, write. The same in one process, in a pool and on Ray.

A finished shard leaves ``documents/part-N.parquet`` and, under ``checkpoints/shards/N/``, ``attributes.parquet``,
``signatures.bin``, ``problems.jsonl`` and at the very end ``done.json`` with the hash of the configuration. Everything
before it is written under temporary names, so a shard is finished or it is not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]

from backends.mdfg import pieces
from backends.mdfg.dedup import minhash
from backends.mdfg.readers.plan import Shard, read
from backends.mdfg.readers.rows import Problem, Row
from backends.mdfg.recipes import Recipe
from backends.mdfg.rules import counting, duplication, traditional
from backends.mdfg.rules.evaluate import Columns, Evaluator, Stopwatch
from backends.mdfg.scorers.base import Scorer
from backends.mdfg.tables import TableWriter, attributes_table, documents_table, words_found
from backends.mdfg.text.codes import codes_of
from backends.mdfg.text.variants import variants
from backends.mdfg.words import WordList
from workbench.contract import Json
from workbench.files import disk_full, dumps, is_full, read_json, write_json

DOCUMENTS, CHARACTERS = 512, 2_000_000
"""A batch has at most so many documents, and ends when it has so many characters."""
PROBLEMS = 1000
"""Problems of a shard that are listed; all are counted."""
Tick = Callable[[int], None]


@dataclass(frozen=True)
class Work:
    """What a worker needs to know: small, and the same for every shard. ``config`` is the hash of the configuration,
    ``files`` that of the plan, ``scorers`` are folders of models, ``judge`` names the one that judges quality."""

    recipe: Recipe
    words: WordList
    folder: str
    config: str
    files: str = ""
    scorers: tuple[str, ...] = ()
    judge: str = ""

    def shard_folder(self, index: int) -> Path:
        """Where a shard's attributes lie."""
        return Path(self.folder) / "checkpoints" / "shards" / f"{index:05d}"

    def part(self, index: int) -> Path:
        """Where a shard's texts lie."""
        return Path(self.folder) / "artifacts" / "documents" / f"part-{index:05d}.parquet"


@dataclass(frozen=True)
class Done:
    """What became of a shard: every row that was read is a document or a problem."""

    index: int
    documents: int
    problems: int
    characters: int
    bytes: int
    seconds: dict[str, float] = field(default_factory=dict)


def finished(work: Work, index: int) -> Done | None:
    """What ``done.json`` of a shard says, if it was finished under this configuration."""
    value = read_json(work.shard_folder(index) / "done.json", None)
    if not isinstance(value, dict) or (value.get("config"), value.get("files")) != (work.config, work.files):
        return None
    try:
        done = Done(index, *(value[name] for name in ("documents", "problems", "characters", "bytes", "seconds")))
    except KeyError:  # somebody has edited it
        return None
    parts = (work.part(index), work.shard_folder(index) / "attributes.parquet")
    return None if done.documents and not all(part.is_file() for part in parts) else done


def open_scorers(folders: tuple[str, ...]) -> list[Scorer]:
    """The scorers of a recipe; n-gram scorers that read the same n-grams are put together."""
    from backends.mdfg.scorers.ngram import NgramScorer, stacked
    from backends.mdfg.scorers.opening import open_scorer

    opened = [open_scorer(folder) for folder in folders]
    fast = [scorer for scorer in opened if isinstance(scorer, NgramScorer)]
    used = [*stacked(fast), *(scorer for scorer in opened if not isinstance(scorer, NgramScorer))]
    for scorer in used:
        scorer.score(["compiled once"])
    return used


def warm(work: Work, step: Callable[[], None]) -> None:
    """Compile every loop, so that no document is charged for it; ``step`` is called in between and may raise."""
    texts = ["國\n春天的雨下了一整夜", ""]
    codes, offsets = codes_of(texts)
    pa.table({"text": texts})  # its first array looks for pandas, which takes half a second
    step()
    counting.counted(codes, offsets, counting.script_table(work.recipe.measure.script))
    step()
    traditional.changes(codes, offsets, variants())
    step()
    duplication.ratios(texts, codes, offsets)
    duplication.spans(texts[0])
    step()
    if work.recipe.near.mode != "off":
        minhash.signatures(codes, offsets, work.recipe.near.shingle, work.recipe.near.functions)
        step()


class Stage:
    """Works on shards one after another; opened once a process."""

    def __init__(self, work: Work, scorers: list[Scorer] | None = None) -> None:
        self.work = work
        self.evaluator = Evaluator(work.recipe, work.words)
        self.scorers = open_scorers(work.scorers) if scorers is None else scorers
        warm(work, lambda: None)

    def run(self, shard: Shard, tick: Tick = lambda documents: None) -> Done:
        """Work on a shard; ``tick`` is called after every batch with the documents so far and may raise."""
        folder, part = self.work.shard_folder(shard.index), self.work.part(shard.index)
        folder.mkdir(parents=True, exist_ok=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        (folder / "done.json").unlink(missing_ok=True)
        texts, table = TableWriter(part), TableWriter(folder / "attributes.parquet")
        try:
            done = self._written(shard, texts, table, folder, tick)
        except OSError as error:
            if is_full(error):
                raise disk_full(part) from error
            raise
        finally:
            texts.abandon()
            table.abandon()
            for left in folder.glob(".signatures.*.tmp"):
                left.unlink(missing_ok=True)
        write_json(folder / "done.json", {
            "config": self.work.config, "files": self.work.files, "documents": done.documents,
            "problems": done.problems, "characters": done.characters, "bytes": done.bytes, "seconds": done.seconds})
        return done

    def _written(self, shard: Shard, texts: TableWriter, table: TableWriter, folder: Path, tick: Tick) -> Done:
        watch, began = Stopwatch(), time.perf_counter()
        problems, characters = _Problems(folder / "problems.jsonl", shard), 0
        temporary = folder / f".signatures.{os.getpid()}.tmp"
        with temporary.open("wb") as signatures:
            for rows in _batches(shard, problems):
                watch.lap("read")
                measured = self.evaluator.measure([row.text for row in rows], watch)
                scores, cut = pieces.scored(self.scorers, [row.text for row in rows])
                values: Columns = {**measured.columns, **scores}
                watch.lap("scorers")
                if self.work.recipe.near.mode != "off":
                    near = self.work.recipe.near
                    signatures.write(minhash.signatures(measured.codes, measured.offsets, near.shingle,
                                                        near.functions).tobytes())
                    watch.lap("minhash")
                documents = documents_table(rows, measured, self.evaluator, cut)
                words = words_found(measured.sensitive, len(rows), self.work.words.words)
                table.add(attributes_table(rows, documents.column("id"), shard.name, shard.index, table.rows, values,
                                           words))
                texts.add(documents)
                characters += int(measured.offsets[-1])
                watch.lap("write")
                tick(table.rows)
        temporary.replace(folder / "signatures.bin")
        texts.close()
        table.close()
        problems.write()
        watch.lap("write")
        seconds = {**watch.seconds, "wall": time.perf_counter() - began}
        return Done(shard.index, table.rows, problems.count, characters, shard.bytes, seconds)

    def scored(self, texts: list[str]) -> Columns:
        """Columns of all scorers."""
        return pieces.scored(self.scorers, texts)[0]


class _Problems:
    """Problems of a shard: all are counted, the first ones listed with their file and line."""

    def __init__(self, path: Path, shard: Shard) -> None:
        self.path, self.shard, self.count = path, shard, 0
        self._lines: list[Json] = []

    def add(self, problem: Problem) -> None:
        self.count += 1
        if len(self._lines) < PROBLEMS:
            place = f"{self.shard.name}, {self.shard.unit} {problem.number:,}" if problem.number else self.shard.name
            self._lines.append({"file": self.shard.name, "number": problem.number, "where": place, "why": problem.why})

    def write(self) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_text("".join(f"{dumps(line)}\n" for line in self._lines), encoding="utf-8")
        temporary.replace(self.path)


def _batches(shard: Shard, problems: _Problems) -> Iterator[list[Row]]:
    rows: list[Row] = []
    characters = 0
    for row in read(shard):
        if isinstance(row, Problem):
            problems.add(row)
            continue
        rows.append(row)
        characters += len(row.text)
        if len(rows) >= DOCUMENTS or characters >= CHARACTERS:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows

"""The task ``mdfg.score.v1``: texts in, one row of scores and verdicts a text out; nothing is dropped.

``scores.parquet`` has the columns ``row`` (place of the text, from 0), ``id`` (blake2b of the text), ``empty``, one
column for each output (``quality.score``, ``domain.law``, ...), and the verdicts ``toxicity.label``,
``toxicity.flag``, ``domain.single_label``, ``domain.multi_label`` and ``domain.below`` (no label reaches
``domain_from``: the multi label is empty) where there are such scorers. Texts stay where they are.

Texts are read as they are scored, ``PART`` at a time, and every part is kept until the end: a run that was killed goes
on after its last whole part, when its request, its scorers and the size of its files are the same.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from backends.mdfg.domain import decide as decide_domain
from backends.mdfg.practice import practice
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ScoreRequest, ScoreResult
from backends.mdfg.scorer_sources import each_text, files_of
from backends.mdfg.scorers.base import Scorer, checked, columns
from backends.mdfg.scorers.ngram import is_empty
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.toxicity import decide as decide_toxicity
from workbench.contract import Context, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_text

BATCH, PART = 1000, 20_000
"""Texts scored at once, and texts of a part: what a crash costs at most."""
FORMAT = 2
"""Rises when the columns of a part change, so that parts of two kinds are never put together."""


def run(request: ScoreRequest, context: Context) -> ScoreResult:
    """Open the scorers, score part after part, put the parts together.

    Raises ``UserError`` for two scorers of one name, and for no text at all."""
    began = time.monotonic()
    scorers = [open_scorer(context.resource(reference), context.device) for reference in request.scorers]
    names = [scorer.name for scorer in scorers]
    if len(set(names)) < len(names):
        raise UserError(f"The scorers are {', '.join(names)}; two of one name would write the same columns.",
                        advice="Score with them in two runs.")
    files = files_of(request.data, context)
    kept = parts_folder(context.run / "checkpoints" / "scores", request, scorers, files)
    parts = list(scored(texts_of(request, files, context), scorers, request, kept, context))
    if not parts:
        raise UserError("There is no text to score.")
    path = context.run / "artifacts" / "scores.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    every = tuple(name for scorer in scorers for name in columns(scorer))
    sums, counts = joined(parts, path, every)
    shutil.rmtree(kept)
    context.artifact("scores.parquet", path, "scores")
    total = counts.pop("texts")
    versions = {scorer.name: {"version": scorer.version, "reference": reference}
                for scorer, reference in zip(scorers, request.scorers, strict=True)}
    return ScoreResult(str(path), total, every, {name: sums[name] / total for name in every}, dict(counts), versions,
                       time.monotonic() - began)


def texts_of(request: ScoreRequest, files: Sequence[Path], context: Context) -> Iterator[str]:
    """The texts of the data one by one, or practice texts of both purposes."""
    if files:
        yield from each_text(files, request.text_field)
        return
    generator = context.generator(request.seed)
    half = request.practice // 2
    for row in (*practice("quality", request.language, half, generator),
                *practice("toxicity", request.language, request.practice - half, generator)):
        yield row.text


def parts_folder(folder: Path, request: ScoreRequest, scorers: Sequence[Scorer], files: Sequence[Path]) -> Path:
    """Where parts are kept; emptied when they were made with other settings, scorers or files."""
    sizes = [(path.name, path.stat().st_size) for path in files]
    stamp = hashlib.sha256(dumps([FORMAT, to_json(request), [s.version for s in scorers], sizes]).encode()).hexdigest()
    mark = folder / "stamp"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_text(mark, stamp)
    return folder


def scored(texts: Iterable[str], scorers: Sequence[Scorer], request: ScoreRequest, folder: Path,
           context: Context) -> Iterator[Path]:
    """The file of every part in order; those that are there already are not made again."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    rest, begin = iter(texts), 0
    while part := list(islice(rest, PART)):
        path = folder / f"part-{begin // PART:06d}.parquet"
        if not path.is_file():
            tables = []
            for start in range(0, len(part), BATCH):
                tables.append(table_of(rows_of(part[start:start + BATCH], begin + start, scorers, request)))
                context.report(0, 0, f"{begin + min(start + BATCH, len(part)):,} texts")
            unfinished = path.with_suffix(".tmp")
            pq.write_table(pa.concat_tables(tables), unfinished, compression="zstd")
            unfinished.replace(path)
        begin += len(part)
        yield path


def table_of(found: dict[str, Any]) -> Any:
    """Columns as a table; a batch without any label has the same types as the others."""
    import pyarrow as pa

    lists = {"domain.multi_label": pa.list_(pa.string())}
    return pa.table({name: pa.array(values, lists[name]) if name in lists else values
                     for name, values in found.items()})


def joined(parts: Sequence[Path], path: Path, every: Sequence[str]) -> tuple[dict[str, float], Counter[str]]:
    """Write all parts as one file; returns sums of the columns and counts of the verdicts."""
    import pyarrow.parquet as pq

    sums, counts = defaultdict[str, float](float), Counter[str]()
    unfinished, writer = path.with_suffix(".tmp"), None
    try:
        for part in parts:
            table = pq.read_table(part)
            writer = writer or pq.ParquetWriter(unfinished, table.schema, compression="zstd")
            writer.write_table(table)
            for name in every:
                sums[name] += float(np.nansum(table.column(name).to_numpy()))
            counts["texts"] += len(table)
            counts["empty"] += sum(table.column("empty").to_pylist())
            if "toxicity.label" in table.schema.names:
                counts["toxic"] += sum(table.column("toxicity.label").to_pylist())
            if "domain.single_label" in table.schema.names:
                counts.update(f"domain {label}" for label in table.column("domain.single_label").to_pylist())
    finally:
        if writer is not None:
            writer.close()
    unfinished.replace(path)
    return sums, counts


def rows_of(texts: Sequence[str], begin: int, scorers: Sequence[Scorer], request: ScoreRequest) -> dict[str, Any]:
    """The columns of some texts."""
    empty = [is_empty(text) for text in texts]
    found: dict[str, Any] = {"row": list(range(begin, begin + len(texts))), "id": [document_id(text) for text in texts],
                             "empty": empty}
    for scorer in scorers:
        table = checked(scorer, texts)
        found |= {name: table[:, place] for place, name in enumerate(columns(scorer))}
        if scorer.name == "toxicity":
            verdicts = decide_toxicity(texts, table[:, 0], request.toxic_from)
            found["toxicity.label"] = [verdict.label for verdict in verdicts]
            found["toxicity.flag"] = [verdict.flag for verdict in verdicts]
        if scorer.name == "domain":
            domains = decide_domain(table, scorer.outputs, request.domain_from, empty=empty)
            found["domain.single_label"] = [verdict.single_label for verdict in domains]
            found["domain.multi_label"] = [list(verdict.multi_label) for verdict in domains]
            found["domain.below"] = [verdict.below for verdict in domains]
    return found

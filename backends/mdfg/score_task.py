"""The task ``mdfg.score.v1``: texts in, one row of scores and verdicts a text out; nothing is dropped.

``scores.parquet`` has the columns ``row`` (place of the text, from 0), ``id`` (blake2b of the text), ``empty``, one
column for each output (``quality.score``, ``domain.law``, ...), and the verdicts ``toxicity.label``,
``domain.single_label`` and ``domain.multi_label`` where there are such scorers. Texts stay where they are.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backends.mdfg.domain import decide as decide_domain
from backends.mdfg.practice import practice
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ScoreRequest, ScoreResult
from backends.mdfg.scorer_sources import plain_texts
from backends.mdfg.scorers.base import Scorer, checked, columns
from backends.mdfg.scorers.ngram import is_empty
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.toxicity import decide as decide_toxicity
from workbench.contract import Context, UserError

BATCH = 1000


def run(request: ScoreRequest, context: Context) -> ScoreResult:
    """Open the scorers, score batch after batch, write as it goes. Raises ``UserError`` for two scorers of one name."""
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    began = time.monotonic()
    scorers = [open_scorer(context.resource(reference)) for reference in request.scorers]
    names = [scorer.name for scorer in scorers]
    if len(set(names)) < len(names):
        raise UserError(f"The scorers are {', '.join(names)}; two of one name would write the same columns.",
                        advice="Score with them in two runs.")
    texts = texts_of(request, context)
    path = context.run / "artifacts" / "scores.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer, sums, counts = None, defaultdict[str, float](float), Counter[str]()
    try:
        for table in batches(texts, scorers, request, sums, counts):
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            context.report(counts["texts"], len(texts), f"{counts['texts']} of {len(texts)} texts")
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise UserError("There is no text to score.")
    context.artifact("scores.parquet", path, "scores")
    total = counts.pop("texts")
    every = tuple(name for scorer in scorers for name in columns(scorer))
    versions = {scorer.name: {"version": scorer.version, "reference": reference}
                for scorer, reference in zip(scorers, request.scorers, strict=True)}
    return ScoreResult(str(path), total, every, {name: sums[name] / total for name in every}, dict(counts), versions,
                       time.monotonic() - began)


def texts_of(request: ScoreRequest, context: Context) -> list[str]:
    """The texts of the data, or practice texts of both purposes."""
    if request.data:
        return plain_texts(request.data, request.text_field, context)
    generator = context.generator(request.seed)
    half = request.practice // 2
    return [row.text for row in (*practice("quality", request.language, half, generator),
                                 *practice("toxicity", request.language, request.practice - half, generator))]


def batches(texts: Sequence[str], scorers: Sequence[Scorer], request: ScoreRequest, sums: dict[str, float],
            counts: Counter[str]) -> Iterator[Any]:
    """Tables of scores; adds up means and counts on the way."""
    import pyarrow as pa

    for begin in range(0, len(texts), BATCH):
        part = list(texts[begin:begin + BATCH])
        found = rows_of(part, begin, scorers, request)
        for scorer in scorers:
            for name in columns(scorer):
                sums[name] += float(np.nansum(found[name]))
        counts["texts"] += len(part)
        counts["empty"] += sum(found["empty"])
        counts["toxic"] += sum(found.get("toxicity.label", ()))
        counts.update(f"domain {label}" for label in found.get("domain.single_label", ()))
        yield pa.table(found)


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
    return found

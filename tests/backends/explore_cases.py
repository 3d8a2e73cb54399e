"""Shared by the tests of exploration: a small filtering run on disk, opened as a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq

from backends.mdfg import sample
from backends.mdfg.filter_task import run
from backends.mdfg.requests import FilterRequest
from workbench.context import MemoryContext

DOMAINS = ("law", "medicine", "news", "general")


def filtered(tmp_path: Path, count: int = 200, recipe: str = "zh-paper-code", *, seed: int = 1,
             texts: Sequence[str] | None = None, records: Sequence[dict[str, Any]] | None = None,
             **fields: Any) -> Path:
    """Folder of a finished filtering run over ``count`` planted documents, or over these texts or records.

    Planted documents carry given scores (quality, toxicity, domain) like records of ChineseWebText 2.0."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    rows = records if records is not None else [{"text": t} for t in texts] if texts is not None else given(count, seed)
    source = tmp_path / "source.jsonl"
    source.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    context = MemoryContext(tmp_path / "run")
    run(FilterRequest(**{"sources": (f"path:{source}",), "recipe": recipe, "exports": (), "shard_mb": 0.1, **fields}),
        context)
    return context.run


def given(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Planted documents; nine of ten have given scores drawn from the seed, the others have none."""
    draw, rows = np.random.Generator(np.random.PCG64(seed)), []
    for number, (text, defect) in enumerate(sample.documents(count, seed, lines=4)):
        row: dict[str, Any] = {"text": text, "planted": defect, "title": f"title {number}"}
        if number % 10:
            label = DOMAINS[int(draw.integers(len(DOMAINS)))]
            row |= {"quality_score": round(float(draw.random()), 3),
                    "toxicity": {"label": 0, "score": round(float(draw.random()) ** 4, 4)},
                    "domain": {"single_label": label, "multi_label": [label]}}
        rows.append(row)
    return rows


def table(folder: Path) -> list[dict[str, Any]]:
    """Attributes of a run as plain rows: what every count is checked against."""
    rows: list[dict[str, Any]] = pq.read_table(folder / "artifacts" / "attributes.parquet").to_pylist()
    return rows


def full_texts(folder: Path) -> list[str]:
    """All texts of a run in the order of its documents."""
    parts = sorted((folder / "artifacts" / "documents").glob("part-*.parquet"))
    return [text for part in parts for text in pq.read_table(part, columns=["text"])["text"].to_pylist()]

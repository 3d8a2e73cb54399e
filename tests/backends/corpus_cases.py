"""Shared by the tests of the corpus: small recipes, quick runs, files with planted faults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from backends.mdfg import sample
from backends.mdfg.filter_task import run
from backends.mdfg.recipes import Recipe, load_recipe
from backends.mdfg.requests import FilterRequest, FilterResult
from backends.mdfg.rules.evaluate import Evaluator
from backends.mdfg.words import NONE, WordList
from workbench.context import MemoryContext

GOOD = "春天的雨下了一整夜，山里的路变得很滑。村口的老树又发了新芽，孩子们在河边数石头。\n"


def texts(count: int, seed: int = 1, lines: int = 4) -> list[str]:
    return [text for text, _ in sample.documents(count, seed, lines=lines)]


def good_text(length: int = 300) -> str:
    """A text of exactly so many characters that no rule of the paper drops."""
    clauses = "".join(clause + "。" for clause in sample.CLAUSES) + "".join(reversed(sample.CLAUSES))
    assert length <= len(clauses), "longer ones would repeat themselves"
    return clauses[:length]


def recipe(name: str = "zh-paper-code") -> Recipe:
    return load_recipe(name)


def evaluator(words: Sequence[str] = (), name: str = "zh-paper-code") -> Evaluator:
    return Evaluator(recipe(name), WordList(NONE, tuple(words), ("",) * len(words)))


def value(text: str, column: str, words: Sequence[str] = (), name: str = "zh-paper-code") -> float:
    return float(evaluator(words, name).measure([text]).columns[column][0])


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def filtered(folder: Path, **fields: Any) -> tuple[FilterResult, MemoryContext]:
    """Run the task on its own; sources may be paths."""
    sources = tuple(s if s == "sample" else f"path:{s}" for s in fields.pop("sources", ("sample",)))
    context = MemoryContext(folder)
    return run(FilterRequest(sources=sources, **{"exports": (), **fields}), context), context


def attributes(context: MemoryContext) -> list[dict[str, Any]]:
    return pq.read_table(context.run / "artifacts" / "attributes.parquet").to_pylist()


def problems(context: MemoryContext) -> list[dict[str, Any]]:
    text = (context.run / "artifacts" / "problems.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]

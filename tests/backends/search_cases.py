"""Shared by the tests of search: a corpus over known topics, opened, with an index; and slow references."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.index_request import IndexRequest, IndexResult
from backends.mdfg.index_task import run
from backends.mdfg.library import library
from tests.backends.explore_cases import filtered
from workbench.context import MemoryContext

TOPICS = ("湖泊", "茶树", "租房纠纷", "高血压", "数据库", "概率")


def topical(count: int, seed: int = 1, topics: Sequence[str] = TOPICS) -> list[dict[str, Any]]:
    """Records over some topics of the bundled library; ``topic`` says which."""
    held, draw = library("zh"), random.Random(seed)
    chosen = [topic for topic in held.topics if topic.name in topics]
    assert len(chosen) == len(topics), "the library has these topics"
    written = [held.write(draw.choice(chosen), draw) for _ in range(count)]
    return [{"text": one.text, "title": one.title, "topic": one.topic.name} for one in written]


def opened(folder: Path, texts: Sequence[str], **fields: Any) -> Corpus:
    """A corpus of exactly these texts."""
    return Corpus.open(filtered(folder, texts=texts, **fields))


def index_of(corpus_run: Path, folder: Path, **fields: Any) -> tuple[IndexResult, MemoryContext]:
    """An index of a run, made by the task itself."""
    context = MemoryContext(folder)
    return run(IndexRequest(f"path:{corpus_run / 'artifacts'}", **fields), context), context


def fold(text: str) -> str:
    """What words are compared as, written without the tables of the search: half width, small letters."""
    half = "".join(chr(ord(c) - 0xFEE0) if 0xFF01 <= ord(c) <= 0xFF5E else " " if c == "\u3000" else c for c in text)
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in half)


def slow_words(texts: Sequence[str], wanted: Sequence[str], unwanted: Sequence[str]) -> dict[int, int]:
    """Place -> how often the wanted words occur, by looking at every text."""
    found = {}
    for place, text in enumerate(map(fold, texts)):
        counts = [text.count(fold(word)) for word in wanted]
        if all(counts) and not any(fold(word) in text for word in unwanted):
            found[place] = sum(counts) if counts else 1
    return found

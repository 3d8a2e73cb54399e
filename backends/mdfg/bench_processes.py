"""``bench corpus-processes``: the whole pass with one process and with two, on the same documents.

Both go through ``pool.run``, in turns, several rounds; the ratio of a round is that of its wall times, and the median
over rounds is reported. The time counted begins when every process has ended its first shard: opening a process (a
second or two, once a run) would be most of so short a run and nothing of a long one. It is printed beside. What both
wrote must be equal, byte for byte.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backends.mdfg import pool, sample
from backends.mdfg.bench_targets import cores, target
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import Shard, plan
from backends.mdfg.recipes import load_recipe
from backends.mdfg.scorers import ngram_files
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.stage import Work
from backends.mdfg.words import load_words
from workbench.contract import Json, UserError
from workbench.settings import Settings

DOCUMENTS, ROUNDS, QUICK = 48_000, 5, (8_000, 3)
SHARDS = 48
"""Shards of the documents: many, so that the last one of a process is a small part of the time."""
TARGET = 1.8
OUTPUTS = 13


@dataclass(frozen=True)
class Timed:
    """Wall seconds a document of one run: ``working`` from the moment that every process has ended a shard, ``whole``
    from the start."""

    working: float
    whole: float


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``; ``ratio`` is the time of one process over that of
    two."""
    count, rounds = QUICK if quick else (DOCUMENTS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        one, two, same = measured(Path(folder), count, rounds, scorer())
    ratio = statistics.median(a.working / b.working for a, b in zip(one, two, strict=True))
    told(count, one, two, ratio)
    return {"name": "corpus-processes", "peer": "the same pass with one process", "ratio": round(ratio, 3),
            "ours": round(middle(two), 8), "theirs": round(middle(one), 8), "same_result": same}


def scorer() -> NgramScorer:
    """A scorer of the bundled ones' size and 13 outputs; its weights are drawn, since only its speed matters here."""
    grams = Grams()
    draw = np.random.Generator(np.random.PCG64(1))
    table = draw.normal(0, 0.1, (grams.buckets, OUTPUTS)).astype(np.float32)
    outputs = tuple(f"output-{i}" for i in range(OUTPUTS))
    flat = np.zeros(OUTPUTS)
    made = NgramScorer("bench", outputs, grams, table, flat, flat + 1, flat, flat)
    made.score(["compiled once"])
    return made


def measured(folder: Path, count: int, rounds: int, scorer: NgramScorer) -> tuple[list[Timed], list[Timed], bool]:
    """Times of one process and of two by round, and whether all of them wrote the same bytes."""
    source = sample.write_jsonl(folder / "documents.jsonl", count, seed=17)
    model = str(ngram_files.save(scorer, folder / "scorer"))
    shards = plan(files_of(source), size=max(1, source.stat().st_size // SHARDS)).shards
    words = load_words("bundled:zh", Path)
    found: dict[int, list[Timed]] = {1: [], 2: []}
    products = set()
    for number in range(rounds):
        for workers in (1, 2) if number % 2 else (2, 1):
            place = folder / f"{number}-{workers}"
            work = Work(load_recipe("zh-paper-code"), words, str(place), "bench", scorers=(model,))
            found[workers].append(timed(work, shards, workers))
            products.add(tuple((path.name, path.read_bytes()) for path in written(place)))
    return found[1], found[2], len(products) == 1


def timed(work: Work, shards: Sequence[Shard], workers: int) -> Timed:
    """Run the pass. Raises ``UserError`` where there are too few shards for every process to end one and go on."""
    if len(shards) < 2 * workers:
        raise UserError(f"There are {len(shards)} shards for {workers} processes; each needs at least two.",
                        advice="Take more documents or smaller shards.")
    ended, before, started = 0, 0, 0.0
    count = 0

    def say(running: int) -> None:
        nonlocal before, started
        if count >= workers and not started:
            before, started = ended + running, time.perf_counter()

    begun = time.perf_counter()
    for count, done in enumerate(pool.run(work, shards, workers, say), 1):  # noqa: B007 - say reads it
        ended += done.documents
    now = time.perf_counter()
    return Timed((now - started) / (ended - before), (now - begun) / ended)


def written(folder: Path) -> list[Path]:
    """What a pass wrote, but for the times of its shards."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "done.json")


def middle(times: Sequence[Timed]) -> float:
    """Median wall seconds a document of the working time."""
    return statistics.median(one.working for one in times)


def told(count: int, one: Sequence[Timed], two: Sequence[Timed], ratio: float) -> None:
    """Print the figures, and on a machine with one core that they say nothing."""
    print(f"{count:,} documents with one process and with two, wall clock, medians of {len(one)} rounds in turn")
    for name, times in (("one", one), ("two", two)):
        whole = statistics.median(each.whole for each in times)
        print(f"  {name:<12} {1 / middle(times):>12,.0f} documents/s ({1 / whole:,.0f} with the start of processes)")
    print(f"two processes are {ratio:.2f} times as fast as one: {target(ratio, 'at least', TARGET)}")
    if cores() < 2:
        print("This machine gives the process one core, so two processes cannot be faster: the ratio says nothing.")

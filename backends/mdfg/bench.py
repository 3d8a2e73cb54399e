"""``bench corpus``: documents a CPU-second of the whole pass, against the published steps and datatrove's chain.

The whole pass is what a run does with a Parquet file: read, all rules, a 13-output n-gram scorer, MinHash signatures,
write. The published steps are those of ``official``, one document at a time (with jieba's word splitting, which their
classifiers need, where jieba is installed), on the first of the same documents. Decisions of both must be equal,
document by document. CPU seconds of this process are counted and all sides are measured in turn, so a busy machine
changes the figures little; every figure is the median of three rounds. Two processes against one
(:mod:`bench_processes`) come last, by wall clock.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg import bench_processes, official, sample
from backends.mdfg.bench_processes import scorer
from backends.mdfg.bench_targets import target
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import plan
from backends.mdfg.recipes import load_recipe
from backends.mdfg.rules.verdicts import decide
from backends.mdfg.stage import Done, Stage, Work
from backends.mdfg.words import WordList, load_words
from workbench.contract import Json
from workbench.settings import Settings

DOCUMENTS, SLOW_DOCUMENTS, QUICK = 12_000, 600, (2_000, 200)
ROUNDS = 3
SPEED, STEPS, DATATROVE = 4000.0, 20.0, 5.0
"""Targets: documents a CPU-second of the whole pass, and how many times as fast as the two peers it should be."""


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``; ``ratio`` is ours over the published steps."""
    count, slow_count = QUICK if quick else (DOCUMENTS, SLOW_DOCUMENTS)
    words = load_words("bundled:zh", Path)
    texts = [text for text, _ in sample.documents(count, seed=17)]
    rounds, slow, peer = list[list[Done]](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "documents.parquet"
        pq.write_table(pa.table({"text": texts}), source, row_group_size=4096, compression="zstd")
        for number in range(ROUNDS):
            rounds.append(_pass(Path(folder) / str(number), source, words))
            speed, theirs = published(texts[:slow_count], words)
            slow.append(speed)
            peer += _peer(texts[:slow_count])
        mine = _decisions(Path(folder) / "0", count)
    done = sorted(rounds, key=_seconds)[ROUNDS // 2]
    ours, steps = count / _seconds(done), statistics.median(slow)
    _told(texts, slow_count, done, ours, steps)
    _told_peer(peer, ours)
    processes = bench_processes.run(settings, quick)
    same = bool((mine[:slow_count] == theirs).all()) and bool(processes["same_result"])
    return {"name": "corpus", "peer": f"the published steps ({_steps()}), one document at a time",
            "ratio": round(ours / steps, 2), "ours": round(1 / ours, 8), "theirs": round(1 / steps, 8),
            "same_result": same}


def _told(texts: Sequence[str], slow_count: int, done: Sequence[Done], ours: float, steps: float) -> None:
    count = len(texts)
    print(f"{count:,} documents of {sum(map(len, texts)) / count:,.0f} characters, the peers on the first "
          f"{slow_count:,} of them; medians of {ROUNDS} rounds in turn, CPU seconds, one core")
    for stage in done[0].seconds:
        if stage != "wall" and (spent := sum(one.seconds.get(stage, 0.0) for one in done)) > 0:
            print(f"  {stage:<12} {count / spent:>12,.0f} documents/s")
    print(f"whole pass {ours:,.0f} documents/s: {target(ours, 'at least', SPEED)}")
    print(f"published steps {steps:,.0f} documents/s ({_steps()}): ours is {ours / steps:,.1f} times as fast, "
          f"{target(ours / steps, 'at least', STEPS, 'times')}"
          + ("" if find_spec("jieba") else " (a target for the steps with word splitting, which are not measured)"))


def _seconds(done: Sequence[Done]) -> float:
    return sum(spent for one in done for stage, spent in one.seconds.items() if stage != "wall")


def _pass(folder: Path, source: Path, words: WordList) -> list[Done]:
    work = Work(load_recipe("zh-paper-code"), words, str(folder), "bench")
    stage = Stage(work, [scorer()])
    return [stage.run(shard) for shard in plan(files_of(source)).shards]


def _decisions(folder: Path, count: int) -> np.ndarray:
    """The masks of failed rules that the pass led to."""
    parts = sorted(folder.glob("checkpoints/shards/*/attributes.parquet"))
    table = pa.concat_tables([pq.read_table(part) for part in parts])
    tests = load_recipe("zh-paper-code").tests
    columns = {test.column: table.column(test.column).to_numpy() for test in tests}
    return decide(columns, tests, count).rule_fail


def published(texts: Sequence[str], words: WordList) -> tuple[float, np.ndarray]:
    """Documents a CPU-second of the published steps, and their masks."""
    cut = _jieba()
    official.measure(texts[0], words.words)
    began = time.process_time()
    fails = []
    for text in texts:
        fails.append(official.measure(text, words.words).fails)
        cut(text)
    speed = len(texts) / (time.process_time() - began)
    return speed, np.array([sum(1 << i for i, failed in enumerate(row) if failed) for row in fails], dtype=np.uint32)


def _jieba() -> Callable[[str], object]:
    if find_spec("jieba") is None:
        return len
    import logging

    import jieba  # type: ignore[import-not-found]

    jieba.setLogLevel(logging.ERROR)
    jieba.initialize()
    cut: Callable[[str], object] = jieba.lcut
    return cut


def _steps() -> str:
    return "rules and jieba" if find_spec("jieba") else "rules only: jieba is not installed"


def _peer(texts: Sequence[str]) -> list[float]:
    """The speed of datatrove's chain for Chinese, where it is installed."""
    if find_spec("datatrove") is None:
        return []
    from backends.mdfg import bench_datatrove

    return [bench_datatrove.speed(texts)]


def _told_peer(speeds: Sequence[float], ours: float) -> None:
    if not speeds:
        print("datatrove is not installed: not compared")
        return
    speed = statistics.median(speeds)
    print(f"datatrove (Gopher repetition, FineWeb quality, MinHash signatures) {speed:,.0f} documents/s: ours is "
          f"{ours / speed:,.1f} times as fast, {target(ours / speed, 'at least', DATATROVE, 'times')}")

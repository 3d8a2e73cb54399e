"""``bench corpus``: documents a CPU-second of the whole pass, against the published steps and datatrove's chain.

The whole pass is what a run does with a Parquet file: read, all rules, a 13-output n-gram scorer, MinHash signatures,
write. The published steps are those of ``official``, one document at a time (with jieba's word splitting, which their
classifiers need, where jieba is installed). Decisions of both must be equal, document by document. CPU seconds of this
process are counted, so a busy machine changes the figures little; every figure is the median of three.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg import official, sample
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import plan
from backends.mdfg.recipes import load_recipe
from backends.mdfg.rules.verdicts import decide
from backends.mdfg.scorers.base import Scorer
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.stage import Done, Stage, Work
from backends.mdfg.words import WordList, load_words
from workbench.contract import Json
from workbench.settings import Settings

DOCUMENTS, SLOW_DOCUMENTS, QUICK = 12_000, 600, (2_000, 200)
ROUNDS = 3
OUTPUTS = 13


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``; ``ratio`` is ours over the published steps."""
    count, slow_count = QUICK if quick else (DOCUMENTS, SLOW_DOCUMENTS)
    words = load_words("bundled:zh", Path)
    texts = [text for text, _ in sample.documents(count, seed=17)]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "documents.parquet"
        pq.write_table(pa.table({"text": texts}), source, row_group_size=4096, compression="zstd")
        rounds = sorted((_pass(Path(folder) / str(i), source, words) for i in range(ROUNDS)), key=_seconds)
        ours = count / _seconds(done := rounds[ROUNDS // 2])
        mine = _decisions(Path(folder) / "0", count)
    print(f"{count:,} documents of {sum(map(len, texts)) / count:,.0f} characters, medians of {ROUNDS}, CPU seconds")
    for stage in done[0].seconds:
        if stage != "wall" and (spent := sum(one.seconds.get(stage, 0.0) for one in done)) > 0:
            print(f"  {stage:<12} {count / spent:>12,.0f} documents/s")
    slow, theirs = published(texts[:slow_count], words)
    print(f"whole pass {ours:,.0f}, published steps {slow:,.0f} documents/s ({_steps()})")
    _peer(texts[:slow_count], ours)
    same = bool((mine[:slow_count] == theirs).all())
    return {"name": "corpus", "peer": f"the published steps ({_steps()}), one document at a time",
            "ratio": round(ours / slow, 2), "ours": round(1 / ours, 8), "theirs": round(1 / slow, 8),
            "same_result": same}


def _seconds(done: Sequence[Done]) -> float:
    return sum(spent for one in done for stage, spent in one.seconds.items() if stage != "wall")


def _pass(folder: Path, source: Path, words: WordList) -> list[Done]:
    work = Work(load_recipe("zh-paper-code"), words, str(folder), "bench")
    stage = Stage(work, [scorer()])
    return [stage.run(shard) for shard in plan(files_of(source)).shards]


def scorer() -> Scorer:
    """A scorer of the bundled ones' size and 13 outputs; its weights are drawn, since only its speed matters here."""
    grams = Grams()
    draw = np.random.Generator(np.random.PCG64(1))
    table = draw.normal(0, 0.1, (grams.buckets, OUTPUTS)).astype(np.float32)
    outputs = tuple(f"output-{i}" for i in range(OUTPUTS))
    flat = np.zeros(OUTPUTS)
    made = NgramScorer("bench", outputs, grams, table, flat, flat + 1, flat, flat)
    made.score(["compiled once"])
    return made


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


def _peer(texts: Sequence[str], ours: float) -> None:
    """Print the speed of datatrove's chain for Chinese where it is installed."""
    if find_spec("datatrove") is None:
        print("datatrove is not installed: not compared")
        return
    from backends.mdfg import bench_datatrove

    speed = bench_datatrove.speed(texts)
    print(f"datatrove (Gopher repetition, FineWeb quality, MinHash signatures) {speed:,.0f} documents/s: "
          f"ours is {ours / speed:,.1f} times as fast")

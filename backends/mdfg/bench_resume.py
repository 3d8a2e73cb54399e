"""``bench corpus-resume``: a filtering run killed at random points and continued, against the same run left alone.

The run's process group gets ``kill -9`` at moments drawn by a seeded generator, is started again each time, and at last
ends by itself. The moments are drawn over the seconds in which the run left alone works on shards and writes: while a
process starts there is nothing to lose. Held against the other: every file byte for byte (the summary without its
times), the finished marks of shards at every kill (one that is written anew was worked on and scored again), and
documents in = out: every line of the corpus is one row of the table or one problem, once.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from backends.mdfg import sample
from backends.mdfg.bench_resume_side import BEGUN
from backends.mdfg.bench_targets import cores
from workbench.contract import Json, UserError
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS, QUICK = 200_000, 20_000
KILLS, SEED = 3, 41
PAUSE = 0.01
"""Seconds between two looks whether a run is at work."""
SUMMARY, TIMES = "summary.json", "throughput_per_second"
Marks = dict[str, int]


@dataclass(frozen=True)
class Ended:
    """A run that ended by itself: seconds, those of them since it worked on a shard, peak memory of its main process
    and of its largest worker in MB."""

    seconds: float
    working: float
    peak_mb: float
    worker_mb: float


@dataclass(frozen=True)
class Kill:
    """An attempt: its seconds in all, those of them at work, the marks of the shards that were finished at its end, and
    whether it was killed (on a machine that is faster now than before, it may have ended by itself)."""

    seconds: float
    working: float
    marks: Marks
    landed: bool = True


def run(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Measure and return the shape of ``workbench.evidence.Bench``: ``ours`` are the seconds of all attempts together,
    ``theirs`` those of the run left alone; ``same_result`` is that everything above holds."""
    count, workers = QUICK if quick else DOCUMENTS, min(2, cores())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = sample.write_jsonl(folder / "corpus.jsonl", count, seed=31)
        alone = whole(folder / "alone", corpus, workers)
        kills = [killed(folder / "killed", corpus, workers, seconds) for seconds in gaps(alone.working)]
        last = whole(folder / "killed", corpus, workers)
        faults = compared(folder / "alone", folder / "killed", kills, count)
    spent = sum(kill.seconds for kill in kills) + last.seconds
    told(count, workers, alone, kills, last, faults)
    return {"name": "corpus-resume", "peer": "the same run, never killed", "ratio": round(alone.seconds / spent, 3),
            "ours": round(spent, 2), "theirs": round(alone.seconds, 2), "same_result": not faults}


def gaps(seconds: float, kills: int = KILLS, seed: int = SEED) -> list[float]:
    """Seconds of every attempt: the differences of moments drawn uniformly over the run, in order."""
    draw = random.Random(seed)
    moments = sorted(draw.random() * seconds for _ in range(kills))
    return [after - before for before, after in zip([0.0, *moments], moments, strict=False)]


@contextmanager
def started(folder: Path, corpus: Path, workers: int) -> Iterator[subprocess.Popen[str]]:
    """A run in a process group of its own, which has begun; the group ends with the context."""
    process = subprocess.Popen(
        [sys.executable, "-m", "backends.mdfg.bench_resume_side", str(folder), str(corpus), str(workers)], cwd=ROOT,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        if process.stdout is None or process.stdout.readline().strip() != BEGUN:
            raise _failed(process, process.communicate()[1])
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def at_work(process: subprocess.Popen[str], folder: Path, before: set[Path]) -> float:
    """Wait until a worker has begun a shard, or the run has ended; returns the time."""
    while process.poll() is None and not signatures(folder) - before:
        time.sleep(PAUSE)
    return time.perf_counter()


def signatures(folder: Path) -> set[Path]:
    """The unfinished signatures of shards, named after the processes that write or wrote them."""
    return set(folder.glob("checkpoints/shards/*/.signatures.*.tmp"))


def whole(folder: Path, corpus: Path, workers: int) -> Ended:
    """Run, or continue, to the end. Raises ``UserError`` with the last line of a run that failed."""
    before = signatures(folder)
    with started(folder, corpus, workers) as process:
        since = at_work(process, folder, before)
        out, error = process.communicate()
    if process.returncode:
        raise _failed(process, error)
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return Ended(working=time.perf_counter() - since, **found)


def killed(folder: Path, corpus: Path, workers: int, seconds: float) -> Kill:
    """Run, or continue, for so many seconds at work, then kill the whole group."""
    before = signatures(folder)
    with started(folder, corpus, workers) as process:
        began = time.perf_counter()
        since = at_work(process, folder, before)
        time.sleep(seconds)
        landed = process.poll() is None
        if landed:
            os.killpg(process.pid, signal.SIGKILL)
        ended = time.perf_counter()
        _, error = process.communicate()
    if not landed and process.returncode:
        raise _failed(process, error)
    return Kill(ended - began, ended - since, marks(folder), landed)


def _failed(process: subprocess.Popen[str], error: str) -> UserError:
    return UserError(f"The run of the benchmark ended with {process.returncode}: "
                     f"{(error.strip() or 'nothing said').splitlines()[-1][:300]}")


def marks(folder: Path) -> Marks:
    """When every finished shard was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("checkpoints/shards/*/done.json")}


def compared(alone: Path, resumed: Path, kills: Sequence[Kill], count: int) -> list[str]:
    """Everything in which the run that was killed is not as it must be, in words."""
    faults = [f"{name} is not the same" for name in differing(alone, resumed)]
    now = marks(resumed)
    for number, kill in enumerate(kills, 1):
        again = sorted(name for name, mark in kill.marks.items() if now.get(name) != mark)
        faults += [f"shard {name}, finished at kill {number}, was worked on again" for name in again]
    if not any(kill.landed and 0 < len(kill.marks) < len(now) for kill in kills):
        faults.append("no kill fell between the first finished shard and the last")
    said = summary(resumed)
    rows = sorted(pq.read_table(resumed / "artifacts" / "attributes.parquet", columns=["number"])["number"].to_pylist())
    lines, documents, problems, read = set(rows), said["documents"], said["problems"], said["rows_read"]
    if not len(rows) == len(lines) == documents or not lines <= set(range(1, count + 1)):
        faults.append(f"the table has {len(rows):,} rows of {len(lines):,} lines for {documents:,} documents")
    if not documents + problems == read == count:
        faults.append(f"{documents:,} documents and {problems:,} problems of {read:,} rows read, of {count:,} in the "
                      "corpus")
    return faults


def differing(alone: Path, resumed: Path) -> list[str]:
    """Artifacts that only one of the runs has, or that are not equal."""
    one, two = digests(alone), digests(resumed)
    found = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    return found if _timeless(alone) == _timeless(resumed) else [*found, SUMMARY]


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of every artifact but the summary, which holds times."""
    found = {}
    for path in sorted((folder / "artifacts").rglob("*")):
        if path.is_file() and path.name != SUMMARY:
            with path.open("rb") as file:
                found[str(path.relative_to(folder / "artifacts"))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def summary(folder: Path) -> dict[str, Any]:
    """``summary.json`` of a run."""
    found: dict[str, Any] = json.loads((folder / "artifacts" / SUMMARY).read_text(encoding="utf-8"))
    return found


def _timeless(folder: Path) -> dict[str, Any]:
    return {name: value for name, value in summary(folder).items() if name != TIMES}


def told(count: int, workers: int, alone: Ended, kills: Sequence[Kill], last: Ended, faults: Sequence[str]) -> None:
    """Print what happened."""
    print(f"{count:,} planted documents, {workers} processes, all rules, a scorer, near-duplicates dropped")
    _told_end("left alone", alone)
    for number, kill in enumerate(kills, 1):
        what = f"kill -9 no. {number}" if kill.landed else f"attempt {number} ended by itself"
        print(f"  {what} after {kill.seconds:.1f} s ({kill.working:.1f} s at work): {len(kill.marks)} shards were "
              "finished")
    _told_end("to the end", last)
    for fault in faults[:20]:
        print(f"  NOT AS IT MUST BE: {fault}")
    if not faults:
        print("every file is the same byte for byte, no finished shard was worked on again, every document is there "
              "once")


def _told_end(what: str, run: Ended) -> None:
    print(f"  {what} {run.seconds:.1f} s ({run.working:.1f} s at work), peak memory {run.peak_mb:,.0f} MB, of a worker "
          f"at most {run.worker_mb:,.0f} MB")

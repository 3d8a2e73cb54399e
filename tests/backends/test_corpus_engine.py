"""The engine: any number of processes gives the same bytes, a killed run goes on, nothing is worked on twice."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backends.mdfg import pool, sample
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import plan
from backends.mdfg.stage import Done, Stage, Work, finished
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import filtered, recipe
from tests.backends.corpus_scorer import CountingScorer
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys
from pathlib import Path
from tests.backends.corpus_cases import filtered
filtered(Path(sys.argv[1]), sources=(sys.argv[2],), shard_mb=0.1, workers=int(sys.argv[3]),
         exports=("jsonl", "parquet"), near_duplicates="drop")
"""


def digests(folder: Path) -> dict[str, str]:
    """Every product of a run but times."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "artifacts").rglob("*")) if path.is_file() and path.name != "summary.json"}


def marks(folder: Path) -> dict[str, int]:
    """When every finished shard was finished."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("checkpoints/shards/*/done.json")}


def workers_left() -> list[psutil.Process]:
    """Living children of this process."""
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_jsonl(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", 1500, seed=5)


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    result, _ = filtered(folder, sources=(corpus,), shard_mb=0.1, exports=("jsonl", "parquet"),
                         near_duplicates="drop")
    assert result.documents == 1500
    return folder


def test_a_killed_run_goes_on_to_the_same_bytes(corpus: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """kill -9 of the whole group at a moment of its own, then the same call again: with one and with two processes."""
    folder = tmp_path / "run"
    for workers, wanted in ((1, 4), (2, 9)):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(corpus), str(workers)], cwd=ROOT,
                                 start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        until = time.monotonic() + 90
        while len(marks(folder)) < wanted and child.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)
        before = marks(folder)
        assert len(before) >= wanted
    filtered(folder, sources=(corpus,), shard_mb=0.1, exports=("jsonl", "parquet"), near_duplicates="drop")
    assert digests(folder) == digests(uninterrupted)
    after = marks(folder)
    assert {name: after[name] for name in before} == before, "a finished shard was worked on again"
    summaries = [json.loads((run / "artifacts" / "summary.json").read_text()) for run in (folder, uninterrupted)]
    for summary in summaries:
        summary.pop("throughput_per_second")
    assert summaries[0] == summaries[1]
    assert summaries[0]["rows_read"] == summaries[0]["documents"] + summaries[0]["problems"] == 1500


def test_two_processes_give_the_bytes_of_one(corpus: Path, uninterrupted: Path, tmp_path: Path) -> None:
    filtered(tmp_path / "run", sources=(corpus,), shard_mb=0.1, exports=("jsonl", "parquet"), workers=2,
             near_duplicates="drop")
    assert digests(tmp_path / "run") == digests(uninterrupted)
    assert not workers_left()


def shards_of(corpus: Path, size: int = 50_000) -> tuple:
    return plan(files_of(corpus), size=size).shards


def test_nothing_is_scored_twice_and_nothing_left_out(corpus: Path, tmp_path: Path) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path / "run"), "c")
    scorer = CountingScorer(tmp_path / "log")
    stage, shards = Stage(work, [scorer]), shards_of(corpus)
    for shard in shards[:4]:
        stage.run(shard)
    stopped = Stage(work, [scorer])

    def stop(documents: int) -> None:
        raise Cancelled
    with pytest.raises(Cancelled):
        stopped.run(shards[4], stop)
    assert finished(work, shards[4].index) is None
    lost = (tmp_path / "log").read_text().count("\n")
    for shard in shards:
        if finished(work, shard.index) is None:
            stage.run(shard)
    done = [finished(work, shard.index) for shard in shards]
    total = sum(d.documents for d in done if d)
    assert total == 1500
    scored = (tmp_path / "log").read_text().count("\n")
    in_the_stopped_batch = lost - sum(d.documents for d in done[:4] if d)
    assert scored == total + in_the_stopped_batch, "only the shard that was stopped is scored again"


@pytest.mark.parametrize("change", ["config", "files", "text", "mark"])
def test_a_shard_of_another_configuration_is_not_finished(corpus: Path, tmp_path: Path, change: str) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path), "c", "f")
    shard = shards_of(corpus)[0]
    done = Stage(work, []).run(shard)
    assert finished(work, 0) == done
    if change == "text":
        work.part(0).unlink()
    elif change == "mark":
        (work.shard_folder(0) / "done.json").write_text("{")
    else:
        work = Work(work.recipe, work.words, work.folder, "x" if change == "config" else "c",
                    "x" if change == "files" else "f")
    assert finished(work, 0) is None


def test_a_worker_that_dies_is_an_error_with_its_signal(corpus: Path, tmp_path: Path) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path), "c")

    def kill(documents: int) -> None:
        for child in workers_left():
            child.kill()
    with pytest.raises(UserError, match=r"A worker process ended by itself \(SIGKILL\)"):
        list(pool.run(work, shards_of(corpus), 2, kill))
    assert not workers_left()


def test_an_error_of_a_worker_reaches_the_person(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file where a folder belongs")
    work = Work(recipe(), WordList(NONE), str(tmp_path), "c")
    with pytest.raises(RuntimeError, match=r"FileExistsError|NotADirectoryError"):
        list(pool.run(work, shards_of(corpus)[:2], 2, lambda documents: None))


def test_a_cancel_ends_the_processes(corpus: Path, tmp_path: Path) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path), "c")
    began = time.monotonic()

    def cancel(documents: int) -> None:
        raise Cancelled
    with pytest.raises(Cancelled):
        list(pool.run(work, shards_of(corpus), 2, cancel))
    assert time.monotonic() - began < 10
    assert not workers_left()


def test_progress_never_goes_back_and_says_how_many(corpus: Path, tmp_path: Path) -> None:
    result, context = filtered(tmp_path / "run", sources=(corpus,), shard_mb=0.1)
    steps = [step for step, total, _ in context.reports if total]
    assert steps == sorted(steps)
    assert context.reports[-1][2] == f"{result.kept:,} of 1,500 documents kept, 0 rows could not be read"
    assert context.metrics[-1][1]["documents"] == 1500
    assert set(result.throughput_per_second) >= {"read", "characters", "traditional", "sensitive", "duplication",
                                                 "minhash", "write", "all"}


def test_a_full_disk_is_said_and_what_was_finished_stays(corpus: Path, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from backends.mdfg import tables

    work, shards = Work(recipe(), WordList(NONE), str(tmp_path), "c"), shards_of(corpus)
    stage = Stage(work, [])
    stage.run(shards[0])

    def full(self: object, table: object) -> None:
        raise OSError(errno.ENOSPC, "no space")
    monkeypatch.setattr(tables.TableWriter, "add", full)
    with pytest.raises(UserError, match="disk is full"):
        stage.run(shards[1])
    assert isinstance(finished(work, 0), Done)
    assert finished(work, 1) is None
    assert not list(tmp_path.rglob("*.parquet.tmp"))


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Three times the documents, in a process of its own: the peak may rise by a few megabytes only."""
    code = ("import sys\nfrom pathlib import Path\nfrom backends.mdfg.bench_query_sides import peak_mb\n"
            "from tests.backends.corpus_cases import filtered\n"
            "filtered(Path(sys.argv[1]), sources=(sys.argv[2],), shard_mb=0.3, near_duplicates='off')\n"
            "print(peak_mb())")
    peaks = []
    for count in (800, 2400):
        path = sample.write_jsonl(tmp_path / f"{count}.jsonl", count)
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / f"r{count}"), str(path)], cwd=ROOT, text=True,
                              capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        peaks.append(float(done.stdout.split()[-1]))
    assert peaks[1] - peaks[0] < 60, peaks


def test_a_context_is_all_it_needs(tmp_path: Path) -> None:
    from backends.mdfg import TASKS

    task = TASKS[0]
    context = MemoryContext(tmp_path / "run")
    result = task.function()(task.example, context)
    assert result.documents == 200
    assert task.needs.slots == ("cpu",)

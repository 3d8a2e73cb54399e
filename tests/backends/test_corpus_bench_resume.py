"""``bench corpus-resume``: it kills for real, and every fault that it is there for is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from backends.mdfg import bench_resume, bench_resume_side, sample
from backends.mdfg.bench_resume import Ended, Kill
from backends.mdfg.bench_resume_side import request
from backends.mdfg.filter_task import run
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.evidence import Bench

COUNT = 300


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_jsonl(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", COUNT, seed=8)


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "run"
    run(request(corpus, 1), MemoryContext(folder))
    return folder


@pytest.fixture
def copy(alone: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(alone, tmp_path / "copy"))


def kills(folder: Path, finished: int = 5) -> list[Kill]:
    """A kill when so many shards were finished."""
    return [Kill(2.0, 1.0, dict(sorted(bench_resume.marks(folder).items())[:finished]))]


def groups() -> set[int]:
    """Process groups of the living children of this process."""
    return {os.getpgid(child.pid) for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_the_whole_of_it_in_small(settings: object, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    def at_work(process: subprocess.Popen[str], folder: Path, before: object) -> float:
        while process.poll() is None and len(bench_resume.marks(folder)) < 3:
            time.sleep(0.002)
        return time.perf_counter()

    monkeypatch.setattr(bench_resume, "QUICK", 1500)
    monkeypatch.setattr(bench_resume, "gaps", lambda seconds: [0.0])
    monkeypatch.setattr(bench_resume, "at_work", at_work)  # a busy machine may take long for its first shard
    before = groups()
    found = Bench(**bench_resume.run(settings, quick=True))  # type: ignore[arg-type]
    told = capsys.readouterr().out
    assert found.same_result, told
    assert (found.name, found.peer) == ("corpus-resume", "the same run, never killed")
    assert found.ratio == pytest.approx(found.theirs / found.ours, rel=0.02)
    for words in ("1,500 planted documents", "kill -9 no. 1", "peak memory", "same byte for byte"):
        assert words in told
    assert groups() == before, "nothing is left running"


def test_a_run_that_was_left_alone_and_its_copy_have_no_fault(alone: Path, copy: Path) -> None:
    assert bench_resume.compared(alone, copy, kills(copy), COUNT) == []


def changed_summary(folder: Path, **changes: object) -> None:
    path = folder / "artifacts" / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def changed_table(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "artifacts" / "attributes.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def renumbered(table: pa.Table) -> pa.Table:
    number = pc.if_else(pc.equal(table["number"], 7), 8, table["number"])
    return table.set_column(table.schema.get_field_index("number"), "number", number)


@pytest.mark.parametrize(("change", "faults"), [
    (lambda folder: (folder / "artifacts" / "kept.jsonl").open("ab").write(b"\n"), ["kept.jsonl is not the same"]),
    (lambda folder: (folder / "artifacts" / "kept.jsonl").unlink(), ["kept.jsonl is not the same"]),
    (lambda folder: (folder / "artifacts" / "more").write_text(""), ["more is not the same"]),
    (lambda folder: changed_summary(folder, throughput_per_second={}), []),
    (lambda folder: changed_summary(folder, kept=1), ["summary.json is not the same"]),
    (lambda folder: changed_summary(folder, rows_read=299), [
        "summary.json is not the same", "300 documents and 0 problems of 299 rows read, of 300 in the corpus"]),
    (lambda folder: changed_table(folder, renumbered), [
        "attributes.parquet is not the same", "the table has 300 rows of 299 lines for 300 documents"]),
    (lambda folder: changed_table(folder, lambda table: table.slice(1)), [
        "attributes.parquet is not the same", "the table has 299 rows of 299 lines for 300 documents"]),
    (lambda folder: changed_table(folder, lambda table: pa.concat_tables([table, table.slice(0, 1)])), [
        "attributes.parquet is not the same", "the table has 301 rows of 300 lines for 300 documents"])])
def test_every_fault_of_the_files_is_told(alone: Path, copy: Path, change: Callable[[Path], object],
                                          faults: list[str]) -> None:
    change(copy)
    assert bench_resume.compared(alone, copy, kills(copy), COUNT) == faults


def test_a_shard_that_was_worked_on_again_is_told(alone: Path, copy: Path) -> None:
    before = kills(copy)
    again = copy / "checkpoints" / "shards" / "00002" / "done.json"
    os.utime(again, ns=(1, 1))
    assert bench_resume.compared(alone, copy, before, COUNT) == [
        "shard 00002, finished at kill 1, was worked on again"]
    again.unlink()
    assert "shard 00002, finished at kill 1, was worked on again" in bench_resume.compared(alone, copy, before, COUNT)


@pytest.mark.parametrize("found", [0, 1000, None])
def test_kills_that_cost_nothing_prove_nothing(alone: Path, copy: Path, found: int | None) -> None:
    tried = kills(copy, found) if found is not None else [Kill(2.0, 1.0, kills(copy)[0].marks, landed=False)]
    assert bench_resume.compared(alone, copy, tried, COUNT) == [
        "no kill fell between the first finished shard and the last"]


def test_moments_are_drawn_from_the_seed_within_the_run() -> None:
    found = bench_resume.gaps(100.0, kills=6)
    assert found == bench_resume.gaps(100.0, kills=6) != bench_resume.gaps(100.0, kills=6, seed=1)
    assert len(found) == 6 and min(found) >= 0 and sum(found) < 100
    assert bench_resume.gaps(50.0, kills=6) == pytest.approx([gap / 2 for gap in found])


def test_the_default_is_the_size_that_was_asked_for(corpus: Path, tmp_path: Path) -> None:
    assert bench_resume.DOCUMENTS == 200_000
    large = tmp_path / "large.jsonl"
    with large.open("wb") as file:
        file.truncate(4 * 2**30)
    assert request(large, 2).shard_mb == 8.0 and request(large, 2).workers == 2
    assert 0.01 <= request(corpus, 1).shard_mb < 1


def test_a_run_that_fails_says_what_failed(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(UserError, match=r"The run of the benchmark ended with 1: .*Nothing can be read"):
        bench_resume.whole(tmp_path / "run", empty, 1)


def test_a_run_that_ended_by_itself_is_no_kill(corpus: Path, copy: Path) -> None:
    before = bench_resume.marks(copy)
    found = bench_resume.killed(copy, corpus, 1, seconds=0.0)
    assert found.marks == before
    assert found.landed is False, "all its shards were finished, so it ends before it is at work"


def test_what_is_told_of_a_run_with_faults(capsys: pytest.CaptureFixture[str]) -> None:
    bench_resume.told(10, 2, Ended(9.0, 8.0, 300.4, 200.2), [Kill(2.0, 1.0, {"0": 1}), Kill(3.0, 1.0, {}, False)],
                      Ended(5.0, 4.0, 310.0, 210.0), [f"fault {i}" for i in range(30)])
    told = capsys.readouterr().out
    assert "kill -9 no. 1 after 2.0 s (1.0 s at work): 1 shards were finished" in told
    assert "attempt 2 ended by itself" in told and "of a worker at most 210 MB" in told
    assert told.count("NOT AS IT MUST BE") == 20 and "same byte for byte" not in told


def test_a_benchmark_that_is_interrupted_leaves_no_run_behind(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), bench_resume.started(tmp_path / "run", corpus, 1) as process:
        assert psutil.pid_exists(process.pid) and os.getpgid(process.pid) == process.pid
        raise KeyboardInterrupt
    assert process.returncode is not None and not psutil.pid_exists(process.pid)


def test_a_run_is_at_work_with_new_signatures_only(tmp_path: Path) -> None:
    shard = tmp_path / "checkpoints" / "shards" / "00001"
    shard.mkdir(parents=True)
    (shard / ".signatures.1.tmp").write_text("left by a run that was killed")
    before = bench_resume.signatures(tmp_path)
    looks = []

    class Running:
        def poll(self) -> None:
            looks.append(1)
            if len(looks) == 3:
                (shard / ".signatures.2.tmp").write_text("")
    began = time.perf_counter()
    assert bench_resume.at_work(Running(), tmp_path, before) >= began  # type: ignore[arg-type]
    assert len(looks) == 3 and len(before) == 1


def test_digests_cover_files_in_folders_and_no_times(alone: Path) -> None:
    found = bench_resume.digests(alone)
    assert {"attributes.parquet", "recipe.yaml", "problems.jsonl", "kept.jsonl"} <= set(found)
    assert sum(name.startswith("documents/part-") for name in found) == len(bench_resume.marks(alone)) > 20
    assert "summary.json" not in found and bench_resume.TIMES in bench_resume.summary(alone)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_side_says_when_it_begins_and_what_it_took(corpus: Path, tmp_path: Path, workers: str, alone: Path,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    bench_resume_side.main([str(tmp_path / "run"), str(corpus), workers])
    begun, found = capsys.readouterr().out.splitlines()
    assert begun == bench_resume_side.BEGUN
    ended = Ended(working=1.0, **json.loads(found))
    assert ended.seconds > 0 and ended.peak_mb > 10 and ended.worker_mb >= 0
    assert bench_resume.differing(alone, tmp_path / "run") == [], "any number of processes writes the same"

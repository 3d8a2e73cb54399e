"""One process against two: equal bytes, honest times, and what is said of a target and of a machine with one core."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from backends.mdfg import bench_processes, sample
from backends.mdfg.bench_processes import Timed, middle, scorer, timed, told
from backends.mdfg.bench_targets import cores, target
from backends.mdfg.pool import Progress
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import Shard, plan
from backends.mdfg.stage import Done, Work
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import recipe
from workbench.contract import UserError
from workbench.evidence import Bench


@pytest.mark.parametrize(("figure", "sense", "limit", "unit", "said"), [
    (4e3, "at least", 4e3, "", "meets at least 4,000"), (3999.9, "at least", 4000.0, "", "misses at least 4,000"),
    (200.0, "at most", 200.0, "ms", "meets at most 200 ms"), (200.1, "at most", 200.0, "ms", "misses at most 200 ms"),
    (2e5, "below", 200_000, "bytes", "misses below 200,000 bytes"), (1.8, "at least", 1.8, "", "meets at least 1.8"),
    (199_999, "below", 200_000, "bytes", "meets below 200,000 bytes"),
    (math.inf, "at least", 20.0, "times", "meets at least 20 times")])
def test_a_target_is_met_or_missed_in_words(figure: float, sense, limit: float, unit: str, said: str) -> None:
    assert target(figure, sense, limit, unit) == said


def test_no_number_meets_no_target() -> None:
    with pytest.raises(UserError, match=r"at least 5 is not a number"):
        target(math.nan, "at least", 5.0)


def test_cores_are_those_that_may_be_used() -> None:
    assert cores() >= 1


def test_one_and_two_processes_write_the_same(settings: object, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_processes, "QUICK", (600, 1))
    monkeypatch.setattr(bench_processes, "SHARDS", 6)
    found = Bench(**bench_processes.run(settings, quick=True))  # type: ignore[arg-type]
    assert found.same_result and found.name == "corpus-processes"
    assert found.ratio == pytest.approx(found.theirs / found.ours, rel=0.02)
    told = capsys.readouterr().out
    for words in ("600 documents with one process and with two", "times as fast as one", "at least 1.8"):
        assert words in told


def test_processes_that_write_other_bytes_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(work: Work, shards: object, workers: int) -> Timed:
        Path(work.folder).mkdir()
        (Path(work.folder) / "part").write_text(str(workers))
        return Timed(1.0 / workers, 1.0)
    monkeypatch.setattr(bench_processes, "timed", fake)
    one, two, same = bench_processes.measured(tmp_path, 20, 3, scorer())
    assert not same and one == [Timed(1.0, 1.0)] * 3 and two == [Timed(0.5, 1.0)] * 3


def test_both_are_measured_in_turn_and_each_begins_as_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    def fake(work: Work, shards: object, workers: int) -> Timed:
        order.append(workers)
        return Timed(1.0, 1.0)
    monkeypatch.setattr(bench_processes, "timed", fake)
    assert bench_processes.measured(tmp_path, 20, 4, scorer())[2]
    assert order == [2, 1, 1, 2, 2, 1, 1, 2]


def shards_of(folder: Path, count: int) -> tuple[Shard, ...]:
    path = sample.write_jsonl(folder / "c.jsonl", 40, seed=2)
    return plan(files_of(path), size=max(1, path.stat().st_size // count)).shards


def test_the_time_before_every_process_is_at_work_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that take 10 s to start, then end a shard of 100 documents every second between them."""
    clock = [0.0]

    def run(work: Work, shards: tuple[Shard, ...], workers: int, say: Progress):
        clock[0] = 10.0
        say(30)
        for number in range(8):
            clock[0] += 1.0
            yield Done(number, 100, 0, 0, 0)
            say(50)
    monkeypatch.setattr("backends.mdfg.bench_processes.pool.run", run)
    monkeypatch.setattr("backends.mdfg.bench_processes.time.perf_counter", lambda: clock[0])
    work = Work(recipe(), WordList(NONE), str(tmp_path / "run"), "c")
    found = timed(work, shards_of(tmp_path, 8), 2)
    assert found.whole == pytest.approx(18 / 800)
    assert found.working == pytest.approx(6 / (800 - 250)), "two shards and the half of a third were there at second 12"


def test_too_few_shards_say_so(tmp_path: Path) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path / "run"), "c")
    with pytest.raises(UserError, match=r"There are 3 shards for 2 processes; each needs at least two"):
        timed(work, shards_of(tmp_path, 3)[:3], 2)


@pytest.mark.parametrize(("count", "words"), [(1, True), (2, False), (8, False)])
def test_a_machine_with_one_core_says_so(count: int, words: bool, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_processes, "cores", lambda: count)
    one, two = [Timed(2.0, 3.0), Timed(4.0, 5.0), Timed(9.0, 9.0)], [Timed(2.0, 6.0)] * 3
    told(1000, one, two, 2.0)
    said = capsys.readouterr().out
    assert ("one core" in said) is words
    assert "2.00 times as fast as one: meets at least 1.8" in said
    assert middle(one) == 4.0

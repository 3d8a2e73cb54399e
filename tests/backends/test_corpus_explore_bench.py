"""``bench corpus-query``: its rows are a corpus, both sides answer alike, and a side that fails says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from backends.mdfg import bench_query
from backends.mdfg.bench_query_sides import measure, peak_mb, sorts
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.queries import tallied
from backends.mdfg.explore.selection import Selection
from backends.mdfg.rules.verdicts import decide, mask_counts, tally
from workbench.contract import UserError


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bench_query.corpus(tmp_path_factory.mktemp("bench"), 3000, 120)


def test_the_tiled_rows_are_a_corpus_with_right_verdicts(run_folder: Path) -> None:
    opened = Corpus.open(run_folder)
    assert opened.total == 3000
    raw = pq.read_table(run_folder / "artifacts" / "attributes.parquet")
    columns = {test.column: raw[test.column].to_numpy() for test in opened.recipe.tests}
    expected = decide(columns, opened.recipe.tests, 3000)
    assert raw["rule_fail"].to_pylist() == expected.rule_fail.tolist()
    assert tallied(opened, Selection()) == tally(mask_counts(expected.rule_fail), opened.recipe.tests)
    assert 0 < opened.column("quality").missing < 300
    assert len(set(raw["n_chars"].to_pylist())) > 120, "the values carry noise"
    ids = [document.id for document in opened.texts(range(0, 3000, 250))]
    assert ids == raw["id"].to_pylist()[::250]


def test_steps_are_drawn_from_the_seed_and_half_of_them_move_limits() -> None:
    steps = bench_query.drawn(20)
    assert steps == bench_query.drawn(20) != bench_query.drawn(20, seed=1)
    assert sum("limit" in step["query"] for step in steps) == 10
    assert all(len(Selection.from_query(step["query"]).spans) == 3 for step in steps)
    assert {step["sort"] for step in steps} <= set(sorts())


def test_both_sides_answer_alike(run_folder: Path) -> None:
    steps = bench_query.drawn(14)
    ours, theirs = measure("ours", run_folder, steps), measure("pandas", run_folder, steps)
    assert ours["answers"] == theirs["answers"]
    assert any(answer[0] > 0 and answer[3] for answer in ours["answers"])
    assert 0 < ours["payload"] < bench_query.PAYLOAD
    assert ours["p50_ms"] <= ours["p95_ms"] <= ours["longest_ms"]
    assert set(ours["parts"]) == {"histogram", "page"}
    assert ours["peak_mb"] > 10
    assert np.isfinite(peak_mb())


def test_a_side_that_fails_says_what_failed(tmp_path: Path) -> None:
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps(bench_query.drawn(2)))
    with pytest.raises(UserError, match=r"The side ours of the benchmark ended with 1: .*no recipe"):
        bench_query.side("ours", tmp_path / "nothing", steps)


def test_the_report_has_the_documented_shape(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                             settings: object) -> None:
    from workbench.evidence import Bench

    monkeypatch.setattr(bench_query, "QUICK", (3000, 120, 6, 1))
    found = bench_query.run(settings, quick=True)  # type: ignore[arg-type]
    assert Bench(**found).same_result
    said = capsys.readouterr().out
    for words in ("3,000 documents", "tiled with noise", "at most 200 ms", "peak memory", "pandas",
                  "meets below 200,000 bytes"):
        assert words in said


@pytest.mark.parametrize(("p95", "payload", "said", "same"), [
    (200.0, 199_999, ("meets at most 200 ms", "meets below 200,000 bytes"), True),
    (200.5, 10, ("misses at most 200 ms", "meets below 200,000 bytes"), True),
    (20.0, 200_000, ("meets at most 200 ms", "misses below 200,000 bytes"), False)])
def test_the_targets_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: object,
                              p95: float, payload: int, said: tuple[str, str], same: bool) -> None:
    def side(name: str, *_: object) -> dict[str, object]:
        return {"name": name, "p50_ms": 10.0, "p95_ms": p95, "longest_ms": 300.0, "cpu_ms": 9.0, "open_s": 1.0,
                "peak_mb": 250.0 if name == "ours" else 1000.0, "payload": payload, "answers": [], "parts": {}}
    monkeypatch.setattr(bench_query, "corpus", lambda *_: Path())
    monkeypatch.setattr(bench_query, "side", side)
    assert bench_query.run(settings, quick=True)["same_result"] is same  # type: ignore[arg-type]
    told = capsys.readouterr().out
    assert all(words in told for words in said)
    assert "peak memory 250 MB against 1,000 MB of pandas (4.0 times ours)" in told

"""The comparison as a task, its benchmark and its reproduction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.common.mt import TASKS, bench
from backends.common.mt.compare import run
from backends.common.mt.practice import practice
from backends.common.mt.requests import CompareRequest
from tests.backends.mt_cases import systems
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import from_json, to_json


def context(tmp_path: Path, **options) -> MemoryContext:
    return MemoryContext(tmp_path / "run", **options)


def files(folder: Path, count: int = 3) -> dict:
    made, reference = systems(count)
    for name, lines in {**made, "ref": reference, "src": reference}.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "systems": tuple(f"path:{folder}/{name}.txt" for name in made),
        "references": (f"path:{folder}/ref.txt",),
        "source": f"path:{folder}/src.txt",
        "resamples": 100,
        "trials": 200,
    }


def test_practice_is_compared(tmp_path: Path) -> None:
    made = context(tmp_path)
    result = run(CompareRequest(resamples=100, trials=100), made)
    assert result.segments == 12 and result.signatures["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert {row.system for row in result.rows} == {"plain", "free", "word for word"}
    assert [row.system for row in result.rows if row.metric == "bleu"][-1] == "word for word"
    told = json.loads((made.run / "artifacts" / "comparison.json").read_text(encoding="utf-8"))
    assert set(told["metrics"]["chrf"]["buckets"]) == {"length", "source frequency", "domain"}
    assert all(bucket["small"] for bucket in told["metrics"]["chrf"]["buckets"]["domain"])
    rows = [
        json.loads(line)
        for line in (made.run / "artifacts" / "segments.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [r["disagreement"] for r in rows] == sorted((r["disagreement"] for r in rows), reverse=True)
    assert rows[0]["translations"]["plain"] == practice().systems["plain"][rows[0]["index"]]
    assert len({len(lines) for lines in practice().systems.values()}) == 1


def test_files_with_two_references_and_human_scores(tmp_path: Path) -> None:
    asked = files(tmp_path)
    scores = ["SYS SID RAW.SCR Z.SCR N "] + [
        f"system {k}.{k} {i + 1} {90 - 10 * k + i % 3} {0.5 - k} 2 " for k in range(3) for i in range(40)
    ]
    human = tmp_path / "da.csv"
    human.write_text("\n".join(scores) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        run(CompareRequest(**asked, human=f"path:{human}"), context(tmp_path))
    human.write_text("\n".join(line.replace("system ", "s") for line in scores) + "\n", encoding="utf-8")
    for k in range(3):
        (tmp_path / f"system {k}.txt").rename(tmp_path / f"s{k}.txt")
    asked["systems"] = tuple(f"path:{tmp_path}/s{k}.txt" for k in range(3))
    made = context(tmp_path)
    result = run(CompareRequest(**{**asked, "references": asked["references"] * 2}, human=f"path:{human}"), made)
    assert result.references == 2 and any("two references are named 'ref'" in text for text in result.warnings)
    told = json.loads((made.run / "artifacts" / "human.json").read_text(encoding="utf-8"))
    assert told["correlations"][0]["pearson"] > 0.8 and told["systems"][0]["system"] == "s0"


def test_a_wrong_tokeniser_is_a_warning(tmp_path: Path) -> None:
    result = run(
        CompareRequest(language="zh", tokenizer="13a", resamples=10, trials=0, metrics=("bleu",)), context(tmp_path)
    )
    assert any("Use zh" in text for text in result.warnings) and "tok:13a" in result.signatures["bleu"]


def test_unequal_files_are_refused_with_every_reason(tmp_path: Path) -> None:
    asked = files(tmp_path)
    (tmp_path / "system 0.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "system 1.txt").write_bytes(b"\x00")
    with pytest.raises(UserError) as told:
        run(CompareRequest(**asked), context(tmp_path))
    assert "has 1 lines" in str(told.value) and "binary" in str(told.value) and "Nothing was changed" in str(told.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metrics": ("blue",)}, "metrics has blue"),
        ({"resamples": 0, "trials": 0}, "both 0"),
        ({"level": 2.0}, "level"),
        ({"human_format": "x"}, "human_format"),
    ],
)
def test_a_request_is_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        CompareRequest(**fields)


def test_references_without_systems(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no system"):
        run(CompareRequest(references=("path:/x",)), context(tmp_path))
    made = files(tmp_path)
    with pytest.raises(UserError, match="no reference"):
        run(CompareRequest(**{**made, "references": ()}), context(tmp_path))


def test_a_cancel_ends_it(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        run(CompareRequest(), context(tmp_path, cancel_after=4))


def test_the_same_seed_gives_the_same(tmp_path: Path) -> None:
    one, two = (run(CompareRequest(resamples=50, trials=50, seed=s), context(tmp_path / str(s))) for s in (3, 3))
    assert one.rows == two.rows


def test_the_task() -> None:
    task = TASKS[0]
    assert from_json(task.request, json.loads(json.dumps(to_json(task.example)))) == task.example
    assert task.function() is run


def test_the_benchmark_finds_equal_p_values_and_a_large_gain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "DATA", tmp_path / "nothing")
    monkeypatch.setattr(bench, "QUICK", (4, 400, 1000))
    found = bench.run(None, quick=True)
    assert found["same_result"] and found["ratio"] > 1.5

"""The filter as people run it: through the service, in detached processes; killed for good, continued, handed on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backends.mdfg import sample
from tests.backends.corpus_cases import good_text, lines_of, write_lines
from workbench.contract import UserError
from workbench.runs import Run
from workbench.service import Service
from workbench.settings import Settings

TASK, PERSON = "mdfg.filter.v1", "a-person"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        made = Service(Settings(home=home, threads=1))
        yield made
        for run in made.runs(PERSON)[0]:
            if run.status in ("queued", "running"):
                made.cancel(PERSON, run.id, wait=True)


def wait(service: Service, run_id: str, *statuses: str, seconds: float = 90.0) -> Run:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run = service.run(PERSON, run_id)
        if run.status in statuses:
            return run
        assert run.status in ("queued", "running"), f"{run.failure} {service.log_tail(PERSON, run_id)}"
        time.sleep(0.02)
    raise AssertionError(f"{run.status}: {run.message}")


def started(service: Service, sources: tuple[str, ...], **fields: Any) -> str:
    return service.submit(TASK, {"sources": list(sources), "exports": ["jsonl"], **fields}, visitor=PERSON)


def folder_of(service: Service, run_id: str) -> Path:
    return service.run(PERSON, run_id).path


def shares(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoints/shards/*/done.json"))


def test_a_killed_job_is_lost_and_goes_on_when_it_is_continued(service: Service, tmp_path: Path) -> None:
    path = sample.write_jsonl(tmp_path / "a.jsonl", 900, seed=51)
    fields = {"shard_mb": 0.04, "scorers": ["bundled:mdfg-zh-quality"], "near_duplicates": "drop"}
    whole = started(service, (f"path:{path}",), **fields)
    wait(service, whole, "succeeded")
    cut = started(service, (f"path:{path}",), **fields)
    folder, until = folder_of(service, cut), time.monotonic() + 60
    while not shares(folder) and time.monotonic() < until:
        time.sleep(0.005)
    run = service.run(PERSON, cut)
    if run.pid:
        os.kill(run.pid, signal.SIGKILL)
    run = wait(service, cut, "lost", "failed", "succeeded")
    finished = {mark.parent.name: mark.stat().st_mtime_ns for mark in shares(folder)}
    assert finished
    if run.status != "succeeded":
        service.resume(PERSON, cut)
        wait(service, cut, "succeeded")
    now = {mark.parent.name: mark.stat().st_mtime_ns for mark in shares(folder)}
    assert {name: now[name] for name in finished} == finished, "nothing is scored twice"
    one, two = folder_of(service, whole) / "artifacts", folder / "artifacts"
    for name in ("attributes.parquet", "kept.jsonl", "recipe.yaml", "problems.jsonl"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    results = [service.result(PERSON, run_id) for run_id in (whole, cut)]
    assert all(result is not None and result["documents"] == 900 for result in results)
    assert results[0]["first"] == results[1]["first"]  # type: ignore[index]


def test_what_one_run_kept_is_the_source_of_another(service: Service, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text(300)}, {"text": "short"}, {"text": good_text(250)}])
    first = started(service, (f"path:{path}",), exports=["jsonl", "parquet"], near_duplicates="off")
    wait(service, first, "succeeded")
    second = service.submit(TASK, {"sources": [f"run:{first}/kept.parquet"], "exports": ["ledger"],
                                   "recipe": "zh-strict-char", "near_duplicates": "off"}, visitor=PERSON,
                            parents=[first])
    wait(service, second, "succeeded")
    result = service.result(PERSON, second)
    assert result is not None
    assert (result["documents"], result["kept"]) == (2, 2)
    table = pq.read_table(folder_of(service, second) / "artifacts" / "attributes.parquet")
    assert table["source"].to_pylist() == ["kept.parquet"] * 2
    assert "mdfg.filter.v1" in service.as_command(PERSON, second)


def test_artifacts_are_named_and_can_be_read_one_by_one(service: Service) -> None:
    run_id = started(service, ("sample",), limit=40, exports=["jsonl", "csv", "ledger"])
    run = wait(service, run_id, "succeeded")
    names = {artifact.name for artifact in service.artifacts(PERSON, run_id)}
    assert names == {"attributes.parquet", "recipe.yaml", "summary.json", "problems.jsonl", "documents", "kept.jsonl",
                     "kept.csv", "dropped.jsonl"}
    result = service.result(PERSON, run_id)
    assert result is not None
    assert result["provenance"] == "synthetic"
    kept = lines_of(service.artifact_path(PERSON, run_id, "kept.jsonl"))
    assert len(kept) == result["kept"]
    summary = service.read_artifact(PERSON, run_id, "summary.json")
    assert sum(summary["masks"].values()) == result["documents"] == 40
    assert run.message.endswith("rows could not be read")
    with pytest.raises(UserError):
        service.artifact_path(PERSON, run_id, "../request.json")
    with pytest.raises(UserError, match="There is no run"):
        service.result("somebody-else", run_id)


@pytest.mark.parametrize(("data", "words"), [
    (b"", "a.jsonl: it is empty"), (bytes(9), "a.jsonl: it is binary"),
    (b"__import__('os').system('touch hacked')\n", "a.jsonl, line 1: it is not valid JSON")])
def test_a_job_that_can_read_nothing_fails_with_the_sentence(service: Service, tmp_path: Path, data: bytes,
                                                             words: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    run_id = started(service, (f"path:{tmp_path / 'a.jsonl'}",))
    run = wait(service, run_id, "failed")
    assert words in json.dumps(run.failure)
    assert run.failure is not None
    assert run.failure["class"] != "bug"
    assert not (folder_of(service, run_id) / "hacked").exists()


def test_a_request_that_makes_no_sense_is_refused_before_anything_starts(service: Service) -> None:
    before = service.runs(PERSON)[1]
    for fields, words in (({"exports": ["zip"]}, "exports"), ({"limits": 3}, "no field limits"),
                          ({"workers": 0}, "workers is 0")):
        with pytest.raises(UserError, match=words):
            service.submit(TASK, fields, visitor=PERSON)
    assert service.runs(PERSON)[1] == before

"""Translating with several systems as a run of the workbench: kept, resumed, stopped, and closed to others."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backends.common.mt.systems.board import BOARD, merged
from backends.common.mt.systems.requests import SystemsRequest
from tests.backends.mt_systems_cases import ORDER, ORDER_RIGHT
from workbench import registry
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json
from workbench.runs import Run
from workbench.service import Service
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TASK = "common.translate.v1"
LONG = "\n".join([ORDER] * 400)


@pytest.fixture
def service(settings: Settings) -> Service:
    return Service(settings)


def submitted(service: Service, text: str = ORDER, visitor: str = "ann", **fields: Json) -> str:
    return service.submit(TASK, {"text": text, **fields}, visitor=visitor)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.03)


def board(service: Service, run_id: str, visitor: str = "ann") -> dict[str, Json]:
    """What a page that has just been opened would show."""
    return merged(service.read_artifact(visitor, run_id, BOARD), service.live(visitor, run_id))


def finished(service: Service, run_id: str) -> int:
    return sum(bool(line.get("done")) for one in board(service, run_id)["systems"] for line in one["lines"].values())


def workers() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children(recursive=True):
        try:
            if one.status() != psutil.STATUS_ZOMBIE and "systems.child" in " ".join(one.cmdline()):
                found.append(one)
        except psutil.Error:
            continue
    return found


def test_a_run_keeps_its_translations_in_files(service: Service) -> None:
    run_id = submitted(service, reference="\n".join(ORDER_RIGHT))
    run: Run = service.wait("ann", run_id, 60)
    assert run.status == "succeeded", service.log_tail("ann", run_id)
    names = {item.name: item.kind for item in service.artifacts("ann", run_id)}
    assert names == {"source.txt": "text", "reference.txt": "text", "practice.txt": "text", BOARD: "translations"}
    text = service.artifact_path("ann", run_id, "practice.txt").read_text(encoding="utf-8")
    assert text == "\n".join(ORDER_RIGHT) + "\n"
    result = service.result("ann", run_id)
    assert result is not None and result["done"]["systems"][0]["lines"] == 2
    assert finished(service, run_id) == 2


def test_somebody_who_opens_the_page_anew_sees_what_has_come_so_far(service: Service) -> None:
    run_id = submitted(service, LONG)
    until(lambda: 8 < finished(service, run_id) < 800 or service.run("ann", run_id).status == "succeeded")
    another = Service(service.settings)
    first = finished(another, run_id)
    assert first > 8
    assert another.wait("ann", run_id, 90).status == "succeeded"
    assert finished(another, run_id) == 800
    lines = another.artifact_path("ann", run_id, "practice.txt").read_text(encoding="utf-8").split("\n")
    assert lines[:-1] == ORDER_RIGHT * 400


def test_a_stop_keeps_what_was_written_and_leaves_no_process(service: Service) -> None:
    run_id = submitted(service, "\n".join([ORDER] * 4000), systems=["practice", "practice"])
    until(lambda: finished(service, run_id) > 8)
    service.cancel("ann", run_id, wait=True)
    run = service.run("ann", run_id)
    assert run.status == "cancelled" and workers() == []
    found = board(service, run_id)
    done = finished(service, run_id)
    assert {one["state"] for one in found["systems"]} == {"stopped"} and 8 < done < 16_000
    texts = [service.artifact_path("ann", run_id, item.name).read_text(encoding="utf-8").split("\n")
             for item in service.artifacts("ann", run_id) if item.kind == "text" and item.name != "source.txt"]
    assert sum(bool(line) for lines in texts for line in lines) == done and {len(lines) for lines in texts} == {8001}


def test_it_can_be_run_again_after_a_stop(service: Service) -> None:
    run_id = submitted(service)
    service.cancel("ann", run_id, wait=True)
    service.resume("ann", run_id)
    assert service.wait("ann", run_id, 60).status == "succeeded" and finished(service, run_id) == 2


def test_a_run_of_somebody_else_is_no_system_and_no_text(service: Service) -> None:
    private = submitted(service)
    assert service.wait("ann", private, 60).status == "succeeded"
    for fields in ({"text": "", "file": f"run:{private}/source.txt"},
                   {"text": ORDER, "systems": ["practice", f"run:{private}/model"]}):
        with pytest.raises(UserError, match="There is no run"):
            service.submit(TASK, fields, visitor="bob")
        with pytest.raises(UserError, match="There is no run"):
            list(service.stream(TASK, fields, visitor="bob"))
    again = submitted(service, "", file=f"run:{private}/source.txt")
    assert service.wait("ann", again, 60).status == "succeeded" and service.run("ann", again).parents == (private,)


def test_a_run_that_has_no_model_fails_its_system_alone(service: Service) -> None:
    first = submitted(service)
    service.wait("ann", first, 60)
    run = service.wait("ann", submitted(service, systems=[f"run:{first}/model", "practice"]), 60)
    assert run.status == "succeeded"
    mine, practice = board(service, run.id)["systems"]
    assert mine["state"] == "failed" and mine["error"]["cause"] and practice["done"] == 2


def test_a_failed_run_names_cause_and_advice(service: Service) -> None:
    run = service.wait("ann", submitted(service, systems=["path:/no/such/model"]), 60)
    assert run.status == "failed" and run.failure is not None
    assert "No system could translate" in run.failure["cause"] and "path" in run.failure["advice"]


@pytest.mark.parametrize(("fields", "said"), [
    ({"text": ""}, "neither text nor file"), ({"text": "a", "systems": []}, "systems is 0"),
    ({"text": "a", "beam": 3}, "no field beam"), ({"text": "a", "systems": "practice"}, "systems is 'practice'"),
    ({"text": 3}, "text is 3")])
def test_a_bad_request_makes_no_run(service: Service, fields: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        service.submit(TASK, fields, visitor="ann")
    assert service.runs("ann", task=TASK)[1] == 0


def test_the_same_from_a_terminal_by_the_command_that_the_page_copies(service: Service) -> None:
    run_id = submitted(service, f"{ORDER}\n'; rm -rf $HOME\n\u4f60\u597d")
    service.wait("ann", run_id, 60)
    command = shlex.split(service.as_command("ann", run_id))
    assert command[:4] == ["python3", "launch.py", "run", TASK]
    done = subprocess.run([sys.executable, "-m", "workbench.cli", *command[2:], "--json"], cwd=ROOT, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (system,) = json.loads(done.stdout.splitlines()[-1])["done"]["systems"]
    assert (system["lines"], system["failed"]) == (2, 2)
    assert "SystemsRequest" not in service.as_python("ann", run_id) and TASK in service.as_python("ann", run_id)


def test_events_of_a_stream_come_one_by_one(service: Service) -> None:
    events = service.stream(TASK, {"text": LONG}, visitor="ann")
    began = time.monotonic()
    first = next(event for event in events if "line" in event)
    until_first = time.monotonic() - began
    assert first["text"] == ORDER_RIGHT[0]
    rest = list(events)
    assert rest[-1]["done"]["lines"] == 800 and sum("line" in event for event in rest) == 799
    assert until_first < time.monotonic() - began, "the first line must not wait for the last"


def test_the_task_is_what_the_registry_says() -> None:
    task = registry.task(TASK)
    assert task.kind == "stream" and task.request is SystemsRequest and task.needs.slots == ()
    assert from_json(SystemsRequest, to_json(task.example)) == task.example
    heavy = ("import sys, json\nimport backends.common.mt.systems.task\nimport backends.sm2.system\n"
             "print(json.dumps([m for m in ('torch', 'transformers', 'gradio') if m in sys.modules]))")
    done = subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, text=True, capture_output=True, timeout=60)
    assert json.loads(done.stdout) == [], done.stderr

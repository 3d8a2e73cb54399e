"""What every task keeps, whichever method offers it: one function behind three doors, seeds, cancel, field names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import registry
from workbench.context import MemoryContext
from workbench.contract import TERMINAL, Cancelled, Task
from workbench.fields import fields_of, from_json, to_json
from workbench.service import CLI, Service
from workbench.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TASKS = registry.tasks()
CANCEL_SECONDS = 5.0


@pytest.fixture(params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


@pytest.fixture
def service(settings: Settings, smollm: str) -> Iterator[Service]:
    service = Service(settings)
    yield service
    for model in service.status()["models"]:
        service.unload(model["reference"])


def timeless(value: object) -> object:
    """A result without what honestly differs from run to run: seconds, rates and run ids."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items()
                if not re.search(r"second|_ms$|latency|per_second|^dialogue$|^path$|created", k)}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def in_memory(task: Task, path: Path, settings: Settings) -> object:
    context = MemoryContext(path, settings=settings)
    result = task.function()(task.example, context)
    if task.kind == "stream":
        result = list(result)[-1]
    assert task.kind != "job" or context.reports, "a job says how far it is"
    return timeless(json.loads(json.dumps(to_json(result))))


def at_the_page(task: Task, service: Service) -> object:
    fields = to_json(task.example)
    if task.kind != "job":
        return timeless(list(service.stream(task.name, fields, visitor="a-visitor"))[-1])
    run_id = service.submit(task.name, fields, visitor="a-visitor")
    run = service.wait("a-visitor", run_id, 240)
    assert run.status == "succeeded", service.log_tail("a-visitor", run_id)
    return timeless(service.result("a-visitor", run_id))


def in_a_terminal(task: Task, service: Service) -> object:
    done = subprocess.run([sys.executable, "-m", "workbench.cli", "run", task.name, "--example", "--json"], cwd=ROOT,
                          text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    if task.kind != "job":
        return timeless(json.loads(done.stdout.splitlines()[-1]))
    runs, _ = service.runs(CLI, task=task.name)
    newest = max(runs, key=lambda run: run.created)
    assert newest.shared, "what a terminal started is everybody's"
    return timeless(service.result(CLI, newest.id))


def test_the_example_gives_the_same_through_all_three_doors(task: Task, service: Service, tmp_path: Path) -> None:
    first = in_memory(task, tmp_path / "one", service.settings)
    assert at_the_page(task, service) == first
    assert in_a_terminal(task, service) == first


def test_an_example_is_a_valid_request_and_survives_json(task: Task) -> None:
    assert isinstance(task.example, task.request)
    assert from_json(task.request, json.loads(json.dumps(to_json(task.example)))) == task.example


def test_a_name_ends_in_a_version_and_begins_with_its_method(task: Task) -> None:
    assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+\.v\d+", task.name)
    assert task.run.startswith(f"backends.{task.name.split('.')[0]}.")


def test_every_field_is_explained(task: Task) -> None:
    silent = [spec.name for spec in fields_of(task.request) if not spec.knob.help]
    assert not silent, f"{task.name} leaves {silent} unexplained"


def test_form_and_command_line_name_the_same_fields(task: Task) -> None:
    from workbench.verbs.tasks import task_json

    names = [spec.name for spec in fields_of(task.request)]
    assert [field["name"] for field in task_json(task)["fields"]] == names
    code = ("import json, gradio as gr\nfrom workbench import forms, registry\n"
            f"task = registry.task({task.name!r})\nwith gr.Blocks():\n    made = forms.build(task.request, str)\n"
            "print(json.dumps(sorted({key.split('.')[0] for key in made.components})))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    hidden = {spec.name for spec in fields_of(task.request) if spec.knob.widget == "hidden"}
    assert set(json.loads(done.stdout.splitlines()[-1])) == set(names) - hidden


def test_a_cancel_ends_it_in_five_seconds_with_no_process_left(task: Task, service: Service) -> None:
    if task.kind != "job":
        return _closing_a_stream_ends_its_child(task, service)
    run_id = service.submit(task.name, to_json(task.example), visitor="v")
    _until(lambda: service.run("v", run_id).status != "queued", 30)
    pid = service.run("v", run_id).pid
    began = time.monotonic()
    service.cancel("v", run_id, wait=True)
    assert time.monotonic() - began < CANCEL_SECONDS
    assert service.run("v", run_id).status in TERMINAL
    assert pid is None or not _group_alive(pid)


def _closing_a_stream_ends_its_child(task: Task, service: Service) -> None:
    stream = service.stream(task.name, to_json(task.example), visitor="v")
    next(stream)
    children = _children()
    began = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < CANCEL_SECONDS
    _until(lambda: not (_children() & children), CANCEL_SECONDS)


def test_a_cancel_reaches_the_function_itself(task: Task, service: Service, tmp_path: Path) -> None:
    if task.kind != "job":
        return
    context = MemoryContext(tmp_path / "run", settings=service.settings, cancel_after=1)
    with pytest.raises(Cancelled):
        task.function()(task.example, context)


def _children() -> set[int]:
    import psutil

    return {p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE
            and "workbench.worker" in " ".join(p.cmdline())}


def _group_alive(pid: int) -> bool:
    import psutil

    def mine(process: psutil.Process) -> bool:
        import os

        return os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE

    found = []
    for process in psutil.process_iter():
        try:
            if mine(process):
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return bool(found)


def _until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)

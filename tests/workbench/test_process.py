"""Who is alive: reused ids, zombies, and finding every process of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench import process

RUN = "20260101T000000-abcdef"


def sleeper(run: str = RUN, attempt: int = 1, code: str = "import time; time.sleep(60)") -> subprocess.Popen[bytes]:
    environment = {**os.environ, process.MARK: process.mark(run, attempt)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE,
                            start_new_session=True)


def settled(child: subprocess.Popen[bytes]) -> None:
    """Wait until exec has replaced the environment that fork copied."""
    deadline = time.monotonic() + 5
    while child.pid not in process.marked(RUN) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    started = sleeper()
    settled(started)
    yield started
    started.kill()
    started.wait()


def test_this_process_is_alive() -> None:
    mine = process.started(os.getpid())
    assert mine is not None and process.alive(os.getpid(), mine)
    assert process.started(os.getpid()) == mine, "the same every time"


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 5])
def test_nobody_is_not_alive(pid: int) -> None:
    assert process.started(pid) is None
    assert not process.alive(pid, 1.0)


@pytest.mark.parametrize(("pid", "when"), [(None, None), (None, 1.0), (os.getpid(), None)],
                         ids=["no id", "no id but a time", "no time"])
def test_an_unknown_process_is_not_alive(pid: int | None, when: float | None) -> None:
    assert not process.alive(pid, when)


def test_a_reused_id_is_somebody_else(child: subprocess.Popen[bytes]) -> None:
    real = process.started(child.pid)
    assert real is not None
    assert not process.alive(child.pid, real - 1)


def test_a_zombie_is_not_alive(child: subprocess.Popen[bytes]) -> None:
    when = process.started(child.pid)
    child.kill()
    deadline = time.monotonic() + 5
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Path(f"/proc/{child.pid}").exists(), "still in the process table"
    assert process.started(child.pid) is None
    assert not process.alive(child.pid, when)
    assert child.pid not in process.marked(RUN)


def test_a_strange_command_name_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) R (b"
    program.symlink_to("/bin/sleep")
    started = subprocess.Popen([str(program), "60"])
    try:
        assert process.started(started.pid) is not None
    finally:
        started.kill()
        started.wait()


def test_without_proc_the_answers_are_the_same(child: subprocess.Popen[bytes], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PROC", tmp_path)
    when = process.started(child.pid)
    assert when is not None and process.alive(child.pid, when) and not process.alive(child.pid, when + 5)
    assert child.pid in process.marked(RUN)
    child.kill()
    child.wait()
    assert process.started(child.pid) is None


def test_marked_finds_only_this_run_and_attempt(child: subprocess.Popen[bytes]) -> None:
    other = sleeper("20260101T000000-abcdee")
    second = sleeper(attempt=12)
    try:
        deadline = time.monotonic() + 5
        while len(process.marked(RUN)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert set(process.marked(RUN)) == {child.pid, second.pid}
        assert process.marked(RUN, 1) == [child.pid], "attempt 1 is not attempt 12"
        assert process.marked(RUN, 12) == [second.pid]
        assert process.marked(RUN, 3) == []
    finally:
        for started in (other, second):
            started.kill()
            started.wait()


def test_sweep_ends_children_of_children_in_sessions_of_their_own() -> None:
    code = ("import subprocess, sys, time\n"
            "inner = 'import os, time; os.setsid() if os.getpid() != os.getsid(0) else 0; time.sleep(60)'\n"
            "p = subprocess.Popen([sys.executable, '-c', inner], start_new_session=True)\n"
            "print(p.pid, flush=True); time.sleep(60)")
    parent = sleeper(code=code)
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    assert process.sweep(RUN)
    parent.wait()
    assert process.started(parent.pid) is None and process.started(grandchild) is None
    assert process.marked(RUN) == []


def test_sweep_waits_for_a_process_whose_mark_is_gone_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    leaver = sleeper()
    at = process.started(leaver.pid)
    assert at is not None
    monkeypatch.setattr(process, "marked", lambda *_: [])  # as /proc shows a process that is ending
    assert not process.sweep(RUN, seconds=0.1, leaving={leaver.pid: at}) and leaver.poll() is None, "it is not killed"
    threading.Timer(0.3, leaver.kill).start()
    began = time.monotonic()
    assert process.sweep(RUN, seconds=10, leaving={leaver.pid: at})
    assert time.monotonic() - began > 0.2 and process.started(leaver.pid) is None
    assert process.sweep(RUN, seconds=10, leaving={leaver.pid: at}), "gone is gone"
    leaver.wait()


def test_sweep_waits_for_those_it_has_killed(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[list[int]] = [[child.pid], []]
    monkeypatch.setattr(process, "marked", lambda *_: looks.pop(0) if looks else [])
    monkeypatch.setattr(process, "_sent", lambda *_: True)  # the signal is on its way
    threading.Timer(0.3, child.kill).start()
    assert process.sweep(RUN, seconds=10) and process.started(child.pid) is None


def test_sweep_spares_whom_it_is_told_to(child: subprocess.Popen[bytes]) -> None:
    second = sleeper()
    deadline = time.monotonic() + 5
    while second.pid not in process.marked(RUN) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.sweep(RUN, 1, spare=(child.pid,))
    second.wait()
    assert process.marked(RUN) == [child.pid]


def test_send_reaches_and_counts(child: subprocess.Popen[bytes]) -> None:
    assert process.send(RUN, signal.SIGTERM) == 1
    assert child.wait(5) == -signal.SIGTERM
    assert process.send(RUN, signal.SIGTERM) == 0
    assert process.sweep(RUN), "nothing to do is done"


def test_an_empty_run_id_is_nobody() -> None:
    assert process.marked("") == []


def test_memory_of_a_process(child: subprocess.Popen[bytes]) -> None:
    assert process.rss_mb(os.getpid()) > 5
    child.kill()
    child.wait()
    assert process.rss_mb(child.pid) == 0.0


@pytest.mark.parametrize("before", [None, "old#1"])
@pytest.mark.parametrize("inside", [None, "new#2"])
def test_a_mark_is_carried_for_a_while(inside: str | None, before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(process.MARK, raising=False)
    if before is not None:
        monkeypatch.setenv(process.MARK, before)
    with pytest.raises(ZeroDivisionError), process.carrying(inside):
        assert os.environ.get(process.MARK) == inside
        _ = 1 / 0
    assert os.environ.get(process.MARK) == before

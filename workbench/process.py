"""Processes of this machine: who is alive under which identity, and ending all that belong to one run.

A process id is reused, so a process is remembered by its id *and* its start time. Every process of a run
carries the run's id in its environment (:data:`MARK`); that finds children of children, even those that made
themselves a new session, and never a process of somebody else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil

MARK = "WORKBENCH_RUN"
"""Environment variable that every process of a run inherits; its value is ``<run id>#<attempt>``."""

_PROC = Path("/proc")
_START_FIELD = 19
"""Place of ``starttime`` after the command name in ``/proc/<pid>/stat`` (field 22 of proc(5))."""


def started(pid: int) -> float | None:
    """When this process started, in a unit of the machine (only for comparing); ``None`` if gone or a zombie.

    Clock ticks since boot on Linux: a changed wall clock does not move them.
    """
    if pid <= 0:
        return None
    if not _PROC.joinpath("self/stat").exists():
        return _started_elsewhere(pid)
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text(encoding="ascii", errors="replace")
        fields = text.rsplit(")", 1)[1].split()  # the command name before it may hold blanks and brackets
        return None if fields[0] in "ZX" else float(fields[_START_FIELD])
    except (OSError, IndexError, ValueError):
        return None


def _started_elsewhere(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def alive(pid: int | None, pid_started: float | None) -> bool:
    """Whether the process that had this id and start time still runs (not a zombie, not a successor of the id)."""
    return pid is not None and pid_started is not None and started(pid) == pid_started


def mark(run_id: str, attempt: int) -> str:
    """The value of :data:`MARK` for one attempt of a run."""
    return f"{run_id}#{attempt}"


@contextlib.contextmanager
def carrying(value: str | None) -> Iterator[None]:
    """Let processes started inside carry this mark (``None``: no mark), and put the former one back after."""
    before = os.environ.pop(MARK, None)
    if value is not None:
        os.environ[MARK] = value
    try:
        yield
    finally:
        os.environ.pop(MARK, None)
        if before is not None:
            os.environ[MARK] = before


def marked(run_id: str, attempt: int | None = None) -> list[int]:
    """Ids of every living process of this run (of one attempt at it, when given), zombies left out."""
    wanted = f"{MARK}={mark(run_id, attempt) if attempt is not None else run_id + '#'}".encode()

    def belongs(entry: bytes) -> bool:
        return entry == wanted if attempt is not None else entry.startswith(wanted)
    return [pid for pid in _every_pid() if any(map(belongs, _environment(pid))) and started(pid) is not None]


def _every_pid() -> list[int]:
    if _PROC.joinpath("self/environ").exists():
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208 - names only, many
    return psutil.pids()


def _environment(pid: int) -> list[bytes]:
    try:
        if _PROC.joinpath("self/environ").exists():
            return _PROC.joinpath(str(pid), "environ").read_bytes().split(b"\0")
        return [f"{key}={value}".encode() for key, value in psutil.Process(pid).environ().items()]
    except (OSError, psutil.Error):
        return []


def send(run_id: str, number: signal.Signals, attempt: int | None = None, spare: Collection[int] = ()) -> int:
    """Send a signal to every process of a run except ``spare``; how many got it."""
    return sum(_sent(pid, number) for pid in marked(run_id, attempt) if pid not in spare)


def _sent(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def sweep(run_id: str, attempt: int | None = None, spare: Collection[int] = (), seconds: float = 2.0,
          leaving: Mapping[int, float] = MappingProxyType({})) -> bool:
    """Kill every process of a run except ``spare`` and wait until they are gone; whether all are.

    Repeated, because a process may fork between the look and the kill. A process that ends gives its environment,
    and so its mark, back before it is gone: each one seen is waited for by its id and start time, and so are those
    in ``leaving``, ``{id: start time}``, which are known to end by themselves.
    """
    deadline = time.monotonic() + seconds
    here = dict(leaving)
    while True:
        for pid in marked(run_id, attempt):
            at = started(pid)
            if pid not in spare and at is not None and _sent(pid, signal.SIGKILL):
                here[pid] = at
        here = {pid: at for pid, at in here.items() if alive(pid, at)}
        if not here or time.monotonic() > deadline:
            return not here
        time.sleep(0.02)


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes); 0 when it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0

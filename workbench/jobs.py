"""Jobs as detached children: start, cancel, resume, and notice the dead.

A job is a process of its own session with its output in ``log.txt``; it outlives the page, a reload and the
server. A cancel sets a flag that every ``report`` sees; after a grace period come SIGTERM and SIGKILL, for every
process that carries the run's mark. Whoever looks next goes on with a cancel whose canceller has died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from workbench import process
from workbench.contract import TERMINAL, UserError
from workbench.failures import failure
from workbench.files import locked
from workbench.machine import ROOT
from workbench.runs import Run, load_run, read_state, run_path
from workbench.settings import Settings
from workbench.states import ask_to_cancel, cancel_asked, end, forget_cancel, move
from workbench.store import Index
from workbench.turns import accelerators

GRACE_SECONDS = 3.0
"""From the flag to SIGTERM; SIGKILL follows a second later, so that any cancel ends in less than five (our default)."""
KILL_SECONDS = 1.0
START_SECONDS = 60.0
"""A queued run whose process has not claimed it by then, and which has no process, is lost (our default)."""
REAP_SECONDS = 1.0
RESUMABLE = ("paused", "failed", "cancelled", "lost")


class Jobs:
    """The jobs of one home. Several of these, in several processes, may look after one home."""

    def __init__(self, settings: Settings, index: Index | None = None) -> None:
        self.settings, self.index = settings, index or Index(settings.home)
        self._reaping = threading.Lock()
        self._next_reap = 0.0
        self._ending: set[str] = set()

    def submit(self, run: Run) -> None:
        """Start the child process of a queued run. Raises ``UserError`` when no process can be started."""
        environment = {**os.environ, **self.settings.environ(), "PYTHONUNBUFFERED": "1",
                       process.MARK: process.mark(run.id, run.attempt)}
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
            environment.pop(name, None)
        if run.processes > 1 and not accelerators(run, self.settings):
            environment["ACCELERATE_USE_CPU"] = "true"
        try:
            with (run.path / "log.txt").open("ab") as log:
                child = subprocess.Popen(self.command(run), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
                                         stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
        except OSError as error:
            end(self.index, run, "failed", message=f"No process could be started: {error.strerror}.",
                failure=failure("out of memory", f"No process could be started: {error.strerror}."))
            raise UserError(f"No process could be started for this run: {error.strerror}.") from error
        threading.Thread(target=self._watch, args=(child, run), daemon=True, name=f"watch-{run.id}").start()

    def command(self, run: Run) -> list[str]:
        """The command of the child: the worker, under ``accelerate launch`` when several processes are asked for.

        With accelerators the person's own ``accelerate config`` (DDP, FSDP) is used; without, gloo on the processor.
        """
        worker = ["workbench.worker", str(run.path)]
        if run.processes <= 1:
            return [sys.executable, "-m", *worker]
        # --multi_gpu is what makes accelerate start several processes, also on the processor
        kind = [] if accelerators(run, self.settings) else ["--multi_gpu"]
        return [sys.executable, "-m", "accelerate.commands.launch", *kind, "--num_processes", str(run.processes),
                "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
                "--module", *worker]

    def _watch(self, child: subprocess.Popen[bytes], run: Run) -> None:
        """Take the child's exit status (no zombie stays) and notice at once when it died without a word."""
        status = child.wait()
        process.sweep(run.id, run.attempt)
        with contextlib.suppress(OSError, UserError):
            self._bury(load_run(run.path), run.attempt, status)

    def _bury(self, run: Run, attempt: int, status: int | None = None, seconds: float = 10.0) -> None:
        if not run.active or run.attempt != attempt:
            return
        if cancel_asked(run.path) is not None:
            end(self.index, run, "cancelled", message="Cancelled: its process was ended.", seconds=seconds)
            return
        cause = _cause(run, status)
        end(self.index, run, "lost", message=cause, failure=failure("lost", cause), seconds=seconds)

    def cancel(self, run_id: str, grace: float = GRACE_SECONDS, *, wait: bool = False) -> None:
        """Ask a run to end; after ``grace`` seconds SIGTERM, a second later SIGKILL, to all its processes.

        Returns at once; with ``wait``, when the run has ended and none of its processes is left.
        A run that has ended stays as it is.
        """
        run = self._run(run_id)
        if run.status in TERMINAL and not process.marked(run_id):
            return
        with contextlib.suppress(FileNotFoundError):
            ask_to_cancel(run.path)
        if run.status == "paused" and move(self.index, run.path, _CANCELLED | {"finished": time.time()},
                                           expect=("paused",)):
            process.sweep(run_id, leaving=_leaving(run))
            return
        if wait:
            self._end(run_id, run.path, grace)
        else:
            self._end_aside(run_id, run.path, grace)

    def _end_aside(self, run_id: str, path: Path, grace: float) -> None:
        if run_id in self._ending:
            return
        self._ending.add(run_id)

        def work() -> None:
            try:
                with contextlib.suppress(OSError, UserError):
                    self._end(run_id, path, grace)
            finally:
                self._ending.discard(run_id)
        threading.Thread(target=work, daemon=True, name=f"cancel-{run_id}").start()

    def _end(self, run_id: str, path: Path, grace: float) -> None:
        """Wait, then signal, then kill, until the run has ended and nothing of it is left."""
        asked = time.monotonic()
        attempt = load_run(path).attempt
        told = False
        while time.monotonic() < asked + grace + KILL_SECONDS:
            run = load_run(path)
            if run.attempt != attempt:
                return
            if not run.active and not _here(run):
                break
            if run.active and not process.marked(run_id, attempt) and not _here(run):
                break
            if not told and time.monotonic() >= asked + grace:
                told = True
                process.send(run_id, signal.SIGTERM, attempt)
                _signal_foreground(run, signal.SIGTERM)
            time.sleep(0.05)
        process.sweep(run_id, attempt, leaving={} if load_run(path).active else _leaving(load_run(path)))
        _signal_foreground(load_run(path), signal.SIGKILL)
        self._bury(load_run(path), attempt)

    def resume(self, run_id: str) -> None:
        """Start a paused, failed, cancelled or lost run again in its own directory.

        A run that is queued or running is left alone: it sees new commands by itself.
        """
        run = self._run(run_id)
        if run.active:
            return
        if run.status not in RESUMABLE:
            raise UserError(f"The run {run_id} has {run.status}; only a paused, failed, cancelled or lost run goes on.",
                            advice="Run it again to get a new one.")
        if run.status != "paused":
            process.sweep(run_id)
        with locked(run.path / ".resume", seconds=5.0):
            if load_run(run.path).active:
                return
            forget_cancel(run.path)
            changes = {"status": "queued", "queued": time.time(), "finished": None, "failure": None, "message": "",
                       "pid": None, "pid_started": None, "slots": [], "attempt": run.attempt + 1}
            base = {"owner": run.owner, "shared": run.shared, "title": run.title, "created": run.created}
            if not move(self.index, run.path, changes, expect=RESUMABLE, base=base):
                return
        self.submit(load_run(run.path))

    def reap(self) -> None:
        """Notice runs whose process is gone, at most once a second; never waits for anybody."""
        if time.monotonic() < self._next_reap or not self._reaping.acquire(blocking=False):
            return
        try:
            self._next_reap = time.monotonic() + REAP_SECONDS
            for run_id in self.index.active():
                path = run_path(self.settings.home, run_id)
                if path is not None and path.is_dir():
                    with contextlib.suppress(OSError, UserError):
                        self._look(load_run(path))
        finally:
            self._reaping.release()

    def _look(self, run: Run) -> None:
        """One run that the index calls active. A dead or reused process id means it is lost."""
        if not run.active:
            self.index.refresh(run.path)
            return
        asked = cancel_asked(run.path)
        if asked is not None and time.time() - asked > GRACE_SECONDS + KILL_SECONDS:
            self._end_aside(run.id, run.path, 0.0)
        if run.pid is None:
            waited = time.time() - _queued(run.path, run.created)
            if waited < START_SECONDS or process.marked(run.id):
                return
        elif process.alive(run.pid, run.pid_started):
            return
        self._bury(run, run.attempt, seconds=0.0)

    def _run(self, run_id: str) -> Run:
        path = run_path(self.settings.home, run_id)
        if path is None or not path.is_dir():
            raise UserError(f"There is no run {run_id!r}.")
        return load_run(path)


_CANCELLED = {"status": "cancelled", "message": "Cancelled.", "failure": None}


def _here(run: Run) -> bool:
    return process.alive(run.pid, run.pid_started)


def _leaving(run: Run) -> dict[int, float]:
    """The process of a run that has said its end and may still be on its way out; never this process itself."""
    if run.pid is None or run.pid_started is None or run.pid == os.getpid():
        return {}
    return {run.pid: run.pid_started}


def _signal_foreground(run: Run, number: signal.Signals) -> None:
    """The process of a run in the foreground of a terminal has no mark; its id and start time are enough."""
    if run.active and run.pid is not None and run.pid != os.getpid() and _here(run):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(run.pid, number)


def _queued(path: Path, default: float) -> float:
    with contextlib.suppress(ValueError):
        return float(read_state(path).get("queued") or default)
    return default


def _cause(run: Run, status: int | None) -> str:
    if status is not None and status < 0:
        hint = ", most likely because memory ran out" if status == -signal.SIGKILL else ""
        return f"Its process was ended by {signal.Signals(-status).name}{hint}."
    if status:
        return f"Its process ended with status {status} before it could say why; the log's last lines may tell."
    return "Its process is gone (ended from outside, or the machine was restarted)."

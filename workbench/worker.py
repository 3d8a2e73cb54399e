"""The child process of one run: ``python -m workbench.worker RUN_DIRECTORY``.

It claims the run, waits for its turn, does the task and writes how it ended. It never imports gradio, and torch
only if the task does. Under ``accelerate launch`` every process runs this module; rank 0 alone writes the
state, the others follow it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from workbench import process, registry, turns
from workbench.context import RunContext, WorkerContext
from workbench.contract import Cancelled, Json, UserError
from workbench.failures import classify, log, trace
from workbench.files import write_json
from workbench.machine import environment
from workbench.perform import Outcome, Terminated, perform, terminated
from workbench.runs import ACTIVE, Run, load_run
from workbench.settings import Settings, load_settings
from workbench.states import cancel_asked, move
from workbench.store import Index, Slots


class Gone(Exception):
    """The run is no longer ours: it was ended, or started again by somebody else."""


class Lead:
    """The process that holds a run: alone, or rank 0 of several."""

    def __init__(self, path: Path, settings: Settings, *, attempt: int, world: int = 1) -> None:
        self.path, self.settings, self.attempt, self.world = path, settings, attempt, world
        self.index = Index(settings.home)
        self.slots: tuple[str, ...] = ()
        self.run: Run = load_run(path)
        self.base: dict[str, Json] = {"owner": self.run.owner, "shared": self.run.shared, "title": self.run.title,
                                      "created": self.run.created, "attempt": attempt, "status": "running",
                                      "pid": os.getpid(), "pid_started": process.started(os.getpid())}

    def work(self) -> int:
        """Everything, from claim to end; the exit status."""
        if not self._claim():
            return 0
        with process.carrying(process.mark(self.run.id, self.attempt)):  # children of the task are found by it
            return self._do()

    def _do(self) -> int:
        try:
            context = self.prepare(self.context)
        except Gone:
            self._release()
            return 0
        except BaseException as error:  # whatever stops it before the task: the run must not be left queued
            if not isinstance(error, Cancelled):
                log(trace(error))
            self.settle(_outcome(self.path, error), None)
            return 1
        perform(registry.task(self.run.task), self.run.fields, context, self.settle)
        return 0 if load_run(self.path).status in ("succeeded", "paused") else 1

    def _claim(self) -> bool:
        mine = {name: self.base[name] for name in ("pid", "pid_started")}
        return move(self.index, self.path, mine, expect=("queued",), attempt=self.attempt)

    def prepare(self, make: Callable[[], RunContext]) -> RunContext:
        """Wait for the turn and write what is known at the start; raises ``Cancelled`` or :class:`Gone`."""
        task = registry.task(self.run.task)
        self._check()
        want = turns.wanted(task.needs.of(self.run.fields), self.settings, max(self.world, self.run.processes))
        if want is not None:
            self.slots = turns.wait(self.index, self.run, want, self._check, self.say)
        turns.restrict(self.slots)
        for path in self.path.glob("rank-*.failure.json"):
            path.unlink()
        started = {"status": "running", "started": time.time(), "finished": None, "message": "", "failure": None,
                   "slots": list(self.slots)}
        if not move(self.index, self.path, started, expect=("queued",), attempt=self.attempt):
            raise Gone
        write_json(self.path / "environment.json", environment(turns.device_for(self.slots), self.slots))
        return make()

    def context(self) -> RunContext:
        """The context of a job's own process."""
        return WorkerContext(self.path, self.settings, device=turns.device_for(self.slots), world=self.world,
                             attempt=self.attempt, base=self.base)

    def say(self, text: str) -> None:
        """Show, in the queue, what this run waits for."""
        if not move(self.index, self.path, {"message": text}, expect=("queued",), attempt=self.attempt):
            raise Gone

    def _check(self) -> None:
        if cancel_asked(self.path) is not None:
            raise Cancelled

    def settle(self, outcome: Outcome, unless: Callable[[], bool] | None) -> bool:
        """Write how the attempt ended. Children of the task are ended first, and the slots given back: after
        the state is written nothing of this attempt may touch the run, because it may be started again at once."""
        if unless is None:
            with contextlib.suppress(ValueError):  # only the main thread may, and only it gets signals
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if self.world == 1:
                process.sweep(self.run.id, self.attempt, spare=(os.getpid(),))
            self._release()
        changes = outcome.changes()
        if outcome.status == "succeeded":
            changes["message"] = load_run(self.path).message
        done = move(self.index, self.path, changes, expect=ACTIVE, attempt=self.attempt, base=self.base, unless=unless)
        if unless is None:
            return done
        if done:
            self._release()
        return done or not self._ours()

    def _ours(self) -> bool:
        run = load_run(self.path)
        return run.active and run.attempt == self.attempt

    def _release(self) -> None:
        if self.slots:
            with contextlib.suppress(UserError):
                Slots(self.index).release(self.run.id, os.getpid())


class Follower(Lead):
    """Rank 1 and up of a distributed run: waits until rank 0 runs, does the same task, and writes no state."""

    def __init__(self, path: Path, settings: Settings, *, attempt: int, world: int, rank: int) -> None:
        super().__init__(path, settings, attempt=attempt, world=world)
        self.rank = rank

    def work(self) -> int:
        """Wait for rank 0, then do the task; the exit status."""
        while (run := load_run(self.path)).status != "running" or run.attempt != self.attempt:
            if run.status not in ACTIVE or run.attempt != self.attempt:
                return 0
            time.sleep(0.1)
        turns.restrict(run.slots)
        context = WorkerContext(self.path, self.settings, device=turns.device_for(run.slots, self.rank),
                                rank=self.rank, world=self.world, attempt=self.attempt)
        self._failed = False
        perform(registry.task(self.run.task), self.run.fields, context, self.settle)
        return 1 if self._failed else 0

    def settle(self, outcome: Outcome, unless: Callable[[], bool] | None) -> bool:
        """Leave a failure where rank 0 finds it."""
        if outcome.status == "failed":
            self._failed = True
            with contextlib.suppress(UserError, OSError):
                write_json(self.path / f"rank-{self.rank}.failure.json", outcome.failure)
        return True


def _outcome(path: Path, error: BaseException) -> Outcome:
    if isinstance(error, Cancelled):
        return Outcome("cancelled", "Cancelled.") if cancel_asked(path) is not None else terminated()
    record = classify(error)
    return Outcome("failed", record["cause"], record)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(arguments: list[str]) -> int:
    """Do one run, or with ``--stdio`` answer one request over pipes; the exit status."""
    if arguments[:1] == ["--stdio"]:
        from workbench import stdio

        return stdio.main()
    path = Path(arguments[0]).resolve()
    signal.signal(signal.SIGTERM, _terminated)
    settings = load_settings()
    _, _, attempt = os.environ.get(process.MARK, "").partition("#")
    number = int(attempt) if attempt.isdecimal() else load_run(path).attempt
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if rank:
        return Follower(path, settings, attempt=number, world=world, rank=rank).work()
    return Lead(path, settings, attempt=number, world=world).work()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

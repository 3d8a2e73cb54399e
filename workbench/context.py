"""The three kinds of context: of a job's own process, of a terminal, and of a test. A task cannot tell which."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from workbench.contract import Cancelled, Json, Model
from workbench.files import append_line, read_json
from workbench.run_context import RunContext
from workbench.runs import ACTIVE, change_state
from workbench.settings import Settings

__all__ = ["MemoryContext", "RunContext", "TerminalContext", "WorkerContext"]


class WorkerContext(RunContext):
    """A job's own process: progress goes to ``state.json``, where the page and the command line read it."""

    def __init__(self, run: Path, settings: Settings, *, device: str = "cpu", rank: int = 0, world: int = 1,
                 attempt: int = 1, base: Mapping[str, Json] | None = None) -> None:
        super().__init__(run, settings, device=device, rank=rank, world=world)
        self.attempt, self._base = attempt, dict(base or {})

    def show(self, step: int, total: int, message: str) -> None:
        """Write the progress; ends the run when somebody else has taken it over or ended it meanwhile."""
        base = {**self._base, "status": "running", "attempt": self.attempt}
        changes = {"step": step, "total": total, "message": message}
        if not change_state(self.run, changes, expect=ACTIVE, attempt=self.attempt, durable=False, base=base):
            self.ended_from_outside = True
            raise Cancelled


class TerminalContext(WorkerContext):
    """A run in the foreground of a terminal: the same files, and a line of progress on ``out``."""

    def __init__(self, run: Path, settings: Settings, *, out: TextIO | None = None, device: str = "cpu",
                 attempt: int = 1, base: Mapping[str, Json] | None = None) -> None:
        super().__init__(run, settings, device=device, attempt=attempt, base=base)
        self._out = out or sys.stderr
        self._width = 0
        self._printed = ""

    def show(self, step: int, total: int, message: str) -> None:
        """Write the progress and print it: over the same line on a terminal, as new lines elsewhere."""
        super().show(step, total, message)
        line = f"{step}/{total} {message}".strip() if total else message
        if line == self._printed:
            return
        self._printed = line
        if self._out.isatty():
            self._out.write(f"\r{line[:110]:<{self._width}}")
            self._width = min(len(line), 110)
        else:
            self._out.write(line + "\n")
        self._out.flush()

    def log(self, text: str) -> None:
        """Write to ``log.txt``; the terminal stays for the progress."""
        with contextlib.suppress(OSError), (self.run / "log.txt").open("a", encoding="utf-8") as file:
            file.write(text)

    def close(self) -> None:
        """Write what was held back and leave the line of progress behind."""
        super().close()
        if self._width:
            self._out.write("\n")
            self._width = 0


class MemoryContext(RunContext):
    """A run directory without a process or an index, for tests: what the task said is kept in lists.

    ``model_factory`` stands in for resident processes; ``cancel_after`` cancels at that many reports;
    :meth:`give` is a person's command.
    """

    def __init__(self, run: Path, *, settings: Settings | None = None, device: str = "cpu",
                 model_factory: Callable[[str], Model] | None = None, cancel_after: int | None = None) -> None:
        run.mkdir(parents=True, exist_ok=True)
        for name in ("artifacts", "checkpoints"):
            (run / name).mkdir(exist_ok=True)
        super().__init__(run, settings or Settings(home=run / "home"), device=device)
        self.reports: list[tuple[int, int, str]] = []
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.lives: list[Json] = []
        self._model_factory, self._cancel_after, self._calls = model_factory, cancel_after, 0

    def report(self, step: int, total: int, message: str = "") -> None:
        """Keep every report (none is held back) and cancel when it is time."""
        self.check()
        self._calls += 1
        self.close()
        self.reports.append((step, total, message))
        if self._cancel_after is not None and self._calls >= self._cancel_after:
            raise Cancelled

    def show(self, step: int, total: int, message: str) -> None:
        """Progress was kept by :meth:`report`."""

    def metric(self, step: int, **values: float) -> None:
        """Keep the values and write the line."""
        self.metrics.append((step, dict(values)))
        super().metric(step, **values)

    def live(self, value: Json) -> None:
        """Keep every value; the file is written as often as elsewhere."""
        self.lives.append(value)
        super().live(value)

    def model(self, reference: str) -> Model:
        """A model made by ``model_factory``, or the resident process when there is no factory."""
        return self._model_factory(reference) if self._model_factory else super().model(reference)

    def give(self, command: Mapping[str, Json]) -> None:
        """Add a person's command to the run."""
        append_line(self.run / "commands.jsonl", {**command, "at": time.time()})

    def result(self) -> Json:
        """What the task wrote to ``result.json``, if anything."""
        return read_json(self.run / "result.json", None)

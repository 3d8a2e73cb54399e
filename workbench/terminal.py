"""A run in the foreground of a terminal: the same directory, states and slots as a detached one.

The first Ctrl-C asks the task to end, as the button of the page does; a second one ends it where it stands.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from workbench import registry, turns
from workbench.context import RunContext, TerminalContext
from workbench.contract import Json
from workbench.perform import Terminated
from workbench.runs import Run, create_run, load_run
from workbench.settings import Settings
from workbench.states import ask_to_cancel
from workbench.store import Index
from workbench.worker import Lead


class Foreground(Lead):
    """The holder of a run that lives in this very process."""

    def context(self) -> RunContext:
        """A context that also prints the progress."""
        return TerminalContext(self.path, self.settings, device=turns.device_for(self.slots), attempt=self.attempt,
                               base=self.base)

    def say(self, text: str) -> None:
        """Show what the run waits for, here and in the list of runs."""
        super().say(text)
        print(text, file=sys.stderr, flush=True)


def run_here(settings: Settings, task: str, fields: Mapping[str, Json], *, owner: str, shared: bool,
             title: str = "") -> Run:
    """Make a run of a checked request, do it in this process, and return it as it ended."""
    run = create_run(settings.home, task, fields, owner=owner, shared=shared,
                     title=title or registry.task(task).title)
    Index(settings.home).refresh(run.path)
    print(f"run {run.id}", file=sys.stderr, flush=True)
    with interruptible(run.path):
        Foreground(run.path, settings, attempt=run.attempt).work()
    return load_run(run.path)


@contextlib.contextmanager
def interruptible(path: Path) -> Iterator[None]:
    """Turn Ctrl-C into a cancel of the run at ``path``: asked for at first, forced the second time."""
    presses: list[int] = []

    def pressed(number: int, frame: FrameType | None) -> None:
        presses.append(number)
        ask_to_cancel(path)
        if len(presses) > 1:
            raise Terminated
        print("\nCancelling; Ctrl-C again ends it at once.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, pressed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Moving a run from state to state: the directory first, then its row in the index.

The directory is the truth; when the row cannot be written (disk full) the next start brings it in step again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from workbench.contract import Json, UserError
from workbench.runs import ACTIVE, Run, change_state
from workbench.store import Index, Slots

FLAG = "cancel"
"""A file of this name in a run directory asks the run to end; its time of change is when that was asked."""


def move(index: Index, path: Path, changes: Mapping[str, Json], *, expect: Collection[str] = (),
         attempt: int | None = None, seconds: float = 10.0, base: Mapping[str, Json] | None = None,
         unless: Callable[[], bool] | None = None) -> bool:
    """Change ``state.json`` and then the index (see :func:`workbench.runs.change_state`); whether it was done."""
    done = change_state(path, changes, expect=expect, attempt=attempt, seconds=seconds, base=base, unless=unless)
    if done:
        with contextlib.suppress(UserError):
            index.refresh(path)
    return done


def end(index: Index, run: Run, status: str, *, message: str, failure: Mapping[str, str] | None = None,
        seconds: float = 10.0) -> bool:
    """Write the end of a run whose process is gone, unless it wrote its own end or was started again."""
    changes = {"status": status, "finished": time.time(), "message": message, "slots": [],
               "failure": dict(failure) if failure else None}
    done = move(index, run.path, changes, expect=ACTIVE, attempt=run.attempt, seconds=seconds,
                base={"owner": run.owner, "shared": run.shared, "title": run.title, "created": run.created,
                      "attempt": run.attempt})
    if done and run.pid:
        with contextlib.suppress(UserError):
            Slots(index).release(run.id, run.pid)
    return done


def ask_to_cancel(path: Path) -> None:
    """Set the flag that every ``report`` looks for. Asking twice keeps the first time."""
    if not (path / FLAG).exists():
        (path / FLAG).touch()


def cancel_asked(path: Path) -> float | None:
    """When this run was asked to end, in seconds since 1970; ``None`` when it was not."""
    try:
        return (path / FLAG).stat().st_mtime
    except OSError:
        return None


def forget_cancel(path: Path) -> None:
    """Take the flag back, before a run is started again."""
    (path / FLAG).unlink(missing_ok=True)

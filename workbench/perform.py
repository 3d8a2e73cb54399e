"""Do a task and write how it ended: the one way that worker and terminal share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.contract import Cancelled, Json, Paused, Status, Task
from workbench.failures import Failure, classify, failure, trace
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_json, write_json
from workbench.run_context import RunContext
from workbench.states import cancel_asked


class Terminated(Cancelled):
    """SIGTERM arrived. A kind of ``Cancelled``, so that a task lets it pass."""


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended: the state to write."""

    status: Status
    message: str = ""
    failure: Failure | None = None

    def changes(self) -> dict[str, Json]:
        """The keys of ``state.json`` that say so."""
        return {"status": self.status, "message": self.message, "failure": self.failure,
                "finished": None if self.status == "paused" else time.time(), "slots": []}


Settle = Callable[[Outcome, Callable[[], bool] | None], bool]
"""Writes an outcome unless the question it is given is answered yes; whether it was written."""


def perform(task: Task, fields: Mapping[str, Json], context: RunContext, settle: Settle) -> None:
    """Run the task to its end, write ``result.json``, and ``settle`` how it ended. Never raises.

    A task that pauses while a command is already waiting is called again at once: nobody would resume it.
    ``settle`` looks for such a command and writes the state under one lock, so that none falls between.
    """
    while True:
        outcome = _attempt(task, fields, context)
        context.close()
        paused = outcome.status == "paused"
        if settle(outcome, context.new_commands if paused else None) or not paused:
            return


def _attempt(task: Task, fields: Mapping[str, Json], context: RunContext) -> Outcome:
    try:
        request = from_json(task.request, fields)
        result = _finish(task.function()(request, context), context)
        if context.rank == 0:
            write_json(context.run / "result.json", result)
        return Outcome("succeeded")
    except Paused as pause:
        return Outcome("paused", str(pause))
    except (Cancelled, KeyboardInterrupt) as cancelled:
        return _cancelled(context, cancelled)
    except BaseException as error:  # SystemExit too: the process must say how its run ended
        context.log(trace(error))
        return _failed(error, context)


def _finish(value: Any, context: RunContext) -> Json:
    """The result as JSON; a stream's events are written to ``events.jsonl``, its last event is the result."""
    if not isinstance(value, Iterator):
        return to_json(value)
    last: Json = None
    for event in value:
        last = to_json(event)
        append_line(context.run / "events.jsonl", {"event": last})
        context.check()
    return last


def _cancelled(context: RunContext, cancelled: BaseException) -> Outcome:
    if cancel_asked(context.run) is not None or not isinstance(cancelled, Terminated):
        return Outcome("cancelled", "Cancelled.")
    record = _elsewhere(context.run)
    if record is not None:  # the launcher ends every process when one of them fails
        return Outcome("failed", record["cause"], record)
    return terminated()


def terminated() -> Outcome:
    """The outcome of a process that somebody else told to end."""
    told = "Its process was told to end from outside (SIGTERM)."
    return Outcome("lost", told, failure("lost", told))


def _failed(error: BaseException, context: RunContext) -> Outcome:
    """The failure of another process of the run comes first: this one often only saw the line go dead."""
    record = _elsewhere(context.run) or classify(error)
    return Outcome("failed", record["cause"], record)


def _elsewhere(run: Path) -> Failure | None:
    for path in sorted(run.glob("rank-*.failure.json")):
        value = read_json(path, None)
        if isinstance(value, dict) and "cause" in value:
            return {str(k): str(v) for k, v in value.items()}
    return None

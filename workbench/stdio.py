"""The child's side of a ``call`` or ``stream``: a request on stdin, one JSON line an event on stdout.

The request names the task, its fields, and a folder that the parent throws away afterwards. Lines are
``{"event": value}``, then ``{"end": true}`` or ``{"failure": {...}}``. The parent keeps stdin open; when it closes,
even by ``kill -9`` of the parent, this process and its children end at once. What the task prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from workbench import registry, turns
from workbench.context import RunContext
from workbench.contract import Cancelled, Json
from workbench.failures import classify, log, trace
from workbench.fields import from_json, to_json
from workbench.files import dumps
from workbench.settings import load_settings


class StreamContext(RunContext):
    """The context of a call or stream: a folder of its own that is thrown away, and no progress to show."""

    def show(self, step: int, total: int, message: str) -> None:
        """Progress of a call is its stream of events; there is no other place for it."""


def main() -> int:
    """Read the request, answer it, and end; the exit status."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a task that prints must not break the protocol
    settings = load_settings()
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    threading.Thread(target=_end_with_parent, daemon=True).start()
    turns.restrict(())
    asked = json.loads(line)
    return _answer(asked, StreamContext(Path(asked["run"]), settings), events)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def _answer(asked: dict[str, Any], context: RunContext, events: BinaryIO) -> int:
    for name in ("artifacts", "checkpoints"):
        (context.run / name).mkdir()
    try:
        task = registry.task(asked["task"])
        for value in _values(task.function()(from_json(task.request, asked["fields"]), context)):
            _send(events, {"event": to_json(value)})
    except Cancelled:
        return 1
    except BaseException as error:  # whatever it is, the page must hear of it
        log(trace(error))
        _send(events, {"failure": classify(error)})
        return 1
    _send(events, {"end": True})
    return 0


def _values(result: Any) -> Iterator[Any]:
    if isinstance(result, Iterator):
        yield from result
    else:
        yield result


def _send(events: BinaryIO, value: Json) -> None:
    rest = memoryview((dumps(value) + "\n").encode("utf-8"))
    while rest:
        rest = rest[events.write(rest):]


__all__ = ["StreamContext", "main"]

"""One local model in a process of its own: memory comes back when it ends, and a crash takes nothing else along.

``python -m backends.common.mt.systems.child`` reads one JSON line (opener, folder, options, lines) from stdin and
writes one JSON line for each event; stdin stays open and ends the process when the parent has gone. :class:`Local` is
the parent's side of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from backends.common.mt.systems.lines import Line, Say, problem
from workbench.contract import Json, UserError, load

ROOT = Path(__file__).resolve().parents[4]


class System(Protocol):
    """Whatever translates lines. Only lines with text are given; each is said to be done, or to be in error."""

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Say the events of every line. Raises ``UserError`` when the system itself cannot work."""

    def close(self) -> None:
        """End the work as soon as can be; may be called from another thread, and twice."""


class Local:
    """A model folder that is opened by ``opener`` in a child process."""

    def __init__(self, opener: str, folder: Path, options: Mapping[str, Json]) -> None:
        self._asked = {"opener": opener, "folder": str(folder), "options": dict(options)}
        self._child: subprocess.Popen[bytes] | None = None
        self._closed, self._lock = False, threading.Lock()

    def translate(self, lines: Sequence[Line], say: Say) -> None:
        """Run the child to its end and hand its events on."""
        child = self._start()
        if child is None:
            return
        assert child.stdin is not None and child.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it died at once: its status says why
                child.stdin.write(json.dumps({**self._asked, "lines": list(lines)}).encode() + b"\n")
                child.stdin.flush()
            done = False
            for line in child.stdout:
                event = json.loads(line)
                if "failure" in event:
                    raise UserError(event["failure"]["cause"], advice=event["failure"]["advice"])
                done = done or "end" in event
                if not done:
                    say(event)
            if not done and not self._closed:
                raise died(child.wait())
        finally:
            self.close()

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if not self._closed:
                paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
                self._child = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE,
                                               stdout=subprocess.PIPE, cwd=ROOT,
                                               env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
            return self._child

    def close(self) -> None:
        """Kill the child and wait until its memory is free."""
        with self._lock:
            self._closed, child, self._child = True, self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def died(status: int) -> UserError:
    """The error for a process that ended without a word."""
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return UserError(f"The process of this model ended by itself ({name}).",
                     advice="If memory ran out, take a smaller model or let fewer systems work at once.")


def main() -> int:
    """The child: open, translate, end."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not break the protocol

    def say(event: Mapping[str, Json]) -> None:
        rest = memoryview((json.dumps(event) + "\n").encode())
        while rest:
            rest = rest[events.write(rest):]
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        system: System = load(asked["opener"])(Path(asked["folder"]), asked["options"])
        system.translate([(int(place), str(text)) for place, text in asked["lines"]], say)
    except BaseException as error:  # whatever it is, the page must hear of it
        if not isinstance(error, UserError):
            traceback.print_exc()
        say({"failure": problem(error)})
        return 1
    say({"end": True})
    return 0


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())

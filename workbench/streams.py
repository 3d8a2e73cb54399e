"""The parent's side of a ``call`` or ``stream``: start the child, hand its events on, end it with the generator."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

from workbench.contract import Json, UserError
from workbench.failures import failure
from workbench.files import dumps
from workbench.machine import ROOT
from workbench.process import MARK
from workbench.settings import Settings

TAIL = 2000
"""Characters of the child's last words that are looked at when it dies without a word on the line."""


class CallFailed(UserError):
    """A call or stream that failed; ``failure`` has class, cause and advice, like that of a run."""

    def __init__(self, record: Mapping[str, str]) -> None:
        super().__init__(record.get("cause", ""), advice=record.get("advice", ""))
        self.failure = dict(record)


def stream(settings: Settings, task: str, fields: Mapping[str, Json]) -> Iterator[Json]:
    """Yield every event of a call or stream. Closing the generator ends the child and its children at once.

    Raises :class:`CallFailed` when the task fails or its process dies.
    """
    environment = {**os.environ, **settings.environ()}
    environment.pop(MARK, None)
    folder = settings.home / "tmp"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as words, tempfile.TemporaryDirectory(prefix="call-", dir=folder) as run:
        child = subprocess.Popen([sys.executable, "-m", "workbench.worker", "--stdio"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=words, cwd=ROOT, env=environment,
                                 start_new_session=True)
        try:
            yield from _events(child, dumps({"task": task, "fields": dict(fields), "run": run}), words)
        finally:
            _end(child)


def _events(child: subprocess.Popen[bytes], request: str, words: IO[bytes]) -> Iterator[Json]:
    assert child.stdin is not None and child.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # it died at once: its last words say why
        child.stdin.write(request.encode("utf-8") + b"\n")
        child.stdin.flush()
    for line in child.stdout:
        message = json.loads(line)
        if "end" in message:
            return
        if "failure" in message:
            raise CallFailed(message["failure"])
        yield message["event"]
    raise CallFailed(_died(child.wait(), words))


def _died(status: int, words: IO[bytes]) -> dict[str, str]:
    words.seek(max(0, words.seek(0, os.SEEK_END) - TAIL))
    lines = words.read().decode("utf-8", "replace").strip().splitlines()
    said = f" Its last words: {lines[-1]}" if lines else ""
    if status == -signal.SIGKILL:
        return failure("out of memory", f"The process was killed, most likely because memory ran out.{said}")
    return failure("bug", f"The process ended with status {status}.{said}")


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()

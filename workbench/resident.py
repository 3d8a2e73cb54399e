"""The child that holds one model: ``python -m workbench.resident SPEC``, in an operating-system session of its own.

It survives page and server, answers any number of callers at once over a socket, drops the work of callers that
hang up, and ends after being idle. Whatever was held is the system's again when the process is gone. One thread
computes; one a connection listens. The model itself comes from the dotted path in the spec: this file knows no torch.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from workbench import process, wire
from workbench.contract import Json, UserError, load
from workbench.failures import classify
from workbench.files import read_json, write_json, write_text

LISTEN = 0.1
"""Seconds between two looks at a connection, which is how soon a closed one is noticed."""


FAREWELL = 2.0
"""Longest time a failed process waits until its callers have heard why."""


class Served(Protocol):
    """What the loader returns: requests go in, one step of work at a time, events come out."""

    busy: bool

    def submit(self, request: str, operation: str, payload: Mapping[str, Json]) -> None: ...

    def cancel(self, request: str) -> None: ...

    def step(self) -> Sequence[tuple[str, Json]]: ...


@dataclass
class Caller:
    """One connection: its request and the events that wait to be sent to it."""

    request: str
    operation: str
    payload: Mapping[str, Json]
    events: queue.SimpleQueue[Json] = field(default_factory=queue.SimpleQueue)
    told: threading.Event = field(default_factory=threading.Event)


class Resident:
    """The process's two sides: :meth:`listen` takes callers, :meth:`work` computes until idle for too long."""

    def __init__(self, spec: Mapping[str, Json]) -> None:
        self.spec = spec
        self.place = wire.place(Path(spec["home"]), spec["reference"])
        self.loaded = False
        self._inbox: queue.SimpleQueue[tuple[str, Caller]] = queue.SimpleQueue()
        self._callers: dict[str, Caller] = {}
        self._numbers = itertools.count()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def open(self) -> None:
        """Bind the socket and register. Done before anything slow, so that callers can wait for the model here."""
        self.place.socket.unlink(missing_ok=True)
        self._server.bind(str(self.place.socket))
        self._server.listen(64)
        self._state("busy")
        write_json(self.place.record, {
            "socket": str(self.place.socket), "reference": self.spec["reference"], "path": self.spec["path"],
            "pid": os.getpid(),
            "pid_started": process.started(os.getpid()), "started": time.time()})
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Accept callers for ever, each in a thread of its own."""
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def work(self) -> None:
        """Load the model, then serve requests until nobody has asked for ``idle_seconds``."""
        model: Served = load(self.spec["loader"])(self.spec["path"], {**self.spec["options"], "resource": _resource})
        self.loaded = True
        self._state("idle")
        while self._take(model):
            if model.busy:
                for request, event in model.step():
                    self._deliver(request, event)

    def fail(self, error: BaseException) -> None:
        """Tell the callers why the process ends. Those whose request was not begun ask a new process by themselves,
        unless the model could not even be loaded: then nobody else would fare better."""
        self.close()
        found = classify(error)
        event = {"error": error.message if isinstance(error, UserError) else
                 f"The model process failed: {found['cause']}", "advice": found["advice"], "class": found["class"]}
        waiting = []
        while not self.loaded and not self._inbox.empty():
            waiting.append(self._inbox.get()[1])
        everyone = [*self._callers.values(), *(caller for caller in waiting if not caller.told.is_set())]
        for caller in everyone:
            caller.events.put(event)
        deadline = time.monotonic() + FAREWELL
        for caller in everyone:
            caller.told.wait(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Take no more callers and take the registration back."""
        self._server.close()
        for path in (self.place.socket, self.place.record, self.place.state):
            path.unlink(missing_ok=True)

    def _take(self, model: Served) -> bool:
        """Move what arrived to the model, waiting while it has nothing to do; false when idle for too long."""
        while True:
            idle = not model.busy
            if idle and self._inbox.empty():
                self._state("idle")
            try:
                action, caller = self._inbox.get(block=idle, timeout=self.spec["idle_seconds"] if idle else None)
            except queue.Empty:
                return not idle
            self._state("busy")
            if action == "ask":
                self._callers[caller.request] = caller
                caller.events.put({"taken": True})
                model.submit(caller.request, caller.operation, caller.payload)
            elif self._callers.pop(caller.request, None) is not None:
                model.cancel(caller.request)

    def _deliver(self, request: str, event: Json) -> None:
        caller = self._callers.get(request)
        if caller is not None:
            caller.events.put(event)
            if "result" in event or "error" in event:
                del self._callers[request]

    def _attend(self, connection: socket.socket) -> None:
        """Talk to one caller: its request, the events, and the end of either."""
        with connection:
            if not wire.same_user(connection):
                return
            try:
                connection.settimeout(10.0)
                caller = self._read(connection)
                if caller is None:
                    return
                connection.settimeout(30.0)
                self._inbox.put(("ask", caller))
                self._relay(connection, caller)
            except UserError as error:
                with contextlib.suppress(OSError):
                    wire.send(connection, {"error": error.message, "advice": error.advice})
            except OSError:
                return

    def _read(self, connection: socket.socket) -> Caller | None:
        line = next(wire.lines(connection), None)
        if line is None:
            return None
        try:
            asked = json.loads(line)
            return Caller(str(next(self._numbers)), str(asked["operation"]), dict(asked["payload"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError("A request to the model process must be JSON with operation and payload.") from error

    def _relay(self, connection: socket.socket, caller: Caller) -> None:
        try:
            while True:
                try:
                    event = caller.events.get(timeout=LISTEN)
                except queue.Empty:
                    if wire.closed(connection):
                        return
                    continue
                wire.send(connection, event)
                if "result" in event or "error" in event:
                    return
        finally:
            caller.told.set()
            self._inbox.put(("cancel", caller))

    def _state(self, word: str) -> None:
        """Write ``busy`` or ``idle``; the file's time is when that began. Only what changed is written."""
        if read_word(self.place.state) != word:
            write_text(self.place.state, word, durable=False)


def _resource(reference: str) -> Path:
    """Where a model that this one is made of lies, for loaders (``options["resource"]``). Raises as
    ``hub.resolve`` does."""
    from workbench import hub  # here, because most models are one folder
    from workbench.settings import load_settings

    return Path(hub.resolve(reference, load_settings()).path)


def read_word(path: Path) -> str:
    """The text of a small file, empty when there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def main(argv: Sequence[str]) -> int:
    """Run one resident model from its spec file until it is idle for too long or told to end."""
    spec = read_json(Path(argv[0]), {})
    Path(argv[0]).unlink(missing_ok=True)
    resident = Resident(spec)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_ended(resident)))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        resident.open()
        resident.work()
    except BaseException as error:  # whatever it is, the callers must hear of it
        traceback.print_exc()
        resident.fail(error)
        return 1
    finally:
        resident.close()
    return 0


def _ended(resident: Resident) -> int:
    resident.close()
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads of a compute library must not keep a finished process alive

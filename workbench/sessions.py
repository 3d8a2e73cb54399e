"""Resident model processes as seen from outside: connect, list, unload. Never imports torch.

A model is loaded once, by a child that outlives whoever started it (:mod:`workbench.resident`); callers of any
process of this home share it. It is started when it is first asked for, and again after it was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench import hub, process, registry, wire
from workbench.contract import Json, Model, UserError
from workbench.fields import to_json
from workbench.files import locked, read_json, write_json
from workbench.resident import read_word
from workbench.settings import Settings

LOADER = "backends.common.engine:load"
"""Opens every model for which :data:`workbench.registry.SERVERS` names nothing else."""
ROOT = Path(__file__).resolve().parent.parent
TICK = 0.2
"""Seconds after which a waiting caller gets a ``tick`` event, so that it can notice a cancel."""
START_SECONDS = 60.0
"""Longest time from starting the child to its open socket (it opens it before it loads anything)."""


@dataclass(frozen=True)
class ModelProcess:
    """One resident model. ``rss_mb`` is what it holds now; ``idle_s`` the seconds since its last request."""

    reference: str
    pid: int
    rss_mb: float
    busy: bool
    idle_s: float
    started: float


class Line:
    """A :class:`~workbench.contract.Model`: each ``ask`` is a connection of its own to the resident process."""

    def __init__(self, settings: Settings, reference: str, path: Path, card: Mapping[str, Json]) -> None:
        self._settings, self._path = settings, path
        self.reference, self.card = reference, card

    def ask(self, operation: str, payload: Json) -> Iterator[Json]:
        """Start an operation and yield its events; closing the iterator cancels it.

        Events: ``{"tick": seconds}`` while waiting, ``{"delta": [row, text]}``, at last ``{"result": ...}``.
        Raises ``UserError`` with what the model says, or when its process ended in the middle."""
        for attempt in (1, 2):
            taken = False
            with self._open() as connection, contextlib.suppress(ConnectionError, TimeoutError):
                wire.send(connection, {"operation": operation, "payload": payload})
                connection.settimeout(TICK)
                for event in self._events(connection):
                    taken = taken or "tick" not in event
                    yield event
                    if "result" in event:
                        return
            if taken or attempt == 2:  # else it was ending when we came: start a new one and ask again
                raise self._lost()

    def close(self) -> None:
        """Nothing to give back: the process ends by itself when it is idle, or by :func:`unload`."""

    def _events(self, connection: socket.socket) -> Iterator[Json]:
        began = time.monotonic()
        for line in wire.lines(connection):
            if line is None:
                yield {"tick": time.monotonic() - began}
                continue
            event = json.loads(line)
            if "error" in event:
                raise UserError(event["error"], advice=event.get("advice", ""))
            yield event

    def _open(self) -> socket.socket:
        place = wire.place(self._settings.home, self.reference)
        try:
            return _connected(place)
        except OSError:
            start(self._settings, self.reference, self._path)
        try:
            return _connected(place)
        except OSError as error:
            raise self._lost() from error

    def _lost(self) -> UserError:
        words = last_words(wire.place(self._settings.home, self.reference).log)
        last = f" Its last words: {words}" if words else ""
        return UserError(f"The process of the model {self.reference} ended in the middle of a request: it was unloaded "
                         f"or killed, or the machine ran out of memory.{last}",
                         advice="It is started again at the next request.")


class Remote:
    """The answer for an ``endpoint:`` reference: its card says where the server is; the backend talks to it."""

    def __init__(self, card: Mapping[str, Json]) -> None:
        self.card = card

    def ask(self, operation: str, payload: Json) -> Iterator[Json]:
        """Always a ``UserError``: this model has no process of ours."""
        raise UserError(f"{self.card['reference']} is a server of its own; it has no process here.",
                        advice="Open it with backends.common.language.open_model.")

    def close(self) -> None:
        """Nothing is held."""


def connect(settings: Settings, reference: str, say: Callable[[str], None] | None = None) -> Model:
    """A line to the resident process of this model, which is resolved and started when there is none.

    ``say`` hears what is being waited for. Raises ``MissingResource`` or ``UserError``; the process itself may
    still be loading when this returns: the first ``ask`` waits for it with ``{"tick": ...}`` events."""
    parsed = hub.parse(reference or settings.default_model)
    name = str(parsed)
    if parsed.kind == "endpoint":
        base, model = hub.check_endpoint(name, settings)
        return Remote({**to_json(hub.card(name, settings)), "endpoint": {"base": base, "model": model}})
    resolved = hub.resolve(name, settings, say)
    line = Line(settings, name, resolved.path, to_json(resolved.card))
    if not _running(wire.place(settings.home, name)):
        if say is not None:
            say(f"starting {resolved.card.title}")
        start(settings, name, resolved.path)
    return line


def start(settings: Settings, reference: str, path: Path) -> None:
    """Start the resident process unless it runs; returns when its socket is open. Two callers start one."""
    place = wire.place(settings.home, reference)
    with locked(place.lock, seconds=START_SECONDS):
        if _running(place) and _answers(place):
            return
        _kill(place)
        spec = place.record.with_suffix(f".spec-{os.getpid()}-{threading.get_ident()}")
        write_json(spec, {
            "home": str(settings.home), "reference": reference, "path": str(path),
            "loader": loader_of(path),
            "idle_seconds": settings.model_idle_minutes * 60,
            "options": {"device": settings.device, "threads": settings.threads, "memo": str(_memo(settings)),
                        "trust_remote_code": settings.trust_remote_code}})
        child = _spawn(spec, place, settings)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(place):
            if child.poll() is not None or time.monotonic() > deadline:
                _end(child)
                raise UserError(f"The process of the model {reference} did not start. {last_words(place.log)}".strip(),
                                advice=f"Its log is {place.log}.")
            time.sleep(0.02)
    threading.Thread(target=child.wait, daemon=True).start()  # so that it never stays a zombie of ours


def processes(settings: Settings) -> list[ModelProcess]:
    """Every resident model of this home that is alive. Cheap: reads small files, asks no process."""
    found = []
    for path in sorted((settings.home / "sessions").glob("*.json")):
        record = read_json(path, {})
        if not isinstance(record, dict) or not process.alive(record.get("pid"), record.get("pid_started")):
            continue
        state = path.with_suffix(".state")
        busy = read_word(state) == "busy"
        with contextlib.suppress(OSError):
            since = time.time() - state.stat().st_mtime
            found.append(ModelProcess(str(record.get("reference")), record["pid"], process.rss_mb(record["pid"]), busy,
                                      0.0 if busy else max(0.0, since), float(record.get("started", 0.0))))
    return found


def unload(settings: Settings, reference: str) -> None:
    """End the process of this model and give all its memory back; no error when there is none."""
    place = wire.place(settings.home, str(hub.parse(reference or settings.default_model)))
    with locked(place.lock, seconds=START_SECONDS):
        _kill(place)


def last_words(log: Path) -> str:
    """The last line of a process's log without the name of the exception's class, at most 300 characters."""
    words = [line.strip() for line in read_word(log).splitlines() if line.strip()]
    return re.sub(r"^[\w.]+(Error|Exception|Resource): ", "", words[-1])[:300] if words else ""


def _memo(settings: Settings) -> Path:
    return settings.models / "speed.json"


def loader_of(path: Path) -> str:
    """Dotted path of what opens the model folder ``path``, by the ``model_type`` of its config.json."""
    config = read_json(path / "config.json", {})
    kind = config.get("model_type") if isinstance(config, dict) else None
    return registry.SERVERS.get(kind, LOADER) if isinstance(kind, str) else LOADER


def _spawn(spec: Path, place: wire.Place, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the child with these very settings: it may have to find the models that this one is made of."""
    variables = {**os.environ, **settings.environ(),
                 "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    variables.pop(process.MARK, None)
    variables.setdefault("TOKENIZERS_PARALLELISM", "false")
    with place.log.open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "workbench.resident", str(spec)], cwd=ROOT, env=variables,
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    child.wait()


def _running(place: wire.Place) -> bool:
    record = read_json(place.record, {})
    return isinstance(record, dict) and process.alive(record.get("pid"), record.get("pid_started"))


def _connected(place: wire.Place) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(5.0)
        connection.connect(str(place.socket))
    except OSError:
        connection.close()
        raise
    return connection


def _answers(place: wire.Place) -> bool:
    try:
        _connected(place).close()
    except OSError:
        return False
    return _running(place)


def _kill(place: wire.Place) -> None:
    """End what the record names: asked first, killed after two seconds; then remove its files."""
    record = read_json(place.record, {})
    if isinstance(record, dict) and process.alive(record.get("pid"), record.get("pid_started")):
        for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record["pid"], number)
            deadline = time.monotonic() + seconds
            while process.alive(record["pid"], record["pid_started"]) and time.monotonic() < deadline:
                time.sleep(0.01)
    for path in (place.socket, place.record, place.state):
        path.unlink(missing_ok=True)

"""What a task may touch, over a run directory: the part that worker, terminal and memory share.

The three differ only in where progress is shown and how a cancel is noticed (see :mod:`workbench.context`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench.contract import Cancelled, Json, Model, Paused, UserError
from workbench.failures import log
from workbench.fields import to_json
from workbench.files import append_line, is_full, read_json, read_lines, write_json
from workbench.process import carrying
from workbench.settings import Settings
from workbench.states import FLAG
from workbench.store import Index

MESSAGE = 500
"""Characters of a progress message that are kept (our default)."""
LIVE_SECONDS = 0.1
REPORT_SECONDS = 0.25
"""Shortest time between two writes of ``live.json`` and of the progress (our default)."""


class RunContext:
    """Files of one run, and the machine around it. ``rank`` > 0 of a distributed run writes nothing."""

    def __init__(self, run: Path, settings: Settings, *, device: str = "cpu", rank: int = 0, world: int = 1) -> None:
        self.run, self.settings, self.device, self.rank, self.world = run, settings, device, rank, world
        self.default_model = settings.default_model
        self.ended_from_outside = False
        self.commands_seen = 0
        self._flag = str(run / FLAG)
        self._shown: tuple[int, int, str] | None = None
        self._next_report = self._next_live = 0.0
        self._pending_live: tuple[Json] | None = None
        self._lock = threading.RLock()

    def report(self, step: int, total: int, message: str = "") -> None:
        """Say how far the run is; raises ``Cancelled`` when it was asked to end."""
        self.check()
        now = time.monotonic()
        with self._lock:
            self._flush_live()
            new = (int(step), int(total), str(message)[:MESSAGE])
            if new == self._shown or (now < self._next_report and step < total):
                return
            self._next_report, self._shown = now + REPORT_SECONDS, new
        if self.rank == 0:
            with _dispensable():
                self.show(*new)

    def check(self) -> None:
        """Raise ``Cancelled`` when the run was asked to end: one look for a file."""
        if self.ended_from_outside or os.path.exists(self._flag):  # noqa: PTH110 - called at every step
            raise Cancelled

    def show(self, step: int, total: int, message: str) -> None:
        """Bring progress to whoever watches; each kind of context has its own way."""
        raise TypeError(f"{type(self).__name__} does not say where progress goes")

    def log(self, text: str) -> None:
        """Write to the log of the run."""
        log(text)

    def metric(self, step: int, **values: float) -> None:
        """Append one line to ``metrics.jsonl``; not-a-number is kept as ``null``."""
        if self.rank == 0:
            with _dispensable():
                plain = {name: float(value) for name, value in values.items()}
                append_line(self.run / "metrics.jsonl", {"step": int(step), "at": round(time.time(), 3), **plain})

    def live(self, value: Json) -> None:
        """Overwrite ``live.json``, at most ten times a second; a value held back is written by the next call."""
        with self._lock:
            self._pending_live = (value,)
            if time.monotonic() >= self._next_live:
                self._flush_live()

    def _flush_live(self) -> None:
        if self._pending_live is None or self.rank:
            return
        (value,), self._pending_live = self._pending_live, None
        self._next_live = time.monotonic() + LIVE_SECONDS
        with _dispensable():
            write_json(self.run / "live.json", to_json(value), durable=False)

    def close(self) -> None:
        """Write what was held back."""
        with self._lock:
            self._flush_live()

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """List a file of this run as its product; listing a name again replaces it."""
        inside = Path(path).resolve()
        if not inside.is_relative_to(self.run.resolve()):
            raise UserError(f"The artifact {name!r} lies at {path}; it must lie inside the run directory {self.run}.")
        if not inside.exists():
            raise UserError(f"The artifact {name!r} has no file at {path}.")
        if self.rank == 0:
            entry = {"name": name, "path": str(inside.relative_to(self.run.resolve())), "kind": kind}
            with self._lock:
                if entry not in read_lines(self.run / "artifacts.jsonl"):
                    append_line(self.run / "artifacts.jsonl", entry, durable=True)

    def resource(self, reference: str) -> Path:
        """Resolve a reference to a local path and record path, size and sha256 in ``inputs.json``."""
        from workbench import hub  # not at the top: a task without inputs never pays for it

        resolved = hub.resolve(reference, self.settings, self.say)
        files = [self._described(entry, resolved.path) for entry in resolved.files]
        if self.rank == 0:
            with self._lock:
                inputs = read_json(self.run / "inputs.json", {})
                known = inputs if isinstance(inputs, dict) else {}
                known[reference] = {"path": str(resolved.path), "files": files}
                write_json(self.run / "inputs.json", known)
        return Path(resolved.path)

    def _described(self, entry: Mapping[str, Json], root: Path) -> dict[str, Json]:
        path = Path(str(entry["path"]))
        path = path if path.is_absolute() else root / path
        sha256 = entry.get("sha256") or file_hash(path, Index(self.settings.home))
        return {"path": str(path), "size": entry.get("size", path.stat().st_size), "sha256": sha256}

    def model(self, reference: str) -> Model:
        """Open a line to the resident process of a local model, starting it when there is none."""
        from workbench import sessions  # not at the top, as above

        with carrying(None):  # it outlives this run, and must not be taken for a part of it
            return sessions.connect(self.settings, reference, self.say)

    def say(self, text: str) -> None:
        """Show what is being waited for, without moving the progress; also a cancel point."""
        step, total, _ = self._shown or (0, 0, "")
        self._next_report = 0.0
        self.report(step, total, text)

    def generator(self, seed: int) -> random.Random:
        """The source of randomness for this seed."""
        return random.Random(seed)

    def commands(self) -> Sequence[Mapping[str, Json]]:
        """Every command given to this run so far, oldest first."""
        commands = read_lines(self.run / "commands.jsonl")
        self.commands_seen = len(commands)
        return commands

    def new_commands(self) -> bool:
        """Whether a command came in after the task last looked; asking counts as looking."""
        before = self.commands_seen
        return len(self.commands()) > before

    def pause(self, reason: str) -> None:
        """End this process and wait for a person: raises ``Paused``."""
        self.check()
        self.close()
        raise Paused(reason)


@contextlib.contextmanager
def _dispensable() -> Iterator[None]:
    """Progress on a full disk is dropped: it must not end a run that may still save its result elsewhere."""
    try:
        yield
    except UserError as error:
        if error.__cause__ is None or not is_full(error.__cause__):
            raise


def file_hash(path: Path, index: Index) -> str:
    """sha256 of a file (of a folder: of its sorted names and hashes), remembered by path, size and time of change."""
    if path.is_dir():
        parts = [f"{p.relative_to(path)} {file_hash(p, index)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    info = path.stat()
    known = index.hash_of(path, info.st_size, info.st_mtime_ns)
    if known is None:
        with path.open("rb") as file:
            known = hashlib.file_digest(file, "sha256").hexdigest()
        with contextlib.suppress(UserError):
            index.remember_hash(path, info.st_size, info.st_mtime_ns, known)
    return known

"""Run directories: the truth about every run. Make one, read one, change its state.

``$home/runs/<utc time>-<6 hex>/`` holds ``request.json`` (what was asked; never changes), ``state.json`` (how far
it is), and whatever the run writes. A directory appears whole: it is made under another name, then renamed.
Every change of ``state.json`` is read-change-write under the directory's lock. A directory that was edited by
hand still loads: damage shows as a ``lost`` run whose message names the file.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from workbench.contract import Json, Status, UserError
from workbench.files import (
    Damaged,
    disk_full,
    is_full,
    load_json,
    locked,
    read_json,
    whole,
    write_json,
)

__all__ = ["ACTIVE", "Run", "change_state", "create_run", "load_run", "read_json", "read_state", "run_path",
           "runs_folder", "write_json"]

ACTIVE: tuple[Status, ...] = ("queued", "running")
"""States in which a process holds the run, or is about to."""

RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
SPARE = ".spare"
SPARE_BYTES = 16384
"""Room set aside in each run so that its last state can be written on a full disk (our default)."""


@dataclass(frozen=True)
class Run:
    """A run as its files tell it. Times are seconds since 1970 (UTC); ``failure`` is class, cause and advice."""

    id: str
    path: Path
    task: str = ""
    title: str = ""
    status: Status = "lost"
    owner: str = ""
    shared: bool = False
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    step: int = 0
    total: int = 0
    message: str = ""
    failure: Mapping[str, str] | None = None
    parents: tuple[str, ...] = ()
    processes: int = 1
    attempt: int = 1
    pid: int | None = None
    pid_started: float | None = None
    slots: tuple[str, ...] = ()
    fields: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @property
    def active(self) -> bool:
        """Whether a process holds this run, or is about to."""
        return self.status in ACTIVE

    @property
    def seconds(self) -> float:
        """How long the latest attempt has run (0 before it starts)."""
        if self.started is None:
            return 0.0
        return max(0.0, (self.finished or time.time()) - self.started)

    @property
    def size_bytes(self) -> int:
        """Bytes of every file in the run directory, counted when asked."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(OSError):
                    total += Path(folder, name).lstat().st_size
        return total


def runs_folder(home: Path) -> Path:
    """The folder of all run directories; private to the person who runs the workbench."""
    folder = home / "runs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}.",
                        advice="Choose another home with WORKBENCH_HOME or --home.") from error
    return folder


def run_path(home: Path, run_id: str) -> Path | None:
    """Where a run of this id lies, or would lie; ``None`` when the text is no run id (no way out of the folder)."""
    return home / "runs" / run_id if RUN_ID.fullmatch(run_id) else None


def create_run(home: Path, task_name: str, fields: Mapping[str, Json], *, owner: str, shared: bool = False,
               title: str = "", parents: Sequence[str] = (), processes: int = 1) -> Run:
    """Make a run directory in state ``queued``. Raises ``UserError`` when the disk is full; nothing is left then."""
    folder = runs_folder(home)
    now = time.time()
    run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{secrets.token_hex(3)}"
    temporary = folder / f".new-{run_id}"
    request = {"task": task_name, "fields": dict(fields), "parents": list(parents), "processes": processes}
    state = {"status": "queued", "owner": owner, "shared": shared, "title": whole(title), "created": now,
             "queued": now, "started": None, "finished": None, "step": 0, "total": 0, "message": "", "failure": None,
             "attempt": 1, "pid": None, "pid_started": None, "slots": []}
    try:
        temporary.mkdir(mode=0o700)
        for name in ("artifacts", "checkpoints"):
            (temporary / name).mkdir()
        write_json(temporary / "request.json", request)
        write_json(temporary / "state.json", state)
        (temporary / "log.txt").touch()
        _reserve(temporary)
        temporary.rename(folder / run_id)
    except (OSError, UserError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_full(error):
            raise disk_full(folder / run_id) from error
        raise
    return load_run(folder / run_id)


def _reserve(folder: Path) -> None:
    with (folder / SPARE).open("wb") as file:
        file.write(b"\0" * SPARE_BYTES)  # really written: a sparse file would keep no room


def read_state(path: Path) -> dict[str, Json]:
    """The raw ``state.json``. Raises :class:`Damaged` when it is missing or no JSON object."""
    try:
        state = load_json(path / "state.json")
    except OSError as error:
        raise Damaged(f"state.json cannot be read ({error.strerror})") from error
    if not isinstance(state, dict):
        raise Damaged("state.json does not hold a table")
    return state


def change_state(path: Path, changes: Mapping[str, Json], *, expect: Collection[str] = (), attempt: int | None = None,
                 durable: bool = True, seconds: float = 10.0, base: Mapping[str, Json] | None = None,
                 unless: Callable[[], bool] | None = None) -> bool:
    """Change some keys of ``state.json`` under the run's lock; whether it was done.

    Not done when the status is not one of ``expect`` (if given), the attempt is another, or ``unless()``, asked
    under the lock, is true. A damaged file is
    set aside as ``state.json.damaged`` and written anew from ``base``. On a full disk the run's spare room is
    given up first. ``seconds`` is how long to wait for the lock (:class:`workbench.files.Busy` after it).
    """
    with locked(path / ".lock", seconds=seconds):
        try:
            state = read_state(path)
        except Damaged:
            state = dict(base or {})
            with contextlib.suppress(OSError):
                (path / "state.json").replace(path / "state.json.damaged")
        else:
            if expect and state.get("status") not in expect:
                return False
            if attempt is not None and state.get("attempt", 1) != attempt:
                return False
        if unless is not None and unless():
            return False
        state.update(changes)
        try:
            write_json(path / "state.json", state, durable=durable)
        except UserError:
            if not durable or not (path / SPARE).exists():
                raise
            (path / SPARE).unlink(missing_ok=True)
            write_json(path / "state.json", state, durable=durable)
    return True


def load_run(path: Path) -> Run:
    """Read a run directory. Never raises: what is damaged shows as a ``lost`` run whose message names the file."""
    request, request_trouble = _table(path / "request.json")
    state, state_trouble = _table(path / "state.json")
    status = state.get("status")
    trouble = state_trouble
    if not trouble and status not in get_args(Status):
        trouble = f"state.json has the unknown status {status!r}"
    if request_trouble and status not in ACTIVE:
        trouble = trouble or request_trouble
    failure = state.get("failure")
    return Run(
        id=path.name, path=path, task=_text(request.get("task")), title=_text(state.get("title")),
        status="lost" if trouble else cast(Status, status), owner=_text(state.get("owner")),
        shared=state.get("shared") is True, created=_number(state.get("created")) or _created(path.name),
        started=_number(state.get("started")), finished=_number(state.get("finished")),
        step=int(_number(state.get("step")) or 0), total=int(_number(state.get("total")) or 0),
        message=f"This run's files are damaged: {trouble}." if trouble else _text(state.get("message")),
        failure={str(k): str(v) for k, v in failure.items()} if isinstance(failure, dict) else None,
        parents=_texts(request.get("parents")), processes=int(_number(request.get("processes")) or 1),
        attempt=int(_number(state.get("attempt")) or 1),
        pid=int(_number(state.get("pid")) or 0) or None, pid_started=_number(state.get("pid_started")),
        slots=_texts(state.get("slots")),
        fields=request["fields"] if isinstance(request.get("fields"), dict) else {})


def _table(path: Path) -> tuple[dict[str, Any], str]:
    try:
        value = load_json(path)
    except Damaged as error:
        return {}, str(error)
    except OSError as error:
        return {}, f"{path.name} cannot be read ({error.strerror})"
    return (value, "") if isinstance(value, dict) else ({}, f"{path.name} does not hold a table")


def _text(value: Json) -> str:
    return whole(value) if isinstance(value, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(_text(item) for item in value) if isinstance(value, list) else ()


def _number(value: Json) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if fits else None


def _created(run_id: str) -> float:
    with contextlib.suppress(ValueError):
        return float(time.mktime(time.strptime(run_id[:15], "%Y%m%dT%H%M%S")) - time.timezone)
    return 0.0

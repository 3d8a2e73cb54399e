"""Small files that survive a crash: atomic JSON, appended lines, advisory locks.

A rewrite goes to a temporary name beside the file and is renamed over it, so a reader sees the old text or the
new, never half of one, and a full disk leaves the old one in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.contract import Json, UserError

FULL = (errno.ENOSPC, errno.EDQUOT)


class Damaged(ValueError):
    """A file that should hold JSON and does not; the text names the file and says where it breaks."""


def is_full(error: BaseException) -> bool:
    """Whether an error means that the disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in FULL


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file atomically. ``durable`` waits for the disk (fsync); leave it out for what is rewritten often.

    Raises ``UserError`` when the disk is full; the old file is then intact.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if is_full(error):
            raise disk_full(path) from error
        raise


def disk_full(path: Path) -> UserError:
    """The error for a full disk; made from the ``OSError``, which stays its cause."""
    return UserError(f"The disk is full: {path.name} could not be written in {path.parent}.",
                     advice="What was saved before is intact. Free some space and try again.")


def dumps(value: Json, indent: int | None = None) -> str:
    """Strict JSON text: not-a-number and infinity, which JSON has not, become ``null``; half characters, ``?``."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)
    return whole(text)


def whole(text: str) -> str:
    """The text with lone surrogates, which no file or database can hold, replaced by ``?``."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def write_json(path: Path, value: Json, *, durable: bool = True) -> None:
    """Replace a JSON file atomically (see :func:`write_text`)."""
    write_text(path, dumps(value, indent=1) + "\n", durable=durable)


def load_json(path: Path) -> Json:
    """Read a JSON file. ``FileNotFoundError`` when there is none, :class:`Damaged` when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path.name} is not valid JSON ({error})") from error


def read_json(path: Path, default: Json) -> Json:
    """Read a JSON file, or ``default`` when it is missing, unreadable or not JSON."""
    try:
        return load_json(path)
    except (OSError, Damaged):
        return default


def append_line(path: Path, value: Json, *, durable: bool = False) -> None:
    """Append one JSON line in one write, so that lines of two processes never mix."""
    line = (dumps(value) + "\n").encode("utf-8")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if _torn(path):
                line = b"\n" + line
            _write_all(handle, line)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if is_full(error):
            raise disk_full(path) from error
        raise


def _write_all(handle: int, line: bytes) -> None:
    before = os.fstat(handle).st_size
    written = os.write(handle, line)
    if written != len(line):
        os.ftruncate(handle, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _torn(path: Path) -> bool:
    """Whether the last line has no end, as a crash or an editor leaves it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"


def read_lines(path: Path) -> list[Json]:
    """Every whole JSON object of a ``.jsonl`` file, oldest first; torn or hand-broken lines are left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    values = []
    for line in text.split("\n"):  # not splitlines: U+2028 inside a string is no line end
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                values.append(value)
    return values


class Busy(UserError):
    """The lock is held by another process for longer than we were asked to wait."""


@contextlib.contextmanager
def locked(path: Path, *, seconds: float = 10.0, shared: bool = False) -> Iterator[None]:
    """Hold the advisory lock on a file (made when missing); the system frees it when its holder dies.

    Raises :class:`Busy` after ``seconds``; 0 does not wait at all.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, seconds, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, mode: int, seconds: float, path: Path) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Busy(f"{path} is locked by another process.", advice="Try again in a moment.") from None
            time.sleep(0.005)

"""Files and child processes for the hub: checksums, room on the disk, locks, a child that can be cancelled."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import files
from workbench.contract import Json, UserError
from workbench.files import is_full, read_json

if TYPE_CHECKING:
    from workbench.store import Index

Say = Callable[[str], None]
BLOCK = 1 << 20
TICK_S = 0.2


def sha256_of(path: Path, say: Say | None = None) -> str:
    """Hexadecimal sha256 of a file, read in blocks. ``say`` is called every 64 MB, so that it can cancel."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number, block in enumerate(iter(lambda: file.read(BLOCK), b"")):
            digest.update(block)
            if say and number % 64 == 63:
                say(f"checking {path.name}")
    return digest.hexdigest()


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder or missing rights into a sentence with advice."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        if is_full(error):
            raise UserError(f"The disk is full: {where} could not be written. What was there before is unchanged.",
                            advice="Free some space, or set WORKBENCH_MODELS to a folder on another disk.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(f"{where} cannot be written: {error.strerror}.",
                            advice="Set WORKBENCH_HOME or WORKBENCH_MODELS to a folder of your own.") from error
        raise


def need_space(folder: Path, megabytes: int, what: str) -> None:
    """Raise ``UserError`` unless the disk of ``folder`` has ``megabytes`` free."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise UserError(f"{what} needs {megabytes} MB and {folder} has {free} MB free.",
                        advice="Free some space, or set WORKBENCH_MODELS to a folder on another disk.")


@contextmanager
def locked(path: Path, say: Say) -> Iterator[None]:
    """Hold an exclusive lock on a file. While another process has it, ``say`` is called, so it can cancel."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(files.locked(path, seconds=0))
                break
            except files.Busy:
                say("another process is fetching it, waiting")
                time.sleep(TICK_S)
        yield


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (negative = killed by that signal) and what it printed."""

    code: int
    lines: tuple[str, ...]

    @property
    def last(self) -> str:
        """The last line it printed that is not empty."""
        return next((line for line in reversed(self.lines) if line.strip()), "")


def run_child(command: Sequence[str], progress: Callable[[Sequence[str]], None],
              environ: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end, calling ``progress(lines so far)`` every fifth of a second.

    An exception out of ``progress`` (a cancel) kills the child with all its own children and passes on.
    Output goes to a file and not to a pipe: a child must never hang because nobody reads."""
    with tempfile.TemporaryFile("w+b") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                 env={**os.environ, **(environ or {})}, start_new_session=True)
        try:
            while True:
                try:
                    code = child.wait(TICK_S)
                    return Ended(code, _lines(output.fileno()))
                except subprocess.TimeoutExpired:
                    progress(_lines(output.fileno()))
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def _lines(descriptor: int) -> tuple[str, ...]:
    """The last 64 kB of a file as lines, read without moving the child's place in it."""
    size = os.fstat(descriptor).st_size
    raw = os.pread(descriptor, 1 << 16, max(0, size - (1 << 16)))
    return tuple(line.rstrip() for line in raw.decode("utf-8", "replace").splitlines() if line.strip())


def read_object(path: Path) -> dict[str, Json]:
    """A JSON object of a file; ``{}`` where there is none or where it is damaged."""
    value = read_json(path, {})
    return value if isinstance(value, dict) else {}


def manifest(folder: Path, index: Index | None = None) -> tuple[dict[str, Json], ...]:
    """Every file of a folder (or the one file) as ``{"path", "size", "sha256"}``, sorted by path.

    With an index, checksums of files whose size and time have not changed are remembered there."""
    found: list[dict[str, Json]] = []
    for path in sorted(p for p in ([folder] if folder.is_file() else folder.rglob("*")) if p.is_file()):
        info = path.stat()
        digest = index.hash_of(path, info.st_size, info.st_mtime_ns) if index else None
        if digest is None:
            digest = sha256_of(path)
            if index:
                with suppress(UserError):  # a full disk costs the memory of it, not the answer
                    index.remember_hash(path, info.st_size, info.st_mtime_ns, digest)
        found.append({"path": str(path), "size": info.st_size, "sha256": digest})
    return tuple(found)

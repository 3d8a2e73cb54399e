"""Opening ``index.sqlite``, and setting a damaged file aside instead of failing.

Write-ahead logging lets the page read while a run writes. Reads share one connection a process (opening and
closing the last one would make SQLite rewrite files); a write opens its own. The file is only an index: when
SQLite finds it damaged, or it comes from a later version, it is moved to ``index.sqlite.corrupt-<time>`` and a fresh
one is filled from the run directories.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from workbench.contract import UserError
from workbench.files import is_full, locked
from workbench.store.migrations import STEPS, TooNew, migrate, sound, version

BUSY_SECONDS = 10.0
NAME = "index.sqlite"
LOCK = "index.lock"
LOCK_SECONDS = 60.0
"""Longest wait for another process that is building the index again (our default)."""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Database:
    """The index file of one home. ``fill(db)`` writes what the run directories say into a fresh file."""

    def __init__(self, home: Path, fill: Work[None]) -> None:
        self.home, self.path, self._fill = home, home / NAME, fill
        self._reader: tuple[int, sqlite3.Connection] | None = None
        self._guard = threading.Lock()

    def read(self, work: Work[T]) -> T:
        """Answer ``work(db)`` on this process's shared connection; ``work`` only reads."""
        def shared() -> T:
            with self._guard:
                return work(self._shared())
        return self._recovering(shared)

    def write(self, work: Work[T]) -> T:
        """Do ``work(db)`` inside one ``BEGIN IMMEDIATE``: all of it or nothing, and nobody else in between."""
        def alone() -> T:
            with locked(self.home / LOCK, shared=True, seconds=LOCK_SECONDS), contextlib.closing(self._connect()) as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    value = work(db)
                    db.execute("COMMIT")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                    raise
                return value

        def ready() -> T:
            self._ensure()
            return alone()
        return self._recovering(ready)

    def close(self) -> None:
        """Close the shared connection; the next read opens it again."""
        with self._guard:
            if self._reader is not None:
                self._reader[1].close()
            self._reader = None

    def _shared(self) -> sqlite3.Connection:
        inode = self._inode()
        if self._reader is None or self._reader[0] != inode:
            if self._reader is not None:
                self._reader[1].close()
                self._reader = None
            self._ensure()
            self._reader = (self._inode(), self._connect())
        return self._reader[1]

    def _inode(self) -> int:
        try:
            return os.stat(self.path).st_ino  # noqa: PTH116 - called on every read
        except OSError:
            return 0

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    def _ensure(self) -> None:
        """Make or migrate the file when it is not at the newest schema."""
        if self._at_newest():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        with locked(self.home / LOCK, seconds=LOCK_SECONDS), contextlib.closing(self._connect()) as db:
            if version(db) == len(STEPS):
                return
            db.execute("PRAGMA journal_mode = WAL")
            migrate(db, self._fill)

    def _at_newest(self) -> bool:
        if not self.path.exists():
            return False
        with contextlib.closing(self._connect()) as db:
            return version(db) == len(STEPS)

    def _recovering(self, attempt: Callable[[], T]) -> T:
        """``attempt``, again after what can be mended; nothing is mended twice, so a second damage is an error."""
        mended: set[str] = set()
        while True:
            try:
                return attempt()
            except (sqlite3.DatabaseError, TooNew, OSError) as error:
                trouble = "moved" if _moved(error) else "damaged" if _damage(error) else ""
                if not trouble or trouble in mended:
                    raise _explained(error, self.path) from error
                mended.add(trouble)
                if trouble == "moved":
                    self._await_others()
                else:
                    self._set_aside(error)

    def _await_others(self) -> None:
        """Wait until nobody is setting the file aside, and look at it anew."""
        self.close()
        with locked(self.home / LOCK, seconds=LOCK_SECONDS):
            pass

    def _set_aside(self, error: Exception) -> None:
        """Move a damaged file away, once, whoever notices first; then make a fresh one with a notice."""
        self.close()
        with locked(self.home / LOCK, seconds=LOCK_SECONDS):
            if self._is_sound():
                return
            aside = self.path.with_name(f"{NAME}.corrupt-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    self.path.with_name(NAME + ending).rename(aside.with_name(aside.name + ending))
        self._ensure()
        text = f"The index of runs was damaged ({error}). It is kept as {aside.name} and was built again from the runs."
        with contextlib.suppress(UserError):
            self.write(lambda db: db.execute("INSERT INTO notices (at, text) VALUES (?, ?)", (time.time(), text)))

    def _is_sound(self) -> bool:
        try:
            with contextlib.closing(self._connect()) as db:
                return version(db) == len(STEPS) and sound(db)
        except sqlite3.DatabaseError:
            return False


def _damage(error: Exception) -> bool:
    """Whether an error means that the file itself is no good, rather than busy, full or unreachable."""
    if isinstance(error, TooNew):
        return True
    text = str(error)
    return any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column"))


def _moved(error: Exception) -> bool:
    """Whether SQLite lost the file while it was opening it, as when another process sets it aside."""
    return "disk I/O error" in str(error)


def _explained(error: Exception, path: Path) -> UserError:
    text = str(error)
    if "full" in text or is_full(error):
        return UserError(f"The disk is full: {path} could not be written.", advice="Free some space and try again.")
    if "locked" in text or "busy" in text:
        return UserError(f"{path} is held by another program for more than {BUSY_SECONDS:g} seconds.",
                         advice="Close the program that has it open.")
    return UserError(f"{path} cannot be used: {text}.", advice="Check that the home folder can be read and written.")

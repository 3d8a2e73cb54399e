"""The schema as numbered steps, applied in order and never changed once released.

``PRAGMA user_version`` holds the number of the last step a file has seen; 0 is an empty file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, task TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL, owner TEXT NOT NULL,
        shared INTEGER NOT NULL, created REAL NOT NULL, started REAL, finished REAL, parents TEXT NOT NULL,
        words TEXT NOT NULL);
    CREATE INDEX runs_by_time ON runs (created DESC, id);
    CREATE INDEX runs_by_status ON runs (status);
    CREATE TABLE slots (
        name TEXT PRIMARY KEY, run TEXT NOT NULL, pid INTEGER NOT NULL, pid_started REAL NOT NULL);
    CREATE TABLE waiting (
        run TEXT PRIMARY KEY, kind TEXT NOT NULL, since REAL NOT NULL, pid INTEGER NOT NULL,
        pid_started REAL NOT NULL);
    """,
    """
    CREATE TABLE notices (id INTEGER PRIMARY KEY, at REAL NOT NULL, text TEXT NOT NULL);
    CREATE TABLE hashes (
        path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, sha256 TEXT NOT NULL);
    """,
)
TABLES = frozenset({"runs", "slots", "waiting", "notices", "hashes"})
"""Every table of the newest schema."""


class TooNew(Exception):
    """The file was made by a later version of the workbench."""


def migrate(db: sqlite3.Connection, fill: Callable[[sqlite3.Connection], None] | None = None,
            steps: tuple[str, ...] = STEPS) -> None:
    """Bring a database to the newest schema in one transaction; two processes may call this at once.

    ``fill(db)`` is called, in that transaction, when the file was empty. Raises :class:`TooNew`.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        seen = version(db)
        if seen > len(steps):
            raise TooNew(f"schema {seen}; this version knows {len(steps)}")
        for number in range(seen, len(steps)):
            for statement in filter(str.strip, steps[number].split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(steps)}")
        if seen == 0 and fill is not None:
            fill(db)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def version(db: sqlite3.Connection) -> int:
    """The number of the last step this file has seen."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def sound(db: sqlite3.Connection) -> bool:
    """Whether SQLite finds no damage and every table is there."""
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return names >= TABLES and db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"

"""The table of runs: find them, page through them, keep it in step with the directories."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.contract import Json
from workbench.runs import RUN_ID, Run, load_run, runs_folder
from workbench.store.database import Database

WORDS = 2000
"""Characters of title, task and request that a text search looks through (our default)."""
NOTICE_SECONDS = 86400.0
"""How long a notice is shown (our default)."""

_PUT = """INSERT OR REPLACE INTO runs
          (id, task, title, status, owner, shared, created, started, finished, parents, words)
          VALUES (:id, :task, :title, :status, :owner, :shared, :created, :started, :finished, :parents, :words)"""
_SEEN = "(:all OR owner = :visitor OR shared = 1)"
_GROUPS: Mapping[str, str] = {"": "1", "active": "status IN ('queued', 'running', 'paused')",
                              "ended": "status NOT IN ('queued', 'running', 'paused')"}


class Index:
    """The index of one home; cheap to make. Every method may raise ``UserError`` (disk full, file held)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = Database(home, self._fill)

    def refresh(self, path: Path) -> None:
        """Bring the row of one run in step with its directory; a directory that is gone loses its row.

        The directory is read inside the transaction, so the last of two writers leaves the newest state."""
        def work(db: sqlite3.Connection) -> None:
            if path.is_dir():
                db.execute(_PUT, _row(load_run(path)))
            else:
                db.execute("DELETE FROM runs WHERE id = ?", (path.name,))
        self.database.write(work)

    def reindex(self) -> int:
        """Throw every row of the runs table away and read all directories again; how many runs there are."""
        def work(db: sqlite3.Connection) -> int:
            db.execute("DELETE FROM runs")
            self._fill_runs(db)
            return int(db.execute("SELECT COUNT(*) FROM runs").fetchone()[0])
        return self.database.write(work)

    def sync(self) -> None:
        """Add directories without a row, drop rows without a directory, read unfinished runs again."""
        rows = {row["id"]: row["status"] for row in self.database.read(
            lambda db: db.execute("SELECT id, status FROM runs").fetchall())}
        folders = {path.name: path for path in _folders(self.home)}
        stale = [name for name in rows if name not in folders]
        fresh = [path for name, path in folders.items() if rows.get(name, "queued") in ("queued", "running", "paused")]
        if not stale and not fresh:
            return

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM runs WHERE id = ?", [(name,) for name in stale])
            db.executemany(_PUT, [_row(load_run(path)) for path in fresh])
        self.database.write(work)

    def find(self, visitor: str, *, everything: bool = False, task: str = "", status: str = "", text: str = "",
             limit: int = 50, offset: int = 0) -> tuple[list[str], int]:
        """Ids of the runs this visitor may see, newest first, and how many there are in all.

        ``status`` is a state, ``active`` or ``ended``; ``text`` is looked for in title, task, id and request."""
        where = [_SEEN, _GROUPS.get(status, "status = :status")]
        if task:
            where.append("(task = :task OR task LIKE :task_start ESCAPE '\\')")
        if text.strip():
            where.append("(words LIKE :text ESCAPE '\\' OR id LIKE :text ESCAPE '\\')")
        values = {"visitor": visitor, "all": everything, "task": task, "task_start": f"{_literal(task)}.%",
                  "status": status, "text": f"%{_literal(text.strip())}%", "limit": limit, "offset": offset}
        clause = " AND ".join(where)

        def work(db: sqlite3.Connection) -> tuple[list[str], int]:
            count = int(db.execute(f"SELECT COUNT(*) FROM runs WHERE {clause}", values).fetchone()[0])
            rows = db.execute(f"SELECT id FROM runs WHERE {clause} ORDER BY created DESC, id DESC "
                              "LIMIT :limit OFFSET :offset", values).fetchall()
            return [row["id"] for row in rows], count
        return self.database.read(work)

    def counts(self) -> dict[str, int]:
        """How many runs are in each state."""
        rows = self.database.read(
            lambda db: db.execute("SELECT status, COUNT(*) AS n FROM runs GROUP BY status").fetchall())
        return {row["status"]: row["n"] for row in rows}

    def active(self, owner: str | None = None) -> list[str]:
        """Ids of queued and running runs, oldest first; only those of one owner when given."""
        rows = self.database.read(lambda db: db.execute(
            "SELECT id FROM runs WHERE status IN ('queued', 'running') AND (:owner IS NULL OR owner = :owner) "
            "ORDER BY created, id", {"owner": owner}).fetchall())
        return [row["id"] for row in rows]

    def rows(self) -> list[dict[str, Json]]:
        """The whole table as plain rows, by id (for tests and ``doctor``)."""
        return [dict(row) for row in self.database.read(
            lambda db: db.execute("SELECT * FROM runs ORDER BY id").fetchall())]

    def owner(self, run_id: str) -> tuple[str, bool] | None:
        """Owner and sharing as last seen: what counts when ``state.json`` was damaged by hand."""
        row = self.database.read(
            lambda db: db.execute("SELECT owner, shared FROM runs WHERE id = ?", (run_id,)).fetchone())
        return None if row is None else (row["owner"], bool(row["shared"]))

    def notices(self) -> list[str]:
        """What happened to the index in the last day and a person should know."""
        since = time.time() - NOTICE_SECONDS
        return [row["text"] for row in self.database.read(
            lambda db: db.execute("SELECT text FROM notices WHERE at > ? ORDER BY id", (since,)).fetchall())]

    def hash_of(self, path: Path, size: int, modified: int) -> str | None:
        """The remembered sha256 of a file that has not changed since, by size and time of change (ns)."""
        row = self.database.read(lambda db: db.execute(
            "SELECT sha256 FROM hashes WHERE path = ? AND size = ? AND modified = ?",
            (_key(path), size, modified)).fetchone())
        return None if row is None else str(row["sha256"])

    def remember_hash(self, path: Path, size: int, modified: int, sha256: str) -> None:
        """Remember the sha256 of a file of this size and time of change (ns)."""
        self.database.write(lambda db: db.execute(
            "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", (_key(path), size, modified, sha256)))

    def _fill(self, db: sqlite3.Connection) -> None:
        self._fill_runs(db)
        for path in _folders(self.home):
            run = load_run(path)
            if run.status == "running" and run.pid and run.pid_started:
                db.executemany("INSERT OR IGNORE INTO slots VALUES (?, ?, ?, ?)",
                               [(name, run.id, run.pid, run.pid_started) for name in run.slots])

    def _fill_runs(self, db: sqlite3.Connection) -> None:
        db.executemany(_PUT, [_row(load_run(path)) for path in _folders(self.home)])


def _key(path: Path) -> str:
    """The path as text that a database can hold: a name on disk may be no valid UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _folders(home: Path) -> list[Path]:
    return sorted(path for path in runs_folder(home).iterdir() if RUN_ID.fullmatch(path.name) and path.is_dir())


def _row(run: Run) -> dict[str, Any]:
    words = f"{run.title} {run.task} {json.dumps(run.fields, ensure_ascii=False, default=str)}"
    return {"id": run.id, "task": run.task, "title": run.title, "status": run.status, "owner": run.owner,
            "shared": int(run.shared), "created": run.created, "started": run.started, "finished": run.finished,
            "parents": json.dumps(run.parents), "words": words[:WORDS].encode("utf-8", "replace").decode()}


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

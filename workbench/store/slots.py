"""Turns: which run holds which slot of the machine, and who waits in which order.

A slot is a name like ``cpu:0`` or ``gpu:1``. Looking and taking happen inside one ``BEGIN IMMEDIATE``, so two
processes cannot take one slot; a holder whose process is dead has lost its slot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.process import alive
from workbench.store.index import Index


@dataclass(frozen=True)
class Turn:
    """The answer to asking for a turn: the slots taken, or how many runs are before this one."""

    slots: tuple[str, ...]
    before: int


class Slots:
    """The slots of one home. ``pid``/``pid_started`` name the process that asks."""

    def __init__(self, index: Index) -> None:
        self._database = index.database

    def take(self, run_id: str, kind: str, names: Sequence[str], count: int, *, since: float, pid: int,
             pid_started: float) -> Turn:
        """Take ``count`` of the slots ``names`` when enough are free and nobody waited longer for this ``kind``."""
        def work(db: sqlite3.Connection) -> Turn:
            holders = _living(db, "slots", "name, run")
            mine = tuple(row["name"] for row in holders if row["run"] == run_id and row["pid"] == pid)
            if mine:
                return Turn(mine, 0)
            waiting = _living(db, "waiting", "run, kind, since")
            place = min([since, *(row["since"] for row in waiting if row["run"] == run_id)]), run_id
            queue = [row["run"] for row in waiting if row["kind"] == kind and (row["since"], row["run"]) < place]
            taken = {row["name"]: row["run"] for row in holders}
            free = [name for name in names if name not in taken]
            if queue or len(free) < count:
                if (run_id, pid) not in {(row["run"], row["pid"]) for row in waiting}:
                    db.execute("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?)",
                               (run_id, kind, since, pid, pid_started))
                holding = {taken[name] for name in names if name in taken}
                return Turn((), len(queue) + len(holding))
            db.execute("DELETE FROM waiting WHERE run = ?", (run_id,))
            db.executemany("INSERT INTO slots VALUES (?, ?, ?, ?)",
                           [(name, run_id, pid, pid_started) for name in free[:count]])
            return Turn(tuple(free[:count]), 0)
        return self._database.write(work)

    def release(self, run_id: str, pid: int) -> None:
        """Give up every slot that this process holds for a run, and its place in the queue."""
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM slots WHERE run = ? AND pid = ?", (run_id, pid))
            db.execute("DELETE FROM waiting WHERE run = ? AND pid = ?", (run_id, pid))
        self._database.write(work)

    def held(self) -> dict[str, str]:
        """Run by slot, dead holders included until somebody asks for a turn."""
        rows = self._database.read(lambda db: db.execute("SELECT name, run FROM slots ORDER BY name").fetchall())
        return {row["name"]: row["run"] for row in rows}


def _living(db: sqlite3.Connection, table: str, columns: str) -> list[sqlite3.Row]:
    rows = db.execute(f"SELECT {columns}, pid, pid_started, rowid AS place FROM {table}").fetchall()
    dead = [row["place"] for row in rows if not alive(row["pid"], row["pid_started"])]
    if dead:
        db.executemany(f"DELETE FROM {table} WHERE rowid = ?", [(place,) for place in dead])
    return [row for row in rows if row["place"] not in dead]

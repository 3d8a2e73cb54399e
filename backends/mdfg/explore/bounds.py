"""How much of the machine one opened corpus may take: memory and threads of DuckDB, searches at a time.

All figures are our defaults. Above its memory DuckDB writes to the corpus's scratch folder where it can; where it
cannot, the query ends and the reader is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from workbench.contract import UserError

MEMORY = "2GB"
THREADS = 4
SCANS = 2
"""Searches that look through the texts of one corpus at the same time."""
PATIENCE = 5.0
"""Seconds that a search waits for its turn."""


def config(scratch: str, memory: str = MEMORY) -> dict[str, Any]:
    """Settings of a DuckDB connection that keeps to the bounds and loads nothing from anywhere."""
    return {"memory_limit": memory, "threads": str(max(1, min(THREADS, os.cpu_count() or 1))),
            "temp_directory": scratch, "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false"}


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn what DuckDB raises when its memory does not do into a ``UserError``."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise UserError(f"This query needs more memory than one corpus may take ({MEMORY}): "
                        f"{str(error).splitlines()[0][:160]}.",
                        advice="Narrow the filter, search for something rarer, or look at a smaller run.") from error


class Turns:
    """At most ``room`` at a time; who comes then waits ``patience`` seconds for a place. Thread-safe."""

    def __init__(self, room: int = SCANS, patience: float = PATIENCE) -> None:
        self.room, self.patience, self._free = room, patience, threading.BoundedSemaphore(room)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one of the places; ``UserError`` when none becomes free in time."""
        if not self._free.acquire(timeout=self.patience):
            raise UserError(f"{self.room} searches already look through this corpus; more at a time are not allowed.",
                            advice="Wait until one of them is done, then search again.")
        try:
            yield
        finally:
            self._free.release()

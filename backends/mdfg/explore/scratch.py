"""Folders for what an opened corpus writes beside its run: held by a lock, removed with the corpus or, after its server
was killed, when the next one starts.

A lock of the file system ends with its process, however that ends, so a folder whose lock is free is nobody's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX, LOCK = "corpus-", "lock"
YOUNG = 60.0
"""A folder without a lock file may be one that is being made; it is left alone for so many seconds (our default)."""


class Scratch:
    """A folder of its own in ``parent`` (the system's place for temporary files if ``None``), readable by this user
    only, until :meth:`remove`."""

    def __init__(self, parent: Path | None = None) -> None:
        if parent is not None:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder; a second time does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def tidy(parent: Path, young: float = YOUNG) -> int:
    """Remove the folders of :class:`Scratch` in ``parent`` that no process holds; how many those were."""
    return sum(_removed(folder, young) for folder in sorted(parent.glob(f"{PREFIX}*")))


def _removed(folder: Path, young: float) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        lock = -1
    try:
        if lock >= 0:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif time.time() - folder.stat().st_mtime < young:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    except OSError:  # somebody works in it, or removed it just now
        return False
    finally:
        if lock >= 0:
            os.close(lock)

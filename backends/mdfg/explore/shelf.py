"""The corpora that are open: the last few that somebody looked at, each opened once and again when its files changed.

A corpus that leaves the shelf is not closed under the feet of who still reads it: it ends with its last reader.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.scratch import tidy

FILES = ("attributes.parquet", "recipe.yaml")
Stamp = tuple[tuple[int, int], ...]
Key = tuple[Path, Path | None]


class Shelf:
    """Corpora by the folder of their run (and of their index). Thread-safe; ``room`` is how many stay open.

    What they write while they are open lies in ``scratch`` (``None``: where the system has temporary files); what a
    killed server left there is removed."""

    def __init__(self, room: int = 3, opener: Callable[[Path, Path | None], Corpus] | None = None,
                 scratch: Path | None = None) -> None:
        self.room, self._open = room, opener or partial(Corpus.open, scratch=scratch)
        if scratch is not None:
            tidy(scratch)
        self._held: OrderedDict[Key, tuple[Stamp, Corpus]] = OrderedDict()
        self._lock = threading.Lock()
        self._opening: dict[Key, threading.Lock] = {}

    def get(self, run: Path, index: Path | None = None) -> Corpus:
        """The corpus of a run; two who ask at once open it once. Raises ``UserError`` as :meth:`Corpus.open` does."""
        key = (run, index)
        with self._lock:
            turn = self._opening.setdefault(key, threading.Lock())
        with turn:
            stamp = _stamp(run)
            with self._lock:
                held = self._held.get(key)
                if held is not None and held[0] == stamp:
                    self._held.move_to_end(key)
                    return held[1]
            corpus = self._open(run, index)
            with self._lock:
                self._held[key] = (stamp, corpus)
                self._held.move_to_end(key)
                while len(self._held) > self.room:
                    gone, _ = self._held.popitem(last=False)
                    self._opening.pop(gone, None)
            return corpus

    def __len__(self) -> int:
        return len(self._held)

    def forget(self, run: Path) -> None:
        """Leave a run that was deleted."""
        with self._lock:
            for key in [key for key in self._held if key[0] == run]:
                del self._held[key]


def _stamp(run: Path) -> Stamp:
    """Size and time of the files that a corpus is made of; changes when they do."""
    found = []
    for name in FILES:
        path = run / "artifacts" / name
        stat = path.stat() if path.is_file() else None
        found.append((stat.st_size, stat.st_mtime_ns) if stat else (0, 0))
    return tuple(found)

"""Both ways to a reply at once, each in a thread; who waits for them hears their news and may stop them.

Neither way waits for the other: the transcript need not be there for the reply that hears, and its time is not added
to the other's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from workbench.contract import Json, UserError

LOOK = 0.05
"""Seconds between two looks at what else happened (our default)."""
JOIN = 2.0
"""Longest time a way may take to notice that nobody waits for it; a process is not held up by more."""
News = Callable[[str, Json], None]


class Halted(Exception):
    """Raised inside a way that was stopped."""


class Way:
    """What a way gets: :meth:`say` tells news, :meth:`halt` raises once it was stopped, :meth:`give_up` only once
    nobody waits any more."""

    def __init__(self, name: str, news: queue.SimpleQueue[tuple[str, str, Any]], stopped: threading.Event,
                 left: threading.Event) -> None:
        self.name, self._news, self._stopped, self._left = name, news, stopped, left

    def say(self, what: str, value: Json) -> None:
        """Tell whoever waits."""
        self._news.put((self.name, what, value))

    def halt(self) -> None:
        """Raise :class:`Halted` when the work is to end; call it often."""
        if self._stopped.is_set():
            raise Halted

    def give_up(self) -> None:
        """For work that is wanted even after a stop, such as a transcript: raise when the result has no taker."""
        if self._left.is_set():
            raise Halted


def race(ways: Mapping[str, Callable[[Way], Json]], news: Callable[[str, str, Json], None],
         look: Callable[[], bool]) -> tuple[dict[str, Json], dict[str, UserError]]:
    """Run all ways to their end. ``news(way, what, value)`` and ``look()`` are called in this thread, the latter at
    least every 50 ms: it ends all ways by true (their own results still count) or by raising.

    Returns results and, of ways that failed, their ``UserError``. Other errors are raised here."""
    stopped, left, told = threading.Event(), threading.Event(), queue.SimpleQueue[tuple[str, str, Any]]()
    threads = [threading.Thread(target=_run, args=(Way(name, told, stopped, left), work, told), daemon=True)
               for name, work in ways.items()]
    results: dict[str, Json] = {}
    failed: dict[str, UserError] = {}
    for thread in threads:
        thread.start()
    try:
        while len(results) + len(failed) < len(ways):
            if not stopped.is_set() and look():
                stopped.set()
            try:
                name, what, value = told.get(timeout=LOOK)
            except queue.Empty:
                continue
            if what == "done":
                results[name] = value
            elif what == "failed":
                if not isinstance(value, UserError):
                    raise value
                failed[name] = value
            else:
                news(name, what, value)
    finally:
        stopped.set()
        left.set()
        for thread in threads:
            thread.join(timeout=JOIN)
    return results, failed


def _run(way: Way, work: Callable[[Way], Json], told: queue.SimpleQueue[tuple[str, str, Any]]) -> None:
    try:
        told.put((way.name, "done", work(way)))
    except Halted:
        told.put((way.name, "done", None))
    except BaseException as error:  # raised again where it is waited for
        told.put((way.name, "failed", error))

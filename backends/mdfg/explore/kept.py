"""The last few of something that costs time to make: made once, however many threads ask, the oldest given up."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most ``room`` values by key. Of two threads that ask for the same one the second waits for the first; who
    asks for another one does not. ``give_up`` is called with a value that is left, after ``grace`` more were."""

    def __init__(self, room: int, give_up: Callable[[T], None] | None = None, grace: int = 16) -> None:
        self.room, self._give_up, self._grace = room, give_up, grace
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._left: list[T] = []
        self._turns: dict[Hashable, tuple[threading.Lock, int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; ``make`` makes it where there is none. What ``make`` raises is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            turn, waiting = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = turn, waiting + 1
        try:
            with turn:
                return self._made(key, make)
        finally:
            with self._lock:
                turn, waiting = self._turns.pop(key)
                if waiting > 1:
                    self._turns[key] = turn, waiting - 1

    def _made(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self.room:
                self._left.append(self._values.popitem(last=False)[1])
            gone, self._left = self._left[:-self._grace or None], self._left[-self._grace:] if self._grace else []
        for one in gone:
            if self._give_up is not None:
                self._give_up(one)
        return value

"""A stand-in for a model, loaded by the real resident process: it counts, sleeps, fails and holds memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.contract import UserError


class Parrot:
    """The interface of an engine: requests are generators that are advanced in turn."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})
        self._work: dict[str, Iterator[Any]] = {}
        self._dropped = 0
        self._held: list[bytes] = []

    @property
    def busy(self) -> bool:
        return bool(self._work)

    def submit(self, request: str, operation: str, payload: Mapping[str, Any]) -> None:
        self._work[request] = getattr(self, operation)(**payload)

    def cancel(self, request: str) -> None:
        self._dropped += self._work.pop(request, None) is not None

    def step(self) -> list[tuple[str, Any]]:
        events = []
        for request, work in list(self._work.items()):
            try:
                event = next(work)
            except UserError as error:
                event = {"error": error.message, "advice": error.advice}
            if event:
                events.append((request, event))
                if "delta" not in event:
                    del self._work[request]
        time.sleep(0.005)
        return events

    def pid(self, **_: Any) -> Iterator[Any]:
        yield {"result": os.getpid()}

    def echo(self, text: str) -> Iterator[Any]:
        yield {"result": text}

    def resource(self, reference: str) -> Iterator[Any]:
        yield {"result": str(self._options["resource"](reference))}

    def dropped(self) -> Iterator[Any]:
        yield {"result": self._dropped}

    def count(self, to: int, pause: float) -> Iterator[Any]:
        for number in range(to):
            yield {"delta": [0, str(number)]}
            until = time.monotonic() + pause
            while time.monotonic() < until:
                yield None
        yield {"result": to}

    def sleep(self, seconds: float) -> Iterator[Any]:
        time.sleep(seconds)
        yield {"result": None}

    def hold(self, megabytes: int) -> Iterator[Any]:
        self._held.append(b"x" * (megabytes * 1_000_000))
        yield {"result": os.getpid()}

    def refuse(self) -> Iterator[Any]:
        raise UserError("The parrot cannot say that.", advice="Say something else.")
        yield

    def crash(self) -> Iterator[Any]:
        raise RuntimeError("a fault in the program")
        yield

    def memory(self) -> Iterator[Any]:
        raise MemoryError
        yield


def load(path: str, options: Mapping[str, Any]) -> Parrot:
    if Path(path, "broken").exists():
        raise UserError("The parrot is dead.", advice="Take another one.")
    if Path(path, "slow").exists():
        time.sleep(0.8)
    return Parrot(options)

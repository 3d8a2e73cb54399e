"""Serving a model that is not a language model: named operations, and all requests go on in turn.

An operation is a function of its payload that returns its result, or a generator that yields ``{"delta": ...}`` events
(``None``: a piece of work is done that nobody needs to hear of) and returns it. One step advances every request by one
piece, so a long answer to one visitor does not hold up another one. The resident process (:mod:`workbench.resident`)
drives a :class:`Desk`; :class:`LocalLine` does the same for one caller in the same process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from workbench.contract import Json, UserError

Work = Generator[Json, None, Json]
Operation = Callable[[Mapping[str, Json]], Json]
"""From a payload to a result, or to :data:`Work` that ends in one."""
Event = tuple[str, Json]
"""(request id, event): ``{"delta": ...}``, ``{"result": ...}`` or ``{"error": text, "advice": text}``."""


class Desk:
    """Takes requests for named operations. Not thread-safe: one thread calls it."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = dict(operations)
        self._work: dict[str, Work] = {}

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._work)

    def submit(self, request: str, operation: str, payload: Mapping[str, Json]) -> None:
        """Take a request; what is wrong with it comes back as its error event."""
        self._work[request] = self._begun(operation, payload)

    def cancel(self, request: str) -> None:
        """Drop a request; unknown ones are no error (it may just have ended)."""
        work = self._work.pop(request, None)
        if work is not None:
            work.close()

    def step(self) -> Sequence[Event]:
        """One piece of work of every request; what happened. Errors that are nobody's request end the process."""
        events: list[Event] = []
        for request, work in list(self._work.items()):
            try:
                event = next(work)
            except StopIteration as ended:
                event = {"result": ended.value}
            except UserError as error:
                event = {"error": error.message, "advice": error.advice}
            if event is not None:
                events.append((request, event))
                if "delta" not in event:
                    del self._work[request]
        return events

    def _begun(self, operation: str, payload: Mapping[str, Json]) -> Work:
        if operation not in self._operations:
            raise UserError(f"This model cannot {operation!r}; it can {', '.join(self._operations)}.")
        answer = self._operations[operation](payload)
        return (yield from answer) if isinstance(answer, Generator) else answer


class LocalLine:
    """A :class:`~workbench.contract.Model` over a desk in this process, for benchmarks and tests."""

    def __init__(self, desk: Desk, card: Mapping[str, Json] | None = None) -> None:
        self.desk, self.card = desk, dict(card or {})
        self._count = 0

    def ask(self, operation: str, payload: Json) -> Iterator[Json]:
        """Events as the resident process sends them; closing the iterator cancels."""
        self._count += 1
        request = str(self._count)
        self.desk.submit(request, operation, payload)
        try:
            while True:
                for name, event in self.desk.step():
                    if name == request and "error" in event:
                        raise UserError(event["error"], advice=event.get("advice", ""))
                    if name == request:
                        yield event
                        if "result" in event:
                            return
        finally:
            self.desk.cancel(request)

    def close(self) -> None:
        """The desk stays open."""


def result_of(events: Iterator[Json], hear: Callable[[Json], None] | None = None) -> Json:
    """The result at the end of a line's events; ``hear`` gets every event before it and may end the work by raising.

    Raises ``UserError`` where the line ends without a result."""
    try:
        for event in events:
            if "result" in event:
                return event["result"]
            if hear is not None:
                hear(event)
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
    raise UserError("The model process ended without an answer.", advice="Try once more.")

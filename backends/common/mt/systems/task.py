"""The task ``common.translate.v1``: several systems on one text at once, each event as it comes, everything kept.

Events are ``{"systems": [..], "lines": n}`` first, then for each system ``{"system", "state"}``,
``{"system", "line", "delta"}`` while a line is written, ``{"system", "line", "text", "tokens", "seconds"}`` when it is
done, ``{"system", "line", "error"}`` for a line and ``{"system", "error": {"cause", "advice"}}`` for a system that
fails while the others go on; at last ``{"done": SystemsResult}``.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.common.mt.reading import decoded
from backends.common.mt.systems.apertium import Apertium, program
from backends.common.mt.systems.board import BOARD, Board, Column
from backends.common.mt.systems.causal import Causal
from backends.common.mt.systems.child import Local, System
from backends.common.mt.systems.kinds import APERTIUM, KINDS, WORDS_COUNTED, Named, folder_of, kind_of, named
from backends.common.mt.systems.lines import Line, problem, split, wanted
from backends.common.mt.systems.requests import SystemOutcome, SystemsRequest, SystemsResult
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json
from workbench.files import write_json, write_text

LOOK = 0.1
"""Seconds between two looks at a cancel."""
SAVE, SHARE = 1.0, 20.0
"""Seconds between two writes of the whole board, and how many times as long as a write it rests."""


def run(request: SystemsRequest, context: Context) -> Iterator[Json]:
    """Translate as asked. Raises ``UserError`` for no text, and when no system could translate anything."""
    began = time.monotonic()
    rows = rows_of(request, context)
    systems = named(request.systems)
    board = Board([(one.name, one.reference) for one in systems], rows)
    keeper = Keeper(board, context)
    keeper.begin(request)
    yield {"systems": [to_json(one) for one in systems], "lines": len(rows)}
    lines, done = wanted(rows), 0
    crew = Crew(request, context, systems, lines)
    try:
        for event in crew.events():
            board.take(event, round(time.monotonic() - began, 3))
            keeper.look()
            done += "text" in event
            context.report(done, len(systems) * len(lines), "translating")
            if event:
                yield event
    finally:
        crew.close()
        keeper.end(systems)
    outcomes = tuple(outcome(board.columns[one.name]) for one in systems)
    if all(one.error for one in outcomes):
        raise UserError(f"No system could translate. {outcomes[0].name}: {outcomes[0].error['cause']}",
                        advice=outcomes[0].error["advice"])
    yield {"done": to_json(SystemsResult(outcomes, len(rows), round(time.monotonic() - began, 3)))}


def rows_of(request: SystemsRequest, context: Context) -> list[str]:
    """The lines of the text. Raises ``UserError`` where there is nothing to translate."""
    text = request.text
    if request.file:
        path = Path(context.resource(request.file))
        try:
            text, _ = decoded(path.name, path.read_bytes())
        except OSError as error:
            raise UserError(f"{request.file} cannot be read: {error.strerror}.", advice="Name a text file.") from error
    rows = split(text)
    if not wanted(rows):
        raise UserError("There is no text to translate.", advice="Write one segment a line.")
    return rows


class Keeper:
    """Writes the board into the run, seldom enough to cost little."""

    def __init__(self, board: Board, context: Context) -> None:
        self._board, self._context, self._next, self._next_news = board, context, 0.0, 0.0
        self._folder = context.run / "artifacts"

    def begin(self, request: SystemsRequest) -> None:
        """Keep the source, the reference if there is one, and the empty board."""
        self._text("source.txt", self._board.rows)
        given = split(request.reference)
        if any(given):
            self._text("reference.txt", given)
        self._save()

    def look(self) -> None:
        """Save when it is time; say live what has changed since."""
        now = time.monotonic()
        if now >= self._next:
            self._save()
        if now >= self._next_news:
            self._next_news = now + LOOK
            self._context.live(self._board.news())

    def end(self, systems: Sequence[Named]) -> None:
        """The last state of everything, and a file of translations for each system that has any."""
        for column in self._board.columns.values():
            column.state = column.state if column.state in ("done", "failed") else "stopped"
        for one in systems:
            lines = self._board.output(one.name)
            if any(lines):
                self._text(one.file, lines)
        self._save()

    def _save(self) -> None:
        began = time.monotonic()
        write_json(self._folder / BOARD, self._board.whole(), durable=False)
        self._context.artifact(BOARD, self._folder / BOARD, "translations")
        self._board.saved()
        took = time.monotonic() - began
        self._next = time.monotonic() + max(SAVE, SHARE * took)

    def _text(self, name: str, lines: Sequence[str]) -> None:
        write_text(self._folder / name, "\n".join(lines) + "\n", durable=False)
        self._context.artifact(name, self._folder / name, "text")


class Crew:
    """A thread for each system, of which ``at_once`` work at a time; their events come out of one queue."""

    def __init__(self, request: SystemsRequest, context: Context, systems: Sequence[Named],
                 lines: Sequence[Line]) -> None:
        self._request, self._context, self._lines = request, context, lines
        self._queue: queue.SimpleQueue[dict[str, Json] | None] = queue.SimpleQueue()
        self._gate, self._stop, self._lock = threading.Semaphore(request.at_once), threading.Event(), threading.Lock()
        self._open: list[System] = []
        self._threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in systems]
        self._threads_each = threads_for(context, min(request.at_once, len(systems)))

    def events(self) -> Iterator[dict[str, Json]]:
        """Events as they come; an empty one at least every :data:`LOOK` seconds, to look around."""
        for thread in self._threads:
            thread.start()
        left = len(self._threads)
        while left:
            try:
                event = self._queue.get(timeout=LOOK)
            except queue.Empty:
                yield {}
                continue
            left -= event is None
            yield event or {}

    def _work(self, one: Named) -> None:
        def say(event: dict[str, Json]) -> None:
            self._queue.put({"system": one.name, **event})
        try:
            check(one.reference, self._context)
            with self._gate:
                if not self._stop.is_set():
                    say({"state": "loading"})
                    system = self._opened(one.reference, say)
                    system.translate(self._lines, say)
                    say({"state": "done"})
        except BaseException as error:  # one system that fails must not end the others
            if not self._stop.is_set():
                say({"error": problem(error)})
        finally:
            self._queue.put(None)

    def _opened(self, reference: str, say: object) -> System:
        folder = folder_of(reference, self._context)
        kind = kind_of(reference, folder)
        assert callable(say)
        say({"kind": kind})
        system: System
        if kind == "apertium":
            system = Apertium(reference.partition(":")[2].strip(), self._request.source, self._request.target)
        elif kind == "causal":
            system = Causal(self._context, reference, self._request)
        else:
            assert folder is not None
            system = Local(KINDS[kind], folder, {
                "source": self._request.source, "target": self._request.target, "longest": self._request.longest,
                "beams": self._request.beams, "threads": self._threads_each, "device": self._context.device})
        with self._lock:
            self._open.append(system)
        if self._stop.is_set():
            system.close()
        return system

    def close(self) -> None:
        """End what still works and wait a moment for it."""
        self._stop.set()
        with self._lock:
            still = list(self._open)
        for system in still:
            system.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=2.0)


def check(reference: str, context: Context) -> None:
    """Raise at once, before a system's turn comes, for a model that is not here, a folder of another kind, or a program
    that is not installed. What would have to be fetched first waits for its turn."""
    head = reference.partition(":")[0]
    if head == APERTIUM:
        program()
    elif head in ("path", "run", "bundled"):
        kind_of(reference, folder_of(reference, context))


def threads_for(context: Context, together: int) -> int:
    """Threads of one local model: those of the settings, else half the cores shared by those that work together. (On
    two busy cores a second thread made the practice model 50 times slower: threads spin while they wait.)"""
    chosen = int(getattr(getattr(context, "settings", None), "threads", 0) or 0)
    return chosen or max(1, (os.cpu_count() or 1) // 2 // together)


def outcome(column: Column) -> SystemOutcome:
    """The figures of a system that has ended."""
    began = column.began
    seconds, first = (0.0 if began is None or at is None else max(0.0, at - began)
                      for at in (column.ended, column.first))
    return SystemOutcome(column.name, column.reference, column.kind, column.count("done"), column.count("error"),
                         column.count("cut"), column.tokens, "words" if column.kind in WORDS_COUNTED else "tokens",
                         round(seconds, 3), round(first, 3),
                         round(column.tokens / max(column.writing, 1e-3), 1), column.error)

"""Worker processes over shards: each opens the stage once and takes one shard after another.

Processes are started anew (``spawn``), so no lock or thread of the parent is copied into them. A worker that dies is an
error with its signal, never a silent wait; workers of a parent that dies end at their next message.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from backends.mdfg.readers.plan import Shard
from backends.mdfg.stage import Done, Stage, Work, finished
from workbench.contract import UserError

PAUSE = 0.2
"""Seconds between two looks at the workers: how fast a cancel is noticed."""
Progress = Callable[[int], None]
"""Called with the documents of unfinished shards so far; may raise to end the work."""


def run(work: Work, shards: Sequence[Shard], workers: int, progress: Progress) -> Iterator[Done]:
    """Work on shards and give back what became of each, as they end; finished ones are not worked on again."""
    left = []
    for shard in shards:
        done = finished(work, shard.index)
        if done is None:
            left.append(shard)
        else:
            yield done
    if not left:
        return
    if min(workers, len(left)) == 1:
        stage = Stage(work)
        for shard in left:
            yield stage.run(shard, progress)
    else:
        yield from _pooled(work, left, min(workers, len(left)), progress)


def _pooled(work: Work, shards: Sequence[Shard], workers: int, progress: Progress) -> Iterator[Done]:
    spawn = multiprocessing.get_context("spawn")
    processes: dict[Connection, BaseProcess] = {}
    process: BaseProcess
    waiting, running = iter(shards), dict[Connection, int]()
    try:
        for _ in range(workers):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs, work), daemon=True)
            process.start()
            theirs.close()
            processes[ours] = process
            running[ours] = 0
            ours.send(next(waiting))
        while running:
            progress(sum(running.values()))
            for ready in wait(list(running), timeout=PAUSE):
                yield from _heard(ready, processes, running, waiting)  # type: ignore[arg-type]
    finally:
        for connection, process in processes.items():
            connection.close()
            process.terminate()
        for process in processes.values():
            process.join(5)


def _heard(line: Connection, processes: dict[Connection, BaseProcess], running: dict[Connection, int],
           waiting: Iterator[Shard]) -> Iterable[Done]:
    try:
        kind, value = line.recv()
    except (EOFError, ConnectionResetError):
        processes[line].join(5)
        raise _died(processes[line].exitcode) from None
    if kind == "documents":
        running[line] = value
        return ()
    if kind == "error":
        raise value
    running[line] = 0
    shard = next(waiting, None)
    if shard is None:
        del running[line]
        line.send(None)
    else:
        line.send(shard)
    return (value,)


def _died(code: int | None) -> UserError:
    name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return UserError(f"A worker process ended by itself ({name}).",
                     advice="If the machine ran out of memory, use fewer workers. What was finished is kept: continue "
                            "the run.")


def _serve(line: Connection, work: Work) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    try:
        stage = Stage(work)
        while (shard := line.recv()) is not None:
            line.send(("done", stage.run(shard, lambda documents: line.send(("documents", documents)))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # any failure belongs to the parent, which shows it
        line.send(("error", _portable(error)))


def _portable(error: Exception) -> Any:
    """The error itself where it is one for people, else its words: not every exception survives a pipe."""
    if isinstance(error, UserError):
        return UserError(error.message, advice=error.advice)
    return RuntimeError(f"{type(error).__name__}: {error}")

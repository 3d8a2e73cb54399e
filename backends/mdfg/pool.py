"""Worker processes over shards: each opens the stage once and takes one shard after another.

A worker is a program of its own (``python -m backends.mdfg.pool``) that talks through a pair of sockets, so no lock or
thread of the parent is copied into it and the parent's main module is not run again. A worker that dies is an error
with its signal, never a silent wait; workers of a parent that dies end at their next message.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from backends.mdfg.readers.plan import Shard
from backends.mdfg.stage import Done, Stage, Work, finished
from workbench.contract import UserError

PAUSE = 0.2
"""Seconds between two looks at the workers: how fast a cancel is noticed."""
ROOT = Path(__file__).resolve().parents[2]
Progress = Callable[[int], None]
"""Called with the documents of unfinished shards so far; may raise to end the work."""
Worker = subprocess.Popen[bytes]


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
    processes: dict[Connection, Worker] = {}
    waiting, running = iter(shards), dict[Connection, int]()
    try:
        for _ in range(workers):
            line, process = _started()
            processes[line], running[line] = process, 0
            line.send(work)
            line.send(next(waiting))
        while running:
            progress(sum(running.values()))
            for ready in wait(list(running), timeout=PAUSE):
                yield from _heard(ready, processes, running, waiting)  # type: ignore[arg-type]
    finally:
        for line, process in processes.items():
            line.close()
            process.kill()
        for process in processes.values():
            process.wait()


def _started() -> tuple[Connection, Worker]:
    ours, theirs = Pipe()
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    number = theirs.fileno()
    process = subprocess.Popen([sys.executable, "-m", __name__, str(number)], pass_fds=(number,),
                               stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    theirs.close()
    return ours, process


def _heard(line: Connection, processes: dict[Connection, Worker], running: dict[Connection, int],
           waiting: Iterator[Shard]) -> Iterable[Done]:
    try:
        kind, value = line.recv()
    except (EOFError, ConnectionResetError):
        raise _died(processes[line].wait()) from None
    if kind == "documents":
        running[line] = value
        return ()
    if kind == "error":
        raise value
    running[line] = 0
    shard = next(waiting, None)
    line.send(shard)
    if shard is None:
        del running[line]
    return (value,)


def _died(code: int) -> UserError:
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return UserError(f"A worker process ended by itself ({name}).",
                     advice="If the machine ran out of memory, use fewer workers. What was finished is kept: continue "
                            "the run.")


def serve(line: Connection) -> None:
    """A worker's life: the work, then one shard after another until there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    try:
        stage = Stage(line.recv())
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


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))

"""Waiting for a turn: which slots a task needs on this machine, and the wait until they are free."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from workbench import registry
from workbench.contract import MissingResource, Needs, UserError
from workbench.machine import gpus
from workbench.process import started
from workbench.runs import Run, read_state
from workbench.settings import Settings
from workbench.store import Index, Slots

POLL_SECONDS = 0.25
"""How often a waiting run asks again (our default)."""


@dataclass(frozen=True)
class Wanted:
    """``count`` slots out of ``names``, all of one ``kind``."""

    kind: str
    names: tuple[str, ...]
    count: int


def wanted(needs: Needs, settings: Settings, processes: int) -> Wanted | None:
    """What a task must hold here; ``None`` when nothing. Without an accelerator, ``gpu`` means ``cpu``.

    A distributed run holds one ``gpu`` slot a process (at most all there are), or one ``cpu`` slot.
    """
    if not needs.slots:
        return None
    found = gpus(settings) if "gpu" in needs.slots else ()
    if "gpu" in needs.slots and not found and settings.device.startswith("cuda"):
        raise MissingResource(f"device is {settings.device}, but there is no such accelerator on this machine.",
                              advice="Set device to auto or cpu.")
    if found:
        return Wanted("gpu", tuple(f"gpu:{index}" for index in found), min(processes, len(found)))
    return Wanted("cpu", tuple(f"cpu:{index}" for index in range(max(1, settings.slots_cpu))), 1)


def accelerators(run: Run, settings: Settings) -> int:
    """How many accelerators a run's processes will have: 0 means that they run on the processor."""
    try:
        want = wanted(registry.task(run.task).needs.of(run.fields), settings, run.processes)
    except UserError:  # the worker will say the same, in the run
        return 0
    return want.count if want is not None and want.kind == "gpu" else 0


def wait(index: Index, run: Run, want: Wanted, check: Callable[[], None],
         say: Callable[[str], None]) -> tuple[str, ...]:
    """Wait until the slots are ours and return them. ``check`` may raise to give up; the place is then free again."""
    slots, pid = Slots(index), os.getpid()
    since = float(read_state(run.path).get("queued") or run.created)
    told = -1
    try:
        while True:
            check()
            turn = slots.take(run.id, want.kind, want.names, want.count, since=since, pid=pid,
                              pid_started=started(pid) or 0.0)
            if turn.slots:
                return turn.slots
            if turn.before != told:
                told = turn.before
                say(f"Waiting for its turn: {told} run{'s' if told != 1 else ''} before it.")
            time.sleep(POLL_SECONDS)
    except BaseException:
        slots.release(run.id, pid)
        raise


def device_for(slots: tuple[str, ...], rank: int = 0) -> str:
    """The device of a process that holds these slots; with several accelerators, each rank has its own.

    Call :func:`restrict` first: the numbers are those that the process sees.
    """
    count = sum(name.startswith("gpu:") for name in slots)
    return f"cuda:{rank % count}" if count else "cpu"


def restrict(slots: tuple[str, ...]) -> None:
    """Let this process, which has not imported torch yet, see only the accelerators it holds."""
    held = [name.partition(":")[2] for name in slots if name.startswith("gpu:")]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(held)

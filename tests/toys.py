"""Toy tasks that behave well and badly on purpose; offered through ``WORKBENCH_PLUGINS=tests.toys``.

Standard library at the top: only the toy that trains imports torch, and only when it runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from workbench.contract import Context, Knob, MissingResource, Needs, Task, UserError
from workbench.fields import validate
from workbench.files import read_json, write_json

FREE = Needs(slots=())
"""For toys that must start at once, whatever else runs."""


@dataclass(frozen=True)
class CountRequest:
    """Count to ``steps``, with a curve and a checkpoint at every step."""

    steps: Annotated[int, Knob("How far to count.", low=1, high=1_000_000)] = 10
    delay: Annotated[float, Knob("Seconds a step takes.", low=0.0, high=60.0)] = 0.0
    seed: Annotated[int, Knob("Seed of the curve's noise.", low=0)] = 0
    note: Annotated[str, Knob("Any text.", high=10_000, widget="text")] = ""

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class CountResult:
    """``total`` is the sum of the noise, the same for the same seed; ``resumed_at`` the step it went on from."""

    counted: int
    total: float
    resumed_at: int
    device: str


def count(request: CountRequest, context: Context) -> CountResult:
    """Resumable: the checkpoint holds the step and the sum, the noise of step i depends on seed and i only."""
    checkpoint = context.run / "checkpoints" / "count.json"
    state = read_json(checkpoint, {"step": 0, "total": 0.0})
    first = int(state["step"])
    total = float(state["total"])
    for step in range(first + 1, request.steps + 1):
        total += context.generator(request.seed * 1_000_003 + step).random()
        if request.delay:
            time.sleep(request.delay)
        write_json(checkpoint, {"step": step, "total": total}, durable=False)
        context.metric(step, loss=1.0 / step, total=total)
        context.live({"step": step})
        context.report(step, request.steps, f"counted {step}")
    product = context.run / "artifacts" / "count.json"
    write_json(product, {"counted": request.steps, "total": total})
    context.artifact("count.json", product, "json")
    return CountResult(request.steps, total, first, context.device)


FailKind = Literal["bug", "user error", "missing resource", "out of memory", "bad data", "disk full",
                   "missing package", "connection", "exit", "segfault", "killed"]


@dataclass(frozen=True)
class FailRequest:
    """Fail in a chosen way."""

    how: Annotated[FailKind, Knob("The way to fail.")] = "bug"

    def __post_init__(self) -> None:
        validate(self)


def fail(request: FailRequest, context: Context) -> None:
    """Raise, exit or die as asked."""
    context.report(0, 1, "about to fail")
    if request.how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request.how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if request.how == "exit":
        sys.exit(3)
    if request.how == "bad data":
        json.loads("{not json")
    if request.how == "missing package":
        import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401
    raise {"user error": UserError("beta is 3; it must lie between 0.01 and 1.", advice="Choose a smaller beta."),
           "missing resource": MissingResource("The model x is not here.", advice="python3 launch.py models --get x"),
           "out of memory": MemoryError(), "disk full": OSError(28, "No space left on device"),
           "connection": ConnectionRefusedError(111, "Connection refused"),
           }.get(request.how, ValueError("a toy went wrong"))


@dataclass(frozen=True)
class StubbornRequest:
    """Sleep without ever reporting, deaf to SIGTERM, with children of its own."""

    seconds: float = 600.0
    children: int = 0
    deaf: bool = True


@dataclass(frozen=True)
class Nothing:
    """No result to speak of."""

    done: bool = True


def stubborn(request: StubbornRequest, context: Context) -> Nothing:
    """The worst task for a cancel: no report, SIGTERM ignored, a child in a session of its own."""
    if request.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep({request.seconds})"
    for _ in range(request.children):
        subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    context.report(0, 1, f"pid {os.getpid()}")
    end = time.monotonic() + request.seconds
    while time.monotonic() < end:
        time.sleep(0.05)
    return Nothing()


@dataclass(frozen=True)
class ChattyRequest:
    """Write this many kB to stderr and stdout: far more than a pipe holds."""

    kilobytes: int = 1000


def chatty(request: ChattyRequest, context: Context) -> Nothing:
    """Blocks for good if its output goes to a pipe that nobody reads."""
    for _ in range(request.kilobytes):
        sys.stderr.write("e" * 511 + "\n")
        sys.stdout.write("o" * 511 + "\n")
    context.report(1, 1, "said everything")
    return Nothing()


@dataclass(frozen=True)
class StreamRequest:
    """Stream ``count`` events, then perhaps fail."""

    count: Annotated[int, Knob("Events.", low=0, high=1_000_000)] = 5
    delay: Annotated[float, Knob("Seconds between events.", low=0.0, high=60.0)] = 0.0
    fail: bool = False
    child: bool = False

    def __post_init__(self) -> None:
        validate(self)


def stream(request: StreamRequest, context: Context) -> Iterator[dict[str, int]]:
    """Yield numbers; the first event also tells the process ids, so that a test can see them end."""
    print("a task may print without breaking the stream")
    pid = subprocess.Popen(["sleep", "600"]).pid if request.child else 0
    for index in range(request.count):
        context.check() if hasattr(context, "check") else None
        yield {"index": index, "pid": os.getpid(), "child": pid}
        time.sleep(request.delay)
    if request.fail:
        raise UserError("The stream was asked to fail.", advice="Do not ask.")


@dataclass(frozen=True)
class AddRequest:
    """Two numbers; they have no defaults."""

    a: Annotated[float, Knob("First.")]
    b: Annotated[float, Knob("Second.")]

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class AddResult:
    """Their sum."""

    total: float


def add(request: AddRequest, context: Context) -> AddResult:
    """A call: quick, no progress."""
    return AddResult(request.a + request.b)


@dataclass(frozen=True)
class TalkRequest:
    """Wait for ``turns`` commands ``{"do": "say", "text": ...}``."""

    turns: int = 2
    linger: float = 0.0


@dataclass(frozen=True)
class TalkResult:
    """What was said, in order."""

    said: tuple[str, ...]


def talk(request: TalkRequest, context: Context) -> TalkResult:
    """Pauses whenever it has read every command and needs more; what was said lies in a file."""
    while True:
        said = [str(c["text"]) for c in context.commands() if c.get("do") == "say"]
        write_json(context.run / "artifacts" / "talk.json", {"said": said})
        context.artifact("talk.json", context.run / "artifacts" / "talk.json", "json")
        context.report(len(said), request.turns, f"heard {len(said)}")
        if len(said) >= request.turns:
            return TalkResult(tuple(said[:request.turns]))
        time.sleep(request.linger)
        context.pause(f"waiting for turn {len(said) + 1}")


@dataclass(frozen=True)
class TrainRequest:
    """One step of data-parallel training of ``y = w x``; rank r sees x = r + 1, y = 0, w starts at 1."""

    fail_rank: int = -1
    linger: float = 0.0


@dataclass(frozen=True)
class TrainResult:
    """The averaged gradient and the weight after one step with learning rate 0.1."""

    gradient: float
    weight: float
    world: int


def train(request: TrainRequest, context: Context) -> TrainResult:
    """The loss of rank r is ((r+1) w)^2 with gradient 2 (r+1)^2 w; two ranks average to (2 + 8) / 2 = 5."""
    import torch
    from accelerate import Accelerator

    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=context.device == "cpu")
    if context.rank == request.fail_rank:
        raise UserError(f"Rank {context.rank} was asked to fail.", advice="Do not ask.")
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer = accelerator.prepare(model, optimizer)
    context.report(0, 1, f"{context.world} processes")
    end = time.monotonic() + request.linger
    while time.monotonic() < end:
        time.sleep(0.05)
        context.report(0, 1, f"{context.world} processes")
    x = torch.full((1, 1), float(context.rank + 1), device=accelerator.device)
    accelerator.backward((model(x) ** 2).mean())
    parameter = next(model.parameters())
    gradient = float(parameter.grad.item())
    optimizer.step()
    context.metric(1, gradient=gradient)
    context.report(1, 1, "stepped")
    accelerator.end_training()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return TrainResult(gradient, parameter.item(), context.world)


@dataclass(frozen=True)
class ReadRequest:
    """A file to read through ``context.resource``."""

    reference: str = ""


@dataclass(frozen=True)
class ReadResult:
    """How many bytes it has."""

    size: int


def read(request: ReadRequest, context: Context) -> ReadResult:
    """Resolve a reference; what was read is in ``inputs.json``."""
    return ReadResult(Path(context.resource(request.reference)).stat().st_size)


TASKS = (
    Task("toys.count.v1", "Count", "job", CountRequest, CountResult, "tests.toys:count", CountRequest(steps=5), FREE),
    Task("toys.slot.v1", "Count on a slot", "job", CountRequest, CountResult, "tests.toys:count",
         CountRequest(steps=5)),
    Task("toys.gpu.v1", "Count on an accelerator", "job", CountRequest, CountResult, "tests.toys:count",
         CountRequest(steps=5), Needs(slots=("gpu",))),
    Task("toys.fail.v1", "Fail", "job", FailRequest, Nothing, "tests.toys:fail", FailRequest(), FREE),
    Task("toys.stubborn.v1", "Ignore everything", "job", StubbornRequest, Nothing, "tests.toys:stubborn",
         StubbornRequest(seconds=0.1), FREE),
    Task("toys.chatty.v1", "Talk without end", "job", ChattyRequest, Nothing, "tests.toys:chatty", ChattyRequest(),
         FREE),
    Task("toys.stream.v1", "Stream", "stream", StreamRequest, dict, "tests.toys:stream", StreamRequest(), FREE),
    Task("toys.add.v1", "Add", "call", AddRequest, AddResult, "tests.toys:add", AddRequest(1.0, 2.0), FREE),
    Task("toys.talk.v1", "Wait for a person", "job", TalkRequest, TalkResult, "tests.toys:talk", TalkRequest(turns=0),
         FREE),
    Task("toys.train.v1", "Train on two processes", "job", TrainRequest, TrainResult, "tests.toys:train",
         TrainRequest()),
    Task("toys.read.v1", "Read", "job", ReadRequest, ReadResult, "tests.toys:read", ReadRequest(), FREE),
)

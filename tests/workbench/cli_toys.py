"""Toy tasks and figures for the command line: nested fields, fields of several types, a stream of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from workbench.contract import Context, Json, Knob, Needs, Task
from workbench.evidence import Bench, Claim
from workbench.fields import validate


@dataclass(frozen=True)
class Inner:
    """A table inside a request."""

    heat: Annotated[float, Knob("How hot.", 0, 2)] = 0.7
    seed: int = 0
    note: str = "as set"

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class WideRequest:
    """One field of every kind that a request may have."""

    text: Annotated[str, Knob("Any text.", high=50)] = ""
    count: Annotated[int, Knob("How many.", 1, 9)] = 1
    rate: float = 0.5
    on: bool = False
    choice: Literal["a", "b"] = "a"
    words: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    maybe: str | None = None
    table: dict[str, Any] | str = ""
    inner: Inner = Inner()

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class NeededRequest:
    """A field without a default."""

    name: Annotated[str, Knob("Must be given.")]


@dataclass(frozen=True)
class Echo:
    """What was asked."""

    request: Json


def echo(request: Any, context: Context) -> Echo:
    """Give the request back."""
    from workbench.fields import to_json

    context.report(1, 2, "half")
    context.report(2, 2, "whole")
    print("a print of the task")
    return Echo(to_json(request))


def speak(request: NeededRequest, context: Context) -> Iterator[dict[str, Json]]:
    """Text in pieces, then a last event."""
    for letter in request.name:
        yield {"delta": letter}
    yield {"done": {"letters": len(request.name)}}


@dataclass(frozen=True)
class SlowRequest:
    """How long to sleep; ``deaf``: without ever reporting."""

    seconds: float = 30.0
    deaf: bool = False


def slow(request: SlowRequest, context: Context) -> Echo:
    """Sleep, reporting ten times a second or not at all."""
    for step in range(int(request.seconds * 10)):
        if not request.deaf:
            context.report(step, 0, "sleeping")
        elif step == 0:
            context.report(0, 0, "sleeping")
        time.sleep(0.1)
    return Echo("awake")


FREE = Needs(slots=())
TASKS = (
    Task("clitoys.wide.v1", "Everything", "job", WideRequest, Echo, "tests.workbench.cli_toys:echo",
         WideRequest(text="from the example", count=3), FREE),
    Task("clitoys.needed.v1", "Needed", "job", NeededRequest, Echo, "tests.workbench.cli_toys:echo",
         NeededRequest("x"), FREE),
    Task("clitoys.speak.v1", "Speak", "stream", NeededRequest, Echo, "tests.workbench.cli_toys:speak",
         NeededRequest("ab"), FREE),
    Task("clitoys.slow.v1", "Slow", "job", SlowRequest, Echo, "tests.workbench.cli_toys:slow", SlowRequest(0.2), FREE),
)


def good_reproduction(settings: Any, quick: bool) -> dict[str, Json]:
    """Two claims; prints on the way."""
    print("working", "quickly" if quick else "slowly")
    return {"claims": [Claim("a", 1.0, 0.9, True, control=0.1, interval=(0.8, 1.2)).__dict__,
                       {"what": "b", "value": 2, "target": 2, "holds": True}]}


def failing_reproduction(settings: Any, quick: bool) -> dict[str, Json]:
    """A claim that does not hold."""
    return {"claims": [{"what": "a", "value": 0.0, "target": 1.0, "holds": False}]}


def shapeless(settings: Any, quick: bool) -> Any:
    """Neither a reproduction nor a benchmark."""
    return {"claims": [], "other": 1}


def good_bench(settings: Any, quick: bool) -> Bench:
    """Twice as fast."""
    print("measuring", file=sys.stdout)
    return Bench("good", "peer", 2.0, 1.0, 2.0, True)


def different_bench(settings: Any, quick: bool) -> dict[str, Json]:
    """Fast and wrong."""
    return {"peer": "peer", "ratio": 9.0, "ours": 1, "theirs": 9, "same_result": False}

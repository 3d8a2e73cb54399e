"""What a reproduction and a benchmark report: the shapes that ``reproduce --json`` and ``bench --json`` print.

A reproduction is a list of claims, each with the value found, the target it is held against, the value of a
control that should fail where the claim is real, and an interval. A benchmark compares the same work done by us
and by a peer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json, validate

T = TypeVar("T")


@dataclass(frozen=True)
class Claim:
    """One statement that was tested. ``control`` and ``interval`` (low, high) are ``None`` where there is none."""

    what: str
    value: float
    target: float
    holds: bool
    control: float | None = None
    interval: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        validate(self)
        if self.interval is not None and (len(self.interval) != 2 or not self.interval[0] <= self.interval[1]):
            raise UserError(f"interval is {self.interval}; it must be (low, high).")
        numbers = [self.value, self.target, *([self.control] if self.control is not None else [])]
        if not all(math.isfinite(number) for number in numbers):
            raise UserError(f"The claim {self.what!r} has a number that is not finite: {numbers}.")


@dataclass(frozen=True)
class Reproduction:
    """What a reproduction found; it holds when every claim does. Prints as
    ``{"name", "claims": [{"what", "value", "target", "control", "holds", "interval"}], "seconds"}``."""

    name: str
    claims: tuple[Claim, ...]
    seconds: float

    def __post_init__(self) -> None:
        validate(self)
        if not self.claims:
            raise UserError(f"The reproduction {self.name} makes no claim.")

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)

    def to_json(self) -> dict[str, Json]:
        """The documented shape."""
        return dict(to_json(self))


@dataclass(frozen=True)
class Bench:
    """The same work by us and by a peer. ``ratio`` is the peer's figure over ours where less is better (seconds):
    2 means twice as fast. Prints as ``{"name", "peer", "ratio", "ours", "theirs", "same_result"}``."""

    name: str
    peer: str
    ratio: float
    ours: float
    theirs: float
    same_result: bool

    def __post_init__(self) -> None:
        validate(self)
        if not all(math.isfinite(number) and number >= 0 for number in (self.ratio, self.ours, self.theirs)):
            raise UserError(f"The benchmark {self.name} has a figure that is negative or not finite.")

    def to_json(self) -> dict[str, Json]:
        """The documented shape."""
        return dict(to_json(self))


def read_reproduction(name: str, value: Json, seconds: float) -> Reproduction:
    """Check what a reproduction function returned (the dataclass, or a mapping of its shape).

    Raises ``UserError`` that names the function where the shape is another one."""
    if isinstance(value, Reproduction):
        return value
    return _read(Reproduction, name, value, {"name": name, "seconds": seconds})


def read_bench(name: str, value: Json) -> Bench:
    """Check what a benchmark function returned (the dataclass, or a mapping of its shape)."""
    if isinstance(value, Bench):
        return value
    return _read(Bench, name, value, {"name": name})


def _read(kind: type[T], name: str, value: Json, defaults: Mapping[str, Json]) -> T:
    if not isinstance(value, Mapping):
        raise UserError(f"{name} returned a {type(value).__name__}; it must return a {kind.__name__}.")
    try:
        found: T = from_json(kind, {**defaults, **value})
    except UserError as error:
        raise UserError(f"{name} returned something that is no {kind.__name__}: {error}") from error
    return found

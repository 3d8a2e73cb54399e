"""When to read and when to write: SM2's threshold, wait-k, multi-path wait-k and the full sentence.

Before target position i (from 0) is considered, a policy asks for some source tokens at least; then it looks at the
confidence of the state, or does not. At the end of the source everything is written.

================  ===================================================  =========================
kind              source tokens before position i, at least            reads on while
================  ===================================================  =========================
``sm2``           ``min_read``                                         c < threshold
``wait-k``        k + i                                                never
``multipath``     k + i; states are kept from token to token           never
``full``          all                                                  never
================  ===================================================  =========================

``multipath`` differs from ``wait-k`` in the states: each position keeps the source prefix it was written with
(Elbayad 2020, needs a model with a causal encoder), where ``wait-k`` computes all states again with the prefix read
so far (test-time wait-k; the states SM2 trains).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.contract import UserError

Kind = Literal["sm2", "wait-k", "multipath", "full"]
KINDS: tuple[Kind, ...] = ("sm2", "wait-k", "multipath", "full")


@dataclass(frozen=True)
class Policy:
    """A policy with its one number. ``forbid_early_end`` keeps the end token from being written before the whole
    source is read (the authors' code allows it). A translation has at most ``ratio`` * J + ``extra`` tokens."""

    kind: Kind = "sm2"
    threshold: float = 0.5
    k: int = 3
    min_read: int = 2
    forbid_early_end: bool = False
    ratio: float = 1.5
    extra: int = 10

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"kind is {self.kind!r}; it must be one of {', '.join(KINDS)}.")
        if not 0 < self.threshold <= 1:
            raise UserError(f"threshold is {self.threshold}; it must lie above 0 and at most at 1.")
        if self.k < 1 or self.min_read < 1:
            raise UserError(f"k is {self.k} and min_read {self.min_read}; both must be at least 1.")

    @property
    def label(self) -> str:
        """How tables and legends call it."""
        names = {"sm2": f"SM2 {self.threshold:g}", "wait-k": f"wait-{self.k}", "multipath": f"multi-path wait-{self.k}",
                 "full": "full sentence"}
        return names[self.kind]

    @property
    def again(self) -> bool:
        """Whether states are computed again after a READ."""
        return self.kind != "multipath"

    def least(self, written: int, size: int) -> int:
        """Source tokens that must be read before position ``written`` is considered."""
        if self.kind == "full":
            return size
        return min(size, self.min_read if self.kind == "sm2" else self.k + written)

    def writes(self, confidence: float) -> bool:
        """Whether a state of this confidence is good enough."""
        return self.kind != "sm2" or confidence >= self.threshold

    def longest(self, size: int) -> int:
        """Most target tokens for a source of this length."""
        return int(self.ratio * size) + self.extra


@dataclass(frozen=True)
class Trace:
    """What happened to one sentence: the target tokens (the end token with them, if it was written), the source tokens
    read when each was written, and every action in order with its confidence (``None`` for a READ that the policy does
    without looking). ``size`` is J with the end token."""

    tokens: tuple[int, ...]
    delays: tuple[int, ...]
    actions: str
    confidence: tuple[float | None, ...]
    size: int

    @property
    def written(self) -> tuple[float, ...]:
        """The confidence of each written token."""
        return tuple(c or 0.0 for action, c in zip(self.actions, self.confidence, strict=True) if action == "W")


def replayed(actions: str) -> list[int]:
    """The delays that a string of actions means. Raises ``UserError`` for any other letter."""
    read, delays = 0, []
    for action in actions:
        if action not in "RW":
            raise UserError(f"{action!r} is no action; actions are R and W.")
        read += action == "R"
        if action == "W":
            delays.append(read)
    return delays

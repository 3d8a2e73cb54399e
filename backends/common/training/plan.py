"""The numbers of a training run, and what is remembered of it between steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backends.common.training.objective import Sums
from workbench.contract import Json


@dataclass(frozen=True)
class Plan:
    """How to optimise. ``batch`` examples a step in all processes together; ``micro_tokens`` with padding in one
    forward pass. ``clip`` 0 does not clip. Periods of 0: evaluate once an epoch, save once an epoch and (a single
    process) about once a minute."""

    epochs: float = 3.0
    max_steps: int = 0
    batch: int = 64
    micro_tokens: int = 4096
    learning_rate: float = 1e-4
    warmup: float = 0.03
    floor: float = 0.0
    weight_decay: float = 0.0
    clip: float = 20.0
    head_weight: float = 1.0
    loss_per: Literal["reply", "token"] = "reply"
    precision: Literal["float32", "bfloat16"] = "float32"
    weights: tuple[float, ...] = ()
    evaluate_every: int = 0
    save_every: int = 0
    keep: Literal["last", "best"] = "last"
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Held-out losses after ``step`` steps."""

    step: int
    sums: Sums


@dataclass(frozen=True)
class Progress:
    """Everything that a run must remember besides weights; goes into a checkpoint as JSON."""

    step: int = 0
    first: float = 0.0
    last: float = 0.0
    best_step: int = -1
    evaluations: tuple[Evaluation, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """How a run ended. ``first`` and ``last`` are training losses of the first and the last step; ``resumed`` is the
    step it went on from."""

    steps: int
    resumed: int
    first: float
    last: float
    evaluations: tuple[Evaluation, ...]
    kept_step: int
    tokens: int
    seconds: float

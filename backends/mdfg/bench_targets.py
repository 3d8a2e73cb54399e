"""How a benchmark says whether a figure holds its target: a word in what it prints, never a test that fails.

The figures depend on the machine and on what else it does, so a target that is missed is told and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from workbench.contract import UserError

Sense = Literal["at least", "at most", "below"]


def target(figure: float, sense: Sense, limit: float, unit: str = "") -> str:
    """``"meets at least 4,000 MB"`` or ``"misses at least 4,000 MB"``. Raises ``UserError`` for a figure that is no
    number."""
    if figure != figure:
        raise UserError(f"The figure for the target {sense} {limit:g} is not a number; every round must give one.")
    held: Mapping[Sense, bool] = {"at least": figure >= limit, "at most": figure <= limit, "below": figure < limit}
    return f"{'meets' if held[sense] else 'misses'} {sense} {limit:,g}{unit and f' {unit}'}"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

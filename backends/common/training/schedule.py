"""The learning rate of a step: linear warm-up, then a cosine to a floor. A function of the step, nothing to save."""

from __future__ import annotations

import math


def warm_cosine(step: int, total: int, warmup: float, floor: float = 0.0) -> float:
    """Factor of the learning rate for step ``step`` of 0 .. ``total`` - 1.

    With w = ceil(warmup * total) steps of warm-up: (step + 1) / w while step < w, then
    floor + (1 - floor) * (1 + cos(pi * (step - w) / (total - w))) / 2. The first step already moves, and the one
    after the last would be at the floor.
    """
    rising = math.ceil(warmup * total)
    if step < rising:
        return (step + 1) / rising
    part = (step - rising) / max(1, total - rising)
    return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, part))) / 2

"""A training process that tests start, kill and compare: ``python -m tests.backends.training_child RUN MODEL JSON``.

The JSON has ``plan`` (fields), ``method``, ``count`` (chats), and ``delay`` (seconds to wait after each step, so that a
kill falls between two). What it ends with is ``RUN/final.safetensors`` and ``RUN/fitted.json``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from workbench.context import MemoryContext


class SlowContext(MemoryContext):
    """Waits at every report; knows its place among several processes."""

    delay = 0.0

    def report(self, step: int, total: int, message: str = "") -> None:
        super().report(step, total, message)
        time.sleep(self.delay)


def train(run: Path, model: Path, options: dict[str, Any], context: MemoryContext | None = None) -> dict[str, Any]:
    """One run; also called by tests in their own process."""
    import torch
    from safetensors.torch import save_file

    from backends.common.training.fit import accelerated, fit
    from backends.common.training.weights import Lora, open_trainee, snapshot
    from tests.backends.training_cases import examples, plan
    from workbench.fields import to_json

    torch.set_num_threads(1)
    if context is None:
        context = SlowContext(run)
        context.delay = float(options.get("delay", 0.0))
        context.rank, context.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    trainee = open_trainee(model, options.get("method", "lora"), seed=1, lora=Lora(4, 8, 0.1))
    rows = examples(trainee.tokenizer, options.get("count", 10))
    with accelerated(context, options.get("tracker", ""), "test", {}) as accelerator:
        fitted = fit(trainee, [rows], examples(trainee.tokenizer, 13)[10:], plan(**options.get("plan", {})), context,
                     accelerator)
    if context.rank == 0:
        save_file(snapshot(trainee), run / "final.safetensors")
        (run / "fitted.json").write_text(json.dumps(to_json(fitted)))
    found: dict[str, Any] = to_json(fitted)
    return found


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))

"""Strategy conditioning of neural models: one arm learns with the gold strategies, one with a mark that says nothing.

Both arms start from the same weights, see the same dialogues in the same order, and predict the same response tokens:
``[Question] What happened?`` against ``[Reply] What happened?``, the head given and not learned. On the test dialogues

* ``oracle``: the first arm, gold strategies in the history and at the reply;
* ``wrong``:  the same arm and the same history, another strategy at the reply, drawn as often as strategies occur;
* ``none``:   the second arm, which never saw a strategy.

The training runs have checkpoints under ``folder``, so a killed experiment goes on where it was.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.common.training.examples import Example, pack
from backends.common.training.measure import Variant, replies_of, variant_losses
from backends.common.training.plan import Plan
from backends.sweetiechat.conditioning_claims import Conditions, conditions
from backends.sweetiechat.conditioning_data import neutral
from backends.sweetiechat.conditioning_ngram import wrong_strategy
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_text import head_of, lines_of
from backends.sweetiechat.train_text import replies_of as dialogue_replies
from workbench.context import MemoryContext

Say = Callable[[str], None]


@dataclass(frozen=True)
class Arm:
    """How a learner is trained. ``length`` tokens of the beginning of a dialogue are used; ``precision`` is that of the
    frozen weights and of the computation."""

    name: str
    method: str
    length: int
    plan: Plan
    precision: str = "float32"


def beginnings(tokenizer: Any, dialogues: Sequence[Dialogue], length: int) -> list[Example]:
    """One example a dialogue: the replies that fit into ``length`` tokens with their whole history."""
    found = []
    for dialogue in dialogues:
        packed = pack(tokenizer, dialogue.id, dialogue_replies(dialogue, "given"), length)
        found += [example for example in packed[:1] if not example.cut]
    return found


def train_arm(path: Path, arm: Arm, train: Sequence[Dialogue], held_out: Sequence[Dialogue], folder: Path, seed: int,
              say: Say) -> Any:
    """Train one arm (or take it up from its checkpoint) and return the trainee."""
    from backends.common.training.fit import accelerated, fit
    from backends.common.training.weights import open_trainee

    class Telling(MemoryContext):
        def report(self, step: int, total: int, message: str = "") -> None:
            super().report(step, total, message)
            if "loss" in message:
                say(f"{arm.name}: {message} of {total}")

    context = Telling(folder)
    with accelerated(context, "", "conditioning", {}) as accelerator:
        trainee = open_trainee(path, arm.method, seed=seed, dtype=arm.precision)  # type: ignore[arg-type]
        fit(trainee, [beginnings(trainee.tokenizer, train, arm.length)],
            beginnings(trainee.tokenizer, held_out, arm.length), arm.plan, context, accelerator, arm.name)
    trainee.model.eval()
    return trainee


def run(path: Path, arm: Arm, train: Sequence[Dialogue], held_out: Sequence[Dialogue], test: Sequence[Dialogue],
        folder: Path, seed: int, say: Say = print) -> Conditions:
    """Both arms from the model folder ``path``, then the three conditions on the test dialogues. ``held_out`` dialogues
    choose the best step where the plan asks for it."""
    began = time.monotonic()
    blank = [[neutral(dialogue) for dialogue in part] for part in (train, held_out)]
    blind = train_arm(path, arm, blank[0], blank[1], folder / "none", seed, say)
    none = [none_losses(blind, dialogue, arm) for dialogue in test]
    del blind
    seeing = train_arm(path, arm, train, held_out, folder / "strategies", seed, say)
    counts = Counter(line.used for d in train for line in lines_of(d) if line.used)
    generator = random.Random(seed)
    rows = []
    for number, (dialogue, alone) in enumerate(zip(test, none, strict=True), 1):
        oracle, wrong = strategy_losses(seeing, dialogue, arm, counts, generator)
        size = min(len(alone), len(oracle))
        sums = [sum(loss for loss, _ in part[:size]) for part in (oracle, alone, wrong)]
        rows.append((*sums, sum(tokens for _, tokens in oracle[:size])))
        say(f"{arm.name}: {number} of {len(test)} test dialogues")
    return conditions(arm.name, rows, time.monotonic() - began)


Loss = tuple[float, int]
"""NLL of a reply's response and end, and its number of tokens."""


def none_losses(trainee: Any, dialogue: Dialogue, arm: Arm) -> list[Loss]:
    """Losses of the dialogue's replies with the mark that says nothing."""
    found: list[Loss] = []
    for example in beginnings(trainee.tokenizer, [neutral(dialogue)], arm.length):
        own = [Variant(*reply) for reply in replies_of(example)]
        found += zip(_losses(trainee, example, own, arm), (len(v.rest) for v in own), strict=True)
    return found


def strategy_losses(trainee: Any, dialogue: Dialogue, arm: Arm, counts: Counter[str],
                    generator: random.Random) -> tuple[list[Loss], list[Loss]]:
    """Losses of the dialogue's replies under the gold strategy and under a wrong one, with the same history."""
    gold = [line.used for line in lines_of(dialogue) if line.role == "supporter" and line.used]
    for example in beginnings(trainee.tokenizer, [dialogue], arm.length):
        own = [Variant(*reply) for reply in replies_of(example)]
        others = [wrong_strategy(key, counts, generator) for key, _ in zip(gold, own, strict=False)]
        heads = [head_of(dialogue.strategy_set.get(key), dialogue.language) for key in others]
        wrong = [Variant(v.at, tuple(trainee.tokenizer(head, add_special_tokens=False)["input_ids"]), v.rest)
                 for v, head in zip(own, heads, strict=True)]
        losses = _losses(trainee, example, [*own, *wrong], arm)
        sizes = [len(v.rest) for v in own]
        return (list(zip(losses[:len(own)], sizes, strict=True)), list(zip(losses[len(own):], sizes, strict=True)))
    return [], []


def _losses(trainee: Any, example: Example, variants: Sequence[Variant], arm: Arm) -> list[float]:
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=arm.precision == "bfloat16"):
        return variant_losses(trainee.model, example.ids, variants)

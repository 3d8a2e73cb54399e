"""Training BERTEval: stage 1 on curated positives and raw negatives, and the weighted pass of stage 2.

The official configuration trains on the FIRST piece of every text only, with labels 1 (curated) and 0 (crawl), Adam,
learning rate 6e-5, weight decay .005, batches of 64, 20 epochs, half precision; stage 2 takes AdamW and batches of 32.
:data:`OFFICIAL` and :data:`OFFICIAL_2` hold these; the n-gram encoder wants larger steps (:data:`SMALL`, ours).
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.objective import STAGE_2, Terms, loss_of
from backends.mdfg.bert_eval.segments import Tails, pieces
from workbench.contract import UserError

Report = Callable[[int, int, float], None]
"""Called with (step, steps, loss); may raise to end the training."""


@dataclass(frozen=True)
class Plan:
    """How one pass over labelled texts is made."""

    epochs: int = 20
    batch: int = 64
    learning_rate: float = 6e-5
    weight_decay: float = 0.005
    optimizer: Literal["adam", "adamw"] = "adam"
    terms: Terms = field(default_factory=Terms)


OFFICIAL = Plan()
OFFICIAL_2 = Plan(1, 32, optimizer="adamw", terms=STAGE_2)
SMALL = Plan(epochs=6, batch=64, learning_rate=2e-3)
SMALL_2 = Plan(1, 32, 1e-3, optimizer="adamw", terms=STAGE_2)


def first_pieces(texts: Sequence[str], tails: Tails = "score") -> list[str]:
    """The first scored piece of each text; texts without one are left out."""
    return [found[0] for text in texts if (found := pieces(text, tails))]


def fit(network: BertEval, texts: Sequence[str], labels: Sequence[float], plan: Plan, generator: random.Random,
        weights: Sequence[float] | None = None, report: Report | None = None) -> list[float]:
    """Train on pieces with a label each (and a weight each in stage 2); returns the loss of every step.

    Raises ``UserError`` for lists of different lengths, no text, or a loss that is no number."""
    if not texts or len(texts) != len(labels) or (weights is not None and len(weights) != len(texts)):
        raise UserError(f"There are {len(texts)} texts, {len(labels)} labels and "
                        f"{'no' if weights is None else len(weights)} weights; each text needs one of each.")
    optimizers = optimizers_of(network, plan)
    total, losses = plan.epochs * -(-len(texts) // plan.batch), []
    gold = torch.tensor(np.asarray(labels, dtype=np.float32))
    worth = torch.ones(len(texts)) if weights is None else torch.tensor(np.asarray(weights, dtype=np.float32))
    network.train()
    with seeded(generator):
        for _ in range(plan.epochs):
            rows = list(range(len(texts)))
            generator.shuffle(rows)
            for begin in range(0, len(rows), plan.batch):
                chosen = rows[begin:begin + plan.batch]
                losses.append(_step(network, [texts[i] for i in chosen], gold[chosen], worth[chosen], plan, optimizers))
                if not math.isfinite(losses[-1]):
                    raise UserError(f"The loss of step {len(losses)} is {losses[-1]}: training has come apart.",
                                    advice="Choose a smaller learning rate.")
                if report is not None:
                    report(len(losses), total, losses[-1])
    network.eval()
    return losses


def optimizers_of(network: BertEval, plan: Plan) -> list[torch.optim.Optimizer]:
    """Adam or AdamW for what is trained; the sparse table of the n-gram encoder has its own, without decay."""
    sparse = {id(p) for p in network.encoder.sparse()}
    dense = [p for p in network.trained().values() if id(p) not in sparse]
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    found: list[torch.optim.Optimizer] = [kind(dense, lr=plan.learning_rate, weight_decay=plan.weight_decay)]
    if sparse:
        found.append(torch.optim.SparseAdam(network.encoder.sparse(), lr=plan.learning_rate))
    return found


def _step(network: BertEval, texts: Sequence[str], gold: torch.Tensor, worth: torch.Tensor, plan: Plan,
          optimizers: Sequence[torch.optim.Optimizer]) -> float:
    for optimizer in optimizers:
        optimizer.zero_grad()
    with precision(network):
        scores = network(network.prepare(texts))
    loss = loss_of(scores, gold.to(scores.device), worth.to(scores.device), plan.terms)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    return float(loss.detach())


@contextlib.contextmanager
def seeded(generator: random.Random) -> Any:
    """Dropout drawn from this generator, and torch's own state as before afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(generator.getrandbits(62))
        yield


def precision(network: BertEval) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 on a GPU (it needs no loss scaling, unlike the official float16), float32 on a processor."""
    device = network.head.weight.device.type
    if device == "cpu":
        return contextlib.nullcontext()
    cast: contextlib.AbstractContextManager[Any] = torch.autocast(device, torch.bfloat16)
    return cast


def predict(network: BertEval, texts: Sequence[str], batch: int = 32, *, passes: int = 0,
            generator: random.Random | None = None) -> NDArray[np.float64]:
    """Scores of pieces: (texts,), or (texts, passes) with dropout switched on where ``passes`` is given.

    The last batch is never lost, however short. Raises ``UserError`` for passes without a generator."""
    if passes and generator is None:
        raise UserError("Scores under dropout need a generator; none was given.")
    rounds, order = max(1, passes), sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), rounds))
    network.train(bool(passes))
    stack = seeded(generator) if generator is not None else contextlib.nullcontext()
    with stack, torch.inference_mode(), precision(network):
        for turn in range(rounds):
            for begin in range(0, len(order), batch):
                chosen = order[begin:begin + batch]
                out[chosen, turn] = network(network.prepare([texts[i] for i in chosen])).cpu().numpy()
    network.eval()
    return out if passes else out[:, 0]

"""``reproduce sm2``: the synthetic order language, whose alignment is known, and real text where it is there.

Trained here: one model with the whole SM2 objective, from scratch. Compared on 300 fresh sentences: SM2 at several
thresholds and wait-k at every k. Claims: high accuracy at a latency far below the wait-k that is as accurate; more
waiting for the order that needs it (wait-k's does not differ: the control); the floor of the confidence on hand-set
logits; the grid of confidences against the known alignment. Without ``--quick`` and with Multi30k beside the project
the claims of :mod:`~backends.sm2.reproduce_real` are added.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from backends.sm2 import reproduce_real
from backends.sm2.curve import token_accuracy
from backends.sm2.decode import translate
from backends.sm2.latency import latency, mean
from backends.sm2.model import Sm2
from backends.sm2.objective import best_confidence, confidence_loss, floor, modified
from backends.sm2.order_language import Language, Sentence, sentences, staircase
from backends.sm2.policy import Policy, Trace
from backends.sm2.requests import TrainRequest
from backends.sm2.states import Session
from backends.sm2.storage import open_translator, save_translator
from backends.sm2.train import run as train
from workbench.context import MemoryContext
from workbench.evidence import Claim, Reproduction

TEST, SEED = 300, 77_003
THRESHOLDS = (0.2, 0.5, 0.9)
ACCURATE = 0.99
LATE = 0.40


def request(quick: bool) -> TrainRequest:
    """The training of the order language: 64 wide, 2 + 2 layers, about 0.17 million weights."""
    return TrainRequest(pairs=40_000, held_out=100, width=64, inner=128, heads=4, layers=2, dropout=0.0, smoothing=0.0,
                        tokens=1024, max_steps=600 if quick else 1200, learning_rate=3e-3, warmup=50,
                        schedule="cosine", average=0.1, name="SM2 of the order language", licence="apache-2.0",
                        half=True)


def run(settings: Any, quick: bool = False) -> Reproduction:
    """Train, translate, and state the claims."""
    began = time.monotonic()
    torch.set_num_threads(max(1, int(getattr(settings, "threads", 0) or 1)))
    with tempfile.TemporaryDirectory() as folder:
        context = MemoryContext(Path(folder) / "run", settings=settings)
        result = train(request(quick), context)
        print(f"{result.weights:,} weights, {result.steps} steps, {result.train_seconds:.0f} s, loss "
              f"{result.last_loss:.3f}")
        model = open_translator(Path(result.path)).model
    test = sentences(Language(), 100 if quick else TEST, random.Random(SEED))
    claims = [*policy_claims(model, test), *staircase_claims(model, test[:20 if quick else 60]), floor_claim()]
    if not quick:
        claims += real_claims(settings)
    return Reproduction("sm2", tuple(claims), round(time.monotonic() - began, 1))


def real_claims(settings: Any) -> list[Claim]:
    """The claims on Multi30k; none, and a line that says so, where it is not beside the project."""
    if not (reproduce_real.DATA / "train.de.gz").is_file():
        print("Multi30k is not at shared/data/mt/multi30k beside the project: its claims are left out.")
        return []
    return reproduce_real.run(settings, Path(settings.home) / "reproduce" / "sm2-multi30k")


def practice_model(settings: Any, out: Path) -> Path:
    """Train the bundled practice model again and write it to ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(request(False), MemoryContext(Path(folder) / "run", settings=settings))
        made = open_translator(Path(result.path))
        card = (Path(result.path) / "README.md").read_text(encoding="utf-8")
        return save_translator(made, out, card, {"steps": result.steps}, half=True)


def by_order(traces: Sequence[Trace], test: Sequence[Sentence]) -> dict[str, float]:
    """Token-level AL over all sentences, and of each order."""
    lags = [latency(t.delays, t.size, len(s.pair.target)) for t, s in zip(traces, test, strict=True)]
    return {"all": mean(lags).al, "svo": mean([a for a, s in zip(lags, test, strict=True) if not s.sov]).al,
            "sov": mean([a for a, s in zip(lags, test, strict=True) if s.sov]).al}


def policy_claims(model: Sm2, test: Sequence[Sentence]) -> list[Claim]:
    """Accuracy and latency of SM2 against the first wait-k that is as accurate."""
    sources, wanted = [s.pair.source for s in test], [s.pair.target for s in test]
    sm2: dict[float, tuple[float, Mapping[str, float]]] = {}
    for threshold in THRESHOLDS:
        traces = translate(model, sources, Policy("sm2", threshold=threshold))
        sm2[threshold] = token_accuracy(traces, wanted), by_order(traces, test)
        print(f"SM2 {threshold}: accuracy {sm2[threshold][0]:.4f}, AL {_shown(sm2[threshold][1])}")
    chosen = next((t for t in THRESHOLDS if sm2[t][0] >= ACCURATE), THRESHOLDS[-1])
    accuracy, lag = sm2[chosen]
    found, waits = None, {}
    for k in range(1, Language().longest + 1):
        traces = translate(model, sources, Policy("wait-k", k=k))
        waits[k] = token_accuracy(traces, wanted), by_order(traces, test)
        print(f"wait-{k}: accuracy {waits[k][0]:.4f}, AL {_shown(waits[k][1])}")
        if waits[k][0] >= accuracy:
            found = k
            break
    equal, wait = waits[found or max(waits)]
    rises = all(sm2[a][1]["all"] <= sm2[b][1]["all"] + 1e-9 for a, b in pairwise(THRESHOLDS))
    gap = lag["sov"] - lag["svo"]
    return [Claim(f"token accuracy of SM2 at threshold {chosen}", accuracy, ACCURATE, accuracy >= ACCURATE),
            Claim(f"AL of SM2 as a share of wait-{found or max(waits)}'s, the first as accurate ({equal:.4f}); "
                  "control: wait-k against itself", lag["all"] / wait["all"], LATE, lag["all"] <= LATE * wait["all"],
                  1.0),
            Claim("AL on subject-object-verb minus AL on subject-verb-object; control: the same of wait-k", gap, 0.5,
                  gap > 0.5 > abs(wait["sov"] - wait["svo"]), wait["sov"] - wait["svo"]),
            Claim("AL never falls as the threshold rises", float(rises), 1.0, rises)]


def _shown(lag: Mapping[str, float]) -> str:
    return f"{lag['all']:.2f} (svo {lag['svo']:.2f}, sov {lag['sov']:.2f})"


def staircase_claims(model: Sm2, test: Sequence[Sentence]) -> list[Claim]:
    """Share of cells where c_ij >= 0.5 says what the alignment says; the control shifts the alignment by one."""
    right = shifted = cells = 0
    for one in test:
        grid = Session(model, one.pair.source).grid(one.pair.target)
        for row, true, later in zip(grid, staircase(one.needed, len(one.pair.source)),
                                    staircase([need + 1 for need in one.needed], len(one.pair.source)), strict=True):
            right += sum((c >= 0.5) == here for c, here in zip(row, true, strict=True))
            shifted += sum((c >= 0.5) == here for c, here in zip(row, later, strict=True))
            cells += len(row)
    share, control = right / cells, shifted / cells
    return [Claim(f"cells of the grid of confidences that agree with the known alignment ({cells:,} cells, threshold "
                  "0.5); control: the alignment shifted by a word", share, 0.97, share >= 0.97 > control, control)]


def floor_claim(alpha: float = 0.1, steps: int = 400) -> Claim:
    """The confidence that minimises the loss for hand-set logits, found by gradient descent."""
    worst = 0.0
    for p, q in ((1e-6, 0.9), (0.3, 0.9), (0.6, 0.7)):
        z = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        logs = [torch.tensor([[[value, 1 - value]]], dtype=torch.float64).log() for value in (p, q)]
        optimizer = torch.optim.LBFGS([z], lr=0.5, max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-15)

        def closure(z: Any = z, logs: Any = logs, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            there = torch.ones(1, 1, dtype=torch.bool)
            loss = -modified(logs[0], logs[1], z)[0, 0, 0] + alpha * confidence_loss(z, there)
            loss.backward()
            return loss

        optimizer.step(closure)
        worst = max(worst, abs(float(z.detach().sigmoid()) - best_confidence(p, q, alpha)))
    return Claim(f"largest distance of the learned confidence from its closed form on hand-set logits (floor "
                 f"{floor(alpha):.4f})", worst, 1e-3, worst < 1e-3)

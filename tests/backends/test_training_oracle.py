"""The loop against a plain one written out here in twenty lines of torch: same data, same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.common.loading import open_weights
from backends.common.training import checkpoint
from backends.common.training.batches import IGNORED, Order, collate
from backends.common.training.examples import HEAD, Example
from backends.common.training.fit import accelerated, fit
from backends.common.training.plan import Evaluation, Fitted, Plan, Progress
from backends.common.training.schedule import warm_cosine
from backends.common.training.weights import Lora, open_trainee, snapshot
from tests.backends.training_cases import examples, plan
from workbench.context import MemoryContext
from workbench.fields import from_json, to_json


def by_hand(path: Path, rows: list[Example], p: Plan, steps: int) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Full fine-tuning without anything of ours but the order of examples and the schedule."""
    import random

    model = open_weights(path, "float32", "cpu").train()
    decayed = [q for q in model.parameters() if q.dim() > 1]
    plain = [q for q in model.parameters() if q.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": p.weight_decay},
                                   {"params": plain, "weight_decay": 0.0}], lr=p.learning_rate)
    order = Order((len(rows),), (), p.batch, p.seed, random.Random)
    losses = []
    for step in range(steps):
        chosen = [rows[place] for _, place in order.at(step)]
        for group in optimizer.param_groups:
            group["lr"] = p.learning_rate * warm_cosine(step, steps, p.warmup, p.floor)
        optimizer.zero_grad()
        total = torch.zeros(())
        for example in chosen:
            logits = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
            for place in range(1, len(example.ids)):
                kind = example.kinds[place]
                if kind in (1, 2, 3):
                    weight = p.head_weight if kind == HEAD else 1.0
                    total = total - weight * logits[place - 1, example.ids[place]]
        count = sum(e.replies for e in chosen) if p.loss_per == "reply" else sum(e.learned for e in chosen)
        loss = total / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), p.clip or math.inf)
        optimizer.step()
        losses.append(loss.item())
    return {name: q.detach().clone() for name, q in model.named_parameters()}, losses


def ours(path: Path, rows: list[Example], p: Plan, run: Path) -> tuple[dict[str, torch.Tensor], list[float], Fitted]:
    trainee, context = open_trainee(path, "full", seed=1), MemoryContext(run)
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [rows], [], p, context, accelerator)
    return snapshot(trainee), [values["loss"] for _, values in context.metrics], fitted


@pytest.mark.parametrize("values", [
    {}, {"weight_decay": 0.3}, {"clip": 0.5}, {"clip": 0.0}, {"head_weight": 0.25}, {"loss_per": "token"},
    {"warmup": 0.6, "floor": 0.2}, {"batch": 1, "max_steps": 5}, {"micro_tokens": 1}, {"seed": 11}])
def test_the_loop_equals_a_plain_one(values: dict[str, Any], tiny_lm: Path, tmp_path: Path) -> None:
    p = plan(**{"learning_rate": 2e-3, "max_steps": 4, **values})
    rows = examples(open_trainee(tiny_lm, "full", seed=1).tokenizer, 6, turns=2)
    weights, losses, fitted = ours(tiny_lm, rows, p, tmp_path / "run")
    expected, plain = by_hand(tiny_lm, rows, p, p.max_steps)
    assert losses == pytest.approx(plain, rel=2e-4) and fitted.steps == p.max_steps
    assert (fitted.first, fitted.last) == (losses[0], losses[-1])
    assert max(float((weights[name] - expected[name]).abs().max()) for name in weights) < 2e-3 * p.max_steps


def test_the_learning_rate_of_every_step_is_the_schedules(tiny_lm: Path, tmp_path: Path) -> None:
    context, trainee = MemoryContext(tmp_path / "run"), open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0))
    p = plan(warmup=0.3, floor=0.1, max_steps=7)
    with accelerated(context, "", "test", {}) as accelerator:
        fit(trainee, [examples(trainee.tokenizer, 3)], [], p, context, accelerator)
    rates = [values["learning_rate"] for _, values in context.metrics]
    assert rates == pytest.approx([p.learning_rate * warm_cosine(step, 7, 0.3, 0.1) for step in range(7)])


@pytest.mark.parametrize(("values", "measured"), [
    ({"epochs": 2.0}, [0, 2, 4]), ({"epochs": 2.0, "evaluate_every": 1}, [0, 1, 2, 3, 4]),
    ({"epochs": 2.0, "evaluate_every": 3}, [0, 3, 4]), ({"max_steps": 1}, [0, 1]), ({"epochs": 0.1}, [0, 1]),
    ({"epochs": 1.5}, [0, 2, 3])])
def test_it_measures_when_it_is_told_and_at_the_end(values, measured, tiny_lm: Path, tmp_path: Path) -> None:
    context, trainee = MemoryContext(tmp_path / "run"), open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0))
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [examples(trainee.tokenizer, 8)], examples(trainee.tokenizer, 2),
                     plan(**values), context, accelerator)
    assert [e.step for e in fitted.evaluations] == measured
    assert [step for step, line in context.metrics if "held_out_perplexity" in line] == measured
    assert fitted.kept_step == fitted.steps == measured[-1]


def train_too_long(tiny_lm: Path, run: Path, keep: str) -> tuple[Fitted, dict[str, torch.Tensor], Callable[[], float]]:
    """Two chats by heart, at a rate that ruins everything else."""
    trainee, context = open_trainee(tiny_lm, "full", seed=1), MemoryContext(run)
    held_out = examples(trainee.tokenizer, 6)[4:]
    p = plan(keep=keep, evaluate_every=1, max_steps=8, learning_rate=3e-2, batch=2, loss_per="token", warmup=0.0)
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [examples(trainee.tokenizer, 2)], held_out, p, context, accelerator)

    def again() -> float:
        from backends.common.training.measure import measure
        from backends.common.training.objective import Objective

        return measure(Objective(trainee.model), held_out, 4096, "cpu").rest

    return fitted, snapshot(trainee), again


def test_the_best_weights_are_those_with_the_lowest_held_out_loss(tiny_lm: Path, tmp_path: Path) -> None:
    last, _, last_loss = train_too_long(tiny_lm, tmp_path / "last", "last")
    best, _, best_loss = train_too_long(tiny_lm, tmp_path / "best", "best")
    scores = {e.step: e.sums.head + e.sums.rest for e in best.evaluations}
    assert best.kept_step == min(scores, key=lambda step: scores[step]) and last.kept_step == 8
    kept = next(e.sums.rest for e in best.evaluations if e.step == best.kept_step)
    assert best_loss() == pytest.approx(kept, rel=1e-5)
    assert last_loss() == pytest.approx(last.evaluations[-1].sums.rest, rel=1e-5)
    assert best_loss() <= last_loss()


def test_progress_and_evaluations_survive_json() -> None:
    from backends.common.training.objective import Sums

    progress = Progress(3, 0.1 + 0.2, 1e-17, 2, (Evaluation(0, Sums(1.5, 2.5, 3, 4, 5)),))
    assert from_json(Progress, to_json(progress)) == progress
    assert Sums(1.0, 2.0, 3, 4, 5) + Sums(1.0, 1.0, 1, 1, 1) == Sums(2.0, 3.0, 4, 5, 6)


@pytest.mark.parametrize(("save_every", "names"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3, 4]), (0, [2, 4])])
def test_checkpoints_come_when_they_are_due(save_every, names, tiny_lm: Path, tmp_path: Path, monkeypatch) -> None:
    seen = []
    real = checkpoint.save

    def spy(folder, weights, optimizer, state, best, keep=2):
        seen.append(state["step"])
        return real(folder, weights, optimizer, state, best, keep)

    monkeypatch.setattr(checkpoint, "save", spy)
    trainee, context = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0)), MemoryContext(tmp_path / "run")
    with accelerated(context, "", "test", {}) as accelerator:
        fit(trainee, [examples(trainee.tokenizer, 8)], [], plan(save_every=save_every), context, accelerator)
    assert seen == names, "0: every epoch; a minute has not gone by"


def test_after_a_minute_a_checkpoint_is_due_in_any_case(tiny_lm: Path, tmp_path: Path, monkeypatch) -> None:
    from backends.common.training import fit as module

    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    trainee, context = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0)), MemoryContext(tmp_path / "run")
    with accelerated(context, "", "test", {}) as accelerator:
        fit(trainee, [examples(trainee.tokenizer, 8)], [], plan(save_every=0, max_steps=3), context, accelerator)
    assert [p.name[-1] for p in checkpoint.steps(context.run / "checkpoints")] == ["2", "3"]


def test_a_finished_run_is_not_trained_again(tiny_lm: Path, tmp_path: Path) -> None:
    rows = examples(open_trainee(tiny_lm, "full", seed=1).tokenizer, 4)
    first, _, _ = ours(tiny_lm, rows, plan(max_steps=2), tmp_path / "run")
    again, losses, fitted = ours(tiny_lm, rows, plan(max_steps=2), tmp_path / "run")
    assert losses == [] and fitted.resumed == fitted.steps == 2
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_sources_are_mixed_in_training_as_in_the_order(tiny_lm: Path, tmp_path: Path) -> None:
    trainee, context = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(2, 4, 0.0)), MemoryContext(tmp_path / "run")
    short, long = examples(trainee.tokenizer, 4, turns=1), examples(trainee.tokenizer, 4, turns=5)
    tokens = []
    for weights in ((1.0, 0.0), (0.0, 1.0)):
        with accelerated(context, "", "test", {}) as accelerator:
            context.run = tmp_path / str(weights[0])
            context.run.mkdir()
            fitted = fit(trainee, [short, long], [], plan(weights=weights, epochs=1.0), context, accelerator)
            tokens.append(fitted.tokens)
    assert tokens[0] == 2 * sum(len(e.ids) for e in short) and tokens[1] == 2 * sum(len(e.ids) for e in long)


def test_labels_that_are_not_learned_do_not_exist_for_the_loss(tiny_lm: Path) -> None:
    rows = examples(open_trainee(tiny_lm, "full", seed=1).tokenizer, 2)
    batch = collate(rows, 0)
    assert int((batch.labels == IGNORED).sum()) == batch.labels.numel() - sum(e.learned for e in rows)

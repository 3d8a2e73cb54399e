"""The loop: it learns, it repeats, it survives kill -9 bit for bit, several processes equal one, a cancel ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.common.training import checkpoint
from backends.common.training.fit import accelerated, fit
from backends.common.training.weights import Lora, open_trainee, snapshot
from tests.backends.training_cases import examples, plan
from tests.backends.training_child import train
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.files import read_lines

ROOT = Path(__file__).resolve().parents[2]


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "final.safetensors")


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def child(run: Path, model: Path, options: dict, launcher: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    run.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", *(launcher or ("tests.backends.training_child",)), str(run), str(model),
               json.dumps(options)]
    with (run / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def reference(tiny_lm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run: 10 chats, 4 a step, 2 epochs, dropout on."""
    run = tmp_path_factory.mktemp("reference")
    train(run, tiny_lm, {}, MemoryContext(run))
    return run


def test_the_loss_falls_and_the_curves_are_written(reference: Path) -> None:
    fitted = json.loads((reference / "fitted.json").read_text())
    assert fitted["steps"] == 6 and fitted["resumed"] == 0 and fitted["last"] < fitted["first"]
    held_out = [e["sums"]["rest"] for e in fitted["evaluations"]]
    assert [e["step"] for e in fitted["evaluations"]] == [0, 3, 6] and held_out[-1] < held_out[0]
    lines = read_lines(reference / "metrics.jsonl")
    names = set().union(*lines)
    assert {"loss", "strategy_loss", "response_loss", "learning_rate", "gradient_norm", "held_out_perplexity",
            "held_out_strategy_loss", "tokens_per_second"} <= names
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5, 6]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(reference, tiny_lm: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    train(again, tiny_lm, {}, MemoryContext(again))
    train(other, tiny_lm, {"plan": {"seed": 4}}, MemoryContext(other))
    assert same(weights_of(again), weights_of(reference))
    assert not same(weights_of(other), weights_of(reference))


def test_kill_9_and_continue_ends_at_the_same_weights_bit_for_bit(reference, tiny_lm: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    process = child(run, tiny_lm, {"delay": 0.3})
    deadline = time.monotonic() + 120
    while len(checkpoint.steps(run / "checkpoints")) < 2:
        assert process.poll() is None and time.monotonic() < deadline, (run / "log.txt").read_text()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (run / "final.safetensors").exists(), "it was killed before its end"
    context = MemoryContext(run)
    fitted = train(run, tiny_lm, {}, context)
    assert 2 <= fitted["resumed"] < 6 and fitted["steps"] == 6
    assert [step for step, values in context.metrics if "loss" in values] == list(range(fitted["resumed"] + 1, 7))
    assert same(weights_of(run), weights_of(reference))
    before = json.loads((reference / "fitted.json").read_text())
    assert all(fitted[key] == before[key] for key in ("first", "last", "evaluations", "kept_step"))


@pytest.mark.parametrize("stop", [1, 4])
def test_a_full_model_continues_bit_for_bit_from_any_step(tiny_lm: Path, tmp_path: Path, stop: int) -> None:
    options = {"method": "full", "plan": {"keep": "best", "evaluate_every": 2, "micro_tokens": 300}}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole, tiny_lm, options, MemoryContext(whole))

    class Stops(MemoryContext):
        def metric(self, step: int, **values: float) -> None:
            super().metric(step, **values)
            if step > stop and "loss" in values:
                raise Cancelled

    with pytest.raises(Cancelled):
        train(parts, tiny_lm, options, Stops(parts))
    assert train(parts, tiny_lm, options, MemoryContext(parts))["resumed"] == stop
    assert same(weights_of(parts), weights_of(whole))


def test_two_processes_equal_one(reference, tiny_lm: Path, tmp_path: Path) -> None:
    """Same examples a step, gradients averaged: equal up to rounding. Dropout differs by process, so it is off.

    Three chats a step in parts of one: one process has two parts, the other one, and neither waits for the other."""
    options = {"plan": {"batch": 3, "micro_tokens": 1}, "method": "full", "count": 7}
    alone, together = tmp_path / "alone", tmp_path / "together"
    launcher = ("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "--module",
                "tests.backends.training_child")
    os.environ["ACCELERATE_USE_CPU"] = "true"
    try:
        process = child(together, tiny_lm, options, launcher)
    finally:
        del os.environ["ACCELERATE_USE_CPU"]
    one = train(alone, tiny_lm, options, MemoryContext(alone))
    assert process.wait(240) == 0, (together / "log.txt").read_text()[-3000:]
    two = json.loads((together / "fitted.json").read_text())
    assert two["steps"] == one["steps"] == 6, "7 chats, 3 a step: the last step of an epoch has one for two processes"
    assert two["first"] == pytest.approx(one["first"], rel=1e-5) and two["last"] == pytest.approx(one["last"], rel=1e-3)
    for a, b in zip(one["evaluations"], two["evaluations"], strict=True):
        assert a["sums"]["rest"] == pytest.approx(b["sums"]["rest"], rel=1e-3)
        assert a["sums"]["rest_tokens"] == b["sums"]["rest_tokens"]
    first, second = weights_of(alone), weights_of(together)
    assert max(float((first[n] - second[n]).abs().max()) for n in first) < 5e-3
    assert len([line for line in read_lines(together / "metrics.jsonl") if "loss" in line]) == 6, "rank 0 alone writes"


def run_fit(path: Path, tiny_lm: Path, *, count: int = 6, method: str = "lora", context=None, rows=None, **values):
    trainee = open_trainee(tiny_lm, method, seed=1, lora=Lora(4, 8, 0.0))
    context = context or MemoryContext(path)
    rows = examples(trainee.tokenizer, count) if rows is None else rows
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [rows], [], plan(**values), context, accelerator)
    return trainee, fitted


def test_micro_batches_change_nothing_but_rounding(tiny_lm: Path, tmp_path: Path) -> None:
    one, _ = run_fit(tmp_path / "a", tiny_lm, method="full", micro_tokens=100_000, max_steps=3, learning_rate=1e-3)
    two, _ = run_fit(tmp_path / "b", tiny_lm, method="full", micro_tokens=1, max_steps=3, learning_rate=1e-3)
    first, second = snapshot(one), snapshot(two)
    assert max(float((first[n] - second[n]).abs().max()) for n in first) < 1e-4


def test_an_adapter_leaves_the_base_alone_and_a_vanishing_rate_changes_nothing(tiny_lm: Path, tmp_path: Path) -> None:
    trainee, _ = run_fit(tmp_path / "a", tiny_lm, max_steps=2)
    base = load_file(tiny_lm / "model.safetensors")
    frozen = {n: p for n, p in trainee.model.named_parameters() if not p.requires_grad}
    assert set(trainee.names) == {n for n in dict(trainee.model.named_parameters()) if "lora_" in n}
    for name, parameter in frozen.items():
        plain = name.replace("base_model.model.", "").replace(".base_layer", "")
        assert torch.equal(parameter, base[plain]), name
    still, _ = run_fit(tmp_path / "b", tiny_lm, max_steps=1, learning_rate=1e-30)
    assert all(float(value.abs().max()) < 1e-20 for name, value in snapshot(still).items() if "lora_B" in name)


def test_clipping_limits_the_first_step_of_plain_descent(tiny_lm: Path, tmp_path: Path) -> None:
    free, tight = MemoryContext(tmp_path / "a"), MemoryContext(tmp_path / "b")
    run_fit(tmp_path / "a", tiny_lm, context=free, max_steps=2, clip=0.0)
    run_fit(tmp_path / "b", tiny_lm, context=tight, max_steps=2, clip=0.01)
    norms = [values["gradient_norm"] for context in (free, tight) for _, values in context.metrics]
    assert norms[0] == pytest.approx(norms[2]) and norms[0] > 0.01, "the norm shown is the one before clipping"


@pytest.mark.parametrize("per", ["reply", "token"])
def test_the_loss_shown_is_the_one_asked_for(tiny_lm: Path, tmp_path: Path, per: str) -> None:
    context = MemoryContext(tmp_path / "a")
    trainee, _ = run_fit(tmp_path / "a", tiny_lm, context=context, count=4, max_steps=1, loss_per=per)
    from backends.common.training.measure import measure
    from backends.common.training.objective import Objective

    fresh = open_trainee(tiny_lm, "lora", seed=1, lora=Lora(4, 8, 0.0))
    rows = examples(trainee.tokenizer, 4)
    sums = measure(Objective(fresh.model), rows, 1000, "cpu")
    count = sums.replies if per == "reply" else sums.head_tokens + sums.rest_tokens
    assert context.metrics[0][1]["loss"] == pytest.approx((sums.head + sums.rest) / count, rel=1e-4)


def test_bfloat16_trains_float32_adapters_on_half_size_weights(tiny_lm: Path, tmp_path: Path) -> None:
    trainee = open_trainee(tiny_lm, "lora", seed=1, dtype="bfloat16", lora=Lora(4, 8, 0.0))
    context = MemoryContext(tmp_path / "a")
    with accelerated(context, "", "test", {}) as accelerator:
        fitted = fit(trainee, [examples(trainee.tokenizer, 6)], [], plan(precision="bfloat16", epochs=6.0), context,
                     accelerator)
    assert fitted.last < fitted.first
    assert {p.dtype for p in trainee.trained().values()} == {torch.float32}
    assert {p.dtype for n, p in trainee.model.named_parameters() if "base_layer" in n} == {torch.bfloat16}


def test_a_cancel_ends_it_between_two_parts_of_a_step(tiny_lm: Path, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "a", cancel_after=3)
    with pytest.raises(Cancelled):
        run_fit(tmp_path / "a", tiny_lm, context=context, micro_tokens=1)
    assert context.reports[-1][0] == 0 and "part" in context.reports[-1][2], "not even one step was through"


@pytest.mark.parametrize(("values", "words"), [
    ({"rows": []}, "no reply to learn"),
    ({"learning_rate": 1e30, "clip": 0.0, "max_steps": 6, "method": "full"}, "come apart"),
])
def test_what_cannot_be_trained_is_said(tiny_lm: Path, tmp_path: Path, values: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        run_fit(tmp_path / "a", tiny_lm, **values)


def test_a_checkpoint_of_other_settings_or_other_data_is_not_gone_on_from(tiny_lm: Path, tmp_path: Path) -> None:
    run_fit(tmp_path / "a", tiny_lm, max_steps=2)
    with pytest.raises(UserError, match="other settings or other data"):
        run_fit(tmp_path / "a", tiny_lm, max_steps=3)
    with pytest.raises(UserError, match="other settings or other data"):
        run_fit(tmp_path / "a", tiny_lm, max_steps=2, count=5)


def test_more_processes_than_examples_a_step_are_refused(tiny_lm: Path, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "a")
    trainee = open_trainee(tiny_lm, "lora", seed=1)
    rows = examples(trainee.tokenizer, 3)
    with accelerated(context, "", "test", {}) as accelerator:
        context.world = 3
        with pytest.raises(UserError, match="at least the number of processes, 3"):
            fit(trainee, [rows], [], plan(batch=2), context, accelerator)
        context.world = 1


def test_the_callers_randomness_is_left_alone(tiny_lm: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run_fit(tmp_path / "a", tiny_lm, max_steps=1)
    assert torch.equal(torch.rand(1), expected)


def test_a_tracker_that_is_not_installed_is_named(tiny_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="no_such_tracker"), \
            accelerated(MemoryContext(tmp_path / "a"), "no_such_tracker", "test", {}):
        pass

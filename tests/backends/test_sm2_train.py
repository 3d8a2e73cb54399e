"""Training: it learns, it repeats, a killed run goes on to the same weights, offline models are fine-tuned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.sm2.order_language import Language, sentences
from backends.sm2.requests import TrainRequest
from backends.sm2.storage import open_translator
from backends.sm2.train import Training, run
from tests.backends.sm2_cases import folder_of, small
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError


def request(**fields) -> TrainRequest:
    return TrainRequest(
        **{
            "pairs": 300,
            "held_out": 20,
            "width": 16,
            "inner": 32,
            "heads": 2,
            "layers": 1,
            "tokens": 256,
            "max_steps": 12,
            "learning_rate": 5e-3,
            "warmup": 4,
            "schedule": "cosine",
            "dropout": 0.1,
            "seed": 2,
            **fields,
        }
    )


def weights(context: MemoryContext) -> dict[str, torch.Tensor]:
    return load_file(context.run / "artifacts" / "model" / "model.safetensors")


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prefix": "batch", "detach_omt": True},
        {"objective": "offline"},
        {"objective": "prefix"},
        {"objective": "multipath", "encoder": "causal"},
    ],
    ids=str,
)
def test_every_objective_learns(tmp_path: Path, fields: dict) -> None:
    context = MemoryContext(tmp_path / "run")
    result = run(request(max_steps=40, smoothing=0.0, **fields), context)
    assert result.last_loss < result.first_loss and result.steps == 40 and result.pairs == 280 and result.held_out == 20
    opened = open_translator(Path(result.path))
    assert opened.ready is (fields.get("objective", "sm2") == "sm2")
    assert [step for step, _ in context.metrics if "loss" in _][-1] == 40
    card = (Path(result.path) / "README.md").read_text(encoding="utf-8")
    assert ("0.091" in card) is opened.ready and "280 pairs" in card


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path: Path) -> None:
    made = []
    for number, seed in enumerate((2, 2, 3)):
        context = MemoryContext(tmp_path / str(number))
        run(request(seed=seed), context)
        made.append(weights(context))
    assert equal(made[0], made[1]) and not equal(made[0], made[2])


@pytest.mark.parametrize("stop", [30, 40])
def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(tmp_path: Path, stop: int) -> None:
    asked = request(save_every=3, average=0.5, evaluate_every=4)
    whole = MemoryContext(tmp_path / "whole")
    result = run(asked, whole)
    calls = len(whole.reports)
    with pytest.raises(Cancelled):
        run(asked, MemoryContext(tmp_path / "cut", cancel_after=calls * stop // 50))
    assert list((tmp_path / "cut" / "checkpoints").glob("step-*"))
    again = MemoryContext(tmp_path / "cut")
    assert run(asked, again).last_loss == result.last_loss
    assert equal(weights(again), weights(whole)) and len(again.metrics) < len(whole.metrics)
    with pytest.raises(UserError, match="other settings"):
        run(request(save_every=3, average=0.5, evaluate_every=4, learning_rate=1e-3), MemoryContext(tmp_path / "cut"))


def test_averaging_is_the_mean_of_the_last_weights(tmp_path: Path) -> None:
    last, mean = MemoryContext(tmp_path / "last"), MemoryContext(tmp_path / "mean")
    run(request(average=0.0), last)
    run(request(average=1 / 12), mean)
    assert all(torch.allclose(a, weights(mean)[n]) for n, a in weights(last).items()), "the last step alone"
    other = MemoryContext(tmp_path / "other")
    run(request(average=0.5), other)
    assert not equal(weights(other), weights(last))


@pytest.mark.parametrize(("epochs", "share"), [(1.0, 1.0), (1.5, 1.5), (0.01, 0.0)])
def test_epochs_say_how_long_and_nothing_held_out_is_not_measured(tmp_path: Path, epochs: float, share: float) -> None:
    context = MemoryContext(tmp_path / "run")
    result = run(request(pairs=60, held_out=0, max_steps=0, epochs=epochs), context)
    lengths = [len(made.pair.source) for made in sentences(Language(), 60, context.generator(2))]
    assert result.pairs == 60 and result.held_out == 0 and result.measured == ()
    assert result.steps == pytest.approx(max(1, share * sum(lengths) / 256), abs=2 * max(1, share))


def test_an_offline_model_becomes_a_simultaneous_one(tmp_path: Path) -> None:
    first = MemoryContext(tmp_path / "first")
    offline = run(request(objective="offline", max_steps=30), first)
    tuned = run(
        request(start=f"path:{offline.path}", max_steps=10, learning_rate=1e-3), MemoryContext(tmp_path / "tuned")
    )
    assert open_translator(Path(tuned.path)).ready and tuned.vocabulary == offline.vocabulary
    assert tuned.measured[-1].full < offline.measured[-1].full * 1.3, "what it could do offline is kept"


def test_a_model_of_text_files(tmp_path: Path) -> None:
    for name, lines in (
        ("a.de", [f"eins zwei {'drei ' * (i % 5)}vier" for i in range(60)]),
        ("a.en", [f"one two {'three ' * (i % 5)}four" for i in range(60)]),
    ):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = request(
        source=(f"path:{tmp_path}/a.de",),
        target=(f"path:{tmp_path}/a.en",),
        vocabulary=120,
        pairs=50,
        held_out=5,
        half=True,
    )
    context = MemoryContext(tmp_path / "run")
    result = run(asked, context)
    assert result.pairs + result.held_out == 50
    opened = open_translator(Path(result.path))
    assert opened.vocabulary.decode(opened.vocabulary.encode("one two four")) == "one two four"
    assert next(iter(weights(context).values())).dtype == torch.float16
    config = json.loads((Path(result.path) / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["steps"] == 12 and config["model_type"] == "sm2"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"objective": "multipath"}, "does not look ahead"),
        ({"source": ("a", "b"), "target": ("c",)}, "2 files and target 1"),
        ({"alpha": 0.0}, "alpha"),
        ({"prefix": "word"}, "prefix"),
        ({"max_steps": -1}, "max_steps"),
    ],
)
def test_requests_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainRequest(**fields)


def test_a_start_that_looks_both_ways_cannot_learn_paths(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m", small())
    with pytest.raises(UserError, match="looks both ways"):
        run(request(start=f"path:{folder}", objective="multipath"), MemoryContext(tmp_path / "run"))


def test_a_loss_that_comes_apart_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="come apart"):
        run(request(start="path:/model"), _exploding(tmp_path))


def _exploding(tmp_path: Path) -> MemoryContext:
    """A start whose weights are at the edge of what can be counted."""
    model = small()
    with torch.no_grad():
        model.embedding.weight.mul_(1e38)
    folder = folder_of(tmp_path / "m", model)

    class Context(MemoryContext):
        def resource(self, reference: str) -> Path:
            return folder

    return Context(tmp_path / "run")


@pytest.mark.parametrize(("schedule", "peak", "end"), [("inverse-sqrt", 3, 0.577), ("cosine", 3, 0.02)])
def test_the_learning_rate_rises_and_falls(schedule: str, peak: int, end: float) -> None:
    class Bare(Training):
        def __init__(self) -> None:
            self.request, self.total = request(schedule=schedule), 12

    rates = [Bare().rate(step) for step in range(12)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0]) and rates.index(max(rates)) == peak
    assert rates[-1] == pytest.approx(end, abs=0.05) and rates[4:] == sorted(rates[4:], reverse=True)

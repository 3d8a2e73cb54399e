"""The reproduction of the order language: from training to claims, and claims that fail where they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backends.sm2 import reproduce
from backends.sm2.curve import token_accuracy
from backends.sm2.decode import traced
from backends.sm2.objective import Objective, Weights
from backends.sm2.order_language import Language
from backends.sm2.policy import Policy
from backends.sm2.requests import TrainRequest, TrainResult
from backends.sm2.storage import open_translator
from backends.sm2.train_card import card, facts
from backends.sm2.translate import PRACTICE
from tests.backends.sm2_cases import batch_of, small, some
from workbench.evidence import Reproduction


def tiny(quick: bool) -> TrainRequest:
    return TrainRequest(pairs=200, held_out=10, width=16, inner=32, heads=2, layers=1, tokens=256, max_steps=4)


def test_an_untrained_model_fails_the_claims(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "request", tiny)
    found = reproduce.run(settings, quick=True)
    assert isinstance(found, Reproduction) and not found.holds and found.name == "sm2"
    held = [claim.what for claim in found.claims if claim.holds]
    assert any("hand-set logits" in what for what in held), "this one needs no training"
    assert not any("token accuracy" in what for what in held)
    json.dumps(found.to_json())


def test_the_practice_model_can_be_made_again(settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reproduce, "request", tiny)
    out = reproduce.practice_model(settings, tmp_path / "made")
    opened = open_translator(out)
    assert opened.ready and opened.model.shape.vocabulary == Language().vocabulary
    assert {path.name for path in out.iterdir()} == {path.name for path in PRACTICE.iterdir()}


def test_the_practice_model_was_made_by_this_recipe() -> None:
    shape, asked = open_translator(PRACTICE).model.shape, reproduce.request(quick=False)
    assert (shape.width, shape.inner, shape.heads) == (asked.width, asked.inner, asked.heads)
    assert (shape.encoder_layers, shape.decoder_layers) == (asked.layers, asked.layers)


def test_token_accuracy_counts_places() -> None:
    one = traced([5, 6, 2], "RWWW", [None, 0.5, 0.5, 0.5], 3)
    assert token_accuracy([one], [(5, 6, 2)]) == 1.0
    assert token_accuracy([one], [(5, 7, 2)]) == pytest.approx(2 / 3)
    assert token_accuracy([one], [(6, 2)]) == 0.0, "a word too many moves the rest"
    assert token_accuracy([one], [(5, 6, 8, 9, 2)]) == pytest.approx(2 / 5)


def test_latency_is_told_by_order() -> None:
    test = some(20, 4)
    traces = [reproduce.translate(small(), [one.pair.source], Policy("full"))[0] for one in test]
    lags = reproduce.by_order(traces, test)
    size = {sov: [len(s.pair.source) for s in test if s.sov is sov] for sov in (True, False)}
    assert lags["sov"] == pytest.approx(sum(size[True]) / len(size[True]))
    assert lags["svo"] == pytest.approx(sum(size[False]) / len(size[False]))


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_the_floor_holds_for_other_alphas(alpha: float) -> None:
    assert reproduce.floor_claim(alpha).holds


def test_the_floor_claim_would_find_a_wrong_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mixture in log space, or with another weight, the confidence ends elsewhere."""
    wrong = reproduce.confidence_loss
    monkeypatch.setattr(reproduce, "confidence_loss", lambda z, there: 2 * wrong(z, there))
    assert not reproduce.floor_claim().holds


@pytest.mark.parametrize("kind", ["offline", "prefix", "multipath"])
def test_every_parameter_has_a_gradient(kind: str) -> None:
    """A distributed wrapper waits for the gradient of every parameter."""
    model = small(causal_encoder=kind == "multipath")
    Objective(model, kind, Weights())(batch_of(), [3] * 6)[0].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert float(model.confidence.weight.grad.abs().sum()) == 0.0
    assert torch.isfinite(model.embedding.weight.grad).all()


def test_a_card_says_what_the_model_cannot_do() -> None:
    result = TrainResult("x", 5, 100, 0, 3, 1000, 77, 2.0, 1.0, (), 1.0, 10.0)
    text = card(TrainRequest(objective="offline", name="A"), result)
    assert "not trained" in text and "3 left out" in text and text.startswith("---\nlicense: other")
    simultaneous = card(TrainRequest(start="run:1", source=("path:/data/a.de",), target=("path:/data/a.en",)), result)
    assert "0.091" in simultaneous and "a.de" in simultaneous and "begun from run:1" in simultaneous
    assert "/data/" not in simultaneous, "no path of a machine in a card"
    assert facts(TrainRequest(), result)["training"]["steps"] == 5

"""The pitfalls of the method as whole runs: shuffled labels, label-only training, the sound that must matter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import backends.blsp_emo as method
from backends.blsp_emo import objective, prompts
from backends.blsp_emo.clips import Clips, joined
from backends.blsp_emo.lessons import Pass, lessons_of
from backends.blsp_emo.requests import (
    ContinuationsRequest,
    EvaluateRequest,
    GateRequest,
    GateResult,
    Stage0Request,
    Stage1Request,
    Stage2Request,
    StageResult,
)
from backends.blsp_emo.stages import bare, card, facts
from backends.blsp_emo.storage import Base, Setup, weights_hash
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import Manifest, read_manifest
from tests.backends.blsp_cases import make_data, tiny_model, tone
from workbench.contract import UserError
from workbench.fields import fields_of, from_json, to_json


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("clips"), speakers=1, seconds=0.4)


@pytest.fixture
def model(whisper: Path, tiny_lm: Path):
    return tiny_model(whisper, tiny_lm)


def test_the_papers_values_are_the_defaults() -> None:
    one, two = Stage1Request("path:x"), Stage2Request("path:x")
    assert (one.learning_rate, one.warmup, one.epochs) == (1e-4, 1000, 1)
    assert (one.weight_decay, one.clip, one.seed) == (0.05, 1.0, 1)
    assert (two.learning_rate, two.warmup, two.epochs, two.ser_weight) == (2e-5, 200, 3, 1.0)
    assert (two.rank, two.alpha, two.lora_dropout, two.tune_encoder) == (16, 16.0, 0.05, True)
    assert (one.shortest, one.longest, one.longest_text, one.temperature) == (1.0, 30.0, 256, 2.0)
    assert (one.layer, one.bottleneck, one.dropout, one.official_mask) == (-1, 512, 0.0, False)
    assert ContinuationsRequest("path:x").max_new_tokens == 48


@pytest.mark.parametrize("request_type", [ContinuationsRequest, EvaluateRequest, GateRequest, Stage0Request,
                                          Stage1Request, Stage2Request])
def test_every_field_explains_itself(request_type: type) -> None:
    for spec in fields_of(request_type):
        assert len(spec.knob.help) > 10, spec.name
        assert spec.knob.group in {"Data", "Model", "Optimisation", "Expert"}, spec.name


def test_tasks_have_names_and_examples_that_survive_json() -> None:
    names = [task.name for task in method.TASKS]
    assert names[:6] == [f"blsp_emo.{name}.v1" for name in ("stage0", "gate", "continuations", "stage1", "stage2",
                                                            "evaluate")]
    assert {"blsp_emo.talk.v1", "blsp_emo.selftest.v1"} <= set(names)
    for task in method.TASKS:
        assert from_json(task.request, json.loads(json.dumps(to_json(task.example)))) == task.example
        assert callable(task.function())


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Stage1Request(""), "manifest"), (lambda: Stage1Request("path:x", layer=-2), "layer"),
    (lambda: Stage2Request("path:x", lora_dropout=0.95), "lora_dropout"), (lambda: GateRequest(checked=1), "checked"),
    (lambda: Stage0Request(width=8), "width"), (lambda: Stage0Request(method="prefix"), "method"),
    (lambda: ContinuationsRequest("path:x", stage=3), "stage"), (lambda: EvaluateRequest("m", "d", ""), "answers"),
    (lambda: ContinuationsRequest("path:x", max_new_tokens=0), "max_new_tokens"),
    (lambda: Stage2Request("path:x", ser_weight=-1.0), "ser_weight")])
def test_values_out_of_bounds_are_named(make, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


def test_states_are_kept_where_the_encoder_is_frozen(model, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(data / "manifest.jsonl", "ser")
    clips = Clips([manifest.source(row) for row in manifest.rows], model, Limits(), keep=True)
    first = clips.states([0, 7])
    monkeypatch.setattr(type(model), "encode", lambda *_: pytest.fail("encoded twice"))
    again = clips.states([7, 0])
    assert torch.equal(first.one(0), again.one(1)) and torch.equal(first.one(1), again.one(0))
    assert again.lengths.tolist() == first.lengths.tolist()[::-1]


def test_kept_states_are_the_states_of_a_batch(model, data: Path) -> None:
    manifest = read_manifest(data / "manifest.jsonl", "ser")
    sources = [manifest.source(row) for row in manifest.rows]
    kept, fresh = (Clips(sources, model, Limits(), keep=keep).states([0, 7, 3]) for keep in (True, False))
    assert kept.lengths.tolist() == fresh.lengths.tolist()
    for row in range(3):
        assert torch.allclose(kept.one(row), fresh.one(row), atol=1e-4)


def test_joined_clips_have_zeros_behind() -> None:
    found = joined([torch.ones(2, 3), torch.ones(4, 3)])
    assert found.lengths.tolist() == [2, 4] and not found.values[0, 2:].any() and found.one(1).shape == (4, 3)


def test_the_sound_matters(model, data: Path) -> None:
    """Another clip under the same words gives another loss; a model that ignored the sound would not notice."""
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 1)[:1]
    one = Pass(model, 1)
    with torch.no_grad():
        sums = [one(lessons, model.encode(model.features([tone(0.5, pitch)]))) for pitch in (120, 400)]
        silent = model.encode(model.features([tone(0.5)]))
        sums.append(one(lessons, replace(silent, values=torch.zeros_like(silent.values))))
    losses = [float(one[0]) for one in sums]
    assert len({round(loss, 3) for loss in losses}) == 3


def test_the_sums_of_a_pass(model, data: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 2)[:3]
    states = model.encode(model.features([tone(0.4, 150), tone(0.5, 200), tone(0.3, 300)]))
    one = Pass(model, 2, weights=(1.0, 2.0, 1.0, 1.0, 1.0))
    with torch.no_grad():
        sums = one(lessons, states)
    tokens, weight = one.counts(lessons)
    assert sums[2] == tokens and weight == 1 + 2 + 1
    assert float(sums[1]) == pytest.approx(4 * 1.6094, abs=1e-3), "a head of zeros: log 5 for each unit of weight"
    assert sums[3] == 1, "it says neutral to all three"
    single = 0.0
    with torch.no_grad():
        for row, lesson in enumerate(lessons):
            alone = joined([states.one(row)])
            single += float(one([lesson], alone)[0])
    assert float(sums[0]) == pytest.approx(single, rel=1e-3), "a batch is the sum of its clips"


def test_the_published_rows_are_others(model, data: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 1)[:2]
    states = model.encode(model.features([tone(0.4, 150), tone(0.5, 200)]))
    with torch.no_grad():
        ours, theirs = (Pass(model, 1, official_mask=flag)(lessons, states) for flag in (False, True))
    assert ours[2] == theirs[2] and not torch.allclose(ours[0], theirs[0])


def test_gradients_reach_what_learns_and_nothing_else(model, data: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 2)[:2]
    learned = model.train_only(("encoder", "adapter", "head"))
    states = model.encode(model.features([tone(0.4, 150), tone(0.5, 200)]))
    sums = Pass(model, 2)(lessons, states)
    (sums[0] + sums[1]).backward()
    assert all(parameter.grad is not None for parameter in learned.values())
    assert any(parameter.grad.abs().sum() > 0 for name, parameter in learned.items() if name.startswith("encoder"))
    assert all(parameter.grad is None for parameter in model.lm.parameters())


def test_stage_2_can_tell_made_tones_apart_and_shuffled_ones_cannot(model, data: Path) -> None:
    """The emotion head on the adapter: five pitches are learned, five shuffled ones are not told on other sounds."""
    pitches = (150.0, 240.0, 200.0, 110.0, 320.0)
    learned = model.train_only(("adapter", "head"))
    with torch.no_grad():
        train = model.encode(model.features([tone(0.4, p * (1 + 0.02 * n), seed=n) for n in range(3) for p in pitches]))
        test = model.encode(model.features([tone(0.4, p * 1.03, seed=9) for p in pitches]))
    emotions = torch.arange(5).repeat(3)
    optimizer = torch.optim.Adam(learned.values(), lr=1e-2)
    for _ in range(60):
        loss = objective.emotion_ce(model.emotions(model.listen(train)), emotions) / 15
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.train_only(())
    with torch.no_grad():
        told = model.emotions(model.listen(test)).argmax(1)
    assert int((told == torch.arange(5)).sum()) >= 4 and float(loss.detach()) < 0.3


def test_a_card_is_for_others(tmp_path: Path) -> None:
    setup = Setup(2, Base("path:/home/me/lm", "a", "package:whisper-tiny-en", "b"), name="Mine")
    request = Stage2Request("path:/home/me/rows.jsonl", shuffled=True)
    result = StageResult("x", 3, 0, 10, 20, 5, {"short": 2}, 1.0, 0.5, (), True, 1.0)
    text = card(request, setup, result, Manifest((), (), tmp_path))
    assert "CONTROL" in text and "/home/me" not in text and "no diagnosis" in text and "2 left out" in text
    kept = facts(request, result)["training"]["request"]
    assert kept["manifest"] == "rows.jsonl" and bare("package:x") == "package:x" and bare(3) == 3


def test_checksums_see_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    first = weights_hash(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"two")
    assert weights_hash(tmp_path) != first
    (tmp_path / "b.safetensors").unlink()
    (tmp_path / "notes.txt").write_text("not weights")
    assert weights_hash(tmp_path) == first


def test_a_gate_report_survives_json() -> None:
    result = GateResult(True, 0.9, 0.8, 10, 0.99, 50, "w", "", {"sad": 0.9})
    assert from_json(GateResult, json.loads(json.dumps(to_json(result)))) == result


def test_question_and_label_target_use_one_prompt(data: Path) -> None:
    rows = read_manifest(data / "manifest.jsonl", "continuation").rows
    told = {lesson.told for lesson in lessons_of(rows, 2, "label")}
    assert told == {prompts.question()}
    assert {lesson.told for lesson in lessons_of(rows, 2)} == {prompts.heard()}

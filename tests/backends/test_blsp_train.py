"""Both stages learn what they should and nothing else; a killed run goes on to the same weights; the gate is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.blsp_emo import prompts
from backends.blsp_emo.lessons import Pass, divided, lessons_of, shuffled, usable
from backends.blsp_emo.requests import Stage1Request, Stage2Request
from backends.blsp_emo.sequences import Layout
from backends.blsp_emo.stages import stage1, stage2
from backends.blsp_emo.storage import open_model, read_setup, weights_hash
from backends.common.speech.manifests import read_manifest
from tests.backends.blsp_cases import PITCH, gated, make_data, tiny_model, wake
from tests.tiny import make_tokenizer
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> Path:
    return gated(tiny_lm, tmp_path_factory.mktemp("gate") / "gate.json")


@pytest.fixture
def ask(whisper: Path, data: Path, gate: Path, tiny_lm: Path):
    """Requests on the toy data that end in a second."""
    def made(stage: int = 1, **fields):
        common = {"manifest": f"path:{data}/manifest.jsonl", "gate": f"path:{gate}", "shortest": 0.2, "batch": 5,
                  "micro": 5, "max_steps": 3, "learning_rate": 3e-3, "warmup": 2, "validation": ("s2",), "seed": 4,
                  "model": f"path:{tiny_lm}", "encoder": f"path:{whisper}"}
        return (Stage1Request(**{**common, "bottleneck": 8, **fields}) if stage == 1
                else Stage2Request(**{**common, "rank": 2, **fields}))
    return made


def weights(context: MemoryContext) -> dict[str, torch.Tensor]:
    return load_file(context.run / "artifacts" / "model" / "model.safetensors")


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_stage_1_brings_speech_nearer_to_its_text_and_changes_the_adapter_alone(ask, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    result = stage1(ask(max_steps=25, evaluate_every=5), context)
    assert result.measured[-1].response < 0.8 * result.measured[0].response, "held-out KL falls on an unseen speaker"
    assert result.frozen_same and result.rows == 20 and result.held == 10 and result.faults == {}
    assert {name.split(".")[0] for name in weights(context)} == {"adapter", "head"}
    assert not weights(context)["head.weight"].any(), "the head does not learn in stage 1"
    assert result.measured[0].emotion == pytest.approx(1.609, abs=1e-3)
    setup = read_setup(Path(result.path))
    assert (setup.stage, setup.plora, setup.tuned) == (1, None, False)
    card = (Path(result.path) / "README.md").read_text(encoding="utf-8")
    assert "41.6 %" in card and str(tmp_path) not in card and "stage 1" in card


def test_stage_2_goes_on_from_stage_1(ask, tmp_path: Path) -> None:
    first = stage1(ask(), MemoryContext(tmp_path / "one"))
    context = MemoryContext(tmp_path / "two")
    result = stage2(ask(2, start=f"path:{first.path}", max_steps=8, learning_rate=1e-2), context)
    found = weights(context)
    assert {name.split(".")[0] for name in found} == {"adapter", "head", "plora", "encoder"}
    assert any(value.any() for name, value in found.items() if name.endswith("lora_b")) and found["head.weight"].any()
    assert result.last_loss < result.first_loss and result.frozen_same
    model, setup = open_model(Path(result.path), MemoryContext(tmp_path / "open"))
    assert setup.stage == 2 and torch.equal(model.head.weight, found["head.weight"])
    assert model.adapter.down.weight.shape[0] == 8, "the sizes are those of stage 1"
    with pytest.raises(UserError, match="stage 2 begins with one of stage 1"):
        stage2(ask(2, start=f"path:{result.path}"), MemoryContext(tmp_path / "three"))


@pytest.mark.parametrize(("fields", "parts"), [
    ({"tune_encoder": False}, {"adapter", "head", "plora"}),
    ({"tune_encoder": False, "rank": 0}, {"adapter", "head"}),
    ({"tune_encoder": True, "rank": 0, "ser_weight": 0.0}, {"adapter", "head", "encoder"})])
def test_the_paper_and_the_released_script_train_other_parts(ask, tmp_path: Path, fields: dict, parts: set) -> None:
    context = MemoryContext(tmp_path / "run")
    result = stage2(ask(2, **fields), context)
    found = weights(context)
    assert {name.split(".")[0] for name in found} == parts and result.frozen_same
    assert bool(found["head.weight"].any()) is (fields.get("ser_weight", 1) > 0)


@pytest.mark.parametrize(("stage", "stop"), [(1, "step 4,"), (2, "step 3,")])
def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(ask, tmp_path: Path, stage: int, stop: str) -> None:
    run = stage1 if stage == 1 else stage2
    asked = ask(stage, max_steps=6, save_every=1, evaluate_every=2, dropout=0.2)
    whole = MemoryContext(tmp_path / "whole")
    result = run(asked, whole)
    calls = next(number for number, (*_, message) in enumerate(whole.reports, 1) if message.startswith(stop))
    with pytest.raises(Cancelled):
        run(asked, MemoryContext(tmp_path / "cut", cancel_after=calls))
    assert list((tmp_path / "cut" / "checkpoints").glob("step-*")), "it had got somewhere"
    again = MemoryContext(tmp_path / "cut")
    assert run(asked, again).last_loss == result.last_loss
    assert equal(weights(again), weights(whole)) and len(again.metrics) < len(whole.metrics)
    other = ask(stage, max_steps=6, save_every=1, evaluate_every=2, dropout=0.2, learning_rate=1e-3)
    with pytest.raises(UserError, match="other settings"):
        run(other, MemoryContext(tmp_path / "cut"))


def test_micro_batches_change_rounding_only(ask, tmp_path: Path) -> None:
    made = []
    for micro in (1, 2, 5):
        context = MemoryContext(tmp_path / str(micro))
        stage2(ask(2, micro=micro, tune_encoder=False, lora_dropout=0.0, max_steps=1), context)
        made.append(next(values for _, values in context.metrics if "loss" in values))
    for name in ("loss", "response", "emotion", "gradient_norm"):
        assert made[1][name] == pytest.approx(made[0][name], rel=1e-3) == pytest.approx(made[2][name], rel=1e-3), name


def test_the_best_measurement_is_kept_and_patience_ends(ask, tmp_path: Path) -> None:
    result = stage1(ask(max_steps=12, learning_rate=0.5, evaluate_every=1, patience=2), MemoryContext(tmp_path / "r"))
    best = min(result.measured, key=lambda held: held.response)
    assert result.kept_step == best.step and result.steps < 12, "a rate that is far too high was stopped early"


def test_a_language_model_without_its_gate_is_refused(ask, tmp_path: Path, tiny_lm: Path) -> None:
    failed = gated(tiny_lm, tmp_path / "failed.json", passed=False)
    other = gated(tiny_lm, tmp_path / "other.json", weights="0" * 64)
    with pytest.raises(UserError, match="did not pass the gate: only 30%"):
        stage1(ask(gate=f"path:{failed}"), MemoryContext(tmp_path / "a"))
    with pytest.raises(UserError, match="about other weights"):
        stage2(ask(2, gate=f"path:{other}"), MemoryContext(tmp_path / "b"))
    with pytest.raises(MissingResource, match="Nobody has checked"):
        stage1(ask(gate=""), MemoryContext(tmp_path / "c"))


@pytest.mark.parametrize(("stage", "fields", "words"), [
    (1, {"shortest": 5.0, "longest": 2.0}, "no clip is both"), (1, {"leave_out": ("s2",)}, "choose one"),
    (2, {"target": "song"}, "target"), (1, {"temperature": 0.0}, "temperature"), (2, {"rank": -1}, "rank")])
def test_requests_are_checked(ask, stage: int, fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask(stage, **fields)


def test_clips_that_cannot_be_used_are_counted_and_all_of_them_are_an_error(ask, tmp_path: Path, data: Path) -> None:
    folder = make_data(tmp_path / "clips")
    (folder / "s0-0-sad.wav").write_bytes(b"no sound")
    result = stage1(ask(manifest=f"path:{folder}/manifest.jsonl", max_steps=1), MemoryContext(tmp_path / "run"))
    assert sum(result.faults.values()) == 1 and result.rows == 19
    with pytest.raises(UserError, match="No clip can be used"):
        stage1(ask(shortest=1.0), MemoryContext(tmp_path / "short"))
    with pytest.raises(UserError, match="No clip is by the speaker nobody"):
        stage1(ask(validation=("nobody",)), MemoryContext(tmp_path / "who"))


def test_weights_belong_to_their_base(ask, tmp_path: Path, whisper: Path) -> None:
    result = stage1(ask(max_steps=1), MemoryContext(tmp_path / "run"))
    folder = Path(result.path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["setup"]["base"]["encoder_sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="speech encoder tiny is not the one"):
        open_model(folder, MemoryContext(tmp_path / "open"))
    config["setup"]["base"]["encoder_sha256"] = weights_hash(whisper)
    config["setup"]["bottleneck"] = 9
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="do not fit"):
        open_model(folder, MemoryContext(tmp_path / "open"))
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="not valid JSON"):
        read_setup(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    with pytest.raises(UserError, match="'llama'"):
        read_setup(folder)


def test_lessons_never_name_the_emotion(data: Path) -> None:
    rows = read_manifest(data / "manifest.jsonl", "continuation").rows
    for stage in (1, 2):
        for lesson in lessons_of(rows, stage):
            assert prompts.emotion_words(lesson.told.system + lesson.told.instruction) == []
    labels = lessons_of(rows, 2, "label")
    assert {one.output for one in labels} == set(PITCH) and not any(one.early_stop for one in labels)
    assert [one.emotion for one in labels[:5]] == [0, 1, 2, 3, 4]


def test_shuffling_keeps_words_and_loses_tones(data: Path, tmp_path: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 2)
    mixed = shuffled(lessons, MemoryContext(tmp_path).generator(1))
    assert [(one.text, one.place) for one in mixed] == [(one.text, one.place) for one in lessons]
    assert sorted((one.text, one.output) for one in mixed) == sorted((one.text, one.output) for one in lessons)
    assert sum(a.emotion == b.emotion for a, b in zip(lessons, mixed, strict=True)) < len(lessons) // 2


def test_speakers_never_stand_on_both_sides(data: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 2)
    train, held = divided(lessons, ("s1",), ("s0",))
    assert {one.speaker for one in train} == {"s2"} and {one.speaker for one in held} == {"s1"}
    with pytest.raises(UserError, match="No clip is left"):
        divided(lessons, ("s1", "s2"), ("s0",))


def test_rows_that_do_not_fit_are_named(data: Path) -> None:
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 2)
    kept, why = usable(lessons, Layout(make_tokenizer()), 20)
    assert kept == [] and dict(why) == {"more than 20 tokens": 30}


def test_the_teacher_of_a_pass_has_no_gradient_and_no_plora(whisper: Path, tiny_lm: Path, data: Path) -> None:
    model = tiny_model(whisper, tiny_lm)
    lessons = lessons_of(read_manifest(data / "manifest.jsonl", "continuation").rows, 1)[:2]
    before = Pass(model, 1).teacher(lessons)
    from backends.blsp_emo.plora import PloraShape

    model.add_plora(PloraShape(2, dropout=0.0))
    wake(model.plora)
    model.train_only(("adapter", "plora"))
    after = Pass(model, 1).teacher(lessons)
    assert torch.equal(before, after) and not after.requires_grad

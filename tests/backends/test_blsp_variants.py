"""Variants of the trainings: two tasks at once, turns of conversation, 16 bits, stage 0's prompts, the reply gap."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.blsp_emo import gate, prompts, talk
from backends.blsp_emo.clips import Clips
from backends.blsp_emo.continuations import read_answers
from backends.blsp_emo.evaluate import distance, gaps_of, read
from backends.blsp_emo.lessons import Lesson, lessons_of, shuffled
from backends.blsp_emo.plora import PloraShape
from backends.blsp_emo.requests import Stage0Request, Stage1Request, Stage2Request
from backends.blsp_emo.ser import EMOTIONS, NONE
from backends.blsp_emo.stage0 import lessons as stage0_lessons
from backends.blsp_emo.stage0 import new_model
from backends.blsp_emo.stage0 import run as stage0
from backends.blsp_emo.stages import stage1, stage2
from backends.blsp_emo.storage import licence_of, open_model, weights_hash
from backends.common.engine import LocalModel
from backends.common.loading import open_tokenizer
from backends.common.speech.audio import Limits
from backends.common.speech.manifests import read_manifest
from backends.common.training.examples import LEARNED
from tests.backends.blsp_cases import SENTENCES, gated, make_data, tiny_model, wake
from workbench.context import MemoryContext


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("clips"), speakers=2, seconds=0.3)


@pytest.fixture(scope="module")
def rows(data: Path):
    return read_manifest(data / "manifest.jsonl", "continuation").rows


@pytest.fixture
def ask(whisper: Path, data: Path, tmp_path: Path, tiny_lm: Path):
    report = gated(tiny_lm, tmp_path / "gate.json")

    def made(kind=Stage2Request, **fields):
        common = {"manifest": f"path:{data}/manifest.jsonl", "gate": f"path:{report}", "shortest": 0.2, "batch": 5,
                  "micro": 5, "max_steps": 2, "learning_rate": 3e-3, "warmup": 1, "validation": ("s1",),
                  "model": f"path:{tiny_lm}", "encoder": f"path:{whisper}", "bottleneck": 8}
        if kind is Stage2Request:
            common = {**common, "rank": 2, "tune_encoder": False}
        return kind(**{**common, **fields})
    return made


def test_two_tasks_stand_side_by_side(rows) -> None:
    both = lessons_of(rows, 2, "both")
    told = Counter(one.told for one in both)
    assert told == {prompts.heard(): len(rows), prompts.question(): len(rows)}
    labels = [one for one in both if one.told == prompts.question()]
    assert all(one.output == EMOTIONS[one.emotion] and not one.early_stop for one in labels)
    assert [one.place for one in labels] == list(range(len(rows))), "one sound serves both"


def test_a_clip_without_an_emotion_is_asked_for_none(rows) -> None:
    from dataclasses import replace

    plain = [replace(row, emotion="") for row in rows[:3]]
    assert len(lessons_of([*plain, *rows[3:6]], 2, "both")) == 6 + 3


def test_every_second_clip_is_a_turn_of_conversation(rows) -> None:
    found = lessons_of(rows, 2, conversation=True)
    assert [one.told for one in found[:4]] == [prompts.heard(), prompts.chat()] * 2
    assert all(prompts.emotion_words(one.told.system + one.told.instruction) == [] for one in found)
    assert {one.told for one in lessons_of(rows, 2, "label", conversation=True)} == {prompts.question()}
    assert {one.told for one in lessons_of(rows, 2)} == {prompts.heard()}, "the paper's way is the default"


def test_shuffling_two_tasks_keeps_each_answer_with_a_clip_of_its_sentence(rows) -> None:
    found = lessons_of(rows, 2, "both")
    mixed = shuffled(found, random.Random(0))
    assert Counter((one.text, one.output) for one in found) == Counter((one.text, one.output) for one in mixed)


@pytest.mark.parametrize("target", ["both", "label", "continuation"])
def test_every_target_trains(ask, tmp_path: Path, target: str) -> None:
    result = stage2(ask(target=target, conversation=True), MemoryContext(tmp_path / "run"))
    assert result.steps == 2 and result.frozen_same
    assert result.rows == (20 if target == "both" else 10) and result.held == result.rows


def test_weights_in_16_bits_are_half_as_large_and_nearly_the_same(ask, tmp_path: Path) -> None:
    folders = [Path(stage2(ask(half=flag), MemoryContext(tmp_path / str(flag))).path) for flag in (False, True)]
    full, half = (load_file(folder / "model.safetensors") for folder in folders)
    assert {value.dtype for value in half.values()} == {torch.float16} and full.keys() == half.keys()
    assert all(torch.allclose(full[name], half[name].float(), atol=1e-3) for name in full)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in folders]
    assert sizes[1] < 0.6 * sizes[0]
    model, _ = open_model(folders[1], MemoryContext(tmp_path / "open"))
    assert {parameter.dtype for parameter in model.adapter.parameters()} == {torch.float32}


def test_stage_1_in_16_bits_is_where_stage_2_begins(ask, tmp_path: Path) -> None:
    first = stage1(ask(Stage1Request, half=True, licence="cc0-1.0"), MemoryContext(tmp_path / "one"))
    assert licence_of(Path(first.path)) == "cc0-1.0"
    assert stage2(ask(start=f"path:{first.path}"), MemoryContext(tmp_path / "two")).steps == 2


def test_without_stage_1_its_options_are_stage_2s(ask, tmp_path: Path) -> None:
    result = stage2(ask(layer=1), MemoryContext(tmp_path / "run"))
    model, setup = open_model(Path(result.path), MemoryContext(tmp_path / "open"))
    assert (setup.layer, setup.bottleneck, model.layer) == (1, 8, 1)
    assert model.adapter.down.weight.shape[0] == 8


@pytest.mark.parametrize(("text", "licence"), [("---\nlicense: mit\n---\n", "mit"), ("# no front matter\n", "other"),
                                               ("---\nlicense:\n---\n", "other"), (None, "other")])
def test_the_licence_of_a_folder(tmp_path: Path, text: str | None, licence: str) -> None:
    if text is not None:
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert licence_of(tmp_path) == licence


SMALL = {"width": 32, "layers": 1, "vocabulary": 400, "sentences": 20, "max_steps": 2, "batch": 4, "checked": 2}


def test_stage_0_in_16_bits_is_checked_as_it_is_kept(tmp_path: Path) -> None:
    result = stage0(Stage0Request(**SMALL, half=True), MemoryContext(tmp_path / "run"))
    folder = Path(result.path)
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float16}
    assert result.gate.weights == weights_hash(folder) and licence_of(folder) == "apache-2.0"
    assert "full tuning" in (folder / "README.md").read_text(encoding="utf-8")


def test_tuning_keeps_the_licence_of_what_was_tuned(tmp_path: Path) -> None:
    first = Path(stage0(Stage0Request(**SMALL), MemoryContext(tmp_path / "one")).path)
    again = Stage0Request(model=f"path:{first}", method="full", sentences=20, max_steps=1, batch=4, checked=2)
    second = Path(stage0(again, MemoryContext(tmp_path / "two")).path)
    assert licence_of(second) == "apache-2.0" and str(tmp_path) not in (second / "README.md").read_text("utf-8")


def test_the_sayings_of_the_practice_clips_come_on_top(tmp_path: Path) -> None:
    plain, more = (stage0(Stage0Request(**SMALL, sayings=n), MemoryContext(tmp_path / str(n))) for n in (0, 2))
    assert (plain.pairs, more.pairs) == (120, 120 + 2 * 10 * 6)
    texts, combined = {said.text for said in talk.SAYINGS}, {s.text for s in talk.sentences(random.Random(0), 100_000)}
    assert len(texts) == 10 and len(texts & combined) == 1, "the cloth on the fridge is a combination, too"


PAIRS = talk.pairs(talk.sentences(random.Random(0), 20), random.Random(0))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    """The tokenizer of a new model of stage 0."""
    request = Stage0Request(width=16, layers=1, vocabulary=1200)
    return open_tokenizer(new_model(tmp_path_factory.mktemp("new") / "model", PAIRS, request))


def test_stage_0_knows_every_prompt_that_will_be_asked(tokenizer) -> None:
    texts = [tokenizer.decode(one.ids) for one in stage0_lessons(tokenizer, PAIRS, random.Random(0))]
    for told in (prompts.semantic(), prompts.heard(), prompts.chat()):
        assert any(told.system in text and told.instruction.strip() in text for text in texts)
    for emotion in EMOTIONS:
        assert sum(f"'{emotion}'" in text for text in texts) == 20
    turns = Counter(text.count("<|im_start|>user") for text in texts)
    assert turns[1] > 100 and turns[2] + turns[3] > 0, "conversations of up to three turns"


def test_earlier_turns_are_no_lesson(tokenizer) -> None:
    found = stage0_lessons(tokenizer, PAIRS, random.Random(0))
    assert len(found) == len(PAIRS) and all(one.replies == 1 for one in found)
    for one, pair in zip(found, PAIRS, strict=True):
        learned = [token for token, kind in zip(one.ids, one.kinds, strict=True) if kind in LEARNED]
        assert tokenizer.decode(learned, skip_special_tokens=True) == pair.output


def test_a_model_in_this_process_answers_like_a_line(tiny_lm: Path) -> None:
    from backends.common.language import Decoding, Prompt, ResidentModel

    model = LocalModel(tiny_lm, threads=1)
    line = ResidentModel(model)
    prompts_, decoding = [Prompt(text="Hello there"), Prompt(text="Dogs")], Decoding(max_new_tokens=4, temperature=0.0)
    assert [one.text for one in line.generate(prompts_, decoding)] == \
        [one.text for one in model.generate(prompts_, decoding)]
    assert line.score(prompts_[:1], [["a", "b"]]) == model.score(prompts_[:1], [["a", "b"]])


@pytest.fixture
def model(whisper: Path, tiny_lm: Path):
    return tiny_model(whisper, tiny_lm)


@pytest.fixture
def clips(model, data: Path, rows) -> Clips:
    manifest = read_manifest(data / "manifest.jsonl", "ser")
    return Clips([manifest.source(row) for row in manifest.rows], model, Limits(), keep=True)


def test_the_distance_of_a_text_from_itself_is_none(model, clips: Clips) -> None:
    """The twin that hears is given the very embeddings of the words: then nothing separates the two."""
    told = prompts.semantic()
    lesson = Lesson(0, SENTENCES[0], NONE, "ne!", False, told)
    ids = torch.tensor([model.layout.words(SENTENCES[0])])
    vectors = model.lm.get_input_embeddings()(ids)
    from backends.blsp_emo.model import Speech

    model.listen = lambda _: Speech(vectors, torch.tensor([ids.shape[1]]))
    assert distance(model, lesson, told, clips.states([0])) == pytest.approx(0.0, abs=1e-4)
    assert distance(model, lesson, prompts.emotional("sad"), clips.states([0])) > 1e-4


def test_gaps_are_means_over_clips(model, clips: Clips, rows, data: Path, tmp_path: Path) -> None:
    answers = read_answers(data / "answers.jsonl")
    gaps, replied = gaps_of(model, rows[:10], clips, answers, MemoryContext(tmp_path))
    assert set(gaps) == set(EMOTIONS) and replied > 0 and all(value > 0 for value in gaps.values())
    one = Lesson(1, rows[1].text, NONE, *answers[rows[1].text]["neutral"], prompts.semantic())
    two = Lesson(6, rows[6].text, NONE, *answers[rows[6].text]["neutral"], prompts.semantic()) if len(rows) > 6 else one
    emotion = rows[1].emotion
    places = [i for i, row in enumerate(rows[:10]) if row.emotion == emotion]
    alone = [distance(model, one if i == 1 else two, prompts.semantic(), clips.states([i])) for i in places]
    assert gaps[emotion] == pytest.approx(sum(alone) / len(alone), rel=1e-4)


def test_the_reply_gap_sees_plora_and_the_reader_does_not(model, clips: Clips, rows, data: Path,
                                                          tmp_path: Path) -> None:
    answers = read_answers(data / "answers.jsonl")
    before = gaps_of(model, rows[:2], clips, answers, MemoryContext(tmp_path))
    eye = read(model, rows[0].text, answers)
    model.add_plora(PloraShape(2, dropout=0.0))
    wake(model.plora)
    after = gaps_of(model, rows[:2], clips, answers, MemoryContext(tmp_path))
    assert after[1] != before[1] and read(model, rows[0].text, answers) == eye


def test_the_classifier_of_the_gate_does_not_know_the_sayings() -> None:
    """It judges tone by openings, so replies to sentences that it never saw are told as well."""
    classifier, _ = gate.frozen_classifier()
    generator = random.Random(5)
    replies = [(talk.reply(said, emotion, generator), emotion) for said in talk.SAYINGS for emotion in EMOTIONS]
    told = classifier.tell([reply for reply, _ in replies])
    assert sum(a == b for a, (_, b) in zip(told, replies, strict=True)) >= 48


def test_kept_facts_of_a_training_name_no_folder(ask, tmp_path: Path) -> None:
    folder = Path(stage2(ask(), MemoryContext(tmp_path / "run")).path)
    asked = json.loads((folder / "config.json").read_text("utf-8"))["training"]["request"]
    assert asked["manifest"] == "manifest.jsonl" and asked["spec_augment"] is False and asked["licence"] == "other"
    assert not any(isinstance(value, str) and str(tmp_path) in value for value in asked.values())


def test_the_encoder_may_take_smaller_steps(ask, tmp_path: Path) -> None:
    """At a thousandth of the rate the encoder hardly moves, the adapter moves as before."""
    start = load_file(ask().encoder.removeprefix("path:") + "/model.safetensors")
    moved = {}
    for share in (1.0, 0.001):
        request = ask(tune_encoder=True, encoder_share=share)
        weights = load_file(Path(stage2(request, MemoryContext(tmp_path / str(share))).path) / "model.safetensors")
        moved[share] = max(float((value - start["model." + name]).abs().max()) for name, value in weights.items()
                           if name.startswith("encoder.") and "model." + name in start)
    assert 0 < moved[0.001] < 0.05 * moved[1.0]

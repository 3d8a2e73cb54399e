"""The practice clips as the training tasks take them: what is bundled fits together, and each step runs on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backends.blsp_emo import continuations, evaluate, prompts, reproduce, reproduce_practice, stages, talk
from backends.blsp_emo.continuations import read_answers
from backends.blsp_emo.refusal import refusal
from backends.blsp_emo.reproduce_speech import TONED
from backends.blsp_emo.requests import (
    ContinuationsRequest,
    EvaluateRequest,
    Stage1Request,
    Stage2Request,
    StageResult,
)
from backends.blsp_emo.talking_lines import sound_of
from backends.common.speech import practice
from backends.common.speech.audio import load
from backends.common.speech.manifests import Manifest, read_manifest
from tests.backends.blsp_cases import Direct, gated
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError


@pytest.fixture
def models(whisper: Path, tiny_lm: Path, tmp_path: Path) -> dict[str, Any]:
    """Tiny models with a passed gate, in the fields of a stage's request."""
    gate = gated(tiny_lm, tmp_path / "gate.json")
    return {"model": f"path:{tiny_lm}", "encoder": f"path:{whisper}", "gate": f"path:{gate}", "longest_text": 1000}


def rows(path: Path) -> Manifest:
    found = read_manifest(path, "ser" if path in (practice.CLIPS, practice.ENGLISH) else "continuation")
    assert not found.faults and not found.unknown
    return found


# --- the files -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [practice.ENGLISH, practice.CONTINUATIONS, practice.EMOTIONAL])
def test_every_file_is_about_the_same_clips(path: Path) -> None:
    clips, other = rows(practice.CLIPS), rows(path)
    kept = [(row.audio, row.emotion, row.speaker, row.gender, row.seconds, row.lang) for row in clips.rows]
    assert [(row.audio, row.emotion, row.speaker, row.gender, row.seconds, row.lang) for row in other.rows] == kept
    assert all("/" not in row.audio for row in other.rows), "no folder of the machine that wrote it"


def test_the_example_of_a_conversation_is_one_sentence_in_three_tones_of_a_voice_that_was_not_learned() -> None:
    said = read_manifest(practice.SAID, "ser")
    _, held = talk.divided(reproduce.SEED, reproduce.LEARNED, reproduce.HELD)
    assert not said.faults and [row.emotion for row in said.rows] == ["neutral", "angry", "sad"]
    assert len({row.text for row in said.rows}) == 1 and said.rows[0].text in {one.text for one in held}
    toned = [voice.title for voice in TONED[:reproduce_practice.VOICES]]
    assert {row.speaker for row in said.rows}.isdisjoint(toned)
    for row in said.rows:
        assert load(said.source(row)).seconds == pytest.approx(row.seconds, abs=0.01)
    assert "synthetic" in (practice.FOLDER / "SOURCES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["practice/said-sad.flac", "practice/08a01Wa.flac", "practice", "practice/-1"])
def test_a_practice_clip_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    assert sound_of(name, MemoryContext(tmp_path)).is_file()


def test_the_english_sentences_stand_for_the_german_ones() -> None:
    pairs = {(one.text, two.text) for one, two in zip(rows(practice.CLIPS).rows, rows(practice.ENGLISH).rows,
                                                     strict=True)}
    assert len(pairs) == len({german for german, _ in pairs}) == len({english for _, english in pairs}) == 3
    assert ("Der Lappen liegt auf dem Eisschrank.", "The cloth is lying on the fridge.") in pairs


@pytest.mark.parametrize(("path", "told"), [(practice.CONTINUATIONS, prompts.semantic()),
                                            (practice.EMOTIONAL, prompts.heard())])
def test_continuations_were_written_under_the_prompts_of_training(path: Path, told: prompts.Told) -> None:
    for row in rows(path).rows:
        assert row.instruction == told.instruction and not prompts.emotion_words(row.instruction)
        assert row.output.strip() and not refusal(row.output)
        assert row.text in {one.text for one in rows(practice.ENGLISH).rows}


def test_answers_hold_every_emotion_and_are_what_stage_2_learns() -> None:
    answers = read_answers(practice.ANSWERS)
    assert set(answers) == {row.text for row in rows(practice.ENGLISH).rows}
    for row in rows(practice.EMOTIONAL).rows:
        assert answers[row.text][row.emotion] == (row.output, row.early_stop)
    for text, each in answers.items():
        assert len({output for output, _ in each.values()}) == 5, f"{text} is answered alike in two emotions"


def test_what_a_model_wrote_is_called_so() -> None:
    told = (practice.FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert "synthetic" in told and "blsp-emo-lm" in told and "translation" in told


# --- which file is meant -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("reference", "expected"), [("", True), ("practice", True), (" practice ", True),
                                                     ("path:practice", False), ("Practice", False), ("run:x", False)])
def test_practice_and_nothing_mean_the_practice_clips(reference: str, expected: bool) -> None:
    assert practice.is_practice(reference) is expected


def test_other_references_are_resolved_and_recorded(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text("{}\n", encoding="utf-8")
    context = MemoryContext(tmp_path / "run")
    assert practice.located("practice", practice.CLIPS, context) == practice.CLIPS
    assert practice.located(f"path:{own}", practice.CLIPS, context) == own
    with pytest.raises(MissingResource):
        practice.located(f"path:{tmp_path}/none.jsonl", practice.CLIPS, context)
    with pytest.raises(MissingResource, match=r"have no songs\.jsonl"):
        practice.located("", practice.FOLDER / "songs.jsonl", context)


# --- the tasks on them ---------------------------------------------------------------------------------------------

def test_both_stages_learn_from_them_without_being_told_where(models: Mapping[str, Any], tmp_path: Path) -> None:
    common = {**models, "batch": 4, "max_steps": 1, "validation": ("emodb_08",)}
    first: StageResult = stages.stage1(Stage1Request(**common, bottleneck=8), MemoryContext(tmp_path / "one"))
    assert (first.rows, first.held, first.faults, first.frozen_same) == (4, 4, {}, True)
    second = stages.stage2(Stage2Request(**common, rank=2, start=f"path:{first.path}"), MemoryContext(tmp_path / "two"))
    assert (second.rows, second.held, second.faults, second.frozen_same) == (4, 4, {}, True)
    assert 0 <= second.measured[-1].accuracy <= 1
    config = json.loads((Path(second.path) / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["request"]["manifest"] == "practice"


def test_two_speakers_leave_nobody_to_stop_by_unless_one_is_named(models: Mapping[str, Any], tmp_path: Path) -> None:
    found = stages.stage1(Stage1Request(**models, bottleneck=8, max_steps=1), MemoryContext(tmp_path / "run"))
    assert found.rows == 8 and found.held == 0 and found.measured == ()
    with pytest.raises(UserError, match="The speakers are emodb_03, emodb_08"):
        stages.stage1(Stage1Request(**models, validation=("emodb_99",)), MemoryContext(tmp_path / "other"))


def test_what_was_learned_is_evaluated_on_them(models: Mapping[str, Any], tmp_path: Path) -> None:
    model = stages.stage1(Stage1Request(**models, bottleneck=8, max_steps=1), MemoryContext(tmp_path / "one"))
    found = evaluate.run(EvaluateRequest(f"path:{model.path}", pool=2, limit=3), MemoryContext(tmp_path / "two"))
    assert found.clips == 3 and found.content_pool == 2 and 0 <= found.heard <= 1
    clips = json.loads((tmp_path / "two" / "artifacts" / "clips.json").read_text(encoding="utf-8"))
    assert {clip["audio"] for clip in clips} <= {row.audio for row in rows(practice.CLIPS).rows}


@pytest.mark.parametrize("stage", [1, 2])
def test_a_language_model_continues_them_in_english(stage: int, tiny_lm: Path, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run", model_factory=lambda _: Direct(tiny_lm))
    request = ContinuationsRequest(stage=stage, model=f"path:{tiny_lm}", max_new_tokens=6)  # type: ignore[arg-type]
    found = continuations.run(request, context)
    written = read_manifest(Path(found.path), "continuation")
    assert found.rows == 8 and found.prompts == (3 if stage == 1 else 8), "a sentence is asked once in each emotion"
    assert {row.text for row in written.rows} == {row.text for row in rows(practice.ENGLISH).rows}
    assert all(Path(written.source(row)).is_file() for row in written.rows), "the sounds are found from the new file"

"""The reproduction as a piece of work: the chain with its controls runs, is kept, and its claims say what was found.

Here with tiny random models, whose figures mean nothing; what they are with real ones, `reproduce blsp-emo` says.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backends.blsp_emo import reproduce, reproduce_claims, reproduce_speech
from backends.blsp_emo.reproduce_claims import below, spread_of
from backends.blsp_emo.reproduce_kept import Kept, hashed
from backends.blsp_emo.reproduce_speech import Line, Speaker, say, semantic_lines, spoken, toned_lines
from backends.blsp_emo.reproduce_track import ABLATIONS, Data, Steps, Track
from backends.blsp_emo.requests import EvaluateResult, GateRequest, Stage2Request
from backends.blsp_emo.ser import EMOTIONS
from backends.common.speech.manifests import read_manifest, write_manifest
from tests.backends.blsp_cases import SENTENCES, gated, make_data, make_tiny_whisper
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.settings import Settings

HERE = shutil.which("espeak-ng") is not None
voiced = pytest.mark.skipif(not HERE, reason="espeak-ng is not installed")


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> Track:
    """A chain over made sounds, ready to run in seconds."""
    folder = tmp_path_factory.mktemp("reproduce")
    whisper = make_tiny_whisper(folder / "tiny")
    data = make_data(folder / "clips", speakers=4, seconds=0.4)
    content = data / "content.jsonl"
    rows = read_manifest(data / "manifest.jsonl", "asr").rows
    write_manifest(content, [replace(row, emotion="neutral") for row in rows if row.speaker == "s3"])
    steps = Steps(epochs=0.5, rate=3e-3, toned_epochs=0.5, toned_rate=3e-3, batch=5, layer=1,
                  encoder=f"path:{whisper}")
    toned = data / "toned.jsonl"
    write_manifest(toned, [row for row in read_manifest(data / "manifest.jsonl", "ser").rows
                           if row.text == SENTENCES[0]])
    parts = Data(data / "manifest.jsonl", content, ("s3",), toned, ("s2",), ("s0", "s1"))
    kept = Kept(folder / "runs", Settings(home=folder / "home"))
    return Track(kept, f"path:{tiny_lm}", parts, steps, f"path:{gated(tiny_lm, folder / 'gate.json')}")


@pytest.fixture(scope="module")
def claims(track: Track):
    return [*reproduce_claims.alignment_claims(track, False), *reproduce_claims.hearing_claims(track, False)]


def test_every_control_is_among_the_claims(claims) -> None:
    told = " | ".join(claim.what for claim in claims)
    for words in ("untrained adapter", "without stage 1", "the transcript alone", "after stage 1 alone",
                  "labels shuffled", "labels alone", "cascade"):
        assert words in told
    assert all(claim.value >= 0 for claim in claims if "adds" not in claim.what)


def test_the_transcript_alone_is_at_chance(track: Track) -> None:
    """A sentence in five tones: whoever reads it gives one answer to all five."""
    found = track.heard("stage2", track.stage2("stage2").path)
    assert found.told == pytest.approx(0.2) and found.clips == 10


def test_intervals_enclose_their_values(claims) -> None:
    spread = [claim for claim in claims if claim.interval is not None]
    assert len(spread) >= 4
    assert all(claim.interval[0] - 1e-9 <= claim.value <= claim.interval[1] + 1e-9 for claim in spread)


def test_a_second_time_nothing_is_trained(track: Track, claims, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stage1", "stage2"):
        monkeypatch.setattr(f"backends.blsp_emo.stages.{name}", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr("backends.blsp_emo.evaluate.run", lambda *_: pytest.fail("measured again"))
    assert reproduce_claims.hearing_claims(track, False) == claims[2:]


def test_each_variant_changes_what_it_is_named_after(track: Track) -> None:
    asked = {name: read_request(track, name) for name in ABLATIONS}
    main = asked["stage2"]
    assert asked["shuffled"] == replace(main, shuffled=True)
    assert asked["no-ser"] == replace(main, ser_weight=0.0)
    assert asked["label"] == replace(main, target="label") and asked["multitask"] == replace(main, target="both")
    assert main.start and not asked["no-stage1"].start and asked["no-stage1"].layer == track.steps.layer


def read_request(track: Track, name: str) -> Stage2Request:
    """The request of a variant, taken where it is asked to be kept."""
    seen = []

    class Asked(Kept):
        def once(self, run, request, work, kind):
            if run == name:
                seen.append(request)
            return super().once(run, request, work, kind)

    Track(Asked(track.kept.folder, track.kept.settings), track.model, track.data, track.steps, track.gate).stage2(name)
    return seen[0]


def test_test_speakers_are_in_no_training(track: Track) -> None:
    request = read_request(track, "stage2")
    assert set(request.leave_out) == {"s0", "s1"} and set(request.validation) == {"s2"}
    assert not set(request.leave_out) & set(request.validation)


def test_the_head_is_not_trained_without_its_loss(track: Track) -> None:
    one = track.stage2("stage2").trained - track.stage2("no-ser").trained
    assert one == 5 * 16 or one > 0, "the head's weights"


def test_a_kept_run_is_named_after_bytes(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "runs", Settings(home=tmp_path / "home"))
    file = tmp_path / "rows.jsonl"
    file.write_text("one", encoding="utf-8")
    request = Stage2Request(f"path:{file}")
    first = kept.key(request)
    moved = tmp_path / "far" / "rows.jsonl"
    moved.parent.mkdir()
    moved.write_text("one", encoding="utf-8")
    assert kept.key(Stage2Request(f"path:{moved}")) == first, "where a file lies does not matter"
    file.write_text("two", encoding="utf-8")
    assert kept.key(request) != first and kept.key(replace(request, shuffled=True)) != kept.key(request)


def test_a_folder_counts_with_its_weights_and_not_with_its_card(tmp_path: Path) -> None:
    kept, folder = Kept(tmp_path / "runs", None), tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    first = kept.key(GateRequest(f"path:{folder}"))
    (folder / "README.md").write_text("a card", encoding="utf-8")
    assert kept.key(GateRequest(f"path:{folder}")) == first
    (folder / "model.safetensors").write_bytes(b"others")
    assert kept.key(GateRequest(f"path:{folder}")) != first


def test_a_run_is_made_once_and_a_broken_one_again(tmp_path: Path) -> None:
    kept, calls = Kept(tmp_path / "runs", Settings(home=tmp_path / "home")), []

    def work(request, context) -> Speaker:
        calls.append(context.run)
        if len(calls) == 1:
            raise Cancelled
        return Speaker("espeak", "en", len(calls))

    with pytest.raises(Cancelled):
        kept.once("a", GateRequest(), work, Speaker)
    assert kept.once("a", GateRequest(), work, Speaker) == kept.once("a", GateRequest(), work, Speaker)
    assert len(calls) == 2 and calls[0] == calls[1], "the same folder, so a training goes on"
    kept.once("b", GateRequest(), work, Speaker)
    assert len(calls) == 3 and len(list((tmp_path / "runs").iterdir())) == 2


def test_bytes_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert hashed(tmp_path / "a").startswith("e3b0c442")


def test_held_out_sentences_and_voices_are_in_no_training() -> None:
    known, unseen = reproduce_speech.sentences(0, 200, 20)
    lines = semantic_lines(known, unseen, 0) if HERE else []
    train = [line for line in lines if line.text in set(known)]
    test = [line for line in lines if line.text in set(unseen)]
    assert not set(known) & set(unseen) and len(train) + len(test) == len(lines)
    assert not {line.speaker for line in train} & {line.speaker for line in test}
    assert lines == (semantic_lines(known, unseen, 0) if HERE else [])


@voiced
def test_stage_1_is_measured_on_sentences_and_voices_that_neither_taught_nor_stopped_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    monkeypatch.setattr(reproduce, "spoken", lambda folder, lines: made.setdefault(folder.name, lines) and folder)
    reproduce.semantic(tmp_path, 20, 5)
    learned, _ = reproduce_speech.sentences(reproduce.SEED, reproduce.LEARNED, reproduce.HELD)
    texts = {line.text for line in made["fresh"]}
    assert len(texts) == 5 and not texts & set(learned) and not texts & {line.text for line in made["said"]}
    assert not {line.speaker for line in made["said"]} & {line.speaker for line in made["fresh"]}
    assert len(made["fresh"]) == 5 * len(reproduce_speech.voices(reproduce_speech.TESTED))
    assert len(made["said"]) == 20 + 5 * len(reproduce_speech.voices(reproduce_speech.UNHEARD))
    assert {line.text for line in made["said"][:20]} <= set(learned), "what the language model knows"


def test_titles_are_names_of_speakers() -> None:
    every = [*reproduce_speech.LEARNED, *reproduce_speech.UNHEARD, *reproduce_speech.TESTED]
    titles = [one.title for one in every]
    assert len(set(titles)) == len(titles) and not any("+" in title or "/" in title for title in titles)
    lines = toned_lines(SENTENCES, 3)
    assert len(lines) == 3 * 2 * 5 and {line.tone for line in lines} == set(EMOTIONS)


@voiced
def test_tones_are_settings_of_the_voice() -> None:
    speaker = Speaker("espeak", "en-us+m1")
    clips = {tone: say("Kids are talking by the door.", speaker, tone).wave for tone in EMOTIONS}
    assert len(clips["sad"]) > 1.25 * len(clips["neutral"]) > 1.25 * len(clips["angry"]), "slow and fast"
    loud = {tone: float((wave ** 2).mean()) for tone, wave in clips.items()}
    assert loud["angry"] > 2 * loud["sad"]


@voiced
def test_speech_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line("Dogs are sitting by the door.", Speaker("espeak", "en"), tone) for tone in ("sad", "")]
    path = spoken(tmp_path / "said", lines)
    rows = read_manifest(path, "asr").rows
    assert [(row.text, row.emotion, row.speaker) for row in rows] == [
        ("Dogs are sitting by the door.", "sad", "espeak-en-170-50"),
        ("Dogs are sitting by the door.", "", "espeak-en-170-50")]
    monkeypatch.setattr(reproduce_speech, "say", lambda *_: pytest.fail("said twice"))
    assert spoken(tmp_path / "said", lines) == path


@voiced
@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_says_it_too_and_names_a_voice_it_lacks() -> None:
    assert len(say("Dogs are sitting.", Speaker("flite", "slt")).wave) > 8000
    assert say("; rm -rf /", Speaker("flite", "slt")).wave.size, "the text is a file, not a command"


def test_without_a_voice_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingResource, match="neither espeak-ng nor flite"):
        reproduce_speech.voices(reproduce_speech.LEARNED)
    with pytest.raises(MissingResource, match="flite is not installed"):
        say("Hello.", Speaker("flite", "slt"))
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/x" if name == "espeak-ng" else None)
    assert {one.program for one in reproduce_speech.voices(reproduce_speech.LEARNED)} == {"espeak"}


def test_without_the_corpus_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "CORPUS", tmp_path)
    with pytest.raises(MissingResource, match="RAVDESS") as error:
        reproduce.real_data(tmp_path / "made")
    assert "--quick" in error.value.advice


@voiced
def test_actors_stand_on_one_side_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    monkeypatch.setattr(reproduce, "SPOKEN", 2)
    monkeypatch.setattr(reproduce, "HELD", 1)
    data = reproduce.real_data(tmp_path / "made")
    people = {row.speaker for row in read_manifest(data.toned, "ser").rows}
    assert len(people) == sum(reproduce.ACTORS) and len(data.test) == 5 and len(data.validation) == 3
    assert not set(data.test) & set(data.validation) and {*data.test, *data.validation} < people
    assert {row.emotion for row in read_manifest(data.content, "ser").rows} == {"neutral"}


@voiced
def test_the_quick_data_has_people_who_train_stop_and_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "SPOKEN_QUICK", 2)
    monkeypatch.setattr(reproduce, "TEXTS", 1)
    data = reproduce.made_data(tmp_path / "made")
    rows = read_manifest(data.toned, "ser").rows
    people = {row.speaker for row in rows}
    assert len(people) == sum(reproduce.PEOPLE) and len(rows) == 5 * len(people)
    assert len(people - {*data.test, *data.validation}) == reproduce.PEOPLE[0]


def result(**fields) -> EvaluateResult:
    values = {"clips": 10, "heard": 0.25, "heard_interval": (0.2, 0.3), "heard_weighted": 0.25, "told": 0.2,
              "told_interval": (0.2, 0.2), "head": 0.2, "gap": 1.0, "gap_by_emotion": {}, "content": -1.0,
              "content_pool": 2, "contrast": -1.0, "confusion": ()}
    return EvaluateResult(**{**values, **fields})


@pytest.mark.parametrize(("heard", "holds"), [(0.2, True), (0.3, True), (0.31, False), (0.8, False)])
def test_a_control_that_learns_something_fails_its_claim(heard: float, holds: bool) -> None:
    assert below("shuffled", result(heard=heard, heard_interval=(0.1, 0.9))).holds is holds


def test_one_speaker_gives_no_interval() -> None:
    assert spread_of(result(heard_interval=())) is None and spread_of(result()) == (0.2, 0.3)


def test_a_language_model_without_its_gate_is_refused(track: Track, tmp_path: Path, tiny_lm: Path) -> None:
    bad = gated(tiny_lm, tmp_path / "gate.json", passed=False)
    with pytest.raises(UserError, match="did not pass the gate"):
        Track(Kept(tmp_path / "runs", track.kept.settings), track.model, track.data, track.steps,
              f"path:{bad}").stage1()


def test_the_bundled_language_model_has_passed() -> None:
    folder = reproduce.ROOT / "assets" / "models" / "blsp-emo-lm"
    report = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    from backends.blsp_emo.storage import licence_of, weights_hash

    assert report["passed"] and report["separated"] >= 0.8 and report["content"] >= 0.5
    assert report["weights"] == weights_hash(folder) and licence_of(folder) == "apache-2.0"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000

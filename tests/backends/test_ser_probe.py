"""The probe: pooling without padding, fitting, keeping, calibration, and the claims of ``reproduce ser``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from backends.blsp_emo import reproduce_ser
from backends.blsp_emo.probe import (
    calibrated,
    cross_validate,
    features_of,
    fit,
    kept_features,
    open_probe,
    pool,
)
from backends.blsp_emo.reproduce_ser import Corpus, at_layer, by_words, part, probe_claims, smaller
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.folds import by_speaker
from backends.common.speech.manifests import Row, read_manifest, write_manifest
from backends.common.speech.whisper import open_whisper
from tests.backends.speech_cases import RATE, noise, save_tiny, tone
from workbench.contract import MissingResource, UserError


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory):
    return open_whisper(save_tiny(tmp_path_factory.mktemp("ear") / "tiny"))


def made(people: int = 8, each: int = 2, dims: int = 12, signal: float = 3.0, voice: float = 2.0, seed: int = 0):
    """Clips of people with their own voice, and an emotion that shows in the same direction for all of them."""
    rng = np.random.default_rng(seed)
    direction, rows, labels, speakers = rng.standard_normal((5, dims)), [], [], []
    for person in range(people):
        own = voice * rng.standard_normal(dims)
        for number, name in enumerate(EMOTIONS):
            for _ in range(each):
                rows.append(signal * direction[number] + own + rng.standard_normal(dims))
                labels.append(name)
                speakers.append(f"ravdess_{person + 1:02d}")
    return np.array(rows, np.float32), labels, speakers


def test_pooling_is_the_mean_of_the_clip_alone() -> None:
    states = torch.randn(3, 7, 4)
    lengths = torch.tensor([2, 7, 1])
    found = pool(states, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = states[row, :length]
        expected = torch.cat([alone.mean(0), alone.std(0, unbiased=False)]).numpy()
        assert np.allclose(found[row], expected, atol=1e-5)
    spoiled = states.clone()
    spoiled[0, 2:] = 1e4
    assert np.allclose(pool(spoiled, lengths), found)


def test_features_do_not_depend_on_the_neighbours(ear) -> None:
    clips = [noise(0.4 + 0.17 * n, n) for n in range(11)]
    told: list[tuple[int, int]] = []
    found = features_of(ear, clips, lambda done, total: told.append((done, total)))
    assert found.shape == (11, 4, 64) and found.dtype == np.float32 and told == [(8, 11), (11, 11)]
    alone = np.concatenate([features_of(ear, [clip]) for clip in clips])
    assert np.abs(found - alone).max() < 1e-4


def test_it_learns_what_is_there_and_nothing_else() -> None:
    features, labels, speakers = made()
    folds = by_speaker(speakers, 4)
    told = cross_validate(features, labels, folds, 2, EMOTIONS)
    assert np.mean([a == b for a, b in zip(told, labels, strict=True)]) > 0.8
    shuffled = list(np.random.default_rng(1).permutation(labels))
    assert np.mean([a == b for a, b in zip(cross_validate(features, shuffled, folds, 2, EMOTIONS), shuffled,
                                           strict=True)]) < 0.45


def test_a_rare_class_is_not_lost() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 1, (190, 3)), rng.normal(1.5, 1, (10, 3))])
    labels = ["a"] * 190 + ["b"] * 10
    told = fit(features, labels, 0, ("a", "b")).tell(features)
    assert sum(t == "b" for t in told[190:]) >= 7


def test_probabilities_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels, _ = made(people=3)
    for classes in (EMOTIONS, ("neutral", "happy")):
        rows = [i for i, label in enumerate(labels) if label in classes]
        x, y = features[rows], [labels[i] for i in rows]
        probe = fit(x, y, 2, classes)
        scaled = (x - x.mean(0)) / x.std(0)
        peer = LogisticRegression(C=0.02, class_weight="balanced", max_iter=2000).fit(scaled,
                                                                                     [classes.index(v) for v in y])
        assert np.abs(probe.probabilities(x) - peer.predict_proba(scaled)).max() < 1e-4


def test_a_restricted_set_of_labels() -> None:
    features, labels, _ = made()
    probe = fit(features, labels, 2, EMOTIONS)
    odds = probe.probabilities(features, ("sad", "angry"))
    assert np.allclose(odds.sum(axis=1), 1) and not odds[:, [0, 1, 4]].any()
    assert set(probe.tell(features, ("sad", "angry"))) == {"sad", "angry"}
    with pytest.raises(UserError, match="does not know fear"):
        probe.tell(features, ("fear",))


def test_features_of_another_encoder_are_refused() -> None:
    features, labels, _ = made()
    probe = fit(features, labels, 2, EMOTIONS)
    for bad in (features[:, :5], features[0]):
        with pytest.raises(UserError, match=r"this probe takes \(clips, 12\)"):
            probe.probabilities(bad)


@pytest.mark.parametrize(("labels", "words"), [(["sad"] * 4, "no clip of neutral, happy"),
                                               (list(EMOTIONS), "4 clips and 5")])
def test_what_cannot_be_learned_from(labels: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        fit(np.zeros((4, 3)), labels, 0, EMOTIONS)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    features, labels, _ = made()
    features[:, 3] = 7.0
    assert np.isfinite(fit(features, labels, 2, EMOTIONS).probabilities(features)).all()


def test_keeping_a_probe(tmp_path: Path) -> None:
    features, labels, _ = made()
    probe = fit(features, labels, 2, EMOTIONS, calibrated=True)
    probe.save(tmp_path / "probe")
    again = open_probe(tmp_path / "probe")
    assert (again.classes, again.layer, again.calibrated) == (EMOTIONS, 2, True)
    assert again.tell(features) == probe.tell(features)
    assert not list((tmp_path / "probe").glob("*.pkl"))
    replace(probe, classes=("a",)).save(tmp_path / "other")
    with pytest.raises(UserError, match=r"weights for 1 classes"):
        open_probe(tmp_path / "other")
    for name in ("probe.json", "probe.safetensors"):
        (tmp_path / "probe" / name).write_bytes(b"x")
        with pytest.raises(UserError, match="holds no probe"):
            open_probe(tmp_path / "probe")


def test_calibration_takes_the_voice_away() -> None:
    features, labels, speakers = made(voice=6.0, signal=1.5)
    changed = np.zeros((len(features), 24), np.float32)
    for person in set(speakers):
        rows = [i for i, s in enumerate(speakers) if s == person]
        calm = [i for i in rows if labels[i] == "neutral"]
        changed[rows] = calibrated(features[rows], features[calm])
    folds = by_speaker(speakers, 4)
    right = [np.mean([a == b for a, b in zip(cross_validate(x, labels, folds, 2, EMOTIONS), labels, strict=True)])
             for x in (features, changed)]
    assert right[1] > right[0]
    for bad in (np.zeros((0, 12)), np.zeros((2, 5)), np.zeros(12)):
        with pytest.raises(UserError, match="neutral sentence"):
            calibrated(features, bad)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = []
    for person in range(3):
        for number, name in enumerate(EMOTIONS):
            path = tmp_path / f"{person}-{name}.wav"
            soundfile.write(path, tone(0.5, 200 + 90 * number) + noise(0.5, person, 0.02), RATE)
            rows.append(Row(path.name, "Dogs are sitting.", name, speaker=f"ravdess_{person:02d}", seconds=0.5))
    write_manifest(tmp_path / "ser_manifest.jsonl", rows)
    return tmp_path


def test_features_are_kept_and_follow_the_clips(ear, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(corpus / "ser_manifest.jsonl", "ser")
    first = kept_features(ear, manifest, corpus / "kept")
    files = list((corpus / "kept").iterdir())
    assert first.shape == (15, 4, 64) and len(files) == 1
    monkeypatch.setattr("backends.blsp_emo.probe.features_of", lambda *_: pytest.fail("it was kept"))
    assert np.array_equal(kept_features(ear, manifest, corpus / "kept"), first)
    monkeypatch.undo()
    soundfile.write(corpus / "0-sad.wav", noise(0.9), RATE)
    assert not np.array_equal(kept_features(ear, manifest, corpus / "kept"), first)
    np.save(files[0], np.zeros(3))
    assert kept_features(ear, smaller(manifest, 2), corpus / "kept").shape == (10, 4, 64)


def test_parts_of_a_manifest(corpus: Path) -> None:
    manifest = read_manifest(corpus / "ser_manifest.jsonl", "ser")
    found = part(manifest, np.zeros((15, 4, 2)), "ravdess")
    assert isinstance(found, Corpus) and len(found.labels) == 15 and len(set(found.speakers)) == 3
    assert len(part(manifest, np.zeros((15, 4, 2)), "emodb").labels) == 0
    assert {row.speaker for row in smaller(manifest, 2).rows} == {"ravdess_00", "ravdess_01"}


def test_the_words_alone_are_at_chance_where_everybody_says_the_same() -> None:
    features, labels, speakers = made()
    layered = np.stack([features] * 5, axis=1)
    data = Corpus(layered, tuple(labels), tuple(speakers), tuple(f"{'Kids' if i % 2 else 'Dogs'} are by the door"
                                                                 for i in range(len(labels))))
    folds = by_speaker(speakers, 4)
    assert by_words(data, folds).ua <= 0.25 < at_layer(data, 2, folds).ua
    claims = probe_claims(data, True)
    assert len(claims) == 1 and claims[0].holds and claims[0].control <= 0.25


def test_without_the_recordings_it_says_where_they_belong(settings, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(reproduce_ser, "DATA", tmp_path)
    with pytest.raises(MissingResource, match="shared/data/speech"):
        reproduce_ser.run(settings)


def test_the_quick_claims_hold(shared: Path, whisper_tiny: Path, settings) -> None:
    if not (shared / "speech" / "ser_manifest.jsonl").is_file():
        pytest.skip("no recordings beside the project")
    found = reproduce_ser.run(settings, quick=True)
    assert [claim.what for claim in found.claims if not claim.holds] == [] and len(found.claims) == 3

"""Calibration, folds and answers of the data-set mode on made numbers: what must hold whatever the clips are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.blsp_emo.recognise import WARNINGS, folds_of, listed, warned
from backends.blsp_emo.recognise_data import Clips
from backends.blsp_emo.recognise_requests import RecogniseRequest
from backends.blsp_emo.recognise_tell import by_folds, calibrate, spread
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.manifests import Row
from workbench.context import MemoryContext
from workbench.contract import UserError

HOW = ("none", "minus", "both", "all")


def clips_of(people: int, takes: int, emotions: tuple[str, ...] = EMOTIONS) -> Clips:
    """Every person says every emotion in every take; even and odd people are in two folds."""
    rows = tuple(Row(f"{p}-{t}-{e}.wav", emotion=e, speaker=f"p{p}", fold=str(p % 2))
                 for p in range(people) for t in range(takes) for e in emotions)
    return Clips(rows, tuple(row.audio for row in rows))


def values_of(clips: Clips, seed: int, noise: float = 0.3, width: int = 6) -> np.ndarray:
    """Features in which the emotion is a direction, each speaker has an offset, and there is noise."""
    rng = np.random.default_rng(seed)
    tone = {name: rng.normal(size=width) for name in EMOTIONS}
    voice = {speaker: 3 * rng.normal(size=width) for speaker in dict.fromkeys(clips.speakers)}
    return np.stack([tone[row.emotion] + voice[row.speaker] + noise * rng.normal(size=width)
                     for row in clips.rows]).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 4), st.sampled_from(HOW), st.integers(0, 99))
def test_a_calibration_looks_at_nobody_else(people: int, takes: int, neutral: int, how: str, seed: int) -> None:
    clips = clips_of(people, takes)
    values = values_of(clips, seed)
    made = calibrate(values, clips, how, neutral)
    moved = values.copy()
    moved[[i for i, row in enumerate(clips.rows) if row.speaker == "p0"]] += 100
    again = calibrate(moved, clips, how, neutral)
    others = [i for i, row in enumerate(clips.rows) if row.speaker != "p0"]
    assert np.array_equal(made.values[others], again.values[others])
    assert made.values.shape == (len(values), values.shape[1] * (2 if how == "both" else 1))
    assert len(made.spent) == (people * min(neutral, takes) if how in ("minus", "both") else 0)
    assert all(clips.rows[i].emotion == "neutral" for i in made.spent)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99))
def test_an_offset_of_the_voice_is_taken_away(seed: int) -> None:
    clips = clips_of(3, 2)
    values = values_of(clips, seed)
    louder = values + np.where(np.array(clips.speakers) == "p1", 7.0, 0.0)[:, None].astype(np.float32)
    for how in ("minus", "all"):
        one, other = (calibrate(given_values, clips, how, 2).values for given_values in (values, louder))
        assert np.allclose(one, other, atol=1e-3)
    half = values.shape[1]
    assert np.allclose(calibrate(louder, clips, "both", 2).values[:, half:],
                       calibrate(values, clips, "both", 2).values[:, half:], atol=1e-3)


@pytest.mark.parametrize("folds", ["speaker", "file", "leaky"])
def test_every_clip_is_told_once_and_by_strangers_unless_it_leaks(tmp_path: Path, folds: str) -> None:
    clips, context = clips_of(4, 2), MemoryContext(tmp_path)
    request = RecogniseRequest(folds=folds, parts=4)  # type: ignore[arg-type]
    found = folds_of(request, clips, context)
    tested = sorted(int(i) for fold in found for i in fold.test)
    assert tested == list(range(len(clips.rows)))
    for fold in found:
        both = {clips.speakers[i] for i in fold.train} & {clips.speakers[i] for i in fold.test}
        assert bool(both) is (folds == "leaky")
    assert len(found) == {"speaker": 4, "file": 2, "leaky": 4}[folds]


def test_more_folds_than_speakers_are_one_for_each(tmp_path: Path) -> None:
    assert len(folds_of(RecogniseRequest(parts=50), clips_of(3, 1), MemoryContext(tmp_path))) == 3
    with pytest.raises(UserError, match="two clips of every emotion"):
        folds_of(RecogniseRequest(folds="leaky"), clips_of(1, 1), MemoryContext(tmp_path))


def test_probabilities_are_shares_and_the_seed_of_a_leaky_split_matters(tmp_path: Path) -> None:
    clips, context = clips_of(4, 3), MemoryContext(tmp_path)
    values = values_of(clips, 1, noise=2.0)
    made = []
    for seed in (0, 1):
        folds = folds_of(RecogniseRequest(folds="leaky", parts=3, seed=seed), clips, context)
        told = by_folds(values, clips, folds, 0, EMOTIONS, context)
        assert np.allclose(told.chances.sum(axis=1), 1) and (told.chances >= 0).all()
        made.append(told.fold.tolist())
    assert made[0] != made[1] and set(made[0]) == {0, 1, 2}
    assert [words for *_, words in context.reports][:3] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]


def test_calibration_helps_where_voices_differ(tmp_path: Path) -> None:
    """Offsets three times as large as the emotions: without the speaker's neutral clips little can be told."""
    clips, context = clips_of(6, 3), MemoryContext(tmp_path)
    values = values_of(clips, 3)
    folds = folds_of(RecogniseRequest(), clips, context)
    shares = {}
    for how in ("none", "minus"):
        ready = calibrate(values, clips, how, 2)
        told = by_folds(ready.values, clips, folds, 0, EMOTIONS, context)
        scored = [i for i in range(len(clips.rows)) if i not in ready.spent]
        shares[how] = np.mean([EMOTIONS[told.chances[i].argmax()] == clips.rows[i].emotion for i in scored])
    assert shares["minus"] > shares["none"] + 0.2 and shares["minus"] > 0.8


@given(st.permutations(EMOTIONS), st.sets(st.sampled_from(EMOTIONS), min_size=1))
def test_columns_follow_their_names(order: list[str], have: set[str]) -> None:
    known = [name for name in order if name in have]
    made = spread(np.array([[EMOTIONS.index(name) + 1.0 for name in known]]), known, EMOTIONS)
    assert made[0].tolist() == [EMOTIONS.index(name) + 1.0 if name in have else 0.0 for name in EMOTIONS]


def test_folds_of_a_file_name_each_speaker_once() -> None:
    assert listed(clips_of(3, 2)) == {"0": ["p0", "p2"], "1": ["p1"]}
    with pytest.raises(UserError, match="All clips are in the fold 0"):
        listed(clips_of(1, 1))


def test_every_warning_has_words_on_the_page_in_both_languages() -> None:
    from workbench.text import LANGUAGES, catalogue, places

    values = {"n": 2, "name": "p0", "names": "sad", "clips": 3, "speakers": 2}
    for code, words in WARNINGS.items():
        assert "{" not in warned(code, **values)["text"]
        for lang in LANGUAGES:
            assert places(catalogue(lang)[f"speech_set.warning.{code}"]) == places(words)

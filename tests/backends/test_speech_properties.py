"""Whatever comes in: a result or a sentence, never another error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from backends.common.speech.audio import Clip, Limits, load
from backends.common.speech.ct2 import Ct2Model, read_ct2
from backends.common.speech.emotions import EMOTIONS, SYNONYMS, find_emotion
from backends.common.speech.manifests import Manifest, Row, read_manifest, write_manifest
from backends.common.speech.shown import picture
from backends.common.speech.slices import Place, parse
from tests.backends.speech_cases import ct2_bytes
from workbench.contract import UserError

same_folder = limits(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
plain = limits(max_examples=80, deadline=None)
simple = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
json_values = st.recursive(simple,
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                                       max_size=3), max_leaves=6)
TYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64", "bool", "complex64")


@plain
@given(st.sampled_from(TYPES), st.lists(st.integers(0, 9000), min_size=0, max_size=3),
       st.sampled_from((0, 1, 8000, 16000, 44100, 500_000)), st.integers(0, 3))
def test_any_array_is_a_clip_or_a_sentence(kind: str, shape: list[int], rate: int, seed: int) -> None:
    if np.prod(shape or [1], dtype=float) > 200_000:
        shape = [size % 50 for size in shape]
    array = (np.random.default_rng(seed).random(shape) * 2 - 1).astype(kind)
    try:
        clip = load((rate, array))
    except UserError as error:
        assert len(str(error)) < 400
        return
    assert isinstance(clip, Clip) and clip.wave.dtype == np.float32 and clip.wave.ndim == 1
    assert np.isfinite(clip.wave).all() and np.abs(clip.wave).max() <= 1 and 0.19 < clip.seconds <= 30.01


@same_folder
@given(st.binary(max_size=300), st.sampled_from((b"", b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"FORM",
                                                 b"\xff\xfb")))
def test_any_file_is_a_clip_or_a_sentence(tmp_path: Path, raw: bytes, head: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(head + raw)
    try:
        clip = load(tmp_path / "x.wav", Limits(shortest=0.0))
    except UserError as error:
        assert "x.wav" in str(error)
        return
    assert np.isfinite(clip.wave).all()


@plain
@given(st.text(max_size=30))
def test_any_text_names_a_place_or_is_refused(text: str) -> None:
    try:
        place = parse(text)
    except UserError:
        return
    assert isinstance(place, Place) and place.start >= 0 and place.count >= 0


@same_folder
@given(st.lists(json_values | st.fixed_dictionaries({"audio": st.just("a.wav")}, optional={
    "text": json_values, "emotion": st.sampled_from((*EMOTIONS, "fear", "", "Joy")), "seconds": json_values,
    "speaker": json_values, "early_stop": json_values, "fold": json_values}), max_size=6),
       st.sampled_from(("asr", "ser", "continuation")))
def test_any_rows_are_kept_or_named(tmp_path: Path, rows: list, form) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    try:
        found = read_manifest(path, form)
    except UserError as error:
        assert "no usable row" in str(error)
        return
    assert isinstance(found, Manifest) and len(found.rows) + len(found.faults) == len(rows)
    assert all(row.emotion in ("", *EMOTIONS) for row in found.rows)
    assert [fault.line for fault in found.faults] == sorted(fault.line for fault in found.faults)


words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@same_folder
@given(st.lists(st.builds(Row, audio=st.just("a.wav"), text=words.filter(str.strip), emotion=st.sampled_from(EMOTIONS),
                          output=words.filter(str.strip), early_stop=st.booleans(), speaker=words, lang=words,
                          seconds=st.floats(0, 100), fold=words), min_size=1, max_size=5))
def test_what_is_written_is_read_again(tmp_path: Path, rows: list[Row]) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    write_manifest(tmp_path / "out.jsonl", rows)
    found = read_manifest(tmp_path / "out.jsonl", "continuation")
    assert found.rows == tuple(rows) and not found.unknown


@same_folder
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=6))
def test_a_spoiled_model_file_is_read_or_refused(tmp_path: Path, at: int, raw: bytes) -> None:
    whole = bytearray(ct2_bytes({"x": np.ones((2, 3), "<f4"), "n": np.array(4, "<i2")}, [("y", "x")]))
    at %= len(whole)
    whole[at:at + len(raw)] = raw
    (tmp_path / "m.bin").write_bytes(bytes(whole))
    try:
        found = read_ct2(tmp_path / "m.bin")
    except UserError as error:
        assert "m.bin" in str(error)
        return
    assert isinstance(found, Ct2Model)


@plain
@given(st.sampled_from([(name, word) for name, known in SYNONYMS.items() for word in known]),
       st.sampled_from(("{}", "It is {}.", "Answer: {}!", "{}, I think", "...{}...", "\n{}\n")))
def test_every_synonym_is_found_in_a_sentence(pair: tuple[str, str], sentence: str) -> None:
    name, word = pair
    for form in (word, word.upper(), word.capitalize()):
        assert find_emotion(sentence.format(form)) == name


@plain
@given(st.text(max_size=80))
def test_any_answer_is_parsed_to_one_of_five_or_to_nothing(text: str) -> None:
    assert find_emotion(text) in (None, *EMOTIONS)


@plain
@given(st.integers(1, 4000), st.integers(1, 300), st.integers(0, 30), st.integers(0, 2))
def test_a_picture_of_anything(samples: int, columns: int, bands: int, seed: int) -> None:
    wave = (np.random.default_rng(seed).standard_normal(samples) * 0.3).clip(-1, 1).astype(np.float32)
    found = picture(wave, columns, bands)
    assert len(found.low) == len(found.high) == min(columns, samples) and len(found.mel) == bands
    assert min(found.low) == pytest.approx(float(wave.min()), abs=6e-4)
    assert max(found.high) == pytest.approx(float(wave.max()), abs=6e-4)
    assert all(0 <= value <= 255 for row in found.mel for value in row)
    json.dumps([found.low, found.mel])

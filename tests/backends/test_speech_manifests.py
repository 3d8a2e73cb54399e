"""Manifests with the published fields, the emotions with their numbers, and the letters of other corpora."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.common.speech.emotions import (
    EMOTIONS,
    SYNONYMS,
    emodb_label,
    emotion_of,
    find_emotion,
    number,
    ravdess_label,
)
from backends.common.speech.manifests import Row, read_manifest, write_manifest
from workbench.contract import MissingResource, UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"sound")
    return tmp_path


def lines(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_the_published_numbers() -> None:
    assert [number(name) for name in ("neutral", "happy", "angry", "sad", "surprise")] == [0, 1, 2, 3, 4]
    assert set(SYNONYMS) == set(EMOTIONS)


@pytest.mark.parametrize(("text", "expected"), [
    ("happy", "happy"), (" Happiness ", "happy"), ("ANGER", "angry"), ("surprised", "surprise"), ("ang", "angry"),
    ("sadness", "sad"), ("calm", "neutral"), ("开心", "happy"), ("Freude", "happy"), ("excited", "happy"),
])
def test_synonyms(text: str, expected: str) -> None:
    assert emotion_of(text) == expected


@pytest.mark.parametrize("text", ["", "fear", "disgust", "boredom", "happyish", "0", "neutral/sad"])
def test_what_is_none_of_the_five_is_never_guessed(text: str) -> None:
    with pytest.raises(UserError, match="is not one of the emotions neutral, happy, angry, sad, surprise"):
        emotion_of(text)


@pytest.mark.parametrize(("text", "expected"), [
    ("The tone of the speaker is neutral.", "neutral"), ("I hear sadness, not anger.", "sad"),
    ("Surprised! And happy", "surprise"), ("She is unhappy.", "sad"), ("He sits in the saddle.", None),
    ("no idea", None), ("", None), ("说话人听起来很高兴", "happy"), ("ANGRY", "angry"), ("happyness", None),
])
def test_the_first_emotion_of_an_answer(text: str, expected: str | None) -> None:
    assert find_emotion(text) == expected


def test_an_answer_in_a_restricted_set() -> None:
    assert find_emotion("surprised or sad", ("sad", "happy")) == "sad"


@pytest.mark.parametrize(("name", "expected"), [
    ("03a01Fa.wav", ("03", "happy")), ("folder/16b10Wb.flac", ("16", "angry")), ("08a02Tc", ("08", "sad")),
    ("14b01Na.flac", ("14", "neutral")), ("03a04Lc.wav", ("03", "boredom")), ("03a05Aa", ("03", "fear")),
    ("03a05Ea", ("03", "disgust")),
])
def test_emodb_letters_f_is_joy(name: str, expected: tuple[str, str]) -> None:
    assert emodb_label(name) == expected


@pytest.mark.parametrize("name", ["", "03a01Xa.wav", "happy.wav", "3a01Fa", "03c01Fa"])
def test_other_names_are_not_emodb(name: str) -> None:
    with pytest.raises(UserError, match="not an EMO-DB file name"):
        emodb_label(name)


@pytest.mark.parametrize(("name", "expected"), [
    ("03-01-01-01-01-01-01.wav", ("01", "neutral")), ("x/03-01-05-02-02-01-12.flac", ("12", "angry")),
    ("03-01-08-02-02-01-24", ("24", "surprise")), ("03-01-02-01-01-01-01", ("01", "calm")),
])
def test_ravdess_numbers(name: str, expected: tuple[str, str]) -> None:
    assert ravdess_label(name) == expected


@pytest.mark.parametrize("name", ["03-01-09-01-01-01-01", "03-01-01", "a-b-c-d-e-f-g", ""])
def test_other_names_are_not_ravdess(name: str) -> None:
    with pytest.raises(UserError, match="not a RAVDESS file name"):
        ravdess_label(name)


def test_the_three_published_forms(folder: Path) -> None:
    asr = read_manifest(lines(folder, {"audio": "a.wav", "text": "hello"}), "asr")
    assert asr.rows == (Row("a.wav", "hello"),) and asr.source(asr.rows[0]) == str(folder / "a.wav")
    ser = read_manifest(lines(folder, {"audio": "a.wav", "emotion": "anger", "text": ""}), "ser")
    assert ser.rows[0].emotion == "angry"
    told = {"audio": "a.wav:0:16000", "text": "hi", "instruction": "go on", "emotion": "", "output": "well",
            "early_stop": True}
    found = read_manifest(lines(folder, told), "continuation").rows[0]
    assert (found.output, found.early_stop, found.emotion, found.instruction) == ("well", True, "", "go on")


def test_our_own_fields_and_unknown_ones(folder: Path) -> None:
    found = read_manifest(lines(folder, {"audio": "a.wav", "text": "x", "speaker": 7, "seconds": 2, "fold": 3,
                                         "lang": None, "score": 1}), "asr")
    row = found.rows[0]
    assert (row.speaker, row.seconds, row.fold, row.lang, found.unknown) == ("7", 2.0, "3", "", ("score",))


@pytest.mark.parametrize(("bad", "why"), [
    ("{not json", "not JSON"), ("[1]", "not a JSON object"), ('"x"', "not a JSON object"), ({"text": "x"}, "no audio"),
    ({"audio": "a.wav"}, "no emotion"), ({"audio": "a.wav", "emotion": ""}, "no emotion"),
    ({"audio": "", "emotion": "sad"}, "no audio"), ({"audio": 5, "emotion": "sad"}, "no audio"),
    ({"audio": "a.wav", "emotion": "fear"}, "'fear' is not one of"),
    ({"audio": "gone.wav", "emotion": "sad"}, "no file gone.wav"),
    ({"audio": "a.wav:3:0", "emotion": "sad"}, "slice of nothing"),
    ({"audio": "a.wav", "emotion": "sad", "seconds": "long"}, "seconds is 'long'"),
    ({"audio": "a.wav", "emotion": "sad", "seconds": True}, "seconds is True"),
    ({"audio": "a.wav", "emotion": "sad", "early_stop": "no"}, "early_stop is 'no'"),
    ({"audio": "a.wav", "emotion": "sad", "text": ["x"]}, "text is"), ('{"audio":"' + "x" * 1_000_001, "bytes"),
    ("[" * 5000, "not JSON"),
])
def test_a_bad_row_is_named_with_its_line_and_the_others_stay(folder: Path, bad: object, why: str) -> None:
    good = {"audio": "b.wav", "emotion": "sad"}
    found = read_manifest(lines(folder, good, "", bad, good), "ser")
    assert len(found.rows) == 2 and [fault.line for fault in found.faults] == [3]
    assert why in found.faults[0].why and "line 3" in found.summary


def test_no_row_at_all(folder: Path) -> None:
    with pytest.raises(MissingResource, match="no manifest"):
        read_manifest(folder / "gone.jsonl", "asr")
    with pytest.raises(UserError, match=r"no usable row of the form asr.*empty"):
        read_manifest(lines(folder, ""), "asr")
    with pytest.raises(UserError, match="line 1, it has no text"):
        read_manifest(lines(folder, {"audio": "a.wav"}), "asr")
    (folder / "rows.jsonl").write_bytes(b"\xff\xfe\0")
    with pytest.raises(UserError, match="no usable row"):
        read_manifest(folder / "rows.jsonl", "asr")


@pytest.mark.parametrize("audio", ["../secret.wav", "/etc/passwd", "link.wav", "x/../../secret.wav"])
def test_an_open_server_reads_nothing_outside_the_folder(tmp_path: Path, audio: str) -> None:
    (tmp_path / "secret.wav").write_bytes(b"x")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.wav").symlink_to(tmp_path / "secret.wav")
    path = lines(inner, {"audio": audio, "text": "x"})
    with pytest.raises(UserError, match="lies outside inner"):
        read_manifest(path, "asr", within=())


def test_a_restricted_label_set_and_files_unchecked(folder: Path) -> None:
    path = lines(folder, {"audio": "n.wav", "emotion": "sad"}, {"audio": "n.wav", "emotion": "surprise"})
    found = read_manifest(path, "ser", check_files=False, emotions=("sad", "happy"))
    assert [row.emotion for row in found.rows] == ["sad"] and "surprise is not among" in found.faults[0].why


def test_writing_and_reading_again(folder: Path) -> None:
    rows = (Row("a.wav", "x", "sad", "go on", "out", False, "p1", "en", 1.5, "2"), Row("b.wav", "中文"),)
    write_manifest(folder / "out.jsonl", rows)
    assert read_manifest(folder / "out.jsonl", "asr").rows == rows
    first = json.loads((folder / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["early_stop"] is False and "gender" not in first


def test_the_real_manifests(shared: Path) -> None:
    folder = shared / "speech"
    if not folder.is_dir():
        pytest.skip("no recordings beside the project")
    ser, asr = read_manifest(folder / "ser_manifest.jsonl", "ser"), read_manifest(folder / "asr_manifest.jsonl", "asr")
    assert not ser.faults and not asr.faults and len(ser.rows) > 800 and len(asr.rows) == 305
    for row in ser.rows:
        label = emodb_label(row.audio) if row.audio.startswith("emodb") else ravdess_label(row.audio)
        assert (row.speaker.rpartition("_")[2], row.emotion) == label

"""Sound files and manifests that mean harm or were made badly: each is read, or refused in one sentence."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from backends.common.speech.audio import Limits, load, read_at
from backends.common.speech.manifests import LONGEST_LINE, read_manifest, readable
from backends.common.speech.slices import is_file, open_file, parse
from tests.backends.speech_cases import RATE, tone
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError
from workbench.settings import Settings


def header(rate: int = RATE, channels: int = 1, bits: int = 16, form: int = 1, data: bytes = b"\1\0" * RATE,
           claimed: int | None = None, align: int | None = None) -> bytes:
    """A WAV file with any header somebody may write."""
    step = channels * bits // 8 if align is None else align
    inner = struct.pack("<HHIIHH", form, channels, rate, (rate * step) & 0xFFFFFFFF, step, bits)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + inner + b"data"
            + struct.pack("<I", len(data) if claimed is None else claimed) + data)


@pytest.mark.parametrize(("raw", "words"), [
    (header(rate=0), "cannot be read as sound"), (header(rate=1), "1 samples a second"),
    (header(rate=4_000_000_000), "cannot be read as sound"), (header(channels=0, align=2), "cannot be read as sound"),
    (header(channels=1000), "1000 channels"), (header(bits=0), "cannot be read as sound"),
    (header(form=0x55), "cannot be read as sound"), (header(form=2, bits=4), "cannot be read as sound"),
    (header(claimed=10**9), "promises 1,000,000,000 bytes"), (header(data=b""), "0.00 s long"),
    (header()[:12] + b"LIST" + struct.pack("<I", 0x7FFFFFFF) + header()[12:], "cannot be read as sound"),
    (header()[:20], "cannot be read as sound"), (b"RIFF\0\0\0\0WAVE", "cannot be read as sound"),
    (b"ID3\x04" + b"\xff" * 400, "cannot be read as sound"), (b"fLaC" + b"\0" * 400, "cannot be read as sound"),
    (b"OggS" + b"\0" * 400, "cannot be read as sound"), (bytes.fromhex("1a45dfa3") + b"\0" * 400, "Format not"),
    (b"\0\0\0\x18ftypmp42" + b"\0" * 100, "Format not"), (b"<html>no sound</html>", "cannot be read as sound")])
def test_headers_that_nobody_should_write(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "odd.wav"
    path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        load(path)
    assert words in str(caught.value) and "odd.wav" in str(caught.value) and caught.value.advice


@pytest.mark.parametrize(("raw", "seconds"), [
    (header(bits=8, data=b"\x80" * RATE), 1.0), (header(form=6, bits=8, data=b"\xd5" * RATE), 1.0),
    (header(data=b"\1\0" * RATE + b"\1"), 1.0), (header(claimed=0xFFFFFFFF), 1.0),
    (header(channels=2, data=b"\1\0\2\0" * RATE), 1.0), (header(rate=8000, data=b"\1\0" * 8000), 1.0)])
def test_headers_that_are_only_unusual_are_read(tmp_path: Path, raw: bytes, seconds: float) -> None:
    path = tmp_path / "fine.wav"
    path.write_bytes(raw)
    assert load(path).seconds == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("kind", ["aiff", "au", "caf", "w64", "rf64", "voc", "nist", "flac", "ogg", "mp3"])
def test_formats_of_other_days_sound_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"old.{kind}"
    soundfile.write(path, tone(1.0), RATE, format=kind.upper())
    heard = load(path).wave
    spectrum = np.abs(np.fft.rfft(heard[:RATE]))
    assert abs(int(spectrum.argmax()) * RATE / len(heard[:RATE]) - 440) < 5


def test_numbers_without_a_header_are_no_sound(tmp_path: Path) -> None:
    for name, words in (("x.raw", "no header"), ("x.pcm", "Format not recognised")):
        (tmp_path / name).write_bytes(tone().tobytes())
        with pytest.raises(UserError, match=words):
            load(tmp_path / name)


def test_a_float_file_of_whole_numbers_is_not_turned_into_a_square_wave(tmp_path: Path) -> None:
    """Written by somebody who forgot to divide by 32768: clipped to 1 it would be loud noise, read without a word."""
    soundfile.write(tmp_path / "loud.wav", tone() * 30_000, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match=r"loud\.wav has samples up to 15000; floats must lie between -1 and 1"):
        load(tmp_path / "loud.wav")
    soundfile.write(tmp_path / "over.wav", tone(loud=1.2), RATE, subtype="FLOAT")
    clip = load(tmp_path / "over.wav")
    assert np.abs(clip.wave).max() <= 1 and "clipped" in {note.code for note in clip.notes}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path: Path, bad: float) -> None:
    wave = tone()
    wave[7] = bad
    soundfile.write(tmp_path / "bad.wav", wave, RATE, subtype="DOUBLE")
    with pytest.raises(UserError, match="1 samples that are not numbers"):
        load(tmp_path / "bad.wav")


def test_names_that_no_disk_can_hold_and_things_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "ring.wav").symlink_to(tmp_path / "ring.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    for place in ("a" * 300 + ".wav", "b" * 5000, "pipe.wav", "ring.wav", "gone.wav", ".", "\udcff.wav"):
        with pytest.raises(MissingResource, match="There is no sound file") as caught:
            load(tmp_path / place)
        assert len(str(caught.value)) < 400
        assert not is_file(tmp_path / place)
    with pytest.raises(MissingResource):
        load("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", tone(), RATE)
    (tmp_path / "secret.wav").chmod(0)
    with pytest.raises(UserError, match=r"secret\.wav cannot be read as sound: Permission denied"):
        load(tmp_path / "secret.wav")


@pytest.mark.parametrize(("part", "words"), [
    (":16000:5", "the slice begins at 16000"), (":15999:1", "0.00 s long"),
    (":99999999999999999999:1", "begins at 9999"), (":0:0", "slice of nothing"), (":0:3", "0.00 s long")])
def test_slices_beside_the_sound(tmp_path: Path, part: str, words: str) -> None:
    soundfile.write(tmp_path / "one.wav", tone(), RATE)
    with pytest.raises(UserError, match=words):
        load(f"{tmp_path}/one.wav{part}")


def test_a_slice_that_asks_for_more_than_there_is_gets_what_there_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", tone(), RATE)
    assert load(f"{tmp_path}/one.wav:8000:99999999999999999999").seconds == 0.5


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.wav", data)
    return path


@rules(max_examples=60, deadline=None)
@given(st.integers(0, 70_000), st.integers(1, 70_000))
def test_any_bytes_of_an_archive_are_a_clip_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, start: int,
                                                          count: int) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.zip"
    if not path.is_file():
        archive(path, a=header(), b=header(rate=8000))
    try:
        clip = load(f"{path}:{start}:{count}")
    except (UserError, MissingResource) as error:
        assert str(error)
    else:
        assert 0.2 <= clip.seconds <= 30 and clip.wave.dtype == np.float32


def test_an_archive_that_claims_to_be_larger_than_anything(tmp_path: Path) -> None:
    path = archive(tmp_path / "z.zip", a=header())
    for part, words in (("0:999999999999999999", "at most 512 MB"), ("9999999:10", "ends before")):
        with pytest.raises(UserError, match=words):
            open_file(parse(f"{path}:{part}"))
    (tmp_path / "no.zip").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(UserError, match="is no zip archive"):
        load(f"{tmp_path}/no.zip:0:10")


def test_players_get_a_sound_at_their_own_rate_or_the_same_sentence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", tone(), RATE)
    assert len(read_at(tmp_path / "one.wav", 8000)) == 8000
    (tmp_path / "bad.wav").write_bytes(b"no")
    with pytest.raises(UserError, match="cannot be read as sound"):
        read_at(tmp_path / "bad.wav", 8000)


@pytest.mark.parametrize("limits", [Limits(0.0, 0.0, 30.0), Limits(0.2, 1.0, 0.5, cut=True), Limits(longest=0.2)])
def test_an_hour_of_sound_costs_what_the_limits_allow(tmp_path: Path, limits: Limits) -> None:
    """Memory follows the limit: a file of an hour is read for its first seconds only."""
    import resource

    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 8000, 1, "PCM_U8") as file:
        for _ in range(360):
            file.write(np.zeros(80_000, np.float32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if limits.cut:
        assert load(tmp_path / "hour.wav", limits).seconds == pytest.approx(0.5, abs=0.001)
    else:
        with pytest.raises(UserError, match=r"3,600\.0 s long"):
            load(tmp_path / "hour.wav", limits)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "kilobytes"


def rows(folder: Path, *values: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in values) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("row", "why"), [
    ({"audio": "a" * 5000, "text": "x"}, "there is no file aaa"), ({"audio": "\udcff.wav", "text": "x"}, "half of a"),
    ({"audio": "a.wav", "text": "\ud800"}, "half of a character"),
    ({"audio": "a\0.wav", "text": "x"}, "names no sound"),
    ({"audio": "ring.wav", "text": "x"}, "there is no file"), ({"audio": "x.zip", "text": "x"}, "is an archive"),
    ({"audio": "a.wav", "text": "x", "seconds": float("inf")}, "seconds is inf"),
    ({"audio": "a.wav", "text": "x", "seconds": float("nan")}, "seconds is nan"),
    ({"audio": "a.wav:0:0", "text": "x"}, "slice of nothing"), ({"audio": ["a.wav"], "text": "x"}, "no audio")])
def test_rows_that_mean_harm_are_named_and_the_others_stay(tmp_path: Path, row: dict, why: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "ring.wav").symlink_to(tmp_path / "ring.wav")
    found = read_manifest(rows(tmp_path, row, {"audio": "a.wav", "text": "fine"}), "asr")
    assert len(found.rows) == 1 and found.faults[0].line == 1 and why in found.faults[0].why
    json.dumps(found.summary).encode("utf-8")


def test_an_endless_line_is_one_fault_and_the_next_line_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    good = b'{"audio": "a.wav", "text": "fine"}\n'
    (tmp_path / "rows.jsonl").write_bytes(b'{"audio": "' + b"x" * (3 * LONGEST_LINE) + b'"}\n' + good + good)
    found = read_manifest(tmp_path / "rows.jsonl", "asr")
    assert len(found.rows) == 2 and [fault.line for fault in found.faults] == [1] and "bytes" in found.faults[0].why


def open_server(tmp_path: Path, **fields: object) -> MemoryContext:
    """A run on an address that other machines reach."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return MemoryContext(tmp_path / "run", settings=Settings(home=home, host="0.0.0.0", **fields))


def test_only_an_open_server_asks_where_a_clip_lies(tmp_path: Path) -> None:
    assert readable(MemoryContext(tmp_path / "own")) is None
    context = open_server(tmp_path, data_roots=(tmp_path / "corpora",))
    allowed = readable(context)
    assert allowed and tmp_path / "corpora" in allowed and context.run in allowed
    assert not any(Path("/etc").is_relative_to(folder) for folder in allowed)


def test_a_visitor_of_an_open_server_hears_no_file_of_its_owner(tmp_path: Path) -> None:
    for name in ("private", "corpora", "home/uploads/f00", "mine"):
        (tmp_path / name).mkdir(parents=True)
        soundfile.write(tmp_path / name / "a.wav", tone(), RATE)
    context = open_server(tmp_path, data_roots=(tmp_path / "corpora",))
    given = [{"audio": str(tmp_path / name / "a.wav"), "text": name} for name in ("private", "corpora",
                                                                                   "home/uploads/f00")]
    (tmp_path / "mine" / "link.wav").symlink_to(tmp_path / "private" / "a.wav")
    given += [{"audio": "a.wav", "text": "mine"}, {"audio": "link.wav", "text": "link"},
              {"audio": "../private/a.wav", "text": "up"}, {"audio": "../private/a.wav:0:8000", "text": "up"}]
    found = read_manifest(rows(tmp_path / "mine", *given), "asr", within=readable(context))
    assert [row.text for row in found.rows] == ["corpora", "home/uploads/f00", "mine"]
    assert len(found.faults) == 4 and all("lies outside mine" in fault.why for fault in found.faults)
    everything = read_manifest(tmp_path / "mine" / "rows.jsonl", "asr", within=readable(MemoryContext(tmp_path / "o")))
    assert len(everything.rows) == len(given), "on one's own machine any file may be named"


def test_a_thousand_faults_are_told_and_all_of_them_are_counted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "rows.jsonl").write_text('{"audio": "gone.wav", "text": "x"}\n' * 1500
                                         + '{"audio": "a.wav", "text": "fine"}\n', encoding="utf-8")
    found = read_manifest(tmp_path / "rows.jsonl", "asr")
    assert len(found.faults) == 1000 and found.left_out == 1500 and "1500 rows left out" in found.summary


@pytest.mark.parametrize(("seconds", "heard"), [(30.0, 30.0), (30.05, 30.0), (30.2, 0.0), (45.0, 0.0)])
def test_a_take_that_was_ended_at_the_limit_is_heard(tmp_path: Path, seconds: float, heard: float) -> None:
    wave = tone(seconds, rate=8000)
    soundfile.write(tmp_path / "take.wav", wave, 8000)
    for source in (tmp_path / "take.wav", (8000, wave)):
        if heard:
            clip = load(source)
            assert clip.seconds == heard and "cut" not in {note.code for note in clip.notes}
        else:
            with pytest.raises(UserError, match="at most 30 s are heard at once"):
                load(source)

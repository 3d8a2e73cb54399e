"""Every way a sound can come in: types, channels, rates, slices, and everything that can be wrong with a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from backends.common.speech.audio import RATE, Clip, Limits, Note, load, read_at, resample
from backends.common.speech.slices import Place, parse
from tests.backends.speech_cases import noise, tone
from workbench.contract import MissingResource, UserError


def codes(clip: Clip) -> list[str]:
    return [note.code for note in clip.notes]


def wav(path: Path, wave: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


@pytest.mark.parametrize(("rate", "make"), [
    (RATE, lambda x: x),
    (RATE, lambda x: x.astype(np.float64)),
    (RATE, lambda x: x.astype(np.float16)),
    (RATE, lambda x: (x * 32768).astype(np.int16)),
    (RATE, lambda x: (x.astype(np.float64) * 2**31).astype(np.int32)),
    (RATE, lambda x: (x * 128 + 128).astype(np.uint8)),
    (RATE, lambda x: np.stack([x, x], axis=1)),
    (RATE, lambda x: np.stack([x, x])),
    (RATE, lambda x: (np.stack([x, x], axis=1) * 32768).astype(np.int16)),
    (RATE, lambda x: x[:, None]),
    (RATE, lambda x: x[None]),
    (RATE, list),
])
def test_the_same_tone_in_every_form_is_the_same_sound(rate, make) -> None:
    wave = tone()
    clip = load((rate, make(wave)))
    assert clip.wave.dtype == np.float32 and clip.wave.ndim == 1 and clip.seconds == 1.0
    assert np.abs(clip.wave - wave).max() < 0.01


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_other_rates_give_the_same_tone(rate: int) -> None:
    stereo = (np.stack([tone(rate=rate, pitch=300)] * 2, axis=1) * 32768).astype(np.int16)
    clip = load((rate, stereo))
    assert codes(clip) == ["mixed", "resampled"] and clip.source_rate == rate and clip.channels == 2
    assert abs(len(clip.wave) - RATE) <= 1
    middle = slice(2000, 14000)
    assert np.abs(clip.wave[middle] - tone(pitch=300)[middle]).max() < 0.02
    assert str(rate) in clip.notes[1].text


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_kinds_of_wav(tmp_path: Path, subtype: str) -> None:
    clip = load(wav(tmp_path / "a.wav", tone(), subtype=subtype))
    assert np.abs(clip.wave - tone()).max() < 0.03


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_other_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(1.0, 440, 48000), 48000)
    clip = load(path)
    assert abs(clip.seconds - 1.0) < 0.1 and np.abs(clip.wave[4000:8000]).max() == pytest.approx(0.5, abs=0.05)


def test_speakers_in_opposite_phase_do_not_vanish() -> None:
    clip = load((RATE, np.stack([tone(), -tone()], axis=1)))
    assert codes(clip) == ["one channel"] and np.abs(clip.wave).max() > 0.4


def test_one_silent_channel_is_mixed_as_usual() -> None:
    assert codes(load((RATE, np.stack([tone(), 0 * tone()], axis=1)))) == ["mixed"]


@pytest.mark.parametrize(("wave", "expected"), [
    (np.zeros(RATE, np.float32), ["silent"]), (np.clip(3 * tone(), -1, 1), ["clipped"]), (tone(0.5), ["short"]),
    (tone(1.0), []), (1.5 * tone(loud=1.0), ["clipped"]),
])
def test_what_is_odd_is_said(wave: np.ndarray, expected: list[str]) -> None:
    clip = load((RATE, wave))
    assert codes(clip) == expected and all(note.text for note in clip.notes)
    assert np.abs(clip.wave).max() <= 1.0


@pytest.mark.parametrize(("rate", "array", "words"), [
    (RATE, [], "no samples"), (RATE, np.zeros((0, 2)), "no samples"), (0, tone(), "0 samples a second"),
    (4000, tone(), "4000 samples"), (400_000, tone(), "8000 to 192000"), ("fast", tone(), "fast samples"),
    (float("nan"), tone(), "nan samples"), (RATE, np.zeros((100, 100)), "shape (100, 100)"),
    (RATE, np.zeros((5, 5, 5)), "shape (5, 5, 5)"), (RATE, np.full(RATE, np.nan), "16,000 samples that are not"),
    (RATE, np.where(np.arange(RATE) == 7, np.inf, 0.0), "1 samples that are not numbers"),
    (RATE, tone() * 20000, "floats must lie between -1 and 1"), (RATE, np.ones(RATE, np.int64), "type int64"),
    (RATE, np.array(["a"] * RATE), "type <U1"), (RATE, np.ones(RATE, bool), "type bool"),
    (RATE, tone(0.15), "0.15 s long; at least 0.2 s"), (RATE, 3, "shape ()"),
])
def test_arrays_that_are_no_sound(rate, array, words: str) -> None:
    with pytest.raises(UserError) as caught:
        load((rate, array))
    assert words in str(caught.value)


def test_too_long_is_said_and_cut_only_when_asked(tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", noise(45))
    for source in (path, (RATE, noise(45))):
        with pytest.raises(UserError, match=r"45\.0 s long; at most 30 s are heard"):
            load(source)
        clip = load(source, Limits(cut=True))
        assert clip.seconds == 30.0 and codes(clip) == ["cut"] and "30" in clip.notes[0].text
    assert load((RATE, noise(30))).notes == ()


def test_limits_can_be_others() -> None:
    assert load((RATE, tone(0.1)), Limits(shortest=0.05)).seconds == pytest.approx(0.1)
    with pytest.raises(UserError, match="at most 2 s"):
        load((RATE, tone(3.0)), Limits(longest=2.0))


def patched(path: Path, offset: int, raw: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[offset:offset + len(raw)] = raw
    path.write_bytes(bytes(data))
    return path


def test_a_wav_header_that_lies_about_a_gigabyte(tmp_path: Path) -> None:
    path = wav(tmp_path / "liar.wav", tone())
    at = path.read_bytes().index(b"data") + 4
    patched(path, at, (1_000_000_000).to_bytes(4, "little"))
    with pytest.raises(UserError, match=r"promises 1,000,000,000 bytes of sound and 32,000 are there"):
        load(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_of_a_program_that_did_not_know_the_length_is_read(tmp_path: Path, size: int) -> None:
    path = wav(tmp_path / "piped.wav", tone())
    patched(path, path.read_bytes().index(b"data") + 4, size.to_bytes(4, "little"))
    assert load(path).seconds == pytest.approx(1.0, abs=0.01)


def test_a_flac_header_that_lies(tmp_path: Path) -> None:
    path = tmp_path / "liar.flac"
    soundfile.write(path, tone(2.0), RATE)
    number = int.from_bytes(path.read_bytes()[21:26], "big") & ~(2**36 - 1) & (2**40 - 1)
    patched(path, 21, (number | 400_000).to_bytes(5, "big"))
    with pytest.raises(UserError, match=r"liar\.flac"):
        load(path)


def test_a_flac_cut_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "half.flac"
    soundfile.write(path, noise(4.0), RATE)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.flac"):
        load(path)


@pytest.mark.parametrize("content", [b"x", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata\xff", b"\0" * 500,
                                     b"<html>not found</html>", b"OggS" + b"\1" * 90, b"fLaC" + b"\0" * 60,
                                     b"ID3" * 40])
def test_a_file_that_is_no_sound_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(tmp_path / "bad.wav")
    assert "bad.wav" in str(caught.value) and str(tmp_path) not in caught.value.message


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(UserError, match=r"empty\.wav is empty \(0 bytes\)"):
        load(tmp_path / "empty.wav")
    with pytest.raises(MissingResource, match="no sound file"):
        load(tmp_path / "gone.wav")
    with pytest.raises(MissingResource, match="no sound file"):
        load(tmp_path)
    for text in ("", "  ", "a\0b"):
        with pytest.raises(UserError, match="names no sound file"):
            load(text)


def test_a_file_too_large_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "big.wav"
    with path.open("wb") as file:
        file.truncate(600_000_000)
    with pytest.raises(UserError, match="600 MB; at most 512 MB"):
        load(path)


def test_many_channels_in_a_file(tmp_path: Path) -> None:
    assert load(wav(tmp_path / "six.wav", np.stack([tone()] * 6, axis=1))).channels == 6
    with pytest.raises(UserError, match="9 channels"):
        load(wav(tmp_path / "nine.wav", np.stack([tone()] * 9, axis=1)))


@pytest.mark.parametrize(("text", "expected"), [
    ("a.wav", Place(Path("a.wav"))), ("a.wav:0:160", Place(Path("a.wav"), 0, 160)),
    ("a:b.wav:16000:8000", Place(Path("a:b.wav"), 16000, 8000)), ("a.wav:x:5", Place(Path("a.wav:x:5"))),
    ("all.zip:30:99", Place(Path("all.zip"), 30, 99)), ("a.wav:5", Place(Path("a.wav:5"))),
])
def test_slices_are_parsed(text: str, expected: Place) -> None:
    assert parse(text) == expected
    assert parse(text, Path("/root")).path == Path("/root") / expected.path


@pytest.mark.parametrize(("text", "words"), [("a.wav:5:0", "slice of nothing"), ("all.zip", "an archive, not a sound")])
def test_slices_of_nothing(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse(text)


def test_a_slice_of_a_file_counts_its_own_frames(tmp_path: Path) -> None:
    both = np.concatenate([tone(1.0, 300, 48000), tone(1.0, 900, 48000)])
    wav(tmp_path / "two.wav", both, 48000)
    clip = load(f"{tmp_path}/two.wav:48000:48000")
    assert clip.seconds == pytest.approx(1.0, abs=0.01)
    assert np.abs(clip.wave[3000:9000] - resample(tone(1.0, 900, 48000), 48000)[3000:9000]).max() < 0.02
    assert load("two.wav:72000:999999", root=tmp_path).seconds == pytest.approx(0.5, abs=0.01)
    with pytest.raises(UserError, match="has 96000 frames; the slice begins at 96000"):
        load(f"{tmp_path}/two.wav:96000:10")


def stored(tmp_path: Path, kind: int = zipfile.ZIP_STORED) -> tuple[Path, int, int]:
    wav(tmp_path / "a.wav", tone(0.5, 300))
    soundfile.write(tmp_path / "b.flac", tone(1.0, 900), RATE)
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.write(tmp_path / "a.wav", "a.wav")
        archive.write(tmp_path / "b.flac", "deep/b.flac")
        found = archive.getinfo("deep/b.flac")
    raw = path.read_bytes()
    begin = found.header_offset + 30 + len("deep/b.flac") + int.from_bytes(
        raw[found.header_offset + 28:found.header_offset + 30], "little")
    return path, begin, found.file_size


def test_a_slice_of_an_archive(tmp_path: Path) -> None:
    path, begin, size = stored(tmp_path)
    clip = load(f"{path}:{begin}:{size}")
    assert clip.seconds == 1.0 and np.abs(clip.wave - tone(1.0, 900)).max() < 0.001
    for start, count, words in ((begin, 10**7, "ends before"), (begin + 3, size - 3, "cannot be read"),
                                (begin, 10**9, "at most 512 MB")):
        with pytest.raises(UserError, match=words):
            load(f"{path}:{start}:{count}")


def test_a_packed_archive_is_refused(tmp_path: Path) -> None:
    path, begin, _ = stored(tmp_path, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"packed inside all\.zip; only stored members"):
        load(f"{path}:{begin - 5}:20")
    (tmp_path / "no.zip").write_bytes(b"no archive")
    with pytest.raises(UserError, match="is no zip archive"):
        load(f"{tmp_path}/no.zip:0:5")


def test_another_rate_for_players(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", tone(2.0, 300, 48000), 48000)
    assert len(read_at(path, 24000)) == 48000
    assert resample(tone(), RATE) is not None and len(resample(tone(), RATE, 8000)) == 8000


def test_real_recordings(shared: Path) -> None:
    folder = shared / "speech"
    if not folder.is_dir():
        pytest.skip("no recordings beside the project")
    german = load(next(iter(sorted((folder / "emodb2s16k").glob("*.flac")))))
    digit = load(next(iter(sorted((folder / "fsdd300").glob("*.flac")))))
    assert german.source_rate == RATE and digit.source_rate == 8000 and digit.notes[0] == Note("resampled", 8000)
    assert "short" in codes(digit)

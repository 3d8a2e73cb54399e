"""Every bad sound is a sentence in its turn, and nothing else is lost (the table of the issue's eighth acceptance)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest

from tests.backends.talk_cases import Lines, Stand, make_stand, say, talked, wave, write


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path, whisper_tiny: Path) -> Stand:
    return make_stand(tmp_path_factory.mktemp("stand"), tiny_lm, whisper_tiny)


@pytest.fixture(scope="module")
def lines(stand: Stand) -> Lines:
    return Lines(stand)


def alike(one: str, other: str) -> bool:
    """German by an English recogniser: rubbish, but much the same rubbish."""
    return SequenceMatcher(None, one, other).ratio() > 0.6


def header(size: int, rate: int = 16_000) -> bytes:
    return (b"RIFF" + struct.pack("<I", min(size + 36, 2**32 - 1)) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data" + struct.pack("<I", size))


def blob(data: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return make


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "short.wav": (lambda path: write(path, wave(0)[8000:8000 + 3200]), "is 0.20 s long; at least 0.3 s are needed"),
    "long.wav": (lambda path: write(path, np.tile(wave(0), 40)[:45 * 16_000]),
                 "is 45.0 s long; at most 30 s are heard"),
    "empty.wav": (blob(b""), "is empty (0 bytes)"),
    "corrupt.wav": (blob(header(3200)[:30] + b"\x00garbage" * 50), "cannot be read as sound"),
    "text.wav": (blob(b"this is a letter, not a sound\n" * 99), "cannot be read as sound"),
    "liar.wav": (blob(header(1_000_000_000) + b"\0\0" * 16_000), "promises 1,000,000,000 bytes of sound and 32,000"),
    "bare.wav": (blob(header(0)), "is 0.00 s long"),
    "cut.flac": (lambda path: blob((Path(str(write(path.with_suffix(".whole.flac"), wave(0), subtype="PCM_16")))
                                    .read_bytes())[:2000])(path), "cut.flac"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_sound_is_a_sentence_and_the_conversation_goes_on(name: str, stand: Stand, lines: Lines, tmp_path: Path
                                                                ) -> None:
    make, words = BAD[name]
    path = make(tmp_path / name)
    _, talk = talked(stand.request(cascade=False), tmp_path / "run", lines, {"do": "say", "text": "Hi"},
                     {"do": "say", "audio": f"path:{path}"}, {"do": "say", "text": "Still there?"})
    good, bad, after = talk["turns"]
    assert words in bad["problem"] and name in bad["problem"] and bad["done"]
    assert str(tmp_path) not in bad["problem"] and "Traceback" not in bad["problem"]
    assert bad["replies"] == {} and bad["sides"] == [] and bad["audio"] is None and not bad["silence"]
    assert bad["emotion"] == {"chances": {}, "label": "", "by": ""}
    assert good["replies"]["speech"]["text"] and after["replies"]["speech"]["tokens"] >= 1
    assert talk["applied"] == 3 and talk["refused"] == []


def test_every_form_of_the_same_speech_is_heard_alike(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    """48 kHz stereo int16, 8-bit, FLAC and float: the same emotion within a little, and what was done is noted."""
    import soxr

    fast = soxr.resample(wave(0), 16_000, 48_000)
    files = [write(tmp_path / "plain.wav", wave(0)),
             write(tmp_path / "stereo48.wav", np.stack([fast, fast], 1), 48_000),
             write(tmp_path / "eight.wav", wave(0), subtype="PCM_U8"),
             write(tmp_path / "float.wav", wave(0), subtype="FLOAT"),
             write(tmp_path / "packed.flac", wave(0))]
    _, talk = talked(stand.request(cascade=False), tmp_path / "run", lines,
                     *({"do": "say", "audio": f"path:{file}"} for file in files))
    first, stereo, eight, whole, packed = talk["turns"]
    assert all(turn["problem"] is None and not turn["silence"] for turn in talk["turns"])
    assert stereo["notes"] == ["mixed from 2 channels", "resampled from 48000 Hz"] and first["notes"] == []
    for turn in (stereo, whole, packed):
        assert turn["emotion"]["chances"] == pytest.approx(first["emotion"]["chances"], abs=0.05), turn["audio"]
        assert alike(turn["transcript"], first["transcript"])
    assert eight["emotion"]["label"] and abs(eight["seconds"] - first["seconds"]) < 0.01
    assert stereo["seconds"] == pytest.approx(first["seconds"], abs=0.01)


def test_a_sound_may_not_be_named_from_a_run_or_the_network(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    """Rights on runs are checked where a request is taken; a command must not be a way around."""
    names = ["run:20260101T000000-abcdef/turn-001.wav", "http://example.org/a.wav", "hub:x/y", "", None, 7, ["path:x"],
             "path:" + str(tmp_path / "nowhere.wav")]
    _, talk = talked(stand.request(), tmp_path / "run", lines, *({"do": "say", "audio": name} for name in names))
    assert len(talk["refused"]) == len(names) - 1 and all("must be a path:" in note["why"] for note in talk["refused"])
    assert len(talk["turns"]) == 1 and "nothing at" in talk["turns"][0]["problem"]


def test_a_server_for_others_reads_only_what_was_brought(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    from workbench.context import MemoryContext
    from workbench.settings import Settings

    home = tmp_path / "home"
    brought = home / "uploads" / ("0" * 64)
    brought.mkdir(parents=True)
    write(brought / "mine.wav", wave(0))
    write(tmp_path / "theirs.wav", wave(1))
    from backends.blsp_emo.talking_lines import sound_of
    from workbench.contract import UserError

    context = MemoryContext(tmp_path / "run", settings=Settings(home=home, host="0.0.0.0"))
    assert sound_of(f"path:{brought / 'mine.wav'}", context).name == "mine.wav"
    with pytest.raises(UserError, match="lies outside the folders"):
        sound_of(f"path:{tmp_path / 'theirs.wav'}", context)


def test_a_voice_between_long_pauses_is_cut_to_the_words(stand: Stand, lines: Lines, tmp_path: Path) -> None:
    still = np.zeros(24_000, np.float32)
    path = write(tmp_path / "pauses.wav", np.concatenate([still, wave(0), still]))
    _, talk = talked(stand.request(cascade=False), tmp_path / "run", lines, say(0),
                     {"do": "say", "audio": f"path:{path}", "heard_ms": 812.5})
    plain, padded = talk["turns"]
    assert padded["speech"][0] == pytest.approx(1.5 + plain["speech"][0], abs=0.15)
    assert padded["speech"][1] < 1.5 + plain["seconds"] + 0.3 and padded["times"]["heard_ms"] == 812.5
    assert alike(padded["transcript"], plain["transcript"])
    assert padded["words"][0]["start"] >= 1.3

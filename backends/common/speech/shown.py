"""A sound small enough to draw: lowest and highest sample of each column, and a mel picture in 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.common.speech.audio import RATE, Wave
from workbench.contract import UserError

Array = np.ndarray[Any, Any]
DECIBELS, FAINTEST = 80.0, 1e-8
FRAME, HOP = 400, 160


@dataclass(frozen=True)
class Picture:
    """``low``/``high``: the wave, one pair a column, rounded to three digits. ``mel``: rows from low to high pitch,
    each of ``columns`` whole numbers, 255 the loudest and 0 that minus 80 dB. Empty where none was asked for."""

    seconds: float
    peak: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    mel: tuple[tuple[int, ...], ...] = ()


def picture(wave: Wave, columns: int = 240, bands: int = 40) -> Picture:
    """Draw a mono wave at 16 kHz. ``bands`` 0 leaves the mel picture out. numpy only, so that a page can call it.

    ``UserError`` for an empty wave or a size that is no picture."""
    if not len(wave):
        raise UserError("There is no sound to draw.")
    if not 1 <= columns <= 4000 or not 0 <= bands <= 128:
        raise UserError(f"A picture of {columns} columns and {bands} bands cannot be drawn; 1 to 4000 and 0 to 128 "
                        "can.")
    columns = min(columns, len(wave))
    edges = np.linspace(0, len(wave), columns + 1).astype(np.int64)[:-1]
    low, high = np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)
    return Picture(round(len(wave) / RATE, 3), round(float(np.abs(wave).max()), 4), _rounded(low), _rounded(high),
                   _mel(wave, columns, bands) if bands else ())


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)


def _mel(wave: Wave, columns: int, bands: int) -> tuple[tuple[int, ...], ...]:
    """Power in mel bands, columns taken as the loudest of the frames they cover, in decibels below the loudest."""
    padded = np.pad(wave, (0, max(FRAME - HOP, FRAME - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = mel_filters(bands) @ (np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)) ** 2).T
    edges = np.linspace(0, power.shape[1], min(columns, power.shape[1]) + 1).astype(np.int64)[:-1]
    loud = np.maximum.reduceat(power, edges, axis=1)
    if loud.max() <= FAINTEST:
        return tuple((0,) * loud.shape[1] for _ in range(bands))
    decibels = 10 * np.log10(np.maximum(loud, FAINTEST) / loud.max())
    scaled = np.round(255 * (1 + np.maximum(decibels, -DECIBELS) / DECIBELS))
    return tuple(tuple(int(value) for value in row) for row in scaled)


def mel_filters(bands: int) -> Array:
    """Triangles (bands, FRAME // 2 + 1) between points that lie evenly on mel = 2595 log10(1 + f / 700) up to 8 kHz.

    Every triangle holds at least the frequency nearest to its peak, so that no row of a fine picture is empty."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    points = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    lines = np.fft.rfftfreq(FRAME, 1 / RATE)
    rise = (lines[None] - points[:-2, None]) / (points[1:-1] - points[:-2])[:, None]
    fall = (points[2:, None] - lines[None]) / (points[2:] - points[1:-1])[:, None]
    filters: Array = np.maximum(0.0, np.minimum(rise, fall))
    nearest = np.abs(lines[None] - points[1:-1, None]).argmin(axis=1)
    filters[np.arange(bands), nearest] = np.maximum(filters[np.arange(bands), nearest], 1e-3)
    return filters

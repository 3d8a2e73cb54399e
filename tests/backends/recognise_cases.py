"""A small data set with sounds that a tiny encoder can tell apart, and measurements of it, for the data-set mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile

from backends.blsp_emo.recognise import run
from backends.blsp_emo.recognise_requests import RecogniseRequest, RecogniseResult
from tests.backends.blsp_cases import PITCH, WOBBLE, make_tiny_whisper, tone
from workbench.context import MemoryContext

FOUR = ("neutral", "happy", "angry", "sad")


def make_clips(folder: Path, speakers: int = 4, takes: int = 2, emotions: tuple[str, ...] = FOUR, folds: bool = False,
               shift: float = 1.0) -> Path:
    """WAV files whose pitch and wobble are their emotion, each speaker a little higher; their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for person in range(speakers):
        for take in range(takes):
            for emotion in emotions:
                name = f"p{person}-{take}-{emotion}.wav"
                wave = tone(0.5 + 0.06 * take, shift * PITCH[emotion] * (1 + 0.02 * person), wobble=WOBBLE[emotion],
                            seed=10 * person + take)
                soundfile.write(folder / name, wave, 16_000)
                row: dict[str, Any] = {"audio": name, "text": f"Sentence {take}.", "emotion": emotion,
                                       "speaker": f"p{person}", "seconds": round(len(wave) / 16_000, 3)}
                rows.append({**row, "fold": person % 2} if folds else row)
    return write_rows(folder / "manifest.jsonl", rows)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A manifest of these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


Measure = Callable[..., tuple[RecogniseResult, MemoryContext]]


def measuring(folder: Path) -> Measure:
    """A way to measure with the tiny encoder: each call is a run of its own below ``folder``."""
    whisper = make_tiny_whisper(folder / "whisper")
    count = iter(range(1000))

    def measure(manifest: Path | str = "practice", **fields: Any) -> tuple[RecogniseResult, MemoryContext]:
        name = f"path:{manifest}" if isinstance(manifest, Path) else manifest
        context = MemoryContext(folder / f"run{next(count)}")
        given = {"encoder": f"path:{whisper}", "layer": 1, "draws": 50, **fields}
        return run(RecogniseRequest(name, **given), context), context
    return measure

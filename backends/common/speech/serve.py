"""A recogniser in a process of its own, shared by all visitors: what ``workbench.resident`` loads for a Whisper.

==============  ==========================================================================================
operation       what it does
==============  ==========================================================================================
transcribe      ``audio`` (a path), ``start`` and ``end`` of the part (s; 0: all), ``language``, ``words``: the
                words of it, with ``detect`` only where somebody speaks; the fields of
                :class:`~backends.common.speech.transcribe.Transcript`
info            which program recognises, on which device and threads
==============  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.common.serving import Desk
from backends.common.speech.audio import RATE, Limits, Wave
from backends.common.speech.audio import load as load_sound
from backends.common.speech.transcribe import Engine, Recogniser, open_recogniser, transcribe
from workbench.contract import Json, UserError
from workbench.fields import to_json


def part_of(payload: Mapping[str, Json]) -> Wave:
    """The samples that a request names: ``audio`` from ``start`` to ``end`` seconds (``end`` 0: to the end).

    Raises as :func:`~backends.common.speech.audio.load`, and ``UserError`` for a part that is not in the sound."""
    audio = payload["audio"]
    if not isinstance(audio, str) or not audio:
        raise UserError("audio must be the path of a sound.")
    wave = load_sound(audio, Limits()).wave
    start, end = float(payload.get("start") or 0.0), float(payload.get("end") or 0.0)
    if not 0 <= start * RATE < len(wave) or (end and end <= start):
        raise UserError(f"The part from {start:g} to {end:g} s is not in a sound of {len(wave) / RATE:.2f} s.")
    return wave[int(start * RATE):int(end * RATE) if end else len(wave)]


class Ears:
    """The operations of one recogniser."""

    def __init__(self, recogniser: Recogniser, facts: Mapping[str, Json]) -> None:
        self.recogniser, self.facts = recogniser, dict(facts)

    def transcribe(self, payload: Mapping[str, Json]) -> Json:
        """One clip of at most 30 s in one piece of work."""
        found = transcribe(self.recogniser, part_of(payload), str(payload.get("language") or ""),
                           words=bool(payload.get("words")), detect=bool(payload.get("detect")))
        return to_json(found)

    def info(self, payload: Mapping[str, Json]) -> Json:
        """What runs and how."""
        return {**self.facts, "engine": self.recogniser.engine}


def load(path: str, options: Mapping[str, Any]) -> Desk:
    """What the resident process calls. ``options``: ``device`` ("auto", "cpu", "cuda:0"), ``threads`` (0: one), and
    ``engine`` to ask for ``faster-whisper`` or ``transformers``."""
    import torch

    from backends.common.threads import pick_device

    device, threads = pick_device(str(options.get("device") or "auto")), int(options.get("threads") or 1)
    torch.set_num_threads(threads)
    engine: Engine | None = options.get("engine") or None
    ears = Ears(open_recogniser(Path(path), device, engine, threads), {"device": device, "threads": threads})
    return Desk({"transcribe": ears.transcribe, "info": ears.info})

"""Tiny models behind real servers, and real speech, for the tests of conversations by voice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from backends.blsp_emo.plora import PloraShape
from backends.blsp_emo.storage import Setup, base_of, save_model
from backends.blsp_emo.talking import run
from backends.blsp_emo.talking_requests import TalkRequest
from backends.common.speech.practice import CLIPS, FOLDER
from tests.backends.blsp_cases import make_tiny_whisper, tiny_model, wake
from workbench.context import MemoryContext
from workbench.contract import Paused
from workbench.files import read_json, read_lines

RATE = 16_000
NAMES = tuple(str(row["audio"]) for row in read_lines(CLIPS))


def clip(number: int = 0) -> Path:
    """A practice clip: a real person, about two seconds."""
    return FOLDER / NAMES[number]


def wave(number: int = 0) -> np.ndarray:
    """Its samples, 16 kHz mono."""
    return soundfile.read(clip(number), dtype="float32")[0]


def make_speech_model(folder: Path, whisper: Path, lm: Path, head: bool = True) -> Path:
    """A model of stage 2 with random weights in everything that it may learn."""
    context = MemoryContext(folder.parent / "making")
    base = base_of(f"path:{lm}", f"path:{whisper}", context)
    made, shape = tiny_model(whisper, lm), PloraShape(2, dropout=0.0)
    made.add_plora(shape)
    wake(made.plora)
    if head:
        with torch.no_grad():
            made.head.weight.copy_(torch.randn(made.head.weight.shape, generator=torch.Generator().manual_seed(5)))
    return save_model(made, Setup(2, base, bottleneck=8, plora=shape, name="Tiny"), folder, "card", {})


@dataclass(frozen=True)
class Stand:
    """References of a tiny speech model, the language model and encoder it stands on, and a tiny recogniser."""

    speech: str
    recogniser: str
    language: str
    encoder: str

    def request(self, **fields: Any) -> TalkRequest:
        """A request for a short conversation with these models."""
        return TalkRequest(self.speech, self.recogniser, **{"max_new_tokens": 6, **fields})


def make_stand(folder: Path, lm: Path, ears: Path) -> Stand:
    """Make the speech model; the recogniser ``ears`` is a real one, because a random one never stops writing."""
    whisper = make_tiny_whisper(folder / "encoder")
    speech = make_speech_model(folder / "speech", whisper, lm)
    return Stand(f"path:{speech}", f"path:{ears}", f"path:{lm}", f"path:{whisper}")


class Lines:
    """Lines to these models in this process, for a ``MemoryContext``; each model is opened once. With ``others``, only
    the speech model is opened anew."""

    def __init__(self, stand: Stand, others: Lines | None = None) -> None:
        self.stand, self.opened = stand, dict[str, Any]()
        for reference in (stand.recogniser, stand.language) if others else ():
            others(reference)
            self.opened[reference] = others.opened[reference]

    def __call__(self, reference: str) -> Any:
        from backends.blsp_emo.serve import load as load_speech
        from backends.common.engine import LocalModel
        from backends.common.serving import LocalLine
        from backends.common.speech.serve import load as load_ears

        folder = reference.removeprefix("path:")
        options = {"device": "cpu", "threads": 1, "resource": lambda named: Path(named.removeprefix("path:"))}
        if reference not in self.opened:
            self.opened[reference] = (load_speech(folder, options) if reference == self.stand.speech else
                                      load_ears(folder, options) if reference == self.stand.recogniser else
                                      LocalModel(Path(folder), threads=1).engine)
        return LocalLine(self.opened[reference], {"reference": reference})


def talked(request: TalkRequest, folder: Path, lines: Any, *commands: Any, context: Any = None) -> Any:
    """The conversation after these commands: its context, and ``talk.json``. It pauses where nobody speaks."""
    context = context or MemoryContext(folder, model_factory=lines)
    for command in commands:
        context.give(command)
    try:
        context.ended = run(request, context, linger=0.0)
    except Paused:
        context.ended = None
    return context, read_json(context.run / "artifacts" / "talk.json", {})


def say(number: int = 0) -> dict[str, Any]:
    """The command that says a practice clip."""
    return {"do": "say", "audio": f"practice/{NAMES[number]}"}


def write(path: Path, samples: Any, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """A WAV file."""
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def rows(context: Any, name: str) -> list[Any]:
    """The lines of an artifact."""
    return [json.loads(line) for line in (context.run / "artifacts" / name).read_text(encoding="utf-8").splitlines()]

"""Conversations as the task leaves them in a run's folder, for tests of the Talk view."""

from __future__ import annotations

import copy
import json
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from panels.speech_desk import TALK
from workbench.files import write_json
from workbench.runs import Run, create_run, load_run
from workbench.settings import Settings

WORDS = "Kids are talking by the door."


def turn(number: int = 1, **changed: Any) -> dict[str, Any]:
    """A turn that was spoken sadly and answered by both, without a vote."""
    made: dict[str, Any] = {
        "place": number - 1, "at": 1.0, "by": "voice", "done": True, "audio": f"turn-{number:03d}.wav", "seconds": 2.1,
        "speech": [0.2, 1.9], "notes": [], "silence": False, "problem": None, "transcript": WORDS,
        "words": [{"text": "Kids", "start": 0.2, "end": 0.5}],
        "emotion": {"chances": {"neutral": 0.12, "happy": 0.03, "angry": 0.08, "sad": 0.71, "surprise": 0.06},
                    "label": "sad", "by": "head"},
        "replies": {"speech": {"text": "I am sorry to hear that. I am here if it weighs on you.", "first_ms": 410.0,
                               "total_ms": 1830.0, "tokens": 18, "finish": "stop", "voice": None, "dropped": 0},
                    "cascade": {"text": "I see. You mention kids talking by the door.", "first_ms": 1150.0,
                                "total_ms": 2400.0, "tokens": 14, "finish": "stop", "voice": None, "dropped": 0}},
        "sides": ["cascade", "speech"], "what_if": [], "vote": None, "corrections": [],
        "times": {"vad_ms": 60.0, "encode_ms": 140.0, "asr_ms": 820.0, "first_ms": 410.0, "total_ms": 2500.0}}
    return {**made, **copy.deepcopy(changed)}


def silent(number: int = 1) -> dict[str, Any]:
    """A turn in which nobody speaks."""
    return turn(number, silence=True, transcript="", replies={}, sides=[], times={"vad_ms": 50.0},
                emotion={"chances": {}, "label": "", "by": ""})


def spoiled(number: int = 1, problem: str = "The sound is 0.10 s long; at least 0.2 s are needed.") -> dict[str, Any]:
    """A turn whose sound could not be used."""
    return {**silent(number), "silence": False, "problem": problem, "audio": None, "seconds": 0.0}


def talk(turns: Sequence[Mapping[str, Any]] = (), **changed: Any) -> dict[str, Any]:
    """A conversation that waits for its person."""
    made: dict[str, Any] = {
        "state": "waiting", "applied": len(turns), "opened": 0, "refused": [], "calibrated": False,
        "calibration": None, "selftest": None, "emotions": ["neutral", "happy", "angry", "sad", "surprise"],
        "models": {"speech": "bundled:blsp-emo-practice", "recogniser": "package:whisper-tiny-en",
                   "language": "bundled:blsp-emo-lm"},
        "hide": True, "cascade": True, "uncertain": 0.4, "turns": list(turns)}
    return {**made, **changed}


def sound(path: Path, seconds: float = 2.1, rate: int = 16_000) -> Path:
    """A WAV of tone bursts."""
    at = np.arange(int(seconds * rate)) / rate
    samples = 9000 * np.sin(2 * np.pi * 220 * at) * (np.sin(2 * np.pi * 2 * at) > 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def put_run(settings: Settings, found: Mapping[str, Any] | None, *, owner: str, status: str = "paused",
            live: object = None, failure: object = None, task: str = TALK, **fields: Any) -> Run:
    """A run directory as a worker leaves it, with a sound for every turn that names one."""
    run = create_run(settings.home, task, fields, owner=owner, title="A conversation by voice")
    folder = run.path / "artifacts"
    folder.mkdir(exist_ok=True)
    if found is not None:
        change(run, found)
    if live is not None:
        write_json(run.path / "live.json", live)
    state = json.loads((run.path / "state.json").read_text())
    (run.path / "state.json").write_text(json.dumps({**state, "status": status, "failure": failure}))
    return load_run(run.path)


def change(run: Run, found: Mapping[str, Any]) -> None:
    """Write the conversation of a run anew, and its sounds."""
    folder = run.path / "artifacts"
    names = {"talk.json": "talk"}
    for one in found.get("turns") or ():
        replies = one.get("replies") or {}
        for name in (one.get("audio"), *(reply.get("voice") for reply in replies.values())):
            if name:
                names[name] = "audio"
                if not (folder / name).exists():
                    sound(folder / name)
    write_json(folder / "talk.json", dict(found))
    lines = [json.dumps({"name": name, "path": f"artifacts/{name}", "kind": kind}) for name, kind in names.items()]
    (run.path / "artifacts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

"""Shared by the tests of the Data set view: a scored set as its run leaves it, made by hand or really measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import soundfile

from backends.blsp_emo.recognise_requests import OfSpeaker, RecogniseResult
from panels.speech_desk import RECOGNISE
from tests.backends.blsp_cases import tone
from tests.panels.test_dialogue_wiring import ANN
from tests.panels.translation_runs import artifact
from tests.panels.translation_runs import put as put_run
from workbench.fields import to_json
from workbench.files import write_json
from workbench.runs import Run
from workbench.service import Service

SCRIPT = "<script>alert(1)</script>"
CLASSES = ("neutral", "happy", "sad")
ANSWERS = (("neutral", "neutral", 0.9), ("happy", "sad", 0.8), ("sad", "sad", 0.35), ("sad", "happy", 0.5),
           ("happy", "happy", 0.7), ("neutral", "sad", 0.3), ("neutral", "neutral", 0.0))
"""Label, what was told, and its probability; the last one was spent on the calibration."""


def result(**changed: Any) -> RecogniseResult:
    """What ``scores.json`` says of :data:`ANSWERS`."""
    found: dict[str, Any] = {
        "path": "", "told_by": "probe", "classes": CLASSES, "clips": 6, "speakers": 2, "folds": 2, "learned_on": 3,
        "wa": 0.5, "ua": 0.5, "wa_interval": (0.25, 0.75), "ua_interval": (0.3, 0.7), "recall": (0.5, 0.5, 0.5),
        "confusion": ((1, 0, 1, 0), (0, 1, 1, 0), (0, 1, 1, 0)),
        "by_speaker": (OfSpeaker("anna", 3, 2 / 3, 0.6), OfSpeaker("ben", 3, 1 / 3, 0.4)), "certain": 4 / 6,
        "certain_wa": 0.5, "chance": 1 / 3, "human": 0.416, "apart_ua": -1.0, "outside": 2, "references": 1,
        "faults": ({"line": 9, "why": f"there is no file {SCRIPT}."}, {"audio": "q.wav", "why": "q.wav is silent."}),
        "fault_count": 2, "warnings": ({"code": "few", "values": {"clips": 6, "speakers": 2}, "text": "few"},),
        "encode_seconds": 1.25}
    return RecogniseResult(**{**found, **changed})


def lines(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``clips.jsonl``, whose sounds lie in ``folder``."""
    rows = []
    for index, (truth, told, chance) in enumerate(ANSWERS):
        name = f"clip{index}.wav"
        soundfile.write(folder / name, tone(0.4, 150 + 40 * index), 16_000)
        rest = (1 - chance) / 2
        rows.append({"index": index, "audio": f"some/{name}", "speaker": ("anna", "ben")[index % 2],
                     "text": f"Sentence {index} {SCRIPT}", "seconds": 0.4, "truth": truth, "told": told,
                     "chances": {name: chance if name == told else rest for name in CLASSES},
                     "use": "calibration" if index == 6 else "scored", "fold": index % 2, "certain": chance >= 0.4})
    return rows


def put(service: Service, *, owner: str = ANN, status: str = "succeeded", task: str = RECOGNISE, files: bool = True,
        kept: bool = False, fields: dict[str, Any] | None = None, **changed: Any) -> Run:
    """A measurement of this home with its files; ``changed`` are fields of its result."""
    run = put_run(service.settings, task, fields or {"uncertain": 0.4}, {}, owner=owner, status=status,
                  title="Some clips")
    if files:
        folder = run.path / "artifacts"
        sounds = run.path / "sounds"
        sounds.mkdir()
        rows = lines(sounds)
        (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_json(folder / "scores.json", to_json(result(**changed)))
        (run.path / "checkpoints").mkdir(exist_ok=True)
        write_json(run.path / "checkpoints" / "sources.json",
                   [str(sounds / row["audio"].rpartition("/")[2]) for row in rows])
        for name, kind in (("clips.jsonl", "jsonl"), ("scores.json", "json")):
            artifact(run, name, kind)
    if kept:
        model = run.path / "artifacts" / "recogniser"
        model.mkdir()
        write_json(model / "config.json", {"model_type": "emotion_probe"})
        (model / "README.md").write_text("---\nlicense: other\n---\n\n# Emotion probe\nA <b>card</b>.\n")
        artifact(run, "recogniser", "model")
    service.index.sync()
    return service.run(owner, run.id)

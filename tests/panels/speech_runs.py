"""Shared by the tests of Train in the Speech tab: steps as their workers leave them, without any work done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backends.blsp_emo.requests import (
    ContinuationsRequest,
    EvaluateRequest,
    GateRequest,
    Stage0Request,
    Stage1Request,
    Stage2Request,
)
from panels.speech_desk import EVALUATE, GATE, STAGE0, STAGE1, STAGE2, WORDS
from tests.panels.translation_runs import artifact, put
from workbench.contract import Json
from workbench.fields import to_json
from workbench.files import append_line
from workbench.runs import Run
from workbench.settings import Settings

EACH = {"neutral": 1.0, "happy": 0.95, "angry": 0.9, "sad": 0.9, "surprise": 0.75}
GATED: Mapping[str, Json] = {"passed": True, "separated": 0.9, "content": 0.8, "pool": 10, "classifier": 0.99,
                             "replies": 200, "weights": "abc", "why": "", "by_emotion": EACH}
REFUSED: Mapping[str, Json] = {**GATED, "passed": False, "separated": 0.31, "by_emotion": {},
                               "why": "only 31% of its replies show the emotion that was asked for, 80% are needed"}
TRAINED: Mapping[str, Json] = {
    "path": "x", "steps": 40, "kept_step": 20, "trained": 1_234_567, "rows": 48, "held": 12,
    "faults": {"a clip is too short": 3}, "first_loss": 3.0, "last_loss": 0.5, "frozen_same": True,
    "train_seconds": 71.0,
    "measured": [{"step": 0, "response": 3.25, "emotion": 1.609, "accuracy": 0.2},
                 {"step": 20, "response": 0.75, "emotion": 0.9, "accuracy": 0.65},
                 {"step": 40, "response": 0.8, "emotion": 1.1, "accuracy": 0.6}]}
EVALUATED: Mapping[str, Json] = {
    "clips": 60, "heard": 0.62, "heard_interval": [0.5, 0.71], "heard_weighted": 0.64, "told": 0.2,
    "told_interval": [0.15, 0.25], "head": 0.66, "gap": 0.81, "gap_by_emotion": {"sad": 0.9}, "content": 0.7,
    "content_pool": 10, "contrast": -1.0, "reply_gap": 0.37,
    "confusion": [[9, 1, 1, 1, 0], [2, 8, 1, 0, 1], [0, 1, 10, 1, 0], [2, 0, 1, 7, 2], [1, 1, 3, 1, 6]]}


def put_stage0(settings: Settings, report: Mapping[str, Json] = GATED, **more: Any) -> Run:
    """Stage 0 with its gate and its model."""
    result = {"path": "x", "gate": dict(report), "pairs": 600, "steps": 40, "parameters": 2_400_000,
              "first_loss": 7.0, "last_loss": 0.4, "train_seconds": 65.0}
    run = put(settings, STAGE0, to_json(Stage0Request()), result, title="Stage 0", **more)
    folder = run.path / "artifacts" / "model"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: x\n---\n\n# Zero\nA <b>card</b>.\n", encoding="utf-8")
    artifact(run, "model", "model")
    return run


def put_gate(settings: Settings, model: str, report: Mapping[str, Json] = GATED, **more: Any) -> Run:
    """The gate of a model."""
    run = put(settings, GATE, to_json(GateRequest(model)), report, title="Gate", **more)
    artifact(run, "gate.json", "json")
    return run


def put_words(settings: Settings, stage: int = 1, model: str = "bundled:blsp-emo-lm", manifest: str = "practice",
              **more: Any) -> Run:
    """Continuations of one stage."""
    request = ContinuationsRequest(manifest, model=model, stage=stage, every_emotion=stage == 2)  # type: ignore[arg-type]
    result = {"path": "x", "rows": 8, "prompts": 8, "cut": 1, "dropped": {"cannot": 2}, "faults": 0}
    run = put(settings, WORDS, to_json(request), result, title=f"Words {stage}", **more)
    for number in range(15):
        append_line(run.path / "artifacts" / "continuations.jsonl",
                    {"audio": f"{number}.wav", "text": f"<i>Line</i> {number}", "emotion": "sad" if stage == 2 else "",
                     "output": f"Answer {number}", "early_stop": number == 1})
    artifact(run, "continuations.jsonl", "jsonl")
    return run


def put_stage(settings: Settings, stage: int, fields: Mapping[str, Json], result: Mapping[str, Json] = TRAINED,
              **more: Any) -> Run:
    """A training of stage 1 or 2 with its model and a few metrics."""
    request = Stage1Request(**fields) if stage == 1 else Stage2Request(**fields)
    done = more.get("status", "succeeded") == "succeeded"
    run = put(settings, STAGE1 if stage == 1 else STAGE2, to_json(request), result if done else None,
              **{"title": f"Stage {stage}", **more})
    for step in (1, 2):
        append_line(run.path / "metrics.jsonl", {"step": step, "loss": 3.0 / step, "response": 1.0, "emotion": 0.5,
                                                 "learning_rate": 1e-3, "gradient_norm": 1.0})
    if done:
        (run.path / "artifacts" / "model").mkdir()
        artifact(run, "model", "model")
    return run


def put_evaluation(settings: Settings, fields: Mapping[str, Json], result: Mapping[str, Json] = EVALUATED,
                   **more: Any) -> Run:
    """What a model hears."""
    return put(settings, EVALUATE, to_json(EvaluateRequest(**fields)), result, **{"title": "Evaluation", **more})


def put_chain(settings: Settings, **more: Any) -> dict[str, Run]:
    """All seven steps, each made from the ones before it."""
    made = {"stage0": put_stage0(settings, **more)}
    model = f"run:{made['stage0'].id}/model"
    made["words"] = put_words(settings, 1, model, **more)
    made["stage1"] = put_stage(settings, 1, {"manifest": f"run:{made['words'].id}/continuations.jsonl",
                                             "model": model}, **more)
    made["tones"] = put_words(settings, 2, model, **more)
    made["stage2"] = put_stage(settings, 2, {"manifest": f"run:{made['tones'].id}/continuations.jsonl",
                                             "start": f"run:{made['stage1'].id}/model", "model": model}, **more)
    made["evaluate"] = put_evaluation(settings, {"model": f"run:{made['stage2'].id}/model",
                                                 "answers": f"run:{made['tones'].id}/answers.jsonl"}, **more)
    return made


def read_note(note: str) -> dict[str, Any]:
    """The text of a note as a table."""
    return dict(json.loads(note))

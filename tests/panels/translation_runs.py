"""Shared by the tests of the Translation tab: runs as their workers leave them, without any work done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.sm2.compare_curves import STATISTICS, save_statistics
from backends.sm2.frontier import Cloud
from backends.sm2.requests import CurveRequest, CurveResult, Gain, Point, TrainRequest
from panels.translation_desk import CURVE, TRAIN
from tests.backends.sm2_cases import folder_of
from tests.panels.test_dialogue_wiring import ANN
from workbench.contract import Json
from workbench.fields import to_json
from workbench.files import write_json
from workbench.runs import Run, create_run
from workbench.settings import Settings

TRAINED: Mapping[str, Json] = {
    "path": "x", "steps": 400, "pairs": 5800, "held_out": 200, "left_out": 3, "weights": 173_185, "vocabulary": 85,
    "first_loss": 9.1, "last_loss": 0.9, "train_seconds": 41.0, "tokens_per_second": 12_345.6,
    "measured": [{"step": 200, "full": 1.5, "prefix": 3.9, "mixed": 1.6, "confidence": 0.61},
                 {"step": 400, "full": 0.25, "prefix": 3.5, "mixed": 0.3, "confidence": 0.55}]}


def put(settings: Settings, task: str, fields: Mapping[str, Json], result: Mapping[str, Json] | None, *,
        owner: str = ANN, status: str = "succeeded", shared: bool = False, title: str = "Trained") -> Run:
    """A run directory of one task."""
    run = create_run(settings.home, task, fields, owner=owner, shared=shared, title=title)
    (run.path / "artifacts").mkdir(exist_ok=True)
    state = json.loads((run.path / "state.json").read_text())
    write_json(run.path / "state.json", {**state, "status": status})
    if result is not None:
        write_json(run.path / "result.json", dict(result))
    return run


def artifact(run: Run, name: str, kind: str) -> None:
    """Enter a file of ``artifacts`` in the run's list."""
    with (run.path / "artifacts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"name": name, "path": f"artifacts/{name}", "kind": kind}) + "\n")


def put_training(settings: Settings, objective: str = "sm2", model: bool = True, **more: Any) -> Run:
    """A training with its model folder."""
    request = TrainRequest(name="Mine", objective=objective, encoder="causal")  # type: ignore[arg-type]
    run = put(settings, TRAIN, to_json(request), TRAINED, **more)
    if model:
        folder_of(run.path / "artifacts" / "model", objective=objective)
        card = "---\nlicense: other\n---\n\n# Mine\nA <b>card</b>.\n"
        (run.path / "artifacts" / "model" / "README.md").write_text(card, encoding="utf-8")
        artifact(run, "model", "model")
    return run


def point(policy: str, kind: str, bleu: float, lag: float | None) -> Point:
    """A point with intervals of one to either side."""
    known = lag if lag is not None else float("nan")
    words = {"AL": lag, "LAAL": lag, "AP": 0.5, "DAL": lag, "CW": 1.0}
    return Point(policy, kind, 0.5, bleu, bleu - 1, bleu + 1, words, known - 0.2, known + 0.2, {"AL": lag}, 0.25, None,
                 0, 1.5)


def curve_result(shift: float = 0.0, test: str = "same") -> CurveResult:
    """Two thresholds, two waits and the full sentence."""
    points = (point("SM2 0.3", "sm2", 20 + shift, 2.0), point("SM2 0.9", "sm2", 30 + shift, 4.0),
              point("wait-1", "wait-k", 10 + shift, 1.0), point("wait-5", "wait-k", 25 + shift, 5.0),
              point("full sentence", "full", 31 + shift, 9.0))
    gains = (Gain("SM2 0.3", 2.0, 20.0, 6.25, 5.0, 7.5, False), Gain("SM2 0.9", 4.0, 30.0, -0.75, -2.0, 0.5, True))
    return CurveResult(points, "nrefs:1|case:mixed|tok:13a", 12, gains, test)


def clouds(shift: float = 0.0) -> list[Cloud]:
    """Statistics that roughly fit the points of :func:`curve_result`."""
    generator = np.random.default_rng(7)
    found = []
    for matches, lag in ((12, 2.0), (15, 4.0), (8, 1.0), (13, 5.0), (15.5, 9.0)):
        table = np.full((12, 10), 20.0)
        table[:, 2:6] = np.clip(generator.normal(matches + shift, 0.8, (12, 4)), 0, 20)
        found.append(Cloud(table, (lag + generator.normal(0, 0.1, 12)).tolist()))
    return found


def put_curve(settings: Settings, shift: float = 0.0, test: str = "same", *, statistics: bool = True, title: str = "A",
              **more: Any) -> Run:
    """A finished curve with its statistics."""
    run = put(settings, CURVE, to_json(CurveRequest()), to_json(curve_result(shift, test)), title=title, **more)
    if statistics:
        save_statistics(run.path / "artifacts" / STATISTICS, clouds(shift))
        artifact(run, STATISTICS, "statistics")
    return run


def lines(folder: Path, name: str, count: int = 5, text: str = "ein Satz") -> Path:
    """A text file of so many lines."""
    path = folder / name
    path.write_text("".join(f"{text} {n}\n" for n in range(count)), encoding="utf-8")
    return path

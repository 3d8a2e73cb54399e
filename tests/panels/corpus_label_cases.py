"""Shared by the tests of the Duplicates, Label and Scorers views: a page, a corpus with copies and scores, presses."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends.mdfg import sample
from panels.corpus_label_desk import LabelDesk
from tests.panels.corpus_runs import made, put_run
from tests.panels.test_dialogue_wiring import ANN, Page
from workbench import shell as page_shell
from workbench.files import append_line, write_json
from workbench.runs import Run, create_run

SCRIPT = "<script>alert(1)</script>"
DOMAINS = ("law", "news", "medicine")


def records(count: int = 120, seed: int = 3) -> list[dict[str, Any]]:
    """Documents with given scores; every tenth has a copy with a few other characters behind it, and a few have a title
    that would run as a script."""
    draw, rows = np.random.Generator(np.random.PCG64(seed)), []
    for number, (text, _) in enumerate(sample.documents(count, seed, lines=6)):
        label = DOMAINS[number % 3]
        row = {"text": f"第{number}篇。{text}", "title": SCRIPT if number % 20 == 0 else f"title {number}",
               "quality_score": round(float(draw.random()), 3),
               "toxicity": {"label": 0, "score": round(float(draw.random()) ** 3, 4)},
               "domain": {"single_label": label, "multi_label": [label]}}
        rows.append(row)
        if number % 10 == 0:
            rows.append({**row, "text": row["text"] + "（转载）", "quality_score": round(float(draw.random()), 3)})
    return rows


def corpus(folder: Path, **fields: Any) -> Path:
    """A finished filtering run over :func:`records`, outside of any home."""
    return made(folder, records=fields.pop("records", None) or records(), **fields)


def shell_of(page: Page) -> page_shell.PageShell:
    return page_shell.PageShell(page.service)


def pressed(act: str, key: str = "", turn: str = "") -> SimpleNamespace:
    """A press on one of our widgets."""
    return SimpleNamespace(_data={"act": act, "key": key, "turn": turn})


def desk_of(shelf: Any) -> LabelDesk:
    """The notes of the Label view without components."""
    nothing: Any = None
    return LabelDesk(shelf, nothing, nothing, nothing, nothing)


def commands(page: Page, run: Run) -> list[dict[str, Any]]:
    """What was given to a run, without the times."""
    return [{name: value for name, value in one.items() if name != "at"}
            for one in page.service.commands(ANN, run.id)]


def job(page: Page, task: str, fields: dict[str, Any], result: dict[str, Any] | None, *, owner: str = ANN,
        status: str = "succeeded", files: dict[str, list[dict[str, Any]]] | None = None, title: str = "Made",
        shared: bool = False) -> Run:
    """A run of a scorer's task as it leaves itself: result, JSON lines among its artifacts."""
    run = create_run(page.service.settings.home, task, fields, owner=owner, title=title, shared=shared)
    state = json.loads((run.path / "state.json").read_text())
    write_json(run.path / "state.json", {**state, "status": status, "started": 1.0, "finished": 3.0, "total": 4})
    (run.path / "artifacts").mkdir(exist_ok=True)
    for name, rows in (files or {}).items():
        path = run.path / "artifacts" / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        append_line(run.path / "artifacts.jsonl", {"name": name, "path": f"artifacts/{name}", "kind": "table"})
    if result is not None:
        write_json(run.path / "result.json", result)
    page.service.index.sync()
    return page.service.run(owner, run.id)


__all__ = ["ANN", "SCRIPT", "commands", "corpus", "desk_of", "job", "pressed", "put_run", "records", "shell_of"]

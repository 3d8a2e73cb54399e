"""Filtering runs in the home of a page under test: real tables in a run that looks as if the page had made it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from backends.mdfg.requests import FilterRequest
from tests.backends.explore_cases import filtered
from tests.panels.test_dialogue_wiring import ANN, Page
from workbench.fields import to_json
from workbench.files import append_line, write_json
from workbench.runs import Run, create_run

TASK = "mdfg.filter.v1"
MADE = {"attributes.parquet": "attributes", "recipe.yaml": "recipe", "summary.json": "summary",
        "problems.jsonl": "problems", "documents": "documents"}


def made(folder: Path, **fields: Any) -> Path:
    """A finished run outside of any home, to be put into one as often as needed."""
    return filtered(folder, **{"count": 120, **fields})


def put_run(page: Page, source: Path | None = None, *, owner: str = ANN, status: str = "succeeded",
            title: str = "Pages", task: str = TASK, shared: bool = False,
            fields: dict[str, Any] | None = None, **state: Any) -> Run:
    """A run of this owner; with the artifacts and shards of ``source``."""
    asked = {**to_json(FilterRequest()), **(fields or {})} if task == TASK else fields or {}
    run = create_run(page.service.settings.home, task, asked, owner=owner, title=title, shared=shared)
    known = json.loads((run.path / "state.json").read_text())
    write_json(run.path / "state.json", known | {"status": status, "started": 1.0, "finished": 3.0, **state})
    if source is not None:
        shutil.copytree(source / "artifacts", run.path / "artifacts", dirs_exist_ok=True)
        shutil.copytree(source / "checkpoints", run.path / "checkpoints", dirs_exist_ok=True)
        for path in sorted((run.path / "artifacts").iterdir()):
            append_line(run.path / "artifacts.jsonl", {"name": path.name, "path": f"artifacts/{path.name}",
                                                       "kind": MADE.get(path.name, "export")})
        summary = json.loads((source / "artifacts" / "summary.json").read_text())
        names = ("documents", "kept", "provenance", "recipe", "recipe_hash")
        write_json(run.path / "result.json", {name: summary[name] for name in names})
    page.service.index.sync()
    return page.service.run(owner, run.id)

"""Shared by the tests of the Corpus tab: a filtering run in the home of a page, and presses on its widgets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from panels.corpus_desk import FILTER
from tests.panels.test_dialogue_wiring import ANN
from workbench.contract import Json
from workbench.runs import Run, create_run
from workbench.service import Service


def adopt(service: Service, folder: Path, *, task: str = FILTER, owner: str = ANN, status: str = "succeeded",
          title: str = "Texts", fields: Mapping[str, Json] | None = None, failure: Json = None) -> Run:
    """A run of this home with the artifacts of ``folder``."""
    given: Mapping[str, Json] = {"sources": ["sample"]} if fields is None else fields
    run = create_run(service.settings.home, task, given, owner=owner, title=title)
    if folder.is_dir():
        shutil.copytree(folder / "artifacts", run.path / "artifacts", dirs_exist_ok=True)
    state = json.loads((run.path / "state.json").read_text())
    state |= {"status": status, "started": 1.0, "finished": 2.0, "message": "reading", "failure": failure}
    (run.path / "state.json").write_text(json.dumps(state))
    service.index.sync()
    return service.run(owner, run.id)


def pressing(act: str, key: Any = "", value: Any = "") -> SimpleNamespace:
    """The event of a press."""
    return SimpleNamespace(_data={"act": act, "key": str(key), "value": str(value)})

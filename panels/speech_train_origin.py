"""Where the data of a run of the Train view of speech comes from: texts that were made up, people, or made voices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from backends.common.speech import origin, practice
from panels.speech_desk import STAGE0
from panels.speech_train_chain import step_of
from workbench.files import read_json
from workbench.runs import Run
from workbench.widgets.loose import listed, table

CACHED = 32


def provenance(run: Run) -> str:
    """``synthetic`` for the practice talk and for clips of made voices only, else ``real data``. A run that was told
    which speakers to test on is asked about those."""
    if step_of(run) == "gate":
        return "synthetic"
    if run.task == STAGE0:
        return "real data" if run.fields.get("pairs") else "synthetic"
    chosen = [str(name) for name in listed(run.fields.get("speakers"))]
    if chosen:
        return origin.provenance(chosen)
    path = manifest_of(run)
    try:
        return _clips(path, path.stat().st_mtime_ns) if path else "real data"
    except (OSError, ValueError):
        return "real data"


def manifest_of(run: Run) -> Path | None:
    """The list of clips that a run read: the bundled one, or the place that the run itself wrote down."""
    reference = str(run.fields.get("manifest") or "")
    if practice.is_practice(reference):
        return practice.CLIPS
    place = table(table(read_json(run.path / "inputs.json", {})).get(reference)).get("path")
    return Path(place) if isinstance(place, str) and place else None


@lru_cache(maxsize=CACHED)
def _clips(path: Path, changed: int) -> str:
    return origin.provenance(_speakers(path))


def _speakers(path: Path) -> Iterator[str]:
    """The speaker of every row; only as much of the file is read as is asked for."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.strip():
                yield str(table(json.loads(line)).get("speaker") or "")

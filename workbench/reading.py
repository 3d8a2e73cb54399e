"""Reading what a run wrote: curves, log, artifacts. Quick enough to be asked once a second by every page."""

from __future__ import annotations

import contextlib
import json
import math
import threading
from collections import OrderedDict
from pathlib import Path

from workbench.contract import Artifact, Json, UserError
from workbench.files import read_lines

TAIL_BYTES = 1 << 18
KEPT = 32
"""How many runs' curves stay parsed in memory (our default)."""

Curves = dict[str, list[tuple[int, float]]]


class CurveReader:
    """Parses only what was appended to ``metrics.jsonl`` since the last look."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Path, tuple[tuple[int, int], int, Curves]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, points: int = 2000) -> Curves:
        """Curves by name, thinned to about ``points`` points each (the last one always stays).

        A step at or before one already seen means that the run went on from a checkpoint: what came after that
        step in the earlier attempt is dropped. ``null`` (not a number) is read as nan.
        """
        with self._lock:
            identity, offset, curves = self._seen.pop(path, ((0, 0), 0, {}))
            try:
                info = path.stat()
                if (info.st_dev, info.st_ino) != identity or info.st_size < offset:
                    identity, offset, curves = (info.st_dev, info.st_ino), 0, {}
                offset += _extend(curves, path, offset)
            except OSError:
                return {}
            self._seen[path] = (identity, offset, curves)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
            return {name: _thin(curve, points) for name, curve in curves.items()}


def _extend(curves: Curves, path: Path, offset: int) -> int:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[:data.rfind(b"\n") + 1]
    for line in whole.split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and isinstance(entry.get("step"), int):
                _add(curves, entry)
    return len(whole)


def _add(curves: Curves, entry: dict[str, Json]) -> None:
    step = entry["step"]
    for name, value in entry.items():
        if name in ("step", "at") or not (value is None or isinstance(value, int | float)):
            continue
        curve = curves.setdefault(name, [])
        while curve and curve[-1][0] >= step:
            curve.pop()
        curve.append((step, math.nan if value is None else float(value)))


def _thin(curve: list[tuple[int, float]], points: int) -> list[tuple[int, float]]:
    stride = max(1, math.ceil(len(curve) / max(1, points)))
    kept = curve[::stride]
    return [*kept, curve[-1]] if curve and kept[-1] != curve[-1] else kept


def log_tail(path: Path, lines: int = 200) -> str:
    """The last lines of a log. A line that a progress bar rewrote is shown as it was last."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    shown = text.rstrip("\n").split("\n")
    if size > TAIL_BYTES:
        shown = shown[1:] or shown
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in shown[-max(1, lines):])


def artifacts(run: Path) -> list[Artifact]:
    """The products of a run, in the order they first appeared; a name listed again counts once, as last listed."""
    found: dict[str, Artifact] = {}
    for entry in read_lines(run / "artifacts.jsonl"):
        parts = [entry.get(name) for name in ("name", "path", "kind")]
        if all(isinstance(part, str) for part in parts):
            found[str(parts[0])] = Artifact(*map(str, parts))
    return list(found.values())


def artifact_path(run: Path, name: str) -> Path:
    """The file of a listed artifact. Never one outside the run directory, whatever the list or a link says."""
    listed = next((artifact for artifact in artifacts(run) if artifact.name == name), None)
    if listed is None:
        raise UserError(f"The run {run.name} has no artifact {name!r}.")
    root = run.resolve()
    try:
        path = (root / listed.path).resolve()
    except (OSError, ValueError) as error:
        raise UserError(f"The artifact {name!r} of the run {run.name} has a path that cannot be used.") from error
    if not path.is_relative_to(root) or path == root:
        raise UserError(f"The artifact {name!r} of the run {run.name} points outside the run; it is not opened.")
    if not path.exists():
        raise UserError(f"The file of the artifact {name!r} of the run {run.name} is gone.")
    return path

"""Looking at runs: everything one may read of a run, for whoever may see it.

A *visitor* is an opaque owner id. One sees a run that is one's own or shared. :data:`CLI`, the person at the
terminal, who can read the files anyway, sees all. A run that one may not see is answered exactly like one that
does not exist.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from workbench import asking, reading
from workbench.contract import Artifact, Json, UserError
from workbench.files import Damaged, load_json, read_json, read_lines
from workbench.jobs import Jobs
from workbench.runs import Run, load_run, run_path, runs_folder
from workbench.settings import Settings
from workbench.store import Index

CLI = "cli"
"""The visitor of the command line."""


class Views:
    """The reading half of :class:`workbench.service.Service`. Nothing here writes to the index."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        runs_folder(settings.home)
        self.index = Index(settings.home)
        self.jobs = Jobs(settings, self.index)
        self._curves = reading.CurveReader()

    def runs(self, visitor: str, *, task: str = "", status: str = "", text: str = "", limit: int = 50,
             offset: int = 0) -> tuple[list[Run], int]:
        """A page of the runs this visitor may see, newest first, and how many there are in all.

        ``status`` is a state, ``active`` (queued, running, paused) or ``ended``; ``task`` is a task or its method."""
        self.jobs.reap()
        ids, count = self.index.find(visitor, everything=visitor == CLI, task=task, status=status, text=text,
                                     limit=max(1, min(limit, 500)), offset=max(0, offset))
        found = [self._load(run_id) for run_id in ids]
        return [run for run in found if run is not None and _sees(visitor, run)], count

    def run(self, visitor: str, run_id: str) -> Run:
        """One run. Raises ``UserError`` when there is none that this visitor may see."""
        self.jobs.reap()
        run = self._load(run_id)
        if run is None or not _sees(visitor, run):
            raise UserError(f"There is no run {run_id!r}.")
        return run

    def wait(self, visitor: str, run_id: str, seconds: float | None = None) -> Run:
        """Wait until a run has ended or paused (or the seconds are over) and return it."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while (run := self.run(visitor, run_id)).active and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.1)
        return run

    def request(self, visitor: str, run_id: str) -> dict[str, Json]:
        """``request.json``: task, fields, parents, processes."""
        return _table(self.run(visitor, run_id).path / "request.json")

    def result(self, visitor: str, run_id: str) -> dict[str, Json] | None:
        """``result.json``; ``None`` while there is none."""
        value = read_json(self.run(visitor, run_id).path / "result.json", None)
        return value if isinstance(value, dict) or value is None else {"value": value}

    def live(self, visitor: str, run_id: str) -> Json | None:
        """``live.json``: what is happening this second; ``None`` when the task says nothing of the kind."""
        return read_json(self.run(visitor, run_id).path / "live.json", None)

    def inputs(self, visitor: str, run_id: str) -> dict[str, Json]:
        """``inputs.json``: by reference, the path, sizes and sha256 of what the run read."""
        return _table(self.run(visitor, run_id).path / "inputs.json")

    def environment(self, visitor: str, run_id: str) -> dict[str, Json]:
        """``environment.json``: code, python, platform, device and package versions; empty before the start."""
        return _table(self.run(visitor, run_id).path / "environment.json")

    def metrics(self, visitor: str, run_id: str) -> dict[str, list[tuple[int, float]]]:
        """Curves by name, at most about 2000 points each; not-a-number values are nan."""
        return self._curves.read(self.run(visitor, run_id).path / "metrics.jsonl")

    def log_tail(self, visitor: str, run_id: str, lines: int = 200) -> str:
        """The last lines of the log."""
        return reading.log_tail(self.run(visitor, run_id).path / "log.txt", lines)

    def artifacts(self, visitor: str, run_id: str) -> list[Artifact]:
        """The products of a run."""
        return reading.artifacts(self.run(visitor, run_id).path)

    def artifact_path(self, visitor: str, run_id: str, name: str) -> Path:
        """The file of an artifact, by its listed name; never one outside the run directory."""
        return reading.artifact_path(self.run(visitor, run_id).path, name)

    def read_artifact(self, visitor: str, run_id: str, name: str) -> Json | None:
        """The value of a JSON artifact; ``None`` while there is none of this name."""
        run = self.run(visitor, run_id)
        if all(artifact.name != name for artifact in reading.artifacts(run.path)):
            return None
        try:
            return load_json(reading.artifact_path(run.path, name))
        except (Damaged, OSError) as error:
            raise UserError(f"The artifact {name!r} of the run {run_id} cannot be read: {error}.") from error

    def as_command(self, visitor: str, run_id: str) -> str:
        """The shell command that runs the same request."""
        run = self.run(visitor, run_id)
        return asking.as_command(run.task, run.fields, run.processes)

    def as_python(self, visitor: str, run_id: str) -> str:
        """The Python lines that run the same request."""
        run = self.run(visitor, run_id)
        return asking.as_python(run.task, run.fields, run.processes)

    def commands(self, visitor: str, run_id: str) -> list[dict[str, Json]]:
        """Every command given to a run so far, oldest first."""
        return read_lines(self.run(visitor, run_id).path / "commands.jsonl")

    def _load(self, run_id: str) -> Run | None:
        path = run_path(self.settings.home, run_id)
        if path is None:
            return None
        run = load_run(path)
        if run.owner:
            return run
        known = self.index.owner(run_id)  # the state was damaged by hand, or the directory is gone
        if known is None:
            return run if path.is_dir() else None
        return replace(run, owner=known[0], shared=known[1])


def _sees(visitor: str, run: Run) -> bool:
    return visitor == CLI or run.shared or (bool(run.owner) and run.owner == visitor)


def _table(path: Path) -> dict[str, Json]:
    value = read_json(path, {})
    return value if isinstance(value, dict) else {}

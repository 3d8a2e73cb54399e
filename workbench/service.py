"""The one door of page and command line to runs: every method checks who may do what.

A *visitor* is an opaque owner id. One sees a run that is one's own or shared; only its owner commands, cancels,
resumes, shares or deletes it. :data:`CLI`, the person at the terminal, who can read the files anyway, may do
everything. A run that one may not see is answered exactly like one that does not exist.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench import asking, machine, registry, streams, turns
from workbench.contract import Json, UserError
from workbench.files import append_line, dumps, locked
from workbench.jobs import GRACE_SECONDS
from workbench.runs import Run, create_run
from workbench.settings import Settings
from workbench.states import move
from workbench.views import CLI, Views

__all__ = ["CLI", "MAX_ACTIVE", "Service"]

MAX_ACTIVE = 64
"""Most queued and running runs of one visitor: each is a process (our default)."""
COMMAND_BYTES = 200_000
OLD_SECONDS = 3600.0


class Service(Views):
    """Runs, streams and models of one home. Safe to use from many threads; several may serve one home."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.index.sync()
        _tidy(settings.home)
        self.jobs.reap()

    # -- asking for something ---------------------------------------------------------------------------------

    def submit(self, task: str, fields: Mapping[str, Json], *, visitor: str, title: str = "",
               parents: Sequence[str] = (), shared: bool = False, processes: int = 1) -> str:
        """Check a request, make its run and start it; the run id. Runs that the request names (``run:id``) must be
        readable for the visitor; they become parents too.

        Raises ``UserError`` for a bad request or a full disk; no run is left then."""
        plain = asking.checked(task, fields)
        if not isinstance(processes, int) or not 1 <= processes <= 64:
            raise UserError(f"processes is {processes!r}; it must lie between 1 and 64.")
        want = turns.wanted(registry.task(task).needs.of(plain), self.settings, processes)
        if want is not None and want.kind == "gpu" and processes > want.count:
            raise UserError(f"processes is {processes}; this machine has {want.count} accelerators for them.")
        parents = tuple(dict.fromkeys([*parents, *asking.runs_named(plain)]))
        for parent in parents:
            self.run(visitor, parent)
        if visitor != CLI and len(self.index.active(visitor)) >= MAX_ACTIVE:
            raise UserError(f"{MAX_ACTIVE} of your runs are queued or running already; that is the most.",
                            advice="Wait for some to end, or cancel some.")
        run = create_run(self.settings.home, task, plain, owner=visitor, shared=shared,
                         title=title or registry.task(task).title, parents=parents, processes=processes)
        with contextlib.suppress(UserError):  # the files are the truth; the index follows at the next start
            self.index.refresh(run.path)
        self.jobs.submit(run)
        return run.id

    def stream(self, task: str, fields: Mapping[str, Json], *, visitor: str) -> Iterator[Json]:
        """Yield the events of a ``stream`` task, or the one result of a ``call``. Closing it ends the child.

        The request is checked before the first event is asked for."""
        if registry.task(task).kind == "job":
            raise UserError(f"{task} is a job: submit it, then look at its run.")
        plain = asking.checked(task, fields)
        for named in asking.runs_named(plain):
            self.run(visitor, named)
        return streams.stream(self.settings, task, plain)

    def again(self, visitor: str, run_id: str, **changed_fields: Json) -> str:
        """Run the same request again, some fields changed, as a new run of this visitor; its id."""
        run = self.run(visitor, run_id)
        return self.submit(run.task, {**run.fields, **changed_fields}, visitor=visitor, parents=(run_id,),
                           title=run.title, shared=visitor == CLI, processes=run.processes)

    # -- changing ---------------------------------------------------------------------------------------------

    def command(self, visitor: str, run_id: str, command: Mapping[str, Json]) -> None:
        """Give a run a command; it is on disk when this returns. ``at`` (seconds since 1970) is added."""
        run = self._own(visitor, run_id)
        value = {**command, "at": time.time()}
        if len(dumps(value)) > COMMAND_BYTES:
            raise UserError(f"The command is longer than {COMMAND_BYTES} characters.", advice="Shorten its text.")
        with locked(run.path / ".lock"):
            append_line(run.path / "commands.jsonl", value, durable=True)

    def cancel(self, visitor: str, run_id: str, grace: float = GRACE_SECONDS, *, wait: bool = False) -> None:
        """Ask a run to end (see :meth:`workbench.jobs.Jobs.cancel`); returns at once unless ``wait``."""
        self.jobs.cancel(self._own(visitor, run_id).id, grace, wait=wait)

    def resume(self, visitor: str, run_id: str) -> None:
        """Let a paused, failed, cancelled or lost run go on in its own directory."""
        self.jobs.resume(self._own(visitor, run_id).id)

    def share(self, visitor: str, run_id: str, shared: bool) -> None:
        """Show a run to everybody, or to its owner alone again."""
        run = self._own(visitor, run_id)
        base = {"owner": run.owner, "title": run.title, "created": run.created, "status": run.status}
        move(self.index, run.path, {"shared": bool(shared)}, base=base)

    def delete(self, visitor: str, run_id: str) -> None:
        """Delete a run and all its files for good. Refused while it is queued or running."""
        run = self._own(visitor, run_id)
        if run.active:
            raise UserError(f"The run {run_id} is {run.status}; it cannot be deleted now.", advice="Cancel it first.")
        doomed = run.path.with_name(f".deleted-{run_id}")
        with contextlib.suppress(FileNotFoundError):
            run.path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        self.index.refresh(run.path)

    # -- the machine ------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Json]:
        """The status strip: counts of runs, resident models, memory, device, threads, notices. Cheap to ask.

        ``memory_mb`` is what the whole machine uses; ``threads`` is 0 where each model process measures its own."""
        self.jobs.reap()
        from workbench import sessions  # not at the top: the command line seldom needs it

        counts = self.index.counts()
        used, total = machine.memory_mb()
        models = [{"reference": m.reference, "pid": m.pid, "rss_mb": m.rss_mb, "busy": m.busy, "idle_s": m.idle_s}
                  for m in sessions.processes(self.settings)]
        return {"queued": counts.get("queued", 0), "running": counts.get("running", 0),
                "paused": counts.get("paused", 0), "models": models, "memory_mb": used, "memory_total_mb": total,
                "device": machine.device_name(self.settings), "threads": self.settings.threads,
                "offline": self.settings.offline, "notices": self.index.notices()}

    def unload(self, reference: str) -> None:
        """End the resident process of a model and give its memory back."""
        from workbench import sessions

        sessions.unload(self.settings, reference)

    # -- inside -----------------------------------------------------------------------------------------------

    def _own(self, visitor: str, run_id: str) -> Run:
        run = self.run(visitor, run_id)
        if visitor not in (CLI, run.owner):
            raise UserError(f"There is no run {run_id!r}.")
        return run


def _tidy(home: Path) -> None:
    """Remove what a crash left half-made or half-deleted, once it is old enough to be nobody's work any more."""
    for folder, pattern in ((home / "runs", ".new-*"), (home / "runs", ".deleted-*"), (home / "tmp", "call-*")):
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > OLD_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

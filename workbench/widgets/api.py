"""The few public endpoints of the page: the same verbs as the command line, for ``gradio_client`` and scripts."""

from __future__ import annotations

from typing import Any, Protocol

import gradio as gr

from workbench import registry
from workbench.contract import Json
from workbench.fields import to_json
from workbench.service import Service


class Host(Protocol):
    """The part of the shell that endpoints need."""

    @property
    def service(self) -> Service: ...

    def visitor(self, request: gr.Request) -> str: ...

    def guard(self, handler: Any) -> Any: ...


NAMES = ("cancel", "result", "run", "runs", "start", "tasks")


def offer(shell: Host) -> None:
    """Register ``/tasks``, ``/start``, ``/run``, ``/runs``, ``/result`` and ``/cancel``; each checks rights by visitor.

    A caller is the visitor of its cookie: keep the ``wb_visitor`` cookie between calls to see your own runs again.
    """
    def tasks() -> list[dict[str, Json]]:
        return [{"name": t.name, "title": t.title, "kind": t.kind, "example": to_json(t.example)}
                for t in registry.tasks().values()]

    def start(task: str, fields: dict[str, Json], request: gr.Request) -> str:
        return shell.service.submit(task, fields, visitor=shell.visitor(request))

    def run(run_id: str, request: gr.Request) -> dict[str, Json]:
        found = shell.service.run(shell.visitor(request), run_id)
        return {"id": found.id, "task": found.task, "status": found.status, "step": found.step, "total": found.total,
                "message": found.message, "failure": dict(found.failure) if found.failure else None}

    def runs(limit: float, offset: float, request: gr.Request) -> list[dict[str, Json]]:
        page, _ = shell.service.runs(shell.visitor(request), limit=max(1, min(int(limit), 50)),
                                     offset=max(0, int(offset)))
        return [{"id": r.id, "task": r.task, "status": r.status, "title": r.title} for r in page]

    def result(run_id: str, request: gr.Request) -> dict[str, Json] | None:
        return shell.service.result(shell.visitor(request), run_id)

    def cancel(run_id: str, request: gr.Request) -> str:
        shell.service.cancel(shell.visitor(request), run_id)
        return run_id
    for name, function in (("tasks", tasks), ("start", start), ("run", run), ("runs", runs), ("result", result),
                           ("cancel", cancel)):
        gr.api(shell.guard(function), api_name=name, queue=False)

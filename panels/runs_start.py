"""The form that starts any task, empty with its example or filled in from a run ("run again / change")."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import gradio as gr

from workbench import forms, hub, registry
from workbench.contract import Json, Task
from workbench.fields import to_json
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import gloss
from workbench.widgets.markup import esc

UPDATES_A_SECOND, SHOWN = 8, 20_000


def plan(task: Task, lang: str, fields: Mapping[str, Json] | None = None, parent: str = "") -> str:
    """What the form is to show, as the text that the browser keeps."""
    return json.dumps({"task": task.name, "lang": lang, "parent": parent,
                       "fields": to_json(task.example) if fields is None else fields}, ensure_ascii=False)


def example() -> Task | None:
    """The task of the empty state: the first job of a method that has one, else any job."""
    jobs = [task for task in registry.tasks().values() if task.kind == "job"]
    return next((task for task in jobs if not task.name.startswith("common.")), jobs[0] if jobs else None)


def choices(lang: str) -> list[tuple[str, str]]:
    """Every task for a list of choices."""
    return [(f"{gloss(lang, task.title)} · {task.name}", task.name)
            for task in registry.tasks().values()]


def models() -> list[tuple[str, str]]:
    """The models that a field may name without typing a reference."""
    return [(f"{card.title} · {card.reference}", card.reference) for card in hub.catalogue()]


def again(shell: Shell, visitor: str, run_id: str, lang: str) -> str:
    """The plan of a run's own request. Raises ``UserError`` when its task is no longer there."""
    run = shell.service.run(visitor, run_id)
    return plan(registry.task(run.task), lang, dict(run.fields), run.id)


def build(shell: Shell, asked: gr.Textbox, run: gr.Textbox, views: list[Any]) -> None:
    """Lay out the form for the plan in ``asked``; a start puts the new run's id into ``run``.

    ``views`` are the run's column and the form's column: a start shows the first and hides the second. An empty
    plan is no form.
    """
    @gr.render(inputs=[asked], triggers=[asked.change],  # type: ignore[untyped-decorator]
               show_progress="hidden", queue=False)
    def form(text: str) -> None:
        if not text:
            return
        wanted = json.loads(text)
        task = registry.task(str(wanted["task"]))
        lang = str(wanted["lang"])
        say, words = partial(shell.t, lang), partial(gloss, lang)
        about = (task.request.__doc__ or "").strip().split("\n")[0].replace("`", "")
        gr.HTML(f"<p class='wb-dim'>{esc(words(about))}</p>", apply_default_css=False)
        made = forms.build(task.request, say, wanted["fields"], models(), words)
        with gr.Row(elem_classes="wb-acts"):
            go = gr.Button(say("runs.start.go"), variant="primary", scale=0, elem_id="wb-go")
            stop = gr.Button(say("runs.do.cancel"), scale=0, visible=False)
        if task.kind == "job":
            go.click(shell.guard(_start(shell, made, wanted)), made.inputs(), [run, *views, asked], **QUEUED)
        else:
            _stream(shell, made, task, (go, stop))


def _start(shell: Shell, made: forms.Form, wanted: Mapping[str, Json]) -> Any:
    def start(*values: Any) -> tuple[Any, ...]:
        *given, request = values
        lang, visitor = shell.lang(request), shell.visitor(request)
        parents = (str(wanted["parent"]),) if wanted.get("parent") else ()
        new = shell.service.submit(str(wanted["task"]), made.fields(given), visitor=visitor, parents=parents)
        gr.Info(shell.t(lang, "runs.started"), duration=3)
        return new, gr.Column(visible=True), gr.Column(visible=False), ""
    return with_request(start, len(made.components))


def with_request(handler: Any, count: int) -> Any:
    """``handler`` (or generator) as one of ``count`` values and the request, which Gradio finds by its annotation."""
    def plain(*values: Any) -> Any:
        return handler(*values)

    def stream(*values: Any) -> Iterator[Any]:
        yield from handler(*values)
    called: Any = stream if inspect.isgeneratorfunction(handler) else plain
    names = [inspect.Parameter(f"value_{i}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for i in range(count)]
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    called.__signature__ = inspect.Signature([*names, request])
    called.__annotations__ = {"request": gr.Request}
    return called


def _stream(shell: Shell, made: forms.Form, task: Task, buttons: tuple[gr.Button, gr.Button]) -> None:
    """Run a ``call`` or ``stream`` task in view: what it yields appears below the form as it comes."""
    go, stop = buttons
    out = gr.Textbox(label=shell.t("en", "runs.result"), lines=6, max_lines=24, interactive=False)

    def follow(*values: Any) -> Iterator[Any]:
        *given, request = values
        events = shell.service.stream(task.name, made.fields(given), visitor=shell.visitor(request))
        yield "", gr.Button(visible=True)
        said, sent = "", 0.0
        for event in events:
            said = (said + told(event))[-SHOWN:]
            if time.monotonic() - sent >= 1 / UPDATES_A_SECOND:
                sent = time.monotonic()
                yield said, gr.skip()
        yield said, gr.Button(visible=False)
    event = go.click(shell.guard(with_request(follow, len(made.components))), made.inputs(), [out, stop], **QUEUED)
    stop.click(lambda: gr.Button(visible=False), None, [stop], cancels=[event], **QUICK)


def told(event: Json) -> str:
    """An event of a stream as text: its delta, else the whole as JSON."""
    if isinstance(event, Mapping) and isinstance(event.get("delta"), str):
        return str(event["delta"])
    return "\n" + json.dumps(event, ensure_ascii=False, indent=1)

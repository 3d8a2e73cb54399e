"""The Runs tab: every run that the visitor may see, one of them in full, and the form that starts any task.

The list is made and paged by the server; one timer looks for news of the list, one of the chosen run. What each timer
sent last is kept as a short key in the browser, so a tick that finds nothing new sends nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from panels import runs_start, runs_view
from workbench import registry
from workbench.contract import UserError
from workbench.fields import to_json
from workbench.panel import QUEUED, QUICK, Panel, Shell
from workbench.widgets import runlist
from workbench.widgets.markup import esc

STATES = ("queued", "running", "paused", "succeeded", "failed", "cancelled", "lost")


@dataclass(frozen=True)
class Page:
    """The components of the tab that more than one handler touches."""

    run: gr.Textbox
    offset: gr.Textbox
    filters: tuple[gr.Textbox, gr.Dropdown, gr.Dropdown]
    listed: gr.HTML
    listed_key: gr.Textbox
    example: gr.Button
    parts: tuple[gr.HTML, ...]
    parts_key: gr.Textbox
    asked: gr.Textbox
    task: gr.Dropdown
    view: gr.Column
    form: gr.Column

    @property
    def list_inputs(self) -> list[Any]:
        """What the list depends on."""
        return [*self.filters, self.offset, self.run, self.listed_key]

    @property
    def list_outputs(self) -> list[Any]:
        """What a new list changes."""
        return [self.listed, self.example, self.listed_key]

    @property
    def run_outputs(self) -> list[Any]:
        """What news of the chosen run change."""
        return [*self.parts, self.parts_key]


def build(shell: Shell) -> None:
    """Lay out the tab and connect it."""
    page = _lay_out(shell)
    _wire_list(shell, page)
    _wire_run(shell, page)
    _wire_form(shell, page)


def _lay_out(shell: Shell) -> Page:
    run, offset, listed_key, parts_key, asked = (shell.note() for _ in range(5))
    everything = (shell.label("runs.filter.all"), "")
    with gr.Row(elem_classes="wb-split"):
        with gr.Column(elem_classes="wb-side", scale=0, min_width=0):
            with gr.Row(elem_classes="wb-filters"):
                text = gr.Textbox(show_label=False, placeholder=shell.label("runs.filter.text.hint"), container=False,
                                  min_width=0, elem_id="wb-runs-text", max_length=200)
                status = gr.Dropdown([everything, *((shell.label(f"status.{s}"), s) for s in STATES)], value="",
                                     label=shell.label("runs.filter.status"), container=False, min_width=0)
                task = gr.Dropdown([everything, *((name, name) for name in sorted(registry.tasks()))], value="",
                                   label=shell.label("runs.filter.task"), container=False, min_width=0)
            listed = gr.HTML(js_on_load=runlist.ON_LOAD, apply_default_css=False, elem_id="wb-runs-list")
            example = shell.example_button("runs.example")
            new = gr.Button(shell.label("runs.start"), size="md", elem_id="wb-new")
        with gr.Column(elem_classes="wb-main", min_width=0) as view:
            parts = tuple(gr.HTML(apply_default_css=False, elem_id=f"wb-run-{name}",
                                  js_on_load=runs_view.ON_LOAD if name == "head" else None)
                          for name in runs_view.PARTS)
        with gr.Column(elem_classes="wb-main", min_width=0, visible=False) as form:
            gr.HTML(f"<h2>{shell.label('runs.start')}</h2><p class='wb-dim'>{shell.label('runs.start.help')}</p>",
                    apply_default_css=False)
            chosen = gr.Dropdown([(name, name) for name in registry.tasks()], label=shell.label("runs.start.task"),
                                 value=None, elem_id="wb-start-task")
            runs_start.build(shell, asked, run, [view, form])
            back = gr.Button(shell.label("runs.start.back"), size="sm", scale=0, elem_classes="wb-quiet")
    page = Page(run, offset, (text, task, status), listed, listed_key, example, parts, parts_key, asked, chosen, view,
                form)
    new.click(shell.guard(_open_form(shell)), None, [asked, chosen, view, form], **QUICK)
    back.click(_show_run, None, [view, form, asked], **QUICK)
    return page


def _show_run() -> tuple[gr.Column, gr.Column, str]:
    """The columns, and no form: an old one must not be there to be pressed while the next one is made."""
    return gr.Column(visible=True), gr.Column(visible=False), ""


def _show_form() -> tuple[gr.Column, gr.Column]:
    return gr.Column(visible=False), gr.Column(visible=True)


# -- the list -------------------------------------------------------------------------------------------------------

def _wire_list(shell: Shell, page: Page) -> None:
    def look(text: str, task: str, status: str, offset: str, chosen: str, before: str, request: gr.Request) -> Any:
        lang, start = shell.lang(request), int(offset) if offset.isdigit() else 0
        runs, count = shell.service.runs(shell.visitor(request), task=task or "", status=status or "",
                                         text=text.strip(), limit=runlist.PAGE, offset=start)
        filtered = bool(text.strip() or task or status)
        shown = (runlist.run_list(runs, count, start, chosen, lang) if runs
                 else runs_view.no_runs(shell, lang, filtered))
        if (key := digest(shown)) == before:
            return gr.skip(), gr.skip(), gr.skip()
        empty = not runs and not filtered and runs_start.example() is not None
        return shown, gr.Button(visible=empty), key

    def press(offset: str, event: gr.EventData) -> tuple[Any, ...]:
        if (run := event._data.get("run")) is not None:
            return (str(run), offset, *_show_run())
        return gr.skip(), str(int(event._data.get("page") or 0)), gr.skip(), gr.skip(), gr.skip()

    looked = shell.guard(look)
    shell.on_poll(look, page.list_inputs, page.list_outputs, every=2.0)
    page.listed.select(shell.guard(press), [page.offset],
                       [page.run, page.offset, page.view, page.form, page.asked], **QUICK)
    for part in page.filters:
        part.change(lambda: "", None, [page.offset], **QUICK)
    for source in (*page.filters, page.offset, page.run):
        source.change(looked, page.list_inputs, page.list_outputs, trigger_mode="always_last", **QUICK)

    def start_example(request: gr.Request) -> str:
        task = runs_start.example()
        if task is None:
            raise UserError("There is no task to start an example of.", advice="Run python3 launch.py doctor.")
        return shell.service.submit(task.name, to_json(task.example), visitor=shell.visitor(request))
    page.example.click(shell.guard(start_example), None, [page.run], **QUICK)


def digest(shown: str) -> str:
    """A short name for what was sent; the same content has the same name in every process."""
    return hashlib.blake2b(shown.encode(), digest_size=8).hexdigest()


# -- the chosen run -------------------------------------------------------------------------------------------------

def _wire_run(shell: Shell, page: Page) -> None:
    def look(run_id: str, before: str, request: gr.Request) -> list[Any]:
        return news(shell, run_id, before, request)

    def act(run_id: str, event: gr.EventData, request: gr.Request) -> list[Any]:
        gone = do(shell, run_id, str(event._data.get("act", "")), str(event._data.get("typed", "")), request)
        now = "" if gone else run_id
        return [now, *news(shell, now, "", request)]

    def opened(run_id: str, chosen: str, request: gr.Request) -> list[Any]:
        now = run_id or chosen
        return [now, *_show_run(), *news(shell, now, "", request)]

    shell.on_poll(look, [page.run, page.parts_key], page.run_outputs, every=1.0)
    page.run.change(shell.guard(look), [page.run, page.parts_key], page.run_outputs, **QUICK)
    page.parts[0].select(shell.guard(act), [page.run], [page.run, *page.run_outputs], **QUEUED)
    shell.keep_run("runs", page.run)
    shell.on_open("runs", opened, [page.run], [page.run, page.view, page.form, page.asked, *page.run_outputs])


def news(shell: Shell, run_id: str, before: str, request: gr.Request) -> list[Any]:
    """The parts of the chosen run that changed since ``before`` (keys as JSON), and the keys as they are now."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    try:
        old: dict[str, str] = json.loads(before) if before else {}
    except ValueError:
        old = {}
    try:
        run = shell.service.run(visitor, run_id) if run_id else None
        now = runs_view.keys(run, lang) if run else dict.fromkeys(runs_view.PARTS, f"none {lang}")
        if now == old:
            return [gr.skip()] * (len(runs_view.PARTS) + 1)
        make = runs_view.parts(shell, visitor, run, lang) if run else {}
        plain = {} if run else runs_view.nothing(shell, lang)
        sent = [gr.skip() if old.get(name) == now[name] else make[name]() if run else plain[name]
                for name in runs_view.PARTS]
    except UserError as error:
        now = dict.fromkeys(runs_view.PARTS, f"gone {run_id} {lang}")
        if now == old:
            return [gr.skip()] * (len(runs_view.PARTS) + 1)
        sent = list(runs_view.gone(error).values())
    return [*sent, json.dumps(now)]


def do(shell: Shell, run_id: str, what: str, typed: str, request: gr.Request) -> bool:
    """Carry out a pressed action; whether the run is gone now. The service checks who may."""
    lang, visitor, service = shell.lang(request), shell.visitor(request), shell.service
    if what == "delete":
        if typed.strip().lower() != run_id[-runs_view.TAIL:]:
            raise UserError(shell.t(lang, "runs.delete.wrong"))
        service.delete(visitor, run_id)
        gr.Info(shell.t(lang, "runs.deleted", id=esc(run_id)), duration=4)
        return True
    if what == "cancel":
        service.cancel(visitor, run_id)
    elif what == "resume":
        service.resume(visitor, run_id)
    elif what in ("share", "unshare"):
        service.share(visitor, run_id, what == "share")
    else:
        raise UserError(f"There is no action {what!r}.")
    said = {"cancel": "runs.cancelling", "resume": "runs.resumed", "share": "runs.share.on",
            "unshare": "runs.share.off"}
    gr.Info(shell.t(lang, said[what]), duration=4)
    return False


# -- the form -------------------------------------------------------------------------------------------------------

def _open_form(shell: Shell) -> Any:
    def show(request: gr.Request) -> list[Any]:
        task, lang = runs_start.example(), shell.lang(request)
        if task is None:
            raise UserError("There is no task here.", advice="Run python3 launch.py doctor to see what failed to load.")
        chosen = gr.Dropdown(choices=runs_start.choices(lang), value=task.name)
        return [runs_start.plan(task, lang), chosen, *_show_form()]
    return show


def _wire_form(shell: Shell, page: Page) -> None:
    def choose(name: str, request: gr.Request) -> str:
        return runs_start.plan(registry.task(name), shell.lang(request))

    def again(run_id: str, request: gr.Request) -> list[Any]:
        lang = shell.lang(request)
        text = runs_start.again(shell, shell.visitor(request), run_id, lang)
        chosen = gr.Dropdown(choices=runs_start.choices(lang), value=json.loads(text)["task"])
        return [text, run_id, chosen, *_show_form()]
    page.task.input(shell.guard(choose), [page.task], [page.asked], **QUICK)
    shell.on_open("runs", again, None, [page.asked, page.run, page.task, page.view, page.form], verb="again")


PANEL = Panel("runs", "runs.title", 90, build)

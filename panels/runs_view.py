"""What the Runs tab shows of one run, in five parts that change at their own pace.

Each part has a key made from file times and states, not from its content: a poll that finds the same keys has read
nothing but a few file dates and sends nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from workbench import registry
from workbench.contract import Artifact, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import actions, curves, facts
from workbench.widgets.badge import run_badge
from workbench.widgets.empty import empty
from workbench.widgets.markup import element, esc, moment, open_link, pairs, size
from workbench.widgets.progress import failure_card, progress
from workbench.widgets.runlist import status_mark

PARTS = ("head", "progress", "curves", "log", "facts")
LOG_LINES, LOG_CHARACTERS, CAP = 200, 20_000, 48_000
TAIL = 6
"""Characters of the run id that must be typed to delete it."""
ON_LOAD = """element.addEventListener('click', (e) => {
  const pressed = e.target.closest('[data-act]'), typed = element.querySelector('[data-typed]');
  if (pressed) trigger('select', {act: pressed.dataset.act, typed: typed ? typed.value : ''});
});"""


def keys(run: Run, lang: str) -> dict[str, str]:
    """A key for each part; equal keys mean that the part would look the same."""
    second = int(run.seconds) if run.active else 0
    state = f"{run.id} {run.status} {run.shared} {run.attempt} {lang}"
    return {"head": state, "progress": f"{state} {_dates(run.path, 'state.json')} {second}",
            "curves": f"{state} {_dates(run.path, 'metrics.jsonl')}", "log": f"{run.id} {_dates(run.path, 'log.txt')}",
            "facts": state + _dates(run.path, "result.json", "inputs.json", "environment.json", "artifacts.jsonl")}


def _dates(folder: Path, *names: str) -> str:
    said = []
    for name in names:
        try:
            info = (folder / name).stat()
            said.append(f"{info.st_mtime_ns:x}.{info.st_size}")
        except OSError:
            said.append("-")
    return " ".join(said)


def parts(shell: Shell, visitor: str, run: Run, lang: str) -> dict[str, Callable[[], str]]:
    """How to make each part, so that only those that changed are made."""
    return {"head": lambda: head(shell, visitor, run, lang),
            "progress": lambda: progress(run, lang) + failure_card(run.failure, lang),
            "curves": lambda: curve_part(shell, visitor, run, lang), "log": lambda: log_part(shell, visitor, run, lang),
            "facts": lambda: fact_part(shell, visitor, run, lang)}


def nothing(shell: Shell, lang: str) -> dict[str, str]:
    """The parts while no run is chosen."""
    said = element("p", esc(shell.t(lang, "runs.pick")), class_="wb-pick")
    return {name: said if name == "head" else "" for name in PARTS}


def gone(error: UserError) -> dict[str, str]:
    """The parts of a run that is not there, or not for this visitor."""
    return {name: element("p", esc(error), class_="wb-pick") if name == "head" else "" for name in PARTS}


def head(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """Title, status, where it comes from, and every action that this visitor may take."""
    badge = run_badge(actions.as_list(shell.service.inputs(visitor, run.id)),
                      shell.service.result(visitor, run.id), lang)
    title = f"<h2>{esc(gloss(lang, run.title) or run.task or run.id)}</h2>{status_mark(run.status, lang)}"
    own = "".join(_own_actions(shell, run, lang)) if run.owner == visitor else ""
    panel = shell.panel_for(run.task)
    there = ""
    if panel is not None:
        name = shell.t(lang, panel.title_key)
        there = element("a", esc(shell.t(lang, "runs.open", tab=name)), class_="wb-small wb-primary",
                        href=f"?tab={panel.id}&run={run.id}", data_wb_tab=panel.id, data_wb_run=run.id)
    again = element("a", esc(shell.t(lang, "runs.do.again")), class_="wb-small", data_wb_do="again", data_wb_tab="runs",
                    href=f"?tab=runs&run={run.id}&do=again", data_wb_run=run.id)
    copies = "".join(actions.copies(shell.service, visitor, run.id, lang)) if run.task else ""
    return (f'<header class="wb-head"><div class="wb-title">{title}</div>'
            f'<div class="wb-bar"><code>{esc(run.id)}</code>{badge}{copies}</div>'
            f'<div class="wb-acts">{there}{again}{own}</div></header>')


def _own_actions(shell: Shell, run: Run, lang: str) -> list[str]:
    def button(act: str, key: str, tone: str = "") -> str:
        return element("button", esc(shell.t(lang, key)), type="button", class_=f"wb-small {tone}", data_act=act)
    made = []
    if run.active or run.status == "paused":
        made.append(button("cancel", "runs.do.cancel"))
    if run.status in ("paused", "failed", "cancelled", "lost") and run.task:
        made.append(button("resume", "runs.do.resume"))
    made.append(button("unshare", "runs.do.unshare") if run.shared else button("share", "runs.do.share"))
    if not run.active:
        label = shell.t(lang, "runs.delete.ask", tail=run.id[-TAIL:])
        made.append(element("button", esc(shell.t(lang, "runs.do.delete")), type="button", class_="wb-small wb-danger",
                            popovertarget="wb-delete"))
        made.append(f'<div popover id="wb-delete" class="wb-menu wb-ask"><label>{esc(label)}<input data-typed '
                    f'autocomplete="off" spellcheck="false" maxlength="{TAIL}"></label><div class="wb-acts">'
                    f'{button("delete", "runs.delete.go", "wb-danger")}<button type="button" class="wb-small" '
                    f'popovertarget="wb-delete" popovertargetaction="hide">{esc(shell.t(lang, "runs.delete.keep"))}'
                    "</button></div></div>")
    return made


def curve_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """Small charts of every metric, with the way to a large interactive one."""
    drawn = curves.curves(shell.service.metrics(visitor, run.id), lang)
    if not drawn:
        return ""
    export = element("a", esc(shell.t(lang, "runs.curves.export")), class_="wb-link", download=True,
                     href=f"/workbench/charts/{run.id}")
    trackers = os.environ.get("WORKBENCH_TRACKERS", "")
    told = f"<span>{esc(shell.t(lang, 'runs.curves.trackers', names=trackers))}</span>" if trackers else ""
    title = esc(shell.t(lang, "runs.curves"))
    return f"<section><h3>{title}</h3>{drawn}<p class='wb-dim wb-bar'>{export}{told}</p></section>"


def log_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """The end of the log, folded only when the reader folds it."""
    said = shell.service.log_tail(visitor, run.id, LOG_LINES)[-LOG_CHARACTERS:]
    inner = f"<pre class='wb-log' tabindex='0' data-wb-tail>{esc(said)}</pre>" if said.strip() else element(
        "p", esc(shell.t(lang, "runs.log.none")), class_="wb-dim")
    return facts.fold("log", shell.t(lang, "runs.log"), inner, opened=True)


def fact_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """Files, result, request, inputs and environment, each folded; never more than one update may carry."""
    service = shell.service
    result = service.result(visitor, run.id)
    sections = [
        ("files", facts.files(run.id, [(item, _bytes(shell, visitor, run.id, item))
                                       for item in service.artifacts(visitor, run.id)], lang), True),
        ("result", facts.table(result) if result else "", True),
        ("request", facts.table(run.fields), False),
        ("about", _about(shell, run, lang), False),
        ("inputs", facts.inputs(actions.as_list(service.inputs(visitor, run.id)), lang), False),
        ("environment", facts.table(service.environment(visitor, run.id)), False)]
    room, made = CAP, []
    for name, inner, opened in sections:
        if not inner:
            continue
        room -= len(inner.encode())
        shown = inner if room > 0 else element("p", esc(shell.t(lang, "runs.too_large")), class_="wb-dim")
        made.append(facts.fold(name, shell.t(lang, f"runs.{name}"), shown, opened))
    return "".join(made)


def _about(shell: Shell, run: Run, lang: str) -> str:
    parents = " ".join(open_link("runs", parent, parent) for parent in run.parents)
    known = registry.tasks().get(run.task)
    return pairs([
        (esc(shell.t(lang, "runs.task")), f"{esc(gloss(lang, known.title) if known else '')} "
                                          f"<code>{esc(run.task)}</code>"),
        (esc(shell.t(lang, "runs.created")), moment(run.created)),
        (esc(shell.t(lang, "runs.size")), esc(size(run.size_bytes))),
        (esc(shell.t(lang, "runs.shared")), esc(shell.t(lang, "runs.shared.yes" if run.shared else "runs.shared.no"))),
        (esc(shell.t(lang, "runs.parents")), parents),
        (esc(shell.t(lang, "runs.processes")), str(run.processes) if run.processes > 1 else ""),
        (esc(shell.t(lang, "runs.attempt")), str(run.attempt) if run.attempt > 1 else "")])


def _bytes(shell: Shell, visitor: str, run_id: str, item: Artifact) -> int:
    try:
        return shell.service.artifact_path(visitor, run_id, item.name).stat().st_size
    except (UserError, OSError):
        return 0


def no_runs(shell: Shell, lang: str, filtered: bool) -> str:
    """What the list says when it has no row."""
    key = "runs.none.match" if filtered else "runs.none"
    return empty(shell.t(lang, key), shell.t(lang, f"{key}.help"))

"""A comparison at work: what it does now, how it ended, which files it left to take away."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from panels.dialogue_watch import changes_of
from panels.translation_desk import COMPARE, MOST
from workbench.contract import TERMINAL, Artifact, Json, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, say
from workbench.widgets import facts, outcome
from workbench.widgets.badge import badge
from workbench.widgets.markup import duration, element, esc, moment

PARTS = ("strip", "head", "files")
CONTROLS = ("stop", "continue")
EMPTY: Mapping[str, Json] = {**dict.fromkeys(PARTS, ""), **dict.fromkeys(CONTROLS, False), "done": ""}
"""Nothing to show, by part."""


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part that has changed; ``done`` is the id once it has succeeded."""
    if not run_id:
        return gr.skip() if sent in ("", "{}") else [*changes_of(EMPTY, sent, "", CONTROLS)[:-1], "{}"]
    visitor, lang = shell.visitor(request), shell.lang(request)
    try:
        run = shell.service.run(visitor, run_id)
    except UserError as error:  # no such run: say so instead of looking again and again
        refused = {**EMPTY, "strip": outcome.refusal(error.message, error.advice)}
        return changes_of(refused, sent, f"{run_id}/{lang}", CONTROLS)
    made = given(shell, visitor, run) if run.status == "succeeded" else []
    return changes_of(looks(run, made, run.owner == visitor, lang), sent, f"{run_id}/{lang}", CONTROLS)


def given(shell: Shell, visitor: str, run: Run) -> list[tuple[Artifact, int]]:
    """What the run made for people to take away, with sizes."""
    found = []
    for item in shell.service.artifacts(visitor, run.id):
        path = shell.service.artifact_path(visitor, run.id, item.name)
        if path.is_file() and (item.kind == "export" or item.name == "comparison.json"):
            found.append((item, path.stat().st_size))
    return found


def looks(run: Run, made: list[tuple[Artifact, int]], mine: bool, lang: str) -> dict[str, Json]:
    """What every part must show now, by name."""
    done = run.status == "succeeded" and run.task == COMPARE
    return {"strip": strip(run, lang), "head": head(run, lang) if done else "", "files": take_away(run, made, lang),
            "stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused"),
            "done": run.id if done else ""}


def strip(run: Run, lang: str) -> str:
    """What the run does now, or why it ended without a result; nothing once all is well."""
    if run.task != COMPARE:
        return outcome.refusal(say(lang, "translation_compare.other", run=run.id, task=run.task), "")
    if run.status == "failed" and run.failure:
        cause, advice = str(run.failure.get("cause", "")), str(run.failure.get("advice", ""))
        return outcome.failure(cause, advice, partial(say, lang))
    if run.status == "succeeded":
        return ""
    words = gloss(lang, run.message) or say(lang, f"translation_compare.is.{run.status}")
    share = run.step / run.total if run.total else None
    bar = "" if share is None else element(
        "div", f'<i style="width:{100 * min(1.0, share):.1f}%"></i>', class_="cf-bar", role="progressbar",
        aria_valuemin=0, aria_valuemax=100, aria_valuenow=round(100 * min(1.0, share)),
        aria_label=say(lang, "translation_compare.progress"))
    phase = element("div", f'<i class="dt-dot"></i>{esc(words)}', class_="dt-phase", role="status")
    took = f"<span><em></em>{esc(duration(run.seconds, lang))}</span>" if run.seconds else ""
    return element("div", phase + element("div", took, class_="dt-figures") + bar,
                   class_=f"dt dt-strip cf-strip dt-is-{run.status}")


def head(run: Run, lang: str) -> str:
    """What was compared and when; the practice sample is ours and says so."""
    title = element("h3", esc(gloss(lang, run.title) or run.task))
    brought = run.fields.get("files") or run.fields.get("systems")
    made = esc(say(lang, "translation_compare.brought")) if brought else badge("synthetic", [], lang)
    return element("div", f"{title}<p>{moment(run.finished)} {made}</p>", class_="cf-head")


def take_away(run: Run, made: list[tuple[Artifact, int]], lang: str) -> str:
    """The files to take away."""
    if not made:
        return ""
    title = element("h4", esc(say(lang, "translation_compare.export")))
    return element("div", title + facts.files(run.id, made, lang), class_="cf-part")


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's comparisons, newest first."""
    found, _ = shell.service.runs(visitor, task=COMPARE, limit=MOST)
    return [(f"{gloss(lang, run.title) or run.task} · {run.id}", run.id) for run in found]

"""A comparison at work: what it does now, how it ended, which files it left to take away."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from panels import run_list, run_watch
from panels import train_parts as parts
from panels.run_watch import Parts
from panels.translation_desk import COMPARE, MOST
from workbench.contract import Artifact, Json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, say
from workbench.widgets import facts, outcome
from workbench.widgets.badge import badge
from workbench.widgets.markup import duration, element, esc, moment

PARTS = ("strip", "head", "files")
CONTROLS = ("stop", "continue")
SHEET = Parts(PARTS, CONTROLS, {"done": ""}, refusal="strip")


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part that has changed; ``done`` is the id once it has succeeded."""
    return run_watch.tick_result(SHEET, shell, run_id, sent, request, given, looks)


def given(shell: Shell, visitor: str, run: Run) -> list[tuple[Artifact, int]]:
    """What the run made for people to take away, with sizes."""
    found = []
    for item in shell.service.artifacts(visitor, run.id):
        path = shell.service.artifact_path(visitor, run.id, item.name)
        if path.is_file() and (item.kind == "export" or item.name == "comparison.json"):
            found.append((item, path.stat().st_size))
    return found


def looks(run: Run, made: list[tuple[Artifact, int]], visitor: str, lang: str) -> dict[str, Json]:
    """What every part must show now, by name."""
    done = run.status == "succeeded" and run.task == COMPARE
    return {"strip": strip(run, lang), "head": head(run, lang) if done else "", "files": take_away(run, made, lang),
            **parts.steering(run, visitor), "done": run.id if done else ""}


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
    return run_list.choices(shell, visitor, lang, (COMPARE,), MOST)

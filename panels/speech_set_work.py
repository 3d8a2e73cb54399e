"""A measurement at work: what it does now, how it ended, which files it left to take away."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from panels import run_list, run_watch
from panels import train_parts as parts
from panels.run_watch import Parts
from panels.speech_desk import MOST, RECOGNISE
from workbench.contract import Artifact, Json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import say
from workbench.widgets import facts, outcome
from workbench.widgets.markup import element, esc

PARTS = ("head", "files")
CONTROLS = ("stop", "continue")
SHEET = Parts(PARTS, CONTROLS, {"done": ""})


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: an update for every part that has changed; ``done`` is the id once it has succeeded."""
    return run_watch.tick_result(SHEET, shell, run_id, sent, request, given, looks)


def given(shell: Shell, visitor: str, run: Run) -> list[tuple[Artifact, int]]:
    """The files of a run to take away, with sizes (a saved probe is a folder and is chosen by name instead)."""
    paths = [(item, shell.service.artifact_path(visitor, run.id, item.name))
             for item in shell.service.artifacts(visitor, run.id)]
    return [(item, path.stat().st_size) for item, path in paths if path.is_file()]


def looks(run: Run, made: list[tuple[Artifact, int]], visitor: str, lang: str) -> dict[str, Json]:
    """What every part must show now, by name."""
    if run.task != RECOGNISE:
        other = outcome.refusal(say(lang, "speech_set.other", run=run.id, task=run.task), "")
        return {**SHEET.empty, "head": other}
    done = run.status == "succeeded"
    return {"head": parts.head(run, lang), "files": take_away(run, made, lang) if done else "",
            **parts.steering(run, visitor), "done": run.id if done else ""}


def take_away(run: Run, made: list[tuple[Artifact, int]], lang: str) -> str:
    """The files to take away, and the name under which the saved probe can be chosen."""
    say_it = partial(say, lang)
    title = element("h4", esc(say_it("speech_set.export")))
    kept = (run.path / "artifacts" / "recogniser" / "config.json").is_file()
    name = element("p", f"{esc(say_it('speech_set.saved'))} <code>run:{run.id}/recogniser</code>",
                   class_="ss-note") if kept else ""
    card = parts.card(run, say_it("speech_set.card"), ("recogniser",)) if kept else ""
    return element("div", title + facts.files(run.id, made, lang) + name + card, class_="cf-part")


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's measurements, newest first."""
    return run_list.choices(shell, visitor, lang, (RECOGNISE,), MOST)

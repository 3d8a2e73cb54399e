"""What is shown of a run that makes a scorer: progress, curves, its figures, its files and its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from panels import corpus_scorers_domains as domains
from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_rounds as rounds
from workbench.contract import TERMINAL, Json
from workbench.files import read_json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, known
from workbench.widgets import curves
from workbench.widgets.corpus_rounds import counted
from workbench.widgets.facts import files, fold, table
from workbench.widgets.loose import listed
from workbench.widgets.loose import table as as_table
from workbench.widgets.markup import copy_button, element, esc, pairs
from workbench.widgets.measured import grid, number
from workbench.widgets.progress import failure_card, progress
from workbench.widgets.runlist import status_mark

PARTS = ("head", "curves", "result")
CONTROLS = ("stop", "continue", "try", "next")
PEOPLE = ("by", "only")
"""Fields that are there for judged texts only."""
GIVEN = ("judgements.jsonl", "queue.jsonl", "changes.jsonl")


def looks(shell: Shell, visitor: str, run: Run, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name: HTML for parts, whether it is shown for a control."""
    result = shell.service.result(visitor, run.id) if run.status == "succeeded" else None
    mine = run.owner == visitor
    head = element("div", f"<h3>{esc(gloss(lang, run.title) or run.task)}</h3>{status_mark(run.status, lang)}",
                   class_="wb-title")
    shown = replace(run, message="", step=run.total) if run.status == "succeeded" else run
    return {"head": head + progress(shown, lang) + failure_card(run.failure, lang),
            "curves": curves.curves(_curves(shell, visitor, run, lang), lang),
            "result": result_part(shell, visitor, run, result, lang) if result else "",
            "stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused"),
            "try": bool(result) and has_scorer(run),
            "next": bool(result) and run.task == kinds.KINDS["domains"].task and mine,
            **dict.fromkeys((*PEOPLE, "answers"), bool(result) and run.task == kinds.KINDS["rounds"].task)}


def has_scorer(run: Run) -> bool:
    """Whether the run left a scorer that can be tried at once."""
    folder = run.path / "artifacts" / "scorer"
    return any((folder / name).is_file() for name in ("scorer.json", "keywords.json"))


def _curves(shell: Shell, visitor: str, run: Run, lang: str) -> dict[str, curves.Points]:
    found = shell.service.metrics(visitor, run.id)
    return {shell.t(lang, f"label.curve.{name}") if known(f"label.curve.{name}") else name: points
            for name, points in found.items()}


def result_part(shell: Shell, visitor: str, run: Run, result: Mapping[str, Json], lang: str) -> str:
    """The figures of a run that has ended, its files, how its scorer is named elsewhere, and its card."""
    say = partial(shell.t, lang)
    if run.task == kinds.KINDS["rounds"].task:
        inner = rounds.figures(run, say)
    elif run.task == kinds.KINDS["domains"].task:
        inner = domains.figures(run, result, say, lang)
    else:
        inner = trained(result, lang, shell)
    reference = f"run:{run.id}/scorer"
    used = element("p", f"{esc(say('label.use'))} <code>{esc(reference)}</code> "
                   + copy_button(reference, say("label.copy")), class_="tr-note")
    made = [(item, shell.service.artifact_path(visitor, run.id, item.name).stat().st_size)
            for item in shell.service.artifacts(visitor, run.id) if item.name in GIVEN]
    return (f'<section class="dt tr-sheet">{inner}{used if has_scorer(run) else ""}'
            f'{files(run.id, made, lang) if made else ""}{card(run, lang, shell)}</section>')


def trained(result: Mapping[str, Json], lang: str, shell: Shell) -> str:
    """Figures on the held-out texts, and what a reader of them must know."""
    say = partial(shell.t, lang)
    rows = [[esc(gloss(lang, str(name))), number(value)] for name, value in as_table(result.get("figures")).items()]
    facts = pairs([(esc(say("label.count.texts")), counted(result.get("texts"))),
                   (esc(say("label.count.held_out")), counted(result.get("held_out"))),
                   (esc(say("label.count.outputs")), esc(", ".join(map(str, listed(result.get("outputs")))))),
                   (esc(say("label.count.size")), f"{number(result.get('size_mb'))} MB"),
                   (esc(say("label.count.version")), f"<code>{esc(result.get('version', ''))}</code>")])
    told = "".join(f"<li>{esc(gloss(lang, str(note)))}</li>" for note in listed(result.get("notes")))
    return (f"<h3>{esc(say('label.figures'))}</h3>" + grid(["", esc(say("label.value"))], rows) + facts
            + (f'<ul class="tr-left">{told}</ul>' if told else ""))


def card(run: Run, lang: str, shell: Shell) -> str:
    """What the scorer's own card says, folded."""
    for name in ("scorer.json", "keywords.json", "berteval.json"):
        facts = read_json(run.path / "artifacts" / "scorer" / name, None)
        if isinstance(facts, Mapping):
            shown = {key: facts[key] for key in ("format", "version", "grams", "link", "card") if key in facts}
            return fold("card", shell.t(lang, "label.card"), table(shown))
    return ""

"""What the Train view shows of a run: progress, curves, what was measured, and what can be done with the result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from panels import dialogue_cases as cases
from panels import dialogue_trained as trained
from panels import run_list
from panels import train_parts as parts
from workbench.contract import Json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import curves, measured
from workbench.widgets.actions import as_list
from workbench.widgets.badge import run_badge
from workbench.widgets.loose import listed
from workbench.widgets.markup import duration, esc, pairs
from workbench.widgets.progress import failure_card, progress

TASKS = (trained.TRAIN, trained.CLASSIFIER, trained.EVALUATE)
CURVES = ("loss", "strategy_loss", "response_loss", "held_out_perplexity", "held_out_strategy_loss", "learning_rate",
          "tokens_per_second", "gradient_norm")
SAME = ("held_out_response_loss",)
"""Curves that another one shows already: perplexity is the exponential of this."""
CONTROLS = ("stop", "continue", "talk", "evaluate", "many", "counsel")
PARTS = ("head", "curves", "result")


def looks(shell: Shell, visitor: str, run: Run, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name: HTML for parts, whether it is shown for a control."""
    result = shell.service.result(visitor, run.id) if run.status == "succeeded" else None
    model = bool(result) and has_model(run)
    return {"head": parts.head(run, lang),
            "curves": curve_part(shell, visitor, run, lang),
            "result": result_part(shell, visitor, run, result, lang) if result else "",
            **parts.steering(run, visitor),
            "talk": model, "evaluate": model, "many": model,
            "counsel": bool(result) and run.task == trained.CLASSIFIER
            and run.fields.get("reads", "history") == "history"}


def has_model(run: Run) -> bool:
    """Whether a training run left a whole model (an adapter alone cannot be talked to)."""
    return run.task == trained.TRAIN and bool(trained.facts_of(run))


def curve_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """The curves of a training under readable names, in a fixed order."""
    found = shell.service.metrics(visitor, run.id)
    known = [name for name in CURVES if name in found]
    named = {shell.t(lang, f"train.curve.{name}"): found[name] for name in known}
    return curves.curves({**named, **{name: found[name] for name in found if name not in (*known, *SAME)}}, lang)


def result_part(shell: Shell, visitor: str, run: Run, result: Mapping[str, Json], lang: str) -> str:
    """The tables of a run that has ended, its provenance, and for an agent its newest evaluation and its card."""
    say, words = partial(shell.t, lang), partial(gloss, lang)
    labels = {key: label for label, key in cases.strategy_names(lang)}
    badge = run_badge(as_list(shell.service.inputs(visitor, run.id)), result, lang)
    if run.task == trained.CLASSIFIER:
        reads = run.fields.get("reads", "history")
        inner = measured.classified(result, labels, say, baseline=reads == "history")
        return parts.sheet(say(f"train.classified.{reads}"), badge, inner)
    if run.task == trained.EVALUATE:
        return parts.sheet(say("train.evaluated"), badge, measured.evaluated(result, labels, say, words))
    made = parts.sheet(say("train.measured"), badge, measured.measurements(result, say) + counts(result, lang, shell)
                  + measured.notes(result.get("left_out")))
    return made + evaluation(shell, visitor, run, lang) + parts.card(run, say("train.card"), ("model", "adapter"))


def counts(result: Mapping[str, Json], lang: str, shell: Shell) -> str:
    """How much was learned from, with how many weights, how fast."""
    names = ("dialogues", "held_out", "replies", "learned_tokens", "steps", "kept_step", "tokens_per_second")
    rows = [(esc(shell.t(lang, f"train.count.{name}")), measured_number(result.get(name))) for name in names]
    share = f"{measured_number(result.get('trained_weights'))} / {measured_number(result.get('all_weights'))}"
    took = result.get("train_seconds")
    rows += [(esc(shell.t(lang, "train.count.weights")), share),
             (esc(shell.t(lang, "train.count.time")), esc(duration(float(took or 0), lang)))]
    return pairs(rows)


def measured_number(value: Json) -> str:
    """A count with thousands marked; a rate as whole tokens."""
    return f"{value:,.0f}" if isinstance(value, int | float) else "–"


def evaluations(shell: Shell, visitor: str, model: str) -> list[Run]:
    """The evaluations of a model that this visitor may see, newest first."""
    found, _ = shell.service.runs(visitor, task=trained.EVALUATE, limit=trained.MOST)
    return [run for run in found if run.fields.get("model") == model]


def evaluation(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """The newest evaluation of this agent: how far it is, or its figures."""
    found = evaluations(shell, visitor, f"run:{run.id}/model")
    if not found:
        return ""
    newest = found[0]
    link = shell.open_link("dialogue", newest.id, shell.t(lang, "train.open.evaluation"))
    result = shell.service.result(visitor, newest.id) if newest.status == "succeeded" else None
    if result is None:
        inner = progress(newest, lang) + failure_card(newest.failure, lang)
    else:
        labels = {key: label for label, key in cases.strategy_names(lang)}
        inner = measured.evaluated(result, labels, partial(shell.t, lang), partial(gloss, lang))
    return parts.sheet(shell.t(lang, "train.evaluated"), link, inner)


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of every training, classifier and evaluation, newest first."""
    found = parts.newest(shell, visitor, TASKS, trained.MOST)
    return [(run_list.dated(run, lang), run.id) for run in found]


def language_of(run: Run) -> str:
    """The first language of an agent's training dialogues."""
    languages = listed(trained.facts_of(run).get("languages"))
    return str(languages[0]) if languages and languages[0] in ("en", "zh") else "en"


"""What the Train view of speech shows of a run: its chain, progress, curves, and what the step has given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.practice import PRACTICE
from panels import run_list
from panels import speech_train_chain as chains
from panels import train_parts as parts
from panels.speech_desk import MOST, STAGE0
from panels.speech_train_chain import STEPS, TASKS, Chain
from panels.speech_train_origin import provenance
from panels.translation_files import name_of as name_of_file
from workbench import reading
from workbench.contract import Json, UserError
from workbench.files import read_json, read_lines
from workbench.panel import Shell
from workbench.runs import Run
from workbench.widgets import curves
from workbench.widgets import speech_chain as drawn
from workbench.widgets import speech_training as figures
from workbench.widgets.badge import badge
from workbench.widgets.loose import finite, table, tables
from workbench.widgets.markup import duration, esc, pairs
from workbench.widgets.measured import number
from workbench.widgets.speech_talk_tone import human, name_of

CHARTS: Mapping[str, tuple[str, ...]] = {
    "stage0": ("loss", "learning_rate", "tokens_per_second"),
    "stage1": ("loss", "held_out_response", "learning_rate", "gradient_norm"),
    "stage2": ("loss", "response", "emotion", "held_out_response", "held_out_emotion", "held_out_accuracy",
               "learning_rate", "gradient_norm")}
CONTROLS = ("stop", "continue", "next", "talk", "score")
PARTS = ("chain", "head", "curves", "result")
COUNTS: Mapping[str, tuple[str, ...]] = {
    "stage0": ("pairs", "steps", "parameters", "first_loss", "last_loss"),
    "words": ("rows", "prompts", "cut"), "tones": ("rows", "prompts", "cut"),
    "stage1": ("rows", "held", "steps", "kept_step", "trained"),
    "stage2": ("rows", "held", "steps", "kept_step", "trained")}
LINES = 12
"""Continuations that are shown; the file has all."""


def every(shell: Shell, visitor: str) -> list[Run]:
    """The runs of every step that this visitor may see, newest first."""
    return parts.newest(shell, visitor, tuple(dict.fromkeys(TASKS.values())), MOST)


def looks(shell: Shell, visitor: str, run: Run | None, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name: HTML for parts, whether it is shown for a control."""
    chain = chains.chain_of(every(shell, visitor), run) if run else Chain({})
    look: dict[str, Json] = {"chain": chain_part(shell, chain, run, lang)}
    if run is None:
        return look | dict.fromkeys(PARTS[1:], "") | dict.fromkeys(CONTROLS, False)
    result = shell.service.result(visitor, run.id) if run.status == "succeeded" else None
    step = chains.step_of(run)
    tuned = bool(result) and step in ("stage1", "stage2")
    following = chains.following(chain)
    return look | {"head": parts.head(run, lang), "curves": curve_part(shell, visitor, run, lang),
                   "result": result_part(shell, run, result, lang) if result else "",
                   **parts.steering(run, visitor), "next": bool(result) and following not in ("", step),
                   "talk": tuned, "score": tuned}


def chain_part(shell: Shell, chain: Chain, shown: Run | None, lang: str) -> str:
    """The cards of all steps."""
    following, now = chains.following(chain), chains.step_of(shown) if shown else ""
    cards = []
    for step in STEPS:
        run, state = chain.runs.get(step), chains.state_of(chain, step)
        cards.append(drawn.Step(step, state, figure_of(shell, chain, step, lang), run.id if run else "",
                                chains.lacking(chain, step), step == following, step == now))
    return drawn.chain(cards, partial(shell.t, lang))


def figure_of(shell: Shell, chain: Chain, step: str, lang: str) -> str:
    """The one figure of a step that has ended, in words; for one that was given, what was given."""
    say = partial(shell.t, lang)
    if step == "gate":
        report = chain.report()
        return say("speech.train.figure.gate", share=figures.percent(report.get("separated"))) if report else ""
    run = chain.done(step)
    if run is None:
        given = chains.state_of(chain, step) == "given"
        if step == "stage0" and given:
            name = chain.language_model
            return say("speech.train.bundled_lm") if name == chains.BUNDLED_LM else name
        later = chain.runs.get("stage1" if step == "words" else "stage2")
        named = str(later.fields.get("manifest") or PRACTICE) if later else PRACTICE
        return "" if not given else say("speech.train.practice") if named == PRACTICE else name_of_file(named)
    result = table(read_json(run.path / "result.json", {}))
    if step == "stage0":
        return say("speech.train.figure.stage0", weights=_whole(result.get("parameters")))
    if step in ("words", "tones"):
        return say("speech.train.figure.words", rows=_whole(result.get("rows")))
    if step == "evaluate":
        return say("speech.train.figure.evaluate", heard=figures.percent(result.get("heard")),
                   told=figures.percent(result.get("told")))
    return trained_figure(result, step, say)


def trained_figure(result: Mapping[str, Json], step: str, say: figures.Say) -> str:
    """How the validation speakers fare with the weights that were kept, against the first measurement."""
    rows = tables(result.get("measured"))
    kept = [row for row in rows if row.get("step") == result.get("kept_step")]
    if not kept or not finite(rows[0].get("response")) or not finite(kept[-1].get("response")):
        return say("speech.train.figure.steps", steps=_whole(result.get("steps")))
    right = kept[-1].get("accuracy")
    if step == "stage2" and finite(right) and right >= 0:
        return say("speech.train.figure.stage2", right=figures.percent(right))
    return say("speech.train.figure.stage1", before=f"{rows[0]['response']:.2f}",
               after=f"{kept[-1]['response']:.2f}")


def curve_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """The curves of a training under readable names, in a fixed order."""
    found = shell.service.metrics(visitor, run.id)
    known = [name for name in CHARTS.get(chains.step_of(run), ()) if name in found]
    return curves.curves({shell.t(lang, f"speech.train.curve.{name}"): found[name] for name in known}, lang)


def result_part(shell: Shell, run: Run, result: Mapping[str, Json], lang: str) -> str:
    """The figures of a step that has ended, where they come from, and the card of its model."""
    say, step = partial(shell.t, lang), chains.step_of(run)
    names = {name: name_of(name, lang) for name in EMOTIONS}
    inner = ""
    if run.task == STAGE0:
        inner = figures.gate(table(result.get("gate")), names, say)
    elif step == "gate":
        inner = figures.gate(result, names, say)
    elif step in ("words", "tones"):
        inner = figures.continuations(first_lines(run), names, say) + figures.faults(result.get("dropped"), say)
    elif step in ("stage1", "stage2"):
        inner = (figures.measurements(result, 1 if step == "stage1" else 2, say)
                 + figures.faults(result.get("faults"), say))
    elif step == "evaluate":
        inner = evaluated(result, names, lang, say)
    title = say(f"speech.train.step.{step}")
    made_of = badge(provenance(run), [model] if (model := str(run.fields.get("model") or "")) else [], lang)
    return (parts.sheet(title, made_of, inner + counts(result, step, lang, say))
            + parts.card(run, say("speech.train.card")))


def evaluated(result: Mapping[str, Json], names: Mapping[str, str], lang: str, say: figures.Say) -> str:
    """What the model hears, how well people do, and its confusions."""
    return (figures.heard(result, say) + human(lang)
            + figures.confusion(result.get("confusion"), [names[name] for name in EMOTIONS], say))


def first_lines(run: Run) -> Sequence[Mapping[str, Json]]:
    """The first continuations that a run has written."""
    try:
        path = reading.artifact_path(run.path, "continuations.jsonl")
    except (UserError, OSError):
        return ()
    return tables(read_lines(path)[:LINES])


def counts(result: Mapping[str, Json], step: str, lang: str, say: figures.Say) -> str:
    """How much, with how many weights, how long."""
    rows = [(esc(say(f"speech.train.count.{name}")), _whole(result.get(name)) if "loss" not in name
             else number(result.get(name))) for name in COUNTS.get(step, ())]
    if result.get("frozen_same") is True:
        rows.append((esc(say("speech.train.count.frozen")), esc(say("speech.train.frozen"))))
    took = result.get("train_seconds")
    if finite(took):
        rows.append((esc(say("speech.train.count.time")), esc(duration(float(took), lang))))
    return pairs(rows)


def _whole(value: Json) -> str:
    return f"{value:,.0f}" if finite(value) else "–"


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of the runs of every step, newest first."""
    return [(run_list.dated(run, lang), run.id) for run in every(shell, visitor)]

"""What the Train view shows of a run: progress, curves, what was measured, and what can be done with the result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from backends.sm2.models import facts
from backends.sm2.requests import CurveResult, Gain, Point
from panels import run_list, translation_chart
from panels import train_parts as parts
from panels.translation_desk import CURVE, MOST, TRAIN
from workbench.contract import Json, UserError
from workbench.fields import from_json
from workbench.panel import Shell
from workbench.runs import Run
from workbench.widgets import curves
from workbench.widgets.badge import badge
from workbench.widgets.loose import finite, table, tables
from workbench.widgets.markup import duration, element, esc, pairs
from workbench.widgets.measured import grid, number

TASKS = (TRAIN, CURVE)
CHARTS = ("loss", "full", "prefix", "mixed", "confidence", "held_out_full", "held_out_prefix", "learning_rate",
          "tokens_per_second")
MEANINGLESS: Mapping[str, tuple[str, ...]] = {
    "offline": ("prefix", "mixed", "confidence", "held_out_prefix"),
    "prefix": ("mixed", "confidence"),
    "multipath": ("prefix", "mixed", "confidence", "held_out_prefix")}
"""What an objective does not have: it stands there as 0, 1 or a repetition."""
HELD: Mapping[str, str] = {"full": "held_out_full", "prefix": "held_out_prefix", "mixed": "mixed",
                           "confidence": "confidence"}
COUNTS = ("pairs", "held_out", "left_out", "steps", "weights", "vocabulary", "tokens_per_second")
CONTROLS = ("stop", "continue", "translate", "play", "measure", "tune", "beside", "family")
PARTS = ("head", "curves", "result")


def looks(shell: Shell, visitor: str, run: Run, lang: str) -> dict[str, Json]:
    """What every part of the view must show now, by name: HTML for parts, whether it is shown for a control."""
    result = shell.service.result(visitor, run.id) if run.status == "succeeded" else None
    model, curve = bool(result) and has_model(run), bool(result) and run.task == CURVE
    return {"head": parts.head(run, lang),
            "curves": curve_part(shell, visitor, run, lang),
            "result": result_part(shell, visitor, run, result, lang) if result else "",
            **parts.steering(run, visitor),
            "translate": model, "play": model, "measure": model, "tune": model, "beside": curve, "family": curve}


def has_model(run: Run) -> bool:
    """Whether a training left a translator."""
    return run.task == TRAIN and facts(run.path / "artifacts" / "model") is not None


def curve_part(shell: Shell, visitor: str, run: Run, lang: str) -> str:
    """The curves of a training under readable names, in a fixed order; what its objective has not is left out."""
    found = shell.service.metrics(visitor, run.id)
    missing = MEANINGLESS.get(str(run.fields.get("objective")), ())
    known = [name for name in CHARTS if name in found and name not in missing]
    return curves.curves({shell.t(lang, f"translation.train.curve.{name}"): found[name] for name in known}, lang)


def result_part(shell: Shell, visitor: str, run: Run, result: Mapping[str, Json], lang: str) -> str:
    """The tables of a run that has ended, and its provenance."""
    made_of = badge("real data" if run.fields.get("source") else "synthetic", models_of(run), lang)
    say = partial(shell.t, lang)
    if run.task == CURVE:
        curve = read_curve(result)
        if curve is None:
            return ""
        return parts.sheet(say("translation.curve.title"), made_of, curve_sheet(run, curve, lang, shell))
    objective = str(run.fields.get("objective"))
    inner = held_table(result, objective, shell, lang) + counts(result, shell, lang)
    return (parts.sheet(say("translation.train.measured"), made_of, inner)
            + parts.card(run, say("translation.train.card")))


def models_of(run: Run) -> list[str]:
    """The model that was measured, or that a training began with."""
    named = str(run.fields.get("model") or run.fields.get("start") or "")
    return [named] if named else []


def read_curve(result: Mapping[str, Json]) -> CurveResult | None:
    """The result of a curve; nothing for a file that is none (it may have been edited by hand)."""
    try:
        found: CurveResult = from_json(CurveResult, dict(result))
    except (UserError, ValueError, TypeError):
        return None
    return found if sound(found) else None


def sound(curve: CurveResult) -> bool:
    """Whether every figure that is drawn is a number, and every name a text."""
    if not isinstance(curve.points, tuple) or not isinstance(curve.gains, tuple):
        return False
    if not all(isinstance(point, Point) for point in curve.points) or not finite(curve.sentences):
        return False
    if not all(isinstance(gain, Gain) for gain in curve.gains):
        return False
    names: list[Json] = [curve.signature, curve.test, *(point.policy for point in curve.points),
                         *(point.kind for point in curve.points), *(gain.policy for gain in curve.gains)]
    figures: list[Json] = []
    for point in curve.points:
        figures += [point.bleu, point.bleu_low, point.bleu_high, point.exact, point.seconds]
        lags = [*table(point.words).values(), *table(point.tokens).values(), point.sufficiency]
        figures += [lag for lag in lags if lag is not None]
    for gain in curve.gains:
        figures += [gain.latency, gain.quality, gain.gain, gain.low, gain.high]
    return all(isinstance(name, str) for name in names) and all(finite(figure) for figure in figures)


def curve_sheet(run: Run, curve: CurveResult, lang: str, shell: Shell) -> str:
    """A curve: the chart, the points, gains over the model's own wait-k, and how it was measured."""
    say = partial(shell.t, lang)
    told = say("translation.curve.help", sentences=f"{curve.sentences:,}",
               resamples=f"{run.fields.get('resamples', 0):,}")
    own = element("h4", esc(say("translation.curve.own"))) + translation_chart.gained({"": curve.gains}, say)
    return (translation_chart.chart({run.title: curve}, say) + translation_chart.points(curve, say)
            + element("p", esc(told), class_="tr-note")
            + element("p", f"{esc(say('translation.curve.signature'))}: {esc(curve.signature)}", class_="tl-signature")
            + (own if curve.gains else ""))


def held_table(result: Mapping[str, Json], objective: str, shell: Shell, lang: str) -> str:
    """Held-out figures, one line a measurement; columns that the objective has not are left out."""
    rows = tables(result.get("measured"))
    if not rows:
        return element("p", esc(shell.t(lang, "translation.train.unmeasured")), class_="tr-note")
    missing = MEANINGLESS.get(objective, ())
    names = [name for name, key in HELD.items() if key not in missing]
    cells = [[esc(row.get("step", "")), *(number(row.get(name)) for name in names)] for row in rows]
    head = [esc(shell.t(lang, "translation.train.held.step")),
            *(esc(shell.t(lang, f"translation.train.held.{name}")) for name in names)]
    words = shell.t(lang, "translation.train.held.help", count=f"{result.get('held_out', 0):,}")
    return grid(head, cells, len(cells) - 1) + element("p", esc(words), class_="tr-note")


def counts(result: Mapping[str, Json], shell: Shell, lang: str) -> str:
    """How much was learned from, with how many weights, how fast."""
    rows = [(esc(shell.t(lang, f"translation.train.count.{name}")), _whole(result.get(name))) for name in COUNTS]
    took = result.get("train_seconds")
    seconds = float(took) if isinstance(took, int | float) else 0.0
    return pairs([*rows, (esc(shell.t(lang, "translation.train.count.time")), esc(duration(seconds, lang)))])


def _whole(value: Json) -> str:
    return f"{value:,.0f}" if isinstance(value, int | float) else "–"


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of every training and curve, newest first."""
    return [(run_list.dated(run, lang), run.id) for run in parts.newest(shell, visitor, TASKS, MOST)]

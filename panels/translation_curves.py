"""Curves of several models side by side, and every threshold against one model's wait-k at equal latency."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from backends.sm2.compare_curves import STATISTICS, Curve, gains_over, read_statistics
from panels import translation_chart
from panels.run_list import dated
from panels.translation_desk import CURVE, MOST
from panels.translation_train_view import read_curve
from workbench import reading
from workbench.contract import UserError
from workbench.panel import Shell
from workbench.widgets.loose import table
from workbench.widgets.markup import element, esc

MOST_BESIDE = 6
"""Curves in one chart: as many as there are colours."""


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of this visitor's finished curves, newest first."""
    found, _ = shell.service.runs(visitor, task=CURVE, status="succeeded", limit=MOST)
    return [(dated(run, lang), run.id) for run in found]


def same_test(shell: Shell, visitor: str, run_id: str, lang: str) -> list[tuple[str, str]]:
    """The finished curves that were measured on the same sentences as this one; the run itself is among them."""
    found = choices(shell, visitor, lang)
    test = table(shell.service.result(visitor, run_id)).get("test")
    return [(words, other) for words, other in found
            if table(shell.service.result(visitor, other)).get("test") == test]


def opened(shell: Shell, visitor: str, run_id: str, lang: str) -> Curve:
    """A finished curve with its statistics. Raises ``UserError`` for a run without."""
    run = shell.service.run(visitor, run_id)
    result = read_curve(table(shell.service.result(visitor, run_id)))
    if run.task != CURVE or result is None:
        raise UserError(shell.t(lang, "translation.curve.none", run=run_id))
    return Curve(run.title, result, read_statistics(reading.artifact_path(run.path, STATISTICS)))


def beside(shell: Shell, request: gr.Request, run_id: str, others: Sequence[str], family: str) -> str:
    """The chart of this curve and others, and the gains of all over the family's wait-k; nothing without a second
    curve and without another family."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    ids = list(dict.fromkeys(part for part in (run_id, *others) if part))[:MOST_BESIDE]
    if len(ids) < 2 and family in ("", run_id):
        return ""
    curves = unique([opened(shell, visitor, one, lang) for one in ids])
    held = family or run_id
    against = curves[ids.index(held)] if held in ids else opened(shell, visitor, held, lang)
    say = partial(shell.t, lang)
    gains = gains_over(curves, against)
    words = element("h4", esc(say("translation.curve.over", name=against.name)))
    return element("section", element("h3", esc(say("translation.curve.beside.title")))
                   + translation_chart.chart({one.name: one.result for one in curves}, say) + words
                   + translation_chart.gained(gains, say), class_="dt tr-sheet")


def unique(curves: Sequence[Curve]) -> list[Curve]:
    """The curves with names of their own: a repeated one gets its number."""
    seen: dict[str, int] = {}
    found = []
    for curve in curves:
        seen[curve.name] = seen.get(curve.name, 0) + 1
        count = seen[curve.name]
        found.append(Curve(f"{curve.name} ({count})" if count > 1 else curve.name, curve.result, curve.clouds))
    return found


def offered(shell: Shell, request: gr.Request, run_id: str) -> list[Any]:
    """Both lists for the curve that is shown: nothing chosen beside it, and its own wait-k to be held against."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    try:
        run = shell.service.run(visitor, run_id) if run_id else None
    except UserError:
        run = None
    if run is None or run.task != CURVE or run.status != "succeeded":
        return [gr.update(choices=[], value=[]), gr.update(choices=[], value=None), ""]
    found = same_test(shell, visitor, run_id, lang)
    others = [pair for pair in found if pair[1] != run_id]
    return [gr.update(choices=others, value=[]), gr.update(choices=found, value=run_id), ""]

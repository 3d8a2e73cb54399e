"""The curve under the player: quality against latency of the model, from a finished run or measured now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from panels import translation_simul_chart
from panels.dialogue_form import pane
from panels.run_list import when
from panels.translation_desk import CURVE, MOST
from panels.translation_files import ENDINGS, as_reference, take_in
from panels.translation_models import facts_of
from panels.translation_simul_states import of_order
from panels.translation_train_view import read_curve
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import sm2_player
from workbench.widgets.markup import element, esc
from workbench.widgets.progress import failure_card, progress
from workbench.widgets.runlist import status_mark

SENTENCES = 200
"""Sentences that the button measures on; the Train view can ask for more (our default)."""
THRESHOLDS = (0.2, 0.5, 0.8, 0.95, 0.99)
"""Thresholds that the button measures (ours)."""
FILES = ("source", "target")


@dataclass(frozen=True)
class CurveView:
    """The components. ``run`` is the measuring that is shown, ``sent`` what the browser has of it."""

    run: gr.Textbox
    sent: gr.Textbox
    pick: gr.Dropdown
    files: Mapping[str, gr.Textbox]
    bring: Mapping[str, gr.UploadButton]
    measure: gr.Button
    html: Mapping[str, gr.HTML]


def lay_out(shell: Shell) -> CurveView:
    """Make the components."""
    run, sent = shell.note(""), shell.note("")
    files, bring = {}, {}
    with gr.Accordion(shell.label("translation_simul.curve"), open=False, elem_classes="sm-curve"):
        with gr.Row(elem_classes="sm-measure"):
            with gr.Column(scale=3, min_width=300):
                pick = gr.Dropdown([], value=None, label=shell.label("translation_simul.curve.pick"))
                html = {"state": pane(), "chart": pane(sm2_player.on_load())}
            with gr.Column(scale=2, min_width=280):
                for name in FILES:
                    files[name] = gr.Textbox("", max_lines=1, label=shell.label(f"translation_simul.curve.{name}"),
                                             placeholder="path:")
                    bring[name] = gr.UploadButton(shell.label("translation_simul.curve.bring"), size="sm",
                                                  file_types=list(ENDINGS))
                measure = gr.Button(shell.label("translation_simul.curve.measure"), size="md", variant="primary")
        shell.actions(run)
    return CurveView(run, sent, pick, files, bring, measure, html)


def wire(shell: Shell, view: CurveView, model: gr.Dropdown, tab: gr.Tab) -> None:
    """Connect the list, the button and the poll. The newest curve of the chosen model is shown by itself."""
    def offer(reference: str, run_id: str, request: gr.Request) -> list[Any]:
        found = curves(shell, shell.visitor(request), reference)
        known = [run.id for run in found]
        chosen = run_id if run_id in known else next((r.id for r in found if r.status == "succeeded"), "")
        lang = shell.lang(request)
        return [gr.update(choices=[(words(run, lang), run.id) for run in found], value=chosen or None), chosen]

    def choose(run_id: str | None) -> str:
        return run_id or ""

    def start(reference: str, source: str, target: str, request: gr.Request) -> str:
        return measure(shell, request, reference, source, target)

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        now = looks(shell, run_id, request)
        key = str(hash(json.dumps(now)))
        return [gr.skip()] * 3 if key == sent else [*now, key]

    def bring(path: str) -> str:
        return take_in(shell, Path(path))
    outputs = [view.html["state"], view.html["chart"], view.sent]
    gr.on([tab.select, model.change, view.run.change], offer, [model, view.run], [view.pick, view.run], **QUICK)
    gr.on(None, offer, [model, view.run], [view.pick, view.run], **QUICK)
    view.pick.input(choose, [view.pick], [view.run], **QUICK)
    view.measure.click(shell.guard(start), [model, *view.files.values()], [view.run], **QUEUED)
    for name in FILES:
        view.bring[name].upload(shell.guard(bring), [view.bring[name]], [view.files[name]], **QUEUED)
    view.run.change(look, [view.run, view.sent], outputs, **QUICK)
    shell.on_poll(look, [view.run, view.sent], outputs, every=1.5)


def curves(shell: Shell, visitor: str, model: str) -> list[Run]:
    """The measurings of a model that this visitor may see, newest first."""
    found, _ = shell.service.runs(visitor, task=CURVE, limit=MOST)
    return [run for run in found if str(run.fields.get("model") or "practice") == model]


def words(run: Run, lang: str) -> str:
    """How the list calls a measuring: when it was made, on how many sentences, and how it stands if not finished."""
    state = "" if run.status == "succeeded" else f" · {gloss(lang, run.status)}"
    return f"{when(run)} · {run.fields.get('sentences', '?')}{state}"


def measure(shell: Shell, request: gr.Request, model: str, source: str, target: str) -> str:
    """Start a measuring; its run id. Raises ``UserError`` where the model needs a test set and none is given."""
    told = facts_of(shell, shell.visitor(request), model)
    fields: dict[str, Json] = {"model": model, "sentences": SENTENCES, "thresholds": list(THRESHOLDS)}
    if source.strip() or target.strip():
        fields |= {"source": as_reference(source), "target": as_reference(target)}
    elif told is None or not of_order(told):
        raise UserError(shell.t(shell.lang(request), "translation_simul.curve.files"))
    if told is None or not told.ready:
        fields["thresholds"] = []
    return shell.service.submit(CURVE, fields, visitor=shell.visitor(request),
                                title=f"Quality against latency: {told.title if told else model}")


def looks(shell: Shell, run_id: str, request: gr.Request) -> list[str]:
    """How far the measuring is, and its chart when it has ended: both as HTML."""
    if not run_id:
        return ["", ""]
    visitor, lang = shell.visitor(request), shell.lang(request)
    try:
        run = shell.service.run(visitor, run_id)
    except UserError as error:
        return [element("p", esc(error), class_="wb-dim"), ""]
    if run.status == "succeeded":
        result = read_curve(shell.service.result(visitor, run_id) or {})
        return ["", translation_simul_chart.chart(result, run.title, partial(shell.t, lang)) if result else ""]
    return [status_mark(run.status, lang) + progress(run, lang) + failure_card(run.failure, lang), ""]

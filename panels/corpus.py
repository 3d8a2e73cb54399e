"""The Corpus tab: filter texts, see why every document stays or goes, move limits, compare, label, train scorers."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backends.mdfg.explore.shelf import Shelf
from panels import (
    corpus_compare,
    corpus_duplicates,
    corpus_filter,
    corpus_head,
    corpus_inspect,
    corpus_label,
    corpus_scorers,
    corpus_take,
    method_page,
)
from panels.corpus_desk import FILTER, Desk
from panels.corpus_search import INDEX
from workbench.contract import UserError
from workbench.panel import QUICK, Panel, Shell


def build(shell: Shell) -> None:
    """Lay out the head and the views, and connect them by the id of the run that is looked at."""
    shelf = Shelf(scratch=shell.service.settings.home / "tmp")
    corpus, asked = shell.note(""), shell.note("")
    head = corpus_head.lay_out(shell, shelf, corpus)
    with gr.Tabs(elem_classes="dt-modes", selected="filter") as modes:
        with gr.Tab(shell.label("corpus.mode.filter"), id="filter") as filtering:
            work = corpus_filter.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.inspect"), id="inspect"):
            inspect = corpus_inspect.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.duplicates"), id="duplicates") as doubling:
            duplicates = corpus_duplicates.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.compare"), id="compare") as comparing:
            compare = corpus_compare.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.label"), id="label") as labelling:
            label = corpus_label.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.scorers"), id="scorers") as scoring:
            scorers = corpus_scorers.lay_out(shell, shelf, corpus)
        with gr.Tab(shell.label("corpus.mode.method"), id="method") as method:
            method_page.lay_out(shell, method, "mdfg")
    desk = Desk(corpus, asked, modes)
    corpus_head.wire(shell, head, desk)
    corpus_filter.wire(shell, work, filtering, modes)
    corpus_inspect.wire(shell, inspect, desk, corpus_take.Elsewhere(work.run, compare.sides))
    corpus_duplicates.wire(shell, duplicates, doubling)
    corpus_compare.wire(shell, compare, comparing)
    corpus_label.wire(shell, label, labelling)
    corpus_scorers.wire(shell, scorers, scoring)
    shell.keep_run("corpus", corpus)

    def in_reader(place: str) -> tuple[str, Any]:
        return (f"place={place}", gr.Tabs(selected="inspect")) if place else ("", gr.skip())
    compare.opened.change(in_reader, [compare.opened], [asked, modes], **QUICK)
    runs = {"filter": work.run, "scorers": scorers.run}

    def opened(run_id: str, request: gr.Request) -> list[Any]:
        view, found = opening(shell, run_id, request)
        chosen = gr.Tabs(selected=view) if view else gr.skip()
        return [chosen, *(found.get(name, gr.skip()) for name in ("inspect", *runs))]  # nothing: a press may be first
    shell.on_open("corpus", opened, None, [modes, corpus, *runs.values()])


def opening(shell: Shell, run_id: str, request: gr.Request) -> tuple[str, dict[str, str]]:
    """The view to show and run ids by view: of the run that the address names, else of the newest filtering run.

    A filtering run that has succeeded is looked at in Inspect; one that goes on or failed is shown where it was
    started; an index brings its corpus, runs of scorers go to Scorers."""
    visitor = shell.visitor(request)
    if not run_id:
        found, _ = shell.service.runs(visitor, task=FILTER, status="succeeded", limit=1)
        return ("inspect", {"inspect": found[0].id}) if found else ("", {})
    try:
        run = shell.service.run(visitor, run_id)
    except UserError:
        return "filter", {"filter": run_id}
    if run.task == FILTER:
        view = "inspect" if run.status == "succeeded" else "filter"
        return view, {view: run_id, "filter": run_id}
    if run.task == INDEX:
        reference, named, of = str(run.fields.get("corpus", "")).partition("run:")
        return ("inspect", {"inspect": of.partition("/")[0]}) if named and not reference else ("filter", {})
    return "scorers", {"scorers": run_id}


SHOWN = ("mdfg.filter.", "mdfg.index.", "mdfg.train_scorer.", "mdfg.toxicity_rounds.", "mdfg.domain_rounds.")
"""Tasks whose runs the tab can show; scored texts (``mdfg.score.v1``) are a file and stay in the Runs tab."""
PANEL = Panel("corpus", "corpus.title", 20, build, shows=SHOWN)

"""The line above the views: which filtering run is looked at, what it is, and where its index of meaning is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backends.mdfg.explore.shelf import Shelf
from panels import run_list
from panels.corpus_desk import FILTER, MOST, Desk, corpus_of
from panels.corpus_desk import index_of as index_of
from panels.dialogue_form import pane
from workbench.contract import Json
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import say
from workbench.widgets.badge import badge
from workbench.widgets.corpus_numbers import count
from workbench.widgets.markup import element, esc, open_link


@dataclass(frozen=True)
class Head:
    """The components of the line."""

    shelf: Shelf
    picker: gr.Dropdown
    facts: gr.HTML


def lay_out(shell: Shell, shelf: Shelf, corpus: gr.Textbox) -> Head:
    """Make the list of runs and the line of facts."""
    with gr.Row(elem_classes="co-head"):
        picker = gr.Dropdown([], value=None, label=shell.label("corpus.head.run"), elem_classes="co-picker")
        facts = pane()
    return Head(shelf, picker, facts)


def wire(shell: Shell, head: Head, desk: Desk) -> None:
    """The list and the note of the run follow each other."""
    def follow(run_id: str, request: gr.Request) -> list[Any]:
        offered = choices(shell, shell.visitor(request), shell.lang(request))
        known = any(run == run_id for _, run in offered)
        if run_id and not known:
            offered.append((run_id, run_id))
        return [gr.update(choices=offered, value=run_id or None),
                facts(shell, head.shelf, request, run_id) if run_id else _empty(shell.lang(request))]

    def choose(run_id: str | None) -> str:
        return run_id or ""

    def offer(run_id: str, request: gr.Request) -> Any:
        return gr.update(choices=choices(shell, shell.visitor(request), shell.lang(request)), value=run_id or None)
    gr.on(None, shell.guard(follow), [desk.corpus], [head.picker, head.facts], **QUEUED)
    head.picker.focus(offer, [desk.corpus], [head.picker], **QUICK)
    head.picker.input(choose, [head.picker], [desk.corpus], **QUICK)


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """The filtering runs that can be looked at as ``(words, run id)``."""
    found, _ = shell.service.runs(visitor, task=FILTER, status="succeeded", limit=MOST)
    return [(run_list.line(run, lang), run.id) for run in found]


def _empty(lang: str) -> str:
    return element("div", element("span", esc(say(lang, "corpus.head.about")), class_="co-dim"), class_="co co-facts")


def facts(shell: Shell, shelf: Shelf, request: gr.Request, run_id: str) -> str:
    """How many documents, how many are kept, the recipe with its hash, what kind of data it is.

    Raises ``UserError`` for a run that this visitor may not read, or that cannot be looked at."""
    lang = shell.lang(request)
    corpus = corpus_of(shell, shelf, request, run_id)
    told: Mapping[str, Json] = corpus.summary
    kept = int(corpus.rows("SELECT count_if(kept) FROM docs")[0][0])
    share = f"{100 * kept / corpus.total:.1f}" if corpus.total else "0"
    words = say(lang, "corpus.head.facts", total=count(corpus.total), kept=count(kept), share=share,
                name=corpus.recipe.name, hash=corpus.recipe.hash)
    stated = str(told.get("provenance") or "")
    link = open_link("runs", run_id, say(lang, "corpus.head.open"))
    return element("div", element("span", esc(words)) + (badge(stated, (), lang) if stated else "") + link,
                   class_="co co-facts")

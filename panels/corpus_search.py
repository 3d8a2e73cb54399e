"""The search box: how to search, what for, and the index that a search by meaning needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.mdfg.explore.query import KINDS, Query
from panels.corpus_desk import Desk, folder_of, index_of
from panels.corpus_state import read
from panels.dialogue_form import pane
from workbench.contract import TERMINAL, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import say
from workbench.widgets.markup import element, esc

INDEX = "mdfg.index.v1"
BY_MEANING = ("meaning", "concept")


@dataclass(frozen=True)
class Search:
    """The components of the box. ``applied`` is the key of the search that stands in it; ``indexing`` is the run that
    makes the index, while it goes on."""

    kind: gr.Dropdown
    text: gr.Textbox
    least: gr.Number
    applied: gr.Textbox
    go: gr.Button
    make: gr.Button
    indexing: gr.Textbox
    status: gr.HTML

    @property
    def stands(self) -> list[Component]:
        """What says which search it is: kind, words, limit, and the key of these."""
        return [self.kind, self.text, self.least, self.applied]


def lay_out(shell: Shell) -> Search:
    """Make the components of the box."""
    with gr.Row(elem_classes="co-row"):
        kind = gr.Dropdown([(shell.label(f"corpus.search.{name}"), name) for name in KINDS if name != "concept"],
                           value="words", filterable=False, label=shell.label("corpus.search.kind"), min_width=110)
        text = gr.Textbox("", label=shell.label("corpus.search"), placeholder=shell.label("corpus.search.placeholder"),
                          max_lines=1, elem_classes="co-wide")
        least = gr.Number(None, label=shell.label("corpus.search.least"), min_width=90)
        go = gr.Button(shell.label("corpus.search.go"), size="md", elem_classes="co-go")
        make = gr.Button(shell.label("corpus.search.make"), size="md", visible=False, elem_classes="co-go")
    return Search(kind, text, least, shell.note(""), go, make, shell.note(""), pane())


def wire(shell: Shell, search: Search, desk: Desk, state: gr.Textbox) -> None:
    """Offer the index where a search needs it, be it chosen in the box or held by the address, and follow its run."""
    def offer(kind: str, run_id: str, text: str, request: gr.Request) -> Any:
        needed = kind in BY_MEANING or held(text, run_id) in BY_MEANING
        return gr.update(visible=needed and lacking(shell, request, run_id))

    def make(run_id: str, request: gr.Request) -> str:
        folder_of(shell, request, run_id)
        lang = shell.lang(request)
        return shell.service.submit(INDEX, {"corpus": f"run:{run_id}"}, visitor=shell.visitor(request),
                                    title=shell.t(lang, "corpus.search.title", run=run_id))

    def follow(indexing: str, request: gr.Request) -> Any:
        return progress(shell, indexing, request)
    gr.on([search.kind.change, desk.corpus.change, state.change], shell.guard(offer),
          [search.kind, desk.corpus, state], [search.make], **QUICK)
    search.make.click(shell.guard(make), [desk.corpus], [search.indexing], **QUEUED)
    shell.on_poll(follow, [search.indexing], [search.status, search.make, search.indexing], every=0.7)


def lacking(shell: Shell, request: gr.Request, run_id: str) -> bool:
    """Whether a corpus is looked at that has no index of meaning."""
    return bool(run_id) and index_of(shell, shell.visitor(request), run_id) is None


def stand(text: str, run_id: str, applied: str) -> list[Any]:
    """Values of :attr:`Search.stands` for a state whose search is another one than ``applied``; else the box stays as
    it is, for somebody may be typing in it. A concept has no words, and its kind is not offered."""
    key, query = key_of(text, run_id), query_of(text, run_id)
    if key == applied:
        return [gr.skip()] * 4
    if query is None:
        return [gr.skip(), "", None, key]
    return [gr.skip() if query.kind == "concept" else query.kind, query.text, query.least or None, key]


def key_of(text: str, run_id: str) -> str:
    """What tells the search of one state from that of another; empty where there is none."""
    query = query_of(text, run_id)
    return repr((query.kind, query.text, query.least)) if query else ""


def held(text: str, run_id: str) -> str:
    """The kind of search that a state holds; empty where it holds none."""
    query = query_of(text, run_id)
    return query.kind if query else ""


def query_of(text: str, run_id: str) -> Query | None:
    """The search that a state holds; none where nobody can read the state."""
    try:
        return read(text, run_id).selection.search
    except UserError:
        return None


def progress(shell: Shell, indexing: str, request: gr.Request) -> Any:
    """What the index run says now; its note is emptied when it is over."""
    if not indexing:
        return gr.skip()
    run = shell.service.run(shell.visitor(request), indexing)
    lang = shell.lang(request)
    if run.status not in TERMINAL:
        words = say(lang, "corpus.search.indexing", message=run.message or say(lang, "corpus.head.starting"))
        return _line(words), gr.update(visible=False), gr.skip()
    if run.status == "succeeded":
        return _line(say(lang, "corpus.search.ready")), gr.update(visible=False), ""
    cause = (run.failure or {}).get("cause", "") or say(lang, f"status.{run.status}")
    return _line(str(cause)), gr.update(visible=True), ""


def _line(words: str) -> str:
    return element("p", esc(words), class_="co-dim", role="status")

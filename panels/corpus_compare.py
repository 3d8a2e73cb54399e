"""Compare: what two recipes, or two sets of limits, do to the same documents."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.mdfg.explore.compare import CELLS, DIFFER, compare, examples
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.recipes import dump_recipe
from panels import corpus_compare_draw as draw
from panels import corpus_compare_sides as sides
from panels import corpus_turns
from panels.corpus_compare_sides import NAMES, Chosen, Sides
from panels.corpus_desk import corpus_of
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import outcome
from workbench.widgets.corpus_press import PRESS
from workbench.widgets.loose import finite, table
from workbench.widgets.markup import element, esc


@dataclass(frozen=True)
class Compare:
    """The components of the view. ``sides`` is the note of both sides (:meth:`Sides.note`; :func:`corpus_compare_sides.
    against` makes one for moved limits), ``shown`` says which documents are listed, ``waiting`` which run a side waits
    for; ``opened`` is the place of a document to open in the reader."""

    shelf: Shelf
    corpus: gr.Textbox
    sides: gr.Textbox
    shown: gr.Textbox
    waiting: gr.Textbox
    opened: gr.Textbox
    pickers: Mapping[str, gr.Dropdown]
    editors: Mapping[str, gr.HTML]
    yaml: Mapping[str, gr.Textbox]
    buttons: Mapping[str, gr.Button]
    html: Mapping[str, gr.HTML]

    @property
    def drawn(self) -> list[Component]:
        """What a change of the sides draws anew, in the order of :func:`drawing`."""
        return [*self.pickers.values(), *self.editors.values(), *self.yaml.values(), *self.found]

    @property
    def found(self) -> list[Component]:
        """What depends on the listed documents: the outcomes and the list."""
        return [self.html["result"], self.html["list"]]


def lay_out(shell: Shell, shelf: Shelf, corpus: gr.Textbox) -> Compare:
    """Make the components of the view: two sides, then what differs."""
    chosen, shown, waiting, opened = (shell.note("") for _ in range(4))
    pickers: dict[str, gr.Dropdown] = {}
    editors: dict[str, gr.HTML] = {}
    yaml: dict[str, gr.Textbox] = {}
    buttons: dict[str, gr.Button] = {}
    gr.HTML(f'<p class="dt-hint">{shell.label("corpus_compare.about")}</p>', apply_default_css=False)
    with gr.Row(elem_classes="cc-sides"):
        for name in NAMES:
            with gr.Column(min_width=300, elem_classes=f"cc-column cc-{name}"):
                pickers[name] = gr.Dropdown([], value=None, filterable=False, elem_classes="cc-picker",
                                            label=shell.label(f"corpus_compare.side.{name}"))
                editors[name] = _pane()
                with gr.Accordion(shell.label("corpus_filter.yaml"), open=False, elem_classes="wb-group"):
                    yaml[name] = gr.Textbox("", lines=10, max_lines=24, show_label=False, elem_classes="cf-yaml",
                                            label=shell.label("corpus_filter.yaml"))
                    with gr.Row(elem_classes="dt-controls"):
                        buttons[f"use_{name}"] = gr.Button(shell.label("corpus_compare.use"), size="sm")
                with gr.Row(elem_classes="dt-controls"):
                    buttons[f"run_{name}"] = gr.Button(shell.label("corpus_compare.exact"), size="sm")
    html = {name: _pane() for name in ("going", "result", "list")}
    return Compare(shelf, corpus, chosen, shown, waiting, opened, pickers, editors, yaml, buttons, html)


def _pane() -> gr.HTML:
    return gr.HTML("", js_on_load=PRESS, apply_default_css=False, elem_classes=["dt-pane"])


def wire(shell: Shell, view: Compare, tab: gr.Tab) -> None:
    """Connect both sides, the list and the runs. A press on a document puts its place into ``view.opened``."""
    state = [view.corpus, view.sides, view.shown]

    def redraw(run_id: str, note: str, shown: str, request: gr.Request) -> list[Any]:
        return drawing(shell, view.shelf, request, run_id, note, shown)

    def relist(run_id: str, note: str, shown: str, request: gr.Request) -> list[Any]:
        return drawing(shell, view.shelf, request, run_id, note, shown)[-len(view.found):]

    def press(run_id: str, note: str, shown: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        return pressed(shell, view.shelf, request, run_id, note, shown, event._data)

    def follow(waiting: str, run_id: str, note: str, request: gr.Request) -> list[Any]:
        return waited(shell, view.shelf, request, waiting, run_id, note)
    gr.on([tab.select, view.corpus.change, view.sides.change], shell.guard(redraw), state, view.drawn, **LATEST)
    gr.on([view.shown.change], shell.guard(relist), state, view.found, **LATEST)
    for pane in (*view.editors.values(), *view.found):
        corpus_turns.pressed(pane, shell.guard(press), state, [view.sides, view.shown])
    for name in NAMES:
        _wire_side(shell, view, name)
    shell.on_poll(follow, [view.waiting, view.corpus, view.sides], [view.html["going"], view.waiting, view.sides])

    def open_one(event: gr.EventData) -> Any:
        key = str(event._data.get("key") or "")
        return key if event._data.get("act") == "open" and key.isdecimal() else gr.skip()
    view.html["list"].select(open_one, None, [view.opened], **QUICK)
    tab.select(lambda: "", None, [view.opened], **QUICK)  # the same document can be opened again


def _wire_side(shell: Shell, view: Compare, name: sides.SideName) -> None:
    def choose(source: str, run_id: str, note: str, request: gr.Request) -> str:
        state, _ = held(shell, view.shelf, request, run_id, note)
        return state.put(name, Chosen(str(source or sides.OWN), state.of_side(name).text)).note

    def use(text: str, run_id: str, note: str, request: gr.Request) -> str:
        state, corpus = held(shell, view.shelf, request, run_id, note)
        chosen = Chosen(sides.YAML, text)
        sides.base(shell, shell.visitor(request), corpus, chosen)
        return state.put(name, chosen).note

    def begin(run_id: str, note: str, request: gr.Request) -> str:
        state, corpus = held(shell, view.shelf, request, run_id, note)
        opened = draw.opened(shell, shell.visitor(request), corpus, state)
        if name in opened.wrong:
            raise opened.wrong[name]
        run = shell.service.run(shell.visitor(request), run_id)
        return json.dumps({"of": run_id, "side": name,
                           "run": draw.start(shell, request, run, opened.now[name])})
    view.pickers[name].input(shell.guard(choose), [view.pickers[name], view.corpus, view.sides], [view.sides],
                             **QUEUED)
    view.buttons[f"use_{name}"].click(shell.guard(use), [view.yaml[name], view.corpus, view.sides], [view.sides],
                                      **QUEUED)
    view.buttons[f"run_{name}"].click(shell.guard(begin), [view.corpus, view.sides], [view.waiting], **QUEUED)


def held(shell: Shell, shelf: Shelf, request: gr.Request, run_id: str, note: str) -> tuple[Sides, Corpus]:
    """The sides of the note, or the first ones, and the opened corpus. Raises ``UserError`` without a corpus."""
    corpus = corpus_of(shell, shelf, request, run_id)
    return sides.read(note, run_id) or sides.first(run_id, corpus.recipe), corpus


def wanted(shown: str) -> tuple[str, str, int]:
    """Outcome, rule and offset of a note; nothing chosen where it cannot be read."""
    try:
        value = table(json.loads(shown or "{}"))
    except ValueError:
        value = {}
    cell, offset = str(value.get("cell") or ""), value.get("offset")
    return cell if cell in CELLS else "", str(value.get("rule") or ""), int(offset) if finite(offset) else 0


def drawing(shell: Shell, shelf: Shelf, request: gr.Request, run_id: str, note: str, shown: str) -> list[Any]:
    """Updates of :attr:`Compare.drawn`: choices, limits, YAML, outcomes, documents."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    if not run_id:
        hint = element("p", esc(shell.t(lang, "corpus_compare.empty")), class_="dt-hint")
        return [*[gr.update(choices=[], value=None)] * 2, "", "", "", "", hint, ""]
    try:
        state, corpus = held(shell, shelf, request, run_id, note)
        run = shell.service.run(visitor, run_id)
    except UserError as error:
        return [*[gr.skip()] * 2, "", "", "", "", draw.refused(error), ""]
    open_sides = draw.opened(shell, visitor, corpus, state)
    offered = sides.choices(shell, visitor, lang, run_id, corpus.recipe)
    pickers = [gr.update(choices=offered, value=state.of_side(name).source) for name in NAMES]
    editors = [draw.editor(corpus, open_sides, name, run, lang) for name in NAMES]
    texts = [dump_recipe(open_sides.now[name].recipe) if name in open_sides.now else state.of_side(name).text
             for name in NAMES]
    return [*pickers, *editors, *texts, *results(corpus, open_sides, shown, lang)]


def results(corpus: Corpus, open_sides: draw.Held, shown: str, lang: str) -> list[str]:
    """The outcomes and the list; why they cannot be compared, where that is so."""
    if open_sides.wrong:
        return ["", ""]
    a, b = open_sides.now["a"], open_sides.now["b"]
    cell, rule, offset = wanted(shown)
    try:
        found = compare(corpus, a, b)
        if rule not in {pair.rule for pair in found.rules}:
            rule = ""
        listed = examples(corpus, a, b, cell or ("" if rule else DIFFER), rule, offset)
    except UserError as error:
        return [draw.refused(error), ""]
    return [draw.result(found, cell, rule, lang), draw.listing(listed, found, cell, rule, lang)]


def pressed(shell: Shell, shelf: Shelf, request: gr.Request, run_id: str, note: str, shown: str,
            data: Mapping[str, Json]) -> list[Any]:
    """The notes of the sides and of the list after a press; other presses change nothing."""
    act, key = str(data.get("act") or ""), str(data.get("key") or "")
    cell, rule, _ = wanted(shown)
    if act in ("limit", "reset"):
        state, _ = held(shell, shelf, request, run_id, note)
        name, _, index = key.partition(".")
        chosen = state.of_side(name)
        if act == "reset":
            return [state.put(name, replace(chosen, moved=())).note, gr.skip()]
        return [state.put(name, sides.move(chosen, int(index) if index.isdecimal() else -1,
                                           limit_of(str(data.get("value") or "")))).note, gr.skip()]
    to = {"cell": (key, rule, 0), "rule": (cell, key, 0),
          "page": (cell, rule, int(key) if key.isdecimal() else 0)}.get(act)
    if to is None:
        return [gr.skip(), gr.skip()]
    return [gr.skip(), json.dumps(dict(zip(("cell", "rule", "offset"), to, strict=True)))]


def limit_of(text: str) -> float:
    """A typed limit. Raises ``UserError`` for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"The limit is {text!r}; it must be a finite number.")
    return value


def waited(shell: Shell, shelf: Shelf, request: gr.Request, waiting: str, run_id: str, note: str) -> list[Any]:
    """What the run says that a side waits for; when it has succeeded it becomes that side."""
    if not waiting:
        return [gr.skip()] * 3
    value, lang = table(json.loads(waiting)), shell.lang(request)
    run = shell.service.run(shell.visitor(request), str(value.get("run")))
    if run.status not in TERMINAL:
        words = shell.t(lang, "corpus_compare.going", message=run.message or "…")
        return [element("p", f'<i class="dt-dot"></i>{esc(words)}', class_="dt dt-phase cc-going", role="status"),
                gr.skip(), gr.skip()]
    if run.status != "succeeded":
        failure = run.failure or {}
        told = outcome.failure(str(failure.get("cause") or run.status), str(failure.get("advice") or ""),
                               partial(shell.t, lang))
        return [told, "", gr.skip()]
    if value.get("of") != run_id:
        return ["", "", gr.skip()]
    state, _ = held(shell, shelf, request, run_id, note)
    return ["", "", state.put(str(value.get("side")), Chosen(sides.RUN + run.id)).note]

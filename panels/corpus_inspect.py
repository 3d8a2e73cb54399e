"""Inspect: the rules with their sliders, linked charts, the list, and one document with the evidence for its verdict.

What is shown hangs on two notes, the run and the :mod:`panels.corpus_state`; a press changes the state and draws what
hangs on it. A timer draws when the run or the state changed in another way (the address, another view).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.selection import Selection
from backends.mdfg.explore.shelf import Shelf
from panels import (
    corpus_draw,
    corpus_filter_form,
    corpus_reader,
    corpus_search,
    corpus_state,
    corpus_take,
    corpus_turns,
)
from panels.corpus_desk import Desk, corpus_of, folder_of
from panels.corpus_state import State
from workbench.contract import TERMINAL, UserError
from workbench.panel import LATEST, QUEUED, Shell
from workbench.text import say
from workbench.widgets.corpus_press import PRESS
from workbench.widgets.markup import element, esc

PARTS = ("bar", "rules", "charts", "table", "reader")
"""What is drawn, in the order of the outputs."""
ONLY: Mapping[str, Sequence[str]] = {"open": ("table", "reader"), "step": ("table", "reader"), "sort": ("table",),
                                     "page": ("table",)}
"""Parts that hang on a press; every part for other presses."""
TEACH = ("like", "unlike")
"""Presses that need the index of meaning."""


@dataclass(frozen=True)
class Inspect:
    """The components of the view. ``sent`` says of every part what is drawn, ``waiting`` is the sample's run while it
    goes on."""

    shelf: Shelf
    state: gr.Textbox
    sent: Mapping[str, gr.Textbox]
    waiting: gr.Textbox
    hint: gr.Column
    body: gr.Column
    example: gr.Button
    status: gr.HTML
    search: corpus_search.Search
    charts: gr.Dropdown
    parts: Mapping[str, gr.HTML]
    take: corpus_take.Take

    @property
    def drawn(self) -> list[Component]:
        """What a press may change: the state, the parts, what is sent of each."""
        return [self.state, *(self.parts[name] for name in PARTS), *self.keys]

    @property
    def keys(self) -> list[Component]:
        """The notes of what is drawn, in the order of the parts."""
        return [self.sent[name] for name in PARTS]


def lay_out(shell: Shell, shelf: Shelf, corpus: gr.Textbox) -> Inspect:
    """Make the components of the view."""
    state, waiting, sent = shell.note(""), shell.note(""), {name: shell.note("") for name in PARTS}
    parts: dict[str, gr.HTML] = {}
    with gr.Column(elem_classes="co-hint") as hint:
        gr.HTML(f'<p class="dt-hint">{shell.label("corpus.inspect.empty")}</p>', apply_default_css=False)
        example = shell.example_button("corpus.head.example")
        status = gr.HTML("", apply_default_css=False)
    with gr.Column(visible=False) as body:
        search = corpus_search.lay_out(shell)
        parts["bar"] = _pane()
        with gr.Row(elem_classes="co-split"):
            with gr.Column(elem_classes="co-left"):
                parts["rules"] = _pane()
            with gr.Column(elem_classes="co-right"):
                charts = gr.Dropdown([], value=[], multiselect=True, label=shell.label("corpus.charts.pick"),
                                     info=shell.label("corpus.charts.help"))
                parts["charts"] = _pane()
        take = corpus_take.lay_out(shell)
        with gr.Row(elem_classes="co-split"):
            with gr.Column(elem_classes="co-half"):
                parts["table"] = _pane()
            with gr.Column(elem_classes="co-half"):
                parts["reader"] = _pane()
    return Inspect(shelf, state, sent, waiting, hint, body, example, status, search, charts, parts, take)


def _pane() -> gr.HTML:
    return gr.HTML("", js_on_load=PRESS, apply_default_css=False)


def wire(shell: Shell, view: Inspect, desk: Desk, elsewhere: corpus_take.Elsewhere) -> None:
    """Connect presses, the search box, the charts' list, the sample and the timer."""
    held: list[Component] = [desk.corpus, view.state]

    def press(run_id: str, text: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        data = event._data if isinstance(event._data, Mapping) else {}
        act, key, value = (str(data.get(name) or "") for name in ("act", "key", "value"))
        if act in TEACH and folder_of(shell, request, run_id) and corpus_search.lacking(shell, request, run_id):
            gr.Warning(say(shell.lang(request), "corpus.search.needs"), duration=8)
            return [*[gr.skip()] * len(view.drawn), gr.update(visible=True), *[gr.skip()] * len(box.stands)]
        made = pressed(shell, view, request, run_id, text, (act, key, value))
        now = text if act == "step" else made[0]
        return [*made, gr.skip(), *corpus_search.stand(now, run_id, corpus_search.key_of(text, run_id))]

    def search(kind: str, words: str, least: float | None, run_id: str, text: str, request: gr.Request) -> list[Any]:
        opened = corpus(shell, view, request, run_id)
        state = corpus_state.searched(_state(text, run_id), corpus_state.query_of(kind, words, least))
        return [*_all(opened, state, shell.lang(request), PARTS), corpus_search.key_of(state.text, run_id)]

    def choose(names: list[str], run_id: str, text: str, request: gr.Request) -> list[Any]:
        state = replace(_state(text, run_id), charts=tuple(names or ()))
        return _all(corpus(shell, view, request, run_id), state, shell.lang(request), ("charts",))

    def look(run_id: str, text: str, bar: str, rules: str, charts: str, table: str, reader: str,
             request: gr.Request) -> Any:
        return tick(shell, view, request, run_id, text, (bar, rules, charts, table, reader))
    box = view.search
    for name in PARTS:
        corpus_turns.pressed(view.parts[name], shell.guard(press), held, [*view.drawn, box.make, *box.stands])
    corpus_turns.in_turn([box.go.click, box.text.submit], shell.guard(search), [box.kind, box.text, box.least, *held],
                         [*view.drawn, box.applied])
    corpus_turns.in_turn([view.charts.input], shell.guard(choose), [view.charts, *held], view.drawn)
    shell.on_poll(look, [*held, *view.keys], view.drawn, every=0.4)
    shell.keep_state("corpus", view.state)
    corpus_search.wire(shell, box, desk, view.state)
    corpus_take.wire(shell, view.take, view.shelf, view.state, desk, elsewhere)
    _wire_corpus(shell, view, desk)


def _wire_corpus(shell: Shell, view: Inspect, desk: Desk) -> None:
    """Follow the run that is looked at, the sample while it is made, and what other views ask for."""
    box = view.search

    def follow(run_id: str, text: str, applied: str, request: gr.Request) -> list[Any]:
        shown = [*corpus_search.stand(text, run_id, applied), gr.update(visible=not run_id),
                 gr.update(visible=bool(run_id))]
        if not run_id:
            return [*shown, gr.skip()]
        opened, lang = corpus(shell, view, request, run_id), shell.lang(request)
        names = corpus_draw.shown_columns(opened, _state(text, run_id))
        return [*shown, gr.update(choices=corpus_draw.offered_columns(opened, lang), value=names)]

    def begin(request: gr.Request) -> str:
        return corpus_filter_form.make(shell, request, corpus_filter_form.EXAMPLE)

    def wait(waiting: str, request: gr.Request) -> Any:
        return awaited(shell, waiting, request)

    def ask(asked: str, run_id: str, text: str) -> tuple[str, str]:
        return answered(asked, run_id, text), ""
    gr.on(None, shell.guard(follow), [desk.corpus, view.state, box.applied],
          [*box.stands, view.hint, view.body, view.charts], **LATEST)
    view.example.click(shell.guard(begin), None, [view.waiting], **QUEUED)
    shell.on_poll(wait, [view.waiting], [view.waiting, desk.corpus, view.status], every=0.5)
    corpus_turns.in_turn([desk.asked.change], shell.guard(ask), [desk.asked, desk.corpus, view.state],
                         [view.state, desk.asked])


def corpus(shell: Shell, view: Inspect, request: gr.Request, run_id: str) -> Corpus:
    """The opened corpus with its index of meaning, where there is one."""
    return corpus_of(shell, view.shelf, request, run_id)


def _state(text: str, run_id: str) -> State:
    """The state of the note; a fresh one when nobody can read it."""
    try:
        return corpus_state.read(text, run_id)
    except UserError:
        return State(run_id)


def keys_of(state: State, lang: str) -> dict[str, str]:
    """What is drawn in every part when this state is shown: a digest of what that part hangs on."""
    bare = State(state.of, state.selection)
    hang = {"bar": bare, "rules": bare, "charts": replace(bare, charts=state.charts),
            "table": replace(state, charts=()), "reader": replace(bare, opened=state.opened)}
    return {name: _digest(lang, state.of, hang[name].text) for name in PARTS}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def pressed(shell: Shell, view: Inspect, request: gr.Request, run_id: str, text: str,
            event: tuple[str, str, str]) -> list[Any]:
    """The parts after a press. Raises ``UserError`` for a press that the corpus cannot answer."""
    act, key, value = event
    opened, state = corpus(shell, view, request, run_id), _state(text, run_id)
    if act == "step":
        found = corpus_reader.stepped(opened, state, 1 if value == "1" else -1)
        if found is None:
            return [gr.skip()] * len(view.drawn)
        state = replace(state, opened=found[0], offset=found[1])
    elif act in TEACH:
        state = corpus_state.taught(state, act, int(key) if key.isdecimal() else 0)
    else:
        state = corpus_state.changed(state, act, key, value)
    return _all(opened, state, shell.lang(request), ONLY.get(act, PARTS))


def _all(opened: Corpus, state: State, lang: str, parts: Sequence[str]) -> list[Any]:
    """Values of :attr:`Inspect.drawn` with these parts drawn."""
    return [state.text, *_told(draw(opened, state, lang, parts), keys_of(state, lang))]


def _told(made: Mapping[str, str], keys: Mapping[str, str]) -> list[Any]:
    """The parts that were made with what is drawn in them; the others and theirs stay."""
    return [*(made.get(name, gr.skip()) for name in PARTS),
            *(keys[name] if name in made else gr.skip() for name in PARTS)]


def draw(opened: Corpus, state: State, lang: str, parts: Sequence[str] = PARTS) -> dict[str, str]:
    """HTML of these parts."""
    makers = {"bar": corpus_draw.bar, "rules": corpus_draw.rules, "charts": corpus_draw.charts,
              "table": corpus_reader.listing, "reader": corpus_reader.document}
    return {name: makers[name](opened, state, lang) for name in PARTS if name in parts}


def tick(shell: Shell, view: Inspect, request: gr.Request, run_id: str, text: str, sent: Sequence[str]) -> Any:
    """Draw the parts in which something else is drawn than should be (``sent``, in the order of the parts); an address
    that cannot be read is told once."""
    lang = shell.lang(request)
    wrong = "! " + _digest(lang, run_id, text)
    if not run_id or all(key == wrong for key in sent):
        return gr.skip()
    try:
        state = corpus_state.read(text, run_id)
        keys = keys_of(state, lang)
        stale = [name for name, key in zip(PARTS, sent, strict=True) if key not in (keys[name], wrong)]
        if not stale and state.text == text:
            return gr.skip()
        made = draw(corpus(shell, view, request, run_id), state, lang, stale)
    except UserError as error:
        words = esc(say(lang, "corpus.chip.clear"))
        clear = element("button", words, type="button", class_="wb-link", data_act="clear")
        told = element("p", esc(error) + " " + clear, class_="co co-wrong", role="alert")
        return [gr.skip(), *_told({**dict.fromkeys(PARTS, ""), "bar": told}, dict.fromkeys(PARTS, wrong))]
    return [gr.skip() if state.text == text else state.text, *_told(made, keys)]


def awaited(shell: Shell, waiting: str, request: gr.Request) -> Any:
    """What the sample's run says now; when it is done it is what is looked at."""
    if not waiting:
        return gr.skip()
    run, lang = shell.service.run(shell.visitor(request), waiting), shell.lang(request)
    if run.status == "succeeded":
        return "", waiting, ""
    if run.status in TERMINAL:
        cause = str((run.failure or {}).get("cause", "")) or say(lang, f"status.{run.status}")
        return "", gr.skip(), element("p", esc(cause), class_="co co-wrong", role="alert")
    words = say(lang, "corpus.head.working", message=run.message or say(lang, "corpus.head.starting"))
    return gr.skip(), gr.skip(), element("p", esc(words), class_="co co-dim", role="status")


def answered(asked: str, run_id: str, text: str) -> str:
    """The state that another view asks for: ``place=17`` opens a document, parts of a selection replace the filter.

    Without a wish the state stays as it is."""
    if not asked:
        return text
    state = _state(text, run_id)
    parts = dict(part.split("=", 1) for part in asked.split("&") if "=" in part)
    place = parts.pop("place", "")
    if parts:
        state = replace(corpus_state.read(asked, run_id), charts=state.charts)
    elif state.selection == Selection():
        state = replace(state, offset=0)
    return replace(state, opened=int(place) if place.isdecimal() else state.opened).text

"""Duplicates: clusters of near-duplicates, their members side by side, and which of them are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.corpus_desk import corpus_of
from panels.corpus_label_desk import Say, may_write, note
from panels.dialogue_form import pane
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUEUED, Shell
from workbench.widgets import corpus_clusters as shown
from workbench.widgets.corpus_labelling import PRESS
from workbench.widgets.markup import element, esc

if TYPE_CHECKING:
    from backends.mdfg.explore.clusters import Opened
    from backends.mdfg.explore.corpus import Corpus
    from backends.mdfg.explore.decisions import Decision

PAGE = 50
DIGITS = 15
"""Longest number that is read from a note of the page."""
SORTS = ("size", "number", "length")
DECISIONS = ("accept", "all", "none", "keep")


@dataclass(frozen=True)
class Duplicates:
    """The components. ``opened`` is the number of the cluster that is shown, ``other`` the member beside the best."""

    shelf: Any
    corpus: gr.Textbox
    sort: gr.Dropdown
    least: gr.Number
    whole: gr.Checkbox
    notes: Mapping[str, gr.Textbox]
    buttons: Mapping[str, gr.Button]
    html: Mapping[str, gr.HTML]

    @property
    def inputs(self) -> list[Any]:
        """Run, order, least size, whole texts, first row, opened cluster, compared member."""
        return [self.corpus, self.sort, self.least, self.whole, *self.notes.values()]

    @property
    def drawn(self) -> list[Any]:
        """What an answer fills, in the order of :func:`looks`."""
        return [*self.html.values(), *self.notes.values()]


@dataclass(frozen=True)
class Asked:
    """What the page wants to see."""

    run: str
    sort: Any = "size"
    least: int = 2
    whole: bool = False
    first: int = 0
    opened: int = -1
    other: int = -1


def lay_out(shell: Shell, shelf: Any, corpus: gr.Textbox) -> Duplicates:
    """Make the components of the view."""
    html = {"head": pane()}
    with gr.Row(elem_classes="cl-setup"):
        sort = gr.Dropdown([(shell.label(f"label.clusters.sort.{name}"), name) for name in SORTS], value="size",
                           filterable=False, label=shell.label("label.clusters.sort"))
        least = gr.Number(2, minimum=2, precision=0, label=shell.label("label.clusters.least"))
        whole = gr.Checkbox(False, label=shell.label("label.diff.whole"))
    with gr.Row(elem_classes="cl-split cl-two"):
        with gr.Column(min_width=260, elem_classes="cl-narrow"):
            html["list"] = pane(PRESS)
            with gr.Row(elem_classes="dt-controls"):
                buttons = {name: gr.Button(shell.label(f"dialogue.library.{name}"), size="sm")
                           for name in ("back", "on")}
        with gr.Column(min_width=300):
            html |= {"members": pane(PRESS), "sides": pane()}
    notes = {"first": shell.note("0"), "opened": shell.note(""), "other": shell.note("")}
    return Duplicates(shelf, corpus, sort, least, whole, notes, buttons, html)


def asked_of(values: tuple[Any, ...]) -> Asked:
    """The values of :attr:`Duplicates.inputs`, whatever the page sent."""
    run, sort, least, whole, first, opened, other = values
    numbers = [int(text) if str(text or "").isdecimal() and len(str(text)) <= DIGITS else -1
               for text in (first, opened, other)]
    return Asked(str(run or ""), sort if sort in SORTS else "size", max(2, int(least or 2)), bool(whole),
                 max(0, numbers[0]), numbers[1], numbers[2])


def wire(shell: Shell, view: Duplicates, tab: gr.Tab) -> None:
    """Connect the list, the members and the decisions."""
    def draw(request: gr.Request, *values: Any) -> list[Any]:
        return looks(shell, view, request, asked_of(values))

    def again(request: gr.Request, *values: Any) -> list[Any]:
        return looks(shell, view, request, asked_of((*values[:4], "0", "", "")))

    def back(request: gr.Request, *values: Any) -> list[Any]:
        return turned(shell, view, request, values, -PAGE)

    def on(request: gr.Request, *values: Any) -> list[Any]:
        return turned(shell, view, request, values, PAGE)

    def press(request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        act, key, turn = (str(event._data.get(name) or "") for name in ("act", "key", "turn"))
        if act == "open":
            return looks(shell, view, request, asked_of((*values[:5], key, "")))
        if act == "compare":
            return looks(shell, view, request, asked_of((*values[:6], key)))
        asked = asked_of(values)
        if act in DECISIONS and turn.isdecimal():
            decide(shell, view, request, asked.run, act, int(turn), key)
        return looks(shell, view, request, asked)
    gr.on([tab.select, view.whole.change], shell.guard(draw), view.inputs, view.drawn, **LATEST)
    gr.on([view.corpus.change, view.sort.change, view.least.change], shell.guard(again), view.inputs, view.drawn,
          **LATEST)
    for name in ("list", "members"):
        view.html[name].select(shell.guard(press), view.inputs, view.drawn, **QUEUED)
    for name, handler in (("back", back), ("on", on)):
        view.buttons[name].click(shell.guard(handler), view.inputs, view.drawn, **QUEUED)


def turned(shell: Shell, view: Duplicates, request: gr.Request, values: tuple[Any, ...], step: int) -> list[Any]:
    """The page of the list before or after."""
    first = max(0, asked_of(values).first + step)
    return looks(shell, view, request, asked_of((*values[:4], str(first), "", "")))


def looks(shell: Shell, view: Duplicates, request: gr.Request, asked: Asked) -> list[Any]:
    """Head, list, members, comparison; then the notes as they are now."""
    from backends.mdfg.explore import decisions
    from backends.mdfg.explore.clusters import clusters, open_cluster

    say = partial(shell.t, shell.lang(request))
    empty = ["0", "", ""]
    if not asked.run:
        return [note(say("corpus.choose_first")), "", "", "", *empty]
    try:
        corpus = corpus_of(shell, view.shelf, request, asked.run)
    except UserError as error:
        return [note(str(error)), "", "", "", *empty]
    if corpus.recipe.near.mode == "off":
        return [note(say("label.clusters.off")), "", "", "", *empty]
    found = clusters(corpus, asked.least, asked.sort, asked.first, PAGE)
    first = asked.first
    if not found.rows and found.shown:
        first = (found.shown - 1) // PAGE * PAGE
        found = clusters(corpus, asked.least, asked.sort, first, PAGE)
    decided = decisions.decisions(corpus.commands())
    number = asked.opened if asked.opened >= 0 else found.rows[0].number if found.rows else -1
    opened = open_cluster(corpus, number) if number >= 0 else None
    other = beside(opened, asked.other) if opened else -1
    rows = [shown.Row(row.number, row.size, row.kept, row.passing, row.longest,
                      decision(decided.get(row.number), row.size, say)) for row in found.rows]
    return [head(corpus, found, first, decided, say), shown.clusters(rows, number, say),
            members(opened, decided.get(number), other, say) if opened else "",
            comparison(corpus, opened, other, asked.whole, say) if opened else "",
            str(first), str(number) if number >= 0 else "", str(other) if other >= 0 else ""]


def beside(opened: Opened, asked: int) -> int:
    """The member to show beside the kept one: the asked one where it is in the cluster, else the first other."""
    places = [member.place for member in opened.members[1:]]
    return asked if asked in places else next(iter(places), -1)


def head(corpus: Corpus, found: Any, first: int, decided: Mapping[int, Decision], say: Say) -> str:
    """How many clusters of how many, the policy, and what decisions change."""
    from backends.mdfg.explore.decisions import changed

    near = corpus.recipe.near
    count = say("label.clusters.count", first=min(first + 1, found.shown), last=first + len(found.rows),
                shown=f"{found.shown:,}", total=f"{found.total:,}", documents=f"{found.documents:,}",
                corpus=f"{corpus.total:,}")
    policy = say(f"label.clusters.policy.{near.keep}", similarity=f"{near.similarity:g}",
                 mode=say(f"label.clusters.mode.{near.mode}"))
    lines = [count, policy]
    if decided:
        effect = changed(corpus, decided)
        lines.append(say("label.clusters.effect", decided=effect.decided, documents=effect.documents,
                         stays=len(effect.stays), goes=len(effect.goes))
                     + (" " + say("label.clusters.blocked", count=len(effect.blocked)) if effect.blocked else ""))
    inner = "".join(element("p", esc(line)) for line in lines)
    return f'<div class="dt cl-about" role="status">{inner}</div>'


def decision(made: Decision | None, size: int, say: Say) -> str:
    """What was decided about a cluster, in words; empty where nothing was."""
    return "" if made is None else say("label.clusters.decided", keep=len(made.keep), size=size)


def members(opened: Opened, made: Decision | None, other: int, say: Say) -> str:
    """The members of the opened cluster with a box for each."""
    from backends.mdfg.explore.clusters import COMPARED

    rows = [shown.MemberRow(
        one.place, one.title or f"{one.place}", one.source, one.length, one.quality, one.passes, one.kept, one.best,
        one.best if made is None else one.place in made.keep, one.jaccard, one.estimate, one.snippet)
        for one in opened.members]
    why = say(f"label.clusters.why.{opened.why}")
    if made is not None:
        by = say("label.clusters.by", name=made.by) if made.by else ""
        why = f"{decision(made, opened.cluster.size, say)}{by} · {why}"
    if opened.cut:
        why += " " + say("label.clusters.cut", count=opened.cut, most=f"{COMPARED:,}")
    return shown.members(opened.cluster.number, rows, other, why, opened.cluster.size - len(rows), say)


def comparison(corpus: Corpus, opened: Opened, other: int, whole: bool, say: Say) -> str:
    """The kept member and another one side by side."""
    from backends.mdfg.explore.clusters import compare
    from backends.mdfg.explore.diff import folded

    if other < 0:
        return ""
    best = opened.members[0].place
    found = compare(corpus, best, other)
    pieces = found.pieces if whole else folded(found.pieces)
    note = say("label.diff.equal") if not found.removed + found.added else say(
        "label.diff.counts", removed=f"{found.removed:,}", added=f"{found.added:,}")
    note += "" if found.exact else " " + say("label.diff.lines")
    note += " " + say("label.diff.cut", count=f"{found.cut:,}") if found.cut else ""
    names = {one.place: one.title or f"{one.place}" for one in opened.members}
    titles = (say("label.diff.kept", name=names[best]), say("label.diff.other", name=names.get(other, str(other))))
    return shown.side_by_side([(piece.sort, piece.text, piece.length) for piece in clipped(pieces)], titles, note, say)


def clipped(pieces: Any, most: int = 30_000) -> list[Any]:
    """Pieces of at most so many characters in all, so that a page stays small; the rest is one gap."""
    from backends.mdfg.explore.diff import Piece

    kept: list[Any] = []
    left = most
    for place, piece in enumerate(pieces):
        if piece.length > left and piece.sort != "left out":
            rest = sum(one.length for one in pieces[place:])
            return [*kept, Piece(piece.sort, piece.text[:left], left), Piece("left out", "", rest - left)]
        kept.append(piece)
        left -= 0 if piece.sort == "left out" else piece.length
    return kept


def decide(shell: Shell, view: Duplicates, request: gr.Request, run_id: str, act: str, number: int, key: str) -> None:
    """Give the run a decision on a cluster: as the run has it, all, none, or the chosen members.

    Raises ``UserError`` for a run of somebody else, or a place that is no member."""
    from backends.mdfg.explore import decisions

    may_write(shell, request, run_id)
    corpus = corpus_of(shell, view.shelf, request, run_id)
    places = [int(part) for part in key.split("|") if part.isdecimal()]
    commands: Mapping[str, Any] = {"accept": lambda: decisions.undo(number),
                                   "all": lambda: decisions.accept_all(corpus, number),
                                   "none": lambda: decisions.reject_all(corpus, number),
                                   "keep": lambda: decisions.decide(corpus, number, places)}
    command: Mapping[str, Json] = commands[act]()
    shell.service.command(shell.visitor(request), run_id, command)

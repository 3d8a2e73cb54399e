"""Label documents: a queue that says why each is there, answers by number keys, undo, and labels as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from panels.corpus_label_desk import LabelDesk, Say, Work, at_work, may_write, value_name, values_name
from panels.dialogue_form import pane
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets.corpus_labelling import PRESS, Card, card, done, history, track

if TYPE_CHECKING:
    from backends.mdfg.explore.labels import Label
    from backends.mdfg.explore.queue import Ask, Item, Queue

KINDS = ("bins", "uncertain", "toxic", "random")
BINS = (1, 2, 5, 10)
"""Numbers of score bins to draw from (``strata.DRAWN``)."""
LAST = 8
MOST_SKIPPED = 200
Shown = tuple[str, str, str]


@dataclass(frozen=True)
class Labelling:
    """The components. ``skipped`` are places that this person put off, as numbers with spaces between them."""

    fields: Mapping[str, Component]
    skipped: gr.Textbox
    html: Mapping[str, gr.HTML]

    def inputs(self, desk: LabelDesk) -> list[Component]:
        """Run, dimension, documents; the fields; what was skipped."""
        return [*desk.inputs, *self.fields.values(), self.skipped]


def lay_out(shell: Shell) -> Labelling:
    """Make the components."""
    put: dict[str, Component] = {}
    with gr.Row(elem_classes="cl-setup"):
        put["by"] = gr.Dropdown([], value="", allow_custom_value=True, label=shell.label("label.by"),
                                info=shell.label("label.by.help"))
        put["kind"] = gr.Dropdown([(shell.label(f"label.queue.{kind}"), kind) for kind in KINDS], value="bins",
                                  filterable=False, label=shell.label("label.queue"),
                                  info=shell.label("label.queue.help"))
        put["blind"] = gr.Checkbox(True, label=shell.label("label.blind"), info=shell.label("label.blind.help"))
    with gr.Accordion(shell.label("label.more"), open=False, elem_classes="wb-group"), gr.Row(elem_classes="dt-knobs"):
        for name, value, least, most in (("size", 100, 1, 10_000), ("people", 2, 1, 20), ("bins", 10, 1, 10),
                                         ("seed", 0, 0, 2**31 - 1)):
            said: dict[str, Any] = {"label": shell.label(f"label.{name}"), "info": shell.label(f"label.{name}.help"),
                                    "value": value, "min_width": 120}
            put[name] = (gr.Dropdown([(str(count), count) for count in BINS], filterable=False, **said)
                         if name == "bins" else gr.Number(minimum=least, maximum=most, precision=0, **said))
        put["threshold"] = gr.Number(0.5, minimum=0, maximum=1, step=0.01, label=shell.label("label.threshold"),
                                     info=shell.label("label.threshold.help"), min_width=120)
    html = {"track": pane()}
    with gr.Row(elem_classes="cl-split"):
        with gr.Column(scale=3, min_width=300):
            html["card"] = pane(PRESS)
            put["note"] = gr.Textbox("", max_lines=3, max_length=2000, label=shell.label("label.note"))
        with gr.Column(scale=1, min_width=260):
            html["history"] = pane()
    return Labelling(put, shell.note(""), html)


def wire(shell: Shell, view: Labelling, desk: LabelDesk, tabs: Sequence[gr.Tab]) -> None:
    """Connect the settings, the answers and the keys."""
    inputs, drawn = view.inputs(desk), [view.html[name] for name in ("track", "card", "history")]
    place = {name: number for number, name in enumerate(("corpus", "what", "show", *view.fields, "skipped"))}

    def values_of(values: Sequence[Json]) -> dict[str, Json]:
        return {name: values[number] for name, number in place.items()}

    def draw(request: gr.Request, *values: Json) -> list[Any]:
        return looks(shell, desk, request, values_of(values))

    def press(request: gr.Request, event: gr.EventData, *values: Json) -> list[Any]:
        held = values_of(values)
        act, key, turn = (str(event._data.get(name) or "") for name in ("act", "key", "turn"))
        skipped = answer(shell, desk, request, held, (act, key, turn))
        changed = f"{turn}.{act}.{key}.{len(skipped)}" if act in ("label", "undo") else gr.skip()
        return [*looks(shell, desk, request, {**held, "skipped": skipped}), skipped,
                "" if act == "label" else gr.skip(), changed]

    def people(run_id: str, what: str, show: str, request: gr.Request) -> Any:
        return gr.update(choices=names(shell, desk, request, run_id, what, show))
    settings = [desk.what, desk.show, *(view.fields[name] for name in view.fields if name != "note")]
    gr.on([*(tab.select for tab in tabs), desk.corpus.change, *(one.change for one in settings)], shell.guard(draw),
          inputs, drawn, **LATEST)
    view.html["card"].select(shell.guard(press), inputs, [*drawn, view.skipped, view.fields["note"], desk.changed],
                             **QUEUED)
    view.fields["by"].focus(people, desk.inputs, [view.fields["by"]], **QUICK)


def names(shell: Shell, desk: LabelDesk, request: gr.Request, run_id: str, what: str, show: str) -> list[str]:
    """Who has labelled this dimension so far; nobody where the corpus cannot be read."""
    try:
        return list(at_work(shell, desk, request, run_id, what, show).labels.annotators(what))
    except UserError:
        return []


def ask_of(held: Mapping[str, Json]) -> Ask:
    """The queue that the settings ask for; an emptied number is its default. Raises ``UserError`` out of bounds."""
    from backends.mdfg.explore.queue import Ask

    numbers: dict[str, Any] = {name: int(held[name]) for name in ("size", "people", "bins", "seed")
                               if held.get(name) is not None}
    if held.get("threshold") is not None:
        numbers["threshold"] = float(held["threshold"])
    return Ask(kind=held["kind"], what=str(held["what"]), by=person(held), **numbers)


def person(held: Mapping[str, Json]) -> str:
    """The annotator's name as it is counted."""
    return " ".join(str(held.get("by") or "").split())[:60]


def looks(shell: Shell, desk: LabelDesk, request: gr.Request, held: Mapping[str, Json]) -> list[str]:
    """Progress, the next document and the last labels."""
    from backends.mdfg.explore.queue import queue

    say = partial(shell.t, shell.lang(request))
    if not held["corpus"]:
        return ["", done(say("corpus.choose_first"), say), ""]
    try:
        work = at_work(shell, desk, request, str(held["corpus"]), str(held["what"]), str(held["show"]))
        ask = ask_of(held)
        found = queue(work.population, work.labels, ask)
    except UserError as error:
        return ["", done(str(error), say), ""]
    item = first(found, str(held["skipped"]))
    shown = done(say("label.done", drawn=found.drawn), say) if item is None else card(
        card_of(work, item, ask, bool(held["blind"]), say), say)
    return [track(found.drawn, found.done, found.complete, say), shown, last_labels(work, ask.by, say)]


def first(found: Queue, skipped: str) -> Item | None:
    """The next document: the first that was not put off, else the one that was put off longest ago."""
    order = [int(part) for part in skipped.split() if part.isdecimal()]
    waiting = [item for item in found.items if item.place not in order]
    if waiting or not found.items:
        return next(iter(waiting), None)
    return min(found.items, key=lambda item: order.index(item.place))


def card_of(work: Work, item: Item, ask: Ask, blind: bool, say: Say) -> Card:
    """What is shown of a document; scores and the automatic label only where they are not hidden."""
    from backends.mdfg.explore.scored import said

    document = work.corpus.texts([item.place])[0]
    kind, numbers = item.why
    key = f"label.why.{kind}" + (".blind" if blind and kind in ("bins", "uncertain", "toxic") else "")
    written = {name: f"{value:.3g}" if isinstance(value, float) else f"{value:,}" for name, value in numbers.items()}
    automatic = "" if blind else said(work.corpus, [item.place], ask.what).get(item.place, "")
    answers = tuple((value, value_name(ask.what, value, say)) for value in work.scale.values)
    return Card(item.place, document.title, say(key, **written), document.text, answers, not work.scale.positive,
                value_name(ask.what, automatic, say) if automatic else "")


def last_labels(work: Work, by: str, say: Say) -> str:
    """The newest labels of a person with the beginnings of the texts."""
    if not by:
        return ""
    mine = [label for label in reversed(work.labels.current)
            if label.by == by and label.place < work.corpus.total][:LAST]
    texts = {one.place: one.text for one in work.corpus.texts([label.place for label in mine])}
    return history([(label.place, say(f"label.what.{label.what}"), values_name(label.what, label.values, say),
                     " ".join(texts[label.place][:60].split())) for label in mine], say)


def answer(shell: Shell, desk: LabelDesk, request: gr.Request, held: Mapping[str, Json], press: Shown) -> str:
    """Do what was pressed; the places that are put off afterwards. Raises ``UserError`` without a name or a document,
    for a run of somebody else, and for an answer that the dimension does not know."""
    from backends.mdfg.explore.labels import undo_of

    act, key, turn = press
    say = partial(shell.t, shell.lang(request))
    run_id, skipped = str(held["corpus"]), str(held["skipped"]).split()
    if act == "skip":
        return " ".join([*(place for place in skipped if place != turn), turn][-MOST_SKIPPED:])
    by = person(held)
    if not by:
        raise UserError(say("label.no_name"))
    may_write(shell, request, run_id)
    visitor = shell.visitor(request)
    work = at_work(shell, desk, request, run_id, str(held["what"]), str(held["show"]))
    if act == "undo":
        newest = work.labels.last(by)
        if newest is None:
            raise UserError(say("label.nothing_to_undo", name=by))
        shell.service.command(visitor, run_id, undo_of(newest))
    elif act == "label" and turn.isdecimal():
        given = label_of(work, held, ask_of(held), key, int(turn))
        if given is not None:
            from backends.mdfg.explore.labels import command_of

            shell.service.command(visitor, run_id, command_of(given))
    return " ".join(place for place in skipped if place != turn)


def label_of(work: Work, held: Mapping[str, Json], ask: Ask, value: str, place: int) -> Label | None:
    """The label to give; ``None`` for a document that is not in this person's queue (any more), so that a page cannot
    pass off a document of its own choice as drawn."""
    from backends.mdfg.explore.labels import Label, checked
    from backends.mdfg.explore.queue import queue
    from backends.mdfg.explore.scored import said

    found = queue(work.population, work.labels, ask)
    if all(item.place != place for item in found.items):
        return None
    document = work.corpus.texts([place])[0]
    automatic = "" if held["blind"] else said(work.corpus, [place], ask.what).get(place, "")
    label = Label(place, document.id, ask.what, value, ask.by, str(held.get("note") or "")[:2000], ask.kind,
                  found.within, automatic)
    return checked(label, work.scale)

"""Library: browse the dialogues of every run one may read, read one, export a selection, bring one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.reviews import QUARANTINED
from panels import dialogue_branch
from panels import dialogue_cases as cases
from panels import dialogue_exchange as exchange
from panels import dialogue_shelf as shelf
from panels.dialogue_form import pane
from workbench.contract import Json
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.widgets import dialogue_table, outcome, quality, transcript
from workbench.widgets.casepicker import PRESS

FILTERS = ("problem", "strategy", "stop_reason", "language", "status", "text", "run")


@dataclass(frozen=True)
class Library:
    """The components of the view: filters by the names of :class:`shelf.Filter`, notes, and what is drawn."""

    filters: dict[str, Component]
    notes: dict[str, gr.Textbox]
    table: gr.HTML
    count: gr.HTML
    reader: dict[str, gr.HTML]
    buttons: dict[str, Any]
    layout: gr.Radio
    which: gr.Radio
    file: gr.File
    importing: gr.Textbox
    imported: gr.HTML
    fork: dialogue_branch.Fork
    state: list[Component] = field(default_factory=list)

    @property
    def inputs(self) -> list[Component]:
        """Filters, then page, ticked keys and the opened key."""
        return [*self.filters.values(), *self.notes.values()]


def lay_out(shell: Shell) -> Library:
    """Make the components of the view."""
    with gr.Row(elem_classes="dt-filters"):
        filters = _filters(shell)
    notes = {"page": shell.note("0"), "picked": shell.note("[]"), "opened": shell.note("")}
    table = pane(PRESS)
    buttons: dict[str, Any] = {}
    with gr.Row(elem_classes="dt-controls"):
        buttons["back"] = gr.Button(shell.label("dialogue.library.back"), size="sm")
        buttons["on"] = gr.Button(shell.label("dialogue.library.on"), size="sm")
        count = pane()
        buttons["refresh"] = gr.Button(shell.label("dialogue.library.refresh"), size="sm")
    with gr.Row(elem_classes="dt-controls"):
        layout = gr.Radio([(shell.label(f"dialogue.export.{name}"), name) for name in exchange.LAYOUTS],
                          value="jsonl", show_label=False, container=False, elem_classes="dt-row")
        which = gr.Radio([(shell.label(f"pipeline.which.{name}"), name) for name in exchange.WHICH], value="accepted",
                         show_label=False, container=False, elem_classes="dt-row")
        buttons["export"] = gr.Button(shell.label("dialogue.export"), size="sm")
        buttons["import"] = gr.UploadButton(shell.label("pipeline.import"), size="sm", file_types=list(exchange.TAKEN))
    file = gr.File(visible=False, label=shell.label("dialogue.export.file"), interactive=False)
    importing, imported = shell.note(""), pane()
    with gr.Row(elem_classes="dt-split"):
        with gr.Column(scale=0, min_width=300, elem_classes="dt-side"):
            case = pane()
        with gr.Column(elem_classes="dt-main"):
            report = pane()
            with gr.Row(elem_classes="dt-controls"):
                for decision in ("accept", "reject"):
                    buttons[decision] = gr.Button(shell.label(f"quality.{decision}"), size="sm", visible=False)
            text = pane(PRESS)
            fork = dialogue_branch.lay_out(shell)
    return Library(filters, notes, table, count, {"case": case, "text": text, "report": report}, buttons, layout, which,
                   file, importing, imported, fork)


def _filters(shell: Shell) -> dict[str, Component]:
    every = (shell.label("dialogue.library.all"), "")
    stops = [(shell.label(f"dialogue.stop.{reason}"), reason) for reason in (*outcome.STOP_REASONS, "running")]
    choices: Mapping[str, Sequence[tuple[str, str]]] = {
        "problem": [], "strategy": [], "stop_reason": stops, "language": [("English", "en"), ("中文", "zh")],
        "status": [(shell.label(f"quality.status.{name}"), name) for name in (*quality.STATUSES, shelf.UNJUDGED)]}
    filters: dict[str, Component] = {
        name: gr.Dropdown([every, *options], value="", label=shell.label(f"dialogue.library.filter.{name}"),
                          min_width=150) for name, options in choices.items()}
    filters["text"] = gr.Textbox("", label=shell.label("dialogue.library.filter.text"), min_width=150, max_lines=1)
    filters["run"] = gr.Textbox("", label=shell.label("dialogue.library.filter.run"), min_width=150, max_lines=1)
    return filters


def wire(shell: Shell, library: Library, tab: gr.Tab) -> None:
    """Draw the list when the view is opened, a filter changes or a page is turned; answer its rows."""
    drawn = [library.table, library.count, library.notes["page"]]

    def draw(request: gr.Request, *values: str) -> Any:
        return _draw(shell, request, list(values), step=0)

    def fresh(request: gr.Request, *values: str) -> Any:
        return _draw(shell, request, [*values[:len(FILTERS)], "0", *values[len(FILTERS) + 1:]], step=0)

    def back(request: gr.Request, *values: str) -> Any:
        return _draw(shell, request, list(values), step=-1)

    def on(request: gr.Request, *values: str) -> Any:
        return _draw(shell, request, list(values), step=1)

    def names(request: gr.Request) -> list[Any]:
        return _names(shell, shell.lang(request))
    gr.on(None, names, None, [library.filters["problem"], library.filters["strategy"]], **QUICK)
    gr.on([tab.select, library.buttons["refresh"].click], shell.guard(draw), library.inputs, drawn, **QUEUED)
    gr.on([component.change for component in library.filters.values()], shell.guard(fresh), library.inputs, drawn,
          **LATEST)
    library.buttons["back"].click(shell.guard(back), library.inputs, drawn, **QUEUED)
    library.buttons["on"].click(shell.guard(on), library.inputs, drawn, **QUEUED)
    _wire_rows(shell, library, drawn)
    exchange.wire(shell, library)


def _names(shell: Shell, lang: str) -> list[Any]:
    every = [(shell.t(lang, "dialogue.library.all"), "")]
    problems = [(name, key) for _, entries in cases.grouped(lang) for key, name, _ in entries]
    return [gr.update(choices=every + problems), gr.update(choices=every + cases.strategy_names(lang))]


def state_of(values: Sequence[str]) -> tuple[shelf.Filter, int, list[str], str]:
    """Filter, page, ticked keys and opened key out of the values of :attr:`Library.inputs`."""
    wanted = shelf.Filter(*(str(value or "").strip() for value in values[:len(FILTERS)]))
    number, picked, opened = values[len(FILTERS):]
    try:
        ticked = [str(key) for key in json.loads(picked or "[]")]
    except (ValueError, TypeError):
        ticked = []
    return wanted, int(number) if str(number).isdecimal() else 0, ticked, str(opened or "")


def _draw(shell: Shell, request: gr.Request, values: list[str], *, step: int) -> tuple[str, str, str]:
    lang, visitor = shell.lang(request), shell.visitor(request)
    wanted, number, picked, opened = state_of(values)
    number = max(0, number + step)
    rows, count = shelf.page(shell.service, visitor, wanted, lang, number)
    if not rows and number:
        number = max(0, (count - 1) // shelf.PAGE)
        rows, count = shelf.page(shell.service, visitor, wanted, lang, number)
    say = partial(shell.t, lang)
    first = number * shelf.PAGE
    words = say("dialogue.library.count", first=first + 1 if rows else 0, last=first + len(rows), count=count,
                picked=len(picked))
    return (dialogue_table.table(rows, picked, opened, say), f'<div class="dt dt-count" role="status">{words}</div>',
            str(number))


def _wire_rows(shell: Shell, library: Library, drawn: list[Any]) -> None:
    notes, reader = library.notes, library.reader
    deciders = [library.buttons["accept"], library.buttons["reject"]]
    shown = [reader["case"], reader["text"], reader["report"], *deciders]

    def press(request: gr.Request, event: gr.EventData, *values: str) -> list[Any]:
        key, action = str(event._data.get("key") or ""), event._data.get("act")
        picked, opened = state_of(values)[2:]
        if action == "pick":
            picked = [k for k in picked if k != key] if key in picked else [*picked, key]
            table = _draw(shell, request, [*values[:-2], json.dumps(picked), opened], step=0)
            return [*table, json.dumps(picked), gr.skip(), *[gr.skip()] * len(shown)]
        return [*_draw(shell, request, [*values[:-1], key], step=0), gr.skip(), key, *_reading(shell, request, key)]

    def deciding(decision: str) -> Callable[..., list[Any]]:
        def decided(request: gr.Request, *values: str) -> list[Any]:
            key = state_of(values)[3]
            shelf.decide(shell.service, shell.visitor(request), key, decision)
            return [*_draw(shell, request, list(values), step=0), *_reading(shell, request, key)]
        return shell.guard(decided)
    outputs = [*drawn, notes["picked"], notes["opened"], *shown]
    library.table.select(shell.guard(press), library.inputs, outputs, **QUEUED)
    for decision in ("accept", "reject"):
        library.buttons[decision].click(deciding(decision), library.inputs, [*drawn, *shown], **QUEUED)


def _reading(shell: Shell, request: gr.Request, key: str) -> list[Any]:
    """Case file, transcript, report and the two buttons for an opened dialogue."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    case, text = opened_dialogue(shell, visitor, key, lang)
    report, waits = checks(shell, visitor, key, lang)
    return [case, text, report, gr.update(visible=waits), gr.update(visible=waits)]


def checks(shell: Shell, visitor: str, key: str, lang: str) -> tuple[str, bool]:
    """What quality control says of a dialogue, and whether this visitor may decide on it."""
    dialogue = shelf.read(shell.service, visitor, key)
    run, path, _ = shelf.locate(shell.service, visitor, key)
    return quality.report(dialogue, partial(shell.t, lang)), path.name == QUARANTINED and run.owner == visitor


def opened_dialogue(shell: Shell, visitor: str, key: str, lang: str) -> tuple[str, str]:
    """Case file and transcript of one dialogue of the list."""
    dialogue: Mapping[str, Json] = shelf.read(shell.service, visitor, key)
    say = partial(shell.t, lang)
    link = shell.open_link("dialogue", key.partition("/")[0], say("dialogue.library.open_run"))
    head = f'<div class="dt dt-reading">{link}</div>'
    crisis = outcome.crisis_card(cases.crisis_resources(lang), say) if dialogue.get("stop_reason") == "safety" else ""
    text = transcript.transcript(dialogue, say, lang, tools=(dialogue_branch.ACT,))
    return dialogue_branch.case(key.partition("/")[0], dialogue, say, lang), "".join((
        head, text, outcome.ending(dialogue, say), crisis))

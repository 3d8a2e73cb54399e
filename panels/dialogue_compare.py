"""Compare: two to four branches of one origin, their shared part once, then turn by turn beside one another.

The page holds two notes: which family and which of its members are looked at, and how many turns are drawn. A timer
reads the members' files, so that branches can be watched while they are being played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from backends.sweetiechat.compare import MOST
from panels import dialogue_compared as compared
from panels import dialogue_family as family
from panels.dialogue_compared import Pick, picked
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import QUEUED, Shell
from workbench.widgets import branches
from workbench.widgets.casepicker import PRESS

PAIR = "sweetiechat.pair.v1"
PARTS = ("legend", "chart", "table", "trunk", "columns")


@dataclass(frozen=True)
class Compare:
    """The components of the view. ``pick`` notes family and members, ``cells`` how many turns are drawn."""

    pick: gr.Textbox
    sent: gr.Textbox
    cells: gr.Textbox
    pair: gr.Textbox
    hint: gr.Column
    body: gr.Column
    origin: gr.Dropdown
    members: gr.CheckboxGroup
    mark: gr.Checkbox
    html: Mapping[str, gr.HTML]
    example: gr.Button
    refresh: gr.Button
    question: gr.Textbox
    send: gr.Button

    @property
    def filled(self) -> list[Any]:
        """What :func:`fill` gives values for, in its order."""
        return [self.pick, self.origin, self.members, self.hint, self.body]


def lay_out(shell: Shell) -> Compare:
    """Make the components of the view."""
    pick, sent, cells, pair = (shell.note(value) for value in ("", "{}", str(branches.CELLS), ""))
    with gr.Column(visible=False, elem_classes="dt-hello-compare") as hint:
        gr.HTML(f'<p class="dt-hint">{shell.label("compare.empty")}</p>', apply_default_css=False,
                elem_classes="dt-pane")
        example = shell.example_button("compare.example")
    with gr.Column(visible=False, elem_classes="dt-compare") as body:
        with gr.Row(elem_classes="dt-controls dt-compare-pick"):
            origin = gr.Dropdown([], value=None, label=shell.label("compare.origin"), min_width=320, scale=4)
            refresh = gr.Button(shell.label("dialogue.library.refresh"), size="sm")
        members = gr.CheckboxGroup([], value=[], label=shell.label("compare.members"),
                                   info=shell.label("compare.members.help"), elem_classes="dt-members")
        html = {"legend": pane()}
        with gr.Row(elem_classes="dt-figures-row"):
            html["chart"], html["table"] = pane("", "dt-levels-pane"), pane("", "dt-measures-pane")
        html["trunk"] = pane()
        mark = gr.Checkbox(True, label=shell.label("compare.mark"), info=shell.label("compare.mark.help"))
        html["columns"] = pane(PRESS)
        with gr.Column(elem_classes="dt-desk"):
            gr.HTML(f'<div class="dt"><h3 class="dt-title">{shell.label("compare.send.title")}</h3>'
                    f'<p class="dt-hint">{shell.label("compare.send.help")}</p></div>', apply_default_css=False,
                    elem_classes="dt-pane")
            question = gr.Textbox("", max_lines=3, max_length=500, label=shell.label("compare.question"),
                                  placeholder=shell.label("compare.question.default"))
            send = gr.Button(shell.label("compare.send"), size="sm")
            shell.actions(pair)
    return Compare(pick, sent, cells, pair, hint, body, origin, members, mark, html, example, refresh, question, send)


def wire(shell: Shell, view: Compare, tab: gr.Tab) -> None:
    """Connect the choices, the timer, the example and the hand-over to human evaluation."""
    def fresh(pick: str, request: gr.Request) -> list[Any]:
        return fill(shell, request, picked(pick))

    def choose(origin: str, request: gr.Request) -> list[Any]:
        return [*fill(shell, request, Pick(origin or "")), str(branches.CELLS)]

    def tick(pick: str, keys: list[str], request: gr.Request) -> str:
        return chosen(shell, request, picked(pick).family, keys).note

    def begin(request: gr.Request) -> list[Any]:
        return fill(shell, request, compared.example(shell, request))

    def more(cells: str, event: gr.EventData) -> str:
        return str(int(cells or 0) + branches.CELLS) if event._data.get("act") == "more" else cells

    def give(pick: str, question: str, request: gr.Request) -> str:
        return send(shell, request, pick, question)

    def asked(run_id: str, pick: str, request: gr.Request) -> list[Any]:
        if not run_id or picked(pick).members:  # made here, of what is looked at
            return [gr.skip()] * len(view.filled)
        return opened(shell, request, run_id)

    def look(pick: str, mark: bool, cells: str, sent: str, request: gr.Request) -> Any:
        return looks(shell, request, pick, mark, cells, sent)
    gr.on([tab.select, view.refresh.click], shell.guard(fresh), [view.pick], view.filled, **QUEUED)
    view.origin.input(shell.guard(choose), [view.origin], [*view.filled, view.cells], **QUEUED)
    view.members.input(shell.guard(tick), [view.pick, view.members], [view.pick], **QUEUED)
    view.example.click(shell.guard(begin), None, view.filled, **QUEUED)
    view.html["columns"].select(shell.guard(more), [view.cells], [view.cells], **QUEUED)
    view.pair.change(shell.guard(asked), [view.pair, view.pick], view.filled, **QUEUED)
    view.send.click(shell.guard(give), [view.pick, view.question], [view.pair], **QUEUED)
    shell.on_poll(look, [view.pick, view.mark, view.cells, view.sent],
                  [*(view.html[name] for name in PARTS), view.sent], every=0.7)


def chosen(shell: Shell, request: gr.Request, key: str, keys: Sequence[str]) -> Pick:
    """The pick of these members, in the family's order. Raises ``UserError`` for more than fit side by side."""
    if len(keys) > MOST:
        raise UserError(f"{len(keys)} branches are chosen; at most {MOST} stand side by side.",
                        advice="Take one out first.")
    found = family.families(shell.service, shell.visitor(request))
    whole = next((one for one in found if one.key == key), None)
    members = tuple(member.key for member in whole.members if member.key in keys) if whole else ()
    return Pick(key, members, tuple(whole.letter(member) for member in members) if whole else ())


def fill(shell: Shell, request: gr.Request, pick: Pick) -> list[Any]:
    """The pick's note and the choices for it: every family, the members of the chosen one, those looked at.

    Without a choice the newest family is taken, and of a family its first and its newest member."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    say = partial(shell.t, lang)
    found = family.families(shell.service, visitor)
    whole = next((one for one in found if one.key == pick.family), found[0] if found else None)
    if whole is None:
        return [Pick().note, gr.update(choices=[], value=None), gr.update(choices=[], value=[]),
                gr.update(visible=True), gr.update(visible=False)]
    keys = [member.key for member in whole.members]
    wanted = [key for key in keys if key in pick.members]
    wanted = wanted if len(wanted) > 1 else [keys[0], *wanted] if wanted and wanted != keys[:1] else [keys[0], keys[-1]]
    now = Pick(whole.key, tuple(wanted), tuple(whole.letter(key) for key in wanted))
    labels = compared.labels_of(shell.service, visitor, whole, lang)
    return [now.note, gr.update(choices=[(family.title(one, lang, say), one.key) for one in found], value=whole.key),
            gr.update(choices=list(zip(family.names(whole, keys, lang, labels, say), keys, strict=True)),
                      value=wanted), gr.update(visible=False), gr.update(visible=True)]


def looks(shell: Shell, request: gr.Request, pick: str, mark: bool, cells: str, sent: str) -> Any:
    """One look at the chosen members: updates for what changed since ``sent``."""
    wanted = picked(pick)
    if not wanted.members:
        empty: dict[str, Json] = dict.fromkeys(PARTS, "")
        return changes_of(empty, sent, "", ())
    visitor, lang = shell.visitor(request), shell.lang(request)
    columns = compared.columns(shell, visitor, wanted, lang)
    count = int(cells) if str(cells).isdecimal() else branches.CELLS
    look = compared.look(columns, lang, partial(shell.t, lang), mark=bool(mark), cells=count)
    return changes_of(look, sent, wanted.family, ())


def send(shell: Shell, request: gr.Request, pick: str, question: str) -> str:
    """Make the run with the blind pairs of the chosen members; its id."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    say = partial(shell.t, lang)
    found = compared.columns(shell, visitor, picked(pick), lang)
    if len(found) < 2:
        raise UserError(say("compare.send.few"))
    for column in found:
        if column.run.status not in TERMINAL:
            raise UserError(say("compare.send.going", letter=column.branch.letter))
    references = [family.reference(column.key, column.run) for column in found]
    fields = {"branches": references, "question": (question or "").strip(),
              "labels": [f"{column.branch.letter}: {column.branch.changed}"[:200] for column in found]}
    return shell.service.submit(PAIR, fields, visitor=visitor, title=say("compare.send.run", count=len(found)),
                                parents=list(dict.fromkeys(column.run.id for column in found)))


def opened(shell: Shell, request: gr.Request, run_id: str) -> list[Any]:
    """The view for a run that was asked for: a pair, a branch, or an origin."""
    visitor = shell.visitor(request)
    run = shell.service.run(visitor, run_id)
    if run.task == PAIR:
        first = str(next(iter(run.fields.get("branches") or ()), "")).removeprefix("run:")
        run_id = first.partition("/")[0]
        if not run_id:
            return fill(shell, request, Pick())
    key, own = family.family_of(shell.service, visitor, run_id)
    return fill(shell, request, Pick(key, (own,)))

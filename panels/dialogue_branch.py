"""The fork: a link on a turn opens a form that says what is to be otherwise from there, and starts the branch.

Laid out twice, below the watched dialogue and below the one that is read in the library; both start an ordinary
watched dialogue (``sweetiechat.dialogue.v1``) with the origin in its request and as its parent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.branch_request import Change, request_of
from panels import dialogue_cases as cases
from panels import dialogue_family as family
from panels import dialogue_models as models
from panels import dialogue_shelf as shelf
from panels.dialogue_form import MODEL_ROLES, pane
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets import branches, casefile
from workbench.widgets.markup import open_link
from workbench.widgets.transcript import strategy_labels

ACT = "branch"
SHOW = """const show = () => element.scrollIntoView({block: 'center'});
new ResizeObserver(() => { if (element.offsetHeight) show(); }).observe(element);"""
"""Brings the form into view when it opens below a long transcript."""
FIELDS = ("strategy", "text", "counselor", "classifier", "seeker_model", "counselor_model", "supporter_model", "seed")


@dataclass(frozen=True)
class Fork:
    """The form: ``key`` names the dialogue (as in the library), ``place`` the turn."""

    desk: gr.Column
    key: gr.Textbox
    place: gr.Textbox
    head: gr.HTML
    fields: Mapping[str, Component]
    start: gr.Button
    cancel: gr.Button

    @property
    def opened(self) -> list[Any]:
        """What :func:`filled` gives values for, in its order."""
        return [self.desk, self.key, self.place, self.head, *self.fields.values()]


def lay_out(shell: Shell) -> Fork:
    """Make the (at first unseen) form inside the current column."""
    put: dict[str, Component] = {}
    with gr.Column(visible=False, elem_classes="dt-desk dt-fork") as desk:
        key, place = shell.note(""), shell.note("")
        head = pane(SHOW)
        with gr.Row(elem_classes="dt-fork-row"):
            put["strategy"] = gr.Dropdown([], value=None, label=shell.label("branch.strategy"), min_width=200)
            put["counselor"] = gr.Dropdown(
                [(shell.label("branch.same"), ""), *((shell.label(f"branch.counselor.{mode}"), mode)
                                                     for mode in family.MODES)],
                value="", label=shell.label("branch.counselor"), info=shell.label("branch.counselor.help"),
                filterable=False, min_width=200)
            put["classifier"] = gr.Textbox("", visible=False, label=shell.label("branch.classifier"),
                                           info=shell.label("branch.classifier.help"), max_lines=1)
        put["text"] = gr.Textbox("", lines=2, max_lines=8, label=shell.label("branch.text"),
                                 info=shell.label("branch.text.help"))
        with gr.Accordion(shell.label("branch.models"), open=False), gr.Row(elem_classes="dt-fork-row"):
            for role in MODEL_ROLES:
                put[f"{role}_model"] = gr.Dropdown([], value="", allow_custom_value=True, elem_classes="dt-model",
                                                   label=shell.label(f"dialogue.role.{role}"))
            put["seed"] = gr.Number(None, precision=0, label=shell.label("branch.seed"),
                                    info=shell.label("branch.seed.help"))
        with gr.Row(elem_classes="dt-controls"):
            start = gr.Button(shell.label("branch.start"), variant="primary", size="sm")
            cancel = gr.Button(shell.label("dialogue.edit.cancel"), size="sm")
    return Fork(desk, key, place, head, {name: put[name] for name in FIELDS}, start, cancel)


def wire(shell: Shell, fork: Fork, turns: gr.HTML, key_of: gr.Textbox, watched: Sequence[Component]) -> None:
    """Open the form on a turn's link and start the branch.

    ``turns`` is the transcript whose links are answered and ``key_of`` a note with the run id or the key of the
    dialogue in it; ``watched`` are the watch view's run and whatever else must change (:func:`moved`)."""
    def press(key: str, event: gr.EventData, request: gr.Request) -> list[Any]:
        if event._data.get("act") != ACT:
            return [gr.skip()] * len(fork.opened)
        return filled(shell, request, key if "/" in key else f"{key}/0", str(event._data.get("turn") or ""))

    def begin(key: str, place: str, *values: Json, request: gr.Request) -> list[Any]:
        run_id = start(shell, request, key, place, dict(zip(FIELDS, values, strict=True)))
        return [gr.update(visible=False), *moved(run_id, len(watched))]

    def begin_now(request: gr.Request, key: str, place: str, *values: Json) -> list[Any]:
        return begin(key, place, *values, request=request)
    turns.select(shell.guard(press), [key_of], fork.opened, **QUEUED)
    fork.start.click(shell.guard(begin_now), [fork.key, fork.place, *fork.fields.values()], [fork.desk, *watched],
                     **QUEUED)
    fork.cancel.click(lambda: gr.update(visible=False), None, [fork.desk], **QUICK)
    fork.fields["counselor"].input(lambda mode: gr.update(visible=mode == "classifier"), [fork.fields["counselor"]],
                                   [fork.fields["classifier"]], **QUICK)


def case(run_id: str, dialogue: Mapping[str, Json], say: family.Say, lang: str) -> str:
    """The case file of a dialogue; above it, for a branch, what it branches off and the way to the comparison."""
    note = family.note_of(dialogue)
    changed = family.changed(note, strategy_labels(dialogue, lang), say)
    link = open_link("dialogue", run_id, say("branch.compare"), "compare")
    return branches.lineage(note, changed, link, say) + casefile.casefile(dialogue, say, lang)


def moved(run_id: str, count: int) -> list[Any]:
    """The watch view's run, then (from another view) the tabs turned to it."""
    return [run_id, gr.Tabs(selected="watch")][:count]


def filled(shell: Shell, request: gr.Request, key: str, place: str) -> list[Any]:
    """The form for one turn of a dialogue: what is said there, its strategies, the models on offer."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    dialogue = shelf.read(shell.service, visitor, key)
    turns = dialogue["turns"]
    if not place.isdecimal() or int(place) >= len(turns):
        raise UserError(f"The dialogue has no turn {place!r}.", advice="It may have been edited: look at it again.")
    say, turn = partial(shell.t, lang), turns[int(place)]
    labels = strategy_labels(dialogue, lang)
    own = turn.get("role") == "supporter"
    role = say(f"dialogue.role.{'supporter' if own else 'seeker'}")
    used = labels.get(str(turn.get("strategy") or ""), "")
    same = (say("branch.strategy.same"), "")
    offers = models.choices(str(dialogue.get("language") or "en"), shell.service.settings, say)
    as_before = [(say("branch.same"), ""), *offers]
    head = (f'<div class="dt"><h3 class="dt-title">{escape(say("branch.title", turn=int(place) + 1, role=role))}</h3>'
            f'<p class="dt-hint">{escape(say("branch.help.supporter" if own else "branch.help.seeker", used=used))}</p>'
            "</div>")
    hint = say("branch.strategy.here" if own else "branch.strategy.next")
    strategies = gr.update(choices=[same, *((label, name) for name, label in labels.items())], value="", info=hint)
    return [gr.update(visible=True), key, place, head, strategies, str(turn.get("text") or ""), "",
            gr.update(value="", visible=False), *[gr.update(choices=as_before, value="")] * len(MODEL_ROLES), None]


def change_of(values: Mapping[str, Json]) -> Change:
    """What the form asks for."""
    seed = values.get("seed")
    chosen = {role: str(values.get(f"{role}_model") or "").strip() for role in MODEL_ROLES}
    return Change(str(values.get("strategy") or ""), str(values.get("text") or ""),
                  str(values.get("counselor") or ""), str(values.get("classifier") or "").strip(), chosen,
                  int(seed) if isinstance(seed, int | float) else None)


def start(shell: Shell, request: gr.Request, key: str, place: str, values: Mapping[str, Json]) -> str:
    """Make the run of a branch; its id. Raises ``UserError`` for a change that cannot be."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, key.partition("/")[0])
    dialogue = shelf.read(shell.service, visitor, key)
    number = int(key.partition("/")[2] or 0)
    fields = request_of(dialogue, int(place or 0), change_of(values), run=run.id, number=number, settings=run.fields)
    settings, say = shell.service.settings, partial(shell.t, lang)
    models.check([str(fields.get(f"{role}_model") or settings.default_model) for role in MODEL_ROLES],
                 str(fields["language"]), settings, say)
    problem = cases.problem_name(str(dialogue.get("scenario", {}).get("problem_type_id") or ""), lang)
    return shell.service.submit(family.TASK, fields, visitor=visitor, parents=(run.id,),
                                title=say("branch.run", title=problem, turn=int(place or 0) + 1))

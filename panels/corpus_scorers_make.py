"""Make scorers: train one, let a judge teach a toxicity scorer, find domains by keywords; watch the run, use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_review as review
from panels import corpus_scorers_rounds as rounds
from panels import corpus_scorers_show as show
from panels import drawn_form, run_controls, run_list
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from workbench import forms, hub
from workbench.contract import Json
from workbench.fields import to_json
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.text import gloss
from workbench.widgets.casepicker import PRESS
from workbench.widgets.markup import esc

UNFOLDED = 0


@dataclass(frozen=True)
class Make:
    """The components. ``asked`` is what the form is to show; ``picks`` what was decided about proposed keywords."""

    run: gr.Textbox
    sent: gr.Textbox
    asked: gr.Textbox
    picks: gr.Textbox
    kind: gr.Radio
    form: gr.Column
    example: gr.Button
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]
    people: Mapping[str, Component]
    answers: rounds.Answers

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`corpus_scorers_show.looks`."""
        return [*(self.html[name] for name in show.PARTS), *(self.buttons[name] for name in show.CONTROLS),
                *self.people.values(), self.answers.row, self.sent]

    @property
    def reviewing(self) -> list[Component]:
        """What a review depends on: run, decisions so far, name, which judged texts."""
        return [self.run, self.picks, *self.people.values()]


def lay_out(shell: Shell) -> Make:
    """Make the components; the form itself is drawn when the view is opened."""
    run, sent, asked, picks = shell.note(""), shell.note("{}"), shell.note(""), shell.note("{}")
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="dt-sheet dt-many tr-train"):
        with gr.Column(min_width=300, elem_classes="dt-many-form"):
            kind = gr.Radio([(shell.label(f"label.make.{name}"), name) for name in kinds.KINDS], value="train",
                            label=shell.label("label.make.kind"), elem_classes="dt-row")
            form = gr.Column()
        with gr.Column(min_width=320, elem_classes="dt-many-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("label.make.earlier"), elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("label.make.empty")}</p>', apply_default_css=False)
                example = shell.example_button("label.make.example")
            html = {"head": pane()}
            with gr.Row(elem_classes="dt-controls"):
                for name in show.CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"label.do.{name}"), size="sm", visible=False,
                                              variant="primary" if name in ("try", "next") else "secondary")
            shell.actions(run)
            html |= {"curves": pane(), "result": pane()}
            with gr.Row(elem_classes="cl-setup"):
                by = gr.Textbox("", max_lines=1, max_length=60, visible=False, label=shell.label("label.by"))
                only = gr.Dropdown([(shell.label(f"label.judged.{name}"), name) for name in rounds.ONLY],
                                   value="undecided", filterable=False, visible=False,
                                   label=shell.label("label.judged"))
            answers = rounds.lay_out(shell)
            html["review"] = pane(PRESS)
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    made = Make(run, sent, asked, picks, kind, form, example, earlier, html, buttons, {"by": by, "only": only},
                answers)
    _draw_form(shell, made)
    return made


def plan(shell: Shell, request: gr.Request, kind: str, fields: Mapping[str, Json] | None = None) -> str:
    """What the form is to show, as the text that the browser keeps."""
    return json.dumps({"kind": kind, "lang": shell.lang(request),
                       "fields": to_json(kinds.KINDS[kind].request()()) if fields is None else dict(fields)},
                      ensure_ascii=False)


def _draw_form(shell: Shell, make: Make) -> None:
    """Draw the form anew whenever ``asked`` changes; a start puts the new run's id into ``run``."""
    def lay(wanted: Mapping[str, Json]) -> None:
        lang, kind = str(wanted["lang"]), str(wanted["kind"])
        gr.HTML(f"<p class='wb-dim'>{esc(shell.t(lang, f'label.make.{kind}.help'))}</p>", apply_default_css=False)
        cards = [card for card in hub.catalogue(shell.service.settings) if card.writes]
        made = forms.build(kinds.KINDS[kind].request(), partial(shell.t, lang), wanted["fields"],
                           [(card.title, card.reference) for card in cards], partial(gloss, lang),
                           {name: [] for name in kinds.KINDS[kind].sources}, UNFOLDED)
        go = gr.Button(shell.t(lang, "label.make.start"), variant="primary", elem_classes="tr-go")
        go.click(shell.guard(starter(shell, made, kind)), made.inputs(), [make.run], **QUEUED)
        for name in kinds.KINDS[kind].sources:
            made.components[name].focus(_offer(shell, kind), None, [made.components[name]], **QUICK)
    drawn_form.draw(make.form, [make.asked], drawn_form.plan_of, lay)


def _offer(shell: Shell, kind: str) -> Callable[..., Any]:
    """What may be read as data, as it is now."""
    def offer(request: gr.Request) -> Any:
        return gr.update(choices=kinds.sources(shell, shell.visitor(request), shell.lang(request), kind))
    return offer


def starter(shell: Shell, made: forms.Form, kind: str) -> Callable[..., str]:
    """The handler of the form's button."""
    def begin(request: gr.Request, *values: Json) -> str:
        return start(shell, request, kind, made.fields(values))
    return begin


def start(shell: Shell, request: gr.Request, kind: str, fields: Mapping[str, Json],
          parents: tuple[str, ...] = ()) -> str:
    """Make the run; its id. Raises ``UserError`` naming the field that does not fit."""
    lang = shell.lang(request)
    title = shell.t(lang, f"label.make.title.{kind}", name=str(fields.get("name") or ""))
    return shell.service.submit(kinds.KINDS[kind].task, fields, visitor=shell.visitor(request), title=title.strip(),
                                parents=parents)


def wire(shell: Shell, make: Make, tab: gr.Tab) -> None:
    """Connect the form's kind, the buttons, the proposals and the timer."""
    def draw(asked: str, kind: str, request: gr.Request) -> Any:
        known = json.loads(asked) if asked else {}
        same = known.get("kind") == kind and known.get("lang") == shell.lang(request)
        return gr.skip() if same else plan(shell, request, kind)

    def begin_example(kind: str, request: gr.Request) -> str:
        return start(shell, request, kind, kinds.KINDS[kind].example)

    def following(run_id: str, picks: str, request: gr.Request) -> str:
        fields = review.next_round(shell, request, run_id, picks)
        return start(shell, request, "domains", fields, (run_id,))

    def decided(request: gr.Request, event: gr.EventData, *values: str) -> list[Any]:
        act, key = (str(event._data.get(name) or "") for name in ("act", "key"))
        picks = review.decide(shell, request, review.Asked(*values), act, key)
        return [review.shown(shell, request, review.Asked(values[0], picks, *values[2:])), picks]

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)

    def judged(request: gr.Request, *values: str) -> str:
        return review.shown(shell, request, review.Asked(*values))
    for event in (tab.select, make.kind.change):
        event(draw, [make.asked, make.kind], [make.asked], **QUICK)
    run_list.wire(shell, make.run, make.earlier, [tab.select, make.earlier.focus, make.run.change], kinds.choices)
    make.run.change(lambda: "{}", None, [make.picks], **QUICK)
    make.example.click(shell.guard(begin_example), [make.kind], [make.run], **QUEUED)
    run_controls.wire(shell, make.run, make.buttons["stop"], make.buttons["continue"])
    make.buttons["next"].click(shell.guard(following), [make.run, make.picks], [make.run], **QUEUED)
    make.html["review"].select(shell.guard(decided), make.reviewing, [make.html["review"], make.picks], **QUEUED)
    gr.on([tab.select, make.people["only"].change, make.sent.change], judged, make.reviewing, [make.html["review"]],
          **LATEST)
    rounds.wire(shell, make.answers, make.run)
    shell.on_poll(look, [make.run, make.sent], make.polled, every=1.0)


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: what changed since the last one."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    if run.task not in kinds.TASKS:
        return gr.skip()
    return changes_of(show.looks(shell, visitor, run, lang), sent, f"{run_id}/{lang}",
                      (*show.CONTROLS, *show.PEOPLE, "answers"))

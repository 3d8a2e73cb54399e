"""Train: make a support agent or a strategy classifier out of dialogues, watch its curves, then use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.train_requests import ClassifierRequest, TrainRequest
from panels import dialogue_train_view as view
from panels import dialogue_trained as trained
from panels import drawn_form, run_controls, run_list
from panels.dialogue_form import pane
from panels.dialogue_watch import changes_of
from workbench import forms, hub
from workbench.contract import Json
from workbench.fields import to_json
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import gloss
from workbench.widgets.markup import esc

KINDS: Mapping[str, tuple[str, type]] = {"agent": (trained.TRAIN, TrainRequest),
                                         "classifier": (trained.CLASSIFIER, ClassifierRequest)}
EXAMPLE: Mapping[str, Json] = {"data": ["practice"], "held_out": 0.2, "epochs": 3, "batch": 1, "learning_rate": 7e-4,
                               "length": 512, "name": "Practice agent"}
"""Eight short dialogues, 24 steps: 70 seconds of one core with SmolLM2. Measured on the other two: perplexity of
responses 43 before, 32 after; nats a strategy 20 before, 3 after. Twice as long learns the eight by heart."""
EVALUATED = 40
"""Most held-out dialogues that the button measures on; the Runs tab can ask for more (our default)."""
UNFOLDED = 2


@dataclass(frozen=True)
class Train:
    """The components of the view. ``asked`` is what the form is to show: kind, language, fields, data to pick."""

    run: gr.Textbox
    sent: gr.Textbox
    asked: gr.Textbox
    kind: gr.Radio
    form: gr.Column
    example: gr.Button
    earlier: gr.Dropdown
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`dialogue_train_view.looks`."""
        return [*(self.html[name] for name in view.PARTS), *(self.buttons[name] for name in view.CONTROLS), self.sent]


def lay_out(shell: Shell) -> Train:
    """Make the components of the view; the form itself is drawn when the view is opened."""
    run, sent, asked = shell.note(""), shell.note("{}"), shell.note("")
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="dt-sheet dt-many tr-train"):
        with gr.Column(min_width=300, elem_classes="dt-many-form"):
            kind = gr.Radio([(shell.label(f"train.kind.{name}"), name) for name in KINDS], value="agent",
                            label=shell.label("train.kind"), elem_classes="dt-row")
            form = gr.Column()
        with gr.Column(min_width=320, elem_classes="dt-many-work"):
            earlier = gr.Dropdown([], value=None, label=shell.label("train.earlier"), elem_classes="tr-earlier")
            with gr.Column() as hint:
                gr.HTML(f'<p class="dt-hint">{shell.label("train.empty")}</p>', apply_default_css=False)
                example = shell.example_button("train.example")
            html = {"head": pane()}
            with gr.Row(elem_classes="dt-controls"):
                for name in view.CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"train.do.{name}"), size="sm", visible=False,
                                              variant="primary" if name == "talk" else "secondary")
            shell.actions(run)
            html |= {"curves": pane(), "result": pane()}
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    made = Train(run, sent, asked, kind, form, example, earlier, html, buttons)
    _draw_form(shell, made)
    return made


def plan(shell: Shell, request: gr.Request, kind: str, fields: Mapping[str, Json] | None = None) -> str:
    """What the form is to show, as the text that the browser keeps."""
    lang, asked = shell.lang(request), KINDS[kind][1]
    offered = trained.data(shell.service, shell.visitor(request), lang)
    return json.dumps({"kind": kind, "lang": lang, "data": offered,
                       "fields": to_json(asked()) if fields is None else dict(fields)}, ensure_ascii=False)


def models_for(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """Models to begin with: those of the catalogue that are weights, and the agents trained so far."""
    cards = [card for card in hub.catalogue(shell.service.settings) if card.writes]
    own = [(agent.title, agent.reference) for agent in trained.agents(shell.service, visitor, lang)]
    return [*((card.title, card.reference) for card in cards if not card.reference.startswith("endpoint:")), *own]


def _draw_form(shell: Shell, train: Train) -> None:
    """Draw the form anew whenever ``asked`` changes; a start puts the new run's id into ``run``."""
    def lay(wanted: Mapping[str, Json]) -> None:
        lang, kind = str(wanted["lang"]), str(wanted["kind"])
        _, asked = KINDS[kind]
        words = partial(gloss, lang)
        gr.HTML(f"<p class='wb-dim'>{esc(shell.t(lang, f'train.kind.{kind}.help'))}</p>", apply_default_css=False)
        cards = [card for card in hub.catalogue(shell.service.settings) if card.writes]
        made = forms.build(asked, partial(shell.t, lang), wanted["fields"],
                           [(card.title, card.reference) for card in cards], words,
                           {"data": [tuple(pair) for pair in wanted["data"]]}, UNFOLDED)
        go = gr.Button(shell.t(lang, f"train.start.{kind}"), variant="primary", elem_classes="tr-go")
        go.click(shell.guard(starter(shell, made, kind)), made.inputs(), [train.run], **QUEUED)
        for name in ("data", "model"):
            made.components[name].focus(_offer(shell, name), None, [made.components[name]], **QUICK)
    drawn_form.draw(train.form, [train.asked], drawn_form.plan_of, lay)


def _offer(shell: Shell, name: str) -> Callable[..., Any]:
    """The choices of a list as they are now: a run may have ended since the form was drawn."""
    def offer(request: gr.Request) -> Any:
        visitor, lang = shell.visitor(request), shell.lang(request)
        if name == "data":
            return gr.update(choices=trained.data(shell.service, visitor, lang))
        return gr.update(choices=[(shell.t(lang, "form.default_model"), ""), *models_for(shell, visitor, lang)])
    return offer


def starter(shell: Shell, made: forms.Form, kind: str) -> Callable[..., str]:
    """The handler of the form's button."""
    def begin(request: gr.Request, *values: Json) -> str:
        return start(shell, request, kind, made.fields(values))
    return begin


def start(shell: Shell, request: gr.Request, kind: str, fields: Mapping[str, Json]) -> str:
    """Make the run; its id. Raises ``UserError`` naming the field that does not fit."""
    lang = shell.lang(request)
    name = str(fields.get("name") or TrainRequest().name)
    data = ", ".join(str(part) for part in fields.get("data") or ())
    title = shell.t(lang, f"train.title.{kind}", name=name, data=data)
    return shell.service.submit(KINDS[kind][0], fields, visitor=shell.visitor(request), title=title)


def evaluate(shell: Shell, request: gr.Request, run_id: str) -> str:
    """Measure a trained agent on the dialogues that its training held out; the id of that run."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    title = shell.t(lang, "train.title.evaluate", name=str(run.fields.get("name") or run.title))
    fields = {"model": f"run:{run_id}/model", "dialogues": EVALUATED}
    return shell.service.submit(trained.EVALUATE, fields, visitor=visitor, title=title, parents=(run_id,))


def wire(shell: Shell, train: Train, tab: gr.Tab) -> None:
    """Connect the form's kind, the buttons and the timer."""
    def show(asked: str, kind: str, request: gr.Request) -> Any:
        known = json.loads(asked) if asked else {}
        same = known.get("kind") == kind and known.get("lang") == shell.lang(request)
        return gr.skip() if same else plan(shell, request, kind)

    def begin_example(request: gr.Request) -> str:
        return start(shell, request, "agent", EXAMPLE)

    def measure(run_id: str, request: gr.Request) -> None:
        evaluate(shell, request, run_id)
        gr.Info(shell.t(shell.lang(request), "train.evaluating"), duration=5)

    def look(run_id: str, sent: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, request)
    for event in (tab.select, train.kind.change):
        event(show, [train.asked, train.kind], [train.asked], **QUICK)
    run_list.wire(shell, train.run, train.earlier, [tab.select, train.earlier.focus, train.run.change], view.choices)
    train.example.click(shell.guard(begin_example), None, [train.run], **QUEUED)
    run_controls.wire(shell, train.run, train.buttons["stop"], train.buttons["continue"])
    train.buttons["evaluate"].click(shell.guard(measure), [train.run], None, **QUEUED)
    shell.on_poll(look, [train.run, train.sent], train.polled, every=1.0)


def tick(shell: Shell, run_id: str, sent: str, request: gr.Request) -> Any:
    """One look at the run: what changed since the last one."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    run = shell.service.run(visitor, run_id)
    return changes_of(view.looks(shell, visitor, run, lang), sent, run_id, view.CONTROLS)

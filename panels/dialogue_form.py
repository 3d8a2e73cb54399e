"""The components of the dialogue set-up form, laid out in one column. What they do is in ``dialogue_setup``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.requests import DialogueRequest
from panels import dialogue_cases as cases
from workbench.contract import Json
from workbench.fields import FieldSpec, fields_of
from workbench.panel import Shell
from workbench.widgets.casepicker import PRESS

MODEL_ROLES = ("seeker", "counselor", "supporter")
TALK = ("min_turns", "max_turns", "seed", "pause_after_turn", "seeker_state", "budget_tokens")
WORDS = ("temperature", "top_p", "top_k", "max_new_tokens", "min_new_tokens", "repetition_penalty", "no_repeat_ngram",
         "redraws")
MODES = ("scored", "prompt", "classifier", "agent", "none", "you")
"""Ways to choose the strategy that the form offers; ``agent`` only while a trained agent plays the supporter."""
COUNSEL = ("beta", "choice_temperature", "choice_top_k", "stage_weight", "repeat_weight", "rebalance")


@dataclass(frozen=True)
class Form:
    """The set-up form: ``fields`` by the names that :func:`panels.dialogue_setup.request_of` reads them by."""

    fields: dict[str, Component] = field(default_factory=dict)
    pickers: dict[str, gr.HTML] = field(default_factory=dict)
    buttons: dict[str, gr.Button] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Field names in the order of :attr:`inputs`."""
        return list(self.fields)

    @property
    def inputs(self) -> list[Component]:
        """The field components in a fixed order."""
        return list(self.fields.values())

    def of(self, names: Sequence[str]) -> list[Component]:
        """The components of these names."""
        return [self.fields[name] for name in names]


SPECS: Mapping[str, FieldSpec] = {spec.name: spec for spec in fields_of(DialogueRequest)}


def pane(js: str = "", *classes: str) -> gr.HTML:
    """An empty piece of the page for one of our widgets, without Gradio's own text style."""
    return gr.HTML("", js_on_load=js or None, apply_default_css=False, elem_classes=["dt-pane", *classes])


def lay_out(shell: Shell) -> Form:
    """Make every component of the form: a sheet of three columns (case, seeker, counselor and models)."""
    form = Form()
    put = form.fields
    put["problem"], put["card_id"] = shell.note(cases.FIRST), shell.note(cases.example_card(cases.FIRST, "en"))
    with gr.Row(elem_classes="dt-sheet"):
        with _column(shell, "case"):
            put["language"] = gr.Radio([("English", "en"), ("中文", "zh")], value="en", elem_classes="dt-row",
                                       label=shell.label("dialogue.form.language"))
            form.pickers["problem"] = pane(PRESS)
            _scenario(shell, form)
        with _column(shell, "seeker"):
            form.pickers["card"] = pane(PRESS)
            _card(shell, form)
            put["human_roles"] = gr.CheckboxGroup(
                [(shell.label(f"dialogue.role.{role}"), role) for role in ("seeker", "supporter")], value=[],
                label=shell.label("dialogue.form.human_roles"), elem_classes="dt-row")
        with _column(shell, "counsel"):
            _counsel(shell, form)
            _models(shell, form)
            with gr.Accordion(shell.label("dialogue.form.more"), open=False):
                for names in (TALK, WORDS, COUNSEL):
                    with gr.Row(elem_classes="dt-knobs"):
                        for name in names:
                            put[name] = knob(shell, SPECS[name])
            form.buttons["start"] = gr.Button(shell.label("dialogue.start"), variant="primary",
                                              elem_classes="dt-start")
    return form


def _column(shell: Shell, name: str) -> gr.Column:
    column = gr.Column(min_width=300, elem_classes=f"dt-sheet-{name}")
    with column:
        title = shell.label(f"dialogue.form.title.{name}")
        gr.HTML(f'<h3 class="dt-title">{title}</h3>', apply_default_css=False, elem_classes="dt-pane")
    return column


def _scenario(shell: Shell, form: Form) -> None:
    first = cases.scenario(cases.FIRST, "en")
    form.fields["situation"] = gr.Textbox(cases.shown(first, "situation"), lines=4, max_lines=14,
                                          label=shell.label("dialogue.form.situation"))
    with gr.Accordion(shell.label("dialogue.form.scenario_details"), open=False):
        for name in cases.SCENARIO_TEXTS[1:]:
            form.fields[name] = gr.Textbox(cases.shown(first, name), label=shell.label(f"dialogue.field.{name}"),
                                           lines=1, max_lines=5)
        form.fields["intensity_0"] = gr.Slider(1, 5, value=first["intensity_0"], step=1,
                                               label=shell.label("dialogue.field.intensity_0"))


def _card(shell: Shell, form: Form) -> None:
    first = cases.cards(cases.FIRST, "en")[0]
    with gr.Accordion(shell.label("dialogue.form.card_details"), open=False):
        for name in cases.CARD_TEXTS:
            form.fields[name] = gr.Textbox(cases.shown(first, name), label=shell.label(f"dialogue.field.{name}"),
                                           lines=3 if name in ("hidden_facts", "opening") else 1, max_lines=8)
        form.fields["talk_style"] = gr.Radio(
            [(shell.label(f"dialogue.style.{style}"), style) for style in ("terse", "chatty", "guarded")],
            value=first["talk_style"], label=shell.label("dialogue.field.talk_style"), elem_classes="dt-row")
        form.fields["openness"] = gr.Slider(1, 5, value=first["openness"], step=1,
                                            label=shell.label("dialogue.field.openness"))


def _counsel(shell: Shell, form: Form) -> None:
    form.fields["strategy_set"] = gr.Dropdown(
        [*((name, name) for name in cases.STRATEGY_SETS), (shell.label("dialogue.form.own_strategies"), "own")],
        value=cases.STRATEGY_SETS[0], label=shell.label("dialogue.field.strategy_set"), filterable=False)
    form.fields["strategy_yaml"] = gr.Textbox("", visible=False, lines=8, max_lines=20, elem_classes="dt-code",
                                              label=shell.label("dialogue.form.strategy_yaml"))
    form.fields["counselor"] = gr.Radio(
        [(shell.label(f"dialogue.counselor.{mode}"), mode) for mode in MODES],
        value="scored", label=shell.label("dialogue.form.counselor"), elem_classes="dt-row")
    form.fields["classifier"] = gr.Dropdown([], value="", visible=False, allow_custom_value=True,
                                            label=shell.label("dialogue.form.classifier"))
    form.pickers["counselor"] = pane()


def _models(shell: Shell, form: Form) -> None:
    form.fields["model"] = gr.Dropdown([], value=shell.service.settings.default_model, allow_custom_value=True,
                                       label=shell.label("dialogue.form.model"), elem_classes="dt-model")
    form.pickers["models"] = pane()
    with gr.Row():
        form.buttons["accept"] = gr.Button(shell.label("dialogue.model.accept"), visible=False, size="sm")
        form.buttons["fetch"] = gr.Button(shell.label("dialogue.model.fetch"), visible=False, size="sm")
    form.pickers["fetching"] = pane()
    with gr.Accordion(shell.label("dialogue.form.models_per_role"), open=False):
        for role in MODEL_ROLES:
            form.fields[f"{role}_model"] = gr.Dropdown(
                [], value="", allow_custom_value=True, label=shell.label(f"dialogue.role.{role}"),
                elem_classes="dt-model")


def knob(shell: Shell, spec: FieldSpec) -> Component:
    """A component for one plain request field, with its bounds; the texts are ``dialogue.knob.<name>``."""
    label, info = shell.label(f"dialogue.knob.{spec.name}"), shell.label(f"dialogue.knob.{spec.name}.help")
    if spec.kind is bool:
        return gr.Checkbox(bool(spec.default), label=label, info=info)
    if spec.kind in (int, float):
        return gr.Number(spec.default, label=label, info=info, minimum=spec.knob.low, maximum=spec.knob.high,
                         step=spec.knob.step or 1, precision=0 if spec.kind is int else None, min_width=120)
    options = [(shell.label(f"dialogue.knob.{spec.name}.{choice}"), choice) for choice in _choices(spec)]
    return gr.Dropdown(options, value=spec.default, label=label, info=info, filterable=False)


def _choices(spec: FieldSpec) -> tuple[Json, ...]:
    return tuple(getattr(spec.kind, "__args__", ()))

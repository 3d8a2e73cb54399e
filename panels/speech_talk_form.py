"""The settings of a conversation: which models, what may be told, how replies are made; and its request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from backends.blsp_emo.talking_requests import TalkRequest
from panels import run_list
from panels.dialogue_knobs import fields_from, specs_of
from panels.form_fields import Form
from panels.speech_desk import MOST, STAGE2, TALK
from panels.translation_files import as_reference
from workbench import hub
from workbench.contract import Json, UserError
from workbench.hub_local import BUNDLED
from workbench.panel import Shell
from workbench.widgets.loose import table
from workbench.widgets.speech_talk_tone import EMOTIONS

SPECS = specs_of(TalkRequest)
NAMES = ("model", "recogniser", "language", "emotions", "uncertain", "cascade", "hide", "speak", "max_new_tokens",
         "temperature", "seed")
EXAMPLE = ("practice/said-neutral.flac", "practice/said-angry.flac", "practice/said-sad.flac")
"""One voice, one sentence, three tones: what the tab is about. Made by espeak-ng, since the bundled models know English
only; the tones are settings of its voice."""
LISTS = ("model", "recogniser")
FEWEST = 2
"""Emotions among which something can be told."""


def lay_out(shell: Shell, form: Form) -> None:
    """Make the fields inside the current column."""
    put = form.fields

    def texts(name: str) -> dict[str, Any]:
        return {"label": shell.label(f"speech_talk.form.{name}"), "info": shell.label(f"speech_talk.form.{name}.help")}
    for name in LISTS:
        put[name] = gr.Dropdown([(shell.label(f"speech_talk.form.{name}.usual"), "")], value="",
                                allow_custom_value=True, **texts(name))
    put["emotions"] = gr.CheckboxGroup([(shell.label(f"speech_talk.emotion.{name}"), name) for name in EMOTIONS],
                                       value=list(EMOTIONS), **texts("emotions"))
    put["uncertain"] = gr.Slider(0, 1, SPECS["uncertain"].default, step=0.05, **texts("uncertain"))
    for name in ("cascade", "hide", "speak"):
        put[name] = gr.Checkbox(bool(SPECS[name].default), **texts(name))
    with gr.Accordion(shell.label("speech_talk.form.more"), open=False, elem_classes="wb-group"), \
            gr.Row(elem_classes="cf-plain"):
        put["language"] = gr.Textbox("", max_lines=1, **texts("language"))
        for name in ("max_new_tokens", "temperature", "seed"):
            spec = SPECS[name]
            put[name] = gr.Number(spec.default, minimum=spec.knob.low, maximum=spec.knob.high, min_width=120,
                                  precision=0 if spec.kind is int else None, **texts(name))


def fields_of(values: Sequence[Json]) -> dict[str, Json]:
    """The request's fields of the form's values (in the order of :data:`NAMES`)."""
    found = fields_from(SPECS, zip(NAMES, values, strict=True))
    for name in LISTS:
        found[name] = as_reference(str(found.get(name) or ""))
    found["emotions"] = [name for name in EMOTIONS if name in list(found.get("emotions") or ())]
    return found


def make(shell: Shell, request: gr.Request, fields: Mapping[str, Json]) -> str:
    """Begin a conversation; the run's id. Raises ``UserError`` for a request that is none."""
    lang = shell.lang(request)
    if len(fields.get("emotions", EMOTIONS)) < FEWEST:
        raise UserError(shell.t(lang, "speech_talk.form.emotions.none"))
    return shell.service.submit(TALK, fields, visitor=shell.visitor(request), title=shell.t(lang, "speech_talk.title"))


def example(shell: Shell, request: gr.Request) -> str:
    """A conversation that begins with practice clips; the run's id."""
    return make(shell, request, {"clips": list(EXAMPLE)})


def models(shell: Shell, request: gr.Request) -> list[tuple[str, str]]:
    """(words, reference) of speech models: the usual one, others that come with the project, and what this visitor's
    runs of stage 2 have made, newest first."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    found = [(shell.t(lang, "speech_talk.form.model.usual"), "")]
    found += [(name, f"bundled:{name}") for name in bundled()]
    for run in shell.service.runs(visitor, task=STAGE2, status="succeeded", limit=MOST)[0]:
        found.append((run_list.line(run, lang), f"run:{run.id}/model"))
    return found


def bundled() -> list[str]:
    """Names of the speech models that come with the project."""
    names = []
    for path in sorted(BUNDLED.glob("*/config.json")):
        try:
            told = table(json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            continue
        if told.get("model_type") == "blsp_emo":
            names.append(path.parent.name)
    return names


def recognisers(shell: Shell, request: gr.Request) -> list[tuple[str, str]]:
    """(words, reference) of the recognisers that are known."""
    usual = (shell.t(shell.lang(request), "speech_talk.form.recogniser.usual"), "")
    return [usual, *((card.title, card.reference) for card in hub.catalogue() if card.kind == "speech")]


def refill(fields: Mapping[str, Json]) -> list[Any]:
    """The form's values of a run that was."""
    return [list(value) if isinstance(value := fields.get(name, SPECS[name].default), tuple) else value
            for name in NAMES]

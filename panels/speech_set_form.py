"""The form of a measurement: which clips, which recogniser, how it is measured; and its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gradio as gr

from backends.blsp_emo.recognise_requests import PROBE, RecogniseRequest
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.practice import PRACTICE
from panels import run_list
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.form_fields import Form
from panels.speech_desk import MOST, RECOGNISE, STAGE2
from panels.speech_set_files import bring_together
from panels.translation_files import as_reference, name_of
from workbench import hub_local
from workbench.contract import Json
from workbench.fields import from_json
from workbench.hub_files import read_object
from workbench.panel import Shell

SPECS = specs_of(RecogniseRequest)
HOW = ("folds", "parts", "calibration", "neutral_clips", "uncertain")
MORE = ("layer", "limit", "draws", "seed", "padded", "save")
PLACES = ("root", "learn_from", "learn_root", "fold_list")
NAMES = ("manifest", *PLACES, "recogniser", "encoder", "emotions", *HOW, *MORE)
SAME = ("manifest", "root", "encoder", "padded", "emotions", "limit")
"""Fields of two requests that are about the same features."""


def lay_out(shell: Shell, form: Form, intake: gr.HTML) -> None:
    """Make the fields: clips at the left with ``intake`` below them, recogniser and measuring at the right."""
    put, part = form.fields, form.parts
    with gr.Row(elem_classes="mt-form"):
        with gr.Column(min_width=320, elem_classes="mt-files"):
            part["bring"] = gr.File(label=shell.label("speech_set.bring"), file_count="multiple", height=104,
                                    elem_classes="mt-drop")
            put["manifest"] = _line(shell, "manifest", PRACTICE)
            put["root"] = _line(shell, "root")
            intake.render()
        with gr.Column(min_width=280, elem_classes="mt-settings"):
            _settings(shell, form)


def _line(shell: Shell, name: str, value: str = "") -> gr.Textbox:
    return gr.Textbox(value, max_lines=1, label=shell.label(f"speech_set.knob.{name}"),
                      info=shell.label(f"speech_set.knob.{name}.help"))


def _settings(shell: Shell, form: Form) -> None:
    put, part = form.fields, form.parts
    put["recogniser"] = gr.Dropdown([(shell.label("speech_set.recogniser.probe"), PROBE)], value=PROBE,
                                    allow_custom_value=True, label=shell.label("speech_set.knob.recogniser"),
                                    info=shell.label("speech_set.knob.recogniser.help"))
    with gr.Row(elem_classes="cf-plain"):
        for name in HOW:
            put[name] = knob(shell, SPECS[name], "speech_set")
    put["emotions"] = gr.CheckboxGroup([(shell.label(f"speech_set.emotion.{name}"), name) for name in EMOTIONS],
                                       value=list(EMOTIONS), label=shell.label("speech_set.knob.emotions"),
                                       info=shell.label("speech_set.knob.emotions.help"))
    with gr.Accordion(shell.label("speech_set.other_corpus"), open=False, elem_classes="wb-group"), gr.Column():
        for name in PLACES[1:]:
            put[name] = _line(shell, name)
    with gr.Accordion(shell.label("speech_set.more"), open=False, elem_classes="wb-group"), \
            gr.Row(elem_classes="cf-plain"):
        put["encoder"] = knob(shell, SPECS["encoder"], "speech_set")
        for name in MORE:
            put[name] = knob(shell, SPECS[name], "speech_set")
    part["start"] = gr.Button(shell.label("speech_set.start"), variant="primary", elem_classes="tr-go")


def bring(shell: Shell, paths: Sequence[str]) -> str:
    """Take in a manifest, alone or together with its clips; its reference."""
    return bring_together(shell, [Path(path) for path in paths])


def fields_of(values: Sequence[Json]) -> dict[str, Json]:
    """The fields of the request of the form's values, with references written out."""
    given = {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
    fields = fields_from(SPECS, [(name, value) for name, value in given.items() if name in SPECS])
    for name in ("manifest", "recogniser", *PLACES):
        fields[name] = as_reference(str(given.get(name) or ""))
    fields["recogniser"] = fields["recogniser"] or PROBE
    if fields["recogniser"] != PROBE:
        fields |= {"learn_from": "", "learn_root": ""}
    if not fields["learn_from"]:
        fields["learn_root"] = ""
    return fields


def make(shell: Shell, request: gr.Request, values: Sequence[Json]) -> str:
    """Start a measurement; the run's id. Raises ``UserError`` with the reason against it.

    Where an earlier one of this visitor has heard the same clips, its features are taken again."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    fields = fields_of(values)
    from_json(RecogniseRequest, fields)
    earlier = heard_before(shell, visitor, fields) if fields["recogniser"] == PROBE else ""
    if earlier:
        fields["features"] = f"run:{earlier}"
    by = shell.t(lang, "speech_set.recogniser.probe") if fields["recogniser"] == PROBE else name_of(
        str(fields["recogniser"]))
    clips = str(fields["manifest"] or PRACTICE)
    named = shell.t(lang, "speech_set.practice") if clips == PRACTICE else name_of(clips)
    title = shell.t(lang, "speech_set.title", clips=named[:60], by=by[:50])
    return shell.service.submit(RECOGNISE, fields, visitor=visitor, title=title[:120])


def heard_before(shell: Shell, visitor: str, fields: Mapping[str, Json]) -> str:
    """The newest run whose features are of the same clips, or nothing."""
    plain = {name: spec.default for name, spec in SPECS.items()} | dict(fields)
    for run in shell.service.runs(visitor, task=RECOGNISE, status="succeeded", limit=20)[0]:
        if all(_same(run.fields.get(name), plain[name]) for name in SAME) and (
                run.path / "artifacts" / "features.npy").is_file():
            return run.id
    return ""


def _same(one: Json, other: Json) -> bool:
    return (sorted(one) == sorted(other)) if isinstance(one, list | tuple) and isinstance(other, list | tuple) \
        else one == other


def example(shell: Shell, request: gr.Request) -> str:
    """Start the measurement of the practice clips; the run's id."""
    lang = shell.lang(request)
    return shell.service.submit(RECOGNISE, {}, visitor=shell.visitor(request),
                                title=shell.t(lang, "speech_set.title", clips=shell.t(lang, "speech_set.practice"),
                                              by=shell.t(lang, "speech_set.recogniser.probe")))


def recognisers(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """What may be chosen: a probe learned here, bundled speech models, and what this visitor's runs have made."""
    found = [(shell.t(lang, "speech_set.recogniser.probe"), PROBE)]
    found += [(f"bundled:{path.name}", f"bundled:{path.name}") for path in sorted(hub_local.BUNDLED.glob("blsp-emo-*"))
              if (path / "model.safetensors").is_file() and read_object(path / "config.json").get(
                  "model_type") == "blsp_emo"]
    for task, product in ((RECOGNISE, "recogniser"), (STAGE2, "model")):
        for run in shell.service.runs(visitor, task=task, status="succeeded", limit=MOST)[0]:
            if (run.path / "artifacts" / product / "config.json").is_file():
                found.append((run_list.dated(run, lang), f"run:{run.id}/{product}"))
    return found

"""The form of a comparison: files and pasted text, target language, metrics, tests, human scores; and its request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gradio as gr

from backends.common.mt.requests import EXPORTS, METRICS, CompareRequest
from backends.common.mt.scores import KNOWN_TOKENIZERS
from backends.common.mt.uploads import side_by_side
from panels import translation_compare_held as holding
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.form_fields import Form
from panels.translation_compare_held import Held
from panels.translation_desk import COMPARE
from panels.translation_files import take_in, take_text
from workbench.contract import Json, UserError
from workbench.fields import from_json
from workbench.panel import Shell
from workbench.widgets import mt_intake

SPECS = specs_of(CompareRequest)
MORE = ("resamples", "trials", "level", "parts", "seed")
NEURAL = ("neural_model", "comet_model", "neural_layer", "neural_idf")
NAMES = ("language", "tokenizer", "metrics", *MORE, *NEURAL, "human_format", "human_pair",
         "human_exports")
NOTES = ("held", "human")
"""Notes of what was brought, given along with the fields."""
LANGUAGES = ("", "en", "zh", "de", "fr", "es", "ru", "cs", "ja", "ko", "uk", "is")
HUMAN = SPECS["human_format"]


def lay_out(shell: Shell, form: Form, intake: gr.HTML) -> None:
    """Make the fields: files at the left with ``intake`` below them, settings at the right."""
    part = form.parts
    part["held"], part["human"] = shell.note("{}"), shell.note("")
    with gr.Row(elem_classes="mt-form"):
        with gr.Column(min_width=320, elem_classes="mt-files"):
            part["bring"] = gr.File(label=shell.label("translation_compare.bring"), file_count="multiple", height=104,
                                    elem_classes="mt-drop")
            with gr.Accordion(shell.label("translation_compare.paste"), open=False, elem_classes="wb-group"):
                part["text"] = gr.Textbox("", lines=5, max_lines=14, show_label=False, elem_classes="mt-paste",
                                          label=shell.label("translation_compare.paste"),
                                          placeholder=shell.label("translation_compare.paste.hint"))
                with gr.Row(elem_classes="mt-paste-row"):
                    part["name"] = gr.Textbox("", max_lines=1, label=shell.label("translation_compare.paste.name"),
                                              placeholder=shell.label("translation_compare.paste.name.hint"))
                    part["add"] = gr.Button(shell.label("translation_compare.paste.add"), size="sm")
            intake.render()
        with gr.Column(min_width=280, elem_classes="mt-settings"):
            _settings(shell, form)


def _settings(shell: Shell, form: Form) -> None:
    put, part = form.fields, form.parts
    with gr.Row(elem_classes="cf-plain"):
        put["language"] = gr.Dropdown(
            [(shell.label("translation_compare.language.script"), ""), *((name, name) for name in LANGUAGES[1:])],
            value="", allow_custom_value=True, label=shell.label("translation_compare.language"),
            info=shell.label("translation_compare.language.help"))
        put["tokenizer"] = gr.Dropdown(
            [(shell.label("translation_compare.tokenizer.right"), ""), *((name, name) for name in KNOWN_TOKENIZERS)],
            value="", filterable=False, label=shell.label("translation_compare.tokenizer"),
            info=shell.label("translation_compare.tokenizer.help"))
    put["metrics"] = gr.CheckboxGroup([(shell.label(f"translation_compare.metric.{name.replace('+', 'p')}"), name)
                                       for name in METRICS], value=list(SPECS["metrics"].default),
                                      label=shell.label("translation_compare.metrics"))
    for title, names in (("neural", NEURAL), ("tests", MORE)):
        with gr.Accordion(shell.label(f"translation_compare.{title}"), open=False, elem_classes="wb-group"), \
                gr.Row(elem_classes="cf-plain"):
            for name in names:
                put[name] = knob(shell, SPECS[name], "translation_compare")
    with gr.Accordion(shell.label("translation_compare.human"), open=False, elem_classes="wb-group"):
        part["human_file"] = gr.File(label=shell.label("translation_compare.human.file"), file_count="single",
                                     height=104, elem_classes="mt-drop")
        with gr.Row(elem_classes="cf-plain"):
            put["human_format"] = knob(shell, HUMAN, "translation_compare")
            put["human_pair"] = knob(shell, SPECS["human_pair"], "translation_compare")
        put["human_exports"] = gr.CheckboxGroup(
            [(shell.label(f"translation_compare.export.{name}"), name) for name in EXPORTS], value=[],
            label=shell.label("translation_compare.exports"), info=shell.label("translation_compare.exports.help"))
    part["start"] = gr.Button(shell.label("translation_compare.start"), variant="primary", elem_classes="tr-go")


def bring(shell: Shell, paths: Sequence[str], note: str) -> str:
    """Take files in; the new note. What cannot be taken in is said, and what was there stays."""
    kept, refused = [], []
    for path in paths:
        try:
            kept.append(take_in(shell, Path(path)))
        except UserError as error:
            refused.append(str(error))
    return holding.held(note).add(kept, refused).note()


def paste(shell: Shell, text: str, name: str, note: str) -> str:
    """Take pasted text in as a file; the new note. Raises ``UserError`` for no text."""
    before = holding.held(note)
    return before.add([take_text(shell, holding.pasted_name(text, len(before.files), name), text)]).note()


def drawn(shell: Shell, request: gr.Request, note: str, language: str, tokenizer: str) -> str:
    """The files as they are understood now."""
    lang, of = shell.lang(request), holding.held(note)
    files = holding.opened(shell, shell.visitor(request), of)
    return mt_intake.intake(holding.view(files, of, language or "", tokenizer or "", lang), lang)


def pressed(shell: Shell, request: gr.Request, note: str, data: Mapping[str, Json]) -> str:
    """The note after a press on the files; another press changes nothing."""
    of, act, key = holding.held(note), str(data.get("act") or ""), str(data.get("key") or "")
    value = str(data.get("value") or "")
    if act == "remove" and key.isdecimal():
        return of.remove(int(key)).note()
    if act == "dismiss":
        return Held(of.files, of.chosen).note()
    if act in ("role", "name"):
        number, column = holding.column_at(holding.opened(shell, shell.visitor(request), of), key)
        if number and (act == "name" or value in mt_intake.ROLES):
            return of.say(number, column, **{act: value}).note()
    return note


def make(shell: Shell, request: gr.Request, note: str, human: str, values: Sequence[Json]) -> str:
    """Start a comparison of what was brought; the run's id. Raises ``UserError`` with every reason against it."""
    lang, of = shell.lang(request), holding.held(note)
    visitor = shell.visitor(request)
    if not of.files:
        raise UserError(shell.t(lang, "translation_compare.nothing"))
    gathered = side_by_side(holding.opened(shell, visitor, of))
    wrong = holding.problems(gathered, lang)
    if wrong:
        raise UserError(" ".join(wrong), advice=shell.t(lang, "translation_compare.kept"))
    fields = fields_from(SPECS, zip(NAMES, values, strict=True))
    fields |= {"files": list(of.files), "columns": [choice.text() for choice in of.chosen], "human": human}
    if not fields.get("metrics"):
        raise UserError(shell.t(lang, "translation_compare.no_metric"))
    from_json(CompareRequest, fields)
    names = [column.name for column in gathered.columns if column.role == "system"]
    more = f" +{len(names) - 3}" if len(names) > 3 else ""
    title = shell.t(lang, "translation_compare.title", names=", ".join(names[:3])[:80] + more,
                    n=f"{len(gathered.columns[0].segments):,}")
    return shell.service.submit(COMPARE, fields, visitor=visitor, title=title[:120])


def example(shell: Shell, request: gr.Request) -> str:
    """Start the comparison of the practice sample; the run's id."""
    return shell.service.submit(COMPARE, {}, visitor=shell.visitor(request),
                                title=shell.t(shell.lang(request), "translation_compare.example.run"))


def from_run(shell: Shell, request: gr.Request, run_id: str) -> str:
    """The note that holds the texts another run made to be compared (its text artifacts of the kind
    ``translations``)."""
    made = [item.name for item in shell.service.artifacts(shell.visitor(request), run_id)
            if item.kind == "translations" and item.name.endswith((".txt", ".tsv", ".jsonl"))]
    return Held(tuple(f"run:{run_id}/{name}" for name in made[:holding.MOST])).note()

"""The form of the Translate view: a text or a file, two languages, the systems, and how models write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import gradio as gr

from backends.common.mt.systems import apertium
from backends.common.mt.systems.requests import SystemsRequest
from backends.sm2.models import PRACTICE, default_model
from panels import translation_files as files
from panels import translation_models as models
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.form_fields import Form
from workbench import hub
from workbench.contract import Json, UserError
from workbench.panel import Shell
from workbench.widgets.markup import esc

TASK = "common.translate.v1"
SPECS = specs_of(SystemsRequest)
CODES = ("de", "el", "is", "en", "es", "hi", "zh", "fr", "ru", "cs", "ja", "ar", "tr", "ro", "ca", "da", "eo", "et",
         "fa", "fi", "ha", "he", "hu", "id", "it", "ko", "th", "lt", "vi", "lv", "nl", "no", "pl", "pt", "sv", "uk")
"""Languages that the lists offer; any other code can be typed. Typing takes the first choice that has the letters in
it, so a code comes before the names that contain it: Spanish (es) before Chinese."""
MORE = ("longest", "beams", "at_once")
NAMES = ("text", "file", "reference", "source", "target", "systems", "template", *MORE)
GERMAN = "Ich habe gestern einen alten Freund getroffen.\nKannst du mir bitte das Salz geben?\n" \
         "Er hat das Buch, das ich ihm geliehen habe, noch nicht gelesen.\nMorgen soll es den ganzen Tag regnen."
ORDER = "svo n1 n2 v3 o4 o5 o6 o7\nsov n1 n2 o4 o5 o6 o7 v3\nsvo n3 n0 v1 o2 o0 o5 o1\nsov n3 n0 o2 o0 o5 o1 v1"
"""Examples: our own sentences, and sentences of the order language of the practice model."""


def lay_out(shell: Shell, form: Form) -> None:
    """Make the fields inside the current column."""
    put, part, label = form.fields, form.parts, shell.label
    put["file"] = shell.note("")
    put["text"] = gr.Textbox("", lines=7, max_lines=24, label=label("translation_systems.text"),
                             placeholder=label("translation_systems.text.hint"), elem_classes="sy-text")
    part["bring"] = gr.UploadButton(label("translation_systems.bring"), file_types=[".txt"], size="sm",
                                    elem_classes="sy-bring")
    part["file"] = gr.HTML("", apply_default_css=False, elem_classes="dt-pane")
    part["drop"] = gr.Button(label("translation_systems.drop"), size="sm", visible=False, elem_classes="sy-bring")
    with gr.Row(elem_classes="sy-pair"):
        for name, first in (("source", "de"), ("target", "en")):
            choices = [(label(f"translation_systems.language.{code}"), code) for code in CODES]
            put[name] = gr.Dropdown(choices, value=first, allow_custom_value=True, min_width=120,
                                    label=label(f"translation_systems.{name}"))
    put["systems"] = gr.Dropdown([default_model()], value=[default_model()], multiselect=True, allow_custom_value=True,
                                 label=label("translation_systems.systems"),
                                 info=label("translation_systems.systems.help"))
    part["hint"] = gr.HTML("", apply_default_css=False, elem_classes="dt-pane")
    with gr.Accordion(label("translation_systems.more"), open=False, elem_classes="wb-group"):
        put["template"] = gr.Textbox(str(SPECS["template"].default), lines=3, max_lines=12,
                                     label=label("translation_systems.template"),
                                     info=label("translation_systems.template.help"), elem_classes="sy-template")
        with gr.Row(elem_classes="cf-plain"):
            for name in MORE:
                put[name] = knob(shell, SPECS[name], "translation_systems")
        put["reference"] = gr.Textbox("", lines=2, max_lines=12, label=label("translation_systems.reference"),
                                      info=label("translation_systems.reference.help"))


def offered(shell: Shell, request: gr.Request, modes: Sequence[str]) -> list[tuple[str, str]]:
    """(words, reference) of every known system: translators, language models, directions (``modes``) of apertium."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    found = [one.choice for one in models.translators(shell, visitor, lang)]
    say = partial(shell.t, lang)
    for card in hub.catalogue(shell.service.settings):
        if card.kind in ("chat", "base") and not card.reference.startswith("bundled:"):
            found.append((say("translation_systems.offer.model", title=card.title), card.reference))
    return [*found, *((say("translation_systems.offer.apertium", mode=mode), f"apertium:{mode}")
                      for mode in modes)]


def missing(say: Callable[..., str], modes: Sequence[str]) -> str:
    """How apertium is installed, where it is not or has no direction."""
    if modes:
        return ""
    words = esc(say("translation_systems.no_apertium", command="\0", search="\1"))
    for place, command in (("\0", apertium.COMMAND), ("\1", apertium.SEARCH)):
        words = words.replace(place, f"<code>{esc(command)}</code>")
    return f'<p class="sy-file">{words}</p>'


def reference(text: str) -> str:
    """What is typed as a system, as a reference: a path alone, a name of the hub alone, a run's id alone."""
    plain = text.strip()
    if plain.startswith(("/", "~")):
        return f"path:{plain}"
    if re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", plain):
        return f"run:{plain}/model"
    return f"hub:{plain}" if re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", plain) else plain


def fields_of(values: Mapping[str, Json]) -> dict[str, Json]:
    """The request from the form's values; a file goes before what is typed."""
    found = fields_from(SPECS, values.items())
    found["systems"] = list(dict.fromkeys(reference(str(name)) for name in values.get("systems") or ()
                                          if str(name).strip()))
    if found.get("file"):
        found["text"] = ""
    for name in ("source", "target"):
        found[name] = str(values.get(name) or "").strip()
    return found


def make(shell: Shell, request: gr.Request, fields: Mapping[str, Json]) -> str:
    """Make the run; its id. Raises ``UserError`` where a system or the text is missing."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    systems: Sequence[str] = list(fields.get("systems") or ())
    if not systems:
        raise UserError(shell.t(lang, "translation_systems.none"))
    if not str(fields.get("text") or "").strip() and not fields.get("file"):
        raise UserError(shell.t(lang, "translation_systems.no_text"))
    for name in systems:
        if name not in (PRACTICE,) and not name.startswith("apertium:") and name != "apertium":
            hub.parse(name)
    text = str(fields.get("text") or "").strip().split("\n")[0] or files.name_of(str(fields.get("file")))
    title = shell.t(lang, "translation_systems.title", text=text[:60], n=len(systems))
    return shell.service.submit(TASK, fields, visitor=visitor, title=title)


def example(shell: Shell) -> dict[str, Json]:
    """A real request that ends in seconds: the translator that comes with the project, and beside it the default
    language model where it is on this machine already."""
    if default_model() == PRACTICE:
        return {"text": ORDER, "systems": [PRACTICE]}
    settings, others = shell.service.settings, list[str]()
    try:
        if hub.state(settings.default_model, settings).status == "ready":
            others.append(settings.default_model)
    except UserError:
        others = []
    return {"text": GERMAN, "systems": [default_model(), *others], "longest": 64}

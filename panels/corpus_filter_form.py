"""The form of a filtering run: texts, recipe, scorers, what to write; and the request that it makes."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from backends.mdfg.readers.files import ENDINGS
from backends.mdfg.recipes import FOLDER as RECIPES
from backends.mdfg.recipes import load_recipe, presets
from backends.mdfg.requests import SAMPLE, ExportName, FilterRequest
from panels import run_list
from panels.dialogue_knobs import fields_from, knob, specs_of
from panels.form_fields import Form
from workbench.contract import Json, UserError
from workbench.hub_local import BUNDLED
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss, known
from workbench.widgets.loose import table

TASK = "mdfg.filter.v1"
TRAINED = ("mdfg.train_scorer.v1", "mdfg.toxicity_rounds.v1")
SPECS = specs_of(FilterRequest)
MORE = ("near_duplicates", "limit", "text_field", "workers", "engine", "shard_mb")
NAMES = ("sources", "recipe", "scorers", "exports", *MORE)
CHINESE = ("bundled:mdfg-zh-domain", "bundled:mdfg-zh-quality", "bundled:mdfg-zh-toxicity")
EXAMPLE: Mapping[str, Json] = {"sources": [SAMPLE], "scorers": list(CHINESE), "exports": ["jsonl", "ledger"]}
"""The sample with everything that is bundled for Chinese: a few seconds of one core."""
MOST = 50
"""Runs of one kind that a list offers, the newest first."""
KEPT = ("kept.parquet", "kept.jsonl")
PIECE = 1 << 20


def lay_out(shell: Shell, form: Form) -> None:
    """Make the fields in two steps: texts and recipe, then what is added and written."""
    put, part = form.fields, form.parts
    part["brought"] = shell.note("{}")
    with gr.Row(elem_classes="cf-sources"):
        put["sources"] = gr.Dropdown([(shell.label("corpus_filter.sample"), SAMPLE)], value=[SAMPLE], multiselect=True,
                                     allow_custom_value=True, label=shell.label("corpus_filter.sources"),
                                     info=shell.label("corpus_filter.sources.help"))
        part["bring"] = gr.UploadButton(shell.label("corpus_filter.bring"), file_types=list(ENDINGS), size="sm")
    first = SPECS["recipe"].default
    part["preset"] = gr.Dropdown([(shell.label(f"corpus_filter.preset.{name}"), name) for name in presets()],
                                 value=first, filterable=False, label=shell.label("corpus_filter.preset"))
    part["sheet"] = gr.HTML("", apply_default_css=False)
    with gr.Accordion(shell.label("corpus_filter.yaml"), open=False, elem_classes="wb-group"):
        put["recipe"] = gr.Textbox(preset_text(first), lines=12, max_lines=28, label=shell.label("corpus_filter.yaml"),
                                   info=shell.label("corpus_filter.yaml.help"), elem_classes="cf-yaml")
    known = [(shell.label(f"corpus_filter.scorer.{folder.name}"), f"bundled:{folder.name}") for folder in bundled()]
    put["scorers"] = gr.Dropdown(known, value=list(scorers_for(first)), multiselect=True, allow_custom_value=True,
                                 label=shell.label("corpus_filter.scorers"),
                                 info=shell.label("corpus_filter.scorers.help"))
    with gr.Accordion(shell.label("corpus_filter.more"), open=False, elem_classes="wb-group"):
        put["exports"] = gr.CheckboxGroup(
            [(shell.label(f"corpus_filter.export.{name}"), name) for name in get_args(ExportName)],
            value=list(SPECS["exports"].default), label=shell.label("corpus_filter.exports"))
        with gr.Row(elem_classes="cf-plain"):
            for name in MORE:
                put[name] = knob(shell, SPECS[name], "corpus_filter")


def bundled() -> list[Path]:
    """Folders of the scorers that come with the project."""
    return sorted(BUNDLED.glob("mdfg-*"))


def scorers_for(preset: str) -> tuple[str, ...]:
    """The bundled scorers of a preset's language."""
    language = load_recipe(preset).language if preset in presets() else ""
    return tuple(name for folder in bundled() if (name := f"bundled:{folder.name}").startswith(
        f"bundled:mdfg-{language}-"))


def preset_text(name: str) -> str:
    """The YAML of a preset as it lies in the project, with its notes; empty for another name."""
    return (RECIPES / f"{name}.yaml").read_text(encoding="utf-8") if name in presets() else ""


def offered(shell: Shell, request: gr.Request, brought: str) -> list[Any]:
    """Updates of the lists of sources and scorers: what comes with the project, and this visitor's runs."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    return [gr.update(choices=sources(shell, visitor, lang, brought)),
            gr.update(choices=scorers(shell, visitor, lang))]


def sources(shell: Shell, visitor: str, lang: str, brought: str) -> list[tuple[str, str]]:
    """(words, reference): the sample, files taken in, the texts of filtering runs and what these kept."""
    say = partial(shell.t, lang)
    found = [(say("corpus_filter.sample"), SAMPLE), *((name, held) for held, name in taken(brought).items())]
    for run in _done(shell, visitor, TASK):
        title = gloss(lang, run.title) or run.task
        kept = next((name for name in KEPT if (run.path / "artifacts" / name).is_file()), "")
        if kept:
            found.append((say("corpus_filter.source.kept", title=title), f"run:{run.id}/{kept}"))
        found.append((say("corpus_filter.source.all", title=title), f"run:{run.id}/documents"))
    return found


def scorers(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, reference): the bundled scorers, then those that this visitor's runs have trained."""
    found = []
    for folder in bundled():
        key = f"corpus_filter.scorer.{folder.name}"
        found.append((shell.t(lang, key) if known(key) else folder.name, f"bundled:{folder.name}"))
    for task in TRAINED:
        found += [(run_list.line(run, lang), f"run:{run.id}/scorer")
                  for run in _done(shell, visitor, task) if (run.path / "artifacts" / "scorer").is_dir()]
    return found


def _done(shell: Shell, visitor: str, task: str) -> list[Run]:
    return shell.service.runs(visitor, task=task, status="succeeded", limit=MOST)[0]


def taken(brought: str) -> dict[str, str]:
    """File names by reference of a note; nothing of a note that is none."""
    try:
        value = json.loads(brought or "{}")
    except ValueError:
        return {}
    return {str(reference): str(name) for reference, name in table(value).items()}


def take_in(shell: Shell, path: Path) -> tuple[str, str]:
    """Keep a file in the home by the sha256 of its bytes; its reference (sha256/name) and its name.

    Raises ``UserError`` for an empty file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    if not size:
        raise UserError(f"{path.name} is empty.", advice="Choose another file.")
    sha = digest.hexdigest()
    kept = shell.service.settings.home / "uploads" / f"{sha}.txt"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.is_file():
        shutil.copyfile(path, temporary := kept.with_name(f".{sha}.{secrets.token_hex(8)}.tmp"))
        temporary.replace(kept)
    name = re.sub(r"[/\\\x00-\x1f]", "_", path.name)[-200:]
    return f"{sha}/{name}", name


def fields_of(values: Mapping[str, Json]) -> dict[str, Json]:
    """The request from the form's values. A recipe that is word for word a preset is sent by its name.

    Raises ``UserError`` when the recipe is wrong."""
    found = fields_from(SPECS, values.items())
    found["sources"] = [reference(str(text)) for text in values.get("sources") or () if str(text).strip()]
    found["recipe"] = short(str(values.get("recipe") or ""))
    load_recipe(found["recipe"])
    return found


def short(text: str) -> str:
    """The name of the preset whose text this is, else the text."""
    return next((name for name in presets() if preset_text(name).strip() == text.strip()), text)


def reference(text: str) -> str:
    """What is typed as a source, as a reference: a path alone, the id of a run alone, a data set of the hub."""
    plain = text.strip()
    if plain.startswith(("/", "~")):
        return f"path:{plain}"
    if plain.startswith("datasets/"):
        return f"hub:{plain}"
    return f"run:{plain}/documents" if plain[:8].isdecimal() and plain[8:9] == "T" and "/" not in plain else plain


def readable(shell: Shell, visitor: str, recipe_text: str) -> None:
    """Raise ``UserError`` when the recipe's word list or scorers lie in a run that this visitor may not read."""
    recipe = load_recipe(recipe_text)
    for named in (recipe.measure.words, *recipe.scorers):
        if named.startswith("run:"):
            shell.service.run(visitor, named.removeprefix("run:").partition("/")[0])


def title_of(shell: Shell, lang: str, fields: Mapping[str, Json]) -> str:
    """A name for the list of runs: the texts and the recipe."""
    sample = shell.t(lang, "corpus_filter.sample.short")
    listed: Sequence[str] = [str(source) for source in fields["sources"]]
    called = [sample if source == SAMPLE else source.rstrip("/").rpartition("/")[2][:60] for source in listed[:2]]
    more = f" +{len(listed) - 2}" if len(listed) > 2 else ""
    return f"{', '.join(called)}{more} · {load_recipe(str(fields['recipe'])).name}"[:120]


def make(shell: Shell, request: gr.Request, fields: Mapping[str, Json]) -> str:
    """Make the run; its id. Raises ``UserError`` when no text is chosen."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    if not fields.get("sources", (SAMPLE,)):
        raise UserError(shell.t(lang, "corpus_filter.choose"))
    whole = {"sources": [SAMPLE], "recipe": SPECS["recipe"].default, **fields}
    readable(shell, visitor, str(whole["recipe"]))
    return shell.service.submit(TASK, fields, visitor=visitor, title=title_of(shell, lang, whole))

"""The form of the Train view of speech: one step at a time, filled in from the steps before it, and its request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from backends.blsp_emo.requests import (
    ContinuationsRequest,
    EvaluateRequest,
    GateRequest,
    Stage0Request,
    Stage1Request,
    Stage2Request,
)
from backends.common.speech.practice import PRACTICE
from panels import run_list
from panels import speech_train_chain as chains
from panels import train_parts as parts
from panels.speech_desk import MOST
from panels.speech_train_chain import BUNDLED, BUNDLED_LM, STEPS, TASKS, Chain
from panels.translation_files import as_reference, choices, name_of, take_in, taken
from workbench import forms, hub
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json
from workbench.panel import QUEUED, Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets.loose import pairs, table
from workbench.widgets.markup import esc

REQUESTS: Mapping[str, type] = {
    "stage0": Stage0Request, "gate": GateRequest, "words": ContinuationsRequest, "stage1": Stage1Request,
    "tones": ContinuationsRequest, "stage2": Stage2Request, "evaluate": EvaluateRequest}
HIDDEN: Mapping[str, tuple[str, ...]] = {"words": ("stage", "every_emotion"), "tones": ("stage",)}
"""Fields that the step decides."""
FILES = ("manifest", "pairs", "answers", "root", "gate", "start", "model", "encoder")
BROUGHT: Mapping[str, str] = {"stage0": "pairs", "words": "manifest", "tones": "manifest", "evaluate": "manifest"}
"""The field that a file which a person brings goes into."""
ENDINGS = (".jsonl", ".json")
EXAMPLE: Mapping[str, Json] = {"model": BUNDLED_LM, "validation": ["emodb_08"], "batch": 4, "epochs": 20,
                               "learning_rate": 1e-3, "patience": 5,
                               "name": "Practice, stage 1"}
"""Stage 1 on the eight practice clips: seconds on one core, and enough for every later step to have something to do."""
UNFOLDED = 2


@dataclass(frozen=True)
class Asked:
    """What the form is to show; kept by the browser as the text of a note. ``picks`` are (words, reference) choices of
    fields by name."""

    step: str
    lang: str
    fields: Mapping[str, Json]
    picks: Mapping[str, tuple[tuple[str, str], ...]]


def plan(shell: Shell, request: gr.Request, step: str, fields: Mapping[str, Json] | None = None) -> str:
    """The text of a note that asks for the form of a step, with ``fields`` over the defaults."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    runs = parts.newest(shell, visitor, tuple(dict.fromkeys(TASKS.values())), MOST)
    filled = {**to_json(REQUESTS[step]()), **chains.filled(Chain({}), step), **dict(fields or {})}
    return json.dumps({"step": step, "lang": lang, "fields": filled, "picks": picks(shell, runs, step, lang)},
                      ensure_ascii=False)


def asked(note: str) -> Asked | None:
    """What a note asks for; nothing of an empty one or one that was changed by hand into something else."""
    try:
        value = table(json.loads(note or "{}"))
    except (ValueError, RecursionError):
        return None
    if value.get("step") not in STEPS:
        return None
    offered = {str(name): pairs(known) for name, known in table(value.get("picks")).items()}
    return Asked(str(value["step"]), str(value.get("lang")), table(value.get("fields")), offered)


def picks(shell: Shell, runs: Sequence[Run], step: str, lang: str) -> dict[str, list[tuple[str, str]]]:
    """Choices of a step's reference fields: what comes with the project, then what runs have made."""
    say = partial(shell.t, lang)

    def of(wanted: str, product: str) -> list[tuple[str, str]]:
        return [(run_list.dated(run, lang), f"run:{run.id}/{product}") for run in runs
                if chains.step_of(run) == wanted and run.status == "succeeded"]
    cards = hub.catalogue(shell.service.settings)
    chat = [(card.title, card.reference) for card in cards if card.writes]
    hears = [(card.title, card.reference) for card in cards if card.kind == "speech"]
    practice = [(say("speech.train.practice"), PRACTICE)]
    language = [(say("speech.train.bundled_lm"), BUNDLED_LM), *of("stage0", "model"), *chat]
    offered: dict[str, list[tuple[str, str]]] = {"encoder": hears, "model": language}
    if step == "stage0":
        return {"model": [(say("speech.train.new"), ""), *chat], "pairs": [(say("speech.train.talk"), "")]}
    if step in ("words", "tones"):
        return {**offered, "manifest": practice}
    if step == "evaluate":
        tuned = [(say("speech.train.bundled"), BUNDLED), *of("stage2", "model"), *of("stage1", "model")]
        return {"model": tuned, "manifest": practice, "answers": [*practice, *of("tones", "answers.jsonl")]}
    if step in ("stage1", "stage2"):
        made = of("words" if step == "stage1" else "tones", "continuations.jsonl")
        offered |= {"manifest": [*practice, *made],
                    "gate": [(say("speech.train.own_gate"), ""), *of("gate", "gate.json")]}
    if step == "stage2":
        offered["start"] = [(say("speech.train.no_stage1"), ""), *of("stage1", "model")]
    return offered


def lay(shell: Shell, notes: Mapping[str, gr.Textbox], wanted: Asked, brought: str) -> None:
    """Make the form that is asked for; a start puts its run's id into the note ``run``. ``brought`` is the note of that
    name: the files that were taken in."""
    say, words = partial(shell.t, wanted.lang), partial(gloss, wanted.lang)
    place = STEPS.index(wanted.step) + 1
    gr.HTML(f"<h3 class='sn-form-title'>{place}. {esc(say(f'speech.train.step.{wanted.step}'))}</h3>"
            f"<p class='wb-dim'>{esc(say(f'speech.train.step.{wanted.step}.help'))}</p>", apply_default_css=False)
    offered = {name: list(known) for name, known in wanted.picks.items()}
    field = BROUGHT.get(wanted.step, "")
    if field:
        with gr.Row(elem_classes="dt-controls"):
            door = gr.UploadButton(say(f"speech.train.bring.{field}"), file_types=list(ENDINGS), size="sm",
                                   file_count="single")
        offered[field] = [*offered.get(field, []), *choices(brought)]
    made = forms.build(REQUESTS[wanted.step], say, wanted.fields, (), words, offered, UNFOLDED,
                       HIDDEN.get(wanted.step, ()))
    if field:
        target = made.components[field]
        door.upload(shell.guard(_take(shell, tuple(wanted.picks.get(field, ())))), [door, notes["brought"]],
                    [notes["brought"], target], **QUEUED)
    go = gr.Button(say(f"speech.train.start.{wanted.step}"), variant="primary", elem_classes="tr-go")
    go.click(shell.guard(starter(shell, made, wanted.step)), made.inputs(), [notes["run"]], **QUEUED)


def _take(shell: Shell, known: Sequence[tuple[str, str]]) -> Callable[..., Any]:
    def take(path: Json, brought: str) -> tuple[str, Any]:
        return bring(shell, str(path or ""), brought, known)
    return take


def bring(shell: Shell, path: str, brought: str, known: Sequence[tuple[str, str]] = ()) -> tuple[str, Any]:
    """Take a file in and choose it. Raises ``UserError`` for an empty one."""
    reference = take_in(shell, Path(path))
    named = json.dumps({**taken(brought), reference: name_of(reference)}, ensure_ascii=False)
    return named, gr.update(choices=[*known, *choices(named)], value=reference)


def starter(shell: Shell, made: forms.Form, step: str) -> Callable[..., str]:
    """The handler of the form's button."""
    def begin(request: gr.Request, *values: Json) -> str:
        return start(shell, request, step, made.fields(values))
    return begin


def start(shell: Shell, request: gr.Request, step: str, fields: Mapping[str, Json]) -> str:
    """Begin a step; its run's id. Raises ``UserError`` naming the field that does not fit."""
    if step not in STEPS:
        raise UserError(f"There is no step {step!r}.", advice=f"The steps are {', '.join(STEPS)}.")
    plainly = {name: as_reference(str(value)) if name in FILES and isinstance(value, str) else value
               for name, value in fields.items()}
    said = to_json(from_json(REQUESTS[step], plainly))
    lang, visitor = shell.lang(request), shell.visitor(request)
    title = shell.t(lang, f"speech.train.title.{step}", name=subject(said, step, lang, shell))
    texts = [value for value in said.values() if isinstance(value, str) and value.startswith("run:")]
    parents = tuple(dict.fromkeys(text.removeprefix("run:").partition("/")[0] for text in texts))
    return shell.service.submit(TASKS[step], said, visitor=visitor, title=title, parents=parents)


def subject(fields: Mapping[str, Json], step: str, lang: str, shell: Shell) -> str:
    """What a step is about, in a word: the model's name, its model or its clips."""
    if step in ("stage1", "stage2"):
        return str(fields["name"])
    if step in ("words", "tones"):
        manifest = str(fields["manifest"])
        return shell.t(lang, "speech.train.practice") if manifest == PRACTICE else name_of(manifest)
    model = str(fields["model"])
    return name_of(model) if model.startswith("path:") else model or shell.t(lang, "speech.train.new")

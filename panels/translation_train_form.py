"""The form of the Train view: a translator to train, or models to measure; files, an estimate, and the request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from backends.sm2.estimate import Estimate, estimate, size_of, slowness_of
from backends.sm2.models import default_model
from backends.sm2.requests import CurveRequest, TrainRequest
from panels.translation_desk import CURVE, MOST, TRAIN
from panels.translation_files import ENDINGS, as_reference, choices, located, name_of, take_in, taken
from panels.translation_models import translators
from workbench import forms, hub
from workbench.contract import Json, UserError
from workbench.fields import from_json, to_json
from workbench.files import read_json
from workbench.panel import LATEST, QUEUED, Shell
from workbench.text import gloss
from workbench.widgets.loose import listed, pairs, table
from workbench.widgets.markup import duration, esc

KINDS: Mapping[str, tuple[str, type]] = {"translator": (TRAIN, TrainRequest), "curve": (CURVE, CurveRequest)}
FILES = ("source", "target")
EXAMPLE: Mapping[str, Json] = {"pairs": 6000, "held_out": 200, "width": 64, "inner": 128, "heads": 4, "layers": 2,
                               "dropout": 0.0, "tokens": 1024, "max_steps": 400, "learning_rate": 3e-3, "warmup": 100,
                               "average": 0.1, "evaluate_every": 100, "name": "Practice translator"}
"""The order language, 400 steps: enough for the confidence to come apart (our default)."""
MOST_MODELS = 6
"""Models that are measured by one press."""
UNFOLDED = 2


@dataclass(frozen=True)
class Asked:
    """What the form is to show; kept by the browser as the text of a note. ``known`` are the models to choose from
    (words, reference), ``models`` those to be measured."""

    kind: str
    lang: str
    fields: Mapping[str, Json]
    known: tuple[tuple[str, str], ...]
    models: tuple[str, ...]


def plan(shell: Shell, request: gr.Request, kind: str, fields: Mapping[str, Json] | None = None,
         models: Sequence[str] = ()) -> str:
    """The text of a note that asks for a form."""
    lang = shell.lang(request)
    known = [one.choice for one in translators(shell, shell.visitor(request), lang)]
    filled = to_json(KINDS[kind][1]()) if fields is None else dict(fields)
    return json.dumps({"kind": kind, "lang": lang, "fields": filled, "known": known,
                       "models": list(models) or [default_model()]}, ensure_ascii=False)


def asked(note: str) -> Asked | None:
    """What a note asks for; nothing of an empty one."""
    try:
        value = table(json.loads(note or "{}"))
    except ValueError:
        return None
    if value.get("kind") not in KINDS:
        return None
    known = pairs(value.get("known"))
    return Asked(str(value["kind"]), str(value.get("lang")), table(value.get("fields")), known,
                 tuple(map(str, listed(value.get("models")))))


def lay(shell: Shell, notes: Mapping[str, gr.Textbox], wanted: Asked, brought: str) -> None:
    """Make the form that is asked for; a start puts its run's id into the note ``run``. ``brought`` is the note of that
    name: the files that were taken in."""
    say, words = partial(shell.t, wanted.lang), partial(gloss, wanted.lang)
    _, request = KINDS[wanted.kind]
    known = wanted.known
    gr.HTML(f"<p class='wb-dim'>{esc(say(f'translation.train.kind.{wanted.kind}.help'))}</p>", apply_default_css=False)
    measured = None
    if wanted.kind == "curve":
        measured = gr.Dropdown(list(known), value=list(wanted.models), multiselect=True,
                               allow_custom_value=True, max_choices=MOST_MODELS, interactive=True,
                               label=say("translation.train.models"), info=say("translation.train.models.help"))
    with gr.Row(elem_classes="dt-controls"):
        doors = {name: gr.UploadButton(say(f"translation.train.bring.{name}"), file_types=list(ENDINGS), size="sm",
                                       file_count="multiple" if wanted.kind == "translator" else "single")
                 for name in FILES}
    picks = {name: choices(brought) for name in FILES}
    picks["start"] = [(say("translation.train.scratch"), ""), *known]
    hidden = ("model",) if measured is not None else ()  # the list above takes its place
    made = forms.build(request, say, wanted.fields, known, words, picks, UNFOLDED, hidden)
    for name, door in doors.items():
        field = made.components[name]
        door.upload(shell.guard(_take(shell)), [door, notes["brought"], field], [notes["brought"], field], **QUEUED)
    if wanted.kind == "translator":
        told = gr.HTML("", apply_default_css=False)
        gr.on(None, _estimator(shell, made), made.inputs(), [told], **LATEST)
    go = gr.Button(say(f"translation.train.start.{wanted.kind}"), variant="primary", elem_classes="tr-go")
    inputs: list[Component] = [*([measured] if measured is not None else []), *made.inputs()]
    go.click(shell.guard(starter(shell, made, wanted.kind)), inputs, [notes["run"]], **QUEUED)


def _take(shell: Shell) -> Callable[..., Any]:
    def take(paths: Json, brought: str, chosen: Json) -> tuple[str, Any]:
        return bring(shell, [str(path) for path in ([paths] if isinstance(paths, str) else paths or ())], brought,
                     chosen)
    return take


def bring(shell: Shell, paths: Sequence[str], brought: str, chosen: Json) -> tuple[str, Any]:
    """Take files in and choose them: added to a list, in place of a single one."""
    new = [take_in(shell, Path(path)) for path in paths]
    named = json.dumps({**taken(brought), **{reference: name_of(reference) for reference in new}}, ensure_ascii=False)
    if isinstance(chosen, list):
        value: Json = list(dict.fromkeys([*map(str, chosen), *new]))
    else:
        value = new[-1] if new else chosen
    return named, gr.update(choices=choices(named), value=value)


def starter(shell: Shell, made: forms.Form, kind: str) -> Callable[..., str]:
    """The handler of the form's button."""
    def begin(request: gr.Request, *values: Json) -> str:
        if kind == "curve":
            models, *rest = values
            return measure(shell, request, [str(name) for name in listed(models)], made.fields(rest))
        return start(shell, request, made.fields(values))
    return begin


def start(shell: Shell, request: gr.Request, fields: Mapping[str, Json]) -> str:
    """Begin a training; its run's id. Raises ``UserError`` naming the field that does not fit."""
    fields = {**fields, **{name: [as_reference(str(one)) for one in listed(fields.get(name))] for name in FILES}}
    said = from_json(TrainRequest, fields)
    title = shell.t(shell.lang(request), "translation.train.title.translator", name=said.name,
                    objective=gloss(shell.lang(request), said.objective))
    return shell.service.submit(TRAIN, to_json(said), visitor=shell.visitor(request), title=title)


def measure(shell: Shell, request: gr.Request, models: Sequence[str], fields: Mapping[str, Json]) -> str:
    """Begin a curve for every model; the id of the first run. Raises ``UserError`` for no model."""
    lang, visitor = shell.lang(request), shell.visitor(request)
    if not models:
        raise UserError(shell.t(lang, "translation.train.no_model"))
    titles = {one.reference: one.facts.title for one in translators(shell, visitor, lang)}
    files = {name: as_reference(str(fields.get(name) or "")) for name in FILES}
    runs = []
    for model in dict.fromkeys(models[:MOST_MODELS]):
        asks = to_json(from_json(CurveRequest, {**fields, **files, "model": model}))
        title = shell.t(lang, "translation.train.title.curve", model=titles.get(model, model),
                        data=name_of(files["source"]) if files["source"] else shell.t(lang, "translation.train.order"))
        runs.append(shell.service.submit(CURVE, asks, visitor=visitor, title=title))
    return runs[0]


def _estimator(shell: Shell, made: forms.Form) -> Callable[..., str]:
    def told(request: gr.Request, *values: Json) -> str:
        try:
            wanted = from_json(TrainRequest, made.fields(values))
        except UserError:
            return ""  # the button says what is wrong
        return estimated(shell, request, wanted)
    return told


def estimated(shell: Shell, request: gr.Request, wanted: TrainRequest) -> str:
    """A line on how large and how long, or nothing where that cannot be said."""
    visitor, lang = shell.visitor(request), shell.lang(request)
    paths = [located(shell, visitor, as_reference(name)) for name in wanted.source]
    sizes = [size for path in paths if path and (size := size_of(path))]
    found = None
    if not wanted.source or len(sizes) == len(wanted.source):
        found = estimate(wanted, sizes, slowness(shell, visitor), weights_of(shell, visitor, wanted.start))
    return line(found, partial(shell.t, lang), lang) if found else ""


def line(found: Estimate, say: Callable[..., str], lang: str) -> str:
    """The estimate in words."""
    parts = [say("translation.train.estimate.pairs", pairs=f"{found.pairs:,}"),
             say("translation.train.estimate.steps", steps=f"{found.steps:,}")]
    if found.weights:
        parts += [say("translation.train.estimate.weights", weights=f"{found.weights / 1e6:.2f}"),
                  say("translation.train.estimate.time", time=duration(max(1.0, float(f"{found.seconds:.1g}")), lang))]
    parts.append(say(f"translation.train.estimate.{'here' if found.measured else 'guess'}"))
    return f"<p class='dt-hint tl-estimate'>{esc(' · '.join(parts))}</p>"


def slowness(shell: Shell, visitor: str) -> float | None:
    """How long this visitor's trainings took against the formula."""
    runs, _ = shell.service.runs(visitor, task=TRAIN, status="succeeded", limit=MOST)
    return slowness_of((run.fields, table(read_json(run.path / "result.json", {}))) for run in runs)


def weights_of(shell: Shell, visitor: str, start_from: str) -> int:
    """Weights of the model that is fine-tuned; 0 for none, or where its folder is not here."""
    if not start_from or start_from.startswith("hub:") or located(shell, visitor, start_from) is None:
        return 0
    return hub.card(start_from, shell.service.settings).parameters

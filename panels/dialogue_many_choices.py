"""Generate many: what its form offers (libraries and their problems, classifiers) and the knobs of quality control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from backends.sweetiechat.library import Library
from backends.sweetiechat.quality.verdict import Limits
from backends.sweetiechat.requests import GenerateRequest
from backends.sweetiechat.scenarios.library import library_of
from panels import dialogue_cases as cases
from panels import dialogue_trained as trained
from panels import run_list
from panels.dialogue_knobs import fields_from, knob, specs_of
from workbench.contract import Json, UserError
from workbench.panel import LATEST, QUEUED, QUICK, Shell
from workbench.runs import Run

if TYPE_CHECKING:
    from panels.dialogue_many import Many

SCENARIOS, IMPORT = "sweetiechat.scenarios.v1", "sweetiechat.import.v2"
MODES = ("scored", "prompt", "classifier", "agent", "none")
LIMIT = "limits."
LIMITS = specs_of(Limits)
MOST = 50


def quality(shell: Shell) -> dict[str, Component]:
    """The folded part with the switch, the checker and every limit, by field names."""
    put: dict[str, Component] = {}
    with gr.Accordion(shell.label("pipeline.quality"), open=False):
        put["quality"] = knob(shell, specs_of(GenerateRequest)["quality"], "pipeline")
        put["checker"] = gr.Dropdown([], value="", allow_custom_value=True, label=shell.label("pipeline.checker"),
                                     info=shell.label("pipeline.checker.help"))
        with gr.Row(elem_classes="dt-knobs"):
            for name, spec in LIMITS.items():
                put[LIMIT + name] = knob(shell, spec, "pipeline")
    return put


def fields_of_form(values: Mapping[str, Json]) -> dict[str, Json]:
    """The request's fields that are not plain knobs: library, classifier, checker and limits."""
    found: dict[str, Json] = {name: text for name in ("library", "checker")
                              if (text := str(values.get(name) or "").strip())}
    if values.get("counselor") == "classifier":
        found["classifier"] = str(values.get("classifier") or "").strip()
    limits = fields_from(LIMITS, [(name, values[LIMIT + name]) for name in LIMITS if LIMIT + name in values])
    changed = {name: value for name, value in limits.items() if value != LIMITS[name].default}
    return {**found, "limits": changed} if changed else found


def libraries(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, reference): the bundled library, then the runs that made scenarios, newest first."""
    found = [(shell.t(lang, "pipeline.library.bundled"), "")]
    runs: list[Run] = []
    for task in (SCENARIOS, IMPORT):
        runs += shell.service.runs(visitor, task=task, limit=MOST)[0]
    for run in sorted(runs, key=lambda run: -run.created):
        if (run.path / "artifacts" / "scenarios.jsonl").is_file():
            count = _count(run)
            words = shell.t(lang, "pipeline.library.run", title=run.title, count=count, when=run_list.when(run))
            if count:
                found.append((words, f"run:{run.id}"))
    return found


def _count(run: Run) -> int:
    with (run.path / "artifacts" / "scenarios.jsonl").open("rb") as file:
        return sum(1 for _ in file)


def problems(shell: Shell, visitor: str, lang: str, library: str, language: str) -> list[tuple[str, str]]:
    """(words, id) of every category and problem of a library."""
    if not library.strip():
        options = [(f"▸ {cases.name_of(category, lang)}", str(category["id"])) for category in cases.categories()]
        return options + [(name, key) for _, rows in cases.grouped(lang) for key, name, _ in rows]
    found = opened(shell, visitor, library, language)
    spoken = "zh" if lang.startswith("zh") else "en"
    used = {scenario.problem_type_id for scenario in found.scenarios}
    kinds = [kind for kind in found.problems if kind.id in used]
    known = {kind.category for kind in kinds}
    options = [(f"▸ {cases.name_of(category, lang)}", str(category["id"])) for category in cases.categories()
               if category["id"] in known]
    return options + [(kind.name(spoken) or kind.id, kind.id) for kind in kinds]  # type: ignore[arg-type]


def opened(shell: Shell, visitor: str, library: str, language: str) -> Library:
    """The library of a run that this visitor may read."""
    run = shell.service.run(visitor, library.strip().removeprefix("run:").partition("/")[0])
    return library_of(run.path / "artifacts", "zh" if language == "zh" else "en")


def wire(shell: Shell, many: Many) -> None:
    """Fill the lists when they are opened; follow the library and the counselor."""
    fields = many.fields
    library, language, counselor, chosen = (fields[n] for n in ("library", "language", "counselor", "problems"))

    def offer(request: gr.Request) -> Any:
        return gr.update(choices=libraries(shell, shell.visitor(request), shell.lang(request)))

    def names(wanted: str, spoken: str, picked: Sequence[str], request: gr.Request) -> Any:
        visitor, lang = shell.visitor(request), shell.lang(request)
        try:
            options = problems(shell, visitor, lang, wanted or "", spoken)
        except UserError as error:
            gr.Warning(str(error))
            options = []
        keys = {key for _, key in options}
        return gr.update(choices=options, value=[key for key in picked or () if key in keys])

    def counsel(mode: str, picked: str, request: gr.Request) -> Any:
        found = trained.classifiers(shell.service, shell.visitor(request), shell.lang(request))
        return gr.update(choices=[(one.title, one.reference) for one in found], visible=mode == "classifier",
                         value=picked or (found[0].reference if found else ""))

    def checkers(request: gr.Request) -> Any:
        found = trained.classifiers(shell.service, shell.visitor(request), shell.lang(request), "utterance")
        nobody = shell.t(shell.lang(request), "pipeline.checker.none")
        return gr.update(choices=[(nobody, ""), *((one.title, one.reference) for one in found)])
    gr.on(None, offer, None, [library], **QUICK)
    gr.on(None, checkers, None, [fields["checker"]], **QUICK)
    library.focus(offer, None, [library], **QUICK)
    fields["checker"].focus(checkers, None, [fields["checker"]], **QUICK)
    gr.on([library.change, language.change], shell.guard(names), [library, language, chosen], [chosen], **LATEST)
    gr.on(None, shell.guard(names), [library, language, chosen], [chosen], **QUEUED)
    counselor.change(shell.guard(counsel), [counselor, fields["classifier"]], [fields["classifier"]], **QUEUED)

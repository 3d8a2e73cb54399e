"""Taking part in a watched dialogue: start, pause, continue, stop, edit a turn, speak as a role, choose a strategy.

Every action is a command of the run (``commands.jsonl``), so it is kept with the run and survives a restart of
anything; a run that waits for a person is resumed once the command is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from backends.sweetiechat.commands import check
from panels import dialogue_cases as cases
from panels import dialogue_desk as desk_view
from panels import dialogue_models as models
from panels import dialogue_setup as setup
from panels.dialogue_form import MODEL_ROLES
from panels.dialogue_watch import TASK, Watch
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets.transcript import WINDOW


def act(shell: Shell, request: gr.Request, run_id: str, command: Mapping[str, Json]) -> None:
    """Write one command that fits the dialogue now, and wake the run when it waits for a person."""
    visitor = shell.visitor(request)
    check(dialogue_of(shell, visitor, run_id), command)
    shell.service.command(visitor, run_id, command)
    if shell.service.run(visitor, run_id).status == "paused":
        shell.service.resume(visitor, run_id)


def dialogue_of(shell: Shell, visitor: str, run_id: str) -> Mapping[str, Json]:
    """The dialogue of a run with its state. Raises ``UserError`` when the run has written none yet."""
    found = shell.service.read_artifact(visitor, run_id, "dialogue.json")
    if not isinstance(found, Mapping):
        raise UserError("This run has no dialogue yet.", advice="Wait until its model is loaded.")
    return found


def stop(shell: Shell, request: gr.Request, run_id: str) -> None:
    """End the dialogue after the words that are being written; a run that has not begun is cancelled."""
    visitor = shell.visitor(request)
    run = shell.service.run(visitor, run_id)
    if run.status in TERMINAL:
        return
    if run.status == "queued" or not (run.path / "artifacts" / "dialogue.json").exists():
        shell.service.cancel(visitor, run_id)
        return
    act(shell, request, run_id, {"do": "stop"})


def proceed(shell: Shell, request: gr.Request, run_id: str) -> None:
    """Go on: a paused dialogue continues; one that failed, was cancelled or was lost starts where it stood."""
    visitor = shell.visitor(request)
    shell.service.command(visitor, run_id, {"do": "continue"})
    if shell.service.run(visitor, run_id).status in ("paused", "failed", "cancelled", "lost"):
        shell.service.resume(visitor, run_id)


def start(shell: Shell, request: gr.Request, fields: dict[str, Json]) -> str:
    """Check the models against the language, make the run; its id."""
    lang = shell.lang(request)
    models.check([str(fields[f"{role}_model"]) for role in ("seeker", "counselor", "supporter")],
                 str(fields["language"]), shell.service.settings, partial(shell.t, lang))
    scenario = fields["scenario"]
    problem = str(scenario.get("problem_type_id") if isinstance(scenario, Mapping) else scenario)
    return shell.service.submit(TASK, fields, visitor=shell.visitor(request), title=cases.problem_name(problem, lang))


def example(shell: Shell, request: gr.Request) -> str:
    """Start the bundled example at once with the default model, in a language that model speaks."""
    settings = shell.service.settings
    fields = {"language": "en", "scenario": cases.FIRST, "card": cases.example_card(cases.FIRST, "en")}
    reference = models.default("en", settings)
    return start(shell, request, {**fields, **{f"{role}_model": reference for role in MODEL_ROLES}})


def refill(shell: Shell, watch: Watch, run_id: str, request: gr.Request) -> list[Any]:
    """Leave the run and show the set-up filled with what it was asked: run, turns shown, every field."""
    values = setup.values_of(shell.service.run(shell.visitor(request), run_id).fields)
    return ["", str(WINDOW), *(values[name] for name in watch.form.names)]


def wire(shell: Shell, watch: Watch) -> None:
    """Connect every button of the watch view."""
    run, buttons, form = watch.run, watch.buttons, watch.form

    def begin(request: gr.Request, *values: Json) -> str:
        given = dict(zip(form.names, values, strict=True))
        return start(shell, request, setup.request_of(given, shell.service.settings.default_model))

    def begin_example(request: gr.Request) -> str:
        return example(shell, request)

    def press(name: str, run_id: str, request: gr.Request) -> None:
        {"stop": stop, "continue": proceed}.get(name, partial(act, command={"do": "pause"}))(shell, request, run_id)
    fresh = [run, watch.shown]
    form.buttons["start"].click(shell.guard(begin), form.inputs, [run], **QUEUED)
    buttons["example"].click(shell.guard(begin_example), None, [run], **QUEUED)
    buttons["new"].click(lambda: ("", str(WINDOW)), None, fresh, **QUICK)
    def again(run_id: str, request: gr.Request) -> list[Any]:
        return refill(shell, watch, run_id, request)
    buttons["again"].click(shell.guard(again), [run], [*fresh, *form.inputs], **QUEUED)
    for name in ("pause", "continue", "stop"):
        buttons[name].click(shell.guard(_bound(press, name)), [run], None, **QUEUED)
    _wire_roles(shell, watch)
    _wire_editor(shell, watch)
    desk_view.wire(shell, run, watch.shown, watch.html["turns"], watch.desk)


def _bound(handler: Any, name: str) -> Any:
    def pressed(run_id: str, request: gr.Request) -> None:
        handler(name, run_id, request)
    return pressed


def _wire_roles(shell: Shell, watch: Watch) -> None:
    def speak(run_id: str, text: str, request: gr.Request) -> str:
        role = str(dialogue_of(shell, shell.visitor(request), run_id).get("waiting_for") or "")
        if not text.strip() or role not in ("seeker", "supporter"):
            raise UserError(shell.t(shell.lang(request), "dialogue.say.nothing" if role else "dialogue.say.nobody"))
        act(shell, request, run_id, {"do": "say", "role": role, "text": text.strip()})
        return ""

    def choose(run_id: str, event: gr.EventData, request: gr.Request) -> None:
        act(shell, request, run_id, {"do": "strategy", "key": str(event._data.get("key") or "")})

    def take(run_id: str, wanted: list[str], request: gr.Request) -> None:
        held = set(dialogue_of(shell, shell.visitor(request), run_id).get("held") or ())
        for role in sorted(set(wanted) ^ held):
            act(shell, request, run_id, {"do": "take" if role in wanted else "release", "role": role})
    watch.buttons["say"].click(shell.guard(speak), [watch.run, watch.say_text], [watch.say_text], **QUEUED)
    watch.html["choose"].select(shell.guard(choose), [watch.run], None, **QUEUED)
    watch.roles.input(shell.guard(take), [watch.run, watch.roles], None, **QUEUED)


def _wire_editor(shell: Shell, watch: Watch) -> None:
    desk = watch.desk

    def save(run_id: str, place: str, text: str, keep_rest: bool, request: gr.Request) -> Any:
        if not text.strip():
            raise UserError(shell.t(shell.lang(request), "dialogue.edit.empty"))
        act(shell, request, run_id, {"do": "edit", "turn": int(place), "text": text.strip(),
                                     "keep_rest": bool(keep_rest)})
        return gr.update(visible=False)
    inputs = [watch.run, desk.place, desk.text, desk.keep_rest]
    desk.save.click(shell.guard(save), inputs, [desk.editor], **QUEUED)

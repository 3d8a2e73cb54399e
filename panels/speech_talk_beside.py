"""Beside a conversation: the course of the emotions, the settings of the next, neutral voice, self-test, export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels import speech_talk_act as acts
from panels import speech_talk_form as forms
from panels import speech_talk_hear as hearing
from panels.dialogue_form import pane
from panels.form_fields import Form
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets.loose import listed

if TYPE_CHECKING:
    from panels.speech_talk import Talk

MOST_NEUTRAL = 10
"""Sounds of a neutral voice that are used at most."""


def lay_out(shell: Shell, form: Form, html: dict[str, gr.HTML], buttons: dict[str, Any],
            parts: dict[str, Any]) -> None:
    """Make the components inside the current column."""
    parts["earlier"] = gr.Dropdown([], value=None, label=shell.label("speech_talk.earlier.list"),
                                   elem_classes="tr-earlier")
    html["course"] = pane()
    with gr.Accordion(shell.label("speech_talk.form"), open=True, elem_classes="mt-fold") as parts["folded"]:
        gr.HTML(f'<p class="dt-hint">{shell.label("speech_talk.form.next")}</p>', apply_default_css=False)
        forms.lay_out(shell, form)
    with gr.Accordion(shell.label("speech_talk.neutral"), open=False, elem_classes="mt-fold"):
        gr.HTML(f'<p class="dt-hint">{shell.label("speech_talk.neutral.help")}</p>', apply_default_css=False)
        html["neutral"], html["samples"] = pane(), pane()
        with gr.Row(elem_classes="dt-controls"):
            buttons["neutral"] = gr.UploadButton(shell.label("speech_talk.neutral.bring"), size="sm",
                                                 file_count="multiple", file_types=list(hearing.ENDINGS))
            buttons["calibrate"] = gr.Button(shell.label("speech_talk.neutral.use"), size="sm")
            buttons["forget"] = gr.Button(shell.label("speech_talk.neutral.forget"), size="sm")
    with gr.Accordion(shell.label("speech_talk.test"), open=False, elem_classes="mt-fold"):
        gr.HTML(f'<p class="dt-hint">{shell.label("speech_talk.test.help")}</p>', apply_default_css=False)
        buttons["test"] = gr.Button(shell.label("speech_talk.test.do"), size="sm")
        html["tested"] = pane()
    with gr.Accordion(shell.label("speech_talk.export"), open=False, elem_classes="mt-fold"):
        html["facts"] = pane()
        buttons["pack"] = gr.Button(shell.label("speech_talk.export.do"), size="sm")
        parts["packed"] = gr.File(visible=False, show_label=False, label=shell.label("speech_talk.export"),
                                  interactive=False, elem_classes="dt-file")


def wire(shell: Shell, view: Talk) -> None:
    """Connect calibration, self-test and export."""
    def bring_neutral(neutral: str, paths: Json) -> str:
        return added(neutral, hearing.brought(shell, [str(path) for path in listed(paths)]))

    def ready(neutral: str, request: gr.Request) -> str:
        count = len(held(neutral))
        told = shell.t(shell.lang(request), "speech_talk.neutral.ready", n=count)
        return f'<p class="tk-notes">{told}</p>' if count else ""

    def calibrate(run_id: str, neutral: str, request: gr.Request, *values: Json) -> tuple[str, str]:
        lang, found = shell.lang(request), held(neutral)
        if not found:
            raise UserError(shell.t(lang, "speech_talk.neutral.none"))
        return acts.speak(shell, request, run_id, {"do": "calibrate", "audio": found}, values), "[]"

    def forget(run_id: str, request: gr.Request) -> str:
        if run_id:
            acts.act(shell, request, run_id, {"do": "calibrate", "audio": []})
        return "[]"

    def test(run_id: str, request: gr.Request, *values: Json) -> str:
        return acts.speak(shell, request, run_id, {"do": "selftest"}, values)

    def pack(run_id: str, request: gr.Request) -> Any:
        return gr.update(value=str(acts.packed(shell, request, run_id)), visible=True)
    button, inputs, neutral = view.buttons, view.form.inputs, view.neutral
    button["neutral"].upload(shell.guard(bring_neutral), [neutral, button["neutral"]], [neutral], **QUEUED)
    neutral.change(ready, [neutral], [view.html["samples"]], **QUICK)
    button["calibrate"].click(shell.guard(calibrate), [view.run, neutral, *inputs], [view.run, neutral], **QUEUED)
    button["forget"].click(shell.guard(forget), [view.run], [neutral], **QUEUED)
    button["test"].click(shell.guard(test), [view.run, *inputs], [view.run], **QUEUED)
    button["pack"].click(shell.guard(pack), [view.run], [view.parts["packed"]], **QUEUED)


def held(note: str) -> list[str]:
    """References of the neutral samples in a note; nothing of a note that is none."""
    try:
        found = [str(one) for one in listed(json.loads(note or "[]"))]
    except (ValueError, RecursionError):
        return []
    return [one for one in found if one.startswith("path:")][:MOST_NEUTRAL]


def added(note: str, more: list[str]) -> str:
    """The note with more samples, each once; the newest :data:`MOST_NEUTRAL` stay."""
    return json.dumps(list(dict.fromkeys([*held(note), *more]))[-MOST_NEUTRAL:])

"""Talk: speak to a model that hears how something is said, and see what it heard, how sure it is and what it answers.

A conversation is a run: everything a person does is a command of it, so a reload, another tab or a restarted server
shows the same conversation, and no two visitors share one. The page itself holds nothing but notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import speech_talk_act as acts
from panels import speech_talk_beside as beside
from panels import speech_talk_form as forms
from panels import speech_talk_hear as hearing
from panels import speech_talk_sound as sounds
from panels import speech_talk_work as work
from panels.dialogue_form import pane
from panels.dialogue_watch import FOLLOW
from panels.form_fields import Form
from panels.speech_desk import Desk
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.widgets import speech_talk, speech_talk_mic, speech_wave
from workbench.widgets.speech_talk_tone import EMOTIONS

EVERY: Mapping[str, Any] = {**QUEUED, "trigger_mode": "multiple"}
"""No take and no press is dropped."""


@dataclass(frozen=True)
class Talk:
    """The components of the view. ``run`` is the conversation; ``neutral`` the samples of a neutral voice that wait to
    be used; ``looked`` and ``place`` are the turns whose sound is shown and that is being corrected."""

    run: gr.Textbox
    sent: gr.Textbox
    shown: gr.Textbox
    pace: gr.Textbox
    looked: gr.Textbox
    neutral: gr.Textbox
    place: gr.Textbox
    form: Form
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, Any]
    parts: Mapping[str, Any]

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`panels.speech_talk_work.looks`."""
        return [*(self.html[name] for name in work.PARTS), *(self.buttons[name] for name in work.CONTROLS), self.pace,
                self.sent]


def lay_out(shell: Shell) -> Talk:
    """Make the components of the view: the conversation with the microphone below it, what belongs to it beside it."""
    run, sent, shown, pace = shell.note(""), shell.note("{}"), shell.note(str(speech_talk.WINDOW)), shell.note("")
    looked, neutral, place, form = shell.note(""), shell.note("[]"), shell.note(""), Form(forms.NAMES)
    html: dict[str, gr.HTML] = {}
    buttons: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="tk-view"):
        with gr.Row(elem_classes="mt-hello") as hint:
            gr.HTML(f'<p class="dt-hint">{shell.label("speech_talk.empty")}</p>', apply_default_css=False)
            buttons["example"] = shell.example_button("speech_talk.example")
        with gr.Row(elem_classes="tk-split"):
            with gr.Column(elem_classes="tk-main"):
                _conversation(shell, run, html, buttons, parts)
            with gr.Column(elem_classes="tk-side"):
                beside.lay_out(shell, form, html, buttons, parts)
    gr.on(None, lambda run_id: gr.update(visible=not run_id), [run], [hint], **QUICK)
    return Talk(run, sent, shown, pace, looked, neutral, place, form, html, buttons, parts)


def _conversation(shell: Shell, run: gr.Textbox, html: dict[str, gr.HTML], buttons: dict[str, Any],
                  parts: dict[str, Any]) -> None:
    html["strip"] = pane()
    with gr.Row(elem_classes="dt-controls"):
        for name in work.CONTROLS:
            buttons[name] = gr.Button(shell.label(f"speech_talk.do.{name}"), size="sm", visible=False)
        buttons["new"] = gr.Button(shell.label("speech_talk.do.new"), size="sm", visible=False)
        shell.actions(run)
    with gr.Column(elem_classes="dt-scroll tk-scroll"):
        presses = speech_talk_mic.presses()
        html["turns"], html["live"], html["end"] = pane(presses + FOLLOW), pane(presses + FOLLOW), pane(FOLLOW)
    html["sound"] = pane(speech_wave.PLAY)
    with gr.Column(visible=False, elem_classes="dt-desk tk-editor") as parts["editor"]:
        parts["words"] = gr.Textbox("", lines=2, max_lines=6, label=shell.label("speech_talk.correct.words"))
        parts["tone"] = gr.Radio([(shell.label(f"speech_talk.emotion.{name}"), name) for name in EMOTIONS], value=None,
                                 label=shell.label("speech_talk.correct.tone"),
                                 info=shell.label("speech_talk.correct.tone.help"))
        with gr.Row(elem_classes="dt-controls"):
            buttons["save"] = gr.Button(shell.label("speech_talk.correct.save"), variant="primary", size="sm")
            buttons["cancel"] = gr.Button(shell.label("speech_talk.correct.cancel"), size="sm")
    with gr.Column(elem_classes="tk-bar-row"):
        html["mic"] = gr.HTML(speech_talk_mic.microphone(shell.label), js_on_load=speech_talk_mic.on_load(),
                              apply_default_css=False, elem_classes=["dt-pane"])
        with gr.Row(elem_classes="tk-write"):
            parts["text"] = gr.Textbox("", show_label=False, label=shell.label("speech_talk.write"), max_lines=4,
                                       placeholder=shell.label("speech_talk.write"))
            buttons["send"] = gr.Button(shell.label("speech_talk.send"), size="sm")
            buttons["bring"] = gr.UploadButton(shell.label("speech_talk.bring"), size="sm", file_count="single",
                                               file_types=list(hearing.ENDINGS))
    gr.HTML(f'<p class="tk-human">{shell.label("speech_talk.no_diagnosis")}</p>', apply_default_css=False)


def wire(shell: Shell, view: Talk, tab: gr.Tab, desk: Desk) -> None:
    """Connect the run, the microphone, what is pressed in the conversation, and what belongs to it."""
    _wire_run(shell, view, tab, desk)
    _wire_saying(shell, view)
    _wire_turns(shell, view)
    beside.wire(shell, view)


def _wire_run(shell: Shell, view: Talk, tab: gr.Tab, desk: Desk) -> None:
    put = view.form.fields

    def offer(run_id: str, request: gr.Request) -> list[Any]:
        visitor, lang = shell.visitor(request), shell.lang(request)
        return [gr.update(choices=work.choices(shell, visitor, lang), value=run_id or None),
                gr.update(choices=forms.models(shell, request)), gr.update(choices=forms.recognisers(shell, request))]

    def opened(run_id: str) -> list[Any]:
        return [gr.update(open=not run_id), gr.update(visible=bool(run_id)), str(speech_talk.WINDOW), "", "",
                gr.update(visible=False), gr.update(visible=False, value=None)]

    def again(run_id: str, request: gr.Request) -> list[Any]:
        fields = acts.own(shell, request, run_id).fields if run_id else {}
        return ["", *forms.refill(fields)]

    def handed(model: str) -> list[Any]:
        return ["", model] if model else [gr.skip(), gr.skip()]

    def begin_example(request: gr.Request) -> str:
        return forms.example(shell, request)

    def follow(run_id: str, sent: str, shown: str, request: gr.Request) -> Any:
        return work.tick(shell, run_id, sent, shown, request)

    def finish(run_id: str, request: gr.Request) -> None:
        acts.leave(shell, request, run_id)

    def go_on(run_id: str, request: gr.Request) -> None:
        shell.service.resume(shell.visitor(request), run_id)

    def interrupt(run_id: str, request: gr.Request) -> None:
        acts.act(shell, request, run_id, {"do": "interrupt"})
    gr.on([tab.select, view.run.change], offer, [view.run],
          [view.parts["earlier"], put["model"], put["recogniser"]], **QUICK)
    view.run.change(opened, [view.run], [view.parts["folded"], view.buttons["new"], view.shown, view.looked,
                                         view.html["sound"], view.parts["editor"], view.parts["packed"]], **QUICK)
    view.parts["earlier"].input(lambda chosen: chosen or "", [view.parts["earlier"]], [view.run], **QUICK)
    view.buttons["new"].click(shell.guard(again), [view.run], [view.run, *view.form.inputs], **QUEUED)
    desk.model.change(handed, [desk.model], [view.run, put["model"]], **QUICK)
    view.buttons["example"].click(shell.guard(begin_example), None, [view.run], **QUEUED)
    for name, handler in (("finish", finish), ("continue", go_on), ("interrupt", interrupt)):
        view.buttons[name].click(shell.guard(handler), [view.run], None, **QUEUED)
    timer = shell.on_poll(follow, [view.run, view.sent, view.shown], view.polled, every=work.FAST)
    view.pace.change(lambda seconds: gr.Timer(float(seconds or work.FAST)), [view.pace], [timer], **QUICK)


def _wire_saying(shell: Shell, view: Talk) -> None:
    ear, heard = gr.State(None), shell.note("")

    def listen(ear: Any, event: gr.EventData) -> tuple[Any, str]:
        try:
            ear, told = hearing.listened(ear, event._data)
        except UserError as error:
            told = hearing.off(event._data, error)
        return ear, hearing.answer(told)

    def take(run_id: str, neutral: str, request: gr.Request, event: gr.EventData, *values: Json) -> tuple[Any, Any]:
        data = event._data
        sound = hearing.kept(shell, data)
        if data.get("purpose") == "neutral":
            return gr.skip(), beside.added(neutral, [sound])
        length = data.get("ms")
        command = {"do": "say", "audio": sound, "heard_ms": length if isinstance(length, int) else 0}
        return acts.speak(shell, request, run_id, command, values), gr.skip()

    def say_file(run_id: str, path: str, request: gr.Request, *values: Json) -> str:
        return acts.speak(shell, request, run_id, {"do": "say", "audio": hearing.brought(shell, [path])[0]}, values)

    def say_text(run_id: str, text: str, request: gr.Request, *values: Json) -> tuple[str, str]:
        if not text.strip():
            raise UserError(shell.t(shell.lang(request), "speech_talk.write.nothing"))
        return acts.speak(shell, request, run_id, {"do": "say", "text": text.strip()}, values), ""

    def barge_in(run_id: str, request: gr.Request) -> None:
        if run_id:
            acts.act(shell, request, run_id, {"do": "interrupt"})
    mic, inputs, bring = view.html["mic"], view.form.inputs, view.buttons["bring"]
    mic.input(listen, [ear], [ear, heard], trigger_mode="multiple", **QUICK)
    heard.change(None, [heard], None, js=speech_talk_mic.HEARD, **QUICK)
    taken = mic.select(shell.guard(take), [view.run, view.neutral, *inputs], [view.run, view.neutral],
                       **EVERY)
    taken.success(None, None, None, js=speech_talk_mic.TAKEN, **QUICK)
    taken.failure(None, None, None, js=speech_talk_mic.REFUSED, **QUICK)
    mic.stop(shell.guard(barge_in), [view.run], None, **EVERY)
    bring.upload(shell.guard(say_file), [view.run, bring, *inputs], [view.run], **QUEUED)
    text = view.parts["text"]
    gr.on([text.submit, view.buttons["send"].click], shell.guard(say_text), [view.run, text, *inputs],
          [view.run, text], **QUEUED)


def _wire_turns(shell: Shell, view: Talk) -> None:
    part, outputs = view.parts, [view.shown, view.looked, view.html["sound"], view.place]
    edited = [part["editor"], part["words"], part["tone"]]

    def press(run_id: str, shown: str, looked: str, request: gr.Request, event: gr.EventData) -> list[Any]:
        data, still = event._data, [gr.skip()] * (len(outputs) + len(edited))
        if acts.pressed(shell, request, run_id, data):
            return still
        do, turn = str(data.get("act") or ""), str(data.get("turn") or "")
        if do == "earlier" and shown.isdecimal():
            return [str(int(shown) + speech_talk.WINDOW), *still[1:]]
        if do == "look" and turn.isdecimal():
            again = looked == turn
            return [gr.skip(), "" if again else turn, "" if again else look_at(shell, request, run_id, int(turn)),
                    *still[3:]]
        if do == "correct" and turn.isdecimal():
            run = acts.own(shell, request, run_id)
            found = acts.turn_of(acts.talk_of(shell, shell.visitor(request), run), int(turn))
            return [*still[:3], turn, gr.update(visible=True), str(found.get("transcript") or ""), None]
        return still

    def put_right(run_id: str, place: str, words: str, tone: str | None, request: gr.Request) -> Any:
        acts.put_right(shell, request, run_id, place, (words or "", tone or ""))
        return gr.update(visible=False)
    for name in ("turns", "live"):
        view.html[name].select(shell.guard(press), [view.run, view.shown, view.looked],
                               [*outputs, *edited], **EVERY)
    view.buttons["save"].click(shell.guard(put_right), [view.run, view.place, part["words"], part["tone"]],
                               [part["editor"]], **QUEUED)
    view.buttons["cancel"].click(lambda: gr.update(visible=False), None, [part["editor"]], **QUICK)


def look_at(shell: Shell, request: gr.Request, run_id: str, number: int) -> str:
    """Wave and spectrogram of the sound of a turn."""
    visitor, run = shell.visitor(request), acts.own(shell, request, run_id)
    name = Path(str(acts.turn_of(acts.talk_of(shell, visitor, run), number).get("audio") or "")).name
    return sounds.looked_at(run_id, run.path / "artifacts" / (name or "none"), number, shell.lang(request))

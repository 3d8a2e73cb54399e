"""Watch one dialogue: set-up or case file at the left, the live transcript in the middle, what happens now above it.

The page holds no dialogue. A timer reads the run's files and sends what has changed since the last tick; the digests
of what was sent travel with the page, so a reload or another browser shows the same dialogue.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from panels import dialogue_branch, dialogue_desk, dialogue_form, dialogue_replies
from panels import dialogue_cases as cases
from panels.dialogue_form import pane
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import QUICK, Shell
from workbench.runs import Run
from workbench.widgets import casepicker, outcome, transcript
from workbench.widgets.casepicker import PRESS
from workbench.widgets.loose import listed, table, tables

TASK = "sweetiechat.dialogue.v1"
FAST, SLOW = 0.25, 2.0
"""Seconds between two looks at a dialogue that runs, and at one that does not."""
Say = Callable[..., str]
FOLLOW = """
let low = true; const pane = element.closest('.dt-scroll');
if (pane) {
  pane.addEventListener('scroll', () => { low = pane.scrollTop + pane.clientHeight > pane.scrollHeight - 60; });
  new ResizeObserver(() => { if (low) pane.scrollTop = pane.scrollHeight; }).observe(element);
}
"""
"""Keeps the newest words in view unless the reader has scrolled up."""


@dataclass(frozen=True)
class Watch:
    """The components of the view that other modules connect handlers to."""

    run: gr.Textbox
    sent: gr.Textbox
    shown: gr.Textbox
    pace: gr.Textbox
    form: dialogue_form.Form
    html: Mapping[str, gr.HTML]
    buttons: Mapping[str, gr.Button]
    roles: gr.CheckboxGroup
    say_row: gr.Column
    say_text: gr.Textbox
    part: gr.Column
    desk: dialogue_desk.Desk
    replies: dialogue_replies.Replies
    fork: dialogue_branch.Fork

    @property
    def polled(self) -> list[Component]:
        """What a tick may change, in the order of :func:`look`."""
        return [*(self.html[name] for name in PARTS), *(self.buttons[name] for name in CONTROLS), self.part, self.roles,
                self.say_row, self.say_text, self.replies.ask, self.replies.place, self.pace, self.sent]


PARTS = ("strip", "case", "turns", "live", "end", "choose")
CONTROLS = ("pause", "continue", "stop")


def lay_out(shell: Shell, run: gr.Textbox) -> Watch:
    """Make the components of the view and switch between set-up and dialogue."""
    sent, shown, pace = shell.note("{}"), shell.note(str(transcript.WINDOW)), shell.note("")
    html: dict[str, gr.HTML] = {}
    buttons: dict[str, gr.Button] = {}
    with gr.Column(elem_classes="dt-setup") as setup:
        with gr.Row(elem_classes="dt-hello"):
            gr.HTML(f'<h3 class="dt-title">{shell.label("dialogue.empty.title")}</h3>'
                    f'<p>{shell.label("dialogue.empty.text")}</p>', apply_default_css=False, elem_classes="dt-pane")
            buttons["example"] = shell.example_button("dialogue.empty.example")
        form = dialogue_form.lay_out(shell)
    with gr.Row(visible=False, elem_classes="dt-split") as stage:
        with gr.Column(scale=0, min_width=300, elem_classes="dt-side"):
            with gr.Row(elem_classes="dt-controls"):
                for name in ("new", "again"):
                    buttons[name] = gr.Button(shell.label(f"dialogue.{name}"), size="sm")
            html["case"] = pane()
        with gr.Column(elem_classes="dt-main"):
            html["strip"] = pane()
            with gr.Row(elem_classes="dt-controls"):
                for name in CONTROLS:
                    buttons[name] = gr.Button(shell.label(f"dialogue.{name}"), size="sm", visible=False)
                shell.actions(run)
            with gr.Column(elem_classes="dt-scroll"):
                html["turns"], html["live"], html["end"] = pane(PRESS + FOLLOW), pane(FOLLOW), pane(FOLLOW)
            part, roles, say_row, say_text = _take_part(shell, html, buttons)
            replies = dialogue_replies.lay_out(shell)
            desk = dialogue_desk.lay_out(shell)
            fork = dialogue_branch.lay_out(shell)
    _switch(run, setup, stage)
    return Watch(run, sent, shown, pace, form, html, buttons, roles, say_row, say_text, part, desk, replies,
                 fork)


def _take_part(shell: Shell, html: dict[str, gr.HTML], buttons: dict[str, gr.Button]) -> tuple[Any, ...]:
    html["choose"] = pane(PRESS)
    with gr.Column(visible=False, elem_classes="dt-say") as say_row:
        say_text = gr.Textbox("", lines=2, max_lines=8, show_label=False, placeholder=shell.label("dialogue.say.hint"))
        buttons["say"] = gr.Button(shell.label("dialogue.say"), variant="primary", size="sm")
    with gr.Column(visible=False, elem_classes="dt-part") as part:
        roles = gr.CheckboxGroup([(shell.label(f"dialogue.role.{role}"), role) for role in transcript.ROLES], value=[],
                                 label=shell.label("dialogue.take_over"), elem_classes="dt-row")
    return part, roles, say_row, say_text


def _switch(run: gr.Textbox, setup: gr.Column, stage: gr.Row) -> None:
    """Show the set-up without a run, the stage with one."""
    def show(run_id: str) -> list[Any]:
        return [gr.update(visible=not run_id), gr.update(visible=bool(run_id))]
    gr.on(None, show, [run], [setup, stage], **QUICK)


def wire(shell: Shell, watch: Watch) -> None:
    """Start the timer that follows the run; connect the table of replies."""
    dialogue_replies.wire(shell, watch.replies)

    def look(run_id: str, sent: str, shown: str, request: gr.Request) -> Any:
        return tick(shell, run_id, sent, shown, request)
    timer = shell.on_poll(look, [watch.run, watch.sent, watch.shown], watch.polled, every=FAST)
    watch.pace.change(lambda seconds: gr.Timer(float(seconds or FAST)), [watch.pace], [timer], **QUICK)


def tick(shell: Shell, run_id: str, sent: str, shown: str, request: gr.Request) -> Any:
    """One look at the run: updates for what changed, ``gr.skip()`` for everything else."""
    if not run_id:
        return gr.skip()
    visitor, lang = shell.visitor(request), shell.lang(request)
    say = partial(shell.t, lang)
    try:
        run = shell.service.run(visitor, run_id)
        dialogue = shell.service.read_artifact(visitor, run_id, "dialogue.json") if _has_dialogue(run) else None
    except UserError as error:  # no such run, or files edited by hand: say so in place of the transcript
        nothing = looks(Run(run_id, Path(), status="lost"), {}, None, 1, False, lang, say)
        return changes({**nothing, "strip": "", "end": outcome.refusal(error.message, error.advice)}, sent, run_id)
    look = looks(run, dialogue if isinstance(dialogue, Mapping) else {}, shell.service.live(visitor, run_id),
                 int(shown or transcript.WINDOW), run.owner == visitor, lang, say)
    return changes(look, sent, run_id)


def _has_dialogue(run: Run) -> bool:
    return (run.path / "artifacts" / "dialogue.json").exists()


def looks(run: Run, dialogue: Mapping[str, Json], live: Json, shown: int, mine: bool, lang: str,
          say: Say) -> dict[str, Json]:
    """What every part of the view must show now, by name; plain values, so that they can be compared."""
    limit = int(run.fields.get("max_turns") or 0)
    paused, ended = run.status == "paused", run.status in TERMINAL
    waits = str(dialogue.get("waiting_for") or "") if not ended and dialogue.get("state") == "waiting" else ""
    going = not ended and not paused
    chooses = mine and waits == "counselor"
    place = dialogue_replies.place_of(run.id, dialogue, run.status, mine)
    tools = (("edit",) if mine and not ended else ()) + ("views", dialogue_branch.ACT)
    return {
        "strip": outcome.status_strip(run.status, dialogue, live, seconds=run.seconds, message=run.message, limit=limit,
                                      say=say),
        "case": dialogue_branch.case(run.id, dialogue, say, lang) if dialogue else "",
        "turns": transcript.transcript(dialogue, say, lang, shown=shown, tools=tools),
        "live": transcript.live_turn(live, dialogue, say, lang) if going else "",
        "end": endings(run, dialogue, lang, say),
        "choose": chooser(dialogue, live, lang, say) if chooses else "",
        "pause": mine and going,
        "continue": mine and ((paused and not waits) or run.status in ("failed", "cancelled", "lost")),
        "stop": mine and not ended, "part": mine and not ended and bool(dialogue),
        "roles": [role for role in listed(dialogue.get("held")) if role in transcript.ROLES],
        "say_row": mine and waits in ("seeker", "supporter"),
        "say_text": say(f"dialogue.say.{waits}") if waits in ("seeker", "supporter") else "",
        "ask": place, "place": place, "pace": str(FAST if going else SLOW)}


def endings(run: Run, dialogue: Mapping[str, Json], lang: str, say: Say) -> str:
    """Why it ended, where to find help after a safety stop, or why the run failed."""
    if run.status == "failed" and run.failure:
        return outcome.failure(str(run.failure.get("cause", "")), str(run.failure.get("advice", "")), say)
    if dialogue.get("stop_reason") == "safety":
        return outcome.crisis_card(cases.crisis_resources(lang), say) + outcome.ending(dialogue, say)
    return outcome.ending(dialogue, say)


def chooser(dialogue: Mapping[str, Json], live: Json, lang: str, say: Say) -> str:
    """The strategies for a person who plays the counselor."""
    items = tables(table(dialogue.get("strategy_set")).get("items"))
    return casepicker.strategy_picker(items, table(live), lang, say)


def changes(look: Mapping[str, Json], sent: str, run_id: str) -> list[Any]:
    """Updates in the order of :attr:`Watch.polled` for the parts whose digest is not the one that was sent."""
    return changes_of(look, sent, run_id, (*CONTROLS, "part", "say_row", "ask"), ("say_text",))


def changes_of(look: Mapping[str, Json], sent: str, run_id: str, shown: Sequence[str],
               hints: Sequence[str] = ()) -> list[Any]:
    """For each part of a look an update, or ``gr.skip()`` where ``sent`` says that the page has it; then the new note.

    Parts in ``shown`` are components to show or hide, ``hints`` are placeholders, the others values.
    """
    try:
        before = json.loads(sent or "{}")
    except ValueError:
        before = {}
    before = before if isinstance(before, dict) and before.get("run") == run_id else {}
    now = {name: zlib.crc32(json.dumps(value, ensure_ascii=False).encode()) for name, value in look.items()}
    updates: list[Any] = []
    for name, value in look.items():
        if before.get(name) == now[name]:
            updates.append(gr.skip())
        else:
            hint = gr.update(placeholder=value) if name in hints else value
            updates.append(gr.update(visible=bool(value)) if name in shown else hint)
    note = json.dumps({"run": run_id, **now}, separators=(",", ":"))
    return [*updates, note if note != sent else gr.skip()]

"""All strategies for this turn: a button beside the dialogue streams one candidate reply for every strategy.

The table belongs to one place (a run and a turn). "Say this" makes a reply the supporter's turn by the same command
as words that a person types; when the dialogue moves on, the table goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from panels import dialogue_cases as cases
from panels.dialogue_form import pane
from workbench.contract import Json, UserError
from workbench.panel import QUEUED, QUICK, Shell
from workbench.text import gloss
from workbench.widgets.casepicker import PRESS
from workbench.widgets.replies_table import Candidates, replies

TASK = "sweetiechat.replies.v1"
DECODING = ("max_new_tokens", "min_new_tokens", "temperature", "top_p", "repetition_penalty", "seed")
UPDATES_A_SECOND = 5


@dataclass(frozen=True)
class Replies:
    """The components: ``place`` is ``run/turn`` while one may ask, ``texts`` the replies by strategy as JSON."""

    place: gr.Textbox
    texts: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    table: gr.HTML


def lay_out(shell: Shell) -> Replies:
    """Make the (at first unseen) components inside the current column."""
    place, texts = shell.note(""), shell.note("{}")
    with gr.Row(elem_classes="dt-controls"):
        ask = gr.Button(shell.label("replies.ask"), size="sm", visible=False)
        stop = gr.Button(shell.label("replies.stop"), size="sm", visible=False)
    return Replies(place, texts, ask, stop, pane(PRESS))


def place_of(run_id: str, dialogue: Mapping[str, Json], status: str, mine: bool) -> str:
    """``run/turn`` when the supporter is to speak next and nothing is being written; else empty."""
    rests = status == "paused" or dialogue.get("state") in ("waiting", "paused")
    if not (mine and rests and dialogue.get("next") in ("counselor", "supporter")):
        return ""
    return f"{run_id}/{len(dialogue.get('turns') or ())}"


def request_of(fields: Mapping[str, Json], dialogue: Mapping[str, Json]) -> dict[str, Json]:
    """What the task is asked: the talk, and the dialogue's own supporter and decoding."""
    return {"dialogue": dict(dialogue), "model": str(fields.get("supporter_model") or ""),
            **{name: fields[name] for name in DECODING if name in fields}}


def wire(shell: Shell, view: Replies) -> None:
    """Connect the buttons. Panels of the dialogue are asked for late: they lay this view out."""
    from panels import dialogue_act as acting

    def stream(place: str, request: gr.Request) -> Iterator[Any]:
        run_id, turn = parts(place)
        visitor, lang = shell.visitor(request), shell.lang(request)
        run, dialogue = shell.service.run(visitor, run_id), acting.dialogue_of(shell, visitor, run_id)
        labels = {key: label for label, key in cases.strategy_names(lang)}
        draw = partial(replies, turn=turn, say=partial(shell.t, lang), labels=labels, gloss=partial(gloss, lang))
        found, sent = Candidates(), time.monotonic()
        yield draw(found), "{}", gr.update(visible=True)
        for event in shell.service.stream(TASK, request_of(run.fields, dialogue), visitor=visitor):
            found.take(event)
            if time.monotonic() - sent >= 1 / UPDATES_A_SECOND:
                sent = time.monotonic()
                yield draw(found), gr.skip(), gr.skip()
        yield draw(found), json.dumps(found.texts, ensure_ascii=False), gr.update(visible=False)

    def choose(place: str, texts: str, event: gr.EventData, request: gr.Request) -> None:
        key = str(event._data.get("key") or "")
        run_id, turn = parts(place)
        text = str(json.loads(texts or "{}").get(key) or "")
        fields = shell.service.run(shell.visitor(request), run_id).fields
        acting.act(shell, request, run_id, {
            "do": "say", "role": "supporter", "text": text, "strategy": key, "turn": turn,
            "model": str(fields.get("supporter_model") or shell.service.settings.default_model)})
    event = view.ask.click(shell.guard(stream), [view.place], [view.table, view.texts, view.stop], **QUEUED)
    view.table.select(shell.guard(choose), [view.place, view.texts], None, **QUEUED)

    def hide() -> Any:
        return gr.update(visible=False)
    view.stop.click(hide, None, [view.stop], cancels=[event], **QUICK)
    view.place.change(lambda: ("", "{}", hide()), None, [view.table, view.texts, view.stop], cancels=[event], **QUICK)


def parts(place: str) -> tuple[str, int]:
    """Run id and turn of a place. Raises ``UserError`` for a place that is none."""
    run_id, _, turn = place.partition("/")
    if not turn.isdecimal():
        raise UserError("It is not the supporter's turn now.", advice="Wait, or pause the dialogue after the seeker.")
    return run_id, int(turn)

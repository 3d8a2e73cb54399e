"""What a person does in a conversation, as commands of its run: they are kept with it and survive any restart."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from backends.blsp_emo import talking_commands, talking_export
from panels import speech_talk_form as forms
from panels.speech_desk import TALK
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import Shell
from workbench.runs import Run

TALKING = "talk.json"
ASLEEP = ("paused", "failed", "cancelled", "lost")
"""Runs without a process that a command wakes; one that has succeeded was ended by its person."""


def own(shell: Shell, request: gr.Request, run_id: str) -> Run:
    """The conversation of a note. Raises ``UserError`` where there is none for this visitor."""
    run = shell.service.run(shell.visitor(request), run_id)
    if run.task != TALK:
        raise UserError(shell.t(shell.lang(request), "speech_talk.other", run=run.id, task=run.task))
    return run


def talk_of(shell: Shell, visitor: str, run: Run) -> Mapping[str, Json]:
    """The conversation as it stands; an empty one while the models are loading."""
    if not (run.path / "artifacts" / TALKING).exists():
        return {}
    found = shell.service.read_artifact(visitor, run.id, TALKING)
    return found if isinstance(found, Mapping) else {}


def act(shell: Shell, request: gr.Request, run_id: str, command: Mapping[str, Json]) -> None:
    """Write one command that fits the conversation now, and wake the run when it waits for a person."""
    visitor, run = shell.visitor(request), own(shell, request, run_id)
    if run.status == "succeeded":
        raise UserError(shell.t(shell.lang(request), "speech_talk.over"))
    talk = talk_of(shell, visitor, run)
    if talk or command.get("do") not in ("say", "calibrate", "selftest", "end"):
        talking_commands.check(talk, command)
    shell.service.command(visitor, run_id, command)
    if shell.service.run(visitor, run_id).status in ASLEEP:
        shell.service.resume(visitor, run_id)


def speak(shell: Shell, request: gr.Request, run_id: str, command: Mapping[str, Json], values: Sequence[Json]) -> str:
    """Say something in the conversation of the note, or in a new one where there is none or it was ended; its id."""
    if not run_id or shell.service.run(shell.visitor(request), run_id).status == "succeeded":
        run_id = forms.make(shell, request, forms.fields_of(values))
    act(shell, request, run_id, command)
    return run_id


def leave(shell: Shell, request: gr.Request, run_id: str) -> None:
    """End a conversation; one that has not begun is cancelled."""
    visitor, run = shell.visitor(request), own(shell, request, run_id)
    if run.status in TERMINAL:
        return
    if run.status == "queued" or not (run.path / "artifacts" / TALKING).exists():
        shell.service.cancel(visitor, run_id)
        return
    act(shell, request, run_id, {"do": "end"})


def pressed(shell: Shell, request: gr.Request, run_id: str, data: Mapping[str, Json]) -> bool:
    """A press in the conversation that is a command: a vote, another tone, an interruption. Whether it was one."""
    do, key, turn = (str(data.get(name) or "") for name in ("act", "key", "turn"))
    if do == "interrupt":
        act(shell, request, run_id, {"do": "interrupt"})
    elif do == "vote" and turn.isdecimal():
        act(shell, request, run_id, {"do": "vote", "turn": int(turn), "choice": key})
    elif do == "what_if" and turn.isdecimal():
        act(shell, request, run_id, {"do": "what_if", "turn": int(turn), "emotion": key})
    else:
        return False
    return True


def put_right(shell: Shell, request: gr.Request, run_id: str, turn: str, given: tuple[str, str]) -> None:
    """Correct the words or the emotion of a turn, as far as they differ from what stands there."""
    if not turn.isdecimal():
        raise UserError(shell.t(shell.lang(request), "speech_talk.correct.none"))
    before = turn_of(talk_of(shell, shell.visitor(request), own(shell, request, run_id)), int(turn))
    words, emotion = " ".join(given[0].split()), given[1] or ""
    command: dict[str, Any] = {"do": "correct", "turn": int(turn)}
    if words and words != before.get("transcript"):
        command["transcript"] = words
    if emotion:
        command["emotion"] = emotion
    act(shell, request, run_id, command)


def turn_of(talk: Mapping[str, Json], number: int) -> Mapping[str, Json]:
    """A turn by its number from 0; an empty one where there is none."""
    turns = talk.get("turns")
    found = turns[number] if isinstance(turns, list) and 0 <= number < len(turns) else {}
    return found if isinstance(found, Mapping) else {}


def packed(shell: Shell, request: gr.Request, run_id: str) -> Path:
    """A zip of the conversation (sounds, manifest, annotations) in a folder that nobody can guess."""
    run = own(shell, request, run_id)
    if not talk_of(shell, shell.visitor(request), run).get("turns"):
        raise UserError(shell.t(shell.lang(request), "speech_talk.export.nothing"))
    folder = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    path = folder / f"conversation-{run.id}.zip"
    path.write_bytes(talking_export.packed(run.path))
    return path

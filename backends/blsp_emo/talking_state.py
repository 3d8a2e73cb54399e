"""A conversation as it is kept: ``talk.json``, its turns, and the annotations that people gave."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from backends.blsp_emo.talking_requests import TalkResult
from workbench.contract import Context, Json, UserError
from workbench.fields import from_json, to_json, validate
from workbench.files import Damaged, append_line, load_json, write_json

TALK, ANNOTATIONS = "talk.json", "annotations.jsonl"
SIDES = ("speech", "cascade")
State = Literal["waiting", "working", "ended"]


@dataclass(frozen=True)
class Told:
    """The emotion of a turn: ``chances`` of the allowed ones, and the label; ``by`` the head, a person, or nobody."""

    chances: dict[str, float] = field(default_factory=dict)
    label: str = ""
    by: Literal["head", "person", ""] = ""


@dataclass(frozen=True)
class Reply:
    """One reply. ``first_ms`` and ``total_ms`` count from the end of the sound along this path alone; ``dropped`` old
    turns did not fit any more; ``voice`` is an artifact."""

    text: str
    first_ms: float = 0.0
    total_ms: float = 0.0
    tokens: int = 0
    finish: Literal["stop", "length", "interrupted"] = "stop"
    voice: str | None = None
    dropped: int = 0


@dataclass(frozen=True)
class WhatIf:
    """The reply to the same words, had they been said in another emotion."""

    emotion: str
    text: str
    finish: str = "stop"


@dataclass(frozen=True)
class Vote:
    """Which reply a person prefers: ``choice`` as it was shown (a, b, same) and whose it was."""

    choice: str
    side: str
    at: float


@dataclass(frozen=True)
class Correction:
    """What a person put right."""

    at: float
    field: str
    was: str
    now: str


@dataclass(frozen=True)
class Turn:
    """One turn. ``place`` is the command it came from (-1 and below: a clip of the request); ``done`` that nothing is
    being worked out for it. ``speech``: from the first to the last word, in seconds."""

    place: int
    at: float
    by: Literal["voice", "text"] = "voice"
    done: bool = False
    audio: str | None = None
    seconds: float = 0.0
    speech: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    silence: bool = False
    problem: str | None = None
    transcript: str = ""
    words: tuple[Json, ...] = ()
    emotion: Told = field(default_factory=Told)
    replies: dict[str, Json] = field(default_factory=dict)
    sides: tuple[str, ...] = ()
    what_if: tuple[WhatIf, ...] = ()
    vote: Vote | None = None
    corrections: tuple[Correction, ...] = ()
    times: dict[str, float] = field(default_factory=dict)

    def changed(self, **fields: Any) -> Turn:
        """A copy with other values."""
        return replace(self, **fields)

    def reply(self, side: str) -> str:
        """The text of one side's reply, or of the only one there is; ``""`` where there is none."""
        found = self.replies.get(side) or (self.replies.get(SIDES[0]) if self.by == "text" else None)
        return str(found["text"]) if found else ""


@dataclass(frozen=True)
class Talk:
    """The whole conversation. ``applied`` commands and ``opened`` clips of the request are done; ``calibration`` has
    the head's mean scores on the speaker's neutral voice."""

    state: State = "waiting"
    applied: int = 0
    opened: int = 0
    turns: tuple[Turn, ...] = ()
    refused: tuple[Json, ...] = ()
    calibration: Json = None
    selftest: Json = None
    models: dict[str, str] = field(default_factory=dict)
    emotions: tuple[str, ...] = ()
    hide: bool = True
    cascade: bool = True
    uncertain: float = 0.4

    def __post_init__(self) -> None:
        validate(self)

    def changed(self, **fields: Any) -> Talk:
        """A copy with other values."""
        return replace(self, **fields)

    def with_turn(self, turn: Turn, place: int | None = None) -> Talk:
        """The conversation with a turn added, or with the one at ``place`` replaced."""
        turns = list(self.turns)
        if place is None:
            turns.append(turn)
        else:
            turns[place] = turn
        return replace(self, turns=tuple(turns))

    def settled(self) -> Talk:
        """The conversation without a turn that was cut off half-way: its command is done again."""
        kept = tuple(turn for turn in self.turns
                     if (turn.place < self.applied if turn.place >= 0 else -turn.place <= self.opened))
        return replace(self, turns=tuple(turn.changed(done=True) for turn in kept))


def talk_to_json(talk: Talk) -> dict[str, Json]:
    """The content of ``talk.json``."""
    return {**to_json(talk), "calibrated": talk.calibration is not None}


def talk_from_json(value: Mapping[str, Json]) -> Talk:
    """The inverse of :func:`talk_to_json`. Raises ``UserError`` for fields that do not belong to it."""
    talk: Talk = from_json(Talk, {name: part for name, part in value.items() if name != "calibrated"})
    return talk


def load_talk(path: Path) -> Talk | None:
    """The state of an earlier part of this run; nothing when there was none."""
    try:
        return talk_from_json(load_json(path))
    except FileNotFoundError:
        return None
    except (Damaged, UserError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{TALK} of this run cannot be read: {error}.", advice="Begin a new conversation.") from error


def save(talk: Talk, context: Context) -> Talk:
    """Write ``talk.json`` in one atomic step."""
    path = context.run / "artifacts" / TALK
    write_json(path, talk_to_json(talk))
    context.artifact(TALK, path, "talk")
    return talk


def annotate(context: Context, talk: Talk, number: int, kind: str, **what: Json) -> None:
    """Append one line to ``annotations.jsonl``: what a person said about a turn, with what it was about."""
    path, turn = context.run / "artifacts" / ANNOTATIONS, talk.turns[number]
    line = {"run": context.run.name, "turn": number, "audio": turn.audio, "at": time.time(), "kind": kind,
            "field": "", "was": "", "now": "", "choice": "", "side": "", "transcript": turn.transcript,
            "emotion": turn.emotion.label, **what}
    append_line(path, line, durable=True)
    context.artifact(ANNOTATIONS, path, "annotations")


def summary(talk: Talk) -> TalkResult:
    """The figures of a conversation."""
    votes = [turn.vote for turn in talk.turns if turn.vote]
    return TalkResult(
        len(talk.turns), sum(turn.speech is not None for turn in talk.turns), sum(turn.silence for turn in talk.turns),
        sum(turn.problem is not None for turn in talk.turns), sum(len(turn.corrections) for turn in talk.turns),
        len(votes), sum(vote.side == SIDES[0] for vote in votes), sum(vote.side == SIDES[1] for vote in votes),
        sum(reply["finish"] == "interrupted" for turn in talk.turns for reply in turn.replies.values()))

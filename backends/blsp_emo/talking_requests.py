"""Requests and results of a conversation by voice and of the self-test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from backends.blsp_emo.requests import DATA, EXPERT, MODEL, TAUGHT, WHISPER
from backends.blsp_emo.ser import EMOTIONS
from workbench.contract import Json, Knob, UserError, unknown
from workbench.fields import validate

REPLY, HEARING = "Reply", "Hearing"
Speech = Annotated[str, Knob(f"Speech model: bundled:, path: or run: (empty: {TAUGHT})", None, 500, group=MODEL,
                             widget="model")]


@dataclass(frozen=True)
class TalkRequest:
    """A conversation in which every turn is answered by a model that hears it, and beside it from its transcript."""

    model: Speech = ""
    recogniser: Annotated[str, Knob(f"Recogniser that writes the transcript: a Whisper (empty: {WHISPER})", None, 500,
                                    group=MODEL, widget="model")] = ""
    cascade: Annotated[bool, Knob("Beside it, a reply of the same language model to the transcript alone",
                                  group=REPLY)] = True
    hide: Annotated[bool, Knob("Do not say which reply is which before a vote", group=REPLY)] = True
    emotions: Annotated[tuple[str, ...], Knob("Emotions that may be told", 1, 5, group=HEARING)] = EMOTIONS
    uncertain: Annotated[float, Knob("Below this chance the emotion is called uncertain", 0.0, 1.0, 0.05,
                                     group=HEARING)] = 0.4
    language: Annotated[str, Knob("Language that is spoken, e.g. en (empty: the recogniser finds it)", None, 20,
                                  group=HEARING)] = ""
    max_new_tokens: Annotated[int, Knob("Most tokens of a reply", 1, 2048, 1, group=REPLY)] = 64
    temperature: Annotated[float, Knob("0 always takes the likeliest token; the published chat has 0.5", 0.0, 5.0, 0.05,
                                       group=REPLY)] = 0.0
    seed: Annotated[int, Knob("Same seed, same replies and same hidden sides", 0, 2**31 - 1, 1, group=EXPERT)] = 0
    speak: Annotated[bool, Knob("Speak the replies with espeak-ng (a synthetic voice)", group=REPLY)] = False
    clips: Annotated[tuple[str, ...], Knob("Sounds that are said at the start (path: or run:; practice or "
                                           "practice/NAME: clips that come with the project)", None, 100,
                                           group=DATA)] = ()
    close: Annotated[bool, Knob("End after these sounds instead of waiting for more", group=DATA)] = False

    def __post_init__(self) -> None:
        validate(self)
        wrong = [name for name in self.emotions if name not in EMOTIONS]
        if wrong:
            raise unknown("emotion", wrong[0], EMOTIONS)
        if len(set(self.emotions)) < len(self.emotions):
            raise UserError(f"emotions names one of {', '.join(self.emotions)} twice; once is enough.")


@dataclass(frozen=True)
class TalkResult:
    """How many turns there were: ``spoken`` with speech in them, ``silent``, with ``problems``; how many corrections
    and votes people gave, and whom the votes were for."""

    turns: int
    spoken: int
    silent: int
    problems: int
    corrections: int
    votes: int
    speech_votes: int
    cascade_votes: int
    interrupted: int


@dataclass(frozen=True)
class SelftestRequest:
    """Does the sound matter to this model? (A known fault elsewhere: an argument is dropped, and every clip is
    answered alike.)"""

    model: Speech = ""
    first: Annotated[str, Knob("A sound (path:, run: or practice/NAME; practice: the first practice clip)", 1, 500,
                               group=DATA)] = "practice"
    second: Annotated[str, Knob("Another one (empty: the last practice clip)", None, 500, group=DATA)] = ""

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class SelftestResult:
    """Every check has ``name`` (other clip, silence, zeroed), the largest difference of the mean speech vector and of
    the scores of the first token of the reply, and whether both are one."""

    passed: bool
    checks: tuple[Json, ...]

"""What every turn of one conversation is made with, and the history of this conversation alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.talking_lines import Lines
from backends.blsp_emo.talking_requests import TalkRequest
from backends.blsp_emo.talking_state import SIDES, Talk, Turn
from backends.common.speech.audio import Limits
from workbench.contract import Context, Json, UserError

LIMITS = Limits(shortest=0.3)
"""What is heard as a turn, in seconds: 0.3 (our default) to the 30 of Whisper's window."""
TOP_P = 0.9


@dataclass(frozen=True)
class Room:
    """What every turn of one conversation is made with. ``look`` says whether a person has asked to stop; it also is
    where a cancel is noticed."""

    request: TalkRequest
    context: Context
    lines: Lines
    look: Callable[[], bool]

    def sound(self, turn: Turn, number: int) -> dict[str, Json]:
        """A turn's sound as the speech model is asked about it; its key belongs to this run alone."""
        start, end = turn.speech or (0.0, 0.0)
        return {"key": f"{self.context.run.name}/{number}", "start": start, "end": end,
                "audio": str((self.context.run / "artifacts" / str(turn.audio)).absolute())}

    def halt(self) -> None:
        """For what must be finished even when a person has asked to stop: only a cancel ends it."""
        self.look()

    def live(self, number: int, phase: str, texts: Mapping[str, str] | None = None) -> None:
        """Say what is happening this second."""
        self.context.live({"turn": number, "phase": phase, **{side: (texts or {}).get(side, "") for side in SIDES}})


def past(room: Room, talk: Talk, number: int) -> list[Json]:
    """The turns before one, as the speech model is told about them."""
    return [{**said(room, turn, place), "reply": turn.reply("speech")} for place, turn in enumerate(talk.turns[:number])
            if turn.reply("speech")]


def said(room: Room, turn: Turn, number: int) -> dict[str, Json]:
    """A turn as the speech model is told about it: its sound, or its words where a person wrote or corrected them."""
    if turn.by == "voice" and not turn.corrections:
        return {"sound": room.sound(turn, number)}
    return {"text": turn.transcript, "emotion": turn.emotion.label if turn.emotion.label in EMOTIONS else ""}


def reading(room: Room, number: int) -> dict[str, Json]:
    """How the reply of a turn is drawn."""
    return {"max_new_tokens": room.request.max_new_tokens, "temperature": room.request.temperature, "top_p": TOP_P,
            "seed": room.request.seed + number}


def twice(work: Callable[[], Json]) -> Json:
    """Ask once more where a process ended in the middle: it is started again. Raises what the second time says."""
    try:
        return work()
    except UserError:
        return work()


def since(began: float) -> float:
    """Milliseconds."""
    return round(1000 * (time.perf_counter() - began), 1)

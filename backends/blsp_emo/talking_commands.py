"""What people may tell a conversation. Applied in order, each once; ``talk.json`` keeps how many were.

==============================================================  ====================================================
{"do": "say", "audio": "path:...", "heard_ms": 820}             a turn by voice (or "practice/NAME")
{"do": "say", "text": "..."}                                    a turn in writing
{"do": "correct", "turn": 0, "transcript": .., "emotion": ..}   put a turn right (either or both); it is answered again
{"do": "what_if", "turn": 0, "emotion": "sad"}                  the same words in another emotion
{"do": "vote", "turn": 0, "choice": "a"}                        a, b or same
{"do": "calibrate", "audio": ["path:...", ...]}                 the speaker's neutral voice; [] takes it back
{"do": "selftest"}                                              does the sound matter to the model at all
{"do": "interrupt"} / {"do": "end"}                             stop the reply that is being made / end
==============================================================  ====================================================

A command that does not fit changes nothing and is listed with its reason under ``refused``. :func:`check` says the
same beforehand, so that a page can tell the person at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.talking_state import Talk, Turn, talk_from_json
from backends.common.speech.practice import PRACTICE
from workbench.contract import Json, UserError, unknown

LONGEST_TEXT = 2000
MOST_NEUTRAL = 10
CHOICES = ("a", "b", "same")
STOPPING = ("interrupt", "end")
"""Commands for which a reply that is being made is given up."""
Command = Mapping[str, Json]


def check(talk: Talk | Mapping[str, Json], command: Command) -> None:
    """Raise ``UserError`` when a command does not fit a conversation (or the JSON of it) now."""
    talk = talk if isinstance(talk, Talk) else talk_from_json(talk)
    do = str(command.get("do"))
    if do not in CHECKS:
        raise UserError(f"There is no command {do!r}; there are {', '.join(CHECKS)}.")
    if talk.state == "ended":
        raise UserError("The conversation has ended.", advice="Begin a new one.")
    CHECKS[do](talk, command)


def words(value: Json) -> str:
    """What a person typed, in one line. Raises ``UserError`` when nothing is left, or too much is."""
    plain = "".join(c for c in value if c.isprintable() or c.isspace()) if isinstance(value, str) else ""
    text = " ".join(plain.split())
    if not text:
        raise UserError("The text is empty; write at least one word.")
    if len(text) > LONGEST_TEXT:
        raise UserError(f"The text has {len(text):,} characters; one turn may have at most {LONGEST_TEXT:,}.")
    return text


def sound(value: Json) -> str:
    """A reference that a command may name: a file that was brought, or a practice clip. What belongs to a run is
    checked where a request is taken, so a command cannot name it."""
    text = value.strip() if isinstance(value, str) else ""
    if not text.startswith("path:") and text.split("/")[0] != PRACTICE:
        raise UserError(f"audio is {str(value)[:80]!r}; it must be a path: reference or practice/NAME.",
                        advice="Record it or bring the file.")
    return text


def emotion(value: Json) -> str:
    """One of the five. Raises ``UserError`` for another word."""
    if value not in EMOTIONS:
        raise unknown("emotion", str(value)[:40], EMOTIONS)
    return str(value)


def turn_of(talk: Talk, command: Command) -> tuple[int, Turn]:
    """The turn that a command is about. Raises ``UserError`` where there is none that is done and has words."""
    number = command.get("turn")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(talk.turns):
        raise UserError(f"There is no turn {number!r}; the conversation has {len(talk.turns)} turns, counted from 0.")
    turn = talk.turns[number]
    if turn.silence or (turn.problem and not turn.transcript):
        raise UserError(f"In turn {number} nothing was heard, so there is nothing to say about it.")
    if not turn.done:
        raise UserError(f"Turn {number} is not answered yet.", advice="Wait for its reply.")
    return number, turn


def corrected(turn: Turn, command: Command) -> dict[str, tuple[str, str]]:
    """What a correction changes: field -> (was, now). Raises ``UserError`` when it changes nothing."""
    found: dict[str, tuple[str, str]] = {}
    if command.get("transcript") is not None and (now := words(command["transcript"])) != turn.transcript:
        found["transcript"] = (turn.transcript, now)
    named = command.get("emotion")
    if named not in (None, "") and emotion(named) != (turn.emotion.label if turn.emotion.by == "person" else ""):
        found["emotion"] = (turn.emotion.label, str(named))
    if not found:
        raise UserError("The correction changes nothing.", advice="Write other words or choose another emotion.")
    return found


def _say(talk: Talk, command: Command) -> None:
    if ("audio" in command) == ("text" in command):
        raise UserError("A turn is either audio or text.", advice="Say something, or write something.")
    sound(command["audio"]) if "audio" in command else words(command["text"])


def _correct(talk: Talk, command: Command) -> None:
    corrected(turn_of(talk, command)[1], command)


def _what_if(talk: Talk, command: Command) -> None:
    if not turn_of(talk, command)[1].transcript:
        raise UserError("The words of this turn are not known.", advice="Write them down first: correct the turn.")
    emotion(command.get("emotion"))


def _vote(talk: Talk, command: Command) -> None:
    number, turn = turn_of(talk, command)
    if command.get("choice") not in CHOICES:
        raise UserError(f"choice is {command.get('choice')!r}; it must be one of {', '.join(CHOICES)}.")
    if len(turn.sides) < 2:
        raise UserError(f"Turn {number} has one reply; there is nothing to choose between.")
    if turn.vote:
        raise UserError(f"Turn {number} has its vote; which reply was which has been shown since.")


def _calibrate(talk: Talk, command: Command) -> None:
    sounds: Any = command.get("audio")
    if not isinstance(sounds, list | tuple) or len(sounds) > MOST_NEUTRAL:
        raise UserError(f"audio must be a list of up to {MOST_NEUTRAL} sounds.")
    for one in sounds:
        sound(one)


def _always(talk: Talk, command: Command) -> None:
    return None


CHECKS: Mapping[str, Callable[[Talk, Command], None]] = {
    "say": _say, "correct": _correct, "what_if": _what_if, "vote": _vote, "calibrate": _calibrate,
    "selftest": _always, "interrupt": _always, "end": _always}

"""Replies spoken by espeak-ng: a synthetic voice, and an option that never holds anything up."""

from __future__ import annotations

from backends.blsp_emo.talking_state import Turn
from backends.common.speech.voice import LONGEST_TEXT, Voice, speak_to
from workbench.contract import Context, UserError

LETTERS = "ab"


def spoken_replies(context: Context, turn: Turn, number: int, language: str = "") -> Turn:
    """The turn with a WAV for each of its replies. They are named after a and b, so that a file does not say which
    reply it is. What cannot be spoken becomes a note."""
    replies = dict(turn.replies)
    for letter, side in zip(LETTERS, turn.sides, strict=False):
        text = str(replies[side]["text"])[:LONGEST_TEXT]
        if not text or replies[side]["finish"] == "interrupted":
            continue
        name = f"turn-{number + 1:03d}-{letter}.wav"
        path = context.run / "artifacts" / name
        try:
            speak_to(text, path, Voice(language.split("-")[0] or "en"))
        except UserError as error:
            return turn.changed(notes=(*turn.notes, str(error)))
        context.artifact(name, path, "audio")
        replies[side] = {**replies[side], "voice": name}
    return turn.changed(replies=replies)

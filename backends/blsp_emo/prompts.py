"""What the language model is told: system lines and instructions of both stages, of chat and of the emotion question.

Our wording (spec A.2 to A.5 paraphrase the authors'). The same system line must be used when continuations are
written, when the model is trained and when it is asked; the training instruction of stage 2 never names the emotion.

Every instruction ends in a line break: pre-tokenizers cut there, so instruction and sentence give the same tokens
together (when a language model writes continuations) and apart (when speech takes the place of the sentence).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backends.common.speech.emotions import EMOTIONS, SYNONYMS, find_emotion
from workbench.contract import unknown

PLAIN_SYSTEM = "You are a helpful assistant."
EMPATHY_SYSTEM = "You are a helpful assistant. Always reply with empathy for the tone in which the user speaks."
CONTINUE = "Continue the following sentence in a coherent style:\n"
CONTINUE_TONED = "Continue the following sentence that reflects a '{emotion}' emotion tone in a coherent style:\n"
CONTINUE_HEARD = "Continue the following sentence based on the conveyed emotion tone in a coherent style:\n"
"""The audio instruction of stage 2: it must not give the emotion away."""
ASK_EMOTION = ("Which emotion does the speaker's tone convey: " + ", ".join(EMOTIONS[:-1]) + f" or {EMOTIONS[-1]}? "
               "Answer with one of these words:\n")


@dataclass(frozen=True)
class Told:
    """A system line and the instruction before the speech or its transcript."""

    system: str
    instruction: str


def semantic() -> Told:
    """Stage 1: both when the continuation is written and when it is learned."""
    return Told(PLAIN_SYSTEM, CONTINUE)


def emotional(emotion: str) -> Told:
    """Stage 2, the language model that writes the continuation from transcript and emotion."""
    if emotion not in EMOTIONS:
        raise unknown("emotion", emotion, EMOTIONS)
    return Told(EMPATHY_SYSTEM, CONTINUE_TONED.format(emotion=emotion))


def heard() -> Told:
    """Stage 2, the model that hears: the emotion is in the sound alone."""
    return Told(EMPATHY_SYSTEM, CONTINUE_HEARD)


def chat() -> Told:
    """Conversation: the empathy line, and speech alone as the user's turn."""
    return Told(EMPATHY_SYSTEM, "")


def question() -> Told:
    """The emotion asked for in words."""
    return Told(PLAIN_SYSTEM, ASK_EMOTION)


def parse_emotion(answer: str) -> str:
    """The first emotion word of a free answer, or ``""``: such an answer counts as wrong and as unparsed."""
    return find_emotion(answer) or ""


def emotion_words(text: str) -> list[str]:
    """Every emotion word in a text: empty for what a model may be told in training."""
    words = sorted({word for names in SYNONYMS.values() for word in names if word.isascii()}, key=len, reverse=True)
    return re.findall(r"\b(?:" + "|".join(words) + r")\b", text.lower())

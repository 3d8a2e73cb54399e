"""The five emotions of BLSP-Emo with their numbers, the words people write for them, and other corpora's codes.

Numbers as published: neutral 0, happy 1, angry 2, sad 3, surprise 4. A label that is none of the five is an error or
left out, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from workbench.contract import UserError

EMOTIONS = ("neutral", "happy", "angry", "sad", "surprise")
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "neutral": ("neutral", "neu", "calm", "neutrality", "中性", "平静"),
    "happy": ("happy", "hap", "happiness", "joy", "joyful", "excited", "cheerful", "freude", "高兴", "快乐", "开心"),
    "angry": ("angry", "ang", "anger", "mad", "annoyed", "wut", "ärger", "生气", "愤怒"),
    "sad": ("sad", "sadness", "unhappy", "sorrow", "trauer", "悲伤", "难过", "伤心"),
    "surprise": ("surprise", "surprised", "sur", "surprising", "astonished", "惊讶", "吃惊"),
}
EMODB = {"N": "neutral", "F": "happy", "W": "angry", "T": "sad"}
"""Sixth letter of an EMO-DB file name: Neutral, Freude, Wut, Trauer. F is joy: a widely copied table says disgust."""
EMODB_OTHER = {"L": "boredom", "A": "fear", "E": "disgust"}
RAVDESS = {"01": "neutral", "03": "happy", "04": "sad", "05": "angry", "08": "surprise"}
"""Third number of a RAVDESS file name."""
RAVDESS_OTHER = {"02": "calm", "06": "fearful", "07": "disgust"}
CREMAD = {"NEU": "neutral", "HAP": "happy", "ANG": "angry", "SAD": "sad", "DIS": "disgust", "FEA": "fear"}
"""Third part of a CREMA-D file name; the votes have its first letter."""
_EMODB_NAME = re.compile(r"(?P<speaker>\d{2})[ab]\d{2}(?P<letter>[A-Z])[a-z]?")
_WORD_OF = {word: name for name, words in SYNONYMS.items() for word in words}


def number(emotion: str) -> int:
    """The published number of an emotion, after :func:`emotion_of`."""
    return EMOTIONS.index(emotion_of(emotion))


def emotion_of(text: str) -> str:
    """One of the five for a label or a synonym of it. ``UserError`` names the label and the five."""
    found = _WORD_OF.get(text.strip().lower())
    if found is None:
        raise UserError(f"{text!r} is not one of the emotions {', '.join(EMOTIONS)}.",
                        advice="Map it to one of them or leave the row out.")
    return found


def find_emotion(text: str, allowed: tuple[str, ...] = EMOTIONS) -> str | None:
    """The first emotion word in a free answer ("The tone is sadness."), ``None`` where there is none.

    Whole words only, so that "unhappy" is sad and "saddle" is nothing; an emotion outside ``allowed`` is skipped."""
    words = sorted(_WORD_OF, key=len, reverse=True)
    pattern = "|".join(rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in words)
    return next((name for match in re.finditer(pattern, text.lower()) if (name := _WORD_OF[match[0]]) in allowed), None)


def emodb_label(name: str) -> tuple[str, str]:
    """Speaker and emotion of an EMO-DB file name such as ``03a01Fa.wav``: ``("03", "happy")``.

    ``UserError`` for another form; the letters that are none of the five give their own word (``boredom``)."""
    match = _EMODB_NAME.fullmatch(name.rsplit("/", 1)[-1].split(".")[0])
    labels = {**EMODB, **EMODB_OTHER}
    if match is None or match["letter"] not in labels:
        raise UserError(f"{name!r} is not an EMO-DB file name.", advice="They look like 03a01Fa.wav.")
    return match["speaker"], labels[match["letter"]]


def ravdess_label(name: str) -> tuple[str, str]:
    """Actor and emotion of a RAVDESS file name such as ``03-01-05-01-02-01-12.wav``: ``("12", "angry")``."""
    parts = name.rsplit("/", 1)[-1].split(".")[0].split("-")
    labels = {**RAVDESS, **RAVDESS_OTHER}
    if len(parts) != 7 or not all(part.isdigit() and len(part) == 2 for part in parts) or parts[2] not in labels:
        raise UserError(f"{name!r} is not a RAVDESS file name.", advice="They look like 03-01-05-01-02-01-12.wav.")
    return parts[6], labels[parts[2]]

"""A conversation as one zip: the sounds, and what was said as lines that other tools (and this one) read.

``conversation.jsonl`` is a manifest in the published field names (audio, text, emotion, instruction, output,
early_stop; also speaker, lang, seconds) with people's corrections in it, so the zip, once unpacked, is a data set: it
can be scored, and a model can be trained on it. ``output`` is the reply of the model that heard it. The rest of every
turn is in ``talk.json``; ``annotations.jsonl`` has what people put right and how they voted.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from backends.blsp_emo.ser import EMOTIONS
from backends.blsp_emo.talking_state import ANNOTATIONS, TALK, Talk, load_talk
from workbench.contract import Json, UserError
from workbench.files import dumps

NAME = re.compile(r"turn-\d+(-[ab])?\.wav")
LINES, README = "conversation.jsonl", "README.txt"
DAWN = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive: the same conversation gives the same bytes."""
WORDS = """A conversation by voice, exported from the workbench.

conversation.jsonl   one line a turn that was spoken: audio, text (the transcript), emotion, output (the reply)
annotations.jsonl    corrections and votes of people
talk.json            everything else: chances, both replies, times
turn-NNN.wav         what was said (16 kHz mono); turn-NNN-a.wav, -b.wav: replies by espeak-ng (a synthetic voice)

The emotions are a program's guesses unless "by" in talk.json says person. They are no diagnosis of anybody.
These are recordings of a person's voice: ask before you pass them on.
"""


def packed(run: Path) -> bytes:
    """The zip of a run's folder. Raises ``UserError`` where there is no conversation or no turn in it."""
    folder = run / "artifacts"
    talk = load_talk(folder / TALK)
    if talk is None or not talk.turns:
        raise UserError("Nothing has been said yet, so there is nothing to export.", advice="Say something first.")
    lines = "".join(dumps(line) + "\n" for line in rows(talk))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _put(archive, README, WORDS.encode())
        _put(archive, LINES, lines.encode())
        for name in (TALK, ANNOTATIONS, *sounds(talk)):
            path = folder / name
            if path.is_file():
                _put(archive, name, path.read_bytes())
    return out.getvalue()


def sounds(talk: Talk) -> list[str]:
    """Names of the WAV files of a conversation, in order."""
    found: list[str] = []
    for turn in talk.turns:
        names = [turn.audio, *(turn.replies[side].get("voice") for side in turn.sides)]
        found += [str(name) for name in names if name and NAME.fullmatch(str(name))]
    return found


def rows(talk: Talk) -> list[Mapping[str, Json]]:
    """The spoken turns as rows of a manifest. An emotion that is uncertain is none."""
    return [{"audio": turn.audio, "text": turn.transcript,
             "emotion": turn.emotion.label if turn.emotion.label in EMOTIONS else "", "instruction": "",
             "output": turn.reply("speech"), "early_stop": _cut(turn.replies.get("speech")), "speaker": "", "lang": "",
             "seconds": turn.seconds, "emotion_by": turn.emotion.by, "turn": number}
            for number, turn in enumerate(talk.turns) if turn.audio and turn.speech]


def _cut(reply: Json) -> bool:
    return bool(reply) and reply["finish"] != "stop"


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    item = zipfile.ZipInfo(name, DAWN)
    item.compress_type = zipfile.ZIP_STORED if name.endswith(".wav") else zipfile.ZIP_DEFLATED
    archive.writestr(item, data)

"""Made speech for ``reproduce blsp-emo``: the practice talk in many voices, and five tones of one voice. *Synthetic.*

espeak-ng and (where it is installed) flite say sentences; a manifest beside the sound names text, voice and tone. Tones
of espeak-ng are settings of rate, pitch and loudness (:data:`PROSODY`), no feeling: they show that the method works,
not how people sound. Voices of the test are in no training.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile  # type: ignore[import-untyped]

from backends.blsp_emo import talk
from backends.blsp_emo.ser import EMOTIONS
from backends.common.speech.audio import RATE, Clip, Limits, load
from backends.common.speech.manifests import Row, write_manifest
from backends.common.speech.voice import Voice, speak
from workbench.contract import MissingResource, UserError

PROSODY = {"neutral": (1.0, 45, 100), "happy": (1.15, 75, 120), "angry": (1.2, 25, 190), "sad": (0.68, 20, 55),
           "surprise": (0.95, 99, 140)}
"""Factor of the rate, pitch (0 to 99) and loudness (0 to 200) of a tone (our choice)."""
LIMITS = Limits(0.3, 30.0)


@dataclass(frozen=True)
class Speaker:
    """A voice of a program: for espeak-ng a variant, rate and pitch; for flite a name."""

    program: str
    name: str
    rate: int = 170
    pitch: int = 50

    @property
    def title(self) -> str:
        """Name in manifests."""
        return f"{self.program}-{self.name}-{self.rate}-{self.pitch}".replace("+", ".")


LEARNED = (Speaker("espeak", "en-us"), Speaker("espeak", "en-gb", 160, 40), Speaker("espeak", "en-us+f2", 185, 60),
           Speaker("espeak", "en-gb+m3", 150, 45), Speaker("espeak", "en+f3", 170, 55),
           Speaker("espeak", "en-us+m5", 190, 35), Speaker("espeak", "en-gb-scotland+f1", 165, 50),
           Speaker("espeak", "en+m7", 175, 60), Speaker("flite", "slt"), Speaker("flite", "awb"))
UNHEARD = (Speaker("espeak", "en-us+f4", 180, 65), Speaker("espeak", "en-gb-x-rp+m2", 160, 48), Speaker("flite", "rms"))
"""Voices that stop stage 1: no training hears them, and nothing is measured on them."""
TESTED = (Speaker("espeak", "en-us+f5", 165, 58), Speaker("espeak", "en-gb+m6", 178, 42), Speaker("flite", "kal"))
"""Voices that stage 1 is measured on: neither learned nor asked when to stop."""
TONED = tuple(Speaker("espeak", f"en-us+{name}", 170, 50) for name in
              ("m1", "m2", "m3", "m4", "f1", "f2", "f3", "m7", "f4", "m5", "f5", "m6"))
"""Voices of the toned sentences, in the order in which they are learned, validated and tested."""


def voices(wanted: Sequence[Speaker]) -> tuple[Speaker, ...]:
    """Those whose program is here. Raises ``MissingResource`` where none is."""
    here = {"espeak": shutil.which("espeak-ng") is not None, "flite": shutil.which("flite") is not None}
    found = tuple(one for one in wanted if here[one.program])
    if not found:
        raise MissingResource("There is no voice: neither espeak-ng nor flite is installed.",
                              advice="Install it: sudo apt-get install espeak-ng flite")
    return found


def say(text: str, speaker: Speaker, tone: str = "neutral") -> Clip:
    """A sentence in a voice; tones need espeak-ng."""
    if speaker.program == "flite":
        return _flite(text, speaker.name)
    factor, pitch, loudness = PROSODY[tone]
    pitch = speaker.pitch if tone == "neutral" else min(99, max(0, pitch + speaker.pitch - 50))
    return speak(text, Voice(speaker.name, round(speaker.rate * factor), pitch, loudness), LIMITS)


def _flite(text: str, name: str) -> Clip:
    program = shutil.which("flite")
    if program is None:
        raise MissingResource("flite is not installed.", advice="Install it: sudo apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        out, source = Path(folder) / "said.wav", Path(folder) / "text.txt"
        source.write_text(text, encoding="utf-8")
        ended = subprocess.run([program, "-voice", name, "-f", str(source), "-o", str(out)], capture_output=True,
                               timeout=30, check=False)
        if ended.returncode or not out.is_file():
            raise UserError(f"flite could not say it with the voice {name}.", advice="`flite -lv` lists its voices.")
        return load(out, LIMITS)


@dataclass(frozen=True)
class Line:
    """One clip to make."""

    text: str
    speaker: Speaker
    tone: str = ""


def spoken(folder: Path, lines: Sequence[Line]) -> Path:
    """Make the clips that are not there yet and the manifest of all; the path of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, line in enumerate(lines):
        name = f"{number:05d}-{line.speaker.title}{'-' + line.tone if line.tone else ''}.flac"
        if not (folder / name).is_file():
            clip = say(line.text, line.speaker, line.tone or "neutral")
            part = folder / f".{name}.part"
            soundfile.write(part, clip.wave, RATE, format="FLAC", subtype="PCM_16")
            part.replace(folder / name)
        rows.append(Row(name, line.text, line.tone, speaker=line.speaker.title, lang="en"))
    write_manifest(folder / "manifest.jsonl", rows)
    return folder / "manifest.jsonl"


def semantic_lines(known: Sequence[str], held: Sequence[str], seed: int) -> list[Line]:
    """Sentences to learn, each in one of the voices to learn; held-out sentences in every voice of no training."""
    generator, ours, theirs = random.Random(seed), voices(LEARNED), voices(UNHEARD)
    return [*(Line(text, generator.choice(ours)) for text in known),
            *(Line(text, speaker) for text in held for speaker in theirs)]


def fresh_lines(texts: Sequence[str]) -> list[Line]:
    """Sentences to be measured on, each in every voice of :data:`TESTED`, in a neutral tone."""
    return [Line(text, speaker, "neutral") for text in texts for speaker in voices(TESTED)]


def toned_lines(texts: Sequence[str], speakers: int) -> list[Line]:
    """Every sentence in every tone by the first voices of :data:`TONED`."""
    return [Line(text, speaker, tone) for speaker in TONED[:speakers] for text in texts for tone in EMOTIONS]


def sentences(seed: int, count: int, held: int) -> tuple[list[str], list[str]]:
    """Sentences of the practice talk that the bundled language model learned, and some that it did not."""
    known, unheard = talk.divided(seed, count, held)
    return [one.text for one in known], [one.text for one in unheard]

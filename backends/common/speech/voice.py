"""A sentence spoken by espeak-ng: an optional voice for replies, and made speech for practice and tests.

The program is run, not linked; the text goes in on standard input, so that nothing in it is taken for an option.
What it says is synthetic speech and is to be called so wherever it is used.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from backends.common.speech.audio import Clip, Limits, load
from workbench.contract import Knob, MissingResource, UserError
from workbench.fields import validate

PROGRAM = "espeak-ng"
TIMEOUT_S = 30
LONGEST_TEXT = 2000
_VOICE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,39}")


@dataclass(frozen=True)
class Voice:
    """How it is said. ``name`` is a language or variant of espeak-ng such as ``en``, ``en-gb+f3`` or ``de``."""

    name: Annotated[str, Knob("Language and variant of the voice, e.g. en-us or en+f3", 1, 40)] = "en"
    rate: Annotated[int, Knob("Words a minute", 80, 450)] = 175
    pitch: Annotated[int, Knob("Pitch; 50 is the voice's own", 0, 99)] = 50
    loudness: Annotated[int, Knob("Loudness; 100 is the voice's own", 0, 200)] = 100

    def __post_init__(self) -> None:
        validate(self)
        if not _VOICE.fullmatch(self.name):
            raise UserError(f"name is {self.name!r}; a voice has letters, digits, + - and _.",
                            advice="`espeak-ng --voices` lists them.")


def available() -> bool:
    """Whether espeak-ng is on this machine."""
    return shutil.which(PROGRAM) is not None


def speak(text: str, voice: Voice | None = None, limits: Limits | None = None) -> Clip:
    """The text as sound. ``MissingResource`` without espeak-ng; ``UserError`` for an empty or endless text and for a
    voice it does not have."""
    with tempfile.TemporaryDirectory() as folder:
        return load(speak_to(text, Path(folder) / "said.wav", voice), limits)


def speak_to(text: str, out: Path, voice: Voice | None = None) -> Path:
    """The text as a WAV file of espeak-ng's own rate (22,050 Hz). Raises like :func:`speak`."""
    voice = voice or Voice()
    said = " ".join(text.replace("[[", "[ [").split())  # espeak-ng reads what stands in [[ ]] as phonemes
    if not said or len(said) > LONGEST_TEXT:
        raise UserError(f"The text to be spoken has {len(said)} characters; 1 to {LONGEST_TEXT} are spoken.")
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingResource("There is no voice: espeak-ng is not installed.",
                              advice="Install it: sudo apt-get install espeak-ng")
    command = [program, "--stdin", "-b", "1", "-v", voice.name, "-s", str(voice.rate), "-p", str(voice.pitch),
               "-a", str(voice.loudness), "-w", str(out)]
    try:
        ended = subprocess.run(command, input=said.encode("utf-8", "replace"), capture_output=True, timeout=TIMEOUT_S,
                               check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"espeak-ng did not finish in {TIMEOUT_S} s.", advice="Try a shorter text.") from error
    told = ended.stderr.decode("utf-8", "replace").strip()
    if ended.returncode or not out.is_file() or out.stat().st_size <= 44:
        raise UserError(f"espeak-ng could not say it with the voice {voice.name}: {told[:200] or 'no reason given'}.",
                        advice="`espeak-ng --voices` lists the voices.")
    return out

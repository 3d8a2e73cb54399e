"""Who speaks in clips: people, or voices of a program. What was learned or measured on made voices alone is synthetic.

Manifests that this project writes name made voices after their program: ``espeak-en-us.m5-170-50``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

PROGRAMS = ("espeak", "flite")
"""The programs whose voices speak in made clips."""


def is_made(speaker: str) -> bool:
    """Whether a speaker of a manifest is a voice of a program; a nameless one is not known to be."""
    return speaker.startswith(tuple(f"{program}-" for program in PROGRAMS))


def provenance(speakers: Iterable[str]) -> Literal["real data", "synthetic"]:
    """What clips of these speakers are: ``synthetic`` where every one is made, else ``real data``; so are no clips."""
    none = True
    for speaker in speakers:
        if not is_made(speaker):
            return "real data"
        none = False
    return "real data" if none else "synthetic"

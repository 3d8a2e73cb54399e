"""The sounds of a conversation as pictures: a small wave for each turn, wave and mel spectrogram of one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from backends.common.speech.audio import Limits, Wave, load
from backends.common.speech.shown import Picture, picture
from workbench.contract import UserError
from workbench.text import say
from workbench.widgets import speech_wave
from workbench.widgets.markup import element, esc
from workbench.widgets.speech_talk import address

COLUMNS = 120
LONGEST = Limits(shortest=0.0, longest=60.0, cut=True)


def wave_of(path: Path) -> str:
    """The wave of a file as SVG; nothing for one that cannot be read. A file is drawn once while it stays the same."""
    try:
        return _small(str(path), path.stat().st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=400)
def _small(path: str, changed: int) -> str:
    wave = _read(path)
    return speech_wave.wave_svg(picture(wave, COLUMNS, 0)) if wave is not None else ""


@lru_cache(maxsize=32)
def _large(path: str, changed: int) -> Picture | None:
    wave = _read(path)
    return picture(wave) if wave is not None else None


def _read(path: str) -> Wave | None:
    try:
        wave = load(Path(path), LONGEST).wave
    except UserError:
        return None
    return wave if len(wave) else None


def looked_at(run: str, path: Path, number: int, lang: str) -> str:
    """Wave, spectrogram and player of the sound of a turn."""
    name = say(lang, "speech_talk.turn", n=number + 1)
    head = element("h4", esc(name))
    try:
        drawn = _large(str(path), path.stat().st_mtime_ns)
    except OSError:
        drawn = None
    if drawn is None:
        return element("div", head + element("p", esc(say(lang, "speech_talk.look.none")), class_="tk-problem"),
                       class_="tk tk-looked")
    shown = speech_wave.sound(drawn, lang, source=address(run, path.name), name=name)
    return element("div", head + shown, class_="tk tk-looked")

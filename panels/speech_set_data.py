"""A scored set as its files tell it, checked: they may have been edited by hand. And the sound of one of its clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from backends.blsp_emo.recognise_requests import HUMAN
from backends.common.speech.audio import RATE, Limits, load
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.shown import Picture, picture
from panels.result_files import stamps
from panels.speech_set_look import Look, cell
from workbench.contract import Json, UserError
from workbench.files import read_json, read_lines
from workbench.runs import Run
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.speech_clips import Line
from workbench.widgets.speech_set import Measure, Speaker
from workbench.widgets.speech_wave import wav_address

CACHED = 4
HEARD = Limits(shortest=0.0, longest=30.0, cut=True)


@dataclass(frozen=True, eq=False)
class Scored:
    """A scored set: the emotions in order, what ``scores.json`` says, every clip, and probabilities by clip."""

    classes: tuple[str, ...]
    told: Mapping[str, Json]
    clips: tuple[Line, ...]
    chances: tuple[Mapping[str, float], ...]
    uncertain: float
    folder: Path

    @property
    def measures(self) -> list[Measure]:
        """UA, WA, and WA of the answers that are not uncertain; the honest UA of a leaky split first."""
        apart = share(self.told.get("apart_ua"), -1.0)
        found = [Measure("apart", apart)] if apart >= 0 else []
        found += [Measure(name, share(self.told.get(name)), ends(self.told.get(f"{name}_interval")))
                  for name in ("ua", "wa")]
        return [*found, Measure("certain", share(self.told.get("certain_wa")))] if share(
            self.told.get("certain")) > 0 else found

    @property
    def chance(self) -> float:
        """UA of guessing."""
        return share(self.told.get("chance"), 0.2)

    @property
    def human(self) -> float:
        """How well people do on voices alone."""
        return HUMAN["voice"]

    @property
    def speakers(self) -> list[Speaker]:
        """Everybody's scores."""
        return [Speaker(str(row.get("speaker") or ""), int(share(row.get("clips"), 0.0, 1e9)), share(row.get("wa")),
                        share(row.get("ua"))) for row in tables(self.told.get("by_speaker"))]


def share(value: Json, otherwise: float = 0.0, most: float = 1.0) -> float:
    """A number from 0 to ``most``."""
    return min(most, max(0.0, float(value))) if finite(value) and value >= 0 else otherwise


def ends(value: Json) -> tuple[float, ...]:
    """Both ends of an interval, or nothing."""
    found = listed(value)
    return (float(found[0]), float(found[1])) if len(found) == 2 and all(finite(end) for end in found) else ()


def read(run: Run) -> Scored:
    """The scored set of a run that has succeeded. Raises ``UserError`` where its files are gone or not whole."""
    changed = stamps(run, ("scores.json", "clips.jsonl"), "scores", "Measure again.")
    return _read(run.path, share(run.fields.get("uncertain"), 0.4), *changed)


@lru_cache(maxsize=CACHED)
def _read(run: Path, uncertain: float, *changed: int) -> Scored:
    told = table(read_json(run / "artifacts" / "scores.json", {}))
    classes = tuple(str(name) for name in listed(told.get("classes")) if name in EMOTIONS)
    rows = tables(read_lines(run / "artifacts" / "clips.jsonl"))
    if not classes or not rows or [row.get("index") for row in rows] != list(range(len(rows))):
        raise UserError("The files of this run are not whole.", advice="Measure again.")
    lines, chances = [], []
    for row in rows:
        found = {name: share(value) for name, value in table(row.get("chances")).items() if name in classes}
        lines.append(_line(row, found, uncertain))
        chances.append(found)
    return Scored(classes, told, tuple(lines), tuple(chances), uncertain, run)


def _line(row: Mapping[str, Json], chances: Mapping[str, float], uncertain: float) -> Line:
    text, speaker, truth, told = (str(row.get(name) or "") for name in ("text", "speaker", "truth", "told"))
    chance = chances.get(told, 0.0)
    return Line(int(row["index"]), str(row.get("audio") or "").rpartition("/")[2], text, speaker, truth, told, chance,
                chance >= uncertain, row.get("use") == "scored")


def chosen(of: Scored, look: Look) -> list[Line]:
    """The clips that the look lets through, in its order."""
    wanted, pair = look.search.casefold(), cell(look.cell)
    found = [one for one in of.clips if _kind(one, look.kind)
             and (pair is None or (one.scored and (one.truth, one.told) == pair))
             and (not look.speaker or one.speaker == look.speaker)
             and (not wanted or wanted in f"{one.name}\n{one.text}\n{one.speaker}".casefold())]
    if look.sort != "index":
        found.sort(key=lambda one: -one.chance if look.sort == "sure" else one.chance)
    return found


def _kind(one: Line, kind: str) -> bool:
    wrong = one.truth != one.told
    kinds = {"wrong": wrong, "right": not wrong, "unsure": not one.certain}
    return kind not in kinds or (one.scored and kinds[kind])


@dataclass(frozen=True)
class Sound:
    """A clip to look at and to hear: its picture, and the address of a WAV."""

    drawn: Picture
    address: str


def sound(of: Scored, index: int) -> Sound:
    """The sound of a clip. Only places that the run itself has written down are read, so nothing else of the machine
    can be asked for. Raises ``UserError`` where it is gone or cannot be read."""
    sources = listed(read_json(of.folder / "checkpoints" / "sources.json", []))
    if not 0 <= index < len(sources) or not isinstance(sources[index], str):
        raise UserError("It is not known where this clip lies.", advice="Measure again.")
    try:
        changed = Path(sources[index]).stat().st_mtime_ns
    except OSError:
        changed = 0
    return _sound(sources[index], changed)


@lru_cache(maxsize=16)
def _sound(source: str, changed: int) -> Sound:
    wave = load(source, HEARD).wave
    samples = np.round(np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
    return Sound(picture(wave), wav_address(samples, RATE))

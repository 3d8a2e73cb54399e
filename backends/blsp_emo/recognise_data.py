"""The clips of a data-set run: which rows of a manifest take part, and the encoder's features of each.

Features are kept in the run once they are made, so a run that was cut off after that goes on, and a later run over the
same clips takes them over (``features``). A sound that cannot be used is named with its row and left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backends.blsp_emo.probe import features_of
from backends.common.speech import practice
from backends.common.speech.audio import Limits, Wave, load
from backends.common.speech.manifests import Row, read_manifest, readable
from backends.common.speech.slices import parse
from backends.common.speech.whisper import Whisper
from workbench.contract import Context, Json, UserError
from workbench.files import read_json, write_json

Array = np.ndarray[Any, Any]
CHUNK = 32
FAINT = 1e-4
"""Root mean square below which a clip has nothing to hear (our default)."""
LIMITS = Limits(cut=True)


@dataclass(frozen=True, eq=False)
class Clips:
    """Rows that take part, where each lies, and those that do not: faults and the number of other emotions."""

    rows: tuple[Row, ...]
    sources: tuple[str, ...]
    faults: tuple[dict[str, Json], ...] = ()
    outside: int = 0

    def only(self, places: Sequence[int]) -> Clips:
        """Some of the clips; what was left out before stays told."""
        return replace(self, rows=tuple(self.rows[i] for i in places), sources=tuple(self.sources[i] for i in places))

    @property
    def labels(self) -> list[str]:
        """The emotion of each."""
        return [row.emotion for row in self.rows]

    @property
    def speakers(self) -> list[str]:
        """Who speaks each."""
        return [row.speaker for row in self.rows]


def clips_of(manifest: str, root: str, classes: Sequence[str], limit: int, context: Context) -> Clips:
    """Read a manifest. Raises ``UserError`` where no row can be used."""
    path = practice.located(manifest, practice.CLIPS, context)
    found = read_manifest(path, "ser", context.resource(root) if root else None, within=readable(context))
    rows = [row for row in found.rows if row.emotion in classes]
    if not rows:
        raise UserError(f"No clip of {path.name} is labelled {', '.join(classes)}.", advice="Choose other emotions.")
    outside = len(found.rows) - len(rows)
    rows = rows[:limit or None]
    faults = tuple({"line": fault.line, "why": fault.why} for fault in found.faults)
    return Clips(tuple(rows), tuple(found.source(row) for row in rows), faults, outside)


def heard(source: str) -> Wave:
    """The sound of a clip, at most its first 30 s. Raises ``UserError`` where there is nothing to hear in it."""
    wave = load(source, LIMITS).wave
    if float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) < FAINT:
        raise UserError(f"{Path(source).name} is silent: there is no emotion to tell.")
    return wave


def with_features(clips: Clips, whisper: Whisper, place: Path, earlier: Path | None, padded: bool, context: Context,
                  words: str) -> tuple[Clips, Array]:
    """The clips that can be heard, and (clips, layers + 1, 2 width) of them.

    ``place`` is a name without ending in this run: ``.npy`` the features and ``.json`` whose they are. ``earlier``
    is the same of another run; it is taken where it is of the same clips and encoder."""
    name = fingerprint(clips, whisper, padded)
    for kept in (place, earlier):
        if kept is not None and (found := _kept(kept, name)) is not None:
            rows, values = found
            _keep(place, name, rows, values, read_json(kept.with_suffix(".json"), {}).get("faults", []))
            return _without(clips, rows, _faults_of(kept)), values
    rows, faults, blocks = [], list[dict[str, Json]](), list[Array]()
    for begin in range(0, len(clips.rows), CHUNK):
        waves = []
        for number in range(begin, min(begin + CHUNK, len(clips.rows))):
            context.report(number, len(clips.rows), words.format(done=number, total=len(clips.rows)))
            try:
                waves.append(heard(clips.sources[number]))
                rows.append(number)
            except UserError as error:
                faults.append({"audio": clips.rows[number].audio, "why": error.message})
        if waves:
            blocks.append(features_of(whisper, waves, lambda done, of, begin=begin: context.report(  # type: ignore[misc]
                min(begin + done, len(clips.rows)), len(clips.rows), words.format(done=begin + done,
                                                                                  total=len(clips.rows))), padded))
    if not blocks:
        raise UserError(f"None of the {len(clips.rows)} clips can be heard. The first: {faults[0]['why']}")
    values = np.concatenate(blocks)
    _keep(place, name, rows, values, faults)
    return _without(clips, rows, faults), values


def fingerprint(clips: Clips, whisper: Whisper, padded: bool) -> str:
    """A name made of the encoder and of every clip's place, size and time of change."""
    digest = hashlib.sha256(f"{padded} {whisper.layers} {whisper.width} ".encode())
    weights = whisper.encoder.layers[-1].fc2.weight.detach().float().cpu().numpy()
    digest.update(np.ascontiguousarray(weights).tobytes())
    for source in clips.sources:
        stat = parse(source).path.stat()
        digest.update(f"{source} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _keep(place: Path, name: str, rows: Sequence[int], values: Array, faults: Sequence[Json]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    half = place.with_suffix(".half.npy")
    np.save(half, values)
    half.replace(place.with_suffix(".npy"))
    write_json(place.with_suffix(".json"), {"of": name, "rows": list(rows), "faults": list(faults)})


def _kept(place: Path, name: str) -> tuple[list[int], Array] | None:
    """Features of an attempt before or of another run, where they are whole and of the same clips."""
    told = read_json(place.with_suffix(".json"), {})
    if not isinstance(told, dict) or told.get("of") != name:
        return None
    try:
        values = np.load(place.with_suffix(".npy"), allow_pickle=False)
        rows = [int(row) for row in told["rows"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (rows, values) if values.ndim == 3 and len(values) == len(rows) else None


def _faults_of(place: Path) -> list[dict[str, Json]]:
    return [fault for fault in read_json(place.with_suffix(".json"), {}).get("faults", []) if isinstance(fault, dict)]


def _without(clips: Clips, rows: Sequence[int], faults: Sequence[dict[str, Json]]) -> Clips:
    return replace(clips.only(rows), faults=(*clips.faults, *faults))

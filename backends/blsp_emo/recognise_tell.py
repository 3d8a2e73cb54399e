"""What a recogniser tells about clips: probabilities by a probe that learned here, a saved one, or a model's head.

Every answer here is about clips that its recogniser did not learn from, as far as their speakers are known: folds keep
speakers apart, and what has learned already is held against the speakers that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.blsp_emo.probe import Probe, calibrated, fit, open_probe
from backends.blsp_emo.recognise_data import Clips, heard
from backends.common.speech.folds import Fold
from workbench.contract import Context, Json, UserError
from workbench.files import read_json, write_json, write_text

Array = np.ndarray[Any, Any]
KIND = "emotion_probe"
"""``model_type`` of a saved probe's ``config.json``."""


@dataclass(frozen=True, eq=False)
class Told:
    """``chances`` (clips, classes) of what was asked, and the fold each clip was in (-1: none, so not told)."""

    chances: Array
    fold: Array


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Features after calibration, and which clips were spent on it."""

    values: Array
    spent: tuple[int, ...] = ()


def calibrate(values: Array, clips: Clips, how: str, neutral: int) -> Calibrated:
    """Features by what is known of each speaker. ``minus``: x - m, ``both``: [x, x - m], m the mean of the speaker's
    first ``neutral`` neutral clips; ``all``: (x - mean) / deviation over all clips of the speaker.

    Raises ``UserError`` for a speaker without a name or without a neutral clip."""
    if how == "none":
        return Calibrated(values)
    if not all(clips.speakers):
        raise UserError(f"{clips.speakers.count('')} clips have no speaker, so nobody's voice can be calibrated.",
                        advice="Add the field speaker to the manifest, or calibrate with none.")
    made = np.zeros((len(values), values.shape[1] * (2 if how == "both" else 1)), np.float32)
    spent: list[int] = []
    for speaker in sorted(set(clips.speakers)):
        own = [i for i, row in enumerate(clips.rows) if row.speaker == speaker]
        if how == "all":
            mean, scale = values[own].mean(axis=0), values[own].std(axis=0)
            made[own] = (values[own] - mean) / np.where(scale > 1e-8, scale, 1.0)
            continue
        known = [i for i in own if clips.rows[i].emotion == "neutral"][:neutral]
        if not known:
            raise UserError(f"{speaker} has no neutral clip to calibrate by.",
                            advice="Calibrate with none, or leave this speaker out.")
        spent += known
        beside = calibrated(values[own], values[known])
        made[own] = beside if how == "both" else beside[:, values.shape[1]:]
    return Calibrated(made, tuple(spent))


def learn(values: Array, labels: Sequence[str], layer: int, classes: Sequence[str], both: bool) -> Probe:
    """A probe over the classes that occur. Raises ``UserError`` where fewer than two do."""
    there = [name for name in classes if name in labels]
    if len(there) < 2:
        raise UserError(f"The {len(labels)} clips to learn from are all {there[0] if there else 'unlabelled'}.",
                        advice="A probe needs clips of two emotions at least; use fewer folds or more clips.")
    return fit(values, labels, layer, there, calibrated=both)


def by_folds(values: Array, clips: Clips, folds: Sequence[Fold], layer: int, classes: Sequence[str], context: Context
             ) -> Told:
    """Each clip by a probe that learned from the other folds."""
    chances, number = np.zeros((len(values), len(classes))), np.full(len(values), -1)
    for place, fold in enumerate(folds):
        context.report(place, len(folds), f"fold {place + 1} of {len(folds)}")
        probe = learn(values[fold.train], [clips.rows[i].emotion for i in fold.train], layer, classes, False)
        chances[fold.test], number[fold.test] = spread(probe.probabilities(values[fold.test]), probe.classes,
                                                       classes), place
    return Told(chances, number)


def by_probe(probe: Probe, values: Array, classes: Sequence[str]) -> Told:
    """Every clip by one probe, among the classes that it knows of those asked."""
    known = [name for name in classes if name in probe.classes]
    if len(known) < 2:
        raise UserError(f"The probe knows {', '.join(probe.classes)}; asked is about {', '.join(classes)}.",
                        advice="Choose at least two emotions that it has learned.")
    return Told(spread(probe.probabilities(values, known), probe.classes, classes), np.zeros(len(values), int))


def spread(chances: Array, have: Sequence[str], want: Sequence[str]) -> Array:
    """Columns in the order of ``want``; 0 for a class that is not told."""
    made = np.zeros((len(chances), len(want)))
    for place, name in enumerate(want):
        if name in have:
            made[:, place] = chances[:, list(have).index(name)]
    return made


def by_head(folder: Path, clips: Clips, classes: Sequence[str], context: Context) -> tuple[Clips, Told]:
    """Every clip by the emotion head of a model of stage 2, among the classes asked; clips that cannot be heard
    become faults. Raises ``UserError`` where none can."""
    import torch

    from backends.blsp_emo.infer import batch_of, hear
    from backends.blsp_emo.ser import EMOTIONS
    from backends.blsp_emo.storage import open_model

    context.report(0, len(clips.rows), "opening the speech model")
    model, setup = open_model(folder, context)
    if setup.stage != 2:
        raise UserError(f"{folder.name} has learned stage {setup.stage} only: its emotion head knows nothing yet.",
                        advice="Choose a model of stage 2.")
    places = [EMOTIONS.index(name) for name in classes]
    kept, rows, faults = [], list[Array](), list[dict[str, Json]]()
    for number, source in enumerate(clips.sources):
        context.report(number, len(clips.rows), f"{number} of {len(clips.rows)} clips heard")
        try:
            with torch.no_grad():
                scores = model.emotions(batch_of([hear(model, heard(source))], model))[0].float()
            rows.append(torch.softmax(scores[places], 0).cpu().numpy())
            kept.append(number)
        except UserError as error:
            faults.append({"audio": clips.rows[number].audio, "why": error.message})
    if not kept:
        raise UserError(f"None of the {len(clips.rows)} clips can be heard. The first: {faults[0]['why']}")
    left = clips.only(kept)
    return (Clips(left.rows, left.sources, (*clips.faults, *faults), clips.outside),
            Told(np.stack(rows), np.zeros(len(kept), int)))


@dataclass(frozen=True, eq=False)
class Saved:
    """A probe from a folder with what its ``config.json`` says of it."""

    probe: Probe
    encoder: str
    padded: bool
    calibration: str
    neutral_clips: int
    speakers: frozenset[str]
    clips: int


def save(probe: Probe, folder: Path, facts: Mapping[str, Json]) -> None:
    """Write a probe with ``config.json`` (``facts``) and a card, as one folder that is a model."""
    probe.save(folder)
    write_json(folder / "config.json", {"model_type": KIND, "classes": list(probe.classes), "layer": probe.layer,
                                        **facts})
    scored = "".join(f"- {name}: {facts[name]}\n" for name in ("encoder", "calibration", "clips", "ua"))
    write_text(folder / "README.md", "---\nlicense: other\ntags: [speech, emotion]\n---\n\n# Emotion probe\n\nA linear "
               f"layer on layer {probe.layer} of a frozen speech encoder; it tells {', '.join(probe.classes)}.\n\n"
               f"{scored}\n`ua` is the mean recall on speakers it had not learned from, by folds; this probe then "
               "learned from all of them. It was learned from acted speech unless the clips say otherwise, and "
               "it tells nothing about a person's health or honesty. Its licence is that of the clips.\n")


def open_saved(folder: Path) -> Saved:
    """Read what :func:`save` wrote. ``UserError`` where the folder holds something else."""
    told = read_json(folder / "config.json", {})
    told = told if isinstance(told, dict) else {}
    if told.get("model_type") != KIND:
        raise UserError(f"{folder.name} holds no emotion probe.",
                        advice="Give the folder that blsp_emo.recognise wrote, or a model of stage 2.")
    probe, people = open_probe(folder), told.get("speakers")
    return Saved(probe, str(told.get("encoder", "")), told.get("padded") is True, str(told.get("calibration", "none")),
                 int(told.get("neutral_clips") or 2),
                 frozenset(map(str, people)) if isinstance(people, list) else frozenset(),
                 int(told.get("clips") or 0))


def kind_of(folder: Path) -> str:
    """``model_type`` of a folder; empty where it says none."""
    told = read_json(folder / "config.json", {})
    return str(told.get("model_type", "")) if isinstance(told, dict) else ""

"""The task ``blsp_emo.recognise.v1``: the emotion of every clip of a manifest, told and measured.

Speakers are kept apart unless a leaky split is asked for, and then the honest figure stands beside it. The files:
``clips.jsonl`` (every clip with its label, what was told and the probabilities), ``scores.json`` (the result),
``recogniser`` (a probe that learned from all clips, for others to use). Chance and how well people do on acted voices
belong to every score.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from backends.blsp_emo import recognise_tell as tell
from backends.blsp_emo.recognise_data import Clips, clips_of, with_features
from backends.blsp_emo.recognise_requests import (
    HUMAN,
    OPTIMISTIC,
    PROBE,
    OfSpeaker,
    RecogniseRequest,
    RecogniseResult,
)
from backends.blsp_emo.recognise_tell import Saved, Told
from backends.common.speech import folds as splits
from backends.common.speech import origin
from backends.common.speech.scores import UNPARSED, Scores, score
from workbench.contract import Context, Json, MissingResource, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_json, write_text

CLIPS, SCORES, SOURCES, FEATURES, MODEL = "clips.jsonl", "scores.json", "sources.json", "features", "recogniser"
FAULTS, FEW_CLIPS, FEW_SPEAKERS = 200, 50, 5
"""Faults that are told one by one; fewer clips or speakers than these make a score that says little (our defaults)."""
WARNINGS: Mapping[str, str] = MappingProxyType({
    "leaky": "The folds are random: clips of one speaker are learned from and tested on. This flatters the score.",
    "all": "The calibration knows every clip of the tested speaker. This is optimistic: nobody has them in use.",
    "few": "{clips} clips of {speakers} speakers are too few for a score that means anything.",
    "seen": "{n} of the tested speakers are among those it has learned from, such as {name}. This flatters the score.",
    "unknown": "It is not known which speakers this model has learned from; if they are among these, it flatters.",
    "missing": "It has not learned {names}: clips of these are always told wrong.",
})


Warned = dict[str, Json]


def warned(code: str, **values: Json) -> Warned:
    """A warning as its code, its values and its words."""
    return {"code": code, "values": values, "text": WARNINGS[code].format(**values)}


@dataclass(frozen=True, eq=False)
class Work:
    """Clips with what was told of them, and how that came about."""

    clips: Clips
    told: Told
    by: str
    folds: int
    learned_on: int
    spent: tuple[int, ...] = ()
    warnings: tuple[Warned, ...] = ()
    apart: Scores | None = None
    values: Any = None


def run(request: RecogniseRequest, context: Context) -> RecogniseResult:
    """Read, hear, tell, measure. Raises ``UserError`` where nothing can be told or the folds cannot be made."""
    context.report(0, 0, "reading the manifest")
    clips = clips_of(request.manifest, request.root, request.classes, request.limit, context)
    began = time.monotonic()
    folder = None if request.recogniser == PROBE else context.resource(request.recogniser)
    if folder is not None and tell.kind_of(folder) == "blsp_emo":
        work = _head(request, folder, clips, context)
    else:
        work = _probe(request, tell.open_saved(folder) if folder else None, clips, context)
    seconds = time.monotonic() - began
    context.report(0, 0, "measuring")
    scored = [i for i in range(len(work.clips.rows)) if work.told.fold[i] >= 0 and i not in set(work.spent)]
    if not scored:
        raise UserError("No clip is left to be scored: all of them were spent on the calibration.",
                        advice="Use fewer neutral clips, or calibrate with none.")
    answers = [request.classes[i] if any(row) else UNPARSED for row, i in
               zip(work.told.chances, work.told.chances.argmax(axis=1), strict=True)]
    measured = _score(work.clips, answers, scored, request)
    result = _result(request, context, work, measured, answers, scored, seconds)
    if request.recogniser == PROBE and request.save:
        _save(request, context, work, result)
    _write(context, work, answers, request, result)
    return result


def _head(request: RecogniseRequest, folder: Path, clips: Clips, context: Context) -> Work:
    if request.calibration != "none":
        raise UserError(f"calibration is {request.calibration}; the emotion head of a speech model takes none.",
                        advice="Choose the calibration none, or the recogniser probe.")
    clips, told = tell.by_head(folder, clips, request.classes, context)
    return Work(clips, told, "head", 1, 0, warnings=(warned("unknown"),))


def _probe(request: RecogniseRequest, saved: Saved | None, clips: Clips, context: Context) -> Work:
    """By a probe: a saved one, one that learns from another manifest, or one for each fold."""
    from backends.common.speech.whisper import open_whisper

    layer, how = request.layer, str(request.calibration)
    encoder, padded = request.encoder, request.padded
    if saved is not None:
        layer, how, encoder, padded = saved.probe.layer, saved.calibration, saved.encoder, saved.padded
    context.report(0, 0, "opening the encoder")
    whisper = open_whisper(context.resource(encoder), context.device)
    layer = _layer(layer, whisper.layers)
    earlier = _earlier(request.features, context)
    words = "{done} of {total} clips heard"
    clips, every = with_features(clips, whisper, context.run / "artifacts" / FEATURES, earlier, padded, context, words)
    neutral = saved.neutral_clips if saved else request.neutral_clips
    made = tell.calibrate(every[:, layer], clips, how, neutral)
    hints = (warned("all"),) if how in OPTIMISTIC else ()
    if saved is not None:
        told = tell.by_probe(saved.probe, made.values, request.classes)
        return Work(clips, told, "saved probe", 1, saved.clips, made.spent,
                    (*hints, *_seen(saved.speakers, clips), *_missing(saved.probe.classes, clips)))
    if request.learn_from:
        teachers = clips_of(request.learn_from, request.learn_root, request.classes, 0, context)
        teachers, their = with_features(teachers, whisper, context.run / "artifacts" / f"{FEATURES}-learned", None,
                                        padded, context, words)
        ready = tell.calibrate(their[:, layer], teachers, how, neutral)
        context.report(0, 0, "learning")
        probe = tell.learn(ready.values, teachers.labels, layer, request.classes, how == "both")
        return Work(clips, tell.by_probe(probe, made.values, request.classes), PROBE, 1, len(teachers.rows), made.spent,
                    (*hints, *_seen(frozenset(teachers.speakers), clips), *_missing(probe.classes, clips)),
                    values=(probe, teachers))
    folds = folds_of(request, clips, context)
    told = tell.by_folds(made.values, clips, folds, layer, request.classes, context)
    work = Work(clips, told, PROBE, len(folds), round(float(np.mean([len(fold.train) for fold in folds]))), made.spent,
                hints, values=(made.values, layer))
    return _beside(work, request, context) if request.folds == "leaky" else work


def _earlier(reference: str, context: Context) -> Path | None:
    """Where an earlier run keeps its features; nothing once it has been deleted."""
    try:
        return context.resource(reference) / FEATURES if reference else None
    except MissingResource:
        return None


def _layer(layer: int, layers: int) -> int:
    wanted = layers if layer == -1 else layer
    if not 0 <= wanted <= layers:
        raise UserError(f"layer is {layer}; this encoder has the layers 0 to {layers}, or -1 for the last.")
    return wanted


def folds_of(request: RecogniseRequest, clips: Clips, context: Context) -> tuple[splits.Fold, ...]:
    """The folds that were asked for. Raises ``UserError`` where they cannot be made or a speaker is on both sides."""
    if request.folds == "leaky":
        rarest = min(clips.labels.count(name) for name in set(clips.labels))
        if rarest < 2:
            raise UserError("A random split needs two clips of every emotion.", advice="Split by speaker.")
        return splits.at_random(clips.labels, min(request.parts, rarest), request.seed)
    if request.folds == "speaker":
        return splits.by_speaker(clips.speakers, min(request.parts, max(2, len(set(clips.speakers)))))
    if request.fold_list:
        return splits.by_list(clips.speakers, splits.read_list(context.resource(request.fold_list)))
    return splits.by_list(clips.speakers, listed(clips))


def listed(clips: Clips) -> dict[str, list[str]]:
    """The field ``fold`` of the rows as test speakers by fold. ``UserError`` where a row has none or there is one
    fold only."""
    found: dict[str, list[str]] = {}
    for row in clips.rows:
        if not row.fold:
            raise UserError(f"{row.audio} has no fold.", advice="Add the field fold to every row, or split by speaker.")
        if row.speaker not in found.setdefault(row.fold, []):
            found[row.fold].append(row.speaker)
    if len(found) < 2:
        raise UserError(f"All clips are in the fold {next(iter(found))}.", advice="Two folds are needed at least.")
    return found


def _beside(work: Work, request: RecogniseRequest, context: Context) -> Work:
    """The same with speakers apart, where that can be done."""
    hints = (*work.warnings, warned("leaky"))
    try:
        folds = folds_of(replace(request, folds="speaker"), work.clips, context)
    except UserError:
        return replace(work, warnings=hints)
    values, layer = work.values
    told = tell.by_folds(values, work.clips, folds, layer, request.classes, context)
    answers = [request.classes[i] for i in told.chances.argmax(axis=1)]
    scored = [i for i in range(len(answers)) if told.fold[i] >= 0 and i not in set(work.spent)]
    return replace(work, warnings=hints, apart=_score(work.clips, answers, scored, request) if scored else None)


def _seen(learned: frozenset[str], clips: Clips) -> tuple[Warned, ...]:
    both = sorted((learned & set(clips.speakers)) - {""})
    return (warned("seen", n=len(both), name=both[0]),) if both else ()


def _missing(known: Sequence[str], clips: Clips) -> tuple[Warned, ...]:
    lacking = [name for name in dict.fromkeys(clips.labels) if name not in known]
    return (warned("missing", names=", ".join(lacking)),) if lacking else ()


def _score(clips: Clips, answers: Sequence[str], scored: Sequence[int], request: RecogniseRequest) -> Scores:
    return score([clips.rows[i].emotion for i in scored], [answers[i] for i in scored],
                 [clips.rows[i].speaker for i in scored], request.classes, request.draws, request.seed)


def _result(request: RecogniseRequest, context: Context, work: Work, found: Scores, answers: Sequence[str],
            scored: Sequence[int], seconds: float) -> RecogniseResult:
    highest = work.told.chances[list(scored)].max(axis=1)
    sure = [i for i, chance in zip(scored, highest, strict=True) if chance >= request.uncertain]
    right = [answers[i] == work.clips.rows[i].emotion for i in sure]
    few = found.clips < FEW_CLIPS or len(found.speakers) < FEW_SPEAKERS
    hints = (*([warned("few", clips=found.clips, speakers=len(found.speakers))] if few else []), *work.warnings)
    occurring = sum(any(row) for row in found.confusion)
    return RecogniseResult(
        path=str(context.run / "artifacts"), told_by=work.by, classes=found.classes, clips=found.clips,
        speakers=len(found.speakers), folds=work.folds, learned_on=work.learned_on, wa=found.wa, ua=found.ua,
        wa_interval=found.wa_interval, ua_interval=found.ua_interval, recall=found.recall, confusion=found.confusion,
        by_speaker=tuple(OfSpeaker(**asdict(one)) for one in found.speakers), certain=len(sure) / len(scored),
        certain_wa=float(np.mean(right)) if right else 0.0, chance=1 / max(1, occurring), human=HUMAN["voice"],
        apart_ua=work.apart.ua if work.apart else -1.0, outside=work.clips.outside, references=len(work.spent),
        faults=work.clips.faults[:FAULTS], fault_count=len(work.clips.faults), warnings=hints,
        encode_seconds=round(seconds, 2), provenance=origin.provenance(one.speaker for one in found.speakers))


def _save(request: RecogniseRequest, context: Context, work: Work, result: RecogniseResult) -> None:
    """A probe that knows all clips (or those of ``learn_from``), with the score of those that did not know them."""
    both = request.calibration == "both"
    if request.learn_from:
        probe, clips = work.values
    else:
        values, layer = work.values
        context.report(0, 0, "learning from all clips")
        clips, probe = work.clips, tell.learn(values, work.clips.labels, layer, request.classes, both)
    out = context.run / "artifacts" / MODEL
    tell.save(probe, out, {"encoder": request.encoder, "padded": request.padded, "calibration": request.calibration,
                           "neutral_clips": request.neutral_clips, "speakers": sorted(set(clips.speakers)),
                           "clips": len(clips.rows), "ua": round(result.ua, 4), "folds": request.folds})
    context.artifact(MODEL, out, "model")


def _write(context: Context, work: Work, answers: Sequence[str], request: RecogniseRequest, result: RecogniseResult
           ) -> None:
    """The clips, one a line, and beside them (not a product) where each of them lies."""
    folder = context.run / "artifacts"
    lines = []
    for i, row in enumerate(work.clips.rows):
        chances = {name: round(float(p), 4) for name, p in zip(request.classes, work.told.chances[i], strict=True)}
        use = "calibration" if i in set(work.spent) else "scored" if work.told.fold[i] >= 0 else "unused"
        one: dict[str, Json] = {
            "index": i, "audio": row.audio, "speaker": row.speaker, "text": row.text, "seconds": row.seconds,
            "truth": row.emotion, "told": answers[i] if use != "unused" else "", "chances": chances, "use": use,
            "fold": int(work.told.fold[i]), "certain": max(chances.values()) >= request.uncertain}
        lines.append(dumps(one))
    write_text(folder / CLIPS, "\n".join(lines) + "\n")
    write_json(context.run / "checkpoints" / SOURCES, list(work.clips.sources))
    write_json(folder / SCORES, {**to_json(result), "path": ""})
    context.artifact(CLIPS, folder / CLIPS, "jsonl")
    context.artifact(SCORES, folder / SCORES, "json")

"""What the measuring task writes: one table for the page, one line a number for a spreadsheet, and differences."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.sweetiechat.measure_request import Figure, Note
from backends.sweetiechat.measure_sources import Source
from backends.sweetiechat.measure_strategies import Usage, Vector
from workbench.contract import Json
from workbench.fields import to_json
from workbench.files import write_text

COLUMNS = ("source", "group", "name", "value", "low", "high", "unit", "shown", "total", "counted", "tokenizer", "notes")
DRAWN = ("share/", "stage/")
"""Beginnings of the names that are drawn as pictures."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Measured:
    """One source with all its numbers; ``reference`` are shares of the same set, ``seeds`` those of its draws."""

    source: Source
    tokenizer: str
    vectors: tuple[Vector, ...]
    figures: tuple[Figure, ...]
    usage: Usage
    each: Sequence[Mapping[str, Json]]
    reference: Mapping[str, Json] | None
    stops: Mapping[str, Json]
    quality: Mapping[str, Json]
    notes: tuple[Note, ...]
    seeds: tuple[int, int]


def source_json(made: Measured) -> dict[str, Json]:
    """Everything that the page shows of one source, as plain JSON."""
    source, usage = made.source, made.usage
    by_name = {figure.name: figure for figure in made.figures}
    return {
        "reference": source.reference, "provenance": source.provenance, "models": list(source.models),
        "language": source.language, "tokenizer": made.tokenizer, "dialogues": len(source.dialogues),
        "total": source.total, "turns": usage.turns, "labelled": usage.labelled, "pairs": len(source.pairs),
        "notes": to_json(made.notes), "strategies": {"name": source.strategies.name, "items": [
            {"key": s.key, "label_en": s.label_en, "label_zh": s.label_zh, "stage": s.stage}
            for s in source.strategies.items]},
        "mix": _mix(made, by_name), "stages": _stages(made, by_name),
        "transitions": {"keys": list(usage.transitions.strategies), "counts": to_json(usage.transitions.counts),
                        "shares": to_json(usage.transitions.shares)},
        "each": [_each(row, by_name) for row in made.each],
        "figures": to_json([f for f in made.figures if not f.name.startswith(DRAWN) and f.group != "each"]),
        "stops": dict(made.stops), "quality": dict(made.quality)}


def _mix(made: Measured, by_name: Mapping[str, Figure]) -> list[dict[str, Json]]:
    if not made.usage.labelled:
        return []
    shares = made.reference["shares"] if made.reference else {}
    return [{"key": key, **_bounds(by_name[f"share/{key}"]), "reference": shares.get(key)}
            for key in made.source.strategies.keys]


def _stages(made: Measured, by_name: Mapping[str, Figure]) -> dict[str, Json]:
    """By part of a dialogue and stage: value and interval; ``reference`` beside them."""
    if not made.usage.labelled:
        return {}
    found: dict[str, Json] = {}
    for name, figure in by_name.items():
        if name.startswith("stage/"):
            _, part, stage = name.split("/")
            found.setdefault(part, {})[stage] = _bounds(figure)
    return {**found, "reference": made.reference["stages"] if made.reference else None}


def _each(row: Mapping[str, Json], by_name: Mapping[str, Figure]) -> dict[str, Json]:
    """A strategy's row with the intervals of F1 and preference."""
    bounds = {name: _bounds(by_name[f"{name}/{row['key']}"]) for name in ("f1", "preference")}
    return {**row, **{f"{name}_{end}": bounds[name][end] for name in bounds for end in ("low", "high")}}


def _bounds(figure: Figure) -> dict[str, Json]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def differences(first: Measured, second: Measured, level: float) -> list[dict[str, Json]]:
    """Second minus first for every number that both have, with its interval and whether it is paired."""
    known = {(vector.group, name): (vector, place) for vector in first.vectors
             for place, name in enumerate(vector.names)}
    found = []
    for vector in second.vectors:
        for place, name in enumerate(vector.names):
            if (vector.group, name) not in known:
                continue
            other, at = known[vector.group, name]
            which = int(vector.counted == "pairs")
            paired = first.seeds[which] == second.seeds[which] and vector.drawn.dialogues == other.drawn.dialogues
            apart = vector.drawn.part(place, place + 1).minus(other.drawn.part(at, at + 1)).interval(0, level)
            if math.isfinite(apart.value):
                found.append({"group": vector.group, "name": name, "value": apart.value, "unit": vector.unit,
                              "low": apart.low, "high": apart.high, "paired": paired})
    return found


def write_csv(path: Path, made: Sequence[Measured], differing: Sequence[Mapping[str, Json]]) -> None:
    """One line a number: figures of each source, shares of transitions, stop reasons, quality, differences."""
    file = io.StringIO()
    table = csv.writer(file)

    def line(*cells: Json) -> None:
        table.writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    line(*COLUMNS)
    for one in made:
        name = one.source.reference
        for f in one.figures:
            notes = "; ".join(n.text for n in f.notes)
            line(name, f.group, f.name, f.value, f.low, f.high, f.unit, f.shown, f.total, f.counted, f.tokenizer, notes)
        for group, label, count, total, counted in _counts(one):
            line(name, group, label, count / total if total else "", "", "", "share", count, total, counted, "", "")
    for row in differing:
        note = "paired by dialogue" if row["paired"] else "not paired"
        numbers = [row[name] for name in ("group", "name", "value", "low", "high", "unit")]
        line("difference", *numbers, "", "", "", "", note)
    write_text(path, file.getvalue())


def _counts(one: Measured) -> list[tuple[str, str, int, int, str]]:
    """Transitions, stop reasons and quality as (group, name, count, of, what)."""
    moves, total = one.usage.transitions, len(one.source.dialogues)
    found = [("transitions", f"{a} > {b}", count, sum(row), "transitions") for a, row in
             zip(moves.strategies, moves.counts, strict=True) for b, count in zip(moves.strategies, row, strict=True)
             if count]
    found += [("stops", name, int(count), total, "dialogues") for name, count in one.stops.items()]
    judged = int(one.quality["judged"])
    found += [("quality", name, int(count), judged, "dialogues") for name, count in one.quality["statuses"].items()]
    return found + [("quality", f"failed/{name}", int(count), judged, "dialogues")
                    for name, count in one.quality["failed"].items()]


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text

"""How well emotions were told: accuracy, mean recall, confusion, per speaker, with intervals over speakers.

WA (weighted accuracy) = share of clips told right. UA (unweighted accuracy) = mean over the classes that occur of
the recall of each, so that a large class does not hide a small one. Intervals draw whole speakers with replacement
(percentile bootstrap): clips of one person are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.contract import MissingResource, UserError

UNPARSED = ""
"""The answer of a model that named no emotion: wrong, and counted apart."""


@dataclass(frozen=True)
class SpeakerScore:
    """WA and UA of one person's clips."""

    speaker: str
    clips: int
    wa: float
    ua: float


@dataclass(frozen=True)
class Scores:
    """``confusion[i][j]``: clips of class i told as class j; one column more than classes holds the unparsed."""

    classes: tuple[str, ...]
    clips: int
    wa: float
    ua: float
    recall: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    speakers: tuple[SpeakerScore, ...]
    unparsed_rate: float
    wa_interval: tuple[float, ...] = ()
    ua_interval: tuple[float, ...] = ()


def confusion(truth: Sequence[str], told: Sequence[str], classes: Sequence[str]) -> np.ndarray[Any, Any]:
    """Counts (classes, classes + 1); the last column is what was not one of the classes."""
    place = {name: number for number, name in enumerate(classes)}
    strange = sorted(set(truth) - set(place))
    if len(truth) != len(told) or not truth:
        raise UserError(f"{len(truth)} true labels and {len(told)} answers; there must be as many, and at least one.")
    if strange:
        raise UserError(f"The true label {strange[0]!r} is not among {', '.join(classes)}.")
    table = np.zeros((len(classes), len(classes) + 1), dtype=np.int64)
    for one, other in zip(truth, told, strict=True):
        table[place[one], place.get(other, len(classes))] += 1
    return table


def wa_of(table: np.ndarray[Any, Any]) -> float:
    """Share of clips on the diagonal."""
    return float(np.trace(table[:, :-1]) / table.sum())


def ua_of(table: np.ndarray[Any, Any]) -> float:
    """Mean recall over the classes that occur."""
    there = table.sum(axis=1) > 0
    return float((np.diag(table[:, :-1])[there] / table.sum(axis=1)[there]).mean())


def score(truth: Sequence[str], told: Sequence[str], speakers: Sequence[str], classes: Sequence[str],
          draws: int = 1000, seed: int = 0) -> Scores:
    """Everything about one set of answers. ``draws`` 0 leaves the intervals out; they need two speakers."""
    table = confusion(truth, told, classes)
    if len(speakers) != len(truth):
        raise UserError(f"{len(speakers)} speakers and {len(truth)} clips; there must be as many.")
    people = sorted(set(speakers))
    each = {person: confusion([t for t, s in zip(truth, speakers, strict=True) if s == person],
                              [t for t, s in zip(told, speakers, strict=True) if s == person], classes)
            for person in people}
    totals = table.sum(axis=1)
    recall = tuple(float(table[i, i] / totals[i]) if totals[i] else None for i in range(len(classes)))
    rows = tuple(SpeakerScore(person, int(each[person].sum()), wa_of(each[person]), ua_of(each[person]))
                 for person in people)
    wide = intervals([each[person] for person in people], draws, seed) if draws and len(people) > 1 else ((), ())
    return Scores(tuple(classes), int(table.sum()), wa_of(table), ua_of(table), recall,
                  tuple(tuple(int(n) for n in row) for row in table), rows,
                  float(table[:, -1].sum() / table.sum()), *wide)


def intervals(tables: Sequence[np.ndarray[Any, Any]], draws: int, seed: int, level: float = 0.95
              ) -> tuple[tuple[float, float], tuple[float, float]]:
    """(low, high) of WA and of UA when speakers are drawn with replacement."""
    stacked, rng = np.stack(tables), np.random.default_rng(seed)
    sums = [stacked[rng.integers(len(tables), size=len(tables))].sum(axis=0) for _ in range(draws)]
    ends = ((1 - level) / 2, (1 + level) / 2)
    was, uas = np.quantile([wa_of(s) for s in sums], ends), np.quantile([ua_of(s) for s in sums], ends)
    return (float(was[0]), float(was[1])), (float(uas[0]), float(uas[1]))


def class_weights(labels: Sequence[str], classes: Sequence[str]) -> tuple[float, ...]:
    """n / (k n_c) for each class, 0 for a class that does not occur: every class counts the same in a loss.

    k is the number of classes that occur, so that the mean weight over the clips is 1."""
    counts = [sum(label == name for label in labels) for name in classes]
    strange = set(labels) - set(classes)
    if strange or not labels:
        raise UserError(f"The labels {sorted(strange)} are not among {', '.join(classes)}." if strange
                        else "There are no labels to weigh.")
    occur = sum(count > 0 for count in counts)
    return tuple(len(labels) / (occur * count) if count else 0.0 for count in counts)


def human_reference(table: Path) -> Mapping[str, float]:
    """How often the voters of CREMA-D heard the intended emotion: ``{"voice", "face", "both", "clips"}`` (shares).

    From ``summaryTable.csv`` of the corpus (six emotions, 7,442 clips). A tie such as ``A:D`` counts as heard only
    where it is no tie, so a tie is wrong."""
    import csv

    if not table.is_file():
        raise MissingResource(f"There is no {table}.", advice="Take processedResults/summaryTable.csv of CREMA-D.")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {"voice": "VoiceVote", "face": "FaceVote", "both": "MultiModalVote"}
    if not rows or not {"FileName", *names.values()} <= set(rows[0]):
        raise UserError(f"{table.name} has no votes.", advice="Take processedResults/summaryTable.csv of CREMA-D.")
    meant = [row["FileName"].split("_")[2][:1] for row in rows]
    return {"clips": float(len(rows)), **{
        name: sum(row[column] == letter for row, letter in zip(rows, meant, strict=True)) / len(rows)
        for name, column in names.items()}}

"""What a run of toxicity rounds shows: R0, R1, R2 beside their control, who judged, and every judgement.

Prompts and raw answers are kept. A judge is never taken for the truth: its name is shown, a simulated one says so, and
its agreement with people is given as Cohen's kappa, once against the labels that came with the pool, once against what
people say on the page. These are labels (:mod:`labels`) of the rounds run: ``place`` is the line of
``judgements.jsonl``, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from backends.mdfg.explore.labels import TOXICITY, agreed, read_labels
from backends.mdfg.metrics_binary import kappa
from backends.mdfg.records import document_id
from workbench.contract import Json, UserError
from workbench.files import read_json, read_lines

Only = Literal["all", "undecided", "toxic", "harmless", "against"]
FIGURES = ("f1", "auc", "precision_at_99", "recall_at_99")
COUNTS = ("judged", "found_toxic", "for_people")
LARGEST = 1e300
"""Anything beyond it in a result is taken for damage."""


@dataclass(frozen=True)
class RoundRow:
    """One round beside its control, which judged as many texts drawn at random. ``gain`` is F1 above the control's;
    ``None`` where one of the two is missing."""

    name: str
    f1: float | None
    auc: float | None
    precision_at_99: float | None
    recall_at_99: float | None
    judged: int
    found_toxic: int
    for_people: int
    control_f1: float | None = None
    control_auc: float | None = None

    @property
    def gain(self) -> float | None:
        """F1 above the control's."""
        return None if self.f1 is None or self.control_f1 is None else self.f1 - self.control_f1


@dataclass(frozen=True)
class JudgedText:
    """One judged text: ``toxic`` is ``None`` where the votes differ or cannot be read; ``person`` is what people say
    (empty: nobody), ``people`` how many of them were sure. ``votes`` hold prompt, raw, toxic, category, evidence,
    tokens and seconds as they were kept."""

    place: int
    id: str
    round: int
    text: str
    toxic: bool | None
    votes: tuple[Mapping[str, Json], ...]
    person: str = ""
    people: int = 0

    @property
    def said(self) -> str:
        """The judge's verdict as a label; empty where it has none."""
        return "" if self.toxic is None else TOXICITY.positive if self.toxic else TOXICITY.negative


@dataclass(frozen=True)
class RoundsView:
    """The whole run. ``known_kappa`` compares the judge with labels of the pool, ``people_kappa`` with people here,
    each with the number of texts; ``None`` where there is none, or where chance agreement is 1."""

    judge: str
    simulated: bool
    provenance: str
    rows: tuple[RoundRow, ...]
    judged: int
    undecided: int
    tokens: int
    seconds: float
    known_kappa: float | None
    known_texts: int
    people_kappa: float | None
    people_texts: int


def rounds_view(run: Path) -> RoundsView:
    """Read a finished run of ``mdfg.toxicity_rounds.v1``. Raises ``UserError`` when it has no result."""
    result = read_json(run / "result.json", None)
    if not isinstance(result, dict) or not isinstance(result.get("rounds"), list):
        raise UserError(f"The run {run.name} has no rounds to show.",
                        advice="Choose a finished run of toxicity rounds.")
    people = _people(run)
    judged = undecided = tokens = 0
    seconds, pairs = 0.0, []
    for one in _judgements(run, people):
        judged += 1
        undecided += one.toxic is None
        tokens += sum(_count(vote.get("tokens")) for vote in one.votes)
        seconds += sum(_number(vote.get("seconds")) or 0.0 for vote in one.votes)
        if one.toxic is not None and one.person:
            pairs.append((one.said, one.person))
    name = str(result.get("judge") or "")
    return RoundsView(name, name.startswith("simulated"), str(result.get("provenance") or ""), _rows(result), judged,
                      undecided, tokens, seconds, _number(result.get("kappa")), _count(result.get("compared")),
                      kappa(*zip(*pairs, strict=True)) if pairs else None, len(pairs))


def judged_texts(run: Path, only: Only = "all", *, number: int | None = None, offset: int = 0,
                 limit: int = 50) -> tuple[list[JudgedText], int]:
    """(a page of judgements, how many there are in all). ``only``: those nobody decided, one verdict, or those where
    people say something else (``against``); ``number``: those made for this round."""
    page, total = [], 0
    for one in _judgements(run, _people(run)):
        if (number is None or one.round == number) and _wanted(one, only):
            if offset <= total < offset + limit:
                page.append(one)
            total += 1
    return page, total


def _wanted(one: JudgedText, only: Only) -> bool:
    if only == "against":
        return bool(one.person) and one.person != one.said
    return only == "all" or one.said == ("" if only == "undecided" else only)


def answered(run: Path) -> list[JudgedText]:
    """The judged texts on which people agree: more than half of those who are sure say the same."""
    return [one for one in _judgements(run, _people(run)) if one.person]


def _people(run: Path) -> dict[int, tuple[str, int]]:
    labels = read_labels(read_lines(run / "commands.jsonl"))
    return {one.place: (one.value[0], one.people) for one in agreed(labels.of(TOXICITY.what)) if len(one.value) == 1}


def _judgements(run: Path, people: Mapping[int, tuple[str, int]]) -> Iterator[JudgedText]:
    """Every line that can be read; places count all lines, so that a broken one moves no label."""
    path = run / "artifacts" / "judgements.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as file:
        for place, line in enumerate(file):
            try:
                value = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and isinstance(value.get("text"), str):
                yield _judged(place, value, people.get(place, ("", 0)))


def _judged(place: int, value: Mapping[str, Json], person: tuple[str, int]) -> JudgedText:
    given, toxic, number = value.get("votes"), value.get("toxic"), value.get("round")
    votes = tuple(vote for vote in given if isinstance(vote, dict)) if isinstance(given, list) else ()
    return JudgedText(place, document_id(value["text"]), number if isinstance(number, int) else 0, value["text"],
                      toxic if isinstance(toxic, bool) else None, votes, *person)


def _rows(result: Mapping[str, Json]) -> tuple[RoundRow, ...]:
    """The rounds; values that are no numbers are not known, entries that are no tables are left out."""
    control = {str(one.get("name")): one for one in _tables(result.get("control"))}
    rows = []
    for one in _tables(result.get("rounds")):
        beside = control.get(str(one.get("name")), {})
        f1, auc, precision, recall = (_number(one.get(name)) for name in FIGURES)
        judged, toxic, people = (_count(one.get(name)) for name in COUNTS)
        rows.append(RoundRow(str(one.get("name") or ""), f1, auc, precision, recall, judged, toxic, people,
                             _number(beside.get("f1")), _number(beside.get("auc"))))
    return tuple(rows)


def _tables(value: Json) -> list[Mapping[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _count(value: Json) -> int:
    return int(_number(value) or 0)


def _number(value: Json) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > LARGEST or math.isnan(value):
        return None
    return float(value)

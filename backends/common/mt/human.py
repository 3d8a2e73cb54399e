"""Human scores of translations, whatever protocol they come from, and what is made of them.

A :class:`Rating` is one person's score of one segment of one system: DA, SQM and ESA 0 to 100, MQM 0 or below. Only
``target`` ratings count for systems; tutorials and attention checks (BAD items, broken on purpose) are kept apart.

z = (score - mean of the annotator) / standard deviation of the annotator (n - 1), over the annotator's target ratings.
An annotator with one rating, or with all ratings equal, has no standard deviation: z is then 0 and a note says so.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

RatingKind = Literal["target", "bad", "tutorial"]
SLOW = 1.0
"""Seconds below which a time in WMT's files says nothing (segments of a document sent together)."""


@dataclass(frozen=True)
class Span:
    """An error in a translation: characters ``start`` to ``end`` (not included) of the target. ``None``: missing from
    the target. Appraise counts as browsers do (UTF-16: a character beyond U+FFFF, such as an emoji, counts twice); its
    csv holds no text by which to count otherwise, so its places are kept as they are."""

    start: int | None
    end: int | None
    severity: str
    category: str = ""


@dataclass(frozen=True)
class Rating:
    """One person's score of one segment (``segment`` counts from 0) of one system. ``z`` is given or computed."""

    system: str
    segment: int
    score: float
    annotator: str
    document: str = ""
    kind: RatingKind = "target"
    spans: tuple[Span, ...] = ()
    seconds: float | None = None
    z: float | None = None


@dataclass(frozen=True)
class Ratings:
    """Ratings of one file or campaign with remarks about what was odd. ``segments`` are ids of segments by number
    where the file had names instead of numbers, ``sources`` their source text where the file has it: such numbers are
    the file's own, and :func:`aligned` turns them into those of a test set."""

    protocol: str
    ratings: tuple[Rating, ...]
    notes: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def targets(self) -> list[Rating]:
        """The ratings that count for systems."""
        return [rating for rating in self.ratings if rating.kind == "target"]


def aligned(ratings: Ratings, source: Sequence[str] | None) -> Ratings:
    """The ratings with segments numbered as in the source text of a test set.

    A file that numbers segments its own way (MQM, Pearmut) has their source text; the n-th segment of a text is the
    n-th of that text in ``source``. A segment that is not there gets a number below 0: it counts for its system, and
    no segment score is compared with it. Ratings without source text stay as they are."""
    if not ratings.sources:
        return ratings
    places: dict[str, list[int]] = {}
    for place, text in enumerate(source or ()):
        places.setdefault(_plain(text), []).append(place)
    numbers = {}
    for number, text in enumerate(ratings.sources):
        left = places.get(_plain(text), [])
        numbers[number] = left.pop(0) if left else -1 - number
    lost = sum(value < 0 for value in numbers.values())
    why = "are not in the source" if source else "cannot be told without the source"
    notes = (f"{lost:,} of {len(numbers):,} rated segments {why}; they count for their systems only",) if lost else ()
    moved = tuple(dataclasses.replace(rating, segment=numbers[rating.segment]) for rating in ratings.ratings)
    return Ratings(ratings.protocol, moved, (*ratings.notes, *notes))


def _plain(text: str) -> str:
    return " ".join(text.split())


def standardised(ratings: Sequence[Rating]) -> tuple[list[float], list[str]]:
    """z of each rating by its annotator, and a note on annotators without a spread."""
    by: dict[str, list[float]] = {}
    for rating in ratings:
        by.setdefault(rating.annotator, []).append(rating.score)
    means = {name: statistics.fmean(scores) for name, scores in by.items()}
    spread = {name: statistics.stdev(scores) if len(scores) > 1 else 0.0 for name, scores in by.items()}
    flat = sorted(name for name, value in spread.items() if value == 0)
    notes = [f"{len(flat)} annotators have one rating or only equal ones ({', '.join(flat[:5])}); their z is 0"]
    return [(r.score - means[r.annotator]) / spread[r.annotator] if spread[r.annotator] else 0.0
            for r in ratings], notes if flat else []


@dataclass(frozen=True)
class SystemScore:
    """A system's mean over its target ratings, and of z where that can be had."""

    system: str
    mean: float
    z: float
    ratings: int
    segments: int


def system_scores(ratings: Ratings) -> list[SystemScore]:
    """Every system, best mean first; attention checks and tutorials do not count."""
    targets = ratings.targets
    made, _ = standardised(targets)
    z_values = [rating.z if rating.z is not None else z for rating, z in zip(targets, made, strict=True)]
    groups: dict[str, list[tuple[Rating, float]]] = {}
    for rating, z in zip(targets, z_values, strict=True):
        groups.setdefault(rating.system, []).append((rating, z))
    found = [SystemScore(name, statistics.fmean(r.score for r, _ in rows), statistics.fmean(z for _, z in rows),
                         len(rows), len({r.segment for r, _ in rows})) for name, rows in groups.items()]
    return sorted(found, key=lambda row: (-row.mean, row.system))


def segment_scores(ratings: Iterable[Rating], value: Callable[[Rating], float] = lambda rating: rating.score
                   ) -> dict[str, dict[int, float]]:
    """Mean target score of every segment of every system."""
    groups: dict[str, dict[int, list[float]]] = {}
    for rating in ratings:
        if rating.kind == "target":
            groups.setdefault(rating.system, {}).setdefault(rating.segment, []).append(value(rating))
    return {system: {segment: statistics.fmean(scores) for segment, scores in rows.items()}
            for system, rows in groups.items()}


@dataclass(frozen=True)
class Seconds:
    """Times that mean something: those above a second. WMT24's interface sent whole documents at once, so most rows
    have the time of a click."""

    ratings: int
    usable: int
    median: float | None


def times(ratings: Sequence[Rating]) -> Seconds:
    """How many ratings have a usable time, and their median."""
    usable = [r.seconds for r in ratings if r.seconds is not None and r.seconds > SLOW]
    return Seconds(len(ratings), len(usable), statistics.median(usable) if usable else None)

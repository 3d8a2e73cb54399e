"""Which problem, feeling, intensity and person each scenario is about: balanced over all of them, and over their pairs.

Cell after cell, in a drawn order of the axes, every axis takes the value that was used least; among those the one that
has been least together with what the cell has already; among those a drawn one. Each axis' counts then differ by at
most one (unless a problem allows only some ages), and every pair of values comes about as often as every other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import yaml

from backends.sweetiechat.library import load_library
from backends.sweetiechat.objects import Language, ProblemType
from workbench.contract import Json, UserError

TABLE = Path(__file__).with_name("personas.yaml")


@dataclass(frozen=True)
class Persona:
    """Who the seeker is, before any text is written."""

    age_band: str
    gender: str
    occupation: str
    personality: tuple[str, ...]
    talk_style: str
    openness: int


@dataclass(frozen=True)
class Cell:
    """What one scenario is to be about."""

    number: int
    problem: ProblemType
    emotion: str
    intensity: int
    personas: tuple[Persona, ...]


@dataclass(frozen=True)
class Axes:
    """The values of every axis of one language. ``only_ages`` limits some problems to some ages."""

    emotions: tuple[str, ...]
    intensities: tuple[int, ...]
    ages: tuple[str, ...]
    genders: tuple[str, ...]
    talk_styles: tuple[str, ...]
    openness: tuple[int, ...]
    traits: tuple[tuple[str, ...], ...]
    occupations: Mapping[str, tuple[str, ...]]
    only_ages: Mapping[str, tuple[str, ...]]


def load_axes(language: Language, emotions: Sequence[str]) -> Axes:
    """Read the axes of a language."""
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return Axes(tuple(emotions), tuple(table["intensities"]), tuple(table["ages"][language]),
                tuple(table["genders"][language]), tuple(table["talk_styles"]), tuple(table["openness"]),
                tuple(tuple(row) for row in table["traits"][language]),
                {age: tuple(row) for age, row in table["occupations"][language].items()},
                {name: tuple(ages) for name, ages in table["only_ages"].items()})


def bundled_emotions(language: Language) -> tuple[str, ...]:
    """The feelings of the bundled scenarios, each once, in the order of the alphabet."""
    return tuple(sorted({scenario.emotion for scenario in load_library(language).scenarios}))


class Balance:
    """Counts of what was used, alone and together; :meth:`cell` draws the next combination."""

    def __init__(self, axes: Mapping[str, Sequence[Json]], rng: random.Random) -> None:
        if any(not values for values in axes.values()):
            raise UserError("An axis to balance over has no value.", advice="Give every axis at least one.")
        self._axes, self._rng = axes, rng
        self._alone: Counter[tuple[str, int]] = Counter()
        self._pairs: Counter[tuple[str, int, str, int]] = Counter()

    def cell(self, allowed: Mapping[str, Mapping[str, Mapping[Json, Sequence[Json]]]] | None = None) -> dict[str, Json]:
        """The next combination. ``allowed[axis][other axis][value]`` limits an axis by a value chosen before."""
        chosen: dict[str, int] = {}
        order = list(self._axes)
        self._rng.shuffle(order)
        limited = set(allowed or {})
        for axis in sorted(order, key=lambda name: name in limited):
            chosen[axis] = self._pick(axis, chosen, self._open(axis, chosen, (allowed or {}).get(axis, {})))
        self._alone.update(chosen.items())
        for (a, i), (b, j) in combinations(sorted(chosen.items()), 2):
            self._pairs[a, i, b, j] += 1
        return {axis: self._axes[axis][place] for axis, place in chosen.items()}

    def _open(self, axis: str, chosen: Mapping[str, int],
              rules: Mapping[str, Mapping[Json, Sequence[Json]]]) -> list[int]:
        values = self._axes[axis]
        places = list(range(len(values)))
        for other, table in rules.items():
            kept = table.get(self._axes[other][chosen[other]]) if other in chosen else None
            if kept is not None:
                places = [place for place in places if values[place] in kept]
        return places or list(range(len(values)))

    def _pick(self, axis: str, chosen: Mapping[str, int], places: Sequence[int]) -> int:
        def together(place: int) -> int:
            """How often the value was used with those chosen; pairs of large axes should be rarer and count more."""
            return sum(self._pairs[(axis, place, other, at) if axis < other else (other, at, axis, place)]
                       * len(self._axes[other]) for other, at in chosen.items())
        cost = {place: (self._alone[axis, place], together(place)) for place in places}
        least = min(cost.values())
        return self._rng.choice([place for place in places if cost[place] == least])


def make_plan(problems: Sequence[ProblemType], axes: Axes, count: int, cards: int, rng: random.Random) -> list[Cell]:
    """``count`` cells over the problems, with ``cards`` persons each; the scenario is told with the first one."""
    if not count:
        return []
    if not problems:
        raise UserError("There is no problem type to write scenarios for.")
    balance = Balance({"age": axes.ages, "emotion": axes.emotions, "gender": range(len(axes.genders)),
                       "intensity": axes.intensities, "openness": axes.openness,
                       "problem": [kind.id for kind in problems], "style": axes.talk_styles}, rng)
    people = Balance({"age": axes.ages, "gender": range(len(axes.genders)), "openness": axes.openness,
                      "style": axes.talk_styles}, rng)
    jobs = {age: _Deck(axes.occupations[age], rng) for age in axes.ages}
    traits = [_Deck(row, rng) for row in axes.traits]
    by_id, limits = {kind.id: kind for kind in problems}, {"age": {"problem": axes.only_ages}}

    def person(found: Mapping[str, Json]) -> Persona:
        return Persona(found["age"], axes.genders[found["gender"]], jobs[found["age"]].draw(),
                       tuple(deck.draw() for deck in traits), found["style"], found["openness"])
    cells = []
    for number in range(count):
        found = balance.cell(limits)
        kept = axes.only_ages.get(found["problem"])
        more = [people.cell() for _ in range(max(0, cards - 1))]
        others = [{**extra, "age": extra["age"] if not kept or extra["age"] in kept else kept[0]} for extra in more]
        cells.append(Cell(number, by_id[found["problem"]], found["emotion"], found["intensity"],
                          tuple(person(each) for each in (found, *others))))
    return cells


class _Deck:
    """Values in drawn order, all of them before any comes again."""

    def __init__(self, values: Sequence[str], rng: random.Random) -> None:
        self._values, self._rng = values, rng
        self._left: list[str] = []

    def draw(self) -> str:
        """The next value."""
        if not self._left:
            self._left = self._rng.sample(list(self._values), len(self._values))
        return self._left.pop()

"""Balanced sampling: every axis alone, every pair of axes, the limits of some problems, and the decks of words."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat.library import load_library
from backends.sweetiechat.objects import ProblemType
from backends.sweetiechat.scenarios.plan import Axes, Balance, Cell, bundled_emotions, load_axes, make_plan
from backends.sweetiechat.scenarios.pool import start
from workbench.contract import UserError

EMOTIONS = ("anger", "fear", "guilt", "hurt", "shame", "sadness")


def problems(count: int) -> list[ProblemType]:
    return [ProblemType(f"p{n}", "health_body", f"P{n}", f"P{n}") for n in range(count)]


def free_axes(**changed) -> Axes:
    axes = load_axes("en", EMOTIONS)
    return Axes(**{**axes.__dict__, "only_ages": {}, **changed})


def facts(cell: Cell) -> dict[str, object]:
    first = cell.personas[0]
    return {
        "problem": cell.problem.id,
        "emotion": cell.emotion,
        "intensity": cell.intensity,
        "age": first.age_band,
        "style": first.talk_style,
        "openness": first.openness,
    }


def spread(counts: Counter, size: int) -> int:
    values = [*counts.values(), *[0] * (size - len(counts))]
    return max(values) - min(values)


@pytest.mark.parametrize("count", [1, 7, 24, 45, 200])
def test_every_axis_is_used_evenly(count: int) -> None:
    axes = free_axes()
    cells = make_plan(problems(9), axes, count, 1, random.Random(3))
    sizes = {"problem": 9, "emotion": 6, "intensity": 4, "age": 6, "style": 3, "openness": 5}
    for axis, size in sizes.items():
        counts = Counter(facts(cell)[axis] for cell in cells)
        assert spread(counts, size) <= 1, (axis, counts)
    assert [cell.number for cell in cells] == list(range(count))


def test_genders_come_as_often_as_they_are_listed() -> None:
    cells = make_plan(problems(5), free_axes(), 100, 1, random.Random(0))
    assert Counter(cell.personas[0].gender for cell in cells) == {"woman": 40, "man": 40, "non-binary": 20}


def test_pairs_are_far_more_even_than_by_chance() -> None:
    """Chi-square of every pair of axes against a uniform table: ours must be below what independent draws give."""
    count, axes = 360, free_axes()
    cells = make_plan(problems(6), axes, count, 1, random.Random(1))
    rng = random.Random(2)
    drawn = [
        {
            "problem": f"p{rng.randrange(6)}",
            "emotion": rng.choice(EMOTIONS),
            "intensity": rng.choice(axes.intensities),
            "age": rng.choice(axes.ages),
            "style": rng.choice(axes.talk_styles),
            "openness": rng.choice(axes.openness),
        }
        for _ in range(count)
    ]
    sizes = {"problem": 6, "emotion": 6, "intensity": 4, "age": 6, "style": 3, "openness": 5}

    def chi(rows: list[dict], a: str, b: str) -> float:
        expected = len(rows) / (sizes[a] * sizes[b])
        counts = Counter((row[a], row[b]) for row in rows)
        missing = sizes[a] * sizes[b] - len(counts)
        return sum((value - expected) ** 2 / expected for value in counts.values()) + missing * expected

    ours = {pair: chi([facts(cell) for cell in cells], *pair) for pair in combinations(sizes, 2)}
    chance = {pair: chi(drawn, *pair) for pair in combinations(sizes, 2)}
    assert all(ours[pair] < 0.5 * chance[pair] for pair in ours), (ours, chance)
    freedom = (sizes["problem"] - 1) * (sizes["emotion"] - 1)
    assert ours["problem", "emotion"] < 0.2 * freedom


@pytest.mark.parametrize("seed", range(6))
def test_few_pairs_of_problem_and_feeling_come_twice(seed: int) -> None:
    """36 cells over 36 pairs: independent draws would leave 13 of them out and repeat some three times."""
    cells = make_plan(problems(6), free_axes(), 36, 1, random.Random(seed))
    pairs = Counter((cell.problem.id, cell.emotion) for cell in cells)
    assert len(pairs) >= 27 and max(pairs.values()) <= 2


def test_the_same_seed_gives_the_same_plan() -> None:
    axes = free_axes()
    first, again, other = (make_plan(problems(5), axes, 30, 2, random.Random(seed)) for seed in (7, 7, 8))
    assert first == again != other
    assert make_plan(problems(5), axes, 10, 2, random.Random(7)) == first[:10], (
        "a longer plan begins like a shorter one"
    )


def test_some_problems_have_only_some_ages() -> None:
    axes = load_axes("en", EMOTIONS)
    pool = [
        kind for kind in load_library("en").problems if kind.id in ("retirement", "school-bullying", "sleep", "breakup")
    ]
    cells = make_plan(pool, axes, 80, 3, random.Random(5))
    for cell in cells:
        for person in cell.personas:
            assert cell.problem.id not in axes.only_ages or person.age_band in axes.only_ages[cell.problem.id]
    assert {p.age_band for c in cells if c.problem.id == "sleep" for p in c.personas} == set(axes.ages)
    counts = Counter(cell.problem.id for cell in cells)
    assert spread(counts, 4) <= 1


def test_people_of_one_scenario_differ_and_are_balanced_too() -> None:
    cells = make_plan(problems(3), free_axes(), 40, 3, random.Random(6))
    assert all(len(cell.personas) == 3 for cell in cells)
    others = [person for cell in cells for person in cell.personas[1:]]
    assert spread(Counter(person.age_band for person in others), 6) <= 1
    assert spread(Counter(person.talk_style for person in others), 3) <= 1
    assert spread(Counter(person.openness for person in others), 5) <= 1
    assert make_plan(problems(3), free_axes(), 2, 0, random.Random(0))[0].personas


def test_occupations_go_with_the_age_and_all_come_before_any_again() -> None:
    axes = free_axes()
    cells = make_plan(problems(4), axes, 120, 1, random.Random(8))
    used: dict[str, list[str]] = {}
    for cell in cells:
        person = cell.personas[0]
        assert person.occupation in axes.occupations[person.age_band]
        used.setdefault(person.age_band, []).append(person.occupation)
        assert len(person.personality) == 3 == len({*person.personality})
        assert all(trait in row for trait, row in zip(person.personality, axes.traits, strict=True))
    for age, jobs in used.items():
        assert spread(Counter(jobs), len(axes.occupations[age])) <= 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_axes_of_both_languages_are_whole(language: str) -> None:
    axes = load_axes(language, bundled_emotions(language))
    assert len(axes.emotions) >= 10 and axes.intensities == (2, 3, 4, 5)
    assert set(axes.occupations) == set(axes.ages) and all(len(jobs) == 6 for jobs in axes.occupations.values())
    assert len(axes.traits) == 3 and all(len(set(row)) == len(row) >= 8 for row in axes.traits)
    words = [
        *axes.genders,
        *(job for jobs in axes.occupations.values() for job in jobs),
        *(t for row in axes.traits for t in row),
    ]
    assert all(any("\u4e00" <= c <= "\u9fff" for c in word) == (language == "zh") for word in words)
    known = {kind.id for kind in start(language, "bundled").types}
    assert set(axes.only_ages) <= known and all(set(ages) <= set(axes.ages) for ages in axes.only_ages.values())


def test_nothing_to_plan_for_is_said() -> None:
    with pytest.raises(UserError, match="no problem type"):
        make_plan([], free_axes(), 3, 1, random.Random(0))
    assert make_plan([], free_axes(), 0, 1, random.Random(0)) == []
    with pytest.raises(UserError, match="no value"):
        Balance({"a": ()}, random.Random(0))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 60), st.integers(0, 9))
def test_balance_holds_for_any_axes(sizes: list[int], count: int, seed: int) -> None:
    axes = {f"axis{n}": list(range(size)) for n, size in enumerate(sizes)}
    balance = Balance(axes, random.Random(seed))
    cells = [balance.cell() for _ in range(count)]
    for name, values in axes.items():
        assert spread(Counter(cell[name] for cell in cells), len(values)) <= 1


def test_a_limit_that_leaves_nothing_is_no_limit() -> None:
    balance = Balance({"age": ["young", "old"], "problem": ["a"]}, random.Random(0))
    assert balance.cell({"age": {"problem": {"a": ["middle"]}}})["age"] in ("young", "old")
    assert all(balance.cell({"age": {"problem": {"a": ["old"]}}})["age"] == "old" for _ in range(5))

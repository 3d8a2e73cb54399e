"""Splits that leak nothing: no dialogue, no scenario and no retelling of one in two parts."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat.importers import import_dialogues, split
from backends.sweetiechat.importers.building import squash
from backends.sweetiechat.importers.splitting import grouped, keys
from backends.sweetiechat.objects import Dialogue, Scenario, StrategySet, Turn
from workbench.contract import UserError

SET = StrategySet("s", "1", ())
THREE = {"train": 0.7, "valid": 0.15, "test": 0.15}


def dialogue(number: int, scenario: str = "", situation: str = "", text: str = "") -> Dialogue:
    told = situation or f"Situation number {number} with words of its own, quite long."
    chosen = Scenario(scenario or f"scenario-{number}", "sleep", "sadness", 3, told)
    words = text or f"This is what seeker number {number} says. " * 4
    return Dialogue(
        f"d{number}", chosen, None, SET, (Turn(0, "seeker", words), Turn(1, "supporter", "Mm.")), "imported"
    )


def parts_of(found) -> dict[str, str]:
    return {d.id: name for name, part in found.items() for d in part}


def test_sizes_follow_the_fractions_and_everything_is_somewhere() -> None:
    every = [dialogue(n) for n in range(200)]
    found = split(every, THREE, 1)
    assert {name: len(part) for name, part in found.items()} == {"train": 140, "valid": 30, "test": 30}
    assert sorted(d.id for part in found.values() for d in part) == sorted(d.id for d in every)
    assert all(d.split == name for name, part in found.items() for d in part)
    assert all(d.split == "" for d in every)


def test_parts_keep_the_order_of_the_input() -> None:
    every = [dialogue(n) for n in range(50)]
    for part in split(every, THREE, 2).values():
        numbers = [int(d.id[1:]) for d in part]
        assert numbers == sorted(numbers)


def test_the_same_seed_gives_the_same_parts_whatever_the_order() -> None:
    every = [dialogue(n) for n in range(60)]
    mixed = every[:]
    random.Random(3).shuffle(mixed)
    assert parts_of(split(every, THREE, 5)) == parts_of(split(mixed, THREE, 5))
    assert parts_of(split(every, THREE, 5)) != parts_of(split(every, THREE, 6))


@pytest.mark.parametrize("shared", ["scenario", "situation", "opening", "id"])
def test_what_is_shared_stays_together(shared: str) -> None:
    every = []
    for n in range(60):
        one = dialogue(n)
        pair = n // 3
        if shared == "scenario":
            one = dialogue(n, scenario=f"seed-{pair}")
        elif shared == "situation":
            one = dialogue(
                n, situation=f"The {pair}th landlord wants us out, and we have nowhere to go!" + " " * (n % 3)
            )
        elif shared == "opening":
            gap = " " if n % 2 else "  "
            one = dialogue(
                n,
                text=gap.join(f"I am the {pair}th person and , what I say is long enough to be known by it .".split())
                * 2,
            )
        else:
            one = dataclasses.replace(one, id=f"same-{pair}")
        every.append(one)
    found = split(every, {"train": 0.5, "test": 0.5}, 4)
    where: dict[int, set[str]] = {}
    for name, part in found.items():
        for d in part:
            where.setdefault([e.scenario for e in every].index(d.scenario) // 3, set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    assert {name: len(part) for name, part in found.items()} == {"train": 30, "test": 30}


def test_chains_of_shared_things_are_one_group() -> None:
    a = dialogue(1, scenario="x", situation="One long situation that is told in many words.")
    b = dialogue(2, scenario="x", situation="Another long situation that is told in many words.")
    c = dialogue(3, scenario="y", situation="Another long situation, that is told in MANY words!")
    d = dialogue(4)
    assert sorted(map(sorted, grouped([a, b, c, d]))) == [[0, 1, 2], [3]]


def test_what_says_nothing_does_not_tie() -> None:
    short = [dialogue(n, situation="Help me.", text="Hello.") for n in range(10)]
    assert len(grouped(short)) == 10
    own = [dialogue(n, scenario="own") for n in range(10)]
    assert len(grouped(own)) == 10
    assert ("scenario", "own") not in list(keys(own[0]))


@pytest.mark.parametrize(
    "fractions", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}, {"a": float("inf")}, {"a": 0.7, "b": 0.7}]
)
def test_shares_that_are_none_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(UserError, match="they must be 0 or more and add up to 1"):
        split([dialogue(1)], fractions, 0)


def test_a_part_of_nothing_and_nothing_to_split() -> None:
    found = split([dialogue(n) for n in range(9)], {"train": 1.0, "test": 0.0}, 0)
    assert len(found["train"]) == 9 and found["test"] == ()
    assert split([], THREE, 0) == {"train": (), "valid": (), "test": ()}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_no_scenario_is_ever_in_two_parts(seeds: list[int], seed: int) -> None:
    every = [
        dialogue(n, scenario=f"s{s}", situation=f"A situation with the number {s} and enough words.")
        for n, s in enumerate(seeds)
    ]
    found = split(every, THREE, seed)
    assert sum(map(len, found.values())) == len(every)
    scenarios = [{d.scenario.id for d in part} for part in found.values()]
    assert all(not a & b for i, a in enumerate(scenarios) for b in scenarios[:i])


def test_one_large_group_is_never_cut() -> None:
    every = [dialogue(n, scenario="big") for n in range(80)] + [dialogue(100 + n) for n in range(20)]
    found = split(every, THREE, 0)
    assert len({name for name, part in found.items() for d in part if d.scenario.id == "big"}) == 1
    assert all(found.values())


def test_the_same_talk_in_two_corpora_stays_together(shared: Path) -> None:
    """PPDPP's and MultiESC's validation sets retell some of the same ESConv dialogues, spaced differently."""
    folder = shared / "dialogue"
    multi = import_dialogues(folder / "multiesc_valid.jsonl").dialogues
    ppdpp = import_dialogues(folder / "ppdpp_valid.jsonl").dialogues
    twice = {squash(d.scenario.situation) for d in multi} & {squash(d.scenario.situation) for d in ppdpp}
    assert len(twice) > 50
    found = split([*multi, *ppdpp], THREE, 0)
    where: dict[str, set[str]] = {}
    for name, part in found.items():
        for d in part:
            where.setdefault(squash(d.scenario.situation), set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    sizes = {name: len(part) / (len(multi) + len(ppdpp)) for name, part in found.items()}
    assert all(abs(sizes[name] - share) < 0.02 for name, share in THREE.items())


def test_samples_of_one_dialogue_stay_together(shared: Path) -> None:
    samples = import_dialogues(shared / "dialogue" / "kang2024_results.json").dialogues
    groups = grouped(samples)
    assert len(samples) == 1611 and len(groups) <= 130
    found = split(samples, {"train": 0.8, "test": 0.2}, 0)
    apart = [{d.scenario.situation for d in part} for part in found.values()]
    assert not apart[0] & apart[1]
    assert abs(len(found["test"]) / 1611 - 0.2) < 0.03

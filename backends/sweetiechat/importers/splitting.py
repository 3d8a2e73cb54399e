"""Parts of a corpus that share no dialogue and no scenario: what a model is tested on, it has not seen.

Dialogues that share an id, a scenario, a situation or the seeker's opening words (the same dialogue in two corpora,
spaced differently; branches of one dialogue) go into the same part. Groups are dealt out largest first, each to the
part that lacks most, in an order that depends on the seed and on the groups only, never on the order of the input.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Mapping, Sequence

from backends.sweetiechat.importers.building import digest, squash
from backends.sweetiechat.objects import Dialogue
from workbench.contract import UserError

GENERIC = frozenset({"", "own", "imported"})
"""Scenario ids that many scenarios share."""
SITUATION, OPENING = 24, 80
"""Letters from which on equal situations count as one, and letters of the opening words that are compared."""


def split(dialogues: Sequence[Dialogue], fractions: Mapping[str, float], seed: int) -> dict[str, tuple[Dialogue, ...]]:
    """The dialogues of every part, in their order, with ``dialogue.split`` set.

    ``fractions`` are shares by name, e.g. ``{"train": 0.7, "valid": 0.15, "test": 0.15}``; groups are whole, so sizes
    are as near as the groups allow. Raises ``UserError`` for shares that are no shares.
    """
    total = sum(fractions.values())
    good = all(math.isfinite(share) and share >= 0 for share in fractions.values()) and abs(total - 1) <= 1e-6
    if not fractions or not good:
        raise UserError(f"The fractions are {dict(fractions)} and add up to {total:g}; they must be 0 or more and add "
                        "up to 1.", advice="For example train 0.7, valid 0.15, test 0.15.")
    groups = grouped(dialogues)
    rng = random.Random(seed)
    order = sorted(groups, key=lambda group: digest(*sorted(dialogues[i].id for i in group)))
    rng.shuffle(order)
    order.sort(key=len, reverse=True)
    lacking = {name: share * len(dialogues) for name, share in fractions.items() if share > 0}
    part_of: dict[int, str] = {}
    for group in order:
        name = max(lacking, key=lambda part: lacking[part])
        lacking[name] -= len(group)
        part_of |= dict.fromkeys(group, name)
    return {name: tuple(dataclasses.replace(d, split=name) for i, d in enumerate(dialogues) if part_of[i] == name)
            for name in fractions}


def grouped(dialogues: Sequence[Dialogue]) -> list[list[int]]:
    """Places of the dialogues that must stay together, by union over everything that two of them share."""
    parent = list(range(len(dialogues)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[tuple[str, str], int] = {}
    for place, dialogue in enumerate(dialogues):
        for key in keys(dialogue):
            parent[root(place)] = root(first.setdefault(key, place))
    groups: dict[int, list[int]] = {}
    for place in range(len(dialogues)):
        groups.setdefault(root(place), []).append(place)
    return list(groups.values())


def keys(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """Everything by which a dialogue may be the same as another: id, scenario, situation, opening words."""
    yield "dialogue", dialogue.id
    if dialogue.scenario.id not in GENERIC:
        yield "scenario", dialogue.scenario.id
    situation = squash(dialogue.scenario.situation)
    if len(situation) >= SITUATION:
        yield "situation", situation
    opening = squash("".join(turn.text for turn in dialogue.said_by("seeker")))
    if len(opening) >= OPENING:
        yield "opening", opening[:OPENING]

"""Which strategies are used, when, and after which: mixes, entropy by third, transitions, distance to a reference.

A *sequence* is the strategies of one dialogue's supporter turns in order, ``None`` where a turn has none;
``sequence(dialogue)`` reads it. Entropy and divergence are in bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.objects import Dialogue, Stage, StrategySet
from workbench.contract import UserError

Sequence_ = Sequence[str | None]
Third = Literal["first", "middle", "last"]
THIRDS: tuple[Third, ...] = ("first", "middle", "last")
STAGES: tuple[Stage, ...] = ("exploration", "comforting", "action", "any")
ESCONV_COUNTS: Mapping[str, int] = MappingProxyType({
    "question": 3801, "restatement": 1089, "reflection": 1436, "self-disclosure": 1713, "affirmation": 2827,
    "suggestions": 2954, "information": 1215, "others": 3341})
"""Labels of ESConv by its README, keys of ``esconv-8``. The README prints two totals for Others, 3661 and 3341; the
printed shares of the other seven only fit the second."""


@dataclass(frozen=True)
class Usage:
    """How strategies are used in one third of the dialogues: counts by key, and their entropy in bits."""

    third: Third
    counts: Mapping[str, int]
    entropy: float


@dataclass(frozen=True)
class Transitions:
    """``counts[i][j]``: strategy i was followed by j in the next supporter turn; ``shares`` are rows that sum to 1
    (all 0 for a strategy that nothing follows)."""

    strategies: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]


def sequence(dialogue: Dialogue) -> tuple[str | None, ...]:
    """The strategies of the supporter's turns, in order."""
    return tuple(turn.strategy for turn in dialogue.said_by("supporter"))


def mix(sequences: Iterable[Sequence_], declared: Sequence[str]) -> dict[str, int]:
    """How often each declared strategy is used (0 for one that is not).

    Raises ``UserError`` for a label that is not declared.
    """
    counts = Counter(key for one in sequences for key in one if key is not None)
    unknown = sorted(set(counts) - set(declared))
    if unknown:
        raise UserError(f"{', '.join(map(repr, unknown))} is not among the declared strategies {', '.join(declared)}.",
                        advice="Normalise the labels first.")
    return {key: counts[key] for key in declared}


def entropy(counts: Iterable[float]) -> float:
    """Shannon entropy in bits, -sum p log2 p; 0 for nothing at all, log2 of the number of strategies at most."""
    values = np.array([value for value in counts if value > 0], dtype=np.float64)
    shares = values / values.sum() if len(values) else values
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def third_of(position: int, length: int) -> Third:
    """The third that the middle of turn ``position`` (from 0) of ``length`` supporter turns lies in.

    One turn alone is the middle; two are the first and the last. Our default: the spec only says thirds.
    """
    return THIRDS[3 * (2 * position + 1) // (2 * length)]


def by_third(sequences: Iterable[Sequence_], declared: Sequence[str]) -> tuple[Usage, Usage, Usage]:
    """Use of strategies in the first, middle and last third of each dialogue's supporter turns, over all dialogues."""
    split: dict[Third, list[str | None]] = {third: [] for third in THIRDS}
    for one in sequences:
        for position, key in enumerate(one):
            split[third_of(position, len(one))].append(key)
    first, middle, last = (Usage(third, counts, entropy(counts.values()))
                           for third, counts in ((t, mix([split[t]], declared)) for t in THIRDS))
    return first, middle, last


def transitions(sequences: Iterable[Sequence_], declared: Sequence[str]) -> Transitions:
    """What follows what within a dialogue; never across two dialogues nor over a turn without a strategy."""
    place = {key: i for i, key in enumerate(declared)}
    counts = np.zeros((len(declared), len(declared)), dtype=np.int64)
    for one in sequences:
        mix([one], declared)
        for now, after in pairwise(one):
            if now is not None and after is not None:
                counts[place[now], place[after]] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Transitions(tuple(declared), tuple(map(tuple, counts.tolist())), tuple(map(tuple, shares.tolist())))


def jensen_shannon(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Jensen-Shannon divergence of two mixes in bits: 0 for equal shares, 1 for no strategy in common.

    JSD = H((p + q) / 2) - (H(p) + H(q)) / 2; a key missing from one side counts 0. (scipy's ``jensenshannon`` is the
    square root of this.) Raises ``UserError`` for an empty mix.
    """
    keys = sorted({*first, *second})
    p, q = (_shares([side.get(key, 0) for key in keys]) for side in (first, second))
    value = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return min(max(value, 0.0), 1.0)


def stage_mix(sequences: Iterable[Sequence_], strategies: StrategySet) -> dict[Stage, float]:
    """Share of supporter turns by the stage of their strategy (all 0 when no turn has a strategy)."""
    return stage_shares(mix(sequences, strategies.keys), strategies)


def stage_shares(counts: Mapping[str, float], strategies: StrategySet) -> dict[Stage, float]:
    """Shares by stage of any mix over these strategies, such as :data:`ESCONV_COUNTS`."""
    total = sum(counts.values())
    shares: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
    for key, count in counts.items():
        shares[strategies.get(key).stage] += count / total if total else 0.0
    return shares


def _shares(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if not array.sum() > 0 or (array < 0).any():
        raise UserError("A mix of strategies is empty or has a negative count; there is nothing to compare.",
                        advice="Give at least one turn with a strategy on both sides.")
    shares: NDArray[np.float64] = array / array.sum()
    return shares

"""How strategies are used in one source: mix, stages, thirds, transitions, distance to a reference; and agreement.

All counts are by dialogue first, so that every number has an interval over dialogues (:mod:`measure_draws`). Formulas
are those of ``metrics.usage``, ``metrics.strategy`` and ``metrics.preference``; entropy and divergence are in bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.measure_draws import Array, Draws
from backends.sweetiechat.measure_notes import note, of_preference
from backends.sweetiechat.measure_request import Note
from backends.sweetiechat.measure_sources import Pair
from backends.sweetiechat.metrics.preference import preference
from backends.sweetiechat.metrics.strategy import accuracy, agreement, f1_each, macro_f1, table, weighted_f1
from backends.sweetiechat.metrics.usage import (
    STAGES,
    THIRDS,
    Transitions,
    entropy,
    jensen_shannon,
    mix,
    sequence,
    third_of,
    transitions,
)
from backends.sweetiechat.objects import Dialogue, StrategySet
from workbench.contract import Json, UserError

Counts = NDArray[np.int64]
Drawer = Callable[[NDArray[np.generic], Callable[[Array], Sequence[float]]], Draws]
"""``draw`` with generator, resamples and tick filled in."""


@dataclass(frozen=True)
class Vector:
    """Named numbers with their draws: ``names[i]`` is number i; ``unit`` and what was counted are the same for all."""

    group: str
    names: tuple[str, ...]
    drawn: Draws
    unit: str
    shown: int
    total: int
    counted: str
    tokenizer: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What is drawn as pictures rather than listed: all counts of one source."""

    strategies: StrategySet
    labelled: int
    turns: int
    transitions: Transitions


def usage(dialogues: Sequence[Dialogue], strategies: StrategySet) -> Usage:
    """Counts over the dialogues of this set."""
    own = _own(dialogues, strategies)
    found = [sequence(d) for d in own]
    return Usage(strategies, sum(key is not None for one in found for key in one), sum(map(len, found)),
                 transitions(found, strategies.keys))


def _own(dialogues: Sequence[Dialogue], strategies: StrategySet) -> list[Dialogue]:
    return [d for d in dialogues if d.strategy_set.keys == strategies.keys and d.said_by("supporter")]


def third_counts(dialogues: Sequence[Dialogue], strategies: StrategySet) -> Counts:
    """Strategies by dialogue and third, shape (dialogues, 3, strategies)."""
    own = _own(dialogues, strategies)
    place = {key: i for i, key in enumerate(strategies.keys)}
    counts: Counts = np.zeros((len(own), len(THIRDS), len(place)), dtype=np.int64)
    for row, one in zip(counts, map(sequence, own), strict=True):
        mix([one], strategies.keys)  # says which label is none of the set
        for position, key in enumerate(one):
            if key is not None:
                row[THIRDS.index(third_of(position, len(one))), place[key]] += 1
    return counts


def use_figures(dialogues: Sequence[Dialogue], strategies: StrategySet, reference: Mapping[str, float] | None,
                draw: Drawer) -> list[Vector]:
    """Shares by strategy, by stage and by stage within thirds, entropies, and the divergence from the reference."""
    counts, whole = third_counts(dialogues, strategies), usage(dialogues, strategies)
    if not whole.labelled:
        return []
    keys, size = strategies.keys, len(strategies.keys)
    stages = [[strategies.get(key).stage == stage for key in keys] for stage in STAGES]
    weights = None if reference is None else {key: float(reference.get(key, 0)) for key in keys}

    def statistic(total: Array) -> list[float]:
        by_third = total.reshape(len(THIRDS), size)
        shares = [_shares(row) for row in (by_third.sum(axis=0), *by_third)]
        numbers = list(shares[0])
        for row in shares:
            numbers += [float(row[stage].sum()) for stage in stages]
        numbers += [entropy(row) if row.any() else float("nan") for row in (by_third.sum(axis=0), *by_third)]
        if weights is not None:
            numbers.append(jensen_shannon(dict(zip(keys, by_third.sum(axis=0).tolist(), strict=True)), weights))
        return numbers
    parts = ("all", *THIRDS)
    names = [f"share/{key}" for key in keys] + [f"stage/{part}/{stage}" for part in parts for stage in STAGES]
    names += [f"entropy/{part}" for part in parts] + ([] if weights is None else ["js-reference"])
    drawn = draw(counts, statistic)
    split = size + len(parts) * len(STAGES)
    several = sum(len(t.meta.get("all_strategy") or ()) > 1 for d in dialogues for t in d.said_by("supporter"))
    notes = ((note("unlabelled", n=whole.turns - whole.labelled, total=whole.turns),)
             if whole.labelled < whole.turns else ()) + ((note("several", n=several),) if several else ())
    turns = (whole.labelled, whole.turns, "supporter turns")
    return [Vector("use", tuple(names[:split]), drawn.part(0, split), "share", *turns),
            Vector("use", tuple(names[split:]), drawn.part(split, len(names)), "bits", *turns,
                   notes=(*notes, note("tilted")))]


def _shares(row: Array) -> Array:
    total = float(row.sum())
    return row / total if total else np.full(len(row), np.nan)


def usable(pairs: Sequence[Pair], keys: Sequence[str]) -> list[Pair]:
    """The pairs whose gold and predicted strategies are both of the set."""
    return [p for p in pairs if p.gold in keys and p.said in keys]


def agreement_figures(pairs: Sequence[Pair], strategies: StrategySet, draw: Drawer) -> list[Vector]:
    """Accuracy, F1 over the declared set, preference of every strategy and bias, with intervals; none without gold."""
    keys = strategies.keys
    kept = usable(pairs, keys)
    if not kept:
        return []
    tables = np.stack([table([str(p.gold) for p in own], [str(p.said) for p in own], keys)
                       for own in (list(group) for _, group in groupby(kept, key=lambda p: p.unit))])
    names = ["accuracy", "macro-f1", "weighted-f1", "bias", *(f"f1/{key}" for key in keys),
             *(f"preference/{key}" for key in keys)]

    def statistic(total: Array) -> list[float]:
        liking = preference(total)
        return [accuracy(total), macro_f1(total), weighted_f1(total), liking.bias, *f1_each(total), *liking.values]
    drawn = draw(tables, statistic)
    w = tables.sum(axis=0)
    lost = sum(p.gold in keys for p in pairs) - len(kept)
    absent = [key for key, gold in zip(keys, w.sum(axis=0), strict=True) if not gold]
    scores = ((note("never-gold", keys=", ".join(absent)),) if absent else ()) + (
        (note("unknown-label", n=lost),) if lost else ())
    liking = of_preference(preference(w, keys).warnings)
    counted = (len(kept), len(pairs), "pairs")
    split = 4 + len(keys)
    return [Vector("agreement", tuple(names[:3]), drawn.part(0, 3), "share", *counted, notes=scores),
            Vector("agreement", ("bias",), drawn.part(3, 4), "", *counted, notes=liking),
            Vector("each", tuple(names[4:split]), drawn.part(4, split), "share", *counted),
            Vector("each", tuple(names[split:]), drawn.part(split, len(names)), "", *counted)]


def each_strategy(pairs: Sequence[Pair], strategies: StrategySet) -> list[dict[str, Json]]:
    """One row a strategy: how often it is gold and predicted, precision, recall, F1 and preference."""
    kept = usable(pairs, strategies.keys)
    if not kept:
        return []
    made = agreement([str(p.gold) for p in kept], [str(p.said) for p in kept], strategies.keys)
    return [{"key": one.key, "gold": one.gold, "predicted": one.predicted, "precision": one.precision,
             "recall": one.recall, "f1": one.f1, "preference": one.preference} for one in made.strategies]


def reference_shares(counts: Mapping[str, float], strategies: StrategySet) -> dict[str, Json]:
    """A reference mix in the order of the set: shares by strategy and by stage. Raises ``UserError`` when empty."""
    total = sum(float(counts.get(key, 0)) for key in strategies.keys)
    if not total > 0:
        raise UserError("The reference has no strategy of the set that is measured.",
                        advice="Choose another reference, or map the strategies to ESConv's eight.")
    shares = {key: float(counts.get(key, 0)) / total for key in strategies.keys}
    stages = {stage: sum(share for key, share in shares.items() if strategies.get(key).stage == stage)
              for stage in STAGES}
    return {"shares": shares, "stages": stages, "labels": int(total)}

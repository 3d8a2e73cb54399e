"""Is one system better than another? Paired bootstrap and approximate randomisation, all pairs at once.

Both are sacreBLEU's tests, number for number with the same seed (its default, 12345), made fast by resampling sums of
sufficient statistics: with W (resamples x segments) counting how often a draw took a segment, the summed statistics
of all draws of a system are W S. The randomisation of a pair (a, b) needs only P_a = T S_a for one trial matrix T
shared by all systems: the shuffled sums are P_a + (sum S_b - P_b) and (sum S_a - P_a) + P_b.

Bootstrap (Koehn 2004; the p-value as in Moses): d_r = |score_r(a) - score_r(b)|, p = (#{d_r - mean d > d} + 1) /
(R + 1) with d the observed difference. Randomisation (Riezler and Maxwell 2005): the same with d_r of the shuffled
pair and no mean. Departure: where two systems have the same statistics in every segment, sacreBLEU's formula gives
1 / (R + 1), as if they surely differed; here p is then 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backends.common.mt.scores import Array, Scorer
from workbench.contract import UserError

SEED = 12345
RESAMPLES, TRIALS = 1000, 10_000
LEVEL = 0.05
CELLS = 1 << 23
"""Cells of one block of a resampling matrix (64 MB)."""
Tick = Callable[[], None]


@dataclass(frozen=True)
class Estimate:
    """A system's score with its bootstrap interval, as sacreBLEU prints it: mean and half width of 95 %."""

    system: str
    score: float
    mean: float
    half_width: float
    low: float
    high: float


@dataclass(frozen=True)
class Pair:
    """A compared pair. ``difference`` is first - second; p-values are two-sided, ``*_holm`` are corrected for all
    pairs; ``verdict`` is the better system's name, or empty: not told apart at the level (by the corrected p-value of
    the randomisation, or of the bootstrap when only that was made)."""

    first: str
    second: str
    difference: float
    bootstrap: float | None
    bootstrap_holm: float | None
    randomisation: float | None
    randomisation_holm: float | None
    identical: bool
    verdict: str


@dataclass(frozen=True)
class AllPairs:
    """All pairs of one metric. ``wins[a][b]`` is 1, 0 or -1: a is better, not told apart, worse."""

    metric: str
    signature: str
    estimates: tuple[Estimate, ...]
    pairs: tuple[Pair, ...]
    wins: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Scored:
    """One metric over all systems: its statistics and its tests."""

    metric: Scorer
    statistics: dict[str, Array]
    tests: AllPairs


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the i-th smallest of m becomes max over k <= i of min(1, (m - k + 1) p_k)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def all_pairs(metric: Scorer, statistics: Mapping[str, Array], resamples: int = RESAMPLES, trials: int = TRIALS,
              seed: int = SEED, level: float = LEVEL, tick: Tick = lambda: None) -> AllPairs:
    """Test every pair of systems. ``statistics`` holds (segments, k) per system, all of the same segments.

    0 ``resamples`` or ``trials`` leave that test out. Raises ``UserError`` for unequal numbers of segments or none."""
    names = list(statistics)
    sizes = {len(table) for table in statistics.values()}
    if len(sizes) != 1 or sizes == {0}:
        raise UserError(f"The systems have {', '.join(map(str, sorted(sizes)))} segments; a paired test needs the same "
                        "segments of all, and at least one.")
    if not resamples and not trials:
        raise UserError("resamples and trials are both 0.", advice="Ask for at least one of the tests.")
    sums = {name: table.sum(0) for name, table in statistics.items()}
    scores = {name: float(metric.score(total)) for name, total in sums.items()}
    drawn = bootstrap_scores(metric, statistics, resamples, seed, tick) if resamples else {}
    parts = randomised_sums(statistics, trials, seed, tick) if trials else {}
    couples = list(combinations(names, 2))
    same = [np.array_equal(statistics[a], statistics[b]) for a, b in couples]
    boot, random = [], []
    for (a, b), equal in zip(couples, same, strict=True):
        real = abs(scores[a] - scores[b])
        if resamples:
            gaps = np.abs(drawn[b] - drawn[a])
            boot.append(1.0 if equal else p_value(gaps - gaps.mean(), real))
        if trials:
            one = metric.score(parts[a] + (sums[b] - parts[b]))
            two = metric.score((sums[a] - parts[a]) + parts[b])
            random.append(1.0 if equal else p_value(np.abs(one - two), real))
        tick()
    pairs = _pairs(metric, couples, scores, same, boot, random, level)
    estimates = tuple(estimate(name, scores[name], drawn.get(name)) for name in names)
    return AllPairs(metric.name, metric.signature, estimates, pairs, _wins(names, pairs))


def p_value(draws: Array, real: float) -> float:
    """(#{draws > real} + 1) / (draws + 1)."""
    return (int((draws > real).sum()) + 1) / (len(draws) + 1)


def too_coarse(systems: int, resamples: int, trials: int, level: float) -> str:
    """A sentence where no difference can count, else nothing: the deciding test's least p-value, 1 / (draws + 1), is
    above ``level`` once Holm's correction has multiplied it by the number of pairs."""
    pairs, draws = systems * (systems - 1) // 2, trials or resamples
    least = pairs / (draws + 1)
    if not pairs or least <= level:
        return ""
    name, field = ("approximate randomisation", "trials") if trials else ("paired bootstrap", "resamples")
    return (f"No difference can count: with {draws:,} {field} of the {name} the least p-value, corrected for "
            f"{pairs:,} {'pairs' if pairs > 1 else 'pair'}, is {min(1.0, least):.2g}, above the level {level:g}. Ask "
            f"for at least {math.ceil(pairs / level) - 1:,} {field}.")


def bootstrap_scores(metric: Scorer, statistics: Mapping[str, Array], resamples: int, seed: int = SEED,
                     tick: Tick = lambda: None) -> dict[str, Array]:
    """The score of every system in every resample, drawn as sacreBLEU draws them; the same segments for all."""
    size = len(next(iter(statistics.values())))
    generator = np.random.default_rng(seed)
    found: dict[str, list[Array]] = {name: [] for name in statistics}
    for rows in _blocks(resamples, size):
        places = generator.choice(size, size=(rows, size), replace=True)
        offsets = places + size * np.arange(rows)[:, None]
        weights = np.bincount(offsets.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)
        for name, table in statistics.items():
            found[name].append(metric.score(weights @ table))
        tick()
    return {name: np.concatenate(parts) for name, parts in found.items()}


def randomised_sums(statistics: Mapping[str, Array], trials: int, seed: int = SEED,
                    tick: Tick = lambda: None) -> dict[str, Array]:
    """(trials, k) sums of the segments that each trial gives to the first system of a pair."""
    size = len(next(iter(statistics.values())))
    generator = np.random.default_rng(seed)
    chosen = generator.integers(2, size=(trials, size), dtype=bool)
    found: dict[str, list[Array]] = {name: [] for name in statistics}
    start = 0
    for rows in _blocks(trials, size):
        block = chosen[start:start + rows].astype(np.float64)
        start += rows
        for name, table in statistics.items():
            found[name].append(block @ table)
        tick()
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _blocks(count: int, width: int) -> list[int]:
    """Row counts of blocks that are small enough to hold in memory."""
    rows = max(1, CELLS // max(1, width))
    return [min(rows, count - start) for start in range(0, count, rows)]


def estimate(name: str, score: float, draws: Array | None) -> Estimate:
    """Mean and 95 % interval of the bootstrap scores; without draws the interval is the score itself."""
    if draws is None or not len(draws):
        return Estimate(name, score, score, 0.0, score, score)
    ordered = np.sort(draws)
    cut = len(ordered) // 40
    low, high = float(ordered[cut]), float(ordered[len(ordered) - cut - 1])
    return Estimate(name, score, float(draws.mean()), 0.5 * (high - low), low, high)


def _pairs(metric: Scorer, couples: Sequence[tuple[str, str]], scores: Mapping[str, float], same: Sequence[bool],
           boot: Sequence[float], random: Sequence[float], level: float) -> tuple[Pair, ...]:
    boot_holm, random_holm = holm(boot), holm(random)
    found = []
    for i, (a, b) in enumerate(couples):
        gap = scores[a] - scores[b]
        decisive = random_holm[i] if random else boot_holm[i]
        better = (a if gap * metric.sign > 0 else b) if decisive <= level and gap else ""
        found.append(Pair(a, b, gap, boot[i] if boot else None, boot_holm[i] if boot else None,
                          random[i] if random else None, random_holm[i] if random else None, same[i], better))
    return tuple(found)


def _wins(names: Sequence[str], pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    table = {name: dict.fromkeys(names, 0) for name in names}
    for pair in pairs:
        if pair.verdict:
            loser = pair.second if pair.verdict == pair.first else pair.first
            table[pair.verdict][loser], table[loser][pair.verdict] = 1, -1
    return table

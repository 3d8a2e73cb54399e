"""How late a translation is: AL, LAAL, AP, DAL and CW of delays g(i), the source units read when target unit i was
written.

With |x| source units, |y| written target units, |y*| units of the reference, r = |y| / |x| and tau the first i with
g(i) = |x| (the last i if there is none):

    AL   = 1/tau sum_{i <= tau} [ g(i) - (i - 1) / r ]                 Ma 2019; hypothesis length, as SM2's code
    LAAL = the same with r = max(|y|, |y*|) / |x|                      Papi 2022
    AP   = sum g(i) / (|x| |y|)                                        Cho 2016
    DAL  = mean_i [ g'(i) - (i - 1) / r ], g'(1) = g(1), g'(i) = max(g(i), g'(i-1) + 1/r)      Cherry 2019
    CW   = g(last) / number of i with g(i) > g(i-1), g(0) = 0          Gu 2017

SimulEval divides by the reference length in AL; :func:`average_lagging` takes any length, so both can be had. Where
g(1) is beyond |x| SimulEval's AL is g(1), and so is ours. The unit is a token (end tokens counted on both sides) or a
word: there the source words *begun* by the tokens read count as read, and a target word is written with its last
token; end tokens do not count, and a CJK character is a word. Of an empty translation everything is undefined (nan).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from workbench.contract import UserError

NAMES = ("AL", "LAAL", "AP", "DAL", "CW")


@dataclass(frozen=True)
class Latency:
    """All figures of one sentence, or means over sentences; ``undefined`` sentences had no target and are left out."""

    al: float
    laal: float
    ap: float
    dal: float
    cw: float
    undefined: int = 0

    def values(self) -> dict[str, float]:
        """By the usual names."""
        return dict(zip(NAMES, (self.al, self.laal, self.ap, self.dal, self.cw), strict=True))


def average_lagging(delays: Sequence[float], source: int, target: float) -> float:
    """AL with r = ``target`` / ``source``."""
    _check(delays, source)
    if not delays or target <= 0:
        return math.nan
    if delays[0] > source:
        return float(delays[0])
    rate = target / source
    last = next((i for i, delay in enumerate(delays) if delay >= source), len(delays) - 1)
    return sum(delays[i] - i / rate for i in range(last + 1)) / (last + 1)


def average_proportion(delays: Sequence[float], source: int) -> float:
    """AP."""
    _check(delays, source)
    return sum(delays) / (source * len(delays)) if delays else math.nan


def differentiable_lagging(delays: Sequence[float], source: int) -> float:
    """DAL by the hypothesis length."""
    _check(delays, source)
    if not delays:
        return math.nan
    step, total, before = source / len(delays), 0.0, -math.inf
    for i, delay in enumerate(delays):
        before = max(float(delay), before + step)
        total += before - i * step
    return total / len(delays)


def consecutive_wait(delays: Sequence[float]) -> float:
    """CW: the mean number of units read at a time."""
    reads = sum(later > earlier for earlier, later in zip((0, *delays), delays, strict=False))
    return delays[-1] / reads if reads else math.nan


def latency(delays: Sequence[float], source: int, reference: int) -> Latency:
    """All figures of one sentence; ``reference`` is |y*| (0: not known, LAAL is then AL)."""
    return Latency(average_lagging(delays, source, len(delays)),
                   average_lagging(delays, source, max(len(delays), reference)),
                   average_proportion(delays, source), differentiable_lagging(delays, source), consecutive_wait(delays))


def mean(each: Sequence[Latency]) -> Latency:
    """Means over the sentences that have a translation."""
    there = [one for one in each if math.isfinite(one.al)]
    if not there:
        return Latency(math.nan, math.nan, math.nan, math.nan, math.nan, len(each))
    rows = zip(*(one.values().values() for one in there), strict=True)
    al, laal, ap, dal, cw = (sum(row) / len(there) for row in rows)
    return Latency(al, laal, ap, dal, cw, len(each) - len(there))


def in_words(delays: Sequence[int], source_begun: Sequence[int], target_begun: Sequence[int]) -> list[int]:
    """Delays of target words in source words, of the delays of the tokens without the end token.

    ``begun[t]`` is how many words have begun with token t (see ``Vocabulary.begun``). A word is written with its last
    token; where one token holds several words (Chinese), they are all written with it."""
    if len(target_begun) != len(delays):
        raise UserError(f"There are {len(delays)} delays and {len(target_begun)} target tokens.")
    found = []
    for word in range(1, (target_begun[-1] if target_begun else 0) + 1):
        first = next(t for t, count in enumerate(target_begun) if count >= word)
        last = max((t for t, count in enumerate(target_begun) if count == word), default=first)
        found.append(source_begun[min(delays[last], len(source_begun)) - 1])
    return found


def _check(delays: Sequence[float], source: int) -> None:
    if source < 1:
        raise UserError(f"The source has {source} units; latency needs at least 1.")
    if any(later < earlier for earlier, later in pairwise(delays)):
        raise UserError("Delays must not fall: source that has been read cannot be unread.")

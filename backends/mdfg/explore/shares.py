"""Shares with their 95 % intervals: of a few labelled documents, and of a corpus by its bins.

One bin has Wilson's interval. Over bins h with N_h documents, n_h of them labelled, and weights W_h = N_h / N

    p = sum W_h p_h,   low = p - sqrt(sum W_h^2 f_h (p_h - low_h)^2),   high = p + sqrt(sum W_h^2 f_h (high_h - p_h)^2)

with each bin's Wilson limits (limits by squaring and adding: Zou and Donner 2008; of strata: Yan and Su 2010) and
f_h = (N_h - n_h) / (N_h - 1), which is 0 when all of a bin is labelled. A share of a part in two parts, a / (a + b),
has the limits of both parts squared and added in the same way.

Why not a bootstrap: bins of three equal labels have no spread to draw from. On three made corpora (4,000 documents, 60
or 200 labels, 150 draws each) intervals by these formulas held the truth in 89 to 97 %, those of a Bayesian bootstrap
with half a document of each kind added to each bin in 70 to 98 %; a test guards the first figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backends.mdfg.metrics_binary import wilson


@dataclass(frozen=True)
class Share:
    """A share with its interval from ``documents`` labelled documents; ``None`` where they say nothing about it."""

    value: float | None
    low: float
    high: float
    documents: int


NOTHING = Share(None, 0.0, 1.0, 0)


@dataclass(frozen=True)
class Counted:
    """The labelled documents of one bin: ``of`` documents in the bin, ``hits`` among ``labelled`` ones (a document on
    which annotators differ is a part of a hit)."""

    of: int
    labelled: int
    hits: float


def share(hits: float, documents: int) -> Share:
    """A share of equal documents (Wilson)."""
    low, high = wilson(hits, documents)
    return Share(hits / documents if documents else None, low, high, documents)


def weighted(bins: Sequence[Counted]) -> Share:
    """The share for the documents of all bins that have a label; see :func:`covered` for how many these are."""
    known = [one for one in bins if one.labelled]
    total, labelled = sum(one.of for one in known), sum(one.labelled for one in known)
    if not total:
        return NOTHING
    value = below = above = 0.0
    for one in known:
        weight, mine = one.of / total, share(one.hits, one.labelled)
        rest = max(0.0, (one.of - one.labelled) / (one.of - 1)) if one.of > 1 else 0.0
        middle = one.hits / one.labelled
        value += weight * middle
        below += weight**2 * rest * (middle - mine.low) ** 2
        above += weight**2 * rest * (mine.high - middle) ** 2
    return Share(value, max(0.0, value - math.sqrt(below)), min(1.0, value + math.sqrt(above)), labelled)


def covered(bins: Sequence[Counted]) -> float:
    """Which share of the documents lies in bins that have a label."""
    every = sum(one.of for one in bins)
    return sum(one.of for one in bins if one.labelled) / every if every else 0.0


def part_of(part: Share, size: int, rest: Share, rest_size: int) -> Share:
    """a / (a + b) for the amounts a = ``size`` * ``part`` and b = ``rest_size`` * ``rest``."""
    if part.value is None or rest.value is None:
        return NOTHING
    a, b = size * part.value, rest_size * rest.value
    labelled = part.documents + rest.documents
    if not a + b:
        return Share(None, 0.0, 1.0, labelled)
    value = a / (a + b)
    down = (value - _ratio(size * part.low, b, value), value - _ratio(a, rest_size * rest.high, value))
    up = (_ratio(size * part.high, b, value) - value, _ratio(a, rest_size * rest.low, value) - value)
    return Share(value, max(0.0, value - math.hypot(*down)), min(1.0, value + math.hypot(*up)), labelled)


def _ratio(part: float, rest: float, otherwise: float) -> float:
    return part / (part + rest) if part + rest else otherwise

"""How many documents a selection shows, and what the rules drop of them; bins that agree with ranges to the last bit.

Every count of the page is a :class:`Count`: shown of total, and the hash of the filter that made it. A value is put
into its bin by comparisons with the edges (a tree of CASE), not by a division that rounds, so clicking a bar selects
exactly the documents that it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_tests, quoted
from backends.mdfg.explore.loading import Column
from backends.mdfg.explore.selection import Selection
from backends.mdfg.rules.verdicts import Tally, tally

LOG_FROM = 1000.0
"""Counts and numbers that reach this far get bins of equal width in log(1 + value); our default."""
MOST_BINS = 100


@dataclass(frozen=True)
class Count:
    """``shown`` documents of ``total`` under the filter of this hash."""

    shown: int
    total: int
    filter: str


def count(corpus: Corpus, selection: Selection) -> Count:
    """How many documents a selection shows."""
    def ask() -> Count:
        where = selection.where(corpus)
        shown = corpus.rows(f"SELECT count(*) FROM {corpus.judged(selection.moved)} {where.clause}", where.parameters)
        return Count(int(shown[0][0]), corpus.total, selection.hash)
    return corpus.answer((count, selection), ask)


def tallied(corpus: Corpus, selection: Selection) -> Tally:
    """The funnel under the limits as they are now, of what the selection shows whatever the verdicts
    (``selection.unjudged()``): by first failure, by every failure, by one rule alone, and overlaps."""
    about = selection.unjudged()

    def ask() -> Tally:
        where = about.where(corpus)
        masks = corpus.rows(f"SELECT rule_fail, count(*) FROM {corpus.judged(about.moved)} {where.clause} GROUP BY 1",
                            where.parameters)
        return tally(dict(masks), moved_tests(corpus.recipe, about.moved))
    return corpus.answer((tallied, about), ask)


def binned(corpus: Corpus, column: str, bins: int) -> tuple[tuple[float, ...], str]:
    """Edges of a column's bins, and the name of the table (and its column) of every document's bin."""
    edges = edges_of(corpus.column(column), bins)
    return edges, corpus.binned((column, edges), bin_sql(quoted(column), edges[1:-1]))


def edges_of(column: Column, bins: int) -> tuple[float, ...]:
    """Edges of at most ``bins`` bins from the lowest to the highest value, ascending: one a whole number where these
    are few, equal in log(1 + value) for long tails, else equal. Empty where every value is missing."""
    if column.low is None or column.high is None:
        return ()
    low, high = column.low, column.high
    bins = max(1, min(bins, MOST_BINS))
    if column.kind == "count" and high - low < bins:
        return tuple(float(value) for value in np.arange(low, high + 2))
    if low == high:
        return low, float(np.nextafter(high, np.inf)) if high else 1.0
    if column.kind in ("count", "number") and low >= 0 and high >= LOG_FROM:
        found = np.expm1(np.linspace(np.log1p(low), np.log1p(high), bins + 1))
    else:
        found = np.linspace(low, high, bins + 1)
    found[0], found[-1] = low, high
    if column.kind == "count":
        found = np.round(found)
    return tuple(np.unique(found).tolist())


def bin_sql(value: str, inner: Sequence[float], compare: str = "<") -> str:
    """Number of the bin of ``value`` (SQL): how many of the ascending edges ``inner`` it does not lie below, 0 to
    len(inner); -1 for a missing one. ``compare`` ``<=`` puts a value that equals an edge below it."""
    def part(low: int, high: int) -> str:
        if low == high:
            return str(low)
        middle = (low + high) // 2
        return (f"CASE WHEN {value} {compare} '{float(inner[middle])!r}'::DOUBLE THEN {part(low, middle)} "
                f"ELSE {part(middle + 1, high)} END")
    return f"CASE WHEN {value} IS NULL THEN -1 ELSE {part(0, len(inner))} END"

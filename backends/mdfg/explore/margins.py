"""What moving one limit does: for a row of limits, how many documents the test drops, and what changes.

others: documents that no other test drops. only(l) = those of them that the test drops at limit l;
kept(l) = |others| - only(l); newly kept = max(0, only(now) - only(l)), newly dropped = max(0, only(l) - only(now)).
All limits are counted in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.counts import Count, bin_sql, count, edges_of
from backends.mdfg.explore.judging import condition, moved_tests, quoted
from backends.mdfg.explore.selection import Selection
from backends.mdfg.rules.verdicts import Test
from workbench.contract import UserError

POINTS = 40


@dataclass(frozen=True)
class Margin:
    """Counts for every limit of ``limits`` (ascending; the recipe's and the present one are among them), over the
    documents that the selection shows whatever the verdicts (``count``). ``test`` is the test as it is now."""

    test: Test
    index: int
    recipe_limit: float
    limits: tuple[float, ...]
    dropped: tuple[int, ...]
    only: tuple[int, ...]
    kept: tuple[int, ...]
    newly_kept: tuple[int, ...]
    newly_dropped: tuple[int, ...]
    count: Count

    @property
    def now(self) -> int:
        """Place of the present limit in ``limits``."""
        return self.limits.index(self.test.limit)


def margin(corpus: Corpus, selection: Selection, test: int, points: int = POINTS) -> Margin:
    """The curve of the test with this index in ``recipe.tests``, with the other limits as they are now."""
    tests = moved_tests(corpus.recipe, selection.moved)
    if not 0 <= test < len(tests):
        raise UserError(f"The recipe has no test {test}; its tests are 0 to {len(tests) - 1}.")
    mine, about = tests[test], selection.unjudged()
    limits = _limits(corpus, mine, corpus.recipe.tests[test].limit, points)
    others = [f"NOT ({condition(one, corpus.single)})" for i, one in enumerate(tests) if i != test]
    compare = "<" if mine.drop_if in ("<", ">=") else "<="
    bins = bin_sql(quoted(mine.column), _compared(limits, mine.column in corpus.single), compare)

    def ask() -> list[tuple[Any, ...]]:
        where, table = about.where(corpus), corpus.binned((mine.column, limits, compare), bins)
        source = corpus.judged((), table)
        return corpus.rows(f"SELECT {table}, count(*), count(*) FILTER (WHERE {' AND '.join(others) or 'true'}) "
                           f"FROM {source} {where.clause} GROUP BY 1", where.parameters)
    rows = corpus.answer((margin, test, limits, about), ask)
    every, alone, clear = np.zeros(len(limits) + 1, int), np.zeros(len(limits) + 1, int), 0
    for place, documents, free in rows:
        clear += free
        if place >= 0:
            every[place], alone[place] = documents, free
    dropped, only = _falling(every, mine.drop_if), _falling(alone, mine.drop_if)
    change = only - only[limits.index(mine.limit)]
    return Margin(mine, test, corpus.recipe.tests[test].limit, limits, _plain(dropped), _plain(only),
                  _plain(clear - only), _plain(np.maximum(0, -change)), _plain(np.maximum(0, change)),
                  count(corpus, about))


def _limits(corpus: Corpus, test: Test, original: float, points: int) -> tuple[float, ...]:
    """Limits over the column's range, where the bars of its histogram have their edges; 0 and 1 for a mark such as
    ``dup_keep``, which has no histogram."""
    column = next((one for one in corpus.columns if one.name == test.column), None)
    return tuple(sorted({*(edges_of(column, points) if column else (0.0, 1.0)), test.limit, original}))


def _compared(limits: Sequence[float], single: bool) -> list[float]:
    return [float(np.float32(limit)) if single else limit for limit in limits]


def _falling(bins: np.ndarray, drop_if: str) -> np.ndarray:
    """Documents that fail at each limit, from documents by bin: those below it, or the rest of those with a value."""
    below = np.cumsum(bins)[:-1]
    return below if drop_if in ("<", "<=") else bins.sum() - below


def _plain(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in values)

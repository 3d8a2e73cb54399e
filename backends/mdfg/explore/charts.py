"""The charts of the page: histograms, the map of two values, bars of domains, files and listed words.

A chart is about the selection without its own range (or list), so brushing it does not empty it; every part says how
many of all documents and how many of the selected ones it holds, and how many of those are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.counts import Count, binned, count
from backends.mdfg.explore.selection import Selection
from workbench.contract import unknown

Barred = Literal["domain", "source", "words"]
Counts = tuple[int, ...]
KEPT = "count(*) FILTER (WHERE kept)"
"""Not ``count_if``, which is NULL and not 0 where its condition is NULL throughout."""


@dataclass(frozen=True)
class Histogram:
    """Bin i holds edges[i] <= value < edges[i + 1], the last one its upper edge too. ``total``: of the whole corpus,
    ``shown``: of the selection without this column's range, ``kept``: of those that are kept; each of one number a
    bin. ``missing`` is (total, shown, kept) of the documents without a value."""

    column: str
    edges: tuple[float, ...]
    total: Counts
    shown: Counts
    kept: Counts
    missing: tuple[int, int, int]
    count: Count


@dataclass(frozen=True)
class Heat:
    """Documents by two values; ``shown[i][j]`` and ``kept[i][j]``: x in bin i, y in bin j. ``missing``: selected
    documents that lack one of the two."""

    x: str
    y: str
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    shown: tuple[Counts, ...]
    kept: tuple[Counts, ...]
    missing: int
    count: Count


@dataclass(frozen=True)
class Bar:
    """A value with its documents: in the corpus, in the selection (without this list), kept of those."""

    value: str
    total: int
    shown: int
    kept: int


@dataclass(frozen=True)
class Bars:
    """The values with the most selected documents; ``others``: how many more values there are."""

    column: Barred
    bars: tuple[Bar, ...]
    others: int
    count: Count


def histogram(corpus: Corpus, column: str, selection: Selection, bins: int = 40) -> Histogram:
    """Histogram of a column. Raises ``UserError`` for a column that is not there."""
    about = selection.without(column)
    edges, table = binned(corpus, column, bins)

    def ask(over: Selection) -> dict[int, tuple[int, int]]:
        where = over.where(corpus)
        rows = corpus.rows(f"SELECT {table}, count(*), {KEPT} FROM {corpus.judged(over.moved, table)} {where.clause} "
                           "GROUP BY 1", where.parameters)
        return {int(place): (documents, kept) for place, documents, kept in rows}
    every = corpus.answer((histogram, column, edges), lambda: ask(Selection()))
    found = corpus.answer((histogram, column, edges, about), lambda: ask(about))
    places = range(len(edges) - 1)
    none = (0, 0)
    return Histogram(column, edges, tuple(every.get(i, none)[0] for i in places),
                     tuple(found.get(i, none)[0] for i in places), tuple(found.get(i, none)[1] for i in places),
                     (every.get(-1, none)[0], *found.get(-1, none)), count(corpus, selection))


def heat(corpus: Corpus, x: str, y: str, selection: Selection, bins: int = 20) -> Heat:
    """Map of two columns, of ``bins`` x ``bins`` cells at most."""
    about = selection.without(x, y)
    (x_edges, x_table), (y_edges, y_table) = binned(corpus, x, bins), binned(corpus, y, bins)

    def ask() -> dict[tuple[int, int], tuple[int, int]]:
        where = about.where(corpus)
        tables = dict.fromkeys((x_table, y_table))
        rows = corpus.rows(f"SELECT {x_table} AS i, {y_table} AS j, count(*), {KEPT} FROM "
                           f"{corpus.judged(about.moved, *tables)} {where.clause} GROUP BY 1, 2", where.parameters)
        return {(i, j): (documents, kept) for i, j, documents, kept in rows}
    cells = corpus.answer((heat, x, y, x_edges, y_edges, about), ask)
    shown, kept = (tuple(tuple(cells.get((i, j), (0, 0))[part] for j in range(len(y_edges) - 1))
                         for i in range(len(x_edges) - 1)) for part in range(2))
    missing = sum(documents for (i, j), (documents, _) in cells.items() if min(i, j) < 0)
    return Heat(x, y, x_edges, y_edges, shown, kept, missing, count(corpus, selection))


def bars(corpus: Corpus, column: Barred, selection: Selection, most: int = 12) -> Bars:
    """The most frequent domains, files or listed words; a document has any number of words. Documents without a domain
    count under the empty name."""
    if column not in get_args(Barred):
        raise unknown("column of names", column, get_args(Barred))
    value = {"domain": "coalesce(domain, '')", "source": "source", "words": "unnest(sensitive_words)"}[column]
    about, most = selection.without(column), max(1, most)

    def ask() -> tuple[tuple[Bar, ...], int]:
        where = about.where(corpus)
        source = (f"(SELECT {value} AS value, kept, coalesce({where.sql}, false) AS chosen "
                  f"FROM {corpus.judged(about.moved)})")
        rows = corpus.rows(
            "SELECT value, count(*), count(*) FILTER (WHERE chosen) AS shown, count(*) FILTER (WHERE chosen AND kept), "
            f"count(*) OVER () FROM {source} GROUP BY 1 ORDER BY shown DESC, count(*) DESC, value LIMIT {most}",
            where.parameters)
        found = tuple(Bar(name, total, shown, kept) for name, total, shown, kept, _ in rows)
        return found, rows[0][4] - len(found) if rows else 0
    found, others = corpus.answer((bars, column, most, about), ask)
    return Bars(column, found, others, count(corpus, selection))

"""Histograms, the map and the bars, each against plain numpy; a bar selects exactly the documents that it counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import sample
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.counts import LOG_FROM, MOST_BINS, bin_sql, edges_of
from backends.mdfg.explore.loading import Column
from backends.mdfg.explore.queries import bars, count, heat, histogram
from backends.mdfg.explore.selection import Selection, Span
from tests.backends.explore_cases import filtered, table
from workbench.contract import UserError

PART = Selection(show="dropped", spans=(Span("n_chars", 60, 500), Span("quality", 0.1, 0.9)))
MOVED = Selection(show="kept", moved=((0, 330.0), (5, 0.02)))
SELECTIONS = {"all": Selection(), "part": PART, "moved": MOVED, "none": Selection(domains=("nowhere",))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("charts"), 260, seed=5)


@pytest.fixture(scope="module", params=[10**9, 0], ids=["memory", "file"])
def corpus(folder: Path, request: pytest.FixtureRequest) -> Corpus:
    """The same corpus in memory and in a file: the answers must not differ."""
    return Corpus.open(folder, in_memory=request.param)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    return table(folder)


def values(rows: list[dict[str, Any]], column: str) -> np.ndarray:
    real = {"quality": "given.quality", "toxicity": "given.toxicity"}.get(column, column)
    return np.array([row[real] for row in rows], dtype=float)


def kept(rows: list[dict[str, Any]], selection: Selection) -> np.ndarray:
    if not selection.moved:
        return np.array([row["kept"] for row in rows])
    return np.array([row["n_chars"] > 330 and row["dup_ratio"] <= 0.02 and row["rule_fail"] & 0b11110 == 0
                     for row in rows])


def chosen(rows: list[dict[str, Any]], selection: Selection) -> np.ndarray:
    """The selection in plain numpy."""
    found = np.ones(len(rows), dtype=bool)
    if selection.show != "all":
        found &= kept(rows, selection) == (selection.show == "kept")
    for span in selection.spans:
        column = values(rows, span.column)
        found &= (column >= span.low) & (column < span.high)
    for label in selection.domains:
        found &= np.array([row["given.domain"] == label for row in rows])
    return found


@pytest.mark.parametrize("column", ["n_chars", "quality", "given.toxicity", "dup_ratio", "mean_line", "phones",
                                    "dup_size", "identities"])
@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_a_histogram_is_what_numpy_counts(corpus: Corpus, rows: list[dict[str, Any]], column: str,
                                          selection: Selection) -> None:
    found = histogram(corpus, column, selection, 12)
    numbers, about = values(rows, column), chosen(rows, selection.without(column))
    keep = kept(rows, selection)
    whole = np.histogram(numbers[~np.isnan(numbers)], bins=found.edges)[0].tolist()
    assert list(found.total) == whole
    assert list(found.shown) == np.histogram(numbers[about & ~np.isnan(numbers)], bins=found.edges)[0].tolist()
    assert list(found.kept) == np.histogram(numbers[about & keep & ~np.isnan(numbers)], bins=found.edges)[0].tolist()
    gone = np.isnan(numbers)
    assert found.missing == (int(gone.sum()), int((gone & about).sum()), int((gone & about & keep).sum()))
    assert sum(found.total) + found.missing[0] == found.count.total == len(rows)
    assert found.count == count(corpus, selection)
    assert found.count.shown == int(chosen(rows, selection).sum())


@pytest.mark.parametrize("column", ["n_chars", "quality", "dup_ratio", "mean_line", "n_lines", "sens_ratio"])
def test_clicking_a_bar_selects_the_documents_that_it_counts(corpus: Corpus, column: str) -> None:
    found = histogram(corpus, column, PART, 17)
    for low, high, shown in zip(found.edges, found.edges[1:], found.shown, strict=False):
        assert count(corpus, PART.with_span(Span(column, low, high))).shown == shown
    missing = count(corpus, PART.with_span(Span(column))).shown
    assert sum(found.shown) + missing == count(corpus, PART.without(column)).shown


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_the_map_is_what_numpy_counts(corpus: Corpus, rows: list[dict[str, Any]], selection: Selection) -> None:
    found = heat(corpus, "quality", "toxicity", selection, 5)
    x, y = values(rows, "quality"), values(rows, "toxicity")
    about = chosen(rows, selection.without("quality", "toxicity"))
    both = about & ~np.isnan(x) & ~np.isnan(y)
    edges = [found.x_edges, found.y_edges]
    assert np.array_equal(found.shown, np.histogram2d(x[both], y[both], bins=edges)[0])
    keep = both & kept(rows, selection)
    assert np.array_equal(found.kept, np.histogram2d(x[keep], y[keep], bins=edges)[0])
    assert found.missing == int((about & ~both).sum())
    cell = selection.without("quality", "toxicity").with_span(Span("quality", *found.x_edges[1:3])).with_span(
        Span("toxicity", *found.y_edges[:2]))
    assert count(corpus, cell).shown == found.shown[1][0]


def test_a_map_of_a_value_with_itself_lies_on_the_diagonal(corpus: Corpus) -> None:
    found = heat(corpus, "n_chars", "n_chars", Selection(), 6)
    assert sum(found.shown[i][i] for i in range(len(found.shown))) == corpus.total == sum(map(sum, found.shown))


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_bars_of_domains_and_words_are_what_python_counts(corpus: Corpus, rows: list[dict[str, Any]],
                                                          selection: Selection) -> None:
    about, keep = chosen(rows, selection.without("domain")), kept(rows, selection)
    found = bars(corpus, "domain", selection)
    total = Counter(row["given.domain"] for row in rows)
    shown = Counter(row["given.domain"] for row, inside in zip(rows, about, strict=True) if inside)
    left = Counter(row["given.domain"] for row, inside in zip(rows, about & keep, strict=True) if inside)
    assert {bar.value: (bar.total, bar.shown, bar.kept) for bar in found.bars} == {
        name: (total[name], shown[name], left[name]) for name in total}
    assert [bar.shown for bar in found.bars] == sorted((bar.shown for bar in found.bars), reverse=True)
    about = chosen(rows, selection.without("words"))
    words = Counter(word for row, inside in zip(rows, about, strict=True) if inside for word in row["sensitive_words"])
    listed = bars(corpus, "words", selection, most=100)
    assert {bar.value: bar.shown for bar in listed.bars if bar.shown} == dict(words)
    assert {bar.value for bar in listed.bars} <= set(sample.SPAM)
    assert listed.others == 0
    assert [bar.total for bar in bars(corpus, "source", selection).bars] == [len(rows)]


def test_documents_without_the_value_count_as_not_shown(corpus: Corpus) -> None:
    """The condition is NULL for every document without a domain: they have no quality either."""
    found = {bar.value: bar for bar in bars(corpus, "domain", Selection(spans=(Span("quality", 0.0, 0.5),))).bars}
    assert (found[""].shown, found[""].kept) == (0, 0)
    assert found[""].total == 26
    assert all(bar.shown > 0 for name, bar in found.items() if name)


def test_few_bars_say_how_many_more_there_are(corpus: Corpus) -> None:
    every = bars(corpus, "domain", Selection(), most=50)
    few = bars(corpus, "domain", Selection(), most=2)
    assert few.bars == every.bars[:2]
    assert few.others == len(every.bars) - 2 > 0
    for bar in every.bars:
        assert count(corpus, Selection(domains=(bar.value,))).shown == bar.shown


def test_a_chart_does_not_filter_itself(corpus: Corpus) -> None:
    part = Selection(spans=(Span("n_chars", 100, 200),), domains=("law",))
    assert histogram(corpus, "n_chars", part).shown == histogram(corpus, "n_chars", part.without("n_chars")).shown
    assert sum(histogram(corpus, "n_chars", part).shown) > histogram(corpus, "n_chars", part).count.shown
    assert bars(corpus, "domain", part).bars == bars(corpus, "domain", part.without("domain")).bars


@pytest.mark.parametrize(("ask", "message"), [
    (lambda corpus: histogram(corpus, "n_char", Selection()), "Did you mean n_chars"),
    (lambda corpus: heat(corpus, "quality", "id", Selection()), "no column of numbers"),
    (lambda corpus: bars(corpus, "planted", Selection()), "no column of names named 'planted'")])
def test_a_chart_of_nothing_is_refused(corpus: Corpus, ask: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(corpus)


@pytest.mark.parametrize(("column", "bins", "expected"), [
    (Column("n", "count", 0, 3, 0), 40, (0, 1, 2, 3, 4)), (Column("n", "count", 7, 7, 0), 40, (7, 8)),
    (Column("n", "score", 0, 1, 0), 4, (0, 0.25, 0.5, 0.75, 1)), (Column("n", "score", None, None, 9), 4, ()),
    (Column("n", "share", 0, 0, 0), 4, (0, 1)), (Column("n", "number", -1, 1, 0), 1, (-1, 1)),
    (Column("n", "count", 0, 99, 0), 10, (0, 10, 20, 30, 40, 50, 59, 69, 79, 89, 99)),
    (Column("n", "score", 0, 1, 0), 0, (0, 1))])
def test_edges_of_bins(column: Column, bins: int, expected: tuple[float, ...]) -> None:
    assert edges_of(column, bins) == pytest.approx(expected)


def test_long_tails_get_bins_that_grow() -> None:
    widths = np.diff(edges_of(Column("n_chars", "count", 0, 100_000, 0), 30))
    assert (np.diff(widths) >= -1).all()
    assert widths[-1] > 100 * widths[0]
    even = np.diff(edges_of(Column("n_chars", "count", 0, LOG_FROM - 1, 0), 30))
    assert even.max() - even.min() <= 1
    assert len(edges_of(Column("q", "score", 0.0, 1.0, 0), 10_000)) == MOST_BINS + 1


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, MOST_BINS),
       st.sampled_from(["number", "score", "count"]))
def test_edges_ascend_from_the_lowest_to_the_highest(low: float, width: float, bins: int, kind: Any) -> None:
    low, high = (round(low), round(low) + max(1, round(width))) if kind == "count" else (low, low + width)
    found = edges_of(Column("v", kind, low, high, 0), bins)
    assert list(found) == sorted(set(found))
    assert found[0] == low
    assert found[-1] in (high, high + 1) if kind == "count" else found[-1] == high
    assert 2 <= len(found) <= bins + 1 if low != high else len(found) == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=12).map(lambda edges: sorted(set(edges))),
       st.lists(st.none() | st.floats(-6, 6), min_size=1, max_size=10), st.sampled_from(["<", "<="]))
def test_the_tree_of_comparisons_is_a_search_in_the_edges(edges: list[float], numbers: list[float | None],
                                                         compare: str) -> None:
    numbers = [*numbers, *edges]
    sql = f"SELECT {bin_sql('v', edges, compare)} FROM (SELECT unnest(?::DOUBLE[]) AS v)"
    with duckdb.connect() as connection:
        found = connection.execute(sql, [numbers]).fetchall()
    side = "right" if compare == "<" else "left"
    assert [row[0] for row in found] == [
        -1 if number is None else int(np.searchsorted(edges, number, side)) for number in numbers]


def test_the_same_question_is_asked_once(folder: Path) -> None:
    corpus = Corpus.open(folder)
    asked: list[str] = []
    plain = corpus.rows
    corpus.rows = lambda sql, parameters=(): asked.append(sql) or plain(sql, parameters)  # type: ignore[method-assign]

    def ask() -> list[Any]:
        return [histogram(corpus, "quality", MOVED), bars(corpus, "domain", MOVED),
                heat(corpus, "quality", "n_chars", MOVED)]
    first, before = ask(), len(asked)
    assert before > 0
    assert ask() == first
    assert len(asked) == before
    histogram(corpus, "quality", replace(MOVED, moved=((0, 1.0),)))
    assert len(asked) > before

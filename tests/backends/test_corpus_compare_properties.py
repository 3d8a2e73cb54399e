"""Drawn recipes on both sides of one corpus: every count and every list against plain Python over the stored table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg.explore.compare import CELLS, DIFFER, Side, compare, examples
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.measured import columns_of, differences
from backends.mdfg.recipes import Recipe, dump_recipe, parse_recipe
from backends.mdfg.rules.verdicts import Test
from tests.backends.explore_cases import filtered, table

COLUMNS = ("n_chars", "n_lines", "mean_line", "script_ratio", "trad_changes", "sens_ratio", "dup_ratio", "phones",
           "given.quality", "given.toxicity", "dup_size")
RULES = ("length", "words", "好", "x\"y", "' OR 1=1 --")
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Corpus, list[dict[str, Any]]]]:
    folder: Path = filtered(tmp_path_factory.mktemp("drawn"), 90)
    corpus = Corpus.open(folder)
    yield corpus, table(folder)
    corpus.close()


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Up to six tests over stored values, several of one rule among them; limits at, between and beyond the values."""
    limits = st.one_of(st.sampled_from([0.0, 0.3, 0.5, 1.0, 10.0, 200.0, -1.0, 1e9]),
                       st.floats(-5, 800, allow_nan=False, width=32))
    tests = st.builds(Test, st.sampled_from(RULES), st.sampled_from(COLUMNS), st.sampled_from(["<", "<=", ">", ">="]),
                      limits)
    return Recipe("drawn", "zh", tuple(draw(st.lists(tests, max_size=6))))


def fails(row: dict[str, Any], recipe: Recipe) -> tuple[str, ...]:
    """The rules that a stored row fails, in their order."""
    found = set()
    for test in recipe.tests:
        value = row[test.column]
        if value is not None and not math.isnan(value):
            holds = {"<": value < test.limit, "<=": value <= test.limit, ">": value > test.limit,
                     ">=": value >= test.limit}
            if holds[test.drop_if]:
                found.add(test.rule)
    return tuple(name for name in recipe.names if name in found)


def outcome(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    if not a:
        return "only_a" if b else "both"
    return "neither" if b else "only_b"


@QUIET
@given(a=recipes(), b=recipes())
def test_counts_of_drawn_recipes(opened: tuple[Corpus, list[dict[str, Any]]], a: Recipe, b: Recipe) -> None:
    corpus, rows = opened
    pairs = [(fails(row, a), fails(row, b)) for row in rows]
    found = compare(corpus, Side(a), Side(b))
    for name in CELLS:
        inside = [row for row, pair in zip(rows, pairs, strict=True) if outcome(*pair) == name]
        assert (found.cells[name].documents, found.cells[name].characters) == (
            len(inside), sum(row["n_chars"] for row in inside))
    assert [pair.rule for pair in found.rules] == list(dict.fromkeys((*a.names, *b.names)))
    for rule in found.rules:
        in_a, in_b = [rule.rule in x for x, _ in pairs], [rule.rule in y for _, y in pairs]
        assert rule.a == (sum(in_a) if rule.rule in a.names else None)
        assert rule.b == (sum(in_b) if rule.rule in b.names else None)
        assert rule.more_a - rule.more_b == sum(in_a) - sum(in_b)
        assert rule.blamed_a == sum(x and outcome(*p) == "only_b" for x, p in zip(in_a, pairs, strict=True))
        assert rule.blamed_b == sum(y and outcome(*p) == "only_a" for y, p in zip(in_b, pairs, strict=True))
    assert sum(cell.documents for cell in found.cells.values()) == found.compared == len(rows)


@QUIET
@given(a=recipes(), b=recipes(), cell=st.sampled_from([*CELLS, DIFFER, ""]), offset=st.integers(-3, 120),
       limit=st.integers(1, 60))
def test_lists_of_drawn_recipes(opened: tuple[Corpus, list[dict[str, Any]]], a: Recipe, b: Recipe, cell: str,
                                offset: int, limit: int) -> None:
    corpus, rows = opened
    pairs = [(fails(row, a), fails(row, b)) for row in rows]
    wanted = [place for place, pair in enumerate(pairs)
              if not cell or outcome(*pair) == cell or (cell == DIFFER and outcome(*pair).startswith("only"))]
    found = examples(corpus, Side(a), Side(b), cell, "", offset, limit)
    assert found.shown == len(wanted) and found.offset <= max(0, len(wanted) - 1)
    assert [row.place for row in found.rows] == wanted[found.offset:found.offset + limit]
    assert [(row.failed_a, row.failed_b) for row in found.rows] == [pairs[row.place] for row in found.rows]


@QUIET
@given(a=recipes(), b=recipes(), data=st.data())
def test_lists_by_a_rule(opened: tuple[Corpus, list[dict[str, Any]]], a: Recipe, b: Recipe,
                         data: st.DataObject) -> None:
    corpus, rows = opened
    known = list(dict.fromkeys((*a.names, *b.names)))
    if known:
        rule = data.draw(st.sampled_from(known))
        wanted = [place for place, row in enumerate(rows) if (rule in fails(row, a)) != (rule in fails(row, b))]
        found = examples(corpus, Side(a), Side(b), "", rule, limit=len(rows))
        assert [row.place for row in found.rows] == wanted


@QUIET
@given(recipe=recipes())
def test_a_drawn_recipe_survives_its_yaml_with_hash_and_decisions(opened: tuple[Corpus, list[dict[str, Any]]],
                                                                 recipe: Recipe) -> None:
    corpus, _ = opened
    again = parse_recipe(dump_recipe(recipe))
    assert again == recipe and again.hash == recipe.hash and differences(recipe, again) == ()
    found = compare(corpus, Side(recipe), Side(again))
    assert found.cells["only_a"].documents == found.cells["only_b"].documents == 0
    assert {test.column for test in recipe.tests} <= columns_of(corpus.recipe)

"""Moved limits: SQL over stored values against ``decide``, tie by tie; what moving one limit does, limit by limit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import (
    condition,
    mask_sql,
    moved_mask_sql,
    moved_recipe,
    moved_tests,
    quoted,
    verdicts_sql,
)
from backends.mdfg.explore.queries import count, margin, tallied
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.recipes import Near, Recipe, dump_recipe, load_recipe
from backends.mdfg.rules.verdicts import Test, decide, mask_counts, tally
from tests.backends.explore_cases import filtered, full_texts, table
from workbench.contract import UserError

EDGE = [0.0, -0.0, 0.1, 0.3, 0.7, 1.0, 0.30000000000000004, 0.1 + 0.7, 1e-5, 1 / 3, 2 / 3, math.inf, -math.inf,
        math.nan, 1.2345678901234567, 5e-324]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("verdicts"), 260, seed=3)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def columns(folder: Path) -> dict[str, np.ndarray]:
    rows = table(folder)
    return {name: np.array([math.nan if row[name] is None else row[name] for row in rows])
            for name in rows[0] if isinstance(rows[0][name], int | float)}


def judged(columns: dict[str, np.ndarray], tests: tuple[Test, ...]) -> Any:
    return decide(columns, tests, len(next(iter(columns.values()))))


def as_docs(columns: dict[str, np.ndarray]) -> duckdb.DuckDBPyConnection:
    """A table ``docs`` as the corpus makes it: not-a-number is missing."""
    import pyarrow as pa

    connection = duckdb.connect()
    connection.register("raw", pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()}))
    connection.execute("CREATE TABLE docs AS SELECT *, 0::UINTEGER AS rule_fail FROM raw")
    return connection


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("drop_if", ["<", "<=", ">", ">="])
def test_sql_drops_exactly_what_numpy_drops(kind: type, drop_if: Any) -> None:
    values = np.array(EDGE + [math.nextafter(value, 2) for value in EDGE if math.isfinite(value)]).astype(kind)
    connection = as_docs({"v": values})
    single = {"v"} if kind is np.float32 else set()
    for limit in [value for value in EDGE if math.isfinite(value)]:
        test = Test("rule", "v", drop_if, limit)
        expected = test.fails(values).tolist()
        found = connection.execute(f"SELECT {condition(test, single)} FROM docs").fetchall()
        assert [row[0] for row in found] == expected
        mask = connection.execute(f"SELECT {mask_sql([test], single)} FROM docs").fetchall()
        assert [bool(row[0]) for row in mask] == expected, (limit, drop_if)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "n"]),
                          st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 7.0])),
                min_size=1, max_size=6),
       st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, math.nan]), st.sampled_from([0.0, 0.5, 7.0, math.inf]),
                          st.integers(-1, 8)), min_size=1, max_size=12))
def test_masks_and_first_failures_are_those_of_decide(tests: list[Any], rows: list[Any]) -> None:
    made = tuple(Test(*test) for test in tests)
    columns = {"x": np.array([row[0] for row in rows]), "y": np.array([row[1] for row in rows]),
               "n": np.array([row[2] for row in rows], dtype=np.int32)}
    expected = decide(columns, made, len(rows))
    connection = as_docs(columns)
    recipe = Recipe("r", "zh", tuple(replace(test, limit=99.0 + i) for i, test in enumerate(made)), near=Near("off"))
    moved = tuple((i, test.limit) for i, test in enumerate(made))
    found = connection.execute(verdicts_sql(recipe, moved, ())).fetchall()
    assert [row[0] for row in found] == expected.rule_fail.tolist()
    assert [row[1] for row in found] == expected.first_fail.tolist()
    assert [row[2] for row in found] == expected.kept.tolist()
    whole = connection.execute(f"SELECT {mask_sql(made, ())} FROM docs").fetchall()
    assert [row[0] for row in whole] == expected.rule_fail.tolist()


def test_thirty_two_rules_fit_the_mask() -> None:
    tests = tuple(Test(f"r{i}", "v", ">", float(i)) for i in range(32))
    columns = {"v": np.array([-1.0, 0.5, 31.5, 40.0, math.nan])}
    recipe = Recipe("r", "zh", tuple(replace(test, limit=1000.0) for test in tests), near=Near("off"))
    found = as_docs(columns).execute(verdicts_sql(recipe, tuple((i, float(i)) for i in range(32)), ())).fetchall()
    expected = decide(columns, tests, 5)
    assert [row[0] for row in found] == expected.rule_fail.tolist()
    assert [row[1] for row in found] == expected.first_fail.tolist()
    assert found[3][0] == 2**32 - 1
    last = as_docs(columns).execute(verdicts_sql(recipe, ((31, 31.0),), ())).fetchall()
    assert [row[1] for row in last] == [-1, -1, 31, 31, -1]


MOVES = [(), ((0, 0.0),), ((0, 350.0),), ((1, 100.0),), ((2, 0.9),), ((3, 1.0),), ((4, 0.0),), ((5, 0.0),),
         ((0, 300.0), (5, 0.02)), ((0, -5.0), (1, -5.0), (2, -5.0), (3, 99.0), (4, 99.0), (5, 99.0)),
         ((0, 1e9),), ((2, 1e-300),)]


@pytest.mark.parametrize("moved", MOVES)
def test_counts_under_moved_limits_are_those_of_decide(corpus: Corpus, columns: dict[str, np.ndarray],
                                                       moved: tuple[tuple[int, float], ...]) -> None:
    tests = moved_tests(corpus.recipe, moved)
    expected = judged(columns, tests)
    selection = Selection(moved=moved)
    assert tallied(corpus, selection) == tally(mask_counts(expected.rule_fail), tests)
    assert count(corpus, replace(selection, show="kept")).shown == int(expected.kept.sum())
    for i, rule in enumerate(corpus.recipe.names):
        assert count(corpus, replace(selection, first=rule)).shown == int((expected.first_fail == i).sum())
        assert count(corpus, replace(selection, only=rule)).shown == int((expected.rule_fail == 1 << i).sum())
    again = corpus.rows(f"SELECT place, rule_fail, first_fail, kept FROM {corpus.judged(moved)} ORDER BY place")
    assert [row[1:] for row in again] == list(zip(expected.rule_fail.tolist(), expected.first_fail.tolist(),
                                                  expected.kept.tolist(), strict=True))
    assert [row[0] for row in corpus.rows(f"SELECT {corpus.mask(moved)} FROM docs ORDER BY place")] == \
        expected.rule_fail.tolist()


def test_first_failures_alone_are_not_all_failures(corpus: Corpus) -> None:
    found = tallied(corpus, Selection())
    assert sum(found.first) == found.documents - found.kept
    assert sum(found.every) > sum(found.first)
    assert any(every > first for every, first in zip(found.every, found.first, strict=True))
    assert all(only <= first <= every for only, first, every in
               zip(found.only, found.first, found.every, strict=True))
    assert [found.overlap[i][i] for i in range(len(found.rules))] == list(found.every)


def test_a_funnel_is_about_the_selection_and_not_about_its_own_verdicts(corpus: Corpus) -> None:
    part = Selection(spans=(Span("n_chars", 100, 500),))
    about = tallied(corpus, part)
    assert about.documents == count(corpus, part).shown < corpus.total
    assert tallied(corpus, replace(part, show="dropped", first="length", failed=("script",))) == about


def test_a_moved_recipe_replays_with_the_same_verdicts(tmp_path: Path, corpus: Corpus, folder: Path) -> None:
    moved = ((0, 320.0), (5, 0.05))
    recipe = moved_recipe(corpus.recipe, moved, "stricter")
    assert (recipe.name, recipe.rules[0].limit, recipe.rules[5].limit) == ("stricter", 320.0, 0.05)
    assert recipe.hash != corpus.recipe.hash == moved_recipe(corpus.recipe, (), "other").hash
    text = dump_recipe(recipe)
    assert load_recipe(text).hash == recipe.hash
    again = Corpus.open(filtered(tmp_path, recipe=text, texts=full_texts(folder)))
    assert tallied(again, Selection()) == tallied(corpus, Selection(moved=moved))


def test_the_test_of_near_duplicates_stays(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 120, near_duplicates="drop"))
    index = len(opened.recipe.tests) - 1
    assert opened.recipe.tests[index].rule == "near_duplicate"
    assert moved_recipe(opened.recipe, ((0, 10.0),)).tests[index] == opened.recipe.tests[index]
    with pytest.raises(UserError, match=r"limit of near_duplicate is 0; .* has it at 1"):
        moved_recipe(opened.recipe, ((index, 0.0),))
    off = margin(opened, Selection(), index)
    assert off.limits == (0.0, 1.0)
    assert off.dropped[0] == 0 < off.dropped[1] == tallied(opened, Selection()).every[index]


@pytest.mark.parametrize("test", range(6))
@pytest.mark.parametrize("selection", [Selection(), Selection(show="dropped", spans=(Span("n_chars", 150),)),
                                       Selection(moved=((0, 280.0), (5, 0.01)))], ids=["all", "part", "moved"])
def test_every_point_of_a_margin_is_what_deciding_again_gives(
        corpus: Corpus, columns: dict[str, np.ndarray], test: int, selection: Selection) -> None:
    found = margin(corpus, selection, test, points=7)
    inside = columns["n_chars"] >= (150 if selection.spans else 0)
    chosen = {name: values[inside] for name, values in columns.items()}
    tests = moved_tests(corpus.recipe, selection.moved)
    now = judged(chosen, tests)
    bit = np.uint32(1 << test)
    assert found.count.shown == int(inside.sum())
    assert (found.test, found.limits[found.now]) == (tests[test], tests[test].limit)
    assert found.recipe_limit in found.limits
    assert list(found.limits) == sorted(set(found.limits))
    for i, limit in enumerate(found.limits):
        then = judged(chosen, tuple(replace(one, limit=limit) if j == test else one for j, one in enumerate(tests)))
        assert found.dropped[i] == int((then.rule_fail & bit != 0).sum())
        assert found.only[i] == int((then.rule_fail == bit).sum())
        assert found.kept[i] == int(then.kept.sum())
        assert found.newly_kept[i] == int((then.kept & ~now.kept).sum())
        assert found.newly_dropped[i] == int((~then.kept & now.kept).sum())
    assert found.newly_kept[found.now] == found.newly_dropped[found.now] == 0


@pytest.mark.parametrize("test", [-1, 6, 99])
def test_a_margin_of_no_test_is_refused(corpus: Corpus, test: int) -> None:
    with pytest.raises(UserError, match="The recipe has no test"):
        margin(corpus, Selection(), test)


def test_several_tests_of_one_rule_share_its_bit() -> None:
    recipe = Recipe("r", "zh", (Test("a", "x", "<", 1.0), Test("b", "x", ">", 9.0), Test("a", "y", ">", 1.0)),
                    near=Near("off"))
    columns = {"x": np.array([0.0, 5.0, 10.0]), "y": np.array([0.0, 2.0, 2.0])}
    found = as_docs(columns).execute(f"SELECT {moved_mask_sql(recipe, ((2, 1.5), (1, 8.0)), ())} FROM docs").fetchall()
    assert [row[0] for row in found] == [1, 1, 3]


@pytest.mark.parametrize("name", ["a", 'a"b', "a b", "a;--", "'", '"'])
def test_any_name_can_be_a_column(name: str) -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE docs AS SELECT 1.5 AS {quoted(name)}, 0::UINTEGER AS rule_fail")
    test = Test("r", name, ">", 1.0)
    assert connection.execute(f"SELECT {quoted(name)}, {condition(test, ())}, {mask_sql([test], ())} FROM docs"
                              ).fetchall()[0][1:] == (True, 1)

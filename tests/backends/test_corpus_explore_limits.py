"""What a person does with limits on the page: move one, look at the consequence, move it back, save the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.mdfg.explore import queries
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_recipe
from backends.mdfg.explore.pages import places
from backends.mdfg.explore.reader import read
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.recipes import dump_recipe, parse_recipe
from tests.backends.explore_cases import filtered


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.open(filtered(tmp_path_factory.mktemp("limits"), 200, seed=31))


def kept(corpus: Corpus, selection: Selection) -> set[int]:
    return set(places(corpus, Selection(show="kept", moved=selection.moved), limit=10_000))


@pytest.mark.parametrize(("index", "limit"), [(0, 120.0), (0, 420.0), (1, 60.0), (2, 0.95), (3, 5.0), (4, 0.0),
                                              (5, 0.0), (5, 0.9)])
def test_list_funnel_curve_and_reader_agree_on_a_moved_limit(corpus: Corpus, index: int, limit: float) -> None:
    now, then = Selection(), Selection().with_limit(index, limit)
    before, after = kept(corpus, now), kept(corpus, then)
    curve = queries.margin(corpus, then, index)
    assert curve.kept[curve.now] == len(after) == queries.tallied(corpus, then).kept
    back = queries.margin(corpus, now, index)
    at = back.limits.index(back.recipe_limit)
    assert back.kept[at] == len(before)
    original = curve.limits.index(curve.recipe_limit)
    assert curve.newly_kept[original] == len(before - after)
    assert curve.newly_dropped[original] == len(after - before)
    assert not (before - after and after - before), "one limit moves documents one way"
    for place in sorted(before ^ after)[:5]:
        was, found = read(corpus, place, now), read(corpus, place, then)
        assert was.kept != found.kept
        changed = [one for one, other in zip(found.judgements, was.judgements, strict=True) if one != other]
        assert [one.rule for one in changed] == [corpus.recipe.tests[index].rule]
        assert changed[0].moved
    assert kept(corpus, then.with_limit(index, None)) == before


def test_the_saved_recipe_is_the_moved_one_and_moves_no_further(corpus: Corpus) -> None:
    then = Selection().with_limit(0, 333.0).with_limit(5, 0.125)
    saved = parse_recipe(dump_recipe(moved_recipe(corpus.recipe, then.moved, "mine")))
    assert [test.limit for test in saved.tests] == [333.0, 10.0, 0.3, 0.0, 0.5, 0.125]
    assert saved.name == "mine"
    assert saved.hash == moved_recipe(corpus.recipe, then.moved).hash
    assert moved_recipe(saved, ()) == saved


def test_limits_at_their_own_place_change_nothing(corpus: Corpus) -> None:
    same = Selection(moved=tuple((i, test.limit) for i, test in enumerate(corpus.recipe.tests)))
    assert corpus.judged(same.moved) == "docs"
    assert queries.tallied(corpus, same) == queries.tallied(corpus, Selection())
    assert not any(one.moved for one in read(corpus, 0, same).judgements)


def test_a_stricter_limit_drops_more_everywhere(corpus: Corpus) -> None:
    part = Selection(spans=(Span("quality", 0.2, 0.8),))
    kept_at = [queries.tallied(corpus, part.with_limit(0, limit)).kept for limit in range(0, 700, 100)]
    assert kept_at == sorted(kept_at, reverse=True)
    assert kept_at[0] > kept_at[-1]
    curve = queries.margin(corpus, part, 0)
    assert list(curve.kept) == sorted(curve.kept, reverse=True)
    assert list(curve.dropped) == sorted(curve.dropped)
    assert curve.count.shown == queries.count(corpus, part).shown


def test_first_failures_move_with_the_limit_that_came_before(corpus: Corpus) -> None:
    free = Selection().with_limit(0, -1.0)
    before, after = queries.tallied(corpus, Selection()), queries.tallied(corpus, free)
    assert (after.first[0], after.every[0]) == (0, 0)
    assert before.every[1:] == after.every[1:], "what a rule finds does not depend on the others"
    assert sum(after.first[1:]) > sum(before.first[1:]), "but who is first does"
    assert after.kept == before.kept + before.only[0]


def test_two_people_move_limits_without_seeing_each_other(corpus: Corpus, tmp_path: Path) -> None:
    mine, yours = Selection(moved=((0, 50.0),)), Selection(moved=((0, 500.0),))
    first = kept(corpus, mine)
    assert kept(corpus, yours) < first
    assert kept(corpus, mine) == first
    assert mine.hash != yours.hash

"""Concepts from examples: the solver against scikit-learn, what is found on known topics, what is asked next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import concept as concepts
from backends.mdfg.explore.concept import Concept, ask_next, fit, learn, left_out, probabilities
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.search import find, highlights
from backends.mdfg.explore.semantic import Index, open_index
from tests.backends.explore_cases import filtered
from tests.backends.search_cases import TOPICS, index_of, topical
from workbench.contract import UserError

COUNT = 240


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return topical(COUNT, seed=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("concept")
    run = filtered(folder, records=records)
    index_of(run, folder / "index")
    made = Corpus.open(run, folder / "index")
    yield made
    made.close()


@pytest.fixture(scope="module")
def index(corpus: Corpus) -> Index:
    return open_index(corpus)


def of(records: list[dict[str, Any]], topic: str) -> tuple[int, ...]:
    return tuple(place for place, record in enumerate(records) if record["topic"] == topic)


def cloud(count: int, width: int, seed: int) -> tuple[Any, Any]:
    draw = np.random.Generator(np.random.PCG64(seed))
    rows = draw.standard_normal((count, width))
    signs = np.where(rows[:, 0] + 0.5 * draw.standard_normal(count) > 0.3, 1.0, -1.0)
    signs[:2] = (1.0, -1.0)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), signs


@pytest.mark.parametrize(("count", "width"), [(60, 5), (200, 20), (12, 30), (5, 128), (2, 8)])
@pytest.mark.parametrize("strength", [0.05, 1.0])
def test_the_weights_are_those_of_scikit_learn(count: int, width: int, strength: float) -> None:
    from sklearn.linear_model import LogisticRegression

    rows, signs = cloud(count, width, count)
    weights, bias = fit(rows, signs, strength)
    model = LogisticRegression(C=1 / strength, class_weight="balanced", tol=1e-10, max_iter=10_000).fit(rows, signs)
    assert weights == pytest.approx(model.coef_[0], abs=2e-3)
    assert bias == pytest.approx(float(model.intercept_[0]), abs=2e-3)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 40), width=st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_the_slope_of_the_loss_is_zero_where_the_solver_ends(seed: int, count: int, width: int) -> None:
    rows, signs = cloud(count, width, seed)
    weights, bias = fit(rows, signs, 0.05)
    worth = np.where(signs > 0, count / (2 * (signs > 0).sum()), count / (2 * (signs < 0).sum()))
    wrong = 1 / (1 + np.exp(signs * (rows @ weights + bias)))
    assert 0.05 * weights == pytest.approx(rows.T @ (worth * signs * wrong), abs=1e-3)
    assert float(np.sum(worth * signs * wrong)) == pytest.approx(0, abs=1e-3)


def test_a_rare_class_weighs_as_much_as_a_common_one() -> None:
    rows = np.vstack([np.eye(2)[:1], np.repeat(np.eye(2)[1:], 50, axis=0)])
    weights, bias = fit(rows, np.repeat([1.0, -1.0], [1, 50]))
    sides = 1 / (1 + np.exp(-(rows[[0, 1]] @ weights + bias)))
    assert sides[0] > 0.8 and sides[1] < 0.2


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_learned_from_three_examples_of_each_side(
        corpus: Corpus, records: list[dict[str, Any]], topic: str) -> None:
    mine = of(records, topic)
    rest = [place for place in range(COUNT) if place not in set(mine)]
    found = find(corpus, Query("concept", like=mine[:3], unlike=tuple(rest[:12])))
    right = set(found.places.tolist()) & set(mine)
    assert len(right) >= 0.9 * len(mine), topic
    assert len(right) >= 0.8 * len(found.places), topic
    assert found.scores.min() >= 0.5 and found.scores.max() <= 1
    assert "examples are right when left out" in found.note


def test_without_counter_examples_documents_of_the_corpus_stand_in_and_it_is_said(
        corpus: Corpus, records: list[dict[str, Any]]) -> None:
    mine = of(records, "高血压")
    found = find(corpus, Query("concept", like=mine[:4]))
    assert "stand in for counter-examples" in found.note
    assert set(found.places.tolist()) <= set(mine), "drawn ones hold the topic too, so less is found, not other things"
    assert find(corpus, Query("concept", like=mine[:4])).note == found.note, "the same ones are drawn again"


def test_a_text_is_one_more_example(index: Index, records: list[dict[str, Any]]) -> None:
    other = of(records, "概率")[:5]
    made = learn(index, Query("concept", "湖泊里的候鸟", unlike=other))
    assert len(made.rows) == 6 and made.signs.tolist() == [1.0] + [-1.0] * 5
    found = probabilities(index, made)
    assert found[list(of(records, "湖泊"))].mean() > found[list(of(records, "概率"))].mean() + 0.3


def test_more_likely_ones_only(corpus: Corpus, records: list[dict[str, Any]]) -> None:
    like, unlike = of(records, "茶树")[:3], of(records, "数据库")[:3]
    half = find(corpus, Query("concept", like=like, unlike=unlike))
    sure = find(corpus, Query("concept", like=like, unlike=unlike, least=0.9))
    assert set(sure.places) < set(half.places) and sure.scores.min() >= 0.9
    assert (np.diff(half.places) > 0).all()


def test_no_count_of_a_concept_is_cut_short(corpus: Corpus, records: list[dict[str, Any]],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.mdfg.explore import semantic

    query = Query("concept", like=of(records, "茶树")[:3], unlike=of(records, "数据库")[:3])
    before = len(find(corpus, query).places)
    monkeypatch.setattr(semantic, "MOST", 3)
    assert len(find(corpus, query).places) == before > 3


@pytest.mark.parametrize(("query", "said"), [
    (Query("concept", like=(1, 2), unlike=(2, 3)), "Document 2 is an example and a counter-example"),
    (Query("concept", like=(COUNT,), unlike=(1,)), f"no document {COUNT}"),
    (Query("concept", like=(1,), unlike=(10**9,)), "no document 1000000000"),
])
def test_examples_that_cannot_be_used(corpus: Corpus, query: Query, said: str) -> None:
    with pytest.raises(UserError, match=said):
        find(corpus, query)


def test_a_corpus_of_one_document_has_no_counter_examples(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = np.ones((1, 3), dtype=np.float16)
    with pytest.raises(UserError, match="0 counter-examples"):
        learn(Index(rows, None, {}), Query("concept", like=(0,)))  # type: ignore[arg-type]


def test_places_before_the_first_are_refused_by_the_query_itself() -> None:
    with pytest.raises(UserError, match="begin at 0"):
        Query("concept", like=(-1,))
    with pytest.raises(UserError, match="empty"):
        Query("concept", unlike=(3,))


def test_examples_left_out_tell_a_topic_from_a_mixture(index: Index, records: list[dict[str, Any]]) -> None:
    like, unlike = of(records, "茶树")[:5], of(records, "数据库")[:5]
    assert left_out(learn(index, Query("concept", like=like, unlike=unlike))) == (10, 10)
    mixed = Query("concept", like=(*like[:2], *unlike[:2]), unlike=(*like[2:4], *unlike[2:4]))
    right, tried = left_out(learn(index, mixed))
    assert tried == 8 and right <= 4
    assert left_out(learn(index, Query("concept", like=like[:1], unlike=unlike[:1]))) == (0, 0)
    alone, of_one = left_out(learn(index, Query("concept", like=like[:1], unlike=unlike)))
    assert of_one == 5 and alone >= 4, "the only example of a side cannot be left out"


def test_of_many_examples_fifty_are_tried_over_both_sides(index: Index, records: list[dict[str, Any]]) -> None:
    made = learn(index, Query("concept", like=tuple(range(0, 100)), unlike=tuple(range(100, 200))))
    assert left_out(made)[1] == concepts.TRIED


def test_what_is_asked_next_is_uncertain_new_and_not_twice_the_same(
        index: Index, records: list[dict[str, Any]]) -> None:
    query = Query("concept", like=of(records, "湖泊")[:3], unlike=of(records, "茶树")[:3])
    made = learn(index, query)
    known = (*query.like, *query.unlike)
    asked = ask_next(index, made, known, 8)
    assert len(asked) == 8
    places = [ask.place for ask in asked]
    assert not set(places) & set(known) and len(set(places)) == 8
    doubt = [abs(ask.probability - 0.5) for ask in asked]
    assert doubt == sorted(doubt) and doubt[0] < 0.1
    rows = index.of(places)
    assert (rows @ rows.T - np.eye(8)).max() <= concepts.ALIKE + 1e-3
    every = probabilities(index, made)
    assert [ask.probability for ask in asked] == pytest.approx(every[places].tolist())


def test_asking_helps_more_than_any_documents(index: Index, records: list[dict[str, Any]]) -> None:
    """Twelve answers to what is asked next find a topic at least as well as twelve answers to the first documents."""
    topic = "租房纠纷"
    gold = np.zeros(COUNT, dtype=bool)
    gold[list(of(records, topic))] = True

    def taught(asked: bool) -> float:
        like, unlike = list(of(records, topic)[:1]), [int(np.flatnonzero(~gold)[0])]
        for _ in range(3):
            made = learn(index, Query("concept", like=tuple(like), unlike=tuple(unlike)))
            new = [ask.place for ask in ask_next(index, made, (*like, *unlike), 4)] if asked else [
                place for place in range(COUNT) if place not in {*like, *unlike}][:4]
            like += [place for place in new if gold[place]]
            unlike += [place for place in new if not gold[place]]
        made = learn(index, Query("concept", like=tuple(like), unlike=tuple(unlike)))
        found = probabilities(index, made) >= 0.5
        return float(2 * (found & gold).sum() / (found.sum() + gold.sum()))

    assert taught(True) >= taught(False) - 0.02
    assert taught(True) > 0.9


def test_documents_without_a_vector_are_never_asked_about() -> None:
    rows = np.vstack([np.eye(4), np.zeros((3, 4))]).astype(np.float16)
    made = Concept(np.asarray([1.0, -1.0, 0, 0]), 0.0, np.eye(4)[:2], np.asarray([1.0, -1.0]), 0)
    index = Index(rows, None, {})  # type: ignore[arg-type]
    assert [ask.place for ask in ask_next(index, made, (0, 1), 10)] == [2, 3]
    assert probabilities(index, made)[4:].tolist() == [0.5, 0.5, 0.5]


def test_the_sentences_of_a_concept_are_marked(corpus: Corpus, records: list[dict[str, Any]]) -> None:
    query = Query("concept", like=of(records, "高血压")[:4], unlike=of(records, "数据库")[:4])
    text = "每张表都要有主键，查询前先看执行计划。血压偏高的人要少吃盐，按时服药。索引不是越多越好。"
    spans = highlights(corpus, query, text)
    assert spans and text[slice(*spans[0])] == "血压偏高的人要少吃盐，按时服药。"
    assert all(text[begin:end] != "索引不是越多越好。" for begin, end in spans)


def test_very_large_scores_do_not_overflow() -> None:
    with np.errstate(over="raise"):
        found = concepts._sigmoid(np.asarray([-1e4, -40.0, 0.0, 40.0, 1e4]))
    assert found.tolist() == pytest.approx([0, 0, 0.5, 1, 1])

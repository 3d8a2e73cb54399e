"""Acceptance and agreement: golden values of published examples, weights by bins, intervals that hold what they say."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from backends.mdfg.explore.acceptance import acceptance
from backends.mdfg.explore.agreement import agreement, fleiss
from backends.mdfg.explore.shares import NOTHING, Counted, Share, covered, part_of, share, weighted
from backends.mdfg.metrics_binary import wilson
from tests.backends.label_cases import label, made, said_by, world
from workbench.contract import UserError

FLEISS_1971 = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0],
               [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]


@pytest.mark.parametrize(("hits", "count", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)])
def test_wilson_limits_are_those_of_newcombe_1998(hits: int, count: int, low: float, high: float) -> None:
    found = share(hits, count)
    assert math.isclose(found.low, low, abs_tol=5e-5) and math.isclose(found.high, high, abs_tol=5e-5)
    assert found.value == hits / count and found.documents == count


def test_a_share_of_nothing_is_unknown() -> None:
    assert share(0, 0) == Share(None, 0.0, 1.0, 0) == NOTHING
    assert weighted([Counted(50, 0, 0)]) == NOTHING and weighted([]) == NOTHING
    assert covered([]) == 0.0 and covered([Counted(30, 2, 1), Counted(10, 0, 0)]) == 0.75


def test_half_a_hit_lies_between_none_and_one() -> None:
    low, middle, high = (wilson(hits, 10) for hits in (4, 4.5, 5))
    assert low[0] < middle[0] < high[0] and low[1] < middle[1] < high[1]
    with pytest.raises(UserError, match="between 0 and the count"):
        wilson(10.5, 10)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 500), st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_weighted_share_lies_in_its_interval(rows) -> None:
    bins = [Counted(max(of, n), n, round(part * n)) for of, n, part in rows]
    found = weighted(bins)
    total = sum(one.of for one in bins)
    assert found.value is not None
    assert math.isclose(found.value, sum(one.of * one.hits / one.labelled for one in bins) / total, abs_tol=1e-9)
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1
    assert found.documents == sum(one.labelled for one in bins)


def test_one_bin_in_a_large_corpus_is_plain_wilson() -> None:
    found, plain = weighted([Counted(10**9, 40, 30)]), share(30, 40)
    assert math.isclose(found.low, plain.low, abs_tol=1e-6) and math.isclose(found.high, plain.high, abs_tol=1e-6)


def test_nothing_is_left_to_chance_when_all_is_labelled() -> None:
    found = weighted([Counted(10, 10, 7), Counted(1, 1, 1)])
    assert found.value == found.low == found.high == 8 / 11


def test_bins_weigh_by_their_documents_not_by_their_labels() -> None:
    found = weighted([Counted(9000, 10, 1), Counted(1000, 90, 90)])
    assert math.isclose(found.value or 0, 0.19) and found.low < 0.19 < found.high


def test_a_part_of_two_parts() -> None:
    found = part_of(share(8, 10), 1000, share(1, 10), 1000)
    assert math.isclose(found.value or 0, 800 / 900) and 0 < found.low < 800 / 900 < found.high <= 1
    assert part_of(NOTHING, 10, share(1, 2), 10) == NOTHING == part_of(share(1, 2), 10, NOTHING, 10)
    none = part_of(share(0, 5), 10, share(0, 5), 10)
    assert none.value is None and none.documents == 10
    alone = part_of(Share(1.0, 1.0, 1.0, 5), 10, Share(0.0, 0.0, 0.0, 5), 10)
    assert (alone.value, alone.low, alone.high) == (1.0, 1.0, 1.0)


def test_acceptance_by_hand() -> None:
    population = made([0.05, 0.06, 0.15, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0, 0.94])
    said = dict.fromkeys(range(3), "bad") | dict.fromkeys(range(3, 10), "good")
    given_ = [label(0, "bad"), label(0, "good", "bob"), label(1, "bad"), label(3), label(4), label(5, "bad"),
              label(6, "unsure"), label(7, drawn="chosen")]
    found = acceptance(population, given_, said)
    rows = {round(one.low, 1): one for one in found.bins}
    assert len(found.bins) == 10 and rows[0.0].of == 2 and rows[0.9].of == 7 and rows[0.1].accepted == NOTHING
    assert rows[0.0].accepted.value == 0.75, "one of two annotators accepts document 0"
    assert rows[0.0].accepted.documents == 2, "two opinions on one document are not two documents"
    assert rows[0.9].accepted.value == 2 / 3
    assert math.isclose(found.sample.value or 0, (0.5 + 1 + 1 + 1 + 0) / 5)
    assert math.isclose(found.corpus.value or 0, (2 * 0.75 + 7 * 2 / 3) / 9) and math.isclose(found.covered, 0.9)
    assert found.judgements == 6 and dict(found.left_out) == {"chosen": 1, "unsure": 1}


def test_a_domain_is_accepted_when_it_is_among_those_a_person_gives() -> None:
    population = made([0.9, 0.9, 0.9], "domain")
    given_ = [label(0, "law|news", what="domain"), label(1, "news", what="domain"), label(2, "law", what="domain")]
    found = acceptance(population, given_, {0: "law", 1: "law"})
    assert found.sample.value == 0.5 and found.judgements == 2, "document 2 has no automatic label"


def test_documents_the_scorer_was_trained_on_do_not_count() -> None:
    population, truth = world(1, 500)
    said = dict.fromkeys(range(500), "good")
    labels = said_by(population, truth, 50, 0)
    some = {one.place for one in labels[:20]}
    found = acceptance(population, labels, said, without=some)
    assert found.judgements == 30 and found.left_out["training"] == 20


def test_acceptance_without_labels_is_unknown_not_zero() -> None:
    found = acceptance(made([0.1, 0.9]), [], {0: "bad"})
    assert found.sample == NOTHING == found.corpus and found.covered == 0.0 and found.judgements == 0


def test_weights_put_a_sample_of_rare_scores_right() -> None:
    inside = 0
    for seed in range(60):
        population, truth = world(seed, rare=True)
        labels = said_by(population, truth, 120, seed)
        said = {place: "good" if population.scores[place] >= 0.5 else "bad" for place in range(4000)}
        found = acceptance(population, labels, said)
        right = float(((population.scores >= 0.5) == truth).mean())
        inside += found.corpus.low <= right <= found.corpus.high
        assert abs((found.sample.value or 0) - right) > abs((found.corpus.value or 0) - right) - 0.02
    assert inside >= 50, "95 % intervals, 60 draws"


def test_fleiss_kappa_of_the_published_example() -> None:
    assert round(fleiss(np.array(FLEISS_1971)) or 0, 3) == 0.210
    assert fleiss(np.array([[3, 0], [0, 3], [3, 0]])) == 1.0
    assert fleiss(np.array([[4, 0], [2, 0]])) is None, "everybody always says the same: chance is 1"
    assert math.isclose(fleiss(np.array([[1, 1], [1, 1]])) or 0, -1.0)


@pytest.mark.parametrize("table", [[], [[1, 0]], [[2, 0], [1, 0]], np.zeros((0, 3))])
def test_documents_with_one_answer_cannot_be_compared(table) -> None:
    with pytest.raises(UserError, match="at least two answers"):
        fleiss(np.array(table))


def two_people(yes: int, only_a: int, only_b: int, no: int) -> list:
    rows = [("good", "good")] * yes + [("good", "bad")] * only_a + [("bad", "good")] * only_b + [("bad", "bad")] * no
    return [label(place, value, by) for place, row in enumerate(rows) for by, value in zip("ab", row, strict=True)]


@pytest.mark.parametrize(("counts", "value"), [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304),
                                               ((25, 35, 5, 35), 0.2593)])
def test_cohens_kappa_of_known_tables(counts, value: float) -> None:
    found = agreement(two_people(*counts))
    (pair,) = found.pairs
    assert round(pair.kappa or 0, 4) == value and pair.documents == sum(counts) == found.documents
    assert pair.agreed == (counts[0] + counts[3]) / sum(counts) and (pair.first, pair.second) == ("a", "b")
    assert found.interval is not None and found.interval[0] < (found.fleiss or 0) < found.interval[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz")), min_size=2, max_size=40))
def test_pairs_equal_scikit_learn(rows) -> None:
    labels = [label(place, value, by) for place, row in enumerate(rows) for by, value in zip("ab", row, strict=True)]
    (pair,) = agreement(labels).pairs
    if pair.kappa is None:
        assert {a for a, _ in rows} == {b for _, b in rows} and len({a for a, _ in rows}) == 1
    else:
        assert math.isclose(pair.kappa, cohen_kappa_score(*zip(*rows, strict=True)), abs_tol=1e-12)


def test_two_people_on_all_documents_give_scotts_pi() -> None:
    """Fleiss' kappa of two people is Scott's pi: chance from the mean of both persons' shares."""
    found = agreement(two_people(20, 5, 10, 15))
    good = (2 * 20 + 5 + 10) / 100
    chance = good**2 + (1 - good) ** 2
    assert math.isclose(found.fleiss or 0, (0.7 - chance) / (1 - chance))


def test_three_people_on_different_documents() -> None:
    given_ = [label(0, "good", "a"), label(0, "good", "b"), label(0, "bad", "c"), label(1, "bad", "a"),
              label(1, "bad", "b"), label(2, "good", "a"), label(3, "unsure", "a"), label(3, "good", "b")]
    found = agreement(given_)
    assert found.documents == 2 and found.unsure == 1 and found.answers == ("bad", "good")
    pairs = {(one.first, one.second): one for one in found.pairs}
    assert pairs[("a", "b")].documents == 2 and pairs[("a", "b")].kappa == 1.0
    assert pairs[("a", "c")].documents == 1 and pairs[("a", "c")].agreed == 0.0
    agreed, chance = (1 / 3 + 1) / 2, ((2 / 3 + 0) / 2) ** 2 + ((1 / 3 + 1) / 2) ** 2
    assert math.isclose(found.fleiss or 0, (agreed - chance) / (1 - chance))


def test_domains_agree_when_all_are_the_same() -> None:
    given_ = [label(0, "law|news", "a", "domain"), label(0, "news|law", "b", "domain"),
              label(1, "law", "a", "domain"), label(1, "law|news", "b", "domain")]
    found = agreement(given_)
    assert found.pairs[0].agreed == 0.5 and found.answers == ("law", "law|news")


def test_one_person_alone_agrees_with_nobody() -> None:
    found = agreement([label(0), label(1, "bad")])
    assert (found.pairs, found.documents, found.fleiss, found.interval) == ((), 0, None, None)
    assert agreement([]).answers == () and agreement([label(0), label(0, by="bob")]).fleiss is None


def test_careless_people_agree_less() -> None:
    population, truth = world(3, 300)
    draw = random.Random(0)
    wrong = {place for place in range(300) if draw.random() < 0.3}
    careful = said_by(population, truth, 150, 0, by="a")
    good = agreement(careful + said_by(population, truth, 150, 0, by="b", errs=lambda place: place % 20 == 0))
    poor = agreement(careful + said_by(population, truth, 150, 0, by="b", errs=wrong.__contains__))
    assert (good.fleiss or 0) > 0.8 > 0.6 > (poor.fleiss or 0) and poor.documents == 150

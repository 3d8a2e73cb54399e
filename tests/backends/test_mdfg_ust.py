"""Self-training: the sampler by hand, schemes, weights, disjoint sets, and that it learns from a crawl."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest
import torch

from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.fit import SMALL_2, predict
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.ust import bald, confidence, draw, easiness, entropy, pseudo_labels
from backends.mdfg.ust_fit import UstPlan, _batch, disjoint, self_train, text_key
from workbench.contract import UserError

SCORES = np.array([[0.9, 0.95, 0.92], [0.1, 0.1, 0.1], [0.5, 0.5, 0.5], [0.05, 0.95, 0.9], [0.2, 0.15, 0.6]])


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_pseudo_labels_by_hand() -> None:
    found = pseudo_labels(SCORES, 0.2, 0.5)
    every = sorted(SCORES.ravel().tolist(), reverse=True)
    assert found.above == every[3] == 0.9 and found.below == every[7] == 0.5
    assert found.positive.tolist() == [0], "text 3 has one score above .9 and one at it: no majority"
    assert found.negative.tolist() == [1, 4] and 2 not in found.negative, "a text can be in neither"


def test_classes_never_overlap() -> None:
    for seed in range(20):
        scores = np.random.default_rng(seed).random((50, 3))
        found = pseudo_labels(scores, 0.3, 0.4)
        assert not set(found.positive) & set(found.negative)


@pytest.mark.parametrize(("positive", "negative"), [(0, 0.5), (0.6, 0.5), (0.2, 1)])
def test_ratios_out_of_order_are_refused(positive: float, negative: float) -> None:
    with pytest.raises(UserError, match="positive_ratio"):
        pseudo_labels(SCORES, positive, negative)


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.zeros(3), np.array([[1.5]]), np.array([[math.nan]])])
def test_scores_that_are_none_are_refused(bad) -> None:
    with pytest.raises(UserError):
        bald(bad)


def test_bald_is_0_where_passes_agree_and_largest_where_they_differ() -> None:
    found = bald(SCORES)
    assert np.allclose(found[[1, 2]], 0) and found.argmax() == 3
    p = SCORES[3]
    h = lambda x: -x * math.log(x) - (1 - x) * math.log(1 - x)  # noqa: E731
    assert math.isclose(found[3], h(p.mean()) - sum(map(h, p)) / 3, rel_tol=1e-9)
    assert entropy(np.array([0.0, 1.0])).max() < 1e-7
    easy = easiness(SCORES)
    assert easy[3] == 0 and math.isclose(easy[1], 1) and len(easiness(SCORES[[1, 2]])) == 2


def test_confidence_is_minus_the_log_of_the_variance() -> None:
    found = confidence(SCORES, 2.0)
    assert math.isclose(found[1], -2 * math.log(1e-10)) and found.argmin() == 3
    assert math.isclose(found[0], -2 * math.log(SCORES[0].var() + 1e-10))


def test_easy_texts_are_drawn_more_often_and_none_twice_while_there_are_enough() -> None:
    easy = np.array([1.0, 0.5, 0.0, 1.0])
    counts = np.zeros(4)
    generator = random.Random(0)
    for _ in range(600):
        counts[draw(np.array([0, 1, 2]), easy, 1, generator)] += 1
    assert counts[3] == 0 and counts[2] < 5 and 1.6 < counts[0] / counts[1] < 2.5
    assert sorted(draw(np.array([0, 1, 2]), easy, 3, generator)) == [0, 1, 2]
    assert len(draw(np.array([0, 1]), easy, 5, generator)) == 5
    with pytest.raises(UserError, match="No text"):
        draw(np.zeros(0, dtype=np.int64), easy, 1, generator)


@pytest.mark.parametrize(("scheme", "crawl", "curated"), [("ust", 4, 0), ("paradigm", 0, 4), ("ust_paradigm", 2, 2)])
def test_every_scheme_takes_its_positives_where_it_says(scheme: str, crawl: int, curated: int) -> None:
    plan = UstPlan(scheme=scheme, paradigm_ratio=0.5)
    texts, sure = [f"t{i}" for i in range(8)], np.arange(1.0, 9.0)
    words, labels, weights = _batch(texts, ["c0", "c1"], np.array([4, 5, 6, 7]), np.array([0, 1, 2, 3]), sure, plan,
                                    random.Random(0))
    assert words[:4] == ["t0", "t1", "t2", "t3"] and labels == [0.0] * 4 + [1.0] * 4
    assert sum(w.startswith("c") for w in words) == curated and sum(w in texts[4:] for w in words) == crawl
    assert math.isclose(sum(weights) / 8, 1), "scaled to mean 1"
    if scheme == "paradigm":
        raw = _batch(texts, ["c"], np.array([], dtype=int), np.array([0, 1, 2, 3]), sure,
                     dataclasses.replace(plan, scale_confidence=False), random.Random(0))[2]
        assert raw == [1, 2, 3, 4, 2.5, 2.5, 2.5, 2.5], "curated texts get the mean confidence"


def test_a_pool_that_shares_a_text_with_the_test_set_is_refused() -> None:
    assert text_key("A b\n") == text_key("ab") != text_key("ac")
    with pytest.raises(UserError, match="1 of 2 texts of the pool"):
        disjoint(["Some text", "x"], ["sometext "])
    network = BertEval(NgramEncoder(Grams(1, 2, 8), 4))
    with pytest.raises(UserError, match="also in the test set"):
        self_train(network, ["a"], ["b"], UstPlan(), random.Random(0), test=["A"])
    with pytest.raises(UserError, match="needs curated texts"):
        self_train(network, ["a"], [], UstPlan(), random.Random(0))


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"passes": 1}, {"size": 1}])
def test_impossible_plans_are_refused(bad) -> None:
    with pytest.raises(UserError, match="at least"):
        UstPlan(**bad)


def test_self_training_learns_from_the_crawl_and_reports_purity() -> None:
    generator = random.Random(0)
    good = ["".join(generator.choices("文字书写学习", k=12)) for _ in range(120)]
    bad = ["".join(generator.choices("qzxjvk|>", k=12)) for _ in range(120)]
    source = torch.Generator().manual_seed(0)
    network = BertEval(NgramEncoder(Grams(1, 2, 10), 8, 0.2, source), generator=source)
    from backends.mdfg.bert_eval.fit import Plan, fit

    fit(network, good[:20] + bad[:20], [1] * 20 + [0] * 20, Plan(12, 16, 5e-3), generator)
    before = predict(network, bad[100:]).mean()
    plan = UstPlan(2, 160, 3, 0.2, 0.5, 80, fit=dataclasses.replace(SMALL_2, learning_rate=5e-3))
    seen: list[int] = []
    rounds = self_train(network, good[20:100] + bad[20:100], good[:20], plan, generator,
                        truth=np.array([True] * 80 + [False] * 80), test=bad[100:],
                        report=lambda done: seen.append(done.number))
    assert seen == [1, 2] and rounds[-1].negative_purity == 1.0
    assert predict(network, bad[100:]).mean() < before < predict(network, good[100:]).mean()

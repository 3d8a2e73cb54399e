"""Calibration and figures against independent references: scikit-learn, scipy, slow loops, and arithmetic by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backends.mdfg.metrics_binary import (
    at_threshold,
    auc,
    average_precision,
    kappa,
    precision_at,
    precision_at_prevalence,
    ranks,
    spearman,
    wilson,
)
from backends.mdfg.metrics_domain import domain_figures, read_gold, read_official
from backends.mdfg.metrics_functional import Case, functional_table
from backends.mdfg.scorers.calibration import COLDEST, HOTTEST, expected_error, platt, sigmoid, softmax, temperature
from workbench.contract import UserError

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=40)


def slow_auc(scores: Sequence[float], truth: Sequence[bool]) -> float | None:
    pairs = [(a > b) + (a == b) / 2 for a, x in zip(scores, truth, strict=True) if x
             for b, y in zip(scores, truth, strict=True) if not y]
    return sum(pairs) / len(pairs) if pairs else None


def slow_error(probabilities: Sequence[float], truth: Sequence[bool], bins: int) -> float:
    total = 0.0
    for place in range(bins):
        low, high = place / bins, (place + 1) / bins
        inside = [(p, t) for p, t in zip(probabilities, truth, strict=True)
                  if low <= p < high or (place == bins - 1 and p == 1)]
        if inside:
            said, found = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            total += len(inside) / len(probabilities) * abs(said - found)
    return total


# calibration


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.0), (2.0, -1.0), (1.0, 2.0)])
def test_platts_line_is_the_one_that_made_the_labels(seed: int, a: float, b: float) -> None:
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 2, 6000)
    truth = draw.random(6000) < sigmoid(a * logits + b)
    found = platt(logits, truth)
    assert found[0] == pytest.approx(a, abs=0.15) and found[1] == pytest.approx(b, abs=0.2)


def test_platts_line_is_the_least_of_the_log_loss() -> None:
    from scipy.optimize import minimize

    draw = np.random.default_rng(4)
    logits = draw.normal(0, 1, 300)
    truth = draw.random(300) < sigmoid(1.3 * logits - 0.4)
    ones, zeros = truth.sum(), (~truth).sum()
    target = np.where(truth, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def loss(line: np.ndarray) -> float:
        z = line[0] * logits + line[1]
        return float((np.logaddexp(0, z) - target * z).sum())
    best = minimize(loss, np.array([1.0, 0.0])).x
    assert platt(logits, truth) == pytest.approx(tuple(best), abs=2e-3)


def test_platt_on_separable_labels_stays_finite() -> None:
    logits = np.array([-3.0, -2.0, 2.0, 3.0])
    a, b = platt(logits, logits > 0)
    assert math.isfinite(a) and math.isfinite(b) and a > 0
    assert (sigmoid(a * logits + b) > 0.5).tolist() == [False, False, True, True]


@pytest.mark.parametrize("truth", [[True, True], [False, False]])
def test_platt_needs_both_classes(truth: list[bool]) -> None:
    with pytest.raises(UserError, match="needs both"):
        platt(np.array([0.0, 1.0]), np.array(truth))


@pytest.mark.parametrize("heat", [0.2, 1.0, 4.0])
def test_temperature_undoes_the_heat(heat: float) -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 2, (4000, 4))
    cumulated = softmax(logits).cumsum(axis=1)
    truth = (draw.random((4000, 1)) > cumulated).sum(axis=1)
    assert temperature(logits * heat, truth) == pytest.approx(heat, rel=0.15)


def test_temperature_stays_between_its_limits() -> None:
    sure = np.array([[9.0, 0.0]] * 5)
    assert COLDEST <= temperature(sure, np.zeros(5, dtype=np.int64)) < 0.5, "always right: as sure as can be"
    assert temperature(sure, np.ones(5, dtype=np.int64)) == pytest.approx(HOTTEST, rel=0.01)
    with pytest.raises(UserError, match="no text"):
        temperature(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), bins=st.integers(1, 20))
def test_the_calibration_error_equals_its_definition(rows: list[tuple[float, bool]], bins: int) -> None:
    probabilities, truth = zip(*rows, strict=True)
    assume(all(abs(p * bins - round(p * bins)) > 1e-9 or p in (0, 1) for p in probabilities))
    assert expected_error(np.array(probabilities), np.array(truth), bins) == pytest.approx(
        slow_error(probabilities, truth, bins), abs=1e-9)


@pytest.mark.parametrize(("probabilities", "truth", "wanted"), [
    ([], [], 0.0), ([1.0], [True], 0.0), ([0.0], [True], 1.0), ([0.5, 0.5], [True, False], 0.0),
    ([0.9, 0.9], [True, False], 0.4), ([1.0, 0.0], [False, False], 0.5)])
def test_calibration_errors_by_hand(probabilities: list[float], truth: list[bool], wanted: float) -> None:
    assert expected_error(np.array(probabilities), np.array(truth, dtype=bool)) == pytest.approx(wanted)


@pytest.mark.parametrize("extreme", [-1e6, -800.0, 0.0, 800.0, 1e6])
def test_links_do_not_overflow(extreme: float) -> None:
    with np.errstate(all="raise"):
        assert 0 <= float(sigmoid(np.array([extreme]))[0]) <= 1
    assert softmax(np.array([[extreme, 0.0]])).sum() == pytest.approx(1)


# figures of yes and no


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_the_area_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    scores, truth = [a / 8 for a, _ in rows], [b for _, b in rows]
    found, slow = auc(scores, truth), slow_auc(scores, truth)
    assert found == slow if slow is None else found == pytest.approx(slow)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 8))
def test_figures_at_a_threshold_equal_scikit_learn(rows: list[tuple[int, bool]], limit: int) -> None:
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    scores, truth = [a / 8 for a, _ in rows], [b for _, b in rows]
    said = [score >= limit / 8 for score in scores]
    found = at_threshold(scores, truth, limit / 8)
    assert found.accuracy == pytest.approx(accuracy_score(truth, said))
    assert found.f1 == pytest.approx(f1_score(truth, said, zero_division=0))
    assert found.chosen == sum(said)
    assert found.precision is None if not any(said) else found.precision == pytest.approx(precision_score(truth, said))
    assert found.recall is None if not any(truth) else found.recall == pytest.approx(recall_score(truth, said))
    if any(truth) and not all(truth):
        assert found.macro_f1 == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))


@pytest.mark.parametrize(("true_rate", "false_rate", "prevalence", "wanted"), [
    (0.9, 0.1, 0.5, 0.9), (0.9, 0.1, 0.0001, 0.00009 / (0.00009 + 0.09999)), (1.0, 0.0, 0.001, 1.0),
    (0.0, 0.5, 0.3, 0.0), (0.8, 0.02, 0.01, 0.008 / (0.008 + 0.0198)), (0.5, 0.5, 0.2, 0.2)])
def test_precision_where_positives_are_rare(true_rate: float, false_rate: float, prevalence: float,
                                            wanted: float) -> None:
    assert precision_at_prevalence(true_rate, false_rate, prevalence) == pytest.approx(wanted, rel=2e-3)


def test_nothing_chosen_has_no_precision() -> None:
    assert precision_at_prevalence(0.0, 0.0, 0.5) is None
    assert precision_at_prevalence(1.0, 0.3, 0.0) == 0


def test_the_corrected_precision_is_that_of_a_corpus_made_so() -> None:
    """Ten thousand texts of which one in a hundred is positive: counted there, and predicted from a balanced set."""
    draw = np.random.default_rng(2)

    def scores(truth: np.ndarray) -> np.ndarray:
        return np.asarray(sigmoid(draw.normal(np.where(truth, 1.0, -1.0), 1.0)))
    balanced = np.arange(40_000) % 2 == 0
    corpus = np.arange(200_000) % 100 == 0
    predicted = at_threshold(scores(balanced), balanced, 0.7, 0.01).corrected
    counted = at_threshold(scores(corpus), corpus, 0.7).precision
    assert predicted == pytest.approx(counted, abs=0.02)
    assert (at_threshold(scores(balanced), balanced, 0.7).precision or 0) > 3 * (counted or 1)


@pytest.mark.parametrize("bad", [(-0.1, 0.5, 0.5), (0.5, 1.1, 0.5), (0.5, 0.5, 2.0)])
def test_rates_outside_0_to_1_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        precision_at_prevalence(*bad)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_ranks_and_their_correlation_equal_scipy(values: list[int], draw: random.Random) -> None:
    from scipy.stats import rankdata, spearmanr

    other = [draw.randint(0, 5) for _ in values]
    assert ranks(values).tolist() == rankdata(values).tolist()
    found = spearman(values, other)
    if len(set(values)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(float(spearmanr(values, other).statistic), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_agreement_of_two_raters_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = zip(*pairs, strict=True)
    if len({*first, *second}) == 1:
        assert kappa(first, second) is None, "one label only: chance agreement is 1"
    else:
        assert kappa(first, second) == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


@pytest.mark.parametrize(("hits", "count", "low", "high"), [
    (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)])
def test_wilsons_interval_by_published_values(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-4)


def test_wilsons_interval_covers_as_often_as_it_says() -> None:
    draw = np.random.default_rng(5)
    inside = 0
    for _ in range(2000):
        low, high = wilson(int(draw.binomial(60, 0.3)), 60)
        inside += low <= 0.3 <= high
    assert 0.92 < inside / 2000 < 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_precision_of_the_best_does_not_depend_on_the_order_of_ties(count: int) -> None:
    scores, truth = [0.9, 0.5, 0.5, 0.5, 0.1], [True, True, False, False, True]
    found = {round(precision_at([scores[i] for i in order], [truth[i] for i in order], count), 12)
             for order in ([0, 1, 2, 3, 4], [3, 2, 1, 0, 4], [4, 0, 3, 1, 2])}
    assert len(found) == 1


def test_average_precision_of_a_perfect_and_a_reversed_ranking() -> None:
    truth = [True] * 5 + [False] * 5
    assert average_precision(np.linspace(1, 0, 10), truth) == pytest.approx(1.0)
    assert average_precision(np.linspace(0, 1, 10), truth) == pytest.approx(sum(k / (k + 5) for k in range(1, 6)) / 5)
    assert average_precision([0.5] * 10, truth) == pytest.approx(0.5), "no ranking: the share of positives"


# figures of several labels


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("abcd"), min_size=1)),
                min_size=1, max_size=25))
def test_domain_figures_equal_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score
    from sklearn.preprocessing import MultiLabelBinarizer

    said, gold = [a for a, _ in pairs], [b for _, b in pairs]
    table = MultiLabelBinarizer(classes=list("abcd"))
    ours, right = table.fit_transform(said), table.fit_transform(gold)
    found = domain_figures(said, gold)
    assert found.precision == pytest.approx(precision_score(right, ours, average="samples", zero_division=0))
    assert found.recall == pytest.approx(recall_score(right, ours, average="samples", zero_division=0))
    assert found.micro_f1 == pytest.approx(f1_score(right, ours, average="micro", zero_division=0))
    assert found.subset_accuracy == pytest.approx((ours == right).all(axis=1).mean())
    used = [label for label in "abcd" if any(label in a | b for a, b in pairs)]
    assert [one.label for one in found.labels] == used
    assert found.macro_f1 == pytest.approx(sum(one.f1 for one in found.labels) / len(used))
    assert sum(one.gold for one in found.labels) == sum(map(len, gold))


def test_a_document_without_an_answer_counts_as_zero() -> None:
    found = domain_figures([(), ("a",)], [("a",), ("a",)])
    assert (found.precision, found.recall, found.micro_precision) == (0.5, 0.5, 1.0)


def test_official_files_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "gold.txt").write_text("__label__news __label__law 法院 判决\n\n__label__book 小说\n", encoding="utf-8")
    assert read_gold(tmp_path / "gold.txt") == (["法院 判决", "小说"], [("news", "law"), ("book",)])
    (tmp_path / "said.json").write_text('[{"label_top1": ["__label__law"], "label_multi": []}]')
    assert read_official(tmp_path / "said.json") == ([("law",)], [()])


class Shouting:
    """Finds texts with an exclamation mark hateful."""

    name, outputs, version = "shouting", ("score",), "0" * 16

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[float("!" in text)] for text in texts], dtype=np.float32)


def test_the_functional_table_by_hand() -> None:
    cases = [Case("plain", "I hate!", True), Case("plain", "I hate", True), Case("negated", "no hate!", False),
             Case("calm", "hello", False), Case("calm", "hi", False)]
    table = functional_table(Shouting(), cases)
    assert (table[0].name, table[0].cases, table[0].hateful, table[0].wrong) == ("negated", 1, 0, ("no hate!",))
    assert {row.name: row.accuracy for row in table} == {"negated": 0.0, "plain": 0.5, "calm": 1.0}
    with pytest.raises(UserError, match="no functional case"):
        functional_table(Shouting(), [])

"""Strategy agreement, preference and bias: the published fixture to five digits, hand values, oracles, and guards."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.metrics import accuracy_score, f1_score

from backends.sweetiechat.metrics.preference import preference, preference_bias
from backends.sweetiechat.metrics.strategy import accuracy, agreement, f1_each, macro_f1, table, weighted_f1
from tests.backends.quality_cases import kang
from workbench.contract import UserError

ABC = ("a", "b", "c")
KANG = ("question", "restatement or paraphrasing", "reflection of feelings", "self-disclosure",
        "affirmation and reassurance", "providing suggestions", "information", "others")


def test_the_table_counts_predicted_by_gold() -> None:
    w = table(["a", "b", "b", "c"], ["a", "a", "b", "a"], ABC)
    assert w.tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 0]]


def test_agreement_by_hand() -> None:
    found = agreement(["a", "a", "a", "b"], ["a", "a", "b", "b"], ABC)
    assert found.turns == 4 and found.accuracy == 0.75
    assert [s.f1 for s in found.strategies] == pytest.approx([4 / 5, 2 / 3, 0])
    assert [s.precision for s in found.strategies] == pytest.approx([1, 1 / 2, 0])
    assert [s.recall for s in found.strategies] == pytest.approx([2 / 3, 1, 0])
    assert [(s.gold, s.predicted) for s in found.strategies] == [(3, 2), (1, 2), (0, 0)]
    assert found.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 3), "the absent class counts 0 and is not left out"
    assert found.weighted_f1 == pytest.approx((3 * 4 / 5 + 2 / 3) / 4)


@pytest.mark.parametrize(("gold", "predicted", "warning"), [
    (["a", "b"], ["a", "b"], "c is neither gold nor predicted; its F1 counts as 0"),
    (["a", "b"], ["a", "c"], "c is never gold; its F1 counts as 0")])
def test_an_absent_class_gives_a_warning(gold: list, predicted: list, warning: str) -> None:
    assert warning in agreement(gold, predicted, ABC).warnings


@pytest.mark.parametrize(("gold", "predicted", "declared", "message"), [
    (["a"], [], ABC, "1 gold and 0 predicted"),
    (["a", "Questions"], ["a", "a"], ABC, "'Questions' is not among the declared strategies a, b, c"),
    (["a"], ["Other"], ABC, "'Other' is not among"),
    (["a"], ["a"], ("a", "a"), "exactly once"),
    ([], [], (), "The strategies are none"),
    ([], [], ABC, "no turn with a gold"),
])
def test_bad_labels_are_refused(gold: list, predicted: list, declared: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        agreement(gold, predicted, declared)


labels = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40)


@given(labels)
def test_f1_and_accuracy_equal_scikit_learn(rows: list) -> None:
    gold, predicted = [g for g, _ in rows], [p for _, p in rows]
    w = table(gold, predicted, "abcd")
    options = {"labels": list("abcd"), "zero_division": 0}
    assert accuracy(w) == pytest.approx(accuracy_score(gold, predicted))
    assert macro_f1(w) == pytest.approx(f1_score(gold, predicted, average="macro", **options))
    assert weighted_f1(w) == pytest.approx(f1_score(gold, predicted, average="weighted", **options))
    assert f1_each(w).tolist() == pytest.approx(f1_score(gold, predicted, average=None, **options).tolist())


@given(labels, st.randoms(use_true_random=False))
def test_neither_the_order_of_turns_nor_that_of_strategies_matters(rows: list, generator: random.Random) -> None:
    mixed, declared = list(rows), list("abcd")
    generator.shuffle(mixed)
    generator.shuffle(declared)
    first = agreement([g for g, _ in rows], [p for _, p in rows], "abcd")
    again = agreement([g for g, _ in mixed], [p for _, p in mixed], declared)
    assert again.macro_f1 == pytest.approx(first.macro_f1) and again.weighted_f1 == pytest.approx(first.weighted_f1)
    assert {(s.key, s.gold, s.f1) for s in first.strategies} == {(s.key, s.gold, s.f1) for s in again.strategies}
    assert 0 <= first.macro_f1 <= 1 and 0 <= first.weighted_f1 <= 1 and 0 <= first.accuracy <= 1


def test_the_published_file_to_five_digits(shared: Path) -> None:
    """Reference output of the authors' metrics.py on their results.json."""
    samples = kang(shared)
    found = agreement([s["strg_gold"].lower() for s in samples], [s["strg_pred"].lower() for s in samples], KANG)
    assert found.turns == 1611 and found.warnings == ()
    assert round(found.macro_f1, 5) == 0.21890
    assert round(found.weighted_f1, 5) == 0.22498
    assert round(found.bias, 5) == 0.76658
    assert round(found.accuracy, 5) == 0.24457
    assert [round(s.preference, 4) for s in found.strategies] == [
        0.6322, 0.3102, 1.0206, 0.4792, 2.5360, 1.9146, 0.2188, 0.8884]


# --- preference -------------------------------------------------------------------------------------------------


def plain_sweeps(w: np.ndarray, sweeps: int = 20) -> np.ndarray:
    """The published formula word for word, without any guard."""
    size = len(w)
    p = np.ones(size)
    for _ in range(sweeps):
        for i in range(size):
            others = [j for j in range(size) if j != i]
            won = sum(w[i, j] * p[j] / (p[i] + p[j]) for j in others)
            lost = sum(w[j, i] / (p[i] + p[j]) for j in others)
            p[i] = won / lost
        p = p / np.exp(np.log(p[p > 0]).mean())
    return p * size / p.sum()


dense = st.integers(2, 6).flatmap(lambda n: st.lists(st.integers(1, 30), min_size=n * n, max_size=n * n).map(
    lambda cells: np.array(cells).reshape(n, n)))
sparse = st.integers(1, 5).flatmap(lambda n: st.lists(st.sampled_from([0, 0, 0, 1, 7]), min_size=n * n,
                                                      max_size=n * n).map(lambda cells: np.array(cells).reshape(n, n)))


@pytest.mark.parametrize(("w", "expected"), [
    ([[0, 3], [1, 0]], [1.5, 0.5]),
    ([[9, 2], [2, 9]], [1.0, 1.0]),
    ([[0, 6, 6], [2, 0, 4], [2, 4, 0]], [9 / 5, 3 / 5, 3 / 5]),
])
def test_preference_by_hand(w: list, expected: list) -> None:
    """Two strategies: p is the share of each other's errors. Three: a beats b and c three to one, b and c draw."""
    found = preference(np.array(w))
    assert found.values == pytest.approx(expected, abs=1e-6)
    assert found.bias == pytest.approx(np.std(expected), abs=1e-6)
    assert found.warnings == ()


@given(dense)
def test_without_a_need_for_the_guard_it_is_the_published_formula(w: np.ndarray) -> None:
    assert preference(w).values == pytest.approx(plain_sweeps(w).tolist())


@settings(max_examples=15)
@given(dense)
def test_it_is_the_maximum_of_the_bradley_terry_likelihood(w: np.ndarray) -> None:
    size = len(w)

    def loss(theta: np.ndarray) -> float:
        gap = theta[:, None] - theta[None, :]
        off = ~np.eye(size, dtype=bool)
        return float((w * np.log1p(np.exp(-gap)))[off].sum() + 1e-9 * (theta**2).sum())

    theta = minimize(loss, np.zeros(size), method="BFGS", options={"gtol": 1e-8}).x
    best = np.exp(theta) * size / np.exp(theta).sum()
    assert preference(w, sweeps=500).values == pytest.approx(best.tolist(), rel=2e-3, abs=2e-3)


@given(dense, st.integers(2, 9), st.randoms(use_true_random=False))
def test_scale_diagonal_and_order_do_not_matter(w: np.ndarray, factor: int, generator: random.Random) -> None:
    first = preference(w, sweeps=300)
    scaled = w * factor
    np.fill_diagonal(scaled, 0)
    assert preference(scaled, sweeps=300).values == pytest.approx(first.values, rel=1e-6)
    order = list(range(len(w)))
    generator.shuffle(order)
    turned = preference(w[np.ix_(order, order)], sweeps=300)
    assert turned.values == pytest.approx([first.values[i] for i in order], rel=1e-6)
    assert turned.bias == pytest.approx(first.bias, abs=1e-6)


@given(sparse)
def test_any_table_gives_finite_values_that_sum_to_their_number(w: np.ndarray) -> None:
    found = preference(w)
    assert all(np.isfinite(v) and v >= 0 for v in found.values) and np.isfinite(found.bias)
    assert sum(found.values) == pytest.approx(len(w))
    assert 0 <= found.bias <= np.sqrt(max(len(w) - 1, 0)) + 1e-9
    assert preference_bias(w) == found.bias


def test_a_strategy_that_is_never_confused_is_neutral_and_changes_nothing_else() -> None:
    alone = preference(np.array([[5, 3], [1, 4]]))
    beside = preference(np.array([[5, 3, 0], [1, 4, 0], [0, 0, 6]]), ["a", "b", "c"])
    assert beside.values == pytest.approx([*alone.values, 1.0])
    assert beside.warnings == ("c is never confused; its preference is taken as 1",)


def test_a_perfect_model_has_no_bias() -> None:
    found = preference(np.diag([3, 4, 5]))
    assert found.values == (1, 1, 1) and found.bias == 0 and len(found.warnings) == 3


def test_a_strategy_never_missed_is_over_used_but_finite() -> None:
    found = preference(np.array([[0, 4], [0, 9]]), ["a", "b"])
    assert found.values == pytest.approx([2 * 4 / 4.5, 2 * 0.5 / 4.5]), "half a lost game is added"
    assert found.warnings == ("a is predicted for other strategies and never missed; half a miss is assumed",)
    more = preference(np.array([[0, 40], [0, 9]]))
    assert 2 > more.values[0] > found.values[0], "more errors, more preference"


def test_a_strategy_never_used_wrongly_has_preference_zero() -> None:
    found = preference(np.array([[0, 2, 3], [3, 0, 2], [0, 0, 0]]))
    assert found.values[2] == 0 and sum(found.values) == pytest.approx(3) and found.warnings == ()


@pytest.mark.parametrize("w", [np.zeros((2, 3)), np.zeros(4), np.array([[0, -1], [1, 0]]), np.zeros((0, 0))])
def test_a_bad_table_is_refused(w: np.ndarray) -> None:
    with pytest.raises(UserError, match="must be square"):
        preference(w)


def test_the_table_that_was_passed_stays_as_it_was() -> None:
    w = np.array([[5, 4], [0, 9]])
    preference(w)
    assert w.tolist() == [[5, 4], [0, 9]]

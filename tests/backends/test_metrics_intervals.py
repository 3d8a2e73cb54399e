"""Bootstrap intervals: reproducible, right in known cases, equal to scipy's, paired, and honest about gaps."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap as scipy_bootstrap

from backends.sweetiechat.metrics.intervals import (
    Interval,
    bootstrap,
    bootstrap_sums,
    mean_of_sums,
    paired,
    paired_sums,
)
from backends.sweetiechat.metrics.strategy import macro_f1, table
from workbench.contract import UserError


def mean(values) -> float:
    return sum(values) / len(values)


def rows_of(values) -> np.ndarray:
    return np.array([[value, 1] for value in values], dtype=float)


def seed(number: int = 0) -> random.Random:
    return random.Random(number)


SAMPLE = [3.1, 0.4, 2.2, 5.0, 1.7, 2.9, 4.4, 0.9, 3.3, 2.5, 1.1, 3.8, 2.0, 4.9, 0.2, 3.0]


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    assert bootstrap(SAMPLE, mean, seed()) == bootstrap(SAMPLE, mean, seed())
    assert bootstrap(SAMPLE, mean, seed()) != bootstrap(SAMPLE, mean, seed(1))
    assert bootstrap_sums(rows_of(SAMPLE), mean_of_sums, seed()) == bootstrap_sums(
        rows_of(SAMPLE), mean_of_sums, seed())


@pytest.mark.parametrize("made", [lambda: bootstrap(SAMPLE, mean, seed(), 4000),
                                  lambda: bootstrap_sums(rows_of(SAMPLE), mean_of_sums, seed(), 4000)])
def test_it_is_scipys_percentile_interval(made) -> None:
    found = made()
    low, high = scipy_bootstrap((SAMPLE,), np.mean, n_resamples=20_000, method="percentile",
                                rng=np.random.default_rng(0)).confidence_interval
    assert found.value == pytest.approx(mean(SAMPLE))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))
    assert (found.level, found.resamples, found.dialogues, found.notes) == (0.95, 4000, 16, ())


def test_a_paired_difference_equals_scipys() -> None:
    other = [value + 0.3 + 0.1 * (i % 3) for i, value in enumerate(SAMPLE)]
    expected = scipy_bootstrap((other, SAMPLE), lambda b, a, axis: b.mean(axis) - a.mean(axis), paired=True,
                               n_resamples=20_000, method="percentile", rng=np.random.default_rng(0))
    for found in (paired(SAMPLE, other, mean, seed(), 4000),
                  paired_sums(rows_of(SAMPLE), rows_of(other), mean_of_sums, seed(), 4000)):
        assert found.value == pytest.approx(mean(other) - mean(SAMPLE))
        assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
        assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.01)
        assert found.excludes(0)


def test_pairing_takes_away_what_both_share() -> None:
    """The same dialogues differ much from each other and little between the systems: only pairing sees it."""
    other = [value + 0.05 for value in SAMPLE]
    found = paired(SAMPLE, other, mean, seed())
    assert found.low == pytest.approx(0.05) and found.high == pytest.approx(0.05)
    single = bootstrap(SAMPLE, mean, seed())
    assert single.high - single.low > 1


def test_a_system_does_not_differ_from_itself() -> None:
    found = paired_sums(rows_of(SAMPLE), rows_of(SAMPLE), mean_of_sums, seed())
    assert (found.value, found.low, found.high) == (0, 0, 0) and not found.excludes(0)


@pytest.mark.parametrize(("low", "high", "excluded"), [
    (0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.3, False), (None, None, False)])
def test_excludes(low: float | None, high: float | None, excluded: bool) -> None:
    assert Interval(0.1, low, high, 0.95, 100, 20).excludes() is excluded


def test_a_wider_level_gives_a_wider_interval() -> None:
    narrow, wide = (bootstrap(SAMPLE, mean, seed(), level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_turns_of_a_dialogue_are_drawn_together() -> None:
    """Ten copies of each value as turns of one dialogue tell no more than one: the interval must not shrink."""
    whole = np.array([[10 * value, 10] for value in SAMPLE])
    together = bootstrap_sums(whole, mean_of_sums, seed())
    apart = bootstrap_sums(rows_of([value for value in SAMPLE for _ in range(10)]), mean_of_sums, seed())
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_tables_of_strategies_add_up() -> None:
    dialogues = [table([g] * 3, [g, g, p], "ab") for g, p in ["ab", "ba", "aa", "bb"] * 5]
    found = bootstrap_sums(np.array(dialogues), macro_f1, seed(), 300)
    assert found.value == pytest.approx(macro_f1(sum(dialogues)))
    assert 0 < found.low < found.value < found.high < 1


@pytest.mark.parametrize(("count", "note"), [(1, "one dialogue has no interval"),
                                             (4, "only 4 dialogues: the interval is rough")])
def test_few_dialogues_are_said(count: int, note: str) -> None:
    found = bootstrap(SAMPLE[:count], mean, seed(), 50)
    assert found.notes == (note,)
    assert (found.low is None) == (count == 1)


def test_undefined_draws_are_left_out_and_counted() -> None:
    rows = np.array([[1.0, 1.0], *[[0.0, 0.0]] * 11])
    found = bootstrap_sums(rows, mean_of_sums, seed(), 200)
    assert found.value == found.low == found.high == 1
    assert "undefined in" in found.notes[0] and "of 200 draws" in found.notes[0]
    refused = bootstrap_sums(np.array([np.eye(2), *[np.zeros((2, 2))] * 11]), macro_f1, seed(), 200)
    assert refused.low == 1 and "left out" in refused.notes[0]
    never = bootstrap_sums(np.zeros((12, 2)), mean_of_sums, seed(), 20)
    assert math.isnan(never.value) and never.low is None and never.high is None


@pytest.mark.parametrize(("call", "message"), [
    (lambda: bootstrap([], mean, seed()), "no dialogue to draw from"),
    (lambda: bootstrap(SAMPLE, mean, seed(), 0), "resamples is 0"),
    (lambda: bootstrap(SAMPLE, mean, seed(), level=1), "level is 1"),
    (lambda: bootstrap_sums(np.zeros((0, 2)), mean_of_sums, seed()), "no dialogue"),
    (lambda: paired(SAMPLE, SAMPLE[:3], mean, seed()), "16 and 3 dialogues"),
    (lambda: paired_sums(rows_of(SAMPLE), rows_of(SAMPLE[:3]), mean_of_sums, seed()), "16 and 3 dialogues"),
])
def test_bad_requests_are_refused(call, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_a_statistic_that_fails_on_all_the_data_says_so() -> None:
    with pytest.raises(UserError, match="no turn with a gold"):
        bootstrap_sums(np.zeros((3, 2, 2)), macro_f1, seed(), 10)


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=15))
def test_an_interval_of_a_mean_stays_inside_the_data(values: list) -> None:
    found = bootstrap_sums(rows_of(values), mean_of_sums, seed(), 100)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(4)
    hits = 0
    for trial in range(200):
        found = bootstrap_sums(rows_of(draw.normal(1, 1, 40)), mean_of_sums, seed(trial), 200)
        hits += found.low <= 1 <= found.high
    assert 0.88 <= hits / 200 <= 0.99

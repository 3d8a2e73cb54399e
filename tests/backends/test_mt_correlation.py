"""Metric and people: intervals against slow ones, what has none, and what must hold for any figures."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backends.common.mt.correlation import (
    _kendall,
    _pearson,
    correlate,
    interval,
    over_segments,
    over_systems,
    segment_taus,
)
from backends.common.mt.human import Rating, Ratings

FEW = settings(max_examples=40, deadline=None)
FIGURES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=9)


def people(scores: dict[str, list[float]]) -> Ratings:
    return Ratings("DA", tuple(Rating(name, i, score, "p") for name, row in scores.items()
                               for i, score in enumerate(row)))


@FEW
@given(FIGURES)
def test_the_fast_figures_are_scipys(rows: list) -> None:
    xs, ys = (np.array(side, dtype=float) for side in zip(*rows, strict=True))
    if xs.std() == 0 or ys.std() == 0:
        return
    one, two = xs[None], ys[None]
    assert _pearson(one, two)[0] == pytest.approx(stats.pearsonr(xs, ys).statistic, abs=1e-9)
    assert _kendall(one, two)[0] == pytest.approx(stats.kendalltau(xs, ys).statistic, abs=1e-9)
    ranked = [stats.rankdata(values, axis=1) for values in (one, two)]
    assert _pearson(*ranked)[0] == pytest.approx(stats.spearmanr(xs, ys).statistic, abs=1e-9)


def test_intervals_over_systems_are_those_of_a_slow_bootstrap() -> None:
    generator = np.random.default_rng(4)
    xs = generator.normal(size=12)
    ys = xs + generator.normal(size=12)
    found = over_systems(xs, ys, seed=7, draws=300)
    places = np.random.default_rng(7).integers(12, size=(300, 12))
    for name, figure in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        drawn = [figure(xs[row], ys[row]).statistic for row in places]
        assert found[name] == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-9)
        assert found[name][0] < figure(xs, ys).statistic < found[name][1]


def test_intervals_over_segments() -> None:
    generator = random.Random(1)
    taus = [generator.uniform(-1, 1) for _ in range(200)]
    low, high = over_segments(taus)["segment_tau"]
    assert low < statistics.fmean(taus) < high
    half = 1.96 * statistics.stdev(taus) / 200**0.5
    assert high - low == pytest.approx(2 * half, rel=0.15), "as wide as the normal approximation says"
    assert over_segments(taus) == over_segments(taus) != over_segments(taus, seed=2)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_with_few_systems_there_is_no_interval(count: int) -> None:
    assert over_systems(np.arange(count, dtype=float), np.arange(count, dtype=float)) == {}


def test_draws_without_a_spread_are_left_out() -> None:
    found = over_systems(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert all(np.isfinite(value) for pair in found.values() for value in pair)
    assert over_systems(np.zeros(5), np.arange(5.0)) == {}
    assert over_segments([]) == {} and over_segments([0.5]) == {}


def test_more_systems_make_it_narrower() -> None:
    generator = np.random.default_rng(0)
    xs = generator.normal(size=80)
    ys = xs + generator.normal(size=80)
    few, many = over_systems(xs[:10], ys[:10]), over_systems(xs, ys)
    for name in ("pearson", "spearman", "kendall"):
        assert few[name][1] - few[name][0] > 2 * (many[name][1] - many[name][0])


def test_a_correlation_carries_its_intervals_and_turns_them_for_ter() -> None:
    scores = {"A": [90.0, 80.0, 85.0], "B": [70.0, 75.0, 60.0], "C": [50.0, 65.0, 40.0], "D": [30.0, 20.0, 45.0],
              "E": [10.0, 5.0, 15.0]}
    corpus = {name: statistics.fmean(row) for name, row in scores.items()}
    each = {name: np.array(row) for name, row in scores.items()}
    up = correlate("bleu", corpus, each, people(scores), value="mean")
    down = correlate("ter", {k: -v for k, v in corpus.items()}, {k: -v for k, v in each.items()}, people(scores), -1.0,
                     "mean")
    assert set(up.intervals) == {"pearson", "spearman", "kendall", "segment_tau"}
    assert up.intervals == down.intervals and up.pearson == down.pearson == pytest.approx(1)
    assert up.intervals["segment_tau"] == pytest.approx((1, 1)) and up.segments == 3
    assert [point[1] for point in down.points] == [-v for v in corpus.values()], "points are as they were measured"
    three = correlate("bleu", {k: corpus[k] for k in "ABC"}, each, people(scores), value="mean")
    assert set(three.intervals) == {"segment_tau"} and "few" in three.warning


@FEW
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30), st.integers(0, 99))
def test_an_interval_lies_within_what_was_drawn_from(taus: list, seed: int) -> None:
    low, high = over_segments(taus, seed, 100)["segment_tau"]
    assert min(taus) - 1e-9 <= low <= high <= max(taus) + 1e-9
    assert interval(np.array([3.0])) == (3.0, 3.0)


@FEW
@given(st.dictionaries(st.sampled_from("ABCD"), st.lists(st.integers(0, 5), min_size=4, max_size=4), min_size=2),
       st.randoms(use_true_random=False))
def test_segment_taus_do_not_depend_on_the_order_of_systems(scores: dict, generator: random.Random) -> None:
    rated = {name: {i: float(generator.randint(0, 3)) for i in range(4)} for name in scores}
    each = {name: np.array(row, dtype=float) for name, row in scores.items()}
    found = segment_taus(each, rated, 1.0)
    turned = segment_taus(dict(reversed(each.items())), dict(reversed(rated.items())), 1.0)
    assert found == pytest.approx(turned) and all(-1 - 1e-9 <= tau <= 1 + 1e-9 for tau in found)
    assert segment_taus(each, rated, -1.0) == pytest.approx([-tau for tau in found])


def test_ratings_of_segments_that_are_not_there_are_left_out() -> None:
    each = {"A": np.array([1.0, 2.0]), "B": np.array([2.0, 1.0])}
    rated = {"A": {-3: 5.0, 0: 1.0, 9: 1.0}, "B": {-3: 1.0, 0: 2.0, 9: 2.0}}
    assert segment_taus(each, rated, 1.0) == [1.0]

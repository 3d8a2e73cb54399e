"""One policy against the curve of others at the same latency: by hand, against a slow reference, and what must hold."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt.scores import mean_statistics, scorer, segment_scorer
from backends.sm2.frontier import Cloud, curve_at, gains
from workbench.contract import UserError

QUALITY = segment_scorer("quality")
FEW = settings(max_examples=40, deadline=None)


def cloud(quality: float | list[float], latency: float | list[float], size: int = 20) -> Cloud:
    """A policy with these figures in every sentence, or sentence by sentence."""
    scores = quality if isinstance(quality, list) else [quality] * size
    return Cloud(mean_statistics(scores), latency if isinstance(latency, list) else [latency] * size)


FAMILY = {"wait-1": cloud(10, 1), "wait-3": cloud(30, 3), "full sentence": cloud(35, 8)}


def noisy(quality: float, latency: float, seed: int, size: int = 60) -> Cloud:
    generator = random.Random(seed)
    return cloud(
        [generator.gauss(quality, 8) for _ in range(size)], [max(0.1, generator.gauss(latency, 1)) for _ in range(size)]
    )


@pytest.mark.parametrize(
    ("latency", "expected"),
    [(1, 10), (2, 20), (3, 30), (5.5, 32.5), (8, 35), (0.2, 10), (50, 35), (2.5, 25)],
)
def test_a_curve_joins_its_points_and_ends_flat(latency: float, expected: float) -> None:
    points = np.array([[[8, 35], [1, 10], [3, 30]]], dtype=float)
    assert curve_at(np.array([float(latency)]), points)[0] == pytest.approx(expected)


def test_every_draw_has_a_curve_of_its_own() -> None:
    points = np.array([[[1, 10], [3, 30]], [[2, 0], [4, 100]]], dtype=float)
    assert curve_at(np.array([2.0, 3.0]), points).tolist() == [20.0, 50.0]
    assert curve_at(np.array([9.0, 0.0]), points).tolist() == [30.0, 0.0]


def slowly(latency: float, points: list[tuple[float, float]]) -> float:
    """The definition, in plain words: the neighbours on both sides, and the straight line between them."""
    ordered = sorted(points)
    if latency <= ordered[0][0]:
        return ordered[0][1]
    if latency >= ordered[-1][0]:
        return ordered[-1][1]
    left = max(point for point in ordered if point[0] <= latency)
    right = min(point for point in ordered if point[0] > latency)
    share = (latency - left[0]) / (right[0] - left[0])
    return left[1] + share * (right[1] - left[1])


@FEW
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100)), min_size=1, max_size=6, unique_by=lambda p: p[0]),
    st.floats(-1, 22),
)
def test_a_curve_against_the_definition(points: list, latency: float) -> None:
    found = curve_at(np.array([latency]), np.array([points], dtype=float))[0]
    assert found == pytest.approx(slowly(latency, points))


@pytest.mark.parametrize(
    ("latency", "quality", "gain", "beyond"),
    [
        (2, 25, 5, False),
        (3, 30, 0, False),
        (1, 10, 0, False),
        (8, 34, -1, False),
        (0.5, 12, 2, True),
        (0.5, 8, -2, True),
        (11, 36, 1, True),
    ],
)
def test_gains_by_hand(latency: float, quality: float, gain: float, beyond: bool) -> None:
    (found,) = gains({"SM2 0.5": cloud(quality, latency)}, FAMILY, QUALITY, 50)
    assert found.gain == pytest.approx(gain) and found.beyond is beyond and found.policy == "SM2 0.5"
    assert (found.latency, found.quality) == (pytest.approx(latency), pytest.approx(quality))
    assert found.low == pytest.approx(gain) and found.high == pytest.approx(gain), "all sentences are alike"


def test_a_policy_gains_nothing_over_itself() -> None:
    """The draws are paired: noise that both share cancels, so the interval has no width at all."""
    same = noisy(20, 3, 1)
    (found,) = gains({"a": same}, {"a": same, "late": cloud(0, 99, 60)}, QUALITY, 200)
    assert found.gain == 0 and abs(found.low) < 1e-9 and abs(found.high) < 1e-9


def test_a_constant_advantage_is_certain_and_a_noisy_one_is_not() -> None:
    base = noisy(20, 3, 1)
    better = Cloud(base.quality + np.array([2.0, 0.0]), base.latency)
    (sure,) = gains({"a": better}, {"b": base}, QUALITY, 200)
    assert sure.low == pytest.approx(2) and sure.high == pytest.approx(2)
    (unsure,) = gains({"a": noisy(20.5, 3, 2)}, {"b": base}, QUALITY, 200)
    assert unsure.high - unsure.low > 2 and unsure.low < unsure.gain < unsure.high


def test_more_sentences_make_it_surer() -> None:
    widths = []
    for size in (30, 300):
        family = {"1": noisy(10, 1, 1, size), "5": noisy(20, 5, 2, size)}
        (found,) = gains({"a": noisy(18, 3, 3, size)}, family, QUALITY, 300)
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_moves_in_both_directions() -> None:
    """On a steep curve the latency's own spread makes the gain unsure although every quality is the same."""
    latency = [1.0, 5.0] * 30
    family = {"1": cloud(0, 1, 60), "5": cloud(100, 5, 60)}
    (found,) = gains({"a": cloud([50.0] * 60, latency)}, family, QUALITY, 200)
    assert found.gain == pytest.approx(0) and found.low < -5 and found.high > 5


def test_the_seed_fixes_the_draws() -> None:
    family = {"1": noisy(10, 1, 1), "5": noisy(20, 5, 2)}
    one, two, three = (gains({"a": noisy(18, 3, 3)}, family, QUALITY, 100, seed) for seed in (1, 1, 2))
    assert one == two and one != three and one[0].gain == three[0].gain


def test_sentences_without_a_translation_do_not_count_for_latency() -> None:
    lags = [2.0] * 10 + [math.nan] * 10
    (found,) = gains({"a": cloud([25.0] * 20, lags)}, FAMILY, QUALITY, 50)
    assert found.latency == pytest.approx(2) and found.gain == pytest.approx(5) and math.isfinite(found.low)


def test_tested_and_family_may_have_the_same_names() -> None:
    (found,) = gains({"wait-1": cloud(15, 1)}, FAMILY, QUALITY, 20)
    assert found.gain == pytest.approx(5)


def test_all_tested_are_reported_in_order() -> None:
    tested = {f"SM2 {t}": cloud(20 + t, 2 + t) for t in (3, 1, 2)}
    assert [one.policy for one in gains(tested, FAMILY, QUALITY, 20)] == ["SM2 3", "SM2 1", "SM2 2"]
    assert gains({}, FAMILY, QUALITY, 20) == []


@pytest.mark.parametrize(
    ("tested", "family", "words"),
    [
        ({"a": cloud(1, 1)}, {}, "no policy to compare with"),
        ({"a": cloud(1, 1, 19)}, FAMILY, "measured on 19, 20 sentences"),
        ({"a": Cloud(mean_statistics([1.0] * 20), [1.0] * 18)}, FAMILY, "18, 20 sentences"),
        ({"a": cloud([], [])}, {"b": cloud([], [])}, "measured on 0 sentences"),
    ],
)
def test_what_cannot_be_compared(tested: dict, family: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        gains(tested, family, QUALITY, 20)


def test_gains_of_bleu() -> None:
    """BLEU is a corpus score: the gain is of sums of statistics, not of sentence scores."""
    references = [f"the {a} dog sees a {b} house today" for a in ("old", "new", "red") for b in ("big", "far", "odd")]
    bleu = scorer("bleu", [references], "en")
    cut = [" ".join(line.split()[:5]) for line in references]
    wrong = [line.replace("dog", "cat") for line in references]
    family = {"wait-1": Cloud(bleu.statistics(cut), [1.0] * 9), "full": Cloud(bleu.statistics(wrong), [7.0] * 9)}
    (found,) = gains({"SM2": Cloud(bleu.statistics(references), [4.0] * 9)}, family, bleu, 100)
    ends = [float(bleu.score(one.quality.sum(0))) for one in family.values()]
    assert found.quality == pytest.approx(100) and found.gain == pytest.approx(100 - sum(ends) / 2)
    assert 0 < found.low <= found.gain + 1e-6 and found.high <= 100


@FEW
@given(st.floats(0.1, 10), st.floats(0, 50), st.floats(0.1, 20))
def test_more_quality_is_more_gain_and_more_waiting_is_less(latency: float, quality: float, more: float) -> None:
    plain, better, later = (
        gains({"a": cloud(q, lag)}, FAMILY, QUALITY, 10)[0].gain
        for q, lag in ((quality, latency), (quality + more, latency), (quality, latency + more))
    )
    assert better == pytest.approx(plain + more) and later <= plain + 1e-9

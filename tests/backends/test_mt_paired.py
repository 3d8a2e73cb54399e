"""Paired tests: sacreBLEU's own numbers with the same seed, Holm, wins; pairing; what must not be significant."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from backends.common.mt import paired
from backends.common.mt.paired import all_pairs, bootstrap_scores, holm, p_value
from backends.common.mt.scores import mean_statistics, scorer, segment_scorer
from tests.backends.mt_cases import systems
from workbench.contract import UserError


def ours(name: str, made: dict, reference: list, **options):
    metric = scorer(name, [reference])
    return all_pairs(metric, {key: metric.statistics(lines) for key, lines in made.items()}, **options)


@pytest.mark.parametrize(("name", "peer"), [("bleu", BLEU), ("chrf", CHRF)])
@pytest.mark.parametrize("test", ["bs", "ar"])
def test_p_values_and_intervals_are_sacrebleus(name: str, peer: type, test: str) -> None:
    made, reference = systems(3)
    found = ours(name, made, reference, resamples=200, trials=200)
    for place, baseline in enumerate(list(made)[:-1]):
        named = [(key, made[key]) for key in list(made)[place:]]
        table = PairedTest(named, {"m": peer(references=[reference])}, None, test_type=test, n_samples=200)()[1]
        column = next(key for key in table if key != "System")
        for other, result in zip(table["System"][1:], table[column][1:], strict=True):
            pair = next(p for p in found.pairs if (p.first, p.second) == (baseline, other))
            assert (pair.bootstrap if test == "bs" else pair.randomisation) == result.p_value
            if test == "bs":
                estimate = next(e for e in found.estimates if e.system == other)
                assert estimate.score == pytest.approx(result.score, abs=1e-9)
                assert estimate.mean == pytest.approx(result.mean, abs=1e-4)
                assert estimate.half_width == pytest.approx(result.ci, abs=1e-4)


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    made, reference = systems(2)
    whole = ours("bleu", made, reference, resamples=50, trials=50)
    monkeypatch.setattr(paired, "CELLS", 300)
    assert ours("bleu", made, reference, resamples=50, trials=50) == whole


def test_identical_systems_are_a_tie_where_sacrebleu_finds_them_different() -> None:
    made, reference = systems(1)
    twins = {"one": made["system 0"], "two": made["system 0"]}
    found = ours("bleu", twins, reference, resamples=100, trials=100)
    assert found.pairs[0].identical and found.pairs[0].bootstrap == found.pairs[0].randomisation == 1.0
    assert found.wins == {"one": {"one": 0, "two": 0}, "two": {"one": 0, "two": 0}}
    table = PairedTest(list(twins.items()), {"BLEU": BLEU(references=[reference])}, None, "bs", 100)()[1]
    assert table["BLEU"][1].p_value == pytest.approx(1 / 101)


def test_a_clear_difference_wins_and_a_small_one_does_not() -> None:
    made, reference = systems(2, size=60)
    far = {
        "good": reference,
        "bad": [line[::-1] for line in reference],
        "near": made["system 0"],
        "nearer": [*made["system 0"][:-1], reference[-1]],
    }
    found = ours("chrf", far, reference, resamples=200, trials=500)
    assert found.wins["good"] == {"good": 0, "bad": 1, "near": 1, "nearer": 1} and found.wins["bad"]["good"] == -1
    assert found.wins["near"]["nearer"] == 0, "one segment of sixty tells nothing"


def test_less_is_better_for_ter() -> None:
    _, reference = systems(1, size=30)
    found = ours(
        "ter", {"bad": [line[::-1] for line in reference], "good": reference}, reference, resamples=100, trials=200
    )
    assert found.pairs[0].difference > 0 and found.pairs[0].verdict == "good"


def test_pairing_matters() -> None:
    """Two systems that differ by the same small amount everywhere: paired tests see it, unpaired spread would not."""
    generator = np.random.default_rng(0)
    hard = generator.normal(0, 10, 100)
    stats = {"a": mean_statistics(hard), "b": mean_statistics(hard + 0.5 + generator.normal(0, 0.2, 100))}
    found = all_pairs(segment_scorer("x"), stats, resamples=300, trials=500)
    assert found.pairs[0].verdict == "b" and found.estimates[0].half_width > 1


def test_bootstrap_resamples_corpus_statistics_and_not_segment_scores() -> None:
    made, reference = systems(1)
    metric = scorer("bleu", [reference])
    stats = metric.statistics(made["system 0"])
    draws = bootstrap_scores(metric, {"a": stats}, 200)["a"]
    assert abs(draws.mean() - float(metric.score(stats.sum(0)))) < 2.0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([0.04], [0.04]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ],
)
def test_holm(given: list, expected: list) -> None:
    assert holm(given) == pytest.approx(expected)


def test_holm_against_a_published_package() -> None:
    scipy_like = [0.001, 0.008, 0.039, 0.041, 0.27]
    assert holm(scipy_like) == pytest.approx([0.005, 0.032, 0.117, 0.117, 0.27])


def test_p_value_counts_strictly_greater() -> None:
    assert p_value(np.array([1.0, 2.0, 2.0, 3.0]), 2.0) == pytest.approx(2 / 5)


def test_only_one_of_the_tests() -> None:
    made, reference = systems(2)
    boot = ours("bleu", made, reference, resamples=50, trials=0).pairs[0]
    assert boot.randomisation is None and boot.randomisation_holm is None and boot.bootstrap is not None
    random = ours("bleu", made, reference, resamples=0, trials=50)
    assert random.pairs[0].bootstrap is None and random.estimates[0].low == random.estimates[0].score


@pytest.mark.parametrize(
    ("stats", "options", "words"),
    [
        ({"a": np.zeros((3, 2)), "b": np.zeros((4, 2))}, {}, "3, 4 segments"),
        ({"a": np.zeros((0, 2))}, {}, "at least one"),
        ({"a": np.ones((3, 2))}, {"resamples": 0, "trials": 0}, "both 0"),
    ],
)
def test_what_cannot_be_tested(stats: dict, options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        all_pairs(segment_scorer("x"), stats, **options)


def test_a_tick_can_end_it() -> None:
    made, reference = systems(2)

    def tick() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ours("bleu", made, reference, tick=tick)

"""The threshold lab: precision at the corpus's prevalence from a sample that is not uniform; refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from backends.mdfg.explore.lab import Sample, at_threshold, lab, sample
from backends.mdfg.explore.labels import DOMAIN, QUALITY, TOXICITY
from backends.mdfg.metrics_binary import at_threshold as plain_figures
from backends.mdfg.metrics_binary import precision_at_prevalence
from tests.backends.label_cases import label, made, said_by, world
from workbench.contract import UserError


def whole(seed: int = 0, documents: int = 600, rare: bool = False):
    """A corpus and a sample of all of it."""
    population, truth = world(seed, documents, rare)
    return population, Sample(population.scores, truth, 0, {})


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.77, 0.999])
def test_with_every_document_labelled_figures_are_counts(threshold: float) -> None:
    population, known = whole()
    found, plain = at_threshold(population, known, threshold), plain_figures(known.scores, known.truth, threshold)
    assert math.isclose(found.precision.value or 0, plain.precision or 0)
    assert math.isclose(found.recall.value or 0, plain.recall or 0)
    assert math.isclose(found.precision.high - found.precision.low, 0, abs_tol=1e-9), "nothing is left to chance"
    assert math.isclose(found.recall.high - found.recall.low, 0, abs_tol=1e-9)
    assert math.isclose(found.false_rate or 0, plain.false_positive_rate or 0)
    assert found.chosen.documents == plain.chosen and found.precision.documents == plain.chosen


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.98), st.booleans())
def test_precision_is_what_the_prevalence_formula_gives(seed: int, threshold: float, rare: bool) -> None:
    population, truth = world(seed, 1000, rare)
    labels = said_by(population, truth, 150, seed)
    places = [one.place for one in labels]
    known = Sample(population.scores_of(places), truth[places], 0, {})
    found = at_threshold(population, known, threshold)
    if found.precision.value is None or not found.true_rate or found.false_rate is None:
        return
    positives = found.precision.value * found.chosen.documents / found.true_rate
    corrected = precision_at_prevalence(found.true_rate, found.false_rate, min(1.0, positives / population.documents))
    assert math.isclose(corrected or 0, found.precision.value, rel_tol=1e-9, abs_tol=1e-12)


def test_precision_at_another_prevalence() -> None:
    population, known = whole(2)
    found = at_threshold(population, known, 0.5)
    q = float(known.truth.mean())
    assert math.isclose(found.at_prevalence(q) or 0, found.precision.value or 0)
    rates = (found.true_rate or 0, found.false_rate or 0)
    assert math.isclose(found.at_prevalence(1e-4) or 0,
                        rates[0] * 1e-4 / (rates[0] * 1e-4 + rates[1] * (1 - 1e-4)))
    assert (found.at_prevalence(1e-4) or 0) < 0.01, "rare in the corpus: nearly all are false alarms"
    with pytest.raises(UserError, match="between 0 and 1"):
        found.at_prevalence(1.5)


def test_a_balanced_sample_does_not_promise_its_own_precision() -> None:
    """Pitfall: ten labels of every bin look balanced, the corpus is not."""
    population, truth = world(7, rare=True)
    labels = said_by(population, truth, 200, 7)
    known = sample(population, labels, QUALITY)
    naive = plain_figures(known.scores, known.truth, 0.3)
    found, real = at_threshold(population, known, 0.3), plain_figures(population.scores, truth, 0.3)
    right = real.precision or 0
    assert abs((found.precision.value or 0) - right) < abs((naive.precision or 0) - right)
    assert found.precision.low <= right <= found.precision.high
    assert found.recall.low <= (real.recall or 0) <= found.recall.high


@pytest.mark.parametrize(("rare", "kind", "size"), [(False, "bins", 60), (False, "random", 100), (True, "bins", 150)])
def test_intervals_hold_the_truth_as_often_as_they_say(rare: bool, kind, size: int) -> None:
    hits = np.zeros(3)
    draws = 80
    for seed in range(draws):
        population, truth = world(seed, 2000, rare)
        known = sample(population, said_by(population, truth, size, seed, kind), QUALITY)
        found = at_threshold(population, known, 0.5)
        prevalence = at_threshold(population, known, -math.inf).precision
        above = population.scores >= 0.5
        right = (truth[above].mean(), (truth & above).sum() / truth.sum(), truth.mean())
        hits += [one.low <= value <= one.high for one, value in zip((found.precision, found.recall, prevalence), right,
                                                                    strict=True)]
    assert (hits / draws >= 0.87).all(), hits / draws


def test_uncertain_documents_alone_stand_for_nothing() -> None:
    """Labels near one threshold say nothing about the rest: they are left out, and the refusal says so."""
    population, truth = world(1)
    labels = said_by(population, truth, 200, 1, "uncertain")
    with pytest.raises(UserError, match="labels that do not count: 200 uncertain"):
        sample(population, labels, QUALITY)
    both = sample(population, labels + said_by(population, truth, 60, 1, by="bob"), QUALITY)
    assert len(both.truth) == 60 and both.left_out["uncertain"] == 200


def test_few_labels_are_refused_with_their_number() -> None:
    population, truth = world(0, 300)
    with pytest.raises(UserError, match="19 drawn documents have a label of quality"):
        sample(population, said_by(population, truth, 19, 0), QUALITY)
    assert len(sample(population, said_by(population, truth, 20, 0), QUALITY).truth) == 20
    with pytest.raises(UserError, match="at least 20 are needed"):
        sample(population, [], QUALITY)


@pytest.mark.parametrize(("value", "missing"), [("good", "bad"), ("bad", "good")])
def test_labels_of_one_kind_only_are_refused(value: str, missing: str) -> None:
    population, _ = world(0, 300)
    labels = [label(place, value) for place in range(40)]
    with pytest.raises(UserError, match=f"0 of 40 labelled documents are {missing}"):
        sample(population, labels, QUALITY)


def test_a_dimension_of_many_labels_has_no_threshold() -> None:
    with pytest.raises(UserError, match="no score with one threshold"):
        sample(made([0.5]), [], DOMAIN)


def test_documents_without_a_majority_are_counted_apart() -> None:
    population, truth = world(2, 400)
    labels = said_by(population, truth, 60, 2)
    against = said_by(population, ~truth, 60, 2, by="bob")[:10]
    known = sample(population, labels + against, QUALITY)
    assert len(known.truth) == 50 and known.undecided == 10
    third = said_by(population, truth, 60, 2, by="cat")[:10]
    assert sample(population, labels + against + third, QUALITY).undecided == 0


def test_training_texts_are_left_out() -> None:
    population, truth = world(2, 400)
    labels = said_by(population, truth, 60, 2)
    known = sample(population, labels, QUALITY, without={one.place for one in labels[:15]})
    assert len(known.truth) == 45 and known.left_out == {"training": 15}


def test_toxicity_is_positive_when_toxic() -> None:
    population = made([0.01 * place for place in range(100)], "toxicity")
    labels = [label(place, "toxic" if place > 80 else "harmless", what="toxicity") for place in range(0, 100, 2)]
    known = sample(population, labels, TOXICITY)
    found = at_threshold(population, known, 0.8)
    assert known.truth.sum() == 9 and (found.recall.value or 0) == 1.0 and (found.precision.value or 0) == 0.9


def test_the_volume_above_a_threshold_is_counted() -> None:
    population = made([0.1, 0.4, 0.6, 0.9] * 10, characters=[10, 20, 30, 40] * 10)
    known = Sample(population.scores[:24], population.scores[:24] > 0.5, 0, {})
    found = at_threshold(population, known, 0.6).chosen
    assert (found.documents, found.characters, found.share, found.character_share) == (20, 700, 0.5, 0.7)


@pytest.mark.parametrize(("threshold", "documents", "recall"), [(-1.0, 40, 1.0), (0.0, 40, 1.0), (1.0001, 0, 0.0),
                                                                (math.inf, 0, 0.0), (-math.inf, 40, 1.0)])
def test_thresholds_at_the_ends(threshold: float, documents: int, recall: float) -> None:
    population, known = whole(3, 40)
    found = at_threshold(population, known, threshold)
    assert found.chosen.documents == documents and found.recall.value == recall
    assert (found.precision.value is None) == (documents == 0)


def test_a_threshold_that_is_no_number_is_refused() -> None:
    population, known = whole(3, 40)
    with pytest.raises(UserError, match="not a number"):
        at_threshold(population, known, math.nan)


def test_a_side_without_labels_says_nothing() -> None:
    population = made(np.linspace(0, 1, 101).tolist())
    known = Sample(population.scores[:60], population.scores[:60] > 0.3, 0, {})
    found = at_threshold(population, known, 0.8)
    assert found.precision.value is None and found.recall.value is None and found.chosen.documents == 21
    assert (found.precision.low, found.precision.high) == (0.0, 1.0) and found.at_prevalence(0.1) is None


def test_equal_scores_are_chosen_together() -> None:
    population = made([0.5] * 30 + [1.0] * 10)
    known = Sample(population.scores, np.array([True] * 15 + [False] * 15 + [True] * 10), 0, {})
    assert at_threshold(population, known, 0.5).chosen.documents == 40
    top = at_threshold(population, known, 1.0)
    assert top.chosen.documents == 10 and top.precision.value == 1.0 and top.recall.value == 10 / 25


def test_the_curve_of_a_whole_corpus_is_scikit_learns() -> None:
    population, known = whole(5, 50)
    found = lab(population, known, points=50)
    assert [point.threshold for point in found.curve] == sorted(set(population.scores.tolist()))
    assert math.isclose(found.average_precision, average_precision_score(known.truth, known.scores))
    assert math.isclose(found.prevalence.value or 0, known.truth.mean()) and found.covered == 1.0
    assert found.documents == 50 and found.positives == known.truth.sum()
    recalls = [round(point.recall.value or 0, 9) for point in found.curve]
    assert recalls == sorted(recalls, reverse=True) and recalls[0] == 1.0


def test_the_curve_of_a_sample_is_near_the_real_one() -> None:
    population, truth = world(9)
    known = sample(population, said_by(population, truth, 300, 9), QUALITY)
    found = lab(population, known)
    assert len(found.curve) == 60 and found.what == "quality"
    assert abs(found.average_precision - average_precision_score(truth, population.scores)) < 0.06
    assert abs((found.prevalence.value or 0) - truth.mean()) < 0.06
    for point in found.curve[5:50:5]:
        real = plain_figures(population.scores, truth, point.threshold)
        assert abs((point.precision.value or 0) - (real.precision or 0)) < 0.15
        assert point.chosen.documents == real.chosen


def test_a_corpus_mostly_without_labels_is_refused() -> None:
    population = made([0.05] * 900 + np.linspace(0.2, 0.99, 100).tolist())
    known = Sample(population.scores[900:], population.scores[900:] > 0.5, 0, {})
    with pytest.raises(UserError, match="90% of the documents lie in score bins without any label"):
        lab(population, known)
    half = made([0.05] * 100 + np.linspace(0.2, 0.99, 100).tolist())
    assert lab(half, known).covered == 0.5


def test_scores_beyond_0_and_1_work_too() -> None:
    population = made(np.linspace(-4, 4, 200).tolist())
    known = Sample(population.scores[::2], population.scores[::2] > 1, 0, {})
    found = lab(population, known)
    assert found.covered == 1.0 and at_threshold(population, known, 1.1).precision.value == 1.0
    assert 0.3 < (found.prevalence.value or 0) < 0.45

"""Metrics of whole dialogues: the survey and where it comes from, falls, success, turns and repetition."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sweetiechat.metrics import dialogue as metrics
from backends.sweetiechat.metrics.dialogue import Drop, Survey
from backends.sweetiechat.metrics.tokens import tokenizer
from tests.backends.quality_cases import GOOD_EN, dialogue, failed_esconv, multiesc, said
from workbench.contract import UserError

WORDS = tokenizer("words")


def with_levels(*levels: int | None, qc: dict | None = None):
    """A dialogue whose seeker states these intensities, a supporter turn after each."""
    rows = [row for level in levels for row in (("seeker", "some words", None, level), ("supporter", "and others"))]
    return dialogue(rows, qc=qc)


def with_feedback(*stars):
    base = with_levels(3, *[2] * (len(stars) - 1))
    seeker = iter(stars)
    turns = [dataclasses.replace(t, meta={"feedback": next(seeker)}) if t.role == "seeker" else t for t in base.turns]
    return dataclasses.replace(base, turns=tuple(turns))


@pytest.mark.parametrize(("made", "expected"), [
    (with_levels(4, 3, 2), Survey(4, 2)),
    (with_levels(4, None), Survey(4, 4)),
    (with_levels(None), Survey()),
    (with_levels(4, 2, qc={"survey": {"initial": "5", "final": 1, "empathy": 3.0}}), Survey(5, 1, 3)),
    (with_levels(4, 2, qc={"survey": {"initial": None, "relevance": "2"}}), Survey(4, 2, None, 2)),
    (with_levels(4, 2, qc={"survey": None}), Survey(4, 2)),
    (with_feedback("5", None, "2"), Survey(3, 2, feedback=2)),
    (with_feedback(None), Survey(3, 3)),
])
def test_the_survey_and_what_fills_its_gaps(made, expected: Survey) -> None:
    assert metrics.survey_of(made) == expected


@pytest.mark.parametrize(("qc", "message"), [
    ({"survey": {"empathy": 6}}, "empathy of dialogue d is 6; it must be a whole number from 1 to 5"),
    ({"survey": {"final": "good"}}, "final of dialogue d is 'good'"),
    ({"survey": {"initial": 2.5}}, "2.5"),
    ({"survey": {"relevance": True}}, "True"),
    ({"survey": {"relevance": [1]}}, r"\[1\]"),
    ({"survey": 4}, "must be a table"),
])
def test_a_bad_rating_is_named(qc: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        metrics.survey_of(with_levels(4, 2, qc=qc))


@pytest.mark.parametrize(("survey", "drop"), [
    (Survey(5, 2), 3), (Survey(2, 4), -2), (Survey(3), None), (Survey(), None)])
def test_drop(survey: Survey, drop: int | None) -> None:
    assert survey.drop == drop


def test_mean_drop_counts_what_is_missing_and_guesses_nothing() -> None:
    some = [with_levels(5, 2), with_levels(3, 3), with_levels(2, 4), with_levels(None)]
    assert metrics.intensity_drop(some) == Drop(pytest.approx(1 / 3), pytest.approx(1 / 3), 3, 1)
    assert metrics.intensity_drop([with_levels(None)]) == Drop(None, None, 0, 1)
    assert metrics.intensity_drop([]) == Drop(None, None, 0, 0)


@pytest.mark.parametrize(("levels", "intensity", "expected"), [
    ((4, 3, 1), 1, 2), ((4, 2, 1), 2, 1), ((4, 4), 1, None), ((1, 1), 1, 1), ((4, None, 1), 1, 2), ((), 1, None)])
def test_solved_in_which_round(levels: tuple, intensity: int, expected: int | None) -> None:
    assert metrics.solved_at(with_levels(*levels), intensity) == expected


def test_a_dialogue_that_starts_relieved_is_nobodys_success() -> None:
    assert metrics.solved_at(dialogue([("seeker", "I am fine now", None, 1)])) is None


@pytest.mark.parametrize(("turn", "expected"), [(0, 0), (1, 0.25), (2, 0.25), (3, 0.5), (8, 0.75)])
def test_success_rate_by_turn(turn: int, expected: float) -> None:
    assert metrics.success_rate([1, 3, 8, None], turn) == expected


def test_average_turns_counts_a_failure_as_the_limit() -> None:
    assert metrics.average_turns([1, 3, None], 8) == 4
    with pytest.raises(UserError, match="solved in round 9; rounds go from 1 to the limit 8"):
        metrics.average_turns([9], 8)
    for call in (lambda: metrics.average_turns([], 8), lambda: metrics.success_rate([], 1)):
        with pytest.raises(UserError, match="no dialogue to measure"):
            call()


@given(st.lists(st.none() | st.integers(1, 8), min_size=1, max_size=20))
def test_success_grows_with_the_turn_and_turns_stay_below_the_limit(solved: list) -> None:
    curve = [metrics.success_rate(solved, t) for t in range(9)]
    assert curve == sorted(curve) and curve[0] == 0
    assert curve[8] == pytest.approx(sum(s is not None for s in solved) / len(solved))
    assert 1 <= metrics.average_turns(solved, 8) <= 8


@pytest.mark.parametrize(("texts", "within", "across"), [
    (("a b c d", "e f g h"), 0, 0),
    (("a b c d", "a b c d"), 0, 1),
    (("a b c d", "x a b c"), 0, 1 / 2),
    (("a b c a b c a b c",), 4 / 7, 0),
    (("a b c", "d e f", "a b c d"), 0, 1 / 3),
    (("a b", "a b"), 0, 0),
    ((), 0, 0),
])
def test_repetition_by_hand(texts: tuple, within: float, across: float) -> None:
    found = metrics.repetition(said(*texts), WORDS)
    assert (found.within, found.across) == (pytest.approx(within), pytest.approx(across))
    assert (found.n, found.tokenizer) == (3, "words")


def test_what_the_seeker_says_is_not_the_supporters_repetition() -> None:
    rows = [("seeker", "a b c d"), ("supporter", "a b c d"), ("seeker", "a b c d"), ("supporter", "w x y z")]
    assert metrics.repetition(dialogue(rows), WORDS).across == 0


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=8).map(" ".join), max_size=5), st.integers(1, 4))
def test_repetition_is_a_share(texts: list, n: int) -> None:
    found = metrics.repetition(said(*texts), WORDS, n)
    assert 0 <= found.within <= 1 and 0 <= found.across <= 1
    doubled = metrics.repetition(said(*texts, *texts), WORDS, n)
    assert doubled.across >= found.across or doubled.across == pytest.approx(found.across)


def test_real_dialogues_ease_and_failed_ones_do_not(shared: Path) -> None:
    good, bad = metrics.intensity_drop(multiesc(shared)), metrics.intensity_drop(failed_esconv(shared))
    assert good.measured == 195 and good.mean > 1.5 and good.fell > 0.98
    assert (bad.measured, bad.missing) == (142, 54) and bad.mean < good.mean and bad.fell < 0.25


def test_the_good_dialogue_of_these_tests_eases() -> None:
    assert metrics.survey_of(dialogue(GOOD_EN)) == Survey(4, 2)

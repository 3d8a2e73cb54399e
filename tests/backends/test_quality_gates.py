"""The three gates on a whole dialogue: strategy consistency, diversity and outcome."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from backends.sweetiechat.metrics.dialogue import Survey
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.quality.diversity import check_diversity
from backends.sweetiechat.quality.outcome import check_outcome, failures
from backends.sweetiechat.quality.strategy_consistency import check_strategy_consistency, rank
from backends.sweetiechat.quality.verdict import Limits
from tests.backends.quality_cases import GOOD_EN, dialogue, failed_esconv, multiesc, said
from workbench.contract import UserError

WORDS = tokenizer("words")
SCORES = {"question": 0.4, "affirmation": 0.3, "suggestions": 0.2, "others": 0.1}


@pytest.mark.parametrize(("scores", "planned", "expected"), [
    (SCORES, "question", 1), (SCORES, "affirmation", 2), (SCORES, "others", 4),
    (dict.fromkeys("abcdefgh", 0.125), "a", 8), ({"a": 0.5, "b": 0.5, "c": 0}, "a", 2), ({"a": -3.0}, "a", 1)])
def test_rank_counts_ties_against_the_plan(scores: dict, planned: str, expected: int) -> None:
    assert rank(scores, planned) == expected


def by_word(texts):
    """A scorer that reads the strategy off the first word."""
    rows = {"What": "question", "Well": "affirmation", "Try": "suggestions"}
    return [{key: float(key == rows.get(t.split()[0], "others")) + i * 1e-3 for i, key in enumerate(SCORES)}
            for t in texts]


def test_turns_that_carry_out_their_strategy_pass() -> None:
    made = said("What then?", "Well done.", "Try that.", strategies=("question", "affirmation", "suggestions"))
    verdict = check_strategy_consistency(made, by_word, Limits(top_k=1))
    assert verdict.passed is True and verdict.value == {"share": 1.0, "off": [], "top_k": 1}
    assert verdict.reason == "100% of the turns carry out their strategy"


def test_shuffled_strategies_fail_and_the_turns_are_named() -> None:
    made = said("What then?", "Well done.", "Try that.", strategies=("suggestions", "question", "affirmation"))
    verdict = check_strategy_consistency(made, by_word, Limits(top_k=1))
    assert verdict.passed is False and verdict.value["off"] == [1, 3, 5]
    assert verdict.reason == "only 0% of the turns carry out their strategy (turns 2, 4 and 6 do not)"


@pytest.mark.parametrize(("top_k", "least", "passed"), [
    (1, 0.6, False), (2, 0.6, True), (1, 0.5, True), (1, 0.51, False)])
def test_the_limits_decide(top_k: int, least: float, passed: bool) -> None:
    made = said("What then?", "Well done.", strategies=("question", "others"))
    scorer = by_word if top_k == 1 else lambda texts: [SCORES, {**SCORES, "others": 0.35}]
    assert check_strategy_consistency(made, scorer, Limits(top_k=top_k, min_consistent=least)).passed is passed


def test_a_scorer_that_knows_nothing_passes_nobody() -> None:
    made = said("What then?", "Well done.", strategies=("question", "others"))
    verdict = check_strategy_consistency(made, lambda texts: [dict.fromkeys(SCORES, 0.25)] * len(texts), Limits())
    assert verdict.passed is False


def test_only_turns_with_a_plan_are_scored_and_all_at_once() -> None:
    calls = []

    def scorer(texts):
        calls.append(list(texts))
        return by_word(texts)

    check_strategy_consistency(said("What now?", "Well.", "Try.", strategies=("question", None, "suggestions")),
                               scorer, Limits())
    assert calls == [["What now?", "Try."]]


@pytest.mark.parametrize(("made", "scorer", "reason"), [
    (said("What?", strategies=("question",)), None, "not checked: no scorer was given"),
    (said("What?"), by_word, "not checked: no turn has a planned strategy")])
def test_what_cannot_be_checked_is_not_passed_silently(made, scorer, reason: str) -> None:
    verdict = check_strategy_consistency(made, scorer, Limits())
    assert (verdict.passed, verdict.value, verdict.reason) == (None, None, reason)


@pytest.mark.parametrize(("scorer", "message"), [
    (lambda texts: [], "answered 0 of 1"), (lambda texts: [{"b": 1.0}], "does not know the strategy 'question'")])
def test_a_broken_scorer_is_named(scorer, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_strategy_consistency(said("What?", strategies=("question",)), scorer, Limits())


# --- diversity --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("texts", "value", "passed"), [
    (["a b", "a b"], 50.0, True), (["a b", "a b", "a b"], 100 / 3, False), (["a b c"], 100.0, True),
    (["a"], 0.0, False), ([], 0.0, False)])
def test_diversity_by_hand(texts: list, value: float, passed: bool) -> None:
    verdict = check_diversity(dialogue([("supporter", t) for t in texts]), WORDS, Limits())
    assert verdict.value == {"distinct-2": pytest.approx(value), "tokenizer": "words"}
    assert verdict.passed is passed and f"{value:.1f}" in verdict.reason


def test_the_default_limit_lets_real_dialogues_pass_and_stops_a_parrot(shared: Path) -> None:
    cut = tokenizer("treebank")
    assert all(check_diversity(made, cut, Limits()).passed for made in multiesc(shared))
    parrot = dialogue([("seeker", "I am so sad today."), ("supporter", "I am so sorry to hear that.")] * 6)
    assert check_diversity(parrot, cut, Limits()).passed is False


# --- outcome ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("survey", "expected"), [
    (Survey(4, 2, 4, 4, 4), []),
    (Survey(4, 3, 3, 3, 3), []),
    (Survey(4, 4), ["the intensity did not fall (4 to 4)"]),
    (Survey(3, 5), ["the intensity did not fall (3 to 5)"]),
    (Survey(4, 2, empathy=2), ["empathy is 2"]),
    (Survey(4, 2, relevance=1), ["relevance is 1"]),
    (Survey(4, 2, feedback=2), ["the last feedback is 2"]),
    (Survey(5, 5, 1, 1, 1), ["the intensity did not fall (5 to 5)", "empathy is 1", "relevance is 1",
                             "the last feedback is 1"]),
    (Survey(), []),
])
def test_the_published_failure_rule(survey: Survey, expected: list) -> None:
    assert failures(survey) == expected
    verdict = check_outcome(dialogue(GOOD_EN), survey)
    known = survey != Survey()
    assert verdict.passed is ((not expected) if known else None)
    assert verdict.value == dataclasses.asdict(survey)


def test_the_rating_is_read_from_the_dialogue() -> None:
    assert check_outcome(dialogue(GOOD_EN)).reason == "the dialogue helped"
    rated = dialogue(GOOD_EN, qc={"survey": {"empathy": "1"}})
    assert check_outcome(rated).reason == "empathy is 1"


@pytest.mark.parametrize("turns", [GOOD_EN[:2], GOOD_EN[:1], [], [GOOD_EN[0]] * 4, [GOOD_EN[1]] * 4])
def test_a_dialogue_that_hardly_began_is_not_judged(turns: list) -> None:
    verdict = check_outcome(dialogue(turns), Survey(4, 4))
    assert verdict.passed is None and "before it began" in verdict.reason


def test_an_unrated_dialogue_is_not_judged() -> None:
    verdict = check_outcome(dialogue([(role, text) for role, text, *_ in GOOD_EN]))
    assert verdict.passed is None and "nobody rated" in verdict.reason


def test_it_sets_esconvs_own_failures_apart(shared: Path) -> None:
    """194 of the 196 published failures fail, none passes; 193 of 195 ordinary dialogues pass."""
    bad = Counter(check_outcome(made).passed for made in failed_esconv(shared))
    good = Counter(check_outcome(made).passed for made in multiesc(shared))
    assert bad == {False: 194, None: 2}
    assert good == {True: 193, False: 2}

"""The scenario engine's pieces of the page: progress, the sheet of a type, and what was not kept and why."""

from __future__ import annotations

import pytest

from tests.workbench.test_measure_widgets import HOSTILE, Balance
from workbench.text import known
from workbench.widgets.rejections import MOST, rejections, rule_name
from workbench.widgets.scenario_progress import scenario_strip
from workbench.widgets.scenario_sheet import MOST as SCENARIOS
from workbench.widgets.scenario_sheet import scenario_sheet

POOL = {"types": [{"id": "sleep", "name_en": "Sleep problems", "name_zh": "睡眠问题", "gloss_en": "Nights are long."},
                  {"id": "noise", "name_en": "Noise", "name_zh": "噪音", "parent_id": "sleep"},
                  {"id": "neighbours", "name_en": "Neighbours", "parent_id": "noise"}]}
SCENARIO = {"id": "gen-0001", "problem_type_id": "noise", "emotion": "anger", "intensity_0": 4,
            "situation": "The street is loud.", "trigger": "Road works", "time_frame": "two weeks"}
CARD = {"id": "gen-0001-1", "scenario_id": "gen-0001", "age_band": "25-34", "occupation": "nurse", "openness": 2,
        "talk_style": "terse", "personality": ["calm", "shy"], "hidden_facts": ["I moved here alone."],
        "opening": "I cannot rest."}


def sheet(picked: str = "noise", scenarios: list | None = None, cards: list | None = None, lang: str = "en",
          pool: object = POOL) -> str:
    return scenario_sheet(pool, picked, [SCENARIO] if scenarios is None else scenarios,
                          [CARD] if cards is None else cards, lang)


def test_a_type_shows_its_ancestors_scenarios_and_cards() -> None:
    html = sheet()
    for words in ("Noise", "grew out of Sleep problems", "The street is loud.", "Road works", "nurse · 25-34",
                  "calm, shy", "terse", "openness 2 / 5", "I moved here alone.", "I cannot rest.", "4 of 5"):
        assert words in html, words
    assert "Noise ← Sleep problems" in sheet("neighbours", [], [])
    Balance(html)


def test_scenarios_of_other_types_and_cards_of_other_scenarios_are_not_shown() -> None:
    assert "The street is loud." not in sheet("sleep") and "scenarios: 0" in sheet("sleep")
    assert "nurse" not in sheet(cards=[{**CARD, "scenario_id": "gen-0002"}])


def test_nothing_picked_is_a_hint_in_the_readers_language() -> None:
    assert "Press a problem type" in sheet("") and "点选" in sheet("gone", lang="zh-CN")


def test_names_are_in_the_readers_language() -> None:
    assert "噪音" in sheet(lang="zh-CN") and "睡眠问题" in sheet(lang="zh-CN")


def test_many_scenarios_are_cut_and_counted() -> None:
    many = [{**SCENARIO, "id": f"gen-{i:04d}"} for i in range(SCENARIOS + 5)]
    html = sheet(scenarios=many)
    assert html.count("sc-scenario") == SCENARIOS and "and 5 more" in html


def test_a_circle_of_parents_ends() -> None:
    pool = {"types": [{"id": "a", "name_en": "A", "parent_id": "b"}, {"id": "b", "name_en": "B", "parent_id": "a"}]}
    assert sheet("a", pool=pool).count("←") == 0


@pytest.mark.parametrize("wrong", [None, 3, "x", [], {"types": 4}, {"types": [None]}])
def test_a_pool_that_is_none_is_the_hint(wrong: object) -> None:
    assert "Press a problem type" in sheet(pool=wrong)


def test_every_text_of_a_sheet_is_escaped() -> None:
    scenario = {**SCENARIO, "situation": HOSTILE, "emotion": HOSTILE, "trigger": HOSTILE, "id": HOSTILE}
    card = {**CARD, "scenario_id": HOSTILE, "occupation": HOSTILE, "hidden_facts": [HOSTILE], "opening": HOSTILE,
            "personality": [HOSTILE], "talk_style": HOSTILE}
    assert Balance(sheet(scenarios=[scenario], cards=[card])).scripts == 0


# --- rejections ------------------------------------------------------------------------------------------------------

def rejected(number: int = 0, **more: object) -> dict:
    return {"what": "type", "round": number, "reasons": ["similarity"],
            "candidate": {"name": f"Candidate {number}", "gloss": "Like another.", "category": "health & body"},
            "verdicts": [{"rule": "shape", "passed": True, "value": None, "reason": "the line is whole"},
                         {"rule": "similarity", "passed": False, "value": 0.7, "reason": "0.70 like sleep"}], **more}


TEXT = {"what": "card", "number": 4, "attempt": 2, "reasons": ["new", "own_words"],
        "about": {"problem": "sleep", "emotion": "fear"}, "fields": {"fact1": "I am tired.", "opening": "Hello."},
        "verdicts": [{"rule": "new", "passed": False, "value": 1, "reason": "facts are alike"}]}


def test_a_candidate_is_shown_with_every_rule_that_failed_and_only_those() -> None:
    html = rejections([rejected(2)], "en")
    assert "Candidate 2" in html and "0.70 like sleep" in html and "the line is whole" not in html
    assert "round 3" in html and "1 candidates rejected" in html and "health &amp; body" in html
    Balance(html)


def test_kinds_are_folded_apart_and_texts_say_what_they_were_about() -> None:
    html = rejections([rejected(), TEXT, {**TEXT, "what": "scenario"}], "en")
    assert html.count("<details") == 3 and "sleep · fear" in html and "I am tired." in html
    assert html.count("data-wb-fold") == 3


def test_the_newest_come_first_and_the_rest_is_counted() -> None:
    html = rejections([rejected(i) for i in range(MOST + 7)], "en")
    assert html.count("rj-what") == MOST and "and 7 earlier ones" in html
    assert html.index(f"Candidate {MOST + 6}") < html.index(f"Candidate {MOST}") and "Candidate 1<" not in html


def test_everything_kept_is_nothing_and_nonsense_harms_nothing() -> None:
    assert rejections([], "en") == "" and rejections([{"what": "dream"}], "en") == ""
    for name in ("reasons", "candidate", "verdicts", "round"):
        for wrong in (None, 5, "x", [3], {"a": 1}):
            Balance(rejections([rejected(**{name: wrong})], "zh-CN"))


def test_what_a_model_wrote_is_escaped_and_cut() -> None:
    html = rejections([rejected(candidate={"name": HOSTILE, "gloss": "a" * 5000})], "en")
    assert Balance(html).scripts == 0 and len(html) < 4000


def test_every_rule_of_the_engine_and_of_quality_control_has_a_name() -> None:
    from backends.sweetiechat.quality.judge import judge
    from tests.backends.sweetie import make_dialogue

    rules = [v.rule for v in judge(make_dialogue("Hello there.", "Tell me more.")).verdicts]
    rules += ["shape", "length", "form", "language", "category", "new_name", "similarity", "safety", "fit",
              "no_solution", "new", "own_words", "first_person"]
    assert [rule for rule in rules if not known(f"rule.{rule}")] == []
    assert rule_name("unheard", "en") == "unheard" and rule_name("fit", "zh-CN") != "fit"


# --- progress --------------------------------------------------------------------------------------------------------

STATE = {"phase": "types", "types": 20, "target": 45, "seeds": 12, "rejected": 31, "rounds": 6, "dry": 2,
         "dry_rounds": 5, "scenarios": 0, "cards": 0, "cells": 0, "count": 10}


@pytest.mark.parametrize(("status", "state", "words"), [
    ("running", STATE, "Round 7: new problem types · 2 of 5 rounds without a new one"),
    ("running", {**STATE, "dry": 0}, "Round 7: new problem types<"),
    ("running", {**STATE, "phase": "texts"}, "Writing scenarios and cards"), ("running", {}, "Loading the model"),
    ("queued", {}, "Waiting for its turn"), ("succeeded", STATE, "Done"), ("cancelled", STATE, "Cancelled"),
    ("lost", STATE, "Interrupted"), ("failed", STATE, "Failed"), ("paused", STATE, "Paused"),
])
def test_the_strip_says_what_happens(status: str, state: dict, words: str) -> None:
    html = scenario_strip(status, state, 75.0, "", None, "en")
    assert words in html and "1:15" in html
    Balance(html)


def test_progress_goes_from_seeds_to_the_last_cell() -> None:
    def width(**more: object) -> str:
        return scenario_strip("running", {**STATE, **more}, 1.0, "", None, "en").split("width:")[1].split("%")[0]
    assert width(types=12) == "0.0" and width(types=45, cells=10) == "100.0"
    assert 0 < float(width(types=20)) < float(width(types=45)) < 100
    assert width(types="x", target=None) == "0.0"


def test_a_failure_stands_below_the_strip_and_is_escaped() -> None:
    html = scenario_strip("failed", {}, 1.0, "", {"cause": HOSTILE, "advice": "Try again."}, "en")
    assert "Try again." in html and Balance(html).scripts == 0

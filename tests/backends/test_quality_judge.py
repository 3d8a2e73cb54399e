"""The whole court: accepted, rejected or quarantined, every value kept, crisis before everything."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from backends.sweetiechat.quality import crisis
from backends.sweetiechat.quality.crisis import check_crisis
from backends.sweetiechat.quality.judge import Report, cut_for, judge, judge_all, tally
from backends.sweetiechat.quality.near_duplicates import Seen
from backends.sweetiechat.quality.verdict import Limits, Verdict
from tests.backends.quality_cases import GOOD_EN, GOOD_ZH, dialogue, failed_esconv, multiesc, said, with_turn
from workbench.fields import from_json, to_json

RULES = ["format", "role_flip", "near_duplicates", "strategy_consistency", "diversity", "outcome", "crisis"]
PHRASES = yaml.safe_load((Path(__file__).resolve().parents[2] / "assets" / "dialogue" / "crisis.yaml")
                         .read_text(encoding="utf-8"))


def named(made, name: str):
    return dataclasses.replace(made, id=name)


def agrees(texts):
    """A scorer that finds every strategy of the good dialogue in its turn."""
    keys = {"What do": "question", "Missing": "affirmation", "Perhaps": "suggestions"}
    return [{key: float(t.startswith(start)) for start, key in keys.items()} for t in texts]


@pytest.mark.parametrize("made", [dialogue(GOOD_EN), dialogue(GOOD_ZH, language="zh")])
def test_a_good_dialogue_is_accepted_with_every_rule_told(made) -> None:
    report = judge(made)
    assert (report.status, report.reason, report.failed) == ("accepted", "", ())
    assert [v.rule for v in report.verdicts] == RULES
    assert all(v.reason for v in report.verdicts)
    assert [v.rule for v in report.unchecked] == ["strategy_consistency"]


def test_with_a_scorer_nothing_is_left_unchecked() -> None:
    report = judge(dialogue(GOOD_EN), Limits(top_k=1), scorer=agrees, seen=Seen(cut_for("en")))
    assert report.status == "accepted" and report.unchecked == ()


REJECTED = [
    ("format", with_turn(dialogue(), 3, "Seeker: I am happy to hear about all of that."), {}),
    ("role_flip", with_turn(dialogue(facts=("She took the red kitchen radio with her.",)), 3,
                            "She took the red kitchen radio with her, right?"), {}),
    ("near_duplicates", with_turn(dialogue(), 5, GOOD_EN[1][1]), {}),
    ("strategy_consistency", dialogue(), {"scorer": lambda texts: [{"question": 1.0, "affirmation": 1.0,
                                                                    "suggestions": 1.0, "x": 1.0}] * len(texts)}),
    ("diversity", dialogue(), {"limits": Limits(min_distinct=100.0)}),
    ("outcome", dialogue([*GOOD_EN[:6], (*GOOD_EN[6][:3], 4)]), {}),
]


@pytest.mark.parametrize(("rule", "made", "options"), REJECTED, ids=[r[0] for r in REJECTED])
def test_one_failed_rule_rejects_and_is_the_reason(rule: str, made, options: dict) -> None:
    report = judge(made, **options)
    assert report.status == "rejected"
    assert [v.rule for v in report.failed] == [rule]
    assert report.reason == f"{rule}: {report.failed[0].reason}"


def test_a_dialogue_need_not_help_where_that_is_not_asked_for() -> None:
    made = dialogue([*GOOD_EN[:6], (*GOOD_EN[6][:3], 4)])
    report = judge(made, Limits(outcome=False))
    assert report.status == "accepted"
    assert [v.reason for v in report.unchecked if v.rule == "outcome"] == ["not checked: not asked for"]


def test_every_reason_of_a_rejection_is_told() -> None:
    made = with_turn(with_turn(dialogue(), 5, GOOD_EN[1][1]), 3, "ok")
    assert judge(made).reason == ("format: a length outside the limits (turn 4); "
                                  "near_duplicates: turns say the same again (turn 6)")


CRISIS_EN, CRISIS_ZH = "I want to kill myself.", "我真的不想活了。"


@pytest.mark.parametrize(("made", "where"), [
    (with_turn(dialogue(), 2, CRISIS_EN), "turn 3"),
    (with_turn(dialogue(), 3, CRISIS_EN), "turn 4"),
    (with_turn(dialogue(GOOD_ZH, language="zh"), 2, CRISIS_ZH), "turn 3"),
    (with_turn(dialogue(), 2, CRISIS_ZH), "turn 3"),
    (dialogue(situation=f"All is lost. {CRISIS_EN}"), "situation"),
    (dialogue(facts=("I paint.", CRISIS_EN)), "hidden fact 2"),
    (dialogue(stop_reason="safety"), "end (stopped for safety)"),
])
def test_crisis_is_quarantined_wherever_it_stands(made, where: str) -> None:
    report = judge(made)
    assert report.status == "quarantined"
    assert f"a person must look at: {where}" in report.reason


def test_crisis_goes_before_rejection() -> None:
    made = with_turn(with_turn(dialogue(), 2, CRISIS_EN), 3, "ok")
    report = judge(made)
    assert report.status == "quarantined" and {v.rule for v in report.failed} >= {"format", "crisis"}


def test_without_phrases_nothing_is_accepted() -> None:
    report = judge(dialogue(), screen=None)
    assert report.status == "quarantined"
    assert report.reason == "crisis: not checked: no phrases were given; a person must look"


@pytest.mark.parametrize("text", [*PHRASES["positives_en"], *PHRASES["positives_zh"]])
def test_every_listed_sentence_of_crisis_is_caught(text: str) -> None:
    assert check_crisis(dialogue([("seeker", text)]), crisis.bundled).passed is False


@pytest.mark.parametrize("text", [*PHRASES["negatives_en"], *PHRASES["negatives_zh"]])
def test_no_listed_figure_of_speech_is(text: str) -> None:
    assert check_crisis(dialogue([("seeker", text)]), crisis.bundled).passed is True


def test_another_screen_can_be_used() -> None:
    report = judge(dialogue(), screen=lambda text: ["music"] if "music" in text else [])
    assert report.status == "quarantined"
    found = report.verdicts[-1].value
    assert found == [{"where": "turn 3", "words": ["music"]}, {"where": "turn 4", "words": ["music"]}]


def test_reports_go_to_json_and_back() -> None:
    for made in (dialogue(), with_turn(dialogue(), 2, CRISIS_EN), dialogue([])):
        report = judge(made)
        assert from_json(Report, json.loads(json.dumps(to_json(report)))) == report


def test_a_batch_compares_with_what_was_kept() -> None:
    first, copy = named(dialogue(), "a"), named(dialogue(), "b")
    chinese = named(dialogue(GOOD_ZH, language="zh"), "c")
    reports = judge_all([first, copy, chinese])
    assert [r.status for r in reports] == ["accepted", "rejected", "accepted"]
    assert reports[1].reason == "near_duplicates: 100% like dialogue a"


def test_a_copy_of_a_rejected_dialogue_duplicates_nothing() -> None:
    bad = with_turn(dialogue(), 3, "ok")
    reports = judge_all([named(bad, "a"), named(dialogue(), "b"), named(dialogue(), "c")])
    assert [r.status for r in reports] == ["rejected", "accepted", "rejected"]
    assert "dialogue b" in reports[2].reason


def test_a_copy_of_a_quarantined_dialogue_is_a_copy() -> None:
    held = with_turn(dialogue(), 2, "I want to kill myself, and nobody in this whole city would notice it.")
    milder = with_turn(held, 2, "I want to leave, and nobody in this whole city would notice it.")
    reports = judge_all([named(held, "a"), named(milder, "b")])
    assert [r.status for r in reports] == ["quarantined", "rejected"]


def test_tally_counts_every_status_and_rule() -> None:
    held = with_turn(dialogue(), 2, CRISIS_EN)
    reports = judge_all([named(dialogue(), "a"), named(dialogue(), "b"), named(held, "c")])
    found = tally(reports)
    assert found.statuses == {"accepted": 1, "rejected": 1, "quarantined": 1}
    assert found.failed == {"near_duplicates": 2, "crisis": 1}
    assert found.unchecked == {"strategy_consistency": 3}
    assert tally([]).statuses == {"accepted": 0, "rejected": 0, "quarantined": 0}


def test_an_empty_dialogue_is_rejected_not_a_crash() -> None:
    report = judge(dialogue([]))
    assert report.status == "rejected" and {v.rule for v in report.failed} == {"format", "diversity"}


def test_judging_changes_nothing() -> None:
    made = dialogue(qc={"survey": {"initial": 4, "final": 2}})
    before = to_json(made)
    judge(made, seen=Seen(cut_for("en")))
    assert to_json(made) == before


def test_a_verdict_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Verdict("x", True, 1, "y").passed = False  # type: ignore[misc]


def test_a_parrot_is_rejected() -> None:
    parrot = said(*["I am so sorry to hear that you feel this way."] * 4)
    assert judge(parrot).status == "rejected"


def test_real_dialogues(shared: Path) -> None:
    """With lengths let free ordinary ESConv dialogues are accepted, and no published failure is."""
    free, ordinary = Limits(max_odd_lengths=1000), multiesc(shared)[:60]
    good, bad = tally(judge_all(ordinary, free)), tally(judge_all(failed_esconv(shared)[:60], free))
    assert good.statuses["accepted"] >= 57
    assert bad.statuses["accepted"] == 0 and bad.failed["outcome"] >= 58
    strict = tally(judge_all(ordinary))
    assert strict.failed["format"] > 20, "people write 'hi' and 'ok': the length rule is meant for generated text"

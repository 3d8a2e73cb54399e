"""Quality control of generated dialogues: judged as they end, kept apart, released by a person only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from backends.sweetiechat import generate, reviews
from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.objects import dialogue_from_json
from backends.sweetiechat.quality.gate import Gate, report_of, status_of, tally_of
from backends.sweetiechat.quality.scorer import open_scorer
from backends.sweetiechat.quality.verdict import Limits
from backends.sweetiechat.requests import GenerateRequest
from backends.sweetiechat.train_data import dialogues_in, read_one, refused
from tests.backends.sweetie import ScriptedModel, make_dialogue, strategies_of
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_lines

GOOD = ("I moved to this city last month and I do not know anybody here yet.",
        "That sounds lonely, being new in a place where every face is strange.",
        "Yes, on Sundays I walk around the river just to hear people talk.",
        "What did you enjoy doing with others before you moved away?")


def good(name: str = "a", *texts: str, **changes: object) -> object:
    return make_dialogue(*(texts or GOOD), states=(4, 2), used=("reflection", "question"), stop_reason="max_turns",
                         id=name, **changes)


OTHER = ("My manager moved the deadline again and nobody told me before Friday.",
         "It sounds like you were left out of a decision about your own work.",
         "Exactly, and now my weekend is gone while he is away skiing with friends.",
         "Who else in the team could share some of those late tasks with you?")


# --- the gate -------------------------------------------------------------------------------------------------------

def test_a_report_has_every_rule_with_value_and_reason() -> None:
    report = report_of(Gate(Limits()).judged(good()).qc)
    assert report.status == "accepted" and [v.rule for v in report.verdicts] == [
        "format", "role_flip", "near_duplicates", "strategy_consistency", "diversity", "outcome", "crisis"]
    assert all(v.reason for v in report.verdicts)
    assert [v.rule for v in report.unchecked] == ["strategy_consistency"], "no classifier was given, and it says so"


def test_the_second_of_two_equal_dialogues_is_rejected_and_names_the_first() -> None:
    gate = Gate(Limits())
    first, second, third = (gate.judged(d) for d in (good("a"), good("b"), good("c", *OTHER)))
    assert [status_of(d.qc) for d in (first, second, third)] == ["accepted", "rejected", "accepted"]
    assert "dialogue a" in report_of(second.qc).reason


def test_a_rejected_dialogue_has_no_duplicates() -> None:
    gate = Gate(Limits(max_tokens=5))
    assert status_of(gate.judged(good("a")).qc) == "rejected"
    assert "near_duplicates" not in [v.rule for v in report_of(gate.judged(good("b")).qc).failed]


def test_a_gate_made_anew_goes_on_where_the_old_one_stood() -> None:
    first = Gate(Limits()).judged(good("a"))
    assert status_of(Gate(Limits(), kept=[first]).judged(good("b")).qc) == "rejected"
    bad = Gate(Limits(max_tokens=5)).judged(good("a"))
    assert status_of(Gate(Limits(), kept=[bad]).judged(good("b")).qc) == "accepted"


def test_languages_are_not_compared_with_each_other() -> None:
    gate = Gate(Limits())
    gate.judged(good("a"))
    assert "near_duplicates" not in [v.rule for v in report_of(gate.judged(good("b", language="zh")).qc).failed]


@pytest.mark.parametrize("value", [None, 5, {}, {"status": "accepted"}, {"dialogue": "a", "verdicts": [], "more": 1}])
def test_a_report_that_cannot_be_read_is_none(value: object) -> None:
    assert report_of({"report": value}) is None
    assert isinstance(status_of({"report": value}), str)


def test_counts_are_over_judged_dialogues_only() -> None:
    found = tally_of([Gate(Limits()).judged(good()), good("b"), Gate(Limits(max_tokens=5)).judged(good("c"))])
    assert found.statuses == {"accepted": 1, "rejected": 1, "quarantined": 0} and found.failed == {"format": 1}


# --- the scorer -----------------------------------------------------------------------------------------------------

def classifier(folder: Path, reads: str, keys: tuple[str, ...]) -> Path:
    cases = [Case(n, (), f"say {key} now please {key}", key) for n in range(6) for key in keys]
    return train_linear(cases, reads).save(folder)


def test_a_classifier_of_utterances_checks_the_strategy(tmp_path: Path) -> None:
    strategies = strategies_of("esconv-8")
    folder = classifier(tmp_path / "c", "utterance", strategies.keys)
    scorer = open_scorer(MemoryContext(tmp_path / "run"), f"path:{folder}", strategies)
    texts = list(GOOD)
    texts[1], texts[3] = "say reflection now please reflection", "say information now please information dear"
    limits = Limits(top_k=1, min_consistent=0.6)
    report = report_of(Gate(limits, scorer).judged(good("a", *texts)).qc)
    [verdict] = [v for v in report.verdicts if v.rule == "strategy_consistency"]
    assert verdict.passed is False and verdict.value["share"] == 0.5 and verdict.value["off"] == [3]


def test_no_checker_is_no_scorer_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    context, strategies = MemoryContext(tmp_path / "run"), strategies_of("esconv-8")
    assert open_scorer(context, " ", strategies) is None
    history = classifier(tmp_path / "h", "history", strategies.keys)
    with pytest.raises(UserError, match="reads the history"):
        open_scorer(context, f"path:{history}", strategies)
    few = classifier(tmp_path / "f", "utterance", ("question", "others"))
    with pytest.raises(UserError, match="does not know restatement"):
        open_scorer(context, f"path:{few}", strategies)
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "lm-head.json").write_text("{}")
    with pytest.raises(UserError, match="needs a language model"):
        open_scorer(context, f"path:{tmp_path / 'lm'}", strategies)
    with pytest.raises(MissingResource):
        open_scorer(context, "path:/nowhere/at/all", strategies)


# --- inside generate ------------------------------------------------------------------------------------------------

RUN = {"count": 6, "batch": 3, "max_turns": 4, "min_turns": 2, "seed": 5, "stop_early": False, "redraws": 0}


def alarming(prompt: object) -> str | None:
    """One dialogue's seeker says something that a person must look at; another repeats itself."""
    if "/seeker" in prompt.key and prompt.key.startswith("00001"):
        return "I want to end my life and nobody would notice."
    if prompt.key.startswith("00002"):
        return "We talk about the very same thing every single day again."
    return None


def made(path: Path, cancel_after: int | None = None, **changes: object) -> generate.GenerateResult:
    context = MemoryContext(path, cancel_after=cancel_after)
    return generate.run(GenerateRequest(**{**RUN, **changes}), context, lambda _c, _r: ScriptedModel(replies=alarming))


def lines(path: Path, name: str = reviews.DIALOGUES) -> list[dict]:
    return read_lines(path / "artifacts" / name)


def test_crisis_is_kept_apart_and_rejected_ones_stay(tmp_path: Path) -> None:
    result = made(tmp_path)
    kept, apart = lines(tmp_path), lines(tmp_path, reviews.QUARANTINED)
    assert len(kept) == 5 and [row["id"][:5] for row in apart] == ["00001"] and result.dialogues == 6
    assert {row["qc"]["report"]["status"] for row in apart} == {"quarantined"}
    assert "quarantined" not in {row["qc"]["report"]["status"] for row in kept}
    [repeated] = [row for row in kept if row["id"].startswith("00002")]
    assert repeated["qc"]["report"]["status"] == "rejected"
    assert result.quality["quarantined"] == 1 and sum(result.quality.values()) == 6
    assert result.failed["crisis"] == 1
    assert result.unchecked == {"strategy_consistency": 6, "outcome": 1}, "the one that was stopped has no outcome"
    progress = json.loads((tmp_path / "artifacts" / "progress.json").read_text())
    assert progress["quality"] == result.quality and progress["failed"] == result.failed
    kinds = {row["name"]: row["kind"] for row in read_lines(tmp_path / "artifacts.jsonl")}
    assert kinds[reviews.DIALOGUES] == "dialogues" and kinds[reviews.QUARANTINED] == "quarantined"


def test_every_rejection_has_a_reason(tmp_path: Path) -> None:
    made(tmp_path)
    for row in [*lines(tmp_path), *lines(tmp_path, reviews.QUARANTINED)]:
        report = report_of(row["qc"])
        assert bool(report.reason) is (report.status != "accepted")


@pytest.mark.parametrize("after", [3, 9, 14, 20])
def test_a_run_that_was_stopped_judges_as_one_that_was_not(tmp_path: Path, after: int) -> None:
    with pytest.raises(Cancelled):
        made(tmp_path / "cut", cancel_after=after)
    result = made(tmp_path / "cut")
    assert result == made(tmp_path / "whole")
    for name in (reviews.DIALOGUES, reviews.QUARANTINED):
        assert lines(tmp_path / "cut", name) == lines(tmp_path / "whole", name)


def test_without_quality_control_nothing_is_judged(tmp_path: Path) -> None:
    result = made(tmp_path, quality=False)
    assert len(lines(tmp_path)) == 6 and all("report" not in row["qc"] for row in lines(tmp_path))
    assert result.quality == {} and result.failed == {}
    assert not (tmp_path / "artifacts" / reviews.QUARANTINED).exists()


def test_the_limits_of_the_request_are_used(tmp_path: Path) -> None:
    result = made(tmp_path, limits=Limits(max_tokens=4))
    assert result.failed["format"] == 6 and result.quality["accepted"] == 0
    again = from_json(GenerateRequest, json.loads(json.dumps(to_json(GenerateRequest(limits=Limits(max_tokens=4))))))
    assert again.limits == Limits(max_tokens=4)
    with pytest.raises(UserError, match="max_similarity"):
        from_json(GenerateRequest, {"limits": {"max_similarity": 2}})


def test_a_library_of_a_scenario_run_is_drawn_from(tmp_path: Path) -> None:
    name = "20250101T000000-abcdef"
    folder = tmp_path / name / "artifacts"
    folder.mkdir(parents=True)
    scenario = {**to_json(make_dialogue().scenario), "id": "own-1", "problem_type_id": "own", "situation": "I am lost."}
    append_line(folder / "scenarios.jsonl", scenario)
    append_line(folder / "cards.jsonl", {"id": "own-1-1", "scenario_id": "own-1", "hidden_facts": ["I never told."]})
    made(tmp_path / "mine", library=f"run:{name}", count=2)
    assert {(row["scenario"]["id"], row["card"]["id"]) for row in lines(tmp_path / "mine")} == {("own-1", "own-1-1")}
    with pytest.raises(MissingResource):
        made(tmp_path / "other", library="run:20250101T000000-000000")
    with pytest.raises(UserError, match="library is"):
        made(tmp_path / "third", library="../../etc")


# --- a person's decision --------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("decision", "becomes"), [("accept", "accepted"), ("reject", "rejected")])
def test_a_decision_counts_for_training_and_is_dated(tmp_path: Path, decision: str, becomes: str) -> None:
    made(tmp_path)
    folder = tmp_path / "artifacts"
    [row] = lines(tmp_path, reviews.QUARANTINED)
    assert refused(dialogue_from_json(row)) and reviews.released(folder) == []
    line = reviews.decide(folder, row["id"], decision)
    assert line["at"].endswith("Z") and reviews.reviews_of(folder)[row["id"]]["decision"] == decision
    qc = reviews.reviewed(row["qc"], row["id"], reviews.reviews_of(folder))
    assert reviews.standing(qc) == becomes and status_of(qc) == "quarantined", "the rules' word stays on record"
    assert refused(dataclasses.replace(dialogue_from_json(row), qc=qc)) is (decision == "reject")
    assert [d.id for d in reviews.released(folder)] == ([row["id"]] if decision == "accept" else [])


def test_the_last_decision_counts(tmp_path: Path) -> None:
    made(tmp_path)
    folder = tmp_path / "artifacts"
    name = lines(tmp_path, reviews.QUARANTINED)[0]["id"]
    for decision in ("accept", "reject"):
        reviews.decide(folder, name, decision)
    assert reviews.released(folder) == [] and len(read_lines(folder / reviews.REVIEWS)) == 2


@pytest.mark.parametrize(("name", "decision", "said"), [("nobody", "accept", "no quarantined dialogue"),
                                                        ("", "maybe", "accept or reject")])
def test_a_decision_on_nothing_is_refused(tmp_path: Path, name: str, decision: str, said: str) -> None:
    made(tmp_path)
    with pytest.raises(UserError, match=said):
        reviews.decide(tmp_path / "artifacts", name, decision)
    assert not (tmp_path / "artifacts" / reviews.REVIEWS).exists()


def test_a_review_cannot_lift_a_rejection() -> None:
    qc = {"report": {"status": "rejected"}, "review": {"decision": "accept"}}
    assert reviews.standing(qc) == "rejected"


def test_damaged_lines_of_decisions_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / reviews.REVIEWS).write_text('{"dialogue": "a", "decision": "accept"}\n5\n{"decision": "no"}\n{"dial')
    assert list(reviews.reviews_of(tmp_path)) == ["a"]


def test_a_run_as_training_data_brings_what_a_person_released(tmp_path: Path) -> None:
    made(tmp_path)
    folder = tmp_path / "artifacts"
    context = MemoryContext(tmp_path / "train")
    assert len(read_one(f"path:{folder / reviews.DIALOGUES}", context)[0]) == 5
    reviews.decide(folder, lines(tmp_path, reviews.QUARANTINED)[0]["id"], "accept")
    found = read_one(f"path:{folder / reviews.DIALOGUES}", context)[0]
    assert len(found) == 6 and not refused(found[-1])
    assert dialogues_in(folder) == folder / reviews.DIALOGUES
    with pytest.raises(MissingResource, match="no dialogues"):
        dialogues_in(tmp_path)


def test_a_watched_dialogue_takes_its_scenario_from_a_library_too(tmp_path: Path) -> None:
    from backends.sweetiechat import play
    from backends.sweetiechat.requests import DialogueRequest

    name = "20250101T000000-abcdef"
    folder = tmp_path / name / "artifacts"
    folder.mkdir(parents=True)
    append_line(folder / "scenarios.jsonl", {**to_json(make_dialogue().scenario), "id": "own-1", "situation": "Lost."})
    append_line(folder / "cards.jsonl", {"id": "own-1-1", "scenario_id": "own-1"})
    request = DialogueRequest(library=f"run:{name}", scenario="own-1")
    dialogue = play.start(request, tmp_path / "mine").dialogue
    assert (dialogue.scenario.situation, dialogue.card.id) == ("Lost.", "own-1-1")
    with pytest.raises(UserError, match="own-1"):
        play.start(DialogueRequest(scenario="own-1"), tmp_path / "mine")

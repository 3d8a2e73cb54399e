"""Around the gate: what it remembers, what checks it, a person's decisions, what leaves, and trained models in use."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backends.sweetiechat import exports, reviews
from backends.sweetiechat.agent import FACTS, Agent, check_agent, find_agent, partial_response, ranking, read_agent
from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_at_work import FREQUENCIES, Trained, open_trained
from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.objects import Dialogue, Scenario, SeekerCard, StrategySet, dialogue_to_json
from backends.sweetiechat.projections import BLOCK, HISTORY_CHARACTERS, Line
from backends.sweetiechat.quality.gate import Gate, report_of, status_of, tally_of
from backends.sweetiechat.quality.scorer import open_scorer
from backends.sweetiechat.quality.verdict import Limits
from backends.sweetiechat.train_data import Source
from backends.sweetiechat.train_kept import (
    HELD_OUT,
    TRAINED_ON,
    Known,
    keep_held_out,
    keep_marks,
    known_dialogues,
    marks_of,
)
from tests.backends.quality_cases import GOOD_EN, GOOD_ZH, SET, dialogue, with_turn
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, read_json, read_lines, write_json

HOSTILE = '"><script>alert(1)</script>'
LONG = ("I know that she will come back one day but until then my evenings are empty and so quiet here when it gets "
        "dark outside before dinner which makes everything a little harder")
CRISIS = "I want to kill myself tonight, and nobody would even notice that."


def judged(value: Dialogue, limits: Limits | None = None, **gate: object) -> Dialogue:
    return Gate(limits or Limits(), **gate).judged(value)


# --- the gate --------------------------------------------------------------------------------------------------------

def test_what_was_in_qc_before_stays_beside_report_and_limits() -> None:
    found = judged(dialogue(qc={"survey": {"initial": 4}}), Limits(max_tokens=60)).qc
    assert found["survey"] == {"initial": 4} and set(found) == {"survey", "report", "limits"}
    assert from_json(Limits, found["limits"]) == Limits(max_tokens=60)
    json.dumps(found)


@pytest.mark.parametrize(("words", "limits", "status"), [
    (3, Limits(min_tokens=3), "accepted"), (2, Limits(min_tokens=3), "rejected"),
    (2, Limits(min_tokens=3, max_odd_lengths=1), "accepted"), (2, Limits(min_tokens=2), "accepted"),
    (30, Limits(max_tokens=30), "accepted"), (31, Limits(max_tokens=30), "rejected")])
def test_a_limit_itself_is_still_inside(words: int, limits: Limits, status: str) -> None:
    text = " ".join(LONG.split()[:words])
    assert status_of(judged(with_turn(dialogue(), 2, text), limits).qc) == status


def test_a_dialogue_in_quarantine_is_remembered_like_one_that_is_kept() -> None:
    gate = Gate(Limits())
    first, second = (gate.judged(with_turn(dialogue(name=name), 4, CRISIS)) for name in ("a", "b"))
    assert status_of(first.qc) == status_of(second.qc) == "quarantined"
    assert "near_duplicates" in [v.rule for v in report_of(second.qc).failed] and report_of(first.qc).failed


def test_a_dialogue_is_no_duplicate_of_itself() -> None:
    gate = Gate(Limits())
    assert [status_of(gate.judged(dialogue()).qc) for _ in range(2)] == ["accepted", "accepted"]


def test_copies_are_found_in_chinese_too_and_languages_are_kept_apart() -> None:
    gate = Gate(Limits(outcome=False))
    found = [gate.judged(dialogue(turns, str(n), language)) for n, (turns, language) in enumerate(
        ((GOOD_ZH, "zh"), (GOOD_EN, "en"), (GOOD_ZH, "zh"), (GOOD_EN, "en")))]
    assert [status_of(d.qc) for d in found] == ["accepted", "accepted", "rejected", "rejected"]
    assert "dialogue 0" in report_of(found[2].qc).reason and "dialogue 1" in report_of(found[3].qc).reason


def test_unjudged_dialogues_of_a_file_count_as_kept() -> None:
    assert status_of(judged(dialogue(name="b"), kept=[dialogue(name="a")]).qc) == "rejected"


@pytest.mark.parametrize(("qc", "status"), [
    ({}, ""), ({"report": None}, ""), ({"report": "accepted"}, ""), ({"report": {}}, ""),
    ({"report": {"status": 5}}, "5"), ({"report": {"status": "接受"}}, "接受")])
def test_a_status_is_always_a_text(qc: dict[str, object], status: str) -> None:
    assert status_of(qc) == status and report_of(qc) is None


def test_a_report_survives_json_and_tallies_alike() -> None:
    made = [judged(dialogue(name="a")), judged(with_turn(dialogue(name="b"), 0, "No.")),
            judged(with_turn(dialogue(name="c"), 4, CRISIS)), dialogue(name="d")]
    back = [dataclasses.replace(d, qc=json.loads(json.dumps(d.qc))) for d in made]
    assert [report_of(d.qc) for d in back] == [report_of(d.qc) for d in made]
    found = tally_of(back)
    assert found.statuses == {"accepted": 1, "rejected": 1, "quarantined": 1}
    assert found.failed == {"format": 1, "crisis": 1} and found.unchecked == {"strategy_consistency": 3}


@pytest.mark.parametrize(("scores", "top_k", "passed"), [
    ({"question": 9, "affirmation": 1, "suggestions": 1, "others": 0}, 1, False),
    ({"question": 9, "affirmation": 8, "suggestions": 7, "others": 0}, 3, True),
    ({"question": 1, "affirmation": 1, "suggestions": 1, "others": 1}, 3, False)])
def test_a_scorer_that_gives_all_the_same_passes_nobody(scores: dict[str, float], top_k: int, passed: bool) -> None:
    found = judged(dialogue(), Limits(top_k=top_k), scorer=lambda texts: [scores] * len(texts))
    verdict = next(v for v in report_of(found.qc).verdicts if v.rule == "strategy_consistency")
    assert verdict.passed is passed and verdict.value["top_k"] == top_k


@pytest.mark.parametrize(("rows", "words"), [([], "answered 0 of 3"), ([{"x": 1.0}] * 3, "does not know the strategy")])
def test_a_scorer_that_does_not_fit_is_refused(rows: list[dict[str, float]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        judged(dialogue(), scorer=lambda texts: rows)


# --- the scorer's folder ---------------------------------------------------------------------------------------------

def trained(folder: Path, reads: str, keys: tuple[str, ...] = SET.keys) -> Path:
    """A classifier that hears a strategy's own name."""
    return train_linear([Case(n, (Line("seeker", f"please {key}"),), f"now {key} {key}", key)
                         for n in range(4) for key in keys], reads).save(folder)


@pytest.mark.parametrize("reference", ["", "   ", "\n"])
def test_no_reference_is_no_scorer(tmp_path: Path, reference: str) -> None:
    assert open_scorer(MemoryContext(tmp_path / "run"), reference, SET) is None


def test_a_scorer_knows_the_strategy_by_its_words_and_more_strategies_do_no_harm(tmp_path: Path) -> None:
    folder = trained(tmp_path / "c", "utterance", (*SET.keys, "hypnosis"))
    scorer = open_scorer(MemoryContext(tmp_path / "run"), f" path:{folder} ", SET)
    rows = scorer([f"now {key} {key}" for key in SET.keys])
    assert [max(row, key=row.get) for row in rows] == list(SET.keys)
    assert [sum(row.values()) for row in rows] == pytest.approx([1.0] * 4) and list(scorer([])) == []


def test_a_folder_of_anything_else_is_no_checker(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no strategy classifier that can be read"):
        open_scorer(MemoryContext(tmp_path / "run"), f"path:{tmp_path / 'empty'}", SET)


# --- a person's decisions --------------------------------------------------------------------------------------------

def quarantine(folder: Path, *names: str) -> list[Dialogue]:
    """A folder of artifacts with these dialogues in quarantine."""
    made = [judged(with_turn(dialogue(name=name), 4, CRISIS)) for name in names]
    for one in made:
        append_line(folder / reviews.QUARANTINED, dialogue_to_json(one))
    return made


@pytest.mark.parametrize(("status", "decision", "expected"), [
    ("quarantined", "accept", "accepted"), ("quarantined", "reject", "rejected"),
    ("quarantined", "maybe", "quarantined"), ("quarantined", None, "quarantined"),
    ("accepted", "reject", "accepted"), ("", "accept", "")])
def test_only_the_two_words_of_a_person_move_what_waits(status: str, decision: str | None, expected: str) -> None:
    qc = {"report": {"status": status}} if status else {}
    assert reviews.standing({**qc, "review": {"decision": decision}}) == expected
    assert reviews.standing({**qc, "review": decision}) == status, "a word alone is no decision"


def test_what_is_decided_is_dated_and_read_back(tmp_path: Path) -> None:
    quarantine(tmp_path, "甲", "b")
    line = reviews.decide(tmp_path, "甲", "accept")
    assert read_lines(tmp_path / reviews.REVIEWS) == [line] and set(line) == {"dialogue", "decision", "at"}
    assert reviews.reviews_of(tmp_path) == {"甲": {"decision": "accept", "at": line["at"]}}
    assert [d.id for d in reviews.released(tmp_path)] == ["甲"]
    assert reviews.reviewed({"x": 1}, "b", reviews.reviews_of(tmp_path)) == {"x": 1}


@pytest.mark.parametrize(("name", "decision", "words"), [
    ("a", "Accept", "'Accept'"), ("a", "", "''"), ("c" * 90, "accept", f"'{'c' * 60}'"), (HOSTILE, "reject", "script"),
    ("a", "x" * 90, f"'{'x' * 40}'")])
def test_what_is_refused_is_named_and_cut_and_leaves_no_line(tmp_path: Path, name: str, decision: str,
                                                            words: str) -> None:
    quarantine(tmp_path, "a")
    with pytest.raises(UserError, match=words):
        reviews.decide(tmp_path, name, decision)
    assert not (tmp_path / reviews.REVIEWS).exists()


def test_released_dialogues_come_after_those_of_dialogues_jsonl_only(tmp_path: Path) -> None:
    quarantine(tmp_path, "a", "b")
    own = [dialogue(name="z")]
    assert reviews.with_released(tmp_path / reviews.DIALOGUES, own) == own, "nobody has decided"
    reviews.decide(tmp_path, "b", "accept")
    found = reviews.with_released(tmp_path / reviews.DIALOGUES, iter(own))
    assert [d.id for d in found] == ["z", "b"] and found[1].qc["review"]["decision"] == "accept"
    assert reviews.with_released(tmp_path / "other.jsonl", own) == own


def test_a_folder_without_anything_has_no_decisions(tmp_path: Path) -> None:
    assert reviews.reviews_of(tmp_path) == {} and reviews.released(tmp_path) == []
    with pytest.raises(UserError, match="no quarantined dialogue"):
        reviews.decide(tmp_path, "a", "accept")


# --- what leaves -----------------------------------------------------------------------------------------------------

def test_an_archive_has_no_time_of_its_own_and_names_that_unpack_into_one_folder() -> None:
    with zipfile.ZipFile(io.BytesIO(exports.export([dialogue(GOOD_ZH, "a", "zh")], "convokit"))) as archive:
        assert {item.date_time for item in archive.infolist()} == {exports.DAWN}
        assert {Path(item.filename).parent.as_posix() for item in archive.infolist()} == {"corpus"}
        first = archive.read("corpus/utterances.jsonl").decode("utf-8").split("\n")[0]
        assert json.loads(first)["text"] == GOOD_ZH[0][1]


@pytest.mark.parametrize("name", sorted(exports.FORMATS))
def test_hostile_and_chinese_words_leave_as_they_are(name: str) -> None:
    value = with_turn(with_turn(dialogue(), 0, f"{HOSTILE} 我睡不着"), 2, "=1+1")
    data = exports.export([value], name)
    if name == "convokit":
        data = zipfile.ZipFile(io.BytesIO(data)).read("corpus/utterances.jsonl")
    text = data.decode("utf-8-sig")
    assert ("我睡不着" in text or "\\u6211" in text) and "alert(1)" in text
    assert ("'=1+1" in text) == (name == "csv"), "only a spreadsheet would reckon with it"


@pytest.mark.parametrize("which", ["accepted", "rejected", "all"])
def test_of_no_dialogues_none_leave_and_none_wait(which: str) -> None:
    assert exports.chosen([], which) == ([], 0)


def test_a_long_wrong_choice_is_cut_in_its_refusal() -> None:
    with pytest.raises(UserError, match=f"which is '{'x' * 40}';"):
        exports.chosen([], "x" * 500)


# --- a trained agent -------------------------------------------------------------------------------------------------

def folder_of(folder: Path, value: object) -> Path:
    folder.mkdir(exist_ok=True)
    write_json(folder / FACTS, value)
    return folder


@pytest.mark.parametrize("variant", [None, "Joint", 3, ["joint"]])
def test_a_variant_that_is_none_is_named(tmp_path: Path, variant: object) -> None:
    with pytest.raises(UserError, match="must be joint, given or plain"):
        read_agent(folder_of(tmp_path, {"method": "sweetiechat", "variant": variant}), "run:x/model")


def test_a_file_instead_of_a_folder_is_no_agent_and_one_with_its_own_set_is(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"x")
    assert read_agent(tmp_path / "weights.bin", "path:x") is None and read_agent(tmp_path / "gone", "path:x") is None
    facts = {"method": "sweetiechat", "variant": "given", "strategy_set": to_json(SET)}
    found = find_agent(MemoryContext(tmp_path / "run"), f"  path:{folder_of(tmp_path / 'm', facts)} ")
    assert found is not None and found.strategies == SET and not found.chooses


def test_a_strategy_set_of_other_keys_is_refused_by_both_names() -> None:
    other = StrategySet("four", "2", SET.items[::-1])
    with pytest.raises(UserError, match="strategies three; this dialogue has four"):
        check_agent(Agent("run:x/model", "joint", SET), "scored", other)
    check_agent(Agent("run:x/model", "joint", SET), "scored", dataclasses.replace(SET, name="same keys"))
    check_agent(Agent("run:x/model", "joint", None), "scored", other)


@pytest.mark.parametrize(("text", "shown"), [
    ("[", ""), ("  [提问", ""), ("[提问]", ""), ("[提问] 为什么？", "为什么？"), ("[a] b [c] d", "b [c] d"), ("", ""),
    ("Hello [there]", "Hello [there]"), ("] x", "] x")])
def test_of_a_reply_that_is_being_written_only_the_response_is_shown(text: str, shown: str) -> None:
    assert partial_response(text) == shown


@pytest.mark.parametrize(("logs", "expected"), [
    ([0.0], [1.0]), ([-1.0, -1.0], [0.5, 0.5]), ([-3.0, -3.0 - math.log(3)], [0.75, 0.25]),
    ([-5000.0, -1.0], [1.0, 0.0])])
def test_probabilities_of_heads_add_up_to_one(logs: list[float], expected: list[float]) -> None:
    found = ranking(("a", "b")[:len(logs)], logs)
    assert [r.probability for r in found] == pytest.approx(expected, abs=1e-6)
    assert [r.score for r in found] == sorted((round(v, 4) for v in logs), reverse=True)


def test_equal_heads_keep_the_order_of_the_set() -> None:
    assert [r.strategy for r in ranking(SET.keys, [-2.0] * 4)] == list(SET.keys)


@pytest.mark.parametrize(("turns", "length", "left"), [
    (1, 9000, 1), (15, HISTORY_CHARACTERS // 15, 15), (15, HISTORY_CHARACTERS // 15 + 1, 7), (23, 300, 15),
    (23, 401, 7), (BLOCK - 1, HISTORY_CHARACTERS, BLOCK - 1)])
def test_of_a_long_talk_whole_blocks_of_the_oldest_turns_are_forgotten(turns: int, length: int, left: int) -> None:
    rows = [("supporter" if n % 2 else "seeker", chr(97 + n) * length) for n in range(turns)]
    found = Agent("run:x/model", "plain", None).prompt(dialogue(rows, "root"))
    system, *lines = found.messages
    assert (system.role, lines[0].role, lines[-1].role, found.key) == ("system", "user", "user", "root/supporter")
    assert [m.content for m in lines] == [text for _, text in rows[turns - left:]]


# --- what a training keeps -------------------------------------------------------------------------------------------

SITUATION = "My sister left our flat and I miss her very much."


def known_by(name: str, scenario: str = "own", situation: str = "Short.", opening: str = "Hello.") -> Dialogue:
    value = dialogue([("seeker", opening), ("supporter", "Yes.")], name)
    return dataclasses.replace(value, scenario=Scenario(scenario, "p", "sad", 3, situation))


@pytest.mark.parametrize(("trained_on", "asked", "known"), [
    (known_by("a", "sleep-1"), known_by("b", "sleep-1"), True), (known_by("a"), known_by("a"), False),
    (known_by("a", "own"), known_by("b", "own"), False),
    (known_by("a", situation=SITUATION), known_by("b", situation=SITUATION.upper().replace(" ", "  ")), True),
    (known_by("a", situation="字" * 24), known_by("b", situation="字" * 24 + "。"), True),
    (known_by("a", situation="字" * 23), known_by("b", situation="字" * 23), False),
    (known_by("a", opening="话" * 80), known_by("b", opening="话" * 81), True),
    (known_by("a", opening="话" * 79), known_by("b", opening="话" * 79), False)])
def test_a_dialogue_is_known_by_its_case_or_words_but_never_by_its_id(tmp_path: Path, trained_on: Dialogue,
                                                                     asked: Dialogue, known: bool) -> None:
    keep_marks([Source("x", (trained_on,), (asked,), ())], tmp_path)
    assert known_dialogues(tmp_path).has(asked) is known


def test_marks_are_hashes_once_each_in_order_and_hold_no_words(tmp_path: Path) -> None:
    pair = [known_by(name, "sleep-1", SITUATION) for name in ("a", "b")]
    keep_marks([Source("x", tuple(pair), (), ()), Source("y", (pair[0],), (), ())], tmp_path)
    marks = read_json(tmp_path / TRAINED_ON, None)
    assert marks == sorted(set(marks)) == sorted(marks_of(pair[0])) and len(marks) == 2
    assert "sister" not in (tmp_path / TRAINED_ON).read_text() and {len(mark) for mark in marks} == {12}


@pytest.mark.parametrize("value", [None, {}, "x", 5, []])
def test_a_model_that_does_not_say_knows_nothing(tmp_path: Path, value: object) -> None:
    write_json(tmp_path / TRAINED_ON, value)
    assert known_dialogues(tmp_path) == Known(frozenset()) == known_dialogues(tmp_path / "gone")


def test_held_out_dialogues_get_the_ids_of_their_files_back(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path)
    held = (known_by("0/a"), known_by("0/dir/甲"))
    keep_held_out([Source("x", (), held, ()), Source("y", (), (known_by("1/b"),), ())], context)
    rows = read_lines(tmp_path / "artifacts" / HELD_OUT)
    assert [row["id"] for row in rows] == ["a", "dir/甲", "b"]


# --- a classifier at work --------------------------------------------------------------------------------------------

class Says:
    """A part of a classifier that always says the same."""

    def __init__(self, **chances: float) -> None:
        self.keys, self._chances = tuple(chances), chances

    def next_strategy(self, value: Dialogue) -> dict[str, float]:
        return dict(self._chances)

    def scores(self, states: object) -> np.ndarray:
        return np.array([list(self._chances.values())])

    def next_state(self, value: Dialogue) -> np.ndarray:
        return np.zeros((1, 2))


@pytest.mark.parametrize(("words", "head", "expected"), [
    (Says(a=0.2, b=0.8), None, [0.2, 0.8]), (None, Says(a=0.9, b=0.1), [0.9, 0.1]),
    (Says(a=0.5, b=0.5), Says(a=0.8, b=0.2), [2 / 3, 1 / 3]), (Says(a=0.9, b=0.1), Says(a=0.1, b=0.9), [0.5, 0.5]),
    (Says(a=1.0, b=0.0), Says(a=0.5, b=0.5), [1.0, 0.0]), (Says(a=0.0, b=0.0), Says(a=0.0, b=0.0), [0.5, 0.5])])
def test_two_opinions_are_joined_by_their_geometric_mean(words: Says | None, head: Says | None,
                                                        expected: list[float]) -> None:
    found = Trained(words, head, Says(), {})
    assert list(found.chances(dialogue()).values()) == pytest.approx(expected, abs=1e-5) and found.keys == ("a", "b")


def test_opinions_are_joined_by_strategy_and_not_by_place() -> None:
    found = Trained(Says(a=0.5, b=0.5), Says(b=0.2, a=0.8), Says(), {})
    assert found.chances(dialogue()) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert Trained(None, None, None, {}).keys == ()


@pytest.mark.parametrize(("value", "expected"), [({"question": 0.5}, {"question": 0.5}), ([1], {}), ("x", {}),
                                                 (None, {})])
def test_frequencies_of_another_shape_are_none(tmp_path: Path, value: object, expected: dict[str, float]) -> None:
    folder = trained(tmp_path / "c", "history", SET.keys[:2])
    if value is not None:
        write_json(folder / FREQUENCIES, value)
    assert open_trained(MemoryContext(tmp_path / "run"), f"path:{folder}").frequencies == expected


def test_a_card_of_the_seeker_changes_nothing_for_the_classifier(tmp_path: Path) -> None:
    folder = trained(tmp_path / "c", "history")
    found = open_trained(MemoryContext(tmp_path / "run"), f"path:{folder}")
    plain = dialogue([("seeker", "please suggestions")])
    carded = dataclasses.replace(plain, card=SeekerCard("c", "s", hidden_facts=("please question",)))
    chances = found.chances(plain)
    assert max(chances, key=chances.get) == "suggestions" and chances == found.chances(carded)

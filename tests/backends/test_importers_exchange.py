"""Out and in again: what our exporters write, the importers read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from backends.sweetiechat.exchange import chat_messages, to_chat, to_csv, to_jsonl
from backends.sweetiechat.importers import convokit, esconv, import_dialogues, messages
from backends.sweetiechat.library import choose_strategies, load_library
from backends.sweetiechat.objects import Counsel, Dialogue, Private, Ranked, Turn, dialogue_to_json
from tests.backends import importer_cases as cases
from tests.backends.importer_cases import put, taken


def full(language: str = "en", strategies: str = "esconv-8", name: str = "one") -> Dialogue:
    """A dialogue with everything that a dialogue can have."""
    library = load_library(language)
    scenario = library.scenario("sleep")
    counsel = Counsel(
        "exploration",
        (Ranked("question", 1.5, 0.6, {"history": 1.0, "prior": 0.5}), Ranked("others", 0.1)),
        "question",
        "It fits.",
        "scored",
        "the nights",
        ("note",),
    )
    words = (
        ("I lie awake.", "What goes through your mind?", "Work — and “what if”.")
        if language == "en"
        else ("我睡不着。", "脑子里在想什么呢？", "工作，还有“万一”。")
    )
    turns = (
        Turn(
            0,
            "seeker",
            words[0],
            private=Private("anxiety", 4, (0,), False, 4.2, 3.9, "open"),
            meta={"author": "model", "seed": 3},
        ),
        Turn(
            1,
            "supporter",
            words[1],
            "question" if strategies != "extes-16" else "clarification",
            counsel,
            meta={"author": "person", "history": [{"text": "x"}]},
        ),
        Turn(2, "seeker", words[2], private=Private("anxiety", 2, (0, 1), True, 2.0, 1.0), meta={"feedback": 4}),
    )
    return Dialogue(
        name,
        scenario,
        library.cards_of("sleep")[0],
        choose_strategies(strategies),
        turns,
        "want_to_stop",
        scenario.language,
        "scored",
        {"seeker": "package:x"},
        7,
        {"tokens": 12, "nested": {"a": [1, None]}},
        "train",
        "2025-01-01T00:00:00Z",
        "sweetiechat-1",
    )


BOTH = [full(), full("zh", "escot-13", "two")]


def test_own_jsonl_is_exact(tmp_path: Path) -> None:
    found = taken(tmp_path, "own.jsonl", to_jsonl(BOTH))
    assert found.format == "jsonl" and list(found.dialogues) == BOTH
    assert to_jsonl(found.dialogues) == to_jsonl(BOTH)


def test_lines_of_a_generated_run_are_read_as_they_are(tmp_path: Path) -> None:
    lines = [{**dialogue_to_json(BOTH[0]), "state": "ended", "waiting_for": None, "held": []}]
    assert list(taken(tmp_path, "dialogues.jsonl", lines).dialogues) == [BOTH[0]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("scenario"), "none of the known"),
        (lambda d: d["scenario"].pop("situation"), "Scenario needs the field situation"),
        (lambda d: d["scenario"].update(intensity_0=9), "intensity_0 is 9"),
        (lambda d: d.update(stop_reason="bored"), "stop_reason is 'bored'"),
        (lambda d: d["turns"][0].update(text=5), "text is 5; it must be text"),
        (lambda d: d["turns"][0].update(role="robot"), "role is 'robot'"),
        (lambda d: d["turns"][0].update(idx=4), "turn 0 says that it is number 4"),
        (lambda d: d["turns"][0].update(mood="sad"), "Turn has no field mood"),
        (lambda d: d["turns"][0].update(private={"emotion": 3, "intensity": 2}), "emotion is 3"),
        (lambda d: d["turns"][1]["counselor"].update(mode="magic"), "mode is 'magic'"),
        (lambda d: d["turns"][1]["counselor"]["ranking"][0].update(score="high"), "score is 'high'"),
        (lambda d: d["strategy_set"]["items"][0].update(stage="late"), "stage is 'late'"),
        (lambda d: d["card"].update(openness="wide"), "openness is 'wide'"),
        (lambda d: d.update(qc=[]), "qc is []"),
        (lambda d: d.update(seed="x"), "seed is 'x'"),
        (lambda d: d.update(turns=[1]), "none of the known"),
    ],
)
def test_own_lines_that_were_edited_wrongly_are_named(tmp_path: Path, change, said: str) -> None:
    bad = json.loads(json.dumps(dialogue_to_json(BOTH[0])))
    change(bad)
    good = json.loads(json.dumps(dialogue_to_json(BOTH[1])))
    found = taken(tmp_path, "own.jsonl", [good, bad])
    assert [d.id for d in found.dialogues] == ["two"]
    [(where, why)] = found.skipped
    assert where == "own.jsonl, line 2"
    assert said in why or said == "none of the known"


def test_convokit_is_exact_for_our_dialogues(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    convokit.write_convokit(BOTH, folder)
    found = import_dialogues(folder)
    assert found.format == "convokit" and list(found.dialogues) == BOTH


def test_a_convokit_corpus_has_the_files_and_fields_of_the_library(tmp_path: Path) -> None:
    files = convokit.to_convokit(BOTH)
    assert set(files) == {"utterances.jsonl", "speakers.json", "conversations.json", "corpus.json", "index.json"}
    rows = [json.loads(line) for line in files["utterances.jsonl"].splitlines()]
    assert len(rows) == 6
    assert all(
        set(row) == {"id", "conversation_id", "text", "speaker", "meta", "reply-to", "timestamp", "vectors"}
        for row in rows
    )
    assert [row["reply-to"] for row in rows[:3]] == [None, "one/0", "one/1"]
    assert (
        {row["conversation_id"] for row in rows} == set(json.loads(files["conversations.json"])) == {"one/0", "two/0"}
    )
    assert len({row["id"] for row in rows}) == 6
    index = json.loads(files["index.json"])
    assert set(index["utterances-index"]) == set(rows[0]["meta"])
    assert set(index["conversations-index"]) == set(json.loads(files["conversations.json"])["one/0"]["meta"])
    assert set(json.loads(files["speakers.json"])) == {"seeker", "supporter"} == {row["speaker"] for row in rows}


def test_a_damaged_corpus_of_ours_loses_that_conversation_only(tmp_path: Path) -> None:
    files = convokit.to_convokit(BOTH)
    rows = [json.loads(line) for line in files["utterances.jsonl"].splitlines()]
    rows[1]["meta"] = {}
    found = taken(tmp_path, "utterances.jsonl", rows)
    assert [d.id for d in found.dialogues] == ["two"] and "'one/1' has no metadata of the workbench" in found.skipped[
        0
    ][1]


@pytest.mark.parametrize("tokens", [True, False])
def test_chat_and_sharegpt_say_the_same(tmp_path: Path, tokens: bool) -> None:
    chat = taken(tmp_path, "c.jsonl", to_chat(BOTH, tokens))
    gpt = taken(tmp_path, "s.json", messages.to_sharegpt(BOTH, tokens))
    assert (chat.format, gpt.format) == ("chat", "sharegpt")
    for found in (chat, gpt):
        for one, other in zip(found.dialogues, BOTH, strict=True):
            assert [(t.role, t.text) for t in one.turns] == [(t.role, t.text) for t in other.turns]
            assert [t.strategy for t in one.turns] == [t.strategy if tokens else None for t in other.turns]
    rows = json.loads(messages.to_sharegpt(BOTH, tokens))
    assert [row["id"] for row in rows] == ["one", "two"]
    assert [m["from"] for m in rows[0]["conversations"]] == ["human", "gpt", "human"]
    assert [m["value"] for m in rows[0]["conversations"]] == [m["content"] for m in chat_messages(BOTH[0], tokens)]


def test_the_csv_of_the_workbench_is_read(tmp_path: Path) -> None:
    guarded = dataclasses.replace(BOTH[0], turns=(Turn(0, "seeker", "=1+1, I guess"), *BOTH[0].turns[1:]))
    found = taken(tmp_path, "d.csv", to_csv([guarded, BOTH[1]]))
    assert found.format == "csv" and len(found.dialogues) == 2
    assert [(t.role, t.text, t.strategy) for t in found.dialogues[0].turns] == [
        (t.role, t.text, t.strategy) for t in guarded.turns
    ]
    assert found.dialogues[1].language == "zh" and found.dialogues[0].qc["source"]["id"] == "one"


def test_esconv_raw_goes_out_as_it_came_in(tmp_path: Path) -> None:
    """Survey, stars, strategies of every message and the messages themselves; problems by our ids, texts cleaned."""
    found = taken(tmp_path, "e.json", [cases.ESCONV])
    [row] = json.loads(esconv.to_esconv(found.dialogues))
    assert row["survey_score"] == cases.ESCONV["survey_score"]
    assert row["experience_type"] == cases.ESCONV["experience_type"] and row["problem_type"] == "job-crisis"
    assert [(m["speaker"], m["content"]) for m in row["dialog"]] == [
        (m["speaker"], m["content"].strip()) for m in cases.ESCONV["dialog"]
    ]
    assert [m["annotation"].get("strategy") for m in row["dialog"]] == [
        None,
        None,
        "Question",
        "Reflection of Feelings",
        None,
        "Others",
    ]
    assert [m["annotation"].get("feedback") for m in row["dialog"]] == [None, "3", None, None, "5", None]


def test_esconv_twice_is_esconv_once(tmp_path: Path) -> None:
    once = taken(tmp_path, "a.json", [cases.ESCONV, cases.FAILED]).dialogues
    again = taken(tmp_path, "b.json", esconv.to_esconv(once)).dialogues
    for one, other in zip(once, again, strict=True):
        assert one.turns == other.turns and one.scenario == other.scenario and one.qc["survey"] == other.qc["survey"]


def test_a_generated_dialogue_in_esconvs_layout_has_its_intensities(tmp_path: Path) -> None:
    [row] = json.loads(esconv.to_esconv([BOTH[0]]))
    assert row["survey_score"]["seeker"] == {"initial_emotion_intensity": "4", "final_emotion_intensity": "2"}
    assert len(taken(tmp_path, "x.json", esconv.to_esconv(BOTH)).dialogues) == 2


def test_a_merged_turn_with_fewer_labels_than_messages_repeats_the_first(tmp_path: Path) -> None:
    rows = [
        {"speaker": "supporter", "annotation": {"strategy": "Question"}, "content": "a"},
        {"speaker": "supporter", "annotation": {}, "content": "b"},
        {"speaker": "seeker", "annotation": {}, "content": "c"},
    ]
    [one] = taken(tmp_path, "x.json", [{**cases.ESCONV, "dialog": rows}]).dialogues
    assert one.turns[0].meta["all_strategy"] == ["question"]
    [row] = json.loads(esconv.to_esconv([one]))
    assert [m["annotation"].get("strategy") for m in row["dialog"]] == ["Question", "Question", None]


def test_convokit_reads_its_own_folder_only_by_its_utterances(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    convokit.write_convokit(BOTH[:1], folder)
    put(folder, "other.json", "not read")
    assert len(import_dialogues(folder).dialogues) == 1

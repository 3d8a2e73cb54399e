"""Dialogues as text: exact round trip, labels, chat messages, tables - and broken files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest
import yaml

from backends.sweetiechat import exchange
from backends.sweetiechat.generate import run as generate
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Turn
from backends.sweetiechat.requests import GenerateRequest
from backends.sweetiechat.reviews import DIALOGUES, QUARANTINED
from tests.backends.sweetie import ScriptedModel, make_counsel, make_dialogue
from workbench.context import MemoryContext
from workbench.contract import UserError


def rich():
    dialogue = make_dialogue("I am sad,\n\"very\" sad.", "Why? 为什么", "He left. 👍\u2028x", "Oh.", states=(4, 2),
                             used=("question", "reflection"), stop_reason="user")
    turns = list(dialogue.turns)
    turns[1] = dataclasses.replace(turns[1], counselor=make_counsel(), meta={"author": "model", "model": "path:x"})
    return dataclasses.replace(dialogue, turns=tuple(turns), qc={"tokens": 5})


@pytest.mark.parametrize("dialogues", [[], [rich()], [rich(), make_dialogue("a", stop_reason="budget")],
                                       [make_dialogue("我很难过。", "嗯。", language="zh", stop_reason="user")]])
def test_jsonl_round_trip_is_exact(dialogues):
    text = exchange.to_jsonl(dialogues)
    assert exchange.from_jsonl(text) == dialogues
    assert exchange.to_jsonl(exchange.from_jsonl(text)) == text
    assert len(text.splitlines()) == len(dialogues)


def test_two_hundred_generated_dialogues_survive_export_and_import(tmp_path):
    request = GenerateRequest(count=200, batch=200, max_turns=4, min_turns=2, redraws=0)
    generate(request, MemoryContext(tmp_path), lambda _c, _r: ScriptedModel())
    text = "".join((tmp_path / "artifacts" / name).read_text(encoding="utf-8") for name in (DIALOGUES, QUARANTINED))
    dialogues = exchange.from_jsonl(text)
    assert len(dialogues) == 200 and exchange.from_jsonl(exchange.to_jsonl(dialogues)) == dialogues


@pytest.mark.parametrize(("text", "says"), [
    ("{", "Line 1"), ("\n\n[1]\n", "Line 3"), ('{"id": "x"}', "Line 1"), ("null", "Line 1"), ("5", "Line 1"),
    (exchange.to_jsonl([rich()]) + "{broken\n", "Line 2"),
    (exchange.to_jsonl([rich()]).replace('"stop_reason": "user"', '"stop_reason": "x"'), "Line 1.*stop_reason")])
def test_a_broken_jsonl_names_its_line(text, says):
    with pytest.raises(UserError, match=says):
        exchange.from_jsonl(text)


# strategy labels

@pytest.mark.parametrize("name", ["esconv-8", "extes-16", "escot-13"])
def test_the_label_table_is_total_and_points_at_keys_of_the_set(name):
    table = exchange.label_table(name)
    keys = set(make_dialogue(strategies=name).strategy_set.keys)
    assert set(table.values()) == keys
    for item in make_dialogue(strategies=name).strategy_set.items:
        for label in (item.key, item.label_en, item.label_zh, item.label_en.upper(), f"[{item.label_en}]"):
            assert exchange.normalise(label, table) == item.key, label


def test_every_listed_spelling_is_in_normal_form():
    sets = yaml.safe_load((ASSETS / "labels.yaml").read_text(encoding="utf-8"))["sets"]
    for variants in sets.values():
        for spellings in variants.values():
            assert [s for s in spellings if exchange.bare(s) != s] == []


# chat messages and tables

def test_chat_messages_with_and_without_strategy_tokens():
    (plain,) = (json.loads(line) for line in exchange.to_chat([rich()]).splitlines() if line)
    assert [m["role"] for m in plain["messages"]] == ["user", "assistant"] * 2
    assert plain["messages"][1]["content"] == "Why? 为什么"
    marked = exchange.chat_messages(rich(), strategy_tokens=True)
    assert marked[1]["content"] == "[Question] Why? 为什么" and marked[0]["content"] == plain["messages"][0]["content"]


def test_two_turns_of_one_speaker_in_a_row_are_joined():
    dialogue = make_dialogue("a").with_turn(Turn(1, "seeker", "b")).with_turn(Turn(2, "supporter", "c", "question"))
    assert exchange.chat_messages(dialogue) == [{"role": "user", "content": "a\nb"}, {"role": "assistant",
        "content": "c"}]


def test_the_table_has_a_row_a_turn_and_reads_back():
    text = exchange.to_csv([rich(), make_dialogue("x", stop_reason="user")])
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert len(rows) == 5 and tuple(rows[0]) == exchange.COLUMNS
    assert rows[0]["text"] == rich().turns[0].text and rows[1]["strategy"] == "question"
    assert rows[2]["intensity"] == "2" and rows[1]["intensity"] == "" and rows[1]["stage"] == "exploration"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_can_be_run_as_a_formula(text):
    rows = list(csv.reader(io.StringIO(exchange.to_csv([make_dialogue(text, stop_reason="user")])[1:])))
    assert rows[1][exchange.COLUMNS.index("text")] == "'" + text

"""Commands of people: each does what it says, in order, once; what does not fit is refused and changes nothing."""

from __future__ import annotations

import dataclasses
import json

import pytest

from backends.sweetiechat.commands import ACTIONS, apply, apply_all, check, human_text
from backends.sweetiechat.loop import step
from backends.sweetiechat.table import Table, table_to_json
from tests.backends.sweetie import make_cast, make_counsel, make_dialogue
from workbench.contract import UserError

CAST = make_cast()
TALK = ("I am sad.", "What happened?", "He left.", "That must hurt.", "It does.")


def after(table, *commands):
    return apply_all(table, [*({} for _ in range(table.applied)), *commands], CAST)


def test_pause_and_continue():
    table = after(Table(make_dialogue(*TALK)), {"do": "pause"})
    assert table.state == "paused" and table.applied == 1
    assert after(table, {"do": "pause"}).state == "paused"
    assert after(table, {"do": "continue"}).state == "running"


def test_stop_ends_the_dialogue_and_twice_is_once():
    table = after(Table(make_dialogue(*TALK), make_counsel(), paused=True), {"do": "stop"})
    assert table.dialogue.stop_reason == "user" and table.state == "ended" and table.pending is None
    again = after(table, {"do": "stop"})
    assert again.dialogue == table.dialogue and not again.refused


@pytest.mark.parametrize("role", ["seeker", "counselor", "supporter"])
def test_take_and_release(role):
    table = after(Table(make_dialogue()), {"do": "take", "role": role})
    assert table.held == (role,) and after(table, {"do": "take", "role": role}).held == (role,)
    assert after(table, {"do": "release", "role": role}).held == ()
    assert after(Table(make_dialogue()), {"do": "release", "role": role}).refused == ()


def test_a_person_speaks_as_the_seeker():
    table = after(Table(make_dialogue("a", "b"), held=("seeker",)), {"do": "say", "role": "seeker",
        "text": " I\nmiss him. "})
    turn = table.dialogue.turns[-1]
    assert (turn.text, turn.role, turn.meta["author"], turn.private) == ("I miss him.", "seeker", "person", None)
    assert table.next == "counselor" and table.tokens == 0


def test_a_person_speaks_as_the_supporter_after_the_counselors_decision():
    table = after(Table(make_dialogue("a"), make_counsel("reflection")), {"do": "say", "role": "supporter",
        "text": "Oh."})
    turn = table.dialogue.turns[-1]
    assert turn.strategy == "reflection" and turn.counselor.chosen == "reflection" and table.pending is None


def test_a_person_speaks_as_the_supporter_without_or_with_an_own_strategy():
    start = Table(make_dialogue("a"))
    assert after(start, {"do": "say", "role": "supporter", "text": "Oh."}).dialogue.turns[-1].strategy is None
    named = after(start, {"do": "say", "role": "supporter", "text": "Oh.", "strategy": "question"}).dialogue.turns[-1]
    assert named.strategy == "question" and named.counselor.mode == "you"


def test_what_a_person_says_can_end_the_dialogue():
    table = after(Table(make_dialogue("I have to go."), make_counsel()), {"do": "say", "role": "supporter",
        "text": "Bye!"})
    assert table.dialogue.stop_reason == "goodbye"
    table = after(Table(make_dialogue()), {"do": "say", "role": "seeker", "text": "I want to die."})
    assert table.dialogue.stop_reason == "safety" and table_to_json(table)["resources"]


def test_a_person_chooses_the_strategy_and_keeps_the_ranking():
    table = after(Table(make_dialogue("a"), make_counsel("question")), {"do": "strategy", "key": "affirmation"})
    assert table.pending.chosen == "affirmation" and table.pending.mode == "you" and table.pending.ranking
    bare = after(Table(make_dialogue("a", counselor="you"), held=("counselor",)), {"do": "strategy", "key": "others"})
    assert bare.pending.chosen == "others" and bare.next == "supporter" and bare.state == "running"


def test_the_counselor_role_can_be_given_back():
    table = after(Table(make_dialogue("a", counselor="you"), held=("counselor",)), {"do": "release",
        "role": "counselor"})
    assert step([table], CAST)[0].pending.mode == "scored"


# editing

def test_an_edit_sets_the_rest_aside_and_keeps_what_was_there():
    table = Table(make_dialogue(*TALK), make_counsel(), tokens=50)
    edited = after(table, {"do": "edit", "turn": 1, "text": "Why?", "keep_rest": False, "at": 12.5})
    assert [t.text for t in edited.dialogue.turns] == ["I am sad.", "Why?"]
    assert edited.dialogue.turns[1].meta["history"] == [{"text": "What happened?", "until": 12.5, "author": "model"}]
    assert edited.dialogue.turns[1].meta["author"] == "person"
    dropped = edited.dialogue.qc["dropped"]
    assert [t["text"] for t in dropped[0]["turns"]] == ["He left.", "That must hurt.", "It does."]
    assert edited.pending is None and edited.next == "seeker" and edited.tokens == 50


def test_an_edit_that_keeps_the_rest_changes_one_turn_only():
    table = Table(make_dialogue(*TALK), make_counsel())
    edited = after(table, {"do": "edit", "turn": 2, "text": "He moved out.", "keep_rest": True})
    assert [t.text for t in edited.dialogue.turns] == [*TALK[:2], "He moved out.", *TALK[3:]]
    assert edited.pending == table.pending and "dropped" not in edited.dialogue.qc


def test_every_edit_of_one_turn_is_kept():
    table = Table(make_dialogue(*TALK))
    for number, text in enumerate(("one", "two", "three")):
        table = after(table, {"do": "edit", "turn": 0, "text": text, "keep_rest": True, "at": number})
    history = table.dialogue.turns[0].meta["history"]
    assert [h["text"] for h in history] == ["I am sad.", "one", "two"] and table.dialogue.turns[0].text == "three"
    assert [h["author"] for h in history] == ["model", "person", "person"]


def test_an_edit_reopens_an_ended_dialogue_and_lifts_a_safety_stop():
    table = after(Table(make_dialogue("a", "b")), {"do": "say", "role": "seeker", "text": "I want to die."})
    assert table.dialogue.stop_reason == "safety"
    table = after(table, {"do": "edit", "turn": 2, "text": "I am so tired."})
    assert table.dialogue.stop_reason == "running" and "safety" not in table.dialogue.qc
    table = after(table, {"do": "edit", "turn": 2, "text": "I want to die."})
    assert table.dialogue.stop_reason == "safety"


def test_the_private_state_of_an_edited_seeker_turn_stays():
    table = after(Table(make_dialogue(*TALK)), {"do": "edit", "turn": 2, "text": "x", "keep_rest": True})
    assert table.dialogue.turns[2].private == make_dialogue(*TALK).turns[2].private


# refusals

@pytest.mark.parametrize(("command", "says"), [
    ({}, "no command 'None'"), ({"do": "dance"}, "dance"), ({"do": None}, "no command"), ({"do": ["stop"]},
        "no command"),
    ({"do": "say", "role": "seeker", "text": "x"}, "counselor's move"),
        ({"do": "say", "role": "counselor", "text": "x"}, "role"),
    ({"do": "say", "text": "x"}, "role is None"), ({"do": "say", "role": "supporter", "text": ""}, "empty"),
    ({"do": "say", "role": "supporter", "text": " \x00\n"}, "empty"), ({"do": "say", "role": "supporter"}, "empty"),
    ({"do": "say", "role": "supporter", "text": "x" * 2001}, "2,001"), ({"do": "say", "role": "supporter", "text": 5},
        "empty"),
    ({"do": "say", "role": "supporter", "text": "x", "strategy": "sing"}, "sing"),
    ({"do": "say", "role": "supporter", "text": "x", "turn": 3}, "turn 3"),
    ({"do": "strategy", "key": "hypnosis"}, "hypnosis"), ({"do": "strategy"}, "None"),
    ({"do": "edit", "turn": 9, "text": "x"}, "5 turns"), ({"do": "edit", "turn": -1, "text": "x"}, "-1"),
    ({"do": "edit", "turn": True, "text": "x"}, "True"), ({"do": "edit", "turn": "0", "text": "x"}, "'0'"),
    ({"do": "edit", "turn": 0, "text": "\x07"}, "empty"), ({"do": "edit", "turn": 0}, "empty"),
    ({"do": "take", "role": "judge"}, "judge"), ({"do": "release"}, "role is None")])
def test_what_does_not_fit_is_refused_and_changes_nothing(command, says):
    table = Table(make_dialogue(*TALK))
    with pytest.raises(UserError, match=says):
        check(table, command)
    with pytest.raises(UserError, match=says):
        check(json.loads(json.dumps(table_to_json(table))), command)
    refused = after(table, command)
    assert refused.dialogue == table.dialogue and refused.applied == 1
    assert refused.refused[0]["command"] == 0 and says.strip("'") in refused.refused[0]["why"]


@pytest.mark.parametrize("command", [
    {"do": "say", "role": "seeker", "text": "x"}, {"do": "strategy", "key": "question"}, {"do": "take",
        "role": "seeker"},
    {"do": "release", "role": "seeker"}])
def test_an_ended_dialogue_takes_no_more_moves(command):
    with pytest.raises(UserError, match="has ended"):
        apply(Table(make_dialogue(*TALK, stop_reason="max_turns")), command, CAST)


def test_a_strategy_before_the_seekers_move_is_refused():
    with pytest.raises(UserError, match="seeker's move"):
        apply(Table(make_dialogue("a", "b")), {"do": "strategy", "key": "question"}, CAST)


def test_speaking_twice_for_one_turn_is_refused_the_second_time():
    say = {"do": "say", "role": "seeker", "text": "I miss him.", "turn": 2}
    table = after(Table(make_dialogue("a", "b"), held=("seeker",)), say, say)
    assert len(table.dialogue.turns) == 3 and len(table.refused) == 1 and table.applied == 2


# order and idempotence

SCRIPT = [{"do": "pause"}, {"do": "take", "role": "seeker"}, {"do": "edit", "turn": 1, "text": "Why?"},
          {"do": "say", "role": "seeker", "text": "Because."}, {"do": "strategy", "key": "reflection"},
          {"do": "nonsense"}, {"do": "say", "role": "supporter", "text": "You feel alone."}, {"do": "continue"}]


def test_commands_apply_in_order_and_each_once_however_they_arrive():
    whole = apply_all(Table(make_dialogue(*TALK)), SCRIPT, CAST)
    assert [t.text for t in whole.dialogue.turns] == ["I am sad.", "Why?", "Because.", "You feel alone."]
    assert whole.dialogue.turns[-1].strategy == "reflection" and whole.applied == len(SCRIPT)
    assert [r["command"] for r in whole.refused] == [5]
    for cut in range(len(SCRIPT) + 1):
        part = apply_all(Table(make_dialogue(*TALK)), SCRIPT[:cut], CAST)
        assert apply_all(part, SCRIPT, CAST) == whole
    assert apply_all(whole, SCRIPT, CAST) == whole


def test_every_command_is_described_where_people_read_it():
    from backends.sweetiechat import commands

    for name in ACTIONS:
        assert f'"{name}"' in commands.__doc__


@pytest.mark.parametrize(("text", "clean"), [
    ("  Hello\tthere \r\n you ", "Hello there you"), ("a\x00b\x1bc", "abc"), ("x" * 2000, "x" * 2000), ("你好。",
        "你好。")])
def test_human_text(text, clean):
    assert human_text(text) == clean


def test_the_table_is_never_changed_in_place():
    table = Table(make_dialogue(*TALK))
    before = dataclasses.replace(table)
    apply_all(table, SCRIPT, CAST)
    assert table == before

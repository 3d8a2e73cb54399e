"""Properties that hold for any text, any order of commands and any model: nothing crashes, nothing is lost."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat import exchange
from backends.sweetiechat.aims import next_aim
from backends.sweetiechat.clean import clean, overlap, printable
from backends.sweetiechat.commands import ACTIONS, apply_all, human_text
from backends.sweetiechat.counselor_prompted import first_object, parse_counsel
from backends.sweetiechat.counselor_scored import counsel_from_scores
from backends.sweetiechat.counselor_terms import softmax
from backends.sweetiechat.loop import step
from backends.sweetiechat.objects import Turn
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.seeker import private_from_json, private_from_reading, read_json
from backends.sweetiechat.table import Table, table_from_json, table_to_json
from backends.sweetiechat.views import view_for
from tests.backends.sweetie import (
    BASE,
    LARGE,
    SMALL,
    ScriptedModel,
    make_cast,
    make_counsel,
    make_dialogue,
    wording_of,
    words,
)
from workbench.contract import UserError

settings.register_profile("dialogue", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("dialogue")

TEXT = st.text(max_size=300)
SPOKEN = st.text(min_size=1, max_size=120).map(printable).filter(bool)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
LANGUAGE = st.sampled_from(["en", "zh"])
CAST = make_cast()


# cleaning


@given(
    TEXT, st.sampled_from(["seeker", "supporter"]), LANGUAGE, st.booleans(), st.booleans(), st.lists(TEXT, max_size=3)
)
def test_cleaning_takes_any_text_and_leaves_one_printable_line(text, role, language, cut_off, small, said):
    wording = wording_of(language)
    cleaned = clean(text, role, wording, cut_off=cut_off, said=said, small=small)
    assert printable(cleaned.text) == cleaned.text and "\n" not in cleaned.text
    limit = wording.part("rules")["longest_words"][role]
    assert len(cleaned.text.split()) <= limit + 1
    assert cleaned.text or "empty" in cleaned.faults


@given(TEXT)
def test_printable_is_a_fixed_point_and_keeps_no_control_character(text):
    once = printable(text)
    assert printable(once) == once and all(ord(c) >= 32 for c in once)
    once.encode("utf-8")


@given(st.text(max_size=3000))
def test_human_text_is_either_refused_or_printable(text):
    try:
        found = human_text(text)
    except UserError:
        return
    assert found and len(found) <= 2000 and printable(found) == found


@given(TEXT, TEXT, st.integers(1, 4), LANGUAGE)
def test_overlap_is_a_share_and_of_itself_whole(one, two, n, language):
    assert 0.0 <= overlap(one, two, n, language) <= 1.0
    assert overlap(one, one, n, language) == 1.0


# what models answer


@given(TEXT)
def test_any_text_as_a_counselors_answer_is_a_decision_or_a_problem(text):
    found = parse_counsel(text, make_dialogue("I am sad."), "action")
    assert isinstance(found, str) or found.chosen in make_dialogue().strategy_set.keys


@given(st.dictionaries(st.sampled_from(["stage", "ranking", "chosen", "rationale", "address"]), ANYTHING))
def test_any_json_as_a_counselors_answer_is_a_decision_or_a_problem(value):
    found = parse_counsel(json.dumps(value), make_dialogue("I am sad."), "action")
    assert isinstance(found, str) or found.chosen in make_dialogue().strategy_set.keys


@given(st.dictionaries(st.sampled_from(["emotion", "intensity", "revealed", "want_to_stop"]), ANYTHING))
def test_any_json_as_a_private_state_is_a_state_or_nothing(value):
    private = private_from_json(make_dialogue("I am sad."), "x", json.loads(json.dumps(value)))
    assert private is None or (1 <= private.intensity <= 5 and set(private.revealed) <= {0, 1, 2} and private.emotion)


@given(TEXT)
def test_any_text_as_a_seekers_reply_is_read(text):
    utterance, value = read_json(text)
    assert isinstance(utterance, str) and (value is None or isinstance(value, dict))


@given(st.dictionaries(TEXT, ANYTHING), TEXT)
def test_an_object_is_found_before_any_tail(value, tail):
    text = json.dumps(value)
    assert first_object(text + tail) == json.loads(text) or "NaN" in text


@given(
    st.lists(st.floats(-30, 0), min_size=8, max_size=8),
    st.lists(st.floats(-30, 0), min_size=8, max_size=8),
    st.floats(0, 2),
    st.floats(0, 5),
    st.integers(0, 1000),
)
def test_any_scores_give_a_decision_whose_terms_add_up(here, null, beta, temperature, seed):
    cast = make_cast(request=DialogueRequest(beta=beta, choice_temperature=temperature, seed=seed))
    counsel = counsel_from_scores(make_dialogue("I am sad."), here, null, cast)
    assert math.isclose(sum(r.probability for r in counsel.ranking), 1.0, abs_tol=0.002)
    assert all(math.isclose(r.score, sum(r.terms.values()), abs_tol=0.002) for r in counsel.ranking)
    assert counsel.chosen in {r.strategy for r in counsel.ranking if r.probability > 0} or temperature > 0


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=9), st.floats(0.01, 5))
def test_softmax_is_a_distribution_in_the_order_of_the_scores(scores, temperature):
    shares = softmax(scores, temperature)
    assert math.isclose(sum(shares), 1.0, rel_tol=1e-6)
    assert all(shares[i] <= shares[j] for i, a in enumerate(scores) for j, b in enumerate(scores) if a < b)


@given(st.lists(st.floats(1, 5), min_size=1, max_size=12), st.integers(1, 5))
def test_the_level_stays_on_its_scale_and_never_jumps(readings, openness):
    dialogue = make_dialogue()
    dialogue = dataclasses.replace(dialogue, card=dataclasses.replace(dialogue.card, openness=openness))
    before = float(dialogue.scenario.intensity_0)
    for reading in readings:
        aim = next_aim(dialogue, wording_of("en"), random.Random(0), 8)
        private = private_from_reading(dialogue, "Hm.", reading, aim, CAST)
        assert 1 <= private.level <= 5 and abs(private.level - before) <= 1.001 and private.intensity in range(1, 6)
        before = private.level
        dialogue = dialogue.with_turn(Turn(len(dialogue.turns), "seeker", "Hm.", private=private))
        dialogue = dialogue.with_turn(Turn(len(dialogue.turns), "supporter", "Oh."))


# commands

COMMAND = st.one_of(
    st.fixed_dictionaries({"do": st.sampled_from(["pause", "continue"])}),
    st.fixed_dictionaries(
        {"do": st.just("edit"), "turn": st.integers(-1, 8), "text": TEXT, "keep_rest": st.booleans()}
    ),
    st.fixed_dictionaries({"do": st.just("say"), "role": st.sampled_from(["seeker", "supporter"]), "text": TEXT}),
    st.fixed_dictionaries({"do": st.just("strategy"), "key": st.sampled_from(["question", "others", "sing"])}),
    st.fixed_dictionaries(
        {
            "do": st.sampled_from(["take", "release"]),
            "role": st.sampled_from(["seeker", "counselor", "supporter", "judge"]),
        }
    ),
    st.just({"do": "stop"}),
    st.dictionaries(st.sampled_from(["do", "role", "text", "turn"]), ANYTHING, max_size=3),
)


@given(st.lists(COMMAND, max_size=10), st.integers(0, 10))
def test_any_commands_leave_a_whole_table_and_cutting_them_anywhere_changes_nothing(commands, cut):
    start = Table(make_dialogue("I am sad.", "Why?", "He left."))
    table = apply_all(start, commands, CAST)
    assert table.applied == len(commands)
    assert [turn.idx for turn in table.dialogue.turns] == list(range(len(table.dialogue.turns)))
    assert all(turn.text and printable(turn.text) == turn.text for turn in table.dialogue.turns)
    assert table_from_json(json.loads(json.dumps(table_to_json(table)))) == table
    part = apply_all(start, commands[:cut], CAST)
    assert apply_all(part, commands, CAST) == table
    assert set(table.held) <= {"seeker", "counselor", "supporter"} and len(set(table.held)) == len(table.held)


@given(
    st.lists(st.sampled_from(["step", "say", "edit", "strategy", "pause", "continue"]), max_size=14), st.integers(0, 99)
)
def test_people_and_models_can_take_turns_in_any_order(acts, seed):
    cast = make_cast(request=DialogueRequest(seed=seed, max_turns=30, redraws=0))
    table, given_so_far = Table(make_dialogue()), []
    for act in acts:
        if act == "step":
            table = step([table], cast)[0]
            continue
        command = {
            "do": act,
            "role": table.next or "seeker",
            "text": f"word {len(given_so_far)} here",
            "turn": 0,
            "key": "question",
            "keep_rest": False,
        }
        if act == "say":
            command["turn"] = len(table.dialogue.turns)
        given_so_far.append(command)
        table = apply_all(table, given_so_far, cast)
    roles = [turn.role for turn in table.dialogue.turns]
    assert roles == (["seeker", "supporter"] * len(roles))[: len(roles)], "speakers alternate whatever people do"
    assert table.applied == len(given_so_far)


def test_every_command_is_among_those_that_were_tried():
    assert set(ACTIONS) == {"pause", "continue", "stop", "edit", "strategy", "say", "take", "release"}


# prompts


@given(st.lists(SPOKEN, min_size=1, max_size=6), LANGUAGE, st.sampled_from([SMALL, LARGE, BASE]), st.integers(0, 50))
def test_a_prompt_can_be_made_of_any_words_and_holds_them_all(texts, language, card, pick):
    from backends.sweetiechat.wording import voice_of

    dialogue, wording, voice = make_dialogue(*texts, language=language), wording_of(language), voice_of(card)
    for role in ("seeker", "counselor", "supporter"):
        prompt = view_for(
            role,
            dialogue,
            wording,
            voice,
            task="score" if role == "counselor" else "speak",
            counsel=make_counsel(),
            pick=pick,
        )
        assert all(text in words(prompt) for text in texts) and bool(prompt.messages) is voice.chat
        assert prompt == view_for(
            role,
            dialogue,
            wording,
            voice,
            task="score" if role == "counselor" else "speak",
            counsel=make_counsel(),
            pick=pick,
        )


# files


@settings(max_examples=20)
@given(st.lists(st.lists(SPOKEN, max_size=5), max_size=3), st.sampled_from(["en", "zh"]))
def test_any_dialogue_survives_its_files(many, language):
    dialogues = [
        make_dialogue(*texts, language=language, used=("question", "reflection"), stop_reason="user") for texts in many
    ]
    assert exchange.from_jsonl(exchange.to_jsonl(dialogues)) == dialogues
    rows = list(csv.reader(io.StringIO(exchange.to_csv(dialogues)[1:], newline="")))
    assert len(rows) == 1 + sum(len(texts) for texts in many) and all(len(row) == len(exchange.COLUMNS) for row in rows)
    for line, dialogue in zip(exchange.to_chat(dialogues).split("\n"), dialogues, strict=False):
        assert [m["content"] for m in json.loads(line)["messages"]] == [t.text for t in dialogue.turns]


@given(TEXT)
def test_any_text_as_a_file_is_read_or_refused_with_a_sentence(text):
    try:
        exchange.from_jsonl(text)
    except UserError as error:
        assert str(error)


@given(ANYTHING)
def test_any_json_as_a_file_is_read_or_refused_with_a_sentence(value):
    try:
        exchange.from_jsonl(json.dumps(value))
    except UserError as error:
        assert str(error)


# the loop


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("card", [SMALL, LARGE, BASE], ids=["small", "large", "base"])
def test_every_play_ends_with_a_reason_and_alternates(seed, card):
    model = ScriptedModel(card={**card, "languages": []})
    cast = make_cast(model, DialogueRequest(seed=seed, max_turns=16))
    table = Table(make_dialogue())
    for _ in range(60):
        if not table.next:
            break
        table = step([table], cast)[0]
    assert table.dialogue.ended and table.dialogue.stop_reason in ("max_turns", "want_to_stop", "relieved")
    roles = [turn.role for turn in table.dialogue.turns]
    assert roles == (["seeker", "supporter"] * 8)[: len(roles)]
    revealed = [set(t.private.revealed) for t in table.dialogue.said_by("seeker")]
    assert all(a <= b for a, b in itertools.pairwise(revealed)), "what was told stays told"
    assert model.prompts and all(p.key.startswith("test/") for p in model.prompts)

"""The seeker: its plan, its private state in both forms, and the cleaning of what a model writes."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from backends.sweetiechat import seeker
from backends.sweetiechat.aims import GAPS, Aim, details_of, next_aim
from backends.sweetiechat.clean import clean, faults, grams, overlap, printable
from backends.sweetiechat.loop import step
from backends.sweetiechat.objects import Private
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.speaking import partial_utterance
from backends.sweetiechat.table import Table
from backends.sweetiechat.wording import load_wording
from tests.backends.sweetie import LARGE, SMALL, ScriptedModel, make_cast, make_dialogue

EN, ZH = load_wording("en"), load_wording("zh")


def with_state(dialogue, **changes):
    """The dialogue with another private state in its last seeker turn."""
    turns = list(dialogue.turns)
    place = max(n for n, turn in enumerate(turns) if turn.role == "seeker")
    turns[place] = dataclasses.replace(turns[place], private=dataclasses.replace(turns[place].private, **changes))
    return dataclasses.replace(dialogue, turns=tuple(turns))


def aim_after(*texts, rng=None, min_turns=8, openness=3, **state):
    dialogue = make_dialogue(*texts)
    dialogue = dataclasses.replace(dialogue, card=dataclasses.replace(dialogue.card, openness=openness))
    return next_aim(with_state(dialogue, **state) if texts else dialogue, EN, rng or random.Random(0), min_turns)


# the plan

def test_the_first_turn_opens():
    assert aim_after() == Aim("open")


@pytest.mark.parametrize(("heard", "kinds"), [
    ("How long has it been like this?", {"since"}), ("When did it start?", {"since"}),
    ("Maybe you could write a letter.", {"tried"}), ("What do you miss most?", {"detail"}),
    ("It sounds like you feel empty.", {"feel", "detail"})])
def test_what_was_heard_decides(heard, kinds):
    assert aim_after("I am sad.", heard).kind in kinds


def test_how_long_and_what_was_tried_are_told_once():
    assert aim_after("I am sad.", "How long?", aim="since").kind == "detail"
    assert aim_after("I am sad.", "You could rest.", aim="tried").kind in ("doubt", "consider")


def test_details_come_in_order_and_end():
    dialogue = make_dialogue("I am sad.", "What happened?")
    details = details_of(dialogue.scenario)
    assert details[-1] == dialogue.scenario.trigger and len(details) >= 3
    aims = []
    for number in range(len(details) + 1):
        aim = next_aim(with_state(dialogue, aim=f"detail:{number - 1}" if number else "open"), EN, random.Random(0), 8)
        aims.append(aim)
    assert aims[0] == Aim("detail", 0) and aims[1].kind == "detail"


@pytest.mark.parametrize("openness", sorted(GAPS))
def test_open_people_tell_their_facts_sooner(openness):
    texts, reveals = ["Hello."], []
    for number in range(14):
        texts.append("That sounds hard.")
        aim = aim_after(*texts, openness=openness, aim="reveal:0" if reveals == [number - 1] else "feel")
        if aim.kind == "reveal":
            reveals.append(number)
            break
        texts.append("Yes.")
    assert reveals == [max(0, GAPS[openness] - 2)]


def test_advice_is_met_with_thought_more_often_by_open_people():
    def thoughts(openness):
        return sum(aim_after("I am sad.", "You could rest.", rng=random.Random(n), openness=openness,
                             aim="tried", revealed=(0, 1, 2)).kind == "consider" for n in range(200))

    assert thoughts(1) < thoughts(3) < thoughts(5)
    assert thoughts(1) == pytest.approx(200 / 6, abs=20)


@pytest.mark.parametrize(("revealed", "turns", "level", "may"), [
    ((0, 1, 2), 8, 3.0, True), ((0, 1), 8, 3.0, False), ((0, 1, 2), 2, 3.0, False), ((0, 1, 2), 8, 4.0, True)])
def test_the_seeker_ends_the_talk_only_when_all_is_told_and_the_talk_is_long_enough(revealed, turns, level, may):
    texts = ["words"] * turns
    kinds = {aim_after(*texts, rng=random.Random(n), revealed=revealed, level=level).kind for n in range(60)}
    assert ("close" in kinds) is may


def test_the_more_relieved_the_sooner_it_ends():
    def closings(level):
        return sum(aim_after(*["words"] * 8, rng=random.Random(n), revealed=(0, 1, 2), level=level).kind == "close"
                   for n in range(300))

    assert closings(4.0) == pytest.approx(30, abs=15) and closings(2.0) == pytest.approx(180, abs=30)


def test_relief_only_once_the_level_has_fallen():
    kinds = {aim_after("a", "It sounds like you feel empty.", rng=random.Random(n), level=level).kind
             for n in range(40) for level in (4.0,)}
    assert "relief" not in kinds
    kinds = {aim_after("a", "It sounds like you feel empty.", rng=random.Random(n), level=2.5).kind for n in range(40)}
    assert "relief" in kinds and "feel" not in kinds


# the scored state

@pytest.mark.parametrize(("before", "reading", "openness", "level"), [
    (None, 4.2, 3, 4.0), ((4.0, 4.0), 4.1, 3, 4.3), ((4.0, 4.0), 3.9, 5, 3.7), ((4.0, 4.0), 3.9, 1, 3.94),
    ((4.0, 4.0), 1.0, 5, 3.0), ((4.9, 4.0), 5.0, 3, 5.0), ((1.1, 4.0), 1.0, 5, 1.0), ((4.0, 4.0), None, 3, 4.0),
    ((4.0, 0.0), 4.5, 3, 4.0)])
def test_the_level_follows_the_models_change_of_mind(before, reading, openness, level):
    texts = ("I am sad.", "Oh.") if before else ()
    dialogue = make_dialogue(*texts)
    dialogue = dataclasses.replace(dialogue, card=dataclasses.replace(dialogue.card, openness=openness))
    if before:
        dialogue = with_state(dialogue, level=before[0], reading=before[1])
    private = seeker.private_from_reading(dialogue, "Hm.", reading, Aim("feel"), make_cast())
    assert private.level == pytest.approx(level, abs=1e-3)
    assert private.intensity == int(level + 0.5)


@pytest.mark.parametrize(("favoured", "low", "high"), [(0, 1.0, 2.0), (4, 4.0, 5.0), (None, 2.9, 3.1)])
def test_the_reading_is_the_expected_level_of_five_words(favoured, low, high):
    def scores(prompt, texts):
        return [[-0.1 if n == favoured else -4.0] * 2 for n, _ in enumerate(texts)]

    cast = make_cast(ScriptedModel(scores=scores))
    (reading,) = seeker.read_levels([make_dialogue("I am sad.")], cast)
    assert low <= reading <= high


def test_a_model_that_cannot_score_keeps_the_level():
    model = ScriptedModel(card={**SMALL, "can_score": False})
    ((turn, _),) = seeker.seeker_turns([make_dialogue()], make_cast(model))
    assert turn.private.intensity == 4 and turn.meta["state"] == "kept" and not model.scored


def test_revealed_facts_by_aim_and_by_words():
    dialogue = make_dialogue("I am sad.", "Oh.")
    fact = dialogue.card.hidden_facts[1]
    cast = make_cast()
    assert seeker.private_from_reading(dialogue, "Hm.", 4.0, Aim("reveal", 0), cast).revealed == (0,)
    assert seeker.private_from_reading(dialogue, fact, 4.0, Aim("feel"), cast).revealed == (1,)
    assert seeker.private_from_reading(dialogue, "The weather.", 4.0, Aim("feel"), cast).revealed == ()
    told = with_state(dialogue, revealed=(2,))
    assert seeker.private_from_reading(told, fact, 4.0, Aim("feel"), cast).revealed == (1, 2)


def test_chinese_facts_are_found_by_pairs_of_characters():
    dialogue = make_dialogue("我很难过。", "嗯。", language="zh")
    assert seeker.told(dialogue, dialogue.card.hidden_facts[0]) == {0}
    assert seeker.told(dialogue, "今天天气很好。") == set()


@pytest.mark.parametrize(("text", "aim", "stops"), [
    ("Goodbye, and thanks.", "feel", True), ("I have to go now.", "feel", True), ("I feel tired.", "close", True),
    ("I feel tired.", "feel", False), ("He said no.", "answer", False)])
def test_wanting_to_stop(text, aim, stops):
    dialogue = make_dialogue("I am sad.", "Oh.")
    assert seeker.private_from_reading(dialogue, text, 4.0, Aim(aim), make_cast()).want_to_stop is stops


# the state as JSON

def reply(utterance="I cannot sleep.", **private):
    return json.dumps({"utterance": utterance, "private": {"emotion": "fear", "intensity": 3, "revealed": [2],
                                                           "want_to_stop": False, **private}})


@pytest.mark.parametrize(("text", "utterance", "has_state"), [
    (reply(), "I cannot sleep.", True), ("Sure! " + reply() + " Hope it helps.", "I cannot sleep.", True),
    ("```json\n" + reply() + "\n```", "I cannot sleep.", True), ('{"utterance": "Half a', "Half a", False),
    ('{"utterance": "No state."}', "No state.", False), ("I just cannot sleep.", "I just cannot sleep.", False),
    ('{"words": 1}', "", False), ('{"utterance": 5, "private": {}}', "", False), ("", "", False),
    ('{"utterance": "x", "private": "sad"}', "x", False)])
def test_reading_a_json_reply(text, utterance, has_state):
    found, state = seeker.read_json(text)
    assert found == utterance and (state is not None) is has_state


@pytest.mark.parametrize(("changes", "private"), [
    ({}, Private("fear", 3, (1,), False, 3.0, 3.0)), ({"want_to_stop": True}, Private("fear", 3, (1,), True, 3.0, 3.0)),
    ({"want_to_stop": "true"}, Private("fear", 3, (1,), False, 3.0, 3.0)),
    ({"intensity": 2.6}, Private("fear", 3, (1,), False, 2.6, 2.6)), ({"intensity": 0}, None), ({"intensity": 9}, None),
    ({"intensity": "high"}, None), ({"intensity": True}, None), ({"intensity": None}, None),
    ({"revealed": [1, 3, 7, "2", None]}, Private("fear", 3, (0, 2), False, 3.0, 3.0)),
    ({"revealed": "all"}, Private("fear", 3, (), False, 3.0, 3.0)),
    ({"emotion": "fe\x00ar\n"}, Private("fear", 3, (1,), False, 3.0, 3.0))])
def test_the_private_state_from_json(changes, private):
    _, value = seeker.read_json(reply(**changes))
    assert seeker.private_from_json(make_dialogue(), "I cannot sleep.", value) == private


@pytest.mark.parametrize(("text", "how", "utterance"), [
    (reply(), "json", "I cannot sleep."), ("I am tired of it all.", "scored", "I am tired of it all."),
    (reply(intensity=12), "scored", "I cannot sleep.")])
def test_a_json_seeker_falls_back_to_scoring(text, how, utterance):
    model = ScriptedModel(card=LARGE, replies=lambda prompt: text)
    cast = make_cast(model, DialogueRequest(seeker_state="json"))
    ((turn, _),) = seeker.seeker_turns([make_dialogue()], cast)
    assert turn.text == utterance and turn.meta["state"] == how
    assert "JSON" in "".join(m.content for m in model.prompts[0].messages)


@pytest.mark.parametrize(("text", "shown"), [
    ('{"utter', ""), ('{"utterance": "', ""), ('{"utterance": "I am', "I am"), (r'{"utterance": "a \"b\" c', 'a "b" c'),
    ('{"utterance": "done", "private"', "done")])
def test_what_is_shown_while_json_is_being_written(text, shown):
    assert partial_utterance(text) == shown


# redraws

def test_an_utterance_that_breaks_a_rule_is_drawn_again_with_another_seed():
    answers = iter(["I'm here to help you.", "You should take a walk.", "I miss him every night."])
    model = ScriptedModel(card=LARGE, replies=lambda prompt: next(answers))
    table = step([Table(make_dialogue())], make_cast(model))[0]
    turn = table.dialogue.turns[0]
    assert turn.text == "I miss him every night." and turn.meta["redraws"] == 2 and turn.meta["faults"] == []
    assert len({d.seed for d in model.decodings}) == 3
    assert table.tokens > turn.meta["tokens"], "every draw is paid for"


def test_the_draw_with_fewest_faults_is_kept_and_says_so():
    model = ScriptedModel(replies=lambda prompt: "I'm here to help you.")
    turn = step([Table(make_dialogue())], make_cast(model))[0].dialogue.turns[0]
    assert turn.meta["faults"] == ["speaks like a helper"] and model.calls == 3


def test_no_redraw_when_none_is_wanted_or_greedy_would_say_the_same():
    model = ScriptedModel(replies=lambda prompt: "I'm here to help you.")
    step([Table(make_dialogue())], make_cast(model, DialogueRequest(redraws=0)))
    assert model.calls == 1
    large = ScriptedModel(card=LARGE, replies=lambda prompt: "I'm here to help you.")
    step([Table(make_dialogue())], make_cast(large, DialogueRequest(temperature=0.0)))
    assert large.calls == 1


def test_only_the_rows_at_fault_are_drawn_again():
    def reply(prompt):
        return "I'm here to help you." if prompt.key.startswith("b") and model.calls == 1 else None

    model = ScriptedModel(replies=reply)
    tables = [Table(dataclasses.replace(make_dialogue(), id=name)) for name in "abc"]
    moved = step(tables, make_cast(model))
    assert len(model.prompts) == 4
    assert [t.dialogue.turns[0].meta["redraws"] for t in moved] == [0, 1, 0]


def test_a_model_that_says_nothing_gives_an_ellipsis_and_the_fault():
    table = step([Table(make_dialogue())], make_cast(ScriptedModel(card=LARGE, replies=lambda p: "")))[0]
    turn = table.dialogue.turns[0]
    assert turn.text == "…" and turn.meta["faults"] == ["empty"]


# cleaning

@pytest.mark.parametrize(("raw", "text"), [
    ("Seeker: I am sad.", "I am sad."), ("  I am   sad \n", "I am sad."), ("*sighs* I am sad.", "I am sad."),
    ("[crying] I am sad.", "I am sad."), ("(pauses) I am sad.", "I am sad."), ('"I am sad."', "I am sad."),
    ("i am sad", "I am sad."), ("I am sad,", "I am sad."), ("I am sad. I am sad.", "I am sad."),
    ("As an AI language model I cannot. I am sad.", "I am sad."), ("I am sad\x00\x07.\u200b", "I am sad."),
    ("I am sad.\nSupporter: Oh no.\nSeeker: Yes.", "I am sad."), ("User: Assistant: I am sad.", "Assistant: I am sad."),
    ("I am sad. He left. It hurts. I cry. I wait.", "I am sad. He left. It hurts."), ("...", "..."), ("", ""),
    ("Is it me? Yes!", "Is it me? Yes!"), ("He said \"no.\" I cried.", "He said \"no.\" I cried.")])
def test_cleaning_an_english_utterance(raw, text):
    assert clean(raw, "seeker", EN, cut_off=False).text == text


@pytest.mark.parametrize(("raw", "text"), [
    ("I am sad. He left me and", "I am sad."), ("He left me and", "He left me and."), ("I am sad.", "I am sad.")])
def test_a_half_sentence_goes_when_the_room_ended(raw, text):
    cleaned = clean(raw, "seeker", EN, cut_off=True)
    assert cleaned.text == text
    assert ("half sentence" in cleaned.removed) is (raw.startswith("I am sad. He"))


@pytest.mark.parametrize(("raw", "text"), [
    ("求助者：我很难过。", "我很难过。"), ("我很难过", "我很难过。"), ("我很难过。我很难过。", "我很难过。"),
    ("（叹气）我很难过。", "我很难过。"), ("作为一个AI，我不能。我很难过。", "我很难过。")])
def test_cleaning_a_chinese_utterance(raw, text):
    assert clean(raw, "seeker", ZH, cut_off=False).text == text


def test_a_small_models_comments_on_itself_go_but_never_everything():
    raw = "My friend left. That's a pretty sad story. I miss him."
    assert clean(raw, "seeker", EN, cut_off=False, small=True).text == "My friend left. I miss him."
    assert "comment on itself" in clean(raw, "seeker", EN, cut_off=False, small=True).removed
    assert clean("That's a pity.", "seeker", EN, cut_off=False, small=True).text == "That's a pity."
    assert clean(raw, "seeker", EN, cut_off=False).text == raw


def test_a_small_model_keeps_fewer_sentences_and_nobody_repeats_a_sentence():
    raw = "I am sad. He left. It hurts."
    assert clean(raw, "seeker", EN, cut_off=False, small=True).text == "I am sad. He left."
    assert clean(raw, "supporter", EN, cut_off=False, small=True).text == "I am sad."
    again = clean("It is new. I am sad.", "seeker", EN, cut_off=False, said=["Hello. I am sad."])
    assert again.text == "It is new." and again.removed


@pytest.mark.parametrize(("wording", "unit"), [(EN, "word "), (ZH, "字")])
def test_an_endless_utterance_is_shortened(wording, unit):
    text = clean(unit * 500, "supporter", wording, cut_off=False).text
    assert len(text) < 260 and text.endswith("…")


@pytest.mark.parametrize(("role", "text", "fault"), [
    ("seeker", "I'm sorry to hear that.", "speaks like a helper"),
    ("seeker", "How can I help?", "speaks like a helper"),
    ("seeker", "It's important to rest.", "preaches"), ("seeker", "I miss my dog.", None),
    ("supporter", "Please help me.", "speaks like a seeker"), ("supporter", "It sounds like you feel sad.", None),
    ("supporter", "The user is sad.", "speaks like a document"), ("seeker", "?!", "empty")])
def test_faults(role, text, fault):
    assert faults(text, role, EN, ()) == ((fault,) if fault else ())


def test_saying_the_same_again_is_a_fault():
    assert "said before" in faults("I miss him so much every night.", "seeker", EN, ["I miss him so much every day."])
    assert "said before" not in faults("The flat is empty.", "seeker", EN, ["I miss him so much every day."])


@pytest.mark.parametrize(("one", "two", "n", "share"), [
    ("a b c d", "a b c d", 3, 1.0), ("a b c d", "b c d e", 3, 0.5), ("a b c", "d e f", 3, 0.0), ("a b", "a b", 3, 1.0),
    ("a b", "a c", 3, 0.0), ("It's a long way home", "it's a long way to go", 2, 3 / 4)])
def test_overlap_by_hand(one, two, n, share):
    assert overlap(one, two, n, "en") == pytest.approx(share)


def test_grams_count_words_or_characters():
    assert grams("Don't go, now!", 2, "en") == {("don't", "go"), ("go", "now")}
    assert grams("我很难过。", 2, "zh") == {("我", "很"), ("很", "难"), ("难", "过")}


@pytest.mark.parametrize(("raw", "text"), [
    ("a\tb\r\nc\u2028d", "a b c d"), ("\x1b[31mred", "[31mred"), ("\ud800x", "x"),
    ("\u202eabc\u200f", "abc"), ("汉字 👍", "汉字 👍")])
def test_printable(raw, text):
    assert printable(raw) == text

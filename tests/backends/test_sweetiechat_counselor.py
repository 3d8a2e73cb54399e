"""The strategy decision: the score by hand, JSON read strictly, repair and fall-backs, and why a dialogue ends."""

from __future__ import annotations

import dataclasses
import json
import math
import random

import pytest
import yaml

from backends.sweetiechat.counselor import decide
from backends.sweetiechat.counselor_prompted import first_object, parse_counsel
from backends.sweetiechat.counselor_scored import counsel_from_scores
from backends.sweetiechat.counselor_terms import softmax, stage_of
from backends.sweetiechat.crisis import load_rules
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.loop import seat, step
from backends.sweetiechat.objects import Counsel, Turn
from backends.sweetiechat.requests import DialogueRequest
from backends.sweetiechat.stopping import reason_to_stop, relieved, repeats, said_goodbye
from backends.sweetiechat.table import Table, table_from_json, table_to_json
from tests.backends.sweetie import LARGE, ScriptedModel, make_cast, make_counsel, make_dialogue, rules, wording_of

KEYS = make_dialogue().strategy_set.keys


def request(**changes):
    return DialogueRequest(**{"choice_temperature": 0.0, "stage_weight": 0.0, "repeat_weight": 0.0, **changes})


# the score

def test_the_score_by_hand():
    """S' = h - beta * prior + stage_weight * [stage fits] - repeat_weight * uses among the last three."""
    dialogue = make_dialogue("a", "b", "c", "d", "e", used=("question", "question"))
    here = [-1.0, -2.0, -1.5, -3.0, -2.5, -0.5, -4.0, -6.0]
    null = [-2.0, -2.0, -1.0, -3.5, -2.0, -0.4, -5.0, -3.0]
    cast = make_cast(request=request(beta=0.5, stage_weight=0.3, repeat_weight=0.2, max_turns=24))
    counsel = counsel_from_scores(dialogue, here, null, cast)
    by_key = {r.strategy: r for r in counsel.ranking}
    assert by_key["question"].score == pytest.approx(-1.0 + 0.5 * 2.0 + 0.3 - 0.2 * 2)
    assert by_key["reflection"].score == pytest.approx(-1.5 + 0.5 * 1.0)
    assert by_key["question"].terms == pytest.approx({"history": -1.0, "prior": 1.0, "stage": 0.3, "repeat": -0.4})
    for ranked in counsel.ranking:
        assert ranked.score == pytest.approx(sum(ranked.terms.values()), abs=1e-3)
    assert counsel.mode == "scored" and counsel.stage == "exploration"
    assert [r.score for r in counsel.ranking] == sorted((r.score for r in counsel.ranking), reverse=True)
    assert counsel.chosen == counsel.ranking[0].strategy and sorted(by_key) == sorted(KEYS)


@pytest.mark.parametrize(("beta", "best"), [(0.0, "suggestions"), (1.0, "question")])
def test_beta_takes_the_labels_own_prior_away(beta, best):
    here = dict.fromkeys(KEYS, -5.0) | {"suggestions": -0.5, "question": -2.0}
    null = dict.fromkeys(KEYS, -5.0) | {"suggestions": -0.4, "question": -4.0}
    cast = make_cast(request=request(beta=beta))
    assert counsel_from_scores(make_dialogue("a"), list(here.values()), list(null.values()), cast).chosen == best


def test_anti_repetition_counts_the_last_three_only():
    used = ("reflection", "question", "question", "affirmation")
    dialogue = make_dialogue(*"abcdefghi", used=used)
    cast = make_cast(request=request(repeat_weight=1.0))
    counsel = counsel_from_scores(dialogue, [0.0] * 8, [0.0] * 8, cast)
    terms = {r.strategy: r.terms["repeat"] for r in counsel.ranking}
    assert terms["question"] == -2.0 and terms["affirmation"] == -1.0 and terms["reflection"] == 0.0


@pytest.mark.parametrize(("turns", "stage"), [(1, "exploration"), (7, "exploration"), (9, "comforting"), (17,
    "action")])
def test_the_stage_by_thirds(turns, stage):
    assert stage_of(make_dialogue(*["x"] * turns), 24) == stage


def test_softmax_by_hand():
    assert softmax([0.0, math.log(3.0)], 1.0) == pytest.approx([0.25, 0.75])
    assert softmax([1.0, 2.0, 2.0], 0.0) == [0.0, 1.0, 0.0]
    assert softmax([0.0, 700.0], 0.1) == pytest.approx([0.0, 1.0])


def test_the_draw_follows_the_probabilities_and_the_seed():
    here = [0.0] * 6 + [1.0, -9.0]
    chosen = []
    for seed in range(300):
        cast = make_cast(request=request(choice_temperature=1.0, seed=seed))
        counsel = counsel_from_scores(make_dialogue("a"), here, [0.0] * 8, cast)
        chosen.append(counsel.chosen)
        assert counsel.chosen == counsel_from_scores(make_dialogue("a"), here, [0.0] * 8, cast).chosen
    share = math.e / (6 + math.e + math.exp(-9))
    assert chosen.count("information") / 300 == pytest.approx(share, abs=0.1) and len(set(chosen)) >= 6


def test_scoring_is_one_call_for_all_dialogues_and_the_empty_history_is_scored_once():
    model = ScriptedModel()
    cast = make_cast(model, request())
    dialogues = [dataclasses.replace(make_dialogue(f"I am sad {n}."), id=f"d{n}") for n in range(3)]
    first = decide(dialogues, cast)
    assert len(model.scored) == 4 and model.calls == 0
    second = decide(dialogues, cast)
    assert len(model.scored) == 7 and first == second
    other = decide([make_dialogue("I am sad.", strategies="escot-13")], cast)
    assert len(model.scored) == 9 and len(other[0].ranking) == 13


def test_what_is_scored_are_the_labels_of_the_dialogues_language():
    seen = []
    model = ScriptedModel(card=LARGE, scores=lambda p, texts: [seen.append(texts), [[-1.0]] * len(texts)][1])
    decide([make_dialogue("我很难过。", language="zh")], make_cast(model, request(language="zh")))
    assert "提问" in seen[0] and len(seen[0]) == 8


def test_the_mean_over_tokens_and_not_the_sum_is_compared():
    def scores(prompt, texts):
        here = "Seeker: ..." not in "".join(m.content for m in prompt.messages)
        return [[-1.0] * (1 + n) if here else [-1.0] for n, _ in enumerate(texts)]

    (counsel,) = decide([make_dialogue("a")], make_cast(ScriptedModel(scores=scores), request()))
    assert {r.score for r in counsel.ranking} == {0.0}


# JSON

def answer(chosen="question", **changes):
    return json.dumps({"stage": "exploration", "ranking": [{"strategy": "question", "score": 0.9},
                                                           {"strategy": "Reflection of Feelings", "score": 0.4}],
                       "chosen": chosen, "rationale": "They have said little.", "address": "the letter", **changes})


@pytest.mark.parametrize("chosen", ["question", "Question", " QUESTION ", "提问"])
def test_a_valid_decision(chosen):
    counsel = parse_counsel("Here you are: " + answer(chosen), make_dialogue("a"), "action")
    assert isinstance(counsel, Counsel) and counsel.chosen == "question" and counsel.stage == "exploration"
    assert counsel.ranking[0].score == 0.9 and {r.strategy for r in counsel.ranking} == set(KEYS)
    assert counsel.address == "the letter" and counsel.mode == "prompt"


@pytest.mark.parametrize(("text", "problem"), [
    ("", "no JSON"), ("I choose question.", "no JSON"), ("{broken", "no JSON"), ("[1, 2]", "no JSON"),
    (answer("no information needed"), "no information needed"), (answer("ask"), "ask"), (answer(""), "chosen"),
    (answer(None), "None"), (answer(["question"]), "chosen"), ('{"stage": "action"}', "chosen")])
def test_an_invalid_decision_says_what_is_wrong(text, problem):
    """"Information" inside "no information needed" must not count as the label Information."""
    found = parse_counsel(text, make_dialogue("a"), "action")
    assert isinstance(found, str) and problem in found


@pytest.mark.parametrize("changes", [
    {"ranking": None}, {"ranking": "all"}, {"ranking": [1, None, "x"]}, {"ranking": [{"strategy": "sing", "score": 1}]},
    {"ranking": [{"strategy": "question", "score": "high"}]}, {"ranking": [{"strategy": "question"}]},
    {"stage": "soon"}, {"stage": None}, {"rationale": "word " * 200}, {"rationale": None}, {"address": "x" * 999}])
def test_what_is_odd_beside_a_valid_choice_does_no_harm(changes):
    counsel = parse_counsel(answer(**changes), make_dialogue("a"), "comforting")
    assert counsel.chosen == "question" and len(counsel.rationale.split()) <= 40 and len(counsel.address) <= 200
    assert counsel.stage in ("exploration", "comforting") and len(counsel.ranking) == 8


@pytest.mark.parametrize(("text", "value"), [
    ('{"a": 1}', {"a": 1}), ('x {"a": {"b": 2}} y {"c": 3}', {"a": {"b": 2}}), ("{no} {\"a\": 1}", {"a": 1}),
    ("none", None), ('"text"', None), ("{" * 50, None)])
def test_the_first_object_in_a_text(text, value):
    assert first_object(text) == value


def prompted(replies, card=LARGE):
    answers = iter(replies)
    model = ScriptedModel(card=card, replies=lambda prompt: next(answers))
    dialogue = make_dialogue("I am sad.", counselor="prompt")
    (counsel,) = decide([dialogue], make_cast(model, request()))
    return counsel, model


def test_prompt_mode_without_trouble():
    counsel, model = prompted([answer()])
    assert counsel.chosen == "question" and counsel.notes == () and model.calls == 1
    assert model.decodings[0].temperature == 0.0


def test_a_wrong_answer_gets_one_repair_that_names_the_problem():
    counsel, model = prompted(["I would ask.", answer("reflection")])
    assert counsel.chosen == "reflection" and counsel.mode == "prompt" and model.calls == 2
    assert "there is no JSON object in it" in model.prompts[1].messages[-1].content


def test_two_wrong_answers_fall_back_to_scores():
    counsel, model = prompted(["no", "still no"])
    assert counsel.mode == "scored" and "one repair" in counsel.notes[0] and model.calls == 2 and model.scored


def test_two_wrong_answers_of_a_model_without_scores_fall_back_to_the_stage():
    counsel, model = prompted(["no", "no"], {**LARGE, "can_score": False})
    assert counsel.chosen == "question" and counsel.ranking == () and "default" in counsel.notes[0]
    assert not model.scored


def test_only_the_wrong_ones_of_a_batch_are_repaired():
    def reply(prompt):
        return answer() if prompt.key.startswith("good") or "not valid" in prompt.messages[-1].content else "no"

    model = ScriptedModel(card=LARGE, replies=reply)
    dialogues = [dataclasses.replace(make_dialogue("a", counselor="prompt"), id=name) for name in ("good", "bad")]
    found = decide(dialogues, make_cast(model, request()))
    assert [c.mode for c in found] == ["prompt", "prompt"] and len(model.prompts) == 3


# loop

def test_the_round_of_moves():
    table, cast = Table(make_dialogue()), make_cast(request=request(max_turns=4, min_turns=2))
    moves = []
    while table.next:
        moves.append(table.next)
        table = step([table], cast)[0]
    assert moves == ["seeker", "counselor", "supporter", "seeker", "counselor", "supporter"]
    assert table.dialogue.stop_reason == "max_turns" and table.state == "ended"
    for turn in table.dialogue.said_by("supporter"):
        assert turn.strategy == turn.counselor.chosen and turn.private is None
    for turn in table.dialogue.said_by("seeker"):
        assert turn.private and turn.counselor is None and turn.strategy is None
    assert step([table], cast) == [table]


def test_without_a_counselor_there_is_no_decision():
    table, model = Table(make_dialogue(counselor="none")), ScriptedModel(card={**LARGE, "can_score": False})
    cast = make_cast(model, request(max_turns=4, min_turns=2))
    while table.next:
        assert table.next != "counselor"
        table = step([table], cast)[0]
    assert [t.counselor for t in table.dialogue.turns] == [None] * 4 and not model.scored


def test_many_dialogues_share_one_call_a_move_and_give_what_each_gives_alone():
    dialogues = [dataclasses.replace(make_dialogue(), id=f"d{n}") for n in range(5)]
    model = ScriptedModel()
    cast = make_cast(model, request(max_turns=6, redraws=0))
    tables = [Table(d) for d in dialogues]
    for _ in range(5):
        tables = step(tables, cast)
    assert model.calls == 3 and len(model.prompts) == 15
    alone = Table(dialogues[3])
    cast = make_cast(ScriptedModel(), request(max_turns=6, redraws=0))
    for _ in range(5):
        alone = step([alone], cast)[0]
    drop = {"latency_ms": 0}
    for ours, single in zip(tables[3].dialogue.turns, alone.dialogue.turns, strict=True):
        assert {**ours.meta, **drop} == {**single.meta, **drop} and ours.text == single.text


def test_dialogues_of_one_step_must_be_at_the_same_role():
    with pytest.raises(ValueError, match="different roles"):
        step([Table(make_dialogue()), Table(make_dialogue("a"))], make_cast())


def test_a_table_goes_to_json_and_back():
    table = Table(make_dialogue("a", "b", "c"), make_counsel(), ("seeker",), 3, ({"command": 1, "why": "x"},), True, 99)
    value = json.loads(json.dumps(table_to_json(table)))
    assert table_from_json(value) == table
    assert (value["state"], value["next"], value["waiting_for"]) == ("paused", "supporter", None)


@pytest.mark.parametrize(("table", "state", "waiting"), [
    (Table(make_dialogue()), "running", None), (Table(make_dialogue(), held=("seeker",)), "waiting", "seeker"),
    (Table(make_dialogue("a"), held=("counselor",)), "waiting", "counselor"),
    (Table(make_dialogue("a"), held=("supporter",)), "running", None),
    (Table(make_dialogue("a"), make_counsel(), held=("supporter",)), "waiting", "supporter"),
    (Table(make_dialogue("a", stop_reason="user"), held=("supporter",), paused=True), "ended", None)])
def test_states(table, state, waiting):
    assert (table.state, table.waiting_for) == (state, waiting)


# stopping

WORDING = wording_of("en")


def reason(dialogue, tokens=0, **changes):
    return reason_to_stop(dialogue, DialogueRequest(**changes), wording_of(dialogue.language), rules(), tokens)


def wanting(dialogue):
    last = dialogue.turns[-1]
    return dataclasses.replace(dialogue, turns=(*dialogue.turns[:-1], dataclasses.replace(
        last, private=dataclasses.replace(last.private, want_to_stop=True))))


SAME = "It sounds like you feel sad about all of this."
NINE = [f"word{n} here is something new" for n in range(9)]


@pytest.mark.parametrize(("dialogue", "changes", "tokens", "expected"), [
    (make_dialogue(), {}, 0, "running"), (make_dialogue("a", "b"), {}, 0, "running"),
    (wanting(make_dialogue(*NINE)), {}, 0, "want_to_stop"), (wanting(make_dialogue("a")), {}, 0, "running"),
    (wanting(make_dialogue("a", "b", "c")), {"min_turns": 3}, 0, "want_to_stop"),
    (make_dialogue("I have to go.", "Goodbye then."), {}, 0, "goodbye"),
    (make_dialogue("I have to go.", "Please stay."), {}, 0, "running"),
    (make_dialogue("a", "b", "c", states=(1, 1)), {}, 0, "relieved"),
    (make_dialogue("a", "b", "c", states=(2, 1)), {}, 0, "running"),
    (make_dialogue("a", SAME, "b", SAME), {}, 0, "repetition"),
    (make_dialogue("a", SAME, "b", "What would help you tonight?"), {}, 0, "running"),
    (make_dialogue("a", "b", "c", "d"), {"max_turns": 4, "min_turns": 2}, 0, "max_turns"),
    (make_dialogue("a", "b"), {"budget_tokens": 100}, 100, "budget"),
    (make_dialogue("a", "b"), {"budget_tokens": 100}, 99, "running"),
    (make_dialogue("I want to die."), {}, 0, "safety"), (make_dialogue("a", "I want to die."), {}, 0, "safety"),
    (make_dialogue("This exam is killing me."), {}, 0, "running"),
    (make_dialogue("我真的不想活了。", language="zh"), {"language": "zh"}, 0, "safety"),
    (make_dialogue("累死了。", language="zh"), {"language": "zh"}, 0, "running"),
    (make_dialogue("a", SAME, "b", SAME), {"stop_early": False}, 0, "running"),
    (make_dialogue("I want to die."), {"stop_early": False}, 0, "safety")])
def test_reasons_to_stop(dialogue, changes, tokens, expected):
    assert reason(dialogue, tokens, **changes) == expected


@pytest.mark.parametrize(("one", "two", "same"), [
    ("a b c d e f", "a b c d e f", True), ("a b c d e f", "a b c d x y", False), ("a b c d e f g", "a b c d e f x",
        True),
    ("ok", "ok", True), ("ok", "no", False)])
def test_repetition_is_more_than_six_tenths_of_the_three_grams(one, two, same):
    assert repeats(make_dialogue("x", one, "y", two)) is same


@pytest.mark.parametrize(("pair", "both"), [
    (("Bye!", "Take care."), True), (("再见", "保重"), False), (("I said goodbye to him.", "See you."), True),
    (("No.", "Good night."), False)])
def test_goodbye_of_both(pair, both):
    assert said_goodbye(make_dialogue(*pair), WORDING) is both


def test_relief_looks_at_known_states_only():
    dialogue = make_dialogue("a", "b", "c", states=(1, 1))
    person = dialogue.with_turn(Turn(3, "supporter", "d")).with_turn(Turn(4, "seeker", "by a person"))
    assert relieved(person)


def test_a_safety_stop_shows_where_help_is():
    table = seat(Table(make_dialogue()), Turn(0, "seeker", "I want to die."), make_cast())
    value = table_to_json(table)
    assert value["stop_reason"] == "safety" and value["resources"] == list(rules().resources["en"])
    assert table.dialogue.qc["safety"]["phrases"]
    assert table_to_json(Table(make_dialogue()))["resources"] == []


SENTENCES = yaml.safe_load((ASSETS / "crisis.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["positives_en", "positives_zh"])
def test_every_crisis_sentence_triggers(kind):
    assert [s for s in SENTENCES[kind] if not load_rules().found(s)] == []


@pytest.mark.parametrize("kind", ["negatives_en", "negatives_zh"])
def test_no_idiom_triggers(kind):
    assert [s for s in SENTENCES[kind] if rules().found(s)] == []


def test_randomness_comes_from_the_generator_that_was_passed():
    class Loud(random.Random):
        made = 0

        def __init__(self, seed):
            Loud.made += 1
            super().__init__(seed)

    cast = dataclasses.replace(make_cast(request=request(choice_temperature=0.7)), generator=Loud)
    before = random.getstate()
    step([Table(make_dialogue())], cast)
    decide([make_dialogue("a")], cast)
    assert Loud.made >= 2 and random.getstate() == before

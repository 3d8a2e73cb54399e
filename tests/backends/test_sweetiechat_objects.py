"""Objects, requests and the bundled library: round trips, defaults, and every bad input a person can give."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from backends.sweetiechat import TASKS, library
from backends.sweetiechat.objects import (
    STOP_REASONS,
    Dialogue,
    Scenario,
    SeekerCard,
    StrategySet,
    dialogue_from_json,
    dialogue_to_json,
)
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from tests.backends.sweetie import make_counsel, make_dialogue
from workbench.contract import UserError
from workbench.fields import fields_of, from_json, to_json


def full_dialogue() -> Dialogue:
    dialogue = make_dialogue("I am sad.", "What happened?", "He left.", states=(4, 3.6), used=("question",))
    second = dataclasses.replace(dialogue.turns[1], counselor=make_counsel(), meta={"history": [{"text": "Why?"}]})
    return dataclasses.replace(dialogue, turns=(dialogue.turns[0], second, dialogue.turns[2]), stop_reason="user",
                               qc={"safety": {"turn": 1, "phrases": ["x"]}}, models={"seeker": "path:a"}, seed=7)


def test_a_dialogue_goes_to_json_text_and_back_without_loss():
    dialogue = full_dialogue()
    again = dialogue_from_json(json.loads(json.dumps(dialogue_to_json(dialogue))))
    assert again == dialogue
    assert again.turns[1].counselor.ranking[0].terms == {"history": 1.0}
    assert again.turns[0].private.level == 4.0


def test_the_run_state_beside_a_dialogue_is_left_aside_but_a_broken_dialogue_is_refused():
    value = dialogue_to_json(full_dialogue())
    assert dialogue_from_json({**value, "state": "ended", "applied": 3}) == full_dialogue()
    with pytest.raises(UserError, match="stop_reason"):
        dialogue_from_json({**value, "stop_reason": "tired"})
    del value["stop_reason"]
    with pytest.raises(UserError, match="stop_reason"):
        dialogue_from_json(value)


@pytest.mark.parametrize("reason", STOP_REASONS)
def test_every_stop_reason_ends_a_dialogue_and_running_does_not(reason):
    assert make_dialogue(stop_reason=reason).ended
    assert not make_dialogue().ended


def test_last_private_and_said_by():
    dialogue = make_dialogue("a", "b", "c", states=(4, 2))
    assert dialogue.last_private().intensity == 2
    assert [t.text for t in dialogue.said_by("seeker")] == ["a", "c"]
    assert make_dialogue().last_private() is None


@pytest.mark.parametrize(("field", "value", "says"), [
    ("situation", "", "situation"), ("situation", " \n ", "empty"), ("situation", "x" * 4001, "4001"),
    ("intensity_0", 0, "intensity_0"), ("intensity_0", 6, "between 1 and 5"), ("intensity_0", "strong", "whole number"),
    ("emotion", "", "emotion"), ("language", "de", "language")])
def test_a_scenario_with_a_bad_field_is_refused(field, value, says):
    good = {"id": "s", "problem_type_id": "p", "emotion": "fear", "intensity_0": 3, "situation": "It happened."}
    assert from_json(Scenario, good).language == "en"
    with pytest.raises(UserError, match=says):
        from_json(Scenario, {**good, field: value})


@pytest.mark.parametrize(("field", "value"), [
    ("openness", 0), ("openness", 6), ("talk_style", "loud"), ("hidden_facts", "one fact"),
    ("hidden_facts", [f"fact {n}" for n in range(9)]), ("personality", [1, 2]), ("shoe_size", 43)])
def test_a_card_with_a_bad_field_is_refused(field, value):
    with pytest.raises(UserError, match=field):
        from_json(SeekerCard, {"id": "c", "scenario_id": "s", field: value})


def test_a_strategy_set_finds_by_key_and_names_all_when_it_cannot():
    strategies = library.choose_strategies("esconv-8")
    assert strategies.get("question").label("zh") == "提问"
    with pytest.raises(UserError, match="question, restatement"):
        strategies.get("hypnosis")


# requests

@pytest.mark.parametrize("request_type", [DialogueRequest, GenerateRequest])
def test_requests_round_trip_and_every_field_is_explained(request_type):
    request = request_type()
    assert from_json(request_type, json.loads(json.dumps(to_json(request)))) == request
    for spec in fields_of(request_type):
        assert spec.knob.help, f"{spec.name} has no help"
        assert spec.knob.group, f"{spec.name} has no group"


@pytest.mark.parametrize(("changes", "says"), [
    ({"min_turns": 1}, "min_turns"),
    ({"min_new_tokens": 50, "max_new_tokens": 40}, "min_new_tokens is 50"),
    ({"beta": -0.1}, "beta"), ({"beta": float("nan")}, "beta"), ({"temperature": 3}, "temperature"),
    ({"top_p": 0.0}, "top_p"), ({"max_turns": 1}, "max_turns"), ({"language": "fr"}, "language"),
    ({"seeker_state": "guess"}, "seeker_state"), ({"redraws": 6}, "redraws"), ({"strategy_set": ""}, "strategy_set"),
    ({"strategy_set": "x" * 100_001}, "strategy_set"), ({"seed": -1}, "seed"), ({"budget_tokens": -5}, "budget")])
@pytest.mark.parametrize("request_type", [DialogueRequest, GenerateRequest])
def test_a_bad_setting_is_refused_by_name(request_type, changes, says):
    with pytest.raises(UserError, match=says):
        request_type(**changes)


@pytest.mark.parametrize(("request_type", "changes", "says"), [
    (DialogueRequest, {"counselor": "classifier"}, "counselor"), (GenerateRequest, {"counselor": "you"}, "counselor"),
    (DialogueRequest, {"human_roles": ("counselor",)}, "human_roles"), (GenerateRequest, {"count": 0}, "count"),
    (GenerateRequest, {"batch": 257}, "batch"), (DialogueRequest, {"scenario": 5}, "scenario")])
def test_a_bad_choice_of_one_request_is_refused(request_type, changes, says):
    with pytest.raises(UserError, match=says):
        request_type(**changes)


def test_the_tasks_have_versions_examples_and_hold_no_slot():
    by_name = {task.name: task for task in TASKS}
    assert {"sweetiechat.dialogue.v1", "sweetiechat.generate.v1"} <= set(by_name)
    for name in ("sweetiechat.dialogue.v1", "sweetiechat.generate.v1"):
        task = by_name[name]
        assert task.kind == "job" and task.needs.slots == () and isinstance(task.example, task.request)
        assert callable(task.function())


def test_importing_the_method_and_its_tasks_brings_neither_torch_nor_gradio():
    code = ("import sys, backends.sweetiechat, backends.sweetiechat.play, backends.sweetiechat.generate, "
            "backends.sweetiechat.exchange, backends.sweetiechat.bench, backends.sweetiechat.reproduce; "
            "print([n for n in ('torch', 'gradio', 'transformers') if n in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# the bundled library and how a request names its parts

@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_library_is_whole(language):
    found = library.load_library(language)
    assert len(found.problems) >= 24 and len(found.scenarios) >= 24
    assert {p.category for p in found.problems} <= {c["id"] for c in found.categories}
    for scenario in found.scenarios:
        assert found.problem(scenario.problem_type_id)
        assert len(found.cards_of(scenario.id)) == 3
        assert scenario.language == language


def test_seeds_are_balanced_and_filtered():
    found = library.load_library("en")
    everything = found.seeds(())
    assert len(everything) == len(found.cards)
    assert len({s.problem_type_id for s, _ in everything[: len(found.problems)]}) == len(found.problems)
    assert {s.problem_type_id for s, _ in found.seeds(("sleep",))} == {"sleep"}
    category = found.problems[0].category
    assert {found.problem(s.problem_type_id).category for s, _ in found.seeds((category,))} == {category}
    with pytest.raises(UserError, match="slee"):
        found.seeds(("sleeep",))


@pytest.mark.parametrize("value", ["sleep", " sleep "])
def test_a_scenario_by_id(value):
    assert library.choose_scenario(value, library.load_library("en")).id == "sleep"


@pytest.mark.parametrize(("value", "situation"), [
    ("I lost my job, and I hide it.", "I lost my job, and I hide it."),
    ({"situation": "The flat burned down.", "emotion": "fear"}, "The flat burned down."),
    ('{"situation": "The dog is ill.", "intensity_0": 5}', "The dog is ill.")])
def test_a_scenario_in_own_words_or_as_a_table(value, situation):
    scenario = library.choose_scenario(value, library.load_library("en"))
    assert scenario.situation == situation and scenario.problem_type_id == "own"
    card = library.choose_card("", scenario, library.load_library("en"))
    assert card.scenario_id == scenario.id and card.hidden_facts == ()


def test_a_chinese_situation_is_a_situation_and_not_an_id():
    scenario = library.choose_scenario("最近总是睡不着", library.load_library("zh"))
    assert scenario.situation == "最近总是睡不着" and scenario.language == "zh"


@pytest.mark.parametrize(("value", "says"), [
    ("", "empty"), ("   \n", "empty"), ("x " * 50_000, "99,999"), ("slep", "sleep"), ({"situation": ""}, "empty"),
    ({"situation": 5}, "empty"), ({"situation": "ok.", "intensity_0": 9}, "intensity_0"),
    ({"situation": "ok.", "colour": "red"}, "colour"), ("{broken", "JSON"), ({}, "empty")])
def test_a_bad_scenario_is_refused_with_a_sentence(value, says):
    with pytest.raises(UserError, match=says):
        library.choose_scenario(value, library.load_library("en"))


def test_cards_by_id_table_and_default():
    found = library.load_library("en")
    scenario = found.scenario("sleep")
    assert library.choose_card("", scenario, found).id == "sleep-1"
    assert library.choose_card("sleep-2", scenario, found).id == "sleep-2"
    assert library.choose_card({"openness": 5, "hidden_facts": ["I cry."]}, scenario, found).hidden_facts == ("I cry.",)
    with pytest.raises(UserError, match="sleep-1"):
        library.choose_card("sleep-9", scenario, found)


# strategy sets

OWN = """
name: mine
version: 2
items:
  - {key: ask, label: Ask, definition: Ask something., stage: exploration, example: "How are you?"}
  - {key: tell, label_en: Tell, label_zh: 说}
"""


@pytest.mark.parametrize(("name", "count"), [("esconv-8", 8), ("extes-16", 16), ("escot-13", 13)])
def test_the_bundled_strategy_sets(name, count):
    strategies = library.choose_strategies(name)
    assert strategies.name == name and len(strategies.items) == count == len(set(strategies.keys))
    assert name in library.strategy_sets() and library.strategy_sets()[0] == "esconv-8"
    for item in strategies.items:
        for language in ("en", "zh"):
            assert item.label(language) and item.definition(language)


def test_an_own_strategy_set_in_yaml():
    strategies = library.choose_strategies(OWN)
    assert isinstance(strategies, StrategySet) and strategies.keys == ("ask", "tell") and strategies.version == "2"
    assert strategies.get("ask").label("zh") == "Ask" and strategies.get("tell").label("zh") == "说"
    assert strategies.get("tell").stage == "any"


@pytest.mark.parametrize(("text", "says"), [
    ("name: x\nitems:\n  - {key: a, label: A\n", "line"), ("name: x\nitems: [", "line 2"),
    ("just: a table\nof: words", "items"), ("- a\n- b:\n", "items"), ("name: x\nitems: []", "at least two"),
    ("name: x\nitems:\n - {key: a, label: A}", "at least two"),
    ("name: x\nitems:\n - {key: a, label: A}\n - {key: a, label: B}", "more than once"),
    ("name: x\nitems:\n - {key: a}\n - {key: b, label: B}", "Item 1 .* no label"),
    ("name: x\nitems:\n - {label: A}\n - {key: b, label: B}", "Item 1 .* no key"),
    ("name: x\nitems:\n - text\n - {key: b, label: B}", "Item 1"),
    ("name: x\nitems:\n - {key: a, label: A, stage: soon}\n - {key: b, label: B}", "soon"),
    ("name: x\nitems:\n - {key: a, label: [1, 2]}\n - {key: b, label: B}", "label in the strategy set is a list"),
    ("a: !!python/object/apply:os.system ['true']\nitems: []", "YAML"), ("esconv", "esconv-8")])
def test_a_bad_strategy_set_is_refused_and_says_where(text, says):
    with pytest.raises(UserError, match=says):
        library.choose_strategies(text)


def test_a_strategy_set_that_unfolds_without_end_is_refused_at_once():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = "\n".join([*levels, "items:", "- {key: a, label: *a11}", "- {key: b, label: B}"])
    with pytest.raises(UserError, match="label in the strategy set is a list"):
        library.choose_strategies(text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_bundled_pair_makes_a_dialogue_and_survives_json(language):
    found = library.load_library(language)
    strategies = library.choose_strategies("esconv-8")
    for scenario, card in found.seeds(()):
        dialogue = Dialogue("x", scenario, card, strategies, (), "running", language)
        assert dialogue_from_json(json.loads(json.dumps(dialogue_to_json(dialogue)))) == dialogue
        assert card.scenario_id == scenario.id and card.opening and len(card.hidden_facts) == 3

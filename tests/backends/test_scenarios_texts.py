"""Scenarios and cards: what is asked, the repair, the redraws, the log, and what becomes of the persona."""

from __future__ import annotations

import json
import random

import pytest

from backends.sweetiechat.library import load_library
from backends.sweetiechat.scenarios.plan import bundled_emotions, load_axes, make_plan
from backends.sweetiechat.scenarios.pool import start
from backends.sweetiechat.scenarios.texts import Job, scenario_facts, shortened, shown_texts, write_fields
from backends.sweetiechat.scenarios.writing import write_batch
from tests.backends.scenario_cases import LARGE, card_fields, filled, reply, scenario_fields, scripted, writer_of
from tests.backends.sweetie import words

EN = load_library("en")
NAMES = [kind.name_en for kind in EN.problems]


def cells(count: int, cards: int = 1, language: str = "en"):
    axes = load_axes(language, bundled_emotions(language))
    return make_plan(start(language, "esconv").types, axes, count, cards, random.Random(1))


def made(model=None, count: int = 4, cards: int = 1, **fields):
    writer = writer_of(model or scripted(), cards=cards, **fields)
    return write_batch(cells(count, cards), [], EN, writer, NAMES)


def test_a_batch_becomes_scenarios_and_cards_of_its_cells() -> None:
    batch, plan = made(cards=2), cells(4, 2)
    assert [scenario.id for scenario in batch.scenarios] == ["gen-0000", "gen-0001", "gen-0002", "gen-0003"]
    for cell, scenario in zip(plan, batch.scenarios, strict=True):
        assert (scenario.problem_type_id, scenario.emotion, scenario.intensity_0) == (
            cell.problem.id,
            cell.emotion,
            cell.intensity,
        )
        assert scenario.language == "en" and scenario.trigger and scenario.goal_of_seeker and scenario.tried_already
        own = [card for card in batch.cards if card.scenario_id == scenario.id]
        assert [card.id for card in own] == [f"{scenario.id}-1", f"{scenario.id}-2"]
        for card, person in zip(own, cell.personas, strict=True):
            assert (card.age_band, card.gender, card.occupation) == (person.age_band, person.gender, person.occupation)
            assert (card.talk_style, card.openness, card.personality) == (
                person.talk_style,
                person.openness,
                person.personality,
            )
            assert len(card.hidden_facts) == 3 and card.opening
    assert (batch.scenario_attempts, batch.card_attempts, batch.log) == (4, 8, ())


def test_line_prompts_show_two_worked_examples_and_begin_the_answer() -> None:
    model = scripted()
    made(model, count=1)
    scenario, card = model.prompts
    assert scenario.text.count("What happened:") == 2 and scenario.text.count("Problem:") == 3
    assert scenario.prefill == "What happened:" and scenario.text.endswith("\n")
    assert card.text.count("Secret 1:") == 2 and card.prefill == "Secret 1: I"
    assert "gen-" not in scenario.text and model.decodings[0].stop == ("\n\n",)
    person = cells(1)[0].personas[0]
    assert all(text in scenario.text for text in (person.gender, person.age_band, person.occupation))
    told = scenario_fields(random.Random("scenario/0/0"))["situation"]
    assert told in card.text, "the card is written for the situation that was made"


def test_examples_differ_by_job_and_attempt_and_repeat_by_seed() -> None:
    model = scripted()
    made(model, count=3)
    texts = [prompt.text for prompt in model.prompts if prompt.key.startswith("scenario/")]
    heads = {text.rsplit("Problem:", 1)[0] for text in texts}
    assert len(heads) == 3
    again = scripted()
    made(again, count=3)
    assert [prompt.text for prompt in again.prompts] == [prompt.text for prompt in model.prompts]


def test_json_prompts_ask_for_one_object() -> None:
    model = scripted(card=LARGE)
    batch = made(model, count=2)
    scenario = words(model.prompts[0])
    assert "It tells what is wrong, never how it could get better" in scenario and '"tried_already"' in scenario
    assert len(batch.scenarios) == len(batch.cards) == 2 and model.decodings[0].stop == ()
    assert "situation_now" not in scenario


def test_a_small_model_tells_its_situation_in_two_lines() -> None:
    fields = scenario_fields(random.Random(1))
    whole = shortened(fields, "en")
    assert whole["situation"] == f"{fields['situation']} {fields['situation_now']}" and "situation_now" not in whole
    assert (
        shortened({"situation": "一。二。三。", "situation_now": "四。五。六。"}, "zh")["situation"]
        == "一。二。三。四。"
    )
    assert shortened({"situation": "One. Two.", "trigger": "a. b. c. d. e. f."}, "en") == {
        "situation": "One. Two.",
        "trigger": "a. b. c. d. e. f.",
    }


def test_the_repair_of_lines_goes_on_from_the_good_ones() -> None:
    fields = scenario_fields(random.Random(3))

    def half(prompt):
        if prompt.key.endswith("/repair"):
            return filled(prompt, fields)
        return f"What happened: {fields['situation']}\nHow it is now: {fields['situation_now']}\nNonsense"

    model = scripted(half)
    job = Job("scenario/0", "scenario", scenario_facts(cells(1)[0], "en"))
    [(found, problem)] = write_fields([job], EN, writer_of(model), 0)
    assert problem == "" and found == fields
    _, repair = model.prompts
    assert repair.key == "scenario/0/0/repair" and repair.prefill == "Trigger:"
    assert repair.text.endswith(f"How it is now: {fields['situation_now']}\n")


def test_the_repair_of_json_says_what_was_wrong() -> None:
    def half(prompt):
        return reply(prompt) if prompt.key.endswith("/repair") else '{"situation": "x"}'

    model = scripted(half, LARGE)
    job = Job("scenario/0", "scenario", scenario_facts(cells(1)[0], "en"))
    [(found, problem)] = write_fields([job], EN, writer_of(model), 0)
    assert problem == "" and set(found) == {"situation", "trigger", "time_frame", "tried_already", "goal_of_seeker"}
    assert "there is no text for trigger, time_frame, tried_already, goal_of_seeker" in words(model.prompts[1])


def test_what_cannot_be_repaired_is_drawn_again_and_logged() -> None:
    model = scripted(lambda prompt: "Nothing of the kind")
    batch = made(model, count=2, redraws=2)
    assert (batch.scenarios, batch.cards, batch.scenario_attempts, batch.card_attempts) == ((), (), 6, 0)
    assert len(batch.log) == 6 and all(line["reasons"] == ["shape"] for line in batch.log)
    assert [line["attempt"] for line in batch.log] == [0, 0, 1, 1, 2, 2]
    assert len(model.prompts) == 12, "every attempt has one repair"
    assert write_fields([], EN, writer_of(model), 0) == []


def test_a_redraw_replaces_a_text_that_broke_a_rule() -> None:
    def first_bad(prompt):
        fields = scenario_fields(random.Random(prompt.key))
        if prompt.key == "scenario/0/0":
            fields["trigger"] = "You should know that the problem was solved, she said."
            fields["situation"] = "In the end the problem was solved and everything is fine."
        return filled(prompt, fields) if prompt.key.startswith("scenario/") else reply(prompt)

    batch = made(scripted(first_bad), count=2)
    assert len(batch.scenarios) == 2 and batch.scenario_attempts == 3
    [line] = batch.log
    assert (line["what"], line["number"], line["attempt"], line["reasons"]) == ("scenario", 0, 0, ["no_solution"])
    assert line["about"]["problem"] == cells(1)[0].problem.id and "problem was solved" in line["fields"]["situation"]
    assert "solved" not in batch.scenarios[0].situation


def test_a_card_with_the_solution_is_never_kept() -> None:
    def cured(prompt):
        fields = card_fields(random.Random(prompt.key))
        fields["fact2"] = "I know that the only solution is to move out."
        return filled(prompt, fields) if prompt.key.startswith("card/") else reply(prompt)

    batch = made(scripted(cured), count=2, redraws=1)
    assert len(batch.scenarios) == 2 and batch.cards == () and batch.card_attempts == 4
    assert all(line["reasons"] == ["no_solution"] and line["what"] == "card" for line in batch.log)
    assert json.loads(json.dumps(batch.log))[0]["verdicts"]


def test_crisis_content_is_left_out() -> None:
    def crisis(prompt):
        fields = card_fields(random.Random(prompt.key))
        return (
            filled(prompt, {**fields, "fact1": "I want to kill myself."})
            if prompt.key.startswith("card/")
            else reply(prompt)
        )

    batch = made(scripted(crisis), count=1, redraws=0)
    assert batch.cards == () and "safety" in batch.log[0]["reasons"]


def test_two_scenarios_that_tell_the_same_are_one() -> None:
    same = scenario_fields(random.Random(5))
    model = scripted(lambda p: filled(p, same) if p.key.startswith("scenario/") else reply(p))
    batch = made(model, count=3, redraws=0)
    assert len(batch.scenarios) == 1 and [line["reasons"] for line in batch.log] == [["new"]] * 2
    earlier = [batch.scenarios[0].situation]
    again = write_batch(cells(1), earlier, EN, writer_of(model, redraws=0), NAMES)
    assert again.scenarios == ()


def test_copies_of_the_worked_examples_are_left_out_in_lines_only() -> None:
    known = shown_texts(EN)
    assert set(known) == {"situation", "trigger", "tried_already", "goal_of_seeker", "fact", "opening"}
    assert len(known["fact"]) == 270 and len(known["opening"]) == 90

    def copying(prompt):
        fields = json.loads(reply(prompt)) if prompt.messages else scenario_fields(random.Random(prompt.key))
        fields["goal_of_seeker"] = EN.scenarios[0].goal_of_seeker
        return json.dumps(fields) if prompt.messages else filled(prompt, fields)

    lines = made(scripted(lambda p: copying(p) if p.key.startswith("scenario/") else reply(p)), count=1, redraws=0)
    assert lines.scenarios == () and lines.log[0]["reasons"] == ["own_words"]
    chat = made(
        scripted(lambda p: copying(p) if p.key.startswith("scenario/") else reply(p), LARGE), count=1, redraws=0
    )
    assert len(chat.scenarios) == 1, "a model that saw no example has copied none"


def test_a_situation_must_fit_its_own_problem_best() -> None:
    own = f"Problem: {cells(1)[0].problem.name_en}."

    def scores(good: bool):
        return lambda prompt, texts: [[-1.0 if prompt.text.startswith(own) == good else -2.0] * 4 for _ in texts]

    model = scripted(scores=scores(True))
    assert len(made(model, count=1, fit=True, redraws=0).scenarios) == 1
    assert len(model.scored) == 4 and model.scored[0].text == f"{own}\nSituation:"
    assert len({prompt.text for prompt in model.scored}) == 4
    batch = made(scripted(scores=scores(False)), count=1, fit=True, redraws=0)
    assert batch.scenarios == () and batch.log[0]["reasons"] == ["fit"]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_row_does_not_depend_on_its_batch(size: int) -> None:
    plan, model = cells(4), scripted()
    writer = writer_of(model)
    found = []
    for first in range(0, 4, size):
        found += write_batch(plan[first : first + size], [s.situation for s in found], EN, writer, NAMES).scenarios
    whole = write_batch(plan, [], EN, writer_of(scripted()), NAMES).scenarios
    assert tuple(found) == whole


def test_chinese_texts_are_asked_for_in_chinese() -> None:
    zh = load_library("zh")
    model = scripted(lambda prompt: "无", card={**LARGE, "languages": ["zh"]})
    write_batch(cells(1, 1, "zh"), [], zh, writer_of(model, "zh", redraws=0), [k.name_zh for k in zh.problems])
    assert "请写一个处境" in words(model.prompts[0]) and "请只用 JSON 重新回答" in words(model.prompts[1])
    lines = scripted(lambda prompt: "无", card={**LARGE, "languages": ["zh"]})
    write_batch(cells(1, 1, "zh"), [], zh, writer_of(lines, "zh", form="lines", redraws=0), [])
    assert lines.prompts[0].prefill == "发生了什么：" and lines.prompts[0].text.count("发生了什么：") == 2
    assert "： " not in lines.prompts[0].text.split("\n\n")[1]

"""When types, scenarios and cards are kept: every rule, its value and its reason, in both languages."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

from backends.sweetiechat.library import ASSETS, load_library
from backends.sweetiechat.scenarios.pool import start
from backends.sweetiechat.scenarios.replies import Candidate
from backends.sweetiechat.scenarios.text_rules import check_card, check_scenario
from backends.sweetiechat.scenarios.type_rules import accepted_type, check_type, reasons
from backends.sweetiechat.scenarios.verdicts import (
    clean_form,
    load_words,
    no_solution,
    passed,
    repeats,
    safe,
    sentences,
)

EN, ZH = load_words("en"), load_words("zh")
POOL, POOL_ZH = start("en", "esconv"), start("zh", "esconv")
GOOD = Candidate("Noisy neighbours", "Sounds through the wall make a home feel unsafe.", "health & body")
GOOD_ZH = Candidate("邻居噪音", "隔壁的响动让人在自己家里也不得安宁。", "健康与身体")
SCENARIO = {
    "situation": "The flat below was sold in spring. Since then music plays until three and nobody opens the door.",
    "trigger": "A note in the hall told everybody to stop complaining.",
    "time_frame": "four months",
    "tried_already": "Ringing the bell, writing a letter, sleeping with ear plugs.",
    "goal_of_seeker": "To come home in the evening without listening first.",
}
SCENARIO_ZH = {
    "situation": "楼下的房子春天换了主人。从那以后音乐常常响到凌晨三点，敲门也没有人应。",
    "trigger": "楼道里贴了一张纸条，叫大家别再投诉。",
    "time_frame": "四个月",
    "tried_already": "按过门铃，写过信，戴着耳塞睡。",
    "goal_of_seeker": "希望晚上回家时不用先竖起耳朵听。",
}
CARD = {
    "fact1": "I once hammered on their ceiling with a broom until it broke.",
    "fact2": "My lease ends in June and I have told nobody.",
    "fact3": "I sleep in the car before early shifts.",
    "opening": "Hi. It is about my neighbours, sort of.",
}
CARD_ZH = {
    "fact1": "我拿扫帚柄捅过天花板，捅断了。",
    "fact2": "我的租约六月就到期，谁也没告诉。",
    "fact3": "上早班之前我都睡在车里。",
    "opening": "你好，我想说说邻居的事。",
}


def failed(verdicts) -> dict[str, str]:
    return {verdict.rule: verdict.reason for verdict in verdicts if verdict.passed is False}


# types


@pytest.mark.parametrize(("candidate", "pool", "words"), [(GOOD, POOL, EN), (GOOD_ZH, POOL_ZH, ZH)])
def test_a_good_type_passes_every_rule(candidate, pool, words) -> None:
    verdicts = check_type(candidate, pool, words, 0.5)
    assert passed(verdicts) and failed(verdicts) == {}
    assert {v.rule for v in verdicts} == {
        "shape",
        "length",
        "form",
        "language",
        "category",
        "new_name",
        "similarity",
        "safety",
    }
    assert all(v.reason for v in verdicts)


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        ({"problem": "the line was cut off"}, "shape", "cut off"),
        ({"name": ""}, "length", "the name has 0 words"),
        ({"name": "one two three four five six seven eight"}, "length", "the name has 8 words; 1 to 7 are allowed"),
        ({"gloss": "It hurts."}, "length", "the gloss has 2 words; 4 to 30"),
        ({"gloss": " ".join(f"w{n}" for n in range(31)) + "."}, "length", "the gloss has 31 words"),
        ({"gloss": "Sounds through the wall make a home"}, "form", "one sentence with its full stop"),
        ({"gloss": "Sounds come through the wall. They never end."}, "form", "one sentence"),
        ({"gloss": "Sounds come through the wall?"}, "form", "one sentence"),
        ({"name": "Noisy neighbours:"}, "form", "the name of a problem"),
        ({"name": "How to live with noise"}, "form", "the name of a problem"),
        ({"name": "Dealing with neighbours"}, "form", "the name of a problem"),
        ({"gloss": "Noisy neighbours are noisy."}, "form", "only 1 words that are not in the name"),
        ({"name": "A lack of quiet at home", "gloss": "A lack of quiet at home."}, "form", "only 0 words"),
        ({"name": "Family abuse"}, "safety", "Family abuse"),
        ({"gloss": "The abuse of a partner is hidden from everybody."}, "safety", "abuse of a partner"),
        ({"gloss": "Sounds through the [wall] make a home feel unsafe."}, "form", "gloss: '[wall]'"),
        ({"gloss": "See https://x.org for what a home can feel like."}, "form", "https:"),
        ({"gloss": "Situation: sounds through the wall all night long."}, "form", "Situation:"),
        ({"gloss": "Job loss, job loss, job loss and job loss again."}, "form", "only 40%"),
        (
            {"gloss": "Sleep problems, sleep disorders, sleep loss, sleep problems and sleep disorders."},
            "form",
            "differ",
        ),
        ({"gloss": "A home home home that is never quiet at all."}, "form", "'home' twice"),
        (
            {"name": "Lärm", "gloss": "Geräusche durch die Wand machen das Zuhause unsicher und laut."},
            "language",
            "common English",
        ),
        ({"name": "邻居噪音", "gloss": "隔壁的响动让人不得安宁。"}, "language", "Latin letters"),
        ({"category": "neighbours"}, "category", "none of the five"),
        ({"category": ""}, "category", "none of the five"),
        ({"category": "health"}, "category", "none of the five"),
        ({"name": "Sleep Problems"}, "new_name", "it has the name of sleep"),
        ({"name": "health and body"}, "", ""),
        ({"name": "Health & Body"}, "new_name", "it has the name of health_body"),
        (
            {"name": "Problems with sleep", "gloss": "Falling or staying asleep has become a nightly struggle."},
            "similarity",
            "like sleep; it must be below 0.5",
        ),
        ({"name": "Suicidal thoughts"}, "safety", "Suicidal"),
        ({"gloss": "A person was raped and cannot tell anybody about it."}, "safety", "raped"),
        ({"gloss": "Someone at home beats me and I want to die."}, "safety", "want to die"),
    ],
)
def test_every_rule_of_types(change: dict, rule: str, said: str) -> None:
    verdicts = check_type(dataclasses.replace(GOOD, **change), POOL, EN, 0.5)
    found = failed(verdicts)
    if not rule:
        assert not found, found
    else:
        assert rule in found and said in found[rule], found
        assert not passed(verdicts) and rule in reasons(verdicts)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"name": "噪"}, "length"),
        ({"gloss": "很吵。"}, "length"),
        ({"gloss": "隔壁的响动让人在家里也不得安宁"}, "form"),
        ({"gloss": "隔壁很吵。家里不得安宁。"}, "form"),
        ({"name": "Noise", "gloss": "Sounds through the wall at night."}, "language"),
        ({"category": "健康"}, "category"),
        ({"name": "睡眠问题"}, "new_name"),
        ({"name": "睡眠困扰", "gloss": "入睡困难或睡不安稳，夜夜煎熬。"}, "similarity"),
        ({"name": "想自杀的念头"}, "safety"),
        ({"name": "如何面对邻居"}, "form"),
        ({"gloss": "邻居的噪音噪音。"}, "form"),
        ({"gloss": "在家里遭到家暴，不敢对任何人说。"}, "safety"),
        ({"gloss": "{名字}让人在家里也不得安宁。"}, "form"),
    ],
)
def test_every_rule_of_chinese_types(change: dict, rule: str) -> None:
    assert rule in failed(check_type(dataclasses.replace(GOOD_ZH, **change), POOL_ZH, ZH, 0.5))


def test_similarity_stands_with_its_value_and_the_limit_is_exclusive() -> None:
    text = Candidate("Problems with sleep", "Falling or staying asleep has become a nightly struggle.", "health & body")
    verdict = next(v for v in check_type(text, POOL, EN, 0.5) if v.rule == "similarity")
    assert verdict.value["nearest"] == "sleep" and 0.5 < verdict.value["rouge-l"] < 1
    exact = verdict.value["rouge-l"]
    at = {limit: "similarity" in failed(check_type(text, POOL, EN, limit)) for limit in (exact - 0.01, exact + 0.01)}
    assert at == {exact - 0.01: True, exact + 0.01: False}
    same = Candidate("Other name", POOL.types[0].gloss_en, "health & body")
    assert "similarity" in failed(check_type(same, POOL, EN, 0.5))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bundled_types_pass_their_own_rules_but_for_two_like_names(language: str) -> None:
    pool, words = start(language, "bundled"), load_words(language)
    wrong = {}
    for seed in pool.types:
        rest = dataclasses.replace(pool, types=tuple(kind for kind in pool.types if kind.id != seed.id))
        found = failed(
            check_type(Candidate(seed.name(language), seed.gloss(language), seed.category), rest, words, 0.5)
        )
        if found:
            wrong[seed.id] = set(found)
    assert set(wrong) <= {"parents", "children"} and all(rules == {"similarity"} for rules in wrong.values())


def test_an_accepted_type_knows_its_place() -> None:
    parent = next(seed for seed in POOL.types if seed.id == "sleep")
    made = accepted_type(GOOD, POOL, dataclasses.replace(parent, depth=2))
    assert (made.id, made.category, made.parent_id, made.origin, made.depth) == (
        "noisy-neighbours",
        "health_body",
        "sleep",
        "evolved",
        3,
    )
    assert made.name("zh") == made.name("en") == "Noisy neighbours" and made.gloss("zh") == GOOD.gloss
    assert accepted_type(GOOD, POOL, None).depth == 0


# safety


def crisis_sentences() -> list[tuple[str, str]]:
    table = yaml.safe_load((ASSETS / "crisis.yaml").read_text(encoding="utf-8"))
    return [(language, text) for language in ("en", "zh") for text in table[f"negatives_{language}"]]


def test_idioms_are_no_crisis() -> None:
    words = {"en": EN, "zh": ZH}
    fired = [text for language, text in crisis_sentences() if words[language].crisis.found(text)]
    assert not fired


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (EN, "I want to kill myself."),
        (EN, "He was kidnapped."),
        (EN, "An overdose in the family"),
        (EN, "domestic violence"),
        (EN, "SELF-HARM"),
        (EN, "child abuse"),
        (ZH, "我想自杀。"),
        (ZH, "家暴"),
        (EN, "我想自杀。"),
    ],
)
def test_what_is_not_for_a_support_chat(words, text: str) -> None:
    verdict = safe(words, {"x": text})
    assert verdict.passed is False and verdict.value and verdict.reason.startswith("not for a support chat: x: ")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (EN, "This exam is killing me."),
        (EN, "Verbal abuse by a boss"),
        (EN, "Skills that fade"),
        (EN, "The grapes were sour."),
        (EN, "Drinking too much"),
        (ZH, "想死你了。"),
        (ZH, "工作压力大得要命"),
    ],
)
def test_what_only_sounds_like_it(words, text: str) -> None:
    if words is EN and "killing" in text:
        assert safe(words, {"x": text}).passed is False, "kill* as a kind of problem is left out on purpose"
    else:
        assert safe(words, {"x": text}).passed is True


# solution


@pytest.mark.parametrize(
    "text",
    [
        "You should talk to her.",
        "The solution is to move out.",
        "The only answer is patience.",
        "What really helped was writing.",
        "Yoga helped me to cope.",
        "I finally overcame it.",
        "The problem was solved last week.",
        "In the end everything worked out well.",
        "I am finally happy.",
        "I’m much better.",
        "I learned to let go.",
        "All I have to do is breathe.",
        "Therapy has helped.",
        "I would recommend that you rest.",
    ],
)
def test_english_solutions_are_found(text: str) -> None:
    verdict = no_solution(EN, {"fact1": text})
    assert verdict.passed is False and "it contains a solution: fact1: " in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "你应该和她谈谈。",
        "解决的办法就是搬走。",
        "后来就好了。",
        "问题终于解决了。",
        "我学会了放下。",
        "只要早点睡就能好。",
        "咨询真的有用。",
        "建议大家多运动。",
    ],
)
def test_chinese_solutions_are_found(text: str) -> None:
    assert no_solution(ZH, {"fact1": text}).passed is False


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (EN, "I tell everybody that everything is fine."),
        (EN, "I advise customers all day."),
        (EN, "I should have called her."),
        (EN, "Nothing I tried has helped."),
        (EN, "I do not know how to let go."),
        (EN, "I hope things will get easier."),
        (ZH, "我对谁都说没事。"),
        (ZH, "我不知道该怎么办。"),
        (ZH, "试过早睡，没有用。"),
    ],
)
def test_what_is_no_solution(words, text: str) -> None:
    assert no_solution(words, {"fact1": text}).passed is True


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bundled_scenarios_and_cards_pass_every_rule(language: str) -> None:
    library, words = load_library(language), load_words(language)
    wrong = {}
    for scenario in library.scenarios:
        fields = {name: getattr(scenario, name) for name in SCENARIO}
        others = [other.situation for other in library.scenarios if other.id != scenario.id]
        wrong[scenario.id] = failed(check_scenario(fields, others, words))
        for card in library.cards_of(scenario.id):
            texts = {f"fact{n}": fact for n, fact in enumerate(card.hidden_facts, 1)} | {"opening": card.opening}
            wrong[card.id] = failed(check_card(texts, scenario.situation, words))
    assert len(wrong) == 120
    assert not {name: found for name, found in wrong.items() if found}


# scenarios and cards


@pytest.mark.parametrize(("fields", "words"), [(SCENARIO, EN), (SCENARIO_ZH, ZH)])
def test_a_good_scenario_passes(fields, words) -> None:
    verdicts = check_scenario(fields, ["Something else happened. It was long ago and far away."], words)
    assert failed(verdicts) == {} and len(verdicts) == 12


@pytest.mark.parametrize(
    ("fields", "situation", "words"), [(CARD, SCENARIO["situation"], EN), (CARD_ZH, SCENARIO_ZH["situation"], ZH)]
)
def test_a_good_card_passes(fields, situation, words) -> None:
    assert failed(check_card(fields, situation, words)) == {}


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        (
            {"situation": "The flat below was sold in spring and music plays until three every single night."},
            "length",
            "1 sentences; 2 to 4",
        ),
        ({"situation": "It is loud. It is bad."}, "length", "situation has 6 words; 12 to 120"),
        ({"situation": "It is so very loud here. " * 5}, "length", "5 sentences"),
        ({"trigger": "A note."}, "length", "trigger has 2 words"),
        ({"time_frame": "for a very long time now since all of this began"}, "length", "time_frame has 11 words"),
        (
            {"situation": SCENARIO["situation"] + " The problem was solved in the end."},
            "no_solution",
            "problem was solved",
        ),
        (
            {"situation": "I want to die. Nothing is left of what my days were like before all this."},
            "safety",
            "want to die",
        ),
        ({"trigger": "Assistant: here is a trigger for you."}, "form", "Assistant:"),
        ({"trigger": "A note in the hall <b>told</b> everybody."}, "form", "<b>"),
        ({"tried_already": "He had to go and he had to go away again."}, "form", "twice"),
        (
            {"goal_of_seeker": "A note in the hall told everybody to stop complaining."},
            "own_words",
            "goal_of_seeker and trigger are 1.00 alike",
        ),
    ],
)
def test_every_rule_of_scenarios(change: dict, rule: str, said: str) -> None:
    found = failed(check_scenario({**SCENARIO, **change}, [], EN))
    assert rule in found, found
    verdicts = [v.reason for v in check_scenario({**SCENARIO, **change}, [], EN) if v.rule == rule]
    assert any(said in reason for reason in verdicts), verdicts


def test_a_situation_in_another_language_is_refused() -> None:
    assert "language" in failed(check_scenario(SCENARIO_ZH, [], EN))
    assert "language" in failed(check_scenario(SCENARIO, [], ZH))


def test_a_situation_that_was_told_before_is_refused() -> None:
    nearly = SCENARIO["situation"].replace("spring", "autumn")
    found = failed(check_scenario(SCENARIO, ["Other.", nearly], EN))
    assert "like an earlier situation; it must be below 0.7" in found["new"]


def test_a_text_copied_from_a_worked_example_is_refused() -> None:
    shown = {"goal_of_seeker": ["To come home in the evening without listening."], "fact": [CARD["fact3"]]}
    assert "goal_of_seeker and an example" in failed(check_scenario(SCENARIO, [], EN, shown))["own_words"]
    assert "fact3 and an example are 1.00 alike" in failed(check_card(CARD, "x", EN, shown))["own_words"]
    assert failed(check_scenario(SCENARIO, [], EN, {"trigger": ["Quite another thing happened."]})) == {}
    one = {"situation": ["Since then music plays until three and nobody ever opens the door."]}
    assert "situation and an example" in failed(check_scenario(SCENARIO, [], EN, one))["own_words"]


@pytest.mark.parametrize(
    ("change", "rule", "said"),
    [
        ({"fact1": "It is cold."}, "length", "fact1 has 3 words; 4 to 30"),
        ({"opening": "Hi."}, "length", "opening has 1 words"),
        ({"fact1": "The broom broke in half.", "fact2": "The lease ends in June."}, "first_person", "fact1, fact2"),
        ({"fact2": "I sleep in the car before early shifts."}, "new", "facts are 1.00 like each other"),
        ({"fact1": "The flat below me was sold in spring."}, "new", "of one is in the situation"),
        ({"fact1": "I know that the only answer is to move out."}, "no_solution", "only answer is"),
        ({"opening": "You should know that my neighbours are loud."}, "no_solution", "You should"),
        ({"fact1": "I cut myself on purpose again last night."}, "safety", "cut myself on purpose"),
        ({"fact3": "我早班之前都睡在车里，谁也不知道这件事情。"}, "language", "Latin"),
        ({"fact1": "[Name] told me to be quiet in the hall."}, "form", "[Name]"),
    ],
)
def test_every_rule_of_cards(change: dict, rule: str, said: str) -> None:
    verdicts = check_card({**CARD, **change}, SCENARIO["situation"], EN)
    found = [v.reason for v in verdicts if v.rule == rule and v.passed is False]
    assert found and any(said in reason for reason in found), failed(verdicts)


def test_one_fact_may_be_impersonal() -> None:
    assert failed(check_card({**CARD, "fact1": "The house is not paid off."}, SCENARIO["situation"], EN)) == {}


# helpers


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("One", 1),
        ("…", 0),
        ("", 0),
        ("It was “late.” Then he left.", 2),
        ("一。二！三？", 3),
        ("Well... maybe.", 2),
        ("No end", 1),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ("a b c d e f", ""),
        ("a b c x a b c", "a b c"),
        ("a a a", "a"),
        ("a a b a a", ""),
        ("", ""),
        ("a b", ""),
    ],
)
def test_runs_that_stand_twice(pieces: str, found: str) -> None:
    assert repeats(pieces.split(), 3, 3) == found


def test_short_texts_are_held_to_shorter_runs_than_long_ones() -> None:
    short = "she had to go and she had to stay"
    long = f"{short} while the others were at the lake with their boats until late"
    assert clean_form(EN, {"x": short}).passed is False and clean_form(EN, {"x": long}).passed is True
    assert clean_form(ZH, {"x": "家里里里外外擦了一遍"}).passed is True
    assert clean_form(ZH, {"x": "好好好好好好"}).passed is False

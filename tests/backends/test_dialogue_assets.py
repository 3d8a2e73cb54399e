"""The bundled dialogue texts: complete, balanced, alike in both languages, free of repeats and of crisis words."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "dialogue"
LANGUAGES = ("en", "zh")
SETS = ("esconv-8", "extes-16", "escot-13")
SCENARIO = {"id", "problem_type_id", "emotion", "intensity_0", "situation", "trigger", "time_frame", "tried_already",
            "goal_of_seeker", "language"}
CARD = {"id", "scenario_id", "age_band", "gender", "occupation", "family", "personality", "talk_style", "openness",
        "hidden_facts", "opening"}
COMMON = {"that", "have", "with", "then", "since", "from", "they", "when", "what", "there"}
PROBLEM = {"id", "category", "name_en", "name_zh", "gloss_en", "gloss_zh", "parent_id", "origin", "depth"}
AGES = {"under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"}
GENDERS = {"en": {"woman", "man", "girl", "boy", "non-binary"}, "zh": {"女", "男"}}
ESCONV_TOPICS = {"depression", "job-crisis", "breakup", "friends", "academic-pressure", "sleep", "parents",
                 "procrastination", "alcohol", "appearance", "children", "school-bullying"}
ESCONV = ["Question", "Restatement or Paraphrasing", "Reflection of Feelings", "Self-disclosure",
          "Affirmation and Reassurance", "Providing Suggestions", "Information", "Others"]
LABELS = {
    "esconv-8": ESCONV,
    "extes-16": ["Reflective Statements", "Clarification", "Emotional Validation", "Empathetic Statements",
                 "Affirmation", "Offer Hope", "Avoid Judgment and Criticism", "Suggest Options",
                 "Collaborative Planning", "Provide Different Perspectives", "Reframe Negative Thoughts",
                 "Share Information", "Normalize Experiences", "Promote Self-Care Practices", "Stress Management",
                 "Others"],
    "escot-13": [*ESCONV[:-1], "Specify", "Imagery", "Homework Assignments", "Take Responsibility", "Immediacy",
                 "Summarize"]}


@cache
def read(name: str):
    text = (FOLDER / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def strategies(name: str) -> list[dict]:
    return read(f"strategies/{name}.yaml")["items"]


def strings(value) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in strings(part)]


def prose(language: str) -> list[str]:
    """Every sentence a person or a model reads in this language, without ids and codes."""
    scenarios = [[s[k] for k in ("situation", "trigger", "time_frame", "tried_already", "goal_of_seeker", "emotion")]
                 for s in read(f"scenarios.{language}.json")]
    cards = [[c[k] for k in ("occupation", "family", "personality", "hidden_facts", "opening")]
             for c in read(f"cards.{language}.json")]
    names = [[p[f"name_{language}"], p[f"gloss_{language}"]] for p in read("problems.json")]
    ours = [[i[f"{k}_{language}"] for k in ("label", "definition", "example")] for n in SETS for i in strategies(n)]
    return strings([scenarios, cards, names, ours, read("crisis.yaml")[f"resources_{language}"]])


def shingles(text: str, language: str) -> set[str]:
    """Content units to compare texts by: words of four letters or more, or pairs of Chinese characters."""
    if language == "en":
        return {word for word in re.findall(r"[^\W\d]+", text.lower()) if len(word) > 3} - COMMON
    plain = re.sub(r"[^\u3400-\u9fff]", "", text)
    return {plain[i:i + 2] for i in range(len(plain) - 1)}


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda p: p.name)
def test_json_is_readable_text_with_one_space_of_indent(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=1) + "\n"


def test_sources_name_every_file_and_the_licences():
    text = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in text and "Apache-2.0" in text
    for path in (*FOLDER.glob("*.json"), FOLDER / "labels.yaml", FOLDER / "crisis.yaml"):
        assert path.name in text, path.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_dialogue_method_can_load_everything(language: str):
    from backends.sweetiechat.library import choose_strategies, load_library, strategy_sets

    library = load_library(language)
    assert (len(library.problems), len(library.scenarios), len(library.cards)) == (30, 30, 90)
    assert set(strategy_sets()) == set(SETS)
    assert [len(choose_strategies(name).items) for name in SETS] == [8, 16, 13]


# --- problems ----------------------------------------------------------------------------------------------


def test_problem_types_are_complete_and_balanced():
    problems = read("problems.json")
    categories = [c["id"] for c in read("categories.json")]
    assert len(problems) >= 24 and len(categories) == 5
    assert all(set(p) == PROBLEM and all(p[k] for k in PROBLEM - {"parent_id", "depth"}) for p in problems)
    counts = Counter(p["category"] for p in problems)
    assert set(counts) == set(categories) and max(counts.values()) - min(counts.values()) <= 1
    for field in ("id", "name_en", "name_zh", "gloss_en", "gloss_zh"):
        assert len({p[field] for p in problems}) == len(problems), field


def test_seeds_are_the_topics_of_esconv_and_the_rest_descend_from_them():
    problems = {p["id"]: p for p in read("problems.json")}
    assert {p["id"] for p in problems.values() if p["origin"] == "esconv"} == ESCONV_TOPICS
    for problem in problems.values():
        steps, node = 0, problem
        while node["parent_id"] is not None:
            node, steps = problems[node["parent_id"]], steps + 1
            assert steps < len(problems), f"{problem['id']} is its own ancestor"
        assert node["origin"] == "esconv" and problem["depth"] == steps
        assert (problem["origin"] == "evolved") == (steps > 0)


# --- scenarios ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenarios_are_complete_one_for_each_problem(language: str):
    scenarios = read(f"scenarios.{language}.json")
    assert [s["id"] for s in scenarios] == [s["problem_type_id"] for s in scenarios]
    assert [s["id"] for s in scenarios] == [p["id"] for p in read("problems.json")]
    emotions = {e[f"name_{language}"] for e in read("emotions.json")}
    for s in scenarios:
        assert set(s) == SCENARIO and s["language"] == language and s["emotion"] in emotions
        assert all(s[k] for k in SCENARIO), s["id"]
        assert 2 <= len(re.findall(r"[.!?。！？][”\"']?(?:\s|$|(?=[\u3400-\u9fff]))", s["situation"])) <= 4, s["id"]


def test_scenarios_agree_between_the_languages():
    chinese = {e["name_en"]: e["name_zh"] for e in read("emotions.json")}
    for en, zh in zip(read("scenarios.en.json"), read("scenarios.zh.json"), strict=True):
        assert (en["id"], en["intensity_0"]) == (zh["id"], zh["intensity_0"])
        assert chinese[en["emotion"]] == zh["emotion"], en["id"]


def test_emotions_and_intensities_are_varied():
    scenarios = read("scenarios.en.json")
    emotions = Counter(s["emotion"] for s in scenarios)
    assert len(emotions) >= 12 and max(emotions.values()) <= len(scenarios) / 5
    assert len({e["id"] for e in read("emotions.json")}) == len(emotions)
    intensities = Counter(s["intensity_0"] for s in scenarios)
    assert set(intensities) == {2, 3, 4, 5} and max(intensities.values()) <= len(scenarios) / 2
    category = {p["id"]: p["category"] for p in read("problems.json")}
    for name in set(category.values()):
        own = [s for s in scenarios if category[s["id"]] == name]
        assert len({s["emotion"] for s in own}) >= 4 and len({s["intensity_0"] for s in own}) >= 2, name


# --- cards -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_cards_are_complete_three_for_each_scenario(language: str):
    cards = read(f"cards.{language}.json")
    ids = [s["id"] for s in read(f"scenarios.{language}.json")]
    assert [c["id"] for c in cards] == [f"{name}-{k}" for name in ids for k in (1, 2, 3)]
    for c in cards:
        assert set(c) == CARD and all(c[k] for k in CARD), c["id"]
        assert c["scenario_id"] == c["id"].rsplit("-", 1)[0]
        assert c["age_band"] in AGES and c["gender"] in GENDERS[language], c["id"]
        assert c["openness"] in range(1, 6) and len(c["personality"]) == 3 and len(c["hidden_facts"]) == 3
        assert (c["gender"] in {"girl", "boy"}) == (language == "en" and c["age_band"] == "under 18"), c["id"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_cards_are_diverse(language: str):
    cards = read(f"cards.{language}.json")
    ages, openness = Counter(c["age_band"] for c in cards), Counter(c["openness"] for c in cards)
    assert set(ages) == AGES and max(ages.values()) <= len(cards) * 0.3
    assert set(openness) == set(range(1, 6)) and max(openness.values()) <= len(cards) * 0.4
    women = sum(c["gender"] in {"woman", "girl", "女"} for c in cards)
    assert 0.4 <= women / len(cards) <= 0.6
    assert len({c["occupation"] for c in cards}) >= 0.95 * len(cards)
    for _, group in itertools.groupby(cards, key=lambda c: c["scenario_id"]):
        own = list(group)
        assert {c["talk_style"] for c in own} == {"terse", "chatty", "guarded"}, own[0]["id"]
        assert len({c["occupation"] for c in own}) == 3, own[0]["id"]
    means = {style: sum(c["openness"] for c in cards if c["talk_style"] == style) for style in ("guarded", "chatty")}
    assert means["guarded"] < means["chatty"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_talk_style_shows_in_the_opening(language: str):
    cards = read(f"cards.{language}.json")
    length = {style: sorted(len(c["opening"]) for c in cards if c["talk_style"] == style)
              for style in ("terse", "guarded", "chatty")}
    assert length["terse"][15] < length["chatty"][15] and length["guarded"][15] < length["chatty"][15]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hidden_fact_is_told_nowhere_else(language: str):
    scenarios = {s["id"]: s for s in read(f"scenarios.{language}.json")}
    for c in read(f"cards.{language}.json"):
        scenario = scenarios[c["scenario_id"]]
        known = [scenario[k] for k in ("situation", "trigger", "tried_already")] + [c["opening"]]
        for fact in c["hidden_facts"]:
            own = shingles(fact, language)
            for text in known:
                common = own & shingles(text, language)
                assert len(common) < max(2, 0.5 * len(own)), (c["id"], fact, text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hidden_facts_are_short_and_in_the_first_person(language: str):
    from backends.sweetiechat.quality.role_flip import terms

    for c in read(f"cards.{language}.json"):
        for fact in c["hidden_facts"]:
            assert len(fact) <= (110 if language == "en" else 40), fact
            assert len(terms(fact, language)) >= 3, f"{c['id']}: too common to be recognised: {fact}"
    words = r"\b(?:I|I'm|my|me|we|our)\b" if language == "en" else "[我]"
    facts = [fact for c in read(f"cards.{language}.json") for fact in c["hidden_facts"]]
    assert sum(bool(re.search(words, fact, re.IGNORECASE)) for fact in facts) >= 0.6 * len(facts)


@pytest.mark.parametrize(("language", "advice"), [
    ("en", r"\b(?:should try|you could try|therapist|counsell?or|the solution|it would help to|mindfulness)\b"),
    ("zh", "(?:建议|不妨|咨询师|正念|解决办法|应该试试)")])
def test_no_scenario_or_card_holds_the_solution(language: str, advice: str):
    for text in strings([read(f"scenarios.{language}.json"), read(f"cards.{language}.json")]):
        assert not re.search(advice, text, re.IGNORECASE), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field", ["situation", "trigger", "goal_of_seeker", "opening", "hidden_facts"])
def test_no_two_texts_are_near_duplicates(language: str, field: str):
    kind = "cards" if field in CARD else "scenarios"
    texts = [text for item in read(f"{kind}.{language}.json") for text in strings(item[field])]
    pairs = itertools.combinations([(text, shingles(text, language)) for text in texts], 2)
    for (a, own), (b, other) in pairs:
        assert a != b
        assert min(len(own), len(other)) < 3 or jaccard(own, other) < 0.5, (a, b)


def test_a_card_has_the_same_talk_style_and_openness_in_both_languages():
    for en, zh in zip(read("cards.en.json"), read("cards.zh.json"), strict=True):
        assert (en["id"], en["talk_style"], en["openness"]) == (zh["id"], zh["talk_style"], zh["openness"])


# --- language ----------------------------------------------------------------------------------------------


def test_chinese_texts_are_chinese_and_english_texts_are_not():
    for text in prose("zh"):
        letters = re.findall(r"[A-Za-z\u3400-\u9fff]", text)
        share = sum(x > "\u3400" for x in letters) / max(1, len(letters))
        assert share > 0.6 or not letters or len(letters) < 3, text
        assert not re.search(r"[\u3400-\u9fff][,;:?!]", text), f"half-width punctuation: {text}"
    whole = "".join(prose("zh"))
    assert sum("\u3400" <= x <= "\u9fff" for x in whole) / len(re.findall(r"\w", whole)) > 0.97
    for text in prose("en"):
        assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", text), text


def test_english_is_simple_enough_for_a_small_model():
    texts = [*(s["situation"] for s in read("scenarios.en.json")),
             *(fact for c in read("cards.en.json") for fact in c["hidden_facts"])]
    sentences = [s.split() for text in texts for s in re.split(r"(?<=[.!?])\s+", text)]
    lengths = [len(s) for s in sentences]
    assert max(lengths) <= 24 and sum(lengths) / len(lengths) <= 13
    letters = [len(word.strip(".,!?\"")) for s in sentences for word in s]
    assert sum(letters) / len(letters) <= 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_situations_fit_every_card_and_use_no_gendered_seeker(language: str):
    words = r"\b(?:I|he|she|his|her)\b" if language == "en" else "[他她](?!们)"
    for s in read(f"scenarios.{language}.json"):
        assert not re.search(words, re.sub(r'["“][^"”]*["”]', "", s["situation"])), s["id"]
    starts = [s["time_frame"] for s in read(f"scenarios.{language}.json")]
    assert not any(re.match(r"(?i)since|from|自从|从", frame) for frame in starts), "a time frame is a plain duration"


# --- strategies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_strategy_sets_are_complete(name: str):
    value = read(f"strategies/{name}.yaml")
    assert value["name"] == name and value["version"] == "1" and value["source"]
    assert [item["label_en"] for item in value["items"]] == LABELS[name]
    for field in ("key", "label_zh", "definition_en", "definition_zh", "example_en", "example_zh"):
        assert len({item[field] for item in value["items"]}) == len(value["items"]), field
    for item in value["items"]:
        assert item["stage"] in {"exploration", "comforting", "action", "any"}
        assert re.fullmatch(r"[a-z-]+", item["key"])
        assert len(item["example_en"].split()) <= 40, "an example keeps to the supporter's limit of 40 words"
        assert item["definition_en"].endswith(".") and item["definition_zh"].endswith("。")
    assert {item["stage"] for item in value["items"]} >= {"exploration", "comforting", "action"}


def test_stages_of_esconv_follow_the_stage_map():
    stage = {item["key"]: item["stage"] for item in strategies("esconv-8")}
    assert stage == {"question": "exploration", "restatement": "exploration", "reflection": "comforting",
                     "self-disclosure": "comforting", "affirmation": "comforting", "suggestions": "action",
                     "information": "action", "others": "any"}
    assert strategies("escot-13")[:7] == strategies("esconv-8")[:7]


def test_mappings_are_total():
    mappings = read("strategies/mappings.yaml")
    targets = {item["key"] for item in strategies(mappings["target"])}
    assert mappings["target"] == "esconv-8" and set(mappings["maps"]) == set(SETS) - {"esconv-8"}
    for name, pairs in mappings["maps"].items():
        assert list(pairs) == [item["key"] for item in strategies(name)]
        assert set(pairs.values()) <= targets
        assert all(pairs[key] == key for key in set(pairs) & targets), "a shared key keeps its meaning"
        assert len(set(pairs.values())) >= 6


# --- labels ------------------------------------------------------------------------------------------------


def normal(label: str) -> str:
    """The normal form that labels.yaml describes."""
    return re.sub(r"[\s_\-/&]+", " ", label.strip(" []\n\t").casefold()).strip().rstrip(".:")


@cache
def variants(name: str) -> dict[str, str]:
    return {variant: key for key, own in read("labels.yaml")["sets"][name].items() for variant in own}


@pytest.mark.parametrize("name", SETS)
def test_labels_are_unambiguous_and_in_normal_form(name: str):
    table = read("labels.yaml")["sets"][name]
    every = [variant for own in table.values() for variant in own]
    assert list(table) == [item["key"] for item in strategies(name)]
    assert len(every) == len(set(every)) and all(normal(v) == v for v in every)
    for item in strategies(name):
        for label in (item["key"], item["label_en"], item["label_zh"], f"[{item['label_en'].upper()}]"):
            assert variants(name)[normal(label)] == item["key"], label


@pytest.mark.parametrize(("label", "key"), [
    ("Questions", "question"), ("Reflection of feelings", "reflection"), ("Reflection of Feelings", "reflection"),
    ("Other", "others"), ("Greetings", "others"), ("Greeting", "others"), ("[Self-disclosure] ", "self-disclosure"),
    ("Providing Suggestions or Information", "suggestions"), ("Direct Guidance", "suggestions"),
    ("Approval and Reassurance", "affirmation"), ("restatement_or_paraphrasing", "restatement")])
def test_known_spellings(label: str, key: str):
    assert variants("esconv-8")[normal(label)] == key


def real_labels(folder: Path):
    """(file, strategy set, label) of every label in the real files."""
    for dialogue in json.loads((folder / "FailedESConv.json").read_text(encoding="utf-8")):
        for turn in dialogue["dialog"]:
            yield from (("failed", "esconv-8", v) for k, v in turn["annotation"].items() if k == "strategy")
    text = (folder / "devWithStrategy_short.tsv").read_text(encoding="utf-8")
    yield from (("dev", "esconv-8", label) for label in re.findall(r"\d 1 \d+ \[([^\]]+)\]", text))
    for name in ("multiesc_valid.jsonl", "ppdpp_valid.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            for turn in json.loads(line)["dialog"]:
                own = [turn["strategy"]] if turn.get("strategy") else []
                yield from ((name, "esconv-8", label) for label in own + turn.get("all_strategy", []))
    for item in json.loads((folder / "escot_val.json").read_text(encoding="utf-8")):
        yield "escot", "escot-13", item["original_data"]["strategy"]
        yield "escot", "escot-13", item["cot_data"]["recognized_strategy"]
    for item in json.loads((folder / "kang2024_results.json").read_text(encoding="utf-8")):
        found = [item["strg_gold"], item["strg_pred"], *re.findall(r"- Strategy: (.+)", item["context"])]
        yield from (("kang", "esconv-8", label) for label in found)


def test_every_label_of_the_real_files_is_known(shared: Path):
    folder = shared / "dialogue"
    if not (folder / "FailedESConv.json").is_file():
        pytest.skip("the real dialogue files are not beside the project (../shared/data/dialogue)")
    found = Counter(real_labels(folder))
    unknown = {entry: n for entry, n in found.items() if normal(entry[2]) not in variants(entry[1])}
    assert not unknown
    assert {file for file, _, _ in found} == {"failed", "dev", "multiesc_valid.jsonl", "ppdpp_valid.jsonl", "escot",
                                              "kang"}
    assert {variants(name)[normal(label)] for _, name, label in found if name == "esconv-8"} == set(
        read("labels.yaml")["sets"]["esconv-8"]), "all eight classes occur"


# --- crisis ------------------------------------------------------------------------------------------------


@cache
def rules(language: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(phrase, re.IGNORECASE) for phrase in read("crisis.yaml")[f"phrases_{language}"])


def fires(text: str) -> list[str]:
    return [match[0] for language in LANGUAGES for rule in rules(language) if (match := rule.search(text))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_crisis_sentences_fire_and_idioms_do_not(language: str):
    table = read("crisis.yaml")
    positives, negatives = table[f"positives_{language}"], table[f"negatives_{language}"]
    assert len(set(positives)) >= 25 and len(set(negatives)) >= 25 and not set(positives) & set(negatives)
    assert [text for text in positives if not fires(text)] == []
    assert {text: fires(text) for text in negatives if fires(text)} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_crisis_rule_has_a_sentence_that_needs_it(language: str):
    positives = read("crisis.yaml")[f"positives_{language}"]
    assert [rule.pattern for rule in rules(language) if not any(rule.search(text) for text in positives)] == []


@pytest.mark.parametrize("text", ["I want to die", "i wanna die lol", "I WANT TO DIE!",
                                  "I don't want to live any more.", "我想死", "不想活了", "我想自杀！！"])
def test_case_and_punctuation_do_not_hide_a_crisis(text: str):
    assert fires(text)


@pytest.mark.parametrize("text", ["skills myself", "I skill myself up in maths", "The diet is working.", "diehard fan",
                                  "累死宝宝了", "笑不活了", "我想死磕", "好想死党们啊"])
def test_word_boundaries_hold(text: str):
    assert not fires(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_bundled_text_is_crisis_content(language: str):
    texts = [text for text in prose(language) if text not in read("crisis.yaml")[f"resources_{language}"]]
    assert {text: fires(text) for text in texts if fires(text)} == {}


def test_crisis_rules_stay_fast_on_a_long_text():
    text = "i want to go and think about it because they are my friends and he has been so 我想他们没有我想要的 " * 400
    start = time.perf_counter()
    fires(text)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(("language", "needed"), [
    ("en", ("emergency number", "findahelpline.com", "988", "12356", "120", "110", "no substitute")),
    ("zh", ("120", "110", "12356", "findahelpline.com", "988", "不能代替"))])
def test_the_resource_card_names_help_and_its_own_limits(language: str, needed: tuple[str, ...]):
    card = read("crisis.yaml")[f"resources_{language}"]
    assert 3 <= len(card) <= 8 and all(isinstance(line, str) for line in card)
    for part in needed:
        assert part in "\n".join(card), part
    assert "http" not in "\n".join(card), "plain text, no link"

"""The pool of problem types: seeds, similarity, examples, parents, ids, and the file that holds it."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
import yaml

from backends.sweetiechat.metrics.text import corpus, rouge_l
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.objects import ProblemType
from backends.sweetiechat.scenarios import pool as pools
from backends.sweetiechat.scenarios.pool import (
    choose_examples,
    nearest,
    parent_of,
    plain,
    pool_from_json,
    pool_to_json,
    similarities,
    smallest_categories,
    start,
)
from workbench.contract import UserError

ESCONV = {
    "depression",
    "job-crisis",
    "breakup",
    "friends",
    "academic-pressure",
    "sleep",
    "parents",
    "procrastination",
    "alcohol",
    "appearance",
    "children",
    "school-bullying",
}


def kind(name: str, category: str = "health_body", gloss: str = "Something is wrong.", **facts) -> ProblemType:
    return ProblemType(name, category, name, name, gloss, gloss, **facts)


def grown(*names: str, language: str = "en"):
    pool = start(language, "esconv")
    for number, name in enumerate(names):
        pool = pool.with_type(kind(name, parent_id="sleep", origin="evolved", depth=1), {"round": number})
    return pool


def test_the_default_seeds_are_esconvs_twelve_topics() -> None:
    pool = start("en", "esconv")
    assert {seed.id for seed in pool.types} == ESCONV and len(pool.types) == 12
    assert pool.evolved == () and pool.seeds == pool.types
    assert len(pool.categories) == 5 and {seed.category for seed in pool.types} == {c.id for c in pool.categories}


def test_all_bundled_types_can_be_the_seeds() -> None:
    pool = start("zh", "bundled")
    assert len(pool.types) == 30 and {seed.id for seed in pool.types} > ESCONV
    assert pool.text(pool.types[0]).startswith(pool.types[0].name_zh)


def test_extes_scenes_are_a_second_set_of_seeds() -> None:
    table = yaml.safe_load(pools.EXTES.read_text(encoding="utf-8"))["scenes"]
    assert sum(map(len, table.values())) == 36 and len(table) == 5
    pool = start("en", "esconv+extes")
    assert {seed.id for seed in pool.types} > ESCONV
    assert len({seed.id for seed in pool.types}) == len(pool.types)
    assert 12 < len(pool.types) <= 48
    assert "Dealing with the Loss of a Pet" in {seed.name_en for seed in pool.types}
    assert {seed.category for seed in pool.types} == {c.id for c in pool.categories}
    with pytest.raises(UserError, match="English names only"):
        start("zh", "esconv+extes")


def test_a_category_is_known_by_id_and_name_and_nothing_else() -> None:
    pool = start("en", "esconv")
    for category in pool.categories:
        for spelling in (category.id, category.name_en, category.name_en.upper(), f" {category.name_en} "):
            assert pool.category(spelling) == category
    for other in ("", "health", "body", "work", "health & body & soul", "身体"):
        assert pool.category(other) is None
    assert start("zh", "esconv").category("健康与身体").id == "health_body"


def test_similarity_is_rouge_l_of_name_and_gloss() -> None:
    pool = start("en", "esconv")
    text = "Sleep problems at night: Falling asleep has become a nightly struggle."
    cut = tokenizer("treebank")
    by_hand = [rouge_l(corpus([text], [pool.text(seed)], cut), 1.0).value / 100 for seed in pool.types]
    assert similarities(pool, text) == pytest.approx(by_hand)
    score, like = nearest(pool, text)
    assert like.id == "sleep" and score == max(by_hand) and 0.5 < score < 1


def test_a_type_is_all_like_itself_and_nothing_like_nothing() -> None:
    pool = start("en", "esconv")
    for seed in pool.types:
        assert nearest(pool, pool.text(seed)) == (pytest.approx(1.0), seed)
    assert nearest(pool, "qqq: zzz")[0] < 0.2
    empty = pools.Pool("en", pool.categories, ())
    assert similarities(empty, "x") == [] and nearest(empty, "x") == (0.0, None)


def test_chinese_similarity_counts_characters() -> None:
    pool = start("zh", "esconv")
    score, like = nearest(pool, "睡眠不好：入睡困难或睡不安稳。")
    assert like.id == "sleep" and score > 0.5


@pytest.mark.parametrize("count", [2, 4, 6, 8])
def test_examples_are_half_seeds_and_half_evolved(count: int) -> None:
    pool = grown(*(f"type {n}" for n in range(10)))
    for seed in range(20):
        shown = choose_examples(pool, "self_emotions", count, random.Random(seed))
        assert len(shown) == count == len({each.id for each in shown})
        assert sum(each.id in pool.born for each in shown) == count // 2
        assert any(each.category == "self_emotions" and each.id not in pool.born for each in shown)


def test_seeds_stand_in_while_nothing_has_evolved() -> None:
    pool = start("en", "esconv")
    shown = choose_examples(pool, "society_identity", 4, random.Random(0))
    assert len(shown) == 4 and "school-bullying" in {each.id for each in shown}
    one = grown("only one")
    assert sum(each.id in one.born for each in choose_examples(one, "health_body", 4, random.Random(1))) == 1


def test_every_seed_is_shown_sooner_or_later() -> None:
    pool = start("en", "esconv")
    rng = random.Random(5)
    seen = Counter(each.id for _ in range(200) for c in pool.categories for each in choose_examples(pool, c.id, 4, rng))
    assert set(seen) == ESCONV


def test_the_parent_is_the_named_one_or_the_most_similar_of_the_category() -> None:
    pool = start("en", "esconv")
    shown = [seed for seed in pool.types if seed.id in ("sleep", "alcohol", "breakup")]
    assert parent_of(pool, "Nightmares: Falling asleep is feared every night.", "health_body", shown).id == "sleep"
    assert parent_of(pool, "Nightmares: Falling asleep is feared.", "relationships_family", shown).id == "breakup"
    assert parent_of(pool, "Nightmares: Falling asleep is feared.", "self_emotions", shown).id == "sleep"
    assert parent_of(pool, "Nightmares: x", "health_body", shown, "Alcohol abuse").id == "alcohol"
    assert parent_of(pool, "Nightmares: x", "health_body", shown, "BREAKUP").id == "breakup"
    assert parent_of(pool, "Nightmares: falling asleep", "health_body", shown, "nobody").id == "sleep"
    assert parent_of(pool, "x", "health_body", ()) is None


def test_prompts_go_to_the_smallest_categories() -> None:
    pool = grown("a", "b", "c")
    chosen = smallest_categories(pool, 4, random.Random(0))
    assert chosen[0] == "society_identity" and "relationships_family" not in chosen[:2]
    sizes = Counter(each.category for each in pool.types)
    after = Counter(smallest_categories(pool, 30, random.Random(1))) + sizes
    assert max(after.values()) - min(after.values()) <= 1


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("Fear of flying", "fear-of-flying"),
        ("Sleep", "sleep-2"),
        ("!!!", "type-"),
        ("害怕坐飞机", "type-"),
        ("x" * 90, "x" * 40),
        ("<b>Bold</b>", "b-bold-b"),
    ],
)
def test_ids_are_made_of_names_and_are_free(name: str, free: str) -> None:
    made = start("en", "esconv").free_id(name)
    assert made.startswith(free) and made not in ESCONV and made == made.strip("-")


def test_ids_never_collide() -> None:
    pool = start("en", "esconv")
    for _ in range(4):
        name = pool.free_id("Sleep")
        pool = pool.with_type(kind(name), {"round": 0})
    assert [each.id for each in pool.evolved] == ["sleep-2", "sleep-3", "sleep-4", "sleep-5"]


def test_plain_names() -> None:
    assert plain("Work, study & money") == plain("work_study_MONEY") == "workstudymoney"
    assert plain("健康 与 身体") == "健康与身体"


def test_the_file_holds_everything() -> None:
    pool = grown("Fear of flying", "Noise")
    value = json.loads(json.dumps(pool_to_json(pool, [12, 13, 14], "target")))
    assert pool_from_json(value) == pool
    assert (value["growth"], value["stop"], value["language"]) == ([12, 13, 14], "target", "en")
    assert value["types"][-1]["born"] == {"round": 1} and value["types"][0]["born"] is None
    assert value["types"][-1]["parent_id"] == "sleep" and value["types"][-1]["depth"] == 1


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"types": 3},
        {"types": [3]},
        {"types": [{}], "categories": [], "language": "en"},
        {"types": [{"name": "x"}], "categories": [], "language": "en"},
        {"types": [], "categories": [3], "language": "en"},
    ],
)
def test_another_file_is_no_pool(value: dict) -> None:
    if value.get("categories") == [3]:
        assert pool_from_json(value).types == ()
        return
    with pytest.raises(UserError):
        pool_from_json(value)

"""The tree of problem types: what it draws, in both languages, from good files, hostile ones and none."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser

import pytest

from workbench.text import catalogue
from workbench.theme import FOLDER, PALETTE
from workbench.widgets.problem_tree import DEEPEST, MOST, growth, problem_tree

POOL = {
    "language": "en",
    "categories": [
        {"id": "health_body", "name_en": "health & body", "name_zh": "健康与身体"},
        {"id": "self_emotions", "name_en": "self & emotions", "name_zh": "自我与情绪"},
        {"id": "society", "name_en": "society", "name_zh": "社会"},
    ],
    "types": [
        {
            "id": "sleep",
            "category": "health_body",
            "name_en": "Sleep problems",
            "name_zh": "睡眠问题",
            "origin": "esconv",
            "gloss_en": "Falling asleep is a struggle.",
            "gloss_zh": "入睡困难。",
            "parent_id": None,
            "depth": 0,
            "born": None,
        },
        {
            "id": "noise",
            "category": "health_body",
            "name_en": "Noise",
            "name_zh": "Noise",
            "origin": "evolved",
            "gloss_en": "It is loud.",
            "gloss_zh": "",
            "parent_id": "sleep",
            "depth": 1,
            "born": {"round": 0, "similarity": 0.31, "nearest": "sleep", "fit": 0.4},
        },
        {
            "id": "dreams",
            "category": "health_body",
            "name_en": "Bad dreams",
            "name_zh": "",
            "origin": "evolved",
            "gloss_en": "They wake one up.",
            "parent_id": "noise",
            "depth": 2,
            "born": {"round": 4},
        },
        {
            "id": "shame",
            "category": "self_emotions",
            "name_en": "Shame",
            "name_zh": "羞耻",
            "origin": "user",
            "gloss_en": "Shame",
            "parent_id": "sleep",
            "depth": 1,
            "born": {"round": 1, "similarity": 0.2, "nearest": "noise"},
        },
    ],
    "growth": [13, 13, 15],
    "stop": "target",
}


class Outline(HTMLParser):
    """The elements of some HTML, checked for balance, and the nesting of its list items."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.items: list[tuple[int, str]] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self._wanted = False
        self.feed(html)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag not in ("path",):
            self.open.append(tag)
        if dict(attrs).get("class") == "pt-name":
            self._wanted = True

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._wanted:
            self.items.append((self.open.count("li"), data))
            self._wanted = False


def changed(**changes: object) -> dict:
    return {**copy.deepcopy(POOL), **changes}


def test_types_hang_below_their_parents_by_category() -> None:
    html = problem_tree(POOL, "en")
    assert Outline(html).items == [(1, "Sleep problems"), (2, "Noise"), (3, "Bad dreams"), (1, "Shame")]
    heads = re.findall(r"<h4>(.*?)<span>(\d+)</span></h4>", html)
    assert heads == [("health &amp; body", "3"), ("self &amp; emotions", "1"), ("society", "0")]


def test_the_head_tells_size_seeds_and_why_it_stopped() -> None:
    html = problem_tree(POOL, "en", target=20)
    assert "<b>4 problem types</b>" in html and "<span>1 seeds</span><span>3 evolved</span>" in html
    assert "the pool is full" in html
    for stop, said in (
        ("dry spell", "nothing new"),
        ("rounds", "last round"),
        ("", "still growing"),
        ("x<y", "still growing"),
        (None, "still growing"),
        ([1], "still growing"),
    ):
        assert said in problem_tree(changed(stop=stop), "en")


def test_notes_tell_round_nearest_and_a_parent_elsewhere() -> None:
    html = problem_tree(POOL, "en")
    assert "round 1 · 0.31 like Sleep problems" in html
    assert "from Sleep problems · round 2 · 0.20 like Noise" in html
    assert '<span class="pt-note">round 5</span>' in html
    assert html.count("pt-gloss") == 3, "a gloss that only repeats the name is left out"


def test_marks_and_their_key() -> None:
    html = problem_tree(POOL, "en")
    assert [html.count(f'<li class="pt-{origin}"') for origin in ("esconv", "evolved", "user")] == [1, 2, 1]
    assert "seed from ESConv" in html and "added by hand" in html
    only = changed(types=[POOL["types"][0]])
    assert "added by hand" not in problem_tree(only, "en")


def test_chinese() -> None:
    html = problem_tree(POOL, "zh-CN", target=20)
    assert [name for _, name in Outline(html).items] == ["睡眠问题", "Noise", "Bad dreams", "羞耻"]
    assert "健康与身体" in html and "4 种问题类型" in html and "与“睡眠问题”相似 0.31" in html and "第 5 轮" in html
    assert "入睡困难。" in html and "health" not in html and "tree." not in html


def test_names_can_be_pressed_and_one_is_picked() -> None:
    html = problem_tree(POOL, "en", picked="noise", buttons=True)
    assert html.count("<button") == 4
    assert '<button type="button" class="pt-name" data-act="problem" data-key="noise">Noise</button>' in html
    assert '<li class="pt-evolved pt-picked" role="treeitem" aria-selected="true">' in html
    assert html.count("pt-picked") == 1 and "<button" not in problem_tree(POOL, "en")


def test_growth_is_a_step_line_with_its_target() -> None:
    svg = growth([13, 13, 15], 12, 20, "en")
    assert 'aria-label="Size after each round: from 12 to 15 in 3 rounds"' in svg
    assert svg.count("<path") == 2 and 'class="pt-target"' in svg
    assert growth([13], 12, 0, "en").count("<path") == 1
    ys = [float(y) for y in re.findall(r"V([\d.]+)", growth([12, 14, 16], 12, 0, "en"))]
    assert ys == sorted(ys, reverse=True), "larger is higher"


@pytest.mark.parametrize("sizes", [None, [], "x", {}, [None], [True, "a"], [-4]])
def test_no_growth_no_line(sizes: object) -> None:
    assert growth(sizes, 12, 45, "en") == ""


def test_a_pool_that_never_grew_is_a_flat_line() -> None:
    assert "NaN" not in growth([12, 12], 12, 0, "en") and "V" in growth([12, 12], 12, 0, "en")


EVIL = "<script>alert(1)</script>\"'>&</ul>"


def test_everything_is_escaped() -> None:
    pool = changed(
        categories=[{"id": EVIL, "name_en": EVIL, "name_zh": EVIL}],
        types=[
            {
                "id": EVIL,
                "category": EVIL,
                "name_en": EVIL,
                "gloss_en": EVIL + "x",
                "origin": EVIL,
                "parent_id": None,
                "born": {"round": 0, "similarity": 0.5, "nearest": EVIL},
            },
            {
                "id": "b",
                "category": "other",
                "name_en": "B",
                "parent_id": EVIL,
                "born": {"round": EVIL, "nearest": EVIL},
            },
        ],
        growth=[1, EVIL, 2],
        stop=EVIL,
    )
    for lang in ("en", "zh-CN"):
        for buttons in (True, False):
            html = problem_tree(pool, lang, picked=EVIL, buttons=buttons)
            seen = Outline(html)
            assert "<script" not in html and "script" not in seen.tags
            assert seen.tags <= {"div", "b", "span", "svg", "title", "path", "i", "section", "h4", "ul", "li", "button"}
            assert not [name for name in seen.attributes if name.startswith("on")]
            assert EVIL in seen.attributes.get("data-key", [EVIL])


@pytest.mark.parametrize(
    "pool",
    [
        None,
        [],
        "x",
        3,
        {},
        {"types": None},
        {"types": {}},
        {"types": []},
        {"types": [None, 3, "x", [], {}]},
        {"types": [{"id": 3}]},
        {"types": [{"id": ""}]},
        {"types": [{"name_en": "no id"}]},
    ],
)
def test_nothing_to_draw_is_said(pool: object) -> None:
    html = problem_tree(pool, "en")
    assert (
        html
        == '<div class="pt"><p class="pt-none">There is no problem type yet. The first round fills the tree.</p></div>'
    )
    assert "还没有问题类型" in problem_tree(pool, "zh-CN")


def test_entries_that_are_no_types_are_left_out() -> None:
    pool = changed(types=[*POOL["types"], None, 3, {"id": "sleep", "name_en": "again"}, {"id": None}])
    assert len(Outline(problem_tree(pool, "en")).items) == 4


@pytest.mark.parametrize("field", ["categories", "growth", "stop", "language"])
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, [None], [{"id": None}], [{}]])
def test_other_fields_may_hold_anything(field: str, value: object) -> None:
    names = [name for _, name in Outline(problem_tree(changed(**{field: value}), "en")).items]
    assert sorted(names) == ["Bad dreams", "Noise", "Shame", "Sleep problems"]


@pytest.mark.parametrize(
    "field", ["category", "name_en", "name_zh", "gloss_en", "origin", "parent_id", "depth", "born"]
)
@pytest.mark.parametrize(
    "value", [None, 3, "x", [], {}, [1], {"round": "x", "similarity": float("nan"), "nearest": []}]
)
def test_every_field_of_a_type_may_hold_anything(field: str, value: object) -> None:
    pool = changed()
    pool["types"][1][field] = value
    assert len(Outline(problem_tree(pool, "en")).items) == 4
    assert len(Outline(problem_tree(pool, "zh-CN")).items) == 4


def test_a_circle_of_parents_is_cut_where_it_closes() -> None:
    pool = changed()
    pool["types"][0]["parent_id"] = "dreams"
    items = Outline(problem_tree(pool, "en")).items
    assert sorted(name for _, name in items) == ["Bad dreams", "Noise", "Shame", "Sleep problems"]
    pool["types"][1]["parent_id"] = "noise"
    assert len(Outline(problem_tree(pool, "en")).items) == 4


def test_very_deep_and_very_many_types_are_drawn_without_breaking() -> None:
    chain = [
        {"id": f"t{n}", "category": "c", "name_en": f"T{n}", "parent_id": f"t{n - 1}" if n else None}
        for n in range(600)
    ]
    items = Outline(problem_tree({"types": chain}, "en")).items
    assert len(items) == 600 and max(depth for depth, _ in items) <= DEEPEST + 1
    wide = [{"id": f"t{n}", "category": "c", "name_en": f"T{n}"} for n in range(MOST + 50)]
    assert len(Outline(problem_tree({"types": wide}, "en")).items) == MOST


def test_types_without_a_category_stand_under_others() -> None:
    html = problem_tree({"types": [{"id": "a", "name_en": "A"}]}, "en")
    assert "<h4>Other<span>1</span></h4>" in html
    assert "<h4>其他<span>1</span></h4>" in problem_tree({"types": [{"id": "a", "name_en": "A"}]}, "zh-CN")


def test_the_file_of_a_run_is_drawn_as_it_is_written() -> None:
    from backends.sweetiechat.scenarios.pool import pool_to_json, start

    value = json.loads(json.dumps(pool_to_json(start("en", "bundled"), [30], "")))
    items = Outline(problem_tree(value, "en", target=45)).items
    assert len(items) == 30 and {depth for depth, _ in items} >= {1, 2}


def test_texts_are_in_both_languages() -> None:
    keys = {key for key in catalogue("en") if key.startswith("tree.")}
    assert keys == {key for key in catalogue("zh-CN") if key.startswith("tree.")} and len(keys) == 17
    drawn = problem_tree(POOL, "en", target=9) + problem_tree(POOL, "zh-CN", target=9)
    assert "tree." not in drawn


def test_colours_come_from_the_palette_only() -> None:
    css = (FOLDER / "tree.css").read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(", css)
    used = set(re.findall(r"var\(--wb-([\w-]+)\)", css))
    assert used <= set(PALETTE) and {"ink", "dim", "line", "c1", "c2", "c4"} <= used
    html = problem_tree(POOL, "en", picked="noise", buttons=True, target=9)
    classes = set(re.findall(r'class="([^"]+)"', html))
    assert all(f".{name}" in css for group in classes for name in group.split())

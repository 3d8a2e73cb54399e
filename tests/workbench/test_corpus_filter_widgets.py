"""The widgets of Filter and Compare by themselves: what they draw, what they escape, what they leave out."""

from __future__ import annotations

import base64
import html as escaping
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from workbench.widgets import corpus_recipe, corpus_sides, corpus_work
from workbench.widgets.corpus_sides import CELLS, Editor, Listed, Outcome

BAD = "\"><script>alert(1)</script>'"


@dataclass(frozen=True)
class Limit:
    """A test of a recipe."""

    __test__ = False
    rule: str = "length"
    column: str = "n_chars"
    drop_if: str = "<="
    limit: float = 200.0


@dataclass(frozen=True)
class Rule:
    """A rule on both sides."""

    rule: str = "length"
    a: int | None = 5
    b: int | None = 7
    more_a: int = 0
    more_b: int = 2
    blamed_a: int = 0
    blamed_b: int = 1
    tests_a: tuple[Limit, ...] = (Limit(),)
    tests_b: tuple[Limit, ...] = (Limit(limit=300.0),)


class Reader(HTMLParser):
    """Every element with its attributes; complains about one that is closed and was not opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}>"


def read(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The elements of a whole piece of HTML without a script in it."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open and "script" not in {tag for tag, _ in reader.found}
    return reader.found


def an_editor(**changed: Any) -> Editor:
    own = (Limit(), Limit("script", "script_ratio", "<", 0.3))
    return replace(Editor("b", own, own, "0123456789abcdef", "name: x\n", "x.yaml", "python3 launch.py run"), **changed)


def outcomes_of(*counts: int) -> list[Outcome]:
    return [Outcome(name, count, 10 * count, None, None) for name, count in zip(CELLS, counts, strict=True)]


# --- both sides ------------------------------------------------------------------------------------------------------

def test_the_fields_of_an_editor_say_which_limit_they_are() -> None:
    fields = [attributes for tag, attributes in read(corpus_sides.editor(an_editor(), "en")) if tag == "input"]
    assert [field["data-key"] for field in fields] == ["b.0", "b.1"] and {f["data-act"] for f in fields} == {"limit"}
    assert [field["value"] for field in fields] == ["200", "0.3"]
    assert fields[0]["aria-label"] == "B: length, characters ≤"


def test_a_moved_limit_can_be_put_back() -> None:
    moved = an_editor(tests=(Limit(limit=1e-05), Limit("script", "script_ratio", "<", 0.3)))
    html = corpus_sides.editor(moved, "en")
    assert html.count("cc-moved") == 1 and "was 200" in html and 'value="1e-05"' in html
    assert [a["data-key"] for _, a in read(html) if a.get("data-act") == "reset"] == ["b"]
    assert "data-act=\"reset\"" not in corpus_sides.editor(an_editor(), "en")


def test_a_rule_of_several_tests_is_named_once() -> None:
    tests = (Limit("grams", "a"), Limit("grams", "b"), Limit("x", "c"), Limit("grams", "d"))
    html = corpus_sides.editor(an_editor(tests=tests, own=tests), "en")
    assert re.findall(r'scope="row" title="\w+">([^<]*)<', html) == ["grams", "", "x", "grams"]


def test_the_recipe_is_taken_away_byte_for_byte() -> None:
    yaml = f"name: 给我看\nnote: {BAD}\n"
    html = corpus_sides.editor(an_editor(yaml=yaml, file=f"{BAD}.yaml", command=BAD, digest=BAD, warnings=(BAD,)), "en")
    link = next(attributes for tag, attributes in read(html) if tag == "a")
    assert base64.b64decode(str(link["href"]).partition("base64,")[2]).decode() == yaml
    assert link["download"] == f"{BAD}.yaml"
    assert next(a for _, a in read(html) if "data-wb-copy" in a)["data-wb-copy"] == BAD


@pytest.mark.parametrize("chosen", ["", *CELLS])
def test_the_four_outcomes_are_buttons_and_the_chosen_one_lets_go(chosen: str) -> None:
    html = corpus_sides.outcomes(outcomes_of(10, 3, 2, 5), chosen, 20, 20, "abcd", "en")
    buttons = [attributes for tag, attributes in read(html) if tag == "button"]
    assert [button["data-key"] for button in buttons] == ["" if name == chosen else name for name in CELLS]
    assert [button["aria-pressed"] for button in buttons] == [str(name == chosen).lower() for name in CELLS]
    plain = escaping.unescape(re.sub("<[^>]+>", "", html))
    assert "A keeps 13 (65.0 %)" in plain and "B keeps 12 (60.0 %)" in plain


def test_widths_of_the_bar_add_up() -> None:
    html = corpus_sides.outcomes(outcomes_of(10, 3, 2, 5), "", 20, 20, "x", "en")
    assert sum(map(float, re.findall(r"width:([\d.]+)%", html))) == pytest.approx(100)


def test_means_are_shown_where_there_are_scores() -> None:
    cells = outcomes_of(1, 0, 0, 0)
    assert "quality" not in corpus_sides.outcomes(cells, "", 1, 1, "x", "en")
    cells[0] = replace(cells[0], quality=0.25, toxicity=0.0)
    html = corpus_sides.outcomes(cells, "", 1, 1, "x", "en")
    assert "quality 0.250" in html and "toxicity 0.000" in html


def test_rules_show_limits_where_they_differ_and_cannot_be_pressed_where_they_agree() -> None:
    same = Rule(rule="script", more_a=0, more_b=0, tests_b=(Limit(),))
    html = corpus_sides.rules([Rule(), same, Rule(rule=BAD, a=None, tests_a=())], "length", "en")
    buttons = {a["title"]: a for tag, a in read(html) if tag == "button"}
    assert "characters ≤ 200 → characters ≤ 300" in html and "disabled" in buttons["script"]
    assert buttons["length"]["data-key"] == "" and buttons["length"]["aria-pressed"] == "true"
    assert buttons[BAD]["data-key"] == BAD and ">–</td>" in html


def test_documents_carry_their_place_and_what_they_fail() -> None:
    rows = [Listed(3, "a.jsonl:4", 1204, "一行", (), ("length",)), Listed(1_000_000, BAD, 0, "", (BAD,), ())]
    html = corpus_sides.documents(rows, 2, 0, 50, BAD, "en")
    opens = [a for _, a in read(html) if a.get("data-act") == "open"]
    assert [a["data-key"] for a in opens] == ["3", "1000000"] and opens[1]["title"] == BAD
    assert "1,204" in html and "1,000,000" in html and html.count("co-good") == 2 and "(empty text)" in html
    assert "co-pager" not in html, "one page needs no pager"


@pytest.mark.parametrize(("offset", "listed", "back", "on"), [(0, 50, True, False), (50, 50, False, False),
                                                              (100, 20, False, True)])
def test_the_pager_stops_at_both_ends(offset: int, listed: int, back: bool, on: bool) -> None:
    rows = [Listed(place, "a", 1, "x", (), ()) for place in range(listed)]
    html = corpus_sides.documents(rows, 120, offset, 50, "all", "en")
    buttons = [a for _, a in read(html) if a.get("data-act") == "page"]
    assert ["disabled" in button for button in buttons] == [back, on]
    assert [button["data-key"] for button in buttons] == [str(max(0, offset - 50)), str(offset + listed)]


# --- a run and a recipe ----------------------------------------------------------------------------------------------

def test_a_strip_without_a_share_has_no_bar() -> None:
    html = corpus_work.strip("queued", BAD, None, 0, 0.0, 0.0, "en")
    assert "progressbar" not in html and read(html)
    with_share = corpus_work.strip("running", "Filtering", 0.5, 1000, 4.0, 2.0, "en")
    assert 'aria-valuenow="50"' in with_share and "500 documents, 2.0 MB" in with_share


@pytest.mark.parametrize("throughput", [None, {}, [], {"read": 3}, {"read": {"cpu_seconds": "x"}}])
def test_stages_that_are_none_are_left_out(throughput: Any) -> None:
    assert corpus_work.stages(throughput, "", "en") == ""


def test_stages_are_shown_with_their_share_of_the_whole() -> None:
    values = {"read": {"cpu_seconds": 1.0, "documents_per_second": 100, "mb_per_second": 1},
              BAD: {"cpu_seconds": 3.0}, "all": {"cpu_seconds": 4.0, "documents_per_second": 25.0}}
    html = corpus_work.stages(values, "note", "zh-CN")
    assert read(html) and re.findall(r"width:([\d.]+)%", html) == ["25.0", "75.0"] and "合计" in html and "–" in html


def test_an_outcome_of_nothing_is_nothing_and_of_no_document_is_no_error() -> None:
    assert corpus_work.outcome({}, "en") == ""
    html = corpus_work.outcome({"documents": 0, "kept": 0, "rules": [BAD], "first": {BAD: 0}}, "en")
    assert read(html) and "–" in html and "width:0.00%" in html


@pytest.mark.parametrize(("comparison", "sign"), [("<", "&lt;"), ("<=", "≤"), (">", "&gt;"), (">=", "≥"), ("~", "~")])
def test_conditions_are_escaped(comparison: str, sign: str) -> None:
    html = corpus_recipe.condition(Limit(column=BAD, drop_if=comparison), "en")
    assert f"</span> {sign} <b>200</b>" in html and read(html)


def test_a_sheet_is_whole_html() -> None:
    html = corpus_recipe.sheet([Limit(), Limit(BAD)], [("Words", BAD), ("None", "")], [BAD], BAD, BAD, "zh-CN")
    assert read(html) and html.count("cf-warning") == 1 and html.count("<dt>") == 1
    assert read(corpus_recipe.wrong(BAD, BAD, "en")) and read(corpus_recipe.sheet([], [], [], "", "x", "en"))

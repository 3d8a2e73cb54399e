"""What must hold for any text, any press and any size: nothing is changed, nothing breaks, nothing grows too large."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.common.mt.roles import Choice, choices
from backends.common.mt.uploads import Upload, opened, side_by_side
from panels import translation_compare_data as data
from panels import translation_compare_draw as draw
from panels import translation_compare_held as holding
from panels.translation_compare_data import Compared, Segment
from panels.translation_compare_held import Held, held, pasted_name
from panels.translation_compare_look import Look, look, pressed
from tests.panels.compare_cases import parsed
from workbench.widgets import badge, mt_charts, mt_intake, mt_segments

VIEWS = (draw.verdict, draw.pairs, draw.parts, draw.listing, draw.reader)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = st.text(alphabet=st.sampled_from("ab 中文。<>&\"'\u2028\u0301🙂\t"), max_size=40)
NAMES = st.text(alphabet=st.sampled_from('aB9 .<&"中|\\'), min_size=1, max_size=12)
WORDS = st.sampled_from(
    [
        "metric",
        "pair",
        "bucket",
        "search",
        "unchip",
        "sort",
        "page",
        "pairs",
        "open",
        "against",
        "unit",
        "step",
        "role",
        "name",
        "remove",
        "dismiss",
        "",
    ]
)
PRESSES = st.fixed_dictionaries(
    {
        "act": WORDS,
        "key": st.one_of(
            st.sampled_from(["0", "1", "0.1", "1.0", "2.2", "length.0", "domain.9", "char", "pair"]), TEXTS
        ),
        "value": st.one_of(st.sampled_from(["1", "-1", "index", "system", "ignore", "none", "t0"]), TEXTS),
    }
)


def made(lines: list[tuple[str, str]], names: tuple[str, str] = ("A", "B"), **told: object) -> Compared:
    """A comparison of two systems with these translations and one reference."""
    segments = tuple(
        Segment(i, "", "", (one,), (one, two), (90.0, 10.0 + i % 7), 40.0 + i % 7) for i, (one, two) in enumerate(lines)
    )
    wins = {names[0]: {names[1]: 1}, names[1]: {names[0]: -1}}
    pair = {"first": names[0], "second": names[1], "difference": 1.5, "bootstrap": 0.01, "verdict": names[0]}
    rows = [
        {"metric": "bleu", "system": name, "score": 9.0 - k, "low": 1.0, "high": 9.5, "wins": 1 - k, "losses": k}
        for k, name in enumerate(names)
    ]
    whole = {
        "metrics": {"bleu": {"signature": "s", "sign": 1, "tests": {"pairs": [pair], "wins": wins}}},
        "rows": rows,
        **told,
    }
    return Compared(names, ("ref",), whole, segments, "bleu", 1.0)


# --- texts ---


@FEW
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), st.sampled_from(["word", "char"]))
def test_marks_give_both_texts_back_to_the_letter(lines: list[tuple[str, str]], unit: str) -> None:
    of = made(lines)
    for number, (one, two) in enumerate(lines):
        html = draw.reader(of, Look(open=number, unit=unit), "en")
        parsed(html)
        article = html.split("<article")[3]
        inner = re.search(r'<p dir="auto">(.*?)</p>', article, re.DOTALL)
        assert inner is not None
        if two.strip():
            new = re.sub(r"<del>.*?</del>", "", inner[1], flags=re.DOTALL)
            old = re.sub(r"<ins>.*?</ins>", "", inner[1], flags=re.DOTALL)
            assert unescape(re.sub(r"</?(ins|del)>", "", new)) == two
            assert unescape(re.sub(r"</?(ins|del)>", "", old)) == one


@FEW
@given(NAMES, NAMES, TEXTS)
def test_any_name_of_a_system_is_shown_and_escaped(first: str, second: str, text: str) -> None:
    second = second if second != first else f"{second}+"
    of = made([(text, "other")], (first, second))
    for view in VIEWS:
        html = view(of, Look(open=0, pair="0.1"), "zh-CN")
        assert {tag for tag, _ in parsed(html).tags} <= {
            "a",
            "article",
            "b",
            "bdi",
            "button",
            "code",
            "dd",
            "del",
            "details",
            "div",
            "dl",
            "dt",
            "figcaption",
            "figure",
            "g",
            "h4",
            "h5",
            "header",
            "i",
            "input",
            "ins",
            "label",
            "li",
            "ol",
            "option",
            "p",
            "path",
            "section",
            "select",
            "small",
            "span",
            "summary",
            "svg",
            "table",
            "tbody",
            "td",
            "text",
            "th",
            "thead",
            "title",
            "tr",
            "ul",
        }


@FEW
@given(st.text(max_size=60), st.text(max_size=20))
def test_a_pasted_text_always_has_a_name_with_an_ending(text: str, name: str) -> None:
    made_name = pasted_name(text, 3, name)
    assert made_name.strip() and "." in made_name[1:]


@FEW
@given(st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=4))
def test_files_of_any_content_are_drawn(files: list[tuple[str, str]]) -> None:
    read = [opened(Upload(name, text.encode())) for name, text in files]
    view = holding.view(read, Held(tuple(name for name, _ in files)), "", "", "en")
    html = mt_intake.intake(view, "en")
    parsed(html)
    assert html.count('<section class="mt-file') == len(files)
    assert len(side_by_side(read).columns) <= len(files)


# --- presses ---


@FEW
@given(st.lists(PRESSES, max_size=12))
def test_no_row_of_presses_breaks_the_look_or_the_page(presses: list[dict[str, str]]) -> None:
    of, now = made([("one two", "one"), ("a", "b")], level=0.05), Look(of="r")
    for press in presses:
        now = pressed(now, press, {0: 1, 1: 0})
        assert look(now.note(), "r") == replace(now, against=now.against[:200]) and len(now.note()) < 4_000
    for view in VIEWS:
        parsed(view(of, now, "en"))
    assert {one.index for one in data.chosen(of, now)} <= {0, 1}


@FEW
@given(
    st.lists(st.tuples(st.integers(-1, 6), NAMES, st.sampled_from([*mt_intake.ROLES, ""]), NAMES), max_size=10),
    st.lists(st.integers(-1, 6), max_size=5),
)
def test_what_is_said_of_columns_always_belongs_to_a_file(said: list, removed: list[int]) -> None:
    of = Held(tuple(f"path:/{i}" for i in range(4)))
    for number, column, role, name in said:
        of = of.say(number, column, role, name) if 1 <= number <= len(of.files) else of
    for number in removed:
        of = of.remove(number)
        assert all(1 <= choice.file <= len(of.files) for choice in of.chosen)
    assert held(of.note()).files == of.files
    assert choices([choice.text() for choice in of.chosen], len(of.files)) == [
        replace(choice, name=choice.name.strip()) for choice in of.chosen
    ]


@FEW
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["files", "columns", "refused", "pair", "open", "search", "of"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_a_note_of_any_shape_is_read(value: object) -> None:
    note = json.dumps(value)
    assert isinstance(look(note, "r"), Look) and isinstance(held(note), Held)


# --- size ---


@pytest.mark.parametrize("count", [13, 40])
def test_many_systems_stay_below_what_one_answer_may_carry(count: int) -> None:
    names = tuple(f"a system of somebody, number {i}" for i in range(count))
    scores = tuple(float(i) for i in range(count))
    segments = tuple(
        Segment(i, "source " * 60, "", ("ref " * 60,), tuple(f"text {k} " * 40 for k in range(count)), scores, 9.0)
        for i in range(300)
    )
    rows = [{"metric": "bleu", "system": n, "score": 1.0 * i, "low": 0, "high": 99} for i, n in enumerate(names)]
    pairs = [{"first": a, "second": b, "difference": 0.5, "bootstrap": 0.2} for a in names for b in names if a < b]
    tests = {"pairs": pairs, "wins": {}}
    of = Compared(names, ("ref",), {"metrics": {"bleu": {"tests": tests}}, "rows": rows}, segments, "bleu", 1.0)
    for now in (Look(), Look(pairs=50, page=100, pair="3.7", open=5)):
        total = sum(len(view(of, now, "zh-CN").encode()) for view in VIEWS)
        assert total < 260_000 and all(len(view(of, now, "en").encode()) < 200_000 for view in VIEWS)
        assert draw.listing(of, now, "en").count('class="co-open"') == mt_segments.PAGE


def test_a_segment_of_ten_thousand_letters_opens_quickly_and_unmarked() -> None:
    of = made([("词" * 10_000, "语" * 10_000), ("x" * 10_000, "y " * 5_000)])
    for number in (0, 1):
        for unit in ("word", "char"):
            html = draw.reader(of, Look(open=number, unit=unit), "en")
            assert "too long to be marked" in html and "<ins>词" not in html and "<del>x" not in html


# --- words of parts, and whose data it is ---


@pytest.mark.parametrize(
    ("label", "lang", "words"),
    [
        ("1 to 4 words", "en", "words: 1 – 4"),
        ("5 words", "zh-CN", "词数：5"),
        ("2 to 1.2e+06 times", "en", "occurrences: 2 – 1.2e+06"),
        ("0 times", "zh-CN", "出现次数：0"),
        ("news", "zh-CN", "news"),
        ("no label", "en", "no label"),
        ("4 words of it", "en", "4 words of it"),
    ],
)
def test_parts_are_named_in_the_readers_language(label: str, lang: str, words: str) -> None:
    assert mt_charts.label(label, lang) == words


FILE = {"reference": "path:/h/a.txt", "path": "/h/a.txt", "files": [{"path": "/h/a.txt", "size": 3}]}


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (FILE, False),
        ({**FILE, "reference": "path:/h/newstest.en"}, False),
        ({**FILE, "reference": "path:/h/a.gguf"}, True),
        ({**FILE, "reference": "path:/h/a.safetensors"}, True),
        ({"reference": "path:/h/model", "path": "/h/model", "files": [{"path": "/h/model/config.json"}]}, True),
        ({"reference": "path:/h/model", "path": "/h/model", "files": []}, True),
        ({"reference": "path:/h/model"}, True),
        ({"reference": "bundled:x", "path": "/h/a.txt", "files": [{"path": "/h/a.txt"}]}, True),
    ],
)
def test_a_file_that_somebody_brought_is_no_model(item: dict, shown: bool) -> None:
    html = badge.run_badge([item], None, "en")
    assert (str(item["reference"]) in html) == shown and bool(html) == shown


def test_a_text_that_the_page_would_not_show_is_not_lost(tmp_path: Path) -> None:
    long = Choice(1, "text", "system", "n" * 500).text()
    assert json.loads(long)[3] == "n" * 500 and len(choices([long], 1)[0].name) == holding.LONGEST_NAME

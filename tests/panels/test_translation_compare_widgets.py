"""The widgets of the Compare view: everything escaped, every count of how many, every press named, nothing lost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.panels.compare_cases import SCRIPT, acts, parsed
from workbench.widgets import mt_charts, mt_intake, mt_scores, mt_segments
from workbench.widgets.mt_charts import Bucket, Scatter
from workbench.widgets.mt_intake import ColumnView, FileView, IntakeView
from workbench.widgets.mt_scores import Pair, Row
from workbench.widgets.mt_segments import Gram, Line, Listing, Opened, Text

LANGS = ("en", "zh-CN")


# --- files ---


def file(number: int = 1, **changed: object) -> FileView:
    columns = (ColumnView("src", "source", "src", "ein"), ColumnView("A", "system", "A", SCRIPT))
    return replace(FileView(number, "t.tsv", "tsv", 2037, ("line 1: a mark was taken off",), columns), **changed)


@pytest.mark.parametrize("lang", LANGS)
def test_a_file_shows_its_columns_with_roles_names_and_remarks(lang: str) -> None:
    html = mt_intake.intake(IntakeView((file(), file(2, name="b.txt"))), lang)
    tags = parsed(html).tags
    chosen = [a["value"] for tag, a in tags if tag == "option" and "selected" in a]
    assert chosen == ["source", "system"] * 2 and acts(html, "role") == ["1.0", "1.1", "2.0", "2.1"]
    assert acts(html, "remove") == ["1", "2"] and "2,037" in html and "a mark was taken off" in html
    disabled = [("disabled" in a) for tag, a in tags if a.get("data-act") == "name"]
    assert disabled == [True, False] * 2 and "&lt;script&gt;" in html


@pytest.mark.parametrize("lang", LANGS)
def test_a_file_that_cannot_be_read_stays_with_its_reason(lang: str) -> None:
    html = mt_intake.intake(IntakeView((file(problem=f"{SCRIPT} is empty.", columns=(), rows=0),)), lang)
    assert 'role="alert"' in html and "is empty." in html and acts(html, "remove") == ["1"]
    assert acts(html, "role") == []


def test_nothing_is_drawn_while_nothing_was_brought() -> None:
    assert mt_intake.intake(IntakeView(()), "en") == ""


def test_what_was_refused_is_told_and_can_be_dismissed_even_without_files() -> None:
    html = mt_intake.intake(IntakeView((), ("empty.txt is empty. Choose another file.",)), "en")
    assert "Remarks (1)" in html and acts(html, "dismiss") == ["None"] and "empty.txt" in html


def test_problems_come_in_place_of_the_preview() -> None:
    rows = ({"system: A": "one", "reference: ref": "two"},)
    fine = mt_intake.intake(IntakeView((file(),), preview=rows, token=("13a is used", "too low")), "en")
    bad = mt_intake.intake(IntakeView((file(),), problems=("There is no system.",), preview=rows), "en")
    assert "<details" in fine and "13a is used" in fine and "too low" in fine and "mt-problems" not in fine
    assert "<details" not in bad and "There is no system." in bad and "Everything stays" in bad


def test_a_preview_names_roles_in_the_readers_language_and_shows_ended_columns() -> None:
    html = mt_intake.preview(({"system: A": "x" * 500, "domain: odd: name": ""},), "zh-CN")
    assert "系统: A" in html and "领域: odd: name" in html and "–" in html
    assert "x" * mt_intake.SNIPPET in html and "x" * (mt_intake.SNIPPET + 1) not in html
    assert mt_intake.preview((), "en") == ""


def test_a_preview_begins_with_source_and_references_whatever_the_order_of_the_files() -> None:
    rows = ({"system: B": "b", "reference: R": "r", "domain: D": "d", "system: A": "a", "source: S": "s"},)
    html = mt_intake.preview(rows, "en")
    found = [html.index(f">{name}: {name[0].upper()}<") if name in ("source", "reference", "domain") else
             html.index(f">system: {name}<") for name in ("source", "reference", "B", "domain", "A")]
    assert found == sorted(found)


@pytest.mark.parametrize(("count", "one"), [(1, True), (2, False), (0, False)])
def test_a_file_of_one_column_is_one_line(count: int, one: bool) -> None:
    columns = tuple(ColumnView(f"c{k}", "system", f"c{k}", "text") for k in range(count))
    html = mt_intake.intake(IntakeView((FileView(1, "a.txt", "txt", 3, (), columns),)), "en")
    assert ("mt-file-one" in html) is one


def test_many_columns_and_remarks_are_cut_and_said() -> None:
    columns = tuple(ColumnView(f"c{i}", "system", f"c{i}", "x") for i in range(80))
    html = mt_intake.intake(IntakeView((file(columns=columns, notes=tuple(f"note {i}" for i in range(9))),)), "en")
    assert len(acts(html, "role")) == mt_intake.SHOWN and "first 50 of 80 columns" in html
    assert "note 5" in html and "note 6" not in html and "and 3 more" in html
    assert len(html) < 100_000


# --- verdict ---

ROWS = [Row("A", 31.234, 30.0, 32.5, 1, 0), Row(SCRIPT, 20.0, 19.0, 21.0, 0, 1)]


@pytest.mark.parametrize("lang", LANGS)
def test_the_table_of_systems(lang: str) -> None:
    html = mt_scores.systems(ROWS, "bleu", 1.0, 'tok:13a|"x"', lang)
    assert "<b>31.23</b>" in html and "30.00 – 32.50" in html and "<bdi>&lt;script&gt;" in html
    tags = parsed(html).tags
    assert [a["data-wb-copy"] for _, a in tags if "data-wb-copy" in a] == ['tok:13a|"x"']
    assert html.index("31.23") < html.index("20.00")


@pytest.mark.parametrize(("sign", "words"), [(1.0, "more is better"), (-1.0, "less is better")])
def test_it_says_which_way_is_better(sign: float, words: str) -> None:
    assert words in mt_scores.systems(ROWS, "ter", sign, "s", "en")


@pytest.mark.parametrize("rows", [[], [Row("A", 5.0, 5.0, 5.0, 0, 0)]])
def test_a_table_without_a_span_does_not_divide_by_zero(rows: list[Row]) -> None:
    parsed(mt_scores.systems(rows, "bleu", 1.0, "", "en"))


def test_warnings_put_the_biased_reference_first() -> None:
    html = mt_scores.warnings(["Reference B looks made from X"], [f"w{i}" for i in range(5)], "en")
    assert html.index("looks made from") < html.index("w0") < html.index("w4") and 'role="alert"' in html
    assert "and 2 more" in html and mt_scores.warnings([], [], "en") == ""
    assert "<details" not in mt_scores.warnings([], ["one"], "en")
    parsed(html)


def test_the_metric_that_is_shown_is_pressed() -> None:
    html = mt_scores.metrics(("bleu", "chrf++"), "chrf++", "en")
    assert acts(html, "metric") == ["bleu", "chrf++"] and html.count('aria-pressed="true"') == 1 and "chrF++" in html
    assert mt_scores.metric_name("mine") == "mine"


# --- pairs ---

PAIRS = [
    Pair(0, 1, 5.5, 0.0009, 0.0018, 0.01, 0.02, 1),
    Pair(0, 2, -0.1, None, None, 0.8, 1.0, 0),
    Pair(1, 2, -4.0, 0.02, 0.04, None, None, -1),
]
NAMES = ("A", "B", SCRIPT)
WINS = {(0, 1): 1, (1, 0): -1, (1, 2): -1, (2, 1): 1}


@pytest.mark.parametrize("lang", LANGS)
def test_the_matrix_has_a_cell_for_every_ordered_pair(lang: str) -> None:
    html = mt_scores.matrix(NAMES, (0, 2, 1), WINS, {(p.first, p.second): p for p in PAIRS}, (0, 1), lang)
    assert sorted(acts(html, "pair")) == ["0.1", "0.2", "1.0", "1.2", "2.0", "2.1"]
    assert html.count('aria-pressed="true"') == 1 and html.count("mt-self") == 3
    assert html.count('class="mt-win"') == html.count('class="mt-loss"') == 2 and html.count('class="mt-tie"') == 2
    assert "p 0.020" in html and "p 0.040" in html


def test_one_system_has_no_pair() -> None:
    assert "one system" in mt_scores.matrix(("A",), (0,), {}, {}, None, "en")


def test_a_large_matrix_is_cut_to_the_best_and_stays_small() -> None:
    names = [f"a system with a long name {i}" for i in range(40)]
    html = mt_scores.matrix(names, list(reversed(range(40))), {}, {}, None, "en")
    assert len(acts(html, "pair")) == mt_scores.MATRIX * (mt_scores.MATRIX - 1)
    assert "best 20 of 40 systems" in html and "39.38" in acts(html, "pair") and len(html) < 200_000


@pytest.mark.parametrize(
    ("value", "words"), [(None, "–"), (0.0, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (1.0, "1.000")]
)
def test_p_values_as_words(value: float | None, words: str) -> None:
    assert mt_scores.p_value(value) == words


def test_p_values_name_both_tests_and_mark_the_better_one() -> None:
    html = mt_scores.p_values(NAMES, PAIRS, (1, 0), 0, "en")
    assert "&gt;" in html and "&lt; 0.001" in html and "+5.50" in html and "-4.00" in html
    assert html.count('class="co-opened"') == 1 and acts(html, "pairs") == []
    parsed(html)


@pytest.mark.parametrize(
    ("offset", "total", "keys", "words"),
    [(0, 120, ["0", "50"], "1 to 50 of 120"), (100, 120, ["50", "150"], "101 to 120 of 120"), (0, 50, [], "")],
)
def test_lists_are_paged(offset: int, total: int, keys: list[str], words: str) -> None:
    shown = min(50, total - offset)
    html = mt_scores.pager(offset, shown, total, 50, "pairs", "en")
    assert acts(html, "pairs") == keys and words in html


# --- segments ---

LINES = (Line(4, "ein Satz", "A", 90.0, "B", 10.0, 40.0), Line(0, "", "B", 50.5, "A", 50.4, 0.05))
LISTING = Listing(LINES, 0, 2, 12, "bleu", "spread", 'x"y', (("search", "“x”"),), None, 4)


@pytest.mark.parametrize("lang", LANGS)
def test_the_table_of_segments(lang: str) -> None:
    html = mt_segments.table(LISTING, lang)
    assert acts(html, "open") == ["4", "0"] and acts(html, "unchip") == ["search"]
    tags = parsed(html).tags
    assert next(a["value"] for _, a in tags if a.get("data-act") == "search") == 'x"y'
    assert html.count("aria-current") == 1 and 'data-keys="list"' in html and "BLEU" in html


def test_a_pair_shows_signed_differences_and_the_two_names() -> None:
    html = mt_segments.table(replace(LISTING, pair=("A", SCRIPT)), "en")
    assert "+40.0" in html and "&lt;script&gt;" in html and "difference" in html
    parsed(html)


def test_without_a_segment_the_filter_stays_and_says_of_how_many() -> None:
    html = mt_segments.table(replace(LISTING, lines=(), shown=0), "en")
    assert "0 of 12 segments" in html and "No segment" in html and acts(html, "unchip") == ["search"]


def text(key: str = "t0", **changed: object) -> Text:
    return replace(Text(key, "A", "system", "one two", 50.0), **changed)


@pytest.mark.parametrize("lang", LANGS)
def test_an_opened_segment_marks_what_differs(lang: str) -> None:
    pieces = (("same", "one "), ("removed", "<b>"), ("added", "two"))
    texts = (Text("s", "", "source", "ein"), Text("r0", "ref", "reference", "one"), text(pieces=pieces))
    html = mt_segments.reader(Opened(3, 12, "news", texts, "r0", "word"), lang)
    assert "<del>&lt;b&gt;</del><ins>two</ins>" in html and "mt-against-this" in html and "news" in html
    parsed(html)
    values = [a["value"] for tag, a in parsed(html).tags if tag == "option"]
    assert values == ["r0", "t0", "none"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"text": "   "}, "<i>empty</i>"), ({"text": "x" * 30_000}, "…"), ({"text": SCRIPT}, "&lt;script&gt;")],
)
def test_odd_texts_are_shown(changed: dict, words: str) -> None:
    html = mt_segments.reader(Opened(0, 1, "", (text(**changed),), "none", "char", plain=True), "en")
    assert words in html and "too long to be marked" in html and len(html) < 30_000
    parsed(html)


def test_n_grams_open_their_segments() -> None:
    html = mt_segments.ngrams("A", "B", [Gram("of the", 5, 2, (3, 8))], "en")
    assert acts(html, "open") == ["3", "8"] and ">4<" in html and "A has right more often than B" in html
    assert "None." in mt_segments.ngrams("A", "B", [], "en")


# --- charts ---


def test_parts_can_be_pressed_and_small_ones_say_so() -> None:
    rows = [Bucket("1 to 4 words", 500, {"A": 20.0, "B": 10.0}, False), Bucket("<9", 3, {"A": 0.0}, True)]
    html = mt_charts.buckets("source frequency", rows, ("A", "B"), "bleu", 1, "en")
    assert acts(html, "bucket") == ["source frequency.0", "source frequency.1"]
    assert html.count('aria-pressed="true"') == 1 and "too few to trust" in html and "width:50.0%" in html
    assert "&lt;9" in html


def test_many_parts_and_systems_are_cut_and_said() -> None:
    names = [f"s{i}" for i in range(9)]
    rows = [Bucket(f"d{i}", 40, dict.fromkeys(names, 1.0), False) for i in range(30)]
    html = mt_charts.buckets("domain", rows, names, "bleu", None, "en")
    assert "6 of 9 systems" in html and "12 of 30 parts" in html and len(acts(html, "bucket")) == mt_charts.PARTS
    assert mt_charts.legend(names).count("<bdi>") == mt_charts.SYSTEMS


def test_a_chart_without_scores_stands() -> None:
    parsed(mt_charts.buckets("length", [Bucket("1", 1, {"A": float("nan")}, True)], ("A",), "bleu", None, "en"))
    assert parsed(mt_charts.buckets("length", [], (), "bleu", None, "en"))


SCATTER = Scatter(
    "bleu",
    (("A", 30.0, 0.2), ("a system with a very long name", 20.0, -0.1), (SCRIPT, 25.0, 0.0)),
    0.9,
    1.0,
    1.0,
    0.25,
    40,
    "3 systems are few",
    {"pearson": (0.1, 0.99)},
)


@pytest.mark.parametrize("lang", LANGS)
def test_the_scatter_has_its_points_names_and_intervals(lang: str) -> None:
    html = mt_charts.scatter(SCATTER, lang)
    assert html.count("<circle") == 3 and "0.900 [0.10, 0.99]" in html and "0.250" in html and "are few" in html
    assert "a system with a v…" in html and "&lt;script&gt;" in html
    parsed(html)


def labels(html: str) -> list[tuple[float, float, float, float]]:
    """Where the names of a scatter stand, by the same widths as they are placed with."""
    found = re.findall(r'<text x="([\d.-]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)</text></g>', html)
    made = []
    for x, y, anchor, name in found:
        wide = 6.2 * len(name)
        left = float(x) - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        made.append((left, float(y) - 9, left + wide, float(y) + 2))
    return made


@pytest.mark.parametrize(
    "points",
    [
        (("Online-Y", 27.14, -0.125), ("Lan-Bridge", 28.08, -0.12), ("Online-A", 27.3, -0.09), ("DLUT", 24.9, -0.09)),
        (("first", 1.0, 1.0), ("second", 1.05, 1.0), ("third", 2.0, 2.0)),
        (("one", 1.0, 1.0), ("two", 1.0, 1.02), ("three", 3.0, 3.0), ("four", 3.0, 2.98)),
    ],
)
def test_names_in_the_scatter_do_not_cover_each_other_nor_leave_it(points: tuple) -> None:
    found = labels(mt_charts.scatter(replace(SCATTER, points=points), "en"))
    assert len(found) == len(points)
    for k, one in enumerate(found):
        assert one[0] >= 0 and one[2] <= mt_charts.WIDTH and one[1] >= 0 and one[3] <= mt_charts.HEIGHT
        for other in found[k + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_a_scatter_of_equal_points_or_none_does_not_break() -> None:
    flat = replace(SCATTER, points=(("A", 1.0, 1.0), ("B", 1.0, 1.0)), segment_tau=None, warning="", intervals={})
    html = mt_charts.scatter(flat, "en")
    assert "inside segments" not in html and "mt-warn" not in html and "nan" not in html
    assert mt_charts.scatter(replace(SCATTER, points=()), "en") == ""

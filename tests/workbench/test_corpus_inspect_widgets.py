"""Widgets of the Corpus tab: numbers, histogram, map, bars, funnel, table, marks; from good, odd and hostile values."""

from __future__ import annotations

import html
import json
import math
import re

import pytest

from tests.workbench.test_measure_widgets import Balance
from workbench.text import catalogue, known
from workbench.theme import FOLDER
from workbench.widgets import corpus_bars as bars
from workbench.widgets import corpus_funnel as funnel
from workbench.widgets import corpus_heat as heat
from workbench.widgets import corpus_histogram as hist
from workbench.widgets import corpus_marks as marks
from workbench.widgets import corpus_table as table
from workbench.widgets.corpus_numbers import amount, column_name, compared, count, exact, field, part, rule_name
from workbench.widgets.corpus_press import PRESS

HOSTILE = '"><script>x</script>'
STYLE = (FOLDER / "corpus.css").read_text(encoding="utf-8")
LANGS = ("en", "zh-CN")


def attributes(text: str, name: str) -> list[str]:
    """Every value of an attribute, unescaped, in order."""
    return [html.unescape(value) for value in re.findall(rf'{name}="([^"]*)"', text)]


def plain(text: str) -> str:
    """What can be read, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


# --- numbers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "said"), [
    (0, "0"), (0.0, "0"), (200, "200"), (200.0, "200"), (1234567, "1,234,567"), (12.345, "12.3"), (0.33333, "0.333"),
    (99.96, "100"), (345.678, "345.7"), (1.456e-7, "1.5e-07"), (0.00096, "0.00096"), (-0.25, "-0.25"), (None, "–"),
    (math.nan, "–"), (math.inf, "–"), (1e300, "1e+300")])
def test_amounts_are_short(value: float | None, said: str) -> None:
    assert amount(value) == said


@pytest.mark.parametrize("value", [0.1, 200, 1 / 3, 1e-5, 123456.789, -3.0, 2.0**60, 1e300])
def test_exact_numbers_are_read_back_without_loss(value: float) -> None:
    assert float(exact(value)) == value


def test_whole_numbers_stay_whole() -> None:
    assert (exact(200.0), exact(0.5), count(1234.0), count(0)) == ("200", "0.5", "1,234", "0")


@pytest.mark.parametrize(("some", "whole", "said"), [
    (1, 3, "33.3 %"), (0, 10, "0.0 %"), (10, 10, "100.0 %"), (1, 1_000_000, "<0.1 %"), (5, 0, "0.0 %")])
def test_shares_never_round_something_to_nothing(some: int, whole: int, said: str) -> None:
    assert part(some, whole) == said


def test_comparisons_are_signs() -> None:
    assert [compared(sign) for sign in ("<", "<=", ">", ">=")] == ["<", "≤", ">", "≥"]


@pytest.mark.parametrize(("column", "english", "chinese"), [
    ("n_chars", "characters", "字符数"), ("quality", "quality", "质量"), ("own_value", "own_value", "own_value"),
    ("domain-zh.law", "domain: law", "领域：law"), ("mine.good", "mine.good", "mine.good"),
    ("given.quality", "quality as imported", "导入的质量分")])
def test_columns_are_named_in_both_languages(column: str, english: str, chinese: str) -> None:
    assert (column_name(column, "en"), column_name(column, "zh-CN")) == (english, chinese)


def test_rules_of_others_keep_their_own_names() -> None:
    assert rule_name("length", "zh-CN") == "长度" and rule_name("mine", "zh-CN") == "mine"


def test_every_rule_and_column_of_the_presets_has_a_name() -> None:
    from backends.mdfg.explore.measured import ALWAYS, PERSONAL
    from backends.mdfg.recipes import load_recipe, presets

    tests = [test for name in presets() for test in load_recipe(name).tests]
    missing = {f"corpus.rule.{test.rule}" for test in tests} | {f"corpus.column.{test.column}" for test in tests}
    missing |= {f"corpus.column.{name}" for name in (*ALWAYS, *PERSONAL)}
    assert not sorted(key for key in missing if not known(key))


def test_every_domain_has_a_name() -> None:
    from backends.mdfg.domain import LABELS

    assert all(known(f"corpus.domain.{label}") for label in LABELS)


def test_a_field_has_no_end_and_is_escaped() -> None:
    made = field(type="number", value=HOSTILE)
    assert "</input>" not in made and "<script" not in made and made.startswith("<input ")


# --- histogram -------------------------------------------------------------------------------------------------------

def a_histogram(**changed: object) -> hist.Histogram:
    return hist.Histogram(**{"column": "n_chars", "edges": (0.0, 10.0, 20.0, 100.0), "every": (4, 10, 2),
                             "shown": (1, 5, 0), "kept": (0, 5, 0), **changed})


def test_bars_stand_in_their_bins_with_linear_heights() -> None:
    drawn = hist.histogram(a_histogram(), "en")
    groups = re.findall(r'<g class="([\w-]+)">(.*?)</g>', drawn)
    rects = {name: [(float(x), float(high)) for x, high in re.findall(r'x="([\d.]+)".*?height="([\d.]+)"', inner)]
             for name, inner in groups}
    assert [x for x, _ in rects["co-every"]] == [0.04, 1.04, 2.04]
    assert dict(rects["co-every"])[1.04] == hist.HEIGHT and dict(rects["co-every"])[0.04] == pytest.approx(25.6)
    assert [x for x, _ in rects["co-shown"]] == [0.04, 1.04] and [x for x, _ in rects["co-kept"]] == [1.04]


def test_a_single_document_among_many_is_still_seen() -> None:
    drawn = hist.histogram(a_histogram(every=(1, 100_000, 0), shown=(1, 0, 0), kept=(1, 0, 0)), "en")
    heights = [float(high) for high in re.findall(r'height="([\d.]+)"', drawn)]
    assert min(heights) == hist.HAIR and max(heights) == hist.HEIGHT


def test_the_edges_go_along_for_the_brush_and_lose_nothing() -> None:
    edges = (1 / 3, 0.5, 2 / 3)
    drawn = hist.histogram(a_histogram(column="script_ratio", edges=edges, every=(1, 1), shown=(1, 1), kept=(1, 1)),
                           "en")
    assert tuple(json.loads(attributes(drawn, "data-edges")[0])) == edges
    assert attributes(drawn, "data-brush") == ["script_ratio"]


@pytest.mark.parametrize(("value", "place"), [
    (0, 0), (10, 1 / 3), (5, 1 / 6), (60, 5 / 6), (100, 1), (-7, 0), (1e9, 1)])
def test_positions_follow_bins_of_equal_width(value: float, place: float) -> None:
    assert hist.position(value, (0.0, 10.0, 20.0, 100.0)) == pytest.approx(place)


def test_a_bin_without_width_is_no_division_by_zero() -> None:
    assert hist.position(3.0, (3.0, 3.0)) == 0.0


def test_limits_and_the_brush_are_drawn_where_they_are() -> None:
    drawn = hist.histogram(a_histogram(limits=(10.0, 20.0), brush=(10.0, None)), "en")
    assert re.findall(r'class="co-limit" style="left:([\d.]+)%', drawn) == ["33.33", "66.67"]
    shade = re.search(r'class="co-shade" data-shade style="left:([\d.]+)%;width:([\d.]+)%', drawn)
    assert shade and (shade[1], shade[2]) == ("33.33", "66.67")
    assert 'value="10"' in drawn and drawn.count('type="number"') == 2


def test_without_a_brush_the_shade_is_hidden_and_the_fields_are_empty() -> None:
    drawn = hist.histogram(a_histogram(), "en")
    assert "data-shade hidden" in drawn and "value=" not in drawn


def test_missing_values_are_counted_and_can_be_chosen() -> None:
    drawn = hist.histogram(a_histogram(missing=1200, alone=True), "en")
    assert "1,200 without" in plain(drawn) and 'data-act="missing"' in drawn and 'aria-pressed="true"' in drawn
    assert "without" not in plain(hist.histogram(a_histogram(), "en"))


@pytest.mark.parametrize("changed", [{"edges": (), "every": (), "shown": (), "kept": ()},
                                     {"every": (0, 0, 0), "shown": (0, 0, 0), "kept": (0, 0, 0)}])
def test_a_column_without_values_says_so(changed: dict) -> None:
    drawn = hist.histogram(a_histogram(**changed), "en")
    assert "No document has a value." in drawn and "<svg" not in drawn


# --- the map of two values -------------------------------------------------------------------------------------------

def a_heat(**changed: object) -> heat.Heat:
    return heat.Heat(**{"x": "quality", "y": "toxicity", "x_edges": (0.0, 0.5, 1.0), "y_edges": (0.0, 0.1, 1.0),
                        "cells": ((7, 0), (1, 900)), **changed})


def test_the_lowest_row_is_drawn_last_and_cells_carry_their_spans() -> None:
    drawn = heat.heat(a_heat(), "en")
    assert attributes(drawn, "data-value") == ["0 0.5 0.1 1", "0.5 1 0.1 1", "0 0.5 0 0.1"]
    assert set(attributes(drawn, "data-key")) == {"quality toxicity"}
    assert [title.split(" ")[0] for title in attributes(drawn, "title")] == ["1", "900", "7", "0"]


def test_empty_cells_cannot_be_pressed() -> None:
    drawn = heat.heat(a_heat(), "en")
    assert drawn.count("<button") == 3 and drawn.count("<i ") == 1
    assert heat.heat(a_heat(chosen=(0.5, 1.0, 0.0, 0.1)), "en").count("<button") == 4  # so that it can be pressed away


def test_shades_rise_with_the_count_and_one_document_is_seen() -> None:
    shades = [heat.shade(n, 900) for n in (0, 1, 7, 900)]
    assert shades[0] == 0 and shades[1] > heat.LIGHTEST and shades == sorted(shades) and shades[3] == heat.DARKEST
    assert heat.shade(5, 0) <= heat.DARKEST


def test_the_chosen_cell_is_marked() -> None:
    drawn = heat.heat(a_heat(chosen=(0.5, 1.0, 0.1, 1.0)), "en")
    assert drawn.count('aria-pressed="true"') == 1


def test_a_map_of_nothing_says_so() -> None:
    assert "No shown document has both values." in heat.heat(a_heat(cells=((0, 0), (0, 0))), "en")


# --- bars ------------------------------------------------------------------------------------------------------------

def test_rows_can_be_pressed_and_say_shown_of_all() -> None:
    drawn = bars.bars("domains", [bars.Bar("law", 3, 12), bars.Bar("", 1, 4)], ["law"], "zh-CN", more=7)
    assert attributes(drawn, "data-value") == ["law", ""] and attributes(drawn, "aria-pressed") == ["true", "false"]
    assert "法律" in drawn and "（无）" in drawn and "另有 7 个" in drawn and "3 / 12" in plain(drawn)
    assert "width:25.0%" in drawn and "width:100.0%" in drawn


@pytest.mark.parametrize(("column", "said"), [
    ("domains", "No scorer gave domains."), ("words", "No shown document has a listed word."),
    ("sources", "No document is shown.")])
def test_lists_without_rows_say_why(column: str, said: str) -> None:
    assert said in bars.bars(column, [], [], "en")


def test_a_value_of_a_file_is_never_translated() -> None:
    assert bars.value_name("sources", "law", "zh-CN") == "law" and bars.value_name("words", "news", "zh-CN") == "news"


# --- the funnel ------------------------------------------------------------------------------------------------------

def a_slider(**changed: object) -> funnel.Slider:
    return funnel.Slider(**{"test": 0, "column": "n_chars", "drop_if": "<=", "limit": 200.0, "now": 200.0,
                            "stops": (0.0, 100.0, 200.0, 400.0), "kept": (90, 80, 60, 10), **changed})


def a_step(**changed: object) -> funnel.Step:
    return funnel.Step(**{"rule": "length", "before": 100, "first": 40, "every": 45, "only": 30,
                          "sliders": (a_slider(),), **changed})


def test_the_three_counts_are_told_apart_and_each_shows_its_documents() -> None:
    drawn = funnel.funnel([a_step()], 100, ["failed length"], "en")
    numbers = re.findall(r'<button[^>]*class="co-n"[^>]*data-act="(\w+)" data-key="(\w+)"[^>]*>([\d,]+)<', drawn)
    assert numbers == [("first", "length", "40"), ("failed", "length", "45"), ("only", "length", "30")]
    assert re.findall(r'class="co-n" aria-pressed="(\w+)"', drawn) == ["false", "true", "false"]
    assert "100 come, 40 go (40.0 %), 60 stay" in drawn


def test_bars_of_the_funnel_are_shares_of_all_documents() -> None:
    drawn = funnel.funnel([a_step(before=50, first=10)], 200, [], "en")
    assert 'class="co-stay" style="width:20.00%"' in drawn and 'class="co-go" style="width:5.00%"' in drawn


def test_a_number_of_nothing_cannot_be_pressed_unless_it_is_what_is_shown() -> None:
    step = a_step(first=0, every=0, only=0, sliders=())
    assert funnel.funnel([step], 100, [], "en").count(" disabled") == 3
    assert funnel.funnel([step], 100, ["only length"], "en").count(" disabled") == 2


def test_a_slider_stands_on_its_limit_and_sends_the_stops() -> None:
    drawn = funnel.funnel([a_step()], 100, [], "en")
    slide = re.search(r'<input type="range"[^>]*>', drawn)
    assert slide and 'max="3"' in slide[0] and 'value="2"' in slide[0]
    assert json.loads(attributes(slide[0], "data-stops")[0]) == [0, 100, 200, 400]
    assert "drop if characters ≤" in plain(drawn) and "back to" not in drawn


def test_a_moved_slider_says_where_it_came_from() -> None:
    drawn = funnel.funnel([a_step(sliders=(a_slider(now=400.0),))], 100, [], "en")
    assert "back to 200" in drawn and 'data-act="reset" data-key="0"' in drawn and "co-moved" in drawn
    assert 'class="co-own" style="left:66.67%"' in drawn and 'data-now style="left:100.00%"' in drawn


@pytest.mark.parametrize(("value", "place"), [(-5, 0), (0, 0), (149, 1), (151, 2), (9e9, 3)])
def test_the_nearest_stop(value: float, place: int) -> None:
    assert funnel.nearest(value, (0.0, 100.0, 200.0, 400.0)) == place


def test_no_stop_is_no_error() -> None:
    drawn = funnel.funnel([a_step(sliders=(a_slider(stops=(), kept=()),))], 100, [], "en")
    assert 'max="1"' in drawn and "<polyline" not in drawn and funnel.nearest(1.0, ()) == 0
    assert Balance(drawn).scripts == 0


def test_the_curve_goes_from_the_least_to_the_most_that_is_kept() -> None:
    points = re.search(r'<polyline points="([^"]*)"', funnel.curve((10, 60, 60, 110)))
    assert points
    heights = [float(pair.split(",")[1]) for pair in points[1].split()]
    assert heights[0] == funnel.HEIGHT - 2 and heights[3] == 2 and heights[1] == heights[2] == funnel.HEIGHT / 2
    assert "NaN" not in funnel.curve((5, 5, 5)) and funnel.curve((5,)) == ""


def test_a_recipe_without_rules_says_so() -> None:
    assert "no rule" in funnel.funnel([], 10, [], "en")


def test_overlap_is_symmetric_on_the_page_and_its_diagonal_is_what_a_rule_drops() -> None:
    drawn = funnel.overlap(["length", "script"], [[5, 2], [2, 9]], "en")
    assert "5 documents fail length" in drawn and "9 documents fail script" in drawn
    assert "2 documents fail both length and script" in drawn and "2 documents fail both script and length" in drawn
    assert drawn.count("co-self") == 2


@pytest.mark.parametrize(("rules", "counts"), [([], []), (["a", "b"], [[1, 2]])])
def test_an_overlap_that_does_not_fit_is_left_out(rules: list, counts: list) -> None:
    assert funnel.overlap(rules, counts, "en") == ""


# --- the list --------------------------------------------------------------------------------------------------------

def a_line(place: int = 0, **changed: object) -> table.Line:
    return table.Line(**{"place": place, "source": "a.jsonl", "number": place + 1, "snippet": "some words here",
                         "failed": (), "domain": "law", "values": (12.0, None), **changed})


def a_listing(*lines: table.Line, **changed: object) -> table.Listing:
    return table.Listing(**{"lines": lines, "columns": ("n_chars", "quality"), "shown": 120, "offset": 50, "limit": 50,
                            "sort": "quality", "descending": True, **changed})


def test_rows_say_verdict_domain_and_values() -> None:
    failed = ("length", "script", "traditional", "sensitive", "duplication")
    said = plain(table.table(a_listing(a_line(7), a_line(8, failed=failed)), "en"))
    assert "7 some words here kept law 12 –" in said
    assert "8 some words here length script traditional +2 law" in said


def test_what_a_snippet_is_about_is_marked() -> None:
    drawn = table.table(a_listing(a_line(snippet="ab<cd>ef", mark=(2, 6))), "en")
    assert "ab<mark>&lt;cd&gt;</mark>ef" in drawn
    assert "<mark>" not in table.table(a_listing(a_line()), "en")


def test_a_text_of_nothing_can_still_be_opened() -> None:
    assert "(empty text)" in table.table(a_listing(a_line(snippet="  ")), "en")


def test_the_sorted_column_says_its_direction() -> None:
    drawn = table.table(a_listing(a_line()), "en")
    assert drawn.count('aria-sort="descending"') == 1 and "quality ↓" in drawn
    assert "no. ↑" in table.table(a_listing(a_line(), sort="place", descending=False), "en")


@pytest.mark.parametrize(("offset", "lines", "shown", "back", "on"), [
    (0, 50, 120, None, "50"), (50, 50, 120, "0", "100"), (100, 20, 120, "50", None), (0, 3, 3, None, None)])
def test_the_pager_knows_both_ends(offset: int, lines: int, shown: int, back: str | None, on: str | None) -> None:
    drawn = table.table(a_listing(*map(a_line, range(lines)), offset=offset, shown=shown), "en")
    buttons = re.findall(r'<button[^>]*data-act="page" data-key="(\d+)"[^>]*?(disabled)?>', drawn)
    assert [None if off else key for key, off in buttons] == [back, on]
    assert f"{offset + 1} – {offset + lines} of {shown}" in drawn


def test_the_open_document_is_marked_and_keys_listen() -> None:
    drawn = table.table(a_listing(a_line(7), a_line(8), opened=8), "en")
    assert drawn.count('class="co-opened"') == 1 and 'data-key="8" data-focus="open.8"' in drawn
    assert 'aria-current="true"' in drawn and 'data-keys="list"' in drawn


def test_nothing_shown_says_what_to_do() -> None:
    assert "Take something out of it" in table.table(a_listing(), "en")


def test_chips_say_what_they_take_away() -> None:
    drawn = table.chips([("failed.length", "fails length"), ("search", HOSTILE)], "en")
    assert attributes(drawn, "data-key") == ["failed.length", "search"] and 'data-act="clear"' in drawn
    assert "<script" not in drawn and table.chips([], "en") == ""


@pytest.mark.parametrize(("shown", "said"), [
    (123, "123 of 600 documents (20.5 %) · filter 1a2b3c4d"), (600, "all 600 documents · filter 1a2b3c4d"),
    (0, "0 of 600 documents (0.0 %) · filter 1a2b3c4d")])
def test_every_count_says_shown_total_and_filter(shown: int, said: str) -> None:
    assert plain(table.counted(shown, 600, "1a2b3c4d", "en")) == said


def test_a_page_of_fifty_rows_is_small() -> None:
    lines = [a_line(place, snippet="汉" * 92, failed=("length", "script", "traditional", "sensitive"),
                    values=(123456.0, 0.12345)) for place in range(50)]
    assert len(table.table(a_listing(*lines, shown=1_000_000), "zh-CN").encode()) < 60_000


# --- the reader ------------------------------------------------------------------------------------------------------

def test_pieces_are_marked_with_every_kind_and_their_note() -> None:
    drawn = marks.marked([marks.Piece("plain "), marks.Piece("bad", ("sensitive", "duplication"), "spam"),
                          marks.Piece("\nend")], "en")
    assert re.search(r'plain <mark class="co-m co-m-sensitive co-m-duplication" '
                     r'title="listed word, repeated window: spam">bad</mark>\nend', drawn)


def test_a_document_is_text_and_never_a_page() -> None:
    drawn = marks.marked([marks.Piece(HOSTILE), marks.Piece(HOSTILE, (HOSTILE,), HOSTILE)], "en")
    assert Balance(drawn).scripts == 0 and drawn.count("&lt;script&gt;") >= 3


def test_a_long_text_is_cut_and_says_so() -> None:
    drawn = marks.marked([marks.Piece("a" * marks.LONGEST), marks.Piece("b" * 10, ("sensitive",))], "en")
    assert "b" * 10 not in drawn and "The first 30,000 of 30,010 characters are drawn." in plain(drawn)
    assert "characters are drawn" not in marks.marked([marks.Piece("a" * 50)], "en")


def test_the_legend_counts_places_of_each_kind() -> None:
    drawn = marks.legend([("sensitive", 2), ("traditional", 0), ("own kind", 1)], "zh-CN")
    assert plain(drawn) == "词表词 2 own kind 1" and "co-m-ownkind" in drawn
    assert marks.legend([("sensitive", 0)], "en") == ""


def a_test(**changed: object) -> marks.Judged:
    return marks.Judged(**{"rule": "length", "column": "n_chars", "value": 150.0, "drop_if": "<=", "limit": 200.0,
                           "fails": True, **changed})


def test_every_value_stands_beside_its_limit_with_its_verdict() -> None:
    drawn = marks.values([a_test(first=True), a_test(rule="script", column="script_ratio", value=0.2, drop_if="<",
                                                     limit=0.3), a_test(rule="mine", value=None, fails=False)], "en")
    assert re.findall(r'class="(co-is-\w+)"', drawn) == ["co-is-first", "co-is-fails", "co-is-passes"]
    said = plain(drawn)
    assert "length characters 150 ≤ 200 fails first" in said and "script share of the script 0.2 < 0.3 fails" in said
    assert "mine characters – ≤ 200 passes" in said and marks.values([], "en") == ""


def test_a_moved_limit_is_said_to_be_moved() -> None:
    assert "≤ 250 moved" in plain(marks.values([a_test(limit=250.0, moved=True)], "en"))


# --- all of them -----------------------------------------------------------------------------------------------------

def gallery(lang: str, evil: str = "") -> str:
    """One of each."""
    column = evil or "n_chars"
    return "".join((
        hist.histogram(a_histogram(column=column, limits=(10.0,), missing=3), lang),
        heat.heat(a_heat(x=column), lang), bars.bars("words", [bars.Bar(evil or "spam", 1, 2)], [], lang, 3),
        funnel.funnel([a_step(rule=evil or "length", sliders=(a_slider(column=column, now=1.0),))], 100, [], lang),
        funnel.overlap([evil or "length", "script"], [[1, 2], [2, 3]], lang),
        table.chips([(evil or "show", evil or "kept")], lang),
        table.table(a_listing(a_line(snippet=evil or "text", failed=(evil or "length",), domain=evil, source=evil)),
                    lang),
        marks.legend([(evil or "sensitive", 1)], lang), marks.marked([marks.Piece(evil or "text", (evil,))], lang),
        marks.values([a_test(rule=evil or "length", column=column)], lang)))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("evil", ["", HOSTILE])
def test_html_is_closed_in_order_and_holds_no_script(lang: str, evil: str) -> None:
    read = Balance(gallery(lang, evil))
    assert read.scripts == 0


@pytest.mark.parametrize("lang", LANGS)
def test_no_text_is_missing_a_value(lang: str) -> None:
    drawn = gallery(lang)
    assert not re.findall(r"\{\w+\}", drawn) and not re.findall(r"corpus\.\w+", plain(drawn))


def test_every_class_has_its_style() -> None:
    used = {name for name in Balance(gallery("en")).classes if name.startswith("co-")}
    bare = {"co-every", "co-step-head", "co-is-fails", "co-is-first", "co-is-passes", "co-hist"}
    assert not sorted(name for name in used - bare if f".{name}" not in STYLE)


def test_the_style_takes_its_colours_from_the_palette() -> None:
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl", STYLE)


def test_the_script_sends_one_kind_of_event() -> None:
    assert PRESS.count("trigger(") == 1 and "'select'" in PRESS
    assert "innerHTML" not in PRESS and "eval" not in PRESS


def test_both_languages_have_the_same_keys_and_places() -> None:
    english, chinese = (
        {key: sorted(re.findall(r"\{(\w+)\}", value)) for key, value in catalogue(lang).items()
         if key.startswith("corpus.")} for lang in LANGS)
    assert english == chinese and len(english) > 200

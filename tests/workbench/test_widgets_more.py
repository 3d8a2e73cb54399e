"""Bars, heat maps, figures, reports, sheets, strips and charts: places by hand, boundaries, odd and hostile values."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from typing import Any

import pytest

from backends.sweetiechat.measure_notes import TEXTS
from tests.workbench.test_measure_widgets import HOSTILE, TITLES, Balance, a_figure, a_report, a_source
from tests.workbench.test_scenario_widgets import CARD, POOL, SCENARIO, STATE, TEXT, rejected
from workbench import text
from workbench.widgets import levelchart
from workbench.widgets.bars import Bar, Value, bars, interval, key, number, stacked
from workbench.widgets.branches import Branch, Measure, columns, legend, lineage, turns_of
from workbench.widgets.branches import measures as table_of
from workbench.widgets.branches import trunk as trunk_of
from workbench.widgets.figures import figure_name, figures, note_text
from workbench.widgets.heatmap import FEW, heatmap
from workbench.widgets.levelchart import Line, chart
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.measures import measures
from workbench.widgets.rejections import LONGEST, MOST, rejections
from workbench.widgets.scenario_progress import scenario_strip
from workbench.widgets.scenario_sheet import scenario_sheet

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
HUGE = 10 ** 400
WRONG = (None, True, -3, 7, "x", [], {}, [None], {"a": 1}, math.nan, math.inf, HUGE)


def places(value: object, above: tuple = ()) -> Iterator[tuple]:
    """The way to every entry of a structure."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in inner:
        yield (*above, name)
        yield from places(entry, (*above, name))


def damaged(value: dict, first: int) -> Iterator[dict]:
    """For every entry the structure with another value in its place, going through ``WRONG`` from ``first`` on."""
    for step, way in enumerate(places(value)):
        made = copy.deepcopy(value)
        at: Any = made
        for name in way[:-1]:
            at = at[name]
        at[way[-1]] = WRONG[(first + step) % len(WRONG)]
        yield made


# --- loose values ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "expected"), [
    (0, True), (-1.5, True), (2 ** 1023, True), (HUGE, False), (-HUGE, False), (math.inf, False), (math.nan, False),
    (True, False), ("1", False), (None, False), ([1], False)])
def test_a_number_is_one_that_can_be_drawn(value: object, expected: bool) -> None:
    assert finite(value) is expected


def test_a_text_is_no_list_and_only_tables_are_tables() -> None:
    assert listed("abc") == () and listed((1, "x")) == (1, "x") and table([("a", 1)]) == {}
    assert tables([{"a": 1}, None, [{"b": 2}], "c"]) == ({"a": 1},) and tables({"a": {}}) == ()


# --- bars ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "percent", "shown"), [
    (0.0, True, "0.0"), (1.0, True, "100.0"), (0.12345, True, "12.3"), (1.005, False, "1.00"), (-0.5, False, "-0.50"),
    (None, True, "–"), (math.inf, False, "–"), (math.nan, True, "–")])
def test_a_share_is_in_percent_and_a_number_in_two_decimals(value: float | None, percent: bool, shown: str) -> None:
    assert number(value, percent) == shown


@pytest.mark.parametrize("value", [Value(0.5), Value(0.5, 0.1), Value(0.5, None, 0.9)])
def test_half_an_interval_is_none(value: Value) -> None:
    assert interval(value, True) == "" and "br-whisker" not in bars([Bar("A", (value,))])


def test_whiskers_references_and_lines_lie_on_the_scale_of_the_largest() -> None:
    html = bars([Bar("A", (Value(1.0, 0.5, 1.5),), 2.0), Bar("B", (Value(0.25),), 0.0)], percent=False, line=1.0)
    assert re.findall(r'br-ref" style="left:([\d.]+)%', html) == ["100.00", "0.00"]
    assert re.findall(r'br-line" style="left:([\d.]+)%', html) == ["50.00", "50.00"]
    assert re.findall(r'br-whisker" style="left:([\d.]+)%;width:([\d.]+)%', html) == [("25.00", "50.00")]
    assert re.findall(r'br-s1" style="width:([\d.]+)%', html) == ["50.00", "12.50"]


def test_of_more_than_two_series_two_are_drawn_and_a_crooked_interval_has_no_width() -> None:
    html = bars([Bar("A", (Value(0.2), Value(0.4, 0.5, 0.3), Value(0.9)))])
    assert html.count("br-line-of") == 2 and "br-s3" not in html and "width:0.00%" in html
    assert 'title="甲&quot;"' in bars([Bar('甲"', (Value(1.0),))], label="<b>") and "<b>" not in bars(
        [Bar("A", (Value(None), Value(1.0)))], label="<b>").split(">")[0]


def test_a_piece_has_its_number_from_six_percent_on() -> None:
    html = stacked([("甲", (0.06, 0.0599, math.nan, 0.0)), ("乙", (None,) * 4)], ["a", "b", "c", "d"], "stages")
    assert re.findall(r"<b>(\d+)</b>", html) == ["6"] and html.count("st-piece") == 2 and html.count("st-row") == 2
    assert 'aria-label="a: 6.0 %"' in html and [f"st-{n}" in html for n in (1, 2, 3, 4)] == [True] * 4
    Balance(html)


def test_a_key_of_nothing_is_empty_and_names_in_it_are_escaped() -> None:
    assert "<span>" not in key({}) and Balance(key({HOSTILE: HOSTILE})).scripts == 0


# --- heat map --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("count", "pale"), [(FEW - 1, True), (FEW, False)])
def test_a_row_is_pale_below_five_transitions(count: int, pale: bool) -> None:
    html = heatmap(["A", "B"], [[count, 0], [9, 0]], [[1.0, 0.0], [1.0, 0.0]], "en")
    assert html.count("hm-few") == int(pale) and html.count("·") == 2
    assert f"Transitions between strategies, {count + 9} in all" in html


def test_the_shade_of_a_cell_is_its_share_of_the_darkest() -> None:
    html = heatmap(["A", "B"], [[1, 3], [2, 2]], [[0.25, 0.75], [0.5, 0.5]], "zh-CN")
    assert re.findall(r"--s:(\d+)%", html) == ["15", "45", "30", "30"] and "measure." not in html


def test_counts_that_are_none_count_nothing() -> None:
    html = heatmap(["A", "B"], [[3, -1], [True, "2"]], [[1.0, 0.0], [HUGE, None]], "en")
    assert re.findall(r">(\d+)</td>", html) == ["100", "3", "0"] and heatmap([], [[1]], [[1]], "en") == ""
    assert Balance(heatmap([HOSTILE], [[1]], [[1.0]], "en")).scripts == 0


# --- figures ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("code", sorted(TEXTS))
def test_every_note_can_be_drawn_with_the_values_that_it_has(code: str, lang: str) -> None:
    names = re.findall(r"\{(\w+)\}", TEXTS[code])
    shown = note_text({"code": code, "text": "?", "values": {name: f"<{name}>" for name in names}}, lang)
    assert all(f"<{name}>" in shown for name in names) and "{" not in shown
    html = figures([[a_figure(notes=[{"code": code, "values": dict.fromkeys(names, HOSTILE)}])]], ["P"], [], lang)
    assert Balance(html).scripts == 0 and html.count("fg-notes") == 1


def test_a_note_without_its_values_keeps_its_places_and_odd_ones_are_left_out() -> None:
    assert note_text({"code": "few", "values": "x"}, "en") == "only {n} dialogues: the interval is rough"
    html = figures([[a_figure(notes=[None, 5, {"code": "x"}, {"code": "x", "text": "甲"}])]], ["P"], [], "en")
    assert html.count("<li>") == 1 and "甲" in html


def test_letters_of_notes_go_on_after_z_and_equal_words_share_one() -> None:
    notes = [{"code": "", "text": f"note {n}"} for n in range(28)]
    html = figures([[a_figure(notes=[*notes, notes[0]])]], ["P"], [], "en")
    assert re.findall(r"<li><sup>(\w+)</sup>", html)[25:] == ["z", "aa", "bb"] and html.count("<sup>a b c") == 1


def test_a_figure_of_one_source_only_leaves_a_dash_in_the_other_column() -> None:
    html = figures([[a_figure("distinct-1", 4.0)], [a_figure("distinct-2", 9.0, tokenizer="chars")]], ["甲", "乙"],
                   [{"name": "distinct-2", "value": 1.0}], "en")
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr>")[2:]]
    assert [c[:3].count("–") for c in cells] == [2, 1] and [c[-1] for c in cells] == ["treebank", "chars"]


@pytest.mark.parametrize(("low", "high", "sure"), [(0.1, 2.0, True), (-2.0, -0.1, True), (0.0, 2.0, False),
                                                   (-1.0, 0.0, False), (None, 2.0, False), (0.1, math.nan, False)])
def test_a_difference_is_sure_where_its_interval_leaves_zero_out(low: float | None, high: float, sure: bool) -> None:
    own = [a_figure()]
    html = figures([own, own], ["A", "B"], [{"name": "distinct-2", "value": 1.0, "low": low, "high": high}], "en")
    assert ("fg-sure" in html) is sure


@pytest.mark.parametrize(("name", "shown"), [
    ("success-8", "8"), ("average-turn-12", "12"), ("success-x", "success-x"), ("", ""),
    ("success-8-9", "success-8-9")])
def test_a_number_in_a_name_goes_into_its_words(name: str, shown: str) -> None:
    assert shown in figure_name(name, "en") and "{n}" not in figure_name(name, "zh-CN")


# --- the whole report ------------------------------------------------------------------------------------------------

APART = {"group": "words", "name": "distinct-2", "value": 0.0, "low": -1.0, "high": 1.0, "unit": "percent",
         "paired": False}


@pytest.mark.parametrize("first", [0, 5])
def test_one_wrong_value_anywhere_in_a_report_breaks_nothing(first: int) -> None:
    for report in damaged(a_report(a_source(), differences=[APART]), first):
        Balance(measures(report, TITLES, "zh-CN"))


def test_one_wrong_value_in_a_difference_breaks_nothing() -> None:
    for first in range(len(WRONG)):
        for apart in damaged(APART, first):
            Balance(figures([[a_figure()], [a_figure()]], ["A", "B"], [{**apart, "name": "distinct-2"}], "en"))


@pytest.mark.parametrize(("labels", "shown"), [(18376, "18,376"), (0, "0 labels"), (None, "– labels"),
                                               ("x", "– labels"), ([], "– labels")])
def test_a_reference_says_how_many_labels_it_has_if_it_knows(labels: object, shown: str) -> None:
    report = {**a_report(a_source()), "reference": {"name": "esconv", "labels": labels}}
    assert shown in measures(report, TITLES, "en")


@pytest.mark.parametrize(("reference", "titles", "shown"), [
    ("path:/home/甲/b.json", {}, "b.json"), ("run:x", {"run:x": "Mine"}, "Mine"), ("", {}, "source"),
    ("run:y", {}, "run:y")])
def test_a_source_without_a_title_is_called_by_the_end_of_its_reference(reference: str, titles: dict[str, str],
                                                                     shown: str) -> None:
    assert f"</i>{shown}</h3>" in measures(a_report(a_source(reference=reference)), titles, "en")


def test_a_third_source_is_not_drawn_and_a_picture_that_one_lacks_is_a_dash() -> None:
    report = a_report(a_source(), a_source(reference="b", stops={}), a_source(reference="third"))
    html = measures(report, {**TITLES, "third": "Third"}, "en")
    assert "Third" not in html and html.count('class="hm"') == 2
    assert '<p class="ms-help">–</p>' in html.split("ms-stops")[1].split("</section>")[0]


def test_quality_judged_anew_says_so_and_statuses_of_nobody_are_not_drawn() -> None:
    quality = {"judged": 0, "total": 7, "anew": True, "statuses": {}, "failed": {}, "unchecked": {"未知": 2}}
    html = measures(a_report(a_source(quality=quality)), TITLES, "en")
    assert "All 7 dialogues were judged anew" in html and "未知" in html and "Rules that failed" not in html
    assert "ms-quality" not in measures(a_report(a_source(quality={"total": 0})), TITLES, "en")


# --- scenarios -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("first", range(0, len(WRONG), 3))
def test_one_wrong_value_in_a_scenario_a_card_or_a_rejection_breaks_nothing(first: int) -> None:
    for now in damaged({"pool": POOL, "scenario": SCENARIO, "card": CARD, "type": rejected(), "text": TEXT}, first):
        one = {name: [value] if isinstance(value, dict) else [] for name, value in now.items()}
        Balance(scenario_sheet(now["pool"], "noise", one["scenario"], one["card"], "zh-CN"))
        Balance(rejections(one["type"] + one["text"], "en"))


def test_a_type_without_an_id_is_nobodys_parent() -> None:
    pool = {"types": [{"id": "noise", "name_en": "Noise"}, {"name_en": "Nameless"}, {}]}
    html = scenario_sheet(pool, "noise", [], [], "en")
    assert "Noise" in html and "Nameless" not in html and "grew out of" not in html


@pytest.mark.parametrize(("level", "shown"), [(1, "1 of 5"), (5, "5 of 5"), (0, None), (6, None), ("4", None),
                                              (True, None)])
def test_an_intensity_out_of_range_is_not_shown(level: object, shown: str | None) -> None:
    html = scenario_sheet(POOL, "noise", [{**SCENARIO, "intensity_0": level}], [], "en")
    assert (shown in html) if shown else "of 5" not in html


def test_a_card_without_anything_is_only_its_openness_in_both_languages() -> None:
    for lang, words in (("en", "openness – / 5"), ("zh-CN", "–")):
        html = scenario_sheet(POOL, "noise", [SCENARIO], [{"scenario_id": "gen-0001"}], lang)
        assert words in html and "<li>" not in html and "sc-card" in html


@pytest.mark.parametrize(("extra", "cut"), [(0, False), (1, True)])
def test_a_text_is_cut_after_its_longest_length(extra: int, cut: bool) -> None:
    html = rejections([rejected(candidate={"name": "字" * (LONGEST + extra)})], "zh-CN")
    assert ("…" in html) is cut and html.count("字" * LONGEST) == 1 and "字" * (LONGEST + 1) not in html


@pytest.mark.parametrize(("count", "more"), [(MOST, False), (MOST + 1, True)])
def test_the_rest_is_counted_from_the_sixteenth_on(count: int, more: bool) -> None:
    html = rejections([rejected(n, reasons=["fit", "未知"]) for n in range(count)], "en")
    assert ("and 1 earlier ones" in html) is more and f"{count} candidates rejected" in html and "未知" in html


@pytest.mark.parametrize(("changes", "width"), [
    ({"types": 45, "cells": 5}, "88.4"), ({"types": 99, "cells": 0}, "76.7"), ({"types": 3}, "0.0"),
    ({"types": 45, "cells": 999}, "100.0"), ({"target": 12, "types": 12, "count": 0}, "0.0"),
    ({"target": math.inf, "types": math.nan, "seeds": HUGE}, "0.0")])
def test_the_line_fills_with_types_first_and_cells_after(changes: dict[str, object], width: str) -> None:
    html = scenario_strip("running", {**STATE, **changes}, 1.0, "", None, "en")
    assert f"width:{width}%" in html


def test_a_queued_or_loading_run_says_what_the_service_says_and_a_status_is_escaped() -> None:
    assert "2 跑在前面" in scenario_strip("queued", {}, 0.0, "2 跑在前面", None, "zh-CN")
    assert "Fetching" in scenario_strip("running", {"phase": "odd"}, 0.0, "Fetching", None, "en")
    assert Balance(scenario_strip(HOSTILE, {}, 0.0, HOSTILE, {}, "en")).scripts == 0


# --- branches and their courses --------------------------------------------------------------------------------------

def turn(place: int, said: str, level: int | None = None, **more: object) -> dict:
    private = {"emotion": "sad", "intensity": level} if level is not None else None
    return {"role": "supporter" if place % 2 else "seeker", "text": said, "private": private, **more}


def branch(letter: str, *said: str, **more: object) -> Branch:
    turns = [turn(n, words) for n, words in enumerate(said)]
    return Branch(letter, {"turns": turns, "stop_reason": "goodbye"}, "x", **more)


def test_steps_hold_a_level_until_the_next_reading() -> None:
    html = chart([Line("A", ((0, 5.0), (4, 1.0)))], 0, EN)
    assert 'd="M26.0 10.0H610.0V146.0"' in html and "dt-fork" not in html and "stroke-dasharray" not in html
    assert re.findall(r'text-anchor="middle">(\d)</text>', html) == ["1", "2", "3", "4", "5"]
    assert "A: 5.0 – 1.0" in html and ZH("compare.chart.fork") in chart([Line("A", ((0, 5.0), (4, 1.0)))], 3, ZH)


def test_the_shared_part_is_drawn_once_and_every_branch_begins_at_its_end() -> None:
    lines = [Line(name, ((0, 4.0), (2, 3.0), (4, level))) for name, level in (("A", 2.0), ("B", 5.0))]
    html = chart(lines, 3, EN)
    assert html.count("dt-trunk") == 1 and html.count("<circle") == 4, "the last shared reading and the own one, each"
    assert re.findall(r'<path d="M([\d.]+)', html) == ["318.0", "318.0"]


def test_lines_of_one_level_lie_beside_one_another() -> None:
    html = chart([Line(name, ((0, 3.0), (1, 3.0))) for name in "AB"], 0, EN)
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', html)]
    assert heights == [78.0, 78.0, 78.0 + levelchart.SHIFT, 78.0 + levelchart.SHIFT]


@pytest.mark.parametrize(("last", "labels"), [(8, 9), (11, 12), (12, 7), (80, 9)])
def test_a_long_talk_has_few_turn_numbers(last: int, labels: int) -> None:
    html = chart([Line("A", ((0, 3.0), (last, 2.0)))], 0, EN)
    assert html.count('text-anchor="middle"') == labels


@pytest.mark.parametrize("live", [None, "x", [], {"role": "counselor", "idx": 2}, {"role": "seeker", "idx": 1},
                                  {"role": "seeker"}])
def test_only_the_next_turn_of_a_speaker_is_being_written(live: object) -> None:
    assert len(turns_of(branch("A", "a", "b", live=live))) == 2


def test_a_live_turn_without_words_yet_has_its_place_and_is_not_compared() -> None:
    both = [branch("A", "a", "b", "old words"), branch("B", "a", "b", live={"role": "seeker", "idx": 2, "text": None})]
    html = columns(both, 2, EN, "en")
    assert html.count("dt-caret") == 1 and EN("compare.other") not in html and "<mark>" not in html


@pytest.mark.parametrize(("count", "opened"), [(1, True), (4, True), (5, False)])
def test_a_long_shared_part_is_folded(count: int, opened: bool) -> None:
    html = trunk_of(branch("A", *["words"] * 6), count, EN, "en")
    assert (" open>" in html) is opened and EN("compare.shared", count=count) in html


def test_hidden_rows_are_counted_on_the_button() -> None:
    html = columns([branch("A", *"abcdefgh"), branch("B", "a")], 0, EN, "en", cells=6)
    assert html.count("<article") == 4 and EN("compare.more", count=5) in html
    assert html.count('class="dt-cell dt-void') == 2
    assert "dt-branches" in columns([branch("A"), branch("B")], 0, ZH, "zh-CN")


def test_a_feeling_out_of_range_is_not_drawn_under_a_turn() -> None:
    value = {"turns": [turn(0, "甲", 5), turn(1, "乙"), turn(2, "丙", 9)], "stop_reason": "goodbye"}
    html = columns([Branch("A", value, "x")], 0, EN, "en")
    assert html.count("dt-feeling") == 1 and "5 of 5" in html


def test_lines_with_equal_values_are_plain_and_every_text_is_escaped() -> None:
    html = table_of(["A", HOSTILE], [Measure("n", "", ("1", "1")), Measure(HOSTILE, HOSTILE, (HOSTILE, "–"))], EN)
    assert Balance(html).scripts == 0 and html.count("dt-differs") == 1 and unescape(html).count(HOSTILE) == 4


def test_a_legend_shows_a_state_only_while_there_is_one_and_four_colours() -> None:
    html = legend([branch(letter, state="writes" if letter == "E" else "") for letter in "ABCDE"], EN)
    assert html.count("dt-sub") == 1 and html.count("dt-b1") == 2 and "dt-b5" not in html


@pytest.mark.parametrize(("steps", "shown"), [([], False), (["a"], False), (["a", "b"], True), ("ab", False)])
def test_the_depth_of_a_fork_is_told_from_the_second_on(steps: object, shown: bool) -> None:
    html = lineage({"of": "x", "lineage": steps}, "changed", "", ZH)
    assert (ZH("branch.depth", count=2) in html) is shown and "changed" in html

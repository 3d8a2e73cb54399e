"""Packing of states, the player's frame, the curve and the film: functions from a result to HTML, SVG and pictures."""

from __future__ import annotations

import html
import io
import json
import math
import random
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends.sm2.requests import CurveResult
from panels import translation_simul_chart as curves
from tests.panels.simul_cases import END, curve_result, long, made, practice, small
from workbench.contract import UserError
from workbench.fields import from_json
from workbench.text import catalogue, places, say
from workbench.theme import FOLDER
from workbench.widgets import sm2_film as films
from workbench.widgets import sm2_player as players
from workbench.widgets import sm2_states as states

HOSTILE = "▁<img src=x onerror=alert(1)>&\"'"


# --- packing -------------------------------------------------------------------------------------------------------

@given(st.lists(st.floats(0, 1), max_size=40))
def test_confidences_survive_packing_to_four_figures(row: list[float]) -> None:
    text = states.packed(row)
    assert len(text) == 2 * len(row)
    assert states.unpacked(text) == pytest.approx(row, abs=1.3e-4)


@pytest.mark.parametrize(("value", "kept"), [(None, 0), ("0.5", 0), (True, 0), (-3, 0), (7, 1), (math.nan, 0),
                                             (math.inf, 0), (1, 1), (0, 0)])
def test_what_is_no_confidence_is_held_between_0_and_1(value: Any, kept: float) -> None:
    assert states.unpacked(states.packed([value])) == [kept]


def test_the_practice_sentence_is_packed_as_it_was_computed() -> None:
    result = practice()
    play = states.play_of(result, "practice", 3, 2)
    assert len(play.ranges) == len(result["ranges"]) > 10 and [t.kind for t in play.others] == ["wait-k", "full"]
    for track, one, grid in zip(play.ranges, result["ranges"], result["grids"], strict=True):
        assert (track.low, track.high, track.actions) == (one["low"], one["high"], one["log"]["actions"])
        assert play.written(track) == one["log"]["prediction"]
        assert track.delays == one["log"]["token_delays"]
        assert track.tokens == tuple(round(v, 3) for v in one["log"]["tokens"].values())
        for row, kept in zip(grid, play.grid(track), strict=True):
            assert kept == pytest.approx(row, abs=2e-4)
    assert len(play.rows) < sum(len(grid) for grid in result["grids"]) / 2, "rows that are the same are kept once"


def test_any_threshold_gives_what_the_model_decides_at_it() -> None:
    """Against the plain decoder, which knows nothing of ranges."""
    from backends.sm2.decode import translate_plainly
    from backends.sm2.policy import Policy
    from backends.sm2.storage import open_translator
    from backends.sm2.translate import PRACTICE

    translator, play = open_translator(PRACTICE, "cpu"), states.play_of(practice(), "practice")
    ids, draw = translator.vocabulary.encode(play.text), random.Random(3)
    tried = [draw.random() for _ in range(12)] + [0.0854, 0.1, 0.5, 0.99, 0.9985, 1.0]
    for threshold in tried:
        trace = translate_plainly(translator.model, ids, Policy("sm2", threshold=threshold))
        track = play.at(threshold)
        assert track.actions == trace.actions, threshold
        assert play.written(track) == translator.vocabulary.decode(trace.tokens)


@pytest.mark.parametrize(("threshold", "number"), [(0.001, 0), (0.4, 0), (0.4001, 1), (1.0, 1)])
def test_a_range_holds_its_upper_end_and_not_its_lower(threshold: float, number: int) -> None:
    play = states.play_of(small(), "m")
    assert play.at(threshold) is play.ranges[number]


def test_a_gap_is_answered_by_the_range_below_it() -> None:
    result = made(("▁a", END), [(0.0, 0.3, ("▁x", END), "RWRW"), (0.6, 0.7, ("▁y", END), "RRWW")])
    play = states.play_of(result, "m")
    assert [play.written(play.at(t)) for t in (0.2, 0.5, 0.65, 0.9)] == ["x", "x", "y", "y"]


def test_a_model_without_ranges_has_no_threshold() -> None:
    play = states.play_of(made(("▁a", END), []), "m")
    with pytest.raises(UserError, match="no trained confidence"):
        play.at(0.5)
    assert [track.kind for track in play.others] == ["wait-k", "full"]


@pytest.mark.parametrize(("source", "target", "written", "labels"), [
    (("▁Guten", "▁Tag", END), ("▁Good", "▁day", END), "Good day", ["Guten", "Tag", END]),
    (("▁un", "heim", "lich", END), ("▁un", "can", "ny", END), "uncanny", ["un", "heim", "lich", END]),
    (("▁我", "昨天", "▁", END), ("▁I", END), "I", ["我", "昨天", "␣", END]),
    (("svo", "n1", END), ("N1", "V2", END), "N1 V2", ["svo", "n1", END]),
    (("▁a▁b", END), ("▁New▁York", END), "New York", ["a b", END])])
def test_pieces_become_text_with_or_without_marks_of_spaces(source: tuple[str, ...], target: tuple[str, ...],
                                                            written: str, labels: list[str]) -> None:
    play = states.play_of(made(source, [(0.0, 1.0, target, "R" * len(source) + "W" * len(target))]), "m")
    assert play.written(play.ranges[0]) == written
    assert [piece.label for piece in play.source] == labels


@pytest.mark.parametrize("change", [
    lambda r: r.pop("overlay"), lambda r: r.pop("floor"), lambda r: r.update(ranges=[{"low": 0}]),
    lambda r: r.update(grids=[]), lambda r: r["ranges"][0].pop("log"), lambda r: r["ranges"][0].update(low=None),
    lambda r: r["ranges"][0]["log"].pop("actions"), lambda r: r.update(floor="low")])
def test_a_damaged_result_is_refused_in_words(change: Any) -> None:
    result = small()
    change(result)
    with pytest.raises(UserError, match="no states of a sentence"):
        states.play_of(result, "m")


@pytest.mark.parametrize("count", [10, 80, 81, 200])
def test_charts_show_at_most_so_many_tokens_a_side(count: int) -> None:
    play = states.play_of(long(count), "m")
    grid = play.grid(play.ranges[0])
    assert len(grid) == min(count, states.SIDE) and {len(row) for row in grid} == {min(count, states.SIDE)}
    assert len(play.source) == count and len(play.ranges[0].pieces) == count, "the text itself is whole"


def test_a_sentence_with_many_translations_stays_small_and_keeps_the_widest() -> None:
    result = long(80, 40)
    result["ranges"][7]["high"] = 0.199
    play = states.play_of(result, "m")
    assert len(states.as_json(play).encode()) < 200_000
    whole = [track for track in play.ranges if track.rows]
    bare = [track for track in play.ranges if not track.rows]
    assert whole and bare and play.ranges[-1] in whole, "the range up to 1 is the widest on the slider"
    width = {track: states.place(track.high) - states.place(track.low) for track in play.ranges}
    assert min(width[t] for t in whole) >= max(width[t] for t in bare) - 1e-9
    for track, one, grid in zip(play.ranges, result["ranges"], result["grids"], strict=True):
        assert track.actions == one["log"]["actions"], "no translation is lost"
        if track in whole:
            assert play.grid(track)[3] == pytest.approx(grid[3], abs=2e-4)
    assert bare[0].path == tuple(0.6 if action == "W" else None for action in bare[0].actions)


def test_without_rows_the_grid_has_what_was_met_on_the_way() -> None:
    play = states.play_of(small(), "m")
    bare = replace(play.ranges[1], rows=())
    assert play.grid(bare) == [[None, 0.6, None], [None, None, 0.6], [None, None, 0.6]]
    assert play.grid(play.others[1]) == [[None, None, 0.6], [None, None, 0.6]]


def test_the_slider_spreads_thresholds_by_their_odds() -> None:
    spread = [states.place(t) for t in (0, 0.02, 0.0909, 0.5, 0.9, 0.99, 0.999, 0.9999, 1)]
    assert spread == sorted(spread) and spread[:2] == [0, 0] and spread[-2:] == [1, 1]
    assert states.place(0.999) - states.place(0.99) > 0.1, "the last thousandth has room"


def test_the_json_is_safe_between_tags_and_complete() -> None:
    play = states.play_of(made((HOSTILE, END), [(0, 1, (HOSTILE, END), "RRWW")]), "</pre><script>")
    text = states.as_json(play)
    assert not set("<>&") & set(text)
    value = json.loads(text)
    assert value["source"][0][0] == HOSTILE[1:] and value["model"] == "</pre><script>"
    assert set(value) == {"text", "model", "source", "pieces", "rows", "ranges", "others", "floor", "k", "min_read",
                          "side", "alphabet", "span"}
    assert "path" not in value["ranges"][0] and "rows" not in value["others"][0]


# --- the player's frame --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_the_frame_has_every_place_the_script_looks_for(lang: str) -> None:
    frame = players.player(states.play_of(small(), "m"), 0.5, lang)
    wanted = set(re.findall(r'\bat\("(\w+)"\)', players.script())) | {"source", "target"}
    assert wanted <= set(re.findall(r'data-sp="(\w+)"', frame))
    acts = set(re.findall(r'data-sp-do="(\w+)"', frame))
    assert acts == {"start", "back", "play", "next", "end", "less", "more", "save"}
    known = re.search(r"const act = \{(.*?)\n    \};", players.script(), re.S)
    assert known and all(re.search(rf"\b{name}: \(", known[1]) for name in (*acts, "track"))


def test_every_word_of_the_script_exists_and_its_places_are_filled() -> None:
    script, words = players.script(), players.words("en")
    asked = set(re.findall(r"(?<!one\.)\bwords\.(\w+)", script))
    assert asked == set(words)
    for lang in ("en", "zh-CN"):
        for name, text in players.words(lang).items():
            assert text and places(text) == places(words[name]) and text == catalogue(lang)[players.WORDS + name]


def test_the_frame_of_a_model_without_confidence_has_no_slider() -> None:
    frame = players.player(states.play_of(made(("▁a", END), []), "m"), 0.5, "en")
    assert 'data-sp="slider"' not in frame and 'data-sp="chart"' in frame


def test_numbers_of_an_untrained_head_do_not_look_like_confidences() -> None:
    play = states.play_of(made(("▁a", END), []), "m")
    assert all(c is None for track in play.others for row in (track.path, *play.grid(track)) for c in row)
    frame = players.player(play, 0.5, "en")
    assert "sp-scale" not in frame and "A dot" not in frame and "Across" in frame
    assert "sp-scale" in players.player(states.play_of(small(), "m"), 0.5, "en")


@pytest.mark.parametrize(("lang", "names"), [("en", ["SM2 at 0.500", "wait-7", "Full sentence"]),
                                             ("zh-CN", ["SM2，阈值 0.500", "wait-7", "整句"])])
def test_policies_are_called_in_files_as_on_the_page(lang: str, names: list[str]) -> None:
    play = states.play_of(small(), "m", k=7)
    assert [players.named(play, track, 0.5, lang) for track in (play.ranges[0], *play.others)] == names
    assert players.named(play, play.ranges[1], 0.99951, "en") == "SM2 at 0.9995", "near 1 more figures"


def test_data_cannot_leave_its_place() -> None:
    play = states.play_of(made((HOSTILE, END), [(0, 1, (HOSTILE, END), "RRWW")]), '"><script>alert(2)</script>')
    for whole in (players.player(play, 0.5, "en"), players.page(play, 0.5, "en", {HOSTILE: HOSTILE})):
        assert "<img" not in whole and "alert(2)</script>" not in whole
        inner = re.search(r'<pre hidden class="sp-data">(.*?)</pre>', whole, re.S)
        assert inner and json.loads(html.unescape(inner[1]))["source"][0][0] == HOSTILE[1:]


def test_a_saved_page_is_whole_and_needs_no_network() -> None:
    page = players.page(states.play_of(practice(), "practice"), 0.5, "en", {"Model": "practice"})
    assert page.startswith("<!doctype html>") and page.count("<script>") == 1
    assert "sm2.watch(document.body" in page and players.script() in page
    addresses = re.findall(r"https?://[^\"' )]+", page)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}, "the name of SVG, not an address"
    assert not re.search(r"\b(src|href)=|@import|url\(|fetch\(", page)
    assert 'data-sp-do="save"' not in page.split("<script>")[0]
    used = set(re.findall(r"var\(--wb-([\w-]+)\)", page.split("<script>")[0]))
    assert used <= set(re.findall(r"--wb-([\w-]+):", page))


def test_the_frame_stays_below_the_limit_of_a_page() -> None:
    for result in (practice(), long(80, 40), long(200, 1)):
        assert len(players.player(states.play_of(result, "m"), 0.5, "zh-CN").encode()) < 200_000


def test_colours_come_from_the_palette() -> None:
    style = (FOLDER / players.STYLE).read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", style)
    assert not re.findall(r"#[0-9a-fA-F]{6}\b|rgba?\(", players.script())


# --- the curve -----------------------------------------------------------------------------------------------------

def drawn_of(**changes: Any) -> str:
    return curves.chart(from_json(CurveResult, {**curve_result(), **changes}), "Model", partial(say, "en"))


def test_the_curve_shows_every_point_and_a_ring_for_the_threshold() -> None:
    drawn = drawn_of()
    assert drawn.count('class="tl-point"') == 6 and drawn.count('class="sp-ring"') == 1
    assert "BLEU 60.00" in drawn and "200 sentences" in drawn and "13a" in drawn
    points = json.loads(html.unescape(re.search(r'data-points="([^"]*)"', drawn)[1]))
    assert [p[0] for p in points] == [0.2, 0.9] and points[0][1] < points[1][1] and points[0][2] > points[1][2]
    for _, x, y in points:
        assert f'<circle cx="{x}" cy="{y}" r="4"/>' in drawn, "the ring goes where the dots are"


def test_points_without_latency_are_left_out_and_without_any_it_is_said() -> None:
    one = {**curve_result()["points"][0], "words": {"AL": None}}
    assert drawn_of(points=[one, curve_result()["points"][1]]).count('class="tl-point"') == 1
    for points in ([], [one]):
        said = drawn_of(points=points)
        assert "<svg" not in said and "no point" in said


def test_a_curve_without_thresholds_has_no_place_for_the_ring() -> None:
    waits = [point for point in curve_result()["points"] if point["kind"] != "sm2"]
    assert 'data-points="[]"' in drawn_of(points=waits)


def test_hostile_names_of_a_curve_stay_text() -> None:
    result = from_json(CurveResult, {**curve_result(), "signature": HOSTILE})
    for lang in ("en", "zh-CN"):
        assert "<img" not in curves.chart(result, HOSTILE, partial(say, lang))


# --- picture and film ----------------------------------------------------------------------------------------------

def shot(result: Any = None, threshold: float = 0.5) -> films.Shot:
    play = states.play_of(result or practice(), "practice")
    track = play.at(threshold) if play.ranges else play.others[0]
    return films.Shot(play, track, threshold if play.ranges else 0.0, "caption")


def test_a_film_has_a_frame_for_every_action_and_then_rests() -> None:
    one = shot()
    made_of = Image.open(io.BytesIO(films.film(one)))
    assert made_of.format == "GIF" and made_of.n_frames == len(one.track.actions) + 1
    made_of.seek(made_of.n_frames - 1)
    assert made_of.info["duration"] == films.LAST_MS and made_of.info.get("loop") == 0
    made_of.seek(0)
    assert made_of.info["duration"] == films.FRAME_MS


def test_a_long_film_has_at_most_so_many_frames() -> None:
    made_of = Image.open(io.BytesIO(films.film(shot(long(120)))))
    assert made_of.n_frames <= films.MOST_FRAMES


def pixel(picture: Image.Image, sheet: Any, row: int, column: int) -> tuple[int, ...]:
    """Near the corner of a cell, away from its dot and from the paths."""
    return picture.getpixel((sheet.x(column) + 6, sheet.y(row) + 30))


def test_cells_are_as_dark_as_they_are_sure() -> None:
    one = shot()
    big = replace(one, scale=2)
    sheet, picture = films._sheet(big), Image.open(io.BytesIO(films.still(one)))
    grid = one.play.grid(one.track)
    for row, column in ((7, 0), (7, 3), (3, 5), (4, 6)):
        want = films._mixed(films._colour("accent", False), films._colour("sheet", False), grid[row][column])
        assert pixel(picture, sheet, row, column) == pytest.approx(want, abs=3)


def test_frames_differ_and_show_more_and_more() -> None:
    one = shot()
    seen = [films.still(one, at) for at in range(len(one.track.actions) + 1)]
    assert len(set(seen)) == len(seen)
    assert films.still(one, 999) == seen[-1] == films.still(one) and films.still(one, -3) == seen[0]
    assert films.still(one) == films.still(one), "the same picture again"


@pytest.mark.parametrize("dark", [False, True])
def test_both_themes_and_policies_without_grid_are_drawn(dark: bool) -> None:
    play = states.play_of(small(), "m")
    for track in (*play.ranges, *play.others):
        made_of = Image.open(io.BytesIO(films.still(films.Shot(play, track, 0.0, "x", dark=dark))))
        assert made_of.getpixel((2, 2)) == films._colour("paper", dark) and made_of.width >= 840


def test_a_picture_names_the_other_paths_in_a_line_of_its_own() -> None:
    play = states.play_of(small(), "m")
    plain = films.Shot(play, play.ranges[1], 0.5, "caption")
    named = replace(plain, names=("wait-3", "整句"))
    sheets = [films._sheet(one) for one in (plain, named)]
    assert sheets[1].height - sheets[0].height == 22 and films._keys(plain) == []
    assert [name for name, _ in films._keys(named)] == ["wait-3", "整句"]
    assert [name for name, _ in films._keys(replace(named, track=play.others[0]))] == ["整句"], "not its own"
    pictures = [Image.open(io.BytesIO(films.still(one))) for one in (plain, named)]
    last = [{picture.getpixel((x, y)) for x in range(picture.width) for y in range(picture.height - 44, picture.height)}
            for picture in pictures]
    for colour in ("c2", "c4"):
        assert films._colour(colour, False) in last[1] and films._colour(colour, False) not in last[0]
    wide = films._sheet(replace(named, names=("x" * 200, "y" * 200)))
    assert wide.width > 400 * wide.font.getlength("x"), "long names stay inside"


def test_long_labels_and_long_lines_stay_inside() -> None:
    words = [f"▁{'Donaudampfschifffahrt' * 2}{n}" for n in range(12)] + [END]
    one = shot(made(words, [(0, 1, words, "R" * 13 + "W" * 13)]))
    sheet = films._sheet(one)
    for line in sheet.lines:
        assert all(x + sheet.font.getlength(piece.label) <= sheet.width or x == films.GAP for piece, x, _ in line)
    assert films._short("x" * 40) == "x" * 13 + "…" and films._short("short") == "short"


def test_chinese_is_drawn_with_a_font_that_has_it_or_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = shot(made(("▁我", "昨天", END), [(0, 1, ("▁I", END), "RRRWW")]))
    assert films.still(one)
    assert not films.lacks_glyphs(states.play_of(practice(), "m")), "no Chinese, no remark"
    monkeypatch.setattr(films, "CJK_FONTS", (("no-such-font.ttf", 0),))
    assert films.lacks_glyphs(one.play) and films.still(one)
    monkeypatch.setattr(films, "FONTS", ())
    assert films.still(one), "Pillow's own font is the last resort"

"""Widgets of clusters, labels, agreement, lab, scores and rounds at their edges: nothing, one, 50 and 51, very long
names, texts of many scripts, damaged values, keys."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.workbench.test_measure_widgets import Balance
from workbench import text
from workbench.widgets import corpus_agreement as agree
from workbench.widgets import corpus_clusters as clusters
from workbench.widgets import corpus_lab as lab
from workbench.widgets import corpus_labelling as labelling
from workbench.widgets import corpus_rounds as rounds
from workbench.widgets import corpus_scores as scores

EN: Callable[..., str] = partial(text.say, "en")
ZH: Callable[..., str] = partial(text.say, "zh-CN")
HOSTILE = "'\"><script>alert(1)</script><img src=x onerror=alert(1)>"
NAMES = ["", " ", "名" * 3000, HOSTILE, "a|b", "é👩‍👩‍👧", "\u202eabc", "{name} {count}", "&amp;", "0"]
MEMBER = clusters.MemberRow(3, "A", "a.jsonl", 512, 0.75, True, True, True, True, 1.0, 1.0, "begins")
CARD = labelling.Card(7, "title", "why", "text", (("good", "good"), ("bad", "bad")), False)


def plain(html: str) -> str:
    """The words that are seen; the HTML is nested well and has no script, image or handler of its own."""
    assert Balance(html).scripts == 0
    assert not re.search(r"<(?:script|img|iframe)\b", html, re.IGNORECASE)
    return escaping.unescape(re.sub(r"<[^>]+>", "", html))


def attributes(html: str, name: str) -> list[str]:
    return [escaping.unescape(value) for value in re.findall(rf'{name}="([^"]*)"', html)]


def dot(threshold: float, precision: float, recall: float) -> lab.Dot:
    return lab.Dot(threshold, precision, max(0.0, precision - 0.2), min(1.0, precision + 0.2), recall, recall)


# --- clusters -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [1, 2, 50, 51])
def test_every_cluster_of_a_page_is_one_line_with_the_keys_before_them(count: int) -> None:
    rows = [clusters.Row(number, 2, 1, 1, 1000) for number in range(count)]
    html = clusters.clusters(rows, 0, EN)
    assert html.count("<li>") == count and html.count('aria-pressed="true"') == 1
    assert attributes(html, "data-shortcut") == ["k ArrowUp", "j ArrowDown"]
    assert attributes(html, "data-key")[:2] == ["0", str(min(1, count - 1))], "one cluster is its own neighbour"


def test_large_numbers_of_a_cluster_are_grouped_and_told_aloud() -> None:
    html = clusters.clusters([clusters.Row(10**9, 1_000_000, 123_456, 9, 7_654_321)], 10**9, EN)
    assert "1,000,000" in html and "123,456" in html and "7,654,321" in html and 'data-key="1000000000"' in html


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("say", [EN, ZH])
def test_titles_sources_and_beginnings_of_any_kind_are_text(name: str, say: Callable[..., str]) -> None:
    html = clusters.members(3, [MEMBER, replace(MEMBER, place=4, title=name, source=name, snippet=name, best=False)],
                            4, name, 0, say)
    assert name in plain(html) and attributes(html, "data-place") == ["3"]


def test_the_decisions_on_a_cluster_have_one_key_each() -> None:
    html = clusters.members(3, [MEMBER], -1, "why", 0, EN)
    assert attributes(html, "data-shortcut") == ["a", "e", "x", "Enter"]
    assert re.findall(r'data-act="confirm" data-key="(\w+)"', html) == ["keep"], "what is ticked is sent as keep"
    assert "cl-open" not in html and "more members" not in html


def test_a_quality_of_zero_is_a_quality_and_none_is_none() -> None:
    zero = clusters.members(3, [replace(MEMBER, quality=0.0)], -1, "", 0, EN)
    assert "quality 0.000" in zero and "quality" not in plain(clusters.members(
        3, [replace(MEMBER, quality=None)], -1, "", 0, EN))


def test_two_empty_texts_side_by_side_are_two_empty_columns() -> None:
    html = clusters.side_by_side([], ("", ""), "", EN)
    assert html.count('class="cl-document cl-diff"') == 2 and "<del>" not in html and plain(html) == EN("label.diff")


def test_line_ends_and_markup_of_a_changed_stretch_stay_text() -> None:
    html = clusters.side_by_side([("removed", f"一\n{HOSTILE}", 1), ("added", "\n", 1)], (HOSTILE, "乙"), HOSTILE, ZH)
    assert "<del>一<br>" in html and "<ins><br></ins>" in html and HOSTILE in plain(html)


# --- labels -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [0, 1, labelling.LONGEST, labelling.LONGEST + 1])
def test_a_text_is_cut_only_where_it_is_longer_than_what_is_shown(length: int) -> None:
    html = labelling.card(replace(CARD, title="", why="", text="长" * length), ZH)
    assert html.count("长") == min(length, labelling.LONGEST)
    assert ("还有 1 个字符未显示" in html) is (length > labelling.LONGEST)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_to_label_is_text_whatever_is_in_it(name: str) -> None:
    html = labelling.card(replace(CARD, title=name, why=name, text=name, answers=((name, name),), automatic=name), EN)
    assert plain(html).count(name) >= 2 and attributes(html, "data-place") == ["7"]
    assert name in attributes(html, "data-key") or not name, "the key is sent back as it was"


@pytest.mark.parametrize(("count", "keys"), [(0, ""), (1, "1"), (12, "1234567890-="), (13, "1234567890-=")])
def test_answers_have_keys_as_long_as_there_are_keys(count: int, keys: str) -> None:
    html = labelling.card(replace(CARD, answers=tuple((f"v{n}", f"v{n}") for n in range(count)), several=True), EN)
    assert attributes(html, "data-shortcut") == [*keys, "Enter", "u", "s", "z"]
    assert attributes(html, "aria-keyshortcuts") == attributes(html, "data-shortcut")
    assert html.count('aria-pressed="false"') == count and 'aria-pressed="true"' not in html


def test_no_two_buttons_of_a_card_share_a_key() -> None:
    for several in (False, True):
        keys = attributes(labelling.card(replace(CARD, several=several), EN), "data-shortcut")
        assert len(keys) == len(set(keys)) and not {"j", "k"} & set(keys)


def test_the_script_of_the_keys_leaves_fields_and_held_keys_alone() -> None:
    for guard in ("input,textarea,select", "[contenteditable]", "e.ctrlKey", "e.metaKey", "e.altKey", "e.repeat"):
        assert guard in labelling.PRESS
    assert labelling.PRESS.count("trigger(") == 1 and "innerHTML" not in labelling.PRESS


@pytest.mark.parametrize("words", NAMES)
def test_a_finished_queue_says_why_and_offers_the_way_back_only(words: str) -> None:
    html = labelling.done(words, EN)
    assert words in plain(html) and attributes(html, "data-act") == ["undo"] and attributes(html, "data-place") == [""]


@pytest.mark.parametrize("count", [1, 50, 51])
def test_each_label_so_far_is_one_line_in_its_order(count: int) -> None:
    html = labelling.history([(n, "质量", f"答{n}", HOSTILE) for n in range(count)], ZH)
    assert re.findall(r'cl-answer">(答\d+)<', html) == [f"答{n}" for n in range(count)]
    assert plain(html).count("alert(1)") == 2 * count


# --- agreement ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kappa", "shown"), [(1.0, "1.000"), (-1.0, "−1.000"), (0.0, "0.000"), (None, "–"),
                                              (float("nan"), "–"), (float("inf"), "–")])
def test_kappas_at_the_ends_of_their_scale(kappa: float | None, shown: str) -> None:
    html = agree.agreement([agree.PairRow("甲", HOSTILE, 1, 0.0, kappa)], kappa, None, 1, ZH)
    assert f"<b>{shown}</b>" in html and f"<td>{shown}</td>" in html and "0.0 %" in html
    assert f"甲 · {HOSTILE}" in plain(html)


@pytest.mark.parametrize(("low", "high", "width"), [(0.0, 1.0, "100.0"), (0.5, 0.5, "0.5"), (1.0, 1.0, "0.5")])
def test_an_interval_of_no_width_is_still_seen(low: float, high: float, width: str) -> None:
    bar = agree.Bar("x", (low + high) / 2, low, high, 3, 9)
    html = agree.acceptance([bar], bar, bar, 1.0, "", EN)
    assert f'br-whisker" style="left:{100 * low:.1f}%;width:{width}%' in html


def test_what_was_left_out_is_said_even_where_nothing_is_accepted() -> None:
    nothing = agree.Bar("", None, 0.0, 1.0, 0, 66)
    assert HOSTILE in plain(agree.acceptance([], nothing, nothing, 0.0, HOSTILE, EN))


# --- the lab ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_a_curve_of_any_number_of_points(count: int) -> None:
    dots = [dot(n / 60, n / 60, 1 - n / 60) for n in range(count)]
    for html in (lab.curve(dots, None, None, EN), lab.against_threshold(dots, None, 0.0, 1.0, ZH)):
        assert html.count("<svg") == 1 and "nan" not in html and "inf" not in html
    assert lab.curve(dots, None, None, EN).count('data-act="threshold"') == count


@pytest.mark.parametrize("threshold", [0.1 + 0.2, 1e-12, 0.9999999999999999, -3.5, 1e300])
def test_a_point_sends_its_threshold_to_the_last_digit(threshold: float) -> None:
    (key,) = attributes(lab.curve([dot(threshold, 0.5, 0.5)], None, 0.5, EN), "data-key")
    assert float(key) == threshold


def test_points_of_one_recall_are_joined_from_the_highest_threshold_on() -> None:
    html = lab.curve([dot(0.1, 0.2, 0.5), dot(0.9, 0.8, 0.5), dot(0.5, 0.5, 0.1)], None, None, EN)
    assert attributes(html, "data-key") == ["0.5", "0.9", "0.1"]


@pytest.mark.parametrize("name", NAMES)
def test_figures_take_any_words(name: str) -> None:
    assert name in plain(lab.figures([(name, name, name)])) and "<dl" in lab.figures([])


# --- scores -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("count", "folded"), [(1, 0), (4, 0), (5, 1), (51, 47)])
def test_outputs_beyond_the_first_are_folded(count: int, folded: int) -> None:
    outputs = tuple((f"o{n}", f"o{n}", 0.5) for n in range(count))
    html = scores.scored([scores.Scored("r", "t", outputs)], ("r", "o0"), EN)
    assert html.count('data-act="explain"') == count and ("<details" in html) is bool(folded)
    assert (f"{folded} more" in html) is bool(folded)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_scorers_outputs_and_runs_are_text(name: str) -> None:
    html = scores.scored([scores.Scored(name, name, ((name, name, 1.0),), name, name)], (name, name), ZH)
    assert name in plain(html) and attributes(html, "data-key") == [f"{name}|{name}"]
    assert html.count('aria-pressed="true"') == 1


def test_no_scorer_is_nothing_and_an_output_like_another_scorer_s_is_not_pressed() -> None:
    assert scores.scored([], ("", ""), EN) == ""
    rows = [scores.Scored(name, name, (("score", "score", 0.5),)) for name in ("a", "b")]
    assert re.findall(r'data-key="(\w)\|score" aria-pressed="true"', scores.scored(rows, ("b", "score"), EN)) == ["b"]


@pytest.mark.parametrize("written", ["", "x", "汉字\n👩‍👩‍👧\u3000", HOSTILE, "\u202e\u0000"])
def test_a_marked_text_is_the_text_again(written: str) -> None:
    html = scores.marked(written, [(-1) ** n / (n + 1) for n in range(len(written))])
    assert plain(html.replace("<br>", "\n")) == written
    assert scores.marked(written, [0.0] * len(written)).count("<mark") == 0


def test_shares_that_do_not_fit_the_text_are_no_silent_cut() -> None:
    with pytest.raises(ValueError, match="zip"):
        scores.marked("一二三", [1.0])


def test_parts_that_cancel_are_drawn_and_nothing_divides_by_zero() -> None:
    html = scores.pushed("ab", [0.0, 0.0], [("a", 1, 0.0), (HOSTILE, 51, 0.0)], HOSTILE, EN)
    assert html.count("width:0.0%") == 2 and "×51" in html and "×1<" not in html and "alert(1)" in plain(html)


# --- rounds -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [1, 30, 51])
def test_judged_texts_say_how_many_of_all_are_shown(count: int) -> None:
    rows = [rounds.Judged(n, 0, "文", "", (), "") for n in range(count)]
    html = rounds.queue(rows, 12_345, True, ZH)
    assert f"12,345 条中显示 {count} 条" in html and html.count("<li>") == count
    assert [int(key) for key in attributes(html, "data-key")[::3]] == list(range(count))


@pytest.mark.parametrize(("length", "dots"), [(0, 0), (rounds.LONGEST, 0), (rounds.LONGEST + 1, 1)])
def test_a_judged_text_is_cut_at_its_length(length: int, dots: int) -> None:
    html = rounds.queue([rounds.Judged(0, 0, "长" * length, "toxic", ("答" * 500,), "")], 1, False, ZH)
    assert html.count("…") == dots and html.count("长") == min(length, rounds.LONGEST) and html.count("答") == 120


@pytest.mark.parametrize("row", [{}, {"word": None}, {"word": 5}, {"word": HOSTILE, "inside": "x", "outside": None},
                                 {"word": "法院", "strength": "x"}, {"word": "a|b", "strength": float("nan")}])
def test_a_damaged_proposal_is_drawn_with_dashes(row: dict[str, Any]) -> None:
    html = rounds.proposals([("law", HOSTILE, [row])], {}, EN)
    word = str(row.get("word", ""))
    assert word in plain(html) and "z – ·" in plain(html)
    assert attributes(html, "data-key") == [f"law|{word}"] * 2


@pytest.mark.parametrize(("row", "seen"), [
    ({}, ""), ({"gained": "law", "lost": None}, ""), ({"gained": [5, None], "text": 7}, "+ 5+ None7"),
    ({"gained": [HOSTILE], "lost": ["法律"], "snippet": HOSTILE}, f"+ {HOSTILE}− 法律{HOSTILE}")])
def test_a_damaged_change_is_one_line(row: dict[str, Any], seen: str) -> None:
    html = rounds.changes([row], EN, lambda name: name)
    assert html.count("<li>") == 1 and plain(html) == seen


def test_a_change_shows_the_beginning_of_its_text() -> None:
    assert rounds.changes([{"text": "长" * 500}], ZH, str).count("长") == 160 and rounds.changes([], ZH, str) == ""


def test_rounds_of_different_names_and_figures_are_text() -> None:
    rows = [rounds.Round(name, (None, 0.0, 1.0, float("nan")), (None,) * 4, None, (0, 10**9, 1)) for name in NAMES]
    html = rounds.rounds(rows, EN)
    assert html.count("<tr>") == len(NAMES) + 1 and "1,000,000,000" in html and HOSTILE in plain(html)

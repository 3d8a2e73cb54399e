"""Word diff, the chart of several courses and the columns of branches: what is drawn, and that no text is markup."""

from __future__ import annotations

import re
from functools import partial
from html import unescape
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.panels.test_transcript import ATTACKS, Tags, dialogue, poisoned, seeker, supporter
from workbench import text
from workbench.widgets import branches, levelchart, worddiff
from workbench.widgets.branches import Branch, Measure
from workbench.widgets.levelchart import Line

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
SHARED = (seeker(0, "I cannot sleep.", 4), supporter(1, "What keeps you awake?"))
ONE = dialogue(*SHARED, seeker(2, "An error at work.", 3), supporter(3, "It sounds like you feel tired.", "reflection"),
               seeker(4, "I do.", 2), stop_reason="max_turns")
TWO = dialogue(*SHARED, seeker(2, "An error at work.", 3), supporter(3, "It sounds like you feel ashamed.", "others"),
               seeker(4, "Leave me.", 5), supporter(5, "I am sorry."), seeker(6, "Go.", 5), stop_reason="want_to_stop")


def pair(**changes) -> list[Branch]:
    return [Branch("A", ONE, "Original", "<a>x</a>"), Branch("B", TWO, "turn 4: strategy", "<a>y</a>", **changes)]


# --- words ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("first", "second", "html"), [
    ("I feel tired.", "I feel sad.", "I feel <mark>sad</mark>."),
    ("I feel tired.", "I feel very tired.", "I feel <mark>very</mark> tired."),
    ("a b c d", "a X Y d", "a <mark>X Y</mark> d"),
    ("It's fine today", "It’s fine today", "<mark>It’s</mark> fine today"),
    ("Rest now", "rest now", "rest now"),
    ("我昨天没有睡好", "我昨天睡得很好", "我昨天睡<mark>得很</mark>好"),
    ("我 ok 了", "我 fine 了", "我 <mark>fine</mark> 了"),
    ("a < b", "a < c", "a &lt; <mark>c</mark>"),
    ("same words", "same words", "same words"),
])
def test_words_that_the_first_text_does_not_have_are_marked(first, second, html):
    assert worddiff.marked(worddiff.compare(first, second)) == html


def test_texts_with_little_in_common_stay_plain():
    found = worddiff.compare("Tell me what happened yesterday evening.", "Perhaps write one short letter.")
    assert found.shared < worddiff.ALIKE and not found.marked and "<mark>" not in worddiff.marked(found)
    assert worddiff.compare("", "").shared == 1.0 and not worddiff.compare("", "").marked
    assert worddiff.compare("", "new").shared == 0.0
    assert worddiff.compare("I do.", "Leave me.").shared == 0.0, "a full stop is no word"
    assert worddiff.compare("…", "…").shared == 1.0 and worddiff.compare("…", "?").shared == 0.0


def test_shared_is_twice_the_common_words_by_all_words():
    assert worddiff.compare("a b c d", "a b c e").shared == pytest.approx(2 * 3 / 8)
    assert worddiff.compare("a  b", "a b").shared == 1.0, "spaces do not count"


def test_a_very_long_text_is_not_compared_word_by_word():
    found = worddiff.compare("a " * 2000, "b " * 2000)
    assert found.shared == 0.0 and len(found.pieces) == 1


@given(st.text(max_size=120), st.text(max_size=120))
def test_the_pieces_are_the_second_text_and_nothing_else(first, second):
    found = worddiff.compare(first, second)
    assert "".join(piece.text for piece in found.pieces) == second
    assert 0.0 <= found.shared <= 1.0
    plain = unescape(re.sub(r"</?mark>", "", worddiff.marked(found)).replace("<br>", "\n"))
    assert plain == "".join(piece.text for piece in found.pieces)


@given(st.text(max_size=200))
def test_a_text_is_cut_without_loss(words):
    assert "".join(worddiff.parts_of(words)) == words


# --- the chart -----------------------------------------------------------------------------------------------------

def test_each_line_is_told_apart_by_colour_dash_and_letter():
    lines = [Line(letter, ((0, 4.0), (2, 3.0), (4, float(5 - n)))) for n, letter in enumerate("ABCD")]
    html = levelchart.chart(lines, 3, EN)
    assert [f"dt-b{n}" in html for n in (1, 2, 3, 4)] == [True] * 4
    assert all(f">{letter}</text>" in html for letter in "ABCD")
    assert sum(f'stroke-dasharray="{dash}"' in html for dash in levelchart.DASHES[1:]) == 3
    assert html.count("dt-trunk") == 1 and "dt-fork" in html
    assert "A: 4.0 – 5.0" in html and "D: 4.0 – 2.0" in html


def test_letters_never_lie_on_one_another():
    heights = levelchart._apart([40.0, 40.0, 41.0, 140.0])
    ordered = sorted(heights)
    assert all(b - a >= levelchart.GAP - 1e-9 for a, b in pairwise(ordered))
    low = levelchart._apart([levelchart.HEIGHT - levelchart.BOTTOM] * 4)
    assert max(low) <= levelchart.HEIGHT - levelchart.BOTTOM + 1e-9


@pytest.mark.parametrize("lines", [[], [Line("A", ())], [Line("A", ((0, 3.0),)), Line("B", ())]])
def test_nothing_is_drawn_before_two_readings(lines):
    assert levelchart.chart(lines, 0, EN) == ""


def test_one_line_without_readings_does_not_shift_the_colours():
    html = levelchart.chart([Line("A", ()), Line("B", ((0, 3.0), (2, 4.0)))], 0, EN)
    assert "dt-b2" in html and "dt-b1" not in html and "dt-trunk" not in html


def test_levels_beyond_the_scale_stay_inside():
    html = levelchart.chart([Line("A", ((0, 9.0), (2, -3.0)))], 0, EN)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', html)]
    assert all(0 <= y <= levelchart.HEIGHT for y in heights)


# --- columns -------------------------------------------------------------------------------------------------------

def test_the_shared_part_comes_once_and_the_rest_side_by_side():
    trunk, html = branches.trunk(pair()[0], 3, EN, "en"), branches.columns(pair(), 3, EN, "en")
    assert trunk.count("I cannot sleep.") == 1 and "I cannot sleep." not in html
    assert html.count('class="dt-rowof"') == 5, "turns 4 to 7 and the endings"
    assert "<mark>ashamed</mark>" in html and html.count("dt-void") == 2
    assert "Reflection EN" in html and "Others EN" in html
    assert html.count("dt-barlist") == 3, "the ranking of each supporter turn"
    assert "4 of 5" not in html and "2 of 5" in html and "5 of 5" in html


def test_the_switch_takes_the_marks_away():
    assert "<mark>" not in branches.columns(pair(), 3, EN, "en", mark=False)


def test_marks_compare_turns_of_the_same_speaker_only():
    shifted = [pair()[0], Branch("B", dialogue(*TWO["turns"][:3], seeker(3, "It sounds like me.")), "x")]
    assert "<mark>" not in branches.columns(shifted, 3, EN, "en")


def test_the_same_words_and_different_ones_are_said_to_be_so():
    same = [pair()[0], Branch("B", ONE, "nothing")]
    html = branches.columns(same, 3, EN, "en")
    assert html.count(EN("compare.same")) == 2
    assert EN("compare.other") in branches.columns(pair(), 3, EN, "en")


def test_a_turn_that_is_being_written_stands_in_its_column():
    live = {"role": "supporter", "idx": 7, "text": "I will sta", "strategy": "question"}
    html = branches.columns(pair(live=live, state="The supporter writes"), 3, EN, "en")
    assert "I will sta" in html and "dt-caret" in html and "The supporter writes" in html
    there = {**live, "idx": 3}
    assert "dt-caret" not in branches.columns(pair(live=there), 3, EN, "en"), "a turn that is there already"
    assert "dt-caret" not in branches.columns(pair(live="odd"), 3, EN, "en")


def test_many_turns_come_in_portions():
    long = dialogue(*(seeker(n, f"word {n}") if n % 2 == 0 else supporter(n, f"answer {n}") for n in range(80)))
    four = [Branch(letter, long, letter) for letter in "ABCD"]
    html = branches.columns(four, 0, EN, "en")
    assert html.count("<article") <= 60 and 'data-act="more"' in html
    assert 'data-act="more"' not in branches.columns(four, 0, EN, "en", cells=400)
    assert branches.columns([], 0, EN, "en") == ""


def test_ids_of_fold_outs_are_unique_on_the_page():
    ids = Tags(branches.trunk(pair()[0], 3, EN, "en") + branches.columns(pair(), 3, EN, "en")).ids
    assert len(ids) == len(set(ids)) and ids


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_branch_becomes_markup(attack):
    bad = [Branch(attack, poisoned(value, attack), attack, "", attack if n else "",
                  {"role": "seeker", "idx": len(value["turns"]), "text": attack}) for n, value in enumerate((ONE, TWO))]
    html = "".join((
        branches.legend(bad, EN), branches.trunk(bad[0], 3, EN, "en"), branches.columns(bad, 3, EN, "en"),
        branches.measures([attack, attack], [Measure(attack, attack, (attack, "y"))], EN),
        branches.lineage({"of": attack, "lineage": [attack, attack]}, attack, "", EN),
        levelchart.chart([Line(attack, ((0, 1.0), (2, 2.0)))], 1, EN),
        worddiff.marked(worddiff.compare(attack, f"{attack} more"))))
    tags = Tags(html)
    assert not set(tags.tags) & {"script", "img", "iframe"}
    assert not [name for name in tags.attributes if name.startswith("on") or name == "src"]
    assert attack in tags.words


def test_lines_that_differ_are_set_apart():
    rows = [Measure("Turns", "", ("5", "7")), Measure("Mode", "why", ("scored", "scored"))]
    html = branches.measures(["A", "B"], rows, EN)
    assert html.count("dt-differs") == 1 and "why" in html and branches.measures(["A"], [], EN) == ""


def test_the_legend_says_what_each_branch_does_now():
    html = branches.legend(pair(state="Paused"), ZH)
    assert "Paused" in html and html.count("dt-letter") == 2 and "<a>y</a>" in html
    assert branches.legend([], EN) == ""


def test_a_dialogue_that_shares_nothing_says_so_and_a_plain_one_has_no_lineage():
    assert EN("compare.shared.none") in branches.trunk(Branch("A", dialogue(), "x"), 0, EN, "en")
    for note in (None, {}, "x", {"lineage": []}):
        assert branches.lineage(note, "x", "", EN) == ""
    assert "fork number 2" in branches.lineage({"of": "b", "lineage": ["a", "b"]}, "x", "", EN)

"""Widgets of clusters, labels, the threshold lab and scorers: escaped, readable, in both languages, of bounded size."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser

import pytest

from workbench import text
from workbench.theme import PALETTE, stylesheet
from workbench.widgets import corpus_agreement as agree
from workbench.widgets import corpus_clusters as clusters
from workbench.widgets import corpus_lab as lab
from workbench.widgets import corpus_labelling as labelling
from workbench.widgets import corpus_rounds as rounds
from workbench.widgets import corpus_scores as scores

EVIL = "<script>alert('x')</script>\"&"
EN: Callable[..., str] = partial(text.say, "en")
ZH: Callable[..., str] = partial(text.say, "zh-CN")


class Nesting(HTMLParser):
    """Fails where an element is not closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br" and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("br", "line", "circle", "polygon", "polyline") and (not self.open or self.open[-1] != tag):
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def sound(html: str) -> str:
    """The HTML again, after checking that it is nested well, holds no script and no text key."""
    parser = Nesting()
    parser.feed(html)
    assert not parser.open
    assert "<script" not in html.lower()
    assert not re.search(r">label\.[a-z_.]+<", html), "a text is missing"
    return html


def dot(threshold: float, precision: float = 0.8, recall: float = 0.5, share: float = 0.4) -> lab.Dot:
    return lab.Dot(threshold, precision, precision - 0.1, precision + 0.1, recall, share)


MEMBER = clusters.MemberRow(3, "A", "a.jsonl", 512, 0.75, True, True, True, True, 1.0, 1.0, "begins")

EVERY: dict[str, Callable[[Callable[..., str]], str]] = {
    "scored": lambda say: scores.scored([scores.Scored("bundled:a", EVIL, (("law", EVIL, 0.5),), EVIL, EVIL)],
                                        ("bundled:a", "law"), say),
    "pushed": lambda say: scores.pushed(EVIL, [0.1] * len(EVIL), [(EVIL, 2, -0.5)], EVIL, say),
    "rounds": lambda say: rounds.rounds([rounds.Round(EVIL, (0.5,) * 4, (0.4, 0.3, None, None), 0.1, (5, 2, 1))], say),
    "queue": lambda say: rounds.queue([rounds.Judged(0, 1, EVIL, "", (EVIL,), "")], 1, True, say),
    "proposals": lambda say: rounds.proposals([("law", EVIL, [{"word": EVIL, "inside": 3, "outside": 1,
                                                               "strength": 2.5, "example": EVIL}])], {}, say),
    "changes": lambda say: rounds.changes([{"gained": [EVIL], "lost": ["law"], "text": EVIL}], say, str),
    "clusters": lambda say: clusters.clusters([clusters.Row(0, 3, 1, 2, 900, EVIL)], 0, say),
    "members": lambda say: clusters.members(0, [MEMBER, clusters.MemberRow(
        4, EVIL, EVIL, 100, None, False, False, False, False, 0.8, 0.79, EVIL)], 4, EVIL, 7, say),
    "sides": lambda say: clusters.side_by_side([("same", EVIL, 5), ("removed", EVIL, 5), ("added", EVIL, 5),
                                                ("left out", "", 900)], (EVIL, EVIL), EVIL, say),
    "card": lambda say: labelling.card(labelling.Card(7, EVIL, EVIL, EVIL, (("good", EVIL), ("bad", "b")), False,
                                                      EVIL), say),
    "several": lambda say: labelling.card(labelling.Card(7, "", "why", "text", (("law", "l"),) * 11, True), say),
    "done": lambda say: labelling.done(EVIL, say),
    "track": lambda say: labelling.track(10, 4, 2, say),
    "history": lambda say: labelling.history([(1, EVIL, EVIL, EVIL)], say),
    "agreement": lambda say: agree.agreement([agree.PairRow(EVIL, "b", 10, 0.9, None)], 0.5, (0.1, 0.9), 10, say),
    "acceptance": lambda say: agree.acceptance([agree.Bar(EVIL, 0.5, 0.2, 0.8, 5, 50),
                                                agree.Bar("x", None, 0, 1, 0, 9)],
                                               agree.Bar("", 0.6, 0.4, 0.8, 5, 59), agree.Bar("", 0.5, 0.2, 0.8, 5, 59),
                                               0.85, EVIL, say),
    "curve": lambda say: lab.curve([dot(0.1), dot(0.9, 0.95, 0.2)], dot(0.5), 0.3, say),
    "by threshold": lambda say: lab.against_threshold([dot(0.1), dot(0.9)], dot(0.5), 0.0, 1.0, say),
    "figures": lambda say: lab.figures([(EVIL, EVIL, EVIL), ("a", "b", "")]),
}


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("name", EVERY)
def test_every_widget_escapes_and_closes_what_it_opens(name: str, lang: str) -> None:
    html = sound(EVERY[name](partial(text.say, lang)))
    assert len(html) > 50


@pytest.mark.parametrize("name", EVERY)
def test_no_widget_writes_a_colour_of_its_own(name: str) -> None:
    html = EVERY[name](EN)
    assert not re.search(r"#[0-9a-fA-F]{6}\b|rgb\(", html)


def test_the_style_of_these_views_takes_colours_from_the_palette_only() -> None:
    from workbench.theme import FOLDER
    css = (FOLDER / "corpus_label.css").read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", css)
    used = set(re.findall(r"var\(--wb-([a-z0-9-]+)\)", css))
    assert used <= {*PALETTE, "mono", "sans"}
    assert css in stylesheet()


def test_every_class_of_the_widgets_that_begins_with_cl_has_a_style() -> None:
    css = stylesheet()
    bare = {"cl-few", "cl-is-open", "cl-open", "cl-confirm", "cl-scorer"}
    for name, make in EVERY.items():
        for held in re.findall(r'class="([^"]+)"', make(EN)):
            for one in held.split():
                if one.startswith("cl-") and one not in bare and not re.fullmatch(r"cl-\d", one):
                    assert f".{one}" in css, f"{name} uses {one}"


# --- scores -------------------------------------------------------------------------------------------------------

def test_the_chosen_output_is_pressed_and_the_others_are_not() -> None:
    row = scores.Scored("bundled:d", "d", (("law", "law", 0.7), ("news", "news", 0.1)))
    html = scores.scored([row], ("bundled:d", "news"), EN)
    assert html.count('aria-pressed="true"') == 1
    assert re.search(r'data-key="bundled:d\|news" aria-pressed="true"', html)


def test_more_outputs_than_a_few_are_folded_and_unfold_for_the_chosen_one() -> None:
    outputs = tuple((f"o{i}", f"o{i}", 1 - i / 10) for i in range(9))
    row = scores.Scored("r", "t", outputs)
    closed, opened = scores.scored([row], ("r", "o0"), EN), scores.scored([row], ("r", "o8"), EN)
    assert "<details" in closed and "open" not in closed.split("<details")[1].split(">")[0]
    assert "open" in opened.split("<details")[1].split(">")[0]
    assert closed.count("cl-output\"") == 9 and "5 more" in closed


@pytest.mark.parametrize(("value", "width"), [(0.5, "50.0%"), (1.00001, "100.0%"), (-0.2, "0.0%"), (float("nan"), "0")])
def test_bars_stay_inside_their_track(value: float, width: str) -> None:
    html = scores.scored([scores.Scored("r", "t", (("a", "a", value),))], ("r", "a"), EN)
    assert f"width:{width}" in html


@pytest.mark.parametrize(("shares", "classes"), [
    ([0.0, 0.0], []), ([1.0, -1.0], ["cl-up cl-4", "cl-down cl-4"]), ([1.0, 0.1], ["cl-up cl-4"]),
    ([-0.5, 1.0], ["cl-down cl-2", "cl-up cl-4"])])
def test_marks_are_as_deep_as_their_share_of_the_strongest(shares: list[float], classes: list[str]) -> None:
    assert re.findall(r'class="(cl-(?:up|down) cl-\d)"', scores.marked("ab", shares)) == classes


def test_neighbours_of_one_depth_are_one_mark_and_the_text_is_whole() -> None:
    html = scores.marked("一二三四", [1.0, 1.0, 0.0, 0.0])
    assert html == '<mark class="cl-up cl-4">一二</mark>三四'
    assert re.sub(r"<[^>]+>", "", scores.marked("a\nb", [1.0, 0.0, -1.0])) == "ab"


def test_parts_are_drawn_to_their_side_and_white_space_is_shown() -> None:
    html = scores.pushed("a b", [0.0] * 3, [("a b", 3, 2.0), ("\n", 1, -1.0)], "head", EN)
    assert "a␣b" in html and "⏎" in html and "×3" in html
    assert 'cl-up" style="width:50.0%"' in html and 'cl-down" style="width:25.0%"' in html
    assert "+2.00" in html and "−1.00" in html


def test_nothing_that_pushed_is_said() -> None:
    assert "Nothing in the text" in scores.pushed("abc", [0.0] * 3, [], "head", EN)


# --- rounds -------------------------------------------------------------------------------------------------------

def test_a_round_stands_beside_its_control_with_the_gain() -> None:
    html = rounds.rounds([rounds.Round("R1", (0.6, 0.9, None, 0.1), (0.5, 0.8, None, None), 0.1, (20, 5, 1)),
                          rounds.Round("R2", (0.6, 0.9, 1.0, 0.1), (0.7, 0.8, None, None), -0.1, (0, 0, 0))], EN)
    assert "0.600<small>0.500</small>" in html and "+0.100" in html and "−0.100" in html and "control" in html


def test_without_a_control_there_is_no_gain() -> None:
    html = rounds.rounds([rounds.Round("R0", (None,) * 4, (None,) * 4, None, (0, 0, 0))], EN)
    assert "There was no control" in html and "above control" not in html and "–" in html


def test_only_the_owner_has_buttons_for_judged_texts() -> None:
    row = rounds.Judged(4, 2, "text" * 200, "toxic", ('{"toxic": 1}',), "harmless")
    mine, theirs = rounds.queue([row], 40, True, EN), rounds.queue([row], 40, False, EN)
    assert mine.count("<button") == 3 and "<button" not in theirs
    assert re.search(r'data-act="harmless" data-key="4" aria-pressed="true"', mine)
    assert "1 of 40" in mine and "R2" in mine and "…" in mine


def test_no_judged_text_is_said() -> None:
    assert "No judged text" in rounds.queue([], 0, True, EN)


@pytest.mark.parametrize(("picks", "state", "pressed"), [
    ({}, "open", 0), ({"law|法院": "accept"}, "accept", 1), ({"law|法院": "reject"}, "reject", 1),
    ({"news|法院": "accept"}, "open", 0)])
def test_a_proposal_shows_what_was_decided(picks: dict[str, str], state: str, pressed: int) -> None:
    row = {"word": "法院", "inside": 12, "outside": 3, "strength": 4.25}
    html = rounds.proposals([("law", "law", [row])], picks, EN)
    assert f"cl-is-{state}" in html and html.count('aria-pressed="true"') == pressed
    assert "z 4.2" in html and "12 / 3" in html


def test_decisions_are_counted_and_labels_without_proposals_are_left_out() -> None:
    html = rounds.proposals([("law", "law", [{"word": "a"}]), ("news", "news", [])],
                            {"law|a": "accept", "law|b": "reject", "law|c": "reject"}, EN)
    assert "1 accepted, 2 rejected" in html and "<h4>news" not in html
    assert "No further keywords" in rounds.proposals([("law", "law", [])], {}, EN)


@pytest.mark.parametrize(("value", "shown"), [(5, "5"), (1234.0, "1,234"), (None, "–"), ("x", "–"), (True, "–")])
def test_counts_are_whole(value: object, shown: str) -> None:
    assert rounds.counted(value) == shown


# --- clusters -----------------------------------------------------------------------------------------------------

def test_next_and_before_stop_at_the_ends() -> None:
    rows = [clusters.Row(n, 2, 1, 1, 10) for n in (5, 9, 12)]
    for opened, before, after in ((5, 5, 9), (9, 5, 12), (12, 9, 12), (99, 5, 5)):
        html = clusters.clusters(rows, opened, EN)
        keys = re.findall(r'data-act="open" data-key="(\d+)" data-shortcut="(.)', html)
        assert keys == [(str(before), "k"), (str(after), "j")], opened


def test_the_opened_cluster_is_pressed_and_decisions_are_told() -> None:
    html = clusters.clusters([clusters.Row(5, 2, 1, 1, 10, "0 of 2 kept"), clusters.Row(6, 2, 1, 1, 10)], 6, EN)
    assert re.search(r'data-key="6" aria-pressed="true"', html) and html.count("<em>") == 1


def test_no_cluster_is_said() -> None:
    assert "no cluster" in clusters.clusters([], -1, EN)


def test_members_say_why_and_what_stays() -> None:
    other = clusters.MemberRow(4, "B", "b", 100, None, False, False, False, False, 0.8, 0.79, "s")
    html = clusters.members(0, [MEMBER, other], 4, "the longest", 3, EN)
    ticks = re.findall(r'data-act="toggle" data-key="(\d)" aria-pressed="(\w+)"', html)
    assert ticks == [("3", "true"), ("4", "false")]
    assert "fails another rule" in html and "3 more members" in html and "quality 0.750" in html
    assert "0.800 of the shingles" in html and html.count("of the shingles") == 1, "not with itself"


def test_each_side_shows_its_own_text_only() -> None:
    html = clusters.side_by_side([("same", "甲", 1), ("removed", "乙", 1), ("added", "丙", 1), ("left out", "", 1234)],
                                 ("one", "two"), "", EN)
    left, right = html.split("<h4>")[1:]
    assert "<del>乙</del>" in left and "丙" not in left and "<ins>丙</ins>" in right and "乙" not in right
    assert left.count("甲") == right.count("甲") == 1 and "1,234 equal characters" in left


# --- labels -------------------------------------------------------------------------------------------------------

def test_answers_have_number_keys_and_the_place_of_their_document() -> None:
    html = labelling.card(labelling.Card(42, "t", "w", "x", (("good", "good"), ("bad", "bad")), False), EN)
    assert re.findall(r'data-key="(\w+)" data-shortcut="(.)"', html)[:3] == [("good", "1"), ("bad", "2"),
                                                                              ("unsure", "u")]
    assert 'data-place="42"' in html and "toggle" not in html


def test_eleven_domains_are_chosen_by_keys_and_confirmed() -> None:
    answers = tuple((f"d{n}", f"d{n}") for n in range(11))
    html = labelling.card(labelling.Card(1, "", "w", "x", answers, True), EN)
    assert re.findall(r'data-act="toggle" data-key="d\d+" data-shortcut="(.)"', html) == list("1234567890-")
    assert 'data-act="confirm" data-shortcut="Enter"' in html


def test_more_answers_than_keys_still_have_buttons() -> None:
    answers = tuple((f"d{n}", f"d{n}") for n in range(20))
    html = labelling.card(labelling.Card(1, "", "w", "x", answers, True), EN)
    assert html.count('data-act="toggle"') == 20 and html.count("data-shortcut") == len(labelling.KEYS) + 4


def test_a_long_text_is_cut_and_said_so() -> None:
    html = labelling.card(labelling.Card(1, "", "w", "长" * 9000, (("good", "g"),), False), EN)
    assert html.count("长") == labelling.LONGEST and "3,000 more characters" in html and len(html) < 30_000


def test_the_automatic_label_is_only_there_when_it_is_given() -> None:
    for automatic, shown in (("", False), ("good", True)):
        html = labelling.card(labelling.Card(1, "", "w", "x", (("good", "g"),), False, automatic), EN)
        assert ("The scorer says" in html) is shown


@pytest.mark.parametrize(("drawn", "mine", "complete", "widths"), [
    (0, 0, 0, ["0.0", "0.0"]), (10, 5, 2, ["50.0", "20.0"]), (3, 3, 3, ["100.0", "100.0"])])
def test_progress_is_drawn(drawn: int, mine: int, complete: int, widths: list[str]) -> None:
    html = labelling.track(drawn, mine, complete, EN)
    assert re.findall(r"width:([\d.]+)%", html) == widths
    assert f'aria-valuenow="{mine}"' in html and f'aria-valuemax="{drawn}"' in html


def test_no_history_is_nothing() -> None:
    assert labelling.history([], EN) == ""


# --- agreement, acceptance, lab -----------------------------------------------------------------------------------

def test_kappa_that_is_not_defined_is_a_dash() -> None:
    html = agree.agreement([agree.PairRow("a", "b", 4, 1.0, None)], None, None, 4, EN)
    assert "<b>–</b>" in html and "100.0 %" in html
    assert "No document has labels of two people" in agree.agreement([], None, None, 0, EN)


def test_a_bin_without_labels_has_no_bar() -> None:
    html = EVERY["acceptance"](EN)
    assert html.count("br-whisker") == 1 and "0 of 9 labelled" in html and "cover 85 %" in html
    assert "60.0 % [40.0 %, 80.0 %]" in html


def test_no_acceptance_is_said() -> None:
    empty = agree.Bar("", None, 0, 1, 0, 9)
    assert "No label says anything" in agree.acceptance([], empty, empty, 0.0, "", EN)


def test_each_point_of_the_curve_can_be_pressed_and_tells_itself() -> None:
    html = lab.curve([dot(0.25), dot(0.75, 0.9, 0.3)], None, None, EN)
    assert sorted(re.findall(r'data-act="threshold" data-key="([\d.]+)"', html)) == ["0.25", "0.75"]
    assert "from 0.250: precision 0.800, recall 0.500" in html
    assert "cl-now" not in html and "cl-dash" not in html


def test_points_lie_inside_the_picture() -> None:
    html = lab.curve([dot(0.0, 1.0, 1.0), dot(1.0, 0.0, 0.0)], dot(0.5), 0.5, EN)
    for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', html):
        assert lab.LEFT <= float(x) <= lab.WIDTH - lab.RIGHT and lab.TOP <= float(y) <= lab.HEIGHT - lab.BOTTOM


def test_thresholds_outside_0_and_1_are_drawn_on_their_own_scale() -> None:
    html = lab.against_threshold([dot(-3.0), dot(5.0)], dot(1.0), -3.0, 5.0, EN)
    xs = [float(x) for x in re.findall(r'points="([\d.]+),', html)]
    assert xs == [lab.LEFT] * 3 and ">-3<" in html and ">5<" in html


def test_a_scale_without_width_does_not_fail() -> None:
    assert "svg" in lab.against_threshold([dot(0.5)], dot(0.5), 0.5, 0.5, ZH)

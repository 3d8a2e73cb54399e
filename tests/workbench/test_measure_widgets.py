"""Bars, stacked shares, heat maps, tables of figures and the whole report: from good, odd and hostile values."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from backends.sweetiechat.measure_notes import TEXTS
from workbench.text import catalogue, known
from workbench.theme import FOLDER
from workbench.widgets.bars import Bar, Value, bars, key, stacked
from workbench.widgets.figures import decimals, figure_name, figures, note_text
from workbench.widgets.heatmap import DARKEST, heatmap
from workbench.widgets.measures import measures

HOSTILE = '"><script>x</script>'
VOID = {"br", "input", "img"}


class Balance(HTMLParser):
    """Says whether every tag is closed in order, and which scripts and classes there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts, self.classes = 0, set[str]()
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.scripts += tag == "script"
        self.classes |= {name for key, value in attrs if key == "class" for name in (value or "").split()}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag


def a_figure(name: str = "distinct-2", value: object = 12.5, **more: object) -> dict:
    return {"group": "words", "name": name, "value": value, "low": None, "high": None, "unit": "percent", "shown": 62,
            "total": 1200, "counted": "supporter turns", "tokenizer": "treebank", "notes": [], **more}


def a_source(**more: object) -> dict:
    items = [{"key": k, "label_en": k.title(), "label_zh": f"中{k}", "stage": s}
             for k, s in (("question", "exploration"), ("others", "any"))]
    share = {"value": 0.5, "low": 0.4, "high": 0.6}
    return {
        "reference": "practice", "provenance": "synthetic", "models": ["package:m"], "language": "en",
        "tokenizer": "treebank", "dialogues": 3, "total": 4, "turns": 9, "labelled": 8, "pairs": 5,
        "notes": [{"code": "few", "text": "x", "values": {"n": 3}}], "strategies": {"name": "two", "items": items},
        "mix": [{"key": k, **share, "reference": 0.3} for k in ("question", "others")],
        "stages": {"first": {"exploration": share, "any": share}, "all": {"exploration": share, "any": share},
                   "reference": {"exploration": 0.2, "comforting": 0.3, "action": 0.3, "any": 0.2}},
        "transitions": {"keys": ["question", "others"], "counts": [[4, 2], [1, 0]],
                        "shares": [[4 / 6, 2 / 6], [1.0, 0.0]]},
        "each": [{"key": "question", "gold": 3, "predicted": 2, "precision": 1, "recall": 0.6, "f1": 0.8, "f1_low": 0.5,
                  "f1_high": 0.9, "preference": 1.4, "preference_low": None, "preference_high": None}],
        "figures": [a_figure(), a_figure("macro-f1", 0.21891, group="agreement", unit="share", low=0.2, high=0.3)],
        "stops": {"max_turns": 2, "relieved": 1},
        "quality": {"judged": 3, "total": 3, "anew": False,
                    "statuses": {"accepted": 2, "rejected": 1, "quarantined": 0},
                    "failed": {"format": 1}, "unchecked": {"outcome": 2}, "reviews": {}}, **more}


def a_report(*sources: dict, differences: list | None = None) -> dict:
    return {"sources": list(sources), "differences": differences or [],
            "reference": {"name": "esconv", "set": "esconv-8", "labels": 18376}}


TITLES = {"practice": "Practice dialogues", "esconv": "ESConv (published counts)"}


# --- bars ------------------------------------------------------------------------------------------------------------

def test_bars_share_one_scale_that_holds_intervals_and_reference() -> None:
    html = bars([Bar("A", (Value(0.2, 0.1, 0.4),), 0.5), Bar("B", (Value(0.1),))])
    widths = [float(w) for w in re.findall(r'br-s1" style="width:([\d.]+)%', html)]
    assert widths == [40.0, 20.0]
    assert 'br-ref" style="left:100.00%' in html and 'br-whisker" style="left:20.00%;width:60.00%' in html
    assert "20.0" in html and "10.0 – 40.0" in html
    Balance(html)


def test_bars_without_anything_to_draw_are_nothing() -> None:
    assert bars([]) == "" and bars([Bar("A", (Value(0.0),))]) == "" and bars([Bar("A", (Value(None),))]) == ""
    assert bars([Bar("A", (Value(math.nan),)), Bar("B", (Value(1.0),))], percent=False).count("–") == 1


def test_a_line_goes_through_every_row_and_names_are_escaped() -> None:
    html = bars([Bar(HOSTILE, (Value(2.0), Value(1.0))), Bar("B", (Value(0.5), Value(0.1)))], percent=False, line=1.0)
    assert html.count("br-line\"") == 4 and "<script" not in html and "2.00" in html and "br-s2" in html


def test_stacked_pieces_fill_their_row_and_small_ones_bear_no_number() -> None:
    html = stacked([("first", (0.5, 0.47, 0.03, None))], ["a", "b", "c", "d"])
    assert re.findall(r"flex-grow:([\d.]+)", html) == ["0.50000", "0.47000", "0.03000"]
    assert "<b>50</b>" in html and "<b>3</b>" not in html and "c: 3.0 %" in html
    assert stacked([], ["a"]) == "" and "<script" not in stacked([(HOSTILE, (1.0,))], [HOSTILE])
    assert key({"x": "br-s1"}).count("br-s1") == 1


# --- heat map --------------------------------------------------------------------------------------------------------

def test_a_heat_map_writes_every_share_and_pales_rows_of_few() -> None:
    html = heatmap(["A", "B"], [[6, 2], [1, 1]], [[0.75, 0.25], [0.5, 0.5]], "en")
    assert [int(n) for n in re.findall(r">(\d+)</td>", html)] == [75, 25, 8, 50, 50, 2]
    assert html.count("hm-few") == 1 and f"--s:{DARKEST}%" in html and "A → B: 25.0 % (2)" in html
    Balance(html)


@pytest.mark.parametrize(("counts", "shares"), [
    ([], []), (None, None), ([[0, 0], [0, 0]], [[0, 0], [0, 0]]), ([[1, 1]], [[0.5, 0.5]]), ("x", "y"),
    ([[1, 1], 3], 4),
])
def test_a_heat_map_of_nothing_or_nonsense_is_nothing(counts: object, shares: object) -> None:
    assert heatmap(["A", "B"], counts, shares, "en") == ""


def test_the_darkest_cell_keeps_its_words_legible_in_both_themes() -> None:
    from workbench.theme import PALETTE, contrast

    for theme in (0, 1):
        accent, shade = (PALETTE[name][theme] for name in ("c1", "shade"))
        part = DARKEST / 100
        parts = [int(accent[i:i + 2], 16) * part + int(shade[i:i + 2], 16) * (1 - part) for i in (1, 3, 5)]
        mixed = "#" + "".join(f"{round(value):02x}" for value in parts)
        assert contrast(PALETTE["ink"][theme], mixed) >= 4.5, theme


# --- figures ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "unit", "signed", "shown"), [
    (0.218905, "share", False, "0.2189"), (12.345, "percent", False, "12.35"), (-0.5, "bits", True, "−0.500"),
    (0.5, "bits", True, "+0.500"), (None, "percent", False, "–"), (math.nan, "percent", False, "–"),
    (True, "percent", False, "–"), (3, "", False, "3.0000"),
])
def test_numbers_have_the_decimals_of_their_unit(value: object, unit: str, signed: bool, shown: str) -> None:
    assert decimals(value, unit, signed) == shown


def test_one_source_has_a_value_column_and_notes_once() -> None:
    notes = [{"code": "size", "text": "t", "values": {}}]
    own = [a_figure("distinct-1", 4.0, notes=notes), a_figure("distinct-2", 9.0, notes=notes)]
    html = figures([own], ["P"], [], "en")
    assert html.count("fg-notes") == 1 and html.count("<sup>a</sup>") == 3 and "Value" in html
    assert "62 of 1,200 supporter turns" in html and "treebank" in html
    Balance(html)


def test_two_sources_have_a_difference_that_says_whether_it_is_sure_and_paired() -> None:
    apart = [{"name": "distinct-2", "value": -2.0, "low": -3.0, "high": -1.0, "unit": "percent", "paired": True},
             {"name": "turns", "value": 1.0, "low": -1.0, "high": 3.0, "unit": "turns", "paired": False}]
    turns = a_figure("turns", 8.0, unit="turns", counted="dialogues", tokenizer="")
    html = figures([[a_figure(), turns], [a_figure(value=10.0), turns]], ["One", "Two"], apart, "en")
    assert html.count("fg-sure") == 1 and "[−3.00, −1.00]" in html and html.count("paired by dialogue") == 1
    assert "One" in html and "Two" in html


def test_figures_without_a_value_are_not_listed() -> None:
    assert figures([[a_figure(value=None)]], ["P"], [], "en") == "" and figures([], [], [], "en") == ""
    assert "<script" not in figures([[a_figure(HOSTILE, counted=HOSTILE, tokenizer=HOSTILE)]], [HOSTILE], [], "en")


def test_names_and_notes_are_in_the_readers_language() -> None:
    assert figure_name("success-8", "en") == "Success within 8 supporter turns"
    assert figure_name("success-8", "zh-CN") != figure_name("success-8", "en") and figure_name("odd", "en") == "odd"
    assert note_text({"code": "few", "values": {"n": 4}}, "en") == "only 4 dialogues: the interval is rough"
    assert note_text({"code": "unheard", "text": "as it is"}, "zh-CN") == "as it is" and note_text(None, "en") == ""


def test_every_note_of_the_task_has_words_with_the_same_places() -> None:
    for code, english in TEXTS.items():
        assert known(f"measure.note.{code}"), code
        for lang in ("en", "zh-CN"):
            text = catalogue(lang)[f"measure.note.{code}"]
            assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", english)), (lang, code)


# --- the whole report ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_one_source_has_every_section(lang: str) -> None:
    html = measures(a_report(a_source()), TITLES, lang)
    found = Balance(html)
    assert {"ms-one", "ms-mix", "ms-stages", "ms-transitions", "ms-agreement", "ms-figures-words", "ms-stops",
            "ms-quality", "br-ref", "hm", "st-1", "br-line"} <= found.classes
    assert ("Question" in html) == (lang == "en") and ("中question" in html) == (lang == "zh-CN")
    assert "18,376" in html and "0.2189" in html and not re.findall(r"measure\.[a-z]", html)


def test_two_sources_stand_side_by_side() -> None:
    html = measures(a_report(a_source(), a_source(reference="run:x"), differences=[
        {"group": "words", "name": "distinct-2", "value": 0.0, "low": -1.0, "high": 1.0, "unit": "percent",
         "paired": False}]), {**TITLES, "run:x": "Other"}, "en")
    assert html.count('class="hm"') == 2 and "br-s2" in html and "Difference" in html
    assert "ms-one" not in Balance(html).classes


def test_without_gold_it_is_said_plainly() -> None:
    html = measures(a_report(a_source(each=[], pairs=0)), TITLES, "en")
    assert "There is no gold strategy beside a predicted one here" in html


@pytest.mark.parametrize("report", [None, [], {}, {"sources": []}, {"sources": "x"}, {"sources": [3]}])
def test_a_report_of_nothing_is_nothing(report: object) -> None:
    assert measures(report, {}, "en") == ""


def test_a_report_edited_by_hand_breaks_nothing() -> None:
    source = a_source()
    for name in list(source):
        for wrong in (None, 7, "x", [], {}, [None], {"a": 1}):
            Balance(measures(a_report({**source, name: wrong}), TITLES, "en"))


def test_nothing_in_a_report_is_taken_for_html() -> None:
    source = a_source(reference=HOSTILE, provenance=HOSTILE, models=[HOSTILE], tokenizer=HOSTILE, stops={HOSTILE: 3},
                      notes=[{"code": "x", "text": HOSTILE}])
    source["strategies"]["items"][0]["label_en"] = HOSTILE
    assert Balance(measures(a_report(source), {HOSTILE: HOSTILE}, "en")).scripts == 0


def test_a_full_report_is_small_enough_to_send() -> None:
    keys = [f"s{i}" for i in range(16)]
    items = [{"key": k, "label_en": f"A rather long label {k}"} for k in keys]
    big = a_source(strategies={"name": "x", "items": items},
                   mix=[{"key": k, "value": 0.1, "low": 0.0, "high": 0.2, "reference": 0.1} for k in keys],
                   transitions={"keys": keys, "counts": [[3] * 16] * 16, "shares": [[1 / 16] * 16] * 16})
    assert len(measures(a_report(big, big), TITLES, "en")) < 250_000


def test_every_class_that_is_drawn_is_dressed() -> None:
    css = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("measure.css", "scenarios.css"))
    for name in ("ms-one", "br-fill", "br-whisker", "br-ref", "br-line", "br-num", "st-piece", "st-4", "hm-few", "hm-n",
                 "fg-n", "fg-sure", "fg-notes", "ms-key", "ms-plain", "sc-card", "rj-why"):
        assert f".{name}" in css, name

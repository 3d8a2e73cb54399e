"""What the Data set view draws: scores beside chance and people, confusion, speakers, clips; always escaped HTML."""

from __future__ import annotations

import pytest

from tests.panels.compare_cases import acts, parsed
from tests.panels.speech_set_cases import CLASSES, SCRIPT, result
from workbench import text
from workbench.fields import to_json
from workbench.widgets import speech_clips, speech_set
from workbench.widgets.speech_clips import KINDS, SORTS, Line, Listing
from workbench.widgets.speech_set import Measure, Speaker

MEASURES = (Measure("ua", 0.8, (0.7, 0.9)), Measure("wa", 0.75))
LINE = Line(3, f"{SCRIPT}.wav", f"Said {SCRIPT}", "anna", "sad", "happy", 0.61, True)


def told(html: str) -> str:
    """The HTML once it is known to be whole, without a script and with every text filled in."""
    parsed(html)
    assert "speech_set." not in html and "<script" not in html
    return html


def listing(**changed: object) -> Listing:
    return Listing(**{"lines": (LINE,), "offset": 0, "shown": 1, "total": 7, "kind": "wrong", "sort": "sure",
                      "search": "", "chips": (), "opened": -1, "play": True, **changed})  # type: ignore[arg-type]


# --- scores ---


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_the_human_figure_stands_beside_every_score(lang: str) -> None:
    html = told(speech_set.verdict(MEASURES, 0.2, 0.416, [("a", "<b>")], lang))
    assert html.count('class="ss-human" style="left:41.60%"') == 2, "a mark in every scale"
    assert html.count('class="ss-chance" style="left:20.00%"') == 2
    assert "41.6 %" in html and "7,442" in html and "72.2 %" in html
    assert "80.0 %" in html and "70.0 – 90.0" in html and "&lt;b&gt;" in html


def test_an_interval_is_drawn_where_there_is_one() -> None:
    html = speech_set.verdict(MEASURES, 0.2, 0.4, [], "en")
    assert html.count("ss-span") == 1 and "left:70.00%;width:20.00%" in html


@pytest.mark.parametrize("value", [-0.5, 1.7])
def test_a_share_outside_its_scale_stays_inside_the_picture(value: float) -> None:
    html = speech_set.verdict([Measure("ua", value, (value, value))], 0.2, 0.4, [], "en")
    assert "width:0.00%" in html or "width:100.00%" in html


@pytest.mark.parametrize(("code", "kind"), [("leaky", "bad"), ("all", "bad"), ("seen", "bad"), ("few", "mild"),
                                            ("unknown", "mild"), ("missing", "mild")])
def test_remarks_are_told_in_words_of_the_page(code: str, kind: str) -> None:
    values = {"n": 3, "name": SCRIPT, "names": "sad, odd", "clips": 5, "speakers": 2}
    warning = {"code": code, "values": values, "text": "plain"}
    for lang in text.LANGUAGES:
        html = told(speech_set.remarks([warning], lang))
        assert f"ss-w-{kind}" in html and "plain" not in html and "{" not in html
    assert ("伤" in html) is (code == "missing")


def test_a_remark_of_another_version_is_told_as_it_is_written() -> None:
    html = told(speech_set.remarks([{"code": "new", "text": f"odd {SCRIPT}"}, {"code": "leaky", "values": "x"}], "en"))
    assert "odd &lt;script" in html and html.count("<li") == 2
    assert speech_set.remarks([], "en") == ""


def test_rows_left_out_are_named_with_their_line_and_reason() -> None:
    rows = [{"line": n, "why": f"bad {SCRIPT}"} for n in range(1, 30)] + [{"audio": "a.wav", "why": "silent"}]
    html = told(speech_set.faults(rows, 500, "en"))
    assert "line 1:" in html and html.count("<li") == speech_set.FAULTS + 1 and "and 488 more" in html
    alone = told(speech_set.faults(rows[-1:], 1, "en"))
    assert "a.wav" in alone and "more" not in alone
    assert speech_set.faults([], 0, "en") == ""


# --- confusion ---


def test_every_cell_with_clips_can_be_pressed() -> None:
    found = to_json(result())
    html = told(speech_set.confusion(CLASSES, found["confusion"], found["recall"], "happy.sad", "en"))
    assert acts(html, "cell") == ["neutral.neutral", "neutral.sad", "happy.happy", "happy.sad", "sad.happy", "sad.sad"]
    assert html.count('aria-pressed="true"') == 1 and html.count("ss-hit") == 3 and html.count("50.0 %") == 3
    assert 'aria-label="happy told as sad: 1 clips, 50 % of the row"' in html


def test_what_was_told_as_nothing_has_a_column_only_where_it_occurs() -> None:
    html = told(speech_set.confusion(("sad", "happy"), [[1, 0, 2], [0, 0, 0]], [1 / 3, None], "", "en"))
    assert "sad." in acts(html, "cell") and html.count("<tr>") == 2, "a class without clips has no row"
    assert "–" in html


@pytest.mark.parametrize("counts", [None, [], [[1, 2]], [["a"] * 4] * 2, "no", [[1, 2, 3, 4]] * 3 + [[]]])
def test_a_table_that_is_none_is_not_drawn(counts: object) -> None:
    assert speech_set.confusion(CLASSES, counts, [], "", "en") == ""


def test_numbers_that_are_none_count_as_nothing() -> None:
    html = told(speech_set.confusion(("sad", "happy"), [[True, -3, 2], ["x", 1, 0]], ["no", True], "", "en"))
    assert html.count('class="ss-recall">–') == 2


# --- speakers ---


def test_the_speaker_heard_worst_comes_first_and_is_marked_when_chosen() -> None:
    found = [Speaker("anna", 3, 0.7, 0.9), Speaker("ben", 1234, 0.2, 0.25), Speaker("", 1, 0.0, 0.3)]
    html = told(speech_set.speakers(found, "anna", 0.416, "en"))
    assert acts(html, "speaker") == ["ben", "", "anna"] and "1,234" in html and "3 speakers" in html
    assert html.count('aria-pressed="true"') == 1 and html.count("ss-human") == 3
    assert speech_set.speakers(found, "", 0.416, "en").count('aria-pressed="true"') == 0
    assert speech_set.speakers(found[:1], "", 0.4, "en") == "", "one speaker is the score itself"


# --- clips ---


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_a_page_of_clips(lang: str) -> None:
    html = told(speech_clips.table(listing(opened=3, chips=(("speaker", SCRIPT),), search='"x'), lang))
    assert acts(html, "open") == ["3"] and acts(html, "unchip") == ["speaker"] and "co-opened" in html
    assert acts(html, "kind") == list(KINDS) and html.count("<option") == len(SORTS) and "61 %" in html
    assert 'value="&quot;x"' in html and "ss-no" in html
    names = {attributes.get("data-keys") for _, attributes in parsed(html).tags}
    assert "list" in names, "j and k go along it"


def test_marks_of_a_clip() -> None:
    unsure = Line(1, "a.wav", "", "", "sad", "sad", 0.2, False)
    html = told(speech_clips.table(listing(lines=(unsure,), play=False), "en"))
    assert "ss-yes" in html and "uncertain" in html and "ss-no" not in html
    spent = Line(1, "a.wav", "", "", "neutral", "", 0.0, True, scored=False)
    html = told(speech_clips.table(listing(lines=(spent,)), "en"))
    assert "calibration" in html and "ss-no" not in html


def test_nothing_to_list_is_a_sentence() -> None:
    assert "Nothing was told wrong" in told(speech_clips.table(listing(lines=(), shown=0), "en"))
    assert "No clip is like that" in told(speech_clips.table(listing(lines=(), shown=0, search="x"), "en"))
    assert "No clip is like that" in told(speech_clips.table(listing(lines=(), shown=0, kind="unsure"), "en"))


def test_pages_are_turned_where_there_are_several() -> None:
    html = told(speech_clips.table(listing(offset=50, shown=120, total=700), "en"))
    assert acts(html, "page") == ["0", "100"] and "120 of 700 clips" in html
    assert acts(speech_clips.table(listing(), "en"), "page") == []


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_an_opened_clip_shows_every_probability_and_the_limit(lang: str) -> None:
    html = told(speech_clips.reader(LINE, 7, {"sad": 0.3, "happy": 0.61, "neutral": 1.7}, 0.4, "<p>sound</p>",
                                    (*CLASSES, "angry"), lang))
    assert html.count('role="row"') == 4 and "61 %" in html and "width:100.0%" in html and "0 %" in html
    assert html.count("left:40.0%") == 4 and "<p>sound</p>" in html
    assert "ss-is-told" in html and "ss-is-truth" in html and "ss-is-right" not in html
    right = speech_clips.reader(Line(0, "a", "", "", "sad", "sad", 0.9, True), 1, {"sad": 0.9}, 0.4, "", CLASSES, lang)
    assert "ss-is-right" in told(right) and "ss-said" not in right


def test_emotions_have_words_in_both_languages() -> None:
    from backends.common.speech.emotions import EMOTIONS

    for lang in text.LANGUAGES:
        assert all("speech_set" not in speech_clips.emotion(name, lang) for name in EMOTIONS)
    assert speech_clips.emotion("", "en") == "–" and speech_clips.emotion("sad", "zh-CN") == "悲伤"

"""The widgets of Train in the Speech tab: the row of steps, the gate, measurements, what a model hears."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.text import LANGUAGES, say
from workbench.widgets import speech_chain as chain
from workbench.widgets import speech_training as figures
from workbench.widgets.speech_chain import Step

SAY = partial(say, "en")
NAMES = {name: name.capitalize() for name in ("neutral", "happy", "angry", "sad", "surprise")}
EVIL = '<script>"&'
ANY_JSON: Any = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                             lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner,
                                                                                       max_size=4), max_leaves=12)


def steps(*states: str, **more: Any) -> list[Step]:
    names = ("stage0", "gate", "words", "stage1", "tones", "stage2", "evaluate")
    return [Step(name, state, **more) for name, state in zip(names, states, strict=False)]


# --- the row of steps ----------------------------------------------------------------------------------------------

def test_every_step_has_a_number_a_name_and_a_state() -> None:
    html = chain.chain(steps("done", "done", "working", "failed", "given", "open", "blocked"), SAY)
    assert re.findall(r"<i>(\d)</i>", html) == list("1234567")
    for words in ("Language model", "Gate", "done", "at work", "not passed", "given", "open", "waits"):
        assert words in html
    assert html.count("<li") == 7 and html.count('data-act="step"') == 7, "each name opens its form"


def test_what_is_missing_is_said_with_the_button_that_makes_it() -> None:
    row = [*steps("done", "done", "given"), Step("stage1", "open", following=True),
           Step("stage2", "blocked", needs="stage1")]
    html = chain.chain(row, SAY)
    assert "Needs step 4 first: Stage 1: words." in html and "Go to step 4" in html
    assert html.count('data-act="step" data-key="stage1"') == 3, "its name, Prepare, and Go to step 4"
    assert html.count("Prepare") == 1 and "sn-next" in html


@pytest.mark.parametrize("needs", ["", "elsewhere"])
def test_a_step_that_waits_for_nothing_known_offers_nothing(needs: str) -> None:
    html = chain.chain([Step("gate", "blocked", needs=needs)], SAY)
    assert "Go to step" not in html and "Needs" not in html


def test_a_step_that_was_taken_can_be_shown() -> None:
    html = chain.chain([Step("gate", "done", "90 %", "run-7", shown=True)], SAY)
    assert 'data-act="run" data-key="run-7"' in html and 'aria-current="step"' in html and "sn-shown" in html
    assert "aria-current" not in chain.chain([Step("gate", "done")], SAY)


def test_figures_and_ids_are_escaped() -> None:
    html = chain.chain([Step("gate", "done", EVIL, EVIL)], SAY)
    assert "<script>" not in html and html.count("&lt;script&gt;") == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_states_and_steps_have_texts(lang: str) -> None:
    states = ("done", "working", "failed", "given", "open", "blocked")
    for name in ("stage0", "gate", "words", "stage1", "tones", "stage2", "evaluate"):
        html = chain.chain([Step(name, state, needs=name) for state in states], partial(say, lang))
        assert "speech.train" not in html


# --- shares --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "shown"), [(0, "0 %"), (0.914, "91 %"), (1.0, "100 %"), (-1, "–"), (-1.0, "–"),
                                              (None, "–"), ("0.5", "–"), (float("nan"), "–"), (True, "–")])
def test_shares(value: object, shown: str) -> None:
    assert figures.percent(value) == shown


# --- the gate ------------------------------------------------------------------------------------------------------

PASSED = {"passed": True, "separated": 0.91, "content": 0.8, "classifier": 0.99, "replies": 200, "pool": 10, "why": "",
          "by_emotion": {"neutral": 1.0, "sad": 0.75, "other": 0.5, "happy": "often"}}


def test_a_gate_that_is_passed_shows_each_emotion_and_its_own_checks() -> None:
    html = figures.gate(PASSED, NAMES, SAY)
    assert "sn-is-done" in html and "Neutral" in html and "75.0" in html and "other" in html
    assert "91 %" in html and "99 %" in html and "200 replies" in html and "Happy" not in html
    assert html.count("br-line\"") == 3, "the line of what is needed runs through every bar"


def test_a_gate_that_is_not_passed_says_why() -> None:
    html = figures.gate({**PASSED, "passed": False, "why": EVIL, "by_emotion": {}}, NAMES, SAY)
    assert "sn-is-failed" in html and "&lt;script&gt;" in html and "<script>" not in html and "br-row" not in html


@pytest.mark.parametrize("report", [{}, {"passed": None}, {"passed": "yes"}, {"passed": 1}])
def test_what_is_no_report_shows_nothing(report: dict) -> None:
    assert figures.gate(report, NAMES, SAY) == ""


# --- measurements --------------------------------------------------------------------------------------------------

ROWS = [{"step": 0, "response": 3.0, "emotion": 1.6, "accuracy": 0.2},
        {"step": 5, "response": 0.5, "emotion": 0.75, "accuracy": 0.6},
        {"step": 9, "response": 0.75, "emotion": 0.9, "accuracy": -1}]


def test_measurements_of_stage_1_have_no_emotion() -> None:
    html = figures.measurements({"measured": ROWS, "kept_step": 5, "held": 12}, 1, SAY)
    assert "KL, nats a token" in html and "emotion right" not in html and "12 clips" in html
    assert html.count("<tr") == 4 and html.index("tr-kept") > html.index(">0<")
    assert re.search(r"tr-kept><th[^>]*>5<", html)


def test_measurements_of_stage_2_have_all_and_dashes_for_what_is_not_known() -> None:
    html = figures.measurements({"measured": ROWS, "kept_step": 9, "held": 3}, 2, SAY)
    assert "60 %" in html and "0.750" in html and "–" in html and "a little too good" in html
    assert re.search(r"tr-kept><th[^>]*>9<", html)


@pytest.mark.parametrize("result", [{}, {"measured": []}, {"measured": "edited"}, {"measured": [1, "a"]}])
def test_without_other_speakers_it_is_said(result: dict) -> None:
    assert "nothing was measured" in figures.measurements(result, 1, SAY)


# --- what a model hears --------------------------------------------------------------------------------------------

HEARD = {"clips": 40, "heard": 0.6, "heard_interval": [0.5, 0.7], "told": 0.2, "told_interval": [0.15, 0.25],
         "head": 0.65, "heard_weighted": 0.61, "gap": 0.5, "content": 0.7, "content_pool": 10, "contrast": -1}


def test_sound_words_and_head_stand_side_by_side_with_the_line_of_chance() -> None:
    html = figures.heard(HEARD, SAY)
    assert html.index("from the sound") < html.index("from the words alone") < html.index("emotion head")
    assert "50.0 – 70.0" in html and html.count('br-line"') == 3 and "those of 10 sentences" in html
    assert "<dd>–</dd>" in html, "what was not measured is a dash"


@pytest.mark.parametrize(("told", "shown"), [(0.25, "0.250"), (0, "0.000"), (-1.0, "–"), (None, "–"), ("wide", "–"),
                                             (float("inf"), "–"), (True, "–")])
def test_how_far_its_replies_are_from_those_that_were_told_everything(told: object, shown: str) -> None:
    html = figures.heard({**HEARD, "reply_gap": told}, SAY)
    assert f"told words and emotion, nats a token</dt><dd>{shown}</dd>" in html
    assert "reply_gap" not in html


@pytest.mark.parametrize("span", [None, 3, [0.1], ["a", "b"], [0.1, None], [0.1, float("inf")]])
def test_an_interval_that_is_none_is_left_out(span: object) -> None:
    html = figures.heard({"heard": 0.6, "heard_interval": span}, SAY)
    assert "60.0" in html and "br-whisker" not in html


def test_nothing_measured_shows_nothing() -> None:
    assert figures.heard({}, SAY) == "" and figures.heard({"heard": None}, SAY) == ""


COUNTS = [[9, 1, 0, 0, 0], [0, 7, 3, 0, 0], [0, 0, 10, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 6]]


def test_confusions_mark_what_is_right_and_leave_out_what_did_not_occur() -> None:
    html = figures.confusion(COUNTS, list(NAMES.values()), SAY)
    body = html.split("<tbody>")[1]
    assert body.count("<tr") == 4 and "Sad" not in body and "Sad" in html, "nobody was sad, but sad could be told"
    assert re.findall(r"<b>(\d+)</b>", html) == ["9", "7", "10", "6"] and "·" in html


def test_a_column_of_unparsed_answers_is_not_drawn() -> None:
    wider = [[*row, 2] for row in COUNTS]
    assert figures.confusion(wider, list(NAMES.values()), SAY) == figures.confusion(COUNTS, list(NAMES.values()), SAY)


@pytest.mark.parametrize("counts", [None, 3, [], [[1]], COUNTS[:4], [["a"] * 5] * 5, [[0] * 5] * 5, [3] * 5])
def test_counts_of_another_shape_draw_nothing(counts: object) -> None:
    assert figures.confusion(counts, list(NAMES.values()), SAY) == ""


# --- continuations and faults --------------------------------------------------------------------------------------

def test_continuations_are_escaped_and_marked_where_they_were_cut() -> None:
    rows = [{"text": EVIL, "emotion": "sad", "output": EVIL, "early_stop": True}, {"text": "A", "output": "B"},
            {"emotion": "wistful"}]
    html = figures.continuations(rows, NAMES, SAY)
    assert "<script>" not in html and html.count("…") == 1 and "<i>Sad</i>" in html and "<i>wistful</i>" in html
    assert html.count("<li>") == 3 and html.count("<i>") == 2
    assert figures.continuations([], NAMES, SAY) == ""


def test_faults_by_reason() -> None:
    html = figures.faults({"a clip is too short": 3, EVIL: 1}, SAY)
    assert "Left out" in html and ">3<" in html and "<script>" not in html
    assert figures.faults({}, SAY) == figures.faults(None, SAY) == figures.faults([1], SAY) == ""


@given(ANY_JSON)
def test_no_json_breaks_a_figure(value: Any) -> None:
    result = value if isinstance(value, dict) else {"measured": value, "by_emotion": value, "passed": True,
                                                    "heard": value, "confusion": value}
    made = (figures.gate(result, NAMES, SAY) + figures.measurements(result, 2, SAY) + figures.heard(result, SAY)
            + figures.confusion(value, list(NAMES.values()), SAY) + figures.faults(value, SAY))
    assert isinstance(made, str)

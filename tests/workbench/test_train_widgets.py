"""Tables of training, classifiers and evaluations, and the table of candidate replies: words, numbers, escaping."""

from __future__ import annotations

import math
import re
from functools import partial
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import text
from workbench.widgets import measured
from workbench.widgets.replies_table import Candidates, replies

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
LABELS = {"question": "Question", "suggestions": "Providing suggestions"}
TRAINED = {"held_out": 2, "kept_step": 8, "measured": [
    {"step": 0, "perplexity": 42.65, "strategy_nats": 20.03, "loss": 74.14},
    {"step": 8, "perplexity": 31.0857, "strategy_nats": 6.743, "loss": 56.29}]}
CLASSIFIED = {"dialogues": 10, "turns": 62, "bias": 0.7661, "warnings": ["Others never occurs."], "figures": [
    {"name": "macro_f1", "value": 0.2571, "low": 0.21, "high": 0.3, "majority": 0.049, "last_turn": 0.216},
    {"name": "accuracy", "value": 0.29, "low": None, "high": None, "majority": 0.245, "last_turn": 0.239}],
    "each": {"question": 0.5, "suggestions": 0.0}}
EVALUATED = {"dialogues": 2, "turns": 9, "mode": "auto", "asked": "chat", "left_out": ["3 turns without a strategy"],
             "warnings": [], "figures": [
                 {"name": "distinct_2", "value": 29.57, "low": 27.0, "high": 31.0, "unit": "%", "items": 9,
                  "tokenizer": "words", "notes": ["esconv variant"]}],
             "strategies": [{"key": "question", "gold": 4, "said": 6, "f1": 0.5, "preference": 1.4}]}


@pytest.mark.parametrize(("value", "shown"), [
    (31.0857, "31.09"), (0.2571, "0.257"), (-1.5, "\u22121.500"), (4884480, "4,884,480"), (None, "–"), (True, "–"),
    (math.nan, "–"), (math.inf, "–"), ("7", "–"), (0, "0.000")])
def test_numbers_have_four_digits_and_a_real_minus(value: object, shown: str) -> None:
    assert measured.number(value) == shown


def test_an_interval_needs_both_ends() -> None:
    assert measured.interval(0.21, 0.3) == "[0.210, 0.300]"
    assert measured.interval(None, 0.3) == measured.interval(0.2, math.nan) == ""


def test_the_kept_measurement_is_marked_and_step_zero_is_there() -> None:
    html = measured.measurements(TRAINED, EN)
    rows = re.findall(r"<tr.*?</tr>", html)
    assert len(rows) == 3 and "tr-kept" in rows[2] and "tr-kept" not in rows[1]
    assert "42.65" in rows[1] and "31.09" in rows[2] and "2 dialogues" in html and "2.08" in html


def test_an_agent_without_strategies_has_no_column_of_them() -> None:
    rows = [{**row, "strategy_nats": None} for row in TRAINED["measured"]]
    assert EN("train.measured.strategy_nats") not in measured.measurements({**TRAINED, "measured": rows}, EN)
    assert EN("train.unmeasured") in measured.measurements({"measured": []}, EN)


def test_a_classifier_stands_beside_its_baselines_with_intervals() -> None:
    html = measured.classified(CLASSIFIED, LABELS, EN, baseline=True)
    assert "0.257" in html and "[0.210, 0.300]" in html and "0.049" in html and "0.216" in html and "0.766" in html
    assert "Providing suggestions" in html and "Others never occurs." in html and "62 supporter turns" in html
    assert "width:50.0%" in html and "width:0.0%" in html


def test_a_classifier_of_utterances_has_no_baseline_of_the_last_turn() -> None:
    html = measured.classified(CLASSIFIED, LABELS, EN, baseline=False)
    assert EN("train.classified.last_turn") not in html and "0.216" not in html
    assert measured.classified({}, LABELS, EN, baseline=True) == ""


def test_every_figure_of_an_evaluation_names_variant_tokenizer_and_number() -> None:
    html = measured.evaluated(EVALUATED, LABELS, EN, str)
    assert html.count("esconv variant") == 1 and "<sup>1</sup>" in html
    for said in ("distinct_2", "29.57", "[27, 31]", "esconv variant", "words", "auto", "chat", "Question", "1.400",
                 "3 turns without a strategy", "9 supporter turns"):
        assert said in html, said
    assert measured.evaluated({}, LABELS, EN, str) == ""


@pytest.mark.parametrize("say", [EN, ZH])
def test_every_text_is_there_in_both_languages(say: partial) -> None:
    for html in (measured.measurements(TRAINED, say), measured.classified(CLASSIFIED, LABELS, say, baseline=True),
                 measured.evaluated(EVALUATED, LABELS, say, str), table(ANSWERED, say)):
        assert not re.search(r">(train|replies)\.", html)
        assert "{" not in html


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_word_of_a_result_becomes_markup(said: str) -> None:
    attack = f"<img src=x>{said}\"'"
    html = measured.evaluated({**EVALUATED, "mode": attack, "left_out": [attack], "figures": [
        {**EVALUATED["figures"][0], "name": attack, "notes": [attack], "tokenizer": attack}]}, {}, EN, str)
    html += measured.classified({**CLASSIFIED, "warnings": [attack], "each": {attack: 0.5}}, {}, EN, baseline=True)
    html += table([{"ranking": [{"strategy": attack, "label": attack, "probability": 0.5}], "mode": attack},
                   {"row": {"strategy": attack, "label": attack, "text": attack, "faults": [attack]}}])
    assert "<img" not in html and "&lt;img" in html


# --- candidate replies ---------------------------------------------------------------------------------------------

RANKING = {"ranking": [{"strategy": "suggestions", "label": "Providing Suggestions", "probability": 0.6, "score": -1},
                       {"strategy": "question", "label": "Question", "probability": 0.4, "score": -2}],
           "asked": "chat", "mode": "agent"}
ROW = {"strategy": "question", "label": "Question", "probability": 0.4, "text": "What happened?", "tokens": 4,
       "finish": "stop", "faults": []}
ANSWERED = [RANKING, {"text": {"strategy": "suggestions", "text": "You could"}}, {"row": ROW}]
DONE = [*ANSWERED, {"row": {**ROW, "strategy": "suggestions", "text": "You could rest.", "faults": ["speaks oddly"]}},
        {"done": {"candidates": []}}]


def table(events: list, say: partial = EN, turn: int = 5) -> str:
    found = Candidates()
    for event in events:
        found.take(event)
    return replies(found, turn, say, LABELS, str)


def test_before_the_first_event_the_model_reads() -> None:
    assert EN("replies.reading") in table([])


def test_rows_follow_the_ranking_and_grow_while_they_are_written() -> None:
    html = table(ANSWERED)
    assert html.index("Providing suggestions") < html.index("Question") < html.index("What happened?")
    assert "You could" in html and html.count("dt-caret") == 1 and "turn 6" in html
    assert "1 of 2" in html and "0.60" in html and "p(strategy | talk)" in html


def test_only_a_reply_that_is_ready_can_be_said() -> None:
    assert re.findall(r'data-act="say" data-key="(\w+)"', table(ANSWERED)) == ["question"]
    assert re.findall(r'data-act="say" data-key="(\w+)"', table(DONE)) == ["suggestions", "question"]
    assert "speaks oddly" in table(DONE) and "2 replies written" in unescape(table(DONE))


def test_a_model_without_probabilities_gets_no_bars() -> None:
    quiet = {**RANKING, "mode": "none", "ranking": [{**row, "probability": 0.0} for row in RANKING["ranking"]]}
    html = table([quiet])
    assert "dt-fill" not in html and EN("replies.by.none") in html


@pytest.mark.parametrize("event", [None, 3, [], {"text": 4}, {"ranking": "x"}, {"row": []}, {"else": {}}])
def test_an_event_of_another_shape_changes_nothing(event: object) -> None:
    found = Candidates()
    found.take(RANKING)
    before = repr(found)
    found.take(event)
    assert repr(found) == before

"""Figures of an evaluation: by hand, with intervals by dialogue, and paired differences."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest

from backends.sweetiechat.evaluate_figures import (
    by_dialogue,
    differences,
    figures,
    jackknife,
    leave_one_out,
    measures,
    strategy_uses,
)
from backends.sweetiechat.evaluate_turns import Prediction
from backends.sweetiechat.metrics.intervals import mean_of_sums
from backends.sweetiechat.metrics.strategy import agreement
from backends.sweetiechat.metrics.text import bleu, corpus, distinct, rouge_l
from backends.sweetiechat.metrics.tokens import tokenizer
from tests.backends.agent_cases import SET
from workbench.contract import UserError

WORDS = tokenizer("words")

def made(number: int, gold: str, said: str, response: str = "a b", reference: str = "a b", **fields) -> Prediction:
    values = {"probability": 0.5, "rank": 1, "nll": 2.0, "nll_tokens": 2, "tokens": 2, "finish": "stop", **fields}
    return Prediction(f"d{number // 2}", number, gold, said, reference=reference, response=response, **values)


ROWS = [made(0, "question", "question"), made(1, "question", "others", "a a"), made(2, "others", "others", "c d e"),
        made(3, "information", "others", "a b", nll=6.0, rank=4)]


def test_figures_by_hand() -> None:
    found = {f.name: f for f in figures(ROWS, SET.keys, WORDS, 0, 50)}
    expected = agreement([p.gold for p in ROWS], [p.said for p in ROWS], SET.keys)
    assert found["strategy-accuracy"].value == 0.5 and found["strategy-macro-f1"].value == expected.macro_f1
    assert found["strategy-weighted-f1"].value == expected.weighted_f1
    assert found["preference-bias"].value == pytest.approx(expected.bias)
    assert found["strategy-in-first-3"].value == 0.75
    assert found["perplexity-of-real-reply"].value == pytest.approx(math.exp(12 / 8))
    assert found["length-reply"].value == 9 / 4 and found["length-real"].value == 2
    assert found["distinct-1"].value == pytest.approx(100 * 5 / 9)
    assert found["distinct-1-esconv"].value == pytest.approx(100 * 3 / 5), "the last n-gram of each text is missed"
    for name, one in found.items():
        assert one.items == 4 and one.low is not None and one.low <= one.value <= one.high + 1e-9, name
    assert found["bleu-2"].tokenizer == "words" and found["strategy-accuracy"].tokenizer == ""


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_words_are_those_of_the_metrics_over_the_whole_corpus(seed: int) -> None:
    generator = random.Random(seed)

    def text() -> str:
        return " ".join(generator.choices("abcdefgh", k=generator.randint(2, 9)))
    rows = [made(n, "question", generator.choice(SET.keys), text(), text()) for n in range(14)]
    found = {f.name: f.value for f in figures(rows, SET.keys, WORDS, 0, 10)}
    texts = corpus([p.response for p in rows], [p.reference for p in rows], WORDS)
    for n in (1, 2, 4):
        assert found[f"bleu-{n}"] == pytest.approx(bleu(texts, n).value)
    for beta in (1.2, 1.0):
        assert found[f"rouge-l-beta-{beta:g}"] == pytest.approx(rouge_l(texts, beta).value)
    for n, compat in itertools.product((1, 2, 3), (True, False)):
        name = f"distinct-{n}{'-esconv' if compat else ''}"
        assert found[name] == pytest.approx(distinct(texts, n, esconv_compat=compat).value)


def test_every_measure_has_a_row_a_dialogue() -> None:
    for one in measures(by_dialogue(ROWS), SET.keys, WORDS):
        assert len(one.rows) == 2 and math.isfinite(one.statistic(one.rows.sum(axis=0))), one.name


def test_a_model_without_probabilities_has_no_perplexity_and_no_ranking() -> None:
    blind = [dataclasses.replace(p, nll=0.0, nll_tokens=0, rank=0) for p in ROWS]
    names = {f.name for f in figures(blind, SET.keys, WORDS, 0, 10)}
    assert not names & {"perplexity-of-real-reply", "strategy-in-first-3"} and "strategy-accuracy" in names


def test_the_divergence_is_0_for_the_real_mix_and_1_for_another_one() -> None:
    same = [made(n, key, key) for n, key in enumerate(("question", "others"))]
    apart = [made(n, "question", "others") for n in range(2)]
    for rows, expected in ((same, 0.0), (apart, 1.0)):
        found = {f.name: f.value for f in figures(rows, SET.keys, WORDS, 0, 10)}
        assert found["strategy-js-to-real"] == pytest.approx(expected)


def test_differences_are_of_what_both_have() -> None:
    blind = [dataclasses.replace(p, nll=0.0, nll_tokens=0, rank=0, said="") for p in ROWS]
    names = [f.name for f in differences(blind, ROWS, SET.keys, WORDS, 0, 10)]
    assert "bleu-2" in names and "distinct-2" in names and not any(n.startswith(("strategy", "perpl")) for n in names)
    with pytest.raises(UserError, match="same dialogues"):
        differences(ROWS, ROWS[:2], SET.keys, WORDS, 0, 10)


def test_the_interval_of_a_rate_narrows_with_more_dialogues() -> None:
    def rows(count: int) -> list[Prediction]:
        return [dataclasses.replace(made(0, "question", "question" if n % 2 else "others"), dialogue=f"d{n:04d}")
                for n in range(count)]

    def width(count: int) -> float:
        one = next(f for f in figures(rows(count), SET.keys, WORDS, 0, 300) if f.name == "strategy-accuracy")
        return one.high - one.low
    assert width(160) < 0.6 * width(20)
    assert mean_of_sums(np.array([3.0, 4.0])) == 0.75


def test_the_other_side_of_rouge_and_bleu_is_named() -> None:
    names = [f.name for f in figures(ROWS, SET.keys, WORDS, 0, 10)]
    assert {"rouge-l-beta-1.2", "rouge-l-beta-1", "distinct-2", "distinct-2-esconv"} <= set(names)
    assert len(names) == len(set(names))


def test_one_dialogue_has_no_interval() -> None:
    for one in figures(ROWS[:2], SET.keys, WORDS, 0, 10):
        assert one.low is None and one.high is None


def test_a_system_differs_from_itself_by_nothing_and_from_a_worse_one_by_the_difference() -> None:
    for one in differences(ROWS, ROWS, SET.keys, WORDS, 0, 50):
        assert one.value == pytest.approx(0) and (one.low, one.high) == pytest.approx((0, 0))
    worse = [dataclasses.replace(p, said="others", nll=2 * p.nll) for p in ROWS]
    found = {f.name: f.value for f in differences(ROWS, worse, SET.keys, WORDS, 0, 50)}
    assert found["strategy-accuracy"] == -0.25 and found["perplexity-of-real-reply"] > 0


def test_the_order_of_the_predictions_does_not_matter() -> None:
    mixed = list(ROWS)
    random.Random(1).shuffle(mixed)
    assert by_dialogue(mixed) == by_dialogue(ROWS)
    assert figures(mixed, SET.keys, WORDS, 0, 20) == figures(ROWS, SET.keys, WORDS, 0, 20)


@pytest.mark.parametrize("seed", range(5))
def test_leaving_one_out_equals_counting_again(seed: int) -> None:
    generator = random.Random(seed)
    grams = [[(generator.choice("abcdef"),) for _ in range(generator.randint(1, 6))] for _ in range(5)]
    value, without = leave_one_out(grams)

    def plain(parts) -> float:
        flat = list(itertools.chain.from_iterable(parts))
        return 100 * len(set(flat)) / len(flat)
    assert value == pytest.approx(plain(grams))
    assert without.tolist() == pytest.approx([plain(grams[:i] + grams[i + 1:]) for i in range(5)])


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    without = (values.sum() - values) / 3
    low, high = jackknife(values.mean(), without)
    error = values.std(ddof=1) / 2
    assert (low, high) == pytest.approx((4 - 1.96 * error, 4 + 1.96 * error))
    assert jackknife(1.0, np.array([1.0])) == (None, None)


def test_an_interval_of_a_share_stays_between_nothing_and_everything() -> None:
    low, high = jackknife(99.0, np.array([100.0, 98.0, 99.0]), 0.0, 100.0)
    assert high == 100.0 and 90 < low < 99
    assert jackknife(1.0, np.array([0.0, 2.0]), 0.0, 100.0)[0] == 0.0


def test_a_bootstrap_of_distinct_would_miss_the_corpus() -> None:
    """Why the interval is a jackknife: redrawn dialogues repeat their own words."""
    grams = [[(f"w{d}{n}",) for n in range(5)] for d in range(8)]
    value, without = leave_one_out(grams)
    assert value == 100 and jackknife(value, without) == (100.0, 100.0)
    drawn = [grams[random.Random(n).randrange(8)] for n in range(8)]
    assert leave_one_out(drawn)[0] < 100


def test_uses_name_what_to_beware_of() -> None:
    uses, warnings = strategy_uses(ROWS, SET.keys)
    table = {u.key: (u.gold, u.said) for u in uses}
    assert table["question"] == (2, 1) and table["others"] == (1, 3) and table["affirmation"] == (0, 0)
    assert any("affirmation is neither gold nor predicted" in w for w in warnings)

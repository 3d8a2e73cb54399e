"""Text metrics: values worked out by hand, the published fixture, and what must hold for any text."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat.metrics import text
from backends.sweetiechat.metrics.text import Corpus, corpus
from backends.sweetiechat.metrics.tokens import tokenizer
from tests.backends.quality_cases import kang
from workbench.contract import UserError

WORDS = tokenizer("words")
short_text = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)
some_text = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join)


def one(hypothesis: str, *references: str) -> Corpus:
    return corpus([hypothesis], [list(references)], WORDS)


BLEU = [
    ("equal", ["a b c d"], [["a b c d"]], 4, 100.0),
    ("shorter than the order: 1/2 match of 1", ["the cat sat"], [["the cat sat"]], 4, 100 * 0.5**0.25),
    ("two empty orders: 1/2 of 2, then 1/4 of 1", ["a b c d"], [["a b d c"]], 4,
     100 * (1 * 1 / 3 * (1 / 2) / 2 * 1 / 4) ** 0.25),
    ("clipped", ["the the the"], [["the cat and dog"]], 1, 100 * math.exp(1 - 4 / 3) / 3),
    ("clipped by the best reference", ["the the the"], [["the the", "the cat"]], 1, 100 * 2 / 3),
    ("brevity", ["a b"], [["a b c d"]], 2, 100 * math.exp(-1)),
    ("closest reference, the shorter of two as close", ["a b c"], [["a b", "a b c d"]], 1, 100.0),
    ("nothing in common", ["x y"], [["a b"]], 2, 0.0),
    ("empty text", [""], [["a b"]], 2, 0.0),
    ("added up, not averaged", ["a b c d", "x"], [["a b c d"], ["y z"]], 1, 100 * 4 / 5 * math.exp(1 - 6 / 5)),
]


@pytest.mark.parametrize(("why", "hypotheses", "references", "n", "expected"), BLEU, ids=[b[0] for b in BLEU])
def test_bleu_by_hand(why: str, hypotheses: list, references: list, n: int, expected: float) -> None:
    score = text.bleu(corpus(hypotheses, references, WORDS), n)
    assert score.value == pytest.approx(expected, abs=1e-12)
    assert (score.name, score.unit, score.tokenizer, score.items) == (f"bleu-{n}", "percent", "words", len(hypotheses))


def test_bleu_rows_add_up_over_any_split() -> None:
    texts = corpus(["a b c", "b c d a", "d"], ["a b d", "b c d", "d d"], WORDS)
    rows = text.bleu_rows(texts, 2)
    assert rows.tolist()[0] == [2, 1, 3, 2, 3, 3]
    assert text.bleu_of_rows(rows.sum(axis=0)) == pytest.approx(text.bleu(texts, 2).value)
    assert text.bleu_of_rows(rows[:1].sum(axis=0) + rows[1:].sum(axis=0)) == pytest.approx(text.bleu(texts, 2).value)


ROUGE = [
    ("a b c d", ["a c e"], 1.2, (1 + 1.44) * (1 / 2) * (2 / 3) / (2 / 3 + 1.44 / 2)),
    ("a b c d", ["a c e"], 1.0, 4 / 7),
    ("a b", ["a b"], 1.2, 1.0),
    ("a b", ["c"], 1.2, 0.0),
    ("", ["c"], 1.2, 0.0),
    ("a b c d", ["a b x y z w", "d"], 1.0, 2 * (1 / 2) * 1 / (1 / 2 + 1)),
]


@pytest.mark.parametrize(("hypothesis", "references", "beta", "expected"), ROUGE)
def test_rouge_l_by_hand(hypothesis: str, references: list, beta: float, expected: float) -> None:
    score = text.rouge_l(one(hypothesis, *references), beta)
    assert score.value == pytest.approx(100 * expected)
    assert score.name == f"rouge-l-beta-{beta:g}", "the variant is part of the name"


def test_the_two_rouge_variants_are_different_numbers() -> None:
    texts = one("a b c d", "a c e")
    assert text.rouge_l(texts).value != text.rouge_l(texts, 1.0).value
    assert text.rouge_l(texts).name == "rouge-l-beta-1.2", "ESConv's is the default"


DISTINCT = [
    (["a b a b"], 1, 50.0, 100 * 2 / 3),
    (["a b a b"], 2, 100 * 2 / 3, 100.0),
    (["a b", "a b"], 2, 50.0, 0.0),
    (["a b c", "b c d"], 2, 75.0, 100.0),
    (["a b c d"], 3, 100.0, 100.0),
]


@pytest.mark.parametrize(("texts", "n", "correct", "compat"), DISTINCT)
def test_distinct_by_hand_in_both_variants(texts: list, n: int, correct: float, compat: float) -> None:
    cut = corpus(texts, None, WORDS)
    assert text.distinct(cut, n).value == pytest.approx(correct)
    assert text.distinct(cut, n, esconv_compat=True).value == pytest.approx(compat)
    assert text.distinct(cut, n).name == f"distinct-{n}"
    assert text.distinct(cut, n, esconv_compat=True).name == f"distinct-{n}-esconv"


def test_distinct_says_when_there_is_nothing_to_count() -> None:
    score = text.distinct(corpus(["a", "b"], None, WORDS), 2)
    assert score.value == 0 and score.notes == ("no text has 2 tokens or more",)
    assert text.distinct(corpus(["a b"], None, WORDS), 2, esconv_compat=True).notes == ("no text has 3 tokens or more",)
    assert text.distinct(corpus(["a b"], None, WORDS), 2).notes == ()


@pytest.mark.parametrize(("hypothesis", "references", "expected"), [
    ("a a b", ["a b b"], 2 * 2 / 6), ("a", ["b", "a c"], 2 / 3), ("", ["a"], 0), ("a b", ["b a"], 1)])
def test_unigram_f1_by_hand(hypothesis: str, references: list, expected: float) -> None:
    assert text.unigram_f1(one(hypothesis, *references)).value == pytest.approx(100 * expected)


def test_length_and_perplexity_by_hand() -> None:
    assert text.average_length(corpus(["a b c", "", "d"], None, WORDS)).value == pytest.approx(4 / 3)
    score = text.perplexity([2 * math.log(4), math.log(2)], [2, 1], "smollm2")
    assert score.value == pytest.approx(32 ** (1 / 3))
    assert (score.unit, score.tokenizer, score.items) == ("perplexity", "smollm2", 2)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: corpus([], None, WORDS), "no text to measure"),
    (lambda: corpus(["a"], [], WORDS), "1 texts and 0 references"),
    (lambda: corpus(["a", "b"], ["a", []], WORDS), "Text 1 has no reference"),
    (lambda: text.bleu(corpus(["a"], None, WORDS)), "BLEU compares with references"),
    (lambda: text.rouge_l(corpus(["a"], None, WORDS)), "ROUGE-L compares"),
    (lambda: text.bleu(one("a", "a"), 0), "at least 1"),
    (lambda: text.distinct(corpus(["a"], None, WORDS), 0), "at least 1 token"),
    (lambda: text.perplexity([1.0], [0], "x"), "0 tokens in all"),
    (lambda: text.perplexity([1.0], [1, 2], "x"), "1 losses for 2 texts"),
    (lambda: text.perplexity([], [], "x"), "0 losses"),
])
def test_what_cannot_be_measured_is_refused(call, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call()


def test_all_scores_name_their_variant_and_tokenizer() -> None:
    with_references = text.all_scores(one("a b c d", "a b d c"))
    assert [s.name for s in with_references] == [
        "distinct-1", "distinct-2", "distinct-3", "distinct-1-esconv", "distinct-2-esconv", "distinct-3-esconv",
        "average-length", "bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l-beta-1.2", "rouge-l-beta-1", "unigram-f1"]
    assert {s.tokenizer for s in with_references} == {"words"}
    assert len(text.all_scores(corpus(["a b"], None, WORDS))) == 7


def slow_lcs(first: tuple, second: tuple) -> int:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.lists(st.sampled_from("abc"), max_size=80), st.lists(st.sampled_from("abc"), max_size=80))
def test_lcs_equals_the_table(first: list, second: list) -> None:
    assert text.lcs(tuple(first), tuple(second)) == slow_lcs(tuple(first), tuple(second))


pairs = st.lists(st.tuples(short_text, st.lists(some_text, min_size=1, max_size=3)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(pairs, st.randoms(use_true_random=False))
def test_every_score_is_bounded_and_independent_of_the_order(rows: list, generator: random.Random) -> None:
    mixed = list(rows)
    generator.shuffle(mixed)
    scores = [text.all_scores(corpus([h for h, _ in part], [r for _, r in part], WORDS)) for part in (rows, mixed)]
    for score, again in zip(*scores, strict=True):
        assert score.value == pytest.approx(again.value)
        assert 0 <= score.value <= (9 if score.unit == "tokens" else 100 + 1e-9)


@given(st.lists(some_text, min_size=1, max_size=4))
def test_a_text_equals_itself(texts: list) -> None:
    scores = {s.name: s.value for s in text.all_scores(corpus(texts, texts, WORDS))}
    assert scores["bleu-1"] == scores["rouge-l-beta-1.2"] == scores["unigram-f1"] == pytest.approx(100)


@given(st.lists(short_text, min_size=1, max_size=6), st.integers(1, 3))
def test_compat_is_the_correct_one_without_the_last_token(texts: list, n: int) -> None:
    cut = corpus(texts, None, WORDS)
    without = Corpus(tuple(t[:-1] for t in cut.hypotheses), (), "words")
    assert text.distinct(cut, n, esconv_compat=True).value == text.distinct(without, n).value


def test_the_published_predictions(shared: Path) -> None:
    """Distinct as the data notes give it; BLEU and ROUGE-1.0 as NLTK 3.10.4 and rouge_score give them."""
    samples = kang(shared)
    texts = corpus([s["res_pred"] for s in samples], [s["res_gold"] for s in samples], WORDS)
    assert len(samples) == 1611
    scores = {s.name: s.value for s in text.all_scores(texts)}
    expected = {"distinct-1": 4.91, "distinct-2": 29.32, "distinct-3": 53.98, "distinct-1-esconv": 5.04,
                "distinct-2-esconv": 29.57, "distinct-3-esconv": 54.14}
    assert {name: round(scores[name], 2) for name in expected} == expected
    assert [round(scores[f"bleu-{n}"], 5) for n in (1, 2, 3, 4)] == [16.57792, 5.95947, 2.82342, 1.42752]
    assert round(scores["rouge-l-beta-1.2"], 4) == 14.7098
    alnum = Corpus(*(tuple(cut_alnum(s[key]) if key == "res_pred" else (cut_alnum(s[key]),) for s in samples)
                     for key in ("res_pred", "res_gold")), "alnum")
    assert text.rouge_l(alnum, 1.0).value == pytest.approx(12.086945706176076)


def cut_alnum(value: str) -> tuple[str, ...]:
    """The tokens of Google's ``rouge_score``."""
    import re

    return tuple(re.findall(r"[a-z0-9]+", value.lower()))


def test_rows_have_one_entry_a_text() -> None:
    texts = corpus(["a b", "c"], ["a", "c"], WORDS)
    assert text.bleu_rows(texts, 4).shape == (2, 10)
    assert np.all(text.bleu_rows(texts, 4) >= 0)
    assert len(text.rouge_l_each(texts)) == len(text.unigram_f1_each(texts)) == 2

"""What pushed a score: shares of characters add up to the sum that the scorer made, for every scorer that is a sum."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.contributions import LONGEST, SPACES, Explained, Part, explain, plain_places, strongest
from backends.mdfg.scorers.hashing import Grams, buckets_of
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.scorers.ngram import Link, NgramScorer
from backends.mdfg.scorers.opening import open_scorer
from workbench.contract import UserError

MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"
TEXTS = ["原告请求判决被告赔偿。", "这是\n\n一段  普通的　文字", "A plain English text, with CAPITALS.",
         "ＡＢＣ全角１２３",
         "😀𠀀 beyond the first plane", "x", "傻", "\ufeff 边\u200b缘 \xa0", "重复重复重复重复"]


def made(link: Link = "ova", outputs: tuple[str, ...] = ("score",), low: int = 1, high: int = 3, power: float = 0.5,
         seed: int = 0, chars: int = 0) -> NgramScorer:
    """A scorer with random numbers in it."""
    draw = np.random.default_rng(seed)
    grams, width = Grams(low, high, 10, chars), len(outputs)
    return NgramScorer("quality", outputs, grams, draw.normal(size=(grams.buckets, width)).astype(np.float32),
                       draw.normal(size=width), draw.uniform(0.5, 2.0, width), draw.normal(size=width),
                       np.full(width, 0.25), link, power)


def found(scorer: NgramScorer | KeywordScorer, text: str, output: str = "score") -> Explained:
    answer = explain(scorer, text, output)
    assert answer is not None
    return answer


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


# --- n-grams ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("low", "high"), [(1, 3), (2, 5), (1, 1), (3, 3)])
def test_shares_and_base_add_up_to_the_logit(text: str, low: int, high: int) -> None:
    scorer = made(low=low, high=high)
    answer = found(scorer, text)
    assert answer.unit == "logit" and len(answer.shares) == len(text)
    assert answer.base + sum(answer.shares) == pytest.approx(answer.total, abs=1e-9)
    logits, bare = scorer.logits([text])
    if not bare[0]:
        assert answer.total == pytest.approx(float(logits[0, 0] * scorer.scale[0] + scorer.shift[0]), abs=1e-5)
        assert answer.score == pytest.approx(sigmoid(answer.total), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="中文字a B\n\t　Ａ1😀，", max_size=60), st.integers(1, 3), st.integers(0, 2))
def test_any_text_adds_up(text: str, low: int, more: int) -> None:
    scorer = made(low=low, high=low + more, seed=low)
    answer = found(scorer, text)
    assert answer.base + sum(answer.shares) == pytest.approx(answer.total, abs=1e-9)
    assert len(answer.shares) == len(text)


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab 中\n\t\xa0　\ufeff\u200b", max_size=40))
def test_characters_that_are_read_are_those_that_the_scorer_hashes(text: str) -> None:
    places = plain_places(text)
    grams = Grams(1, 1, 10)
    assert len(places) == len(buckets_of([text], grams)[0])
    assert places == sorted(set(places)) and all(0 <= place < len(text) for place in places)
    plain = "".join(" " if text[place] in SPACES else text[place] for place in places)
    assert buckets_of([plain], grams)[0].tolist() == buckets_of([text], grams)[0].tolist()


@pytest.mark.parametrize(("text", "places"), [
    ("", []), ("   ", []), ("ab", [0, 1]), (" a", [1]), ("a ", [0]), ("a  b", [0, 2, 3]), ("\n中\n\n文\n", [1, 3, 4])])
def test_a_run_of_white_space_is_its_last_character(text: str, places: list[int]) -> None:
    assert plain_places(text) == places


def test_a_softmax_output_is_explained_against_the_others() -> None:
    scorer = made("softmax", ("law", "news", "math"))
    answers = [found(scorer, "法院判决新闻数学", name) for name in scorer.outputs]
    assert sum(answer.total for answer in answers) == pytest.approx(0, abs=1e-5)
    table = scorer.score(["法院判决新闻数学"])[0]
    totals = np.array([answer.total for answer in answers])
    again = np.exp(totals) / np.exp(totals).sum()
    assert again == pytest.approx(table, abs=1e-5)
    assert sum(answer.score for answer in answers) == pytest.approx(1, abs=1e-5)


def test_only_the_characters_that_are_read_get_a_share() -> None:
    scorer = made(chars=4)
    answer = found(scorer, "一二三四五六七八")
    assert answer.shares[4:] == (0.0,) * 4 and any(answer.shares[:4])
    assert answer.base + sum(answer.shares) == pytest.approx(answer.total)


@pytest.mark.parametrize("text", ["", "   ", "\n\u3000\n"])
def test_a_text_without_content_has_no_share_and_the_row_for_empty_ones(text: str) -> None:
    answer = found(made(), text)
    assert not any(answer.shares) and answer.parts == () and answer.score == pytest.approx(0.25)
    assert answer.total == answer.base


def test_one_known_n_gram_is_found_where_it_stands() -> None:
    scorer = made()
    table = np.zeros_like(scorer.table)
    bucket = int(buckets_of(["毒"], Grams(1, 1, 10))[0][0])
    table[bucket, 0] = 3.0
    scorer = replace(scorer, table=table, scale=np.array([2.0]), power=1.0, grams=Grams(1, 1, 10))
    answer = found(scorer, "有毒的毒")
    assert [place for place, share in enumerate(answer.shares) if share] == [1, 3]
    assert answer.shares[1] == pytest.approx(2.0 * 3.0 / 4)
    assert answer.parts == (Part("毒", 2, pytest.approx(3.0)),)


def test_an_n_gram_is_shared_equally_by_its_characters() -> None:
    scorer = made(low=2, high=2)
    table = np.zeros_like(scorer.table)
    table[int(buckets_of(["好书"], Grams(2, 2, 10))[0][0]), 0] = 4.0
    scorer = replace(scorer, table=table, scale=np.ones(1), power=0.0)
    answer = found(scorer, "读好书吧")
    assert answer.shares == pytest.approx((0.0, 2.0, 2.0, 0.0))


# --- the strongest parts ------------------------------------------------------------------------------------------

def test_parts_are_ordered_by_strength_and_nested_ones_left_out() -> None:
    parts = [Part("ab", 1, 1.0), Part("a", 3, 0.5), Part("abc", 1, 2.0), Part("x", 1, -1.5), Part("ax", 1, -0.1)]
    assert [part.text for part in strongest(parts)] == ["abc", "x"]


def test_a_part_of_the_other_sign_is_kept_beside_the_one_it_lies_in() -> None:
    parts = [Part("好人", 1, 2.0), Part("好", 1, -1.0)]
    assert [part.text for part in strongest(parts)] == ["好人", "好"]


def test_white_space_alone_and_nothing_are_no_parts() -> None:
    assert strongest([Part(" ", 2, 9.0), Part("a", 1, 0.0)]) == ()


def test_no_more_parts_than_asked() -> None:
    assert len(strongest([Part(chr(97 + i), 1, 1.0 + i) for i in range(26)], 5)) == 5


# --- keywords -----------------------------------------------------------------------------------------------------

KEYWORDS = KeywordScorer("domain", ("law", "news", "general"), {"law": ("法院", "判决", "law"), "news": ("记者",)})


def test_keywords_are_bits_of_a_quarter() -> None:
    answer = found(KEYWORDS, "法院判决，法院宣布。", "law")
    assert answer.unit == "bits" and answer.base == 0 and answer.total == pytest.approx(0.5)
    assert answer.score == pytest.approx(1 - 2 ** -answer.total, abs=1e-6)
    assert sum(answer.shares) == pytest.approx(answer.total)
    assert answer.parts[0] == Part("法院", 2, 0.25)
    assert [place for place, share in enumerate(answer.shares) if share] == [0, 1, 2, 3, 5, 6]


def test_capital_letters_are_found_and_letters_that_grow_do_not_shift_places() -> None:
    answer = found(KEYWORDS, "İ LAW", "law")
    assert [place for place, share in enumerate(answer.shares) if share] == [2, 3, 4]


def test_the_rest_and_a_text_without_keywords_have_no_parts() -> None:
    assert found(KEYWORDS, "法院", "general").parts == ()
    nothing = found(KEYWORDS, "天气", "law")
    assert nothing.parts == () and nothing.total == 0 and nothing.score == 0


def test_overlapping_occurrences_all_count_once_each() -> None:
    scorer = KeywordScorer("domain", ("a", "general"), {"a": ("哈哈",)})
    answer = found(scorer, "哈哈哈", "a")
    assert answer.parts == (Part("哈哈", 2, 0.25),) and sum(answer.shares) == pytest.approx(0.25)


# --- bounds, and scorers that are no sums -------------------------------------------------------------------------

def test_an_output_that_there_is_not_is_named() -> None:
    with pytest.raises(UserError, match=r"no output 'sport'; it has law, news, general"):
        explain(KEYWORDS, "x", "sport")


def test_a_long_text_is_refused() -> None:
    with pytest.raises(UserError, match="20,001 characters"):
        explain(KEYWORDS, "x" * (LONGEST + 1), "law")
    assert len(found(KEYWORDS, "x" * LONGEST, "law").shares) == LONGEST


def test_another_scorer_is_not_explained() -> None:
    class Other:
        name, outputs, version = "quality", ("score",), "1"

        def score(self, texts: list[str]) -> np.ndarray:
            return np.zeros((len(texts), 1), dtype=np.float32)
    assert explain(Other(), "x", "score") is None


@pytest.mark.parametrize("name", sorted(path.name for path in MODELS.glob("mdfg-*")))
def test_every_bundled_scorer_is_explained_exactly(name: str) -> None:
    scorer = open_scorer(MODELS / name)
    for text in TEXTS:
        for output in scorer.outputs[:3]:
            answer = found(scorer, text, output)
            assert answer.base + sum(answer.shares) == pytest.approx(answer.total, abs=1e-6)
            if any(answer.shares) and answer.unit == "logit":
                assert answer.score == pytest.approx(sigmoid(answer.total), abs=1e-4)

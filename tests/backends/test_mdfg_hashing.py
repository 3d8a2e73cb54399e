"""The compiled n-gram kernels against a slow reference, and folded inference against the network it was folded from."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.scorers.hashing import Grams, buckets_of, codes_of, folded
from workbench.contract import UserError

MASK = (1 << 64) - 1
BLANK = {32, *range(9, 14), 0xA0, 0x3000, 0xFEFF, 0x200B}


def mixed(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def plain(text: str) -> list[int]:
    out: list[int] = []
    space = False
    for code in map(ord, text):
        if code in BLANK:
            space = bool(out)
            continue
        if space:
            out.append(32)
            space = False
        code = code - 0xFEE0 if 0xFF01 <= code <= 0xFF5E else code
        out.append(code + 32 if 65 <= code <= 90 else code)
    return out


def slow(text: str, grams: Grams) -> list[int]:
    codes, found = plain(text), []
    for begin in range(len(codes)):
        for order in range(grams.low, grams.high + 1):
            if begin + order <= len(codes):
                value = 0x243F6A8885A308D3
                for code in codes[begin:begin + order]:
                    value = mixed(value ^ code)
                found.append(value >> (64 - grams.bits))
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec=None), max_size=40), max_size=6), st.integers(1, 3),
       st.integers(0, 2))
def test_buckets_equal_the_slow_reference(texts: list[str], low: int, more: int) -> None:
    grams = Grams(low, low + more, 12)
    ids, ends = buckets_of(texts, grams)
    assert [sorted(ids[ends[i]:ends[i + 1]].tolist()) for i in range(len(texts))] == [
        sorted(slow(text, grams)) for text in texts]


@pytest.mark.parametrize(("one", "other"), [
    ("ABC def", "abc  DEF"), ("Ａｂｃ！", "abc!"), ("a\u3000b", "a b"), ("  x y\n", "x y"), ("x\u200by", "x y")])
def test_forms_that_are_read_as_one(one: str, other: str) -> None:
    grams = Grams(1, 3, 16)
    assert buckets_of([one], grams)[0].tolist() == buckets_of([other], grams)[0].tolist()


def test_a_lone_surrogate_and_an_astral_character_do_not_stop_it() -> None:
    texts = ["a\ud83d", "\ude00b", "😀", "\U00020000" * 3]
    codes, offsets = codes_of(texts)
    assert len(codes) == offsets[-1] == 2 + 2 + 1 + 3
    assert codes[2 - 1] == 0xD83D and codes[2] == 0xDE00, "two halves of different texts stay two"


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    table = np.random.default_rng(0).normal(size=(1 << 10, 3)).astype(np.float32)
    texts = ["你好", "", "hello world", "   ", "汉字" * 50]
    together, counts = folded(texts, Grams(1, 3, 10), table, 0.5)
    alone = np.concatenate([folded([text], Grams(1, 3, 10), table, 0.5)[0] for text in texts])
    assert np.array_equal(together, alone)
    assert counts.tolist() == [3, 0, 11 + 10 + 9, 0, 100 + 99 + 98]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_folded_sum_is_the_sum(power: float) -> None:
    grams, table = Grams(1, 2, 9), np.random.default_rng(1).normal(size=(1 << 9, 2)).astype(np.float32)
    text = "一段普通的文字，with some English。"
    ids = slow(text, grams)
    found, _ = folded([text], grams, table, power)
    assert np.allclose(found[0], table[ids].astype(np.float64).sum(axis=0) / len(ids) ** power)


def test_only_the_first_characters_are_read_where_asked() -> None:
    assert buckets_of(["abcdef"], Grams(1, 2, 10, 3))[0].tolist() == buckets_of(["abc"], Grams(1, 2, 10))[0].tolist()


@pytest.mark.parametrize("bad", [{"low": 0}, {"low": 3, "high": 2}, {"bits": 40}, {"chars": -1}, {"high": 20}])
def test_impossible_settings_say_what_is_allowed(bad: dict[str, int]) -> None:
    with pytest.raises(UserError, match="must lie between"):
        Grams(**bad)


def test_buckets_are_spread_evenly() -> None:
    generator = random.Random(0)
    text = "".join(chr(generator.randint(0x4E00, 0x9FA5)) for _ in range(20_000))
    ids, _ = buckets_of([text], Grams(3, 3, 8))
    counts = np.bincount(ids, minlength=256)
    assert counts.min() > 40 and counts.max() < 130, "about 78 in each"

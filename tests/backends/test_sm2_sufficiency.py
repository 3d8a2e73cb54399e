"""Sufficiency on text whose alignment nobody has given: a dictionary learned from the test set's own pairs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sm2.alignment import LEAST, MOST, dictionary, sufficiency
from backends.sm2.corpora import as_text
from backends.sm2.curve import run as curve
from backends.sm2.order_language import sentences
from backends.sm2.requests import CurveRequest
from backends.sm2.vocabulary import words
from tests.backends.sm2_cases import LANGUAGE
from workbench.context import MemoryContext

MADE = sentences(LANGUAGE, 200, random.Random(11))
TEXT = as_text(LANGUAGE, MADE)


def test_a_learned_dictionary_finds_the_known_alignment() -> None:
    learned = dictionary(TEXT.source, TEXT.target)
    assert learned is not None
    right = whole = 0
    for one, source, target in zip(MADE, TEXT.source, TEXT.target, strict=True):
        found = learned.needed(source, target)
        right += sum(a == b for a, b in zip(found, one.needed, strict=False))
        whole += len(found)
    assert right / whole > 0.95, "the end token is no word"


def test_the_measure_is_that_of_the_known_alignment() -> None:
    learned = dictionary(TEXT.source, TEXT.target)
    assert learned is not None
    for k in (1, 3, 20):
        exact, rough = [], []
        for one, source, target in zip(MADE, TEXT.source, TEXT.target, strict=True):
            size = len(source.split())
            delays = [min(k + i, size) for i in range(len(target.split()))]
            exact.append(sufficiency(delays, one.needed) or 0.0)
            rough.append(sufficiency(delays, learned.needed(source, target)) or 0.0)
        assert sum(rough) / 200 == pytest.approx(sum(exact) / 200, abs=0.03)


def test_a_word_that_was_never_seen_is_aligned_with_nothing() -> None:
    learned = dictionary(TEXT.source, TEXT.target)
    assert learned is not None
    assert learned.needed("svo n1 v2", "N1 Zebra") == [2, None]
    assert learned.needed("Katze Hund", "N1 V2")[0] is None and learned.needed("", "N1") == [None]
    assert learned.needed("svo n1", "") == []


def test_case_does_not_matter_and_chinese_is_aligned_by_the_character() -> None:
    pairs = [("我 看 书", "i read books"), ("我 看", "i read"), ("看 书", "read books"), ("书", "books"), ("我", "i")]
    source, target = [p[0].replace(" ", "") for p in pairs] * 30, [p[1].upper() for p in pairs] * 30
    learned = dictionary(source, target)
    assert learned is not None and learned.needed("书我", "Books I") == [1, 2]


@pytest.mark.parametrize(("count", "there"), [(0, False), (LEAST - 1, False), (LEAST, True)])
def test_few_pairs_teach_nothing(count: int, there: bool) -> None:
    assert (dictionary(TEXT.source[:count], TEXT.target[:count]) is not None) is there


def test_a_large_test_set_is_learned_from_in_part() -> None:
    learned = dictionary(["a b"] * MOST + ["c"], ["A B"] * MOST + ["new"], rounds=1)
    assert learned is not None and "new" not in learned.numbers and "a" in learned.numbers


def files(tmp_path: Path, count: int) -> dict[str, str]:
    for name, lines in (("s", TEXT.source), ("t", TEXT.target)):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines[:count]) + "\n", encoding="utf-8")
    return {"source": f"path:{tmp_path}/s.txt", "target": f"path:{tmp_path}/t.txt"}


def test_a_curve_of_files_knows_it_roughly(tmp_path: Path) -> None:
    asked = CurveRequest(**files(tmp_path, 120), thresholds=(0.5,), waits=(1,), resamples=10)
    points = {p.policy: p for p in curve(asked, MemoryContext(tmp_path / "run")).points}
    assert points["full sentence"].sufficiency == 1.0
    assert points["SM2 0.5"].sufficiency == 1.0 > points["wait-1"].sufficiency > 0.9, "wrong guesses do not count"


def test_a_wrong_guess_is_not_told_as_early() -> None:
    """Why the measure is read beside BLEU: wait-1 guesses what it has not read, and no source word explains a guess."""
    learned = dictionary(TEXT.source, TEXT.target)
    assert learned is not None
    right, wrong = (
        sufficiency([1, 2, 3], learned.needed("sov n2 n1 o4 v3", text)) or 0.0 for text in ("N1 N2 V3", "N1 N2 V9")
    )
    assert right == pytest.approx(1 / 3) and right < wrong


def test_a_curve_of_few_sentences_does_not_know_it(tmp_path: Path) -> None:
    asked = CurveRequest(**files(tmp_path, 60), thresholds=(0.5,), waits=(), full=False, resamples=10)
    assert curve(asked, MemoryContext(tmp_path / "run")).points[0].sufficiency is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_words_lose_nothing_but_spaces(text: str) -> None:
    found = words(text)
    assert "".join(found) == "".join(text.split()) and all(found)
    assert words(" ".join(found)) == found, "words of words are themselves"

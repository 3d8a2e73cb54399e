"""Near-duplicates: MinHash against exact Jaccard, and repeated turns and dialogues."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.quality.near_duplicates import (
    Seen,
    check_near_duplicates,
    estimate,
    jaccard,
    repeated_turns,
    shingles,
    signature,
)
from backends.sweetiechat.quality.verdict import Limits
from tests.backends.quality_cases import GOOD_EN, GOOD_ZH, dialogue, multiesc, said, with_turn

WORDS, ZH = tokenizer("words"), tokenizer("chars")
ROOT = Path(__file__).resolve().parents[2]


def named(made, name: str):
    return dataclasses.replace(made, id=name)


@pytest.mark.parametrize(("first", "second", "expected"), [
    ({1, 2, 3}, {2, 3, 4}, 0.5), ({1}, {1}, 1), ({1}, {2}, 0), (set(), set(), 0), (set(), {1}, 0)])
def test_jaccard_by_hand(first: set, second: set, expected: float) -> None:
    assert jaccard(first, second) == expected


@pytest.mark.parametrize(("texts", "size", "count"), [
    (("a b c d e",), 5, 1), (("a b c d e f",), 5, 2), (("a b c d",), 5, 0), (("a b c", "d e f"), 5, 0),
    (("a a a a a a a",), 5, 1), (("a b", "a b"), 2, 1), ((), 5, 0)])
def test_shingles_stay_within_a_text(texts: tuple, size: int, count: int) -> None:
    assert len(shingles(texts, WORDS, size)) == count


def test_shingles_keep_tokens_apart() -> None:
    assert shingles(("ab c",), WORDS, 2) != shingles(("a bc",), WORDS, 2)


sets = st.frozensets(st.integers(0, 2**32 - 1), max_size=60)


@settings(max_examples=60)
@given(sets, sets, sets)
def test_the_estimate_is_near_the_exact_similarity(shared: frozenset, left: frozenset, right: frozenset) -> None:
    first, second = shared | left, shared | right
    if first and second:
        exact = jaccard(first, second)
        assert abs(estimate(signature(first), signature(second)) - exact) < 0.25, "more than 5 standard errors"


def test_the_estimate_is_unbiased() -> None:
    draw = np.random.default_rng(1)
    gaps = []
    for _ in range(60):
        pool = draw.choice(2**31, 150, replace=False).tolist()
        first, second = set(pool[:100]), set(pool[50:])
        gaps.append(estimate(signature(first), signature(second)) - jaccard(first, second))
    assert abs(np.mean(gaps)) < 0.02 and np.std(gaps) < 0.06


@given(sets.filter(bool))
def test_a_signature_depends_on_the_set_alone(items: frozenset) -> None:
    assert estimate(signature(items), signature(dict.fromkeys(sorted(items)).keys())) == 1
    assert signature(items).max() < 2**32


def test_the_empty_set_is_like_nothing_else() -> None:
    assert estimate(signature(set()), signature({1, 2})) == 0


def test_shingles_are_the_same_in_every_process() -> None:
    code = ("from backends.sweetiechat.metrics.tokens import tokenizer\n"
            "from backends.sweetiechat.quality.near_duplicates import shingles\n"
            "print(sorted(shingles(('a b c d e f g',), tokenizer('words'), 5)))")
    out = [subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                          env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}).stdout for seed in ("1", "2")]
    assert out[0] == out[1] == f"{sorted(shingles(('a b c d e f g',), WORDS, 5))}\n"


AGAIN = "I am so sorry that you have to go through all of this alone right now."


@pytest.mark.parametrize(("texts", "pairs"), [
    ((AGAIN, AGAIN), [(1, 3)]),
    ((AGAIN, AGAIN + " Truly."), [(1, 3)]),
    ((AGAIN, "What happened next in your life after all of that was over?"), []),
    (("Thank you.", "Thank you."), []),
    ((AGAIN, "Something else is said here in between, of course.", AGAIN), [(1, 5)]),
])
def test_repeated_turns(texts: tuple, pairs: list) -> None:
    made = said(*texts)
    made = dataclasses.replace(made, turns=tuple(
        dataclasses.replace(t, text=f"Answer {t.idx} is short") if t.role == "seeker" else t for t in made.turns))
    found = repeated_turns(made, WORDS, Limits())
    assert [(i, j) for i, j, _ in found] == pairs
    assert check_near_duplicates(made, WORDS, Limits()).passed is (not pairs)


def test_an_echo_of_the_other_speaker_counts_too() -> None:
    made = dialogue([("seeker", AGAIN), ("supporter", AGAIN)])
    verdict = check_near_duplicates(made, WORDS, Limits())
    assert verdict.passed is False and verdict.value["turns"] == [[0, 1, 1.0]]
    assert verdict.reason == "turns say the same again (turn 2)"


def test_the_limit_itself_still_passes() -> None:
    """7 of 10 shingles in common: 0.7 is not above 0.7."""
    made = dialogue([("seeker", "a b c d e f g h i j k"), ("supporter", "a b c d e f g h i j k l m n")])
    assert repeated_turns(made, WORDS, Limits(max_similarity=0.7)) == []
    assert repeated_turns(made, WORDS, Limits(max_similarity=0.69)) == [(0, 1, 0.7)]


def test_a_copy_of_an_earlier_dialogue_is_found_and_named() -> None:
    seen = Seen(WORDS)
    seen.add(named(dialogue(), "first"))
    copy = named(with_turn(dialogue(), 6, "That would be nice, thank you very much."), "second")
    verdict = check_near_duplicates(copy, WORDS, Limits(), seen)
    assert verdict.passed is False
    assert verdict.value["nearest"] == "first" and 0.7 < verdict.value["similarity"] < 1
    assert verdict.reason == f"{verdict.value['similarity']:.0%} like dialogue first"


def test_a_dialogue_is_not_compared_with_itself_and_without_an_index_only_within() -> None:
    seen = Seen(WORDS)
    seen.add(dialogue())
    seen.add(dialogue())
    verdict = check_near_duplicates(dialogue(), WORDS, Limits(), seen)
    assert verdict.passed is True and verdict.value["nearest"] == "" and verdict.value["compared"] is True
    assert check_near_duplicates(dialogue(), WORDS, Limits()).value["compared"] is False


def test_texts_without_shingles_are_like_nothing() -> None:
    seen = Seen(WORDS)
    short = dialogue([("seeker", "Hello there."), ("supporter", "Hi.")])
    seen.add(named(short, "a"))
    assert seen.nearest(named(short, "b")).similarity == 0


def test_chinese_dialogues() -> None:
    seen = Seen(ZH)
    seen.add(named(dialogue(GOOD_ZH, language="zh"), "a"))
    assert seen.nearest(named(dialogue(GOOD_ZH, language="zh"), "b")).similarity == 1


def test_of_equally_near_dialogues_the_first_id_is_named() -> None:
    seen = Seen(WORDS)
    for name in ("c", "a", "b"):
        seen.add(named(dialogue(), name))
    assert seen.nearest(named(dialogue(), "z")).name == "a"


def test_banded_search_finds_what_comparing_all_finds() -> None:
    """60 dialogues made of ten sentences each, half of them near-copies: every pair above the limit is found."""
    draw = np.random.default_rng(7)

    def sentence() -> str:
        return " ".join(f"w{n}" for n in draw.integers(0, 400, 12))

    originals = [[sentence() for _ in range(10)] for _ in range(30)]
    copies = [[sentence() if draw.random() < 0.08 else text for text in texts] for texts in originals]
    made = [named(dialogue([("seeker" if i % 2 else "supporter", t) for i, t in enumerate(texts)]), f"{n:02}")
            for n, texts in enumerate([*originals, *copies])]
    cut = [shingles(tuple(t.text for t in d.turns), WORDS, 5) for d in made]
    seen, found, exact = Seen(WORDS), [], []
    for n, one in enumerate(made):
        nearest = seen.nearest(one)
        best = max((jaccard(cut[n], cut[m]) for m in range(n)), default=0.0)
        found.append(round(nearest.similarity, 9) if nearest.similarity > 0.7 else 0)
        exact.append(round(best, 9) if best > 0.7 else 0)
        seen.add(one)
    assert found == exact and sum(value > 0 for value in exact) > 15


def test_real_dialogues_are_not_duplicates_of_each_other(shared: Path) -> None:
    seen = Seen(WORDS)
    for made in multiesc(shared):
        assert check_near_duplicates(made, WORDS, Limits(), seen).passed is True
        seen.add(made)
    again = named(multiesc(shared)[3], "copy")
    assert seen.nearest(again).name == "m3" and seen.nearest(again).similarity == 1


def test_good_dialogues_pass() -> None:
    assert check_near_duplicates(dialogue(GOOD_EN), WORDS, Limits(), Seen(WORDS)).reason == "nothing is said twice"

"""MinHash against exact similarities, clusters against all pairs, and which document is kept."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backends.mdfg import sample
from backends.mdfg.dedup import clusters, minhash
from backends.mdfg.text.codes import codes_of
from tests.backends.corpus_cases import texts


def signed(batch: list[str], **options: int) -> minhash.Signatures:
    return minhash.signatures(*codes_of(batch), **options)


def jaccard(one: str, other: str, n: int = 5) -> float:
    plain = ["".join(text.lower().split()) for text in (one, other)]
    sets = [{text[i:i + n] for i in range(max(1, len(text) - n + 1))} for text in plain]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def pairs() -> list[tuple[str, str]]:
    draw = random.Random(3)
    made = []
    for base in texts(120, seed=8, lines=6):
        if len(base) > 120:
            cut = draw.randint(0, len(base) // 2)
            made.append((base, base[cut:] + sample.article(draw, 3)[:cut]))
    return made


def test_the_estimate_is_as_good_as_the_formula_says() -> None:
    both = pairs()
    estimate = minhash.similarity(signed([a for a, _ in both]), signed([b for _, b in both]))
    exact = np.array([jaccard(a, b) for a, b in both])
    assert np.sqrt(np.mean((estimate - exact) ** 2)) < 0.05
    assert abs(np.mean(estimate - exact)) < 0.02


def test_case_and_white_space_do_not_matter_and_order_does() -> None:
    one, same, other = "Rain fell on the hills", "rain\tFELL on\n the hills ", "the hills fell on rain"
    made = signed([one, same, other])
    assert minhash.similarity(made[0], made[1]) == 1.0
    assert minhash.similarity(made[0], made[2]) < 0.9


@pytest.mark.parametrize("text", ["", " \n", "\t"])
def test_an_empty_text_is_nobodys_duplicate(text: str) -> None:
    made = signed([text, "", "abc", "abc"])
    assert (made[0] == minhash.EMPTY).all()
    assert clusters.find([made]).tolist() == [-1, -1, 2, 2]


def test_short_texts_are_one_shingle() -> None:
    made = signed(["ab", "ab", "ac", "abcde"])
    assert minhash.similarity(made[0], made[1]) == 1.0
    assert minhash.similarity(made[0], made[2]) < 0.2


def test_a_seed_gives_the_same_functions() -> None:
    assert (minhash.functions(64, 2).a == minhash.functions(64, 2).a).all()
    assert (minhash.functions(64, 2).a != minhash.functions(64, 3).a).any()
    assert (minhash.functions(128).a % 2 == 1).all()
    assert signed(["abc"], count=32).shape == (1, 32)


def test_clusters_find_what_all_pairs_find() -> None:
    batch = texts(600, seed=21, lines=6)
    made = signed(batch)
    found = clusters.find([made])
    close = {(i, j) for i in range(len(batch)) for j in np.flatnonzero(
        minhash.similarity(made[i], made[i + 1:]) >= 0.8) + i + 1 if not (made[i] == minhash.EMPTY).all()}
    assert len(close) > 30
    missed = [(i, j) for i, j in close if found[i] < 0 or found[i] != found[j]]
    assert len(missed) <= 0.02 * len(close), missed
    for i in np.flatnonzero(found >= 0):
        others = [j for j in np.flatnonzero(found == found[i]) if j != i]
        assert max(float(minhash.similarity(made[i], made[j])) for j in others) >= 0.7


def test_the_name_of_a_cluster_is_its_first_document_whatever_the_blocks() -> None:
    batch = texts(300, seed=4)
    made = signed(batch)
    one = clusters.find([made])
    assert (clusters.find([made[:100], made[100:150], made[150:]]) == one).all()
    members = np.flatnonzero(one >= 0)
    assert all(one[one[i]] == one[i] for i in members), "the first one belongs to its own cluster"
    assert (one[members] <= members).all()


def test_the_step_between_bands_may_end_the_work() -> None:
    seen: list[int] = []

    def step(band: int) -> None:
        seen.append(band)
        if band == 3:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        clusters.find([signed(["abcdef"] * 3)], step=step)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(("quality", "length", "eligible", "kept"), [
    ([0.2, 0.9, 0.9], [5, 5, 9], [True, True, True], 2),
    ([0.2, 0.9, 0.9], [5, 5, 5], [True, True, True], 1),
    ([0.2, 0.9, 0.9], [5, 5, 9], [True, False, False], 0),
    ([float("nan"), 0.1, float("nan")], [9, 1, 9], [True, True, True], 1),
    ([0.0, 0.0, 0.0], [1, 2, 3], [False, False, False], 2)])
def test_the_best_of_a_cluster_is_kept(quality: list[float], length: list[int], eligible: list[bool],
                                       kept: int) -> None:
    cluster = np.array([0, -1, 0, 0])
    quality.insert(1, 0.0), length.insert(1, 0), eligible.insert(1, False)
    kept += kept > 0
    found = clusters.keep_best(cluster, np.array(quality), np.array(length), np.array(eligible))
    assert found.keep.tolist() == [i in (1, kept) for i in range(4)], "a document without a cluster stays"
    assert found.sizes.tolist() == [3, 1, 3, 3]


def test_nothing_at_all() -> None:
    assert clusters.find([]).tolist() == []
    none = np.zeros(0, dtype=np.int64)
    assert clusters.keep_best(none, none, none, none.astype(bool)).keep.tolist() == []


def test_a_chain_is_one_cluster() -> None:
    draw = random.Random(1)
    chain = [sample.article(draw, 12)]
    for _ in range(5):
        chain.append(chain[-1][60:] + sample.article(draw, 3)[:60])
    found = clusters.find([signed(chain)], bands=64, rows=2, limit=0.6)
    assert set(found.tolist()) == {0}

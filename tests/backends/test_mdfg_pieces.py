"""Pieces, selection and self-training against slow references: no character is lost, no score hides."""

from __future__ import annotations

import math
import random
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.fit import SMALL, SMALL_2, Plan, first_pieces, fit, predict
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.objective import Terms, loss_of, mse, ranking, similarity
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.bert_eval.segments import ENDS, LEAST, WINDOW, Segment, pieces, segments
from backends.mdfg.bert_eval.selection import aligned, merge, select
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.ust import TINY, bald, confidence, draw, easiness, entropy, pseudo_labels
from backends.mdfg.ust_fit import UstPlan, _batch, disjoint, self_train, text_key
from workbench.contract import UserError

LONG = st.lists(st.sampled_from(["字", "文", "。", "！", "\n", ".", " ", "a", "？"]), max_size=400).map("".join)
SCORES = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=30).map(np.array)


def network(seed: int = 0) -> BertEval:
    source = torch.Generator().manual_seed(seed)
    return BertEval(NgramEncoder(Grams(1, 2, 10), 8, generator=source), generator=source)


# pieces


@settings(max_examples=80, deadline=None)
@given(LONG, st.integers(2, 60), st.sampled_from(["score", "official"]))
def test_pieces_follow_each_other_and_none_is_too_long(text: str, window: int, tails: str) -> None:
    found = segments(text, tails, window, window - 1)
    assert "".join(text[one.begin:one.end] for one in found) == text
    assert all(one.begin < one.end <= one.begin + window for one in found)
    assert [one.begin for one in found[1:]] == [one.end for one in found[:-1]]


@settings(max_examples=80, deadline=None)
@given(LONG, st.integers(2, 60))
def test_a_piece_ends_at_the_last_mark_of_its_window(text: str, window: int) -> None:
    for one in segments(text, "score", window, window - 1):
        if one.begin + window >= len(text) - 1:
            continue
        inner = text[one.begin + 1:one.begin + window]
        marks = [place for place, character in enumerate(inner, one.begin + 1) if character in ENDS]
        wanted = one.begin + window if not marks else marks[-1] + (text[marks[-1]] != "\n")
        assert one.end == wanted


@pytest.mark.parametrize(("length", "wanted"), [
    (1, [1]), (510, [510]), (511, [510, 1]), (512, [510, 2]), (1020, [510, 510]), (1021, [510, 510, 1])])
def test_a_text_without_marks_is_cut_at_the_window(length: int, wanted: list[int]) -> None:
    assert [one.end - one.begin for one in segments("字" * length)] == wanted


@pytest.mark.parametrize(("length", "scored"), [(LEAST - 1, False), (LEAST, True), (LEAST + 1, True)])
def test_the_official_form_scores_no_piece_under_200_characters(length: int, scored: bool) -> None:
    assert segments("字" * length, "official")[0].scored is scored
    assert segments("字" * length)[0].scored is True
    assert pieces("字" * length, "official") == (["字" * length] if scored else [])


def test_every_end_of_a_sentence_ends_a_piece() -> None:
    for mark in ENDS:
        text = "字" * 300 + mark + "文" * 400
        assert segments(text)[0].end == (300 if mark == "\n" else 301), mark


def test_the_window_is_that_of_the_paper() -> None:
    assert (WINDOW, LEAST) == (510, 200)
    assert first_pieces(["字" * 600, " ", "文"]) == ["字" * 510, "文"]


# selection


def cut(count: int, unscored: set[int] = frozenset()) -> tuple[Segment, ...]:
    return tuple(Segment(10 * i, 10 * i + 10, i not in unscored) for i in range(count))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 10)), min_size=1, max_size=25), st.integers(0, 10))
def test_selection_equals_a_slow_one(marks: list[int | None], limit: int) -> None:
    parts = tuple(Segment(i, i + 1, mark is not None) for i, mark in enumerate(marks))
    found = select(parts, [mark / 10 for mark in marks if mark is not None], limit / 10)
    assert [place for part in found for place in range(part.begin, part.end)] == list(range(len(marks)))
    wanted = []
    for good, run in groupby(range(len(marks)), lambda i: marks[i] is not None and marks[i] / 10 > limit / 10):
        places = list(run)
        wanted += [(places[0], places[-1] + 1)] if good else [(i, i + 1) for i in places]
    assert [(part.begin, part.end) for part in found] == wanted
    for part in found:
        inside = [marks[i] for i in range(part.begin, part.end)]
        if part.fate == "kept":
            assert part.score == pytest.approx(sum(inside) / len(inside) / 10)
        else:
            assert part.fate == ("unscored" if inside == [None] else "rejected")


@pytest.mark.parametrize(("sizes", "scores", "wanted"), [
    ([10, 30], [1.0, 0.0], 0.25), ([10, 10], [0.2, 0.6], 0.4), ([1, 999], [0.0, 1.0], 0.999), ([5], [0.3], 0.3)])
def test_long_pieces_weigh_more(sizes: list[int], scores: list[float], wanted: float) -> None:
    begins = [sum(sizes[:i]) for i in range(len(sizes))]
    found = merge([Segment(b, b + s, True) for b, s in zip(begins, sizes, strict=True)], scores)
    assert found.score == pytest.approx(wanted)
    assert found.least == min(scores) and found.pieces == tuple(scores)


def test_nothing_scored_gives_no_score() -> None:
    assert merge(cut(3, {0, 1, 2}), []).score is None
    assert merge((), []).pieces == ()
    assert aligned(cut(3, {1}), [0.1, 0.2]) == [0.1, None, 0.2]
    with pytest.raises(UserError, match="2 pieces to score and 1 scores"):
        aligned(cut(3, {1}), [0.1])


def test_a_score_does_not_depend_on_the_texts_beside_it() -> None:
    scorer = BertEvalScorer(network(), batch=3)
    texts = ["字" * 700, "短文。", "一段文字。" * 60, "", "abc " * 300]
    together = scorer.score(texts)
    for place, text in enumerate(texts):
        assert scorer.score([text])[0] == pytest.approx(together[place], abs=1e-5)


# losses


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.sampled_from([0.0, 0.25, 1.0]), st.floats(0.1, 3)),
                min_size=1, max_size=12))
def test_losses_equal_slow_sums(rows: list[tuple[float, float, float]]) -> None:
    p, y, w = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows, strict=True))
    count = len(rows)
    assert float(mse(p, y, w)) == pytest.approx(sum(c * (a - b) ** 2 for a, b, c in rows) / count)
    total = 0.0
    for a, b, c in rows:
        for x, z, v in rows:
            sign = (b > z) - (b < z) or -((a > x) - (a < x))
            total += (c + v) / 2 * max(0.0, -sign * (a - x))
    assert float(ranking(p, y, w)) == pytest.approx(total / count**2, abs=1e-9)
    assert float(ranking(p, y, w, mode="official")) == 0
    if any(b for _, b, _ in rows):
        dot = sum(c * a * b for a, b, c in rows)
        size = math.sqrt(sum(c * a * a for a, _, c in rows) * sum(c * b * b for _, b, c in rows))
        assert float(similarity(p, y, w)) == pytest.approx(1 - dot / size, abs=1e-6)


def test_the_whole_loss_is_the_weighted_sum_of_its_parts() -> None:
    p, y = torch.tensor([0.2, 0.7, 0.4]), torch.tensor([1.0, 0.0, 1.0])
    w = torch.ones(3)
    terms = Terms(0.5, 0.3, 0.2, 0.1)
    wanted = 0.5 * mse(p, y, w) + 0.3 * ranking(p, y, w, 0.1) + 0.2 * similarity(p, y, w)
    assert float(loss_of(p, y, w, terms)) == pytest.approx(float(wanted))
    assert float(loss_of(p, y, None, terms)) == pytest.approx(float(wanted))


@pytest.mark.parametrize("part", ["alpha", "beta", "gamma"])
def test_every_part_of_the_loss_moves_a_wrong_pair_the_right_way(part: str) -> None:
    terms = Terms(**{"alpha": 0.0, "beta": 0.0, "gamma": 0.0, part: 1.0})
    scores = torch.tensor([0.3, 0.6], requires_grad=True)
    loss_of(scores, torch.tensor([1.0, 0.0]), None, terms).backward()
    assert scores.grad[0] < 0 < scores.grad[1], "the good text up, the bad one down"


# self-training


@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(0.1, 0.5), st.floats(0.5, 0.9))
def test_pseudo_labels_equal_a_slow_vote(scores: np.ndarray, positive: float, negative: float) -> None:
    found = pseudo_labels(scores, positive, negative)
    every = sorted(scores.ravel(), reverse=True)
    above = every[min(len(every) - 1, int(len(every) * positive))]
    below = every[min(len(every) - 1, int(len(every) * negative))]
    assert (found.above, found.below) == (above, below)
    up = [i for i, row in enumerate(scores) if sum(s > above for s in row) > 1.5]
    down = [i for i, row in enumerate(scores) if sum(s < below for s in row) > 1.5 and i not in up]
    assert found.positive.tolist() == up and found.negative.tolist() == down


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_disagreement_and_confidence_equal_their_formulas(scores: np.ndarray) -> None:
    def h(p: float) -> float:
        p = min(max(p, TINY), 1 - TINY)
        return -p * math.log(p) - (1 - p) * math.log(1 - p)
    for row, found, sure in zip(scores, bald(scores), confidence(scores, 2.0), strict=True):
        mean = sum(row) / 3
        assert found == pytest.approx(max(0.0, h(mean) - sum(map(h, row)) / 3), abs=1e-9)
        assert sure == pytest.approx(-2 * math.log(sum((s - mean) ** 2 for s in row) / 3 + 1e-10), rel=1e-6)
    assert bald(scores).min() >= 0 and bald(scores).max() <= math.log(2) + 1e-9
    easy = easiness(scores)
    assert easy.min() >= 0 and easy.max() == 1


def test_entropy_at_its_ends_and_middle() -> None:
    assert entropy(np.array([0.0, 1.0])) == pytest.approx([0, 0], abs=1e-8)
    assert float(entropy(np.array(0.5))) == pytest.approx(math.log(2))


def test_texts_are_drawn_in_proportion_to_their_easiness() -> None:
    places, easy = np.arange(3), np.array([0.1, 0.3, 0.6])
    generator, counts = random.Random(0), np.zeros(3)
    for _ in range(3000):
        counts[draw(places, easy, 1, generator)[0]] += 1
    assert counts / 3000 == pytest.approx(easy, abs=0.03)
    assert sorted(draw(places, easy, 3, generator).tolist()) == [0, 1, 2]
    assert len(draw(places, easy, 7, generator)) == 7, "with replacement where there are too few"
    with pytest.raises(UserError, match="none can be drawn"):
        draw(np.zeros(0, dtype=np.int64), easy, 1, generator)


@pytest.mark.parametrize(("scheme", "share"), [("ust", 0.0), ("paradigm", 1.0), ("ust_paradigm", 0.9)])
@pytest.mark.parametrize("scaled", [True, False])
def test_a_batch_has_as_many_positives_as_negatives(scheme: str, share: float, scaled: bool) -> None:
    plan = UstPlan(scheme=scheme, scale_confidence=scaled)
    texts = [f"crawl {i}" for i in range(100)]
    sure = np.linspace(1, 20, 100)
    words, labels, weights = _batch(texts, [f"curated {i}" for i in range(30)], np.arange(20), np.arange(50, 70), sure,
                                    plan, random.Random(0))
    assert len(words) == len(labels) == len(weights) == 40 and sum(labels) == 20
    positives = [word for word, label in zip(words, labels, strict=True) if label]
    assert sum(word.startswith("curated") for word in positives) == round(20 * share)
    assert all(word.startswith("crawl") for word, label in zip(words, labels, strict=True) if not label)
    assert (np.mean(weights) == pytest.approx(1)) == scaled
    if scheme == "paradigm" and not scaled:
        assert weights[20:] == pytest.approx([sure[50:70].mean()] * 20), "curated texts have the mean confidence"


def test_copies_that_differ_in_layout_are_one_text() -> None:
    assert text_key("A b\nc") == text_key(" a B C ") != text_key("a b d")
    disjoint(["one"], ["two"])
    with pytest.raises(UserError, match="1 of 2 texts of the pool are also in the test set"):
        disjoint(["O ne", "two"], ["one", "three"])


def test_truth_is_measured_and_never_trained_on() -> None:
    good = ["一段通顺的文字。" * 3 + str(i) for i in range(40)]
    bad = ["点击 购买 优惠 " * 3 + str(i) for i in range(40)]
    plan = UstPlan(1, 80, 3, size=20, fit=SMALL_2)
    results = []
    for truth in (None, np.array([True] * 40 + [False] * 40), np.array([False] * 40 + [True] * 40)):
        net = network()
        fit(net, [*good[:10], *bad[:10]], [1.0] * 10 + [0.0] * 10, SMALL, random.Random(0))
        rounds = self_train(net, [*good, *bad], good[:10], plan, random.Random(1), truth=truth)
        results.append((predict(net, good[:5]), rounds[0]))
    assert np.array_equal(results[0][0], results[1][0]) and np.array_equal(results[1][0], results[2][0])
    assert results[0][1].negative_purity is None
    assert results[1][1].negative_purity + results[2][1].negative_purity == pytest.approx(1)


def test_training_lists_must_fit_together() -> None:
    for texts, labels, weights in (([], [], None), (["a"], [], None), (["a"], [1.0], [1.0, 2.0])):
        with pytest.raises(UserError, match="each text needs one of each"):
            fit(network(), texts, labels, Plan(1), random.Random(0), weights)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 65])
def test_no_short_last_batch_is_lost(count: int) -> None:
    net = network()
    texts = [f"第{i}段文字" for i in range(count)]
    found = predict(net, texts, 32)
    assert found.shape == (count,)
    assert found == pytest.approx([float(predict(net, [text])[0]) for text in texts], abs=1e-6)

"""The n-gram scorer: training, folding, calibration, empty texts, clamping, files, stacks."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.mdfg.domain import LABELS, empty_row
from backends.mdfg.practice import practice
from backends.mdfg.scorers import calibration, ngram_files
from backends.mdfg.scorers.base import checked, columns
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer, Stack, is_empty, stacked
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.scorers.train_ngram import Bag, Recipe, calibrated, labels_of, train
from workbench.contract import MissingResource, UserError

SMALL = Recipe(Grams(1, 2, 12), epochs=4, batch=32)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rows():
    return practice("toxicity", "zh", 300, random.Random(0))


@pytest.fixture(scope="module")
def toxicity(rows) -> NgramScorer:
    labels = np.array([[bool(row.labels)] for row in rows], dtype=np.float32)
    return train("toxicity", [row.text for row in rows], labels, ("score",), SMALL, random.Random(1))


def scorer_of(bias: float, link: str = "ova", outputs: int = 1, name: str = "x") -> NgramScorer:
    one, zero = np.ones(outputs), np.zeros(outputs)
    table = np.random.default_rng(outputs).normal(size=(1 << 8, outputs)).astype(np.float32)
    return NgramScorer(name, tuple(f"o{i}" for i in range(outputs)), Grams(1, 2, 8), table, one * bias, one, zero,
                       zero, link)


def test_it_learns_what_there_is_to_learn_and_forgets_nothing_on_new_texts(toxicity: NgramScorer) -> None:
    new = practice("toxicity", "zh", 200, random.Random(9))
    said = toxicity.score([row.text for row in new])[:, 0] > 0.5
    assert (said == np.array([bool(row.labels) for row in new])).mean() > 0.95


def test_the_same_seed_gives_the_same_weights(rows) -> None:
    labels = np.array([[bool(row.labels)] for row in rows], dtype=np.float32)
    made = [train("t", [r.text for r in rows], labels, ("score",), dataclasses.replace(SMALL, dim=4, drop=0.2),
                  random.Random(seed)).version for seed in (3, 3, 4)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("dim", [0, 5])
def test_the_folded_table_says_what_the_network_says(dim: int) -> None:
    recipe = dataclasses.replace(SMALL, dim=dim)
    bag = Bag(recipe, 3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        bag.bag.weight.normal_(generator=torch.Generator().manual_seed(1))
        bag.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    from backends.mdfg.scorers.hashing import buckets_of

    texts = ["第一段文字", "second text", "x"]
    ids, ends = buckets_of(texts, recipe.grams)
    slow = bag(*bag.gather(ids, ends, np.arange(3))).detach().numpy()
    table, bias = bag.folded()
    zero = np.zeros(3)
    fast = NgramScorer("n", ("a", "b", "c"), recipe.grams, table, bias, zero + 1, zero, zero).logits(texts)[0]
    assert np.abs(slow - fast).max() < 1e-5


@pytest.mark.parametrize("link", ["ova", "softmax"])
def test_probabilities_lie_between_0_and_1_whatever_the_logits(link: str) -> None:
    for bias in (-1e4, -5.0, 0.0, 5.0, 1e4):
        found = scorer_of(bias, link, 3).score(["文字", "a b c"])
        assert np.isfinite(found).all() and (found >= 0).all() and (found <= 1).all()
        if link == "softmax":
            assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n", "\u3000\u3000", "\u200b\ufeff"])
def test_an_empty_text_gets_the_row_for_empty_ones_and_not_the_bias(text: str) -> None:
    scorer = dataclasses.replace(scorer_of(9.0, "ova", len(LABELS)), outputs=LABELS, empty=np.array(empty_row(LABELS)))
    row = scorer.score([text])[0]
    assert row[LABELS.index("general")] == 1 and row.sum() == 1
    assert is_empty(text) and not is_empty("字")


def test_no_text_at_all_gives_an_empty_table() -> None:
    for link in ("ova", "softmax"):
        assert scorer_of(0.0, link, 3).score([]).shape == (0, 3)


def test_softmax_learns_one_of_several() -> None:
    generator = random.Random(0)
    words = {"law": "法院判决", "math": "函数方程", "news": "记者报道"}
    wanted = [generator.choice(list(words)) for _ in range(240)]
    texts = ["".join(generator.choices(words[w] + "的一是了", k=12)) for w in wanted]
    recipe = dataclasses.replace(SMALL, link="softmax")
    scorer = train("domain", texts, labels_of([(w,) for w in wanted], tuple(words)), tuple(words), recipe, generator)
    best = scorer.score(texts).argmax(axis=1)
    assert [tuple(words)[i] for i in best] == wanted


BAD = [([], ("a",), "at least two"), ([("a",), ("a",)], ("a",), "nothing to tell apart"),
       ([("a",), ("a",)], ("a", "b"), "No text has the label b")]


@pytest.mark.parametrize(("wanted", "outputs", "message"), BAD)
def test_data_that_cannot_be_learned_from_is_refused(wanted, outputs, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train("x", ["字"] * len(wanted), labels_of(wanted, outputs), outputs, SMALL, random.Random(0))


def test_an_unknown_label_is_named_with_its_text() -> None:
    with pytest.raises(UserError, match="Text 2 has the label 'sport'"):
        labels_of([("news",), ("sport",)], ("news",))


def test_softmax_refuses_a_text_with_two_labels() -> None:
    with pytest.raises(UserError, match="exactly one label"):
        train("x", ["a", "b"], labels_of([("a", "b"), ("b",)], ("a", "b")), ("a", "b"),
              dataclasses.replace(SMALL, link="softmax"), random.Random(0))


def test_platt_finds_the_line_that_made_the_labels() -> None:
    numbers = np.random.default_rng(0)
    logits = numbers.normal(scale=3, size=20_000)
    truth = numbers.random(20_000) < calibration.sigmoid(0.5 * logits + 0.7)
    a, b = calibration.platt(logits, truth)
    assert abs(a - 0.5) < 0.03 and abs(b - 0.7) < 0.06
    before = calibration.expected_error(calibration.sigmoid(logits), truth)
    after = calibration.expected_error(calibration.sigmoid(a * logits + b), truth)
    assert after < 0.02 < before


def test_temperature_finds_the_heat() -> None:
    numbers = np.random.default_rng(0)
    logits = numbers.normal(scale=2, size=(8000, 3))
    drawn = calibration.softmax(logits / 2.5)
    truth = np.array([numbers.choice(3, p=row) for row in drawn])
    assert abs(calibration.temperature(logits, truth) - 2.5) < 0.15


def test_calibration_needs_both_classes_and_leaves_the_order_of_scores_alone(toxicity: NgramScorer) -> None:
    with pytest.raises(UserError, match="0 positive"):
        calibration.platt(np.zeros(5), np.zeros(5, dtype=bool))
    texts = [row.text for row in practice("toxicity", "zh", 200, random.Random(5))]
    labels = np.array([[i % 2] for i in range(200)], dtype=np.float32)
    after = calibrated(toxicity, texts, labels)
    first, second = (s.logits(texts)[0][:, 0] * s.scale[0] + s.shift[0] for s in (toxicity, after))
    assert np.array_equal(np.argsort(first), np.argsort(second))
    few = calibrated(toxicity, texts[:50], labels[:50])
    assert few.scale == toxicity.scale, "fifty texts are too few to calibrate with"


def test_saved_and_read_again_it_says_exactly_the_same(toxicity: NgramScorer, tmp_path: Path) -> None:
    card = {"data": ["practice"], "figures": {"AUC": 1.0}}
    folder = ngram_files.save(dataclasses.replace(toxicity, card=card), tmp_path / "s")
    again = open_scorer(folder)
    texts = ["你这个蠢货", "谢谢你", ""]
    assert np.array_equal(again.score(texts), toxicity.score(texts)) and again.version == toxicity.version
    assert json.loads((folder / "scorer.json").read_text())["card"] == card
    assert columns(again) == ("toxicity.score",) and checked(again, texts).shape == (3, 1)
    assert sum(p.stat().st_size for p in folder.iterdir()) < 25_000_000


def test_damaged_and_missing_files_are_told_apart(toxicity: NgramScorer, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="no scorer"):
        ngram_files.load(tmp_path)
    with pytest.raises(MissingResource, match="holds no scorer"):
        open_scorer(tmp_path)
    folder = ngram_files.save(toxicity, tmp_path / "s")
    facts = (folder / "scorer.json").read_text()
    for change in (facts[:40], facts.replace("mdfg.ngram.v1", "other"), facts.replace(toxicity.version, "0" * 16),
                   facts.replace('"score"', '"score", "more"')):
        (folder / "scorer.json").write_text(change)
        with pytest.raises(UserError, match="cannot be read"):
            ngram_files.load(folder)
    (folder / "scorer.json").write_text(facts)
    (folder / "scorer.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match="cannot be read"):
        ngram_files.load(folder)


def test_a_table_above_25_mb_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((1 << 20, 13), dtype=np.float32)
    zero = np.zeros(13)
    scorer = NgramScorer("big", tuple("abcdefghijklm"), Grams(1, 2, 20), wide, zero, zero + 1, zero, zero)
    with pytest.raises(UserError, match="27 MB; a scorer has at most 25 MB"):
        ngram_files.save(scorer, tmp_path / "s")


def test_a_stack_says_what_its_scorers_say_alone() -> None:
    scorers = [scorer_of(0.3, name="one"), scorer_of(-1.0, "softmax", 3, "two")]
    stack = stacked(scorers)[0]
    assert isinstance(stack, Stack) and stack.outputs == ("one.o0", "two.o0", "two.o1", "two.o2")
    texts = ["一些文字", "", "more"]
    assert np.allclose(stack.score(texts), np.concatenate([s.score(texts) for s in scorers], axis=1), atol=1e-6)


def test_scorers_that_read_differently_are_not_stacked() -> None:
    one, other = scorer_of(0.0), dataclasses.replace(scorer_of(0.0), power=1.0)
    assert len(stacked([one, other])) == 2
    with pytest.raises(UserError, match="Score with them one after another"):
        Stack([one, other])


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UserError, match="buckets need"):
        dataclasses.replace(scorer_of(0.0), table=np.zeros((4, 1), dtype=np.float32))
    with pytest.raises(UserError, match="bias of x has the shape"):
        dataclasses.replace(scorer_of(0.0), bias=np.zeros(2))

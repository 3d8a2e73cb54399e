"""BERTEval: pieces without loss, losses with gradients, run selection, both encoders, files; pitfalls of the official
code as tests."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.bert_eval import network as files
from backends.mdfg.bert_eval.encoders import BertEncoder, NgramEncoder
from backends.mdfg.bert_eval.fit import OFFICIAL, SMALL, Plan, first_pieces, fit, predict
from backends.mdfg.bert_eval.network import OFFICIAL_BIAS, BertEval
from backends.mdfg.bert_eval.objective import STAGE_2, Terms, loss_of, mse, ranking, similarity
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.bert_eval.segments import Segment, pieces, segments
from backends.mdfg.bert_eval.selection import merge, select
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.opening import open_scorer
from workbench.contract import MissingResource, UserError

ALPHABET = st.sampled_from("字汉a 。！\n.?")
PARTS = st.text(ALPHABET, max_size=90)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def net(bias: float = 0.0, seed: int = 0) -> BertEval:
    source = torch.Generator().manual_seed(seed)
    return BertEval(NgramEncoder(Grams(1, 2, 10), 8, 0.2, source), bias, generator=source)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join), st.sampled_from(["score", "official"]))
def test_pieces_together_are_the_text(text: str, tails: str) -> None:
    found = segments(text, tails, window=51, least=20)
    assert "".join(text[s.begin:s.end] for s in found) == text
    assert all(0 < s.end - s.begin <= 51 for s in found)


def official_pieces(text: str) -> list[str]:
    """The published algorithm, written anew: what it returns, short pieces left out."""
    found, start = [], 0
    while start < len(text):
        end = -1
        if start + 510 < len(text) - 1:
            for place in range(start + 509, start, -1):
                if text[place] == "\n" or text[place] in ".?!。！？":
                    end = place + (text[place] != "\n")
                    break
        end = start + 510 if end == -1 else end
        if len(text[start:end]) >= 200:
            found.append(text[start:end])
        start = end
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_official_pieces_equal_the_published_algorithm(seed: int) -> None:
    generator = random.Random(seed)
    text = "".join(generator.choices("文字。\n!x", weights=(60, 60, 1, 1, 1, 9), k=generator.randint(0, 2500)))
    assert pieces(text, "official") == [p for p in official_pieces(text) if p.strip()]


@pytest.mark.parametrize("length", [0, 1, 199, 200, 509, 510, 511, 512, 720, 1020])
def test_short_documents_and_tails_are_scored(length: int) -> None:
    text = "字" * length
    assert "".join(pieces(text)) == text
    lost = length - sum(map(len, pieces(text, "official")))
    assert lost == {0: 0, 1: 1, 199: 199, 511: 1, 512: 2}.get(length, 0)


def test_white_space_is_kept_but_never_scored() -> None:
    assert segments(" \n ") == (Segment(0, 3, False),) and first_pieces(["  ", "字"]) == ["字"]


def test_a_window_must_be_larger_than_the_shortest_piece() -> None:
    with pytest.raises(UserError, match="least is 60"):
        segments("x", window=50, least=60)


def test_runs_of_good_pieces_are_joined_and_nothing_is_lost() -> None:
    parts = [Segment(i * 10, i * 10 + 10, i != 3) for i in range(6)]
    found = select(parts, [0.9, 0.8, 0.1, 0.7, 0.6], 0.5)
    assert [(p.begin, p.end, p.fate) for p in found] == [
        (0, 20, "kept"), (20, 30, "rejected"), (30, 40, "unscored"), (40, 60, "kept")]
    assert math.isclose(found[0].score or 0, 0.85) and math.isclose(found[3].score or 0, 0.65)
    assert found[2].score is None


def test_a_score_at_the_threshold_is_not_kept() -> None:
    assert select([Segment(0, 5, True)], [0.5], 0.5)[0].fate == "rejected"


def test_one_terrible_piece_shows_in_the_smallest_score() -> None:
    parts = [Segment(0, 100, True), Segment(100, 400, True), Segment(400, 410, False)]
    found = merge(parts, [0.1, 0.9])
    assert math.isclose(found.score or 0, (100 * 0.1 + 300 * 0.9) / 400) and found.least == 0.1
    assert found.pieces == (0.1, 0.9, None)
    assert merge([Segment(0, 3, False)], []) == type(found)(None, None, (None,))
    with pytest.raises(UserError, match="2 pieces to score and 1 scores"):
        merge(parts, [0.1])


def slow_ranking(p, y, w, margin: float) -> float:
    total = 0.0
    for m in range(len(p)):
        for n in range(len(p)):
            sign = np.sign(y[m] - y[n]) or -np.sign(p[m] - p[n])
            total += (w[m] + w[n]) / 2 * max(0.0, margin - sign * (p[m] - p[n]))
    return total / len(p) ** 2


def test_losses_equal_their_formulas() -> None:
    numbers = np.random.default_rng(0)
    p, y, w = numbers.random(9), numbers.integers(0, 2, 9).astype(float), numbers.random(9) * 3
    tp, ty, tw = map(torch.tensor, (p, y, w))
    assert math.isclose(float(mse(tp, ty, tw)), float((w * (p - y) ** 2).mean()))
    a, b = p * np.sqrt(w), y * np.sqrt(w)
    assert math.isclose(float(similarity(tp, ty, tw)), 1 - float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)))
    for margin in (0.0, 0.2):
        assert math.isclose(float(ranking(tp, ty, tw, margin)), slow_ranking(p, y, w, margin), abs_tol=1e-12)
    whole = 0.3 * mse(tp, ty, tw) + 0.4 * ranking(tp, ty, tw) + 0.3 * similarity(tp, ty, tw)
    assert math.isclose(float(loss_of(tp, ty, tw, STAGE_2)), float(whole))


def test_the_corrected_ranking_loss_pulls_a_wrong_pair_apart_and_the_official_one_is_0() -> None:
    labels = torch.tensor([1.0, 0.0])
    for mode, wanted in (("corrected", True), ("official", False)):
        scores = torch.tensor([0.2, 0.8], requires_grad=True)
        loss = ranking(scores, labels, torch.ones(2), 0.0, mode)
        loss.backward()
        moves = scores.grad is not None and bool(scores.grad[0] < 0 < scores.grad[1])
        assert moves == wanted and (float(loss.detach()) > 0) == wanted
    for seed in range(5):
        numbers = torch.Generator().manual_seed(seed)
        scores, gold = torch.rand(20, generator=numbers), (torch.rand(20, generator=numbers) > 0.5).float()
        assert float(ranking(scores, gold, torch.ones(20), 0.0, "official")) == 0.0
        assert 0.1 < float(ranking(scores, gold, torch.ones(20))) < 0.5


def test_a_rightly_ordered_pair_costs_nothing() -> None:
    assert float(ranking(torch.tensor([0.9, 0.1]), torch.tensor([1.0, 0.0]), torch.ones(2))) == 0.0


@pytest.mark.parametrize("shapes", [((0,), (0,)), ((2,), (3,)), ((2, 1), (2, 1))])
def test_a_batch_of_another_shape_is_refused(shapes) -> None:
    with pytest.raises(UserError, match="one number a text"):
        loss_of(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_scores_begin_in_the_middle_and_learn_within_fifty_steps_where_bias_7_does_not() -> None:
    texts, labels = ["好文字句子"] * 32 + ["qzx jvk"] * 32, [1.0] * 32 + [0.0] * 32
    plan = Plan(epochs=50, batch=64, learning_rate=2e-3, terms=Terms())
    ends = {}
    for bias in (0.0, OFFICIAL_BIAS):
        network = net(bias)
        first = predict(network, texts[:1])[0]
        assert abs(first - (0.5 if bias == 0 else 0.9991)) < 0.2
        fit(network, texts, labels, plan, random.Random(0))
        ends[bias] = predict(network, texts[32:]).mean()
    assert ends[0.0] < 0.5 < ends[OFFICIAL_BIAS]


def test_training_repeats_bit_for_bit_and_leaves_torch_as_it_was() -> None:
    made = []
    for _ in range(2):
        network = net()
        torch.manual_seed(5)
        losses = fit(network, ["字字", "ab", "c", "汉"], [1, 0, 0, 1], Plan(3, 2, 1e-2), random.Random(3))
        made.append((losses, torch.rand(1).item()))
    torch.manual_seed(5)
    assert made[0] == made[1] and made[0][1] == torch.rand(1).item()


def test_a_loss_that_is_no_number_ends_with_advice() -> None:
    network = net()
    with torch.no_grad():
        network.head.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="come apart"):
        fit(network, ["a", "b"], [0, 1], Plan(1), random.Random(0))
    with pytest.raises(UserError, match="each text needs one"):
        fit(network, ["a"], [0, 1], SMALL, random.Random(0))


def test_the_last_short_batch_is_scored_too() -> None:
    texts = [f"第{i}段" for i in range(7)]
    together, alone = predict(net(), texts, batch=3), [predict(net(), [text])[0] for text in texts]
    assert np.allclose(together, alone, atol=1e-6)


def test_passes_under_dropout_differ_and_repeat_with_the_seed() -> None:
    one, two = (predict(net(), ["文字", "ab"], passes=4, generator=random.Random(1)) for _ in range(2))
    assert one.shape == (2, 4) and np.array_equal(one, two) and one.std(axis=1).min() > 0
    with pytest.raises(UserError, match="need a generator"):
        predict(net(), ["a"], passes=2)


def test_the_scorer_gives_mean_and_smallest_and_survives_its_files(tmp_path: Path) -> None:
    scorer = BertEvalScorer(net(), {"name": "quality"})
    texts = ["字" * 700 + "。" + "x" * 30, "", "短"]
    table = scorer.score(texts)
    detail = scorer.detail(texts)
    assert table.shape == (3, 2) and len(detail[0].pieces) == 2 and table[0, 1] <= table[0, 0]
    assert table[1].tolist() == [0, 0] and detail[1].score is None
    files.save(scorer.network, tmp_path / "q", {"name": "quality"})
    again = open_scorer(tmp_path / "q")
    assert again.name == "quality" and np.array_equal(again.score(texts), table) and again.version == scorer.version


def test_files_that_are_no_bert_eval_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="no BERTEval model"):
        files.load(tmp_path)
    files.save(net(), tmp_path)
    facts = (tmp_path / "berteval.json").read_text()
    (tmp_path / "berteval.json").write_text(facts.replace('"width": 8', '"width": 9'))
    with pytest.raises(UserError, match="cannot be read"):
        files.load(tmp_path)


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A randomly initialised BERT of two layers with a character vocabulary."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"字汉好坏文句abcxyz。"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=32, max_position_embeddings=64)
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_any_bert_is_read_frozen_below_and_trained_above(tiny_bert: Path, tmp_path: Path) -> None:
    network = BertEval(BertEncoder.open(tiny_bert, 1), generator=torch.Generator().manual_seed(0))
    names = set(network.trained())
    assert "head.weight" in names and any("layer.1" in name for name in names)
    assert not any("layer.0" in name or "embeddings" in name for name in names)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit(network, ["好字", "坏abc"] * 4, [1, 0] * 4, Plan(2, 4, 1e-2), random.Random(0))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and changed <= names
    scores = BertEvalScorer(network).score(["好字汉文", "x"])
    files.save(network, tmp_path / "b")
    assert np.allclose(open_scorer(tmp_path / "b").score(["好字汉文", "x"]), scores, atol=1e-6)


def test_padding_reaches_the_maximum_only_in_official_pooling(tiny_bert: Path) -> None:
    for pooling, same in (("masked", True), ("official", True)):
        network = BertEval(BertEncoder.open(tiny_bert, 1), pooling=pooling,
                           generator=torch.Generator().manual_seed(0)).eval()
        alone, beside = predict(network, ["好"])[0], predict(network, ["好", "字汉文句abc"])[0]
        assert math.isclose(alone, beside, abs_tol=1e-6) == same
    assert network.prepare(["好"])["input_ids"].shape == (1, 64), "official pooling pads to the full length"


def test_a_piece_of_more_tokens_than_the_model_reads_is_cut_and_counted(tiny_bert: Path) -> None:
    encoder = BertEncoder.open(tiny_bert, 2)
    assert encoder.prepare(["a b " * 60])["input_ids"].shape == (1, 64) and encoder.cut == 1


def test_what_is_no_bert_is_refused(tiny_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="BERT-like"):
        BertEncoder.open(tiny_lm)
    with pytest.raises(MissingResource, match=r"no config\.json"):
        BertEncoder.open(tmp_path)


def test_the_official_plan_is_the_published_one() -> None:
    assert (OFFICIAL.epochs, OFFICIAL.batch, OFFICIAL.learning_rate, OFFICIAL.weight_decay) == (20, 64, 6e-5, 0.005)
    assert (OFFICIAL.terms.alpha, OFFICIAL.terms.beta, OFFICIAL.terms.gamma) == (0.6, 0.2, 0.2)
    assert (STAGE_2.alpha, STAGE_2.beta, STAGE_2.gamma) == (0.3, 0.4, 0.3)

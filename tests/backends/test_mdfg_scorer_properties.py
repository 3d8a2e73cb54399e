"""Properties that every scorer keeps: order, batches, shapes, versions; hostile texts; requests through JSON."""

from __future__ import annotations

import dataclasses
import json
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.disguises import dotted, homophones, leet, masked, spaced, swapped
from backends.mdfg.domain import LABELS
from backends.mdfg.metrics_binary import at_threshold, auc, average_precision, precision_at, wilson
from backends.mdfg.model_cards import card
from backends.mdfg.scorer_requests import ScoreRequest, ToxicityRoundsRequest, TrainScorerRequest
from backends.mdfg.scorers.base import Scorer, checked, columns
from backends.mdfg.scorers.calibration import expected_error, sigmoid, softmax
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.scorers.ngram import NgramScorer, Stack
from backends.mdfg.toxicity import decide, symbol_share
from workbench.contract import Knob, UserError
from workbench.fields import fields_of, from_json, to_json

HOSTILE = [
    "",
    " ",
    "\x00",
    "<script>alert(1)</script>",
    "__import__('os').system('x')",
    "\ud800",
    "a" * 5000,
    "字" * 3000,
    "😀" * 50,
    "\n" * 100,
    "\u202e反",
    '{"toxic": 1}',
    "０１２ＡＢＣ",
    "\U00020000" * 20,
    "\r\n\t\x0b",
]


def ngram(link: str = "ova", outputs: int = 2, seed: int = 0) -> NgramScorer:
    numbers = np.random.default_rng(seed)
    one, zero = np.ones(outputs), np.zeros(outputs)
    return NgramScorer(
        f"s{seed}",
        tuple(f"o{i}" for i in range(outputs)),
        Grams(1, 3, 10),
        numbers.normal(size=(1 << 10, outputs)).astype(np.float32),
        zero,
        one,
        zero,
        zero,
        link,
    )


def bert_eval() -> BertEvalScorer:
    source = torch.Generator().manual_seed(0)
    return BertEvalScorer(BertEval(NgramEncoder(Grams(1, 2, 9), 6, generator=source), generator=source))


def keyword() -> KeywordScorer:
    return KeywordScorer("domain", ("law", "news", "general"), {"law": ("法院", "判决"), "news": ("记者",)})


SCORERS = {
    "one logit each": ngram(),
    "softmax": ngram("softmax", 3),
    "stack": Stack([ngram(seed=1), ngram(seed=2)]),
    "BERTEval": bert_eval(),
    "keywords": keyword(),
}


@pytest.fixture(params=sorted(SCORERS))
def scorer(request: pytest.FixtureRequest) -> Scorer:
    torch.set_num_threads(1)
    found: Scorer = SCORERS[request.param]
    return found


def test_hostile_texts_get_scores_between_0_and_1(scorer: Scorer) -> None:
    table = checked(scorer, HOSTILE)
    assert np.isfinite(table).all() and table.min() >= 0 and table.max() <= 1 and table.dtype == np.float32


def test_a_row_depends_on_its_own_text_only(scorer: Scorer) -> None:
    texts = ["法院判决了。", "记者报道", "", "plain words", "法院" * 400]
    together = scorer.score(texts)
    for place in (0, 2, 4, 1, 3):
        assert np.allclose(scorer.score([texts[place]])[0], together[place], atol=1e-6)
    assert np.allclose(scorer.score(texts[::-1]), together[::-1], atol=1e-6)


def test_scoring_twice_is_scoring_once(scorer: Scorer) -> None:
    texts = ["一句话", "another"]
    assert np.array_equal(scorer.score(texts), scorer.score(texts))


def test_names_versions_and_columns_are_as_the_interface_says(scorer: Scorer) -> None:
    assert scorer.name and len(scorer.version) == 16 and int(scorer.version, 16) >= 0
    assert len(set(columns(scorer))) == len(scorer.outputs) == scorer.score(["x"]).shape[1]
    assert all(column.endswith(output) for column, output in zip(columns(scorer), scorer.outputs, strict=True))


def test_no_texts_no_rows(scorer: Scorer) -> None:
    assert scorer.score([]).shape == (0, len(scorer.outputs))


@pytest.mark.parametrize(
    "change",
    [
        {"bias": np.ones(2)},
        {"scale": np.full(2, 2.0)},
        {"shift": np.ones(2)},
        {"empty": np.ones(2)},
        {"link": "softmax"},
        {"power": 1.0},
        {"outputs": ("x", "y")},
    ],
)
def test_whatever_decides_a_score_changes_the_version(change) -> None:
    plain = ngram()
    assert dataclasses.replace(plain, **change).version != plain.version
    assert dataclasses.replace(plain, card={"note": 1}).version == plain.version, "a card decides no score"


def test_the_weights_of_bert_eval_change_its_version() -> None:
    one, other = bert_eval(), bert_eval()
    assert one.version == other.version
    with torch.no_grad():
        other.network.head.bias.add_(0.1)
    assert BertEvalScorer(other.network).version != one.version
    assert BertEvalScorer(one.network, tails="official").version != one.version


def test_official_tails_leave_short_documents_without_a_score() -> None:
    found = BertEvalScorer(bert_eval().network, tails="official").detail(["短", "字" * 300])
    assert found[0].score is None and found[0].pieces == (None,) and found[1].score is not None


class Wrong:
    """A scorer that does not keep its word."""

    name, outputs, version = "wrong", ("a", "b"), "0" * 16

    def score(self, texts):
        return np.zeros((len(texts), 1), dtype=np.float32)


def test_a_scorer_that_returns_another_shape_is_found_out() -> None:
    with pytest.raises(UserError, match="wrong"):
        checked(Wrong(), ["a"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_figures_stay_in_their_bounds(rows) -> None:
    scores, truth = [s for s, _ in rows], [t for _, t in rows]
    found = at_threshold(scores, truth, 0.5)
    for value in (
        found.precision,
        found.recall,
        found.f1,
        found.accuracy,
        found.macro_f1,
        found.corrected,
        auc(scores, truth),
        average_precision(scores, truth),
        precision_at(scores, truth, 1),
    ):
        assert value is None or -1e-12 <= value <= 1 + 1e-12
    assert 0 <= expected_error(np.array(scores), np.array(truth)) <= 1
    low, high = wilson(sum(truth), len(truth))
    assert 0 <= low <= sum(truth) / len(truth) + 1e-12 and sum(truth) / len(truth) - 1e-12 <= high <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=5))
def test_links_are_monotone_and_add_up(logits: list[float]) -> None:
    row = np.array([logits])
    assert np.isclose(softmax(row).sum(), 1) and (np.diff(sigmoid(np.sort(row[0]))) >= 0).all()
    assert np.allclose(sigmoid(row) + sigmoid(-row), 1)


def test_reversing_scores_reverses_the_ranking_figure() -> None:
    generator = random.Random(0)
    scores, truth = [generator.random() for _ in range(60)], [generator.random() < 0.4 for _ in range(60)]
    assert abs((auc(scores, truth) or 0) + (auc([1 - s for s in scores], truth) or 0) - 1) < 1e-12


@pytest.mark.parametrize("request_type", [TrainScorerRequest, ToxicityRoundsRequest, ScoreRequest])
def test_every_field_is_explained_and_requests_survive_json(request_type) -> None:
    for spec in fields_of(request_type):
        assert isinstance(spec.knob, Knob) and len(spec.knob.help) > 10, spec.name
        if spec.knob.shown_if is not None:
            assert spec.knob.shown_if[0] in {other.name for other in fields_of(request_type)}
    example = request_type()
    assert from_json(request_type, json.loads(json.dumps(to_json(example)))) == example


@pytest.mark.parametrize(
    ("request_type", "bad"),
    [
        (ToxicityRoundsRequest, {"noise": 0.6}),
        (ToxicityRoundsRequest, {"rounds": 0}),
        (ToxicityRoundsRequest, {"votes": 3}),
        (ToxicityRoundsRequest, {"judge": "gold"}),
        (ScoreRequest, {"scorers": ()}),
        (ScoreRequest, {"toxic_from": 1.2}),
        (TrainScorerRequest, {"practice": 3}),
        (TrainScorerRequest, {"method": "svm"}),
        (TrainScorerRequest, {"name": ""}),
    ],
)
def test_fields_outside_their_bounds_are_named(request_type, bad) -> None:
    with pytest.raises(UserError, match=next(iter(bad))):
        request_type(**bad)


@pytest.mark.parametrize(
    ("change", "text", "wanted"),
    [(homophones, "你是人", "妮素银"), (spaced, "abc", "a b c"), (leet, "Toast", "7045 7".replace(" ", "")[:3] + "57")],
)
def test_disguises_by_hand(change, text: str, wanted: str) -> None:
    assert change(text, random.Random(0)) == wanted


@pytest.mark.parametrize("change", [dotted, masked, swapped])
def test_random_disguises_repeat_with_the_seed_and_keep_the_length_of_what_they_hide(change) -> None:
    text = "一段足够长的普通文字 with several words"
    one, two = (change(text, random.Random(5)) for _ in range(2))
    assert one == two != text and len(one) >= len(text)
    assert change("", random.Random(0)) == "" and change("123", random.Random(0)) == "123"


def test_full_width_letters_are_no_disguise() -> None:
    scorer = ngram()
    assert np.array_equal(scorer.score(["Ｆｏｏｌ！"]), scorer.score(["fool!"]))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.floats(0, 1))
def test_a_verdict_is_toxic_only_above_both_thresholds(text: str, score: float) -> None:
    verdict = decide([text], [score])[0]
    assert verdict.label == int(score >= 0.99 and verdict.flag == "")
    assert 0 <= symbol_share(text) <= 1


def test_a_card_says_data_figures_weaknesses_and_limits() -> None:
    facts = {
        "language": "zh",
        "data": ["one (MIT)"],
        "texts": 5,
        "held out": {"two": {"AUC": 0.91234, "at .99": None}},
        "weaknesses": ["dots: worse"],
        "limits": ["small"],
    }
    text = card("name", facts)
    for part in (
        "# name",
        "Made of 5 texts",
        "- one (MIT)",
        "| AUC | 0.912 |",
        "| at .99 | none chosen |",
        "dots",
        "small",
    ):
        assert part in text
    assert "Made of:" in card("name", {**facts, "texts": 0})


def test_labels_are_those_of_the_paper() -> None:
    assert LABELS == (
        "encyclopedia",
        "book",
        "dialogue",
        "education",
        "finance",
        "law",
        "math",
        "news",
        "medicine",
        "technology",
        "general",
    )

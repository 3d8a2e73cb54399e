"""Scores of sums equal sacreBLEU's own; the right tokeniser; golden figures of WMT22."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from backends.common.mt import scores
from backends.common.mt.scores import bleu, chrf, mean_statistics, scorer, segment_scorer, sentence, ter, tokenizer_for
from tests.backends.mt_cases import systems, wmt
from workbench.contract import UserError

PEERS = {"bleu": lambda: BLEU(), "chrf": lambda: CHRF(), "chrf++": lambda: CHRF(word_order=2), "ter": lambda: TER()}
ODD = ["", "   ", "one", "a b", "The Cat, sat!", "the cat sat on the mat", "x" * 50]


@pytest.mark.parametrize("name", scores.NAMES)
@pytest.mark.parametrize("references", [1, 2])
def test_a_corpus_score_is_sacrebleus(name: str, references: int) -> None:
    made, reference = systems(2)
    wanted = [reference, [line.upper() for line in reference]][:references]
    metric = scorer(name, wanted)
    for lines in made.values():
        peer = PEERS[name]()
        expected = peer.corpus_score(lines, wanted)
        assert float(metric.score(metric.statistics(lines).sum(0))) == pytest.approx(expected.score, abs=1e-9)
        assert metric.signature == str(peer.get_signature())


@pytest.mark.parametrize("name", scores.NAMES)
def test_odd_segments_score_as_sacrebleu_scores_them(name: str) -> None:
    metric = scorer(name, [ODD])
    for hypothesis in ODD:
        lines = [hypothesis] * len(ODD)
        expected = PEERS[name]().corpus_score(lines, [ODD]).score
        assert float(metric.score(metric.statistics(lines).sum(0))) == pytest.approx(expected, abs=1e-9), hypothesis


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++", "ter"])
def test_a_segment_score_is_sacrebleus_sentence_score(name: str) -> None:
    made, reference = systems(1)
    metric = scorer(name, [reference])
    each = sentence(metric, metric.statistics(made["system 0"]))
    peer = BLEU(effective_order=True) if name == "bleu" else PEERS[name]()
    for value, line, wanted in zip(each, made["system 0"], reference, strict=True):
        assert value == pytest.approx(peer.sentence_score(line, [wanted]).score, abs=1e-9)


def test_many_sums_are_scored_at_once() -> None:
    made, reference = systems(1)
    for name, score in (("bleu", bleu), ("chrf", chrf), ("ter", ter)):
        metric = scorer(name, [reference])
        stats = metric.statistics(made["system 0"])
        sums = np.stack([stats[:k].sum(0) for k in (1, 10, 40)]).reshape(3, 1, -1)
        assert score(sums).shape == (3, 1)
        assert score(sums)[2, 0] == pytest.approx(float(score(stats.sum(0))))


def test_a_corpus_score_is_not_a_mean_of_segment_scores() -> None:
    made, reference = systems(1)
    metric = scorer("bleu", [reference])
    stats = metric.statistics(made["system 0"])
    assert abs(float(metric.score(stats.sum(0))) - float(sentence(metric, stats).mean())) > 0.1


@pytest.mark.parametrize(
    ("language", "chosen", "taken", "warns"),
    [
        ("en", "", "13a", False),
        ("de", "", "13a", False),
        ("zh", "", "zh", False),
        ("zh-CN", "", "zh", False),
        ("zh_Hant", "", "zh", False),
        ("", "", "13a", False),
        ("zh", "13a", "13a", True),
        ("zh", "char", "char", False),
        ("zh", "none", "none", True),
        ("en", "char", "char", False),
        ("ja", "13a", "13a", True),
    ],
)
def test_the_tokeniser_follows_the_language(language: str, chosen: str, taken: str, warns: bool) -> None:
    found, warning = tokenizer_for(language, chosen)
    assert found == taken and bool(warning) is warns


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_japanese_and_korean_without_their_package_say_so(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores.importlib.util, "find_spec", lambda name: None)
    taken, warning = tokenizer_for(language)
    assert taken == "char" and f"sacrebleu[{language}]" in warning
    with pytest.raises(UserError, match="not installed"):
        tokenizer_for(language, f"{language}-mecab")


@pytest.mark.parametrize(("language", "text"), [("ja", "今日は天気がいい"), ("ko", "오늘은 날씨가 좋다")])
def test_japanese_and_korean_are_cut_by_their_own_tokeniser(language: str, text: str) -> None:
    if tokenizer_for(language)[1]:
        pytest.skip(f"the tokeniser for {language} is not installed")
    metric = scorer("bleu", [[text]], language)
    assert metric.tokenizer == f"{language}-mecab" and f"tok:{language}-mecab" in metric.signature
    assert float(metric.score(metric.statistics([text]).sum(0))) == pytest.approx(100)


@pytest.mark.parametrize(
    ("name", "references", "words"),
    [("blue", [["a"]], "metric named 'blue'"), ("bleu", [], "no"), ("chrf", [[]], "needs a reference")],
)
def test_what_cannot_be_scored(name: str, references: list, words: str) -> None:
    with pytest.raises(UserError, match=words):
        scorer(name, references)
    with pytest.raises(UserError, match="tokeniser"):
        tokenizer_for("en", "moses")


def test_given_segment_scores_are_a_metric_too() -> None:
    stats = mean_statistics([0.5, float("nan"), 1.0])
    metric = segment_scorer("comet")
    assert float(metric.score(stats.sum(0))) == pytest.approx(0.75)
    assert stats.tolist() == [[0.5, 1], [0, 0], [1, 1]]
    with pytest.raises(UserError, match="not computed from text"):
        metric.statistics(["a"])


def test_signs() -> None:
    assert [scorer(name, [["a"]]).sign for name in scores.NAMES] == [1, 1, 1, -1]


def test_golden_chrf_of_wmt22(shared: Path) -> None:
    folder = shared / "mt" / "wmt22" / "zh-en"
    metric = scorer("chrf", [wmt(folder / "generaltest2022.zh-en.ref.A.en")])
    lines = wmt(folder / "generaltest2022.zh-en.hyp.JDExploreAcademy.en")
    assert round(float(metric.score(metric.statistics(lines).sum(0))), 2) == 61.14

"""Domains: verdicts and their invariants, labels from keywords, candidates, rounds with their label diff."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.domain import LABELS, check_labels, decide, empty_row
from backends.mdfg.domain_keywords import (
    Change,
    candidates,
    difference,
    found_in,
    keyword_labels,
    read_keywords,
)
from backends.mdfg.domain_rounds import bootstrap, first_of
from backends.mdfg.domain_runs import frequent_runs
from backends.mdfg.scorers import keywords as keyword_files
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.keywords import KeywordScorer
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.scorers.train_ngram import Recipe
from workbench.contract import MissingResource, UserError

LISTS = {"law": ("法院", "判决", "律师", "合同"), "medicine": ("患者", "治疗", "医院", "药物")}
BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "corpus" / "keywords.zh.yaml"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.125, 1.125, width=32), min_size=3, max_size=3), st.booleans())
def test_verdicts_keep_their_invariants(row: list[float], complete: bool) -> None:
    names = ("a", "b", "general")
    verdict = decide(np.array([row], dtype=np.float32), names, 0.3, complete)[0]
    clean = np.clip(np.array(row, dtype=np.float32), 0, 1)
    assert clean[names.index(verdict.single_label)] == clean.max()
    assert verdict.below == (clean.max() < np.float32(0.3))
    if not verdict.below:
        assert verdict.single_label in verdict.multi_label
        assert all(clean[names.index(label)] >= np.float32(0.3) for label in verdict.multi_label)
    assert bool(verdict.multi_label) or (verdict.below and not complete)


def test_verdicts_by_hand() -> None:
    rows = np.array([[1.00001, 0.4, 0.1], [0.047, 0.02, 0.01], [0.0, 0.0, 0.0]], dtype=np.float32)
    one, two, three = decide(rows, ("law", "news", "general"), empty=(False, False, True))
    assert (one.single_label, one.multi_label, one.below) == ("law", ("law", "news"), False)
    assert (two.single_label, two.multi_label, two.below) == ("law", (), True)
    assert (three.single_label, three.empty) == ("general", True)
    assert sum(empty_row(LABELS)) == 1 and len(LABELS) == 11


@pytest.mark.parametrize(("shape", "threshold"), [((1, 2), 0.3), ((1, 3), 1.5), ((3,), 0.3)])
def test_tables_that_do_not_fit_are_refused(shape, threshold: float) -> None:
    with pytest.raises(UserError):
        decide(np.zeros(shape, dtype=np.float32), ("a", "b", "c"), threshold)


@pytest.mark.parametrize("labels", [("a",), ("a", "a"), ("a", " ")])
def test_labels_must_be_different_and_named(labels) -> None:
    with pytest.raises(UserError, match="at least two"):
        check_labels(labels)


def test_only_different_keywords_count() -> None:
    texts = ["法院法院法院法院", "法院的判决由律师送达", "患者去医院治疗，合同、法院、判决", "今天天气好"]
    assert keyword_labels(texts, LISTS, 3) == [("general",), ("law",), ("law", "medicine"), ("general",)]
    assert found_in("The COURT and the judge", ("court", "law")) == ["court"]
    with pytest.raises(UserError, match="at least one"):
        keyword_labels(texts, LISTS, 0)


def test_candidates_are_what_marks_a_domain() -> None:
    law = [f"原告在第{i}天向法院起诉，被告答辩" for i in range(20)]
    rest = [f"第{i}天下午我们去公园散步看花" for i in range(20)]
    found = candidates(law + rest, [("law",)] * 20 + [()] * 20, LISTS, 4)["law"]
    words = [one.word for one in found]
    assert len(words) == 4 and all(one.inside == 20 and one.outside == 0 for one in found)
    assert not any(a in b for a in words for b in words if a != b), "no part of another"
    assert "法院" not in words, "it is one already"
    assert next(frequent_runs(["书法ABC论, the Law"], 1)) >= {"书法", "abc", "the", "law"}


def test_the_difference_names_gains_and_losses() -> None:
    assert difference([("a",), ("b",), ("a", "b")], [("a",), ("c",), ("b", "a")]) == [Change(1, ("c",), ("b",))]


def test_rounds_take_accepted_words_and_change_labels() -> None:
    torch.set_num_threads(1)
    generator = random.Random(0)
    core = {"law": "法院判决律师合同原告被告起诉", "medicine": "患者治疗医院药物手术护士病床"}
    texts = []
    for place in range(160):
        label = ("law", "medicine")[place % 2]
        words = [core[label][i:i + 2] for i in range(0, 14, 2)]
        chosen = generator.sample(words, 3 if place < 80 else 2) + (words[-2:] if place >= 80 else words[:1])
        texts.append("，".join(chosen) + "，" + "".join(generator.choices("的一是在不了有和人这", k=8)))
    texts += ["".join(generator.choices("春夏秋冬风花雪月山水", k=16)) for _ in range(60)]
    seen = []
    scorer, lists, log = bootstrap(texts, LISTS, first_of(2), generator, rounds=2, least=2,
                                   recipe=Recipe(Grams(1, 2, 12), epochs=10, batch=32),
                                   report=lambda done: seen.append(done.number))
    assert seen == [1, 2] and log[0].changes == () and scorer.outputs == ("law", "medicine", "general")
    assert set(lists["law"]) > set(LISTS["law"]) and log[0].accepted["law"]
    assert log[1].changes and all(change.gained or change.lost for change in log[1].changes)
    assert log[1].counts["general"] < log[0].counts["general"]
    law, medicine, _ = scorer.score(["原告起诉被告，律师到法院"])[0]
    assert law > medicine


def test_keyword_files_say_what_is_wrong(tmp_path: Path) -> None:
    lists = read_keywords(BUNDLED)
    assert set(lists) == set(LABELS) - {"general"} and all(20 <= len(words) <= 50 for words in lists.values())
    for text in ("law: court", "[1, 2]", "a: [b", "law: []"):
        (tmp_path / "k.yaml").write_text(text)
        with pytest.raises(UserError):
            read_keywords(tmp_path / "k.yaml")


def test_the_keyword_scorer_counts_different_words_nested_ones_too(tmp_path: Path) -> None:
    lists = {"law": ("法院", "高级法院", "判决", "Court")}
    scorer = KeywordScorer("domain", ("law", "general"), lists)
    texts = ["高级法院的判决，判决", "the COURT", "", "天气"]
    assert scorer.counts(texts)[:, 0].tolist() == [3, 1, 0, 0]
    table = scorer.score(texts)
    assert np.allclose(table[:, 0], 1 - 2 ** (-np.array([3, 1, 0, 0]) / 4)) and np.allclose(table.sum(axis=1), 1)
    assert decide(table, scorer.outputs)[0].multi_label[0] == "general" or table[0, 0] > 0.3
    again = open_scorer(keyword_files.save(scorer, tmp_path / "k"))
    assert np.array_equal(again.score(texts), table) and again.version == scorer.version
    assert scorer.score([]).shape == (0, 2)


def test_keyword_scorers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs one list"):
        KeywordScorer("domain", ("law", "news"), {"law": ("a",)})
    with pytest.raises(MissingResource):
        keyword_files.load(tmp_path)
    (tmp_path / "keywords.json").write_text('{"format": "other"}')
    with pytest.raises(UserError, match="cannot be read"):
        keyword_files.load(tmp_path)

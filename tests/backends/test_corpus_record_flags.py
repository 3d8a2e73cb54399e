"""Why a record says what it says: labels by the published rules, and the flags of our own form."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.mdfg.records import GIVEN_COLUMNS, cwt2_record, given_of, judged, superset_record
from backends.mdfg.toxicity import decide, symbol_share
from tests.backends.corpus_cases import filtered, good_text, lines_of, write_lines

BASE = {"id": "i", "rule_fail": 0, "source": "s", "number": 1}
LAW = {"domain.law": 0.8, "domain.news": 0.35, "domain.general": 0.1}
LOW = {"domain.law": 0.2, "domain.news": 0.1, "domain.general": 0.05}
TOXIC = {"toxicity.score": 0.995}
GOOD = {"quality.score": 0.5}


@pytest.mark.parametrize(("text", "scores", "label", "flags"), [
    ("你好", TOXIC, 1, []), ("你好", {"toxicity.score": 0.9899}, 0, []), ("12345!!", TOXIC, 0, ["symbols"]),
    ("好123", TOXIC, 0, ["symbols"]), ("好好12", TOXIC, 1, []), ("", TOXIC, 0, ["empty"]),
    (" \u3000\ufeff", TOXIC, 0, ["empty"]), ("123", {"toxicity.score": 0.1}, 0, ["symbols"]),
    ("", {}, None, ["empty"]), ("123", {}, None, [])])
def test_a_toxic_label_says_which_rule_spoke(text: str, scores: dict[str, Any], label: int | None,
                                             flags: list[str]) -> None:
    made = superset_record(text, {**BASE, **scores}, {}, (), "c")
    assert made["flags"] == flags
    assert made.get("toxicity") == (None if label is None else {"label": label, "score": scores["toxicity.score"]})


@pytest.mark.parametrize(("text", "scores", "domain", "flags"), [
    ("你好", LAW, ("law", ["law", "news"]), []), ("你好", LOW, ("law", []), ["below"]),
    ("你好", {**LAW, "domain.news": 0.9}, ("news", ["news", "law"]), []),
    ("", LAW, ("general", []), ["empty", "below"]), ("你好", {"domain.a": 0.3, "domain.b": 0.2}, ("a", ["a"]), [])])
def test_no_domain_above_the_threshold_is_said(text: str, scores: dict[str, Any], domain: tuple[str, list[str]],
                                               flags: list[str]) -> None:
    made = superset_record(text, {**BASE, **scores}, {}, (), "c")
    assert (made["domain"]["single_label"], made["domain"]["multi_label"]) == domain
    assert made["flags"] == flags


@given(st.lists(st.floats(0, 1), min_size=2, max_size=11))
def test_an_empty_multi_label_and_its_flag_come_together(probabilities: list[float]) -> None:
    attributes = {f"domain.{i}": p for i, p in enumerate(probabilities)}
    made = superset_record("文本", {**BASE, **attributes}, {}, (), "c")
    assert ("below" in made["flags"]) == (not made["domain"]["multi_label"]) == (max(probabilities) < 0.3)
    assert not made["domain"]["multi_label"] or made["domain"]["multi_label"][0] == made["domain"]["single_label"]


@pytest.mark.parametrize(("text", "said", "toxic", "flags"), [
    ("123", {"label": 1, "score": 0.995}, 1, []), ("123", {"score": 0.995}, 0, ["symbols"]),
    ("你好", {"score": 0.995}, 1, []), ("你好", {"score": 1.00001}, 1, [])])
def test_what_an_imported_record_said_stays_and_the_rest_is_decided(text: str, said: dict[str, Any], toxic: int,
                                                                    flags: list[str]) -> None:
    record = {"toxicity": said, "domain": {"single_label": "law", "multi_label": ["law"]}}
    attributes = dict(zip(GIVEN_COLUMNS, given_of(record), strict=True))
    made = superset_record(text, {**BASE, **attributes}, {}, (), "c")
    assert made["toxicity"] == {"label": toxic, "score": said["score"]} and made["flags"] == flags


def test_an_imported_record_without_several_labels_is_flagged() -> None:
    attributes = dict(zip(GIVEN_COLUMNS, given_of({"domain": {"single_label": "law", "multi_label": []}}), strict=True))
    assert judged("文本", attributes) == {"domain": {"single_label": "law", "multi_label": []}, "flags": ["below"]}


def test_the_exact_form_has_the_labels_and_no_flags() -> None:
    made = cwt2_record("12345", {**LOW, **TOXIC, **GOOD})
    assert made == {"text": "12345", "domain": {"single_label": "law", "multi_label": []},
                    "toxicity": {"label": 0, "score": 0.995}, "quality_score": 0.5}


def test_flags_reach_the_files_of_a_run(tmp_path: Path) -> None:
    texts = [good_text(250), good_text(250)[3:]]
    made = [{"text": text, "domain": {"single_label": "law", "multi_label": several}}
            for text, several in zip(texts, (["law"], []), strict=True)]
    _, context = filtered(tmp_path / "run", sources=(write_lines(tmp_path / "a.jsonl", made),), exports=("jsonl",),
                          near_duplicates="off")
    found = lines_of(context.run / "artifacts" / "kept.jsonl")
    assert [row["flags"] for row in found] == [[], ["below"]]


@given(st.text(max_size=60))
def test_the_share_of_symbols_is_that_of_counting_one_by_one(text: str) -> None:
    held = [c for c in text if not c.isspace()]
    share = sum(unicodedata.category(c)[0] in "NPS" for c in held) / len(held) if held else 0.0
    assert symbol_share(text) == share
    assert decide([text], [0.0])[0].label == 0

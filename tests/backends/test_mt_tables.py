"""Segment table, n-gram wins, buckets, the reference that favours a system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.common.mt.bias import Likeness, flags, likeness
from backends.common.mt.buckets import by_label, by_value, lengths, rarity, scored
from backends.common.mt.scores import mean_statistics, scorer, segment_scorer
from backends.common.mt.segments import by_disagreement, ngram_wins
from tests.backends.mt_cases import systems, wmt
from workbench.contract import UserError


def test_segments_come_by_disagreement() -> None:
    rows = by_disagreement({"a": np.array([10.0, 50.0, 30.0]), "b": np.array([10.0, 10.0, 20.0])})
    assert [row.index for row in rows] == [1, 2, 0]
    assert (rows[0].best, rows[0].worst, rows[0].disagreement) == ("a", "b", 20.0)
    assert by_disagreement({"a": np.array([10.0]), "b": np.array([20.0])}, sign=-1.0)[0].best == "a", (
        "TER: less is better"
    )
    with pytest.raises(UserError, match="no system"):
        by_disagreement({})


def test_ngram_wins_are_clipped_matches() -> None:
    made = {"a": ["the cat sat", "the the the"], "b": ["a cat sat", "the"]}
    wins = ngram_wins(made, [["the cat sat", "the end"]], "a", "b", order=2)
    assert [(win.text, win.ahead, win.behind, win.segments) for win in wins] == [("the cat", 1, 0, (0,))]
    single = ngram_wins(made, [["the cat sat", "the end"]], "a", "b", order=1)
    assert [(win.text, win.ahead, win.behind) for win in single] == [("the", 2, 1)], "'the the the' matches once"
    chinese = ngram_wins({"a": ["我去北京"], "b": ["我去南京"]}, [["我去北京"]], "a", "b", order=2)
    assert {win.text for win in chinese} == {"去 北", "北 京"}
    with pytest.raises(UserError, match="system named 'c'"):
        ngram_wins(made, [["x", "y"]], "a", "c")


def test_a_bucket_has_the_corpus_score_of_its_segments() -> None:
    made, reference = systems(2)
    metric = scorer("bleu", [reference])
    stats = {name: metric.statistics(lines) for name, lines in made.items()}
    bucket = scored("x", [1, 3, 5], metric, stats)
    part = scorer("bleu", [[reference[i] for i in (1, 3, 5)]])
    expected = float(part.score(part.statistics([made["system 0"][i] for i in (1, 3, 5)]).sum(0)))
    assert bucket.scores["system 0"] == pytest.approx(expected) and bucket.small


def test_buckets_cover_every_segment_once_and_keep_equal_values_together() -> None:
    values = [1, 1, 1, 1, 2, 3, 4, 5, 6, 9]
    metric, stats = segment_scorer("x"), {"a": mean_statistics(range(10))}
    found = by_value(values, "words", metric, stats)
    assert sorted(i for bucket in found for i in bucket.segments) == list(range(10))
    assert found[0].label == "1 words" and found[0].segments == (0, 1, 2, 3)
    assert by_value([7] * 10, "words", metric, stats)[0].label == "7 words"
    with pytest.raises(UserError, match="parts is 0"):
        by_value(values, "words", metric, stats, 0)
    with pytest.raises(UserError, match="10 segments"):
        by_value(values[:3], "words", metric, stats)


def test_labels_lengths_and_rarity() -> None:
    metric, stats = segment_scorer("x"), {"a": mean_statistics([1, 2, 3])}
    found = by_label(["news", "", "news"], metric, stats)
    assert [(bucket.label, bucket.segments, bucket.scores["a"]) for bucket in found] == [
        ("news", (0, 2), 2.0),
        ("no label", (1,), 2.0),
    ]
    assert lengths(["a b", "我们", ""]) == [2, 2, 0]
    assert rarity(["the cat", "the dog the", ""]) == [1, 1, 0]
    assert rarity(["the cat"], {"the": 9, "cat": 4}) == [4]


def row(reference: str, system: str, chrf: float, identical: int) -> Likeness:
    return Likeness(reference, system, chrf, identical)


@pytest.mark.parametrize(
    ("table", "flagged"),
    [
        ([row("B", "one", 69, 390), row("B", "two", 58, 185), row("B", "three", 50, 100)], True),
        ([row("B", "one", 69, 390), row("B", "two", 65, 185)], False),
        ([row("B", "one", 69, 20), row("B", "two", 58, 5)], False),
        ([row("B", "one", 69, 390), row("B", "two", 58, 300)], False),
        ([row("B", "one", 99, 900)], False),
    ],
)
def test_a_reference_is_flagged_only_when_far_out_on_both(table: list, flagged: bool) -> None:
    found = flags(table, 2037)
    assert bool(found) is flagged
    if flagged:
        assert "Reference B looks made from one" in found[0].text and "390 of 2,037" in found[0].text


def test_likeness_counts_same_words_and_not_empty_lines() -> None:
    found = likeness({"a": ["x y.", "", "z"]}, {"r": ["x  y .", "", "q"]})
    assert found[0].identical == 1


def test_reference_b_of_wmt22_was_made_from_online_b(shared: Path) -> None:
    folder = shared / "mt" / "wmt22" / "en-zh"
    part = slice(0, None, 3)
    made = {
        name: wmt(folder / f"generaltest2022.en-zh.hyp.{name}.zh")[part]
        for name in ("Online-B", "HuaweiTSC", "LanguageX")
    }
    references = {name: wmt(folder / f"generaltest2022.en-zh.ref.{name}.zh")[part] for name in "AB"}
    found = flags(likeness(made, references), 679)
    assert [(flag.reference, flag.system) for flag in found] == [("B", "Online-B")]

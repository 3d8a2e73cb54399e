"""What must hold for any text and any figures: comparison of translations."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from backends.common.mt.buckets import by_value
from backends.common.mt.human import Rating, Ratings, segment_scores, standardised, system_scores
from backends.common.mt.paired import all_pairs, holm
from backends.common.mt.reading import read_table
from backends.common.mt.scores import bleu, chrf, mean_statistics, scorer, segment_scorer, ter
from backends.common.mt.segments import by_disagreement
from backends.common.mt.uploads import Upload, gather
from backends.common.mt.words import difference, words
from workbench.contract import UserError

FEW = settings(max_examples=40, deadline=None)
TEXT = st.text(
    alphabet=st.sampled_from("abc .,!?'-我们去北京。éß12\u00a0"),
    max_size=25,
)
LINE = st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff"), max_size=20)
COUNTS = st.integers(0, 40)


@FEW
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_corpus_scores_are_sacrebleus_for_any_text(pairs: list) -> None:
    hypotheses, references = (list(side) for side in zip(*pairs, strict=True))
    for name, peer in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        metric = scorer(name, [references])
        expected = peer.corpus_score(hypotheses, [references]).score
        assert float(metric.score(metric.statistics(hypotheses).sum(0))) == pytest.approx(expected, abs=1e-9)


@FEW
@given(st.lists(COUNTS, min_size=10, max_size=10))
def test_bleu_of_any_statistics_lies_between_0_and_100(counts: list) -> None:
    hypothesis, reference, *rest = counts
    correct = np.minimum(rest[:4], rest[4:])
    sums = np.array([hypothesis, reference, *correct, *rest[4:]], dtype=np.float64)
    for effective in (False, True):
        value = float(bleu(sums, effective))
        assert 0 <= value <= 100 + 1e-9
    plain = BLEU.compute_bleu(
        correct=[int(c) for c in correct],
        total=[int(t) for t in rest[4:]],
        sys_len=hypothesis,
        ref_len=reference,
        smooth_method="exp",
    )
    assert float(bleu(sums)) == pytest.approx(plain.score, abs=1e-9)


@FEW
@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=6, max_size=6))
def test_chrf_of_any_statistics_is_sacrebleus(orders: list) -> None:
    flat = [value for made, wanted, match in orders for value in (made, wanted, min(match, made, wanted))]
    assert float(chrf(np.array(flat, dtype=np.float64))) == pytest.approx(CHRF()._compute_f_score(flat), abs=1e-9)


@FEW
@given(COUNTS, COUNTS)
def test_ter_is_never_negative_and_defined_everywhere(edits: int, length: int) -> None:
    value = float(ter(np.array([edits, length], dtype=np.float64)))
    assert value >= 0 and np.isfinite(value)


@FEW
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list) -> None:
    corrected = holm(p_values)
    assert all(after >= before and after <= 1 for before, after in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [corrected[i] for i in order] == sorted(corrected)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=15), st.floats(-3, 3), st.integers(0, 1000))
def test_swapping_two_systems_swaps_only_the_sign(scores: list, shift: float, seed: int) -> None:
    metric = segment_scorer("x")
    one = mean_statistics(scores)
    two = mean_statistics([score + shift * (i % 2) for i, score in enumerate(scores)])
    first = all_pairs(metric, {"a": one, "b": two}, 50, 50, seed).pairs[0]
    second = all_pairs(metric, {"b": two, "a": one}, 50, 50, seed).pairs[0]
    assert first.difference == -second.difference and first.verdict == second.verdict
    assert first.bootstrap == second.bootstrap
    assert 0 < first.bootstrap <= 1 and 0 < first.randomisation <= 1


@FEW
@given(TEXT, TEXT, st.sampled_from(["word", "char"]))
def test_a_difference_is_complete(one: str, two: str, unit: str) -> None:
    pieces = difference(one, two, unit)
    assert "".join(p.text for p in pieces if p.kind != "added") == one
    assert "".join(p.text for p in pieces if p.kind != "removed") == two
    assert all(piece.text for piece in pieces)


@FEW
@given(TEXT)
def test_words_lose_nothing_but_spaces(text: str) -> None:
    assert "".join(words(text)) == "".join(text.split())


@FEW
@given(st.lists(LINE, min_size=1, max_size=8).filter(lambda lines: any(line.strip() for line in lines)))
def test_a_text_file_is_read_as_it_was_written(lines: list) -> None:
    for end in ("\n", "\r\n"):
        data = (end.join(lines) + end).encode()
        if data.startswith((b"{", b"PK\x03\x04", b"%PDF", b"PAR1", b"SQLite")):
            continue
        assert list(read_table("a.txt", data, "txt").columns["text"]) == lines


@FEW
@given(st.lists(st.tuples(LINE, LINE), min_size=1, max_size=6).filter(lambda rows: any(a.strip() for a, _ in rows)))
def test_a_table_is_read_as_it_was_written(rows: list) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("src", "ref"), *rows])
    expected = tuple(source for source, _ in rows)
    assert read_table("a.csv", out.getvalue().encode()).columns["src"] == expected
    text = "".join(json.dumps({"src": a, "ref": b}) + "\n" for a, b in rows)
    assert read_table("a.jsonl", text.encode()).columns["src"] == expected


@FEW
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    try:
        assert read_table("a.txt", data).rows >= 1
    except UserError as error:
        assert "a.txt" in str(error) and str(error).rstrip().endswith(".")


@FEW
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_gathering_never_raises(files: list) -> None:
    found = gather([Upload(f"{i}.txt", data, "system") for i, data in enumerate(files)])
    assert (found.comparison is None) is bool(found.problems)


@FEW
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 8))
def test_buckets_are_a_partition(values: list, parts: int) -> None:
    found = by_value(values, "x", segment_scorer("s"), {"a": mean_statistics(values)}, parts)
    assert sorted(i for bucket in found for i in bucket.segments) == list(range(len(values)))
    assert len(found) <= parts
    highs = [max(values[i] for i in bucket.segments) for bucket in found]
    lows = [min(values[i] for i in bucket.segments) for bucket in found]
    assert all(high < low for high, low in zip(highs, lows[1:], strict=False)), "equal values stay together"


@FEW
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=20))
def test_the_segment_table_has_every_segment_once(scores: list) -> None:
    one, two = (np.array(side) for side in zip(*scores, strict=True))
    rows = by_disagreement({"a": one, "b": two})
    assert sorted(row.index for row in rows) == list(range(len(scores)))
    assert all(a.disagreement >= b.disagreement for a, b in pairwise(rows))
    assert all(row.scores[row.best] >= row.scores[row.worst] for row in rows)


RATINGS = st.lists(
    st.builds(
        Rating,
        system=st.sampled_from("ABC"),
        segment=st.integers(0, 4),
        score=st.floats(0, 100),
        annotator=st.sampled_from("pqr"),
        kind=st.sampled_from(["target", "bad", "tutorial"]),
    ),
    max_size=25,
)


@FEW
@given(RATINGS)
def test_z_values_have_mean_0_for_every_annotator(ratings: list) -> None:
    z, _ = standardised(ratings)
    for name in "pqr":
        mine = [value for value, rating in zip(z, ratings, strict=True) if rating.annotator == name]
        if mine:
            assert sum(mine) / len(mine) == pytest.approx(0, abs=1e-6)
    assert all(np.isfinite(z))


@FEW
@given(RATINGS)
def test_attention_checks_never_count(ratings: list) -> None:
    every = Ratings("DA", tuple(ratings))
    targets = Ratings("DA", tuple(rating for rating in ratings if rating.kind == "target"))
    assert system_scores(every) == system_scores(targets)
    assert segment_scores(every.ratings) == segment_scores(targets.ratings)
    assert sum(row.ratings for row in system_scores(every)) == len(targets.ratings)

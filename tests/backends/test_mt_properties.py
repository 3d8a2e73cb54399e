"""What must hold for any text and any figures: comparison of translations."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from backends.common.mt import export
from backends.common.mt.buckets import by_value
from backends.common.mt.human import Rating, Ratings, segment_scores, standardised, system_scores
from backends.common.mt.paired import all_pairs, holm
from backends.common.mt.reading import read_table
from backends.common.mt.requests import SystemRow
from backends.common.mt.scores import NAMES, bleu, chrf, mean_statistics, scorer, segment_scorer, ter
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


@FEW
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=4), st.sampled_from(NAMES))
def test_neither_the_order_of_references_nor_one_given_twice_matters(rows: list, name: str) -> None:
    """But for chrF, where sacreBLEU takes the first of two references that fit a segment equally well."""
    lines, one, two = (list(side) for side in zip(*rows, strict=True))
    if not any(one) or not any(two):
        return
    values = [float(metric.score(metric.statistics(lines).sum(0))) for references in ((one, two), (two, one))
              for metric in [scorer(name, references)]]
    assert values[0] == pytest.approx(values[1], abs=1e-9) or name.startswith("chrf")
    single, double = (scorer(name, references) for references in ([one], [one, one]))
    assert float(single.score(single.statistics(lines).sum(0))) == pytest.approx(
        float(double.score(double.statistics(lines).sum(0))), abs=1e-9)


@FEW
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.randoms(use_true_random=False),
       st.sampled_from(NAMES))
def test_the_order_of_segments_does_not_matter(rows: list, generator: random.Random, name: str) -> None:
    mixed = list(rows)
    generator.shuffle(mixed)
    values = []
    for order in (rows, mixed):
        lines, reference = (list(side) for side in zip(*order, strict=True))
        metric = scorer(name, [reference])
        values.append(float(metric.score(metric.statistics(lines).sum(0))))
    assert values[0] == pytest.approx(values[1], abs=1e-9)


@FEW
@given(st.lists(TEXT.filter(lambda text: len(words(text)) >= 4), min_size=1, max_size=4), st.sampled_from(NAMES))
def test_the_reference_itself_has_the_best_score_there_is(lines: list, name: str) -> None:
    metric = scorer(name, [lines])
    best = 0 if name == "ter" else 100
    assert float(metric.score(metric.statistics(lines).sum(0))) == pytest.approx(best, abs=1e-9) or name == "bleu"
    if name == "bleu" and all(len(line.split()) >= 4 for line in lines):
        assert float(metric.score(metric.statistics(lines).sum(0))) == pytest.approx(100, abs=1e-9)


SCORES = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=12)


@settings(max_examples=15, deadline=None)
@given(SCORES, st.integers(-20, 20), st.integers(0, 99))
def test_a_constant_added_to_all_scores_changes_no_p_value(scores: list, constant: int, seed: int) -> None:
    metric = segment_scorer("x")
    rows = {"a": scores, "b": scores[::-1], "c": [value / 2 for value in scores]}
    one, two = (all_pairs(metric, {name: mean_statistics([v + k for v in values]) for name, values in rows.items()},
                          40, 40, seed) for k in (0, 64 * constant))
    for before, after in zip(one.pairs, two.pairs, strict=True):
        assert before.difference == pytest.approx(after.difference, abs=1e-9) and before.identical == after.identical
        assert before.bootstrap == pytest.approx(after.bootstrap, abs=0.15), "but for ties at the last digit"


@settings(max_examples=15, deadline=None)
@given(SCORES, st.permutations("abcd"), st.integers(0, 99))
def test_the_order_of_systems_changes_neither_estimates_nor_wins(scores: list, order: list, seed: int) -> None:
    metric = segment_scorer("x")
    stats = {name: mean_statistics([value + k * (i % 3) for i, value in enumerate(scores)])
             for k, name in enumerate("abcd")}
    one, two = (all_pairs(metric, {name: stats[name] for name in names}, 40, 0, seed) for names in ("abcd", order))
    assert {e.system: e for e in one.estimates} == {e.system: e for e in two.estimates}
    assert one.wins == {name: {other: two.wins[name][other] for other in "abcd"} for name in "abcd"}
    assert {frozenset((p.first, p.second)): p.bootstrap for p in one.pairs} == {
        frozenset((p.first, p.second)): p.bootstrap for p in two.pairs}


@FEW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_value_and_bonferroni(p_values: list) -> None:
    corrected = holm(p_values)
    count = len(p_values)
    assert all(p <= c <= min(1.0, count * max(p, min(p_values))) + 1e-12 or c <= min(1.0, count * p) + 1e-12
               for p, c in zip(p_values, corrected, strict=True))
    assert min(corrected) == pytest.approx(min(1.0, count * min(p_values)))
    assert holm([0.0] * count) == [0.0] * count and holm([1.0] * count) == [1.0] * count


@FEW
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_a_table_to_take_away_has_one_line_a_row_whatever_is_in_it(heads: list, cells: list) -> None:
    width = max(len(heads), len(cells))
    rows = [[*cells, *[""] * (width - len(cells))], [*cells, *["x"] * (width - len(cells))]]
    made = export.tsv([*heads, *[""] * (width - len(heads))], rows)
    lines = made.split("\n")
    assert len(lines) == 4 and lines[-1] == "" and {line.count("\t") for line in lines[:-1]} == {width - 1}
    assert not any(cell.startswith(("=", "@")) for line in lines for cell in line.split("\t"))


@FEW
@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.floats(0, 100)), min_size=1, max_size=4,
                unique_by=lambda row: row[0]))
def test_tables_for_papers_have_as_many_cells_in_every_row(systems: list) -> None:
    rows = [SystemRow("bleu", name, score, score, score, 0, 0) for name, score in systems]
    body = [line for line in export.latex(rows, {"bleu": "tok:13a"}, 3).split("\n") if line.endswith(r" \\")]
    assert len(body) >= 2 and {len(re.findall(r"(?<!\\)&", line)) for line in body} == {2}
    lines = [line for line in export.markdown(rows, {"bleu": "tok:13a"}, 3).split("\n") if line.startswith("|")]
    assert len(lines) == 2 + len(rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in (lines[0], *lines[2:])} == {4}


@FEW
@given(st.permutations(range(4)), st.lists(TEXT.filter(bool), min_size=2, max_size=5))
def test_the_order_of_files_changes_only_the_order_of_systems(order: list, lines: list) -> None:
    text = "\n".join(line.replace("\u00a0", " ") or "x" for line in lines) + "\n"
    files = [Upload(name, text.encode(), "", "txt") for name in ("A.txt", "B.txt", "ref.txt", "src.txt")]
    one, two = gather(files), gather([files[i] for i in order])
    assert set(one.problems) == set(two.problems)
    if one.comparison is not None and two.comparison is not None:
        assert one.comparison.systems == two.comparison.systems and one.comparison.source == two.comparison.source


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

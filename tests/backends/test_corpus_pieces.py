"""Quality piece by piece: nothing of a text is lost, a terrible piece shows, records say what every piece is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import pieces
from backends.mdfg.bert_eval.segments import ENDS, WINDOW, segments
from backends.mdfg.bert_eval.selection import Merged, merge
from backends.mdfg.records import superset_record
from backends.mdfg.scorers.base import Scores
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer, Stack
from backends.mdfg.stage import Stage, Work
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import attributes, filtered, good_text, lines_of, recipe, write_lines
from tests.backends.corpus_scorer import CountingScorer

QUALITY = "bundled:mdfg-zh-quality"
BAD = "点击下方链接全场包邮，" * 60


def ngram(name: str = "quality", outputs: tuple[str, ...] = ("score",), seed: int = 1, bits: int = 10) -> NgramScorer:
    """A small scorer whose weights are drawn."""
    grams, width = Grams(1, 2, bits), len(outputs)
    table = np.random.Generator(np.random.PCG64(seed)).normal(0, 1, (grams.buckets, width)).astype(np.float32)
    flat = np.zeros(width)
    return NgramScorer(name, outputs, grams, table, flat, flat + 1, flat, flat + 0.25)


class Reader:
    """A scorer that judges pieces, like BERTEval, and counts how often it was asked; a piece is as good as its share of
    Chinese commas. Short pieces are not scored."""

    name, outputs, version, tails = "quality-reader", ("score", "least"), "1", "official"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def detail(self, texts: Sequence[str]) -> list[Merged]:
        self.asked.append(len(texts))
        found = []
        for text in texts:
            cut = segments(text, "official")
            found.append(merge(cut, [text[s.begin:s.end].count("，") / (s.end - s.begin) for s in cut if s.scored]))
        return found

    def score(self, texts: Sequence[str]) -> Scores:
        raise AssertionError("the details are enough")


# --- segments


def slow_end(text: str, begin: int, window: int) -> int:
    """The rule as it was published: character by character from the end of the window."""
    if begin + window >= len(text) - 1:
        return begin + window
    for place in range(begin + window - 1, begin, -1):
        if text[place] == "\n":
            return place
        if text[place] in ".?!。！？":
            return place + 1
    return begin + window


@settings(max_examples=200, deadline=None)
@given(st.text("ab。.!？\n", max_size=80), st.integers(3, 20))
def test_pieces_end_where_the_published_walk_ends_them(text: str, window: int) -> None:
    found = segments(text, window=window, least=2)
    assert "".join(text[s.begin:s.end] for s in found) == text, "nothing is lost"
    for segment in found:
        assert segment.end == min(slow_end(text, segment.begin, window), len(text))
        assert 0 < segment.end - segment.begin <= window
        assert segment.scored == bool(text[segment.begin:segment.end].strip())


@pytest.mark.parametrize("length", [1, 199, 200, 201, 509, 510, 511, 512, 1019, 1020, 1021, 5000])
def test_no_length_loses_a_character(length: int) -> None:
    text = "字" * length
    ends = [s.end for s in segments(text)]
    assert ends[-1] == length
    assert all(b - a <= WINDOW for a, b in zip([0, *ends], ends, strict=False))
    official = segments(text, "official")
    assert [s.end for s in official] == ends
    assert all(s.scored == (s.end - s.begin >= 200) for s in official)


def test_marks_that_end_a_sentence() -> None:
    assert set(ENDS) == set("\n.?!。！？")
    for mark in ENDS:
        text = "字" * 300 + mark + "字" * 400
        assert segments(text)[0].end == (300 if mark == "\n" else 301)


# --- pieces of scorers


def test_one_piece_has_the_score_of_the_text_and_several_their_own() -> None:
    judge = ngram()
    short, long = good_text(300), good_text(400) + BAD
    columns, cut = pieces.scored([judge], [short, long, "", " \n"])
    assert cut is not None
    assert cut.ends == [[300], [s.end for s in segments(long)], [], [2]]
    assert cut.scores[0] == [pytest.approx(float(columns["quality.score"][0]))]
    wanted = judge.score([long[s.begin:s.end] for s in segments(long)])[:, 0]
    assert cut.scores[1] == pytest.approx(wanted.tolist())
    assert cut.scores[2] == []
    assert math.isnan(cut.scores[3][0]), "white space is not judged"
    least = columns["quality.least"]
    assert least[1] == pytest.approx(wanted.min())
    assert np.isnan(least[2:]).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("春天。a\n", max_size=1200), max_size=4))
def test_pieces_do_not_depend_on_the_company(batch: list[str]) -> None:
    judge = ngram()
    columns, cut = pieces.scored([judge], batch)
    assert cut is not None
    for i, text in enumerate(batch):
        alone, one = pieces.scored([judge], [text])
        assert one is not None
        assert one.ends[0] == cut.ends[i]
        np.testing.assert_allclose(one.scores[0], cut.scores[i], rtol=1e-6)
        np.testing.assert_allclose(alone["quality.least"], columns["quality.least"][i:i + 1], rtol=1e-6)


def test_a_scorer_inside_a_stack_judges_too() -> None:
    one, other = ngram("toxicity", ("toxic",), 2), ngram()
    stack = Stack([one, other])
    assert pieces.judge_of([stack]) is other
    assert pieces.model_of([stack]) == f"quality@{other.version}"
    columns, cut = pieces.scored([stack], [good_text(500) + BAD])
    assert set(columns) == {"toxicity.toxic", "quality.score", "quality.least"}
    assert cut is not None
    assert len(cut.scores[0]) > 1


def test_without_a_quality_scorer_there_are_no_pieces(tmp_path: Path) -> None:
    assert pieces.judge_of([]) is None
    assert pieces.model_of([ngram("toxicity")]) == ""
    columns, cut = pieces.scored([ngram("toxicity")], [BAD])
    assert (set(columns), cut) == ({"toxicity.score"}, None)
    columns, cut = pieces.scored([CountingScorer(tmp_path / "log")], [BAD])
    assert (set(columns), cut) == ({"quality.good"}, None), "a scorer of another kind is asked once"
    assert (tmp_path / "log").read_text().count("\n") == 1


def test_a_scorer_that_judges_pieces_is_asked_once() -> None:
    judge = Reader()
    text = good_text(450) + "。" + BAD + "短"
    columns, cut = pieces.scored([judge], [text, "短文。"])
    assert judge.asked == [2]
    assert cut is not None
    assert cut.ends[0][-1] == len(text)
    assert math.isnan(cut.scores[1][0]), "too short to be judged, not lost"
    told = [s for s in cut.scores[0] if not math.isnan(s)]
    assert columns["quality-reader.least"][0] == pytest.approx(min(told))
    assert columns["quality-reader.score"][1] == 0.0
    assert min(told) < columns["quality-reader.score"][0] < max(told), "the mean hides the worst"


def test_berteval_gives_the_same_pieces_as_its_own_details() -> None:
    import torch

    from backends.mdfg.bert_eval.encoders import NgramEncoder
    from backends.mdfg.bert_eval.network import BertEval
    from backends.mdfg.bert_eval.scorer import BertEvalScorer

    source = torch.Generator().manual_seed(3)
    judge = BertEvalScorer(BertEval(NgramEncoder(Grams(1, 2, 10), 8, 0.0, source), generator=source))
    texts = [good_text(500) + BAD, "短文。", ""]
    columns, cut = pieces.scored([judge], texts)
    assert cut is not None
    np.testing.assert_allclose(np.stack([columns["quality.score"], columns["quality.least"]], axis=1),
                               judge.score(texts), rtol=1e-5)
    for detail, ends, scores, text in zip(judge.detail(texts), cut.ends, cut.scores, texts, strict=True):
        assert ends == [s.end for s in segments(text)]
        assert scores == pytest.approx([math.nan if s is None else s for s in detail.pieces], nan_ok=True)


# --- in tables and records


def test_pieces_are_kept_beside_the_text(tmp_path: Path) -> None:
    work = Work(recipe(), WordList(NONE), str(tmp_path), "c")
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text(300) + BAD}, {"text": "短"}])
    from backends.mdfg.readers.files import files_of
    from backends.mdfg.readers.plan import plan

    shard = plan(files_of(path)).shards[0]
    Stage(work, [ngram()]).run(shard)
    rows = pq.read_table(work.part(0)).to_pylist()
    assert rows[0]["quality_ends"][-1] == len(rows[0]["text"])
    assert len(rows[0]["quality_scores"]) == len(rows[0]["quality_ends"]) > 1
    assert rows[1]["quality_ends"] == [1]
    table = pq.read_table(work.shard_folder(0) / "attributes.parquet").to_pylist()
    assert table[0]["quality.least"] == pytest.approx(min(rows[0]["quality_scores"]), rel=1e-6)
    Stage(work, []).run(shard)
    assert [row["quality_ends"] for row in pq.read_table(work.part(0)).to_pylist()] == [[], []]


def test_a_record_says_what_every_piece_is_worth(tmp_path: Path) -> None:
    text = good_text(420) + "。"
    rows = [{"text": text + "\n" + good_text(200)[::-1]}, {"text": good_text(250)}, {"text": BAD}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    result, context = filtered(tmp_path / "run", sources=(path,), scorers=(QUALITY,), exports=("jsonl", "ledger"))
    folder = context.run / "artifacts"
    records = [*lines_of(folder / "kept.jsonl"), *lines_of(folder / "dropped.jsonl")]
    assert len(records) == result.documents == 3
    for record in records:
        told = record["quality"]
        assert told["score"] == record["quality_score"] == record["attributes"]["quality.score"]
        assert told["model"].startswith("quality@")
        assert told["segments"][0]["begin"] == 0
        assert told["segments"][-1]["end"] == len(record["text"])
        assert all(one["end"] == two["begin"] for one, two in zip(told["segments"], told["segments"][1:], strict=False))
        assert min(s["score"] for s in told["segments"]) == pytest.approx(record["attributes"]["quality.least"])
    assert {len(record["quality"]["segments"]) for record in records} >= {1, 2}
    assert all("quality.least" in row for row in attributes(context))


def test_a_record_of_a_text_that_was_not_cut_has_no_pieces() -> None:
    attributes = {"id": "i", "rule_fail": 0, "source": "a", "number": 1, "quality.score": 0.5}
    assert "quality" not in superset_record("x", attributes, {"quality_ends": None}, (), "c")
    document = {"quality_ends": [2, 3], "quality_scores": [0.5, float("nan")]}
    made = superset_record("abc", attributes, document, (), "c", "quality@1")
    assert made["quality"] == {"score": 0.5, "model": "quality@1", "segments": [
        {"begin": 0, "end": 2, "score": 0.5}, {"begin": 2, "end": 3, "score": None}]}


def test_a_rule_may_read_the_worst_piece(tmp_path: Path) -> None:
    from backends.mdfg.recipes import dump_recipe, load_recipe

    rule = "rules:\n  - {rule: worst_piece, column: quality.least, drop_if: '<', limit: 1.1}\n"
    text = dump_recipe(load_recipe("zh-paper-code")).replace("rules:\n", rule, 1)
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text(250)}, {"text": " \n"}])
    result, _ = filtered(tmp_path / "run", sources=(path,), recipe=text, scorers=(QUALITY,))
    assert result.every["worst_piece"] == 1, "what could not be judged is not dropped by it"

"""Exploration as a whole: random filters against plain Python, other recipes, several files, real scorers, one text."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg import sample
from backends.mdfg.explore import queries
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import moved_tests
from backends.mdfg.explore.pages import places
from backends.mdfg.explore.query import KINDS, Query
from backends.mdfg.explore.reader import LOW, read
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.recipes import presets
from backends.mdfg.rules.verdicts import decide, mask_counts, tally
from tests.backends.corpus_cases import good_text, write_lines
from tests.backends.explore_cases import DOMAINS, filtered, full_texts, table
from workbench.contract import UserError
from workbench.fields import to_json

RULES = ("length", "line_length", "script", "traditional", "sensitive", "duplication")
COLUMNS = ("n_chars", "dup_ratio", "given.quality", "given.toxicity", "mean_line")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("whole"), 180, seed=21)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder, in_memory=0)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    return table(folder)


class Plain:
    """The same questions in plain Python over the rows of the run: slow and simple."""

    def __init__(self, corpus: Corpus, rows: list[dict[str, Any]], selection: Selection) -> None:
        self.rows, self.selection = rows, selection
        self.tests = moved_tests(corpus.recipe, selection.moved)
        self.highest = {name: max(row[name] for row in rows if row[name] == row[name]) for name in COLUMNS}
        columns = {test.column: np.array([row[test.column] for row in rows], dtype=float) for test in self.tests}
        self.verdicts = decide(columns, self.tests, len(rows))
        self.inside = [place for place in range(len(rows)) if self.holds(place)]

    def holds(self, place: int) -> bool:
        one, row, mask = self.selection, self.rows[place], int(self.verdicts.rule_fail[place])
        if one.show != "all" and (mask == 0) != (one.show == "kept"):
            return False
        if one.failed and not any(mask >> RULES.index(rule) & 1 for rule in one.failed):
            return False
        if one.first and self.verdicts.first_fail[place] != RULES.index(one.first):
            return False
        if one.only and mask != 1 << RULES.index(one.only):
            return False
        if one.domains and row["given.domain"] not in one.domains:
            return False
        if one.words and not set(one.words) & set(row["sensitive_words"]):
            return False
        return all(self.within(row[span.column], span) for span in one.spans)

    def within(self, value: float, span: Span) -> bool:
        if span.low is None and span.high is None:
            return math.isnan(value)
        if math.isnan(value) or (span.low is not None and value < span.low):
            return False
        return span.high is None or span.high >= self.highest[span.column] or value < span.high


EDGES = st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 1.0, 30.0, 150.0, 200.0, 400.0, 2000.0])
SPANS = st.lists(st.builds(Span, st.sampled_from(COLUMNS), st.none() | EDGES, st.none() | EDGES), max_size=2,
                 unique_by=lambda span: span.column).map(tuple)
SOME = st.lists(st.sampled_from(RULES), max_size=2).map(tuple)
ONE = st.sampled_from(["", "", "", *RULES])
LIMITS = st.dictionaries(st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.5, 1.0, 100.0, 250.0]), max_size=2)
FILTERS = st.builds(
    Selection, show=st.sampled_from(["all", "all", "kept", "dropped"]), failed=SOME, first=ONE, only=ONE, spans=SPANS,
    domains=st.lists(st.sampled_from([*DOMAINS, ""]), max_size=2).map(tuple),
    words=st.lists(st.sampled_from(sample.SPAM), max_size=1).map(tuple), moved=LIMITS.map(lambda m: tuple(m.items())))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS, st.sampled_from([*COLUMNS, "place"]), st.booleans())
def test_any_filter_holds_what_plain_python_finds(corpus: Corpus, rows: list[dict[str, Any]], selection: Selection,
                                                  sort: str, descending: bool) -> None:
    plain = Plain(corpus, rows, selection)
    assert queries.count(corpus, selection).shown == len(plain.inside)

    def key(place: int) -> tuple[bool, float, int]:
        value = float(place if sort == "place" else rows[place][sort])
        return math.isnan(value), 0.0 if math.isnan(value) else -value if descending else value, place
    assert places(corpus, selection, sort, descending, 0, 500) == sorted(plain.inside, key=key)
    about = Plain(corpus, rows, selection.unjudged())
    masks = mask_counts(about.verdicts.rule_fail[about.inside])
    assert queries.tallied(corpus, selection) == tally(masks, plain.tests)
    listed = queries.page(corpus, selection, sort, descending, limit=5)
    for row in listed.rows:
        mask = int(plain.verdicts.rule_fail[row.place])
        assert row.failed == tuple(rule for i, rule in enumerate(RULES) if mask >> i & 1)
    chart = queries.histogram(corpus, "dup_ratio", selection, 6)
    around = Plain(corpus, rows, selection.without("dup_ratio"))
    assert sum(chart.shown) == len(around.inside)
    assert sum(chart.kept) == sum(around.verdicts.rule_fail[place] == 0 for place in around.inside)


@pytest.mark.parametrize("name", presets())
def test_every_preset_can_be_explored(tmp_path: Path, name: str) -> None:
    run = filtered(tmp_path, 40, recipe=name)
    opened = Corpus.open(run)
    raw = table(run)
    found = queries.tallied(opened, Selection())
    summary = json.loads((run / "artifacts" / "summary.json").read_text())
    assert (found.documents, found.kept) == (40, summary["kept"])
    assert dict(zip(found.rules, found.first, strict=True)) == summary["first"]
    assert dict(zip(found.rules, found.every, strict=True)) == summary["every"]
    assert dict(zip(found.rules, found.only, strict=True)) == summary["only"]
    for index, test in enumerate(opened.recipe.tests):
        curve = queries.margin(opened, Selection(), index, 5)
        values = np.array([row[test.column] for row in raw], dtype=float)
        assert curve.dropped[curve.now] == int(test.fails(values).sum())
        assert curve.kept[curve.now] == found.kept
    place = next(place for place, row in enumerate(raw) if not row["kept"])
    explained = read(opened, place)
    assert len(explained.judgements) == len(opened.recipe.tests)
    assert explained.first == found.rules[raw[place]["first_fail"]]


def test_several_files_are_told_apart(tmp_path: Path) -> None:
    for name, size in (("a.jsonl", 3), ("b's.jsonl", 5), ("c~d,e.jsonl", 2)):
        write_lines(tmp_path / name, [{"text": good_text(220 + i)} for i in range(size)])
    run = filtered(tmp_path / "x", texts=["first"], sources=tuple(
        f"path:{tmp_path / name}" for name in ("a.jsonl", "b's.jsonl", "c~d,e.jsonl")))
    opened = Corpus.open(run)
    found = {bar.value: bar.total for bar in queries.bars(opened, "source", Selection()).bars}
    assert found == {"1/a.jsonl": 3, "2/b's.jsonl": 5, "3/c~d,e.jsonl": 2}
    for name, size in found.items():
        selection = Selection.from_query(Selection(sources=(name,)).to_query())
        assert queries.count(opened, selection).shown == size
        assert {row.source for row in queries.page(opened, selection).rows} == {name}
    assert [document.text for document in opened.texts(range(10))] == full_texts(run)


def test_a_corpus_of_one_document_answers_everything(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=[good_text(300)]))
    for column in opened.columns:
        found = queries.histogram(opened, column.name, Selection())
        assert sum(found.total) + found.missing[0] == 1
        again = queries.heat(opened, column.name, "n_chars", Selection())
        assert sum(map(sum, again.shown)) + again.missing == 1
    assert all(queries.margin(opened, Selection(), i).count.shown == 1 for i in range(6))
    assert queries.bars(opened, "words", Selection()).bars == ()
    assert queries.bars(opened, "domain", Selection()).bars[0].value == ""
    assert queries.page(opened, Selection(show="dropped")).rows == ()
    assert read(opened, 0).kept


def test_answers_are_plain_json_and_small(corpus: Corpus) -> None:
    selection = Selection(show="dropped", moved=((0, 300.0),))
    answers = [queries.count(corpus, selection), queries.tallied(corpus, selection),
               queries.histogram(corpus, "n_chars", selection), queries.bars(corpus, "words", selection),
               queries.heat(corpus, "quality", "toxicity", selection), queries.margin(corpus, selection, 0),
               queries.page(corpus, selection)]
    sizes = [len(json.dumps(to_json(answer), allow_nan=False, ensure_ascii=False).encode()) for answer in answers]
    assert sum(sizes) < 60_000, "the whole page, far below the 200 kB of the acceptance"
    assert all(answer.count.filter == selection.hash for answer in answers[2:5])
    assert answers[5].count.filter == selection.unjudged().hash, "a margin is about all verdicts"


@pytest.mark.parametrize(("selection", "address"), [
    (Selection(), {}), (Selection(show="kept"), {"show": "kept"}),
    (Selection(failed=("length", "script"), first="length"), {"failed": "length,script", "first": "length"}),
    (Selection(spans=(Span("n_chars", 200, 500.5), Span("a~b;c", None, 1))),
     {"range": "n_chars~200~500.5;a%7Eb%3Bc~~1"}),
    (Selection(spans=(Span("quality"),)), {"range": "quality~~"}),
    (Selection(domains=("",)), {"domain": ","}), (Selection(domains=("a,b", "")), {"domain": "a%2Cb,"}),
    (Selection(words=("在线赌场",), cluster=0), {"word": "%E5%9C%A8%E7%BA%BF%E8%B5%8C%E5%9C%BA", "cluster": "0"}),
    (Selection(moved=((5, 0.25), (0, 150.0))), {"limit": "0~150;5~0.25"}),
    (Selection(search=Query("regex", "a:b=1")), {"find": "regex:a:b=1"}),
    (Selection(search=Query("concept", "", (3, 4), (7,), 0.5)),
     {"find": "concept:", "like": "3,4", "unlike": "7", "least": "0.5"})])
def test_addresses_are_as_documented(selection: Selection, address: dict[str, str]) -> None:
    assert selection.to_query() == address
    assert Selection.from_query(address) == selection


def test_searches_join_every_other_part(corpus: Corpus, folder: Path, rows: list[dict[str, Any]]) -> None:
    import re

    texts, pattern = full_texts(folder), r"[0-9]+次"
    hits = [place for place, text in enumerate(texts) if re.search(pattern, text)]
    search = Query("regex", pattern)
    assert corpus.hits(search).places.tolist() == hits
    for selection in (Selection(search=search), Selection(search=search, show="kept"),
                      Selection(search=search, moved=((0, 400.0),), show="kept"),
                      Selection(search=search, spans=(Span("n_chars", 100, 400),), domains=DOMAINS[:2])):
        inside = Plain(corpus, rows, selection).inside
        expected = [place for place in hits if place in set(inside)]
        assert places(corpus, selection, limit=500) == expected
        assert queries.tallied(corpus, selection).documents == len(
            [place for place in hits if place in set(Plain(corpus, rows, selection.unjudged()).inside)])
    assert set(KINDS) == {"words", "regex", "meaning", "concept"}


def test_a_search_by_meaning_without_an_index_says_what_to_do(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="index"):
        queries.count(corpus, Selection(search=Query("meaning", "雨")))
    assert queries.count(corpus, Selection()).shown == corpus.total


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Good and bad texts of several pieces, judged by the bundled scorers."""
    bad = "点击下方链接 全场包邮 加微信 aaa 1111 ！！！" * 30
    texts = [good_text(400) + "\n" + bad, bad, good_text(380), "短"]
    return Corpus.open(filtered(tmp_path_factory.mktemp("scored"), texts=texts, scorers=(
        "bundled:mdfg-zh-quality", "bundled:mdfg-zh-domain", "bundled:mdfg-zh-toxicity")))


def test_bundled_scorers_give_the_columns_of_the_page(scored: Corpus) -> None:
    names = {column.name for column in scored.columns}
    assert {"quality", "toxicity"} <= names
    assert len(scored.domains) == 11
    found = scored.rows("SELECT quality, toxicity, domain FROM docs ORDER BY place")
    assert all(0 <= quality <= 1 and 0 <= toxicity <= 1 for quality, toxicity, _ in found[:3])
    assert {domain for _, _, domain in found} <= {*scored.domains, None}
    assert scored.single, "scores are stored as 32-bit floats"
    quality = scored.column("quality").alias
    for limit in (0.1, 0.5, found[0][0]):
        shown = queries.count(scored, Selection(spans=(Span(quality, limit),))).shown
        assert shown == sum(row[0] is not None and row[0] >= limit for row in found)


def test_pieces_of_low_quality_are_marked(scored: Corpus) -> None:
    for place in range(4):
        found = read(scored, place)
        low = [piece for piece in found.document.segments if piece[2] is not None and piece[2] < LOW]
        assert found.marked.get("segment", 0) == len(low)
        covered = "".join(piece.text for piece in found.pieces
                          if any(mark.kind == "segment" for mark in piece.marks))
        assert covered == "".join(found.document.text[begin:end] for begin, end, _ in low)
        notes = {mark.note for piece in found.pieces for mark in piece.marks if mark.kind == "segment"}
        assert notes == {f"{score:.2f}" for _, _, score in low}
        ends = [end for _, end, _ in found.document.segments]
        assert ends == sorted(ends)
        assert not ends or ends[-1] == len(found.document.text)
    assert any(read(scored, place).marked.get("segment") for place in range(4))
    assert len(read(scored, 0).document.segments) > 1
    assert scored.texts([0], light=True)[0].segments == ()


def test_the_limit_for_low_pieces_is_that_of_the_recipe(tmp_path: Path) -> None:
    from backends.mdfg.recipes import dump_recipe, load_recipe

    text = dump_recipe(load_recipe("zh-paper-code")).replace(
        "rules:\n", "rules:\n  - {rule: quality, column: quality.least, drop_if: '<', limit: 0.0}\n")
    opened = Corpus.open(filtered(tmp_path, texts=[good_text(400)] * 2, recipe=text,
                                  scorers=("bundled:mdfg-zh-quality",)))
    assert "segment" not in read(opened, 0).marked
    moved = read(opened, 0, Selection(moved=((0, 1.0),)))
    assert moved.marked["segment"] == len(moved.document.segments)
    assert {mark.rule for piece in moved.pieces for mark in piece.marks if mark.kind == "segment"} == {"quality"}
    assert moved.first == "quality"

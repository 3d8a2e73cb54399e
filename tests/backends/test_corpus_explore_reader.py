"""Pages and the reader: rows that say what the run decided, snippets, evidence that does not overlap, hostile texts."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import sample
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.pages import MOST_ROWS, SNIPPET, page, places, snippet
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.reader import LONGEST, Mark, Piece, pieces, read
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.recipes import dump_recipe, load_recipe
from tests.backends.corpus_cases import good_text
from tests.backends.explore_cases import filtered, full_texts, table
from workbench.contract import UserError
from workbench.fields import to_json

RULES = ("length", "line_length", "script", "traditional", "sensitive", "duplication")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("reader"), 220, seed=13)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[dict[str, Any]]:
    return table(folder)


def ordered(rows: list[dict[str, Any]], column: str, descending: bool) -> list[int]:
    """Places in the order of a page, by plain Python."""
    def key(place: int) -> tuple[bool, float, int]:
        value = rows[place][column]
        missing = value is None or math.isnan(value)
        return missing, 0.0 if missing else -value if descending else value, place
    return sorted(range(len(rows)), key=key)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("sort", "column"), [("n_chars", "n_chars"), ("quality", "given.quality"),
                                              ("dup_ratio", "dup_ratio"), ("phones", "phones")])
def test_pages_are_sorted_and_leave_nothing_out(corpus: Corpus, rows: list[dict[str, Any]], sort: str, column: str,
                                                descending: bool) -> None:
    found: list[int] = []
    for offset in range(0, 300, 50):
        part = page(corpus, Selection(), sort, descending, offset)
        assert (part.offset, part.sort, part.descending, part.count.shown) == (offset, sort, descending, 220)
        found += [row.place for row in part.rows]
        for row in part.rows:
            value = rows[row.place][column]
            assert row.value == (None if math.isnan(value) else value)
    assert found == ordered(rows, column, descending)
    assert places(corpus, Selection(), sort, descending, 0, 1000) == found


def test_rows_say_what_the_run_decided(corpus: Corpus, rows: list[dict[str, Any]], folder: Path) -> None:
    texts = full_texts(folder)
    for row in page(corpus, Selection(), limit=MOST_ROWS).rows:
        was = rows[row.place]
        assert (row.id, row.source, row.number, row.n_chars, row.kept) == (
            was["id"], was["source"], was["number"], was["n_chars"], was["kept"])
        assert row.failed == tuple(rule for i, rule in enumerate(RULES) if was["rule_fail"] >> i & 1)
        assert row.first == ("" if was["first_fail"] < 0 else RULES[was["first_fail"]])
        assert row.words == tuple(was["sensitive_words"])
        assert (row.cluster, row.cluster_size) == (was["dup_cluster"], was["dup_size"])
        assert row.title == f"title {row.place}"
        assert row.score is None
        assert len(row.snippet) <= SNIPPET + 2
        assert "\n" not in row.snippet
        assert "".join(row.snippet.strip("…").split()) in "".join(texts[row.place].split())


def test_verdicts_of_rows_follow_moved_limits(corpus: Corpus, rows: list[dict[str, Any]]) -> None:
    selection = Selection(moved=((0, 10_000.0), (5, 2.0)))
    for row in page(corpus, selection, limit=MOST_ROWS).rows:
        assert (row.first, row.kept) == ("length", False)
        assert "duplication" not in row.failed
        assert set(row.failed) - {"length"} == {rule for i, rule in enumerate(RULES[:5])
                                                if rows[row.place]["rule_fail"] >> i & 1} - {"length"}


def test_a_snippet_shows_what_dropped_the_document(corpus: Corpus) -> None:
    found = page(corpus, Selection(first="sensitive"))
    assert found.rows
    for row in found.rows:
        assert row.snippet[row.mark[0]:row.mark[1]] in sample.SPAM
    repeated = page(corpus, Selection(first="duplication"))
    assert all(row.mark[1] > row.mark[0] for row in repeated.rows)
    assert all(row.mark == (0, 0) for row in page(corpus, Selection(show="kept")).rows)


def test_a_search_sorts_by_its_score_and_shows_its_hits(corpus: Corpus, folder: Path) -> None:
    texts = full_texts(folder)
    word = next(text for text in texts if len(text) > 200)[4:7]
    selection = Selection(search=Query("words", word))
    found = page(corpus, selection, "score", True)
    counts = [texts[row.place].count(word) for row in found.rows]
    assert counts == sorted(counts, reverse=True)
    assert [row.score for row in found.rows] == [row.value for row in found.rows]
    assert found.count.shown == sum(word in text for text in texts)
    for row in found.rows:
        assert row.snippet[row.mark[0]:row.mark[1]] == word


@pytest.mark.parametrize(("sort", "message"), [
    ("score", "nothing is searched for"), ("planted", "no column of numbers"), ("id", "no column of numbers"),
    ("n_chars; DROP TABLE docs", "no column of numbers"), ("", "no column of numbers")])
def test_an_order_that_is_not_there_is_refused(corpus: Corpus, sort: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        page(corpus, Selection(), sort)


@pytest.mark.parametrize(("offset", "limit", "size"), [(0, 0, 1), (-5, 3, 3), (219, 50, 1), (220, 50, 0),
                                                       (10**12, 50, 0), (0, 10**9, MOST_ROWS)])
def test_pages_out_of_range_are_cut(corpus: Corpus, offset: int, limit: int, size: int) -> None:
    assert len(page(corpus, Selection(), offset=offset, limit=limit).rows) == size


def test_a_page_is_small_and_plain_json(tmp_path: Path) -> None:
    huge = [{"text": "长" * 9000 + str(i), "title": "t" * 5000, "url": "u" * 9000} for i in range(60)]
    opened = Corpus.open(filtered(tmp_path, records=huge))
    text = json.dumps(to_json(page(opened, Selection())), ensure_ascii=False, allow_nan=False)
    assert len(text.encode()) < 100_000


@pytest.mark.parametrize(("text", "about", "expected", "mark"), [
    ("short", (0, 0), "short", (0, 0)), ("", (0, 0), "", (0, 0)), ("a\n\n b\t c", (0, 0), "a b c", (0, 0)),
    ("x" * 200, (0, 0), "x" * 90 + "…", (0, 0)),
    ("x" * 100 + "HIT" + "y" * 200, (100, 103), "…" + "x" * 24 + "HIT" + "y" * 63 + "…", (25, 28)),
    ("HIT" + "y" * 10, (0, 3), "HIT" + "y" * 10, (0, 3)), ("ab HIT", (3, 6), "ab HIT", (3, 6)),
    ("x" * 50 + "L" * 300, (50, 350), "…" + "x" * 24 + "L" * 66 + "…", (25, 91))])
def test_snippets(text: str, about: tuple[int, int], expected: str, mark: tuple[int, int]) -> None:
    assert snippet(text, about) == (expected, mark)


@settings(max_examples=100, deadline=None)
@given(st.text("ab \n字😀", max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_snippets_of_anything_are_short_and_without_line_ends(text: str, begin: int, end: int) -> None:
    found, (first, last) = snippet(text, (min(begin, len(text)), min(end, len(text))))
    assert len(found) <= SNIPPET + 2
    assert not set(found) & {"\n", "\t"}
    assert 0 <= first <= last <= len(found)


def test_every_document_is_explained(corpus: Corpus, rows: list[dict[str, Any]], folder: Path) -> None:
    texts = full_texts(folder)
    for place, row in enumerate(rows):
        found = read(corpus, place)
        assert "".join(piece.text for piece in found.pieces) == texts[place]
        assert found.shown == len(texts[place])
        assert found.kept == row["kept"]
        assert found.first == ("" if row["first_fail"] < 0 else RULES[row["first_fail"]])
        assert [one.rule for one in found.judgements] == list(RULES)
        assert [one.fails for one in found.judgements] == [bool(row["rule_fail"] >> i & 1) for i in range(6)]
        assert sum(one.first for one in found.judgements) == int(not row["kept"])
        assert all(one.value == row[one.column] for one in found.judgements)
        marked = {piece.text for piece in found.pieces for mark in piece.marks if mark.kind == "sensitive"}
        assert "".join(sorted(set("".join(marked)))) == "".join(sorted(set("".join(row["sensitive_words"]))))
        assert ("traditional" in found.marked) == (row["trad_changes"] > 0)
        assert found.marked.get("traditional", 0) == row["trad_changes"]
        assert found.marked.get("personal", 0) == row["phones"] + row["identities"] + row["emails"]
        assert ("duplication" in found.marked) == (row["dup_ratio"] > 0)
        assert found.notes == ()


def test_values_stand_beside_their_limits(corpus: Corpus, rows: list[dict[str, Any]]) -> None:
    place = next(i for i, row in enumerate(rows) if row["kept"] and row["n_chars"] < 400)
    found = read(corpus, place, Selection(moved=((0, 1000.0), (5, -1.0))))
    length, duplication = found.judgements[0], found.judgements[5]
    assert (length.limit, length.recipe_limit) == (1000, 200)
    assert (length.moved, length.fails, length.first) == (True, True, True)
    assert (duplication.fails, duplication.first, duplication.moved) == (True, False, True)
    assert not found.judgements[1].moved
    assert (found.kept, found.first) == (False, "length")
    assert found.values["n_chars"] == rows[place]["n_chars"]
    assert set(found.values) == {column.name for column in corpus.columns}


def test_marks_name_their_rule_and_what_they_are(tmp_path: Path) -> None:
    word = sample.SPAM[0]
    text = good_text() + f"\n{word}，電話13912345678，信箱a@example.com。"
    found = read(Corpus.open(filtered(tmp_path, texts=[text])), 0)
    marks = {piece.text: piece.marks for piece in found.pieces if piece.marks}
    assert marks[word][0].kind == "sensitive"
    assert marks[word][0].rule == "sensitive"
    assert marks[word][0].note, "the category of the word"
    assert {mark.rule for marks in marks.values() for mark in marks if mark.kind == "traditional"} == {"traditional"}
    assert {mark.note for marks in marks.values() for mark in marks if mark.kind == "personal"} == {"phone", "email"}
    assert {mark.rule for marks in marks.values() for mark in marks if mark.kind == "personal"} == {""}


def test_a_search_and_more_places_are_marked_too(corpus: Corpus, folder: Path) -> None:
    texts = full_texts(folder)
    place = next(i for i, text in enumerate(texts) if len(text) > 200)
    word = texts[place][4:7]
    selection = Selection(search=Query("words", word))
    segment = (0, 10, Mark("segment", "0.12"))
    found = read(corpus, place, selection, [segment])
    assert found.marked["search"] == texts[place].count(word)
    assert found.marked["segment"] == 1
    both = [piece for piece in found.pieces if {mark.kind for mark in piece.marks} >= {"search", "segment"}]
    assert both[0].text == word


def test_a_long_text_is_shown_in_part(tmp_path: Path) -> None:
    text = "长文本。" * (LONGEST // 4 + 50)
    found = read(Corpus.open(filtered(tmp_path, texts=[text])), 0)
    assert found.shown == LONGEST == sum(len(piece.text) for piece in found.pieces)
    assert f"The first {LONGEST:,} of {len(text):,} characters" in found.notes[0]
    assert found.values["n_chars"] == len(text)


HOSTILE = ["", " ", "<script>alert(1)</script>", "__import__('os').system('x')", "\u2028\u2029", "😀" * 30, "\x00\x01",
           "a\r\nb", "\U00020000" * 20, "{{7*7}}", "'; DROP TABLE docs; --", "國" * 40, "ﬀ" * 300]


def test_hostile_texts_are_only_text(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=HOSTILE))
    listed = page(opened, Selection())
    assert [row.place for row in listed.rows] == list(range(len(HOSTILE)))
    for place, text in enumerate(HOSTILE):
        assert "".join(piece.text for piece in read(opened, place).pieces) == text


def test_a_word_list_of_ones_own_explains_too_and_is_missed_when_gone(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("own\t春天\nown\t老树\n")
    recipe = dump_recipe(load_recipe("zh-paper-code")).replace("bundled:zh", f"path:{words}")
    run = filtered(tmp_path / "a", recipe=recipe, texts=["春天来了，老树发芽，春天。" * 3])
    found = read(Corpus.open(run), 0)
    assert found.marked["sensitive"] == 9
    assert {mark.note for piece in found.pieces for mark in piece.marks if mark.kind == "sensitive"} == {"own"}
    words.unlink()
    stored = read(Corpus.open(run), 0)
    assert stored.marked["sensitive"] == 9
    assert "The word list of the run cannot be read" in stored.notes[0]
    (run / "inputs.json").write_text("[]")
    assert read(Corpus.open(run), 0).notes


PLACES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 14), st.sampled_from(["a", "b", "c"])), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.text("xyz", max_size=12), PLACES)
def test_pieces_are_the_text_and_carry_the_marks_of_their_places(text: str, spans: list[tuple[int, int, str]]) -> None:
    found = pieces(text, [(begin, end, Mark(kind)) for begin, end, kind in spans])
    assert "".join(piece.text for piece in found) == text
    kinds = [{mark.kind for mark in piece.marks} for piece in found for _ in piece.text]
    assert kinds == [{kind for begin, end, kind in spans if begin <= i < end} for i in range(len(text))]
    assert all(piece.text for piece in found)
    assert all(one.marks != other.marks for one, other in itertools.pairwise(found))


def test_pieces_of_nested_and_equal_places() -> None:
    a, b = Mark("sensitive", "x"), Mark("duplication")
    assert pieces("abcdef", [(1, 5, b), (2, 3, a), (2, 3, a)]) == (
        Piece("a"), Piece("b", (b,)), Piece("c", (b, a)), Piece("de", (b,)), Piece("f"))
    assert pieces("", [(0, 5, a)]) == ()
    assert pieces("ab", [(0, 99, a), (5, 6, b), (2, 1, b)]) == (Piece("ab", (a,)),)
    assert dataclasses.asdict(Piece("a", (a,)))["marks"] == ({"kind": "sensitive", "note": "x", "rule": ""},)


def test_the_neighbours_of_a_document_follow_the_list(corpus: Corpus) -> None:
    selection = Selection(show="dropped", spans=(Span("n_chars", 10),))
    whole = places(corpus, selection, "quality", True, 0, 1000)
    assert [places(corpus, selection, "quality", True, i, 1)[0] for i in (0, 5, len(whole) - 1)] == [
        whole[0], whole[5], whole[-1]]
    assert places(corpus, selection, "quality", True, len(whole), 1) == []

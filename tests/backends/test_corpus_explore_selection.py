"""The filter of the page: what it selects (against plain Python), its address, and that nothing can be smuggled in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import sample
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.pages import places
from backends.mdfg.explore.queries import count
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.selection import Selection, Span
from tests.backends.explore_cases import filtered, full_texts, table
from workbench.contract import UserError

RULES = ("length", "line_length", "script", "traditional", "sensitive", "duplication")
SPAM = tuple(sample.SPAM)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("explore"), 300)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder)


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return table(folder)


def fails(row: Row, rule: str) -> bool:
    return bool(row["rule_fail"] >> RULES.index(rule) & 1)


def known(row: Row, column: str) -> bool:
    return row[column] is not None and row[column] == row[column]


CASES: list[tuple[Selection, Callable[[Row], bool]]] = [
    (Selection(), lambda row: True),
    (Selection(show="kept"), lambda row: row["kept"]),
    (Selection(show="dropped"), lambda row: not row["kept"]),
    (Selection(failed=("length",)), lambda row: fails(row, "length")),
    (Selection(failed=("length", "duplication")), lambda row: fails(row, "length") or fails(row, "duplication")),
    (Selection(failed=("length", "length")), lambda row: fails(row, "length")),
    (Selection(first="duplication"), lambda row: row["first_fail"] == 5),
    (Selection(only="duplication"), lambda row: row["rule_fail"] == 32),
    (Selection(failed=("script",), only="duplication"), lambda row: False),
    (Selection(spans=(Span("n_chars", 100, 300),)), lambda row: 100 <= row["n_chars"] < 300),
    (Selection(spans=(Span("n_chars", 100),)), lambda row: row["n_chars"] >= 100),
    (Selection(spans=(Span("n_chars", None, 100),)), lambda row: row["n_chars"] < 100),
    (Selection(spans=(Span("n_chars", 0, 10**9),)), lambda row: True),
    (Selection(spans=(Span("quality", 0.25, 0.5), Span("n_chars", 200, 1e6))),
     lambda row: known(row, "given.quality") and 0.25 <= row["given.quality"] < 0.5 and row["n_chars"] >= 200),
    (Selection(spans=(Span("quality", None, 2.0),)), lambda row: known(row, "given.quality")),
    (Selection(spans=(Span("given.quality"),)), lambda row: not known(row, "given.quality")),
    (Selection(domains=("law",)), lambda row: row["given.domain"] == "law"),
    (Selection(domains=("law", "")), lambda row: row["given.domain"] in ("law", "")),
    (Selection(sources=("source.jsonl",)), lambda row: True),
    (Selection(sources=("else.jsonl",)), lambda row: False),
    (Selection(words=SPAM[:3]), lambda row: bool(set(SPAM[:3]) & set(row["sensitive_words"]))),
    (Selection(show="dropped", words=SPAM), lambda row: not row["kept"] and bool(row["sensitive_words"])),
    (Selection(moved=((0, 400.0),), show="kept"),
     lambda row: row["n_chars"] > 400 and row["rule_fail"] & ~1 == 0),
    (Selection(moved=((0, -1.0),), first="duplication"),
     lambda row: fails(row, "duplication") and row["rule_fail"] & 0b11110 == 0),
    (Selection(moved=((5, 0.1),), failed=("duplication",)), lambda row: row["dup_ratio"] > 0.1),
    (Selection(moved=((5, 0.1), (0, 0.0)), only="duplication"),
     lambda row: row["dup_ratio"] > 0.1 and row["rule_fail"] & 0b11110 == 0 and row["n_chars"] > 0)]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_selection_holds_what_plain_python_selects(corpus: Corpus, rows: list[Row], number: int) -> None:
    selection, holds = CASES[number]
    expected = [place for place, row in enumerate(rows) if holds(row)]
    found = count(corpus, selection)
    assert (found.shown, found.total, found.filter) == (len(expected), len(rows), selection.hash)
    assert places(corpus, selection, limit=10_000) == expected


def test_the_cases_are_not_empty(rows: list[Row]) -> None:
    hit = [sum(holds(row) for row in rows) for _, holds in CASES]
    assert sum(found == 0 for found in hit) == 2, hit
    assert sum(found == len(rows) for found in hit) == 3, hit


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_address_gives_the_selection_back(number: int) -> None:
    selection = CASES[number][0]
    address = selection.to_query()
    assert all(isinstance(value, str) and value for value in address.values())
    assert Selection.from_query(address) == selection
    assert Selection.from_query({**address, "tab": "corpus", "run": "x", "lang": "zh"}) == selection


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
NUMBERS = st.floats(allow_nan=False, width=32)
SPANS = st.builds(Span, NAMES, st.none() | NUMBERS, st.none() | NUMBERS)
SEARCHES = st.builds(Query, st.sampled_from(["words", "regex", "meaning", "concept"]), NAMES.filter(str.strip),
                     st.lists(st.integers(0, 99), max_size=3).map(tuple),
                     st.lists(st.integers(0, 99), max_size=3).map(tuple), st.floats(-5, 5))
LISTS = st.lists(NAMES, max_size=3).map(tuple)
MOVED = st.dictionaries(st.integers(0, 20), NUMBERS, max_size=3).map(lambda pairs: tuple(sorted(pairs.items())))


@settings(max_examples=150, deadline=None)
@given(st.builds(Selection, st.sampled_from(["all", "kept", "dropped"]), LISTS, NAMES, NAMES,
                 st.lists(SPANS, max_size=3).map(tuple), LISTS, LISTS, LISTS, st.none() | st.integers(0, 10**9),
                 st.none() | SEARCHES, MOVED))
def test_any_selection_survives_its_address(selection: Selection) -> None:
    again = Selection.from_query(selection.to_query())
    assert again == selection
    assert again.hash == selection.hash
    assert len(selection.hash) == 8
    int(selection.hash, 16)


def test_the_hash_tells_selections_apart() -> None:
    assert len({selection.hash for selection, _ in CASES}) == len(CASES)
    assert Selection().empty
    assert not Selection(moved=((0, 1.0),)).empty


@pytest.mark.parametrize(("address", "message"), [
    ({"show": "some"}, "no verdict to show named 'some'"), ({"range": "n_chars~1"}, "range in the address is"),
    ({"range": "n_chars~a~b"}, "range in the address is 'a'"), ({"range": "n_chars~nan~1"}, "must be a number"),
    ({"limit": "x~1"}, "limit in the address is 'x'"), ({"limit": "1"}, "limit in the address is '1'"),
    ({"limit": "0~nan"}, "must be a number"), ({"cluster": "many"}, "cluster in the address"),
    ({"cluster": "-4"}, "cluster is -4"), ({"cluster": "9" * 30}, "cluster is 9"), ({"find": "spell:x"}, "kind"),
    ({"find": "words:"}, "The search is empty"), ({"find": "words:a", "like": "1,b"}, "like in the address is 'b'"),
    ({"find": "words:a", "like": "-1"}, "begin at 0"), ({"find": "words:a", "least": "x"}, "least in the address"),
    ({"find": "words:" + "a" * 3000}, "text is 3000 characters")])
def test_a_spoilt_address_says_what_is_wrong(address: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Selection.from_query(address)


@pytest.mark.parametrize(("selection", "message"), [
    (Selection(failed=("nothing",)), "no rule 'nothing'; it has length"), (Selection(first="x"), "no rule 'x'"),
    (Selection(only="length' OR 1=1 --"), "no rule"),
    (Selection(spans=(Span("n_char", 0, 1),)), "Did you mean n_chars"),
    (Selection(spans=(Span('n_chars" OR 1=1 --', 0, 1),)), "no column of numbers"),
    (Selection(spans=(Span("id"),)), "no column of numbers"), (Selection(spans=(Span("rule_fail", 0),)), "no column"),
    (Selection(moved=((9, 1.0),)), "The recipe has no test 9; its tests are 0 to 5"),
    (Selection(moved=((-1, 1.0),)), "no test -1"), (Selection(moved=((0, float("inf")),)), "finite number"),
    (Selection(moved=((0, float("nan")),)), "finite number")])
def test_a_name_that_the_corpus_has_not_is_refused(corpus: Corpus, selection: Selection, message: str) -> None:
    with pytest.raises(UserError, match=message):
        count(corpus, selection)


HOSTILE = ("'; DROP TABLE docs; --", "x') OR true --", '" OR 1=1', "%", "\\", "\x00", "'||(SELECT 1)||'", "?", "$1",
           "\ud800", "law' --", "{}", "{0}", "%s", "\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_is_a_value_and_never_sql(corpus: Corpus, rows: list[Row], text: str) -> None:
    for selection in (Selection(domains=(text,)), Selection(sources=(text,)), Selection(words=(text,)),
                      Selection(domains=("law", text))):
        expected = sum(row["given.domain"] in selection.domains for row in rows)
        assert count(corpus, selection).shown == (expected if selection.domains else 0)
    assert count(corpus, Selection()).shown == len(rows)


def test_the_condition_binds_every_value(corpus: Corpus) -> None:
    where = Selection(domains=("DOMAIN",), sources=("SOURCE",), words=("WORD",), cluster=4711,
                      spans=(Span("n_chars", 0.123, 45.6),)).where(corpus)
    assert not any(text in where.sql for text in ("DOMAIN", "SOURCE", "WORD", "4711", "0.123", "45.6"))
    assert where.parameters == (0.123, 45.6, "DOMAIN", "SOURCE", ["WORD"], 4711)
    assert Selection().where(corpus).clause == ""


def test_parts_are_added_changed_and_taken_out() -> None:
    selection = Selection(show="dropped", first="length", spans=(Span("a", 0, 1), Span("b", 1, 2)), domains=("law",),
                          words=("w",), moved=((3, 1.0),))
    assert selection.without("a").spans == (Span("b", 1, 2),)
    assert selection.without("domain", "words").domains == ()
    assert selection.without("domain").words == ("w",)
    assert selection.with_span(Span("a", 5, 6)).spans == (Span("b", 1, 2), Span("a", 5, 6))
    assert selection.with_limit(1, 2).moved == ((1, 2.0), (3, 1.0))
    assert selection.with_limit(3, None).moved == ()
    about = selection.unjudged()
    assert (about.show, about.first, about.spans, about.moved) == ("all", "", selection.spans, ((3, 1.0),))


def test_clusters_are_selected_by_their_number(corpus: Corpus, rows: list[Row]) -> None:
    clusters = {row["dup_cluster"] for row in rows if row["dup_cluster"] >= 0}
    assert clusters
    for cluster in clusters:
        expected = [place for place, row in enumerate(rows) if row["dup_cluster"] == cluster]
        assert places(corpus, Selection(cluster=cluster)) == expected
        assert len(expected) == rows[expected[0]]["dup_size"]


def test_a_search_is_a_part_like_any_other(corpus: Corpus, folder: Path, rows: list[Row]) -> None:
    texts = full_texts(folder)
    word = next(text for text in texts if len(text) > 200)[4:7]
    expected = [place for place, text in enumerate(texts) if word in text and not rows[place]["kept"]]
    assert expected
    selection = Selection(show="dropped", search=Query("words", word))
    assert places(corpus, selection) == expected
    assert count(corpus, selection).shown == len(expected)
    twice = Selection(show="dropped", search=Query("words", word, least=2.0))
    assert places(corpus, twice) == [place for place in expected if texts[place].count(word) >= 2]


@pytest.mark.parametrize("fields", [
    {"kind": "words", "text": "  "}, {"kind": "meaning", "text": "", "like": ()}, {"kind": "nothing", "text": "a"},
    {"kind": "words", "text": "a", "least": float("nan")}, {"kind": "words", "text": "a", "like": (-1,)},
    {"kind": "concept", "text": "", "unlike": (1,)}])
def test_a_search_for_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Query(**fields)

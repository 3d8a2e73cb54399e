"""Search for words and patterns: against a slow reference, on texts without spaces, with hostile input."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import search
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.search import apart, check_pattern, find, highlights, loose, read_words, same
from tests.backends.explore_cases import filtered, full_texts
from tests.backends.search_cases import fold, opened, slow_words
from workbench.contract import UserError

TEXTS = (
    "春天的雨下了一整夜，山里的路变得很滑。",
    "雨下雨下雨下，三次。",
    "ＩＳＴＡＮＢＵＬ and Istanbul and istanbul",
    "电话：１３９１２３４５６７８，邮箱 test@example.com",
    "a'b \"quoted\" 100% $w0 $files \\d+ [x] (y) {z}",
    "<script>alert(1)</script> 图书馆",
    "line one\nline two\n第三行",
    "",
    "Ⅸ ß ẞ ﬁ Å Å µ μ Σ σ ς",
    "\U00020000\U00020001 的字",
    "全　角　空格",
    "Python 3.11 与 pytorch；PYTHON",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    made = opened(tmp_path_factory.mktemp("words"), TEXTS)
    assert full_texts(made.run) == list(TEXTS)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    made = Corpus.open(filtered(tmp_path_factory.mktemp("sample"), 300, shard_mb=0.05))
    yield made
    made.close()


def places(corpus: Corpus, text: str, kind: str = "words", **fields: object) -> list[int]:
    return find(corpus, Query(kind, text, **fields)).places.tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "wanted"), [
    ("雨下", [0, 1]),
    ("雨 路", [0]),
    ("雨　路", [0]),
    ("雨 -路", [1]),
    ("-雨 -script -a", [6, 7, 8, 9, 10, 11]),
    ("istanbul", [2]),
    ("ＩＳｔａｎｂｕＬ", [2]),
    ("13912345678", [3]),
    ("PYTHON", [11]),
    ('"line two"', [6]),
    ('"LINE  two"', []),
    ('-"line two" line', []),
    ('"角 空"', [10]),
    ("100%", [4]),
    ("$w0", [4]),
    ("\\d+", [4]),
    ("[x]", [4]),
    ("a'b", [4]),
    ("<script>", [5]),
    ("\U00020001", [9]),
    ("没有这个词", []),
    ("雨下 雨下 雨下", [0, 1]),
], ids=str)
def test_words_are_found_without_word_boundaries(corpus: Corpus, text: str, wanted: list[int]) -> None:
    assert places(corpus, text) == wanted


def test_the_score_is_how_often_the_words_occur(corpus: Corpus) -> None:
    found = find(corpus, Query("words", "雨下"))
    assert found.scores.tolist() == [1.0, 3.0]
    assert find(corpus, Query("words", "雨 雨下")).scores.tolist() == [2.0, 6.0]
    assert find(corpus, Query("words", "istanbul")).scores.tolist() == [3.0]
    assert set(find(corpus, Query("words", "-雨")).scores.tolist()) == {1.0}
    assert places(corpus, "雨下", least=2.0) == [1]
    assert places(corpus, "雨下", least=3.0) == [1]
    assert places(corpus, "雨下", least=3.5) == []


def test_words_are_compared_with_the_slow_way_on_the_sample(sample: Corpus) -> None:
    texts = full_texts(sample.run)
    draw = random.Random(5)
    asked = 0
    for _ in range(40):
        words = []
        for _ in range(draw.randint(1, 3)):
            text = draw.choice([text for text in texts if len(text) > 20])
            begin = draw.randrange(len(text) - 4)
            word = text[begin:begin + draw.randint(1, 4)]
            if not re.search(r'[\s"]', word) and not word.startswith("-"):
                words.append(word)
        minus = draw.random() < 0.3
        if not words:
            continue
        wanted, unwanted = (words[:-1], words[-1:]) if minus and len(words) > 1 else (words, [])
        expected = slow_words(texts, list(dict.fromkeys(wanted)), unwanted)
        found = find(sample, Query("words", " ".join([*wanted, *(f"-{word}" for word in unwanted)])))
        assert dict(zip(found.places.tolist(), found.scores.tolist(), strict=True)) == expected, words
        asked += 1
    assert asked > 25


def test_places_are_right_over_several_files(sample: Corpus) -> None:
    assert len(sample.parts()) > 3
    texts = full_texts(sample.run)
    expected = [place for place, text in enumerate(texts) if "雨" in text]
    assert places(sample, "雨") == expected


def test_files_in_groups_give_the_same_places(sample: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    before = find(sample, Query("words", "雨 -路"))
    monkeypatch.setattr(search, "GROUP", 1)
    after = find(sample, Query("words", "雨 -路"))
    assert before.places.tolist() == after.places.tolist() and before.scores.tolist() == after.scores.tolist()
    assert before.places.dtype == np.int64 and before.scores.dtype == np.float64


@pytest.mark.parametrize(("text", "wanted", "unwanted"), [
    ("a b", ("a", "b"), ()),
    ("  a　b\n", ("a", "b"), ()),
    ("-a", (), ("a",)),
    ("a-b", ("a-b",), ()),
    ("--a", (), ("-a",)),
    ("-", ("-",), ()),
    ('"a b" c', ("a b", "c"), ()),
    ('-"a b"', (), ("a b",)),
    ('"a', ('"a',), ()),
    ("a a a", ("a",), ()),
    ("C++ -Java", ("C++",), ("Java",)),
])
def test_how_words_are_read(text: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    words = read_words(text)
    assert (words.wanted, words.unwanted) == (wanted, unwanted)


def test_an_empty_search_says_so() -> None:
    with pytest.raises(UserError, match="no word"):
        read_words("  \u3000 ")
    with pytest.raises(UserError, match="empty"):
        Query("words", "   ")


@pytest.mark.parametrize("character", list("aA ａＡ1１!！雨国éÉ　的-]^\\[&~|"))
def test_forms_of_a_character_are_symmetric(character: str) -> None:
    forms = same(character)
    assert character in forms
    for form in forms:
        assert same(form) == forms
        assert fold(form) == fold(character)


def test_chinese_characters_have_one_form() -> None:
    assert same("雨") == "雨"
    assert same("。") == "。"
    assert len(same("a")) == 4
    assert same(" ") == same("\u3000") == " \u3000"
    assert same("\n") == "\n"


@given(word=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=("Cs",)),
                    min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_re2_and_python_read_a_loose_word_alike(word: str) -> None:
    pattern = loose(word)
    (matched, nothing), = duckdb.execute("SELECT regexp_full_match($word, $pattern), regexp_full_match('', $pattern)",
                                         {"word": word, "pattern": pattern}).fetchall()
    assert matched and not nothing
    assert re.fullmatch(pattern, word)
    assert re.fullmatch(pattern, "".join(same(c)[0] for c in word))


@pytest.mark.parametrize(("pattern", "wanted"), [
    ("雨下.雨", []), ("(雨下){3}", [1]), (r"\p{Han}{9}", [0]), (r"(?i)istanbul", [2]), (r"[0-9]{3,}", [4]),
    (r"[０-９]{11}", [3]), (r"^line", [6]), (r"(?m)^第三", [6]), (r"\$w0", [4]), ("<[a-z]+>", [5]), (r"^$", [7]),
    ("a'b", [4]), (r"\d\.\d+", [11]), ("雨|图书馆", [0, 1, 5]), ("\U00020000", [9])])
def test_patterns(corpus: Corpus, pattern: str, wanted: list[int]) -> None:
    assert places(corpus, pattern, "regex") == wanted


def test_the_score_of_a_pattern_is_how_often_it_occurs(corpus: Corpus) -> None:
    assert find(corpus, Query("regex", "雨下|三次")).scores.tolist() == [1.0, 4.0]


@pytest.mark.parametrize("pattern", ["[", "(a", "a{1001}", "(?=a)", "(?<=a)b", r"(a)\1", "a**", "((x{100}){100}){100}",
                                     "(?P<n", "*"])
def test_a_pattern_that_cannot_be_read_says_why(corpus: Corpus, pattern: str) -> None:
    with pytest.raises(UserError) as error:
        find(corpus, Query("regex", pattern))
    assert repr(pattern)[:20] in str(error.value) and "RE2" in error.value.advice
    assert "Invalid Input" not in str(error.value) and "LINE 1" not in str(error.value)


def test_a_pattern_that_fails_only_on_a_text_says_so(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="cannot be carried out"):
        find(corpus, Query("regex", r"\C"))


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "((a*)*)*c"])
def test_no_pattern_takes_longer_with_every_character(tmp_path: Path, pattern: str) -> None:
    corpus = opened(tmp_path, ["a" * 20_000 + "!", "好" * 300])
    began = time.process_time()
    find(corpus, Query("regex", pattern))
    assert time.process_time() - began < 5, "a backtracking engine would never end"


def test_a_search_that_takes_too_long_is_ended(sample: Corpus) -> None:
    with pytest.raises(UserError, match=r"ended after 0\.001 seconds") as error:
        for _ in range(50):
            find(sample, Query("regex", "(山|雨|.){1,40}[^。]*第"), 0.001)
    assert "smaller run" in error.value.advice
    assert len(places(sample, "雨")) > 10, "the cursor goes on working"


def test_an_interrupt_of_somebody_else_is_not_called_a_time_limit(sample: Corpus) -> None:
    with pytest.raises(duckdb.InterruptException), search.limited(sample.cursor(), 60):
        raise duckdb.InterruptException("another one")
    assert threading.active_count() < 50


def test_statements_cannot_be_put_into_a_search(corpus: Corpus) -> None:
    for text in ("'; DROP TABLE docs; --", "$files", "x') OR 1=1 --", '"; SELECT 1'):
        for kind in ("words", "regex"):
            try:
                find(corpus, Query(kind, text))  # type: ignore[arg-type]
            except UserError as error:
                assert "cannot be read" in str(error)
    assert corpus.rows("SELECT count(*) FROM docs") == [(len(TEXTS),)]


def test_files_that_are_gone_are_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    corpus = opened(tmp_path, ["雨", "雪"])
    for part in corpus.parts():
        part.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        find(corpus, Query("words", "雨"))


@pytest.mark.parametrize(("query", "text", "spans"), [
    (Query("words", "雨下"), "大雨下了雨下", ((1, 3), (4, 6))),
    (Query("words", "雨下 -路"), "大雨下了路", ((1, 3),)),
    (Query("words", "ab"), "xABaｂ", ((1, 5),)),
    (Query("words", "-雨"), "雨", ()),
    (Query("words", "雨 雨下"), "雨下", ((0, 2),)),
    (Query("words", "$ (a"), "(a$", ((0, 3),)),
    (Query("words", "雨"), "", ()),
    (Query("regex", r"\bcat\b"), "concat cat", ((7, 10),)),
    (Query("regex", "(雨)下|雪"), "雨下雪 雨", ((0, 3),)),
    (Query("regex", "a*"), "baab", ((1, 3),)),
    (Query("regex", "(?i)AB"), "xabAB", ((1, 5),)),
    (Query("regex", "\U00020000."), "雨\U00020000下雨", ((1, 3),)),
    (Query("regex", "^"), "雨", ()),
])
def test_where_a_search_is_found(corpus: Corpus, query: Query, text: str, spans: tuple[tuple[int, int], ...]) -> None:
    assert highlights(corpus, query, text) == spans


def test_marks_in_the_text_itself_do_not_confuse_the_highlights(corpus: Corpus) -> None:
    text = "\uE000雨\uE001下\uE002雨"
    assert highlights(corpus, Query("regex", "雨"), text) == ((1, 2), (5, 6))
    every = "".join(map(chr, range(0xE000, 0xF8FF))) + "雨"
    assert highlights(corpus, Query("regex", "雨"), every) == (), "no mark is free: nothing rather than a wrong place"


def test_highlights_and_hits_agree_on_the_sample(sample: Corpus) -> None:
    texts = full_texts(sample.run)
    for kind, asked in (("words", "雨"), ("words", "istanbul"), ("regex", "[0-9]{2}次"), ("regex", "(?i)script")):
        query = Query(kind, asked)  # type: ignore[arg-type]
        found = set(find(sample, query).places.tolist())
        assert {place for place, text in enumerate(texts) if highlights(sample, query, text)} == found, asked


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12))
@settings(max_examples=100, deadline=None)
def test_spans_come_out_apart_and_cover_the_same_places(spans: list[tuple[int, int]]) -> None:
    joined = apart(spans)
    assert all(begin < end for begin, end in joined)
    assert all(one[1] < other[0] for one, other in pairwise(joined))
    covered = {place for begin, end in spans for place in range(begin, end)}
    assert covered == {place for begin, end in joined for place in range(begin, end)}


@given(wanted=st.lists(st.sampled_from(["雨", "下", "istanbul", "A", "１", "的", "line"]), min_size=1, max_size=3),
       unwanted=st.lists(st.sampled_from(["路", "script", "ß", "第"]), max_size=2))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_against_the_slow_way(corpus: Corpus, wanted: list[str], unwanted: list[str]) -> None:
    found = find(corpus, Query("words", " ".join([*wanted, *(f"-{word}" for word in unwanted)])))
    expected = slow_words(TEXTS, list(dict.fromkeys(wanted)), unwanted)
    assert dict(zip(found.places.tolist(), found.scores.tolist(), strict=True)) == expected


def test_a_corpus_remembers_what_was_found(corpus: Corpus) -> None:
    query = Query("words", "雨")
    assert corpus.hits(query) is corpus.hits(Query("words", "雨"))
    table = corpus.hits_table(query)
    assert corpus.rows(f"SELECT place, score FROM {table} ORDER BY place") == [(0, 1.0), (1, 3.0)]


def test_a_pattern_is_checked_before_texts_are_read(corpus: Corpus) -> None:
    check_pattern(corpus.cursor(), "雨")
    with pytest.raises(UserError, match="missing"):
        check_pattern(corpus.cursor(), "(雨")


PIECES = st.sampled_from(["雨", "[山路雨]", "下?", "a+", "[0-9]{2,3}", "(雨|雪)", "的.", "\\.", "[^a-z]", "次",
                          "(?:ab|春天)"])


@given(st.lists(PIECES, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_plain_patterns_mean_what_they_mean_in_python(corpus: Corpus, pieces: list[str]) -> None:
    """Both engines agree on patterns without look-around; empty matches are counted differently and left out."""
    pattern = "".join(pieces)
    compiled = re.compile(pattern)
    found = find(corpus, Query("regex", pattern))
    counts = {place: len(compiled.findall(text)) for place, text in enumerate(TEXTS) if compiled.search(text)}
    assert found.places.tolist() == list(counts)
    if not compiled.search(""):
        assert found.scores.tolist() == [float(count) for count in counts.values()]
        for place in counts:
            wanted = apart([match.span() for match in compiled.finditer(TEXTS[place])])
            assert highlights(corpus, Query("regex", pattern), TEXTS[place]) == wanted


def test_a_corpus_that_is_kept_on_disk_is_searched_alike(sample: Corpus) -> None:
    large = Corpus.open(sample.run, in_memory=10)
    for query in (Query("words", "雨 -路"), Query("regex", "[0-9]{2}")):
        one, other = find(sample, query), find(large, query)
        assert one.places.tolist() == other.places.tolist() and one.scores.tolist() == other.scores.tolist()
    large.close()


def test_the_longest_search_is_still_a_search(corpus: Corpus) -> None:
    assert places(corpus, " ".join(["雨"] * 900)) == [0, 1]
    assert places(corpus, " ".join(f"-词{number}" for number in range(300))) == list(range(len(TEXTS)))
    assert places(corpus, "a" * 2000) == []
    with pytest.raises(UserError, match="2000"):
        Query("words", "雨" * 2001)

"""The rules of A2 against the published steps, and every pitfall that the specification lists for them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import official
from backends.mdfg.recipes import load_recipe
from backends.mdfg.rules import duplication
from backends.mdfg.rules.evaluate import Evaluator
from backends.mdfg.rules.sensitive import WordFinder
from backends.mdfg.rules.verdicts import Test, decide, first_of, mask_counts, rule_names, tally
from backends.mdfg.text.codes import codes_of
from backends.mdfg.words import NONE, WordList, load_words, read_words
from tests.backends.corpus_cases import evaluator, good_text, recipe, texts, value
from workbench.contract import UserError


def verdicts(batch: list[str], words: WordList, name: str = "zh-paper-code"):
    measured = Evaluator(recipe(name), words).measure(batch)
    return measured, decide(measured.columns, recipe(name).tests, len(batch))


def agree(batch: list[str], words: WordList) -> dict[str, int]:
    """Every value and verdict equal to the published steps; how often each rule failed."""
    measured, found = verdicts(batch, words)
    columns, failed = measured.columns, dict.fromkeys(official.RULES, 0)
    for i, text in enumerate(batch):
        slow = official.measure(text, words.words)
        assert columns["n_chars"][i] == slow.n_chars
        assert columns["mean_line"][i] == slow.mean_line
        assert columns["script_ratio"][i] == slow.script_ratio
        assert (columns["trad_changes"][i] > 0) == slow.traditional, text
        assert columns["sens_ratio"][i] == slow.sens_ratio
        assert columns["dup_ratio"][i] == slow.dup_ratio, text
        mask = int(found.rule_fail[i])
        assert tuple(bool(mask >> bit & 1) for bit in range(6)) == slow.fails
        for rule, fails in zip(official.RULES, slow.fails, strict=True):
            failed[rule] += fails
    return failed


def test_every_rule_equals_the_published_steps_on_20000_planted_documents() -> None:
    words = load_words("bundled:zh", lambda _: pytest.fail("nothing to resolve"))
    failed = agree(texts(20_000, seed=3, lines=2), words)
    assert all(count >= 200 for count in failed.values()), failed


def test_the_hundred_pages_of_ccnet(shared) -> None:
    """92 kept; first failures: traditional 6, length 1, duplication 1; all failures: duplication 2."""
    import orjson

    folder = shared / "corpus"
    pages = [orjson.loads(line)["raw_content"]
             for line in (folder / "cwt1_cleared1_ccnet100.jsonl").read_bytes().splitlines()]
    words = read_words(folder / "cwt2_sensitive_dict.txt")
    assert len(words.words) == 1476
    assert len(set(words.categories)) == 8
    _, found = verdicts(pages, words)
    counts = tally(mask_counts(found.rule_fail), recipe().tests)
    assert (counts.documents, counts.kept) == (100, 92)
    assert dict(zip(counts.rules, counts.first, strict=True)) == {
        "length": 1, "line_length": 0, "script": 0, "traditional": 6, "sensitive": 0, "duplication": 1}
    assert dict(zip(counts.rules, counts.every, strict=True)) == {
        "length": 1, "line_length": 0, "script": 0, "traditional": 6, "sensitive": 0, "duplication": 2}
    agree(pages, words)


@pytest.mark.parametrize(("length", "code", "text"), [(199, False, False), (200, False, True), (201, True, True)])
def test_two_hundred_characters_exactly(length: int, code: bool, text: bool) -> None:
    batch = [good_text(length)]
    assert verdicts(batch, WordList(NONE))[1].kept[0] == code
    assert verdicts(batch, WordList(NONE), "zh-paper-text")[1].kept[0] == text


@pytest.mark.parametrize(("text", "expected"), [
    ("", 0.0), ("\n", 0.5), ("ab\n\n", 4 / 3), ("abcd", 4.0), ("a\r\nb", 2.0)])
def test_mean_line_counts_blank_lines_and_newlines(text: str, expected: float) -> None:
    assert value(text, "mean_line") == expected


@pytest.mark.parametrize(("text", "ratio"), [
    ("", 0.0), ("中文", 1.0), ("中 文\n", 0.5), ("\u4dff\u4e00\u9fa5\u9fa6", 0.5), ("\U00020000\U0002000b", 0.0),
    ("😀中", 0.5), ("\ud800中", 0.5), ("\ud83d\udc00中中", 0.5), ("カタカナ", 0.0)])
def test_chinese_ratio_over_all_characters(text: str, ratio: float) -> None:
    assert value(text, "script_ratio") == ratio


def test_distinct_words_by_lines_and_not_occurrences() -> None:
    ten_lines = "\n".join(["坏词坏词好的"] * 10)
    assert value(ten_lines, "sens_ratio", ["坏词"]) == 0.1
    assert value(ten_lines, "sens_rate", ["坏词"]) == 2.0
    assert value(ten_lines.replace("\n", ""), "sens_ratio", ["坏词"]) == 1.0, "a text without newlines goes by one word"


def test_nested_and_overlapping_words_all_count() -> None:
    finder = WordFinder(["甲", "甲乙", "乙", "乙甲", "甲乙甲"])
    found = finder.find("甲乙甲")
    assert {(finder.words[entry], begin, end) for entry, begin, end in found} == {
        ("甲", 0, 1), ("甲", 2, 3), ("甲乙", 0, 2), ("乙", 1, 2), ("乙甲", 1, 3), ("甲乙甲", 0, 3)}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("甲乙ab", min_size=1, max_size=4), max_size=6), st.text("甲乙ab\n\ud800", max_size=30))
def test_words_equal_a_loop_of_in(words: list[str], text: str) -> None:
    distinct = sorted(set(words))
    assert len({entry for entry, _, _ in WordFinder(distinct).find(text)}) == sum(word in text for word in distinct)


@settings(max_examples=150, deadline=None)
@given(st.text("aAbＡ \n\t\u3000İΣσ中", max_size=60), st.integers(2, 14))
def test_duplication_equals_the_published_step(text: str, n: int) -> None:
    codes, offsets = codes_of([text])
    assert duplication.ratios([text], codes, offsets, n)[0] == official.duplication(text, n)


@pytest.mark.parametrize(("length", "expected"), [(0, 0.0), (12, 0.0), (13, 0.0), (14, 0.0), (15, 1.0), (16, 1.0)])
def test_duplication_of_one_repeated_character(length: int, expected: float) -> None:
    """13 characters give no window, 14 one, 15 two equal ones: the last window is left out."""
    assert value("中" * length, "dup_ratio") == expected


def test_the_last_window_counts_where_it_is_asked_for() -> None:
    assert value("中" * 14, "dup_ratio", name="zh-paper-text") == 1.0
    assert value("中" * 13, "dup_ratio", name="zh-paper-text") == 0.0


def test_ideographic_spaces_stay_inside_and_go_at_the_ends() -> None:
    block = "一二三四五六七八九十甲乙丙"
    assert value(f"\u3000{block}{block}丁\u3000", "dup_ratio") == official.duplication(f"{block}{block}丁")
    assert value(f"{block}\u3000{block}\u3000", "dup_ratio") == official.duplication(f"{block}\u3000{block}\u3000")


def test_hash_collisions_cannot_make_windows_equal() -> None:
    draw = random.Random(5)
    text = "".join(draw.choice("ab") for _ in range(4000))
    assert value(text, "dup_ratio") == official.duplication(text)


def test_places_of_repeated_windows_cover_them_and_nothing_else() -> None:
    line = "这一句话要说上两遍才能叫人记住。"
    text = f"{good_text(60)}甲\n{line}\n{line}"
    spans = duplication.spans(text, last=True)
    assert [text[a:b] for a, b in spans] == [line, line]
    assert duplication.spans(good_text(200)) == []


def test_first_failure_is_not_all_failures() -> None:
    batch = texts(2000, seed=9)
    _, found = verdicts(batch, load_words("bundled:zh", lambda _: pytest.fail("")))
    counts = tally(mask_counts(found.rule_fail), recipe().tests)
    assert sum(counts.first) == counts.documents - counts.kept
    assert sum(counts.every) > sum(counts.first)
    assert all(only <= first <= every for only, first, every in
               zip(counts.only, counts.first, counts.every, strict=True))
    assert all(counts.overlap[i][i] == counts.every[i] for i in range(6))
    assert all(counts.overlap[i][j] == counts.overlap[j][i] for i in range(6) for j in range(6))


def test_masks_and_first_failures_of_two_tests_under_one_rule() -> None:
    tests = (Test("size", "n", "<", 2), Test("size", "n", ">", 8), Test("even", "m", ">=", 1))
    columns = {"n": np.array([1, 5, 9, 5]), "m": np.array([0.0, 0.0, 1.0, float("nan")])}
    found = decide(columns, tests, 4)
    assert rule_names(tests) == ("size", "even")
    assert found.rule_fail.tolist() == [1, 0, 3, 0], "a missing value drops nothing"
    assert found.first_fail.tolist() == [0, -1, 0, -1]
    assert first_of(np.array([2**31, 6, 0], dtype=np.uint32)).tolist() == [31, 1, -1]


def test_a_limit_moves_without_measuring_again() -> None:
    batch = texts(500)
    columns = evaluator().measure(batch).columns
    kept = [int(decide(columns, (Test("length", "n_chars", "<=", limit),), 500).kept.sum()) for limit in (0, 200, 400)]
    assert kept == sorted(kept, reverse=True)
    assert kept[1] == sum(len(text) > 200 for text in batch)


def test_the_same_comparison_as_sql() -> None:
    import duckdb
    import pyarrow as pa

    columns = {"a": np.array([1.0, 2.0, float("nan"), 3.0])}
    rows = pa.table(columns)
    for test in (Test("r", "a", op, 2.0) for op in ("<", "<=", ">", ">=")):
        found = duckdb.sql(f"select {test.sql} from rows").fetchall()
        assert [row[0] for row in found] == test.fails(columns["a"]).tolist(), test
    assert rows.num_rows == 4


def test_a_rule_on_something_that_was_not_measured_says_what_was() -> None:
    with pytest.raises(UserError, match=r"needs the value 'quality.score'.*measured are n_chars"):
        decide({"n_chars": np.array([1])}, (Test("quality", "quality.score", "<", 0.5),), 1)


def test_the_values_of_fineweb_and_gopher_by_hand() -> None:
    from backends.mdfg.rules import lines, words

    text = "One line here.\nshort\nshort\n\nLast one!"
    found = dict(zip(lines.COLUMNS, lines.measure(text), strict=True))
    assert found["line_punct"] == 2 / 4
    assert found["short_lines"] == 1.0
    assert found["line_chars_again"] == 5 / (len(text) - 4)
    assert found["lines_again"] == 1 / 4
    assert found["line_text_again"] == 5 / len(text)
    assert found["paragraphs_again"] == 0.0
    split = list("abababc")
    told = dict(zip(words.COLUMNS, words.measure("a b a b a b c", split, frozenset(("a", "the"))), strict=True))
    assert told["words"] == 7
    assert told["word_length"] == 1.0
    assert told["stop_words"] == 1.0
    assert told["top_2gram"] == 3 * 3 / 13
    assert told["again_5gram"] == 0.0
    again = dict(zip(words.COLUMNS, words.measure("x", list("abcdeabcdef"), frozenset()), strict=True))
    assert again["again_5gram"] == 5.0
    assert lines.measure("") == (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert set(words.measure("", [], frozenset())) == {0.0}


def test_presets_of_other_languages_keep_prose_and_drop_lists() -> None:
    draw = random.Random(4)
    made = ["".join(draw.choices("aeioubdfklmnprst", k=draw.randint(3, 8))) for _ in range(300)]
    prose = "\n".join(" ".join([*made[i:i + 10], "and the", made[-1 - i], "of it."]).capitalize()
                      for i in range(0, 200, 10))
    menu = "\n".join(["Home", "About", "Log in", "Cart", "Home", "About"] * 20)
    english = load_recipe("en-fineweb")
    measured = Evaluator(english, WordList(NONE)).measure([prose, menu, good_text()])
    kept = decide(measured.columns, english.tests, 3)
    assert kept.kept.tolist() == [True, False, False], [english.names[i] for i in kept.first_fail]
    chinese = load_recipe("zh-fineweb2")
    found = Evaluator(chinese, WordList(NONE)).measure([good_text(300) + "。", "一\n" * 200])
    assert decide(found.columns, chinese.tests, 2).kept[1] == False  # noqa: E712
    assert {test.column for test in chinese.tests} <= set(found.columns)


def test_evidence_of_an_open_document_is_complete() -> None:
    text = "國" * 60 + "坏词" + "联系13912345678"
    made = Evaluator(recipe(), WordList("x", ("坏词",), ("spam",)))
    told = made.evidence(text)
    assert len(told["traditional"]) == 60
    assert told["traditional"][0] == (0, 1, "国")
    assert told["sensitive"] == [(60, 62, "spam")]
    assert told["personal"] == [(64, 75, "phone")]
    assert told["duplication"] == [(0, 60, "")]

"""Every measured column against a reference of its own: slow, plain Python, written from the definition."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import official
from backends.mdfg.recipes import Measure, Recipe, load_recipe, presets
from backends.mdfg.rules import counting, duplication, lines, sensitive, traditional, words
from backends.mdfg.rules.evaluate import Evaluator
from backends.mdfg.rules.sensitive import WordFinder
from backends.mdfg.rules.verdicts import Test, decide, first_of, mask_counts, rule_names, tally
from backends.mdfg.text.codes import codes_of
from backends.mdfg.text.splitting import splitter
from backends.mdfg.text.variants import variants
from backends.mdfg.words import NONE, WordList

zhconv = pytest.importorskip("zhconv")
MIXED = st.text("aZé 1\n\r\t中国國「」。.!#@-9\u3000\U00020000😀йकاحかカ한\u2028", max_size=50)
NO_WORDS = WordList(NONE)


def evaluated(recipe: Recipe, text: str, listed: WordList = NO_WORDS) -> dict[str, float]:
    return {name: float(column[0]) for name, column in Evaluator(recipe, listed).measure([text]).columns.items()}


# --- characters


def longest_run(text: str) -> int:
    """Digits of the longest run that other characters than one space or hyphen end."""
    best = run = 0
    for character in text:
        if character in "0123456789":
            run, best = run + 1, max(best, run + 1)
        elif character not in " -":
            run = 0
    return best


@settings(max_examples=150, deadline=None)
@given(MIXED, st.sampled_from(sorted(counting.SCRIPTS)))
def test_counts_of_characters(text: str, script: str) -> None:
    found = counting.counted(*codes_of([text]), counting.script_table(script))[0].tolist()
    ranges = counting.SCRIPTS[script]
    letters = sum(any(low <= ord(c) <= high for low, high in ranges) for c in text)
    assert found == [text.count("\n"), letters, longest_run(text), int("@" in text)]


@pytest.mark.parametrize("script", sorted(counting.SCRIPTS))
def test_a_script_holds_its_letters_and_no_others(script: str) -> None:
    own = {"han": "中国一龥", "latin": "azAZéÀɏ", "cyrillic": "яЖё", "kana": "かカ中", "hangul": "한글ᄀ",
           "arabic": "عرب", "devanagari": "हिन"}
    other = {"han": "一龦 a1、。㐀\U00020000"[1:], "latin": "×÷1 中", "cyrillic": "aα中", "kana": "한a",
             "hangul": "中か", "arabic": "हa", "devanagari": "عa"}
    table = counting.script_table(script)
    assert all(table[ord(c)] for c in own[script])
    assert not any(table[ord(c)] for c in other[script])


@settings(max_examples=80, deadline=None)
@given(st.lists(MIXED, max_size=6))
def test_a_text_is_measured_alike_alone_and_in_company(batch: list[str]) -> None:
    made = Evaluator(load_recipe("zh-paper-code"), WordList("x", ("中国", "国"), ("", "")))
    together = made.measure(batch).columns
    for i, text in enumerate(batch):
        alone = made.measure([text]).columns
        assert {name: column[i] for name, column in together.items()} == {n: c[0] for n, c in alone.items()}


@settings(max_examples=80, deadline=None)
@given(MIXED)
def test_shares_are_parts_of_their_wholes(text: str) -> None:
    found = evaluated(load_recipe("zh-paper-code"), text)
    assert found["n_chars"] == len(text)
    assert found["n_lines"] == len(text.split("\n"))
    assert found["mean_line"] == len(text) / len(text.split("\n"))
    assert 0 <= found["script_ratio"] <= 1
    assert found["script_ratio"] == (len(official.HAN.findall(text)) / len(text) if text else 0.0)
    han = len(official.HAN.findall(text))
    assert found["trad_ratio"] == (found["trad_chars"] / han if han else 0.0)


# --- rule 2b


def changes_by_zhconv(text: str) -> list[tuple[int, int]]:
    """Places that zhconv changes, found by converting what its own longest entries are: maximum forward matching."""
    table = {**zhconv.zhconv.getdict("zh-cn")}
    longest = max(map(len, table))
    found, place = [], 0
    while place < len(text):
        for size in range(min(longest, len(text) - place), 0, -1):
            piece = text[place:place + size]
            if piece in table:
                if table[piece] != piece:
                    found.append((place, place + size))
                place += size
                break
        else:
            place += 1
    return found


@settings(max_examples=150, deadline=None)
@given(st.text("國国門臺乾坤幹公尺「」妳著軟體软件資訊a \n", max_size=30))
def test_places_of_the_conversion_are_those_of_forward_matching(text: str) -> None:
    counts, places = traditional.changes(*codes_of([text]), variants())
    wanted = changes_by_zhconv(text)
    assert counts[0, 0] == len(wanted)
    assert [(a, b) for _, a, b, _ in places.tolist()] == wanted[:traditional.STORED]
    assert bool(wanted) == official.traditional(text)


@settings(max_examples=60, deadline=None)
@given(st.text("國国門门臺「」。妳a", max_size=40))
def test_traditional_characters_are_counted_one_by_one(text: str) -> None:
    simple = zhconv.zhconv.getdict("zh-hans")
    wanted = sum(c in simple and simple[c] != c and not re.match("[「」]", c) for c in text)
    assert traditional.changes(*codes_of([text]), variants())[0][0, 1] == wanted


def test_no_more_places_are_stored_than_the_number_says_and_all_are_counted() -> None:
    counts, places = traditional.changes(*codes_of(["國" * 70, "好", "門"]), variants())
    assert counts.tolist() == [[70, 70], [0, 0], [1, 1]]
    assert Counter(places[:, 0].tolist()) == {0: traditional.STORED, 2: 1}


# --- rule 3


def occurrences(word: str, text: str) -> int:
    return sum(text.startswith(word, i) for i in range(len(text)))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.text("甲乙ab", min_size=1, max_size=3), min_size=1, max_size=5, unique=True),
       st.text("甲乙ab\n", max_size=60))
def test_words_and_their_occurrences_by_lines(listed: list[str], text: str) -> None:
    found = evaluated(load_recipe("zh-paper-code"), text, WordList("x", tuple(listed), ("",) * len(listed)))
    count = len(text.split("\n"))
    distinct, every = sum(w in text for w in listed), sum(occurrences(w, text) for w in listed)
    assert (found["sens_distinct"], found["sens_hits"]) == (distinct, every)
    assert (found["sens_ratio"], found["sens_rate"]) == (distinct / count, every / count)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("甲乙ab", min_size=1, max_size=2), min_size=1, max_size=5, unique=True),
       st.text("甲乙ab", min_size=60, max_size=160))
def test_however_many_places_are_stored_no_word_is_left_out(listed: list[str], text: str) -> None:
    counts, places = sensitive.matches([text], WordFinder(listed))
    stored = places.tolist()
    assert {listed[entry] for _, _, _, entry in stored} == {w for w in listed if w in text}
    assert all(text[a:b] == listed[entry] for _, a, b, entry in stored)
    assert len(stored) <= sensitive.STORED + len(listed)
    assert len(set(map(tuple, stored))) == len(stored)
    assert counts[0, 1] <= sensitive.STORED or len(stored) >= sensitive.STORED


def test_a_word_behind_many_others_is_still_listed() -> None:
    text = "甲" * 200 + "乙"
    _, places = sensitive.matches([text], WordFinder(["甲", "乙"]))
    assert [200, 201] in places[:, 1:3].tolist()


# --- rule 4


def slow_spans(text: str, n: int, last: bool) -> list[tuple[int, int]]:
    """Characters of windows that occur again, merged; only for texts whose lower case keeps every place."""
    kept = [(i, c.lower()) for i, c in enumerate(text) if c not in " \n\t"]
    while kept and kept[0][1].isspace():
        kept.pop(0)
    while kept and kept[-1][1].isspace():
        kept.pop()
    plain = "".join(c for _, c in kept)
    windows = [plain[i:i + n] for i in range(max(0, len(plain) - n + (1 if last else 0)))]
    counts = Counter(windows)
    covered = sorted({(kept[i][0], kept[i + n - 1][0] + 1) for i, w in enumerate(windows) if counts[w] > 1})
    merged: list[tuple[int, int]] = []
    for begin, end in covered:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


@settings(max_examples=150, deadline=None)
@given(st.text("abＡ \n中", max_size=50), st.integers(2, 9), st.booleans())
def test_places_of_repetition(text: str, n: int, last: bool) -> None:
    assert duplication.spans(text, n, last) == slow_spans(text, n, last)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("aAİΣσςﬁ 中", max_size=40), max_size=5), st.integers(2, 6), st.booleans())
def test_repetition_of_many_texts_with_letters_of_no_single_lower_case(batch: list[str], n: int, last: bool) -> None:
    found = duplication.ratios(batch, *codes_of(batch), n, last)
    for ratio, text in zip(found, batch, strict=True):
        plain = text.strip().lower().replace(" ", "")
        whole = [plain[i:i + n] for i in range(len(plain) - n + 1)] if last and len(plain) >= n else None
        counts = Counter(whole or [])
        wanted = official.duplication(text, n) if not last else sum(
            c for c in counts.values() if c > 1) / max(1, len(whole or [1]))
        assert ratio == wanted, (text, plain)


@pytest.mark.parametrize("length", range(11, 18))
@pytest.mark.parametrize("last", [False, True])
def test_around_the_length_of_a_window(length: int, last: bool) -> None:
    """n windows of one character are all equal as soon as there are two."""
    windows = max(0, length - 13 + last) if length >= 13 else 0
    found = duplication.ratios(["中" * length], *codes_of(["中" * length]), 13, last)[0]
    assert found == (1.0 if windows > 1 else 0.0)


# --- lines and words


def slow_lines(text: str) -> list[float]:
    full = [x for x in text.split("\n") if x.strip()]
    if not full:
        return [0, 1, 0, 0, 0, 0, 0]

    def again(pieces: list[str]) -> tuple[int, int]:
        extra = [x for i, x in enumerate(pieces) if x in pieces[:i]]
        return len(extra), sum(map(len, extra))
    runs, paragraphs = re.split("\n+", text), re.split("\n{2,}", text.strip())
    without = sum(c != "\n" for c in text)
    return [sum(x[-1] in lines.ENDS for x in full) / len(full), sum(len(x) <= 30 for x in full) / len(full),
            again(full)[1] / max(1, without), again(runs)[0] / len(runs), again(runs)[1] / len(text),
            again(paragraphs)[0] / len(paragraphs), again(paragraphs)[1] / len(text)]


@settings(max_examples=150, deadline=None)
@given(st.text("ab.。\n ", max_size=40))
def test_values_of_lines(text: str) -> None:
    assert list(lines.measure(text)) == pytest.approx(slow_lines(text))


def slow_words(text: str, split: list[str], stops: frozenset[str]) -> list[float]:
    if not split:
        return [0.0] * len(words.COLUMNS)
    real = [w for w in split if re.search(r"[^\W_]", w)]

    def top(size: int) -> float:
        runs = Counter(" ".join(split[i:i + size]) for i in range(len(split) - size + 1))
        return max((len(run) * count for run, count in runs.most_common(1)), default=0) / len(text)

    def again(size: int) -> float:
        seen, place, total = set(), 0, 0
        while place + size <= len(split):
            run = "".join(split[place:place + size])
            total += len(run) * (run in seen)
            place += size if run in seen else 1
            seen.add(run)
        return total / len(text)
    return [len(real), sum(map(len, real)) / max(1, len(real)), sum(bool(re.search(r"[a-z中]", w)) for w in split)
            / len(split), len(stops & set(split)), text.count("\n") / len(split), text.count("#") / len(split),
            (text.count("...") + text.count("…")) / len(split), *map(top, words.TOP), *map(again, words.AGAIN)]


@settings(max_examples=150, deadline=None)
@given(st.text("ab1中 #.…\n", max_size=60), st.sampled_from(["spaces", "characters"]))
def test_values_of_words(text: str, name: str) -> None:
    split = splitter(name)(text)
    stops = frozenset(("a", "b", "中", "the"))
    assert list(words.measure(text, split, stops)) == pytest.approx(slow_words(text, split, stops))


@settings(max_examples=80, deadline=None)
@given(st.text("don't stop-2 春天，é\n …#", max_size=40))
def test_splitters_lose_only_white_space(text: str) -> None:
    bare = "".join(text.split())
    for name in ("spaces", "characters"):
        assert "".join(splitter(name)(text)) == bare
    assert "".join("".join(splitter("jieba")(text)).split()) == bare
    assert all(len(w) == 1 for w in splitter("characters")(text) if "春" in w or "天" in w)


# --- verdicts


TESTS = st.lists(st.builds(Test, st.sampled_from(["one", "two", "three", "four"]), st.sampled_from(["a", "b"]),
                           st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
                 max_size=8).map(tuple)
VALUES = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0, float("nan")]), st.sampled_from([0.0, 1.0, 2.0])),
                  max_size=20)


def fails(value: float, test: Test) -> bool:
    return {"<": value < test.limit, "<=": value <= test.limit, ">": value > test.limit,
            ">=": value >= test.limit}[test.drop_if]


@settings(max_examples=150, deadline=None)
@given(TESTS, VALUES)
def test_verdicts_and_their_funnel(tests: tuple[Test, ...], values: list[tuple[float, float]]) -> None:
    table = np.array(values, dtype=np.float64).reshape(-1, 2)
    found = decide({"a": table[:, 0], "b": table[:, 1]}, tests, len(values))
    names = list(dict.fromkeys(t.rule for t in tests))
    assert rule_names(tests) == tuple(names)
    failed = [{t.rule for t in tests if fails({"a": a, "b": b}[t.column], t)} for a, b in values]
    assert [{names[i] for i in range(len(names)) if mask >> i & 1} for mask in found.rule_fail.tolist()] == failed
    firsts = [min(map(names.index, rules)) if rules else -1 for rules in failed]
    assert found.first_fail.tolist() == firsts
    assert found.kept.tolist() == [not rules for rules in failed]
    counts = tally(mask_counts(found.rule_fail), tests)
    assert counts.kept == sum(not rules for rules in failed)
    assert list(counts.every) == [sum(n in rules for rules in failed) for n in names]
    assert list(counts.only) == [sum(rules == {n} for rules in failed) for n in names]
    assert list(counts.first) == [firsts.count(i) for i in range(len(names))]
    assert [list(row) for row in counts.overlap] == [[sum({a, b} <= rules for rules in failed) for b in names]
                                                     for a in names]


@settings(max_examples=40, deadline=None)
@given(TESTS, VALUES)
def test_sql_decides_as_the_code_does(tests: tuple[Test, ...], values: list[tuple[float, float]]) -> None:
    import duckdb
    import pyarrow as pa

    table = np.array([*values, (0.5, 1.0)], dtype=np.float64)
    rows = pa.table({"a": table[:, 0], "b": table[:, 1]})
    for test in tests:
        told = [row[0] for row in duckdb.sql(f"select {test.sql} from rows").fetchall()]
        assert told == test.fails(table[:, 0 if test.column == "a" else 1]).tolist()
    assert rows.num_columns == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_the_first_failure_is_the_lowest_bit(masks: list[int]) -> None:
    wanted = [next((i for i in range(32) if mask >> i & 1), -1) for mask in masks]
    assert first_of(np.array(masks, dtype=np.uint32)).tolist() == wanted


# --- what a preset asks for


@pytest.mark.parametrize("name", presets())
def test_a_preset_measures_all_that_its_rules_read(name: str) -> None:
    recipe = load_recipe(name)
    measured = Evaluator(recipe, NO_WORDS).measure(["", "Some text.\nMore of it.", "春天的雨。" * 30])
    found = decide(measured.columns, recipe.rules, 3)
    assert not found.kept[0], "an empty text never stays"
    assert all(len(column) == 3 for column in measured.columns.values())
    assert all(np.isfinite(column).all() for column in measured.columns.values())


def test_other_scripts_have_no_traditional_characters() -> None:
    recipe = Recipe("ko", "ko", (), measure=Measure(script="hangul"))
    made = Evaluator(recipe, NO_WORDS)
    found = made.measure(["한국어 國 텍스트"]).columns
    assert (found["trad_changes"][0], found["trad_chars"][0], found["trad_ratio"][0]) == (0, 0, 0.0)
    assert found["script_ratio"][0] == 6 / 9
    assert made.evidence("國")["traditional"] == []
    assert made.replacement(3) == ""

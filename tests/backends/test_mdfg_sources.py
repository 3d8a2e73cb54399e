"""Where labels come from: tables with faults, near-copies, planted damage, disguises, keywords, rounds."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.disguises import DISGUISES, weaknesses
from backends.mdfg.domain import REST, decide, empty_row
from backends.mdfg.domain_keywords import candidates, difference, found_in, keyword_labels, read_keywords
from backends.mdfg.domain_rounds import bootstrap, first_of, together
from backends.mdfg.labelled import Labelled, read_cold, read_davidson, read_edos, read_swsr, read_table, rows_of, tweet
from backends.mdfg.leakage import leaks, without_leaks
from backends.mdfg.library import FOLDER
from backends.mdfg.model_data import PER_TOPIC, library_parts, quality_parts
from backends.mdfg.planted import KINDS, clips, plant
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.keywords import HALF, KeywordScorer
from backends.mdfg.scorers.train_ngram import Recipe, labels_of, train
from backends.mdfg.toxicity_data import TOXIC, r0
from workbench.contract import UserError

RECIPE = Recipe(Grams(1, 2, 12), epochs=6, batch=16)
LISTS = {"law": ("法院", "判决", "原告", "合同"), "medicine": ("患者", "治疗", "医院", "药物")}


# tables


@pytest.mark.parametrize(("value", "labels"), [
    ("a|b", ("a", "b")), (" a | b ", ("a", "b")), ("", ()), (None, ()), (1, ("1",)), (["a", 2], ("a", "2")),
    (True, ("True",)), ("|", ()), ([], ()), (0, ("0",)), (0.5, ("0.5",))])
def test_labels_in_every_form(tmp_path: Path, value: object, labels: tuple[str, ...]) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x", "label": value, "split": "dev"}))
    assert read_table(tmp_path / "a.jsonl") == [Labelled("x", labels, "a", "dev")]


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.jsonl", b'{"text": "x"}', r"Line 1 of a\.jsonl has no field 'label'"),
    ("a.jsonl", b'{"label": "x"}', r"has no text in the field 'text'"),
    ("a.jsonl", b"", r"a\.jsonl has no row"), ("a.csv", b"text,label\n", r"a\.csv has no row"),
    ("a.csv", b"text,label\n\xff\xfe,1\n", r"a\.csv cannot be read as CSV"),
    ("a.csv", b"words,label\nx,1\n", r"Line 2 of a\.csv has no text in the field 'text'; its fields are words"),
    ("a.jsonl", b"eval(1)", r"Line 1 of a\.jsonl is not JSON")])
def test_tables_that_cannot_be_read_say_where(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_table(tmp_path / name)


def test_a_line_break_inside_a_cell_keeps_the_line_numbers_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"one\ntwo",1\nthree,0\n')
    assert [number for number, _ in rows_of(tmp_path / "a.csv")] == [3, 4]


def test_a_cell_may_be_long_and_the_mark_of_utf_8_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufefftext,label\n" + "x" * 300_000 + ",1\n", encoding="utf-8")
    rows = read_table(tmp_path / "a.csv")
    assert len(rows[0].text) == 300_000 and rows[0].labels == ("1",)


@pytest.mark.parametrize(("read", "header", "good", "bad"), [
    (read_cold, "split,topic,label,TEXT", "train,race,1,句子", "train,race,x,句子"),
    (read_swsr, "index,comment_text,gender,location,label", "0,句子,f,北京,1", "0,句子,f,北京,"),
    (read_edos, "rewire_id,text,label_sexist,split", "1,a post,sexist,train", "1,a post,maybe,train"),
    (read_davidson, "count,class,tweet", "3,0,a post", "3,none,a post")])
def test_public_sets_read_one_toxic_row_and_name_a_wrong_one(tmp_path: Path, read, header: str, good: str,
                                                             bad: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{good}\n", encoding="utf-8")
    found = read(path)
    assert [row.labels for row in found] == [("toxic",)] and found[0].text in ("句子", "a post")
    assert not {"f", "北京"} & {*vars(found[0]).values()}, "nothing about the writer is kept"
    path.write_text(f"{header}\n{good}\n{bad}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"Line 3 of a\.csv"):
        read(path)
    path.write_text("one,two\n1,2\n")
    with pytest.raises(UserError, match="is missing or"):
        read(path)


@pytest.mark.parametrize(("raw", "wanted"), [
    ("RT @anna: you &amp; me", "[USER]: you & me"), ('"RT @a_b hello', "[USER] hello"),
    ("see https://t.co/x1 now", "see [URL] now"), ("@a@b", "[USER][USER]"), ("RTL is a station", "RTL is a station"),
    ("  plain  ", "plain"), ("&lt;b&gt;", "<b>"), ("mail a@b.org", "mail a[USER].org")])
def test_tweets_lose_who_wrote_to_whom(raw: str, wanted: str) -> None:
    assert tweet(raw) == wanted


# near-copies


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_near_copies_are_those_of_the_exact_similarity(seed: int) -> None:
    generator = random.Random(seed)

    def shingles(text: str) -> set[str]:
        plain = "".join(text.lower().split())
        return {plain[i:i + 4] for i in range(len(plain) - 3)}
    base = ["".join(chr(0x4E00 + generator.randrange(800)) for _ in range(80)) for _ in range(6)]
    asked = []
    for text in base:
        units = list(text)
        for _ in range(generator.choice([0, 1, 2, 6, 25])):
            units[generator.randrange(len(units))] = chr(0x5E00 + generator.randrange(800))
        asked.append("".join(units))
    found = {leak.test: leak for leak in leaks(base, asked)}
    for place, text in enumerate(asked):
        exact = max(len(shingles(text) & shingles(other)) / len(shingles(text) | shingles(other)) for other in base)
        if abs(exact - 0.8) > 0.02:
            assert (place in found) == (exact >= 0.8)
        if place in found:
            assert found[place].similarity == pytest.approx(exact, abs=1e-9)
            assert found[place].train == place
    assert without_leaks(base, asked) == [i for i in range(6) if i not in found]


def test_short_texts_are_copies_only_when_equal() -> None:
    assert [leak.test for leak in leaks(["好", "abc"], ["好", "坏", " A B C", "", "ab"])] == [0, 2]
    assert leaks([], ["一段文字"]) == [] == leaks(["一段文字"], [])
    for bad in (0.0, -1.0, 1.1):
        with pytest.raises(UserError, match="similar is"):
            leaks(["a"], ["b"], bad)


def test_r0_leaves_out_near_copies_of_the_test_set_or_refuses() -> None:
    rows = [Labelled("这是一条非常恶劣的评论内容", (TOXIC,), "x"), Labelled("今天天气很好大家出去走走", (), "x"),
            Labelled("另外一条完全不同的恶劣评论", (TOXIC,), "x")]
    with pytest.raises(UserError, match="copies or near-copies"):
        r0(rows, test=["这是一条非常恶劣的评论内容"])
    found = r0(rows, test=["这是一条 非常恶劣的评论内容"], near="drop")
    assert found.dropped == 1 and found.counts == {"x": (2, 1)} and found.weights == (1.0, 2.0)
    more = found.plus(["新的"], [True], "R1")
    assert more.counts == {"x": (2, 1), "R1": (2, 0)} and more.weights[-1] == 2.0 and len(found.texts) == 2
    with pytest.raises(UserError, match="one of the two is missing"):
        r0(rows[:1])
    with pytest.raises(UserError, match="near is 'maybe'"):
        r0(rows, near="maybe")


# planted texts and disguises


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [0, 1, 40, 500])
def test_planted_texts_exist_for_good_texts_of_any_length(kind: str, language: str, size: int) -> None:
    good = ("一段文字。" if language == "zh" else "some words. ") * (size // 5)
    one, two = (plant(kind, good, language, random.Random(3)) for _ in range(2))
    assert one == two
    assert len(one) <= max(40, len(good)) * 1.05 + 40


def test_scrambled_texts_keep_their_characters() -> None:
    good = "".join(chr(0x4E00 + i) for i in range(300))
    made = plant("scramble", good, "zh", random.Random(0))
    assert Counter(made) == Counter(good) and made != good
    assert sorted(made[:30]) == sorted(good[:30]), "inside stretches of thirty"
    holes = plant("holes", good, "zh", random.Random(0))
    assert all(a < b for a, b in pairwise(holes)) and 0.3 < len(holes) / 300 < 0.8


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="字文。 \n.!ab", max_size=400), st.integers(5, 60))
def test_clips_are_stretches_of_the_text(text: str, size: int) -> None:
    for clip in clips(text, size):
        assert size // 2 <= len(clip) <= size
        assert "".join(clip.split()) in "".join(text.split())


@pytest.mark.parametrize("language", ["zh", "en"])
def test_library_texts_are_split_by_topic(language: str) -> None:
    known, held = library_parts(["一个帖子"] * 9, language, random.Random(0))
    assert len(known) + len(held) == 2 * PER_TOPIC * (44 if language == "zh" else 6)
    for part in (known, held):
        assert sum(bool(row.labels) for row in part) == len(part) / 2
    seen, unseen = ({row.text for row in part if row.labels} for part in (known, held))
    assert seen and unseen and not leaks(list(seen), list(unseen))


def test_quality_texts_need_two_documents_and_may_have_no_posts() -> None:
    documents = [f"文档{i}。" + "这是一句话。" * 90 for i in range(4)]
    known, held = quality_parts(documents, [], "zh", random.Random(0))
    assert "posts" not in {row.source for row in (*known, *held)}
    with pytest.raises(UserError, match="There are 0 documents"):
        quality_parts([], [], "zh", random.Random(0))


class Insults:
    """Finds the word fool, or 傻, toxic."""

    name, outputs, version = "insults", ("score",), "0" * 16

    def score(self, texts):
        return np.array([[0.9 if "fool" in t.lower() or "傻" in t else 0.1] for t in texts], dtype=np.float32)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_weaknesses_are_listed_from_the_worst(language: str) -> None:
    texts = ["你真傻"] * 30 if language == "zh" else ["you fool"] * 30
    found = weaknesses(Insults(), texts, language, random.Random(0))
    assert {one.name for one in found} == set(DISGUISES[language])
    assert all(one.plain == 1.0 and one.texts == 30 for one in found)
    assert [one.disguised for one in found] == sorted(one.disguised for one in found)
    broken = {one.name: one.disguised for one in found}
    assert broken["homophones" if language == "zh" else "digits for letters"] == 0.0


# domains


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="法院判决原告合同患者治疗医药物", max_size=20), max_size=8))
def test_keywords_are_counted_as_a_slow_loop_counts_them(texts: list[str]) -> None:
    scorer = KeywordScorer("domain", ("law", "medicine", REST), LISTS)
    for text, row, said in zip(texts, scorer.score(texts), keyword_labels(texts, LISTS, 2), strict=True):
        counts = {label: sum(word in text for word in words) for label, words in LISTS.items()}
        for place, label in enumerate(LISTS):
            assert row[place] == pytest.approx(1 - 2 ** (-counts[label] / HALF), abs=1e-6)
        assert row[2] == pytest.approx(1 - max(row[:2]), abs=1e-6)
        assert set(said) == ({label for label, count in counts.items() if count >= 2} or {REST})
        assert found_in(text, LISTS["law"]) == [word for word in LISTS["law"] if word in text]


def test_the_strength_of_a_candidate_is_the_log_odds_over_its_deviation() -> None:
    texts = ["法院开庭审理"] * 6 + ["天气晴朗无云"] * 9
    confident = [("law",)] * 6 + [()] * 9
    found = candidates(texts, confident, {"law": ("法院",)}, 50)["law"]
    best = found[0]
    a, b, c, d = 6.5, 0.5, 0.5, 9.5
    assert (best.inside, best.outside) == (6, 0)
    spread = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    assert best.strength == pytest.approx((math.log(a / b) - math.log(c / d)) / spread)
    assert "法院" not in {one.word for one in found}, "known words are not proposed again"
    assert not [one for one in found for other in found if one is not other and one.word in other.word]


def test_a_word_in_few_texts_is_no_candidate() -> None:
    texts = ["开庭"] * 4 + ["天气"] * 9
    assert candidates(texts, [("law",)] * 4 + [()] * 9, {"law": ("法院",)})["law"] == ()


def test_differences_are_named_text_by_text() -> None:
    found = difference([("a",), ("b",), ()], [("a", "c"), ("b",), ("a",)])
    assert [(one.text, one.gained, one.lost) for one in found] == [(0, ("c",), ()), (2, ("a",), ())]
    assert together([(REST,), ("law",), (REST,)], [("news",), ("law", "book"), ()]) == [("news",), ("law", "book"),
                                                                                       (REST,)]


def test_rounds_without_a_review_change_no_keyword() -> None:
    texts = [f"法院判决原告合同{i}" for i in range(30)] + [f"患者治疗医院药物{i}" for i in range(30)] + ["天气"] * 20
    _, lists, log = bootstrap(texts, LISTS, lambda number, proposals: {}, random.Random(0), rounds=2, recipe=RECIPE)
    assert lists == LISTS and [one.number for one in log] == [1, 2]
    assert log[0].changes == () and log[0].counts == {"law": 30, "medicine": 30, REST: 20}
    assert not any(one.accepted for one in log)


def test_accepted_words_are_looked_for_in_the_next_round() -> None:
    texts = [f"法院判决原告开庭{i}" for i in range(30)] + [f"患者治疗医院{i}" for i in range(30)]
    texts += ["开庭审理休庭"] * 6 + ["天气"] * 20

    def review(number, proposals):
        assert set(proposals) == set(LISTS)
        return {"law": ["开庭", "审理", "休庭"]} if number == 1 else {}
    _, lists, log = bootstrap(texts, LISTS, review, random.Random(0), rounds=2, recipe=RECIPE)
    assert lists["law"] == (*LISTS["law"], "开庭", "审理", "休庭")
    assert log[1].counts["law"] == 36 and log[0].counts["law"] == 30
    changed = {change.text for change in log[1].changes}
    assert changed >= set(range(60, 66))
    assert all("law" in change.gained for change in log[1].changes if change.text in range(60, 66))


def test_taking_the_first_proposals_is_a_review() -> None:
    texts = [f"法院判决原告合同开庭{i}" for i in range(30)] + [f"患者治疗医院{i}" for i in range(30)] + ["天气"] * 20
    _, lists, log = bootstrap(texts, LISTS, first_of(2), random.Random(0), rounds=1, recipe=RECIPE)
    assert all(len(words) <= 2 for words in log[0].accepted.values())
    assert all(set(words) <= set(lists[label]) for label, words in log[0].accepted.items())


def test_the_lists_of_the_project_have_the_ten_labels_that_are_looked_for() -> None:
    lists = read_keywords(FOLDER / "keywords.zh.yaml")
    assert len(lists) == 10 and REST not in lists
    assert all(20 <= len(words) <= 50 and len(set(words)) == len(words) for words in lists.values())


@pytest.mark.parametrize(("row", "threshold", "complete", "wanted"), [
    ([0.9, 0.1, 0.2], 0.3, False, (("a",), False)), ([0.1, 0.2, 0.05], 0.3, False, ((), True)),
    ([0.1, 0.2, 0.05], 0.3, True, (("b",), True)), ([0.4, 0.5, 0.3], 0.3, False, (("b", "a", "c"), False)),
    ([1.00001, 0.0, 0.0], 1.0, False, (("a",), False)), ([0.0, 0.0, 0.0], 0.0, False, (("a", "b", "c"), False))])
def test_domain_verdicts_by_hand(row: list[float], threshold: float, complete: bool, wanted: tuple) -> None:
    verdict = decide(np.array([row], dtype=np.float32), ("a", "b", "c"), threshold, complete)[0]
    assert (verdict.multi_label, verdict.below) == wanted
    assert verdict.single_label == "abc"[int(np.argmax(row))]


def test_an_empty_text_is_general_and_says_so() -> None:
    labels = ("law", REST)
    row = np.array([empty_row(labels)], dtype=np.float32)
    verdict = decide(row, labels, empty=[True])[0]
    assert (verdict.single_label, verdict.multi_label, verdict.empty) == (REST, (), True)
    assert decide(row, labels, complete=True, empty=[True])[0].multi_label == (REST,)


# training


def test_weights_count_a_text_as_often_as_they_say() -> None:
    texts = ["好的文字", "坏的文字"] * 30
    labels = np.array([[1.0], [0.0]] * 30, dtype=np.float32)
    plain = train("x", texts, labels, ("score",), RECIPE, random.Random(0))
    same = train("x", texts, labels, ("score",), RECIPE, random.Random(0), weights=[1.0] * 60)
    heavy = train("x", texts, labels, ("score",), RECIPE, random.Random(0), weights=[5.0, 1.0] * 30)
    assert plain.version == same.version != heavy.version
    neutral = ["别的文字"]
    assert heavy.score(neutral)[0, 0] > plain.score(neutral)[0, 0], "toxic rows counted more: more is said toxic"


@pytest.mark.parametrize("bad", [([("a",)], ("b",)), ([("b",), ("a", "c")], ("a", "b"))])
def test_labels_must_be_outputs(bad) -> None:
    with pytest.raises(UserError, match="has the label"):
        labels_of(*bad)

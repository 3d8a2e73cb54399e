"""Edges of the domain rounds and of the written sample: round trips, odd lists and tables, no text and one text."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg import example
from backends.mdfg.domain import REST
from backends.mdfg.domain_keywords import (
    Change,
    candidates,
    difference,
    found_in,
    keyword_labels,
    parse_keywords,
    read_keywords,
)
from backends.mdfg.domain_rounds import DomainRound, bootstrap, first_of, together
from backends.mdfg.domain_runs import frequent_runs
from backends.mdfg.domain_state import Labelling, State, joined, load, reviewed, save, texts_hash, without
from backends.mdfg.domain_texts import SUFFIXES, beginning, drawn, practice_texts, tables
from backends.mdfg.library import Library, Topic, library, read_library
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.train_ngram import Recipe
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError

LABELS = ("law", "medicine", REST)
ODD = ["", " ", "字", "<script>alert(1)</script>", "\U00020000\U0001f600", "a\u2028b\nc", "\ud800", "=1+1", "\x00"]
WORDS = st.text("甲乙丙aé\U00020000 :", min_size=1, max_size=4).filter(str.strip)
LISTS = st.dictionaries(st.sampled_from(["law", "medicine", "math"]), st.lists(WORDS, max_size=4), max_size=3)


# --- what a round leaves for the next -----------------------------------------------------------------------------

def state_of(texts: Sequence[str], **fields) -> State:
    return State(**{"number": 1, "keywords": {"law": ("法院",)}, "rejected": {}, "data": (), "text_field": "text",
                    "sample": 10, "practice": 0, "seed": 0, "texts": texts_hash(texts), **fields})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ODD), st.lists(st.sampled_from(LABELS), max_size=3)), max_size=6), LISTS)
def test_any_round_is_read_as_it_was_written(tmp_path: Path, rows, lists) -> None:
    texts = [text for text, _ in rows]
    found = Labelling(tuple(tuple(labels) for _, labels in rows), tuple(tuple(labels[:1]) for _, labels in rows))
    state = state_of(texts, keywords={label: tuple(words) for label, words in lists.items()})
    save(tmp_path / "轮 1", state, found, texts)
    assert load(tmp_path / "轮 1") == (state, found)
    lines = (tmp_path / "轮 1" / "labels.jsonl").read_text(encoding="utf-8").split("\n")
    assert len(lines) == len(rows) + 1, "one line a text, whatever it holds"
    assert not any(text in line for line in lines for text in ODD if len(text.strip()) > 1), "labels hold no texts"


def test_labels_of_another_number_of_texts_are_not_saved(tmp_path: Path) -> None:
    for labels, sure in (((("law",),), ()), ((), ((),)), ((("law",),) * 2, ((),) * 2)):
        with pytest.raises(ValueError, match="zip"):
            save(tmp_path, state_of(["a"]), Labelling(labels, sure), ["a"])


@pytest.mark.parametrize("change", [
    {"format": "mdfg.domain_round.v2"}, {"number": "one"}, {"keywords": ["law"]}, {"keywords": {"law": 3}},
    {"rejected": {"law": "court"}}, {"data": 7}, {"seed": None}], ids=repr)
def test_a_changed_state_is_refused_by_its_folder(tmp_path: Path, change) -> None:
    save(tmp_path / "round", state_of([]), Labelling((), ()), [])
    path = tmp_path / "round" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"^round is no round of keyword bootstrapping .*run:ID/round of a finished"):
        load(tmp_path / "round")


@pytest.mark.parametrize("row", ['{"labels": ["law"]}', '{"sure": []}', '{"labels": 3, "sure": []}',
                                 '{"labels": [], "sure": null}'])
def test_a_line_without_labels_is_refused(tmp_path: Path, row: str) -> None:
    save(tmp_path / "round", state_of([]), Labelling((), ()), [])
    (tmp_path / "round" / "labels.jsonl").write_text(row + "\n")
    with pytest.raises(UserError, match="round is no round"):
        load(tmp_path / "round")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ODD), max_size=5), st.lists(st.sampled_from(ODD), max_size=5))
def test_the_hash_is_of_the_texts_in_their_order(first: list[str], second: list[str]) -> None:
    same = [text.encode(errors="replace") for text in first] == [text.encode(errors="replace") for text in second]
    assert (texts_hash(first) == texts_hash(second)) == same
    assert re.fullmatch("[0-9a-f]{16}", texts_hash(first))


@settings(max_examples=80, deadline=None)
@given(LISTS, LISTS)
def test_lists_are_joined_and_taken_apart_like_sets(first, second) -> None:
    both = joined(first, second)
    assert set(both) == set(first) | set(second)
    for label, words in both.items():
        assert set(words) == {*first.get(label, ()), *second.get(label, ())}
        assert len(set(words)) == len(words), "each once"
    assert joined(both, both) == both and joined({}, {}) == {}
    rest = without(both, second)
    assert all(set(words) == set(first.get(label, ())) - set(second.get(label, ())) for label, words in rest.items())
    assert without(both, {}) == both and without(rest, second) == rest


@pytest.mark.parametrize("entry", ["", "law", "law:", "law:  ", ": court", "physics: quark", f"{REST}: word",
                                   "LAW: court", "<script>: x", "court: law", "法律：法院"])
def test_an_entry_of_another_form_says_how_it_must_look(entry: str) -> None:
    with pytest.raises(UserError) as error:
        reviewed(["law: 法院", entry], LABELS, "rejected")
    assert str(error.value) == (f"rejected holds {entry!r}; each entry must look like 'label: word', with one of the "
                                "labels law, medicine.")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LABELS[:2]), WORDS), max_size=8))
def test_reviewed_words_are_grouped_in_order(pairs) -> None:
    found = reviewed([f" {label} : {word}" for label, word in pairs], LABELS, "accepted")
    slow: dict[str, list[str]] = {}
    for label, word in pairs:
        if (plain := word.strip().lower()) not in slow.setdefault(label, []):
            slow[label].append(plain)
    assert found == {label: tuple(words) for label, words in slow.items()}


# --- texts --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column", [
    pa.array(["甲", None, "\U00020000"], pa.large_string()), pa.array(["甲", None, "\U00020000"]).dictionary_encode(),
    pa.array(["甲", None, "\U00020000"])], ids=["large", "categories", "plain"])
@pytest.mark.parametrize("name", ["t.parquet", "T.PARQUET"])
def test_texts_of_any_parquet_writer_are_read(tmp_path: Path, column: pa.Array, name: str) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / name)
    found = drawn((f"path:{tmp_path / name}",), "text", 9, random.Random(0), MemoryContext(tmp_path / "run"))
    assert (found.texts, found.of) == (("甲", "\U00020000"), 2)


@pytest.mark.parametrize("column", [pa.array([1, 2]), pa.array([b"a", b"b"]), pa.array([["a"], ["b"]]),
                                    pa.array([1, 1]).dictionary_encode()], ids=str)
def test_a_column_of_no_texts_is_refused_with_the_columns_there_are(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"text": column, "题目": ["x", "y"]}), tmp_path / "n.parquet")
    with pytest.raises(UserError, match=r"n\.parquet has no column of texts 'text'; its columns are text, 题目\."):
        drawn((f"path:{tmp_path / 'n.parquet'}",), "text", 9, random.Random(0), MemoryContext(tmp_path / "run"))


@pytest.mark.parametrize(("count", "held"), [(0, 0), (1, 1), (3, 3), (4, 4), (9, 4)])
def test_a_sample_of_any_size(tmp_path: Path, count: int, held: int) -> None:
    rows = [{"text": text} for text in ("乙", "甲", " ", "<script>", "乙", "")]
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    found = drawn((f"path:{tmp_path / 'a.ndjson'}",), "text", count, random.Random(1), MemoryContext(tmp_path / "run"))
    assert found.of == 4 and len(found.texts) == held
    every = iter(["乙", "甲", "<script>", "乙"])
    assert all(text in every for text in found.texts), "in the order of the file"


def test_one_stream_over_several_files_and_none(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(f"text\n{name}1\n{name}2\n")
    context = MemoryContext(tmp_path / "run")
    one = drawn([f"path:{tmp_path / name}" for name in ("b.csv", "a.csv")], "text", 9, random.Random(0), context)
    assert one.texts == ("b.csv1", "b.csv2", "a.csv1", "a.csv2"), "references in their order"
    assert drawn((), "text", 9, random.Random(0), context).texts == ()


def test_a_folder_without_tables_names_what_it_may_hold(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "sub.jsonl").mkdir()
    with pytest.raises(MissingResource, match=r"empty holds no table.*" + re.escape(", ".join(SUFFIXES))):
        tables(tmp_path / "empty")


@pytest.mark.parametrize("count", [0, 1, 5, 6, 40])
def test_practice_texts_of_any_number_repeat_with_the_seed(count: int) -> None:
    lists = {"law": ("法院", "判决", "律师", "合同"), "medicine": ("患者", "治疗"), REST: ("的",)}
    rows = practice_texts(lists, count, random.Random(4))
    assert rows == practice_texts(lists, count, random.Random(4)) and len(rows) == count
    assert [row.labels == (REST,) for row in rows] == [place % 6 == 5 for place in range(count)]
    for row in rows:
        words = lists[row.labels[0]] if row.labels != (REST,) else ()
        assert len(found_in(row.text, words)) >= min(4, len(words))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.text(min_size=1), min_size=1, max_size=20).map(tuple)))
def test_the_beginning_keeps_two_thirds_and_at_least_three(lists) -> None:
    for label, words in beginning(lists).items():
        assert words == lists[label][:len(words)]
        assert len(words) == min(len(lists[label]), max(3, len(lists[label]) * 2 // 3))


# --- words --------------------------------------------------------------------------------------------------------

@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("东西南北ab c\n\U00020000😀，", max_size=20), max_size=8), st.integers(1, 4))
def test_all_runs_of_enough_texts_are_found_and_none_is_made_up(texts: list[str], fewest: int) -> None:
    slow = [{piece[i:i + size] for piece in re.findall("[一-龥]+", text) for size in (2, 3, 4)
             for i in range(len(piece) - size + 1)}
            | set(re.findall(r"[^\W\d_]{3,}", re.sub("[一-龥]", " ", text.lower()))) for text in texts]
    found = list(frequent_runs(texts, fewest))
    assert len(found) == len(texts)
    for mine, every in zip(found, slow, strict=True):
        assert {word for word in every if sum(word in other for other in slow) >= fewest} <= mine <= every


def test_every_text_ticks_in_both_passes_and_a_tick_may_end_it() -> None:
    ticks: list[int] = []
    list(frequent_runs(["甲乙"] * 5, 1, lambda: ticks.append(1)))
    assert len(ticks) == 10
    with pytest.raises(InterruptedError):
        list(frequent_runs(["甲乙"], 1, lambda: (_ for _ in ()).throw(InterruptedError())))


@pytest.mark.parametrize("value", [None, [], {}, "law: [a]", {"law": []}, {"law": None}, {"law": {"a": 1}},
                                   {"law": ["a"], "math": "b"}], ids=repr)
def test_lists_of_another_shape_are_refused(value) -> None:
    with pytest.raises(UserError, match=r"lists must map each label to a list of words\. Write `law: \[court"):
        parse_keywords(value, "lists")


@pytest.mark.parametrize("word", ["", " ", "\u3000\n", None, True, ["court"], {"a": 1}], ids=repr)
def test_a_word_that_no_text_or_every_text_has_is_refused(word) -> None:
    with pytest.raises(UserError, match=r"lists has the word .* for the label 法律; each word must be text"):
        parse_keywords({"法律": ["法院", word]}, "lists")


def test_words_of_yaml_become_lower_case_texts(tmp_path: Path) -> None:
    path = tmp_path / "k.yaml"
    path.write_text("law: [Court, COURT, 110, '\U00020000', <script>, 'no', 1.5]\n", encoding="utf-8")
    assert read_keywords(path) == {"law": ("court", "110", "\U00020000", "<script>", "no", "1.5")}
    path.write_text("law: [a, no]\n")
    with pytest.raises(UserError, match="Write words like yes, no or null in quotes"):
        read_keywords(path)
    for content in (b"law: [", b"\xff\xfe\xff", b"!!python/object/apply:os.system [ls]"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"k\.yaml cannot be read as keyword lists"):
            read_keywords(path)
    with pytest.raises(UserError, match=r"none\.yaml cannot be read"):
        read_keywords(tmp_path / "none.yaml")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text("甲乙丙ABab\U00020000", max_size=12), max_size=5), LISTS, st.integers(1, 4))
def test_labels_equal_a_plain_count_of_different_words(texts: list[str], lists, least: int) -> None:
    slow = [tuple(label for label, words in lists.items()
                  if sum(text.lower().find(word) >= 0 for word in words) >= least) or (REST,) for text in texts]
    assert keyword_labels(texts, lists, least) == slow
    for text in texts:
        for words in lists.values():
            assert found_in(text, words) == [word for word in words if word in text.lower()]


@pytest.mark.parametrize("least", [0, -1])
def test_a_label_needs_a_keyword(least: int) -> None:
    with pytest.raises(UserError, match=f"least is {least}; a text needs at least one keyword"):
        keyword_labels([], {}, least)


def test_candidates_of_nothing_and_of_unlabelled_texts() -> None:
    assert candidates([], [], {"law": ("法院",)}) == {"law": ()}
    assert candidates(["法院判决书"] * 9, [()] * 9, {"law": ("法院",)}) == {"law": ()}
    assert candidates(["<script>alert"] * 6 + ["nothing"] * 6, [("law",)] * 6 + [()] * 6, {"law": ("法院",)}, 1)[
        "law"][0].word in ("script", "alert")
    with pytest.raises(ValueError, match="zip"):
        candidates(["a"], [], {"law": ("b",)})


LABEL_SETS = st.lists(st.lists(st.sampled_from(LABELS), max_size=3), max_size=6)


@settings(max_examples=60, deadline=None)
@given(LABEL_SETS, st.randoms(use_true_random=False))
def test_changes_lead_from_one_round_to_the_next(before: list[list[str]], draw: random.Random) -> None:
    after = [draw.sample(LABELS, draw.randint(0, 3)) for _ in before]
    changes = {change.text: change for change in difference(before, after)}
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        change = changes.get(place, Change(place, (), ()))
        assert (set(old) | set(change.gained)) - set(change.lost) == set(new)
        assert not set(change.gained) & set(old) and set(change.lost) <= set(old)
        assert (place in changes) == bool(change.gained or change.lost)
    assert difference(before, [list(reversed(labels)) for labels in before]) == []


@settings(max_examples=60, deadline=None)
@given(LABEL_SETS)
def test_the_rest_is_only_where_there_is_nothing_else(found: list[list[str]]) -> None:
    sure = [tuple(label for label in labels if label != REST)[:1] for labels in reversed(found)]
    for labels, words, more in zip(together([tuple(one) for one in found], sure), found, sure, strict=True):
        assert set(labels) == ({*words, *more} - {REST} or {REST}) and len(set(labels)) == len(labels)


def test_rounds_are_at_least_one_and_repeat_with_the_seed() -> None:
    lists = {"law": ("法院", "判决"), "medicine": ("患者", "治疗")}
    texts = [f"法院第{i}次判决" for i in range(20)] + [f"患者第{i}次治疗" for i in range(20)] + ["天气"] * 5
    with pytest.raises(UserError, match="rounds is 0; there must be at least one"):
        bootstrap(texts, lists, first_of(1), random.Random(0), rounds=0)
    told: list[DomainRound] = []
    plan = Recipe(Grams(1, 2, 11), epochs=2, batch=16)
    runs = [bootstrap(texts, lists, first_of(0), random.Random(3), rounds=1, recipe=plan, least=2, report=told.append)
            for _ in range(2)]
    assert told == [*runs[0][2], *runs[1][2]] and told[0] == told[1] and told[0].accepted == {}
    assert told[0].counts == {"law": 20, "medicine": 20, REST: 5} and runs[0][1] == lists
    assert np.array_equal(runs[0][0].score(texts), runs[1][0].score(texts))


# --- the written sample -------------------------------------------------------------------------------------------

def test_a_book_of_one_topic_has_nothing_to_go_on_with() -> None:
    topic = Topic("law", "x", ("<script>",), ("一。", "{a|}二。", "三{#7-7}。"))
    book = Library("zh", (topic,), {})
    written = book.write(topic, random.Random(0))
    assert book.write_on(written, random.Random(0)) is written and written.title == "<script>"
    assert written.text.replace("\n", "") in ("一。a二。三7。", "一。二。三7。")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["zh", "en"]))
def test_documents_repeat_with_the_seed_and_leave_no_slot_open(seed: int, language: str) -> None:
    book = library(language)
    topic = book.topics[seed % len(book.topics)]
    one, two = (book.write(topic, random.Random(seed)) for _ in range(2))
    assert one == two and not set("{}|@") & set(one.text) and one.text.strip() == one.text
    assert one.title in topic.titles and "\n\n" not in one.text
    longer = book.write_on(one, random.Random(seed))
    assert longer.text.startswith(one.text) and longer.topic == topic


def test_libraries_that_there_are_not_and_files_of_another_shape(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no library in 'fr'; there are zh and en"):
        library("fr")
    for value in (None, [], {"topics": {}}, {"tables": {}}):
        (tmp_path / "l.yaml").write_text(yaml.safe_dump(value))
        with pytest.raises(UserError, match=r"l\.yaml must have a list named topics"):
            read_library(tmp_path / "l.yaml", "zh")


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_a_short_sample_is_the_beginning_of_a_longer_one(tmp_path: Path, count: int) -> None:
    path = example.write_jsonl(tmp_path / "s.jsonl", count, 11)
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert len(rows) == count
    assert [row["text"] for row in rows] == [one.text for one in example.documents(40, 11)][:count]
    for number, row in enumerate(rows, 1):
        assert row["url"] == f"https://sample.invalid/{number}?planted={row['planted'] or 'nothing'}"
        assert row["source_domain"] == f"sample-{row['language']}" and ("domain" in row) == bool(row["topic"])


@settings(max_examples=60, deadline=None)
@given(st.text("甲乙。！？\n<>\U00020000", max_size=30), st.integers(0, 99))
def test_a_near_copy_of_any_text_holds_two_notes(text: str, seed: int) -> None:
    found = example.edited(text, random.Random(seed))
    assert found == example.edited(text, random.Random(seed))
    notes = [note for note in ("（图文无关）", "（转载）", "编者按：", "【来源于网络】", "（完）") if note in found]
    plain = found
    for note in notes:
        plain = plain.replace(note, "")
    assert len(notes) == 2 and len(plain) <= len(text) and set(plain) <= set(text)

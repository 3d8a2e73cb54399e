"""Campaigns out and in again: Pearmut, Appraise, WMT's ESA csv; logs as Pearmut keeps them; campaigns as tables."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt.campaign_files import (
    appraise_batches,
    documents,
    items_of,
    pearmut_answers,
    pearmut_campaign,
)
from backends.common.mt.campaign_table import looks_like, rows_of
from backends.common.mt.campaigns import Campaign, Item, parsed, read_appraise, read_pearmut
from backends.common.mt.human import Rating, Ratings, Span
from backends.common.mt.human_files import esa_csv
from backends.common.mt.human_wmt import read_esa
from backends.common.mt.practice import practice
from backends.common.mt.reading import read_table
from backends.common.mt.uploads import Comparison, Upload, gather
from workbench.contract import UserError

FEW = settings(max_examples=30, deadline=None)
TEXT = st.text(alphabet="ab ,\"'\t我é\n", max_size=8)
SPANS = st.lists(st.one_of(
    st.builds(Span, st.integers(0, 5), st.integers(6, 9), st.sampled_from(["minor", "major"]), st.just("")),
    st.builds(Span, st.none(), st.none(), st.sampled_from(["minor", ""]), st.just("")),
), max_size=2).map(tuple)
RATINGS = st.lists(
    st.builds(Rating, st.sampled_from("AB"), st.integers(0, 2), st.integers(0, 100).map(float),
              st.sampled_from(["p", "q, r"]), st.just("d"), st.just("target"), SPANS, st.just(0.0)),
    max_size=8, unique_by=lambda r: (r.system, r.segment, r.annotator))


@FEW
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, st.sampled_from(["news", "law"])), min_size=1, max_size=5))
def test_a_pearmut_campaign_comes_back(rows: list) -> None:
    items = [Item(f"{doc}_#_{i}", doc, src, {"A": a, "B": b}) for i, (src, a, b, doc) in enumerate(rows)]
    made = json.loads(json.dumps(pearmut_campaign(items, "mine", "ESA", 3)))
    assert made["info"] == {"assignment": "single-stream", "protocol": "ESA", "users": 3, "shuffle": True,
                            "show_model_names": False}, "annotators see systems in any order and without names"
    found = read_pearmut(made)
    assert sorted(found.items, key=lambda i: i.name) == sorted(items, key=lambda i: i.name)
    assert found.protocol == "ESA" and not found.ratings.ratings


@FEW
@given(RATINGS)
def test_answers_come_back_with_their_spans(ratings: list) -> None:
    items = tuple(Item(f"d_#_{i}", "d", f"text {i}", {"A": "a" * 9, "B": "b" * 9}) for i in range(3))
    campaign = Campaign("ESA", items, Ratings("ESA", tuple(ratings)))
    lines = "\n".join(json.dumps(entry) for entry in pearmut_answers(campaign))
    if not ratings:
        return
    found = read_pearmut(parsed(lines))
    names = [item.name for item in found.items]

    def plain(rows, order: list) -> set:
        return {(r.system, order[r.segment], r.score, r.annotator, r.document, r.spans) for r in rows}

    assert plain(found.ratings.ratings, names) == plain(ratings, [item.name for item in items])
    assert found.ratings.sources == tuple(f"text {name[-1]}" for name in names)


@FEW
@given(RATINGS)
def test_an_esa_csv_comes_back(ratings: list) -> None:
    if not ratings:
        return
    assert read_esa(esa_csv(Ratings("ESA", tuple(ratings)), "eng", "zho")).ratings == tuple(ratings)


def test_attention_checks_stay_what_they_are_in_an_esa_csv() -> None:
    rows = (Rating("A", 0, 3.0, "p", "d", "bad", (), 2.5), Rating("A-tutorial", 1, 3.0, "p", "d", "tutorial", (), 0.0))
    assert read_esa(esa_csv(Ratings("ESA", rows), "eng", "deu")).ratings == rows


@FEW
@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_appraise_batches_hold_every_translation_once(systems: int, size: int, seed: int) -> None:
    items = [Item(str(i), f"doc {i // 3}", f"s{i}", {f"S{k}": f"t{i}{k}" for k in range(systems)}) for i in range(7)]
    made = appraise_batches(items, "eng", "deu", random.Random(seed), size)
    shown = [item for batch in made for item in batch["items"]]
    assert sorted((i["itemID"], i["targetID"], i["targetText"]) for i in shown) == sorted(
        (n, name, text) for n, item in enumerate(items) for name, text in item.targets.items())
    for batch in made:
        blocks = [(i["documentID"], i["targetID"]) for i in batch["items"]]
        assert len(batch["items"]) <= max(size, 3) and batch["task"]["targetLanguage"] == "deu"
        assert blocks == [b for b in dict.fromkeys(blocks) for _ in range(blocks.count(b))], "a document stays together"
    found = read_appraise(json.loads(json.dumps(made)))
    assert found.protocol == "ESA" and len(found.items) == len(shown)
    merged = rows_of(made, "x")
    assert {row["source"]: {k: v for k, v in row.items() if k != "source"} for row in merged} == {
        item.source: item.targets for item in items}


def test_appraise_shuffles_with_its_generator_only() -> None:
    items = items_of(practice())
    one, two, other = (appraise_batches(items, "deu", "eng", random.Random(seed)) for seed in (1, 1, 2))
    assert one == two != other
    assert {len(batch["items"]) for batch in one} == {36}


def test_checks_are_not_given_to_annotators_again() -> None:
    items = [Item("1", "d", "s", {"A": "t"}), Item("2", "d", "s", {"A": "broken"}, "bad"),
             Item("3", "d", "s", {"A": "hello"}, "tutorial")]
    assert [item.name for group in documents(items).values() for item in group] == ["1"]
    assert [i["item_id"] for doc in pearmut_campaign(items, "c")["data"] for i in doc] == ["1"]
    assert len(appraise_batches(items, "eng", "deu", random.Random(1))[0]["items"]) == 1


@pytest.mark.parametrize(("make", "words"), [
    (lambda: pearmut_campaign([], "x", "SQM"), "protocol is 'SQM'"),
    (lambda: pearmut_campaign([], "x", users=0), "users is 0"),
    (lambda: appraise_batches([], "eng", "deu", random.Random(1), 0), "size is 0"),
    (lambda: items_of(Comparison({"a": ("x",)}, {})), "no source text"),
])
def test_what_cannot_be_exported(make, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


def entry(user: str, place: object, answer: object, source: str = "hello", **more) -> dict:
    item = {"src": source, "tgt": {"A": "hallo", "B": "servus"}, **more}
    return {"user_id": user, "item_i": place, "item": [item], "annotation": answer, "actions": []}


def test_two_people_on_one_item_rate_one_segment() -> None:
    rows = [entry("p", 0, [{"A": {"score": 70}}]), entry("q", 0, [{"A": {"score": 80}}]),
            entry("p", 1, [{"A": {"score": 10}}], "bye")]
    found = read_pearmut(rows).ratings
    assert [(r.annotator, r.segment, r.score) for r in found.ratings] == [("p", 0, 70), ("q", 0, 80), ("p", 1, 10)]
    assert found.sources == ("hello", "bye")


def test_answers_that_were_taken_back_do_not_count() -> None:
    reset = {"user_id": "p", "item_i": 0, "annotation": "__RESET__"}
    rows = [entry("p", 0, [{"A": {"score": 1}}]), entry("q", 0, [{"A": {"score": 2}}]),
            entry("p", 1, [{"A": {"score": 3}}], "bye"), reset, entry("p", 0, [{"A": {"score": 4}}])]
    found = read_pearmut({"campaign": rows}).ratings.ratings
    assert [(r.annotator, r.score) for r in found] == [("q", 2), ("p", 3), ("p", 4)]


def test_mqm_answers_are_scored_by_their_spans() -> None:
    marks = [{"start_i": 0, "end_i": 1, "severity": "major", "category": "Accuracy/Mistranslation"},
             {"start_i": 2, "end_i": 2, "severity": "minor", "category": "Fluency/Punctuation"}]
    rows = [entry("p", 0, [{"A": {"score": None, "error_spans": marks}, "B": {"score": None, "error_spans": []}}])]
    found = read_pearmut(rows)
    assert found.protocol == "MQM"
    assert [(r.system, r.score) for r in found.ratings.ratings] == [("A", -5.1), ("B", 0.0)]
    skipped = read_pearmut([entry("p", "welcome_0", [{"A": {"score": None, "error_spans": []}}])])
    assert skipped.protocol == "DA" and not skipped.ratings.ratings and "no score" in skipped.ratings.notes[0]


@pytest.mark.parametrize("odd", [
    [None], [{"A": None}], [{"A": {"score": True}}], [{"A": {"score": "70"}}], [{"A": {"score": float("nan")}}], [[1]]])
def test_odd_answers_are_left_out(odd: list) -> None:
    found = read_pearmut([entry("p", 0, odd), entry("p", 1, [{"A": {"score": 50}}], "bye")])
    assert [r.score for r in found.ratings.ratings] == [50]


def test_forms_are_no_items() -> None:
    form = {"user_id": "p", "item_i": "welcome_0", "item": [{"text": "Your language?", "form": "string"}],
            "annotation": ["German"], "actions": []}
    assert len(read_pearmut([form, entry("p", 0, [{"A": {"score": 50}}])]).items) == 1


@pytest.mark.parametrize(("label", "document"), [
    ("cs-de_#_edu_#_edu02178_#_0", "cs-de_#_edu_#_edu02178"), ("doc1 # 3", "doc1"), ("alone", "alone")])
def test_the_document_is_told_from_the_name(label: str, document: str) -> None:
    found = read_pearmut([entry("p", 0, [{"A": {"score": 50}}], item_id=label)])
    assert found.items[0].document == document


def test_logs_are_json_lines_and_exports_json() -> None:
    rows = [entry("p", i, [{"A": {"score": i}}], f"s{i}") for i in range(3)]
    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    whole = json.dumps({"c": rows}, indent=1)
    assert read_pearmut(parsed(lines)).ratings == read_pearmut(parsed(whole)).ratings
    with pytest.raises(UserError, match=r"log\.json is not valid JSON"):
        parsed("{\nnope", "log.json")


@pytest.mark.parametrize(("value", "campaign"), [
    ({"info": {}, "data": []}, True), ({"items": []}, True), ({"item": [], "annotation": []}, True),
    ({"c": [{"annotation": []}]}, True), ({"src": "a", "ref": "b"}, False), ({"data": "x", "info": "y"}, False),
    ({}, False), ({"c": []}, False)])
def test_a_campaign_is_told_from_a_row(value: dict, campaign: bool) -> None:
    assert looks_like(value) is campaign


@pytest.mark.parametrize("indent", [None, 1])
def test_the_texts_of_a_campaign_can_be_compared(indent: int | None) -> None:
    made = pearmut_campaign(items_of(practice()), "practice")
    data = json.dumps(made, ensure_ascii=False, indent=indent).encode()
    found = gather([Upload("campaign.json", data)]).comparison
    assert found is not None and list(found.systems) == ["plain", "free", "word for word"]
    assert sorted(found.source or ()) == sorted(practice().source or ()) and list(found.references) == ["reference"]


def test_appraise_examples_are_tables(shared: Path) -> None:
    data = (shared / "mt" / "appraise_examples" / "batches_esa.json").read_bytes()
    table = read_table("batches.json", data)
    items = [i for i in read_appraise(json.loads(data)).items if i.kind == "target"]
    assert table.rows == len({(i.document, i.name) for i in items}) == 145
    texts = [text for name, column in table.columns.items() if name != "source" for text in column]
    assert sum(map(bool, texts)) == len(items)
    assert any("have no 'Aya23'" in note.text for note in table.notes)


def test_a_system_called_like_the_source_is_kept() -> None:
    rows = rows_of({"data": [[{"src": "s", "tgt": {"source": "t", "A": "u"}}]], "info": {}}, "x")
    assert rows == [{"source": "s", "source (system)": "t", "A": "u"}]

"""The task as people use it: counts that add up, exports that read back, recipes that replay, errors that say what."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from backends.mdfg import official, sample
from backends.mdfg.filter_task import recipe_of
from backends.mdfg.recipes import dump_recipe, load_recipe
from backends.mdfg.requests import FilterRequest
from backends.mdfg.stage import Stage, Work
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import (
    attributes,
    filtered,
    good_text,
    lines_of,
    problems,
    recipe,
    texts,
    write_lines,
)
from tests.backends.corpus_scorer import CountingScorer
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError

CWT2 = {"text": good_text(), "domain": {"single_label": "news", "multi_label": ["news", "law"]},
        "toxicity": {"label": 0, "score": 0.25}, "quality_score": 0.875}


def test_the_sample_is_filtered_and_every_count_adds_up(tmp_path: Path) -> None:
    result, context = filtered(tmp_path / "run", exports=("jsonl", "ledger"))
    table = attributes(context)
    summary = json.loads((context.run / "artifacts" / "summary.json").read_text())
    assert result.provenance == "synthetic"
    assert result.documents == len(table) == 600 == summary["rows_read"]
    assert result.kept == sum(row["kept"] for row in table) == len(lines_of(context.run / "artifacts" / "kept.jsonl"))
    dropped = lines_of(context.run / "artifacts" / "dropped.jsonl")
    assert len(dropped) == result.documents - result.kept == sum(result.first.values())
    assert sum(summary["masks"].values()) == result.documents
    assert sum(result.every.values()) > sum(result.first.values())
    assert all(record["rules_failed"] for record in dropped)
    assert set(summary["words"]) >= set(sample.SPAM)
    assert summary["sources"]["sample.jsonl"] == {"documents": 600, "kept": result.kept}
    assert context.reports[-1][0] == context.reports[-1][1]


def test_what_was_planted_is_what_the_rules_find(tmp_path: Path) -> None:
    made = list(sample.documents(800, seed=11))
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text, _ in made])
    _, context = filtered(tmp_path / "run", sources=(path,))
    rules = recipe().names
    wanted = {"traditional": "traditional", "one_traditional": "traditional", "short": "length",
              "thin_lines": "line_length", "quotes": "traditional"}
    for row, (text, defect) in zip(attributes(context), made, strict=True):
        failed = [rule for i, rule in enumerate(rules) if row["rule_fail"] >> i & 1]
        if defect in wanted:
            assert wanted[defect] in failed, (defect, text)
        if not defect:
            assert set(failed) <= {"length"}, text
        if defect == "personal":
            assert (row["phones"], row["emails"]) == (1, 1)
            assert "personal" not in failed, "a signal drops nothing by itself"


def test_the_table_is_in_order_and_finds_its_texts(tmp_path: Path) -> None:
    made = texts(300)
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in made])
    _, context = filtered(tmp_path / "run", sources=(path,), shard_mb=0.02)
    table = attributes(context)
    parts = {part: pq.read_table(context.run / "artifacts" / "documents" / f"part-{part:05d}.parquet").to_pylist()
             for part in {row["part"] for row in table}}
    assert len(parts) > 3
    assert [parts[row["part"]][row["row"]]["text"] for row in table] == made
    assert [parts[row["part"]][row["row"]]["id"] for row in table] == [row["id"] for row in table]
    assert [row["number"] for row in table] == list(range(1, 301))
    for row, text in zip(table, made, strict=True):
        assert row["dup_ratio"] == official.duplication(text)
        spans = parts[row["part"]][row["row"]]["sensitive_spans"]
        assert {text[a:b] for a, b in zip(spans[::2], spans[1::2], strict=True)} == set(row["sensitive_words"])
        if row["dup_ratio"] > 0.5:
            assert parts[row["part"]][row["row"]]["duplication_spans"]


def test_rows_that_cannot_be_read_are_named_and_counted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b'{"text": "good"}\nprint(1)\n{"text": 3}\n')
    (tmp_path / "in" / "b.jsonl").write_bytes(b"")
    (tmp_path / "in" / "c.csv").write_text("text\none\ntwo,2\n")
    result, context = filtered(tmp_path / "run", sources=(tmp_path / "in",))
    assert (result.documents, result.problems) == (2, 4)
    told = [(line["where"], line["why"]) for line in problems(context)]
    assert told[0] == ("b.jsonl", "it is empty")
    assert told[1][0] == "a.jsonl, line 2"
    assert "not valid JSON" in told[1][1]
    assert told[2] == ("a.jsonl, line 3", "its field text is a number; it must be text")
    assert told[3] == ("c.csv, line 3", "it has 2 cells and the header 1")
    assert json.loads((context.run / "artifacts" / "summary.json").read_text())["rows_read"] == 5


@pytest.mark.parametrize(("data", "message"), [
    (b"", "Nothing can be read. a.jsonl: it is empty."),
    (b"import os\n", "Nothing can be read. a.jsonl, line 1: it is not valid JSON"),
    (b"PK\x03\x04", "a zip archive")])
def test_a_source_of_which_nothing_can_be_read_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(UserError, match=message):
        filtered(tmp_path / "run", sources=(tmp_path / "a.jsonl",))


def test_exports_read_back(tmp_path: Path) -> None:
    import datasets

    rows = [{**CWT2, "text": good_text(250 + i), "title": f"t{i}"} for i in range(20)] + [{**CWT2, "text": "short"}]
    kinds = ("jsonl", "cwt2", "parquet", "csv", "datasets", "ledger")
    result, context = filtered(tmp_path / "run", sources=(write_lines(tmp_path / "a.jsonl", rows),), exports=kinds)
    folder = context.run / "artifacts"
    kept = [row["text"] for row in rows[:20]]
    assert result.kept == 20
    assert lines_of(folder / "kept.cwt2.jsonl") == [{key: row[key] for key in CWT2} for row in rows[:20]]
    ours = lines_of(folder / "kept.jsonl")
    assert [record["text"] for record in ours] == kept
    assert {record["config"] for record in ours} == {result.config}
    assert ours[3]["source"] == {"name": "a.jsonl", "number": 4, "title": "t3"}
    assert ours[3]["quality_score"] == 0.875
    assert pq.read_table(folder / "kept.parquet")["text"].to_pylist() == kept
    with (folder / "kept.csv").open(encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == kept
    opened = datasets.load_from_disk(folder / "kept.datasets")
    assert opened["text"][:] == kept
    assert opened.features["dup_ratio"].dtype == "float64"
    dropped = lines_of(folder / "dropped.jsonl")
    assert [(record["text"], record["rules_failed"]) for record in dropped] == [("short", ["length", "line_length",
                                                                                           "script"])]
    again, _ = filtered(tmp_path / "again", sources=(folder / "kept.datasets",))
    assert again.documents == again.kept == 20


def test_the_exact_form_needs_all_scores(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text()}])
    with pytest.raises(UserError, match="no domain and no toxicity and no quality_score"):
        filtered(tmp_path / "run", sources=(path,), exports=("cwt2",))
    assert not list((tmp_path / "run" / "artifacts").glob("*kept*"))


def test_exports_of_nothing_are_empty_and_whole(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": "short"}])
    _, context = filtered(tmp_path / "run", sources=(path,), exports=("jsonl", "parquet", "csv", "datasets"))
    folder = context.run / "artifacts"
    assert (folder / "kept.jsonl").read_bytes() == b""
    assert pq.read_table(folder / "kept.parquet").num_rows == 0
    assert (folder / "kept.csv").read_text().strip() == "text"
    import datasets

    assert len(datasets.load_from_disk(folder / "kept.datasets")) == 0


def test_a_recipe_replays_from_the_run_that_saved_it(tmp_path: Path) -> None:
    first, context = filtered(tmp_path / "one", recipe="zh-ratio", near_duplicates="drop", limit=300)
    saved = (context.run / "artifacts" / "recipe.yaml").read_text(encoding="utf-8")
    again, other = filtered(tmp_path / "two", recipe=saved, limit=300)
    assert (again.recipe_hash, again.config) == (first.recipe_hash, first.config)
    assert yaml.safe_load(saved)["hash"] == first.recipe_hash
    name = Path("artifacts") / "attributes.parquet"
    assert (other.run / name).read_bytes() == (context.run / name).read_bytes()


def test_near_duplicates_are_marked_or_dropped(tmp_path: Path) -> None:
    base = good_text(400)
    rows = [{"text": base}, {"text": good_text(399) + "甲"}, {"text": "short"}, {"text": base[200:] + base[:200]}]
    path = write_lines(tmp_path / "a.jsonl", [*rows, {"text": "short"}])
    marked, one = filtered(tmp_path / "one", sources=(path,), near_duplicates="mark")
    dropped, two = filtered(tmp_path / "two", sources=(path,), near_duplicates="drop")
    off, three = filtered(tmp_path / "three", sources=(path,), near_duplicates="off")
    assert (marked.kept, dropped.kept, off.kept) == (3, 1, 3)
    assert [row["dup_cluster"] for row in attributes(one)] == [0, 0, 2, 0, 2]
    assert [row["dup_size"] for row in attributes(one)] == [3, 3, 2, 3, 2]
    assert dropped.first["near_duplicate"] == 2
    assert dropped.every["near_duplicate"] == 3, "of the short ones one is a copy too"
    assert "dup_cluster" not in attributes(three)[0]
    assert (marked.clusters, off.clusters) == (2, 0)
    assert attributes(two)[0]["kept"]


def test_limits_text_fields_and_several_sources(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "a.jsonl", [{"body2": f"a{i}"} for i in range(10)])
    two = write_lines(tmp_path / "b.jsonl", [{"body2": f"b{i}"} for i in range(10)])
    result, context = filtered(tmp_path / "run", sources=(one, two), text_field="body2", limit=13)
    assert result.documents == 13
    places = [(row["source"], row["number"]) for row in attributes(context)]
    assert places[9:11] == [("1/a.jsonl", 10), ("2/b.jsonl", 1)]
    assert result.provenance == "real data"


def test_scores_become_columns_and_rules_may_use_them(tmp_path: Path) -> None:
    text = dump_recipe(load_recipe("zh-paper-code")).replace(
        "rules:\n", "rules:\n  - {rule: quality, column: quality.good, drop_if: '<', limit: 0.01}\n")
    work = Work(load_recipe(text), WordList(NONE), str(tmp_path), "c")
    scorer = CountingScorer(tmp_path / "log")
    found = Stage(work, [scorer]).scored(["。。", "ab"])
    assert found["quality.good"].tolist() == [1.0, 0.0]
    with pytest.raises(UserError, match=r"needs the value 'quality.good'"):
        filtered(tmp_path / "run", recipe=text, limit=5)


def test_given_scores_can_be_filtered_without_any_model(tmp_path: Path) -> None:
    text = dump_recipe(load_recipe("zh-paper-code")).replace(
        "rules:\n", "rules:\n  - {rule: quality, column: given.quality, drop_if: '<', limit: 0.5}\n")
    rows = [CWT2, {**CWT2, "quality_score": 0.1}, {"text": good_text()}]
    result, _ = filtered(tmp_path / "run", recipe=text, sources=(write_lines(tmp_path / "a.jsonl", rows),))
    assert result.every["quality"] == 1, "what has no score is not dropped by it"


def test_cancel_ends_it_and_leaves_no_half_files(tmp_path: Path) -> None:
    for count in (1, 4, 8, 9):
        context = MemoryContext(tmp_path / f"run{count}", cancel_after=count)
        from backends.mdfg.filter_task import run

        with pytest.raises(Cancelled):
            run(FilterRequest(limit=300), context)
        assert not list(context.run.rglob("*.tmp"))


@pytest.mark.parametrize(("fields", "message"), [
    ({"sources": ()}, "sources is 0 entries"), ({"exports": ("zip",)}, "exports"), ({"workers": 0}, "workers is 0"),
    ({"limit": -1}, "limit is -1"), ({"engine": "spark"}, "engine"), ({"near_duplicates": "yes"}, "near_duplicates")])
def test_a_bad_request_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FilterRequest(**fields)


def test_the_request_changes_the_recipe() -> None:
    changed = recipe_of(FilterRequest(near_duplicates="drop", scorers=("bundled:a", "bundled:a")))
    assert changed.near.mode == "drop"
    assert changed.scorers == ("bundled:a",)
    assert recipe_of(FilterRequest()).hash == load_recipe("zh-paper-code").hash


def test_a_file_that_was_taken_in_is_found_by_its_hash(tmp_path: Path) -> None:
    from backends.mdfg.filter_task import run

    name = "ab" * 32
    (tmp_path / "uploads").mkdir()
    context = MemoryContext(tmp_path / "runs" / "one")
    with pytest.raises(UserError, match="no longer here"):
        run(FilterRequest(sources=(name,)), context)
    write_lines(tmp_path / "uploads" / f"{name}.txt", [{"text": good_text()}])
    assert run(FilterRequest(sources=(name,), exports=()), context).kept == 1


@pytest.mark.parametrize("recipe", [
    'name: a\nlanguage: zh\nrules: []\nscorers: ["\\x72un:20260101T000000-abcdef/scorer"]\n',
    'name: a\nlanguage: zh\nrules: []\nmeasure: {words: "\\u0072un:20260101T000000-abcdef/words"}\n',
    'name: a\nlanguage: zh\nrules: []\n# xrun:20260101T000000-abcdef\n'
    'scorers: ["run\\x3a20260101T000000-abcdef/scorer"]\n'])
def test_a_run_that_only_an_escape_spells_is_refused(recipe: str) -> None:
    """Whoever takes the request in looks for runs in its text; what it cannot see must not be read."""
    with pytest.raises(UserError, match="by escapes"):
        recipe_of(FilterRequest(recipe=recipe))


def test_a_run_that_is_named_plainly_is_taken() -> None:
    recipe = 'name: a\nlanguage: zh\nrules: []\nscorers: [run:20260101T000000-abcdef/scorer]\n'
    assert recipe_of(FilterRequest(recipe=recipe)).scorers == ("run:20260101T000000-abcdef/scorer",)

"""Opening a run: its table and columns, its texts, broken files, the shelf, and several readers at once."""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg.explore.corpus import SEARCHES, Corpus
from backends.mdfg.explore.kept import Kept
from backends.mdfg.explore.queries import count, histogram
from backends.mdfg.explore.query import Hits, Query
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.records import judged
from tests.backends.explore_cases import filtered, full_texts, table
from workbench.contract import UserError

MIXED = "给定的文本。"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filtered(tmp_path_factory.mktemp("corpus"), 150, seed=9)


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.open(folder)


def changed(folder: Path, target: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    """A copy of a run whose attributes were changed."""
    artifacts = target / "artifacts"
    artifacts.mkdir(parents=True)
    pq.write_table(change(pq.read_table(folder / "artifacts" / "attributes.parquet")), artifacts / "attributes.parquet")
    (artifacts / "recipe.yaml").write_bytes((folder / "artifacts" / "recipe.yaml").read_bytes())
    (artifacts / "documents").symlink_to(folder / "artifacts" / "documents")
    return target


def test_the_table_holds_every_value_of_the_run(corpus: Corpus, folder: Path) -> None:
    rows = table(folder)
    assert corpus.total == len(rows) == 150
    names = ["place", "id", "part", "row", "source", "number", "n_chars", "dup_ratio", "rule_fail", "first_fail",
             "kept", "dup_cluster", "dup_keep", "dup_size", "sensitive_words", "given.quality"]
    found = corpus.rows(f"SELECT {', '.join(json.dumps(name) for name in names)} FROM docs ORDER BY place")
    for place, (values, row) in enumerate(zip(found, rows, strict=True)):
        expected = {**row, "place": place}
        for name, value in zip(names, values, strict=True):
            missing = isinstance(expected[name], float) and math.isnan(expected[name])
            assert value == (None if missing else expected[name]), (place, name)


def test_scores_and_domains_are_those_of_the_records(corpus: Corpus, folder: Path) -> None:
    found = corpus.rows("SELECT quality, toxicity, domain FROM docs ORDER BY place")
    for (quality, toxicity, domain), row in zip(found, table(folder), strict=True):
        record = judged(MIXED, row)
        assert quality == record.get("quality_score")
        assert toxicity == record.get("toxicity", {}).get("score")
        assert domain == record.get("domain", {}).get("single_label")


def test_scores_of_scorers_come_before_given_ones(folder: Path, tmp_path: Path) -> None:
    draw = np.random.Generator(np.random.PCG64(4))
    scores = {name: draw.random(150).astype(np.float32).round(1) for name in
              ("quality.good", "toxicity.0", "toxicity.1", "domain.law", "domain.new's", "domain.news", "other.x")}
    scores["domain.law"][:5] = np.nan

    def add(raw: pa.Table) -> pa.Table:
        for name, values in scores.items():
            raw = raw.append_column(name, pa.array(values))
        return raw
    opened = Corpus.open(changed(folder, tmp_path / "run", add))
    assert opened.single == frozenset(scores)
    assert opened.domains == ("law", "new's", "news")
    rows = table(tmp_path / "run")
    for (quality, toxicity, domain), row in zip(
            opened.rows("SELECT quality, toxicity, domain FROM docs ORDER BY place"), rows, strict=True):
        record = judged(MIXED, row)
        assert quality == record["quality_score"] == row["quality.good"]
        assert toxicity == record["toxicity"]["score"] == row["toxicity.1"]
        assert domain == record.get("domain", {}).get("single_label")
    assert opened.column("quality").alias == "quality.good"
    assert opened.column("toxicity").alias == "toxicity.1"
    assert opened.column("other.x").kind == "score"
    low = float(np.float32(0.3))
    assert count(opened, Selection(spans=(Span("other.x", low),))).shown == int((scores["other.x"] >= low).sum())


def test_columns_say_what_they_are(corpus: Corpus, folder: Path) -> None:
    rows, by_name = table(folder), {column.name: column for column in corpus.columns}
    kinds = {"n_chars": "count", "mean_line": "number", "script_ratio": "share", "dup_ratio": "share",
             "quality": "score", "toxicity": "score", "given.quality": "score", "dup_size": "count", "phones": "count"}
    assert {name: by_name[name].kind for name in kinds} == kinds
    for name in ("n_chars", "given.quality", "dup_ratio"):
        known = [row[name] for row in rows if not math.isnan(row[name])]
        column = by_name[name]
        assert (column.low, column.high, column.missing) == (min(known), max(known), len(rows) - len(known))
    assert by_name["given.quality"].missing > 0
    assert (by_name["n_chars"].rules, by_name["phones"].rules) == (("length",), ())
    hidden = {"part", "row", "number", "rule_fail", "first_fail", "dup_keep", "dup_cluster", "place", ".place"}
    assert not hidden & set(by_name)


def test_missing_and_infinite_values_spoil_no_range(folder: Path, tmp_path: Path) -> None:
    strange = np.array([np.inf, -np.inf, np.nan] + [0.0, 0.25, 0.5] * 49)

    def put(raw: pa.Table) -> pa.Table:
        empty = pa.array(np.full(150, np.nan))
        return raw.append_column("x.strange", pa.array(strange)).append_column("x.empty", empty)
    opened = Corpus.open(changed(folder, tmp_path / "run", put))
    column = opened.column("x.strange")
    assert (column.low, column.high, column.missing) == (0.0, 0.5, 1)
    found = histogram(opened, "x.strange", Selection(), 2)
    assert sum(found.total) + found.missing[0] == 150
    assert count(opened, Selection(spans=(Span("x.strange", 0.25, 0.5),))).shown == 49 + 49 + 1, "the infinite one too"
    nothing = histogram(opened, "x.empty", Selection())
    assert (nothing.edges, nothing.total, nothing.missing) == ((), (), (150, 150, nothing.missing[2]))
    assert count(opened, Selection(spans=(Span("x.empty", 0.0, 1.0),))).shown == 0


def test_a_run_without_near_duplicates_opens_too(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 40, near_duplicates="off"))
    assert opened.rows("SELECT DISTINCT dup_cluster, dup_keep, dup_size FROM docs") == [(-1, 1, 1)]
    assert "dup_size" not in {column.name for column in opened.columns}


def test_texts_come_in_the_order_asked_for(corpus: Corpus, folder: Path) -> None:
    texts = full_texts(folder)
    asked = [149, 0, 77, 3, 149, 12]
    for light in (False, True, True):
        found = corpus.texts(asked, light)
        assert [document.text for document in found] == [texts[place] for place in asked]
        assert [document.place for document in found] == asked
        assert [document.title for document in found] == [f"title {place}" for place in asked]
    full = corpus.texts([3])[0]
    assert full.given["domain"]["single_label"] in ("law", "medicine", "news", "general")
    assert corpus.texts([3], light=True)[0].given is None
    assert corpus.texts([]) == []
    assert len(corpus.parts()) > 1
    assert all(path.is_file() for path in corpus.parts())


def test_spans_lie_in_their_text(corpus: Corpus, folder: Path) -> None:
    rows = table(folder)
    for document, row in zip(corpus.texts(range(150)), rows, strict=True):
        spans = document.spans["sensitive"]
        assert {document.text[a:b] for a, b in zip(spans[::2], spans[1::2], strict=True)} == set(row["sensitive_words"])
        if row["dup_ratio"] > 0.5:
            assert document.spans["duplication"]


@pytest.mark.parametrize("place", [-1, 150, 10**12])
def test_a_place_outside_is_refused(corpus: Corpus, place: int) -> None:
    with pytest.raises(UserError, match=r"There is no document .*; this corpus has 150, from 0"):
        corpus.texts([0, place])


def broken(folder: Path, name: str) -> Path:
    artifacts = folder / "artifacts"
    attributes, recipe = artifacts / "attributes.parquet", artifacts / "recipe.yaml"
    if name == "no attributes":
        attributes.unlink()
    elif name == "no recipe":
        recipe.unlink()
    elif name == "not Parquet":
        attributes.write_bytes(b"{}" * 100)
    elif name == "cut off":
        attributes.write_bytes(attributes.read_bytes()[:-2000])
    elif name == "recipe is not YAML":
        recipe.write_text("rules: [")
    elif name == "other table":
        pq.write_table(pa.table({"text": ["a"]}), attributes)
    elif name == "other recipe":
        recipe.write_text(recipe.read_text().replace("column: n_chars", "column: quality.good"))
    elif name == "text for a number":
        raw = pq.read_table(attributes)
        pq.write_table(raw.set_column(raw.schema.get_field_index("n_chars"), "n_chars", raw["n_chars"].cast("string")),
                       attributes)
    return folder


@pytest.mark.parametrize(("name", "message"), [
    ("no attributes", "has no table of documents"), ("no recipe", "has no recipe that can be read"),
    ("not Parquet", "attributes.parquet of the run run is damaged"), ("cut off", "is damaged"),
    ("recipe is not YAML", "not valid YAML"), ("other table", "has no column id, part, row"),
    ("other recipe", "has no column quality.good"), ("text for a number", "has no column n_chars")])
def test_a_broken_run_says_what_is_broken(folder: Path, tmp_path: Path, name: str, message: str) -> None:
    copy = changed(folder, tmp_path / "run", lambda raw: raw)
    with pytest.raises(UserError, match=message):
        Corpus.open(broken(copy, name))


def test_texts_that_are_gone_say_so_and_the_counts_go_on(folder: Path, tmp_path: Path) -> None:
    copy = changed(folder, tmp_path / "run", lambda raw: raw)
    (copy / "artifacts" / "documents").unlink()
    opened = Corpus.open(copy)
    assert count(opened, Selection()).shown == 150
    with pytest.raises(UserError, match=r"texts of this corpus cannot be read: part-00000\.parquet"):
        opened.texts([0])
    (copy / "artifacts" / "documents").mkdir()
    (copy / "artifacts" / "documents" / "part-00000.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        opened.texts([0])


@pytest.mark.parametrize("in_memory", [10**9, 0], ids=["memory", "file"])
def test_closing_leaves_no_file(folder: Path, in_memory: int) -> None:
    opened = Corpus.open(folder, in_memory=in_memory)
    scratch = opened._scratch.path
    assert (scratch / "corpus.duckdb").is_file() == (in_memory == 0)
    opened.texts([0])
    opened.close()
    assert not scratch.exists()
    other = Corpus.open(folder, in_memory=in_memory)
    scratch = other._scratch.path
    assert scratch.is_dir()
    del other
    gc.collect()
    assert not scratch.exists(), "a corpus that nobody holds leaves nothing either"


def test_searches_are_made_once_and_the_oldest_given_up(folder: Path) -> None:
    opened = Corpus.open(folder)
    first = Query("words", "文")
    tables = {opened.hits_table(first)}
    assert opened.hits(first) is opened.hits(first)
    for number in range(SEARCHES + 20):
        tables.add(opened.hits_table(Query("regex", f"{number}次")))
    names = {f"made.{name}" for (name,) in opened.rows(
        "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'hits_%'")}
    assert len(tables) == SEARCHES + 21
    assert SEARCHES <= len(names) < len(tables)
    assert opened.hits_table(first) not in tables, "it was given up and is made again"
    assert count(opened, Selection(search=first)).shown == len(opened.hits(first).places)


@pytest.mark.parametrize(("places", "scores"), [([2, 1], [0.0, 0.0]), ([1, 1], [0.0, 0.0]), ([1], [0.0, 1.0])])
def test_hits_ascend_and_have_a_score_each(places: list[int], scores: list[float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Hits(Query("words", "a"), np.array(places), np.array(scores))


def test_many_threads_get_the_same_answers(folder: Path) -> None:
    opened = Corpus.open(folder)
    selections = [Selection(show="kept", spans=(Span("n_chars", low, low + 250),), moved=((0, float(low)),))
                  for low in range(0, 400, 40)] * 4
    alone = Corpus.open(folder)
    expected = [(count(alone, one), histogram(alone, "quality", one)) for one in selections]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: (count(opened, one), histogram(opened, "quality", one)), selections))
        texts = list(pool.map(lambda place: opened.texts([place])[0].text, range(150)))
    assert found == expected
    assert texts == full_texts(folder)


def test_the_shelf_opens_once_and_again_after_a_change(folder: Path, tmp_path: Path) -> None:
    opened: list[Path] = []

    def opener(run: Path, index: Path | None) -> Corpus:
        opened.append(run)
        return Corpus.open(run, index)
    shelf = Shelf(room=2, opener=opener)
    one, two, three = (changed(folder, tmp_path / name, lambda raw: raw) for name in "abc")
    with ThreadPoolExecutor(6) as pool:
        assert len({id(corpus) for corpus in pool.map(lambda _: shelf.get(one), range(12))}) == 1
    assert opened == [one]
    first = shelf.get(one)
    assert shelf.get(one, tmp_path) is not first, "another index is another corpus"
    shelf.get(two)
    assert len(shelf) == 2
    assert count(first, Selection()).shown == 150, "it left the shelf and still answers"
    assert shelf.get(one) is not first
    pq.write_table(pq.read_table(three / "artifacts" / "attributes.parquet").slice(0, 10),
                   two / "artifacts" / "attributes.parquet")
    assert shelf.get(two).total == 10
    shelf.forget(two)
    shelf.forget(tmp_path / "unknown")
    before = len(opened)
    shelf.get(two)
    assert len(opened) == before + 1
    with pytest.raises(UserError, match="no recipe"):
        shelf.get(tmp_path / "nothing")


def test_what_is_kept_is_made_once_and_the_oldest_goes() -> None:
    gone: list[int] = []
    kept = Kept[int](2, gone.append, grace=1)
    made: list[str] = []

    def make(key: str) -> int:
        return kept.get(key, lambda: made.append(key) or len(made))
    assert [make(key) for key in "aabacad"] == [1, 1, 2, 1, 3, 1, 4]
    assert made == ["a", "b", "c", "d"]
    assert gone == [2], "b was left first; c is in its grace"
    assert len(kept) == 2
    with pytest.raises(ZeroDivisionError):
        kept.get("x", lambda: 1 // 0)
    assert kept.get("x", lambda: 7) == 7


def test_who_waits_for_one_does_not_hold_up_another() -> None:
    kept = Kept[str](4)
    going, end = threading.Event(), threading.Event()

    def slow() -> str:
        going.set()
        end.wait(10)
        return "slow"
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(kept.get, "slow", slow)
        assert going.wait(10)
        second = pool.submit(kept.get, "slow", lambda: "made twice")
        assert kept.get("fast", lambda: "fast") == "fast"
        end.set()
        assert (first.result(10), second.result(10)) == ("slow", "slow")


def test_the_summary_and_the_commands_are_read_from_the_run(tmp_path: Path) -> None:
    run = filtered(tmp_path, texts=[MIXED * 50, MIXED])
    opened = Corpus.open(run)
    assert opened.summary["documents"] == 2
    assert opened.commands() == []
    (run / "commands.jsonl").write_text('{"do": "label", "place": 0}\nbroken\n{"do": "other"}\n')
    assert [command["do"] for command in opened.commands()] == ["label", "other"]
    (run / "artifacts" / "summary.json").write_text("[1]")
    assert Corpus.open(run).summary == {}


def test_looking_at_a_corpus_brings_neither_torch_nor_sklearn(folder: Path) -> None:
    code = ("import sys\nfrom pathlib import Path\nfrom backends.mdfg.explore.shelf import Shelf\n"
            "from backends.mdfg.explore import queries, reader\n"
            "from backends.mdfg.explore.selection import Selection\n"
            "early = {'numba', 'pyarrow', 'pandas'} & set(sys.modules)\n"
            f"corpus = Shelf().get(Path({str(folder)!r}))\n"
            "queries.page(corpus, Selection()); reader.read(corpus, 0)\n"
            "late = {'torch', 'transformers', 'sklearn', 'gradio'} & set(sys.modules)\n"
            "print(sorted(early), sorted(late))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.split("\n")[0] == "[] []"

"""The tables between the stages: places, columns, joins of texts and attributes, summaries, figures of speed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg import assembly, exports
from backends.mdfg.readers.rows import Row
from backends.mdfg.rules.evaluate import Evaluator, Stopwatch
from backends.mdfg.stage import Done, Stage, Work, warm
from backends.mdfg.tables import TableWriter, attributes_table, documents_table, words_found
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import attributes, filtered, good_text, lines_of, recipe, texts, write_lines
from workbench.contract import Cancelled, UserError

WORDS = WordList("own", ("坏词", "坏", "广告"), ("spam", "spam", "advertising"))


def tables_of(batch: list[str]) -> tuple[pa.Table, pa.Table]:
    made = Evaluator(recipe(), WORDS)
    measured, rows = made.measure(batch), [Row(i, text) for i, text in enumerate(batch, 1)]
    documents = documents_table(rows, measured, made)
    words = words_found(measured.sensitive, len(batch), WORDS.words)
    return documents, attributes_table(rows, documents.column("id"), "a.jsonl", 3, 10, measured.columns, words)


def test_places_belong_to_their_text() -> None:
    batch = ["", "一坏词二坏", "國语", "没有", "广告坏词"]
    documents, table = tables_of(batch)
    assert table.column("sensitive_words").to_pylist() == [[], ["坏词", "坏"], [], [], ["坏词", "坏", "广告"]]
    spans = documents.column("sensitive_spans").to_pylist()
    assert spans[0] == spans[2] == spans[3] == []
    assert sorted(batch[1][a:b] for a, b in zip(spans[1][::2], spans[1][1::2], strict=True)) == ["坏", "坏", "坏词"]
    assert documents.column("traditional_spans").to_pylist() == [[], [], [0, 1], [], []]
    assert table.column("row").to_pylist() == [10, 11, 12, 13, 14]
    assert set(table.column("part").to_pylist()) == {3}


def test_places_of_repetition_are_kept_for_what_the_rule_drops() -> None:
    line = "这一句话要说上两遍才能叫人记住。"
    documents, table = tables_of([line * 6, good_text()])
    spans = documents.column("duplication_spans").to_pylist()
    assert table.column("dup_ratio").to_pylist()[0] > 0.5
    assert spans[0] == [0, 6 * len(line) - 1], "without the last window the last character is not covered"
    assert spans[1] == []


def test_a_batch_without_texts_makes_tables_without_rows() -> None:
    measured = Evaluator(recipe(), WORDS).measure([])
    assert all(len(column) == 0 for column in measured.columns.values())
    assert words_found(measured.sensitive, 0, WORDS.words).to_pylist() == []


def test_a_writer_gives_its_name_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    (tmp_path / ".a.parquet.99999.tmp").write_text("of a process that was killed")
    writer = TableWriter(path)
    assert not list(tmp_path.iterdir()), "what a killed process left is gone"
    writer.add(pa.table({"text": ["a"]}))
    assert not path.exists()
    assert writer.close()
    assert writer.rows == 1
    assert pq.read_table(path)["text"].to_pylist() == ["a"]
    empty = TableWriter(path)
    assert not empty.close(), "nothing was written, so there is nothing"
    assert not path.exists()
    stopped = TableWriter(path)
    stopped.add(pa.table({"text": ["b"]}))
    stopped.abandon()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0.01, 0.05, 8.0])
def test_texts_and_attributes_join_whatever_the_shards(tmp_path: Path, size: float) -> None:
    made = texts(700, seed=12, lines=3)
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in made])
    _, context = filtered(tmp_path / "run", sources=(path,), shard_mb=size, near_duplicates="off")
    work = Work(recipe(), WordList(NONE), str(context.run), "c")
    joined = exports.Tables(work, context.run / "artifacts" / "attributes.parquet")
    seen = {}
    for kept in (True, False):
        for documents, table in joined.batches(kept):
            assert documents.column("id").to_pylist() == table.column("id").to_pylist()
            assert set(table.column("kept").to_pylist()) <= {kept}
            seen.update(zip(table.column("number").to_pylist(), documents.column("text").to_pylist(), strict=True))
    assert [seen[number] for number in sorted(seen)] == made


def test_attributes_do_not_depend_on_the_size_of_shards(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts(400, seed=13)])
    runs = [filtered(tmp_path / f"run{size}", sources=(path,), shard_mb=size)[1] for size in (0.02, 8.0)]
    both = [[{key: value for key, value in row.items() if key not in ("part", "row") and value == value}
             for row in attributes(context)] for context in runs]
    assert both[0] == both[1]


def test_speed_adds_up_over_shards() -> None:
    shards = [Done(0, 10, 0, 100, 2**20, {"read": 1.0, "write": 1.0, "wall": 9.0}),
              Done(1, 30, 0, 100, 2**20, {"read": 3.0, "wall": 9.0})]
    assert assembly.throughput(shards) == {
        "read": {"cpu_seconds": 4.0, "documents_per_second": 10.0, "mb_per_second": 0.5},
        "write": {"cpu_seconds": 1.0, "documents_per_second": 40.0, "mb_per_second": 2.0},
        "all": {"cpu_seconds": 5.0, "documents_per_second": 8.0, "mb_per_second": 0.4}}
    assert assembly.throughput([]) == {}


def test_a_stopwatch_charges_every_stage_once() -> None:
    watch = Stopwatch()
    sum(i * i for i in range(200_000))
    watch.lap("one")
    watch.lap("two")
    watch.start()
    watch.lap("one")
    assert watch.seconds["one"] > 0
    assert watch.seconds["two"] < watch.seconds["one"]


def test_compiling_can_be_cancelled_between_the_loops(tmp_path: Path) -> None:
    calls = []

    def step() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled
    with pytest.raises(Cancelled):
        warm(Work(recipe(), WORDS, str(tmp_path), "c"), step)
    assert len(calls) == 2


def test_a_scorer_that_breaks_its_word_is_named(tmp_path: Path) -> None:
    class Short:
        name, outputs, version = "short", ("a", "b"), "1"

        def score(self, texts: list[str]) -> np.ndarray:
            return np.zeros((len(texts), 1), dtype=np.float32)
    stage = Stage(Work(recipe(), WORDS, str(tmp_path), "c"), [Short()])
    with pytest.raises(UserError, match=r"The scorer short returned scores of shape \(2, 1\); it must be \(2, 2\)"):
        stage.scored(["x", "y"])


def test_all_hostile_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good rows of every file are kept, every bad one has its file and line, and nothing is executed."""
    monkeypatch.chdir(tmp_path)
    folder, good = tmp_path / "in", good_text()
    folder.mkdir()
    line = json.dumps({"text": good}).encode() + b"\n"
    (folder / "binary.jsonl").write_bytes(bytes(range(256)) * 40)
    (folder / "code.jsonl").write_bytes(line + b"__import__('pathlib').Path('hacked').touch()\n" + line)
    (folder / "deep.jsonl").write_bytes(b'{"text":' * 50_000 + b"\n" + line)
    (folder / "empty.csv").write_bytes(b"")
    (folder / "latin.jsonl").write_bytes('{"text": "café"}\n'.encode("latin-1") + line)
    (folder / "script.jsonl").write_bytes(json.dumps({"text": f"<script>alert(1)</script>{good}"}).encode())
    (folder / "utf16.csv").write_bytes("text\nx\n".encode("utf-16"))
    pq.write_table(pa.table({"text": [1.5]}), folder / "wrong.parquet")
    result, context = filtered(tmp_path / "run", sources=(folder,), exports=("jsonl",), near_duplicates="off")
    assert result.documents == 5
    told = [json.loads(x) for x in (context.run / "artifacts" / "problems.jsonl").read_text().splitlines()]
    assert [entry["where"] for entry in told] == [
        "binary.jsonl", "empty.csv", "utf16.csv", "code.jsonl, line 2", "deep.jsonl, line 1", "latin.jsonl, line 1",
        "wrong.parquet"]
    assert all(entry["why"] and "Traceback" not in entry["why"] for entry in told)
    assert result.problems == len(told)
    assert not (tmp_path / "hacked").exists()
    kept = lines_of(context.run / "artifacts" / "kept.jsonl")
    assert any(record["text"].startswith("<script>") for record in kept), "markup is text like any other"


def test_no_more_problems_are_listed_than_anybody_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"nonsense\n" * 3000 + json.dumps({"text": good_text()}).encode())
    result, context = filtered(tmp_path / "run", sources=(path,))
    assert (result.documents, result.problems) == (1, 3000)
    assert len((context.run / "artifacts" / "problems.jsonl").read_text().splitlines()) == 1000

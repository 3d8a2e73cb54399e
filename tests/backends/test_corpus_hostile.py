"""Hostile input, one kind at a time, through the whole task: file and line are named, good rows stay, no code runs.

Every file holds good rows beside the bad one (where its form allows that), and ``beside.jsonl`` lies next to it.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg.filter_task import run
from backends.mdfg.readers import tables
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import plan, read
from backends.mdfg.readers.rows import Problem, Row, row_of
from backends.mdfg.requests import FilterRequest
from tests.backends.corpus_cases import attributes, filtered, good_text, lines_of, problems, write_lines
from workbench.context import MemoryContext
from workbench.contract import UserError

ROOT = Path(__file__).resolve().parents[2]
GOOD = json.dumps({"text": good_text()}).encode()
Put = Callable[[Path], object]


def told(tmp_path: Path, put: Put, **fields: Any) -> tuple[int, list[tuple[str, str]]]:
    """Documents, and (where, why) of everything that could not be read. ``put`` writes into the source's folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    put(folder)
    write_lines(folder / "beside.jsonl", [{"text": good_text(250)}])
    result, context = filtered(tmp_path / "run", sources=(folder,), exports=("jsonl", "ledger"), near_duplicates="off",
                               **fields)
    found = [(entry["where"], entry["why"]) for entry in problems(context)]
    assert result.problems == len(found)
    table = attributes(context)
    assert result.documents == len(table)
    exported = [lines_of(context.run / "artifacts" / name) for name in ("kept.jsonl", "dropped.jsonl")]
    assert sum(map(len, exported)) == result.documents, "every document is written once"
    assert not any("Traceback" in why or "0x7f" in why or len(why) > 400 for _, why in found)
    return result.documents, found


def lines(*bad: bytes) -> Put:
    return lambda folder: (folder / "a.jsonl").write_bytes(b"\n".join((GOOD, *bad, GOOD)) + b"\n")


def file(name: str, data: bytes) -> Put:
    return lambda folder: (folder / name).write_bytes(data)


def parquet(**columns: Any) -> Put:
    return lambda folder: pq.write_table(pa.table(columns), folder / "a.parquet")


# --- files of which nothing can be read


@pytest.mark.parametrize(("name", "data", "why"), [
    ("a.jsonl", b"", "it is empty"),
    ("a.csv", b"", "it is empty"),
    ("a.tsv", b"\n\n \n", "it is empty"),
    ("a.json", b" ", "it is empty"),
    ("a.parquet", b"", "it is empty"),
    ("a.arrow", b"", "it is empty"),
    ("a.csv", b"text,n\n", "it holds no row"),
    ("a.tsv", b"text\tn\r\n\r\n", "it holds no row"),
    ("a.json", b"[]", "it holds no row"),
    ("a.json", b"[\n\n]\n", "it holds no row"),
    ("a.jsonl", bytes(range(256)) * 300, "it is binary or UTF-16 (byte 0 at position 1), not text or Parquet"),
    ("a.jsonl", b"\x7fELF\x02\x01\x01" + bytes(100), "it is a program, not text or Parquet"),
    ("a.jsonl", b"\x28\xb5\x2f\xfd" + bytes(50), "it is a zstd archive, not text or Parquet"),
    ("a.csv", b"BZh91AY&SY", "it is a bzip2 archive, not text or Parquet"),
    ("a.json", b"%PDF-1.7\n", "it is a PDF, not text or Parquet"),
    ("a.jsonl", b"SQLite format 3\0", "it is a database, not text or Parquet"),
    ("a.jsonl", b"\x80\x04\x95\x10\0\0\0cos\nsystem\n(S'touch hacked'\ntR.", "it is a pickle, not text or Parquet"),
    ("a.jsonl", '{"text": "x"}'.encode("utf-16"), "it is binary or UTF-16 (byte 0 at position 4), not text or Parquet"),
    ("a.arrow", b"\x89PNG\r\n", "it is no arrow file, whatever its name says, not text or Parquet"),
    ("a.parquet", b"PAR1" + bytes(64) + b"PAR1", re.compile(r"it is damaged or no Parquet file \(")),
    ("a.parquet", b"PAR1" + b"\xff" * 64 + b"\xff\xff\xff\x7fPAR1", re.compile(r"it is damaged or no Parquet file")),
    ("a.csv", b"text,text\nx,y\n", "its header names the column text 2 times"),
    ("a.csv", b'"a\nb\nc', re.compile("it cannot|a quote that opens|its header names no column text")),
    ("a.json", b'[{"text": "x"}, \n{"text"', re.compile(r"it is not valid JSON \(.*, character \d+\)"))])
def test_a_file_that_cannot_be_read_at_all(tmp_path: Path, name: str, data: bytes, why: str | re.Pattern[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    documents, found = told(tmp_path, file(name, data))
    assert documents == 1, "the file beside it is read all the same"
    assert found, "silence is no answer"
    assert found[0][0].startswith(name)
    assert why.search(found[0][1]) if isinstance(why, re.Pattern) else found[0][1] == why
    assert not (tmp_path / "hacked").exists()


def test_a_table_of_rows_without_any_is_said(tmp_path: Path) -> None:
    empty = {"text": pa.array([], pa.string())}
    assert told(tmp_path, parquet(**empty)) == (1, [("a.parquet", "it holds no row")])


def test_only_empty_files_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n")
    with pytest.raises(UserError, match=r"Nothing can be read. a.csv: it holds no row.") as caught:
        filtered(tmp_path / "run", sources=(tmp_path / "a.csv",))
    assert "Choose other files" in str(caught.value.advice)


# --- lines


CODE = (b"__import__('os').system('touch hacked')", b"print(1)", b"{'text': None, 'x': open('hacked', 'w')}",
        b"exec(\"open('hacked','w')\")", b"!!python/object/apply:os.system ['touch hacked']", b"{}.__class__")


@pytest.mark.parametrize(("line", "why"), [
    *((code, "it is not valid JSON") for code in CODE),
    (b'{"text": "\xff\xfe"}', "it is not UTF-8 text (byte 0xff at position 11)"),
    (b'{"text": "\xed\xa0\x80"}', "it is not UTF-8 text (byte 0xed at position 11)"),
    (b'{"text": "caf\xe9"}', "it is not UTF-8 text (byte 0xe9 at position 14)"),
    (b'{"text": "\\udc00 alone"}', "its text is not valid Unicode (half a surrogate pair at character 1)"),
    (b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}", "it is nested too deeply"),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "it is nested too deeply"),
    (b'{"text": [["x"]]}', "its field text is a list; it must be text"),
    (b'{"text": true}', "its field text is true or false; it must be text"),
    (b'{"text": 1e5}', "its field text is a number; it must be text"),
    (b"null", "it is empty; a document is an object with a text"),
    (b'"just text"', "it is text; a document is an object with a text"),
    (b"{}", "it has no field text or raw_content or content; it has none"),
    (b'{"\\ud800": 1}', "it has no field text or raw_content or content; it has ?"),
    (b'{"text": "x"} {"text": "y"}', "it is not valid JSON (extra data, character 15)"),
    (b'{"text": "tab\there"}', "it is not valid JSON (invalid control character at, character 14)"),
    (b'{"text": ' + b"9" * 6000 + b"}", "it is not valid JSON (Exceeds the limit")])
def test_a_bad_line_is_named_and_its_neighbours_stay(tmp_path: Path, line: bytes, why: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    documents, found = told(tmp_path, lines(line))
    assert documents == 3
    assert [where for where, _ in found] == ["a.jsonl, line 2"]
    assert found[0][1].startswith(why)
    assert not (tmp_path / "hacked").exists()
    assert not (ROOT / "hacked").exists()


@pytest.mark.parametrize("record", [
    {"text": "x", "title": ["a"], "url": {"b": 1}, "source": 7},
    {"text": "<script>alert(1)</script>" * 20},
    {"text": "=cmd|' /C calc'!A0"},
    {"text": "a\u0000b\u0007\u001b[31m\u202e"},
    {"text": "😀\U000e0001\U0010ffff\ufffe\ufeff"},
    {"text": ""}, {"text": "\n" * 5000}, {"text": " "},
    {**{f"c{i}": i for i in range(10_000)}, "text": "among ten thousand fields"},
    {"text": "x", "domain": 5, "toxicity": [], "quality_score": "high"},
    {"text": "x", "domain": {"single_label": 3, "multi_label": [None, {"a": 1}, "law"]}},
    {"text": "x", "toxicity": {"label": "1", "score": 0.5}}, {"text": "x", "toxicity": {"label": 10**300, "score": 1}},
    {"text": "x", "quality_score": 10**400}, {"text": "x", "quality_score": -10**18}])
def test_odd_documents_are_documents(tmp_path: Path, record: dict[str, Any]) -> None:
    assert told(tmp_path, lines(json.dumps(record).encode())) == (4, [])


@pytest.mark.parametrize("line", [
    b'{"text": "x", "quality_score": 1e999}', b'{"text": "x", "quality_score": NaN}',
    b'{"text": "x", "domain": {"single_label": "\\ud800", "multi_label": ["\\udfff"]}}',
    b'{"text": "x", "domain": {"a": -Infinity}, "title": "\\ud800"}',
    b'{"text": "x", "domain": ' + b"[" * 900 + b"]" * 900 + b"}"])
def test_scores_that_cannot_be_used_cost_nothing_else(tmp_path: Path, line: bytes) -> None:
    documents, found = told(tmp_path, lines(line))
    assert (documents, found) == (4, [])
    folder = tmp_path / "run" / "artifacts"
    record = next(r for r in lines_of(folder / "dropped.jsonl") if r["text"] == "x")
    assert "quality_score" not in record
    assert "NaN" not in (folder / "summary.json").read_text()


def test_what_a_record_said_is_taken_over_without_what_json_cannot_hold() -> None:
    given = {"domain": {"a": b"x", 3: datetime.date(2024, 1, 1)}, "toxicity": {"score": decimal.Decimal("0.25")},
             "quality_score": object()}
    row = row_of({"text": "x", **given}, 1)
    assert isinstance(row, Row)
    assert row.given == {"domain": {"a": None, "3": None}, "toxicity": {"score": 0.25}, "quality_score": None}


# --- long lines


def test_a_line_of_a_gigabyte_costs_a_sentence_and_no_memory(tmp_path: Path) -> None:
    """In a process of its own whose peak is asked for; the gigabyte is a hole in the file, read as zeros."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as out:
        out.write(GOOD + b'\n{"text": "' + b"x" * 100_000)
        out.seek(2**30, os.SEEK_CUR)
        out.write(b'"}\n' + GOOD + b"\n")
    code = ("import sys\nfrom pathlib import Path\n"
                "from backends.mdfg.bench_query_sides import peak_mb\n"
            "from tests.backends.corpus_cases import filtered, problems\n"
            "result, context = filtered(Path(sys.argv[1]), sources=(sys.argv[2],), near_duplicates='off')\n"
            "print(result.documents, problems(context)[0]['where'], problems(context)[0]['why'], sep='|')\n"
            "print(peak_mb())")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run"), str(path)], cwd=ROOT, text=True,
                          capture_output=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    head, peak = done.stdout.splitlines()[-2:]
    assert head == "2|a.jsonl, line 2|it has 1,024.1 MB; at most 32 MB are read in one line"
    assert float(peak) < 700, "megabytes"


@pytest.fixture
def small_cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets a test choose the longest cell; the limit of :mod:`csv` is one of the whole process."""
    before = csv.field_size_limit()
    yield lambda most: monkeypatch.setattr(tables, "MOST_CHARACTERS", most)
    csv.field_size_limit(before)


def test_a_long_line_of_a_table_and_a_long_cell(tmp_path: Path, small_cells: Callable[[int], None]) -> None:
    small_cells(50_000)
    data = b"text,n\none,1\n" + b"y" * 60_000 + b',2\nthree,3\n"a\n' + b"z\n" * 40_000 + b"four,4\n"
    (tmp_path / "a.csv").write_bytes(data)
    rows = list(tables.read_table(tmp_path / "a.csv"))
    good = [row for row in rows if isinstance(row, Row)]
    assert [row.text for row in good] == ["one", "three", "four"]
    bad = [row for row in rows if isinstance(row, Problem)]
    assert bad[0] == Problem(3, "it cannot be read as a row of a table (field larger than field limit (50001))")
    assert bad[1].number == 5
    assert {row.why for row in bad[2:]} == {"it has 1 cells and the header 2"}


# --- tables


def test_a_quote_that_is_never_closed_swallows_no_row(tmp_path: Path) -> None:
    documents, found = told(tmp_path, file("a.csv", b'text,n\none,1\n"two,2\nthree,3\nfour,4\n'))
    assert (documents, found) == (4, [("a.csv, line 3", tables.UNCLOSED)])


@pytest.mark.parametrize(("data", "texts"), [
    (b'text,n\na 5" disk,1\n', ['a 5" disk']),
    (b'text,n\n5"" disk,1\nlast"', ['5"" disk']),
    (b'text\n"closed"\n', ["closed"]), (b'text\n"closed"', ["closed"]), (b'text\n"open\nplain', ["plain"]),
    (b'text\n"a\nb"\n"c', ["a\nb"]), (b"text\n''\"''\n", ["''\"''"])])
def test_a_quote_inside_a_cell_opens_nothing(tmp_path: Path, data: bytes, texts: list[str]) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert [row.text for row in tables.read_table(tmp_path / "a.csv") if isinstance(row, Row)] == texts


def test_quotes_that_run_past_the_longest_cell_are_read_behind_once(tmp_path: Path,
                                                                    small_cells: Callable[[int], None]) -> None:
    small_cells(100)
    block = b'"open,1\n' + b"good,2\n" * 30
    (tmp_path / "a.csv").write_bytes(b"text,n\n" + block + b'"x",3\n' + block)
    rows = list(tables.read_table(tmp_path / "a.csv"))
    assert [row.number for row in rows if isinstance(row, Problem)] == [2, 34]
    assert [row.number for row in rows if isinstance(row, Row)] == [n for n in range(3, 65) if n != 34]


@pytest.mark.parametrize(("data", "documents", "found"), [
    (b"text,n\rone,1\r", 1, [("a.csv, line 1", "a carriage return stands inside it; lines must end in LF or CRLF")]),
    (b"text,n\r\none,1\r\n", 2, []),
    (b"\xef\xbb\xbftext,n\none,1\n", 2, []),
    (b"TEXT,n\none,1\n", 2, []),
    (b" text ,n\none,1\n", 2, []),
    (b"text,n\none\n,,,\n", 1, [("a.csv, line 2", "it has 1 cells and the header 2")]),
    (b"text,n\n\xff\xfe,1\ntwo,2\n", 2, [("a.csv, line 2", "it is not UTF-8 text (character 1 of a cell)")]),
    (b"n,text\n\xff,one\n", 2, []),
    (b'text\n"=HYPERLINK(""http://x"")"\n', 2, []),
    (b"text,quality_score\none,high\ntwo,1e999\n", 3, [])])
def test_tables_as_they_come(tmp_path: Path, data: bytes, documents: int, found: list[tuple[str, str]]) -> None:
    counted, said = told(tmp_path, file("a.csv", data))
    assert counted == documents
    assert said[:len(found)] == found
    assert bool(said) == bool(found) or documents == 1


def test_a_table_of_ten_thousand_columns_in_every_form(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(9_999)]

    def put(folder: Path) -> None:
        head, cells = [*names, "text"], ["1"] * 9_999
        (folder / "a.csv").write_text(",".join(head) + "\n" + ",".join([*cells, "one"]) + "\nshort\n")
        (folder / "b.tsv").write_text("\t".join(head) + "\n" + "\t".join([*cells, "two"]) + "\n")
        pq.write_table(pa.table({**{name: [1] for name in names}, "text": ["three"]}), folder / "c.parquet")
        pq.write_table(pa.table({name: [1] for name in names}), folder / "d.parquet")
        write_lines(folder / "e.jsonl", [dict.fromkeys(names, 1)])
    documents, found = told(tmp_path, put)
    assert documents == 4
    listed = "it has c0, c1, c2, c3, c4, c5, c6, c7 and 9,991 more"
    assert dict(found) == {
        "a.csv, line 3": "it has 1 cells and the header 10,000", "d.parquet": f"it has no column text; {listed}",
        "e.jsonl, line 1": f"it has no field text or raw_content or content; {listed}"}


# --- Parquet and Arrow


@pytest.mark.parametrize(("column", "kind"), [
    (pa.array([1, 2]), "int64"), (pa.array([1.5, None]), "double"), (pa.array([b"a", b"b"]), "binary"),
    (pa.array([True, False]), "bool"), (pa.array([["a"], ["b"]]), "list<"), (pa.array([{"a": 1}] * 2), "struct<"),
    (pa.array([datetime.date(2024, 1, 1)] * 2), "date32"), (pa.array([None, None]), "null"),
    (pa.array([decimal.Decimal("1.0")] * 2), "decimal128"), (pa.array([1, 2]).dictionary_encode(), "int64")])
def test_a_text_of_another_type(tmp_path: Path, column: pa.Array, kind: str) -> None:
    documents, found = told(tmp_path, parquet(text=column, n=pa.array([1, 2])))
    assert documents == 1
    assert len(found) == 1
    assert found[0][0] == "a.parquet"
    assert re.fullmatch(rf"its column text holds {re.escape(kind)}.*; it must hold text \(string\)", found[0][1], re.S)


@pytest.mark.parametrize("column", [
    pa.array([b"\xff", None]), pa.array([datetime.datetime(2024, 1, 1)] * 2), pa.array([decimal.Decimal("0.5")] * 2),
    pa.array([["a", None], []]), pa.array([{"single_label": b"x"}] * 2), pa.array([float("inf"), float("nan")]),
    pa.array([1, 2]), pa.array([True, None]), pa.array(["x", "y"]).dictionary_encode()])
@pytest.mark.parametrize("name", ["domain", "quality_score", "title", "source"])
def test_other_columns_of_any_type_are_no_hindrance(tmp_path: Path, column: pa.Array, name: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["one", "two"], name: column, "toxicity": column}), path)
    rows = [row for shard in plan(files_of(path)).shards for row in read(shard)]
    assert [row.text for row in rows if isinstance(row, Row)] == ["one", "two"]
    assert json.dumps([row.given for row in rows if isinstance(row, Row)]), "what was given is plain"


def test_odd_types_go_through_the_whole_task(tmp_path: Path) -> None:
    put = parquet(text=[good_text(), "x"], toxicity=[datetime.datetime(2024, 1, 1)] * 2, domain=[b"\xff"] * 2,
                  quality_score=[decimal.Decimal("1.5")] * 2, title=[[1], []], url=[datetime.date(2024, 1, 1)] * 2)
    assert told(tmp_path, put) == (3, [])
    kept = lines_of(tmp_path / "run" / "artifacts" / "kept.jsonl")
    assert {record.get("quality_score") for record in kept} == {1.5, None}


def test_columns_of_one_name(tmp_path: Path) -> None:
    both = [pa.array(["a"]), pa.array(["b"])]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([*both, *both], names=["text", "text", "url", "url"]), path)
    rows = [row for shard in plan(files_of(path)).shards for row in read(shard)]
    assert rows == [Problem(0, "it has 2 columns named text")]
    pq.write_table(pa.table([both[0], *both], names=["text", "url", "url"]), path)
    assert [row for shard in plan(files_of(path)).shards for row in read(shard)] == [Row(1, "a")]


def test_strings_that_are_no_utf8_are_named_by_row(tmp_path: Path) -> None:
    raw = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    documents, found = told(tmp_path, parquet(text=raw))
    assert documents == 3
    assert [where for where, _ in found] == ["a.parquet, row 2"]
    assert found[0][1].startswith("it is not UTF-8 text")


def test_a_parquet_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"text": ["x" * 100] * 1000}), path)
    for size in (5, 100, path.stat().st_size - 1):
        (tmp_path / str(size)).mkdir()
        documents, found = told(tmp_path / str(size), file("a.parquet", path.read_bytes()[:size]))
        assert documents == 1
        assert found[0][0] == "a.parquet"
        assert "damaged or no Parquet file" in found[0][1]


def test_an_arrow_file_cut_short_keeps_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    schema = pa.schema([("text", pa.string())])
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, schema) as writer:
        for i in range(5):
            writer.write_batch(pa.record_batch([pa.array([f"{i}" * 200])], schema=schema))
    data = path.read_bytes()
    documents, found = told(tmp_path, file("a.arrow", data[:len(data) * 3 // 4]))
    assert 2 <= documents < 6
    assert found[0][0] == "a.arrow"
    assert "damaged or no Arrow file" in found[0][1]


# --- names, links, what changes meanwhile


def test_names_of_files_are_only_names(tmp_path: Path) -> None:
    def put(folder: Path) -> None:
        (folder / "<script>alert(1)<").mkdir()
        write_lines(folder / "<script>alert(1)<" / "a.jsonl", [{"text": good_text()}])
        write_lines(folder / "new\nline'; DROP TABLE.jsonl", [{"text": good_text()}])
        Path(os.fsdecode(os.fsencode(folder) + b"/b\xff.jsonl")).write_bytes(GOOD + b"\nbad\n")
    documents, found = told(tmp_path, put)
    assert documents == 4
    assert found[0][0] == "b?.jsonl, line 2"


def test_links_pipes_and_hidden_files_are_not_followed(tmp_path: Path) -> None:
    outside = write_lines(tmp_path / "outside.jsonl", [{"text": "secret"}])

    def put(folder: Path) -> None:
        (folder / "loop").symlink_to(folder)
        (folder / "gone.jsonl").symlink_to(tmp_path / "nowhere")
        os.mkfifo(folder / "pipe.jsonl")
        (folder / ".git").mkdir()
        write_lines(folder / ".git" / "a.jsonl", [{"text": "hidden"}])
        write_lines(folder / "__pycache__.jsonl", [{"text": "cache"}])
    assert told(tmp_path, put) == (1, [])
    assert outside.is_file()


def test_a_file_that_goes_away_between_looking_and_reading(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "a.jsonl", [{"text": "a"}])
    made = plan(files_of(one))
    one.unlink()
    rows = list(read(made.shards[0]))
    assert rows == [Problem(0, "it cannot be read any more (No such file or directory)")]


def test_a_folder_of_nothing_but_bad_files_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b"")
    (tmp_path / "in" / "b.jsonl").write_bytes(bytes(100))
    with pytest.raises(UserError, match=r"Nothing can be read\. a\.jsonl: it is empty\."):
        filtered(tmp_path / "run", sources=(tmp_path / "in",))


def test_hostile_recipes_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text()}])
    head = "name: x\nlanguage: zh\n"
    for text in ("!!python/object/apply:os.system ['touch hacked']\n",
                 f"{head}rules: !!python/object/new:os.system ['touch hacked']\n",
                 f"{head}rules:\n  - {{rule: a, column: 'n_chars\" or 1=1; drop table', drop_if: '<', limit: 1}}\n",
                 "a: &a ['x', 'x']\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(40))):
        with pytest.raises(UserError):
            run(FilterRequest(sources=(f"path:{path}",), recipe=text), MemoryContext(tmp_path / "run"))
    assert not (tmp_path / "hacked").exists()


def test_this_process_has_not_grown(tmp_path: Path) -> None:
    """Reading a folder of many bad files holds none of them."""
    for i in range(40):
        (tmp_path / f"{i}.jsonl").write_bytes(b"[" * 400_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = plan(files_of(tmp_path))
    found = [row for shard in made.shards for row in read(shard)]
    assert len(found) + len(made.unread) == 40
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "kilobytes"

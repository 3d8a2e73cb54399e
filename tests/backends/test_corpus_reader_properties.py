"""Readers under any input: what is written comes back, shards never change what is read, garbage never escapes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backends.mdfg.readers.files import Source, files_of, format_of
from backends.mdfg.readers.jsonl import bounded, read_lines
from backends.mdfg.readers.plan import Shard, plan, read
from backends.mdfg.readers.rows import GIVEN, Problem, Read, Row, row_of, text_name, wrong_text
from backends.mdfg.readers.tables import read_table
from tests.backends.corpus_cases import texts, write_lines
from workbench.contract import UserError

ANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=20)


def everything(path: Path, **options: Any) -> list[Read]:
    return [row for shard in plan(files_of(path), **options).shards for row in read(shard)]


# --- what is written comes back


@ANY
@given(st.lists(TEXT, min_size=1, max_size=8), st.integers(1, 200))
def test_json_lines_come_back_whatever_the_shards(tmp_path: Path, made: list[str], size: int) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in made])
    rows = everything(path, size=size)
    assert rows == [Row(number, text) for number, text in enumerate(made, 1)]
    array = tmp_path / "b.json"
    array.write_bytes(orjson.dumps([{"text": text} for text in made], option=orjson.OPT_INDENT_2))
    assert everything(array) == rows


@ANY
@given(st.lists(CELL.filter(str.strip), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
@example(['a"b', ',"', "x\ny", '""'], "\n")
def test_a_table_comes_back(tmp_path: Path, made: list[str], end: str) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator=end).writerows([["n", "text"], *([i, text] for i, text in enumerate(made))])
    rows = everything(path)
    assert [row.text for row in rows if isinstance(row, Row)] == made
    numbers = [row.number for row in rows]
    assert numbers == sorted(numbers)
    data = path.read_bytes().split(b"\n")
    assert all(data[row.number - 1].startswith(f"{i},".encode()) for i, row in enumerate(rows)), "the line is named"


@ANY
@given(st.lists(CELL.filter(lambda text: not set(text) & set("\t\n")), min_size=1, max_size=8))
def test_quotes_are_ordinary_in_a_tab_separated_table(tmp_path: Path, made: list[str]) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("n\ttext\n" + "".join(f"1\t{text}\n" for text in made), encoding="utf-8", newline="")
    assert [row.text for row in everything(path) if isinstance(row, Row)] == made


@ANY
@given(st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 400))
def test_parquet_comes_back_with_its_gaps(tmp_path: Path, made: list[str | None], group: int, size: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array(made, pa.string())}), path, row_group_size=group)
    rows = everything(path, size=size)
    assert [row.number for row in rows] == list(range(1, len(made) + 1))
    assert [row.text if isinstance(row, Row) else None for row in rows] == made


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(),
                                                                                               pa.string())])
@pytest.mark.parametrize("form", ["stream", "file", "parquet"])
def test_every_kind_of_string_is_text(tmp_path: Path, kind: pa.DataType, form: str) -> None:
    column = pa.array(["one", None, "three"]).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(
        ["one", None, "three"], kind)
    table = pa.table({"content": column, "other": [1, 2, 3]})
    path = tmp_path / ("a.parquet" if form == "parquet" else "a.arrow")
    if form == "parquet":
        pq.write_table(table, path)
    else:
        make = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as out, make(out, table.schema) as writer:
            writer.write_table(table)
    rows = everything(path)
    assert [row.text for row in rows if isinstance(row, Row)] == ["one", "three"]
    assert [row.number for row in rows if isinstance(row, Problem)] == [2]


# --- limits, numbers, shards


@ANY
@given(st.lists(st.sampled_from([b'{"text":"x"}', b"bad", b"", b"  "]), max_size=20), st.integers(1, 60),
       st.integers(0, 25))
def test_a_limit_takes_the_first_rows_and_counts_bad_ones(tmp_path: Path, made: list[bytes], size: int,
                                                          limit: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([b'{"text":"first"}', *made]))
    whole, part = everything(path, size=size), everything(path, size=size, limit=limit)
    assert part == (whole[:limit] if limit else whole)
    numbers = [i for i, line in enumerate([b"x", *made], 1) if line.strip()]
    assert [row.number for row in whole] == numbers, "blank lines count as lines and are no rows"


def test_a_limit_over_several_files_and_forms(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [{"text": f"a{i}"} for i in range(5)])
    pq.write_table(pa.table({"text": [f"b{i}" for i in range(5)]}), tmp_path / "b.parquet", row_group_size=2)
    (tmp_path / "c.csv").write_text("text\n" + "".join(f"c{i}\n" for i in range(5)))
    every = [row.text for row in everything(tmp_path)]
    assert every == [f"{name}{i}" for name in "abc" for i in range(5)]
    for limit in (1, 5, 6, 8, 14, 15, 99):
        made = plan(files_of(tmp_path), size=1, limit=limit)
        assert [row.text for shard in made.shards for row in read(shard)] == every[:limit]
        assert [shard.index for shard in made.shards] == list(range(len(made.shards)))


def test_a_shard_says_what_its_numbers_count() -> None:
    units = {form: Shard(0, "a", "a", form).unit for form in ("jsonl", "csv", "tsv", "array", "parquet", "arrow")}
    assert units == {"jsonl": "line", "csv": "line", "tsv": "line", "array": "row", "parquet": "row", "arrow": "row"}


def test_the_sizes_of_shards_add_up(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts(50)])
    for size in (1, 1000, 10**9):
        made = plan(files_of(path), size=size)
        assert made.bytes == path.stat().st_size
        assert all(shard.bytes >= size for shard in made.shards[:-1])
        assert made.hash == plan(files_of(path), size=size).hash
    assert plan(files_of(path), size=1).hash != plan(files_of(path), size=2).hash


@ANY
@given(st.lists(st.integers(0, 12), max_size=10), st.integers(1, 8), st.booleans())
def test_lines_within_bounds(tmp_path: Path, sizes: list[int], longest: int, ends: bool) -> None:
    path = tmp_path / "a.bin"
    wanted = [b"x" * size for size in sizes]
    path.write_bytes(b"\n".join(wanted) + (b"\n" if ends and wanted else b""))
    with path.open("rb") as file:
        found = list(bounded(file, -1, longest=longest))
    if wanted and not ends and not wanted[-1]:
        wanted = wanted[:-1]
    assert [number for number, _, _ in found] == list(range(1, len(wanted) + 1))
    for (_, line, size), line_wanted in zip(found, wanted, strict=True):
        assert size in (len(line_wanted), len(line_wanted) + 1)
        assert line is None if len(line_wanted) > longest else line.rstrip(b"\n") == line_wanted


# --- garbage


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.csv", "a.tsv", "a.json", "a.parquet", "a.arrow", "a"]))
@example(b'"' * 7, "a.csv")
@example(b"PAR1", "a.parquet")
@example(b"ARROW1\0\0", "a.arrow")
@example(b"\xff\xff\xff\xff\0\0\0\0", "a.arrow")
@example(b"{", "a.json")
@example(b"[", "a.json")
@example(b"text\n\"", "a.csv")
def test_any_bytes_are_rows_or_sentences(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    made = plan([Source(path, name)])
    for why in (*(why for _, why in made.unread),
                *(row.why for shard in made.shards for row in read(shard) if isinstance(row, Problem))):
        assert why[0].islower()
        assert "\n" not in why
        assert len(why) < 400


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120))
def test_any_bytes_as_cells(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,n\n" + data)
    numbers = [row.number for row in read_table(path)]
    assert all(2 <= number <= 2 + data.count(b"\n") for number in numbers)
    assert len(set(numbers)) == len(numbers), "a line is told about once"


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(JSON, st.dictionaries(st.sampled_from(["text", "title", "url", "source", *GIVEN]), JSON, max_size=6))
def test_any_json_is_a_row_or_a_problem(value: Any, record: dict[str, Any]) -> None:
    for made in (value, record):
        found = row_of(made, 3)
        assert found.number == 3
        if isinstance(found, Row):
            assert found.text == made["text"]
            assert all(isinstance(x, str) for x in (found.title, found.url, found.site))
            assert all(key in made for key in found.given or {} if key != "quality_score")
            "".join(found[1:5]).encode()
            json.dumps(found.given)


@ANY
@given(JSON)
def test_any_json_on_a_line(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(value) + "\n" + json.dumps({"text": "x", "domain": value}) + "\n")
    found = list(read_lines(path, 0, path.stat().st_size, 1))
    assert [row.number for row in found] == [1, 2]
    assert isinstance(found[1], Row)


# --- which field, which format


@pytest.mark.parametrize(("names", "found"), [
    (["text", "content"], "text"), (["content", "raw_content"], "raw_content"), (["Body"], "Body"), (["TEXT"], "TEXT"),
    (["DOCUMENT", "body"], "DOCUMENT"), (["texts"], ""), ([], ""), ([None, 3], "")])
def test_the_field_of_the_text(names: list[Any], found: str) -> None:
    assert text_name(names) == found


def test_a_field_of_ones_own() -> None:
    record = {"text": "a", "story": "b"}
    assert row_of(record, 1, "story") == Row(1, "b")
    assert row_of(record, 1, "Story") == Problem(1, "it has no field Story; it has text, story")
    assert wrong_text(None, "story") == "its field story is empty; it must be text"
    assert wrong_text("", "story") == ""


@pytest.mark.parametrize(("name", "data", "form"), [
    ("a.jsonl", b'{"text": "x"}\n', "jsonl"), ("a.ndjson", b'{"a": 1}\n', "jsonl"), ("a.json", b'{"a":1}', "jsonl"),
    ("a.json", b"[1]", "array"), ("a.json", b"[\n1]", "array"), ("a.json", b'{\n"text": "x"}', "array"),
    ("a.jsonl", b'["a"]\n["b"]\n', "jsonl"), ("a.csv", b"[x],y\n", "csv"), ("a.tsv", b"x,y\n", "tsv"),
    ("a", b"x\ty,z\n", "tsv"), ("a.txt", b"x,y\n", "csv"), ("a.txt", b"\xef\xbb\xbf{}", "jsonl"),
    ("a.csv", b"PAR1....", "parquet"), ("a.jsonl", b"ARROW1\0\0", "arrow")])
def test_the_format_is_told_by_bytes_first(tmp_path: Path, name: str, data: bytes, form: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert format_of(tmp_path / name) == form


def test_a_json_file_of_one_object_over_many_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"text": "春天", "n": [1, 2]}, indent=2))
    assert everything(path) == [Row(1, "春天")]
    path.write_text(json.dumps({"n": 1}, indent=2))
    assert everything(path) == [Problem(1, "it has no field text or raw_content or content; it has n")]


def test_the_paths_in_reports_are_those_inside_the_source(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_lines(tmp_path / "deep" / "er" / "a.jsonl", [{"text": "x"}])
    assert [source.name for source in files_of(tmp_path)] == ["deep/er/a.jsonl"]
    assert [source.name for source in files_of(tmp_path / "deep" / "er" / "a.jsonl")] == ["a.jsonl"]


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.mdfg.readers import files

    monkeypatch.setattr(files, "MOST_FILES", 2)
    for i in range(3):
        (tmp_path / f"{i}.csv").touch()
    with pytest.raises(UserError, match="holds 3 files; at most 2 are read"):
        files_of(tmp_path)


@pytest.mark.parametrize(("listing", "found"), [
    ("{", ["a.jsonl"]), ("[]", ["a.jsonl"]), ('{"_data_files": 3}', ["a.jsonl"]), ('{"_data_files": []}', None),
    ('{"_data_files": [3, {"x": 1}, {"filename": "no.arrow"}]}', None),
    ('{"_data_files": [{"filename": "sub/../a.jsonl"}]}', ["a.jsonl"])])
def test_the_listing_of_a_saved_data_set_may_be_damaged(tmp_path: Path, listing: str, found: list[str] | None) -> None:
    (tmp_path / "state.json").write_text(listing)
    write_lines(tmp_path / "a.jsonl", [{"text": "x"}])
    if found is None:
        with pytest.raises(UserError, match="holds no data file"):
            files_of(tmp_path)
    else:
        assert [source.name for source in files_of(tmp_path)] == found

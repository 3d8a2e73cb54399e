"""Readers: every form gives the same rows, shards cover a file exactly, hostile files cost a sentence and not a run."""

from __future__ import annotations

import csv
import resource
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.readers import jsonl
from backends.mdfg.readers.files import files_of, format_of
from backends.mdfg.readers.plan import Plan, line_ranges, plan, read
from backends.mdfg.readers.rows import Problem, Row, row_of
from tests.backends.corpus_cases import texts, write_lines
from workbench.contract import MissingResource

RECORD = {"text": "文本", "domain": {"single_label": "news", "multi_label": ["news"]},
          "toxicity": {"label": 0, "score": 0.1}, "quality_score": 0.5}


def everything(path: Path, **options: int | str) -> tuple[list[Row], list[Problem], Plan]:
    made = plan(files_of(path), **options)  # type: ignore[arg-type]
    found = [row for shard in made.shards for row in read(shard)]
    return ([r for r in found if isinstance(r, Row)], [r for r in found if isinstance(r, Problem)], made)


def why(path: Path, **options: int | str) -> str:
    """The one sentence about a file of which nothing can be read."""
    good, bad, made = everything(path, **options)
    assert not good
    reasons = [*made.unread, *((path.name, problem.why) for problem in bad)]
    assert len(reasons) == 1, reasons
    return reasons[0][1]


def save(path: Path, made: list[str], form: str) -> Path:
    """The same texts in every form."""
    table = pa.table({"url": [f"u{i}" for i in range(len(made))], "text": made})
    if form == "jsonl":
        return write_lines(path / "a.jsonl", table.to_pylist())
    if form == "array":
        target = path / "a.json"
        target.write_bytes(orjson.dumps(table.to_pylist(), option=orjson.OPT_INDENT_2))
    elif form in ("csv", "tsv"):
        target = path / f"a.{form}"
        with target.open("w", encoding="utf-8", newline="") as file:
            if form == "tsv":
                file.write("url\ttext\n" + "".join(f"u{i}\t{text}\n" for i, text in enumerate(made)))
            else:
                csv.writer(file).writerows([["url", "text"], *zip(table["url"].to_pylist(), made, strict=True)])
    elif form == "parquet":
        target = path / "a.parquet"
        pq.write_table(table, target, row_group_size=7, compression="zstd")
    else:
        import datasets

        target = path / "saved"
        datasets.Dataset(table).save_to_disk(target, num_shards=2)
    return target


@pytest.mark.parametrize("form", ["jsonl", "array", "csv", "tsv", "parquet", "datasets"])
def test_every_form_gives_the_same_texts(form: str, tmp_path: Path) -> None:
    made = [text for text in texts(60, lines=3) if form != "tsv" or not set(text) & set("\n\r\t")]
    made = [text.replace("\x1f", "") for text in made if text]
    good, bad, found = everything(save(tmp_path, made, form), size=5000)
    assert not bad
    assert not found.unread
    assert [row.text for row in good] == made
    assert [row.url for row in good] == [f"u{i}" for i in range(len(made))]
    if form in ("jsonl", "parquet"):
        assert len(found.shards) > 2
    if form in ("csv", "jsonl"):
        assert good[0].number == (2 if form == "csv" else 1)
    limited = everything(tmp_path / (found.shards[0].name if form != "datasets" else "saved"), size=5000, limit=17)
    assert [row.text for row in limited[0]] == made[:17]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 60), st.booleans())
def test_byte_ranges_cover_a_file_once_and_know_their_lines(tmp_path_factory: pytest.TempPathFactory,
                                                            sizes: list[int], size: int, ends: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "ranges.bin"
    path.write_bytes(b"".join(b"x" * n + b"\n" for n in sizes) + (b"" if ends else b"tail"))
    ranges = list(line_ranges(path, size))
    data, place = path.read_bytes(), 0
    for begin, end, first in ranges:
        assert begin == place < end
        assert first == data[:begin].count(b"\n") + 1
        assert begin == 0 or data[begin - 1:begin] == b"\n"
        place = end
    assert place == len(data)


def test_a_folder_gives_its_files_by_name_and_says_which_it_cannot_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "b.jsonl", [{"text": "b"}])
    (tmp_path / "sub").mkdir()
    write_lines(tmp_path / "sub" / "a.jsonl", [{"text": "a"}])
    (tmp_path / "empty.jsonl").write_bytes(b"\n \n")
    (tmp_path / "note.md").write_text("not data")
    (tmp_path / ".hidden.jsonl").write_text("{}")
    good, bad, made = everything(tmp_path)
    assert [row.text for row in good] == ["b", "a"]
    assert [shard.name for shard in made.shards] == ["b.jsonl", "sub/a.jsonl"]
    assert made.unread == (("empty.jsonl", "it is empty"),)
    assert not bad


def test_a_folder_of_splits_gives_all_of_them(tmp_path: Path) -> None:
    import datasets

    both = datasets.DatasetDict({name: datasets.Dataset.from_dict({"text": [name]}) for name in ("train", "test")})
    both.save_to_disk(tmp_path / "d")
    good, _, made = everything(tmp_path / "d")
    assert sorted(row.text for row in good) == ["test", "train"]
    assert all(shard.format == "arrow" for shard in made.shards)


def test_the_plan_changes_with_the_files_only(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": "a"}])
    one = plan(files_of(path))
    assert plan(files_of(path)).hash == one.hash
    assert plan(files_of(path), text_field="x").hash != one.hash
    write_lines(path, [{"text": "ab"}])
    assert plan(files_of(path)).hash != one.hash


@pytest.mark.parametrize(("name", "data", "message"), [
    ("a.jsonl", b"", "it is empty"),
    ("a.csv", b"  \n\n", "it is empty"),
    ("a.jsonl", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary or UTF-16 \\(byte 0 at position 9\\)"),
    ("a.jsonl", b"PK\x03\x04abc", "zip archive"),
    ("a.jsonl", b"\x1f\x8b\x08\x00", "gzip archive"),
    ("a.jsonl", b"\x80\x04\x95abc", "a pickle"),
    ("a.parquet", b"not parquet", "no parquet file, whatever its name says"),
    ("a.parquet", b"PAR1 broken PAR1", "damaged or no Parquet file"),
    ("a.arrow", b"ARROW1 broken", "damaged or no Arrow file"),
    ("a.csv", b"a,b\n1,2\n", "its header names no column text; it names a, b"),
    ("a.dat", b"just words\n", "neither JSON lines nor a table"),
    ("a.json", b"[\n{\"text\": \"x\"},\n", "not valid JSON")])
def test_a_file_that_cannot_be_read_says_what_it_is(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    import re

    (tmp_path / name).write_bytes(data)
    assert re.search(message, why(tmp_path / name))


HOSTILE = [
    (b'{"text": "good"}', ""),
    (b"__import__('os').system('touch hacked')", "not valid JSON"),
    (b"{'text': open('hacked', 'w').write('x')}", "not valid JSON"),
    (b'{"text": "bad \xff"}', "not UTF-8 text \\(byte 0xff at position 15\\)"),
    (b'{"text": "half \\ud800"}', "half a surrogate pair at character 6"),
    (b'{"text": ' + b"[" * 100_000, "nested too deeply"),
    (b'{"text": {"a": 1}}', "its field text is a table; it must be text"),
    (b'{"text": null}', "its field text is empty"),
    (b'["a"]', "it is a list; a document is an object"),
    (b"17", "it is a number"),
    (b'{"title": "no text"}', "it has no field text or raw_content or content; it has title"),
    (b'{"text": "<script>alert(1)</script>", "score": NaN}', ""),
    (b'{"text": "cut', "not valid JSON"),
    (b"\0\0\0", "not valid JSON"),
    (b'{"n": ' + b"9" * 10_000 + b', "text": "number"}', "(?:^$|not valid JSON)"),
    (b'{"raw_content": "ccnet", "title": 3}', "")]


def test_bad_lines_are_named_good_ones_kept_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.txt"
    path.write_bytes(b"\n".join(line for line, _ in HOSTILE))
    found = {row.number: row for row in jsonl.read_lines(path, 0, path.stat().st_size, 1)}
    assert sorted(found) == list(range(1, len(HOSTILE) + 1))
    for number, (line, message) in enumerate(HOSTILE, 1):
        row = found[number]
        told = row.why if isinstance(row, Problem) else ""
        assert re.search(message, told) if message else told == "", (line[:40], told)
    assert not (tmp_path / "hacked").exists()
    assert found[12].text == "<script>alert(1)</script>"


def test_a_line_of_any_size_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "first"}\n{"text": "')
        for _ in range(64):
            file.write(b"x" * 2**20)
        file.write(b'"}\n{"text": "last"}\n')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = list(jsonl.read_lines(path, 0, path.stat().st_size, 1, longest=1 << 20))
    assert [type(row).__name__ for row in found] == ["Row", "Problem", "Row"]
    assert found[1] == Problem(2, "it has 64.0 MB; at most 1 MB are read in one line")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "kilobytes"


def test_a_text_of_five_million_characters_is_the_longest() -> None:
    assert isinstance(row_of({"text": "x" * 5_000_000}, 1), Row)
    found = row_of({"text": "x" * 5_000_001}, 1)
    assert isinstance(found, Problem)
    assert "5,000,001 characters; at most 5,000,000" in found.why


def test_a_table_with_ten_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(9_999)]
    with (tmp_path / "wide.csv").open("w") as file:
        file.write(",".join([*names, "text"]) + "\n" + ",".join(["1"] * 9_999 + ["good"]) + "\n1,2\n")
    good, bad, _ = everything(tmp_path / "wide.csv")
    assert [row.text for row in good] == ["good"]
    assert bad == [Problem(3, "it has 2 cells and the header 10,000")]
    (tmp_path / "wide.csv").write_text(",".join(names) + "\n1\n")
    assert why(tmp_path / "wide.csv").endswith("it names c0, c1, c2, c3, c4, c5, c6, c7 and 9,991 more")
    pq.write_table(pa.table({**{name: [1] for name in names[:2000]}, "text": ["good"]}), tmp_path / "wide.parquet")
    assert [row.text for row in everything(tmp_path / "wide.parquet")[0]] == ["good"]


def test_a_table_with_broken_cells_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,n\n"two\nlines",1\nbad \xff,2\n"quoted ""x""",3\nonly one\n\n' + "好".encode() + b",4\n")
    good, bad, _ = everything(path)
    assert [(row.number, row.text) for row in good] == [(2, "two\nlines"), (5, 'quoted "x"'), (8, "好")]
    assert bad == [Problem(4, "it is not UTF-8 text (character 5 of a cell)"),
                   Problem(6, "it has 1 cells and the header 2")]


@pytest.mark.parametrize(("column", "message"), [
    (pa.array([1, 2]), "its column text holds int64; it must hold text"),
    (pa.array([b"a", b"b"]), "holds binary"), (pa.array([["a"], ["b"]]), "holds list<")])
def test_parquet_with_a_wrong_type(tmp_path: Path, column: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert message in why(tmp_path / "a.parquet")


def test_parquet_with_gaps_other_names_and_dictionaries(tmp_path: Path) -> None:
    column = pa.array(["a", None, "c"]).dictionary_encode()
    pq.write_table(pa.table({"Content": column, "text2": ["x"] * 3}), tmp_path / "a.parquet")
    good, bad, _ = everything(tmp_path / "a.parquet")
    assert [row.text for row in good] == ["a", "c"]
    assert bad == [Problem(2, "its field Content is empty; it must be text")]
    assert [row.text for row in everything(tmp_path / "a.parquet", text_field="text2")[0]] == ["x"] * 3
    assert "no column nothing" in why(tmp_path / "a.parquet", text_field="nothing")


def test_a_parquet_file_that_breaks_in_the_middle_keeps_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i} " + "x" * 50 for i in range(4000)]}), path, row_group_size=1000,
                   compression="zstd")
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    data[middle:middle + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))
    good, bad, _ = everything(path, size=1)
    assert [row.number for row in good] == [*range(1, 2001), *range(3001, 4001)]
    assert len(bad) == 1
    assert "damaged" in bad[0].why


def test_records_of_chinesewebtext_keep_what_they_say() -> None:
    row = row_of(RECORD, 1)
    assert isinstance(row, Row)
    assert row.given == {key: RECORD[key] for key in ("domain", "toxicity", "quality_score")}
    old = row_of({"text": "x", "score": 0.9, "title": "t", "url": "u", "source_domain": "d"}, 1)
    assert old == Row(1, "x", "t", "u", "d", {"quality_score": 0.9})
    assert row_of({"Text": "x", "title": "\ud800"}, 1) == Row(1, "x", "?")


def test_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="There is no file or folder gone"):
        files_of(tmp_path / "gone")
    with pytest.raises(MissingResource, match="holds no data file"):
        files_of(tmp_path)
    made = plan([])
    assert made.shards == ()
    assert made.bytes == 0


def test_a_saved_data_set_cannot_point_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "secret.arrow").write_bytes(b"ARROW1")
    (tmp_path / "d" / "state.json").write_bytes(orjson.dumps({"_data_files": [{"filename": "../secret.arrow"}]}))
    with pytest.raises(MissingResource):
        files_of(tmp_path / "d")


def test_a_byte_order_mark_and_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + orjson.dumps({"text": "x"}))
    assert [row.text for row in everything(path)[0]] == ["x"]
    for name, data, form in [("b", b'{"text": 1}', "jsonl"), ("c.json", b'[{"text": "a"}]', "array"),
                             ("d", b"text\tlabel\n", "tsv"), ("e", b"text,label\n", "csv")]:
        (tmp_path / name).write_bytes(data)
        assert format_of(tmp_path / name) == form

"""Files of people: a clear sentence for everything odd, and nothing lost."""

from __future__ import annotations

import pytest

from backends.common.mt import reading
from backends.common.mt.reading import read_table, sniff
from tests.backends.mt_cases import jsonl, workbook
from workbench.contract import UserError


def lines(data: bytes, name: str = "a.txt") -> tuple[str, ...]:
    return read_table(name, data).columns["text"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one\ntwo\n", ("one", "two")),
        (b"one\ntwo", ("one", "two")),
        (b"one\n\ntwo\n", ("one", "", "two")),
        (b"one\n\n", ("one", "")),
        ("a\u2028b\x0cc\nd\n".encode(), ("a\u2028b\x0cc", "d")),
        ("é\n中文\n".encode(), ("é", "中文")),
    ],
)
def test_only_line_ends_end_a_line(data: bytes, expected: tuple) -> None:
    assert lines(data) == expected


@pytest.mark.parametrize(
    ("data", "expected", "words"),
    [
        (b"\xef\xbb\xbfone\ntwo\n", ("one", "two"), "byte order mark"),
        (b"one\r\ntwo\r\n", ("one", "two"), "2 lines end in CR LF"),
        (b"one\rtwo\r", ("one", "two"), "CR alone"),
        (b"one\rx\ntwo\n", ("one x", "two"), "CR characters stand inside"),
        (b"one\n\ntwo\n", ("one", "", "two"), "1 of 3 segments are empty"),
    ],
)
def test_what_is_put_right_is_said(data: bytes, expected: tuple, words: str) -> None:
    table = read_table("a.txt", data)
    assert table.columns["text"] == expected
    assert words in " ".join(note.text for note in table.notes)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"", "a.txt is empty"),
        ("a.txt", b"\xef\xbb\xbf\n \n", "is empty"),
        ("a.txt", b"ok\nab\xffcd\n", "line 2: byte 0xff"),
        ("a.txt", "one\n".encode("utf-16"), "UTF-16"),
        ("a.txt", b"ab\0cd", "binary file or UTF-16 (byte 0 at position 2)"),
        ("a.gz", b"\x1f\x8b\x08rest", "gzip"),
        ("a.pdf", b"%PDF-1.4", "a PDF"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1", "old Office file"),
        ("a.png", b"\x89PNG\r\n", "a picture"),
        ("a.xlsx", b"PK\x03\x04nothing", "no xlsx workbook"),
        ("a.jsonl", b'{"a": 1}\nnope\n', "line 2 is not valid JSON"),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', "line 2 is empty"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2 is list"),
        ("a.csv", b"src,ref\nx,y,z\n", "row 2 has 3 columns and the first row 2 (src, ref)"),
        ("a.tsv", b"src\tref\nx\n", "row 2 has 1 columns"),
        ("a.csv", b"src,ref\n", "nothing below"),
        ("a.tsv", b"only one line", "nothing below"),
    ],
)
def test_what_cannot_be_read_is_a_clear_sentence(name: str, data: bytes, words: str) -> None:
    with pytest.raises(UserError) as told:
        read_table(name, data)
    assert words in str(told.value) and name in str(told.value)


def test_a_line_of_ten_megabytes_is_refused_and_a_long_one_is_not() -> None:
    with pytest.raises(UserError, match=r"line 2 has 10,485,760 characters; a segment may have at most 200,000"):
        read_table("a.txt", b"short\n" + b"x" * 10 * 2**20 + b"\nshort\n")
    assert read_table("a.txt", b"x" * 150_000).rows == 1


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_MB", 1)
    with pytest.raises(UserError, match=r"a\.txt has 2 MB; at most 1 MB"):
        read_table("a.txt", b"x\n" * 2**20)


def test_tables() -> None:
    csv = b'src,ref,"my, system"\n"a ""quoted"" one",b,c\n"two\nlines",e,f\n'
    assert read_table("a.csv", csv).columns == {
        "src": ('a "quoted" one', "two\nlines"),
        "ref": ("b", "e"),
        "my, system": ("c", "f"),
    }
    assert read_table("a.csv", b"src;ref\na;b, c\n").columns == {"src": ("a",), "ref": ("b, c",)}
    assert read_table("a.tsv", b'src\tref\n"open\tquote\n').columns == {"src": ('"open',), "ref": ("quote",)}


def test_json_lines() -> None:
    table = read_table("a.jsonl", jsonl([{"src": "x", "n": 3}, {"src": "y", "ref": "中"}]))
    assert table.columns == {"src": ("x", "y"), "n": ("3", ""), "ref": ("", "中")}
    assert "1 lines have no 'n'" in table.notes[0].text


def test_a_workbook() -> None:
    data = workbook([["src", "ref"], ["a", 3.5], [None, "b"], [None, None]], sheets=2)
    table = read_table("a.xlsx", data)
    assert table.columns == {"src": ("a", ""), "ref": ("3.5", "b")} and table.format == "xlsx"
    assert any("only the first sheet" in note.text for note in table.notes)
    with pytest.raises(UserError, match="nothing below"):
        read_table("a.xlsx", workbook([["src"]]))


def test_two_columns_of_one_name_are_both_kept() -> None:
    table = read_table("a.tsv", b"src\tA\tA\nx\ty\tz\n")
    assert list(table.columns) == ["src", "A", "A (2)"] and table.columns["A (2)"] == ("z",)
    assert "two columns are named 'A'" in table.notes[0].text


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("a.txt", b"x", "txt"),
        ("noend", b"x", "txt"),
        ("a.csv", b"x", "csv"),
        ("a.tsv", b"x", "tsv"),
        ("a.txt", b'{"a": 1}\n', "jsonl"),
        ("a.json", b'{"a": 1}', "jsonl"),
        ("a.txt", b"{x}\n", "txt"),
        ("a.bin", b"PK\x03\x04", "xlsx"),
        ("a.jsonl", b"oops", "jsonl"),
    ],
)
def test_the_format_is_told(name: str, data: bytes, format: str) -> None:
    assert sniff(name, data) == format


def test_the_format_can_be_chosen() -> None:
    assert read_table("a.csv", b"x, y\n", "txt").columns == {"text": ("x, y",)}

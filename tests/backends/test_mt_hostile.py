"""Bad uploads as a person gives them: a clear sentence each, the good files kept, and never a crash."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt import reading
from backends.common.mt.compare import run
from backends.common.mt.reading import read_table, within
from backends.common.mt.requests import CompareRequest
from backends.common.mt.uploads import Upload, gather
from tests.backends.mt_cases import jsonl, systems, workbook
from workbench.context import MemoryContext
from workbench.contract import UserError

MADE, REFERENCE = systems(2, size=30)
GOOD = "\n".join(REFERENCE) + "\n"


def reordered(data: bytes, change) -> bytes:
    """A workbook whose parts went through ``change(name, bytes)``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return out.getvalue()


BOOK = workbook([["src", "A"], *([f"s{i}", f"a{i}"] for i in range(30))])
BAD = {
    "too few lines": ("bad.txt", GOOD[: GOOD.rindex("\n", 0, -1) + 1].encode(), "29 lines"),
    "too many lines": ("bad.txt", (GOOD + "more\n").encode(), "1 too many"),
    "a line in the middle is lost": ("bad.txt", "".join(f"{t}\n" for i, t in enumerate(REFERENCE) if i != 14).encode(),
                                     "seem to shift at line 15"),
    "one line of 10 MB": ("bad.txt", b"x" * 10 * 2**20, "10,485,760 characters"),
    "binary": ("bad.txt", bytes(range(256)), "byte 0 at position 0"),
    "a picture": ("bad.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "a picture"),
    "gzip": ("bad.txt.gz", b"\x1f\x8b\x08\x00", "gzip"),
    "UTF-16": ("bad.txt", GOOD.encode("utf-16"), "UTF-16"),
    "Latin-1": ("bad.txt", "für\n".encode("latin-1") * 30, "byte 0xfc is not UTF-8"),
    "empty": ("bad.txt", b"", "is empty"),
    "only empty lines": ("bad.txt", b"\n" * 30, "is empty"),
    "rows of unequal width": ("bad.tsv", b"A\tref\nx\ty\nx\n", "row 3 has 1 columns"),
    "a head and nothing below": ("bad.csv", b"src,ref,A\n", "nothing below it"),
    "JSON that breaks off": ("bad.jsonl", b'{"A": "x"}\n{"A": "y"\n', "line 2 is not valid JSON"),
    "JSON of another kind": ("bad.json", b'{\n "a": 1\n}', "neither a list of objects nor a campaign"),
    "objects without anything": ("bad.jsonl", b"{}\n{}\n", "without any text"),
    "deep JSON": ("bad.jsonl", b'{"a": ' + b"[" * 100_000 + b"\n", "not valid JSON"),
    "a damaged workbook": ("bad.xlsx", reordered(BOOK, lambda name, part: part[: len(part) // 2]), "can be read"),
    "half a workbook": ("bad.xlsx", BOOK[: len(BOOK) // 2], "no xlsx workbook"),
    "a zip of something else": ("bad.xlsx", reordered(BOOK, lambda name, part: b"nothing"), "no xlsx workbook"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_bad_file_has_its_sentence_and_the_others_stay(case: str) -> None:
    name, data, words = BAD[case]
    uploads = [Upload("ref.txt", GOOD.encode()), Upload("A.txt", GOOD.encode(), "system"), Upload(name, data, "system")]
    found = gather(uploads)
    assert found.comparison is None and any(words in problem for problem in found.problems), found.problems
    assert [column.name for column in found.columns][:2] == ["ref", "A"]
    assert all(problem.rstrip().endswith((".", "].", "}].")) and name in problem for problem in found.problems)
    again = gather(uploads[:2])
    assert again.comparison is not None and again.comparison.systems == {"A": tuple(REFERENCE)}


@pytest.mark.parametrize("case", BAD)
def test_the_task_says_the_same_and_writes_nothing(case: str, tmp_path: Path) -> None:
    name, data, words = BAD[case]
    (tmp_path / "ref.txt").write_text(GOOD, encoding="utf-8")
    (tmp_path / name).write_bytes(data)
    context = MemoryContext(tmp_path / "run")
    with pytest.raises(UserError) as told:
        run(CompareRequest(systems=(f"path:{tmp_path}/{name}",), references=(f"path:{tmp_path}/ref.txt",)), context)
    assert words in str(told.value) and "Nothing was changed" in str(told.value)
    assert list((context.run / "artifacts").iterdir()) == []


CHINESE = "今天天气很好。\n我们去散步吧。\n"


@pytest.mark.parametrize(("encoding", "words"), [
    ("gb18030", "is not UTF-8 text"), ("big5", "is not UTF-8 text"), ("shift_jis", "is not UTF-8 text"),
    ("utf-16", "is UTF-16"), ("utf-16-le", "binary file or UTF-16"), ("utf-16-be", "binary file or UTF-16"),
    ("utf-32", "UTF-16"), ("utf-7", "")])
def test_chinese_in_other_encodings_is_never_read_as_something_else(encoding: str, words: str) -> None:
    text = CHINESE.replace("们", "") if encoding == "shift_jis" else CHINESE
    data = text.encode(encoding, "ignore")
    if not words:
        assert read_table("a.txt", data).rows == 2, "plain ASCII is plain ASCII"
        return
    with pytest.raises(UserError, match=words) as told:
        read_table("a.txt", data)
    assert "a.txt" in str(told.value) and "UTF-8" in told.value.advice


@pytest.mark.parametrize("data", [b"ok\n\xc0\xaf\n", b"ok\n\xed\xa0\xbd\xed\xb8\x80\n", b"ok\n\xf8\x88\x80\x80\x80\n",
                                  b"ok\n\xe4\xbd"])
def test_broken_utf_8_is_refused_with_its_line(data: bytes) -> None:
    with pytest.raises(UserError, match="line 2: byte 0x"):
        read_table("a.txt", data)


@pytest.mark.parametrize(("name", "data"), [
    ("a.csv", b"src,A\nx,one\0two\n"), ("a.tsv", b"src\tA\nx\tone\0two\n"), ("a.jsonl", b'{"A": "x"}\0\n'),
    ("a.txt", b"one\n\0\n")])
def test_a_zero_byte_is_refused_in_every_format(name: str, data: bytes) -> None:
    with pytest.raises(UserError, match=rf"{name} is a binary file or UTF-16 \(byte 0 at position \d+\)"):
        read_table(name, data)


def test_a_zero_character_that_json_writes_out_is_text() -> None:
    assert read_table("a.jsonl", b'{"A": "x\\u0000y"}\n').columns == {"A": ("x\0y",)}


@pytest.mark.parametrize(("name", "data"), [
    ("a.csv", b'src,A\n"open,x\n' + b"y" * 300_000 + b"\n"), ("a.tsv", b"src\tA\nx\t" + b"y" * 300_000 + b"\n"),
    ("a.jsonl", b'{"A": "' + b"y" * 300_000 + b'"}\n'), ("a.xlsx", workbook([["A"], *[["y" * 30_000]] * 3]))])
def test_a_huge_cell_is_refused_in_every_format(name: str, data: bytes) -> None:
    if name == "a.xlsx":
        assert read_table(name, data).rows == 3, "a cell of a workbook has at most 32,767 characters"
        return
    with pytest.raises(UserError, match=r"300,\d{3} characters; a segment may have|has 1 columns|nothing below"):
        read_table(name, data)


@pytest.mark.parametrize(("name", "data", "note"), [
    ("A.txt", b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
    ("A.txt", GOOD.replace("\n", "\r\n").encode(), "30 lines end in CR LF"),
    ("A.txt", GOOD.replace("\n", "\r").encode(), "CR alone"),
    ("A.txt", (b"\n" + GOOD.split("\n", 1)[1].encode()), "1 of 30 segments are empty"),
    ("A.jsonl", jsonl([{"A": text} if i else {"B": text} for i, text in enumerate(REFERENCE)]), "have no 'A'"),
    ("A.jsonl", b'{"A": "\\ud83d"}\n' + jsonl([{"A": text} for text in REFERENCE[1:]]), "half a character"),
    ("A.xlsx", workbook([["A"], *([text] for text in REFERENCE)], sheets=2), "only the first sheet"),
])
def test_what_is_put_right_is_a_warning_of_the_result(name: str, data: bytes, note: str, tmp_path: Path) -> None:
    (tmp_path / "ref.txt").write_text(GOOD, encoding="utf-8")
    (tmp_path / name).write_bytes(data)
    result = run(CompareRequest(systems=(f"path:{tmp_path}/{name}",), references=(f"path:{tmp_path}/ref.txt",),
                                resamples=10, trials=10, metrics=("chrf",)), MemoryContext(tmp_path / "run"))
    assert any(note in text and name in text for text in result.warnings)
    assert max(row.score for row in result.rows) > 90


def test_two_systems_of_one_name_are_both_scored(tmp_path: Path) -> None:
    for folder, lines in (("one", MADE["system 0"]), ("two", MADE["system 1"])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "ref.txt").write_text(GOOD, encoding="utf-8")
    result = run(CompareRequest(systems=(f"path:{tmp_path}/one/mine.txt", f"path:{tmp_path}/two/mine.txt"),
                                references=(f"path:{tmp_path}/ref.txt",), resamples=10, trials=10),
                 MemoryContext(tmp_path / "run"))
    assert {row.system for row in result.rows} == {"mine", "mine (2)"}
    assert any("two systems are named 'mine'" in text for text in result.warnings)


def test_one_system_has_no_pairs_and_still_its_interval(tmp_path: Path) -> None:
    for name in ("A", "ref"):
        (tmp_path / f"{name}.txt").write_text(GOOD, encoding="utf-8")
    context = MemoryContext(tmp_path / "run")
    result = run(CompareRequest(systems=(f"path:{tmp_path}/A.txt",), references=(f"path:{tmp_path}/ref.txt",),
                                resamples=20, trials=20), context)
    told = json.loads((context.run / "artifacts" / "comparison.json").read_text(encoding="utf-8"))
    assert told["metrics"]["bleu"]["tests"]["pairs"] == []
    assert [(row.score, row.wins, row.losses) for row in result.rows] == [(pytest.approx(100), 0, 0)] * 2


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        within(tmp_path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        within(tmp_path / "nothing.txt")


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (3 * 2**20))
    monkeypatch.setattr(reading, "LARGEST_MB", 2)
    with pytest.raises(UserError, match=r"a\.xlsx, unpacked, has 3 MB; at most 2 MB"):
        read_table("a.xlsx", swollen.getvalue())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(BOOK) - 1), st.binary(min_size=1, max_size=6))
def test_a_workbook_with_changed_bytes_is_read_or_refused(place: int, noise: bytes) -> None:
    data = BOOK[:place] + noise + BOOK[place + len(noise):]
    try:
        assert read_table("a.xlsx", data).rows >= 1
    except UserError as error:
        assert "a.xlsx" in str(error)


JSON = st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
                    lambda inner: st.one_of(st.lists(inner, max_size=3),
                                            st.dictionaries(st.sampled_from(["src", "data", "items", "item", "tgt",
                                                                             "annotation", "info", "A"]), inner,
                                                            max_size=4)), max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(JSON, st.booleans())
def test_any_json_is_read_or_refused(value: object, pretty: bool) -> None:
    data = json.dumps(value, indent=1 if pretty else None).encode()
    try:
        table = read_table("a.json", data)
        assert table.rows >= 1 and all(isinstance(text, str) for column in table.columns.values() for text in column)
    except UserError as error:
        assert "a.json" in str(error)

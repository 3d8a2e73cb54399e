"""Workbooks as spreadsheets leave them: formulas in place of texts, merged cells, far cells; small files that swell."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.formula import ArrayFormula

from backends.common.mt import reading, reading_xlsx
from backends.common.mt.export import tsv
from backends.common.mt.reading import Table, read_table
from backends.common.mt.uploads import Upload, gather
from tests.backends.mt_cases import workbook
from workbench.contract import UserError

SHEET = "xl/worksheets/sheet1.xml"


def saved(change: Callable[[Workbook], object]) -> bytes:
    """A workbook of two columns and two rows after ``change``."""
    book = Workbook()
    for row in (["src", "A"], ["eins", "one"], ["zwei", "two"]):
        book.active.append(row)
    change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rewritten(data: bytes, change: Callable[[str], str], part: str = SHEET) -> bytes:
    """The workbook with one of its parts changed as text."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            text = source.read(name)
            target.writestr(name, change(text.decode()).encode() if name == part else text)
    return out.getvalue()


def told(table: Table) -> str:
    return " ".join(note.text for note in table.notes)


@pytest.mark.parametrize("text", ["= equal", "=1+1", '=HYPERLINK("http://x","y")', "=A2"])
def test_a_text_that_became_a_formula_is_read_as_it_was_written(text: str) -> None:
    table = read_table("a.xlsx", saved(lambda book: book.active.cell(3, 2, text)))
    assert table.columns["A"] == ("one", text)
    assert "1 cells are formulas without a value; their own text was taken" in told(table)
    assert next(note.line for note in table.notes if "formulas" in note.text) == 3


@pytest.mark.parametrize(("cached", "expected", "noted"), [
    ("<v>#NAME?</v>", "= equal", True), ("<v>#REF!</v>", "= equal", True), ("<v></v>", "= equal", True),
    ("<v>computed</v>", "computed", False), ("<v># no error</v>", "# no error", False)])
def test_a_formula_with_a_value_has_its_value(cached: str, expected: str, noted: bool) -> None:
    data = saved(lambda book: book.active.cell(3, 2, "= equal"))
    cell = re.compile(r'<c r="B3"[^>]*>(<f>.*?</f>)<v ?/?>(</v>)?')
    data = rewritten(data, lambda xml: cell.sub(rf'<c r="B3" t="str">\1{cached}', xml))
    table = read_table("a.xlsx", data)
    assert table.columns["A"][1] == expected and ("formulas" in told(table)) is noted


def test_formulas_beside_and_below_the_texts_are_not_lost() -> None:
    def change(book: Workbook) -> None:
        book.active["C1"], book.active["C3"] = "B", "=late"
        book.active["A5"] = ArrayFormula("A5:A5", "=array")
    table = read_table("a.xlsx", saved(change))
    assert table.columns == {"src": ("eins", "zwei", "", "=array"), "A": ("one", "two", "", ""),
                             "B": ("", "=late", "", "")}
    assert "2 cells are formulas" in told(table)


def test_an_error_that_is_a_text_stays_one() -> None:
    table = read_table("a.xlsx", workbook([["A"], ["#NAME?"], ["#N/A"]]))
    assert table.columns["A"] == ("#NAME?", "#N/A") and "formulas" not in told(table)


@pytest.mark.parametrize("merged", ["A1:B1", "B1:B2", "A1:A3"])
def test_merged_heads_are_refused_with_their_place(merged: str) -> None:
    with pytest.raises(UserError, match=rf"merged cells in its first row \({merged}\).*Unmerge"):
        read_table("a.xlsx", saved(lambda book: book.active.merge_cells(merged)))


def test_a_title_over_the_heads_is_refused_too() -> None:
    def change(book: Workbook) -> None:
        book.active.insert_rows(1, 2)
        book.active["A2"] = "All my systems"
        book.active.merge_cells("A2:B2")
    with pytest.raises(UserError, match=r"merged cells in its first row \(A2:B2\)"):
        read_table("a.xlsx", saved(change))


def test_merged_texts_are_told_and_the_first_cell_counts() -> None:
    table = read_table("a.xlsx", saved(lambda book: book.active.merge_cells("B2:B3")))
    assert table.columns["A"] == ("one", "") and "1 groups of merged cells (the first is B2:B3)" in told(table)
    assert "1 of 2 segments of column 'A' are empty" in told(table)


def test_empty_rows_and_columns_around_a_table() -> None:
    def change(book: Workbook) -> None:
        book.active.insert_rows(1, 3)
        book.active["F9"] = ""
    assert read_table("a.xlsx", saved(change)).columns == {"src": ("eins", "zwei"), "A": ("one", "two")}


def test_a_column_without_a_name_gets_one() -> None:
    table = read_table("a.xlsx", workbook([["src", None, "B"], ["x", "y", "z"]]))
    assert table.columns == {"src": ("x",), "column 2": ("y",), "B": ("z",)}


def test_a_cell_far_out_does_not_fill_the_memory() -> None:
    data = saved(lambda book: book.active.cell(200_000, 16_384, "x"))
    assert len(data) < 20_000
    with pytest.raises(UserError, match=r"a\.xlsx has 16,384 columns; at most 1,000"):
        read_table("a.xlsx", data)


def test_a_cell_far_below_is_refused_before_rows_are_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_xlsx, "MOST_CELLS", 5000)
    data = saved(lambda book: book.active.cell(4000, 2, "x"))
    with pytest.raises(UserError, match=r"has 4,000 rows of 2 columns; at most 5,000 cells"):
        read_table("a.xlsx", data)


@pytest.mark.parametrize("claimed", ["A1:XFD1048576", "A1:A1", "nonsense"])
def test_the_size_that_a_sheet_claims_is_not_believed(claimed: str) -> None:
    data = rewritten(workbook([["src", "A"], ["x", "y"]]),
                     lambda text: re.sub(r'<dimension ref="[^"]*"', f'<dimension ref="{claimed}"', text))
    try:
        assert read_table("a.xlsx", data).columns == {"src": ("x",), "A": ("y",)}
    except UserError as error:
        assert claimed == "nonsense" and "no xlsx workbook" in str(error)


def test_what_a_small_workbook_unpacks_to_is_counted_over_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO(workbook([["A"], ["x"]]))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"xl/media/{number}.bin", bytes(2**20))
    monkeypatch.setattr(reading, "LARGEST_MB", 3)
    assert len(out.getvalue()) < 20_000
    with pytest.raises(UserError, match="unpacked, has 4 MB; at most 3 MB"):
        read_table("a.xlsx", out.getvalue())


def test_entities_that_swell_are_refused() -> None:
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 9))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "swollen">{levels}]>'
    data = rewritten(workbook([["A"], ["bomb"]]), lambda xml: bomb + xml.replace("bomb", "&e8;"))
    with pytest.raises(UserError, match="no xlsx workbook that can be read"):
        read_table("a.xlsx", data)


def test_an_archive_that_lies_about_its_sizes_is_refused() -> None:
    data = workbook([["A"], *[["text " * 50]] * 200])
    place = data.rindex(b"PK\x01\x02")
    for part in re.finditer(rb"PK\x01\x02", data):
        place = part.start()
        data = data[:place + 24] + (10).to_bytes(4, "little") + data[place + 28:]
    with pytest.raises(UserError, match="no xlsx workbook"):
        read_table("a.xlsx", data)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_head_of_a_thousand_names_is_read_and_one_more_is_not(name: str) -> None:
    mark = "," if name == "a.csv" else "\t"
    wide = [mark.join(f"{kind}{i}" for i in range(1000)) for kind in "hx"]
    assert len(read_table(name, "\n".join(wide).encode()).columns) == 1000
    with pytest.raises(UserError, match="has 1,001 columns"):
        read_table(name, "\n".join(line + mark + "y" for line in wide).encode())
    with pytest.raises(UserError, match="has 400,001 columns"):
        read_table(name, (mark * 400_000 + "\nx").encode())


def test_lines_that_each_have_a_name_of_their_own() -> None:
    data = "".join(f'{{"key {i}": "x"}}\n' for i in range(20_000)).encode()
    with pytest.raises(UserError, match=r"a\.jsonl has 20,000 columns; at most 1,000"):
        read_table("a.jsonl", data)


@pytest.mark.parametrize("text", ["=1+1", "- Hello", "+49 30", "@home", "=cmd|' /C calc'!A0"])
def test_a_text_that_looks_like_a_formula_leaves_guarded_and_comes_back_plain(text: str) -> None:
    made = tsv(["id", "A"], [["1", text], ["2", "plain"]])
    assert made.split("\n")[1] == f"1\t'{text}"
    table = read_table("a.tsv", made.encode())
    assert table.columns["A"] == (text, "plain") and "1 rows have a text behind an apostrophe" in told(table)


@pytest.mark.parametrize("text", ["-0.1234", "12", "-3", "'quoted'", "a=b", "", "minus -1"])
def test_figures_and_other_texts_leave_as_they_are(text: str) -> None:
    assert tsv(["A"], [[text]]) == f"A\n{text}\n"


def test_a_workbook_that_is_bad_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = saved(lambda book: book.active.merge_cells("A1:B1"))
    found = gather([Upload("good.txt", b"one\ntwo\n", "system"), Upload("bad.xlsx", bad)])
    assert [column.name for column in found.columns] == ["good"] and "bad.xlsx has merged cells" in found.problems[0]

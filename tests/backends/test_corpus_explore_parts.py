"""The parts below the corpus: the text reader and what it keeps, loading in batches, values that are made once."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import loading, texts
from backends.mdfg.explore.corpus import ANSWERS, BINNED, VERDICTS, Corpus
from backends.mdfg.explore.judging import joined_sql
from backends.mdfg.explore.kept import Kept
from backends.mdfg.explore.loading import load_table
from backends.mdfg.explore.queries import count, histogram, page
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.selection import Selection, Span, Where
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.explore.texts import OPEN_PARTS, TextReader
from backends.mdfg.rules.verdicts import Test
from tests.backends.explore_cases import filtered, full_texts, table
from workbench.contract import UserError


def part(folder: Path, number: int, written: list[str], group: int = 3, **columns: Any) -> None:
    """A part of texts in row groups of so many rows, with only the columns that a reader cannot do without."""
    size = len(written)
    made = {"id": [f"id-{number}-{i}" for i in range(size)], "text": written, "title": [""] * size,
            **{f"{kind}_spans": [[] for _ in range(size)] for kind in texts.SPANS}, **columns}
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(made), folder / f"part-{number:05d}.parquet", row_group_size=group)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for number in range(12):
        part(tmp_path / "documents", number, [f"part {number} row {row}" for row in range(10)])
    return tmp_path / "documents"


def test_texts_are_found_by_part_and_row_whatever_the_groups(parts: Path) -> None:
    reader = TextReader(parts)
    where = [(number * 10 + row, number, row) for number in (11, 0, 5) for row in (9, 0, 3, 2, 6)]
    found = reader.read(where)
    assert [document.text for document in found] == [f"part {number} row {row}" for _, number, row in where]
    assert [document.place for document in found] == [place for place, _, _ in where]
    assert [document.id for document in found] == [f"id-{number}-{row}" for _, number, row in where]
    assert reader.read([]) == []


def test_few_files_stay_open_and_every_text_is_still_found(parts: Path) -> None:
    reader = TextReader(parts)
    for number in range(12):
        reader.read([(number, number, 0)])
        assert len(reader._parts) <= OPEN_PARTS
    assert reader.read([(0, 0, 0)])[0].text == "part 0 row 0"
    reader.close()
    assert not reader._parts
    assert reader.read([(5, 5, 5)])[0].text == "part 5 row 5", "it opens them again"


def test_what_was_read_lately_is_kept_and_no_more(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT", 64)
    reader = TextReader(parts)
    for row in range(10):
        reader.read([(row, 0, row)])
    assert reader._size == sum(len(document.text) for document in reader._kept.values()) <= 64
    kept = [place for place, _ in reader._kept]
    assert kept == sorted(kept)
    assert kept[-1] == 9
    whole = reader.read([(row, 0, row) for row in range(10)])
    assert [document.place for document in whole] == list(range(10)), "more than is kept can be read at once"
    again = reader.read([(9, 0, 9)])[0]
    assert reader.read([(9, 0, 9)])[0] is again


def test_a_light_document_and_a_full_one_are_not_mistaken(tmp_path: Path) -> None:
    part(tmp_path / "documents", 0, ["a", "b"], url=["u", None], site=["s", None], given=['{"k": [1]}', None],
         quality_ends=[[1], []], quality_scores=[[0.25], []])
    reader = TextReader(tmp_path / "documents")
    light, full = reader.read([(0, 0, 0)], light=True)[0], reader.read([(0, 0, 0)])[0]
    assert (light.url, light.site, light.given, light.segments) == ("", "", None, ())
    assert (full.url, full.site, full.given, full.segments) == ("u", "s", {"k": [1]}, ((0, 1, 0.25),))
    assert reader.read([(0, 0, 0)], light=True)[0] is light
    empty = reader.read([(1, 0, 1)])[0]
    assert (empty.url, empty.site, empty.given, empty.segments) == ("", "", None, ())


@pytest.mark.parametrize(("ends", "scores", "expected"), [
    ([2, 5], [0.5, float("nan")], ((0, 2, 0.5), (2, 5, None))), ([], [], ()), (None, None, ()),
    ([3], [None], ((0, 3, None),)), ([3, 4], [0.1], ((0, 3, pytest.approx(0.1)),))])
def test_segments_of_a_document(tmp_path: Path, ends: Any, scores: Any, expected: Any) -> None:
    part(tmp_path / "documents", 0, ["abcde"], quality_ends=pa.array([ends], pa.list_(pa.int32())),
         quality_scores=pa.array([scores], pa.list_(pa.float32())))
    assert TextReader(tmp_path / "documents").read([(0, 0, 0)])[0].segments == expected


def test_readers_at_once_get_their_own_texts(parts: Path) -> None:
    reader = TextReader(parts)
    asked = [(number * 10 + row, number, row) for number in range(12) for row in range(10)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: reader.read([one])[0].text, asked * 3))
    assert found == [f"part {number} row {row}" for _, number, row in asked] * 3


@pytest.mark.parametrize("row", [10, 500])
def test_a_row_that_the_file_has_not_is_an_error_with_its_name(parts: Path, row: int) -> None:
    with pytest.raises(UserError, match=r"part-00000\.parquet"):
        TextReader(parts).read([(0, 0, row)])


def attributes(path: Path, rows: int, group: int) -> Path:
    numbers = np.arange(rows)
    pq.write_table(pa.table({
        "id": [str(i) for i in numbers], "part": numbers.astype(np.int32), "row": numbers.astype(np.int32),
        "source": ["s"] * rows, "number": numbers, "sensitive_words": [[] for _ in numbers],
        "x": np.where(numbers % 3 == 0, np.nan, numbers / rows), "rule_fail": numbers.astype(np.uint32) * 0,
        "first_fail": numbers.astype(np.int8) * 0 - 1, "kept": numbers >= 0}), path, row_group_size=group)
    return path


@pytest.mark.parametrize(("rows", "group", "batch"), [(1, 1, 5), (1000, 7, 64), (1000, 1000, 13), (64, 64, 64)])
def test_places_count_the_rows_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, group: int,
                                        batch: int) -> None:
    monkeypatch.setattr(loading, "BATCH", batch)
    with duckdb.connect() as connection:
        found = load_table(connection, attributes(tmp_path / "a.parquet", rows, group), [Test("r", "x", ">", 1.0)])
        assert found.rows == rows
        assert connection.execute("SELECT place, number FROM docs").fetchall() == [(i, i) for i in range(rows)]
        missing = len(range(0, rows, 3))
        assert connection.execute("SELECT count(*) FROM docs WHERE x IS NULL").fetchall() == [(missing,)]
        assert connection.execute("SELECT count(*) FROM docs WHERE isnan(x)").fetchall() == [(0,)]
        assert [(column.name, column.missing) for column in found.columns] == [("x", missing)]


def test_not_a_number_is_missing_although_the_file_says_there_is_none(tmp_path: Path) -> None:
    """Parquet's least and greatest values leave not-a-number out, and a reader may conclude that there is none."""
    path = attributes(tmp_path / "a.parquet", 90, 90)
    kept = pq.ParquetFile(path).metadata.row_group(0).column(6).statistics
    assert kept.max == kept.max
    with duckdb.connect() as connection:
        load_table(connection, path, [])
        high = connection.execute("SELECT max(x) FROM docs").fetchall()[0][0]
        assert high == pytest.approx(89 / 90)


def test_verdicts_and_bins_stand_beside_their_documents(tmp_path: Path) -> None:
    run = filtered(tmp_path, 90, seed=2)
    opened, raw = Corpus.open(run), table(run)
    name = opened.binned("parity", "n_chars % 2")
    assert opened.binned("parity", "never used again") == name
    for moved in ((), ((0, 300.0),)):
        found = opened.rows(f"SELECT place, {name}, n_chars FROM {opened.judged(moved, name)} ORDER BY place")
        assert found == [(place, row["n_chars"] % 2, row["n_chars"]) for place, row in enumerate(raw)]
    assert joined_sql(("a", "b"), made="m.") == "docs POSITIONAL JOIN m.a POSITIONAL JOIN m.b"
    assert "EXCLUDE (rule_fail, first_fail, kept)" in joined_sql((), "v", "m.")


def test_tables_that_are_made_while_looking_stay_few(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 30))
    for limit in range(120):
        count(opened, Selection(moved=((0, float(limit)),), show="kept"))
        histogram(opened, "n_chars", Selection(spans=(Span("quality", 0.0, 1.0),)), bins=1 + limit % 90)
    made = [name for (name,) in opened.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'made'")]
    assert len(made) <= VERDICTS + BINNED + 2 * 16
    assert len(opened._answers) <= ANSWERS


def test_an_open_condition_is_no_condition() -> None:
    assert Where().clause == ""
    assert Where("a = ?", (1,)).clause == "WHERE a = ?"


STEPS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.integers(1, 4), st.integers(0, 3))
def test_what_is_kept_behaves_like_a_plain_list_of_the_latest(steps: list[tuple[int, bool]], room: int,
                                                              grace: int) -> None:
    gone: list[int] = []
    kept, plain, made = Kept[int](room, gone.append, grace), OrderedDict[int, int](), 0
    for key, broken in steps:
        if key in plain:
            plain.move_to_end(key)
            assert kept.get(key, lambda: -1) == plain[key]
        elif broken:
            with pytest.raises(KeyError):
                kept.get(key, lambda: {}["nothing"])
        else:
            made += 1
            assert kept.get(key, lambda made=made: made) == made
            plain[key] = made
            if len(plain) > room:
                plain.popitem(last=False)
        assert len(kept) == len(plain)
    assert len(set(gone)) == len(gone)
    assert not set(gone) & set(plain.values())
    assert len(gone) == max(0, made - len(plain) - grace)


def test_one_of_many_threads_makes_it(tmp_path: Path) -> None:
    kept, made, start = Kept[object](3), [], threading.Barrier(8)

    def ask(_: int) -> object:
        start.wait(10)
        return kept.get("key", lambda: made.append(1) or object())
    with ThreadPoolExecutor(8) as pool:
        assert len({id(one) for one in pool.map(ask, range(8))}) == 1
    assert made == [1]


def test_a_shelf_gives_memory_back(tmp_path: Path) -> None:
    runs = [filtered(tmp_path / str(i), 12, seed=i) for i in range(3)]
    shelf = Shelf(room=1)
    scratch = [shelf.get(run)._scratch.path for run in runs]
    gc.collect()
    assert [path.exists() for path in scratch] == [False, False, True]
    assert shelf.get(runs[2]).texts([3])[0].text == full_texts(runs[2])[3]


def test_the_shelf_lets_others_in_while_one_opens(tmp_path: Path) -> None:
    slow, fast = (filtered(tmp_path / name, 10, seed=4) for name in ("slow", "fast"))
    going, end = threading.Event(), threading.Event()

    def opener(run: Path, index: Path | None) -> Corpus:
        if run == slow:
            going.set()
            end.wait(10)
        return Corpus.open(run, index)
    shelf = Shelf(opener=opener)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(shelf.get, slow)
        assert going.wait(10)
        assert shelf.get(fast).total == 10
        assert not waiting.done()
        end.set()
        assert waiting.result(10) is shelf.get(slow)


def test_a_run_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    run = filtered(tmp_path, 10)
    hidden = run / "artifacts" / "attributes.parquet"
    shelf, kept = Shelf(), hidden.read_bytes()
    hidden.write_bytes(b"broken")
    for _ in range(2):
        with pytest.raises(UserError, match="damaged"):
            shelf.get(run)
    assert len(shelf) == 0
    hidden.write_bytes(kept)
    assert shelf.get(run).total == 10


def test_a_failed_search_is_not_remembered(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 20))
    wrong = Selection(search=Query("regex", "("))
    for _ in range(2):
        with pytest.raises(UserError):
            count(opened, wrong)
    assert count(opened, Selection()).shown == 20


@pytest.mark.parametrize("column", ["x.y", 'x."quoted"', "x.'; DROP TABLE docs; --", "x.列", "x. space", "x.SELECT"])
def test_a_score_of_any_name_can_be_charted_and_selected(tmp_path: Path, column: str) -> None:
    run = filtered(tmp_path, 20)
    path = run / "artifacts" / "attributes.parquet"
    raw = pq.read_table(path)
    pq.write_table(raw.append_column(column, pa.array(np.arange(20) / 20)), path)
    opened = Corpus.open(run)
    assert sum(histogram(opened, column, Selection(), 5).total) == 20
    selection = Selection.from_query(Selection(spans=(Span(column, 0.5, 2.0),)).to_query())
    assert count(opened, selection).shown == 10
    assert [row.value for row in page(opened, selection, column, True, limit=2).rows] == [0.95, 0.9]


@pytest.mark.parametrize("name", ["quality", "toxicity", "domain", "place"])
def test_a_column_that_is_called_like_ours_is_not_taken_for_it(tmp_path: Path, name: str) -> None:
    run = filtered(tmp_path, 20)
    path = run / "artifacts" / "attributes.parquet"
    raw = pq.read_table(path)
    pq.write_table(raw.append_column(name, pa.array(np.full(20, 9.0))), path)
    opened = Corpus.open(run)
    assert opened.total == 20
    assert [row[0] for row in opened.rows("SELECT place FROM docs ORDER BY place")] == list(range(20))
    assert opened.column("quality").high is not None
    assert opened.column("quality").high <= 1.0

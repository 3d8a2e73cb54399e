"""What an opened corpus may take of the machine: searches at a time, memory, matches of a pattern, scratch folders."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from backends.mdfg.explore import bounds, search
from backends.mdfg.explore.bounds import Turns, config, enough_memory
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.scratch import LOCK, Scratch, tidy
from backends.mdfg.explore.shelf import Shelf
from tests.backends.explore_cases import filtered
from workbench.contract import UserError

TEXTS = ["雨" * 30, "a雨b雨", "雪", "雨。\n雨", "ＡＢ ab Ab", "😀雨😀"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    opened = Corpus.open(filtered(tmp_path_factory.mktemp("bounds"), texts=TEXTS))
    yield opened
    opened.close()


# --- searches at a time ----------------------------------------------------------------------------------------------

def test_two_at_a_time_and_the_third_waits_or_is_told() -> None:
    turns, inside, end = Turns(2, 10.0), threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with turns.one():
            inside.release()
            end.wait(10)
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(hold) for _ in range(2)]
        assert inside.acquire(timeout=10) and inside.acquire(timeout=10)
        turns.patience = 0.01
        with pytest.raises(UserError, match="2 searches already look") as told, turns.one():
            raise AssertionError("a third one came in")
        assert "search again" in told.value.advice
        turns.patience = 10.0
        third = pool.submit(hold)
        end.set()
        for one in (*held, third):
            one.result(10)
    with turns.one(), turns.one():
        pass


def test_a_search_that_fails_gives_its_turn_back(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "scans", Turns(1, 0.01))
    with monkeypatch.context() as patch:
        patch.setattr(search, "_SOURCE", "nowhere")
        with pytest.raises(duckdb.Error):
            search.find(corpus, Query("words", "雨"))
    assert len(search.find(corpus, Query("words", "雨")).places) == 4


def test_a_full_corpus_refuses_a_search_of_texts_and_no_other(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "scans", Turns(1, 0.01))
    with corpus.scans.one():
        for query in (Query("words", "never asked before"), Query("regex", "never")):
            with pytest.raises(UserError, match="1 searches already look through this corpus"):
                corpus.hits(query)
        with pytest.raises(UserError, match="needs an index"):
            corpus.hits(Query("meaning", "rain"))
    assert not len(corpus.hits(Query("words", "never asked before")).places), "a refusal is not kept as an answer"


# --- memory and threads ----------------------------------------------------------------------------------------------

def test_the_bounds_are_those_of_the_database(corpus: Corpus) -> None:
    memory, threads = corpus.rows("SELECT current_setting('memory_limit'), current_setting('threads')")[0]
    assert memory == "1.8 GiB" and 1 <= threads <= min(bounds.THREADS, os.cpu_count() or 1)
    assert config("/x")["temp_directory"] == "/x" and config("/x", "1GB")["memory_limit"] == "1GB"


def test_too_little_memory_is_told_in_words(tmp_path: Path) -> None:
    run = filtered(tmp_path, 20)
    with pytest.raises(UserError, match="needs more memory than one corpus may take"):
        Corpus.open(run, memory="100KB", scratch=tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == [], "a corpus that does not open leaves nothing"


def test_a_query_that_is_too_large_is_told_and_the_corpus_goes_on(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, 20), memory="40MB")
    with pytest.raises(UserError, match="needs more memory") as told:
        opened.rows("SELECT list(repeat('x', 1000) || range) FROM range(1000000)")
    assert "smaller run" in told.value.advice
    assert opened.rows("SELECT count(*) FROM docs") == [(20,)]
    opened.close()


def test_only_a_lack_of_memory_is_called_so(corpus: Corpus) -> None:
    with pytest.raises(duckdb.Error), enough_memory():
        raise duckdb.CatalogException("another one")
    with pytest.raises(UserError, match="more memory"), search.limited(corpus.cursor(), 10):
        raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate")


# --- matches of a pattern --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pattern", ["雨", "雨雨", "雨+", ".", "(a|雨)b?", "😀", r"\s", r"[a-zＡ-Ｚ]+", "雨$"])
def test_matches_are_counted(corpus: Corpus, pattern: str) -> None:
    expected = [n for text in TEXTS if (n := len(re.findall(pattern, text)))]
    assert search.find(corpus, Query("regex", pattern)).scores.tolist() == expected


@pytest.mark.parametrize(("words", "scores"), [("ab", [3]), ("😀", [2]), ("雨 -雪", [30, 2, 2, 1]), ("-雨", [1, 1])])
def test_words_are_counted(corpus: Corpus, words: str, scores: list[int]) -> None:
    assert search.find(corpus, Query("words", words)).scores.tolist() == scores


def test_the_count_of_one_document_ends_somewhere(tmp_path: Path) -> None:
    opened = Corpus.open(filtered(tmp_path, texts=["雨a" * (search.COUNTED + 5), "雨"]))
    for query in (Query("regex", "."), Query("regex", "雨"), Query("words", "雨"), Query("words", "A")):
        assert search.find(opened, query).scores[0] == search.COUNTED, query
    opened.close()


# --- scratch folders -------------------------------------------------------------------------------------------------

def test_a_folder_is_private_and_goes_with_its_owner(tmp_path: Path) -> None:
    made = Scratch(tmp_path / "deep" / "tmp")
    assert made.path.parent == tmp_path / "deep" / "tmp" and made.path.stat().st_mode & 0o077 == 0
    assert tidy(made.path.parent) == 0 and made.path.is_dir(), "it is in use"
    made.remove()
    made.remove()
    assert not made.path.exists() and tidy(made.path.parent) == 0 and tidy(tmp_path / "nowhere") == 0


def test_leftovers_of_a_killed_process_go_and_others_stay(tmp_path: Path) -> None:
    code = ("import sys, time; from pathlib import Path; from backends.mdfg.explore.scratch import Scratch\n"
            "made = Scratch(Path(sys.argv[1])); (made.path / 'corpus.duckdb').write_bytes(b'x')\n"
            "print(made.path, flush=True); time.sleep(60)")
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    theirs = Path(child.stdout.readline().strip())
    (tmp_path / "call-abc").mkdir()
    (tmp_path / "corpus-young").mkdir()
    try:
        Shelf(scratch=tmp_path)
        assert (theirs / "corpus.duckdb").is_file(), "another server works in it"
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()
    assert (theirs / LOCK).is_file()
    Shelf(scratch=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call-abc", "corpus-young"]
    long_ago = time.time() - 3600
    os.utime(tmp_path / "corpus-young", (long_ago, long_ago))
    assert tidy(tmp_path) == 1 and [path.name for path in tmp_path.iterdir()] == ["call-abc"]


@pytest.mark.parametrize("in_memory", [10**9, 0], ids=["memory", "file"])
def test_a_corpus_writes_where_the_shelf_says(tmp_path: Path, in_memory: int) -> None:
    run, home = filtered(tmp_path / "run", 12), tmp_path / "home" / "tmp"
    opened = Corpus.open(run, in_memory=in_memory, scratch=home)
    folder, = home.iterdir()
    assert (folder / "corpus.duckdb").exists() == (in_memory == 0)
    assert opened.rows("SELECT current_setting('temp_directory')") == [(str(folder),)]
    assert len(Shelf(scratch=home)) == 0 and folder.is_dir(), "a second server of the home leaves it alone"
    opened.close()
    assert list(home.iterdir()) == []

"""The files under a search: parts in order, an index that outlives a kill, several readers at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg import index_task
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.parts import fingerprint, parts_of, stream, total
from backends.mdfg.explore.query import Hits, Query
from backends.mdfg.explore.search import find, highlights
from backends.mdfg.explore.semantic import read_index
from backends.mdfg.index_request import IndexRequest
from backends.mdfg.index_sample import Inner
from tests.backends.explore_cases import filtered, full_texts
from tests.backends.search_cases import index_of, topical
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, numbers: dict[str, list[str]]) -> Path:
    """Artifacts with files of texts by name."""
    (folder / "documents").mkdir(parents=True)
    for name, texts in numbers.items():
        pq.write_table(pa.table({"id": texts, "text": texts}), folder / "documents" / name)
    return folder


def test_parts_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    artifacts = written(tmp_path, {"part-00002.parquet": ["c", "d"], "part-00010.parquet": ["e"],
                                   "part-00000.parquet": ["a", "b"], "part-100000.parquet": ["f"],
                                   "part-x.parquet": ["no"], ".part-00001.parquet.9.tmp": ["no"]})
    parts = parts_of(artifacts)
    assert [(part.number, part.first, part.rows) for part in parts] == [
        (0, 0, 2), (2, 2, 2), (10, 4, 1), (100000, 5, 1)]
    assert total(parts) == 6 and total(()) == 0
    assert [text for part in parts for _, texts in stream(part, 1) for text in texts] == list("abcdef")
    assert [first for part in parts for first, _ in stream(part, 1)] == list(range(6))


def test_a_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    artifacts = written(tmp_path, {"part-00000.parquet": ["a", "b"]})
    before = fingerprint(artifacts)
    assert before == fingerprint(artifacts) and len(before) == 16
    pq.write_table(pa.table({"id": ["x"], "text": ["x" * 500]}), artifacts / "documents" / "part-00000.parquet")
    changed = fingerprint(artifacts)
    written(tmp_path / "other", {"part-00001.parquet": ["a", "b"]})
    assert len({before, changed, fingerprint(tmp_path / "other")}) == 3


def test_no_parts_and_damaged_ones(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="no texts"):
        parts_of(tmp_path)
    artifacts = written(tmp_path, {"part-00000.parquet": ["a"]})
    (artifacts / "documents" / "part-00001.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"part-00001\.parquet cannot be read"):
        parts_of(artifacts)


def test_places_of_parts_are_places_of_the_corpus(tmp_path: Path) -> None:
    corpus = Corpus.open(filtered(tmp_path, 200, shard_mb=0.02))
    rows = corpus.rows('SELECT part, min(place), count(*) FROM docs GROUP BY part ORDER BY part')
    parts = parts_of(corpus.run / "artifacts")
    assert rows == [(part.number, part.first, part.rows) for part in parts] and len(rows) > 4
    corpus.close()


KILLED = """
import sys, time
from pathlib import Path
from backends.mdfg import index_task
from backends.mdfg.index_request import IndexRequest
from workbench.context import MemoryContext

class Slow(MemoryContext):
    def report(self, step, total, message=""):
        super().report(step, total, message)
        time.sleep(0.05 if message.endswith("documents") else 0)

index_task.run(IndexRequest(sys.argv[1], sample=60), Slow(Path(sys.argv[2])))
"""


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_files(tmp_path: Path) -> None:
    run = filtered(tmp_path, 200, shard_mb=0.02)
    reference, folder = f"path:{run / 'artifacts'}", tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", KILLED, reference, str(folder)], cwd=ROOT, start_new_session=True)
    progress, deadline = folder / "checkpoints" / "progress.json", time.monotonic() + 60
    while not progress.is_file() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait(20) == -signal.SIGKILL, "it was still at work"
    assert progress.is_file() and not (folder / "artifacts" / "vectors.npy").exists()
    index_task.run(IndexRequest(reference, sample=60), MemoryContext(folder))
    index_task.run(IndexRequest(reference, sample=60), MemoryContext(tmp_path / "whole"))
    for name in ("vectors.npy", "projector.safetensors"):
        one, other = (tmp_path / where / "artifacts" / name for where in ("killed", "whole"))
        assert one.read_bytes() == other.read_bytes(), name


def test_an_index_is_read_from_the_run_or_from_its_artifacts(tmp_path: Path) -> None:
    run = filtered(tmp_path, 60)
    index_of(run, tmp_path / "index", sample=60)
    one, other = read_index(tmp_path / "index"), read_index(tmp_path / "index" / "artifacts")
    assert (np.asarray(one.vectors) == np.asarray(other.vectors)).all() and one.facts == other.facts
    assert one.facts["documents"] == 60 and one.facts["corpus"] == f"path:{run / 'artifacts'}"
    with pytest.raises(MissingResource, match="may still be running"):
        read_index(run)


def test_several_people_search_at_once(tmp_path: Path) -> None:
    run = filtered(tmp_path, records=topical(80), shard_mb=0.03)
    index_of(run, tmp_path / "index")
    corpus, texts = Corpus.open(run, tmp_path / "index"), full_texts(run)
    queries = [Query("words", "湖"), Query("regex", "[0-9]{2}"), Query("meaning", "湖泊"), Query("words", "的 -湖"),
               Query("concept", like=(1, 2), unlike=(3, 4))]
    alone = [find(corpus, query) for query in queries]
    found: list[list[Hits]] = [[] for _ in range(6)]
    failures: list[BaseException] = []

    def person(number: int) -> None:
        try:
            for query in queries * 2:
                found[number].append(find(corpus, query))
                highlights(corpus, query, texts[number])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=person, args=(number,)) for number in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    for mine in found:
        for got, wanted in zip(mine, alone * 2, strict=True):
            assert got.places.tolist() == wanted.places.tolist() and got.scores == pytest.approx(wanted.scores)
    corpus.close()


def test_a_part_of_a_run_tells_the_outer_one_only_what_it_should(tmp_path: Path) -> None:
    outer = MemoryContext(tmp_path)
    inner = Inner(outer, tmp_path / "checkpoints" / "inside")
    inner.report(3, 5, "reading")
    inner.metric(1, loss=0.5)
    inner.live({"x": 1})
    (inner.run / "artifacts" / "a.txt").write_text("a")
    inner.artifact("a.txt", inner.run / "artifacts" / "a.txt", "export")
    assert outer.reports == [(0, 0, "reading")], "its steps are not those of the whole"
    assert not outer.metrics and not outer.lives and not (tmp_path / "artifacts.jsonl").exists()
    assert inner.commands() == () and (inner.rank, inner.world) == (0, 1)
    assert inner.generator(3).random() == outer.generator(3).random()
    with pytest.raises(MissingResource):
        inner.resource(f"path:{tmp_path / 'nothing'}")
    assert inner.resource(f"path:{tmp_path}") == tmp_path

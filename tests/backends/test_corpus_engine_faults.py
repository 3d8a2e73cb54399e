"""The engine when something goes wrong: killed while it finishes, files that change, marks that were edited, workers
that fail. The result is that of a run to which nothing happened, or a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backends.mdfg import exports, pool, ray_engine, sample, stage
from backends.mdfg.readers.files import files_of
from backends.mdfg.readers.plan import Shard, plan
from backends.mdfg.stage import Done, Stage, Work, finished, open_scorers
from backends.mdfg.words import NONE, WordList
from tests.backends.corpus_cases import attributes, filtered, good_text, lines_of, recipe, texts, write_lines
from workbench.contract import Cancelled, MissingResource, UserError

ROOT = Path(__file__).resolve().parents[2]
FIELDS: dict[str, Any] = {"shard_mb": 0.06, "exports": ("jsonl", "parquet", "ledger"), "near_duplicates": "drop",
                          "scorers": ("bundled:mdfg-zh-quality",)}
CHILD = """
import sys
from pathlib import Path
from tests.backends.corpus_cases import filtered
from tests.backends.test_corpus_engine_faults import FIELDS
filtered(Path(sys.argv[1]), sources=(sys.argv[2],), workers=int(sys.argv[3]), **FIELDS)
"""


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "artifacts").rglob("*")) if path.is_file() and path.name != "summary.json"}


def marks(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("checkpoints/shards/*/done.json")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write_jsonl(tmp_path_factory.mktemp("faults") / "corpus.jsonl", 500, seed=41)


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert filtered(folder, sources=(corpus,), **FIELDS)[0].documents == 500
    return folder


def shards_of(path: Path, size: int = 50_000) -> tuple[Shard, ...]:
    return plan(files_of(path), size=size).shards


def plain_work(folder: Path) -> Work:
    return Work(recipe(), WordList(NONE), str(folder), "c", "f")


def killed_when(ready: Callable[[], bool], folder: Path, corpus: Path, workers: int) -> None:
    """Run in a process group of its own and kill all of it as soon as ``ready`` says so."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), str(corpus), str(workers)], cwd=ROOT,
                             start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    until = time.monotonic() + 90
    while not ready() and child.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(10)


# --- killed


def test_killed_while_it_writes_its_tables(corpus: Path, whole: Path, tmp_path: Path) -> None:
    """After the last shard: in the middle of the assembly, of an export, at a moment of chance; then to the end."""
    folder, draw = tmp_path / "run", random.Random(time.time_ns())
    moments: list[Callable[[], bool]] = [
        lambda: any((folder / "artifacts").glob(".attributes.parquet.*.tmp")),
        lambda: any((folder / "artifacts").glob(".kept*")),
        lambda: bool(marks(folder)) and draw.random() < 0.01]
    for moment in moments:
        killed_when(moment, folder, corpus, 1)
    before = marks(folder)
    assert before
    filtered(folder, sources=(corpus,), **FIELDS)
    assert {name: marks(folder)[name] for name in before} == before, "no finished shard is scored again"
    assert digests(folder) == digests(whole)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")], "nothing is left over"


def test_a_run_goes_on_with_another_number_of_processes(corpus: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed_when(lambda: len(marks(folder)) >= 3, folder, corpus, 2)
    result, context = filtered(folder, sources=(corpus,), **FIELDS)
    assert digests(folder) == digests(whole)
    summary = json.loads((folder / "artifacts" / "summary.json").read_text())
    assert summary["rows_read"] == result.documents + result.problems == 500
    assert [row["number"] for row in attributes(context)] == list(range(1, 501)), "documents in = documents out, once"


# --- what changes meanwhile


def test_a_source_that_grew_is_worked_on_again(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts(80)])
    filtered(tmp_path / "run", sources=(path,), **FIELDS)
    with path.open("ab") as file:
        file.write(json.dumps({"text": good_text()}).encode() + b"\n")
    result, _ = filtered(tmp_path / "run", sources=(path,), **FIELDS)
    filtered(tmp_path / "fresh", sources=(path,), **FIELDS)
    assert result.documents == 81
    assert digests(tmp_path / "run") == digests(tmp_path / "fresh")


def test_another_recipe_in_the_same_run_begins_anew(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in texts(60)])
    one, _ = filtered(tmp_path / "run", sources=(path,))
    first = marks(tmp_path / "run")
    two, _ = filtered(tmp_path / "run", sources=(path,), recipe="zh-strict-char")
    assert one.config != two.config
    assert marks(tmp_path / "run") != first
    assert two.kept >= one.kept


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"config": "c", "files": "f"}',
                                  '{"config": "c", "files": "f", "documents": 3, "problems": 0}'])
def test_a_mark_that_somebody_edited_counts_for_nothing(corpus: Path, tmp_path: Path, text: str) -> None:
    work, shard = plain_work(tmp_path), shards_of(corpus)[0]
    done = Stage(work, []).run(shard)
    (work.shard_folder(0) / "done.json").write_text(text)
    assert finished(work, 0) is None
    (work.shard_folder(0) / "done.json").write_text(json.dumps(
        {"config": "c", "files": "f", "documents": done.documents, "problems": 0, "characters": 1, "bytes": 2,
         "seconds": {}}))
    assert finished(work, 0) == Done(0, done.documents, 0, 1, 2, {})


# --- batches


def test_batches_end_by_documents_or_by_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = texts(100)
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in made])
    shard = shards_of(path, 10**9)[0]
    seen = {}
    for documents, characters in ((512, 2_000_000), (7, 2_000_000), (512, 500), (1, 1)):
        monkeypatch.setattr(stage, "DOCUMENTS", documents)
        monkeypatch.setattr(stage, "CHARACTERS", characters)
        work, ticks = plain_work(tmp_path / f"{documents}-{characters}"), list[int]()
        done = Stage(work, []).run(shard, ticks.append)
        table = pq.read_table(work.part(0))
        assert table["text"].to_pylist() == made
        assert done.documents == ticks[-1] == 100
        assert ticks == sorted(ticks)
        assert done.characters == sum(map(len, made))
        groups = pq.ParquetFile(work.part(0)).metadata
        sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        assert max(sizes) <= documents
        seen[documents, characters] = (work.shard_folder(0) / "signatures.bin").read_bytes()
    assert len(set(seen.values())) == 1, "signatures do not depend on batches"
    assert len(seen[1, 1]) == 100 * 128 * 4


def test_a_shard_of_nothing_but_problems_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"bad\n" * 30)
    work = plain_work(tmp_path / "run")
    done = Stage(work, []).run(shards_of(tmp_path / "a.jsonl", 10**9)[0])
    assert (done.documents, done.problems) == (0, 30)
    assert finished(work, 0) == done
    assert not work.part(0).exists()
    lines = lines_of(work.shard_folder(0) / "problems.jsonl")
    assert [line["where"] for line in lines][:2] == ["a.jsonl, line 1", "a.jsonl, line 2"]


# --- processes


def test_finished_work_starts_no_process(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, shards = plain_work(tmp_path), shards_of(corpus)[:2]
    one = list(pool.run(work, shards, 1, lambda documents: None))
    monkeypatch.setattr(pool, "_started", lambda: pytest.fail("a process was started"))
    monkeypatch.setattr(pool, "Stage", lambda work: pytest.fail("the stage was opened"))
    assert list(pool.run(work, shards, 8, lambda documents: None)) == one
    assert list(pool.run(work, (), 8, lambda documents: None)) == []


def test_one_shard_needs_no_process_of_its_own(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_started", lambda: pytest.fail("a process was started"))
    work, shards, ticks = plain_work(tmp_path), shards_of(corpus), list[int]()
    done = list(pool.run(work, shards[:1], 16, ticks.append))
    assert [d.index for d in done] == [0]
    assert ticks == [done[0].documents]


def test_what_is_sent_to_a_worker_survives_the_way(corpus: Path, tmp_path: Path) -> None:
    for thing in (plain_work(tmp_path), shards_of(corpus)[0], Done(1, 2, 3, 4, 5, {"read": 0.5})):
        assert pickle.loads(pickle.dumps(thing)) == thing


@pytest.fixture
def interrupts() -> Iterator[None]:
    """A worker ignores interrupts for good; this process must not."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def served(messages: list[Any]) -> list[Any]:
    """What a worker answers to some messages, after which the line is closed."""
    ours, theirs = Pipe()
    heard: list[Any] = []

    def listen() -> None:
        for message in messages:
            ours.send(message)
        while True:
            try:
                heard.append(ours.recv())
            except (EOFError, OSError):
                return
    thread = threading.Thread(target=listen)
    thread.start()
    pool.serve(theirs)
    theirs.close()
    thread.join(10)
    ours.close()
    return heard


def test_a_worker_says_how_far_it_is_and_what_came_of_it(corpus: Path, tmp_path: Path, interrupts: None) -> None:
    shards = shards_of(corpus)[:2]
    heard = served([plain_work(tmp_path), *shards, None])
    assert [kind for kind, _ in heard] == ["documents", "done"] * 2
    assert [value for kind, value in heard if kind == "done"] == [finished(plain_work(tmp_path), i) for i in (0, 1)]


def test_a_worker_tells_its_errors_in_words(tmp_path: Path, interrupts: None) -> None:
    (tmp_path / "artifacts").write_text("a file where a folder belongs")
    heard = served([plain_work(tmp_path), Shard(0, str(tmp_path / "gone.jsonl"), "gone", "jsonl", end=9)])
    assert heard[-1][0] == "error"
    assert isinstance(heard[-1][1], RuntimeError)
    heard = served([Work(recipe(), WordList(NONE), str(tmp_path), "c", scorers=(str(tmp_path / "none"),))])
    assert heard == [("error", heard[0][1])]
    assert isinstance(heard[0][1], UserError)
    assert "holds no scorer" in heard[0][1].message
    assert "train_scorer" in str(heard[0][1].advice)


@pytest.mark.parametrize(("code", "words"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (3, "exit code 3")])
def test_how_a_worker_died(code: int, words: str) -> None:
    error = pool._died(code)
    assert words in error.message
    assert "continue the run" in str(error.advice)


# --- Ray without Ray: its actor does the work of a stage


def test_an_actor_of_the_cluster_leaves_the_files_of_a_stage(corpus: Path, tmp_path: Path) -> None:
    shards = shards_of(corpus)[:3]
    one, two = plain_work(tmp_path / "one"), plain_work(tmp_path / "two")
    for shard in shards:
        Stage(one, []).run(shard)
    actor = ray_engine.Actor(two, shards)
    assert actor({"shard": np.array([2, 0])})["shard"].tolist() == [2, 0]
    assert [finished(two, i) is not None for i in range(3)] == [True, False, True]
    for i in (0, 2):
        assert two.part(i).read_bytes() == one.part(i).read_bytes()
        for name in ("attributes.parquet", "signatures.bin", "problems.jsonl"):
            assert (two.shard_folder(i) / name).read_bytes() == (one.shard_folder(i) / name).read_bytes()


def test_finished_shards_need_no_cluster(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, shards = plain_work(tmp_path), shards_of(corpus)[:2]
    done = [Stage(work, []).run(shard) for shard in shards]

    def none() -> None:
        raise MissingResource("no cluster here")
    monkeypatch.setattr(ray_engine, "_ray", none)
    assert list(ray_engine.run(work, shards, 2, lambda documents: None)) == done
    with pytest.raises(MissingResource, match="no cluster here"):
        list(ray_engine.run(work, shards_of(corpus)[:3], 2, lambda documents: None))
    assert str(ROOT) in ray_engine.runtime()["env_vars"]["PYTHONPATH"].split(os.pathsep)


# --- exports


def test_an_export_that_fails_leaves_the_old_one(corpus: Path, tmp_path: Path) -> None:
    _, context = filtered(tmp_path / "run", sources=(corpus,), exports=("jsonl",))
    folder, work = context.run / "artifacts", plain_work(context.run)
    before = (folder / "kept.jsonl").read_bytes()

    def stop(message: str) -> None:
        raise Cancelled
    for kind in exports.NAMES:
        with pytest.raises(Cancelled):
            exports.write(kind, exports.Tables(work, folder / "attributes.parquet"), folder, stop)
    assert (folder / "kept.jsonl").read_bytes() == before
    assert [path.name for path in folder.iterdir() if path.name.startswith(("kept", ".kept", "dropped"))] == [
        "kept.jsonl"]


def test_a_data_set_of_several_files(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(exports, "SHARD_ROWS", 50)
    result, context = filtered(tmp_path / "run", sources=(corpus,), shard_mb=0.03, exports=("datasets", "parquet"))
    folder = context.run / "artifacts"
    assert len(list((folder / "kept.datasets").glob("*.arrow"))) > 1
    opened = datasets.load_from_disk(folder / "kept.datasets")
    assert len(opened) == result.kept
    assert opened["text"][:] == pq.read_table(folder / "kept.parquet")["text"].to_pylist()
    assert set(opened.column_names) == set(pq.read_schema(folder / "kept.parquet").names)


def test_every_export_holds_the_same_documents_in_order(corpus: Path, tmp_path: Path) -> None:
    import csv

    _, context = filtered(tmp_path / "run", sources=(corpus,), shard_mb=0.05, exports=(
        "jsonl", "parquet", "csv", "ledger"), near_duplicates="off")
    folder = context.run / "artifacts"
    kept = [record["id"] for record in lines_of(folder / "kept.jsonl")]
    with (folder / "kept.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == kept
    assert pq.read_table(folder / "kept.parquet")["id"].to_pylist() == kept
    dropped = [record["id"] for record in lines_of(folder / "dropped.jsonl")]
    assert [row["id"] for row in attributes(context) if row["kept"]] == kept
    assert [row["id"] for row in attributes(context) if not row["kept"]] == dropped
    for record in lines_of(folder / "dropped.jsonl"):
        for kind, places in record["spans"].items():
            assert len(places) % 2 == 0, kind
            assert all(0 <= a < b <= len(record["text"]) for a, b in zip(places[::2], places[1::2], strict=True))
        assert ("duplication" in record["rules_failed"]) == bool(record["spans"]["duplication"])


def test_scorers_are_opened_by_folder_and_put_together() -> None:
    models = ROOT / "assets" / "models"
    opened = open_scorers(tuple(str(models / name) for name in ("mdfg-zh-quality", "mdfg-zh-toxicity")))
    assert len(opened) == 1, "scorers that read the same n-grams are one"
    assert opened[0].outputs == ("quality.score", "toxicity.score")
    assert open_scorers(()) == []

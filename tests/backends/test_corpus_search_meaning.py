"""Search by meaning: the projector against scikit-learn, topics that are found without their words, the index task."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import filter_task, index_fit, index_task
from backends.mdfg.explore import parts as texts_of
from backends.mdfg.explore import semantic
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.projector import Projector, load_projector, save_projector, unit
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.search import find, highlights
from backends.mdfg.explore.semantic import best, cosines, open_index, query_vector, read_index
from backends.mdfg.index_fit import fit_projector, turned
from backends.mdfg.index_request import IndexRequest
from backends.mdfg.library import library
from backends.mdfg.requests import FilterRequest
from backends.mdfg.scorers.hashing import Grams, buckets_of
from tests.backends.explore_cases import filtered, full_texts
from tests.backends.search_cases import TOPICS, index_of, topical
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError

COUNT = 240
SMALL = Grams(1, 2, 14, 500)


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return topical(COUNT)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("meaning")
    run = filtered(folder, records=records, shard_mb=0.05)
    index_of(run, folder / "index", sample=200)
    corpus = Corpus.open(run, folder / "index")
    yield corpus
    corpus.close()


def fitted(texts: Sequence[str], dimensions: int = 8, seed: int = 0) -> Projector:
    return fit_projector(texts, dimensions, seed, grams=SMALL).projector


def topics_of(records: list[dict[str, Any]], places: Sequence[int]) -> list[str]:
    return [records[place]["topic"] for place in places]


def ranked(corpus: Corpus, query: Query) -> list[int]:
    found = find(corpus, query)
    return found.places[np.argsort(-found.scores, kind="stable")].tolist()


# What is learned

def test_the_weights_and_directions_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import TruncatedSVD

    texts = [record["text"] for record in topical(80, 3)]
    found = fit_projector(texts, 6, 0, grams=SMALL)
    counts = np.zeros((len(texts), SMALL.buckets))
    for row, text in enumerate(texts):
        np.add.at(counts[row], buckets_of([text], SMALL)[0], 1)
    df = (counts > 0).sum(axis=0)
    kept = np.flatnonzero((df >= 2) & (df <= 40))
    assert kept.tolist() == found.projector.buckets.tolist()
    idf = np.log((1 + len(texts)) / (1 + df[kept])) + 1
    assert found.projector.idf == pytest.approx(idf, rel=1e-6)
    inner = counts[:, kept]
    matrix = np.where(inner > 0, 1 + np.log(np.maximum(inner, 1)), 0) * idf
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    svd = TruncatedSVD(7, algorithm="arpack", random_state=0).fit(matrix)
    assert found.explained == pytest.approx(float((svd.singular_values_ ** 2).sum() / (matrix ** 2).sum()), rel=1e-3)
    for number in range(6):
        mine = found.projector.table[:, number] / np.linalg.norm(found.projector.table[:, number])
        assert abs(float(mine @ svd.components_[number + 1])) == pytest.approx(1, abs=5e-3), number
    expected = unit(matrix @ found.projector.table)
    assert found.projector.vectors(texts) == pytest.approx(expected, abs=1e-5)


def test_directions_are_weighted_with_the_root_of_their_values() -> None:
    lengths = np.linalg.norm(fitted([record["text"] for record in topical(100, 4)], 10).table, axis=0)
    assert (np.diff(lengths) <= 1e-3).all() and lengths[0] <= 1.001


def test_no_more_directions_than_the_sample_bears() -> None:
    texts = [record["text"] for record in topical(120, 5)]
    assert fitted(texts, 128).dimensions == 120 // index_fit.SHARE
    assert fitted(texts, 9).dimensions == 9
    assert 1 <= fitted(texts[:5], 128).dimensions <= index_fit.MINIMUM


def test_the_same_seed_gives_the_same_directions() -> None:
    texts = [record["text"] for record in topical(60, 6)]
    one, same, other = fitted(texts), fitted(texts), fitted(texts, seed=1)
    assert (one.table == same.table).all() and not (one.table == other.table).all()
    mine, theirs = one.vectors(texts), other.vectors(texts)
    assert np.abs(mine @ mine.T - theirs @ theirs.T).max() < 0.05


def test_texts_that_share_nothing_teach_nothing() -> None:
    with pytest.raises(UserError, match="share no piece"):
        fit_projector(["春天", "ABC", "", "路"], 8, 0)


def test_a_person_can_end_the_learning() -> None:
    def stop(done: int, total: int) -> None:
        if done == total:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_projector([record["text"] for record in topical(40)], 8, 0, stop)


def test_learning_says_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    fit_projector([record["text"] for record in topical(300, 2)], 8, 0, lambda done, total: told.append((done, total)))
    assert told == sorted(told) and {total for _, total in told} == {300} and len(told) > 10


# Vectors

def test_vectors_do_not_depend_on_the_texts_beside(indexed: Corpus) -> None:
    projector = read_index(indexed.index).projector  # type: ignore[arg-type]
    texts = ["湖泊的水位", "", "血压高要少吃盐", "湖泊的水位"]
    together = projector.vectors(texts)
    assert (together == np.vstack([projector.vectors([text]) for text in texts])).all()
    assert (together[0] == together[3]).all()
    assert together.dtype == np.float32 and together.shape == (4, projector.dimensions)


@pytest.mark.parametrize("text", ["", "   ", "\u3000", "\U00020000\U00020001", "ｑ" * 3, "\ud800"], ids=repr)
def test_a_text_of_unknown_characters_is_like_nothing(indexed: Corpus, text: str) -> None:
    projector = read_index(indexed.index).projector  # type: ignore[arg-type]
    found = projector.vectors([text])
    assert np.isfinite(found).all()
    assert not found.any() or abs(float(np.linalg.norm(found)) - 1) < 1e-5


@given(st.lists(st.text(max_size=60), max_size=5))
@settings(max_examples=60, deadline=None)
def test_vectors_have_length_one_or_zero(texts: list[str]) -> None:
    made = Projector(SMALL, np.arange(SMALL.buckets), np.ones(SMALL.buckets, dtype=np.float32),
                     np.random.Generator(np.random.PCG64(1)).standard_normal((SMALL.buckets, 4), dtype=np.float32),
                     np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32)).vectors(texts)
    assert made.shape == (len(texts), 4)
    lengths = np.linalg.norm(made, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()


def test_letters_and_width_make_no_difference(indexed: Corpus) -> None:
    projector = read_index(indexed.index).projector  # type: ignore[arg-type]
    one, other = projector.vectors(["SQL 数据库　索引", "ｓｑｌ 数据库 索引"])
    assert one == pytest.approx(other)


def test_a_projector_is_read_as_it_was_written(tmp_path: Path) -> None:
    texts = [record["text"] for record in topical(60, 7)]
    made = fitted(texts)
    save_projector(made, tmp_path / "p.safetensors")
    read = load_projector(tmp_path / "p.safetensors")
    assert read.grams == made.grams and (read.buckets == made.buckets).all()
    assert (read.vectors(texts) == made.vectors(texts)).all(), "the table is rounded before it is used"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("change", "said"), [
    ({"buckets": np.asarray([0, 1 << 14])}, "n-grams that there are not"),
    ({"buckets": np.asarray([-1, 3])}, "n-grams that there are not"),
    ({"idf": np.ones(3, dtype=np.float32)}, "weights"),
    ({"table": np.ones((3, 2), dtype=np.float32)}, "rows"),
    ({"turn": np.ones((5, 2), dtype=np.float32), "shift": np.zeros(5, dtype=np.float32)}, "a turn"),
])
def test_a_projector_whose_parts_do_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good = Projector(SMALL, np.asarray([3, 5]), np.ones(2, dtype=np.float32), np.ones((2, 2), dtype=np.float32),
                     np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32))
    save_projector(replace(good, **change), tmp_path / "p.safetensors")
    with pytest.raises(UserError, match=said):
        load_projector(tmp_path / "p.safetensors")


def test_a_damaged_projector_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"no p\.safetensors"):
        load_projector(tmp_path / "p.safetensors")
    (tmp_path / "p.safetensors").write_bytes(b"not a tensor at all")
    with pytest.raises(UserError, match="cannot be read"):
        load_projector(tmp_path / "p.safetensors")


# Finding

@pytest.mark.parametrize(("text", "topic"), [
    ("候鸟在水边过冬", "湖泊"), ("采摘嫩芽制作饮料", "茶树"), ("房东不退押金", "租房纠纷"), ("血压", "高血压"),
    ("索引和事务", "数据库"), ("骰子", "概率")])
def test_a_topic_is_found(indexed: Corpus, records: list[dict[str, Any]], text: str, topic: str) -> None:
    first = topics_of(records, ranked(indexed, Query("meaning", text))[:10])
    assert first.count(topic) >= 8, first


def test_documents_of_the_topic_that_share_no_word_with_the_query_are_found(
        indexed: Corpus, records: list[dict[str, Any]]) -> None:
    """For every topic: words of it that most of its documents do not have find those documents too."""
    import rjieba

    checked = found_without = right = found = 0
    for topic in TOPICS:
        mine = [place for place, record in enumerate(records) if record["topic"] == topic]
        others = "".join(record["text"] for record in records if record["topic"] != topic)
        words = {word for place in mine for word in rjieba.cut(records[place]["text"]) if len(word) > 1}
        rare = [word for word in sorted(words) if word.isalpha() and word not in others
                and 0.1 < np.mean([word in records[place]["text"] for place in mine]) < 0.4]
        for word in random.Random(1).sample(rare, 8):
            hits = find(indexed, Query("meaning", word))
            without = [place for place in hits.places.tolist() if not set(word) & set(records[place]["text"])]
            assert not set(find(indexed, Query("words", word)).places.tolist()) & set(without)
            right += sum(records[place]["topic"] == topic for place in without)
            found += len(without)
            checked, found_without = checked + 1, found_without + bool(without)
    assert checked == 8 * len(TOPICS) and found_without >= 0.6 * checked
    assert found > 200 and right >= 0.95 * found, (right, found)


def test_more_like_a_document_are_those_of_its_topic(indexed: Corpus, records: list[dict[str, Any]]) -> None:
    for place in range(0, COUNT, 40):
        first = ranked(indexed, Query("meaning", like=(place,)))
        assert first[0] == place
        assert set(topics_of(records, first[:10])) == {records[place]["topic"]}


def test_counter_examples_push_away(indexed: Corpus, records: list[dict[str, Any]]) -> None:
    by_topic = {topic: [i for i, record in enumerate(records) if record["topic"] == topic] for topic in TOPICS}
    lake, tea = by_topic["湖泊"][0], by_topic["茶树"][0]
    both = Query("meaning", "山", like=(lake, tea))
    without = replace(both, unlike=tuple(by_topic["茶树"][1:6]))
    index = open_index(indexed)
    rows = by_topic["茶树"]
    near, far = (cosines(index, query_vector(index, query))[rows].mean() for query in (both, without))
    assert far < near


def test_hits_are_in_order_of_places_with_their_cosine(indexed: Corpus) -> None:
    found = find(indexed, Query("meaning", "湖泊"))
    index = open_index(indexed)
    towards = index.projector.query("湖泊")[0]
    assert (np.diff(found.places) > 0).all()
    assert found.scores == pytest.approx(np.asarray(index.vectors, dtype=np.float32)[found.places] @ towards, abs=1e-6)
    assert found.scores.min() >= semantic.LEAST
    high = find(indexed, Query("meaning", "湖泊", least=0.6))
    assert set(high.places) <= set(found.places) and high.scores.min() >= 0.6


def test_chunks_make_no_difference(indexed: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(indexed)
    towards = index.projector.vectors(["湖泊"])[0]
    whole = cosines(index, towards)
    monkeypatch.setattr(semantic, "CHUNK", 7)
    assert cosines(index, towards) == pytest.approx(whole, abs=1e-6)


def test_of_too_many_hits_the_best_are_taken_and_it_is_said() -> None:
    query = Query("meaning", "x")
    scores = np.asarray([0.5, 0.9, 0.1, 0.7, 0.5])
    found = best(query, scores, 0.3, 3)
    assert found.places.tolist() == [0, 1, 3] and found.scores.tolist() == [0.5, 0.9, 0.7]
    assert found.note == "the best 3 of 4"
    assert best(query, scores, 0.3).note == ""
    assert best(query, scores, 2.0).places.tolist() == []


def test_words_find_their_topic_on_the_whole_library() -> None:
    """What the docstring of ``Projector.query`` says: five words of each of the 44 topics, found without their
    characters; .91 with longer n-grams only, .82 with single characters too."""
    import rjieba

    names = [topic.name for topic in library("zh").topics]
    records = topical(600, 1, names)
    texts, topics = [record["text"] for record in records], np.asarray([record["topic"] for record in records])
    projector = fit_projector(texts, 128, 0).projector
    vectors, draw = projector.vectors(texts), random.Random(2)
    right: dict[str, list[float]] = {"query": [], "all": []}
    for name in sorted(set(topics)):
        mine = [place for place in range(600) if topics[place] == name]
        others = "".join(texts[place] for place in range(600) if topics[place] != name)
        every = sorted({word for place in mine for word in rjieba.cut(texts[place]) if len(word) > 1})
        fit = (word for word in draw.sample(every, len(every)) if word.isalpha() and word not in others
               and np.mean([word in texts[other] for other in mine]) < 0.5)
        for word in islice(fit, 5):
            for way, towards in (("query", projector.query(word)[0]), ("all", projector.vectors([word])[0])):
                scores = vectors @ towards
                found = [place for place in np.argsort(-scores) if scores[place] > semantic.LEAST
                         and not set(word) & set(texts[place])][:10]
                right[way] += [float(np.mean(topics[found] == name))] if found else []
    assert np.mean(right["query"]) > 0.88 and np.mean(right["query"]) > np.mean(right["all"]) + 0.05


def test_the_roots_of_the_values_help_on_news(shared: Path) -> None:
    """What ``index_fit`` says of 500 articles of THUCNews (local use only): neighbours of one class, .892 and .884."""
    path = shared / "corpus" / "thucnews_full_500docs.txt"
    if not path.is_file():
        pytest.skip("the news articles are not on this machine")
    rows = [line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    classes, texts = np.asarray([row[0] for row in rows]), [row[1] for row in rows]
    made = fit_projector(texts, 128, 0).projector
    plain = replace(made, table=made.table / np.linalg.norm(made.table, axis=0))

    def agree(projector: Projector) -> float:
        vectors = projector.vectors(texts)
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -9)
        return float(np.mean(classes[np.argsort(-scores, axis=1)[:, :5]] == classes[:, None]))

    assert made.dimensions == 62
    assert agree(made) == pytest.approx(0.892, abs=0.01) and agree(plain) == pytest.approx(0.884, abs=0.01)
    assert agree(made) > agree(plain)


def test_single_characters_count_only_where_nothing_longer_is_known(indexed: Corpus) -> None:
    projector = open_index(indexed).projector
    longer = replace(projector, grams=replace(projector.grams, low=2))
    assert (projector.query("候鸟")[0] == longer.vectors(["候鸟"])[0]).all()
    assert (projector.query("湖")[0] == projector.vectors(["湖"])[0]).all() and projector.query("湖")[1] == 1.0
    assert (projector.query("\U00020000湖\U00020000")[0] == projector.vectors(["湖"])[0]).all()
    assert projector.query("")[1] == 0.0 and not projector.query("")[0].any()


def test_a_query_that_is_hardly_known_comes_with_a_warning(indexed: Corpus) -> None:
    assert find(indexed, Query("meaning", "湖泊")).note == ""
    note = find(indexed, Query("meaning", "湖泊量子色动力学的重整化群方程")).note
    assert note.startswith("only ") and "% of the pieces" in note


def test_a_query_of_unknown_characters_is_an_error(indexed: Corpus) -> None:
    with pytest.raises(UserError, match="Nothing of this search"):
        find(indexed, Query("meaning", "\U00020000"))
    with pytest.raises(UserError, match=f"no document {COUNT}"):
        find(indexed, Query("meaning", like=(COUNT,)))


def test_the_closest_sentences_are_marked(indexed: Corpus) -> None:
    text = "今天是星期三。候鸟飞到湖边的芦苇荡里过冬！我们去吃饭。药要按时吃；明天再说。"
    (begin, end), *_ = highlights(indexed, Query("meaning", "湖边的候鸟"), text)
    assert text[begin:end] == "候鸟飞到湖边的芦苇荡里过冬！"
    assert highlights(indexed, Query("meaning", "湖边的候鸟"), "候鸟。") == ()
    assert highlights(indexed, Query("meaning", "湖边的候鸟"), "") == ()
    spans = highlights(indexed, Query("meaning", "湖边的候鸟"), text * 200)
    assert len(spans) == 3 and list(spans) == sorted(spans)


# The task

def test_the_task_makes_vectors_in_the_order_of_the_documents(tmp_path: Path) -> None:
    run = filtered(tmp_path, 150, shard_mb=0.03)
    result, context = index_of(run, tmp_path / "index", dimensions=16, sample=100, seed=3)
    texts = full_texts(run)
    index = read_index(tmp_path / "index")
    assert result.documents == len(texts) == len(index.vectors) == 150
    assert (result.dimensions, result.method, result.sampled, result.agreement) == (12, "lsa", 100, 1.0)
    assert index.vectors.dtype == np.float16
    assert np.asarray(index.vectors, dtype=np.float32) == pytest.approx(index.projector.vectors(texts), abs=1e-3)
    assert result.unknown == int((~np.asarray(index.vectors).any(axis=1)).sum())
    assert 0 < result.explained < 1 and result.documents_per_second > 0
    assert result.fingerprint == texts_of.fingerprint(run / "artifacts") == index.facts["fingerprint"]
    names = {json.loads(line)["name"] for line in (context.run / "artifacts.jsonl").read_text().splitlines()}
    assert names == {"vectors.npy", "projector.safetensors", "index.json"}
    assert context.reports[-1][:2] == (150, 150)
    assert not (context.run / "checkpoints" / "vectors.npy").exists()


def test_a_text_without_characters_has_no_vector_and_is_counted(tmp_path: Path) -> None:
    records = [*topical(40), {"text": ""}, {"text": "   "}, {"text": "\U00020000"}]
    run = filtered(tmp_path, records=records)
    result, _ = index_of(run, tmp_path / "index")
    index = read_index(tmp_path / "index")
    assert result.unknown == 3 and not np.asarray(index.vectors[40:]).any()
    corpus = Corpus.open(run, tmp_path / "index")
    assert max(find(corpus, Query("meaning", "湖泊", least=-1.0)).places.tolist()) <= 42
    assert not set(find(corpus, Query("meaning", "湖泊")).places.tolist()) & {40, 41, 42}
    corpus.close()


@pytest.mark.parametrize("stop", [3, 8, 12, 15])
def test_a_run_that_was_ended_goes_on_and_ends_the_same(tmp_path: Path, stop: int) -> None:
    run = filtered(tmp_path, 120, shard_mb=0.02)
    whole, _ = index_of(run, tmp_path / "whole", sample=60)
    request = IndexRequest(f"path:{run / 'artifacts'}", sample=60)
    with pytest.raises(Cancelled):
        index_task.run(request, MemoryContext(tmp_path / "cut", cancel_after=stop))
    again = index_task.run(request, MemoryContext(tmp_path / "cut"))
    for name in ("vectors.npy", "projector.safetensors"):
        one, other = (tmp_path / folder / "artifacts" / name for folder in ("whole", "cut"))
        assert one.read_bytes() == other.read_bytes(), name
    assert (again.unknown, again.documents, again.features) == (whole.unknown, whole.documents, whole.features)


def test_finished_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = filtered(tmp_path, 120, shard_mb=0.02)
    parts = texts_of.parts_of(run / "artifacts")
    assert len(parts) > 3
    request = IndexRequest(f"path:{run / 'artifacts'}", sample=60)
    before = MemoryContext(tmp_path / "count")
    index_task.run(request, before)
    first = next(i for i, (_, total, message) in enumerate(before.reports, 1) if message.endswith("documents"))
    with pytest.raises(Cancelled):
        index_task.run(request, MemoryContext(tmp_path / "cut", cancel_after=first + 2))
    read: list[int] = []
    slow = texts_of.stream

    def watched(part: texts_of.Part, batch: int = texts_of.BATCH) -> Iterator[tuple[int, list[str]]]:
        read.append(part.number)
        yield from slow(part, batch)

    monkeypatch.setattr(texts_of, "stream", watched)
    index_task.run(request, MemoryContext(tmp_path / "cut"))
    assert read == [part.number for part in parts[2:]], "the sample was kept, and two files were done"


def test_a_changed_request_begins_anew(tmp_path: Path) -> None:
    run = filtered(tmp_path, 100, shard_mb=0.02)
    first = IndexRequest(f"path:{run / 'artifacts'}", sample=50)
    with pytest.raises(Cancelled):
        index_task.run(first, MemoryContext(tmp_path / "i", cancel_after=10))
    result, _ = index_of(run, tmp_path / "i", sample=80, seed=4)
    clean, _ = index_of(run, tmp_path / "clean", sample=80, seed=4)
    assert result.features == clean.features
    one, other = (tmp_path / name / "artifacts" / "vectors.npy" for name in ("i", "clean"))
    assert one.read_bytes() == other.read_bytes()


def test_what_cannot_be_indexed_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty" / "documents").mkdir(parents=True)
    with pytest.raises(MissingResource, match="no texts"):
        index_task.run(IndexRequest(f"path:{tmp_path / 'empty'}"), MemoryContext(tmp_path / "a"))
    (tmp_path / "empty" / "documents" / "part-00000.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(UserError, match="part-00000"):
        index_task.run(IndexRequest(f"path:{tmp_path / 'empty'}"), MemoryContext(tmp_path / "b"))
    for fields in ({"dimensions": 4}, {"dimensions": 2000}, {"sample": 5}, {"seed": -1}, {"method": ""}):
        with pytest.raises(UserError, match=next(iter(fields))):
            IndexRequest("path:/x", **fields)  # type: ignore[arg-type]


def test_too_little_room_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = filtered(tmp_path, 60)
    monkeypatch.setattr(index_task, "RESERVE", 1e15)
    with pytest.raises(UserError, match="MB are free"):
        index_of(run, tmp_path / "index")


def test_the_sample_is_drawn_by_the_seed_over_all_files(tmp_path: Path) -> None:
    run = filtered(tmp_path, 120, shard_mb=0.02)
    parts, texts = texts_of.parts_of(run / "artifacts"), full_texts(run)
    context = MemoryContext(tmp_path / "i")
    requests = [IndexRequest("path:x", sample=30, seed=seed) for seed in (1, 1, 2)]
    drawn = [list(index_task._sample(request, context, parts)) for request in requests]
    assert drawn[0] == drawn[1] != drawn[2]
    chosen = sorted(context.generator(1).sample(range(120), 30))
    assert drawn[0] == [texts[place] for place in chosen]
    assert list(index_task._sample(IndexRequest("path:x", sample=500), context, parts)) == texts


def test_an_index_of_the_sample_is_one_of_every_filtering_run_over_it(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "index")
    result = index_task.run(IndexRequest(sample=150), context)
    filtering = MemoryContext(tmp_path / "run")
    filter_task.run(FilterRequest(exports=("jsonl",)), filtering)
    corpus = Corpus.open(filtering.run, context.run)
    assert corpus.total == result.documents >= 300
    assert len(find(corpus, Query("meaning", like=(0,))).places) >= 1
    listed = {json.loads(line)["name"] for line in (context.run / "artifacts.jsonl").read_text().splitlines()}
    assert listed == {"vectors.npy", "projector.safetensors", "index.json"}, "the sample's own files are no products"
    assert all(message != "" or total for _, total, message in context.reports)
    corpus.close()


def test_the_sample_on_the_way_can_be_ended_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        index_task.run(IndexRequest(sample=60), MemoryContext(tmp_path / "cut", cancel_after=2))
    again = index_task.run(IndexRequest(sample=60), MemoryContext(tmp_path / "cut"))
    assert again.documents == index_task.run(IndexRequest(sample=60), MemoryContext(tmp_path / "new")).documents


# The index and its corpus

def test_a_corpus_without_an_index_says_what_to_do(tmp_path: Path) -> None:
    corpus = Corpus.open(filtered(tmp_path, 20))
    with pytest.raises(UserError, match=r"mdfg\.index\.v1"):
        find(corpus, Query("meaning", "湖泊"))
    with pytest.raises(UserError, match="needs an index"):
        find(corpus, Query("concept", like=(1,), unlike=(2,)))
    corpus.close()


def test_an_index_of_other_texts_is_refused(tmp_path: Path, indexed: Corpus) -> None:
    for name, count in (("fewer", 30), ("as many", COUNT)):
        corpus = Corpus.open(filtered(tmp_path / name, count, seed=9), indexed.index)
        with pytest.raises(UserError, match="other documents"):
            find(corpus, Query("meaning", "湖泊"))
        corpus.close()


@pytest.mark.parametrize("harm", ["gone", "torn", "type", "shape", "pickle"])
def test_damaged_vectors_say_so(tmp_path: Path, harm: str) -> None:
    run = filtered(tmp_path, 40)
    index_of(run, tmp_path / "index", sample=40)
    path = tmp_path / "index" / "artifacts" / "vectors.npy"
    good = np.load(path)
    if harm == "gone":
        path.unlink()
    elif harm == "torn":
        path.write_bytes(path.read_bytes()[:100])
    else:
        values = {"type": good.astype(np.float64), "shape": good[:, :3], "pickle": np.asarray([{}], dtype=object)}
        np.save(path, values[harm], allow_pickle=True)
    with pytest.raises(UserError, match=r"no vectors\.npy" if harm == "gone" else "cannot be read"):
        read_index(tmp_path / "index")


def test_a_search_by_meaning_needs_neither_torch_nor_scikit_learn(indexed: Corpus) -> None:
    code = ("import sys; from pathlib import Path; from backends.mdfg.explore.corpus import Corpus; "
            "from backends.mdfg.explore.query import Query; "
            "c = Corpus.open(Path(sys.argv[1]), Path(sys.argv[2])); "
            "assert len(c.hits(Query('meaning', '湖泊')).places); "
            "assert len(c.hits(Query('concept', like=(1, 2), unlike=(3, 4))).query.like); "
            "bad = {'torch', 'transformers', 'sklearn', 'gradio'} & set(sys.modules); assert not bad, bad")
    subprocess.run([sys.executable, "-c", code, str(indexed.run), str(indexed.index)], check=True, timeout=120,
                   cwd=Path(__file__).resolve().parents[2])


# Encoders

def test_queries_are_led_to_the_space_of_other_vectors() -> None:
    texts = [record["text"] for record in topical(150, 8)]
    projector = fitted(texts, 12)
    wanted = projector.vectors(texts)
    mix = np.linalg.qr(np.random.Generator(np.random.PCG64(2)).standard_normal((wanted.shape[1],) * 2))[0]
    made, agreement = turned(projector, texts, unit(wanted @ mix.astype(np.float32)))
    assert agreement > 0.95
    assert made.dimensions == wanted.shape[1]
    noise = unit(np.random.Generator(np.random.PCG64(3)).standard_normal(wanted.shape))
    assert abs(turned(projector, texts, noise)[1]) < 0.3, "held-out texts cannot be guessed from noise"
    assert np.isnan(turned(projector, texts[:5], wanted[:5])[1])
    assert not made.vectors(["", "  "]).any()


def test_turned_projectors_are_read_as_they_were_written(tmp_path: Path) -> None:
    texts = [record["text"] for record in topical(60, 8)]
    made, _ = turned(fitted(texts, 8), texts, unit(np.random.Generator(np.random.PCG64(3)).standard_normal((60, 5))))
    save_projector(made, tmp_path / "p.safetensors")
    assert (load_projector(tmp_path / "p.safetensors").vectors(texts) == made.vectors(texts)).all()
    assert made.vectors(texts).shape == (60, 5)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    text = "".join(record["text"] for record in topical(30))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(text.replace(" ", "").replace("\n", "")))]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=32, max_position_embeddings=512)
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_an_encoder_by_reference(tmp_path: Path, bert: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    records = [*topical(60, 9), {"text": ""}, {"text": "湖" * 3000}]
    run = filtered(tmp_path, records=records)
    result, context = index_of(run, tmp_path / "index", method=f"path:{bert}", dimensions=8, sample=50)
    index = read_index(tmp_path / "index")
    assert (result.documents, result.dimensions, result.method) == (62, 8, f"path:{bert}")
    assert result.cut == 1, "one text has more than 512 tokens"
    assert -1 <= result.agreement <= 1 and result.unknown == 1
    lengths = np.linalg.norm(np.asarray(index.vectors, dtype=np.float32), axis=1)
    assert np.delete(lengths, 60) == pytest.approx(np.ones(61), abs=2e-3) and lengths[60] == 0
    from safetensors.numpy import load_file

    learned = load_file(context.run / "checkpoints" / "encoder.safetensors")
    model, tokenizer = AutoModel.from_pretrained(bert), AutoTokenizer.from_pretrained(bert)
    with torch.no_grad():
        for place in (0, 7, 59):
            batch = tokenizer(records[place]["text"], return_tensors="pt", truncation=True, max_length=512)
            mean = model(**batch).last_hidden_state[0].mean(dim=0).numpy()
            expected = unit(((mean - learned["mean"]) @ learned["turn"])[None])[0]
            assert np.asarray(index.vectors[place], dtype=np.float32) == pytest.approx(expected, abs=5e-3)
    corpus = Corpus.open(run, tmp_path / "index")
    assert 5 in find(corpus, Query("meaning", like=(5,))).places.tolist()
    assert len(find(corpus, Query("meaning", "湖泊", least=-1.0)).places) == 62
    corpus.close()


def test_an_encoder_run_that_was_ended_goes_on(tmp_path: Path, bert: Path) -> None:
    run = filtered(tmp_path, records=topical(60, 9), shard_mb=0.02)
    request = IndexRequest(f"path:{run / 'artifacts'}", method=f"path:{bert}", dimensions=8, sample=30)
    whole = MemoryContext(tmp_path / "whole")
    index_task.run(request, whole)
    with pytest.raises(Cancelled):
        index_task.run(request, MemoryContext(tmp_path / "cut", cancel_after=len(whole.reports) - 6))
    index_task.run(request, MemoryContext(tmp_path / "cut"))
    one, other = (np.load(tmp_path / name / "artifacts" / "vectors.npy") for name in ("whole", "cut"))
    assert one.astype(np.float32) == pytest.approx(other.astype(np.float32), abs=2e-3)


def test_what_is_no_encoder_says_so(tmp_path: Path) -> None:
    run = filtered(tmp_path, 30)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UserError, match=r"config\.json"):
        index_of(run, tmp_path / "index", method=f"path:{tmp_path / 'nothing'}")


def test_memory_holds_a_batch_and_not_the_corpus(tmp_path: Path) -> None:
    draw = random.Random(1)
    texts = ["".join(draw.choice("湖水山路茶叶雨雪风花") for _ in range(50)) for _ in range(700)]
    run = filtered(tmp_path, texts=texts, shard_mb=0.05)
    sizes = [len(batch) for part in texts_of.parts_of(run / "artifacts") for _, batch in texts_of.stream(part, 64)]
    assert max(sizes) <= 64 and sum(sizes) == 700
    firsts = [first for part in texts_of.parts_of(run / "artifacts") for first, _ in texts_of.stream(part, 64)]
    assert firsts == sorted(firsts) and firsts[0] == 0

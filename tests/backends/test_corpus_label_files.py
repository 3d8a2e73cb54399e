"""Labels of a real filtering run: scores from its tables, automatic labels, export, texts the scorer has seen."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.mdfg import train_scorer_task
from backends.mdfg.explore.acceptance import acceptance
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.lab import at_threshold, sample
from backends.mdfg.explore.label_export import export
from backends.mdfg.explore.labels import command_of, read_labels
from backends.mdfg.explore.queue import Ask, queue
from backends.mdfg.explore.scored import as_rule, dimension_of, population, said, score_column
from backends.mdfg.explore.selection import Selection, Span
from backends.mdfg.explore.training_overlap import overlap, training_texts
from backends.mdfg.labelled import read_table
from backends.mdfg.rules.verdicts import decide
from backends.mdfg.scorer_requests import TrainScorerRequest
from tests.backends.explore_cases import DOMAINS, filtered, full_texts, table
from tests.backends.label_cases import label
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.fields import to_json
from workbench.files import append_line, write_json


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filtering run over 200 documents with given scores."""
    return filtered(tmp_path_factory.mktemp("labels"), 200)


@pytest.fixture(scope="module")
def corpus(run: Path) -> Iterator[Corpus]:
    """The run, opened."""
    found = Corpus.open(run)
    yield found
    found.close()


@pytest.fixture(scope="module")
def scored_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose scores come from the bundled scorers."""
    scorers = tuple(f"bundled:mdfg-zh-{what}" for what in ("quality", "toxicity", "domain"))
    return filtered(tmp_path_factory.mktemp("scored"), 60, scorers=scorers)


@pytest.mark.parametrize("what", ["quality", "toxicity"])
def test_scores_are_those_of_the_table(corpus: Corpus, run: Path, what: str) -> None:
    rows = table(run)
    known = [(place, row) for place, row in enumerate(rows)
             if row[f"given.{what}"] is not None and not np.isnan(row[f"given.{what}"])]
    found = population(corpus, Selection(), what)
    assert found.places.tolist() == [place for place, _ in known] and found.missing == len(rows) - len(known) == 20
    assert found.scores.tolist() == [row[f"given.{what}"] for _, row in known]
    assert found.characters.tolist() == [row["n_chars"] for _, row in known] and found.within == ""


def test_a_selection_narrows_the_population(corpus: Corpus, run: Path) -> None:
    selection = Selection(show="kept", spans=(Span("n_chars", 100, 600),))
    found = population(corpus, selection, "quality")
    rows = [place for place, row in enumerate(table(run)) if row["kept"] and 100 <= row["n_chars"] < 600
            and row["given.quality"] is not None and not np.isnan(row["given.quality"])]
    assert found.places.tolist() == rows and found.within == selection.hash
    moved = population(corpus, Selection(show="kept", moved=((0, 0.0),)), "quality")
    assert moved.documents > population(corpus, Selection(show="kept"), "quality").documents, "a limit was moved"


def test_automatic_labels_follow_the_threshold(corpus: Corpus, run: Path) -> None:
    rows = table(run)
    for threshold in (0.2, 0.5, 0.9):
        found = said(corpus, range(200), "quality", threshold)
        wanted = {place: "good" if row["given.quality"] >= threshold else "bad" for place, row in enumerate(rows)
                  if row["given.quality"] is not None and not np.isnan(row["given.quality"])}
        assert found == wanted
    toxic = said(corpus, range(200), "toxicity")
    assert all((value == "toxic") == (rows[place]["given.toxicity"] >= 0.99) for place, value in toxic.items())
    assert said(corpus, [], "quality") == {} == said(corpus, [10_000], "quality")


def test_imported_domains_have_labels_but_no_probability(corpus: Corpus, run: Path) -> None:
    found = population(corpus, Selection(), "domain")
    assert found.documents == 180 and set(found.scores.tolist()) == {1.0}
    labels = said(corpus, range(200), "domain")
    assert labels == {place: row["given.domain"] for place, row in enumerate(table(run)) if row["given.domain"]}
    assert set(labels.values()) <= set(DOMAINS) and len(dimension_of(corpus, "domain").values) == 11


def test_scores_of_scorers_are_32_bit_and_limits_agree_with_the_run(scored_run: Path) -> None:
    corpus = Corpus.open(scored_run)
    try:
        rows = table(scored_run)
        column = score_column(corpus, "quality")
        found = population(corpus, Selection(), "quality")
        assert column.startswith("quality") and found.single == (column in corpus.single)
        values = np.array([row[column] for row in rows], dtype=np.float32)
        for threshold in (float(values[3]), 0.37, 0.5):
            rule = as_rule(corpus, "quality", threshold)
            dropped = decide({column: values}, (rule,), len(rows)).rule_fail != 0
            assert found.volume(threshold).documents == int((~dropped).sum())
            assert {p for p, value in said(corpus, range(60), "quality", threshold).items() if value == "bad"} == set(
                np.flatnonzero(dropped).tolist())
        domains = population(corpus, Selection(), "domain")
        assert domains.documents == 60 and 0 < domains.scores.max() <= 1
        best = said(corpus, range(60), "domain")
        names = [name for name in rows[0] if name.startswith("domain") and "." in name]
        assert all(rows[p][next(n for n in names if n.endswith(f".{value}"))] == max(rows[p][n] for n in names)
                   for p, value in best.items())
        assert dimension_of(corpus, "domain").values == corpus.domains
    finally:
        corpus.close()


def test_a_corpus_without_scores_says_which_scorer_to_take(tmp_path: Path) -> None:
    corpus = Corpus.open(filtered(tmp_path, texts=["没有分数的文档。" * 40] * 3))
    try:
        for what in ("quality", "toxicity"):
            with pytest.raises(UserError, match=f"has a score of {what}.*mdfg-zh-{what}"):
                population(corpus, Selection(), what)
        assert population(corpus, Selection(), "domain").documents == 0
        with pytest.raises(UserError, match="no dimension"):
            population(corpus, Selection(), "beauty")
        with pytest.raises(UserError, match="one of many labels"):
            score_column(corpus, "domain")
    finally:
        corpus.close()


def test_a_threshold_becomes_a_rule(corpus: Corpus) -> None:
    quality, toxic = as_rule(corpus, "quality", 0.4), as_rule(corpus, "toxicity", 0.9)
    assert (quality.rule, quality.column, quality.drop_if, quality.limit) == ("quality", "given.quality", "<", 0.4)
    assert (toxic.column, toxic.drop_if) == ("given.toxicity", ">=")
    dropped = corpus.rows(f"SELECT count(*) FROM docs WHERE {quality.sql}")[0][0]
    assert dropped == sum(value == "bad" for value in said(corpus, range(200), "quality", 0.4).values())


def test_from_the_queue_to_figures_through_the_commands_of_the_run(corpus: Corpus, run: Path) -> None:
    everything = population(corpus, Selection(), "quality")
    texts = full_texts(run)
    for by in ("ann", "bob"):
        labels = read_labels(corpus.commands())
        for item in queue(everything, labels, Ask(size=60, by=by)).items:
            value = "good" if item.score > 0.4 or (by == "bob" and item.place % 9 == 0) else "bad"
            one = label(item.place, value, by, drawn=item.kind)
            append_line(run / "commands.jsonl", command_of(one))
    labels = read_labels(corpus.commands())
    assert labels.annotators("quality") == ("ann", "bob") and set(labels.counts("quality").values()) == {2}
    assert not queue(everything, labels, Ask(size=60, by="ann")).items
    assert queue(everything, labels, Ask(size=60, by="cat")).complete == 60
    places = [one.place for one in labels.current]
    found = acceptance(everything, labels.of("quality"), said(corpus, places, "quality", 0.4))
    assert (found.corpus.value or 0) > 0.9 and found.covered == 1.0 and found.judgements == 120
    known = sample(everything, labels.of("quality"), dimension_of(corpus, "quality"))
    assert (at_threshold(everything, known, 0.41).precision.value or 0) > 0.95
    assert all(texts[place] for place in places)


def test_answers_are_exported_one_a_row(corpus: Corpus, tmp_path: Path) -> None:
    labels = [label(1, "good", note="说明, \"x\"\n<b>", at=5.0), label(2, "bad", "bob"), label(1, "bad", "bob")]
    everything = population(corpus, Selection(), "quality")
    automatic = said(corpus, [1, 2], "quality")
    for form in ("jsonl", "csv"):
        path = tmp_path / f"labels.{form}"
        assert export(corpus, labels, path, form=form, population=everything, said=automatic) == 3
        rows = ([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if form == "jsonl"
                else list(csv.DictReader(path.open(encoding="utf-8", newline=""))))
        assert [row["value"] for row in rows] == ["good", "bad", "bad"] and rows[0]["note"] == labels[0].note
        assert [row["said"] for row in rows] == [automatic.get(1, ""), automatic.get(2, ""), automatic.get(1, "")]
        score = everything.scores_of([1])[0]
        assert float(rows[0]["score"]) == score and rows[1]["by"] == "bob"
        assert list(rows[0])[-3:] == ["score", "said", "at"] and float(rows[0]["at"]) == 5.0
    assert not list(tmp_path.glob(".*"))


def test_documents_are_exported_for_training(corpus: Corpus, run: Path, tmp_path: Path) -> None:
    texts = full_texts(run)
    places = [place for place, text in enumerate(texts) if text.strip()][:40]
    labels = [label(place, "good" if place % 2 else "bad") for place in places]
    labels += [label(places[0], "bad", "bob"), label(places[1], "bad", "bob"), label(places[2], "unsure", "bob")]
    path = tmp_path / "train.jsonl"
    found = export(corpus, labels, path, rows="documents")
    split = [place for place in places[:2] if (place % 2 == 1)]
    assert found == 40 - len(split), "a document on which two people differ is no example"
    rows = read_table(path)
    assert {row.text for row in rows} <= set(texts) and {row.labels for row in rows} == {("good",), ("bad",)}
    request = TrainScorerRequest("quality", (f"path:{path}",), yes=("good",), bits=10, epochs=1)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert result.texts + result.held_out == found


def test_several_domains_are_parted_as_the_trainer_reads_them(corpus: Corpus, tmp_path: Path) -> None:
    labels = [label(1, "law|news", what="domain"), label(2, "law", what="domain")]
    export(corpus, labels, tmp_path / "d.jsonl", rows="documents")
    assert [row.labels for row in read_table(tmp_path / "d.jsonl")] == [("law", "news"), ("law",)]


def test_a_spreadsheet_runs_nothing(corpus: Corpus, tmp_path: Path) -> None:
    notes = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", "plain"]
    labels = [label(place, note=note) for place, note in enumerate(notes)]
    export(corpus, labels, tmp_path / "a.csv", form="csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        cells = [row["note"] for row in csv.DictReader(file)]
    assert cells == [f"'{note}" for note in notes[:5]] + ["plain"]
    export(corpus, labels, tmp_path / "a.jsonl")
    assert [json.loads(line)["note"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == notes


def test_nothing_to_export_is_said(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no label to export"):
        export(corpus, [], tmp_path / "a.jsonl")
    with pytest.raises(UserError, match="no document whose annotators agree"):
        export(corpus, [label(1), label(1, "bad", "bob")], tmp_path / "a.jsonl", rows="documents")
    assert not list(tmp_path.iterdir())


def training_run(folder: Path, texts: list[str], name: str = "text", **request) -> Path:
    """A run directory as a training run leaves it."""
    folder.mkdir(parents=True)
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps({name: text, "label": "1"}, ensure_ascii=False) + "\n" for text in texts))
    fields = {**to_json(TrainScorerRequest()), "data": ["path:x"], "text_field": name, **request}
    write_json(folder / "request.json", {"task": "mdfg.train_scorer.v1", "fields": fields})
    write_json(folder / "inputs.json", {"path:x": {"path": str(data), "files": []}})
    return folder


def test_labelled_documents_that_were_trained_on_are_found(corpus: Corpus, run: Path, tmp_path: Path) -> None:
    texts = full_texts(run)
    own = [place for place, text in enumerate(texts) if len(text) > 200][:6]
    near = texts[own[1]].replace("。", "！", 1)
    trained = training_run(tmp_path / "t", [texts[own[0]], near, "完全不同的另一段文字，说的是别的事情。" * 5])
    found = overlap({place: texts[place] for place in own}, trained)
    copies = {place for place in own if texts[place] in (texts[own[0]], texts[own[1]])}
    assert copies <= set(found.places) and found.known and found.texts == 3 and not found.cut
    assert own[5] not in found.places or texts[own[5]] in (texts[own[0]], texts[own[1]])


def test_training_texts_are_read_by_their_column_and_bounded(tmp_path: Path) -> None:
    run = training_run(tmp_path / "t", ["一", "", "二", "  ", "三"], "content")
    assert list(training_texts(run)) == ["一", "二", "三"] and list(training_texts(run, 2)) == ["一", "二"]
    (tmp_path / "t" / "data.jsonl").write_text('{"content": "一"}\nnot json\n{"content": "二"}\n')
    assert list(training_texts(run)) == ["一"], "what could be read before the fault"
    folder = tmp_path / "t" / "many"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"content": "甲"}\n')
    (folder / "b.txt").write_text("no table")
    write_json(run / "inputs.json", {"path:x": {"path": str(folder)}})
    assert list(training_texts(run)) == ["甲"]


@pytest.mark.parametrize(("request_", "inputs"), [
    (None, None), ({}, {}), ({"fields": {"data": "path:x"}}, {}), ({"fields": {"data": ["path:x"]}}, {"path:x": 3}),
    ({"fields": {"data": ["path:x"]}}, {"path:x": {"path": "/nowhere/at/all"}}), ([], [])])
def test_unknown_training_texts_are_said_to_be_unknown(tmp_path: Path, request_, inputs) -> None:
    for name, value in (("request.json", request_), ("inputs.json", inputs)):
        if value is not None:
            write_json(tmp_path / name, value)
    found = overlap({1: "文字"}, tmp_path)
    assert not found.known and found.places == () and found.texts == 0

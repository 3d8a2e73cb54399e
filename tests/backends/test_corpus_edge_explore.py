"""Edges of exploration: labels as files, what a scorer has seen, rounds, queues, bins, decisions, sentences, texts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg.explore import closest
from backends.mdfg.explore.clusters import passing
from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.decisions import MOST, Decision, accept_all, changed, decide, decisions, reject_all, undo
from backends.mdfg.explore.label_export import FORMULA, answers, documents, export
from backends.mdfg.explore.labels import Label, Labels, command_of
from backends.mdfg.explore.population import Population
from backends.mdfg.explore.query import Query
from backends.mdfg.explore.queue import KINDS, Ask, Queue, allotted, queue, shuffled
from backends.mdfg.explore.rounds import judged_texts, rounds_view
from backends.mdfg.explore.strata import MOST_BINS, merged, strata
from backends.mdfg.explore.texts import SPANS, TextReader
from backends.mdfg.explore.training_overlap import Overlap, overlap, training_texts
from backends.mdfg.records import document_id
from tests.backends.explore_cases import filtered, table
from tests.backends.label_cases import label, made
from tests.backends.search_cases import index_of, topical
from workbench.contract import UserError
from workbench.files import append_line, write_json

NAUGHTY = ["<script>alert(1)</script>", "=1+1", "+甲", "-乙", "@x", "\tx", "a,\"b\"\r\nc", "\U00020000\U0001f600",
           "\u2028", "'quoted", "plain", "| pipe"]
SCORES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Texts that a file or a page may choke on, then six topical ones, each of these twice."""
    twice = [row["text"] for row in topical(6, 3) for _ in range(2)]
    found = Corpus.open(filtered(tmp_path_factory.mktemp("edge"), texts=[*NAUGHTY, *twice], near_duplicates="drop"))
    yield found
    found.close()


# --- labels as files ----------------------------------------------------------------------------------------------

def rows_in(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [orjson.loads(line) for line in path.read_bytes().split(b"\n") if line]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_texts_travel_whole_and_no_cell_is_a_formula(corpus: Corpus, tmp_path: Path, form) -> None:
    path = tmp_path / f"文件.{form}"
    count = export(corpus, [label(place) for place in range(len(NAUGHTY))], path, rows="documents", form=form)
    found = rows_in(path)
    assert count == len(found) == len(NAUGHTY)
    for text, row in zip(NAUGHTY, found, strict=True):
        guarded = form == "csv" and text.startswith(FORMULA)
        assert row["text"] == (f"'{text}" if guarded else text) and row["label"] == "good" and str(row["people"]) == "1"
        assert form == "jsonl" or not row["text"].startswith(FORMULA)
    assert [one.name for one in tmp_path.iterdir()] == [path.name], "nothing temporary stays"


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_document_without_a_score_has_an_empty_one(corpus: Corpus, tmp_path: Path, form) -> None:
    path = tmp_path / f"a.{form}"
    told = [label(0, note="=cmd", by="林"), label(9)]
    export(corpus, told, path, form=form, population=made([0.25]), said={9: "bad"})
    scored, bare = rows_in(path)
    assert float(scored["score"]) == 0.25 and bare["score"] in (None, "") and bare["said"] == "bad"
    assert scored["note"] == ("'=cmd" if form == "csv" else "=cmd") and scored["by"] == "林"
    export(corpus, [label(9)], path, form=form)
    assert rows_in(path)[0]["score"] in (None, ""), "no population, no score"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["good", "bad", "unsure"]), st.sampled_from("abc")),
                max_size=12, unique_by=lambda one: (one[0], one[2])))
def test_one_row_a_document_with_a_majority(corpus: Corpus, given_: list[tuple[int, str, str]]) -> None:
    labels = [label(place, value, by) for place, value, by in given_]
    slow = []
    for place in sorted({place for place, _, _ in given_}):
        sure = [value for at, value, _ in given_ if at == place and value != "unsure"]
        top = [value for value in ("bad", "good") if 2 * sure.count(value) > len(sure)]
        slow += [(NAUGHTY[place], top[0], len(sure))] if top else []
    assert [(row["text"], row["label"], row["people"]) for row in documents(corpus, labels)] == slow
    assert [row["place"] for row in answers(labels, None, {})] == [place for place, _, _ in given_]


def test_a_label_of_no_document_stops_the_export_and_leaves_the_old_file(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    with pytest.raises(UserError, match="There is no document 3,000; this corpus has 24, from 0"):
        export(corpus, [label(3000)], path, rows="documents")
    with pytest.raises(UserError, match=r"There is no label to export\. Label documents first"):
        export(corpus, [], path)
    assert path.read_text() == "old"


# --- texts that a scorer has seen ---------------------------------------------------------------------------------

def trained(folder: Path, files: dict[str, str], field: str = "text", **request) -> Path:
    """A run directory of a training over these files of one folder."""
    (folder / "data").mkdir(parents=True)
    for name, text in files.items():
        (folder / "data" / name).write_text(text, encoding="utf-8")
    write_json(folder / "request.json", {"fields": {"data": ["path:x"], "text_field": field, **request}})
    write_json(folder / "inputs.json", {"path:x": {"path": str(folder / "data")}})
    return folder


def test_every_table_of_a_folder_is_compared_in_its_order(tmp_path: Path) -> None:
    run = trained(tmp_path / "t", {"b.CSV": "正文,x\n乙,1\n<script>,2\n",
                                   "a.jsonl": '{"正文": "甲"}\n{"正文": 3}\n{}\n', "c.txt": "丁",
                                   "d.ndjson": "[1]\n"}, "正文")
    assert list(training_texts(run)) == ["甲", "乙", "<script>"]
    assert [list(training_texts(run, most)) for most in (0, 1)] == [[], ["甲"]]
    assert overlap({7: "乙", 2: "<SCRIPT>", 5: "戊", 9: " 甲 "}, run) == Overlap((2, 7, 9), 3, True)
    assert overlap({}, run) == Overlap((), 3, True), "nothing is labelled yet"


@pytest.mark.parametrize("request_", [{"data": ["path:y"]}, {"data": []}, {"data": None}, {"text_field": "other"},
                                      {"data": [["path:x"]]}, {"data": "path:x"}], ids=repr)
def test_texts_that_cannot_be_found_are_unknown(tmp_path: Path, request_) -> None:
    run = trained(tmp_path / "t", {"a.csv": "text\n甲\n"}, **request_)
    assert overlap({0: "甲"}, run) == Overlap((), 0, False)
    assert overlap({0: "甲"}, tmp_path / "nowhere") == Overlap((), 0, False)


# --- rounds -------------------------------------------------------------------------------------------------------

def rounds_run(folder: Path, lines: list[Any], **result) -> Path:
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "judgements.jsonl").write_bytes(
        b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines))
    write_json(folder / "result.json", {"rounds": [], **result})
    return folder


VERDICTS = st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(0, 2),
                              st.sampled_from(["", "toxic", "harmless"])), max_size=12)


@settings(max_examples=30, deadline=None)
@given(VERDICTS, st.integers(0, 5), st.integers(0, 5))
def test_judgements_by_page_and_verdict_equal_a_plain_filter(tmp_path_factory: pytest.TempPathFactory, verdicts,
                                                             offset: int, limit: int) -> None:
    run = rounds_run(tmp_path_factory.mktemp("r") / "run", [
        {"text": f"<b>{place}\U00020000", "toxic": toxic, "round": number, "votes": [{"tokens": 2, "seconds": 0.5}]}
        for place, (toxic, number, _) in enumerate(verdicts)])
    for place, (_, _, person) in enumerate(verdicts):
        if person:
            text = f"<b>{place}\U00020000"
            append_line(run / "commands.jsonl", command_of(Label(place, document_id(text), "toxicity", person, "林")))
    name = {True: "toxic", False: "harmless", None: "undecided"}
    for only in ("all", "undecided", "toxic", "harmless", "against"):
        for number in (None, 1):
            slow = [place for place, (toxic, made_for, person) in enumerate(verdicts)
                    if (number is None or made_for == number) and (only in ("all", name[toxic]) or (
                        only == "against" and person not in ("", name[toxic])))]
            page, total = judged_texts(run, only, number=number, offset=offset, limit=limit)
            assert total == len(slow) and [one.place for one in page] == slow[offset:offset + limit]
    view = rounds_view(run)
    assert (view.judged, view.tokens, view.seconds) == (len(verdicts), 2 * len(verdicts), len(verdicts) / 2)
    assert view.undecided == sum(toxic is None for toxic, _, _ in verdicts) and view.rows == ()
    both = [(toxic, person) for toxic, _, person in verdicts if toxic is not None and person]
    assert view.people_texts == len(both) and (view.people_kappa is None or -1 <= view.people_kappa <= 1)


def test_lines_that_are_no_judgement_are_passed_over(tmp_path: Path) -> None:
    run = rounds_run(tmp_path / "run", [b"", b"\xff", b"[1]", {"text": 3}, {"toxic": True},
                                        {"text": "", "toxic": 1, "round": "2", "votes": [3, {"raw": "x"}]}],
                     judge="simulated (known labels, 0% wrong)", kappa=True, compared=None)
    page, total = judged_texts(run)
    assert total == 1 and (page[0].place, page[0].toxic, page[0].round) == (5, None, 0)
    assert page[0].votes == ({"raw": "x"},) and page[0].id == document_id("")
    view = rounds_view(run)
    assert view.simulated and view.known_kappa is None and view.known_texts == 0 and view.people_kappa is None


# --- bins and queues ----------------------------------------------------------------------------------------------

@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(-0.5, 1.5, width=32))
def test_volumes_fall_as_limits_rise_and_places_find_their_scores(scores: list[float], threshold: float) -> None:
    found = made(scores, characters=list(range(1, len(scores) + 1)))
    volume = found.volume(threshold)
    said = [place for place, score in enumerate(scores) if score >= threshold]
    assert volume.documents == len(said) and volume.characters == sum(place + 1 for place in said)
    assert volume.share == len(said) / len(scores)
    higher = found.volume(threshold + 0.1)
    assert higher.documents <= volume.documents and higher.character_share <= volume.character_share
    asked = [-1, *range(len(scores)), len(scores), 2**40]
    looked = found.scores_of(asked)
    assert np.isnan(looked[[0, -2, -1]]).all() and looked[1:-2].tolist() == scores
    assert len(found.scores_of([])) == 0 and made([]).volume(0.5).share == 0.0


@pytest.mark.parametrize("lengths", [(1, 0, 0), (0, 1, 0), (2, 2, 1)])
def test_a_population_needs_one_of_each(lengths: tuple[int, int, int]) -> None:
    places, scores, characters = (np.zeros(size) for size in lengths)
    with pytest.raises(UserError, match=f"There are {lengths[0]} places, {lengths[1]} scores and {lengths[2]} lengths"):
        Population("quality", places.astype(np.int64), scores, characters.astype(np.int64))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=25), st.integers(1, MOST_BINS), st.data())
def test_joined_bins_hold_every_document_and_never_cross_the_threshold(scores, bins: int, data) -> None:
    threshold = data.draw(st.sampled_from([None, *scores]))
    found = strata(made(scores), bins, threshold)
    assert found.documents.sum() == len(scores) == found.counted(scores).sum()
    assert found.counted(scores).tolist() == found.documents.tolist() and (np.diff(found.edges) >= 0).all()
    labelled = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(found), max_size=len(found))))
    joined = merged(found, labelled, threshold)
    assert joined.documents.sum() == len(scores) and set(joined.edges) <= set(found.edges)
    assert (joined.edges[0], joined.edges[-1]) == (found.edges[0], found.edges[-1])
    if threshold in found.edges.tolist()[1:-1]:
        assert threshold in joined.edges


@settings(max_examples=60, deadline=None)
@given(SCORES, st.sampled_from(KINDS), st.integers(1, 40), st.integers(0, 2**31 - 1), st.data())
def test_a_queue_holds_each_document_once_and_what_is_left(scores, kind, size: int, seed: int, data) -> None:
    population = made(scores)
    ask = Ask(kind=kind, size=size, seed=seed, people=2, by="a")
    whole = queue(population, Labels(), ask)
    places = [item.place for item in whole.items]
    wanted = sum(score > 0.5 for score in scores) if kind == "toxic" else len(scores)
    assert whole == queue(population, Labels(), ask) and len(set(places)) == len(places) == min(size, wanted)
    assert all(item.score == scores[item.place] and item.low <= item.score <= item.high for item in whole.items)
    if kind == "uncertain":
        left = set(range(len(scores))) - set(places)
        assert max(abs(scores[p] - 0.5) for p in places) <= min((abs(scores[p] - 0.5) for p in left), default=1)
    said = data.draw(st.lists(st.tuples(st.sampled_from(range(len(scores))), st.sampled_from("abc")), unique=True))
    rest = queue(population, Labels(tuple(label(place, by=by) for place, by in said)), ask)
    count = {place: sum(place == at for at, _ in said) for place in places}
    open_ = [p for p in places if (p, "a") not in said and count[p] < 2]
    assert sorted(item.place for item in rest.items) == sorted(open_) and rest.drawn == len(places)
    assert [item.others for item in rest.items] == sorted((count[p] for p in open_), reverse=True)
    assert (rest.done, rest.complete) == (sum((p, "a") in said for p in places), sum(n >= 2 for n in count.values()))


def test_one_document_and_none() -> None:
    for kind in KINDS:
        assert len(queue(made([0.7]), Labels(), Ask(kind=kind)).items) == 1
        with pytest.raises(UserError, match="No document has a score of quality"):
            queue(made([]), Labels(), Ask(kind=kind))
    assert queue(made([0.5]), Labels(), Ask(kind="toxic")) == Queue((), 0, 0, 0, 0), "more than a half, not a half"
    assert allotted(np.array([0, 0]), 5).tolist() == [0, 0] and allotted(np.array([3]), 0).tolist() == [0]
    far = np.array([0, 2**62], dtype=np.int64)
    assert len({*shuffled(far, 0).tolist(), *shuffled(far, 2**31 - 1).tolist()}) == 4


# --- decisions ----------------------------------------------------------------------------------------------------

COMMANDS = st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.lists(st.integers(0, 5), max_size=3))))


@settings(max_examples=80, deadline=None)
@given(COMMANDS)
def test_decisions_equal_a_plain_reading_of_the_history(told) -> None:
    slow: dict[int, tuple[int, ...]] = {}
    for number, keep in told:
        slow.pop(number, None)
        if keep is not None:
            slow[number] = tuple(sorted(set(keep)))
    found = decisions([{"do": "cluster", "cluster": number, "keep": keep} for number, keep in told])
    assert {number: one.keep for number, one in found.items()} == slow and list(found) == sorted(slow)
    assert decisions([*({"do": "cluster", "cluster": n, "keep": []} for n in slow), *map(undo, slow)]) == {}


def test_any_decisions_change_what_a_plain_count_says(corpus: Corpus) -> None:
    rows = table(corpus.run)
    clusters = {n: [p for (p,) in corpus.rows("SELECT place FROM docs WHERE dup_cluster = ? ORDER BY place", [n])]
                for (n,) in corpus.rows("SELECT DISTINCT dup_cluster FROM docs WHERE dup_cluster >= 0", [])}
    assert clusters and all(rows[p]["dup_cluster"] == n for n, members in clusters.items() for p in members)
    verdict = {p: (kept, passes) for p, kept, passes in corpus.rows(
        f"SELECT place, kept, {passing(corpus.recipe)} FROM docs", [])}
    for command in (accept_all, reject_all):
        said = decisions([command(corpus, number, "林" * 300) for number in clusters])
        found = changed(corpus, said)
        every = [p for members in clusters.values() for p in members]
        keep = set(every) if command is accept_all else set()
        assert found.stays == tuple(sorted(p for p in every if p in keep and verdict[p] == (False, True)))
        assert found.goes == tuple(sorted(p for p in every if p not in keep and verdict[p][0]))
        assert found.documents > 0 and found.unfit == 0 and {len(one.by) for one in said.values()} == {200}
    assert changed(corpus, {}).documents == 0 and changed(corpus, {10**6: Decision(10**6, (1,))}).unfit == 1


def test_decisions_on_what_there_is_not(corpus: Corpus) -> None:
    (number,), *_ = corpus.rows("SELECT dup_cluster FROM docs WHERE dup_cluster >= 0 ORDER BY place", [])
    for bad in (-1, 2**63, 10**30):
        with pytest.raises(UserError, match=f"There is no cluster {bad}. Choose one from the list"):
            decide(corpus, bad, ())
    with pytest.raises(UserError, match=f"Document 0 is not in cluster {number}"):
        decide(corpus, number, [0])
    with pytest.raises(UserError, match="10,001 documents are to stay; one decision names at most 10,000"):
        decide(corpus, number, [number] * (MOST + 1))
    huge = [{"do": "cluster", "cluster": n, "keep": [0]} for n in (2**63, 2**64 - 1, 10**30)]
    assert changed(corpus, decisions(huge)).documents == 0, "a number that no database holds breaks nothing"


# --- sentences and texts ------------------------------------------------------------------------------------------

def test_the_closest_sentences_are_whole_ordered_and_few(tmp_path: Path) -> None:
    run = filtered(tmp_path, records=topical(80, 2))
    _, context = index_of(run, tmp_path / "index", dimensions=16, sample=80, seed=1)
    opened = Corpus.open(run, context.run)
    query = Query("meaning", "湖泊的水位")
    text = ("湖泊的水位上升了。\U00020000\U0001f600！<script>药物治疗高血压</script>；租房合同到期要退押金？ "
            "湖水很清很清。")
    for most in (0, 1, 2):
        found = closest.sentences(opened, query, text, most)
        assert len(found) <= most and list(found) == sorted(found)
        assert all(text[end - 1] in "。！；？" and (not begin or text[begin - 1] in "。！；？") for begin, end in found)
    assert closest.sentences(opened, query, text, 1) == ((0, 9),)
    assert closest.sentences(opened, query, "湖泊。湖水。\n 湖 \n") == (), "too short to say anything"
    assert closest.sentences(opened, query, "湖泊的水位上升了") == (), "one sentence is the whole document"
    opened.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=9),
       st.integers(1, 4), st.data())
def test_any_text_is_read_from_any_row_group(tmp_path_factory: pytest.TempPathFactory, texts, group: int, data) -> None:
    folder = tmp_path_factory.mktemp("parts")
    size = len(texts)
    pq.write_table(pa.table({"id": [document_id(text) for text in texts], "text": texts, "title": [None] * size,
                             **{f"{kind}_spans": [[0, 1]] * size for kind in SPANS},
                             "given": [json.dumps({"行": text}) for text in texts]}),
                   folder / "part-00000.parquet", row_group_size=group)
    reader = TextReader(folder)
    rows = data.draw(st.lists(st.integers(0, size - 1), max_size=12))
    for light in (True, False):
        found = reader.read([(row, 0, row) for row in rows], light)
        assert [one.text for one in found] == [texts[row] for row in rows]
        assert [one.given for one in found] == [None if light else {"行": texts[row]} for row in rows]
        assert all(one.title == "" and one.spans == dict.fromkeys(SPANS, (0, 1)) for one in found)
    reader.close()


def test_parts_that_are_gone_or_damaged_are_named(tmp_path: Path) -> None:
    (tmp_path / "part-00001.parquet").write_bytes(b"PAR1<script>PAR1")
    reader = TextReader(tmp_path)
    for number in (0, 1):
        with pytest.raises(UserError, match=rf"cannot be read: part-0000{number}\.parquet .*Run the filter again"):
            reader.read([(0, number, 0)])
    assert reader.read([]) == []

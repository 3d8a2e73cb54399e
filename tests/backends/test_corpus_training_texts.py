"""What a training run learned from: tables, pools of self-training, judged texts, texts of domain rounds, practice."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.mdfg import TASKS, domain_task, toxicity_task, train_scorer_task
from backends.mdfg.domain_requests import DomainRoundsRequest
from backends.mdfg.domain_state import Labelling, State, save
from backends.mdfg.explore.training_overlap import Overlap, overlap, training_texts
from backends.mdfg.explore.training_texts import DOMAINS, KEYWORDS, TOXICITY, TRAIN, taught
from backends.mdfg.practice import practice
from backends.mdfg.records import document_id
from backends.mdfg.scorer_requests import ToxicityRoundsRequest, TrainScorerRequest
from workbench.context import MemoryContext
from workbench.contract import Json
from workbench.fields import to_json
from workbench.files import write_json


def asked(folder: Path, task: str, fields: Mapping[str, Json], inputs: Mapping[str, Path] | None = None) -> Path:
    """The request of a run, and where its references lay."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "request.json", {"task": task, "fields": dict(fields)})
    if inputs is not None:
        write_json(folder / "inputs.json", {name: {"path": str(path), "files": []} for name, path in inputs.items()})
    return folder


def table(path: Path, texts: Sequence[str], column: str = "text") -> Path:
    """A table of texts, in the form that the ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({column: texts, "label": ["1"] * len(texts)}), path)
    else:
        path.write_text("".join(json.dumps({column: text, "label": "1"}, ensure_ascii=False) + "\n" for text in texts),
                        encoding="utf-8")
    return path


def judged(folder: Path, rows: Sequence[Any]) -> None:
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts" / "judgements.jsonl").write_text(
        "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows))


def round_of(folder: Path, texts: Sequence[str], **state: Any) -> None:
    """What a domain round leaves for the next."""
    given = {"data": ("path:x",), "text_field": "text", "sample": 100, "practice": 0, "seed": 0, **state}
    none: tuple[tuple[str, ...], ...] = ((),) * len(texts)
    save(folder / "artifacts" / "round", State(2, {"law": ("法院",)}, {}, texts="x", **given), Labelling(none, none),
         texts)


def test_the_tasks_are_those_of_the_program() -> None:
    assert {TRAIN, TOXICITY, DOMAINS} <= {task.name for task in TASKS} and KEYWORDS == domain_task.OWN


# --- toxicity rounds ----------------------------------------------------------------------------------------------

def test_texts_that_a_judge_decided_were_learned_from_and_the_rest_of_the_pool_was_not(tmp_path: Path) -> None:
    inputs = {"path:d": table(tmp_path / "d.jsonl", ["甲甲甲甲"]),
              "path:p": table(tmp_path / "p.jsonl", ["乙乙乙乙", "丙丙丙丙", "丁丁丁丁", "戊戊戊戊"])}
    run = asked(tmp_path / "t", TOXICITY, {"data": ["path:d"], "pool": ["path:p"]}, inputs)
    judged(run, [{"round": 1, "text": "乙乙乙乙", "toxic": True}, {"round": 1, "text": "丙丙丙丙", "toxic": None},
                 "not json", {"round": 2, "text": "丁丁丁丁", "toxic": False}, {"toxic": True},
                 {"text": 3, "toxic": True}])
    assert list(training_texts(run)) == ["甲甲甲甲", "乙乙乙乙", "丁丁丁丁"]
    documents = dict(enumerate(["甲甲甲甲", "乙乙乙乙", "丙丙丙丙", "丁丁丁丁", "戊戊戊戊"]))
    assert overlap(documents, run) == Overlap((0, 1, 3), 3, True)


def test_rounds_without_their_judgements_are_not_wholly_known(tmp_path: Path) -> None:
    inputs = {"path:d": table(tmp_path / "d.jsonl", ["甲甲甲甲"])}
    run = asked(tmp_path / "t", TOXICITY, {"data": ["path:d"], "pool": ["path:p"]}, inputs)
    assert overlap({4: "甲甲甲甲"}, run) == Overlap((4,), 1, False), "what is known still counts"


def test_practice_rounds_are_found_by_what_they_judged_and_by_their_posts(tmp_path: Path) -> None:
    request = ToxicityRoundsRequest(practice=60, budget=8, rounds=1, control=False, seed=3)
    toxicity_task.run(request, MemoryContext(tmp_path / "t"))
    run = asked(tmp_path / "t", TOXICITY, to_json(request))
    rows = [json.loads(line) for line in (run / "artifacts" / "judgements.jsonl").read_text().splitlines()]
    posts = [row.text for row in practice("toxicity", "zh", 60, random.Random(3))]
    assert list(training_texts(run)) == [*posts, *(row["text"] for row in rows if row["toxic"] is not None)]
    found = overlap({0: posts[5], 1: rows[0]["text"], 2: "别的" * 30}, run)
    assert found.known and found.places == (0, 1)


# --- scorers ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("method", "wanted"), [("berteval", ["甲", "乙", "丙"]), ("n-grams", ["甲"])])
def test_the_pool_of_self_training_was_learned_from(tmp_path: Path, method: str, wanted: list[str]) -> None:
    inputs = {"path:d": table(tmp_path / "d.jsonl", ["甲"]), "path:p": table(tmp_path / "p.jsonl", ["乙", "丙"])}
    run = asked(tmp_path / "t", TRAIN, {"data": ["path:d"], "pool": ["path:p"], "method": method}, inputs)
    assert list(training_texts(run)) == wanted and not taught(run).gone


@pytest.mark.parametrize("lost", ["path:d", "path:p", "path:empty"])
def test_what_is_gone_makes_the_rest_uncertain(tmp_path: Path, lost: str) -> None:
    (tmp_path / "empty").mkdir()
    inputs = {"path:d": table(tmp_path / "d.jsonl", ["甲甲甲甲"]), "path:p": table(tmp_path / "p.jsonl", ["乙乙乙乙"]),
              "path:empty": tmp_path / "empty"}
    if lost != "path:empty":
        inputs[lost].unlink()
    data = ["path:d", "path:empty"] if lost == "path:empty" else ["path:d"]
    run = asked(tmp_path / "t", TRAIN, {"data": data, "pool": ["path:p"], "method": "berteval"}, inputs)
    found = overlap({0: "甲甲甲甲", 1: "乙乙乙乙"}, run)
    assert not found.known and found.places == {"path:d": (1,), "path:p": (0,), "path:empty": (0, 1)}[lost]


@pytest.mark.parametrize("change", [{"name": "quality"}, {"name": "toxicity", "language": "en", "seed": 9},
                                    {"name": "own", "practice": 41}])
def test_practice_texts_are_made_again(tmp_path: Path, change: dict[str, Any]) -> None:
    request = TrainScorerRequest(**change)
    read = train_scorer_task.read(request, MemoryContext(tmp_path / "c"), random.Random(request.seed))
    run = asked(tmp_path / "t", TRAIN, to_json(request))
    assert list(training_texts(run)) == [row.text for row in read] and len(read) == request.practice
    assert overlap({7: read[3].text}, run) == Overlap((7,), len(read), True)


@pytest.mark.parametrize("fields", [{"practice": "many"}, {"seed": -1}, {"no such": 1}, {"practice": 10**9}])
def test_a_request_that_is_none_says_nothing(tmp_path: Path, fields: dict[str, Any]) -> None:
    for task in (TRAIN, TOXICITY):
        assert overlap({0: "甲"}, asked(tmp_path / "t", task, fields)) == Overlap((), 0, False)


# --- tables -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("column", ["text", "正文"])
def test_folders_of_parquet_are_read(tmp_path: Path, column: str) -> None:
    folder = tmp_path / "documents"
    table(folder / "part-00000.parquet", ["甲", " ", "乙"], column)
    table(folder / "part-00001.parquet", ["丙"], column)
    table(folder / "x.jsonl", ["丁"], column)
    (folder / "sub.parquet").mkdir()
    run = asked(tmp_path / "t", TRAIN, {"data": ["path:x"], "text_field": column}, {"path:x": folder})
    assert list(training_texts(run)) == ["甲", "乙", "丙", "丁"] and not taught(run).gone
    one = asked(tmp_path / "o", TRAIN, {"data": ["path:x"], "text_field": column},
                {"path:x": folder / "part-00001.parquet"})
    assert list(training_texts(one)) == ["丙"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet PAR1", b"\x00" * 99])
def test_a_damaged_parquet_file_does_not_hide_the_others(tmp_path: Path, content: bytes) -> None:
    table(tmp_path / "d" / "b.jsonl", ["乙"])
    (tmp_path / "d" / "a.parquet").write_bytes(content)
    table(tmp_path / "d" / "c.parquet", ["丙"], "other")
    run = asked(tmp_path / "t", TRAIN, {"data": ["path:x"]}, {"path:x": tmp_path / "d"})
    assert list(training_texts(run)) == ["乙"]


# --- domain rounds ------------------------------------------------------------------------------------------------

def test_a_continued_round_learned_from_the_texts_of_its_state(tmp_path: Path) -> None:
    data = table(tmp_path / "documents" / "part-00000.parquet", ["甲甲甲甲", "乙乙乙乙", "丙丙丙丙"], "body").parent
    run = asked(tmp_path / "t", DOMAINS, {"data": [], "previous": "run:x/round"}, {"path:x": data})
    round_of(run, ["甲甲甲甲", "丙丙丙丙"], text_field="body")
    assert list(training_texts(run)) == ["甲甲甲甲", "丙丙丙丙"], "only what was drawn"
    found = overlap({0: "甲甲甲甲", 1: "乙乙乙乙", 2: "丙丙丙丙"}, run)
    assert found == Overlap((0, 2), 2, True)
    (data / "part-00000.parquet").unlink()
    assert overlap({0: "甲甲甲甲"}, run) == Overlap((), 0, False)


@pytest.mark.parametrize("broken", [None, "{", '{"format": "other"}'])
def test_a_round_without_its_state_is_not_wholly_known(tmp_path: Path, broken: str | None) -> None:
    run = asked(tmp_path / "t", DOMAINS, {"data": ["path:x"]}, {"path:x": table(tmp_path / "d.jsonl", ["甲甲甲甲"])})
    if broken is not None:
        (run / "artifacts" / "round").mkdir(parents=True)
        (run / "artifacts" / "round" / "state.json").write_text(broken)
    assert overlap({1: "甲甲甲甲"}, run) == Overlap((1,), 1, False)


def test_rounds_that_ran_are_found_and_so_are_those_that_went_on(tmp_path: Path) -> None:
    request = DomainRoundsRequest(practice=100, epochs=1, proposals=1)
    first, second = tmp_path / "one", tmp_path / "two"
    domain_task.run(request, MemoryContext(first))
    asked(first, DOMAINS, to_json(request))
    ids = [json.loads(line)["id"] for line in (first / "artifacts" / "round" / "labels.jsonl").read_text().splitlines()]
    learned = list(training_texts(first))
    assert sorted(map(document_id, learned)) == sorted(ids) and len(learned) == 80, "a fifth is held out"
    later = DomainRoundsRequest(previous=f"path:{first / 'artifacts' / 'round'}", epochs=1, proposals=1)
    domain_task.run(later, MemoryContext(second))
    asked(second, DOMAINS, to_json(later))
    assert list(training_texts(second)) == learned and overlap({5: learned[0]}, second).places == (5,)

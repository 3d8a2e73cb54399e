"""One round of keyword bootstrapping a run: texts, lists, labels, proposals, what the next round is told."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import TASKS, domain_keywords, domain_task
from backends.mdfg.domain_keywords import Candidate, candidates, parse_keywords, read_keywords
from backends.mdfg.domain_requests import DomainRoundsRequest, DomainRoundsResult
from backends.mdfg.domain_runs import frequent_runs
from backends.mdfg.domain_state import Labelling, State, joined, load, reviewed, save, texts_hash, without
from backends.mdfg.domain_texts import beginning, drawn, practice_texts, tables
from backends.mdfg.metrics_domain import domain_figures
from backends.mdfg.scorers.opening import open_scorer
from tests.backends.explore_cases import filtered
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.fields import from_json, to_json

SMALL = {"practice": 360}
LISTS = "law: [法院, 判决, 律师, 合同]\nmedicine: [患者, 治疗, 医院, 药物]\n"


def run(folder: Path, **fields) -> DomainRoundsResult:
    return domain_task.run(DomainRoundsRequest(**fields), MemoryContext(folder))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DomainRoundsResult]:
    """The first round over practice texts."""
    folder = tmp_path_factory.mktemp("rounds") / "one"
    return folder, run(folder, **SMALL)


def reviewed_words(result: DomainRoundsResult, least: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    full = read_keywords(domain_task.OWN)
    right = {f"{one.label}: {one.word}" for one in result.proposals if one.word in full[one.label]}
    every = [f"{one.label}: {one.word}" for one in result.proposals if one.strength > least]
    return tuple(x for x in every if x in right), tuple(x for x in every if x not in right)


def test_the_first_round_labels_trains_and_proposes(first) -> None:
    folder, result = first
    assert result.number == 1 and result.texts == 288 and result.tested + result.leaked == 72
    assert result.provenance == "synthetic" and result.changed == 0 and result.gained == {} == result.lost
    assert sum(result.counts.values()) >= 288 and result.counts["general"] < 120
    assert result.figures["top-1 precision"] > 0.5 and set(result.keywords) == set(read_keywords(domain_task.OWN))
    scorer = open_scorer(Path(result.path))
    assert scorer.name == "domain" and len(scorer.outputs) == 11 - len(result.unused)
    assert "not from people" in dict(scorer.card)["labels from"]
    assert (folder / "artifacts" / "changes.jsonl").read_text() == ""


def test_proposals_say_why(first) -> None:
    _, result = first
    full, begin = read_keywords(domain_task.OWN), beginning(read_keywords(domain_task.OWN))
    assert result.proposals
    for one in result.proposals:
        assert one.word not in begin[one.label] and one.inside > 0 and one.word in one.example.lower()
        assert one.strength > 0 and one.log_odds > 0 and one.inside + one.outside >= 5
    assert any(one.word in full[one.label] for one in result.proposals), "words that were held back are found"


def test_log_odds_by_hand() -> None:
    found = domain_task._proposal(Candidate("law", "原告", 8, 2, 1.5), 10, 100, "x")
    assert math.isclose(found.log_odds, math.log((8.5 / 2.5) / (2.5 / 88.5))) and found.example == "x"


def test_the_next_round_goes_on_from_what_a_person_said(first, tmp_path: Path) -> None:
    folder, before = first
    accepted, rejected = reviewed_words(before, 0.5)
    assert accepted and rejected
    result = run(tmp_path / "two", previous=f"path:{folder / 'artifacts' / 'round'}", accepted=accepted,
                 rejected=rejected)
    assert result.number == 2 and result.texts == before.texts
    assert sum(result.keywords.values()) == sum(before.keywords.values()) + len(accepted)
    said = {entry.partition(": ")[::2] for entry in (*accepted, *rejected)}
    assert not said & {(one.label, one.word) for one in result.proposals}, "nothing is asked twice"
    assert result.changed > 0 and result.counts["general"] < before.counts["general"], "more words, more labels"
    lines = [json.loads(line) for line in (tmp_path / "two/artifacts/changes.jsonl").read_text().splitlines()]
    assert len(lines) == result.changed and all(one["gained"] or one["lost"] for one in lines)
    assert Counter(label for one in lines for label in one["gained"]) == result.gained
    assert Counter(label for one in lines for label in one["lost"]) == result.lost
    assert result.figures["top-1 precision"] > before.figures["top-1 precision"] - 0.05
    state, labelling = load(tmp_path / "two/artifacts/round")
    assert state.number == 2 and len(labelling.labels) == 288 and Counter(
        label for held in labelling.labels for label in held) == result.counts
    third = run(tmp_path / "three", previous=f"path:{tmp_path / 'two/artifacts/round'}", epochs=3)
    assert third.number == 3 and not said & {(one.label, one.word) for one in third.proposals}, "still remembered"


def test_a_round_is_repeated_exactly(first, tmp_path: Path) -> None:
    folder, result = first
    again = run(tmp_path / "again", **SMALL)
    assert dataclasses.replace(again, path="", seconds=0) == dataclasses.replace(result, path="", seconds=0)
    assert open_scorer(Path(again.path)).version == open_scorer(Path(result.path)).version
    for name in ("round/labels.jsonl", "round/state.json"):
        assert (tmp_path / "again/artifacts" / name).read_bytes() == (folder / "artifacts" / name).read_bytes()


def test_a_rejected_word_of_the_lists_is_taken_out(first, tmp_path: Path) -> None:
    folder, _ = first
    state, _ = load(folder / "artifacts" / "round")
    word = state.keywords["law"][0]
    run(tmp_path / "two", previous=f"path:{folder / 'artifacts' / 'round'}", rejected=(f"law: {word}",), epochs=1)
    after, _ = load(tmp_path / "two/artifacts/round")
    assert word not in after.keywords["law"] and after.rejected["law"] == (word,)
    run(tmp_path / "three", previous=f"path:{tmp_path / 'two/artifacts/round'}", accepted=(f"law: {word}",), epochs=1)
    third, _ = load(tmp_path / "three/artifacts/round")
    assert word in third.keywords["law"] and word not in third.rejected["law"], "a person may think again"


def texts_file(path: Path, count: int = 120) -> list[str]:
    draw = random.Random(1)
    words = {"law": ("法院", "判决", "律师", "合同", "原告"), "medicine": ("患者", "治疗", "医院", "药物", "护士")}
    texts = []
    for place in range(count):
        held = words[("law", "medicine")[place % 2]] if place % 3 else ()
        texts.append("，".join((*held, "".join(draw.choices("春夏秋冬风花雪月山水", k=30)), str(place))))
    path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts))
    return texts


def test_own_texts_and_lists(tmp_path: Path) -> None:
    texts_file(tmp_path / "t.jsonl")
    gold = [{"text": "原告到法院请律师，判决合同", "label": "law"}, {"text": "护士给患者药物治疗", "label": "medicine"},
            {"text": "春天的风", "label": "general"}, {"text": "没有标签", "label": ""}]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in gold))
    result = run(tmp_path / "run", data=(f"path:{tmp_path / 't.jsonl'}",), keywords=LISTS, epochs=8,
                 test=(f"path:{tmp_path / 'gold.jsonl'}",))
    assert result.provenance == "real data" and result.texts == 120
    assert result.counts == {"law": 40, "medicine": 40, "general": 40}
    assert result.tested == 3 and result.leaked == 0 and result.figures["top-1 recall"] == 1.0
    assert {(one.label, one.word) for one in result.proposals} >= {("law", "原告"), ("medicine", "护士")}
    assert result.keywords == {"law": 4, "medicine": 4} and result.unused == ()


def test_test_texts_that_the_round_has_read_are_left_out(tmp_path: Path) -> None:
    texts = texts_file(tmp_path / "t.jsonl")
    rows = [{"text": texts[1], "label": "medicine"}, {"text": "原告到法院请律师，判决合同", "label": "law"}]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    result = run(tmp_path / "run", data=(f"path:{tmp_path / 't.jsonl'}",), keywords=LISTS, epochs=2,
                 test=(f"path:{tmp_path / 'gold.jsonl'}",))
    assert (result.tested, result.leaked) == (1, 1)


def test_labels_that_no_text_has_are_named_and_left_out(tmp_path: Path) -> None:
    texts_file(tmp_path / "t.jsonl")
    result = run(tmp_path / "run", data=(f"path:{tmp_path / 't.jsonl'}",), epochs=1,
                 keywords=LISTS + "astronomy: [星系, 黑洞, 望远镜]\n")
    assert result.unused == ("astronomy",) and open_scorer(Path(result.path)).outputs == ("law", "medicine", "general")


def test_the_documents_of_a_filtering_run_are_read(tmp_path: Path) -> None:
    folder = filtered(tmp_path / "corpus", texts=[f"法院判决律师合同第{i}号" * 9 if i % 2 else f"第{i}天春风" * 30
                                                  for i in range(40)])
    result = run(tmp_path / "run", data=(f"path:{folder / 'artifacts' / 'documents'}",), keywords=LISTS, epochs=1)
    assert result.texts == 40 and result.counts == {"general": 20, "law": 20} and result.unused == ("medicine",)


@pytest.mark.parametrize(("fields", "message"), [
    ({"keywords": "law: court"}, "must map each label to a list of words"), ({"keywords": "[1, 2]"}, "must map"),
    ({"keywords": "a: [b"}, "no YAML"), ({"keywords": "law: []"}, "must map"), ({"keywords": "{}"}, "must map"),
    ({"accepted": ("law 法院",)}, "must look like 'label: word'"), ({"accepted": ("cooking: 菜",)}, "'cooking: 菜'"),
    ({"rejected": ("law: ",)}, "must look like"), ({"accepted": ("general: 天气",)}, "with one of the labels"),
    ({"accepted": ("law: 新词",), "rejected": ("law: 新词",)}, "accepted and rejected at once"),
    ({"keywords": "law: [没有这个词一, 没有这个词二, 没有这个词三]\n"}, "general only in"),
    ({"keywords": "law: [甲]\n", "rejected": ("law: 甲",)}, "no keyword left")])
def test_what_cannot_be_done_is_said(tmp_path: Path, fields, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path / "run", practice=100, **fields)


@pytest.mark.parametrize(("field", "value"), [("least", 0), ("sample", 5), ("proposals", 0), ("practice", 5),
                                              ("epochs", -1), ("seed", -1), ("data", "path:x")])
def test_requests_that_cannot_be_are_refused(field: str, value) -> None:
    with pytest.raises(UserError, match=field):
        DomainRoundsRequest(**{field: value})


def test_requests_travel_as_json(first) -> None:
    request = DomainRoundsRequest(accepted=("law: 原告",), data=("path:x",))
    assert from_json(DomainRoundsRequest, json.loads(json.dumps(to_json(request)))) == request
    result = first[1]
    assert from_json(DomainRoundsResult, json.loads(json.dumps(to_json(result)))) == result


def test_texts_that_changed_since_the_last_round_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    texts_file(path)
    run(tmp_path / "one", data=(f"path:{path}",), keywords=LISTS, epochs=1)
    previous = f"path:{tmp_path / 'one/artifacts/round'}"
    assert run(tmp_path / "two", previous=previous, epochs=1, data=(f"path:{path}",)).number == 2
    with pytest.raises(UserError, match="names other texts"):
        run(tmp_path / "three", previous=previous, data=("path:elsewhere",))
    path.write_text(path.read_text().replace("法院", "法庭"))
    with pytest.raises(UserError, match="have changed since the round before"):
        run(tmp_path / "four", previous=previous)


def test_texts_of_a_run_are_named_again_in_the_next_round(tmp_path: Path) -> None:
    """A state that somebody shared must not open the runs that its owner read."""
    path = tmp_path / "t.jsonl"
    texts_file(path)
    run(tmp_path / "one", data=(f"path:{path}",), keywords=LISTS, epochs=1)
    state = tmp_path / "one" / "artifacts" / "round" / "state.json"
    state.write_text(state.read_text().replace(f"path:{path}", "run:20260101T000000-abcdef/kept.jsonl"))
    with pytest.raises(UserError, match="name them again in data"):
        run(tmp_path / "two", previous=f"path:{state.parent}", epochs=1)


def test_new_lists_may_come_with_a_later_round(tmp_path: Path) -> None:
    texts_file(tmp_path / "t.jsonl")
    run(tmp_path / "one", data=(f"path:{tmp_path / 't.jsonl'}",), keywords=LISTS, epochs=1)
    result = run(tmp_path / "two", previous=f"path:{tmp_path / 'one/artifacts/round'}", epochs=1,
                 keywords=LISTS.replace("法院", "原告"))
    assert load(tmp_path / "two/artifacts/round")[0].keywords["law"] == ("原告", "判决", "律师", "合同")
    assert result.number == 2


def test_a_round_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        domain_task.run(DomainRoundsRequest(**SMALL), MemoryContext(tmp_path / "run", cancel_after=4))


@pytest.mark.parametrize("files", [{}, {"state.json": "{}"}, {"state.json": "[1]"}, {"state.json": "no"},
                                   {"state.json": json.dumps({"format": "mdfg.domain_round.v1"})}])
def test_folders_that_hold_no_round_are_refused(tmp_path: Path, files) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="no round of keyword bootstrapping"):
        load(tmp_path)


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    texts = ("甲", "乙", "")
    state = State(3, {"law": ("法院",)}, {"law": ("的",)}, ("path:x",), "text", 100, 0, 5, texts_hash(texts))
    labelling = Labelling((("law",), ("general",), ()), (("law",), (), ()))
    save(tmp_path / "round", state, labelling, texts)
    assert load(tmp_path / "round") == (state, labelling)
    assert texts_hash(texts) != texts_hash(("甲乙", "", "")) != texts_hash(("乙", "甲", ""))
    (tmp_path / "round" / "labels.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(UserError, match="no round"):
        load(tmp_path / "round")


def test_lists_are_joined_and_taken_apart() -> None:
    assert joined({"a": ("x", "y")}, {"a": ("y", "z"), "b": ("w",)}) == {"a": ("x", "y", "z"), "b": ("w",)}
    assert without({"a": ("x", "y")}, {"a": ("y",), "c": ("x",)}) == {"a": ("x",)}
    entries = ("law: COURT", "law:court ", "a:b:c")
    assert reviewed(entries, ("law", "a"), "accepted") == {"law": ("court",), "a": ("b:c",)}
    with pytest.raises(UserError, match="must map"):
        parse_keywords({"law": "court"}, "x")


def slow_candidates(texts: Sequence[str], confident: Sequence[Sequence[str]], keywords, count: int, refused):
    """As :func:`candidates`, with every run of every text held."""
    def runs(text: str) -> set[str]:
        found = set(re.findall(r"[^\W\d_]{3,}", re.sub("[一-龥]+", " ", text.lower())))
        for piece in re.findall("[一-龥]+", text):
            found |= {piece[i:i + size] for size in (2, 3, 4) for i in range(len(piece) - size + 1)}
        return found
    held = [runs(text) for text in texts]
    every = Counter(word for found in held for word in found)
    result = {}
    for label in keywords:
        inside = [found for found, labels in zip(held, confident, strict=True) if label in labels]
        mine = Counter(word for found in inside for word in found if every[word] >= domain_keywords.FEWEST)
        ranked = sorted((domain_keywords._candidate(label, word, hits, every[word] - hits, len(inside),
                                                    len(texts) - len(inside))
                         for word, hits in mine.items() if word not in refused.get(label, ())),
                        key=lambda c: (-c.strength, -len(c.word), c.word))
        result[label] = domain_keywords._without_parts(ranked, count, keywords[label])
    return result


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="春夏秋冬风花ab, 12\nÉß\U00020000\u3000", max_size=25), min_size=8, max_size=16),
       st.randoms(use_true_random=False))
def test_candidates_equal_the_slow_way(texts: list[str], draw: random.Random) -> None:
    texts = texts * 3
    confident = [tuple(label for label in ("law", "news") if draw.random() < 0.4) for _ in texts]
    keywords = {"law": ("春夏",), "news": ("风花雪",)}
    refused = {"law": ("秋冬", "风花")}
    found = candidates(texts, confident, keywords, 6, refused)
    assert found == slow_candidates(texts, confident, keywords, 6, refused)
    assert not {one.word for one in found["law"]} & {"春夏", "秋冬", "风花"}


def test_one_piece_of_text_never_counts_as_two_keywords() -> None:
    texts = [f"行政区第{i}号公报" for i in range(20)] + [f"天气晴朗第{i}天" for i in range(20)]
    found = candidates(texts, [("law",)] * 20 + [()] * 20, {"law": ("行政区",)}, 10)["law"]
    words = [one.word for one in found] + ["行政区"]
    assert any("公报" in word for word in words) and not any(a in b for a in words for b in words if a != b)


def test_rare_runs_never_become_strings() -> None:
    draw = random.Random(0)
    texts = ["".join(chr(0x4E00 + draw.randrange(20_000)) for _ in range(100)) + "常见词语" for _ in range(50)]
    for found in frequent_runs(texts, 5):
        assert found >= {"常见", "见词", "词语", "常见词", "见词语", "常见词语"} and len(found) < 12
    assert list(frequent_runs(["", "a", "字", "\ud800字字"], 1))[3] == {"字字"}


def test_samples_are_random_stable_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{i:04d}" if i % 7 else " "}) + "\n" for i in range(700)))
    context = MemoryContext(tmp_path / "run")
    one, two = (drawn((f"path:{path}",), "text", 50, random.Random(3), context) for _ in range(2))
    assert one == two and one.of == 600 and len(one.texts) == 50 and list(one.texts) == sorted(one.texts)
    every = drawn((f"path:{path}",), "text", 10_000, random.Random(3), context)
    assert len(every.texts) == 600 and " " not in every.texts
    hits = Counter(text for seed in range(60) for text in drawn((f"path:{path}",), "text", 60, random.Random(seed),
                                                                 context).texts)
    halves = [sum(n for text, n in hits.items() if (text < "t0350") == low) for low in (True, False)]
    assert abs(halves[0] - halves[1]) < 300, "the beginning and the end of a file are drawn alike"


def test_texts_come_from_tables_of_every_kind(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.table({"text": ["甲", None, "乙"]}), folder / "a.parquet")
    (folder / "b.csv").write_text("text,x\n丙,1\n", encoding="utf-8")
    (folder / "c.jsonl").write_text('{"text": "丁"}\n', encoding="utf-8")
    (folder / "d.txt").write_text("no table")
    assert drawn((f"path:{folder}",), "text", 10, random.Random(0), context).texts == ("甲", "乙", "丙", "丁")
    assert [path.name for path in tables(folder)] == ["a.parquet", "b.csv", "c.jsonl"]


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.jsonl", b'{"words": "x"}\n', r"Line 1 of a\.jsonl has no text in the field 'text'; its fields are words"),
    ("a.jsonl", b'{"text": 3}\n', "Line 1"), ("a.jsonl", b"import os; os.remove('x')\n", "Line 1"),
    ("a.parquet", b"no parquet at all", "cannot be read as Parquet"), ("a.csv", b"x,y\n1,2\n", "no text in the field")])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        drawn((f"path:{tmp_path / name}",), "text", 10, random.Random(0), MemoryContext(tmp_path / "run"))


def test_parquet_with_other_columns_and_empty_folders(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2], "words": ["a", "b"]}), tmp_path / "n.parquet")
    with pytest.raises(UserError, match="no column of texts 'text'; its columns are text, words"):
        drawn((f"path:{tmp_path / 'n.parquet'}",), "text", 10, random.Random(0), MemoryContext(tmp_path / "run"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingResource, match="holds no table"):
        tables(tmp_path / "empty")
    (tmp_path / "few.jsonl").write_text('{"text": "一"}\n' * 9)
    with pytest.raises(UserError, match="9 texts with content; a round needs at least 10"):
        run(tmp_path / "run2", data=(f"path:{tmp_path / 'few.jsonl'}",), keywords=LISTS)


def test_practice_texts_have_the_words_of_their_label() -> None:
    lists = read_keywords(domain_task.OWN)
    rows = practice_texts(lists, 120, random.Random(0))
    assert len(rows) == 120 and sum(row.labels == ("general",) for row in rows) == 20
    for row in rows:
        if row.labels != ("general",):
            assert sum(word in row.text for word in lists[row.labels[0]]) >= 4
    begin = beginning(lists)
    assert all(3 <= len(begin[label]) < len(words) for label, words in lists.items())
    gold = [row.labels for row in rows]
    assert domain_figures(gold, gold).micro_f1 == 1.0


def test_the_task_is_offered_under_its_name(tmp_path: Path) -> None:
    task = next(one for one in TASKS if one.name == "mdfg.domain_rounds.v1")
    assert (task.kind, task.request, task.result) == ("job", DomainRoundsRequest, DomainRoundsResult)
    assert isinstance(task.example, DomainRoundsRequest)
    context = MemoryContext(tmp_path / "run")
    result = task.function()(DomainRoundsRequest(practice=100, epochs=1), context)
    assert result.number == 1 and result.texts == 80
    assert [message for _, _, message in context.reports][-1].startswith("round 1:")
    names = {json.loads(line)["name"] for line in (context.run / "artifacts.jsonl").read_text().splitlines()}
    assert names == {"scorer", "round", "changes.jsonl"}

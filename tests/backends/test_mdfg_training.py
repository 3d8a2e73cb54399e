"""Training scorers and running rounds: what is read, what is kept, what is refused, and that it repeats."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import toxicity_task, train_scorer_task
from backends.mdfg.bert_eval import network as files
from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.disguises import DISGUISES
from backends.mdfg.labelled import Labelled
from backends.mdfg.practice import practice
from backends.mdfg.scorer_requests import ToxicityRoundsRequest, TrainScorerRequest
from backends.mdfg.scorer_sources import split
from backends.mdfg.scorers.hashing import Grams, buckets_of
from backends.mdfg.scorers.opening import open_scorer
from backends.mdfg.scorers.train_ngram import Recipe, calibrated, labels_of, train
from backends.mdfg.toxicity_data import TOXIC, r0
from backends.mdfg.toxicity_judges import Judgement, SimulatedJudge, Vote
from backends.mdfg.toxicity_rounds import HeldOut, Plan, judge_against_people, run_rounds
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError

SMALL = Recipe(Grams(1, 2, 11), epochs=4, batch=16)
GOOD, BAD = "今天的会议讨论了三个方案第{}号", "点击购买优惠全场包邮{}"


def table(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return f"path:{path}"


def yes_no(path: Path, count: int = 60, **more: Any) -> str:
    return table(path, [{"text": (GOOD if i % 2 else BAD).format(i), "label": "good" if i % 2 else "bad", **more}
                        for i in range(count)])


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# a scorer from a request


@pytest.mark.parametrize("changes", [{}, {"dim": 4}, {"drop": 0.3}, {"low": 2, "high": 4}, {"epochs": 2},
                                     {"learning_rate": 0.01}, {"seed": 3}])
def test_every_way_of_training_gives_a_scorer_that_is_read_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    request = TrainScorerRequest(data=(yes_no(tmp_path / "a.jsonl"),), bits=11, **changes)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    scorer = open_scorer(Path(result.path))
    assert scorer.version == result.version and result.provenance == "real data"
    assert (result.texts, result.held_out) == (48, 12) and result.size_mb > 0
    good, bad = scorer.score([GOOD.format("x"), BAD.format("x")])[:, 0]
    assert good > bad and (result.figures["AUC"] or 0) >= 0.9


@pytest.mark.parametrize(("label", "yes", "share"), [
    ("GOOD", ("good",), 0.5), ("good", ("Good", "other"), 0.5), ("1", ("1",), 0.5), (1, ("1",), 0.5),
    (["good", "long"], ("good",), 0.5)])
def test_the_words_that_mean_yes_are_read_in_any_case(tmp_path: Path, label: Any, yes: tuple[str, ...],
                                                      share: float) -> None:
    data = table(tmp_path / "a.jsonl", [{"text": (GOOD if i % 2 else BAD).format(i), "label": label if i % 2 else "no"}
                                        for i in range(40)])
    request = TrainScorerRequest(data=(data,), yes=yes, bits=10)
    rows = train_scorer_task.read(request, MemoryContext(tmp_path / "run"), random.Random(0))
    _, labels = train_scorer_task.labels_of(request, rows)
    assert sum(map(bool, labels)) / len(labels) == share


def test_texts_without_content_are_left_out_and_few_are_refused(tmp_path: Path) -> None:
    rows = [{"text": text, "label": "good"} for text in ("", " \n", "\u3000", *map(str, range(9)))]
    request = TrainScorerRequest(data=(table(tmp_path / "a.jsonl", rows),))
    with pytest.raises(UserError, match="There are 9 texts with content; a scorer needs at least 10"):
        train_scorer_task.run(request, MemoryContext(tmp_path / "run"))


@pytest.mark.parametrize("label", ["good", "bad"])
def test_one_class_alone_cannot_be_learned(tmp_path: Path, label: str) -> None:
    rows = [{"text": f"text {i}", "label": label} for i in range(30)]
    with pytest.raises(UserError, match=r"nothing to tell apart|No text has the label"):
        train_scorer_task.run(TrainScorerRequest(data=(table(tmp_path / "a.jsonl", rows),)),
                              MemoryContext(tmp_path / "run"))


@pytest.mark.parametrize(("texts", "batch"), [(10, 16), (320, 16), (2000, 100), (5120, 256), (10**6, 256)])
def test_batches_grow_with_the_data(texts: int, batch: int) -> None:
    assert train_scorer_task.batch_of(texts) == batch


def test_labels_are_learned_one_against_all(tmp_path: Path) -> None:
    words = {"law": "法院判决", "medicine": "患者治疗", "both": "法院患者"}
    rows = [{"text": f"{words[kind]}{i}", "label": kind if kind != "both" else "law|medicine"}
            for i in range(40) for kind in words]
    request = TrainScorerRequest("domain", (table(tmp_path / "a.jsonl", rows),), target="labels", bits=11, epochs=8)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    law, medicine = open_scorer(Path(result.path)).score(["法院判决", "患者治疗", "法院患者"]).T
    assert result.outputs == ("law", "medicine")
    assert law[0] > 0.5 > law[1] and medicine[1] > 0.5 > medicine[0] and law[2] > 0.5 and medicine[2] > 0.5


def test_figures_are_of_texts_that_were_not_trained_on(tmp_path: Path) -> None:
    """Labels without any meaning: what is held out cannot be told, however well the rest is learned by heart."""
    draw = random.Random(0)
    rows = [{"text": "".join(chr(0x4E00 + draw.randrange(3000)) for _ in range(30)), "label": draw.choice(["good", ""])}
            for _ in range(300)]
    request = TrainScorerRequest(data=(table(tmp_path / "a.jsonl", rows),), bits=14, epochs=20)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert 0.25 < (result.figures["AUC"] or 0) < 0.75


def test_copies_of_a_text_never_measure_themselves(tmp_path: Path) -> None:
    rows = [Labelled(f"text {i % 20}", (), "x") for i in range(200)]
    rest, held = split(rows, lambda row: row.text, 0.25, random.Random(1))
    assert len(held) == 50 and not {row.text for row in rest} & {row.text for row in held}


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_cancelled_training_leaves_no_scorer(tmp_path: Path, after: int) -> None:
    request = TrainScorerRequest(data=(yes_no(tmp_path / "a.jsonl", 200),), bits=11)
    with pytest.raises(Cancelled):
        train_scorer_task.run(request, MemoryContext(tmp_path / "run", cancel_after=after))
    assert not (tmp_path / "run" / "artifacts" / "scorer" / "scorer.json").exists()


def test_notes_say_what_a_reader_of_figures_must_know() -> None:
    few = [Labelled("x", (), "x")] * 5
    said = train_scorer_task.notes(TrainScorerRequest(), few)
    assert len(said) == 2 and "Practice texts" in said[0] and "Only 5 texts" in said[1]
    official = TrainScorerRequest(data=("path:x",), method="berteval", margin_ranking="official")
    assert train_scorer_task.notes(official, few * 100) == ("The official margin ranking loss is always 0.",)


# the trainer


def test_what_was_dropped_while_training_is_there_when_scoring() -> None:
    texts = [(GOOD if i % 2 else BAD).format(i) for i in range(200)]
    labels = np.array([[i % 2] for i in range(200)], dtype=np.float32)
    plain = train("x", texts, labels, ("score",), SMALL, random.Random(0))
    dropped = train("x", texts, labels, ("score",), dataclasses.replace(SMALL, drop=0.5), random.Random(0))
    assert plain.version != dropped.version
    assert np.array_equal(dropped.score(texts[:3]), dropped.score(texts[:3])), "no chance in a score"
    assert ((dropped.score(texts)[:, 0] > 0.5) == labels[:, 0].astype(bool)).mean() > 0.95


def test_few_texts_are_not_calibrated_on() -> None:
    texts = [(GOOD if i % 2 else BAD).format(i) for i in range(300)]
    labels = np.array([[i % 2] for i in range(300)], dtype=np.float32)
    scorer = train("x", texts, labels, ("score",), dataclasses.replace(SMALL, held_out=0.1), random.Random(0))
    assert (scorer.scale, scorer.shift) == (1.0, 0.0), "thirty held out are too few"
    assert calibrated(scorer, texts[:99], labels[:99]) is scorer
    changed = calibrated(scorer, texts, labels)
    assert changed.scale[0] > 0 and changed.version != scorer.version
    order = np.argsort(scorer.logits(texts)[0][:, 0])
    assert np.array_equal(order, np.argsort(changed.logits(texts)[0][:, 0]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 2))
def test_buckets_of_many_texts_are_those_of_each_alone(texts: list[str], low: int, more: int) -> None:
    grams = Grams(low, low + more, 12)
    ids, ends = buckets_of(texts, grams)
    for place, text in enumerate(texts):
        alone, _ = buckets_of([text], grams)
        assert np.array_equal(ids[ends[place]:ends[place + 1]], alone)
    assert ends[-1] == len(ids) and (ids < grams.buckets).all()


def test_label_tables_have_a_column_for_each_output() -> None:
    assert labels_of([("b",), (), ("a", "b")], ("a", "b")).tolist() == [[0, 1], [0, 0], [1, 1]]


# rounds


def make(seed: int = 0) -> tuple[Any, list[str], list[bool], HeldOut]:
    rows = [Labelled(f"你是蠢货{i}", (TOXIC,), "a") if i % 2 else Labelled(f"天气很好{i}", (), "a") for i in range(120)]
    draw = random.Random(seed)
    truth = [draw.random() < 0.3 for _ in range(200)]
    pool = [f"大家谈到散步和天气{i} {'蠢货闭嘴' if bad else '慢慢走吧'}" for i, bad in enumerate(truth)]
    test = HeldOut(tuple(f"测试谈到做饭{i} {'蠢货闭嘴' if i % 3 == 0 else '味道不错'}" for i in range(90)),
                   tuple(i % 3 == 0 for i in range(90)))
    return r0(rows), pool, truth, test


@pytest.mark.parametrize(("rounds", "budget"), [(1, 5), (2, 20), (3, 200)])
def test_no_text_is_judged_twice_and_no_budget_is_passed(rounds: int, budget: int) -> None:
    start, pool, truth, test = make()
    judge = SimulatedJudge(truth, 0.0, random.Random(0))
    _, log = run_rounds(start, pool, judge, Plan(rounds, budget, recipe=SMALL), random.Random(1), test)
    texts = [one.text for done in log for one in done.judged]
    assert len(texts) == len(set(texts)) and all(len(done.judged) <= budget for done in log)
    assert [done.number for done in log] == list(range(rounds + 1)) and log[-1].judged == ()
    for done in log:
        assert done.found_toxic == sum(one.toxic is True for one in done.judged)
        assert done.figures is not None and 0 <= done.figures.f1 <= 1


def test_the_control_draws_from_all_texts_and_the_rounds_from_those_that_look_toxic() -> None:
    start, pool, truth, test = make()
    judge = SimulatedJudge(truth, 0.0, random.Random(0))
    _, real = run_rounds(start, pool, judge, Plan(1, 30, recipe=SMALL), random.Random(1), test)
    _, control = run_rounds(start, pool, judge, Plan(1, 30, (len(real[0].judged),), SMALL), random.Random(1), test)
    assert len(control[0].judged) == len(real[0].judged) > 0
    assert real[0].figures == control[0].figures
    assert real[0].found_toxic / len(real[0].judged) > control[0].found_toxic / len(control[0].judged)


def test_undecided_texts_are_not_trained_on() -> None:
    start, pool, _, test = make()

    class Undecided:
        name = "undecided"

        def judge(self, texts, places):
            return [Judgement(text, self.name, None, (Vote("p", "?", None),)) for text in texts]
    _, log = run_rounds(start, pool, Undecided(), Plan(2, 20, recipe=SMALL), random.Random(1), test)
    assert log[0].for_people == len(log[0].judged) > 0 == log[0].found_toxic
    again, _ = run_rounds(start, pool, Undecided(), Plan(2, 20, recipe=SMALL), random.Random(1), test)
    judge = SimulatedJudge([True] * len(pool), 0.0, random.Random(0))
    taught, _ = run_rounds(start, pool, judge, Plan(2, 20, recipe=SMALL), random.Random(1), test)
    assert again.version != taught.version


def test_agreement_counts_only_what_both_decided() -> None:
    judged = [Judgement(str(i), "j", toxic, ()) for i, toxic in enumerate([True, False, None, True, False])]
    assert judge_against_people(judged, [True, False, True, None, False]) == (1.0, 3)
    assert judge_against_people(judged, [None] * 5) == (None, 0)
    assert judge_against_people([], []) == (None, 0)


def test_rounds_refuse_a_test_set_that_they_have_seen() -> None:
    start, pool, truth, _ = make()
    judge = SimulatedJudge(truth, 0.0, random.Random(0))
    for shared, what in ((pool[3], "pool"), (start.texts[5], "training set")):
        with pytest.raises(UserError, match=f"texts of the {what} are also in the test set"):
            run_rounds(start, pool, judge, Plan(1, 5, recipe=SMALL), random.Random(0), HeldOut((shared,), (True,)))


@pytest.mark.parametrize("control", [True, False])
def test_the_task_measures_on_the_held_out_half_of_a_labelled_pool(tmp_path: Path, control: bool) -> None:
    data = yes_no(tmp_path / "a.jsonl", 80)
    pool = table(tmp_path / "p.jsonl", [{"text": (GOOD if i % 2 else BAD).format(1000 + i),
                                         "label": "good" if i % 2 else "bad"} for i in range(60)])
    request = ToxicityRoundsRequest((data,), (pool,), yes=("bad",), rounds=1, budget=10, control=control, noise=0.0)
    context = MemoryContext(tmp_path / "run")
    result = toxicity_task.run(request, context)
    assert len(result.control) == (2 if control else 0) and result.provenance == "real data"
    assert result.rounds[0].judged <= 10 and (result.rounds[-1].auc or 0) > 0.8
    names = {"scorer", "judgements.jsonl", "queue.jsonl"}
    assert {path.name for path in (tmp_path / "run" / "artifacts").iterdir()} == names
    assert (tmp_path / "run" / "artifacts" / "queue.jsonl").read_text() == "", "a simulated judge decides everything"
    assert result.kappa in (None, 1.0), "none where all that was judged is toxic: chance agrees as well"


# BERTEval's files and the disguises


@pytest.mark.parametrize("pooling", ["masked", "official"])
def test_networks_are_read_again_as_they_were(tmp_path: Path, pooling: str) -> None:
    source = torch.Generator().manual_seed(1)
    made = BertEval(NgramEncoder(Grams(2, 3, 9), 5, 0.2, source), 0.7, pooling, 0.3, source)
    files.save(made, tmp_path / "b", {"name": "mine"})
    read, card = files.load(tmp_path / "b")
    assert card == {"name": "mine"} and (read.pooling, read.rate) == (pooling, 0.3)
    one, two = BertEvalScorer(made.eval(), name="mine"), open_scorer(tmp_path / "b")
    assert one.version == two.version and two.name == "mine"
    assert np.array_equal(one.score(["一段文字", "x" * 700]), two.score(["一段文字", "x" * 700]))


@pytest.mark.parametrize(("name", "change"), [
    ("berteval.json", b"{}"), ("berteval.json", b"{"), ("berteval.safetensors", b"nothing"),
    ("berteval.json", b'{"format": "mdfg.berteval.v1", "pooling": "masked", "dropout": 0.1, "card": {}, '
                      b'"encoder": {"kind": "ngram", "grams": {"low": 1, "high": 1, "bits": 8, "chars": 0}, '
                      b'"width": 5, "dropout": 0.2}}')])
def test_networks_whose_files_do_not_fit_are_refused(tmp_path: Path, name: str, change: bytes) -> None:
    source = torch.Generator().manual_seed(1)
    files.save(BertEval(NgramEncoder(Grams(2, 3, 9), 5, 0.2, source), generator=source), tmp_path / "b")
    (tmp_path / "b" / name).write_bytes(change)
    with pytest.raises(UserError, match="The BERTEval model in b cannot be read"):
        files.load(tmp_path / "b")
    with pytest.raises(MissingResource, match="holds no BERTEval model"):
        files.load(tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.integers(0, 99), st.sampled_from(sorted(
    (language, name) for language, changes in DISGUISES.items() for name in changes)))
def test_disguises_never_lose_the_text(text: str, seed: int, which: tuple[str, str]) -> None:
    change = DISGUISES[which[0]][which[1]]
    one, two = (change(text, random.Random(seed)) for _ in range(2))
    assert one == two
    if which[1] == "spaces between characters":
        assert one[::2] == text and set(one[1::2]) <= {" "}
    elif which[1] == "dots inside words":
        assert len(one) >= len(text) and one.replace(".", "") == text.replace(".", "")
    elif which[1] == "swapped characters":
        assert sorted(one) == sorted(text)
    else:
        assert len(one) == len(text.lower() if which[1] == "digits for letters" else text)


@pytest.mark.parametrize("purpose", ["quality", "toxicity"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_practice_texts_can_be_learned_and_are_half_of_each(purpose: str, language: str) -> None:
    rows = practice(purpose, language, 200, random.Random(0))
    assert sum(bool(row.labels) for row in rows) == 100
    labels = np.array([[float(bool(row.labels))] for row in rows], dtype=np.float32)
    scorer = train(purpose, [row.text for row in rows], labels, ("score",), SMALL, random.Random(0))
    fresh = practice(purpose, language, 100, random.Random(1))
    said = scorer.score([row.text for row in fresh])[:, 0] > 0.5
    assert (said == [bool(row.labels) for row in fresh]).mean() > 0.65


@pytest.mark.parametrize(("purpose", "language"), [("domain", "zh"), ("quality", "fr")])
def test_practice_texts_that_there_are_not(purpose: str, language: str) -> None:
    with pytest.raises(UserError, match="There are no practice texts"):
        practice(purpose, language, 4, random.Random(0))

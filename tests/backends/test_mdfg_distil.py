"""Labels from a teacher: the surest texts of a pool, and a fast scorer that learns them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg import accelerated, train_scorer_task
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.distil import BATCH, SOURCE, distilled, output_of
from backends.mdfg.scorer_requests import TrainScorerRequest
from backends.mdfg.scorers.base import Scores
from backends.mdfg.scorers.opening import open_scorer
from tests.backends.test_mdfg_train_leakage import drawn, table
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError


@dataclass
class Lengths:
    """Scores a text by its length; not a number for texts that begin with ``?``."""

    outputs: tuple[str, ...] = ("score",)
    name: str = "quality"
    version: str = "v1"
    calls: int = 0

    def score(self, texts: Sequence[str]) -> Scores:
        self.calls += 1
        column = [float("nan") if text.startswith("?") else len(text) / 1000 for text in texts]
        return np.tile(np.asarray(column, dtype=np.float32)[:, None], (1, len(self.outputs)))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def taught(tmp_path: Path, texts: Sequence[str], share: float = 0.3, **more: Any) -> list[tuple[str, bool]]:
    rows = distilled(texts, Lengths(**more), share, "good", MemoryContext(tmp_path / "run"))
    assert all(row.source == SOURCE and row.labels in ((), ("good",)) for row in rows)
    return [(row.text, bool(row.labels)) for row in rows]


@pytest.mark.parametrize(("share", "best", "worst"), [
    (0.2, [5], [1]), (0.4, [5, 4], [2, 1]), (0.5, [5, 4], [2, 1]), (0.39, [5], [1])])
def test_the_best_and_the_worst_become_labels(tmp_path: Path, share: float, best: list[int], worst: list[int]) -> None:
    texts = ["a" * size for size in (3, 1, 5, 2, 4)]
    assert taught(tmp_path, texts, share) == [*(("a" * n, True) for n in best), *(("a" * n, False) for n in worst)]


def test_texts_without_content_or_score_are_no_labels(tmp_path: Path) -> None:
    made = taught(tmp_path, ["", " \n", "\u3000", "?" * 900, "aaa", "b"], 0.5)
    assert made == [("aaa", True), ("b", False)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=4, max_size=60), st.floats(0.05, 0.5))
def test_no_text_is_good_and_bad(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], share: float) -> None:
    place = tmp_path_factory.getbasetemp()
    try:
        made = taught(place, ["a" * size for size in sizes], share)
    except UserError:
        count = int(len(sizes) * share)
        assert not count or sorted(sizes)[-count] == sorted(sizes)[count - 1]
        return
    good, bad = [text for text, yes in made if yes], [text for text, yes in made if not yes]
    assert len(good) == len(bad) == int(len(sizes) * share) and min(map(len, good)) > max(map(len, bad))


@pytest.mark.parametrize(("texts", "share", "message"), [
    ([], 0.3, "has 0 texts that the teacher can score"), (["a", "bb"], 0.3, "30% of them are none"),
    (["?"] * 9, 0.3, "has 0 texts"), (["ab", "cd", "ef", "gh"], 0.5, r"the same score \(0\.002\)")])
def test_a_pool_that_teaches_nothing_is_refused(tmp_path: Path, texts: list[str], share: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        taught(tmp_path, texts, share)


@pytest.mark.parametrize(("outputs", "place"), [(("score",), 0), (("score", "least"), 0), (("least", "score"), 1),
                                                (("toxic",), 0)])
def test_the_score_of_a_teacher(outputs: tuple[str, ...], place: int) -> None:
    assert output_of(Lengths(outputs)) == place


def test_a_teacher_of_many_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives law, news; a teacher must give one score"):
        taught(tmp_path, ["a", "bb"], 0.5, outputs=("law", "news"))


def test_a_long_pool_is_read_in_parts_and_can_be_cancelled(tmp_path: Path) -> None:
    teacher, texts = Lengths(), ["a" * (i % 50 + 1) for i in range(2 * BATCH + 1)]
    assert len(distilled(texts, teacher, 0.1, "good", MemoryContext(tmp_path / "run"))) == 400 and teacher.calls == 3
    with pytest.raises(Cancelled):
        distilled(texts, Lengths(), 0.1, "good", MemoryContext(tmp_path / "other", cancel_after=1))


@pytest.mark.parametrize(("bad", "message"), [
    ({"teacher": "path:x"}, "teacher but no pool"), ({"pool": ("path:x",)}, "only with a teacher"),
    ({"pool": ("path:x",), "teacher": " "}, "only with a teacher"),
    ({"pool": ("path:x",), "teacher": "path:y", "method": "berteval"}, "A teacher gives one score"),
    ({"pool": ("path:x",), "teacher": "path:y", "target": "labels", "data": ("path:z",)}, "A teacher gives one score"),
    ({"pool": ("path:x",), "teacher": "path:y", "teacher_share": 0.6}, "teacher_share")])
def test_requests_with_a_teacher_that_cannot_be_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainScorerRequest(**bad)


@pytest.mark.parametrize(("teacher", "gpu"), [("", False), ("bundled:mdfg-zh-quality", False), ("path:/bert", True)])
def test_a_teacher_that_may_be_a_network_gets_an_accelerator(teacher: str, gpu: bool) -> None:
    assert accelerated.training({"method": "n-grams", "teacher": teacher}) is gpu


def labelled(count: int, begin: int = 0) -> list[dict[str, Any]]:
    """Texts of their own whose first characters tell good from bad."""
    return [{"text": ("清晨读书" if i % 2 else "点击领奖") + drawn(begin + i, 30), "label": "good" if i % 2 else "bad"}
            for i in range(count)]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERTEval over n-grams, trained by the task itself."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("teacher")
    request = TrainScorerRequest(data=(table(folder / "a.jsonl", labelled(120)),), method="berteval", bits=10, high=2,
                                 epochs=6)
    result = train_scorer_task.run(request, MemoryContext(folder / "run"))
    assert (result.figures["AUC"] or 0) > 0.9
    return f"path:{result.path}"


def test_n_grams_learn_from_bert_eval(tmp_path: Path, teacher: str) -> None:
    """The labels of the pool are never read: they are the wrong way round."""
    pool = [{"text": row["text"], "label": "bad" if row["label"] == "good" else "good"} for row in labelled(200, 5000)]
    random.Random(0).shuffle(pool)
    request = TrainScorerRequest(pool=(table(tmp_path / "p.jsonl", pool),), teacher=teacher, bits=12, epochs=8)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    scorer = open_scorer(Path(result.path))
    good, bad = scorer.score(["清晨读书", "点击领奖"])[:, 0]
    assert good > bad and (result.figures["AUC"] or 0) > 0.9
    assert result.texts + result.held_out == 120 and result.provenance == "real data"
    assert any("how well it is imitated" in note for note in result.notes)
    facts = json.loads((Path(result.path) / "scorer.json").read_text(encoding="utf-8"))
    assert f'"version": "{BertEvalScorer.open(Path(teacher[5:])).version}"' in json.dumps(facts)


def test_people_measure_what_the_teacher_has_taught(tmp_path: Path, teacher: str) -> None:
    """With labelled data the figures are on those; what the teacher labels is learned from only, and never a copy of
    what is held out."""
    own = labelled(60, 9000)
    pool = [*labelled(100, 5000), *({"text": row["text"] + "。"} for row in own)]
    request = TrainScorerRequest(data=(table(tmp_path / "a.jsonl", own),), teacher=teacher, teacher_share=0.5, bits=12,
                                 pool=(table(tmp_path / "p.jsonl", pool),), epochs=4)
    result = train_scorer_task.run(request, MemoryContext(tmp_path / "run"))
    assert result.held_out == 12 and result.near_copies == 0
    assert result.texts == 48 + 160 - 12
    assert not any("imitated" in note for note in result.notes)


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path) -> None:
    request = TrainScorerRequest(pool=(table(tmp_path / "p.jsonl", labelled(20)),), teacher=f"path:{tmp_path / 'no'}")
    with pytest.raises((MissingResource, UserError), match="no"):
        train_scorer_task.run(request, MemoryContext(tmp_path / "run"))

"""Which requests take an accelerator, that the device arrives at the network, and that n-grams never wait for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.mdfg import TASKS, accelerated, index_encoder, index_task, score_task, train_scorer_task
from backends.mdfg.bert_eval import network as files
from backends.mdfg.bert_eval import train
from backends.mdfg.bert_eval.encoders import NgramEncoder
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.bert_eval.scorer import BertEvalScorer
from backends.mdfg.index_request import IndexRequest
from backends.mdfg.scorer_requests import ScoreRequest, TrainScorerRequest
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.opening import open_scorer
from workbench import machine, turns
from workbench.context import MemoryContext
from workbench.contract import Needs, UserError
from workbench.fields import to_json
from workbench.runs import create_run
from workbench.service import Service
from workbench.settings import Settings
from workbench.worker import Lead

NEEDS = {task.name: task.needs for task in TASKS}
TRAIN, SCORE, INDEX = "mdfg.train_scorer.v1", "mdfg.score.v1", "mdfg.index.v1"
CASES = [(TRAIN, {}, "cpu"), (TRAIN, {"method": "n-grams"}, "cpu"), (TRAIN, {"method": "berteval"}, "gpu"),
         (SCORE, {}, "cpu"), (SCORE, {"scorers": ["bundled:mdfg-zh-quality"]}, "cpu"),
         (SCORE, {"scorers": ["bundled:mdfg-zh-quality", "path:/models/mine"]}, "gpu"),
         (SCORE, {"scorers": ["run:20260101000000-abcdef/scorer"]}, "gpu"), (SCORE, {"scorers": 7}, "cpu"),
         (SCORE, {"scorers": [None, ""]}, "cpu"), (INDEX, {}, "cpu"), (INDEX, {"method": "lsa"}, "cpu"),
         (INDEX, {"method": "hub:google-bert/bert-base-chinese"}, "gpu")]


@pytest.fixture
def one_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with an accelerator, as far as the device files say."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "nvidia0").touch()
    monkeypatch.setattr(machine, "_DEVICES", tmp_path / "devices")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def no_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_DEVICES", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(("task", "fields", "kind"), CASES)
def test_only_networks_wait_for_an_accelerator(task: str, fields: dict[str, Any], kind: str, one_card: None,
                                               settings: Settings) -> None:
    want = turns.wanted(NEEDS[task].of(fields), settings, 1)
    assert want is not None and want.kind == kind
    run = create_run(settings.home, task, fields, owner="a")
    assert turns.accelerators(run, settings) == (kind == "gpu")


@pytest.mark.parametrize(("task", "fields", "kind"), CASES)
def test_without_an_accelerator_nothing_changes(task: str, fields: dict[str, Any], kind: str, no_card: None,
                                                settings: Settings) -> None:
    assert turns.wanted(NEEDS[task].of(fields), settings, 1) == turns.wanted(Needs(), settings, 1)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.name))
def test_the_examples_and_the_forms_run_on_a_processor(task: Any) -> None:
    assert task.needs.of(to_json(task.example)).slots == ("cpu",)


def test_what_a_task_without_a_condition_needs_is_what_it_says() -> None:
    for needs in (Needs(), Needs(slots=()), Needs(slots=("gpu",)), Needs(gpu_if="no.such:function")):
        assert needs.of({"method": "berteval"}) is needs
    asked = replace(Needs(slots=("gpu",), memory_gb=3.0), gpu_if="backends.mdfg.accelerated:training")
    assert asked.of({}) == Needs(slots=("cpu",), memory_gb=3.0, gpu_if=asked.gpu_if)
    assert json.loads(json.dumps(to_json(asked)))["gpu_if"] == asked.gpu_if


@pytest.mark.parametrize(("reference", "network"), [
    ("", False), ("  ", False), (None, False), (3, False), ("bundled:x", False), (" bundled:x", False),
    ("path:/x", True), ("run:1/scorer", True)])
def test_scorers_that_may_be_a_network(reference: Any, network: bool) -> None:
    assert accelerated.scorer(reference) is network


@pytest.mark.parametrize(("fields", "kind"), [({}, "cpu"), ({"method": "berteval"}, "gpu")])
def test_a_worker_takes_the_slot_of_its_request(fields: dict[str, Any], kind: str, one_card: None, settings: Settings,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # put back afterwards: a worker changes it

    def wait(index: Any, run: Any, want: turns.Wanted, *rest: Any) -> tuple[str, ...]:
        asked.append(want)
        return want.names[:1]
    monkeypatch.setattr(turns, "wait", wait)
    run = create_run(settings.home, TRAIN, fields, owner="a")
    lead = Lead(run.path, settings, attempt=run.attempt)
    lead.prepare(lambda: MemoryContext(run.path))
    assert [want.kind for want in asked] == [kind] and lead.slots == (f"{kind}:0",)


def test_more_processes_than_accelerators_are_refused_only_for_networks(one_card: None, settings: Settings,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(settings)
    monkeypatch.setattr(service.jobs, "submit", lambda run: None)
    with pytest.raises(UserError, match="this machine has 1 accelerators"):
        service.submit(TRAIN, {"method": "berteval"}, visitor="a", processes=2)
    assert service.submit(TRAIN, {}, visitor="a", processes=2)


def small() -> BertEval:
    source = torch.Generator().manual_seed(1)
    return BertEval(NgramEncoder(Grams(1, 2, 8), width=8, generator=source), generator=source)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Devices that a network was to be opened on; it is opened on the processor."""
    asked: list[str] = []
    real = BertEvalScorer.open

    def opened(folder: Path, device: str = "cpu", **rest: Any) -> BertEvalScorer:
        asked.append(device)
        return real(folder, "cpu", **rest)
    monkeypatch.setattr(BertEvalScorer, "open", staticmethod(opened))
    return asked


def test_a_scorer_is_opened_on_the_device(tmp_path: Path, moved: list[str]) -> None:
    files.save(small(), tmp_path / "q", {"name": "quality"})
    open_scorer(tmp_path / "q")
    open_scorer(tmp_path / "q", "cuda:0")
    assert moved == ["cpu", "cuda:0"]


def test_scoring_hands_its_device_on(tmp_path: Path, moved: list[str]) -> None:
    files.save(small(), tmp_path / "q", {"name": "quality"})
    request = ScoreRequest(scorers=(f"path:{tmp_path / 'q'}", "bundled:mdfg-zh-toxicity"), practice=40)
    result = score_task.run(request, MemoryContext(tmp_path / "run", device="cuda:0"))
    assert moved == ["cuda:0"] and result.texts == 40


def test_training_hands_its_device_on(tmp_path: Path, moved: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def network(path: Any, grams: Any, generator: Any, device: str) -> BertEval:
        made.append(device)
        return small()
    monkeypatch.setattr(train, "make_network", network)
    request = TrainScorerRequest(method="berteval", practice=60, epochs=1)
    train_scorer_task.run(request, MemoryContext(tmp_path / "run", device="cuda:0"))
    assert made == ["cuda:0"] == moved


def test_an_encoder_is_opened_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(folder: Path, dimensions: int, device: str = "cpu") -> Any:
        raise UserError(f"opened on {device}")
    monkeypatch.setattr(index_encoder.Encoder, "open", staticmethod(opened))
    context = MemoryContext(tmp_path / "run", device="cuda:0")
    with pytest.raises(UserError, match="opened on cuda:0"):
        index_task._ready(IndexRequest(method=f"path:{tmp_path}"), context, (), tmp_path, "c")

"""The training tasks as jobs of the workbench: killed and continued, on two processes, cancelled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from backends.sweetiechat.train import run
from backends.sweetiechat.train_requests import TrainRequest
from workbench import process
from workbench.context import MemoryContext
from workbench.fields import from_json, to_json
from workbench.runs import load_run
from workbench.service import Service
from workbench.settings import Settings

TRAIN, CLASSIFIER = "sweetiechat.train.v1", "sweetiechat.classifier.v1"


@pytest.fixture
def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("WORKBENCH_PLUGINS", "tests.backends.training_plugin")
    yield Service(settings)
    for path in (settings.home / "runs").glob("2*"):
        assert process.sweep(path.name)


def request(tiny_lm: Path, **fields) -> TrainRequest:
    return TrainRequest(**{"model": f"path:{tiny_lm}", "held_out": 0.2, "batch": 4, "rank": 4, "alpha": 8, "seed": 5,
                           "learning_rate": 1e-2, "length": 1024, "save": "adapter", "save_every": 1, **fields})


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "artifacts" / "adapter" / "adapter_model.safetensors")


def until(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_a_killed_job_continues_to_the_same_weights(service: Service, tiny_lm: Path, tmp_path: Path) -> None:
    asked = request(tiny_lm, epochs=20.0)
    run_id = service.submit(TRAIN, to_json(asked), visitor="ann")
    folder = service.settings.home / "runs" / run_id
    until(lambda: list((folder / "checkpoints").glob("step-*")) or not load_run(folder).active)
    running = load_run(folder)
    assert running.active and running.pid, service.log_tail("ann", run_id)
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: service.run("ann", run_id).status == "lost")
    service.resume("ann", run_id)
    done = service.wait("ann", run_id, 240)
    assert done.status == "succeeded", service.log_tail("ann", run_id)
    whole = MemoryContext(tmp_path / "whole", settings=service.settings)
    result = run(asked, whole)
    one, two = adapter(folder), adapter(whole.run)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    told = service.result("ann", run_id)
    assert told["last_loss"] == result.last_loss and told["steps"] == 40
    losses = service.metrics("ann", run_id)["loss"]
    assert [step for step, _ in losses] == list(range(1, 41)), "the curve has every step once"


def test_two_processes_make_one_model(service: Service, tiny_lm: Path) -> None:
    asked = request(tiny_lm, epochs=2.0, dropout=0.0)
    run_id = service.submit(TRAIN, to_json(asked), visitor="ann", processes=2)
    done = service.wait("ann", run_id, 240)
    assert done.status == "succeeded", service.log_tail("ann", run_id)
    alone = run(asked, MemoryContext(service.settings.home / "alone", settings=service.settings))
    told = service.result("ann", run_id)
    assert told["steps"] == alone.steps and told["replies"] == alone.replies
    assert told["first_loss"] == pytest.approx(alone.first_loss, rel=1e-4)
    assert told["measured"][-1]["perplexity"] == pytest.approx(alone.measured[-1].perplexity, rel=1e-2)
    one, two = adapter(done.path), adapter(service.settings.home / "alone")
    assert max(float((one[n] - two[n]).abs().max()) for n in one) < 0.02
    assert from_json(TrainRequest, service.request("ann", run_id)["fields"]) == asked


def test_the_classifier_is_a_job_whose_files_are_listed(service: Service) -> None:
    run_id = service.submit(CLASSIFIER, {"folds": 2, "resamples": 20}, visitor="ann")
    done = service.wait("ann", run_id, 120)
    assert done.status == "succeeded", service.log_tail("ann", run_id)
    assert {a.name: a.kind for a in service.artifacts("ann", run_id)} == {
        "predictions.jsonl": "table", "classifier": "classifier"}


def test_a_cancel_ends_training_in_five_seconds_with_no_process_left(service: Service, tiny_lm: Path) -> None:
    run_id = service.submit(TRAIN, to_json(request(tiny_lm, epochs=1000.0)), visitor="ann")
    until(lambda: service.run("ann", run_id).step > 0 or not service.run("ann", run_id).active)
    began = time.monotonic()
    service.cancel("ann", run_id, wait=True)
    assert time.monotonic() - began < 5.0
    assert service.run("ann", run_id).status == "cancelled" and not process.marked(run_id)

"""The two tasks as people run them: through the service, detached workers and a resident process of a tiny model."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from backends.sweetiechat.exchange import from_jsonl
from backends.sweetiechat.objects import dialogue_from_json
from workbench.contract import UserError
from workbench.service import Service
from workbench.settings import Settings

WATCH, MANY = "sweetiechat.dialogue.v1", "sweetiechat.generate.v1"
PERSON = "a-person"


@pytest.fixture(scope="module")
def service(tmp_path_factory, tiny_lm: Path):
    """One home and one resident model for all tests of this file: starting them is most of the time."""
    home = tmp_path_factory.mktemp("home")
    service = Service(Settings(home=home, threads=1, default_model=f"path:{tiny_lm}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(home))
        patch.setenv("WORKBENCH_DEFAULT_MODEL", f"path:{tiny_lm}")
        yield service
    for run in service.runs(PERSON)[0]:
        if run.status in ("queued", "running"):
            service.cancel(PERSON, run.id, wait=True)
    for model in service.status()["models"]:
        service.unload(model["reference"])


def wait(service, run_id, *statuses, seconds=120.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run = service.run(PERSON, run_id)
        if run.status in statuses:
            return run
        if run.status in ("failed", "lost") and run.status not in statuses:
            raise AssertionError(f"{run.failure} {service.log_tail(PERSON, run_id)}")
        time.sleep(0.05)
    raise AssertionError(f"{run.status}: {run.message}")


def watch(service, **fields):
    small = {"max_turns": 4, "min_turns": 2, "max_new_tokens": 10, "redraws": 0, "stop_early": False}
    return service.submit(WATCH, {**small, **fields}, visitor=PERSON)


def dialogue(service, run_id):
    return service.read_artifact(PERSON, run_id, "dialogue.json")


def test_a_dialogue_runs_to_its_end_and_leaves_its_artifact(service):
    run_id = watch(service)
    run = wait(service, run_id, "succeeded")
    value = dialogue(service, run_id)
    assert value["state"] == "ended" and len(value["turns"]) == 4
    assert dialogue_from_json(value).stop_reason == "max_turns"
    assert service.result(PERSON, run_id)["turns"] == 4 and run.step == run.total
    assert {"seconds", "tokens"} <= set(service.metrics(PERSON, run_id))
    assert service.live(PERSON, run_id)["phase"] == "ended"
    assert [a.kind for a in service.artifacts(PERSON, run_id)] == ["dialogue"]


def test_a_person_plays_the_seeker_over_a_paused_run(service):
    run_id = watch(service, human_roles=["seeker"])
    for number in range(2):
        run = wait(service, run_id, "paused")
        assert "seeker" in run.message and dialogue(service, run_id)["waiting_for"] == "seeker"
        service.command(PERSON, run_id, {"do": "say", "role": "seeker", "text": f"I am sad {number}."})
        if service.run(PERSON, run_id).status == "paused":
            service.resume(PERSON, run_id)
        until = time.monotonic() + 60
        while len(dialogue(service, run_id)["turns"]) < 2 * number + 1 and time.monotonic() < until:
            time.sleep(0.05)
    wait(service, run_id, "succeeded")
    value = dialogue(service, run_id)
    assert [t["meta"]["author"] for t in value["turns"]] == ["person", "model"] * 2
    assert [t["text"] for t in value["turns"][::2]] == ["I am sad 0.", "I am sad 1."] and value["applied"] == 2


def test_kill_9_of_the_worker_and_continue_ends_in_the_dialogue_of_an_unbroken_run(service):
    whole, cut = (watch(service, max_turns=24, max_new_tokens=16, seed=4) for _ in range(2))
    until = time.monotonic() + 120
    while time.monotonic() < until:
        value = dialogue(service, cut)
        if value and len(value["turns"]) >= 3:
            break
        time.sleep(0.01)
    pid = service.run(PERSON, cut).path / "state.json"
    os.kill(int(json.loads(pid.read_text())["pid"]), signal.SIGKILL)
    kept = [t["text"] for t in dialogue(service, cut)["turns"]]
    run = wait(service, cut, "lost", "failed", "cancelled", "succeeded")
    if run.status != "succeeded":
        service.resume(PERSON, cut)
    for run_id in (whole, cut):
        wait(service, run_id, "succeeded")
    first, second = ([t["text"] for t in dialogue(service, run_id)["turns"]] for run_id in (whole, cut))
    assert second[: len(kept)] == kept and len(kept) >= 3
    assert first == second and len(first) == 24


def test_stop_and_cancel(service):
    run_id = watch(service, max_turns=200, min_turns=2)
    until = time.monotonic() + 60
    while not (dialogue(service, run_id) or {}).get("turns") and time.monotonic() < until:
        time.sleep(0.02)
    service.command(PERSON, run_id, {"do": "stop"})
    wait(service, run_id, "succeeded")
    assert dialogue(service, run_id)["stop_reason"] == "user"
    other = watch(service, max_turns=200)
    wait(service, other, "running")
    began = time.monotonic()
    service.cancel(PERSON, other, wait=True)
    assert service.run(PERSON, other).status == "cancelled" and time.monotonic() - began < 5


@pytest.mark.parametrize(("fields", "cause"), [
    ({"scenario": "slep"}, "sleep"), ({"strategy_set": "name: x\nitems: ["}, "line 2"),
    ({"seeker_model": "path:/nowhere/at/all"}, "nowhere")])
def test_what_a_person_got_wrong_is_the_cause_of_the_failure(service, fields, cause):
    run_id = watch(service, **fields)
    run = wait(service, run_id, "failed")
    assert cause in run.failure["cause"] + run.failure["advice"], run.failure


@pytest.mark.parametrize("fields", [{"max_turns": 0}, {"colour": "red"}, {"counselor": "magic"}, {"language": "de"}])
def test_a_request_that_cannot_be_is_refused_before_there_is_a_run(service, fields):
    before = service.runs(PERSON)[1]
    with pytest.raises(UserError):
        watch(service, **fields)
    assert service.runs(PERSON)[1] == before


def test_nobody_else_sees_or_commands_a_dialogue(service):
    run_id = watch(service, human_roles=["seeker"])
    wait(service, run_id, "paused")
    for act in (lambda: service.read_artifact("another", run_id, "dialogue.json"),
                lambda: service.command("another", run_id, {"do": "stop"}), lambda: service.live("another", run_id)):
        with pytest.raises(UserError, match="There is no run"):
            act()


def test_many_dialogues_cancelled_and_continued(service):
    fields = {"count": 6, "batch": 3, "max_turns": 4, "min_turns": 2, "max_new_tokens": 10, "redraws": 0,
              "stop_early": False}
    run_id = service.submit(MANY, fields, visitor=PERSON)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        progress = service.read_artifact(PERSON, run_id, "progress.json")
        if progress and progress["done"] >= 3:
            break
        time.sleep(0.02)
    service.cancel(PERSON, run_id, wait=True)
    if service.run(PERSON, run_id).status == "cancelled":
        service.resume(PERSON, run_id)
    wait(service, run_id, "succeeded")
    text = service.artifact_path(PERSON, run_id, "dialogues.jsonl").read_text(encoding="utf-8")
    found = from_jsonl(text)
    assert len(found) == 6 == len({d.id for d in found}) and all(len(d.turns) == 4 for d in found)
    assert service.result(PERSON, run_id)["stop_reasons"]["max_turns"] == 6

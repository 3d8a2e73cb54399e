"""Jobs as real processes: they outlive whoever started them, end when told, and go on where they stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from workbench import jobs as jobs_module
from workbench import process
from workbench.contract import UserError
from workbench.files import append_line, read_json
from workbench.jobs import Jobs
from workbench.runs import Run, change_state, create_run, load_run
from workbench.settings import Settings
from workbench.states import ask_to_cancel, cancel_asked
from workbench.store import Index, Slots

pytestmark = pytest.mark.usefixtures("toys")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    made = Jobs(settings)
    yield made
    for path in (settings.home / "runs").glob("2*"):
        assert process.sweep(path.name)


def make(jobs: Jobs, task: str, **fields: object) -> Run:
    return create_run(jobs.settings.home, task, fields, owner="ann")


def start(jobs: Jobs, task: str, processes: int = 1, **fields: object) -> Run:
    run = create_run(jobs.settings.home, task, fields, owner="ann", processes=processes)
    jobs.index.refresh(run.path)
    jobs.submit(run)
    return run


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def ended(run: Run, seconds: float = 20.0) -> Run:
    until(lambda: not load_run(run.path).active, seconds)
    return load_run(run.path)


def running(run: Run, step: int = 0) -> Run:
    until(lambda: (now := load_run(run.path)).status == "running" and now.step >= step and (now.total or not step))
    return load_run(run.path)


class TestLife:
    def test_from_queued_to_succeeded(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.count.v1", steps=5))
        assert (run.status, run.step, run.total, run.message) == ("succeeded", 5, 5, "counted 5")
        assert run.started and run.finished and run.created <= run.started <= run.finished
        assert read_json(run.path / "result.json", None)["counted"] == 5
        assert read_json(run.path / "environment.json", {})["device"] == "cpu"
        assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 5
        assert read_json(run.path / "live.json", None) == {"step": 5}
        until(lambda: jobs.index.counts() == {"succeeded": 1})

    def test_the_same_seed_gives_the_same_result(self, jobs: Jobs) -> None:
        results = [read_json(ended(start(jobs, "toys.count.v1", steps=5, seed=seed)).path / "result.json", None)
                   for seed in (3, 3, 4)]
        assert results[0] == results[1] != results[2]

    def test_a_child_has_its_own_session_and_no_input(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", deaf=False))
        assert run.pid is not None and os.getsid(run.pid) == run.pid
        assert Path(f"/proc/{run.pid}/fd/0").readlink() == Path("/dev/null")
        assert Path(f"/proc/{run.pid}/fd/2").readlink() == run.path / "log.txt"

    def test_a_child_gets_our_settings(self, settings: Settings, jobs: Jobs) -> None:
        other = replace(settings, slots_cpu=3, offline=True)
        run = running(start(Jobs(other), "toys.stubborn.v1", deaf=False))
        environment = Path(f"/proc/{run.pid}/environ").read_bytes().split(b"\0")
        assert b"WORKBENCH_SLOTS_CPU=3" in environment and b"WORKBENCH_OFFLINE=True" in environment
        assert f"WORKBENCH_HOME={settings.home}".encode() in environment

    @pytest.mark.parametrize("kilobytes", [2000])
    def test_a_chatty_job_does_not_hang(self, kilobytes: int, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.chatty.v1", kilobytes=kilobytes))
        assert run.status == "succeeded"
        assert (run.path / "log.txt").stat().st_size >= kilobytes * 1024

    @pytest.mark.parametrize(("how", "status", "kind", "cause"), [
        ("bug", "failed", "bug", "ValueError: a toy went wrong"),
        ("user error", "failed", "user error", "beta is 3; it must lie between 0.01 and 1."),
        ("missing resource", "failed", "missing resource", "The model x is not here."),
        ("out of memory", "failed", "out of memory", "MemoryError"), ("bad data", "failed", "bad data", "JSONDecode"),
        ("disk full", "failed", "disk full", "No space left"),
        ("missing package", "failed", "missing package", "nobody"),
        ("connection", "failed", "connection", "refused"), ("exit", "failed", "bug", "SystemExit: 3"),
        ("segfault", "lost", "lost", "ended by SIGSEGV"),
        ("killed", "lost", "lost", "ended by SIGKILL, most likely because memory ran out")])
    def test_every_way_to_fail_is_told_apart(self, how: str, status: str, kind: str, cause: str, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.fail.v1", how=how))
        assert run.status == status and run.failure is not None
        assert run.failure["class"] == kind and cause in run.failure["cause"] and run.failure["advice"]
        assert cause in run.message and run.finished is not None
        if status == "failed":
            assert "Traceback" in (run.path / "log.txt").read_text(), "the log tells a programmer where"

    @pytest.mark.parametrize(("task", "fields", "cause"), [
        ("gone.task.v1", {}, "There is no task named 'gone.task.v1'"),
        ("toys.count.v1", {"steps": -1}, "steps is -1"), ("toys.count.v1", {"x": 1}, "has no field x")])
    def test_a_run_that_cannot_begin_fails_with_the_reason(self, task: str, fields: dict[str, object], cause: str,
                                                           jobs: Jobs) -> None:
        run = ended(start(jobs, task, **fields))
        assert run.status == "failed" and cause in run.message and run.failure["class"] == "user error"

    def test_no_process_at_all_is_a_clear_sentence(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(jobs_module.subprocess, "Popen", refuse)
        run = make(jobs, "toys.count.v1")
        with pytest.raises(UserError, match="No process could be started"):
            jobs.submit(run)
        assert load_run(run.path).status == "failed"

    def test_leftover_children_end_with_their_run(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.stubborn.v1", seconds=0.2, children=2))
        assert run.status == "succeeded"
        assert set(process.marked(run.id)) <= {run.pid}, "the children went first"
        until(lambda: not process.marked(run.id), 3)

    def test_the_worker_imports_neither_gradio_nor_torch(self) -> None:
        code = ("import sys, workbench.worker, workbench.stdio\n"
                "print([m for m in ('gradio', 'torch', 'transformers', 'numpy') if m in sys.modules])")
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == "[]", done.stderr


SUBMITTER = """
import sys, time
from workbench.jobs import Jobs
from workbench.runs import create_run
from workbench.settings import load_settings
jobs = Jobs(load_settings())
run = create_run(jobs.settings.home, "toys.count.v1", {"steps": 30, "delay": 0.05}, owner="ann")
jobs.index.refresh(run.path)
jobs.submit(run)
print(run.path, flush=True)
time.sleep(600)
"""


class TestDeath:
    def test_a_job_outlives_kill_9_of_whoever_started_it(self, jobs: Jobs) -> None:
        starter = subprocess.Popen([sys.executable, "-c", SUBMITTER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert starter.stdout is not None
        run = load_run(Path(starter.stdout.readline().strip()))
        running(run, step=3)
        starter.kill()
        starter.wait()
        seen = load_run(run.path).step
        until(lambda: load_run(run.path).step > seen)
        later = Jobs(jobs.settings)
        later.reap()
        assert load_run(run.path).status == "running", "a new server takes it for what it is"
        final = ended(run)
        assert (final.status, final.step) == ("succeeded", 30)
        assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 30, "nothing lost, nothing twice"

    def test_kill_9_of_starter_and_job_is_noticed_by_the_next(self, jobs: Jobs) -> None:
        starter = subprocess.Popen([sys.executable, "-c", SUBMITTER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert starter.stdout is not None
        run = running(load_run(Path(starter.stdout.readline().strip())), step=1)
        starter.kill()
        starter.wait()
        assert run.pid is not None
        os.kill(run.pid, signal.SIGKILL)
        until(lambda: process.started(run.pid or 0) is None)
        assert load_run(run.path).status == "running", "nobody has looked yet"
        jobs.reap()
        seen = load_run(run.path)
        assert seen.status == "lost" and seen.failure["class"] == "lost" and "is gone" in seen.message
        jobs.resume(run.id)
        final = ended(run)
        result = read_json(run.path / "result.json", None)
        assert final.status == "succeeded" and final.attempt == 2 and result["resumed_at"] >= 1
        whole = read_json(ended(start(jobs, "toys.count.v1", steps=30)).path / "result.json", None)
        assert result["total"] == whole["total"], "the same end as a run that nobody killed"

    def test_a_killed_job_is_noticed_at_once_by_its_starter(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1"))
        assert run.pid is not None
        os.kill(run.pid, signal.SIGKILL)
        assert ended(run, 3).status == "lost"

    def test_sigterm_from_outside_is_not_called_a_cancel(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", deaf=False))
        assert run.pid is not None
        os.kill(run.pid, signal.SIGTERM)
        seen = ended(run, 5)
        assert seen.status == "lost" and "told to end from outside (SIGTERM)" in seen.message

    @pytest.mark.parametrize(("pid", "when", "lost"), [
        ("mine", "right", False), ("mine", "wrong", True), ("nobody", "right", True), ("mine", None, True)])
    def test_a_reused_process_id_is_not_taken_for_the_run(self, pid: str, when: str | None, lost: bool,
                                                          jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1")
        mine = process.started(os.getpid()) or 0.0
        change_state(run.path, {"status": "running", "pid": os.getpid() if pid == "mine" else 2**22 + 1,
                                "pid_started": {"right": mine, "wrong": mine - 7}.get(when) if when else None})
        jobs.index.refresh(run.path)
        jobs.reap()
        assert load_run(run.path).status == ("lost" if lost else "running")

    def test_a_zombie_is_not_taken_for_a_running_job(self, jobs: Jobs) -> None:
        child = subprocess.Popen(["sleep", "600"])
        run = make(jobs, "toys.count.v1")
        change_state(run.path, {"status": "running", "pid": child.pid, "pid_started": process.started(child.pid)})
        jobs.index.refresh(run.path)
        child.kill()
        until(lambda: process.started(child.pid) is None)
        jobs.reap()
        assert load_run(run.path).status == "lost"
        child.wait()

    def test_a_run_that_nobody_ever_started_is_lost_after_a_while(self, jobs: Jobs) -> None:
        fresh, old = make(jobs, "toys.count.v1"), make(jobs, "toys.count.v1")
        change_state(old.path, {"queued": time.time() - jobs_module.START_SECONDS - 1})
        jobs.index.sync()
        jobs.reap()
        assert (load_run(fresh.path).status, load_run(old.path).status) == ("queued", "lost")

    def test_a_damaged_state_does_not_stop_the_others(self, jobs: Jobs) -> None:
        broken, dead = make(jobs, "toys.count.v1"), make(jobs, "toys.count.v1")
        for run in (broken, dead):
            change_state(run.path, {"status": "running", "pid": 2**22 + 1, "pid_started": 1.0})
        jobs.index.sync()
        (broken.path / "state.json").write_text("oops")
        jobs.reap()
        assert load_run(dead.path).status == "lost"
        until(lambda: jobs.index.counts() == {"lost": 2})

    def test_reap_looks_once_a_second_and_never_waits(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[float] = []
        monkeypatch.setattr(jobs.index, "active", lambda: looks.append(time.monotonic()) or [])
        for _ in range(100):
            jobs.reap()
        assert len(looks) == 1
        jobs._next_reap = 0.0
        with jobs._reaping:
            began = time.monotonic()
            jobs.reap()
        assert time.monotonic() - began < 0.1 and len(looks) == 1

    def test_reap_does_not_wait_for_a_locked_run(self, jobs: Jobs) -> None:
        from workbench.files import locked

        run = make(jobs, "toys.count.v1")
        change_state(run.path, {"status": "running", "pid": 2**22 + 1, "pid_started": 1.0})
        jobs.index.refresh(run.path)
        with locked(run.path / ".lock"):
            began = time.monotonic()
            jobs.reap()
            assert time.monotonic() - began < 0.5
        assert load_run(run.path).status == "running"
        jobs._next_reap = 0.0
        jobs.reap()
        assert load_run(run.path).status == "lost", "the next look gets it"

    def test_the_index_is_not_written_while_all_is_well(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", deaf=False))
        jobs.index.counts()
        until(lambda: (run.path / "environment.json").exists())
        before = (jobs.settings.home / "index.sqlite-wal").stat().st_mtime_ns
        for _ in range(5):
            jobs._next_reap = 0.0
            jobs.reap()
            jobs.index.find("ann")
        assert (jobs.settings.home / "index.sqlite-wal").stat().st_mtime_ns == before
        assert load_run(run.path).status == "running"


class TestCancel:
    def timed(self, jobs: Jobs, run: Run, limit: float) -> Run:
        began = time.monotonic()
        jobs.cancel(run.id, wait=True)
        assert time.monotonic() - began < limit
        assert process.marked(run.id) == [], "no process of it is left"
        assert run.pid is None or process.started(run.pid) is None
        return load_run(run.path)

    def test_a_task_that_reports_ends_at_once(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.count.v1", steps=10_000, delay=0.02), step=1)
        seen = self.timed(jobs, run, 2.0)
        assert (seen.status, seen.message, seen.failure) == ("cancelled", "Cancelled.", None)
        assert 0 < read_json(run.path / "checkpoints" / "count.json", {})["step"] < 10_000

    def test_a_task_that_sleeps_ends_by_sigterm(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", deaf=False))
        assert self.timed(jobs, run, 5.0).status == "cancelled"

    def test_the_worst_task_and_its_children_end_within_five_seconds(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", children=3))
        until(lambda: len(process.marked(run.id)) == 4 and load_run(run.path).message.startswith("pid "))
        seen = self.timed(jobs, run, 5.0)
        assert seen.status == "cancelled" and "process was ended" in seen.message and seen.finished is not None
        assert Slots(jobs.index).held() == {}

    def test_the_page_is_not_kept_waiting(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1", children=1))
        began = time.monotonic()
        jobs.cancel(run.id)
        jobs.cancel(run.id)
        assert time.monotonic() - began < 0.3
        assert ended(run, 5).status == "cancelled"
        until(lambda: not process.marked(run.id), 2)

    def test_a_queued_run_ends_without_having_begun(self, jobs: Jobs) -> None:
        first = running(start(jobs, "toys.slot.v1", steps=10_000, delay=0.02), step=1)
        second = start(jobs, "toys.slot.v1")
        until(lambda: "1 run before it" in load_run(second.path).message)
        seen = self.timed(jobs, second, 2.0)
        assert seen.status == "cancelled" and seen.started is None and not (second.path / "result.json").exists()
        self.timed(jobs, first, 2.0)

    def test_a_run_without_a_process_ends_at_once(self, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1")
        assert self.timed(jobs, run, 1.0).status == "cancelled"
        jobs.submit(run)
        time.sleep(0.5)
        assert load_run(run.path).status == "cancelled" and load_run(run.path).pid is None, "and does not begin later"

    def test_a_paused_run_ends_at_once(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.talk.v1", turns=1))
        assert run.status == "paused"
        assert self.timed(jobs, run, 1.0).status == "cancelled"
        until(lambda: jobs.index.counts() == {"cancelled": 1})

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "lost"])
    def test_a_run_that_has_ended_stays_as_it_is(self, status: str, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1")
        change_state(run.path, {"status": status})
        jobs.cancel(run.id, wait=True)
        assert load_run(run.path).status == status and cancel_asked(run.path) is None

    def test_a_canceller_that_dies_is_replaced(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1"))
        ask_to_cancel(run.path)
        long_ago = time.time() - 60
        os.utime(run.path / "cancel", (long_ago, long_ago))
        jobs._next_reap = 0.0
        began = time.monotonic()
        jobs.reap()
        assert time.monotonic() - began < 0.3
        assert ended(run, 5).status == "cancelled"

    def test_a_damaged_state_does_not_save_the_process(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1"))
        (run.path / "state.json").write_text("oops")
        jobs.cancel(run.id, wait=True)
        assert process.marked(run.id) == []

    @pytest.mark.parametrize("run_id", ["", "../x", "20260101T000000-abcdef"])
    def test_an_unknown_run_is_said_to_be(self, run_id: str, jobs: Jobs) -> None:
        for method in (jobs.cancel, jobs.resume):
            with pytest.raises(UserError, match=f"There is no run '{run_id}'"):
                method(run_id)


class TestResume:
    @pytest.mark.parametrize("how", ["cancelled", "failed", "lost"])
    def test_it_goes_on_in_the_same_directory(self, how: str, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.count.v1", steps=40, delay=0.03), step=2)
        if how == "cancelled":
            jobs.cancel(run.id, wait=True)
        else:
            process.sweep(run.id)
            until(lambda: not load_run(run.path).active)
            change_state(run.path, {"status": how})
        stopped = int(read_json(run.path / "checkpoints" / "count.json", {})["step"])
        jobs.resume(run.id)
        final = ended(run)
        assert (final.status, final.attempt, final.step, final.failure) == ("succeeded", 2, 40, None)
        assert read_json(run.path / "result.json", None)["resumed_at"] == stopped < 40
        assert cancel_asked(run.path) is None
        until(lambda: jobs.index.counts() == {"succeeded": 1})

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_an_active_run_is_left_alone(self, status: str, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1")
        change_state(run.path, {"status": status})
        jobs.resume(run.id)
        assert (load_run(run.path).status, load_run(run.path).attempt) == (status, 1)

    def test_a_finished_run_does_not_go_on(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.count.v1", steps=1))
        with pytest.raises(UserError, match="has succeeded; only a paused, failed, cancelled or lost run goes on"):
            jobs.resume(run.id)

    def test_two_people_resuming_at_once_start_it_once(self, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1", steps=3, delay=0.1)
        change_state(run.path, {"status": "failed"})
        several = [Jobs(jobs.settings) for _ in range(4)]
        threads = [threading.Thread(target=one.resume, args=(run.id,)) for one in several]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        final = ended(run)
        assert (final.status, final.attempt) == ("succeeded", 2)
        assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 3

    def test_a_late_process_of_an_earlier_attempt_does_nothing(self, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1")
        change_state(run.path, {"attempt": 2})
        jobs.submit(run)
        time.sleep(0.8)
        assert load_run(run.path).status == "queued" and load_run(run.path).pid is None

    def test_a_leftover_process_of_a_lost_run_is_ended_first(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.stubborn.v1"))
        change_state(run.path, {"status": "lost"})
        jobs.resume(run.id)
        again = running(run)
        assert again.attempt == 2 and again.pid != run.pid
        assert run.pid is not None and process.started(run.pid) is None
        until(lambda: process.marked(run.id) == [again.pid])

    def test_a_damaged_state_may_go_on_too(self, jobs: Jobs) -> None:
        run = make(jobs, "toys.count.v1", steps=3)
        (run.path / "state.json").write_text("oops")
        jobs.resume(run.id)
        assert ended(run).status == "succeeded"


class TestPause:
    def say(self, run: Run, text: str) -> None:
        append_line(run.path / "commands.jsonl", {"do": "say", "text": text}, durable=True)

    def test_a_person_is_waited_for_without_a_process(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.talk.v1", turns=2))
        assert (run.status, run.message, run.finished) == ("paused", "waiting for turn 1", None)
        until(lambda: not process.marked(run.id), 3)
        jobs._next_reap = 0.0
        jobs.reap()
        assert load_run(run.path).status == "paused"
        for number in (1, 2):
            self.say(run, f"turn {number}")
            jobs.resume(run.id)
            ended(run)
        assert load_run(run.path).status == "succeeded"
        assert read_json(run.path / "result.json", None) == {"said": ["turn 1", "turn 2"]}

    def test_a_command_that_comes_while_it_pauses_is_not_missed(self, jobs: Jobs) -> None:
        run = running(start(jobs, "toys.talk.v1", turns=1, linger=0.6))
        until(lambda: (run.path / "artifacts" / "talk.json").exists())
        self.say(run, "just in time")
        jobs.resume(run.id)
        final = ended(run)
        assert (final.status, final.attempt) == ("succeeded", 1), "the same process went on"

    def test_many_quick_turns_lose_nothing(self, jobs: Jobs) -> None:
        run = start(jobs, "toys.talk.v1", turns=6)
        for number in range(6):
            self.say(run, str(number))
            jobs.resume(run.id)
            time.sleep(0.07 * number)
        until(lambda: load_run(run.path).status == "succeeded", 20)
        assert read_json(run.path / "result.json", None)["said"] == list("012345")


class TestSlots:
    def test_one_at_a_time_and_in_order(self, jobs: Jobs) -> None:
        made = [running(start(jobs, "toys.slot.v1", steps=10_000, delay=0.05), step=1)]
        for before in (1, 2):
            run = start(jobs, "toys.slot.v1", steps=2)
            until(lambda run=run, before=before: f"{before} run" in load_run(run.path).message)
            made.append(run)
        held = Slots(Index(jobs.settings.home)).held()
        assert set(held) == {"cpu:0"}
        jobs.cancel(made[0].id, wait=True)
        finals = [ended(run) for run in made]
        assert [run.status for run in finals] == ["cancelled", "succeeded", "succeeded"]
        until(lambda: Slots(Index(jobs.settings.home)).held() == {})
        for earlier, later in pairwise(finals):
            assert later.started is not None and earlier.finished is not None
            assert later.started >= earlier.finished - 0.05, "never two at once"

    def test_a_killed_holder_frees_its_slot(self, jobs: Jobs) -> None:
        first = running(start(jobs, "toys.slot.v1", steps=10_000, delay=0.05), step=1)
        second = start(jobs, "toys.slot.v1", steps=1)
        until(lambda: "1 run before it" in load_run(second.path).message)
        assert first.pid is not None and load_run(first.path).slots == ("cpu:0",)
        os.kill(first.pid, signal.SIGKILL)
        assert ended(second, 5).status == "succeeded"

    def test_a_task_without_slots_does_not_wait(self, jobs: Jobs) -> None:
        first = running(start(jobs, "toys.slot.v1", steps=10_000, delay=0.05), step=1)
        assert ended(start(jobs, "toys.count.v1", steps=1), 5).status == "succeeded"
        assert load_run(first.path).status == "running"

    def test_the_index_may_be_lost_while_runs_wait(self, jobs: Jobs) -> None:
        first = running(start(jobs, "toys.slot.v1", steps=10_000, delay=0.05), step=1)
        second = start(jobs, "toys.slot.v1", steps=1)
        until(lambda: "1 run before it" in load_run(second.path).message)
        (jobs.settings.home / "index.sqlite").write_bytes(b"garbage " * 1000)
        time.sleep(1.0)
        assert load_run(second.path).status == "queued", "it does not take a slot that the new index forgot"
        jobs.cancel(first.id, wait=True)
        one, two = ended(first), ended(second)
        assert (one.status, two.status) == ("cancelled", "succeeded")
        assert one.finished is not None and two.started is not None and two.started >= one.finished - 0.05
        until(lambda: Index(jobs.settings.home).counts() == {"cancelled": 1, "succeeded": 1})


class TestDistributed:
    def test_two_processes_average_their_gradients(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.train.v1", processes=2), 90)
        assert run.status == "succeeded", (run.path / "log.txt").read_text()[-2000:]
        assert read_json(run.path / "result.json", None) == {
            "gradient": pytest.approx(5.0), "weight": pytest.approx(0.5), "world": 2}
        assert len((run.path / "metrics.jsonl").read_text().splitlines()) == 1, "only rank 0 writes"

    def test_one_process_alone_sees_only_its_own_data(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.train.v1"), 60)
        assert read_json(run.path / "result.json", None) == {
            "gradient": pytest.approx(2.0), "weight": pytest.approx(0.8), "world": 1}

    def test_the_failure_of_another_rank_is_the_failure_of_the_run(self, jobs: Jobs) -> None:
        run = ended(start(jobs, "toys.train.v1", processes=2, fail_rank=1), 90)
        assert run.status == "failed" and run.failure is not None, (run.path / "log.txt").read_text()[-2000:]
        assert run.failure["class"] == "user error" and "Rank 1 was asked to fail" in run.failure["cause"]
        until(lambda: not process.marked(run.id), 10)

    def test_a_cancel_ends_every_process(self, jobs: Jobs) -> None:
        run = start(jobs, "toys.train.v1", processes=2, linger=600.0)
        until(lambda: load_run(run.path).message == "2 processes", 60)
        assert len(process.marked(run.id)) >= 3, "launcher and two ranks"
        began = time.monotonic()
        jobs.cancel(run.id, wait=True)
        assert time.monotonic() - began < 5.0
        assert load_run(run.path).status == "cancelled" and process.marked(run.id) == []

    @pytest.mark.parametrize(("processes", "task", "cards", "expected"), [
        (1, "toys.train.v1", 2, ["-m", "workbench.worker"]),
        (2, "toys.train.v1", 2, ["-m", "accelerate.commands.launch", "--multi_gpu"]),
        (2, "toys.gpu.v1", 0, ["-m", "accelerate.commands.launch", "--multi_gpu"]),
        (2, "toys.gpu.v1", 2, ["-m", "accelerate.commands.launch", "--num_processes", "2"])])
    def test_the_command(self, processes: int, task: str, cards: int, expected: list[str], settings: Settings,
                         monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(str(i) for i in range(cards)))
        run = create_run(settings.home, task, {}, owner="ann", processes=processes)
        command = Jobs(settings).command(run)
        assert command[1:1 + len(expected)] == expected and command[-2:] == ["workbench.worker", str(run.path)]


def test_run_directories_are_readable_json_throughout(jobs: Jobs) -> None:
    """Whenever somebody looks, ``state.json`` is whole."""
    run = start(jobs, "toys.count.v1", steps=200, delay=0.002)
    looks = 0
    while load_run(run.path).active:
        json.loads((run.path / "state.json").read_text())
        looks += 1
    assert looks > 20 and load_run(run.path).status == "succeeded"

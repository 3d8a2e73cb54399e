"""The one door: who may do what, what a page reads every second, and what happens when the world is bad."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import process
from workbench import service as service_module
from workbench.contract import UserError
from workbench.files import append_line, read_lines
from workbench.runs import Run, change_state, create_run, load_run
from workbench.service import CLI, Service
from workbench.settings import Settings

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    made = Service(settings)
    yield made
    for path in (settings.home / "runs").glob("2*"):
        process.sweep(path.name)


def make(service: Service, owner: str = "ann", status: str = "succeeded", shared: bool = False,
         **fields: object) -> Run:
    """A run in the given state, without a process."""
    run = create_run(service.settings.home, "toys.count.v1", fields, owner=owner, shared=shared, title="A title")
    (run.path / "artifacts" / "a.json").write_text('{"a": 1}')
    append_line(run.path / "artifacts.jsonl", {"name": "a.json", "path": "artifacts/a.json", "kind": "json"})
    append_line(run.path / "metrics.jsonl", {"step": 1, "loss": 0.5})
    (run.path / "log.txt").write_text("one\ntwo\n")
    (run.path / "result.json").write_text('{"r": 1}')
    (run.path / "live.json").write_text('{"l": 1}')
    (run.path / "inputs.json").write_text('{"i": {}}')
    (run.path / "environment.json").write_text('{"python": "3"}')
    change_state(run.path, {"status": status})
    service.index.refresh(run.path)
    return load_run(run.path)


READS: dict[str, Callable[[Service, str, str], object]] = {
    "run": lambda s, v, r: s.run(v, r).id, "request": lambda s, v, r: s.request(v, r)["task"],
    "result": lambda s, v, r: s.result(v, r), "live": lambda s, v, r: s.live(v, r),
    "commands": lambda s, v, r: s.commands(v, r), "artifacts": lambda s, v, r: [a.name for a in s.artifacts(v, r)],
    "artifact_path": lambda s, v, r: s.artifact_path(v, r, "a.json").name,
    "read_artifact": lambda s, v, r: s.read_artifact(v, r, "a.json"), "metrics": lambda s, v, r: s.metrics(v, r),
    "log_tail": lambda s, v, r: s.log_tail(v, r, 1), "inputs": lambda s, v, r: s.inputs(v, r),
    "environment": lambda s, v, r: s.environment(v, r), "as_command": lambda s, v, r: s.as_command(v, r),
    "as_python": lambda s, v, r: s.as_python(v, r).split("\n")[0], "wait": lambda s, v, r: s.wait(v, r, 0.0).status}
EXPECTED: dict[str, object] = {
    "request": "toys.count.v1", "result": {"r": 1}, "live": {"l": 1}, "commands": [], "artifacts": ["a.json"],
    "artifact_path": "a.json", "read_artifact": {"a": 1}, "metrics": {"loss": [(1, 0.5)]}, "log_tail": "two",
    "inputs": {"i": {}}, "environment": {"python": "3"}, "as_command": "python3 launch.py run toys.count.v1",
    "as_python": "from workbench.service import Service", "wait": "succeeded"}
CHANGES: dict[str, Callable[[Service, str, str], object]] = {
    "command": lambda s, v, r: s.command(v, r, {"do": "stop"}), "cancel": lambda s, v, r: s.cancel(v, r, wait=True),
    "resume": lambda s, v, r: s.resume(v, r), "share": lambda s, v, r: s.share(v, r, True),
    "unshare": lambda s, v, r: s.share(v, r, False), "delete": lambda s, v, r: s.delete(v, r)}


class TestRights:
    @pytest.mark.parametrize("visitor", ["ann", CLI, "bob"])
    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("read", sorted(READS))
    def test_reading(self, read: str, shared: bool, visitor: str, service: Service) -> None:
        run = make(service, shared=shared)
        if visitor == "bob" and not shared:
            with pytest.raises(UserError, match=f"^There is no run '{run.id}'.$"):
                READS[read](service, visitor, run.id)
        else:
            assert READS[read](service, visitor, run.id) == EXPECTED.get(read, run.id)

    @pytest.mark.parametrize("shared", [True, False])
    @pytest.mark.parametrize("change", sorted(CHANGES))
    def test_only_the_owner_changes_a_run(self, change: str, shared: bool, service: Service) -> None:
        run = make(service, status="paused", shared=shared)
        before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
        with pytest.raises(UserError, match=f"^There is no run '{run.id}'.$"):
            CHANGES[change](service, "bob", run.id)
        assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before

    @pytest.mark.parametrize("visitor", ["ann", CLI])
    @pytest.mark.parametrize("change", sorted(CHANGES))
    def test_owner_and_terminal_may(self, change: str, visitor: str, service: Service) -> None:
        CHANGES[change](service, visitor, make(service, status="paused").id)

    @pytest.mark.parametrize("run_id", ["", "20260101T000000-abcdef", "../../etc/passwd", "..", "x" * 5000, "a\0b",
                                        "20260101T000000-abcdef/../../x"])
    @pytest.mark.parametrize("visitor", ["ann", CLI])
    def test_what_does_not_exist_is_answered_the_same(self, visitor: str, run_id: str, service: Service) -> None:
        for act in (*READS.values(), *CHANGES.values()):
            with pytest.raises(UserError) as caught:
                act(service, visitor, run_id)
            assert str(caught.value) == f"There is no run {run_id!r}."

    def test_two_visitors_do_not_see_each_others_runs(self, service: Service) -> None:
        mine, theirs, open_to_all = make(service), make(service, "bob"), make(service, "bob", shared=True)
        assert {run.id for run in service.runs("ann")[0]} == {mine.id, open_to_all.id}
        assert {run.id for run in service.runs("bob")[0]} == {theirs.id, open_to_all.id}
        assert service.runs(CLI)[1] == 3 and service.runs("nobody")[1] == 1

    def test_sharing_and_taking_it_back(self, service: Service) -> None:
        run = make(service)
        service.share("ann", run.id, True)
        assert service.runs("bob")[1] == 1 and service.run("bob", run.id).shared
        service.share("ann", run.id, False)
        assert service.runs("bob") == ([], 0)

    def test_an_empty_visitor_owns_nothing(self, service: Service) -> None:
        run = make(service)
        (run.path / "state.json").write_text('{"status": "succeeded", "owner": ""}')
        service.index.reindex()
        with pytest.raises(UserError):
            service.run("", run.id)
        assert service.runs("")[0] == []

    def test_ones_own_copy_of_a_shared_run(self, service: Service) -> None:
        run = make(service, shared=True, steps=2)
        copy = service.again("bob", run.id, seed=5)
        made = service.run("bob", copy)
        assert (made.owner, made.parents, made.title, made.shared) == ("bob", (run.id,), "A title", False)
        assert service.request("bob", copy)["fields"] == {"steps": 2, "delay": 0.0, "seed": 5, "note": ""}
        with pytest.raises(UserError):
            service.run("ann", copy)


class TestSubmit:
    def test_end_to_end(self, service: Service) -> None:
        run_id = service.submit("toys.count.v1", {"steps": 3}, visitor="ann", title="Mine")
        assert service.run("ann", run_id).title == "Mine"
        run = service.wait("ann", run_id, 20)
        assert (run.status, run.owner, run.shared) == ("succeeded", "ann", False)
        assert service.result("ann", run_id)["counted"] == 3  # type: ignore[index]
        assert service.read_artifact("ann", run_id, "count.json")["counted"] == 3  # type: ignore[index]
        assert [step for step, _ in service.metrics("ann", run_id)["loss"]] == [1, 2, 3]
        assert service.request("ann", run_id) == {
            "task": "toys.count.v1", "fields": {"steps": 3, "delay": 0.0, "seed": 0, "note": ""}, "parents": [],
            "processes": 1}

    def test_the_title_of_the_task_is_the_default(self, service: Service) -> None:
        run_id = service.submit("toys.count.v1", {}, visitor="ann")
        assert service.run("ann", run_id).title == "Count"

    @pytest.mark.parametrize(("fields", "more", "message"), [
        ({"steps": 0}, {}, "steps is 0"), ({"nonsense": 1}, {}, "has no field nonsense"),
        ({}, {"processes": 0}, "processes is 0; it must lie between 1 and 64"),
        ({}, {"processes": 65}, "processes is 65"), ({}, {"processes": "2"}, "processes is '2'"),
        ({}, {"parents": ("20260101T000000-abcdef",)}, "There is no run"),
        ({}, {"parents": ("..",)}, "There is no run"),
        ({"note": "x" * 100_000}, {}, "note is 100000 characters")])
    def test_a_bad_request_leaves_no_run(self, fields: dict[str, object], more: dict[str, object], message: str,
                                         service: Service) -> None:
        with pytest.raises(UserError, match=message):
            service.submit("toys.count.v1", fields, visitor="ann", **more)  # type: ignore[arg-type]
        assert list((service.settings.home / "runs").iterdir()) == []

    def test_a_parent_of_somebody_else_does_not_exist(self, service: Service) -> None:
        with pytest.raises(UserError, match="There is no run"):
            service.submit("toys.count.v1", {}, visitor="bob", parents=(make(service).id,))

    def test_more_processes_than_accelerators_are_refused(self, service: Service,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        with pytest.raises(UserError, match="processes is 3; this machine has 2 accelerators"):
            service.submit("toys.gpu.v1", {}, visitor="ann", processes=3)

    def test_nobody_fills_the_machine_with_processes(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service_module, "MAX_ACTIVE", 2)
        for _ in range(2):
            make(service, status="queued")
        with pytest.raises(UserError, match="2 of your runs are queued or running"):
            service.submit("toys.count.v1", {}, visitor="ann")
        service.submit("toys.count.v1", {}, visitor="bob")
        assert [run.owner for run in service.runs(CLI)[0]].count("ann") == 2

    def test_a_call_may_be_a_run_too(self, service: Service) -> None:
        run_id = service.submit("toys.add.v1", {"a": 1, "b": 2}, visitor="ann")
        assert service.wait("ann", run_id, 20).status == "succeeded"
        assert service.result("ann", run_id) == {"total": 3.0}

    def test_a_stream_may_be_a_run_too(self, service: Service) -> None:
        run_id = service.submit("toys.stream.v1", {"count": 3}, visitor="ann")
        run = service.wait("ann", run_id, 20)
        assert run.status == "succeeded", service.log_tail("ann", run_id)
        assert [e["event"]["index"] for e in read_lines(run.path / "events.jsonl")] == [0, 1, 2]
        assert service.result("ann", run_id)["index"] == 2  # type: ignore[index]

    def test_an_input_is_recorded(self, service: Service, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("12345")
        run_id = service.submit("toys.read.v1", {"reference": f"path:{tmp_path / 'data'}"}, visitor="ann")
        assert service.wait("ann", run_id, 20).status == "succeeded", service.log_tail("ann", run_id)
        assert service.result("ann", run_id) == {"size": 5}
        assert service.inputs("ann", run_id)[f"path:{tmp_path / 'data'}"]["files"][0]["size"] == 5


class TestLooking:
    def test_waiting_gives_up_in_time(self, service: Service) -> None:
        run = make(service, status="queued")
        began = time.monotonic()
        assert service.wait("ann", run.id, 0.2).status == "queued"
        assert time.monotonic() - began < 1

    def test_what_is_not_there_yet_is_empty(self, service: Service) -> None:
        run = create_run(service.settings.home, "toys.count.v1", {}, owner="ann")
        assert service.result("ann", run.id) is None and service.live("ann", run.id) is None
        assert service.inputs("ann", run.id) == {} == service.environment("ann", run.id)
        assert service.metrics("ann", run.id) == {} and service.artifacts("ann", run.id) == []
        assert service.read_artifact("ann", run.id, "a.json") is None and service.log_tail("ann", run.id) == ""

    def test_damaged_files_are_empty_or_named(self, service: Service) -> None:
        run = make(service)
        for name in ("result.json", "live.json", "inputs.json", "environment.json", "request.json", "metrics.jsonl",
                     "artifacts/a.json"):
            (run.path / name).write_bytes(b"\xff{oops")
        assert service.result("ann", run.id) is None and service.live("ann", run.id) is None
        assert service.inputs("ann", run.id) == {} == service.request("ann", run.id)
        assert service.metrics("ann", run.id) == {}
        with pytest.raises(UserError, match=r"'a\.json' of the run .* cannot be read: a\.json is not valid JSON"):
            service.read_artifact("ann", run.id, "a.json")
        assert service.run("ann", run.id).status == "lost"
        assert "request.json" in service.run("ann", run.id).message

    def test_a_result_that_is_no_table_is_put_into_one(self, service: Service) -> None:
        run = make(service)
        (run.path / "result.json").write_text("[1, 2]")
        assert service.result("ann", run.id) == {"value": [1, 2]}

    def test_a_run_whose_state_was_damaged_still_belongs_to_its_owner(self, service: Service) -> None:
        run = make(service)
        (run.path / "state.json").write_text("oops")
        assert service.run("ann", run.id).status == "lost"
        assert [r.id for r in service.runs("ann")[0]] == [run.id]
        with pytest.raises(UserError):
            service.run("bob", run.id)

    def test_a_directory_removed_by_hand_can_still_be_deleted(self, service: Service) -> None:
        run = make(service)
        shutil.rmtree(run.path)
        assert "state.json cannot be read" in service.run("ann", run.id).message
        service.delete("ann", run.id)
        assert service.runs("ann") == ([], 0)

    def test_an_owner_changed_by_hand_counts_at_once(self, service: Service) -> None:
        run = make(service)
        state = json.loads((run.path / "state.json").read_text())
        (run.path / "state.json").write_text(json.dumps({**state, "owner": "bob"}))
        assert service.runs("ann")[0] == []
        assert service.run("bob", run.id).owner == "bob"

    def test_filters_and_pages(self, service: Service) -> None:
        for number in range(5):
            make(service, status="failed" if number % 2 else "succeeded", note=f"needle{number}")
        assert service.runs("ann", status="failed")[1] == 2
        assert service.runs("ann", text="needle3")[1] == 1
        assert service.runs("ann", task="toys.count.v1")[1] == 5
        assert len(service.runs("ann", limit=2)[0]) == 2 and len(service.runs("ann", limit=2, offset=4)[0]) == 1
        assert len(service.runs("ann", limit=-1, offset=-3)[0]) == 1, "odd numbers do not break the page"

    def test_size_is_counted_when_asked(self, service: Service) -> None:
        run = make(service)
        (run.path / "artifacts" / "big").write_bytes(b"x" * 100_000)
        assert service.run("ann", run.id).size_bytes > 100_000


class TestChanging:
    def test_commands_are_kept_with_their_time(self, service: Service) -> None:
        run = make(service, status="running")
        change_state(run.path, {"pid": os.getpid(), "pid_started": process.started(os.getpid())})
        service.command("ann", run.id, {"do": "edit", "text": "é\nü"})
        service.command("ann", run.id, {"do": "stop", "at": -1})
        first, second = service.commands("ann", run.id)
        assert (first["do"], first["text"], second["do"]) == ("edit", "é\nü", "stop")
        assert abs(second["at"] - time.time()) < 10 and first["at"] <= second["at"]

    def test_a_huge_command_is_refused(self, service: Service) -> None:
        run = make(service)
        with pytest.raises(UserError, match="longer than 200000 characters"):
            service.command("ann", run.id, {"text": "x" * 300_000})
        assert service.commands("ann", run.id) == []

    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_what_is_active_is_not_deleted(self, status: str, service: Service) -> None:
        run = make(service, status=status)
        change_state(run.path, {"pid": os.getpid(), "pid_started": process.started(os.getpid())})
        with pytest.raises(UserError, match=f"is {status}; it cannot be deleted now. Cancel it first."):
            service.delete("ann", run.id)
        assert run.path.exists()

    @pytest.mark.parametrize("status", ["paused", "succeeded", "failed", "cancelled", "lost"])
    def test_what_has_ended_is_deleted_for_good(self, status: str, service: Service) -> None:
        run = make(service, status=status)
        service.delete("ann", run.id)
        assert list((service.settings.home / "runs").iterdir()) == [] and service.runs("ann") == ([], 0)
        with pytest.raises(UserError, match="There is no run"):
            service.delete("ann", run.id)

    def test_cancel_and_go_on(self, service: Service) -> None:
        run_id = service.submit("toys.count.v1", {"steps": 40, "delay": 0.03}, visitor="ann")
        while service.run("ann", run_id).step < 2:
            time.sleep(0.02)
        service.cancel("ann", run_id, wait=True)
        assert service.run("ann", run_id).status == "cancelled"
        service.resume("ann", run_id)
        assert service.wait("ann", run_id, 20).status == "succeeded"
        curve = service.metrics("ann", run_id)["loss"]
        assert [step for step, _ in curve] == list(range(1, 41)), "one curve, without a step twice"

    def test_again_with_a_bad_field_makes_nothing(self, service: Service) -> None:
        run = make(service)
        with pytest.raises(UserError, match="has no field nonsense"):
            service.again("ann", run.id, nonsense=1)
        assert service.runs("ann")[1] == 1


class TestStatus:
    def test_it_says_what_goes_on(self, service: Service) -> None:
        for status in ("queued", "queued", "running", "paused", "failed"):
            run = make(service, status=status)
            change_state(run.path, {"pid": os.getpid(), "pid_started": process.started(os.getpid())})
        status = service.status()
        assert (status["queued"], status["running"], status["paused"]) == (2, 1, 1)
        assert status["models"] == [] and status["notices"] == [] and status["offline"] is False
        assert 0 < status["memory_mb"] < status["memory_total_mb"]
        assert isinstance(status["device"], str) and status["threads"] == service.settings.threads
        json.dumps(status)

    def test_it_is_cheap_with_many_runs(self, service: Service) -> None:
        for _ in range(300):
            create_run(service.settings.home, "toys.count.v1", {"steps": 3}, owner="ann")
        service.index.reindex()
        service.status()
        began = time.perf_counter()
        for _ in range(10):
            service.status()
        assert (time.perf_counter() - began) / 10 < 0.02
        began = time.perf_counter()
        for _ in range(10):
            assert len(service.runs("ann")[0]) == 50
        assert (time.perf_counter() - began) / 10 < 0.1

    def test_polling_writes_nothing(self, service: Service) -> None:
        run = make(service)
        service.status()
        home = service.settings.home

        def stamps() -> dict[str, int]:
            return {str(p): p.stat().st_mtime_ns for p in home.rglob("*") if p.is_file() and p.suffix != ".sqlite-shm"}

        before = stamps()
        for _ in range(3):
            service.jobs._next_reap = 0.0
            service.status(), service.runs("ann"), service.run("ann", run.id), service.metrics("ann", run.id)
            service.log_tail("ann", run.id), service.live("ann", run.id), service.artifacts("ann", run.id)
        assert stamps() == before

    def test_resident_models_are_listed(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench import sessions

        known = sessions.ModelProcess("package:x", 42, 300.5, True, 1.5, 7.0)
        monkeypatch.setattr(sessions, "processes", lambda settings: [known])
        assert service.status()["models"] == [
            {"reference": "package:x", "pid": 42, "rss_mb": 300.5, "busy": True, "idle_s": 1.5}]

    def test_unloading_is_passed_on(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench import sessions

        asked: list[str] = []
        monkeypatch.setattr(sessions, "unload", lambda settings, reference: asked.append(reference))
        service.unload("package:x")
        assert asked == ["package:x"]


class TestBadWorld:
    def test_a_corrupt_index_is_rebuilt_and_told(self, service: Service) -> None:
        run = make(service)
        home = service.settings.home
        (home / "index.sqlite").write_bytes(b"\0garbage" * 2000)
        again = Service(service.settings)
        assert [r.id for r in again.runs("ann")[0]] == [run.id]
        assert len(again.status()["notices"]) == 1 and "damaged" in again.status()["notices"][0]
        assert service.runs("ann")[1] == 1, "the server that was running notices too"

    def test_two_servers_on_one_home(self, service: Service) -> None:
        other = Service(service.settings)
        run_id = service.submit("toys.count.v1", {"steps": 20, "delay": 0.05}, visitor="ann")
        while other.run("ann", run_id).step < 2:
            time.sleep(0.02)
        other.cancel("ann", run_id, wait=True)
        assert service.run("ann", run_id).status == "cancelled"
        other.resume("ann", run_id)
        assert service.wait("ann", run_id, 20).status == "succeeded"

    def test_a_home_that_cannot_be_written_is_named(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match="cannot be made"):
            Service(replace(settings, home=tmp_path / "file" / "home"))

    def test_half_made_things_of_a_crash_are_removed_when_old(self, settings: Settings) -> None:
        Service(settings)
        old, fresh = settings.home / "runs" / ".new-old", settings.home / "runs" / ".deleted-fresh"
        stream = settings.home / "tmp" / "call-old"
        for path in (old, fresh, stream):
            path.mkdir(parents=True)
        for path in (old, stream):
            os.utime(path, (1, 1))
        Service(settings)
        assert (old.exists(), fresh.exists(), stream.exists()) == (False, True, False)

    def test_hand_edited_directories_do_not_break_the_list(self, service: Service) -> None:
        runs = [make(service) for _ in range(6)]
        (runs[0].path / "state.json").write_text("")
        (runs[1].path / "request.json").unlink()
        (runs[2].path / "state.json").unlink()
        (runs[2].path / "state.json").mkdir()
        (runs[3].path / "artifacts.jsonl").write_text("\x00\n{]\n")
        shutil.rmtree(runs[4].path / "artifacts")
        runs[5].path.rename(runs[5].path.with_name("renamed by hand"))
        (service.settings.home / "runs" / "20260101T000000-abcdef").mkdir()
        (service.settings.home / "runs" / "20260101T000000-abcdee").write_text("a file")
        for one in (service, Service(service.settings)):
            found, _ = one.runs("ann")
            assert {run.id for run in runs[:5]} <= {run.id for run in found}
            assert {run.status for run in found} <= {"lost", "succeeded"}
            one.status()
        service.index.reindex()
        assert {run.id for run in service.runs(CLI)[0]} >= {runs[0].id, "20260101T000000-abcdef"}

    def test_many_threads_at_once(self, service: Service) -> None:
        run = make(service, status="running")
        change_state(run.path, {"pid": os.getpid(), "pid_started": process.started(os.getpid())})
        errors: list[BaseException] = []

        def visit(number: int) -> None:
            try:
                for turn in range(10):
                    service.status(), service.runs("ann"), service.metrics("ann", run.id)
                    service.command("ann", run.id, {"who": number, "turn": turn})
                    service.share("ann", run.id, bool(turn % 2))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=visit, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and len(service.commands("ann", run.id)) == 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; skipped where this user may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True,
                          check=False) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


class TestFullDisk:
    def test_nothing_saved_is_lost_and_the_page_goes_on(self, small_disk: Path, settings: Settings) -> None:
        service = Service(replace(settings, home=small_disk / "home"))
        run = make(service, steps=3)
        service.runs("ann")
        ballast = fill(small_disk)
        with pytest.raises(UserError, match=r"The disk is full: .*Free some space and try again"):
            service.submit("toys.count.v1", {}, visitor="ann")
        with pytest.raises(UserError, match="The disk is full"):
            for _ in range(20):
                service.command("ann", run.id, {"text": "x" * 4000})
        assert [r.id for r in service.runs("ann")[0]] == [run.id]
        assert service.result("ann", run.id) == {"r": 1} and service.status()["running"] == 0
        assert not list((small_disk / "home" / "runs").glob(".new-*")), "no half-made run stays"
        ballast.unlink()
        assert service.wait("ann", service.submit("toys.count.v1", {}, visitor="ann"), 20).status == "succeeded"

    def test_a_run_says_how_it_ended_although_the_disk_is_full(self, small_disk: Path, settings: Settings) -> None:
        service = Service(replace(settings, home=small_disk / "home"))
        run_id = service.submit("toys.count.v1", {"steps": 100, "delay": 0.02}, visitor="ann")
        while service.run("ann", run_id).step < 3:
            time.sleep(0.02)
        ballast = fill(small_disk)
        run = service.wait("ann", run_id, 20)
        assert (run.status, run.failure["class"]) == ("failed", "disk full"), run  # type: ignore[index]
        assert "what was saved" in run.failure["advice"].lower()  # type: ignore[index]
        ballast.unlink()
        service.resume("ann", run_id)
        run = service.wait("ann", run_id, 30)
        assert run.status == "succeeded" and service.result("ann", run_id)["resumed_at"] >= 1  # type: ignore[index]

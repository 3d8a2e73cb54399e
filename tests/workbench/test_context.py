"""What a task is given: cheap progress, a cancel at every report, files that others can read."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import run_context
from workbench.context import MemoryContext, RunContext, TerminalContext, WorkerContext
from workbench.contract import Cancelled, Paused, UserError
from workbench.files import append_line, disk_full, read_json, read_lines
from workbench.process import MARK
from workbench.run_context import file_hash
from workbench.runs import Run, change_state, create_run, load_run
from workbench.settings import Settings
from workbench.states import ask_to_cancel
from workbench.store import Index


@pytest.fixture
def run(settings: Settings) -> Run:
    made = create_run(settings.home, "t", {}, owner="ann")
    change_state(made.path, {"status": "running"})
    return made


@pytest.fixture
def worker(run: Run, settings: Settings) -> WorkerContext:
    return WorkerContext(run.path, settings, base={"owner": "ann"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["worker", "terminal", "memory"])
def context(request: pytest.FixtureRequest, run: Run, settings: Settings) -> RunContext:
    """Each of the three kinds, over the same directory."""
    make: dict[str, Callable[[], RunContext]] = {
        "worker": lambda: WorkerContext(run.path, settings),
        "terminal": lambda: TerminalContext(run.path, settings, out=io.StringIO()),
        "memory": lambda: MemoryContext(run.path, settings=settings)}
    return make[request.param]()


class TestEveryKind:
    def test_a_cancel_is_seen_at_the_next_report_and_every_one_after(self, context: RunContext) -> None:
        context.report(0, 10)
        ask_to_cancel(context.run)
        for _ in range(3):
            with pytest.raises(Cancelled):
                context.report(1, 10)

    @pytest.mark.parametrize("call", ["say", "pause"])
    def test_waiting_and_pausing_are_cancel_points_too(self, call: str, context: RunContext) -> None:
        ask_to_cancel(context.run)
        with pytest.raises(Cancelled):
            getattr(context, call)("x")

    def test_metrics_are_lines(self, context: RunContext) -> None:
        context.metric(1, loss=0.5, rate=1)
        context.metric(2, loss=math.nan)
        entries = read_lines(context.run / "metrics.jsonl")
        assert [{k: v for k, v in entry.items() if k != "at"} for entry in entries] == [
            {"step": 1, "loss": 0.5, "rate": 1.0}, {"step": 2, "loss": None}]
        assert abs(entries[0]["at"] - time.time()) < 10

    def test_the_last_live_value_reaches_the_disk_with_the_next_report(self, context: RunContext) -> None:
        for number in range(50):
            context.live({"n": number})
        assert read_json(context.run / "live.json", None)["n"] < 49
        context.report(1, 2)
        assert read_json(context.run / "live.json", None) == {"n": 49}

    def test_live_reaches_the_disk_at_most_ten_times_a_second(self, context: RunContext,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
        written: list[object] = []
        monkeypatch.setattr(run_context, "write_json", lambda path, value, durable=True: written.append(value))
        end = time.monotonic() + 0.35
        while time.monotonic() < end:
            context.live("x")
        assert 2 <= len(written) <= 5

    def test_closing_writes_what_was_held_back(self, context: RunContext) -> None:
        context.live(1)
        context.live(2)
        context.close()
        assert read_json(context.run / "live.json", None) == 2

    def test_artifacts_are_listed_once_and_replaced_by_name(self, context: RunContext) -> None:
        for name in ("a.txt", "b.txt"):
            (context.run / "artifacts" / name).write_text(name)
        for _ in range(3):
            context.artifact("it", context.run / "artifacts" / "a.txt", "text")
        context.artifact("it", context.run / "artifacts" / "b.txt", "text")
        assert read_lines(context.run / "artifacts.jsonl") == [
            {"name": "it", "path": "artifacts/a.txt", "kind": "text"},
            {"name": "it", "path": "artifacts/b.txt", "kind": "text"}]

    @pytest.mark.parametrize(("path", "message"), [("/etc/passwd", "must lie inside the run directory"),
                                                   ("../other", "must lie inside"), ("artifacts/none", "has no file")])
    def test_an_artifact_lies_inside_the_run(self, path: str, message: str, context: RunContext) -> None:
        with pytest.raises(UserError, match=message):
            context.artifact("it", context.run / path, "text")

    def test_the_same_seed_gives_the_same_numbers(self, context: RunContext) -> None:
        assert context.generator(3).random() == context.generator(3).random() != context.generator(4).random()

    def test_commands_come_oldest_first(self, context: RunContext) -> None:
        assert list(context.commands()) == []
        for text in ("one", "two"):
            append_line(context.run / "commands.jsonl", {"do": text})
        assert [command["do"] for command in context.commands()] == ["one", "two"]

    def test_a_command_is_new_until_it_was_looked_at(self, context: RunContext) -> None:
        assert not context.new_commands()
        append_line(context.run / "commands.jsonl", {"do": "x"})
        assert context.new_commands() and not context.new_commands()
        append_line(context.run / "commands.jsonl", {"do": "y"})
        context.commands()
        assert not context.new_commands()

    def test_a_pause_carries_its_reason(self, context: RunContext) -> None:
        context.live("before")
        context.live("last")
        with pytest.raises(Paused, match="your turn"):
            context.pause("your turn")
        assert read_json(context.run / "live.json", None) == "last"

    def test_it_is_cheap(self, context: RunContext) -> None:
        context.report(0, 10**6)
        began = time.perf_counter()
        for step in range(1000):
            context.report(step, 10**6, "training")
        assert time.perf_counter() - began < 0.25, "a step of training must not notice it"

    def test_odd_numbers_are_made_plain(self, context: RunContext) -> None:
        import numpy

        context.report(numpy.int64(3), numpy.int64(3), "done")  # type: ignore[arg-type]
        context.metric(numpy.int64(1), loss=numpy.float32(0.5))  # type: ignore[arg-type]
        assert read_lines(context.run / "metrics.jsonl")[0]["loss"] == 0.5

    def test_threads_may_report_together(self, context: RunContext) -> None:
        errors: list[BaseException] = []

        def work() -> None:
            try:
                for step in range(100):
                    context.report(step, 100)
                    context.live(step)
                    context.metric(step, a=1.0)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and len(read_lines(context.run / "metrics.jsonl")) == 400


class TestWorker:
    def test_progress_is_in_the_state(self, worker: WorkerContext) -> None:
        worker.report(3, 10, "going on")
        run = load_run(worker.run)
        assert (run.step, run.total, run.message) == (3, 10, "going on")

    def test_progress_is_written_four_times_a_second_and_at_the_end(self, worker: WorkerContext,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
        shown: list[int] = []
        monkeypatch.setattr(worker, "show", lambda step, total, message: shown.append(step))
        end = time.monotonic() + 0.6
        step = 0
        while time.monotonic() < end:
            step += 1
            worker.report(step, 10**9)
        worker.report(10**9, 10**9)
        assert shown[0] == 1 and shown[-1] == 10**9 and 3 <= len(shown) <= 5

    def test_a_long_message_is_cut(self, worker: WorkerContext) -> None:
        worker.report(1, 1, "x" * 5000)
        assert len(load_run(worker.run).message) == run_context.MESSAGE

    def test_progress_keeps_what_others_changed(self, worker: WorkerContext) -> None:
        worker.report(1, 10)
        change_state(worker.run, {"shared": True, "title": "new"})
        worker.report(10, 10)
        run = load_run(worker.run)
        assert (run.step, run.shared, run.title) == (10, True, "new")

    @pytest.mark.parametrize("changes", [{"status": "lost"}, {"status": "cancelled"}, {"attempt": 2}])
    def test_a_run_that_is_no_longer_its_own_ends_it(self, changes: dict[str, object], worker: WorkerContext) -> None:
        change_state(worker.run, changes)
        with pytest.raises(Cancelled):
            worker.report(1, 1)
        with pytest.raises(Cancelled):
            worker.report(2, 2)
        assert load_run(worker.run).step == 0, "it writes nothing into the run of another"

    def test_a_state_damaged_by_hand_is_written_anew(self, worker: WorkerContext) -> None:
        (worker.run / "state.json").write_text("{oops")
        worker.report(4, 10)
        run = load_run(worker.run)
        assert (run.status, run.owner, run.step) == ("running", "ann", 4)

    def test_progress_on_a_full_disk_is_dropped(self, worker: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: Path, *_: object, **__: object) -> None:
            try:
                raise OSError(28, "No space left on device")
            except OSError as error:
                raise disk_full(path) from error

        monkeypatch.setattr(run_context, "write_json", full)
        monkeypatch.setattr(run_context, "append_line", full)
        monkeypatch.setattr(worker, "show", lambda *_: full(worker.run))
        worker.live(1)
        worker.metric(1, loss=1.0)
        worker.report(1, 1)
        (worker.run / "artifacts" / "a").write_text("x")
        with pytest.raises(UserError, match="disk is full"):
            worker.artifact("a", worker.run / "artifacts" / "a", "text")

    def test_other_errors_of_progress_are_not_hidden(self, worker: WorkerContext,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise UserError("something else")

        monkeypatch.setattr(worker, "show", broken)
        with pytest.raises(UserError, match="something else"):
            worker.report(1, 1)

    def test_other_ranks_write_nothing(self, run: Run, settings: Settings) -> None:
        follower = WorkerContext(run.path, settings, rank=1, world=2)
        before = sorted(p.name for p in run.path.iterdir())
        follower.report(5, 5, "x")
        follower.metric(1, loss=1.0)
        follower.live("x")
        follower.close()
        (run.path / "artifacts" / "a").write_text("x")
        follower.artifact("a", run.path / "artifacts" / "a", "text")
        assert load_run(run.path).step == 0 and sorted(p.name for p in run.path.iterdir()) == before
        ask_to_cancel(run.path)
        with pytest.raises(Cancelled):
            follower.report(6, 6)


class TestTerminal:
    def test_a_pipe_gets_lines(self, run: Run, settings: Settings) -> None:
        out = io.StringIO()
        context = TerminalContext(run.path, settings, out=out)
        context.report(0, 2, "one")
        context.report(2, 2, "two")
        context.report(2, 2, "two")
        context.close()
        assert out.getvalue() == "0/2 one\n2/2 two\n"
        assert load_run(run.path).step == 2, "and the same files as a worker"

    def test_a_terminal_gets_one_line(self, run: Run, settings: Settings) -> None:
        out = Terminal()
        context = TerminalContext(run.path, settings, out=out)
        context.report(0, 2, "a long message")
        context.report(2, 2, "short")
        context.close()
        assert "\n" not in out.getvalue()[:-1] and out.getvalue().endswith("\n")
        assert out.getvalue().split("\r")[2].startswith("2/2 short   ")

    def test_a_trace_goes_to_the_log(self, run: Run, settings: Settings) -> None:
        out = io.StringIO()
        TerminalContext(run.path, settings, out=out).log("Traceback ...\n")
        assert (run.path / "log.txt").read_text() == "Traceback ...\n" and out.getvalue() == ""


class TestMemory:
    def test_it_makes_its_directory_and_keeps_what_was_said(self, tmp_path: Path) -> None:
        context = MemoryContext(tmp_path / "a" / "run")
        context.report(1, 3, "x")
        context.report(2, 3, "y")
        context.live({"a": 1})
        context.metric(1, loss=2.0)
        assert context.reports == [(1, 3, "x"), (2, 3, "y")] and context.lives == [{"a": 1}]
        assert context.metrics == [(1, {"loss": 2.0})] and (context.run / "artifacts").is_dir()
        assert context.result() is None

    @pytest.mark.parametrize("after", [1, 3])
    def test_it_cancels_when_told(self, after: int, tmp_path: Path) -> None:
        context = MemoryContext(tmp_path / "run", cancel_after=after)
        for _ in range(after - 1):
            context.report(0, 1)
        with pytest.raises(Cancelled):
            context.report(0, 1)

    def test_a_person_may_give_commands(self, tmp_path: Path) -> None:
        context = MemoryContext(tmp_path / "run")
        context.give({"do": "stop"})
        assert context.commands()[0]["do"] == "stop" and context.commands()[0]["at"] > 0

    def test_a_model_is_made_by_the_factory(self, tmp_path: Path) -> None:
        context = MemoryContext(tmp_path / "run", model_factory=lambda reference: f"model {reference}")  # type: ignore
        assert context.model("path:/x") == "model path:/x"


@dataclass(frozen=True)
class FakeResolved:
    path: Path
    files: tuple[dict[str, object], ...]


class TestResource:
    def test_what_was_read_is_recorded(self, context: RunContext, tmp_path: Path) -> None:
        file = tmp_path / "data.txt"
        file.write_text("hello")
        assert context.resource(f"path:{file}") == file
        inputs = json.loads((context.run / "inputs.json").read_text())
        assert list(inputs) == [f"path:{file}"]
        entry = inputs[f"path:{file}"]
        assert entry["path"] == str(file)
        assert entry["files"] == [{"path": str(file), "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}]

    def test_a_second_input_is_added(self, context: RunContext, tmp_path: Path) -> None:
        for name in ("a", "b", "a"):
            (tmp_path / name).write_text(name)
            context.resource(f"path:{tmp_path / name}")
        assert len(json.loads((context.run / "inputs.json").read_text())) == 2

    def test_relative_files_and_known_hashes_are_taken_as_they_are(self, context: RunContext, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench import hub

        (tmp_path / "w.bin").write_bytes(b"12345")
        resolved = FakeResolved(tmp_path, ({"path": "w.bin", "size": 5, "sha256": "known"}, {"path": "w.bin"}))
        monkeypatch.setattr(hub, "resolve", lambda reference, settings, say: resolved)
        context.resource("package:x")
        files = json.loads((context.run / "inputs.json").read_text())["package:x"]["files"]
        assert files == [{"path": str(tmp_path / "w.bin"), "size": 5, "sha256": "known"},
                         {"path": str(tmp_path / "w.bin"), "size": 5, "sha256": hashlib.sha256(b"12345").hexdigest()}]

    def test_fetching_tells_and_can_be_cancelled(self, worker: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench import hub

        def resolve(reference: str, settings: Settings, say: Callable[[str], None]) -> None:
            say("fetching 1 of 2")
            assert load_run(worker.run).message == "fetching 1 of 2"
            ask_to_cancel(worker.run)
            say("fetching 2 of 2")

        monkeypatch.setattr(hub, "resolve", resolve)
        worker.report(3, 9, "before")
        with pytest.raises(Cancelled):
            worker.resource("package:x")
        assert (load_run(worker.run).step, load_run(worker.run).total) == (3, 9), "the progress does not move"

    def test_a_missing_path_is_said_to_be(self, context: RunContext, tmp_path: Path) -> None:
        with pytest.raises(UserError):
            context.resource(f"path:{tmp_path / 'none'}")


class TestHash:
    def test_a_big_file_is_read_once(self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file, index = tmp_path / "f", Index(home)
        file.write_bytes(b"x" * 1000)
        first = file_hash(file, index)
        assert first == hashlib.sha256(b"x" * 1000).hexdigest()
        monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        assert file_hash(file, index) == first

    def test_a_changed_file_is_read_again(self, home: Path, tmp_path: Path) -> None:
        file, index = tmp_path / "f", Index(home)
        file.write_bytes(b"x")
        file_hash(file, index)
        file.write_bytes(b"y")
        os.utime(file, ns=(1, 1))
        assert file_hash(file, index) == hashlib.sha256(b"y").hexdigest()

    def test_a_folder_depends_on_names_and_contents(self, home: Path, tmp_path: Path) -> None:
        index, seen = Index(home), set()
        for name, content in (("a", "1"), ("a", "2"), ("b", "1")):
            folder = tmp_path / f"{name}{content}"
            (folder / "deep").mkdir(parents=True)
            (folder / "deep" / name).write_text(content)
            seen.add(file_hash(folder, index))
        assert len(seen) == 3


class TestModel:
    def test_a_model_process_does_not_carry_the_mark_of_the_run(self, worker: WorkerContext,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
        from workbench import sessions

        monkeypatch.setenv(MARK, "this-run#1")
        monkeypatch.setattr(sessions, "connect", lambda settings, reference, say: (reference, os.environ.get(MARK)))
        assert worker.model("package:x") == ("package:x", None)
        assert os.environ[MARK] == "this-run#1"

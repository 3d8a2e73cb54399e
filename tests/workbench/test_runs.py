"""Run directories: made whole, read whatever a person did to them, changed under a lock."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workbench import runs
from workbench.contract import UserError
from workbench.files import Busy, Damaged, locked, write_json
from workbench.runs import Run, change_state, create_run, load_run, read_state, run_path, runs_folder


def make(home: Path, **changes: object) -> Run:
    given: dict[str, object] = {"owner": "ann", "title": "A title", **changes}
    return create_run(home, "toys.count.v1", {"steps": 3}, **given)  # type: ignore[arg-type]


def test_a_new_run_has_everything(home: Path) -> None:
    run = make(home, shared=True, parents=("20260101T000000-000000",), processes=2)
    assert runs.RUN_ID.fullmatch(run.id) and run.path == home / "runs" / run.id
    assert json.loads((run.path / "request.json").read_text()) == {
        "task": "toys.count.v1", "fields": {"steps": 3}, "parents": ["20260101T000000-000000"], "processes": 2}
    assert (run.task, run.title, run.status) == ("toys.count.v1", "A title", "queued")
    assert (run.owner, run.shared) == ("ann", True)
    assert run.created > 1.7e9 and run.started is None and run.finished is None and run.pid is None
    assert (run.step, run.total, run.message, run.failure, run.attempt, run.processes) == (0, 0, "", None, 1, 2)
    assert run.active and run.seconds == 0.0 and run.size_bytes > runs.SPARE_BYTES
    assert (run.path / "artifacts").is_dir() and (run.path / "checkpoints").is_dir()
    assert (run.path / "log.txt").read_text() == ""
    assert [p.name for p in (home / "runs").iterdir()] == [run.id], "no temporary directory stays"


def test_a_run_is_private_on_disk(home: Path) -> None:
    run = make(home)
    assert (run.path.stat().st_mode & 0o777, run.path.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_run_ids_differ_and_sort_by_time(home: Path) -> None:
    made = [make(home).id for _ in range(50)]
    assert len(set(made)) == 50
    assert [text[:15] for text in made] == sorted(text[:15] for text in made)


@pytest.mark.parametrize("text", ["", "..", "../../etc", "20260101T000000-abcdef/../x", "20260101T000000-ABCDEF",
                                  "20260101T000000-abcde", "x20260101T000000-abcdef", "20260101T000000-abcdef\n",
                                  "/etc/passwd", "20260101T000000-abcdef\0"])
def test_what_is_no_run_id_has_no_path(text: str, home: Path) -> None:
    assert run_path(home, text) is None


def test_a_full_disk_leaves_no_half_made_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="The disk is full"):
        make(home)
    assert list((home / "runs").iterdir()) == []


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"runs cannot be made: .*WORKBENCH_HOME"):
        runs_folder(tmp_path / "file")


def test_half_a_character_in_a_title_is_replaced(home: Path) -> None:
    assert make(home, title="a\udfffb").title == "a?b"


@pytest.mark.parametrize(("name", "content", "message"), [
    ("state.json", None, "state.json cannot be read (No such file or directory)"),
    ("state.json", "", "state.json is not valid JSON"),
    ("state.json", "{", "state.json is not valid JSON"),
    ("state.json", "[]", "state.json does not hold a table"),
    ("state.json", "null", "state.json does not hold a table"),
    ("state.json", '{"status": "flying"}', "state.json has the unknown status 'flying'"),
    ("state.json", '{"status": 3}', "state.json has the unknown status 3"),
    ("state.json", '{"status": ["queued"]}', "state.json has the unknown status ['queued']"),
    ("state.json", "{}", "state.json has the unknown status None"),
    ("state.json", "\x00\x01", "state.json is not valid JSON"),
    ("request.json", None, "request.json cannot be read"),
    ("request.json", "oops", "request.json is not valid JSON"),
    ("request.json", "7", "request.json does not hold a table"),
])
def test_damage_shows_as_a_lost_run_that_names_the_file(name: str, content: str | None, message: str,
                                                        home: Path) -> None:
    run = make(home)
    change_state(run.path, {"status": "succeeded"})
    (run.path / name).unlink() if content is None else (run.path / name).write_text(content)
    seen = load_run(run.path)
    assert seen.status == "lost" and message in seen.message and seen.id == run.id
    assert seen.created == pytest.approx(run.created, abs=1.0), "the time is also in the name"


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("step", "many", 0), ("step", 3.7, 3), ("step", True, 0), ("step", 1e300, 0), ("total", None, 0),
    ("created", "yesterday", None), ("started", [1], None), ("message", 5, ""), ("title", {"a": 1}, ""),
    ("owner", None, ""), ("shared", "yes", False), ("shared", 1, False), ("failure", "bad", None),
    ("failure", {"class": "bug", "cause": 3}, {"class": "bug", "cause": "3"}), ("pid", "x", None), ("pid", 0, None),
    ("slots", "cpu:0", ()), ("attempt", "second", 1), ("message", "half \\ud800", "half \\ud800")])
def test_values_of_the_wrong_kind_are_read_as_nothing(key: str, value: object, expected: object, home: Path) -> None:
    run = make(home)
    state = read_state(run.path)
    (run.path / "state.json").write_text(json.dumps({**state, key: value}))
    seen = getattr(load_run(run.path), key)
    assert seen == (pytest.approx(run.created, abs=1.0) if key == "created" else expected)


@pytest.mark.parametrize(("content", "expected"), [
    ('{"task": 3}', ""), ('{"task": "t", "fields": [1]}', "t"),
    ('{"task": "t", "parents": "p", "processes": "q"}', "t")])
def test_a_request_of_the_wrong_kind_still_loads(content: str, expected: str, home: Path) -> None:
    run = make(home)
    (run.path / "request.json").write_text(content)
    seen = load_run(run.path)
    assert (seen.task, seen.fields, seen.parents, seen.processes, seen.status) == (expected, {}, (), 1, "queued")


def test_a_running_run_with_a_damaged_request_still_runs(home: Path) -> None:
    run = make(home)
    change_state(run.path, {"status": "running"})
    (run.path / "request.json").write_text("oops")
    assert load_run(run.path).status == "running"


def test_a_directory_that_is_gone_is_a_lost_run(home: Path) -> None:
    assert load_run(home / "runs" / "20260101T000000-abcdef").status == "lost"


class TestChange:
    def test_only_the_named_keys_change(self, home: Path) -> None:
        run = make(home)
        assert change_state(run.path, {"step": 5, "message": "m"})
        assert read_state(run.path) == {**read_state(run.path), "step": 5, "message": "m", "owner": "ann"}

    @pytest.mark.parametrize(("expect", "attempt", "done"), [
        ((), None, True), (("queued",), None, True), (("queued", "running"), 1, True), (("running",), None, False),
        ((), 2, False), (("queued",), 2, False)])
    def test_it_is_done_only_in_the_expected_state(self, expect: tuple[str, ...], attempt: int | None, done: bool,
                                                   home: Path) -> None:
        run = make(home)
        assert change_state(run.path, {"status": "cancelled"}, expect=expect, attempt=attempt) is done
        assert load_run(run.path).status == ("cancelled" if done else "queued")

    @pytest.mark.parametrize("answer", [True, False])
    def test_unless_is_asked_under_the_lock(self, answer: bool, home: Path) -> None:
        run = make(home)

        def asked() -> bool:
            with pytest.raises(Busy), locked(run.path / ".lock", seconds=0):
                pass
            return answer

        assert change_state(run.path, {"status": "paused"}, unless=asked) is not answer

    def test_a_held_lock_is_not_waited_for_when_asked_so(self, home: Path) -> None:
        run = make(home)
        with locked(run.path / ".lock"), pytest.raises(Busy):
            change_state(run.path, {"step": 1}, seconds=0)

    def test_a_damaged_state_is_kept_aside_and_written_anew(self, home: Path) -> None:
        run = make(home)
        (run.path / "state.json").write_text("{half")
        assert change_state(run.path, {"status": "running"}, base={"owner": "ann", "attempt": 1}, expect=("queued",))
        assert (run.path / "state.json.damaged").read_text() == "{half"
        seen = load_run(run.path)
        assert (seen.owner, seen.status) == ("ann", "running")

    def test_no_change_is_lost_between_processes(self, home: Path) -> None:
        run = make(home)
        code = ("import sys\nfrom pathlib import Path\nfrom workbench.runs import change_state\n"
                "for i in range(60): change_state(Path(sys.argv[1]), {sys.argv[2]: i}, durable=False)")
        writers = [subprocess.Popen([sys.executable, "-c", code, str(run.path), key])
                   for key in ("one", "two", "three")]
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
        state = read_state(run.path)
        assert (state["one"], state["two"], state["three"], state["owner"]) == (59, 59, 59, "ann")

    def test_exactly_one_of_many_threads_wins(self, home: Path) -> None:
        run = make(home)
        won: list[bool] = []
        threads = [threading.Thread(target=lambda: won.append(
            change_state(run.path, {"status": "running"}, expect=("queued",)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == [False] * 7 + [True]

    def test_the_last_state_is_written_even_on_a_full_disk(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run = make(home)
        real = runs.write_json

        def full_while_the_spare_is_there(path: Path, value: object, *, durable: bool = True) -> None:
            if (run.path / runs.SPARE).exists():
                raise runs.disk_full(path)
            real(path, value, durable=durable)

        monkeypatch.setattr(runs, "write_json", full_while_the_spare_is_there)
        with pytest.raises(UserError, match="disk is full"):
            change_state(run.path, {"step": 1}, durable=False)
        assert (run.path / runs.SPARE).exists(), "progress does not use up the room for the last state"
        assert change_state(run.path, {"status": "failed"})
        assert load_run(run.path).status == "failed"
        assert not (run.path / runs.SPARE).exists()

    def test_a_missing_directory_is_an_error_not_a_new_one(self, home: Path) -> None:
        with pytest.raises(FileNotFoundError):
            change_state(home / "runs" / "20260101T000000-abcdef", {"status": "lost"})
        with pytest.raises(Damaged):
            read_state(home)


def test_seconds_count_from_the_start_to_the_end(home: Path) -> None:
    run = make(home)
    write_json(run.path / "state.json", {**read_state(run.path), "status": "succeeded", "started": 100.0,
                                         "finished": 103.5})
    assert load_run(run.path).seconds == 3.5
    write_json(run.path / "state.json", {**read_state(run.path), "started": 1e12, "finished": None})
    assert load_run(run.path).seconds == 0.0, "a clock that was set back does not give negative times"

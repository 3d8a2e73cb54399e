"""The index: in step with the directories, rebuilt when damaged, never written by a reader."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from workbench import process
from workbench.contract import UserError
from workbench.files import locked
from workbench.runs import Run, change_state, create_run
from workbench.store import Index, Slots, Turn, migrations
from workbench.store.database import LOCK, NAME, Database


def make(home: Path, task: str = "toys.count.v1", **changes: object) -> Run:
    fields = changes.pop("fields", {"steps": 3})
    given: dict[str, object] = {"owner": "ann", **changes}
    return create_run(home, task, fields, **given)  # type: ignore[arg-type]


@pytest.fixture
def index(home: Path) -> Index:
    return Index(home)


class TestMigrations:
    def test_every_table_is_in_the_newest_schema(self, index: Index) -> None:
        index.counts()
        with closing(sqlite3.connect(index.home / NAME)) as db:
            assert migrations.version(db) == len(migrations.STEPS)
            assert migrations.sound(db)
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"

    @pytest.mark.parametrize("seen", range(1, len(migrations.STEPS)))
    def test_an_older_file_is_brought_forward_and_keeps_its_rows(self, seen: int, home: Path) -> None:
        run = make(home)
        with closing(sqlite3.connect(home / NAME, isolation_level=None)) as db:
            migrations.migrate(db, None, migrations.STEPS[:seen])
            db.execute("INSERT INTO runs VALUES ('old', 't', '', 'failed', 'ann', 0, 1.0, NULL, NULL, '[]', '')")
        ids, count = Index(home).find("ann")
        assert (ids, count) == (["old"], 1), "an older file keeps what it holds; only an empty one is filled"
        Index(home).sync()
        assert Index(home).find("ann") == ([run.id], 1)

    def test_a_broken_step_leaves_the_file_as_it_was(self, home: Path) -> None:
        with closing(sqlite3.connect(home / NAME, isolation_level=None)) as db:
            migrations.migrate(db)
            with pytest.raises(sqlite3.OperationalError):
                migrations.migrate(db, None, (*migrations.STEPS, "CREATE TABLE a (x); CREATE TABLE runs (y)"))
            assert migrations.version(db) == len(migrations.STEPS)
            assert db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'a'").fetchone()[0] == 0

    def test_a_file_of_a_later_version_is_set_aside(self, home: Path) -> None:
        run = make(home)
        with closing(sqlite3.connect(home / NAME, isolation_level=None)) as db:
            migrations.migrate(db)
            db.execute("PRAGMA user_version = 99")
            with pytest.raises(migrations.TooNew, match="schema 99"):
                migrations.migrate(db)
        index = Index(home)
        assert index.find("ann") == ([run.id], 1)
        assert "schema 99" in index.notices()[0]


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is not a database at all" * 200)


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])


def scramble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(bytes(data))


def drop_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE runs")
        db.commit()


def other_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"CREATE TABLE bookmarks (x); PRAGMA user_version = {len(migrations.STEPS)}")


class TestDamage:
    @pytest.mark.parametrize("damage", [overwrite, truncate, scramble, drop_a_table, other_program])
    @pytest.mark.parametrize("use", ["read", "write", "counts"])
    def test_a_damaged_file_is_kept_aside_and_rebuilt(self, damage, use: str, home: Path) -> None:
        made = [make(home, title=f"run {i}") for i in range(30)]
        first = Index(home)
        before = first.rows()
        first.database.close()
        with closing(sqlite3.connect(home / NAME)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(home / NAME)
        index = Index(home)
        if use == "read":
            assert index.find("ann", limit=100)[1] == 30
        elif use == "write":
            index.refresh(made[0].path)
        else:
            assert index.counts() == {"queued": 30}
        assert index.rows() == before
        kept = [p.name for p in home.iterdir() if ".corrupt-" in p.name and not p.name.endswith(("-wal", "-shm"))]
        assert len(kept) == 1
        assert [note for note in index.notices() if kept[0] in note and "built again" in note]

    @pytest.mark.parametrize("empty", [True, False])
    def test_an_empty_or_missing_file_is_filled_without_a_notice(self, empty: bool, home: Path) -> None:
        run = make(home)
        Index(home).counts()
        for ending in ("", "-wal", "-shm"):
            (home / (NAME + ending)).unlink(missing_ok=True)
        if empty:
            (home / NAME).write_bytes(b"")
        index = Index(home)
        assert index.find("ann") == ([run.id], 1)
        assert index.notices() == []

    def test_a_file_that_vanishes_under_a_running_page_comes_back(self, home: Path) -> None:
        run = make(home)
        index = Index(home)
        assert index.counts() == {"queued": 1}
        for ending in ("", "-wal", "-shm"):
            (home / (NAME + ending)).unlink(missing_ok=True)
        assert index.counts() == {"queued": 1}
        index.refresh(run.path)
        assert index.find("ann")[0] == [run.id]

    def test_several_processes_set_it_aside_once(self, home: Path) -> None:
        for _ in range(5):
            make(home)
        Index(home).counts()
        overwrite(home / NAME)
        code = ("import sys\nfrom pathlib import Path\nfrom workbench.store import Index\n"
                "print(Index(Path(sys.argv[1])).find('ann')[1])")
        readers = [subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
                   for _ in range(4)]
        assert [reader.communicate(timeout=60)[0].strip() for reader in readers] == ["5"] * 4
        kept = [p for p in home.iterdir() if ".corrupt-" in p.name and not p.name.endswith(("-wal", "-shm"))]
        assert len(kept) == 1 and len(Index(home).notices()) == 1

    @pytest.mark.parametrize("then", [None, sqlite3.DatabaseError("file is not a database")])
    def test_a_file_that_another_process_moves_meanwhile_is_opened_again(
            self, then: Exception | None, home: Path) -> None:
        make(home)
        index = Index(home)
        errors = [sqlite3.OperationalError("disk I/O error"), then]

        def count(db: sqlite3.Connection) -> int:
            if errors and (error := errors.pop(0)):
                raise error
            return int(db.execute("SELECT COUNT(*) FROM runs").fetchone()[0])
        assert index.database.read(count) == 1 and not errors

    def test_what_is_damaged_again_at_once_is_an_error_and_what_was_set_aside_stays(self, home: Path) -> None:
        make(home)
        index = Index(home)
        index.counts()
        overwrite(home / NAME)
        before = (home / NAME).read_bytes()

        def fail(db: sqlite3.Connection) -> None:
            raise sqlite3.DatabaseError("database disk image is malformed")
        with pytest.raises(UserError, match="malformed"):
            index.database.read(fail)
        kept = [p for p in home.iterdir() if ".corrupt-" in p.name and not p.name.endswith(("-wal", "-shm"))]
        assert [p.read_bytes() for p in kept] == [before]

    def test_a_disk_that_cannot_be_read_is_a_clear_sentence(self, index: Index) -> None:
        def fail(db: sqlite3.Connection) -> None:
            raise sqlite3.OperationalError("disk I/O error")
        with pytest.raises(UserError, match="cannot be used: disk I/O error"):
            index.database.read(fail)

    @pytest.mark.parametrize(("error", "text"), [
        (sqlite3.OperationalError("database or disk is full"), "The disk is full"),
        (sqlite3.OperationalError("database is locked"), "held by another program"),
        (sqlite3.OperationalError("unable to open database file"), "cannot be used: unable to open"),
        (PermissionError(13, "Permission denied"), "cannot be used"),
        (OSError(28, "No space left"), "The disk is full")])
    def test_other_troubles_are_a_clear_sentence(self, error: Exception, text: str, index: Index) -> None:
        def fail(db: sqlite3.Connection) -> None:
            raise error

        for method in (index.database.read, index.database.write):
            with pytest.raises(UserError, match=text):
                method(fail)
        assert index.counts() == {}, "and the next call works"

    def test_a_directory_in_its_place_is_a_clear_sentence(self, home: Path) -> None:
        (home / NAME).mkdir()
        with pytest.raises(UserError, match="cannot be used"):
            Index(home).counts()


class TestRows:
    def test_reindexing_gives_the_identical_table(self, home: Path) -> None:
        index = Index(home)
        states = ("queued", "running", "paused", "succeeded", "failed", "cancelled", "lost")
        for number in range(21):
            run = make(home, title=f"é{number}", shared=number % 3 == 0, owner=f"o{number % 4}",
                       parents=("20260101T000000-000000",) if number % 2 else ())
            change_state(run.path, {"status": states[number % 7], "started": 5.0, "finished": 7.25})
            index.refresh(run.path)
        before = index.rows()
        assert index.reindex() == 21
        assert index.rows() == before
        for ending in ("", "-wal", "-shm"):
            (home / (NAME + ending)).unlink(missing_ok=True)
        assert Index(home).rows() == before

    def test_a_failed_refresh_changes_nothing(self, home: Path, index: Index) -> None:
        run = make(home)
        index.refresh(run.path)

        def half(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM runs")
            raise sqlite3.OperationalError("database or disk is full")

        with pytest.raises(UserError):
            index.database.write(half)
        assert index.counts() == {"queued": 1}

    def test_sync_brings_directories_and_rows_together(self, home: Path, index: Index) -> None:
        kept, gone, changed = make(home), make(home), make(home)
        index.sync()
        assert index.counts() == {"queued": 3}
        new = make(home)
        change_state(changed.path, {"status": "failed"})
        gone.path.rename(home / "elsewhere")
        (home / "runs" / ".new-20260101T000000-abcdef").mkdir()
        (home / "runs" / "notes").mkdir()
        index.sync()
        assert sorted(index.find("ann")[0]) == sorted([kept.id, changed.id, new.id])
        assert index.counts() == {"queued": 2, "failed": 1}
        index.sync()

    def test_refreshing_a_directory_that_is_gone_drops_its_row(self, home: Path, index: Index) -> None:
        run = make(home)
        index.refresh(run.path)
        run.path.rename(home / "elsewhere")
        index.refresh(run.path)
        assert index.counts() == {}

    def test_a_damaged_directory_is_a_row_too(self, home: Path, index: Index) -> None:
        run = make(home)
        (run.path / "state.json").write_text("oops")
        (run.path / "request.json").write_text("oops")
        assert index.reindex() == 1
        assert index.counts() == {"lost": 1}

    def test_who_sees_what(self, home: Path, index: Index) -> None:
        mine, shared, other = make(home), make(home, owner="bob", shared=True), make(home, owner="bob")
        index.sync()
        assert set(index.find("ann")[0]) == {mine.id, shared.id}
        assert set(index.find("bob")[0]) == {shared.id, other.id}
        assert set(index.find("")[0]) == {shared.id}
        assert index.find("cli", everything=True)[1] == 3
        assert index.owner(other.id) == ("bob", False) and index.owner("none") is None

    @pytest.mark.parametrize(("asked", "found"), [
        ({}, {"a", "b", "c", "d"}), ({"status": "failed"}, {"b"}), ({"status": "active"}, {"a", "d"}),
        ({"status": "ended"}, {"b", "c"}), ({"status": "nonsense"}, set()),
        ({"task": "toys.count.v1"}, {"a", "b", "c"}), ({"task": "other"}, {"d"}), ({"task": "toys"}, {"a", "b", "c"}),
        ({"task": "toy"}, set()), ({"task": "to%"}, set()),
        ({"text": "HAPPY"}, {"a"}), ({"text": "  happy "}, {"a"}), ({"text": "100%"}, {"b"}), ({"text": "0%0"}, set()),
        ({"text": "睡眠"}, {"c"}), ({"text": "a_b"}, {"c"}), ({"text": "a\\b"}, set()), ({"text": "other.x"}, {"d"}),
        ({"text": "' OR 1=1 --"}, set()), ({"status": "' OR 1=1 --"}, set())])
    def test_filters(self, asked: dict[str, str], found: set[str], home: Path, index: Index) -> None:
        made = {"a": make(home, title="a happy day"), "b": make(home, fields={"note": "100% sure"}),
                "c": make(home, fields={"note": "睡眠 a_b"}), "d": make(home, "other.x.v1")}
        for name, status in {"b": "failed", "c": "succeeded", "d": "paused"}.items():
            change_state(made[name].path, {"status": status})
        index.sync()
        ids, count = index.find("ann", **asked)
        assert {name for name, run in made.items() if run.id in ids} == found and count == len(found)

    def test_pages_do_not_overlap_and_are_newest_first(self, home: Path, index: Index) -> None:
        made = [make(home) for _ in range(7)]
        for number, run in enumerate(made):
            change_state(run.path, {"created": 1000.0 + number})
        index.sync()
        pages = [index.find("ann", limit=3, offset=offset) for offset in (0, 3, 6, 9)]
        assert [count for _, count in pages] == [7] * 4
        assert [run_id for ids, _ in pages for run_id in ids] == [run.id for run in reversed(made)]

    def test_active_runs_of_one_owner_or_all(self, home: Path, index: Index) -> None:
        first, second, third = make(home), make(home, owner="bob"), make(home)
        change_state(third.path, {"status": "paused"})
        index.sync()
        assert index.active() == [first.id, second.id], "oldest first"
        assert index.active("bob") == [second.id]

    def test_a_very_long_request_is_indexed_in_part(self, home: Path, index: Index) -> None:
        make(home, fields={"note": "x" * 100_000 + "needle"}, title="hay")
        index.sync()
        assert index.find("ann", text="hay")[1] == 1 and index.find("ann", text="needle")[1] == 0


class TestReading:
    def test_reading_writes_nothing(self, home: Path) -> None:
        for _ in range(5):
            make(home)
        index = Index(home)
        index.sync()
        index.counts()
        before = {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in home.iterdir() if p.is_file()
                  and not p.name.endswith("-shm")}
        reader = Index(home)
        for _ in range(20):
            reader.counts(), reader.find("ann", text="x"), reader.active(), reader.notices(), reader.owner("x")
        after = {p.name: (p.stat().st_mtime_ns, p.stat().st_size) for p in home.iterdir() if p.is_file()
                 and not p.name.endswith("-shm")}
        assert after == before

    def test_a_reader_does_not_wait_for_a_writer(self, home: Path) -> None:
        make(home)
        index = Index(home)
        index.sync()
        with closing(sqlite3.connect(home / NAME, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM runs")
            began = time.monotonic()
            assert index.counts() == {"queued": 1}
            assert time.monotonic() - began < 0.5
            db.execute("ROLLBACK")

    def test_threads_may_share_one_index(self, home: Path) -> None:
        runs = [make(home) for _ in range(4)]
        index = Index(home)
        errors: list[BaseException] = []

        def work(run: Run) -> None:
            try:
                for number in range(20):
                    change_state(run.path, {"title": f"t{number}"}, durable=False)
                    index.refresh(run.path)
                    index.find("ann")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and {row["title"] for row in index.rows()} == {"t19"}

    def test_a_rebuild_by_another_process_is_waited_for(self, home: Path) -> None:
        index = Index(home)
        index.counts()
        database = Database(home, lambda db: None)

        def release() -> None:
            time.sleep(0.2)
            holder.__exit__(None, None, None)

        holder = locked(home / LOCK)
        holder.__enter__()
        thread = threading.Thread(target=release)
        thread.start()
        began = time.monotonic()
        database.write(lambda db: None)
        assert 0.1 < time.monotonic() - began < 5
        thread.join()


class TestSmallTables:
    def test_old_notices_are_not_shown(self, index: Index) -> None:
        for age, text in ((0.0, "new"), (90_000.0, "old")):
            index.database.write(lambda db, age=age, text=text: db.execute(
                "INSERT INTO notices (at, text) VALUES (?, ?)", (time.time() - age, text)))
        assert index.notices() == ["new"]

    def test_a_hash_is_remembered_until_the_file_changes(self, index: Index) -> None:
        path = Path("/some/file")
        assert index.hash_of(path, 10, 5) is None
        index.remember_hash(path, 10, 5, "aa")
        assert index.hash_of(path, 10, 5) == "aa"
        assert index.hash_of(path, 11, 5) is None and index.hash_of(path, 10, 6) is None
        index.remember_hash(path, 11, 6, "bb")
        assert index.hash_of(path, 11, 6) == "bb"


TAKER = """
import os, sys, time
from pathlib import Path
from workbench import process
from workbench.store import Index, Slots
home, name, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
slots, pid = Slots(Index(home)), os.getpid()
for number in range(8):
    run = f"{name}{number}"
    since = time.time()
    while not slots.take(run, "cpu", ("cpu:0",), 1, since=since, pid=pid, pid_started=process.started(pid)).slots:
        time.sleep(0.003)
    handle = os.open(out, os.O_CREAT | os.O_EXCL)
    time.sleep(0.002)
    os.close(handle)
    os.unlink(out)
    slots.release(run, pid)
"""


class TestSlots:
    NAMES = ("cpu:0", "cpu:1")

    @staticmethod
    def me() -> dict[str, float]:
        return {"pid": os.getpid(), "pid_started": process.started(os.getpid()) or 0.0}

    def ask(self, index: Index, run: str, since: float, count: int = 1, kind: str = "cpu") -> Turn:
        return Slots(index).take(run, kind, self.NAMES, count, since=since, **self.me())  # type: ignore[arg-type]

    def test_free_slots_are_taken_in_order(self, index: Index) -> None:
        assert self.ask(index, "a", 1).slots == ("cpu:0",)
        assert self.ask(index, "b", 2).slots == ("cpu:1",)
        assert self.ask(index, "c", 3) == Turn((), 2)
        assert Slots(index).held() == {"cpu:0": "a", "cpu:1": "b"}

    def test_asking_again_gives_the_same_slots(self, index: Index) -> None:
        assert self.ask(index, "a", 1) == self.ask(index, "a", 1) == Turn(("cpu:0",), 0)

    def test_first_come_first_served(self, index: Index) -> None:
        self.ask(index, "a", 1, count=2)
        assert self.ask(index, "late", 9).before == 1
        assert self.ask(index, "early", 5).before == 1
        assert self.ask(index, "late", 9).before == 2
        Slots(index).release("a", os.getpid())
        assert self.ask(index, "late", 9) == Turn((), 1), "somebody waited longer, though a slot is free"
        assert self.ask(index, "early", 5).slots == ("cpu:0",)
        assert self.ask(index, "late", 9).slots == ("cpu:1",)

    def test_all_or_none(self, index: Index) -> None:
        self.ask(index, "a", 1)
        assert self.ask(index, "both", 2, count=2) == Turn((), 1)
        assert Slots(index).held() == {"cpu:0": "a"}

    def test_one_kind_does_not_wait_for_another(self, index: Index) -> None:
        self.ask(index, "a", 1, count=2)
        self.ask(index, "b", 2)
        turn = Slots(index).take("g", "gpu", ("gpu:0",), 1, since=3, **self.me())  # type: ignore[arg-type]
        assert turn.slots == ("gpu:0",)

    def test_a_dead_holder_and_a_dead_waiter_do_not_count(self, index: Index) -> None:
        for run, since in (("dead", 1), ("waiting", 2)):
            Slots(index).take(run, "cpu", ("cpu:0",), 1, since=since, pid=os.getpid(), pid_started=-1.0)
        assert Slots(index).take("b", "cpu", ("cpu:0",), 1, since=3, **self.me()).slots == (  # type: ignore[arg-type]
            "cpu:0",)

    def test_release_leaves_the_next_attempt_alone(self, index: Index) -> None:
        self.ask(index, "a", 1)
        Slots(index).release("a", os.getpid() + 1)
        assert Slots(index).held() == {"cpu:0": "a"}
        Slots(index).release("a", os.getpid())
        assert Slots(index).held() == {}

    def test_waiting_does_not_write_again_and_again(self, index: Index) -> None:
        self.ask(index, "a", 1, count=2)
        self.ask(index, "b", 2)
        with closing(sqlite3.connect(index.home / NAME)) as db:
            before = db.execute("PRAGMA data_version").fetchone()[0]
            for _ in range(5):
                self.ask(index, "b", 2)
            assert db.execute("PRAGMA data_version").fetchone()[0] == before

    def test_many_processes_never_hold_one_slot_together(self, home: Path, tmp_path: Path) -> None:
        takers: list[subprocess.Popen[bytes]] = [
            subprocess.Popen([sys.executable, "-c", TAKER, str(home), name, str(tmp_path / "held")]) for name in "abc"]
        try:
            assert [taker.wait(60) for taker in takers] == [0, 0, 0], "O_EXCL fails where two hold it"
        finally:
            for taker in takers:
                taker.kill()

    def test_a_rebuilt_index_still_knows_who_holds_what(self, home: Path) -> None:
        run = make(home)
        change_state(run.path, {"status": "running", "slots": ["cpu:0"], **self.me()})
        overwrite(home / NAME)
        turn = Slots(Index(home)).take("b", "cpu", ("cpu:0",), 1, since=1, **self.me())  # type: ignore[arg-type]
        assert turn == Turn((), 1)

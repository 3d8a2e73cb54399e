"""Small files: atomic, strict JSON, and intact on a full disk."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workbench import files
from workbench.contract import UserError
from workbench.files import (
    Busy,
    Damaged,
    append_line,
    dumps,
    load_json,
    locked,
    read_json,
    read_lines,
    write_json,
    write_text,
)


@pytest.mark.parametrize("value", [
    {}, [], "text", 0, 1.5, None, True, {"a": [1, {"b": None}]}, "汉字 and é", "line\nbreak\u2028separator",
    "x" * 100_000])
def test_json_comes_back_as_written(value: object, tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", value)
    assert read_json(tmp_path / "f.json", "default") == value
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"], "no temporary file stays"


def test_not_a_number_becomes_null_because_json_has_none(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", {"a": math.nan, "b": [math.inf, -math.inf, 1.0], "c": (math.nan,)})
    text = (tmp_path / "f.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text) == {"a": None, "b": [None, None, 1.0], "c": [None]}


def test_half_a_character_does_not_break_the_file(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", {"text": "a\ud800b"})
    assert read_json(tmp_path / "f.json", None) == {"text": "a?b"}


@pytest.mark.parametrize(("content", "expected"), [
    (None, "default"), (b"", "default"), (b"{", "default"), (b"\xff\xfe", "default"), (b"[" * 100_000, "default"),
    (b"3", 3)])
def test_reading_what_is_missing_or_broken_gives_the_default(content: bytes | None, expected: object,
                                                            tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    if content is not None:
        path.write_bytes(content)
    assert read_json(path, "default") == expected


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{oops")
    with pytest.raises(Damaged, match=r"state\.json is not valid JSON \(.*line 1"):
        load_json(tmp_path / "state.json")
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "none.json")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(number: int, where: str, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.json"
    write_json(path, {"old": 1})

    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os if where == "fsync" else Path, where, full)
    with pytest.raises(UserError, match=r"The disk is full: f\.json could not be written") as caught:
        write_json(path, {"new": 2})
    monkeypatch.undo()
    assert files.is_full(caught.value.__cause__)
    assert read_json(path, None) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "nowhere" / "f", "x")
    with pytest.raises(FileNotFoundError):
        append_line(tmp_path / "nowhere" / "f", {})
    with pytest.raises(TypeError):
        write_json(tmp_path / "f", {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_rewrite_is_never_seen_half_done(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_json(path, {"n": 0, "pad": ""})
    stop = threading.Event()
    bad: list[object] = []

    def read() -> None:
        while not stop.is_set():
            try:
                load_json(path)
            except Exception as error:
                bad.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        write_json(path, {"n": number, "pad": "x" * (number * 97 % 5000)}, durable=False)
    stop.set()
    reader.join()
    assert not bad


def test_lines_are_appended_whole(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    values = [{"a": 1}, {"text": "two\nlines and \u2028"}, {"nan": math.nan}]
    for value in values:
        append_line(path, value)
    assert read_lines(path) == [{"a": 1}, {"text": "two\nlines and \u2028"}, {"nan": None}]


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    append_line(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"b": 2, "tor')
    append_line(path, {"c": 3})
    assert read_lines(path) == [{"a": 1}, {"c": 3}]


@pytest.mark.parametrize("junk", ["", "\n\n", "nonsense\n", "[1, 2]\n", "3\n", "null\n", "\x00\x00\n"])
def test_lines_that_are_no_table_are_left_out(junk: str, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(f'{{"a": 1}}\n{junk}{{"b": 2}}\n')
    assert read_lines(path) == [{"a": 1}, {"b": 2}]
    assert read_lines(tmp_path / "none.jsonl") == []


def test_appending_on_a_full_disk_says_so_and_leaves_no_half_line(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.jsonl"
    append_line(path, {"a": 1})
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data)[:5]))
    with pytest.raises(UserError, match="The disk is full"):
        append_line(path, {"long": "x" * 100})
    monkeypatch.undo()
    assert path.read_text() == '{"a": 1}\n'


def test_appends_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    code = ("import sys\nfrom pathlib import Path\nfrom workbench.files import append_line\n"
            "for i in range(200): append_line(Path(sys.argv[1]), {'who': sys.argv[2], 'i': i, 'pad': 'x' * 300})")
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), who]) for who in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    entries = read_lines(path)
    assert len(entries) == 600
    for who in "abc":
        assert [entry["i"] for entry in entries if entry["who"] == who] == list(range(200))


def test_dumps_keeps_text_readable() -> None:
    assert dumps({"名": "é"}) == '{"名": "é"}'


class TestLock:
    def test_one_holder_at_a_time(self, tmp_path: Path) -> None:
        with locked(tmp_path / "lock"), pytest.raises(Busy, match="locked by another process"), \
                locked(tmp_path / "lock", seconds=0):
            pass
        with locked(tmp_path / "lock", seconds=0):
            pass

    def test_readers_share_and_keep_a_writer_out(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with locked(path, shared=True), locked(path, shared=True, seconds=0), pytest.raises(Busy), \
                locked(path, seconds=0.02):
            pass

    def test_waiting_ends_when_the_holder_lets_go(self, tmp_path: Path) -> None:
        order: list[str] = []

        def second() -> None:
            with locked(tmp_path / "lock", seconds=5):
                order.append("second")

        with locked(tmp_path / "lock"):
            thread = threading.Thread(target=second)
            thread.start()
            time.sleep(0.05)
            order.append("first")
        thread.join()
        assert order == ["first", "second"]

    def test_a_killed_holder_frees_it(self, tmp_path: Path) -> None:
        code = ("import sys, time\nfrom pathlib import Path\nfrom workbench.files import locked\n"
                "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)")
        holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy), locked(tmp_path / "lock", seconds=0):
            pass
        holder.kill()
        holder.wait()
        with locked(tmp_path / "lock", seconds=1):
            pass

    def test_an_error_inside_frees_it(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
            _ = 1 / 0
        with locked(tmp_path / "lock", seconds=0):
            pass

"""Files and children of the hub: checksums, room, locks, manifests."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as fast
from hypothesis import strategies as st

from workbench import hub_files
from workbench.contract import Cancelled, UserError
from workbench.hub_files import disk_errors, locked, manifest, need_space, read_object, run_child, sha256_of
from workbench.settings import Settings
from workbench.store import Index


@fast(deadline=None, max_examples=30)
@given(st.binary(max_size=5000))
def test_the_checksum_is_that_of_the_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("sum") / "file"
    path.write_bytes(data)
    assert sha256_of(path) == hashlib.sha256(data).hexdigest()


def test_checking_a_large_file_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_files, "BLOCK", 1024)
    path = tmp_path / "large"
    path.write_bytes(bytes(1024 * 200))
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sha256_of(path, say)
    assert said == ["checking large"] * 2


@pytest.mark.parametrize(("number", "says"), [
    (errno.ENOSPC, "The disk is full"), (errno.EDQUOT, "The disk is full"), (errno.EACCES, "cannot be written"),
    (errno.EROFS, "cannot be written"), (errno.EPERM, "cannot be written"),
])
def test_disk_errors_become_sentences(tmp_path: Path, number: int, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught, disk_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in str(caught.value) and "WORKBENCH_" in str(caught.value)


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), disk_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "x")
    with pytest.raises(ValueError, match="y"), disk_errors(tmp_path):
        raise ValueError("y")


def test_room_on_the_disk(tmp_path: Path) -> None:
    need_space(tmp_path, 0, "Nothing")
    with pytest.raises(UserError, match=r"Everything needs 1000000000000 MB and .* MB free.*WORKBENCH_MODELS"):
        need_space(tmp_path, 10**12, "Everything")


def test_a_lock_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    order: list[str] = []
    waited: list[str] = []

    def second() -> None:
        with locked(tmp_path / "lock", waited.append):
            order.append("second")

    with locked(tmp_path / "lock", lambda _: None):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"] and set(waited) == {"another process is fetching it, waiting"}


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (f"import time; from pathlib import Path; from workbench.hub_files import locked\n"
            f"with locked(Path({str(tmp_path / 'lock')!r}), print): print('held', flush=True); time.sleep(60)")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    child.kill()
    child.wait()
    said: list[str] = []
    with locked(tmp_path / "lock", said.append):
        assert len(said) <= 1


def test_a_child_gives_its_code_its_words_and_its_variables() -> None:
    code = "import os, sys; print(os.environ['MARK']); print('then', file=sys.stderr); print(); sys.exit(4)"
    ended = run_child((sys.executable, "-c", code), lambda _: None, {"MARK": "here"})
    assert (ended.code, ended.lines, ended.last) == (4, ("here", "then"), "then")
    assert run_child((sys.executable, "-c", ""), lambda _: None).last == ""


def test_a_child_has_no_keyboard() -> None:
    ended = run_child((sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"), lambda _: None)
    assert ended.last == "''"


def test_progress_is_told_what_was_printed_so_far() -> None:
    seen: list[tuple[str, ...]] = []
    code = "import time\nfor i in range(3): print('line', i, flush=True); time.sleep(0.3)"
    run_child((sys.executable, "-c", code), lambda lines: seen.append(tuple(lines)))
    assert ("line 0",) in seen and seen[-1][-1] in ("line 1", "line 2")


@pytest.mark.parametrize(("text", "expected"), [
    ('{"a": 1}', {"a": 1}), ("[1]", {}), ("nonsense", {}), ("", {}), (None, {}),
])
def test_a_json_object_or_an_empty_one(tmp_path: Path, text: str | None, expected: dict[str, int]) -> None:
    if text is not None:
        (tmp_path / "f.json").write_text(text)
    assert read_object(tmp_path / "f.json") == expected


def test_a_manifest_lists_files_below_and_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_text("2")
    (tmp_path / "a").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = manifest(tmp_path)
    assert [Path(str(file["path"])).relative_to(tmp_path).as_posix() for file in found] == ["a", "b/two", "link"]
    assert found[0]["sha256"] == found[2]["sha256"] == hashlib.sha256(b"1").hexdigest()
    assert manifest(tmp_path / "a") == (found[0],)


def test_checksums_are_remembered_until_a_file_changes(tmp_path: Path, settings: Settings,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    index, read = Index(settings.home), []
    real = hub_files.sha256_of
    monkeypatch.setattr(hub_files, "sha256_of", lambda path, say=None: read.append(path) or real(path))
    first = manifest(file, index)
    assert manifest(file, index) == first and len(read) == 1
    file.write_text("two!")
    assert manifest(file, index) != first and len(read) == 2
    assert manifest(file) == manifest(file, Index(settings.home))

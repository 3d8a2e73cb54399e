"""Zip archives: what is taken out of them, what is refused, and that nothing of them stays behind."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import pytest

from backends.sweetiechat import exports
from backends.sweetiechat.importers import task, zipped
from backends.sweetiechat.importers.request import CorpusRequest
from backends.sweetiechat.objects import dialogue_from_json
from tests.backends import importer_cases as cases
from tests.backends.test_importers_exchange import BOTH
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.files import read_lines


def packed(tmp_path: Path, files: dict[str, str], name: str = "talks.zip") -> Path:
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def imported(tmp_path: Path, path: Path, **fields: object) -> tuple[MemoryContext, list]:
    context = MemoryContext(tmp_path / "run")
    task.run(CorpusRequest(source=f"path:{path}", **fields), context)
    return context, [dialogue_from_json(row) for row in read_lines(context.run / "artifacts" / "dialogues.jsonl")]


ONE = json.dumps([cases.ESCONV])


def test_our_own_convokit_archive_comes_back_exactly(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    path.write_bytes(exports.export(BOTH, "convokit"))
    context, found = imported(tmp_path, path)
    assert found == BOTH
    assert not (context.run / "unpacked").exists(), "what was unpacked is gone again"


def test_the_files_of_an_archive_are_read_one_after_the_other(home: Path, tmp_path: Path) -> None:
    path = packed(tmp_path, {"a/one.json": ONE, "a/two.json": json.dumps([cases.MULTIESC]), "README.md": "no data",
                             "__MACOSX/a/one.json": "x", "a/.hidden.json": "x", "b/": ""})
    _, found = imported(tmp_path, path)
    assert len(found) == 2 and {d.qc["source"]["file"] for d in found} == {"one.json", "two.json"}


def test_a_bad_file_of_an_archive_is_skipped_with_its_name(home: Path, tmp_path: Path) -> None:
    context, found = imported(tmp_path, packed(tmp_path, {"one.json": ONE, "two.json": "[1, 2]"}))
    assert len(found) == 1
    assert any(row["where"].startswith("two.json") for row in read_lines(context.run / "artifacts" / "skipped.jsonl"))


@pytest.mark.parametrize(("files", "said"), [
    ({"README.md": "x"}, "without a data file"), ({"a/one.json": ONE, "b/one.json": ONE}, "two files named one.json"),
    ({"one.json": "[]"}, "talks.zip cannot be read")])
def test_archives_that_will_not_do(home: Path, tmp_path: Path, files: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        imported(tmp_path, packed(tmp_path, files))
    assert not (tmp_path / "run" / "unpacked").exists()


@pytest.mark.parametrize("inner", ["../../evil.json", "/etc/evil.json", "a\\..\\..\\evil.json", "C:\\evil.json"])
def test_no_entry_leaves_the_folder(home: Path, tmp_path: Path, inner: str) -> None:
    folder = zipped.unpack(packed(tmp_path, {inner: ONE}), tmp_path / "deep" / "er" / "out", "x.zip")
    assert [path.name for path in folder.rglob("*")] == ["evil.json"]
    assert not list(tmp_path.glob("evil.json")) and not list((tmp_path / "deep").glob("evil.json"))


def test_a_link_in_an_archive_is_text_and_points_nowhere(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "l.zip"
    with zipfile.ZipFile(path, "w") as archive:
        item = zipfile.ZipInfo("link.json")
        item.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(item, "/etc/passwd")
    folder = zipped.unpack(path, tmp_path / "out", "l.zip")
    assert not (folder / "link.json").is_symlink() and (folder / "link.json").read_text() == "/etc/passwd"


def test_a_bomb_is_refused_before_a_byte_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_MB", 1)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", " " * (3 << 20))
    with pytest.raises(UserError, match=r"at most .* 1 MB"):
        zipped.unpack(path, tmp_path / "out", "bomb.zip")
    assert not (tmp_path / "out").exists()


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MOST_FILES", 2)
    with pytest.raises(UserError, match="holds 3 files"):
        zipped.unpack(packed(tmp_path, {f"{n}.json": "[]" for n in range(3)}), tmp_path / "out", "x.zip")


@pytest.mark.parametrize("damage", [lambda data: data[:40], lambda data: data[:-30], lambda data: b"PK\x03\x04"])
def test_a_broken_archive_says_so(tmp_path: Path, damage) -> None:
    path = packed(tmp_path, {"one.json": ONE})
    path.write_bytes(damage(path.read_bytes()))
    assert zipped.is_zip(path)
    with pytest.raises(UserError, match="cannot be unpacked"):
        zipped.unpack(path, tmp_path / "out", "x.zip")


def test_what_is_no_archive_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(ONE)
    assert not zipped.is_zip(path) and not zipped.is_zip(tmp_path)

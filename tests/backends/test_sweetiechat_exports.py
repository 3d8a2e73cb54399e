"""Every layout by name: what comes back from it, which dialogues may leave, and the same bytes every time."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import pytest

from backends.sweetiechat import exports
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.importers.zipped import unpack
from tests.backends.sweetie import make_dialogue
from tests.backends.test_importers_exchange import BOTH
from workbench.contract import UserError


def back(tmp_path: Path, name: str) -> list:
    path = tmp_path / exports.FORMATS[name][1]
    path.write_bytes(exports.export(BOTH, name))
    return list(import_dialogues(unpack(path, tmp_path / "out", path.name) if name == "convokit" else path).dialogues)


@pytest.mark.parametrize("name", exports.EXACT)
def test_two_layouts_are_exact(tmp_path: Path, name: str) -> None:
    assert back(tmp_path, name) == BOTH


@pytest.mark.parametrize("name", sorted(set(exports.FORMATS) - set(exports.EXACT)))
def test_the_others_keep_the_words_and_the_speakers(tmp_path: Path, name: str) -> None:
    if name == "esconv":  # one set of labels only
        assert [[t.text for t in d.turns] for d in back(tmp_path, name)][:1] == [[t.text for t in BOTH[0].turns]]
        return
    assert [[(t.role, t.text) for t in d.turns] for d in back(tmp_path, name)] == [
        [(t.role, t.text) for t in d.turns] for d in BOTH]


@pytest.mark.parametrize("name", sorted(exports.FORMATS))
def test_the_same_dialogues_give_the_same_bytes(name: str) -> None:
    assert exports.export(BOTH, name) == exports.export(BOTH, name)
    _, file, media = exports.FORMATS[name]
    assert "." in file and "/" in media and len({f for _, f, _ in exports.FORMATS.values()}) == len(exports.FORMATS)


def test_the_archive_of_convokit_has_the_librarys_five_files() -> None:
    with zipfile.ZipFile(io.BytesIO(exports.export(BOTH, "convokit"))) as archive:
        assert {name.removeprefix("corpus/") for name in archive.namelist()} == {
            "utterances.jsonl", "speakers.json", "conversations.json", "corpus.json", "index.json"}
        assert json.loads(archive.read("corpus/corpus.json"))["name"] == "sweetiechat"


def test_bad_exports() -> None:
    with pytest.raises(UserError, match="jsonl, esconv, chat, sharegpt, convokit, csv"):
        exports.export(BOTH, "pdf")
    with pytest.raises(UserError, match="no dialogue"):
        exports.export([], "csv")


def with_status(name: str, status: str, decision: str = "") -> object:
    qc = {"report": {"status": status}} if status else {}
    qc |= {"review": {"decision": decision}} if decision else {}
    return dataclasses.replace(make_dialogue("a", stop_reason="user"), id=name, qc=qc)


EVERY = [with_status("good", "accepted"), with_status("bad", "rejected"), with_status("waits", "quarantined"),
         with_status("let in", "quarantined", "accept"), with_status("kept out", "quarantined", "reject"),
         with_status("unjudged", "")]


@pytest.mark.parametrize(("which", "names"), [
    ("accepted", ["good", "let in", "unjudged"]), ("rejected", ["bad", "kept out"]),
    ("all", ["good", "bad", "let in", "kept out", "unjudged"])])
def test_what_waits_for_a_person_never_leaves(which: str, names: list[str]) -> None:
    leaving, waiting = exports.chosen(EVERY, which)
    assert [d.id for d in leaving] == names and waiting == 1


def test_another_choice_is_refused() -> None:
    with pytest.raises(UserError, match="accepted, rejected or all"):
        exports.chosen(EVERY, "quarantined")

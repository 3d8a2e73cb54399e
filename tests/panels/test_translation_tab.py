"""The Translation tab as a whole: which view shows a run, what views hand to one another, files, models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from panels import translation as tab
from panels import translation_files as files
from panels import translation_models as models
from panels.translation_desk import Handed, handed
from tests.panels.test_dialogue_wiring import ANN, BOB, Page, noting
from tests.panels.translation_runs import put_curve, put_training
from workbench import registry, text
from workbench import shell as page_shell
from workbench.contract import MissingResource, UserError
from workbench.hub import parse
from workbench.hub_local import locate


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests of this file."""
    with noting(tmp_path_factory.mktemp("translation")) as built:
        yield built


# --- the tab -------------------------------------------------------------------------------------------------------

def test_the_tab_is_registered_between_corpus_and_runs() -> None:
    assert registry.panels().index("panels.translation") == registry.panels().index("panels.corpus") + 1
    assert tab.PANEL.id == "translation" and tab.PANEL.order > 20


def test_every_task_of_translation_can_be_shown_in_it() -> None:
    tasks = [name for name in registry.tasks() if name.startswith(("sm2.", "common.compare", "common.translate"))]
    assert len(tasks) == 6
    assert [name for name in tasks if name.startswith(tab.PANEL.shows)] == tasks
    jobs = [name for name in tasks if registry.task(name).kind == "job"]
    for name in jobs:
        assert sum(name.startswith(begin) for view in tab.VIEWS.values() for begin in view) == 1, name


def test_every_handler_of_the_tab_is_private(page: Page) -> None:
    blocks = list(page.handlers("panels.translation"))
    assert len(blocks) > 15 and {block.api_visibility for block in blocks} == {"private"}


def test_what_a_person_does_goes_through_the_queue_where_refusals_are_shown(page: Page) -> None:
    for block in page.handlers("panels.translation_train"):
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload", "input"}:
            assert block.queue, f"{block.fn.__module__}.{block.fn.__name__} would fail in silence"


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_text_of_the_train_view_is_there(lang: str) -> None:
    keys = [key for key in text.catalogue("en") if key.startswith(("translation.", "translation_"))]
    assert len(keys) > 90 and not [key for key in keys if key not in text.catalogue(lang)]  # type: ignore[arg-type]


# --- notes between views -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", [Handed(), Handed("Ein Satz.", "practice"), Handed('"quoted" <b>', "run:x/model"),
                                   Handed("第一行\n第二行", "")])
def test_a_note_says_what_was_handed_over(value: Handed) -> None:
    assert handed(value.note()) == value


@pytest.mark.parametrize("note", ["", "null", "[]", "3", "not json", '{"text": 3}', '{"other": "x"}',
                                  '{"text": "a", "model": null}'])
def test_a_note_that_was_changed_by_hand_is_an_empty_one(note: str) -> None:
    assert handed(note) == Handed()


# --- files ---------------------------------------------------------------------------------------------------------

def test_a_file_is_kept_once_under_its_name_and_read_by_its_reference(shell: page_shell.PageShell,
                                                                      tmp_path: Path) -> None:
    given = tmp_path / "System A.txt"
    given.write_text("eins\nzwei\n", encoding="utf-8")
    reference = files.take_in(shell, given)
    sha = hashlib.sha256(given.read_bytes()).hexdigest()
    assert reference.endswith(f"/uploads/{sha}/System A.txt") and files.name_of(reference) == "System A.txt"
    kept = locate(parse(reference), shell.service.settings)
    assert kept.read_bytes() == given.read_bytes()
    assert files.take_in(shell, given) == reference
    assert [path.name for path in kept.parent.iterdir()] == ["System A.txt"], "no temporary file stays"


def test_the_same_bytes_under_two_names_stay_two_files(shell: page_shell.PageShell, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("the same\n")
    first, second = (files.take_in(shell, tmp_path / name) for name in ("a.txt", "b.txt"))
    assert first != second and first.rpartition("/")[0] == second.rpartition("/")[0]


def test_text_that_is_pasted_becomes_a_file(shell: page_shell.PageShell) -> None:
    reference = files.take_text(shell, "pasted.txt", "eins\nzwei")
    assert locate(parse(reference), shell.service.settings).read_text(encoding="utf-8") == "eins\nzwei"
    with pytest.raises(UserError, match="is empty"):
        files.take_text(shell, "pasted.txt", "  \n ")


def test_an_empty_file_is_refused(shell: page_shell.PageShell, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_bytes(b"")
    with pytest.raises(UserError, match=r"none\.txt is empty"):
        files.take_in(shell, tmp_path / "none.txt")


@pytest.mark.parametrize(("name", "kept"), [("a/b\\c.txt", "a_b_c.txt"), ("x\x00\n.tsv", "x__.tsv"), ("...", "file"),
                                            ("y" * 300 + ".jsonl", "y" * 114 + ".jsonl"), ("系统.txt", "系统.txt")])
def test_names_lose_what_no_file_name_has(name: str, kept: str) -> None:
    assert files.plain(name) == kept


def test_a_served_page_reads_what_was_brought_and_nothing_beside_it(shell: page_shell.PageShell,
                                                                    tmp_path: Path) -> None:
    """On an address that others can reach, path: is confined; files that people brought are readable by their name."""
    given = tmp_path / "a.txt"
    given.write_text("eins\n")
    reference = files.take_in(shell, given)
    open_to_all = replace(shell.service.settings, host="0.0.0.0")
    assert not open_to_all.loopback
    assert locate(parse(reference), open_to_all).is_file()
    uploads = Path(reference.removeprefix("path:")).parents[1]
    for other in (given, uploads, uploads.parent, Path(reference.removeprefix("path:")).parent,
                  uploads.parent / "settings.toml", Path(f"{uploads}/../runs/x/request.json")):
        with pytest.raises((UserError, MissingResource)):
            locate(parse(f"path:{other}"), open_to_all)


@pytest.mark.parametrize(("typed", "reference"), [("/data/a.txt", "path:/data/a.txt"), (" ~/a.txt ", "path:~/a.txt"),
                                                  ("run:x/y", "run:x/y"), ("path:/a", "path:/a"), ("", "")])
def test_a_path_that_is_typed_becomes_a_reference(typed: str, reference: str) -> None:
    assert files.as_reference(typed) == reference


def test_files_of_others_are_not_located(shell: page_shell.PageShell, tmp_path: Path) -> None:
    run = put_training(shell.service.settings)
    shell.service.index.sync()
    assert files.located(shell, ANN, f"run:{run.id}/model") == run.path / "artifacts" / "model"
    assert files.located(shell, BOB, f"run:{run.id}/model") is None
    assert files.located(shell, ANN, "run:nothing/model") is None
    assert files.located(shell, ANN, f"path:{tmp_path}/none") is None
    assert files.located(shell, ANN, "hub:org/name") is None


@pytest.mark.parametrize("note", ["", "not json", "[]", "3"])
def test_a_note_of_files_that_is_none_names_none(note: str) -> None:
    assert files.taken(note) == {}


# --- models --------------------------------------------------------------------------------------------------------

def test_translators_are_the_bundled_ones_and_those_one_may_read(shell: page_shell.PageShell) -> None:
    settings = shell.service.settings
    mine, theirs = put_training(settings), put_training(settings, "offline", owner=BOB, shared=True)
    put_training(settings, owner=BOB)
    put_training(settings, model=False)
    put_training(settings, status="failed")
    put_curve(settings)
    shell.service.index.sync()
    found = {one.reference: one for one in models.translators(shell, ANN, "en")}
    assert set(found) == {*models.bundled(), f"run:{mine.id}/model", f"run:{theirs.id}/model"}
    assert found[f"run:{mine.id}/model"].facts.ready and not found[f"run:{theirs.id}/model"].facts.ready
    assert "practice" in found["practice"].title and "a small model" in found[f"run:{mine.id}/model"].title
    assert "练习" in {one.reference: one for one in models.translators(shell, ANN, "zh-CN")}["practice"].title


def test_what_is_known_of_a_model_is_known_to_who_may_read_it(shell: page_shell.PageShell, tmp_path: Path) -> None:
    run = put_training(shell.service.settings, "multipath")
    shell.service.index.sync()
    told = models.facts_of(shell, ANN, f"run:{run.id}/model")
    assert told and told.objective == "multipath" and not told.ready
    assert models.facts_of(shell, BOB, f"run:{run.id}/model") is None
    practice = models.facts_of(shell, BOB, "practice")
    assert practice and practice.ready
    (tmp_path / "marian").mkdir()
    (tmp_path / "marian" / "config.json").write_text(json.dumps({"model_type": "marian"}))
    for reference in (f"path:{tmp_path}/marian", "hub:org/name", "nonsense", "", "bundled:none"):
        assert models.facts_of(shell, ANN, reference) is None

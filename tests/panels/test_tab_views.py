"""Which view of a tab shows a run, and how an address that names one opens it: for the tabs that share this."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import gradio as gr
import pytest

from panels import dialogue, speech, tab_views, translation
from panels.speech_desk import EVALUATE, GATE, RECOGNISE, STAGE1, TALK
from tests.panels.test_dialogue_panel import skipped
from tests.panels.test_dialogue_wiring import COOKIE, OTHER, Page, asking, noting
from tests.panels.translation_runs import put
from workbench.runs import Run
from workbench.shell import PageShell

SPEECH, TRANSLATION = (speech, "talk"), (translation, "compare")
SHOWN = [
    *((*SPEECH, task, view) for task, view in (
        (TALK, "talk"), (RECOGNISE, "set"), (STAGE1, "train"), (EVALUATE, "train"), (GATE, "train"),
        ("sm2.train.v1", "talk"))),
    *((*TRANSLATION, task, view) for task, view in (
        ("common.compare.v1", "compare"), ("common.translate.v1", "translate"), ("sm2.train.v1", "train"),
        ("sm2.curve.v1", "train"), ("sm2.states.v1", "compare"), ("sweetiechat.train.v1", "compare")))]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests of this file."""
    with noting(tmp_path_factory.mktemp("views")) as built:
        yield built


def made(shell: PageShell, task: str) -> Run:
    """A run of Ann's."""
    run = put(shell.service.settings, task, {}, None)
    shell.service.index.sync()
    return run


@pytest.mark.parametrize(("tab", "first", "task", "view"), SHOWN)
def test_a_run_is_shown_in_the_view_of_its_task(shell: PageShell, tab: ModuleType, first: str, task: str,
                                                view: str) -> None:
    run = made(shell, task)
    assert tab.opening(shell, run.id, asking(COOKIE)) == view
    assert tab.opening(shell, run.id, asking(OTHER)) == first, "somebody else's run is not shown"


@pytest.mark.parametrize(("tab", "first"), [SPEECH, TRANSLATION])
@pytest.mark.parametrize("run_id", ["", "20260101T000000-abcdef", "../../etc", "x" * 500])
def test_an_address_without_a_run_opens_the_first_view(shell: PageShell, tab: ModuleType, first: str,
                                                       run_id: str) -> None:
    assert tab.opening(shell, run_id, asking()) == first


def test_the_first_view_whose_tasks_begin_like_this_one_is_taken(shell: PageShell) -> None:
    views = {"none": (), "one": ["sm2.train.", "sm2.curve.v1"], "all": ("sm2.",)}
    for task, view in (("sm2.train.v1", "one"), ("sm2.curve.v1", "one"), ("sm2.states.v1", "all"),
                       ("common.compare.v1", "elsewhere")):
        assert tab_views.showing(shell, asking(), views, made(shell, task).id, "elsewhere") == view
    assert tab_views.showing(shell, asking(), {"any": ("",)}, "", "elsewhere") == "elsewhere", "no run, no task"
    assert tab_views.showing(shell, asking(), {}, made(shell, "sm2.train.v1").id, "elsewhere") == "elsewhere"


def test_the_dialogue_tab_names_the_run_along_with_its_view(shell: PageShell) -> None:
    run = made(shell, dialogue.VIEWS["train"][0])
    assert dialogue.opening(shell, run.id, asking()) == ("train", {"train": run.id})
    assert dialogue.opening(shell, run.id, asking(OTHER)) == ("watch", {"watch": run.id}), "the view says why not"


# --- on the page ---


def by_address(page: Page, tab: ModuleType, run_id: str) -> list:
    """What a tab itself (not one of its views) answers when the page is opened with a run."""
    block = page.find("tab_views", "opened", within=tab.PANEL.id)
    assert block.api_visibility == "private"
    found = block.fn(f"?tab={tab.PANEL.id}&run={run_id}" if run_id else "?", asking())
    assert len(found) == len(block.outputs) == 1 + len(tab.VIEWS)
    return found


@pytest.mark.parametrize(("tab", "first", "task", "view"), SHOWN)
def test_the_address_of_a_run_chooses_the_view_and_fills_its_note(page: Page, tab: ModuleType, first: str, task: str,
                                                                  view: str) -> None:
    run = put(page.service.settings, task, {}, None)
    page.service.index.sync()
    modes, *notes = by_address(page, tab, run.id)
    assert isinstance(modes, gr.Tabs) and modes.selected == view
    assert [note for note in notes if isinstance(note, str)] == [run.id]
    assert notes[list(tab.VIEWS).index(view)] == run.id


@pytest.mark.parametrize("tab", [speech, translation])
def test_opening_the_page_without_a_run_chooses_nothing(page: Page, tab: ModuleType) -> None:
    answers = by_address(page, tab, "")
    assert all(skipped(part) for part in answers), "somebody may have chosen a view and started a run already"

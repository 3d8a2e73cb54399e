"""The Speech tab as a whole: which view shows a run, and what views hand to one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from panels import speech as tab
from panels import speech_desk as desk
from tests.panels.test_dialogue_wiring import Page, noting
from workbench import registry, text


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests of this file."""
    with noting(tmp_path_factory.mktemp("speech")) as built:
        yield built


def test_the_tab_is_registered_between_translation_and_runs() -> None:
    order = registry.panels()
    assert order.index("panels.translation") < order.index("panels.speech") < order.index("panels.runs")
    assert tab.PANEL.id == "speech" and 30 < tab.PANEL.order < 90


def test_every_job_of_the_method_is_shown_in_one_view() -> None:
    jobs = [name for name, task in registry.tasks().items() if name.startswith("blsp_emo.") and task.kind == "job"]
    assert len(jobs) >= 6
    for name in jobs:
        assert name.startswith(tab.PANEL.shows)
        assert sum(name.startswith(begin) for view in tab.VIEWS.values() for begin in view) == 1, name


def test_names_of_tasks_are_those_of_the_method() -> None:
    known = registry.tasks()
    names = [value for name, value in vars(desk).items() if name.isupper() and isinstance(value, str)]
    assert len(names) == 8 and set(names) <= set(known)


def test_every_handler_of_the_tab_is_private(page: Page) -> None:
    blocks = list(page.handlers("panels.speech"))
    assert len(blocks) > 20 and {block.api_visibility for block in blocks} == {"private"}


def test_what_a_person_does_goes_through_the_queue_where_refusals_are_shown(page: Page) -> None:
    for block in page.handlers("panels.speech"):
        events = {event for _, event in block.targets}
        if hasattr(block.fn, "__wrapped__") and events & {"click", "select", "upload"}:
            assert block.queue, f"{block.fn.__module__}.{block.fn.__name__} would fail in silence"


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_text_of_the_tab_is_there(lang: str) -> None:
    keys = [key for key in text.catalogue("en") if key.startswith("speech")]
    assert len(keys) > 120 and not [key for key in keys if key not in text.catalogue(lang)]  # type: ignore[arg-type]
    for view in (*tab.VIEWS, "method"):
        assert text.known(f"speech.mode.{view}")


def test_the_method_is_read_in_the_tab() -> None:
    from panels.method_page import page as read

    assert read("blsp_emo", "en").startswith("# ") and read("blsp_emo", "zh-CN") != read("blsp_emo", "en")

"""Labels and duplicates in a real browser: keys label, undo and leaf; a text is scored and explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_measure_page import tab
from tests.pageserver import PageServer
from tests.panels.corpus_label_cases import corpus, put_run, records
from tests.panels.test_dialogue_wiring import COOKIE, Page
from workbench.service import Service
from workbench.settings import load_settings

RECORDS = 60


@pytest.fixture(scope="module")
def run_id(server: PageServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A filtering run of the visitor with :data:`COOKIE` in the server's home."""
    source: Path = corpus(tmp_path_factory.mktemp("source"), records=records(RECORDS), near_duplicates="mark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(server.home))
        holder: Any = type("Holder", (), {"service": Service(load_settings())})()
        page: Page = holder
        return put_run(page, source).id


@pytest.fixture
def page(sealed: Callable[..., Any], server: PageServer, run_id: str) -> Any:
    """The Corpus tab at that run."""
    one = sealed()
    one.context.add_cookies([{"name": "wb_visitor", "value": COOKIE, "url": server.url}])
    return one.open(f"{server.url}/?tab=corpus&run={run_id}")


def away(page: Any) -> None:
    """Put the focus on the page itself, as after a press beside everything."""
    page.evaluate("document.activeElement && document.activeElement.blur()")


def test_keys_label_put_off_and_take_back(page: Any) -> None:
    tab(page, "Label")
    page.wait_for_selector(".cl-card[data-place]:not([data-place=''])")
    first = page.get_attribute(".cl-card", "data-place")
    page.get_by_label("Your name").fill("Ann")
    page.keyboard.press("Enter")
    away(page)
    page.keyboard.press("1")
    page.wait_for_selector(f".cl-card:not([data-place='{first}'])")
    assert page.inner_text(".cl-track span").startswith("1 of")
    second = page.get_attribute(".cl-card", "data-place")
    page.keyboard.press("s")
    page.wait_for_selector(f".cl-card:not([data-place='{second}'])")
    page.keyboard.press("z")
    page.wait_for_selector(f".cl-card[data-place='{first}']")
    assert page.inner_text(".cl-track span").startswith("0 of")


def test_keys_typed_into_a_field_label_nothing(page: Any) -> None:
    tab(page, "Label")
    page.wait_for_selector(".cl-card[data-place]:not([data-place=''])")
    before = page.get_attribute(".cl-card", "data-place")
    page.get_by_label("Remark").click()
    page.keyboard.type("12us")
    page.wait_for_timeout(600)
    assert page.get_attribute(".cl-card", "data-place") == before
    assert page.locator(".toast-body").count() == 0


def test_clusters_are_leafed_and_decided_by_keys(page: Any) -> None:
    tab(page, "Duplicates")
    page.wait_for_selector(".cl-members")
    first = page.inner_text(".cl-members h3")
    away(page)
    page.keyboard.press("j")
    page.wait_for_function(f"document.querySelector('.cl-members h3').innerText !== '{first}'")
    page.keyboard.press("x")
    page.wait_for_selector(".cl-list em")
    assert "0 of" in page.inner_text(".cl-list em")
    page.keyboard.press("a")
    page.wait_for_selector(".cl-list em", state="detached")


def test_an_example_text_is_scored_and_another_score_explained(page: Any) -> None:
    tab(page, "Scorers")
    page.get_by_role("button", name="Score an example text").click()
    page.wait_for_selector(".cl-pushed mark")
    page.click(".cl-output[data-key='bundled:mdfg-zh-toxicity|score']")
    page.wait_for_selector(".cl-output[data-key='bundled:mdfg-zh-toxicity|score'][aria-pressed=true]")
    page.wait_for_function("document.querySelector('.cl-pushed .tr-note').innerText.includes('logit')")
    assert page.locator(".cl-parts li").count() > 3

"""Translate in a real browser: the practice example, several systems at once, a reload in the middle, the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.mt_systems_cases import ORDER, ORDER_RIGHT, tiny_marian
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer

LONG = 150_000
"""Milliseconds for what waits for models: on a machine that does much else, two processes load them for minutes."""


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_marian(tmp_path_factory.mktemp("models") / "tiny-marian")


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed]) -> Iterator[Callable[..., Any]]:
    """Open the Translate view as a new visitor."""
    def open_view(**options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=translation")
        page.locator("#tab-translation [role=tab][data-tab-id=translate]").click()
        page.wait_for_selector(".sy-text textarea")
        return page
    yield open_view


def ended(page: Any) -> Any:
    """The card of the bundled translator, when it is done; where there is a default model, that works beside it."""
    card = page.locator(".sy-head.sy-is-done", has_text="sm2-tatoeba-en")
    card.wait_for(timeout=LONG)
    return card


def add(page: Any, reference: str) -> None:
    """Type a system into the list."""
    field = page.locator(".sy-form").get_by_label("Systems", exact=True)
    field.click()
    field.fill(reference)
    field.press("Enter")
    page.locator(".sy-form .token", has_text=reference.rpartition("/")[2]).first.wait_for()
    page.keyboard.press("Escape")


def test_two_systems_one_that_fails_a_reload_and_a_comparison(visit: Callable[..., Any], marian: Path) -> None:
    page = visit()
    page.locator(".sy-text textarea").fill(f"{ORDER}\n\nthis is no order <b>language</b>")
    page.locator(".sy-form .token button, .sy-form .token .token-remove").first.click()
    for reference in ("practice", f"path:{marian}", "path:/no/such/model"):
        add(page, reference)
    page.get_by_role("button", name="Translate", exact=True).click()
    page.locator(".sy-head").nth(2).wait_for()
    page.wait_for_function("() => location.search.includes('run=')")
    page.reload()
    page.get_by_text(ORDER_RIGHT[0]).first.wait_for(timeout=LONG)
    page.locator(".sy-head", has_text="There is nothing at").wait_for(timeout=LONG)
    page.wait_for_function("() => document.querySelectorAll('.sy-head.sy-is-done').length === 2",
                           timeout=LONG)
    rows = page.locator(".sy-grid tbody tr")
    assert rows.count() == 4 and ORDER_RIGHT[1] in rows.nth(1).inner_text()
    assert "no word 'this'" in rows.nth(3).inner_text() and "<b>language</b>" in rows.nth(3).inner_text()
    assert "2 of 3 lines" in page.locator(".sy-head").first.inner_text()

    assert page.locator(".sy-text textarea").input_value().startswith(ORDER)  # the form has come back too
    assert page.locator(".sy-form .token").count() == 3

    page.get_by_role("button", name="Compare these").click()
    page.get_by_text("Scores need a reference translation").first.wait_for()
    page.get_by_label("Reference translation for the comparison").fill("\n".join([*ORDER_RIGHT, "", "none"]))
    page.get_by_role("button", name="Compare these").click()
    page.locator("button[role=tab][aria-selected=true]", has_text="Compare").first.wait_for()


def test_the_example_and_a_line_to_be_played(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name="Translate four practice sentences").click()
    ended(page)
    assert page.locator(".sy-grid tbody tr").count() == 4
    page.locator(".wb-badge:visible", has_text="sm2-tatoeba-en").first.wait_for()
    page.locator(".sy-play").nth(1).click()
    page.locator("button[role=tab][aria-selected=true]", has_text="Simultaneous").first.wait_for()


@pytest.mark.parametrize("options", [{"viewport": {"width": 420, "height": 860}, "color_scheme": "dark"},
                                     {"locale": "zh-CN"}])
def test_it_works_on_a_telephone_and_in_chinese(visit: Callable[..., Any], options: dict) -> None:
    chinese = options.get("locale") == "zh-CN"
    page = visit(**options)
    page.get_by_role("button", name="翻译四个练习句子" if chinese else "Translate four practice sentences").click()
    card = ended(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert ("完成" if chinese else "Done") in card.inner_text()

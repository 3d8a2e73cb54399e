"""A press in the first moments of a page is kept: the page's own first answers come later and must not undo it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Sealed
from tests.pageserver import PageServer


@pytest.mark.parametrize("tab", ["dialogue", "corpus", "translation"])
def test_an_example_pressed_at_once_stays_open(tab: str, server: PageServer, sealed: Callable[..., Sealed]) -> None:
    page = sealed().open(f"{server.url}/?tab={tab}")
    example = page.locator(f"#tab-{tab} .wb-example:visible")
    example.first.click()
    page.wait_for_function("(tab) => !document.querySelector(`#tab-${tab} .wb-example`)?.checkVisibility()", arg=tab)
    page.wait_for_timeout(2500)  # longer than the page's first answers take
    assert example.count() == 0

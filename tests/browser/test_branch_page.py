"""Fork a watched dialogue and compare the branches in a real browser, with a tiny random model: nonsense words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_dialogue_page import LOADED, begin, set_up, unload
from tests.pageserver import PageServer


@pytest.fixture(scope="module", autouse=True)
def _no_model_is_left(server: PageServer, tiny_lm: Path) -> Iterator[None]:
    yield
    unload(server.home, tiny_lm)


def test_one_turn_is_forked_and_both_courses_are_compared_and_sent(sealed: Callable[..., Any], server: PageServer,
                                                                   tiny_lm: Path) -> None:
    _, page = set_up(sealed, server, tiny_lm)
    run = begin(page, turns=4)
    page.wait_for_selector(".dt-scroll .dt-end", timeout=LOADED)
    used = page.locator(".dt-turns .dt-turn").nth(3).locator(".dt-tag").inner_text()
    wanted = "Information" if used != "Information" else "Question"
    page.locator(".dt-turns .dt-turn").nth(3).hover()
    page.locator(".dt-turns .dt-turn").nth(3).locator("[data-act=branch]").click()
    page.wait_for_selector(".dt-fork h3:has-text('turn 4')")
    form = page.locator(".dt-fork:visible").first
    form.get_by_label("Strategy").first.click()
    page.get_by_role("option", name=wanted, exact=True).click()
    form.get_by_role("button", name="Start the branch").click()
    page.wait_for_url(lambda address: "run=" in address and run not in address)
    forked = re.search(r"run=([\w-]+)", page.url)[1]
    page.wait_for_selector(f".dt-lineage >> text={wanted}", timeout=LOADED)
    page.wait_for_selector(".dt-scroll .dt-end", timeout=LOADED)
    assert page.locator(".dt-turns .dt-turn").count() == 4
    page.click(".dt-lineage a")
    page.wait_for_selector(".dt-branches .dt-end >> nth=1", timeout=LOADED)
    assert page.locator(".dt-shared .dt-turn").count() == 3 and page.locator(".dt-levels svg").count() == 1
    assert page.locator(".dt-branches .dt-rowof article").count() == 2
    assert page.locator(".dt-measures .dt-differs").count() >= 1
    page.set_viewport_size({"width": 420, "height": 800})
    left, right = (page.locator(".dt-branches article").nth(n).bounding_box() for n in (0, 1))
    assert left["x"] == right["x"] and left["y"] < right["y"], "a narrow page has one column"
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.get_by_role("button", name="Make the pairs").click()
    page.wait_for_selector(".dt-compare .wb-bar code", timeout=LOADED)
    pairs = page.inner_text(".dt-compare .wb-bar code")
    assert pairs not in (run, forked) and re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", pairs)

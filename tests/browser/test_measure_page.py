"""Scenarios and Measure in a real browser: the bundled pool is read, practice dialogues are measured and given away."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pageserver import PageServer

COUNTED = 90_000
"""Milliseconds for a job of a few seconds on a busy machine."""
WIDTHS = (1440, 420)


def tab(page: Any, name: str) -> None:
    """Open one of the views of the Dialogue tab; a narrow page keeps some of them behind its menu."""
    found = page.get_by_role("tab", name=name, exact=True)
    if found.count() and found.first.is_visible():
        found.first.click()
    else:
        page.locator(".overflow-menu button").last.click()
        page.locator(".overflow-dropdown button", has_text=name).first.click()


def no_wider_than_the_page(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_bundled_pool_is_a_tree_whose_types_can_be_read(sealed: Callable[..., Any], server: PageServer) -> None:
    page = sealed().open(f"{server.url}/?tab=dialogue")
    tab(page, "Scenarios")
    page.wait_for_selector(".pt-cat")
    assert page.locator(".pt-cat").count() == 5 and page.locator("button.pt-name").count() >= 24
    page.click("button.pt-name[data-key=sleep]")
    page.wait_for_selector(".sc-card")
    assert page.locator(".sc-card").count() == 3 and "Sleep problems" in page.inner_text(".sc h3")
    assert page.locator("li.pt-picked > button[data-key=sleep]").count() == 1
    assert not page.get_by_role("button", name="Use in Generate many").is_visible()


def test_the_pool_is_in_the_readers_language(sealed: Callable[..., Any], server: PageServer) -> None:
    page = sealed(locale="zh-CN").open(f"{server.url}/?tab=dialogue")
    tab(page, "情景")
    page.wait_for_selector(".pt-cat")
    assert "睡眠问题" in page.inner_text(".pt") and "点选" in page.inner_text(".sc")


@pytest.fixture
def measured(sealed: Callable[..., Any], server: PageServer) -> tuple[Any, str]:
    """A visitor who pressed the example; the page and the run id."""
    page = sealed().open(f"{server.url}/?tab=dialogue")
    tab(page, "Measure")
    page.get_by_role("button", name="Measure the practice dialogues").click()
    page.wait_for_selector(".ms-mix", timeout=COUNTED)
    page.wait_for_url(re.compile("run="))
    return page, re.search(r"run=([\w-]+)", page.url)[1]


def test_the_example_measures_the_practice_dialogues(measured: tuple[Any, str], server: PageServer) -> None:
    page, run = measured
    report = page.inner_text(".ms")
    for words in ("synthetic", "10 of 10 dialogues", "Distinct-2 as ESConv's code counts", "treebank",
                  "Jensen-Shannon divergence", "18,376 labels", "There is no gold strategy"):
        assert words in report, words
    assert page.locator(".hm tbody tr").count() == 8 and page.locator(".br-row").count() >= 8
    cookies = {"Cookie": "; ".join(f"{c['name']}={c['value']}" for c in page.context.cookies())}
    table = server.ask(f"/workbench/runs/{run}/figures.csv", headers=cookies)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.status == 200 and {"use", "words", "course"} <= {row["group"] for row in rows}
    whole = server.ask(f"/workbench/runs/{run}/measure.json", headers=cookies)
    assert json.loads(whole.body)["sources"][0]["reference"] == "practice"
    assert server.ask(f"/workbench/runs/{run}/figures.csv", headers=server.visitor()).status in (403, 404)


def test_a_reload_and_a_narrow_page_show_the_same_report(measured: tuple[Any, str]) -> None:
    page, _ = measured
    page.reload()
    page.wait_for_selector(".ms-mix", timeout=COUNTED)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(400)
        assert no_wider_than_the_page(page), width


def test_a_source_that_is_not_there_is_refused_in_words(sealed: Callable[..., Any], server: PageServer,
                                                        tmp_path: Path) -> None:
    page = sealed().open(f"{server.url}/?tab=dialogue")
    tab(page, "Measure")
    box = page.get_by_label("Measure", exact=False).locator("visible=true").first
    box.click()
    box.fill(f"path:{tmp_path / 'nothing.jsonl'}")
    box.press("Enter")
    page.get_by_role("button", name="Measure", exact=True).click()
    page.wait_for_selector(".dt-failed", timeout=COUNTED)
    assert "nothing.jsonl" in page.inner_text(".dt-failed:visible")

"""Train in a real browser: the practice translator, its curves, quality against latency, and where a model goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Sealed, choose_view
from tests.pageserver import PageServer

LONG = 120_000
"""Milliseconds for a training of 400 small steps on a busy machine."""


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed]) -> Iterator[Callable[..., Any]]:
    """Open the Train view as a new visitor."""
    def open_view(words: str = "Train", **options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=translation")
        page.wait_for_selector("#tab-translation .dt-modes, .dt-modes >> visible=true")
        choose_view(page, words)
        page.wait_for_selector(".tr-train:visible .tr-go")
        return page
    yield open_view


def begin(page: Any, steps: int = 60) -> None:
    """Fill in a very small training and start it."""
    view = page.locator(".tr-train:visible")
    if not view.get_by_label("Max steps", exact=True).first.is_visible():
        view.locator("button.label-wrap", has_text="Optimisation").click()
    for label, value in (("Pairs", 400), ("Width", 16), ("Inner", 32), ("Heads", 2), ("Layers", 1), ("Tokens", 256),
                         ("Max steps", steps)):
        view.get_by_label(label, exact=True).first.fill(str(value))
    view.get_by_role("button", name="Start training").click()


def test_the_practice_translator_from_training_to_the_curve(visit: Callable[..., Any]) -> None:
    page = visit()
    view = page.locator(".tr-train:visible")
    view.locator(".tl-estimate", has_text="20,000 pairs").wait_for()
    view.get_by_role("button", name="Train a small translator on the order language").click()
    view.locator(".wb-chart", has_text="mean confidence").wait_for(timeout=LONG)
    view.get_by_role("button", name="Watch it translate").wait_for(timeout=LONG)
    assert "run=" in page.url, "the run is in the address"
    table = view.locator(".tr-sheet .tr-grid").first
    assert table.locator("tbody tr").count() == 4 and "random prefix" in table.inner_text()
    assert "wb-badge" in view.locator(".tr-sheet .dt-made").inner_html()

    view.get_by_role("button", name="Measure quality against latency").click()
    view.get_by_text("Models to measure").wait_for()
    assert "Practice translator" in view.inner_text()
    view.get_by_label("Sentences", exact=True).first.fill("40")
    view.get_by_role("button", name="Measure", exact=True).click()
    view.locator("svg.tl-curve").wait_for(timeout=LONG)
    assert view.locator(".tl-point").count() == 8, "three thresholds, four k, the full sentence"
    assert "over the model's own wait-k" in view.inner_text()

    page.reload()
    page.locator("svg.tl-curve:visible").wait_for(timeout=LONG)
    assert page.locator(".tr-train:visible").get_by_text("40 sentences").count() == 1


def test_own_files_are_brought_and_bad_ones_refused(visit: Callable[..., Any], tmp_path: Path) -> None:
    for name, count in (("train.de", 300), ("train.en", 299)):
        (tmp_path / f"{name}.txt").write_text("".join(f"wort{n % 7} haus{n % 5}\n" for n in range(count)))
    page = visit()
    view = page.locator(".tr-train:visible")
    for button, name in (("Bring source files or tables", "train.de.txt"), ("Bring target files", "train.en.txt")):
        with page.expect_file_chooser() as chooser:
            view.get_by_role("button", name=button).click()
        chooser.value.set_files(str(tmp_path / name))
        view.get_by_text(name).first.wait_for()
    view.locator(".tl-estimate", has_text="300 pairs").wait_for()
    begin(page)
    view.locator(".wb-failure", has_text="has 300 lines").wait_for(timeout=LONG)
    assert "train.en.txt 299" in view.locator(".wb-failure").inner_text()
    assert view.get_by_role("button", name="Continue").is_visible()


def test_a_training_is_stopped_and_continued(visit: Callable[..., Any]) -> None:
    page = visit()
    begin(page, 100_000)
    view = page.locator(".tr-train:visible")
    view.locator(".wb-chart").first.wait_for(timeout=LONG)
    view.get_by_role("button", name="Stop", exact=True).click()
    view.get_by_role("button", name="Continue").wait_for(timeout=LONG)
    view.get_by_role("button", name="Continue").click()
    view.get_by_role("button", name="Stop", exact=True).wait_for(timeout=LONG)
    view.get_by_role("button", name="Stop", exact=True).click()
    view.get_by_role("button", name="Continue").wait_for(timeout=LONG)


@pytest.mark.parametrize(("options", "mode", "words"), [
    ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Train", "Start training"),
    ({"locale": "zh-CN"}, "训练", "开始训练")])
def test_narrow_dark_and_chinese(visit: Callable[..., Any], options: dict[str, Any], mode: str, words: str) -> None:
    page = visit(mode, **options)
    page.locator(".tr-train:visible").get_by_role("button", name=words).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_the_method_is_read_in_its_tab(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("#wb-tabs").get_by_role("tab", name="Method", exact=True).and_(page.locator(":visible")).last.click()
    for title in ("Comparing and running translation systems", "SM2: a translator that decides"):
        page.locator(".wb-method:visible h1", has_text=title).wait_for()

"""Train of the Speech tab in a real browser: the practice clips through stage 1 and 2, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Sealed, choose_view
from tests.pageserver import PageServer

LONG = 180_000
"""Milliseconds for a step with Whisper tiny.en on a busy machine."""


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed], whisper_tiny: Path) -> Iterator[Callable[..., Any]]:
    """Open the Train view as a new visitor."""
    def open_view(words: str = "Train", **options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=speech")
        page.wait_for_selector(".dt-modes >> visible=true")
        choose_view(page, words)
        page.wait_for_selector(".sn-train:visible .tr-go")
        page.wait_for_selector(".sn-chain:visible")
        return page
    yield open_view


def fill(page: Any, group: str, **values: str) -> None:
    """Write fields of the form; the group is unfolded first."""
    view = page.locator(".sn-train:visible")
    for label, value in values.items():
        field = view.get_by_label(label.replace("_", " "), exact=True).first
        if not field.is_visible():
            view.locator("button.label-wrap", has_text=group).click()
        field.fill(value)


def test_from_the_practice_clips_to_a_model_that_hears(visit: Callable[..., Any]) -> None:
    page = visit()
    steps = page.locator(".sn-chain:visible > li")
    assert steps.count() == 7
    assert "Needs step 4 first" in steps.nth(5).inner_text() and "done" in steps.nth(1).inner_text()
    view = page.locator(".sn-train:visible")
    view.get_by_role("button", name="Run stage 1 on the practice clips").click()
    view.locator(".wb-chart", has_text="loss, nats").wait_for(timeout=LONG)
    view.get_by_role("button", name="Talk to it").wait_for(timeout=LONG)
    assert "run=" in page.url, "the run is in the address"
    assert "KL " in steps.nth(3).inner_text() and "not one of them has changed" in view.inner_text()

    view.get_by_role("button", name="Next step").click()
    view.locator(".sn-form-title", has_text="6. Stage 2: emotion").wait_for()
    fill(page, "Optimisation", Max_steps="2", Batch="4")
    view.get_by_role("button", name="Start stage 2").click()
    view.locator("h3", has_text="Stage 2: BLSP-Emo").wait_for(timeout=LONG)
    view.get_by_role("button", name="Talk to it").wait_for(timeout=LONG)
    page.locator(".sn-chain:visible > li.sn-shown", has_text="Stage 2").wait_for()

    page.reload()
    page.locator(".sn-chain:visible > li.sn-shown", has_text="Stage 2").wait_for(timeout=LONG)
    assert page.locator(".sn-chain:visible > li.sn-is-done").count() == 3, "gate, stage 1, stage 2"
    page.locator(".sn-chain:visible > li").nth(3).get_by_role("button", name="Show").click()
    page.locator(".sn-chain:visible > li.sn-shown", has_text="Stage 1").wait_for()


def test_a_step_is_prepared_by_a_press_on_its_name(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator(".sn-chain:visible .sn-name", has_text="Answers by emotion").click()
    view = page.locator(".sn-train:visible")
    view.locator(".sn-form-title", has_text="5. Answers by emotion").wait_for()
    assert view.get_by_role("button", name="Bring a manifest").is_visible()
    page.locator(".sn-chain:visible").get_by_role("button", name="Go to step 4").click()
    view.locator(".sn-form-title", has_text="4. Stage 1: words").wait_for()


def test_a_manifest_with_bad_rows_is_refused_with_their_reasons(visit: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").write_text('{"audio": "nowhere.wav", "text": "Hello."}\n{"text": "No sound."}\n')
    page = visit()
    page.locator(".sn-chain:visible .sn-name", has_text="Answers to words").click()
    view = page.locator(".sn-train:visible")
    view.locator(".sn-form-title", has_text="3. Answers to words").wait_for()
    with page.expect_file_chooser() as chooser:
        view.get_by_role("button", name="Bring a manifest").click()
    chooser.value.set_files(str(tmp_path / "clips.jsonl"))
    page.wait_for_function("[...document.querySelectorAll('.sn-train input')].some((i) => i.value == 'clips.jsonl')")
    view.get_by_role("button", name="Write answers").click()
    view.locator(".wb-failure", has_text="no usable row").wait_for(timeout=LONG)
    assert "nowhere.wav" in view.locator(".wb-failure").inner_text()


@pytest.mark.parametrize(("options", "mode", "words"), [
    ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Train", "Start stage 1"),
    ({"locale": "zh-CN"}, "训练", "开始第 1 阶段")])
def test_narrow_dark_and_chinese(visit: Callable[..., Any], options: dict[str, Any], mode: str, words: str) -> None:
    page = visit(mode, **options)
    page.locator(".sn-train:visible").get_by_role("button", name=words).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert "speech.train" not in page.locator("body").inner_text()


def test_the_method_is_read_in_its_tab(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("#wb-tabs").get_by_role("tab", name="Method", exact=True).and_(page.locator(":visible")).last.click()
    page.locator(".wb-method:visible h1", has_text="a language model that hears").wait_for()

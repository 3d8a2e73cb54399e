"""Data set in a real browser: measure the practice clips, press the confusion, listen to an error, reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.recognise_cases import make_clips, rows_of, write_rows
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer

WORK = 240_000
"""Milliseconds for a child process that loads torch and a Whisper on a busy machine."""

DURATION = """a => new Promise(go => a.readyState >= 2 ? go(a.duration)
  : a.addEventListener('loadeddata', () => go(a.duration)))"""


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed], whisper_tiny: Path) -> Iterator[Callable[..., Any]]:
    """Open the Data set view as a new visitor."""

    def open_view(words: str = "Data set", **options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=speech")
        page.locator(".dt-modes").get_by_role("tab", name=words, exact=True).click()
        page.locator(".ss-intake").wait_for()
        return page

    yield open_view


def wide(page: Any) -> None:
    """Nothing sticks out of the page at the right."""
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_from_the_practice_clips_to_an_error_by_ear(visit: Callable[..., Any]) -> None:
    page = visit()
    assert "8 clips of 2 speakers" in page.locator(".ss-intake").inner_text()
    page.get_by_role("button", name="Measure the practice clips").click()
    page.locator(".ss-measure").nth(2).wait_for(timeout=WORK)
    assert page.locator(".ss-measure .ss-human").count() == page.locator(".ss-measure").count()
    assert "41.6 %" in page.locator(".ss-key").inner_text()
    assert "too few" in page.locator(".ss-remarks").inner_text()

    page.locator(".ss-kinds button", has_text="all").click()
    page.locator(".co-count", has_text="8 of 8 clips").wait_for()
    page.locator(".ss-confusion button").first.click()
    page.locator(".co-chip", has_text="→").wait_for()
    page.locator(".co-chip").click()
    page.locator(".co-chip").wait_for(state="detached")
    page.locator(".ss-kinds button", has_text="all").click()
    page.locator(".ss-clips .co-open").first.click()
    page.locator(".ss-reader audio").wait_for()
    assert 1.0 < page.locator(".ss-reader audio").evaluate(DURATION) < 2.5
    assert page.locator(".ss-reader .sw-mel img").evaluate("i => i.complete && i.naturalWidth > 50")
    assert page.locator(".ss-chances > div").count() == 5
    first = page.locator(".ss-reader h4").inner_text()
    page.keyboard.press("j")
    page.wait_for_function("was => document.querySelector('.ss-reader h4').innerText !== was", arg=first)
    page.locator(".sw-wave").click(position={"x": 120, "y": 20})
    page.wait_for_function("document.querySelector('.ss-reader audio').currentTime > 0")
    page.locator(".sw-wave .sw-now:not([hidden])").wait_for()

    opened = page.locator(".ss-reader h4").inner_text()
    page.reload()
    page.locator(".ss-reader h4", has_text=opened).wait_for()
    with page.expect_download() as table:
        page.locator(".wb-files a", has_text="clips.jsonl").click()
    assert len(rows_of(Path(table.value.path()))) == 8


def test_a_manifest_with_its_clips_is_brought_and_its_bad_rows_are_named(visit: Callable[..., Any],
                                                                         tmp_path: Path) -> None:
    manifest = make_clips(tmp_path, speakers=2, takes=1)
    write_rows(manifest, [*rows_of(manifest), {"audio": "gone.wav", "emotion": "sad", "speaker": "p0"}])
    page = visit()
    page.locator(".ss-view .mt-drop input[type=file]").set_input_files([str(path) for path in tmp_path.iterdir()])
    page.locator(".ss-faults", has_text="gone.wav").wait_for()
    assert "line 9:" in page.locator(".ss-faults").inner_text()
    page.get_by_role("button", name="Measure", exact=True).click()
    page.locator(".ss-measure").first.wait_for(timeout=WORK)
    assert "gone.wav" in page.locator(".ss-faults").last.inner_text()
    assert "8 clips of 2 speakers" in page.locator(".ss .wb-pairs").inner_text()


@pytest.mark.parametrize(("options", "view", "words"), [
    ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Data set", "Measure the practice clips"),
    ({"locale": "zh-CN"}, "数据集", "测量练习片段")])
def test_on_a_narrow_dark_screen_and_in_chinese(visit: Callable[..., Any], options: dict[str, Any], view: str,
                                                words: str) -> None:
    page = visit(view, **options)
    wide(page)
    page.get_by_role("button", name=words).click()
    page.locator(".ss-measure").nth(2).wait_for(timeout=WORK)
    page.locator(".ss-clips .co-open").first.click()
    page.locator(".ss-reader audio").wait_for()
    wide(page)

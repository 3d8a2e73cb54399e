"""The Dialogue tab in a real browser, with a tiny random model: real processes, real stream, nonsense words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pageserver import PageServer
from workbench import sessions
from workbench.settings import load_settings

LOADED = 90_000
"""Milliseconds until the model process has answered for the first time on a busy machine."""
ATTACK = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


def unload(home: Path, tiny: Path) -> None:
    """End the model's process of a home: it outlives the server on purpose."""
    sessions.unload(load_settings(environ={"WORKBENCH_HOME": str(home)}), f"path:{tiny}")


@pytest.fixture(scope="module", autouse=True)
def _no_model_is_left(server: PageServer, tiny_lm: Path) -> Iterator[None]:
    yield
    unload(server.home, tiny_lm)


def set_up(sealed: Callable[..., Any], server: PageServer, tiny: Path, **options: Any) -> tuple[Any, Any]:
    """A visitor with the set-up sheet open and the tiny model chosen."""
    one = sealed(**options)
    page = one.open(f"{server.url}/?tab=dialogue")
    page.wait_for_selector(".dt-problems [aria-pressed=true]")
    page.wait_for_selector(".dt-models b")
    box = page.locator(".dt-model input").first
    box.fill(f"path:{tiny}")
    box.press("Enter")
    page.wait_for_selector(f".dt-models >> text={tiny.name}")
    return one, page


def knob(page: Any, name: str, value: str) -> None:
    page.get_by_label(name, exact=False).first.fill(value)


def begin(page: Any, turns: int = 6) -> str:
    """Start a dialogue of so many turns; its run id."""
    page.get_by_role("button", name="Turns, decoding, scoring").first.click()
    knob(page, "Least turns", "2")
    knob(page, "Most turns", str(turns))
    knob(page, "Redraws", "0")
    page.keyboard.press("Tab")
    page.click(".dt-start")
    page.wait_for_url(re.compile("run="))
    return re.search(r"run=([\w-]+)", page.url)[1]


def turns(page: Any) -> int:
    return page.locator(".dt-turns .dt-turn").count()


def wait_turns(page: Any, count: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('.dt-turns .dt-turn').length >= {count}", timeout=LOADED)


def test_the_first_visit_offers_one_button_and_every_problem(sealed: Callable[..., Any], server: PageServer) -> None:
    page = sealed().open(server.url)
    page.wait_for_selector(".dt-problems button >> nth=29")
    assert page.locator(".dt-setup .wb-example:visible").count() == 1
    assert page.locator(".dt-group").count() == 5 and page.locator(".dt-cards button").count() == 3
    page.click(".dt-problems button:has-text('Jealousy')")
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(t => /partner/.test(t.value))")
    page.click(".dt-cards [data-key='jealousy-3']")
    page.wait_for_selector(".dt-cards button:nth-child(3)[aria-pressed=true]")


def test_chinese_says_why_smollm_is_missing_and_what_to_bring(sealed: Callable[..., Any], server: PageServer) -> None:
    page = sealed(locale="zh-CN").open(server.url)
    page.wait_for_selector(".dt-models b")
    page.get_by_role("radio", name="中文").first.check()
    page.wait_for_selector(".dt-models >> text=endpoint:http")
    assert "SmolLM2" in page.inner_text(".dt-models") and "Gemma" in page.inner_text(".dt-models")
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(t => /[\\u4e00-\\u9fff]/.test(t.value))")
    assert page.is_visible("button:has-text('我接受该许可')")


def test_a_dialogue_is_watched_live_left_and_found_again(sealed: Callable[..., Any], server: PageServer,
                                                         tiny_lm: Path) -> None:
    one, page = set_up(sealed, server, tiny_lm)
    run = begin(page, turns=8)
    page.wait_for_selector(".dt-live", timeout=LOADED)
    wait_turns(page, 2)
    assert page.locator(".dt-supporter .dt-bars").first.is_visible()
    assert page.locator(".dt-private >> text=hidden from the other two").first.is_visible()
    page.close()
    again = one.open(server.url)  # no run in the address: this visitor's own open dialogue comes back
    again.wait_for_selector(f"code:has-text('{run}')")
    wait_turns(again, 3)
    again.wait_for_selector(".dt-end", timeout=LOADED)
    assert turns(again) <= 8
    other = sealed().open(f"{server.url}/?tab=dialogue&run={run}")
    other.wait_for_selector("text=There is no run")
    assert other.locator(".dt-turn").count() == 0


def test_a_person_pauses_edits_speaks_chooses_and_stops(sealed: Callable[..., Any], server: PageServer,
                                                        tiny_lm: Path) -> None:
    _, page = set_up(sealed, server, tiny_lm)
    page.get_by_label("you", exact=True).check()
    page.locator(".dt-sheet-seeker").get_by_label("Seeker").check()
    begin(page, turns=12)
    page.wait_for_selector(".dt-phase:has-text('speak as the seeker')", timeout=LOADED)
    page.fill(".dt-say textarea", f"I feel low. {ATTACK}")
    page.click(".dt-say button")
    wait_turns(page, 1)
    assert ATTACK in page.inner_text(".dt-seeker .dt-text >> nth=0")
    page.wait_for_selector(".dt-strategies button >> nth=7", timeout=LOADED)
    page.click(".dt-strategies button:has-text('Reflection')")
    wait_turns(page, 2)
    assert "Reflection" in page.inner_text(".dt-supporter .dt-tag >> nth=0")
    page.wait_for_selector(".dt-phase:has-text('speak as the seeker')", timeout=LOADED)
    page.hover(".dt-supporter .dt-text")
    page.click(".dt-supporter [data-act=edit]")
    page.fill(".dt-desk textarea", "You sound worn out.")
    page.click(".dt-desk button:has-text('Save')")
    page.wait_for_selector(".dt-supporter .dt-text:has-text('You sound worn out.')", timeout=LOADED)
    page.wait_for_selector(".dt-edited")
    page.click(".dt-controls button:has-text('Stop')")
    page.wait_for_selector(".dt-end:has-text('Stopped by you')", timeout=LOADED)
    assert page.title() not in ("1", "2")


def test_the_prompts_of_a_turn_show_the_barrier(sealed: Callable[..., Any], server: PageServer, tiny_lm: Path) -> None:
    _, page = set_up(sealed, server, tiny_lm)
    begin(page, turns=2)
    page.wait_for_selector(".dt-end", timeout=LOADED)
    page.hover(".dt-supporter .dt-text")
    page.click(".dt-supporter [data-act=views]")
    page.wait_for_selector(".dt-views .dt-columns section >> nth=2")
    row = page.locator(".dt-barrier tr", has_text="Hidden facts")
    assert row.locator("td.dt-on").count() <= 1 and row.locator("td.dt-supporter.dt-on").count() == 0
    assert page.locator(".dt-views >> text=hash checked").count() >= 2


def test_many_are_generated_browsed_and_exported(sealed: Callable[..., Any], server: PageServer, tiny_lm: Path) -> None:
    page = sealed().open(f"{server.url}/?tab=dialogue")
    page.get_by_role("tab", name="Generate many").click()
    form = page.locator(".dt-many-form")
    form.get_by_label("How many").fill("3")
    form.get_by_label("At a time").fill("3")
    form.get_by_label("Model", exact=False).first.fill(f"path:{tiny_lm}")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Turns, decoding, scoring").click()
    form.get_by_label("Least turns").fill("2")
    form.get_by_label("Most turns").fill("2")
    form.get_by_label("Redraws").fill("0")
    page.keyboard.press("Tab")
    form.get_by_role("button", name="Generate").click()
    page.wait_for_selector(".dt-many-work .dt-phase:has-text('Done')", timeout=LOADED)
    assert "3 / 3" in page.inner_text(".dt-many-work .dt-figures")
    page.get_by_role("button", name="Read them in the library").click()
    page.wait_for_selector(".dt-library tbody tr >> nth=2")
    page.click(".dt-open >> nth=0")
    page.wait_for_selector(".dt-end:visible")
    page.click(".dt-tick >> nth=1")
    page.wait_for_selector(".dt-tick[aria-checked=true]")
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as got:
        page.click("a[download]:has-text('KB'), a[download]")
    assert len(json.loads(f"[{got.value.path().read_text(encoding='utf-8').strip()}]")) == 1


@pytest.mark.parametrize("width", [1440, 420])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_is_wider_than_the_screen(sealed: Callable[..., Any], server: PageServer, width: int,
                                          locale: str) -> None:
    page = sealed(locale=locale, viewport={"width": width, "height": 900}).open(server.url)
    page.wait_for_selector(".dt-problems button")
    for number in range(3):
        page.locator(".dt-modes [role=tab]").nth(number).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "⟦" not in page.inner_text("body") and "dialogue." not in page.inner_text("body")


def test_the_server_is_killed_in_the_middle_and_the_same_dialogue_goes_on(sealed: Callable[..., Any], tiny_lm: Path,
                                                                         tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    own = PageServer(tmp_path / "home").start()
    try:
        _, page = set_up(sealed, own, tiny_lm)
        page.get_by_label("you", exact=True).check()
        run = begin(page, turns=20)
        page.wait_for_selector(".dt-strategies button >> nth=7", timeout=LOADED)
        first = page.inner_text(".dt-seeker .dt-text >> nth=0")
        page.evaluate("window.before = true")
        own.kill()
        page.wait_for_selector(".wb-lost:visible")
        own.start()
        page.wait_for_function("!window.before", timeout=LOADED)  # the page has come back by itself
        page.wait_for_selector(f"code:has-text('{run}')", timeout=LOADED)
        page.wait_for_selector(".dt-strategies button >> nth=7", timeout=LOADED)
        assert page.inner_text(".dt-seeker .dt-text >> nth=0") == first
        page.click(".dt-strategies button >> nth=1")
        wait_turns(page, 2)
    finally:
        own.stop()
        unload(own.home, tiny_lm)


def test_on_a_narrow_screen_the_transcript_comes_before_the_case_file(sealed: Callable[..., Any], server: PageServer,
                                                                      tiny_lm: Path) -> None:
    _, page = set_up(sealed, server, tiny_lm, viewport={"width": 420, "height": 900})
    begin(page, turns=2)
    page.wait_for_selector(".dt-end", timeout=LOADED)
    assert page.locator(".dt-turns").bounding_box()["y"] < page.locator(".dt-case").bounding_box()["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    note, words = page.locator(".dt-note").first.bounding_box(), page.locator(".dt-text").first.bounding_box()
    assert note["y"] >= words["y"] + words["height"]


def test_the_terms_of_a_ranking_stay_open_while_the_dialogue_goes_on(sealed: Callable[..., Any], server: PageServer,
                                                                     tiny_lm: Path) -> None:
    _, page = set_up(sealed, server, tiny_lm)
    begin(page, turns=16)
    wait_turns(page, 2)
    page.click(".dt-supporter .dt-more >> nth=0")
    page.wait_for_selector(".dt-terms:visible")
    wait_turns(page, turns(page) + 2)
    assert page.locator(".dt-terms").first.is_visible()

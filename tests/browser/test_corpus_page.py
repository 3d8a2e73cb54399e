"""The Corpus tab in a real browser: the sample is opened, limits are moved, charts brushed, a document read, recipes
compared, documents taken away; by mouse and by keyboard, wide and narrow, light and dark, in both languages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser.conftest import FAILED, Sealed
from tests.browser.test_measure_page import no_wider_than_the_page
from tests.pageserver import PageServer
from workbench.text import say

MADE = 120_000
"""Milliseconds for the sample's run with three scorers on a busy machine."""
GALLERY = os.environ.get("WORKBENCH_PICTURES", "")


def tab(page: Any, name: str) -> None:
    """Open one of the views; a narrow page keeps some of them behind its menu."""
    found = page.get_by_role("tab", name=name, exact=True)
    if found.count() and found.first.is_visible():
        found.first.click()
    else:
        page.locator(".overflow-menu button >> visible=true").last.click()
        page.locator(".overflow-dropdown button", has_text=name).first.click()


def count(page: Any) -> str:
    """The sentence of the count: shown, total, filter."""
    return str(page.inner_text(".co-count"))


def shown(page: Any) -> int:
    found = re.search(r"([\d,]+)(?: of [\d,]+)? documents", count(page))
    assert found, count(page)
    return int(found[1].replace(",", ""))


def changed(page: Any, before: str) -> None:
    """Wait until the count is another one."""
    page.wait_for_function("(before) => document.querySelector('.co-count')?.innerText !== before", arg=before)


def drag(page: Any, column: str, begin: float, end: float) -> None:
    """Drag over a part of a histogram."""
    plot = page.locator(f"[data-brush={column}]")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + (begin + end) / 2 * box["width"], box["y"] + 22)
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 24)
    page.mouse.up()


def unfold(page: Any) -> None:
    """Open the part for taking away, which stays as it was left."""
    if not page.get_by_role("button", name="Export the shown documents").is_visible():
        page.get_by_role("button", name="Take away").click()


def picture(page: Any, name: str) -> None:
    """Keep a picture of the whole page where the environment names a folder for them."""
    if GALLERY:
        Path(GALLERY).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(GALLERY) / f"corpus-{name}.png", full_page=True)


@pytest.fixture(scope="module")
def visitor(browser: Any, server: PageServer) -> Iterator[Any]:
    """A visitor who pressed the one button of the empty view, and keeps the page open."""
    one = Sealed(browser)
    page = one.open(f"{server.url}/?tab=corpus")
    tab(page, "Inspect")
    page.locator("button.wb-example >> visible=true").click()
    page.wait_for_selector(".co-funnel", timeout=MADE)
    page.wait_for_selector(".co-hist")
    page.wait_for_url(re.compile("run="))
    yield page
    assert not one.errors and not one.outside
    one.context.close()


@pytest.fixture
def page(visitor: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The visitor's page, wide, with an empty filter in Inspect: loading it anew for each test would take minutes."""
    visitor.set_viewport_size({"width": 1440, "height": 900})
    tab(visitor, "Inspect")
    visitor.wait_for_selector(".co-count:visible")
    if visitor.locator(".co-chips").count():
        visitor.click(".co-chips [data-act=clear]")
        visitor.wait_for_selector(".co-chips", state="detached")
    if visitor.get_attribute("[data-focus='show.all']", "aria-pressed") != "true":
        visitor.click("[data-focus='show.all']")
    visitor.wait_for_function("document.querySelector('.co-count').innerText.startsWith('all ')")
    yield visitor
    if request.node.stash.get(FAILED, False):
        print(visitor.url, visitor.locator(".co-chips, .co-rules p[role=status]").all_inner_texts(),
              visitor.evaluate("document.activeElement?.outerHTML?.slice(0, 200)"))


def run_of(page: Any) -> str:
    found = re.search(r"run=([\w-]+)", page.url)
    assert found, page.url
    return found[1]


def test_the_sample_is_seen_with_its_rules_charts_and_rows(page: Any) -> None:
    assert shown(page) >= 300 and re.search(r"all [\d,]+ documents · filter [0-9a-f]{8}", count(page))
    assert page.locator(".co-step:not(.co-step-head)").count() == page.locator("input[type=range]").count() == 6
    assert page.locator(".co-hist").count() >= 8 and page.locator(".co-grid").count() == 1
    assert page.locator(".co-table tbody tr").count() == 50 and page.locator(".co-bar").count() > 10
    assert "synthetic" in page.inner_text(".co-facts")
    texts = page.evaluate("[...document.querySelectorAll('.co-open')].map(b => b.innerText.length)")
    assert max(texts) < 120
    picture(page, "light")


def test_numbers_chips_and_verdicts_narrow_and_widen(page: Any) -> None:
    whole = count(page)
    dropped = page.locator("[data-focus='first.script']").inner_text()
    page.click("[data-focus='first.script']")
    changed(page, whole)
    assert shown(page) == int(dropped) and "fails first: script" in page.inner_text(".co-chips")
    page.click(".co-chip")
    page.wait_for_function("(all) => document.querySelector('.co-count').innerText === all", arg=whole)
    page.click("[data-focus='show.kept']")
    changed(page, whole)
    assert page.locator(".co-tag.co-bad").count() == 0


def test_a_limit_is_moved_by_keyboard_and_nothing_is_run(page: Any) -> None:
    before = page.inner_text(".co-rules p[role=status] >> nth=0")
    page.focus("[data-focus=slide0]")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(b) => document.querySelector('.co-rules p[role=status]').innerText !== b", arg=before)
    assert page.evaluate("document.activeElement.dataset.focus") == "slide0"
    assert "Limits moved: 1" in page.inner_text(".co-rules") and "length: limit" in page.inner_text(".co-chips")
    once = page.input_value("[data-focus=number0]")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("""(b) => {
      const n = document.querySelector('[data-focus=number0]').value;
      const [chips, address] = [document.querySelector('.co-chips').innerText, decodeURIComponent(location.search)];
      return n !== b && chips.includes(`limit ${n}`) && decodeURIComponent(address).includes(`0~${n}`);
    }""", arg=once)
    page.click("text=Put all limits back")
    page.wait_for_function("(b) => document.querySelector('.co-rules p[role=status]').innerText === b", arg=before)
    assert "none running" in page.inner_text("#wb-strip")


def test_a_number_is_typed_as_a_limit(page: Any) -> None:
    whole = page.inner_text(".co-rules p[role=status] >> nth=0")
    page.fill("[data-focus=number0]", "2000000")
    page.press("[data-focus=number0]", "Enter")
    page.wait_for_function("(b) => document.querySelector('.co-rules p[role=status]').innerText !== b", arg=whole)
    assert page.inner_text(".co-rules p[role=status] >> nth=0").startswith("0 of")


def test_brushing_one_chart_changes_the_others_and_stays_in_the_address(page: Any) -> None:
    whole, bars = count(page), page.inner_text(".co-bars >> nth=0")
    drag(page, "quality", 0.5, 0.95)
    changed(page, whole)
    assert page.inner_text(".co-bars >> nth=0") != bars and "quality" in page.inner_text(".co-chips")
    assert page.locator("[data-brush=quality] .co-shade:visible").count() == 1
    page.wait_for_function("location.search.includes('quality')")
    held = count(page)
    picture(page, "brushed")
    page.reload()
    page.wait_for_selector(".co-funnel")
    page.wait_for_function("(held) => document.querySelector('.co-count')?.innerText === held", arg=held)
    page.click(".co-heat-row button >> nth=0")
    changed(page, held)
    assert "toxicity" in page.inner_text(".co-chips")


def test_a_dropped_document_is_read_with_its_evidence(page: Any) -> None:
    page.click("[data-focus='first.sensitive']")
    page.wait_for_selector(".co-chip")
    page.click(".co-open >> nth=0")
    page.wait_for_selector(".co-text mark.co-m-sensitive")
    assert "dropped by listed words" in page.inner_text(".co-read-head")
    first = page.inner_text(".co-is-first")
    assert "fails first" in first and "listed words" in first and "0.5" in first
    assert "Listed words:" in page.inner_text(".co-reader")
    title = page.inner_text(".co-read-head h4")
    page.keyboard.press("j")
    page.wait_for_function("(t) => document.querySelector('.co-read-head h4').innerText !== t", arg=title)
    page.keyboard.press("k")
    page.wait_for_function("(t) => document.querySelector('.co-read-head h4').innerText === t", arg=title)
    picture(page, "reader")


def test_quick_presses_all_hold(page: Any) -> None:
    """Presses of three panes and a search within one moment: none undoes another, and the bar is of what is listed."""
    page.get_by_label("Search", exact=True).first.fill("的")
    page.evaluate("""() => {
      for (const focus of ['show.dropped', 'first.script']) document.querySelector(`[data-focus='${focus}']`).click();
      document.querySelector('.co-open').click();
      document.querySelector('.co-go').closest('button, .co-go').click();
    }""")
    page.wait_for_selector(".co-read-head")
    page.wait_for_function("document.querySelector('.co-chips')?.innerText.includes('words: 的')")
    said = page.inner_text(".co-chips")
    assert "fails first: script" in said
    assert page.get_attribute("[data-focus='show.dropped']", "aria-pressed") == "true"
    assert page.locator(".co-table tbody tr").count() == min(50, shown(page))


def test_the_search_box_shows_the_search_that_holds(page: Any) -> None:
    """Words stay while other parts of the filter change; they go with the search, and come with an address."""
    box = page.get_by_label("Search", exact=True).first
    box.fill("赌场")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.co-chips')?.innerText.includes('words: 赌场')")
    page.click("[data-focus='show.dropped']")
    page.wait_for_selector("[data-focus='show.dropped'][aria-pressed=true]")
    assert box.input_value() == "赌场"
    page.wait_for_function("decodeURIComponent(decodeURIComponent(location.search)).includes('赌场')")
    page.reload()
    page.wait_for_selector(".co-chips")
    page.wait_for_function("[...document.querySelectorAll('textarea, input')].some((f) => f.value === '赌场')")
    page.click(".co-chips [data-act=clear]")
    page.wait_for_selector(".co-chips", state="detached")
    assert box.input_value() == ""


def test_keys_do_not_disturb_who_is_typing(page: Any) -> None:
    box = page.get_by_label("Search", exact=True).first
    read = page.inner_text(".co-reader")
    box.click()
    page.keyboard.type("jjkk")
    page.wait_for_timeout(600)
    assert box.input_value() == "jjkk" and page.inner_text(".co-reader") == read


def test_words_are_found_without_word_boundaries(page: Any) -> None:
    whole = count(page)
    page.get_by_label("Search", exact=True).first.fill("赌场")
    page.keyboard.press("Enter")
    changed(page, whole)
    assert 0 < shown(page) < 60 and "words: 赌场" in page.inner_text(".co-chips")
    assert page.locator(".co-open mark", has_text="赌场").count() > 0
    page.click(".co-open >> nth=0")
    page.wait_for_selector(".co-text mark.co-m-search")


def test_two_recipes_are_compared(page: Any) -> None:
    whole = page.inner_text(".co-rules p[role=status] >> nth=0")
    page.fill("[data-focus=number0]", "400")
    page.press("[data-focus=number0]", "Enter")
    page.wait_for_function("(b) => document.querySelector('.co-rules p[role=status]').innerText !== b", arg=whole)
    unfold(page)
    page.get_by_role("button", name="Compare with the recipe").click()
    page.wait_for_selector(".cc-sides >> visible=true")
    page.wait_for_selector("[role=tabpanel] .co-open >> visible=true")
    page.wait_for_function("[...document.querySelectorAll('.cc-b input')].some((f) => f.value === '400')")
    page.wait_for_function("[...document.querySelectorAll('.cc-a input')].some((f) => f.value === '200')")
    picture(page, "compare")
    page.locator(".co-open >> visible=true").first.click()
    page.wait_for_selector(".co-read-head >> visible=true")


def test_documents_and_recipe_are_taken_away(page: Any) -> None:
    whole = count(page)
    page.click("[data-focus='show.dropped']")
    changed(page, whole)
    n = shown(page)
    unfold(page)
    page.get_by_role("button", name="Export the shown documents").click()
    link = page.locator("a[download]:visible, .file-preview a:visible").first
    link.wait_for()
    with page.expect_download() as waiting:
        link.click()
    lines = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == n and all(json.loads(line)["rules_failed"] for line in lines)
    page.get_by_role("button", name="Save the limits as a recipe").click()
    page.wait_for_selector("textarea:visible")
    yaml = page.input_value(".cf-yaml textarea >> visible=true")
    assert "rules:" in yaml and re.search(r"hash: '?[0-9a-f]{16}", yaml)


def test_the_page_is_as_narrow_as_a_telephone(page: Any) -> None:
    page.click(".co-open >> nth=2")
    page.wait_for_selector(".co-text")
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(500)
    assert no_wider_than_the_page(page)
    picture(page, "en-light-420")


def test_it_speaks_chinese_in_the_dark_wide_and_narrow(sealed: Callable[..., Any], visitor: Any,
                                                       server: PageServer) -> None:
    """An address with a filter and a document opens both, in another language; a strange part of it is told."""
    own = visitor.context.storage_state()
    run = run_of(visitor)
    state = quote(f"of={run}&first=sensitive&doc=3")
    page = sealed(storage_state=own, locale="zh-CN", color_scheme="dark").open(
        f"{server.url}/?tab=corpus&run={run}&s={state}")
    page.wait_for_selector(".co-funnel")
    page.wait_for_selector(".co-text")
    assert "规则（按顺序）" in page.inner_text(".co-rules") and "首次未通过：敏感词" in page.inner_text(".co-chips")
    assert "文档 3" in page.inner_text(".co-read-head")
    picture(page, "zh-dark-1440")
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(500)
    assert no_wider_than_the_page(page)
    picture(page, "zh-dark-420")
    page.goto(f"{server.url}/?tab=corpus&run={run}&s={quote('show=<script>alert(1)</script>')}")
    page.wait_for_selector(".co-wrong:visible")
    page.click(".co-wrong button")
    page.wait_for_selector(".co-funnel")
    assert "全部" in count(page)


VIEWS = {"inspect": ".co-text", "duplicates": ".cl-about, .tr-note", "compare": ".cc-sides", "label": ".cl-split",
         "scorers": ".cl-modes", "filter": ".cf-sources"}
"""The views of the gallery, and what is there when each is drawn."""


def first_dropped(page: Any) -> int:
    """The place of a document that fails first by listed words."""
    whole = count(page)
    page.click("[data-focus='first.sensitive']")
    changed(page, whole)
    return int(page.locator(".co-open").first.get_attribute("data-key"))


@pytest.mark.skipif(not GALLERY, reason="pictures are kept only where WORKBENCH_PICTURES names a folder")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_every_view_is_pictured_in_both_languages_light_and_dark(sealed: Callable[..., Any], page: Any,
                                                                 server: PageServer, locale: str, scheme: str) -> None:
    """Wide and narrow, with a dropped document and its evidence in Inspect; no view is wider than a telephone."""
    run = run_of(page)
    state = quote(f"of={run}&first=sensitive&doc={first_dropped(page)}")
    seen = sealed(storage_state=page.context.storage_state(), locale=locale, color_scheme=scheme).open(
        f"{server.url}/?tab=corpus&run={run}&s={state}")
    seen.wait_for_selector(".co-text mark.co-m-sensitive")
    assert seen.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
    for view, drawn in VIEWS.items():
        seen.set_viewport_size({"width": 1440, "height": 900})
        tab(seen, say(locale, f"corpus.mode.{view}"))
        seen.locator(drawn).locator("visible=true").first.wait_for()
        for width in (1440, 420):
            seen.set_viewport_size({"width": width, "height": 900})
            seen.wait_for_timeout(700)
            assert no_wider_than_the_page(seen), (view, width)
            picture(seen, f"{locale}-{scheme}-{width}-{view}")


def test_a_stranger_sees_nothing_of_it(sealed: Callable[..., Any], server: PageServer, visitor: Any) -> None:
    page = sealed().open(f"{server.url}/?tab=corpus&run={run_of(visitor)}")
    page.wait_for_timeout(2500)
    assert page.locator(".co-funnel").count() == 0 and "sample.jsonl" not in page.content()

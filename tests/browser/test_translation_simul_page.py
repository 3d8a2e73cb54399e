"""The Simultaneous view in a real browser: play a sentence, move the threshold, save it, come back to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from backends.sm2.requests import CurveResult
from panels import translation_simul_chart
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer
from tests.panels.simul_cases import END, SENTENCE, curve_result, long, made, practice
from workbench.fields import from_json
from workbench.text import say
from workbench.widgets.sm2_player import page as saved_page
from workbench.widgets.sm2_states import play_of

ANSWER = 0.150
"""Seconds in which a moved slider must be answered (acceptance)."""
MOVE = """async (value) => {
  const slider = document.querySelector('.sp [data-sp=slider]');
  const began = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  const layout = document.querySelector('.sp svg').getBoundingClientRect(), ms = performance.now() - began;
  const text = document.querySelector('.sp-on.sp-text td').innerText;  // at once: no answer of a server can be in it
  await new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
  return {ms, painted: performance.now() - began, threshold: Number(document.querySelector('.sp').dataset.threshold),
          text, height: layout.height};
}"""


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed]) -> Callable[..., Any]:
    """Open the view as a new visitor and play the example."""
    def open_view(example: bool = True, **options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=translation")
        view_of(page)
        if example:
            page.locator(".sm").get_by_role("button", name="Play an example").or_(
                page.locator(".sm").get_by_role("button", name="播放一个例句")).click()
            page.wait_for_selector(".sp-cells rect")
        return page
    return open_view


def view_of(page: Any) -> None:
    """Open the view; a narrow page may keep it behind its menu."""
    page.wait_for_selector("#tab-translation .dt-modes, .dt-modes >> visible=true")
    for name in ("Simultaneous", "同步翻译"):
        tab = page.get_by_role("tab", name=name, exact=True)
        if tab.count() and tab.first.is_visible():
            tab.first.click()
            return
    page.locator(".overflow-menu button >> visible=true").last.click()
    page.locator(".overflow-dropdown button").get_by_text("Simultaneous").or_(
        page.locator(".overflow-dropdown button").get_by_text("同步翻译")).first.click()


def model_to(page: Any, reference: str) -> None:
    """Choose a model by its reference."""
    box = page.locator(".sm-form input[role=listbox], .sm-form .wrap-inner input").first
    box.fill(reference)
    box.press("Enter")


def practising(page: Any) -> None:
    """Play the practice sentence, whatever model is the default one."""
    model_to(page, "practice")
    page.locator(".sm-form textarea").first.fill(SENTENCE)
    page.get_by_role("button", name="Translate", exact=True).or_(
        page.get_by_role("button", name="翻译", exact=True)).first.click()
    page.wait_for_selector(".sp[aria-label*='sov n1 n2 o4'] .sp-cells rect")


def test_the_slider_re_decides_at_once_and_rightly(visit: Callable[..., Any]) -> None:
    page, play = visit(example=False), play_of(practice(), "practice")
    practising(page)
    times, painted, texts = [], [], set()
    for value in range(0, 1001, 40):
        found = page.evaluate(MOVE, str(value))
        track = play.at(found["threshold"])
        assert found["text"] == play.written(track), found
        times.append(found["ms"])
        painted.append(found["painted"])
        texts.add(found["text"])
    print(f"slider: drawn after {max(times):.1f} ms at most, painted after {median(painted):.1f} ms in the middle, "
          f"{max(painted):.1f} ms at most")
    assert max(times) / 1000 < ANSWER and median(painted) / 1000 < ANSWER, (times, painted)
    assert len(texts) >= 3
    ticks = page.locator(".sp-ticks i").count()
    others = page.locator(".sp svg path.sp-full, .sp svg path.sp-wait-k").count()
    assert ticks == len(play.ranges) - 1 and others == 2
    floor = page.locator(".sp-ticks b").bounding_box()
    slider = page.locator(".sp [data-sp=slider]").bounding_box()
    assert 0 < floor["width"] < 0.3 * slider["width"]
    page.evaluate(MOVE, "0")
    assert "nothing is ever waited for" in page.locator(".sp-notes").inner_text()


def test_playing_stepping_and_keys(visit: Callable[..., Any]) -> None:
    page, play = visit(example=False), play_of(practice(), "practice")
    practising(page)
    track = play.at(0.5)
    total = len(track.actions)
    at, player = page.locator(".sp-step"), page.locator(".sp")
    assert at.inner_text() == f"{total} / {total}"
    player.focus()
    player.press("Home")
    assert at.inner_text() == f"0 / {total}" and page.locator(".sp-target .sp-there").count() == 0
    for number, action in enumerate(track.actions[:5], 1):
        player.press("ArrowRight")
        read, written = track.actions[:number].count("R"), track.actions[:number].count("W")
        assert page.locator(".sp-source .sp-there").count() == read
        assert page.locator(".sp-target .sp-there").count() == written
        assert page.locator(".sp-now").inner_text().startswith("READ" if action == "R" else "WRITE")
    player.press("ArrowLeft")
    assert at.inner_text() == f"4 / {total}"
    page.locator(".sp [data-sp=speed]").select_option("4")
    player.focus()
    player.press("Space")
    page.locator(".sp-go", has_text="Pause").wait_for()
    page.wait_for_function(f"document.querySelector('.sp-step').innerText === '{total} / {total}'")
    page.locator(".sp-go", has_text="Play").wait_for()
    before = page.locator(".sp [data-sp=threshold]").input_value()
    player.focus()
    player.press("]")
    after = page.locator(".sp [data-sp=threshold]").input_value()
    assert float(after) > float(before)
    page.locator(".sp-figures button", has_text="wait-3").click()
    assert "own words" in page.locator(".sp-notes").inner_text()
    row = page.locator(".sp-figures tr.sp-on td").all_inner_texts()
    assert [float(cell) for cell in row[1:6]] == pytest.approx(play.others[0].tokens, abs=0.006)
    page.locator(".sp-cells rect").first.hover(force=True)
    assert "c = " in page.locator(".sp-now").inner_text()


def test_a_saved_page_plays_offline_and_the_address_brings_it_back(visit: Callable[..., Any], browser: Any) -> None:
    page = visit(example=False)
    practising(page)
    page.evaluate(MOVE, "80")
    threshold = page.locator(".sp").get_attribute("data-threshold")
    page.wait_for_function("Math.abs(JSON.parse(new URLSearchParams(location.search).get('s')).threshold - "
                           f"{threshold}) < 1e-5")
    shown = page.locator(".sp-on.sp-text td").inner_text()
    page.reload()
    view_of(page)
    page.wait_for_selector(".sp-cells rect")
    assert page.locator(".sp-on.sp-text td").inner_text() == shown
    assert abs(float(page.locator(".sp").get_attribute("data-threshold")) - float(threshold)) < 1e-5
    page.locator(".sp-saves button").first.click()
    link = page.locator(".sm-file a[download], .sm-file a[href]").first
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    alone = browser.new_context(offline=True)
    try:
        saved = alone.new_page()
        errors: list[str] = []
        saved.on("pageerror", lambda error: errors.append(str(error)))
        saved.set_content(text)
        saved.wait_for_selector(".sp-cells rect")
        assert saved.locator(".sp-on.sp-text td").inner_text() == shown and not errors
        saved.evaluate(MOVE, "1000")
        assert saved.locator(".sp-on.sp-text td").inner_text() == "N1 N2 V3 O4 O5 O6 O7"
    finally:
        alone.close()


def test_hostile_words_and_unknown_ones_stay_words(visit: Callable[..., Any]) -> None:
    page = visit(example=False)
    model_to(page, "practice")
    page.locator(".sm-form textarea").first.fill("<img src=x onerror=\"document.title='owned'\">")
    page.get_by_role("button", name="Translate", exact=True).first.click()
    page.locator(".sm .dt-bad", has_text="has no word").wait_for()
    assert page.title() != "owned"


@pytest.mark.parametrize(("options", "play"), [
    ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Play"), ({"locale": "zh-CN"}, "播放")])
def test_a_narrow_dark_screen_and_chinese(visit: Callable[..., Any], options: dict[str, Any], play: str) -> None:
    page = visit(**options)
    assert page.locator(".sp-go").inner_text() == play
    time.sleep(0.3)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    box = page.locator(".sp [data-sp=slider]").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]


# --- saved pages: no server at all ---------------------------------------------------------------------------------

@pytest.fixture
def alone(browser: Any) -> Iterator[Callable[[str], Any]]:
    """Open a file's text in a browser without any network; nothing in it may fail."""
    context, errors = browser.new_context(offline=True, viewport={"width": 1200, "height": 800}), list[str]()

    def open_text(text: str) -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_content(text)
        page.wait_for_selector(".sp svg .sp-ball")
        return page
    yield open_text
    context.close()
    assert not errors


def test_a_model_without_confidence_plays_wait_k_and_says_why(alone: Callable[[str], Any]) -> None:
    result = made(("▁Guten", "▁Tag", END), [])
    page = alone(saved_page(play_of(result, "marian"), 0.5, "en", {}))
    assert page.locator(".sp [data-sp=slider]").count() == 0
    assert "never trained" in page.locator(".sp-notes").inner_text()
    assert page.locator(".sp-figures tbody th").all_inner_texts() == ["wait-3", "Full sentence"]
    assert page.locator(".sp-cells rect").count() == 0, "an untrained head is not shown as confidence"
    page.locator(".sp").press("Home")
    page.locator(".sp").press("ArrowRight")
    assert page.locator(".sp-now").inner_text() == "READ 1 of 3: Guten"
    page.locator(".sp-figures button", has_text="Full").click()
    assert page.locator(".sp-figures .sp-on.sp-text").inner_text() == "Hi"


def test_a_long_sentence_scrolls_and_says_what_is_cut(alone: Callable[[str], Any]) -> None:
    page = alone(saved_page(play_of(long(120), "m"), 0.5, "en", {}))
    assert page.locator(".sp-cells rect").count() == 80 * 80
    assert "at most 80 tokens a side, of 120 and 120" in page.locator(".sp-notes").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200
    frame = page.locator(".sp-scroll")
    assert frame.evaluate("box => box.scrollWidth > box.clientWidth && box.scrollHeight > box.clientHeight")
    page.locator(".sp").press("Home")
    assert frame.evaluate("box => box.scrollLeft") == 0
    for _ in range(120):
        page.locator(".sp").press("ArrowRight")
    assert frame.evaluate("box => box.scrollLeft") > 300, "the chart follows the text"
    around = frame.bounding_box()
    for part in (".sp-labels text.sp-there", ".sp-heads text.sp-there"):
        label = page.locator(part).last.bounding_box()
        assert around["x"] <= label["x"] and around["y"] <= label["y"], "labels stay in sight"
        assert label["x"] <= around["x"] + around["width"] and label["y"] <= around["y"] + around["height"]
    found = page.evaluate(MOVE, "700")
    assert found["ms"] / 1000 < ANSWER, found


def test_a_gap_between_ranges_is_told(alone: Callable[[str], Any]) -> None:
    result = made(("▁a", END), [(0.0, 0.3, ("▁x", END), "RWRW"), (0.6, 0.7, ("▁y", END), "RRWW")])
    page = alone(saved_page(play_of(result, "m"), 0.5, "en", {}))
    assert "more translations than were computed" in page.locator(".sp-notes").inner_text()
    page.locator(".sp [data-sp=threshold]").fill("0.65")
    assert page.locator(".sp-on.sp-text").inner_text() == "y" and page.locator(".sp-notes").inner_text() == ""
    page.locator(".sp [data-sp=threshold]").fill("")
    assert page.locator(".sp-on.sp-text").inner_text() == "y", "an emptied field changes nothing"


def test_the_ring_on_the_curve_follows_the_threshold(alone: Callable[[str], Any]) -> None:
    curve = translation_simul_chart.chart(from_json(CurveResult, curve_result()), "m", partial(say, "en"))
    text = saved_page(play_of(practice(), "practice"), 0.2, "en", {})
    page = alone(text.replace("<dl>", f"{curve}<dl>", 1))

    def ring() -> tuple[float, float]:
        found = page.locator(".sp-ring").get_attribute("transform").removeprefix("translate(").rstrip(")").split(" ")
        return float(found[0]), float(found[1])
    (_, *low), (_, *high) = translation_simul_chart.places(from_json(CurveResult, curve_result()))
    assert ring() == pytest.approx(low, abs=0.2) and page.locator(".sp-ring").is_visible()
    for threshold, spot in (("0.95", high), ("0.9", high), ("0.05", low)):
        page.locator(".sp [data-sp=threshold]").fill(threshold)
        assert ring() == pytest.approx(spot, abs=0.2), threshold
    page.locator(".sp [data-sp=threshold]").fill("0.5")
    assert low[0] < ring()[0] < high[0]
    assert "between the measured 0.2 and 0.9" in page.locator(".sp-said").inner_text()

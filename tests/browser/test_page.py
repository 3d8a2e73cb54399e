"""The page in a real browser: hand-over, reload, restart of the server, keyboard, languages, narrow screens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.pageserver import PageServer


def cookie(context: Any, server: PageServer) -> dict[str, str]:
    """The visitor of a browser, for plain HTTP beside it."""
    kept = next(c for c in context.cookies(server.url) if c["name"] == "wb_visitor")
    assert kept["httpOnly"] and kept["sameSite"] == "Lax"
    return {"Cookie": f"wb_visitor={kept['value']}"}


def runs_page(sealed: Callable[..., Any], server: PageServer, **options: Any) -> tuple[Any, Any, dict[str, str]]:
    one = sealed(**options)
    page = one.open(f"{server.url}/?tab=runs")
    page.wait_for_selector("#wb-new")
    return one, page, cookie(one.context, server)


def choose(page: Any, run: str) -> None:
    page.wait_for_selector(f"[data-wb-row='{run}']")
    page.click(f"[data-wb-row='{run}']")
    page.wait_for_selector(f"#wb-run-head code:has-text('{run}')")


def test_the_empty_tab_offers_an_example_to_press(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, _ = runs_page(sealed, server)
    page.wait_for_selector("#wb-runs-list >> text=No runs yet")
    assert page.is_visible(".wb-example:has-text('Start the example')")


def test_a_task_is_started_watched_and_found_again_after_a_reload(
    sealed: Callable[..., Any], server: PageServer
) -> None:
    _, page, _ = runs_page(sealed, server)
    page.click("#wb-new")
    page.click("#wb-start-task input")
    page.get_by_role("option", name="toys.count.v1").click()
    page.wait_for_selector("label:has-text('How far to count')")
    page.get_by_label(re.compile("^Steps")).first.fill("60")
    page.get_by_label(re.compile("^Delay")).first.fill("0.1")
    page.click("#wb-go")
    page.wait_for_selector("#wb-run-head >> text=running")
    page.wait_for_selector("#wb-run-curves figure")
    page.wait_for_selector("#wb-strip >> text=1 running")
    first = page.get_attribute("#wb-run-progress [role=progressbar]", "aria-valuenow")
    page.wait_for_function(
        f"Number(document.querySelector('#wb-run-progress [role=progressbar]').ariaValueNow) > {first}"
    )
    run = re.search(r"run=([\w-]+)", page.url)[1]
    assert "tab=runs" in page.url
    page.reload()
    page.wait_for_selector(f"#wb-run-head code:has-text('{run}')")
    page.wait_for_selector("#wb-run-head >> text=succeeded")
    page.wait_for_selector(f"a[href='/workbench/runs/{run}/count.json']")
    with page.expect_download() as got:
        page.click(f"a[href='/workbench/runs/{run}/count.json']")
    assert '"counted": 60' in got.value.path().read_text(encoding="utf-8").replace('":60', '": 60')


def test_a_form_refuses_in_words_and_keeps_what_was_typed(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, _ = runs_page(sealed, server)
    page.click("#wb-new")
    page.click("#wb-start-task input")
    page.get_by_role("option", name="toys.count.v1").click()
    page.locator("label:has-text('Any text.') textarea").fill("keep me")
    page.get_by_label(re.compile("^Steps")).first.fill("0")
    page.click("#wb-go")
    page.wait_for_selector("text=steps is 0; it must lie between 1 and")
    assert page.locator("label:has-text('Any text.') textarea").input_value() == "keep me"


def test_a_stream_task_shows_its_events_as_they_come(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, _ = runs_page(sealed, server)
    page.click("#wb-new")
    page.click("#wb-start-task input")
    page.get_by_role("option", name="toys.stream.v1").click()
    page.get_by_label(re.compile("^Delay")).first.fill("0.3")
    page.click("#wb-go")
    seen = []
    for count in (0, 2, 4):
        page.wait_for_function(
            f"[...document.querySelectorAll('textarea')].some(t => t.value.includes('\"index\": {count}'))"
        )
        seen.append(time.monotonic())
    assert seen[-1] - seen[0] > 0.3, "it arrived all at once"


def test_a_stream_that_is_stopped_leaves_no_process(sealed: Callable[..., Any], server: PageServer) -> None:
    import psutil

    _, page, _ = runs_page(sealed, server)
    page.click("#wb-new")
    page.click("#wb-start-task input")
    page.get_by_role("option", name="toys.stream.v1").click()
    page.get_by_label(re.compile("^Delay")).first.fill("0.2")
    page.locator("input[aria-label=Count]").fill("5000")
    page.click("#wb-go")
    page.wait_for_function("[...document.querySelectorAll('textarea')].some(t => t.value.includes('\"pid\"'))")
    said = page.evaluate("[...document.querySelectorAll('textarea')].find(t => t.value.includes('\"pid\"')).value")
    pid = int(re.search(r'"pid": (\d+)', said)[1])
    assert psutil.pid_exists(pid)
    page.click("button:has-text('Cancel'):visible")
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < end:
        page.wait_for_timeout(100)  # not sleep: the page's requests pass through this process
    assert not psutil.pid_exists(pid)


def test_rows_work_by_keyboard_and_keep_focus_while_the_list_changes(
    sealed: Callable[..., Any], server: PageServer
) -> None:
    _, page, visitor = runs_page(sealed, server)
    first, second = (server.submit(visitor, steps=2), server.submit(visitor, steps=3))
    page.wait_for_selector(f"[data-wb-row='{second}']")
    page.focus("#wb-runs-text :is(input, textarea)")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.wbRow || ''"):
            break
    assert page.evaluate("document.activeElement.dataset.wbRow") == second
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.wbRow") == first
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#wb-run-head code:has-text('{first}')")
    third = server.submit(visitor, steps=1)
    page.wait_for_selector(f"[data-wb-row='{third}']")
    assert page.evaluate("document.activeElement.dataset.wbRow !== undefined")
    assert page.get_attribute("[aria-current]", "data-wb-row") == first
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_folded_sections_stay_as_the_reader_left_them(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server)
    run = server.submit(visitor, steps=40, delay=0.1)
    choose(page, run)
    page.click("[data-wb-fold=request] > summary")
    page.click("[data-wb-fold=log] > summary")
    page.wait_for_selector("#wb-run-head >> text=succeeded")
    page.wait_for_selector("[data-wb-fold=result]")
    assert page.get_attribute("[data-wb-fold=request]", "open") is not None
    assert page.get_attribute("[data-wb-fold=log]", "open") is None


def test_cancel_share_run_again_and_delete_from_the_page(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server)
    run = server.submit(visitor, steps=2000, delay=0.05, note="again please")
    choose(page, run)
    page.click("[data-act=cancel]")
    page.wait_for_selector("#wb-run-head >> text=cancelled")
    page.click("[data-act=share]")
    page.wait_for_selector("[data-act=unshare]")
    assert server.state(server.visitor(), run)["status"] == "cancelled"
    page.click("#wb-run-head >> text=Run again / change")
    page.wait_for_selector("#wb-go")
    assert page.locator("label:has-text('Any text.') textarea").input_value() == "again please"
    page.get_by_label(re.compile("^Steps")).first.fill("1")
    page.click("#wb-go")
    page.wait_for_selector("#wb-run-head >> text=succeeded")
    choose(page, run)
    page.click("#wb-run-head >> text=Delete")
    page.fill("[data-typed]", "wrong!")
    page.click("[data-act=delete]")
    page.wait_for_selector("text=nothing was deleted")
    page.fill("[data-typed]", run[-6:])
    page.click("[data-act=delete]")
    page.wait_for_selector(f"[data-wb-row='{run}']", state="detached")
    assert server.call("run", [run], visitor).status == 500


def test_copy_puts_the_command_on_the_clipboard(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server, permissions=["clipboard-read", "clipboard-write"])
    run = server.submit(visitor, steps=3)
    choose(page, run)
    page.click("#wb-run-head >> text=Copy as command")
    page.wait_for_selector("#wb-run-head >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "python3 launch.py run toys.count.v1 --set steps=3"
    page.click("#wb-run-head >> text=Copy as Python")
    page.wait_for_function("navigator.clipboard.readText().then(t => t.includes('service.submit'))")


def test_filters_and_pages_are_the_servers(sealed: Callable[..., Any], server: PageServer) -> None:
    from workbench.runs import create_run
    from workbench.security import visitor_id
    from workbench.settings import Settings
    from workbench.store import Index

    _, page, visitor = runs_page(sealed, server)
    owner = visitor_id(visitor["Cookie"].split("=")[1])
    index = Index(Settings(home=server.home).home)
    for number in range(60):
        run = create_run(server.home, "toys.count.v1", {"steps": 1}, owner=owner, title=f"many {number:02d}")
        (run.path / "state.json").write_text((run.path / "state.json").read_text().replace("queued", "cancelled", 1))
        index.refresh(run.path)
    page.wait_for_selector("text=1–50 of 60")
    assert page.locator("[data-wb-row]").count() == 50
    page.click(".wb-pager >> text=Older")
    page.wait_for_selector("text=51–60 of 60")
    assert page.locator("[data-wb-row]").count() == 10
    page.fill("#wb-runs-text :is(input, textarea)", "many 07")
    page.wait_for_function("document.querySelectorAll('[data-wb-row]').length === 1")
    page.fill("#wb-runs-text :is(input, textarea)", "nothing like it")
    page.wait_for_selector("text=No run matches this filter")


def test_two_people_see_each_others_runs_only_when_shared(sealed: Callable[..., Any], server: PageServer) -> None:
    _, ann_page, ann = runs_page(sealed, server)
    run = server.submit(ann, steps=2)
    choose(ann_page, run)
    bob_page = sealed().open(f"{server.url}/?tab=runs&run={run}")
    bob_page.wait_for_selector("#wb-run-head >> text=There is no run")
    assert bob_page.locator(f"[data-wb-row='{run}']").count() == 0
    ann_page.click("[data-act=share]")
    bob_page.wait_for_selector(f"[data-wb-row='{run}']")
    bob_page.click(f"[data-wb-row='{run}']")
    bob_page.wait_for_selector("#wb-run-head >> text=Copy as command")
    assert bob_page.locator("[data-act]").count() == 0
    ann_page.click("[data-act=unshare]")
    bob_page.wait_for_selector(f"[data-wb-row='{run}']", state="detached")


def test_what_a_run_wrote_is_never_run(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server)
    run = server.submit(visitor, steps=1, note="<img src=x onerror='window.evil=1'>{{evil}}${window.evil=1}")
    server.wait(visitor, run)
    (server.home / "runs" / run / "log.txt").write_text("<script>window.evil=1</script>${window.evil=1} {{window}}\n")
    choose(page, run)
    page.wait_for_selector(".wb-log >> text={{window}}")
    page.click("[data-wb-fold=request] > summary")
    page.wait_for_selector("text=${window.evil=1}")
    assert page.evaluate("window.evil") is None
    # and were it ever to become markup, the policy still would not run it
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.evil=2\">')")
    page.wait_for_timeout(300)
    assert page.evaluate("window.evil") is None


# -- the frame ------------------------------------------------------------------------------------------------------


def test_tab_and_run_are_in_the_address_and_links_hand_over(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server)
    run = server.submit(visitor, steps=1)
    choose(page, run)
    page.wait_for_url(re.compile(f"tab=runs&run={run}"))
    tabs = page.get_by_role("tab").all_inner_texts()
    if len(tabs) > 1:
        page.get_by_role("tab").first.click()
        page.wait_for_function("!location.search.includes('tab=runs')")
        page.evaluate(f"window.wb.open('runs', '{run}')")
        page.wait_for_selector(f"#wb-run-head code:has-text('{run}') >> visible=true")
        page.wait_for_url(re.compile(f"tab=runs&run={run}"))
        page.wait_for_timeout(1500)
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        page.wait_for_timeout(3000)
        assert len(asked) < 20, "a hand-over ends"


def test_the_language_switch_changes_the_whole_page_and_stays(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, _ = runs_page(sealed, server)
    assert page.get_attribute("html", "lang") == "en"
    page.click("[data-wb-lang='zh-CN']")
    page.wait_for_selector("html[lang='zh-CN']")
    page.wait_for_selector("#wb-strip >> text=任务")
    page.wait_for_selector("#wb-runs-list >> text=暂无运行")
    assert page.get_by_role("tab", name="运行").is_visible() and page.title() == "语言研究工作台"
    assert not re.search(r"⟦", page.content())
    page.reload()
    page.wait_for_selector("html[lang='zh-CN']")
    other = sealed(locale="zh-CN").open(server.url)
    assert other.get_attribute("html", "lang") == "zh-CN", "the browser's wish is followed without a switch"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_until_switched(
    sealed: Callable[..., Any], server: PageServer, scheme: str
) -> None:
    _, page, _ = runs_page(sealed, server, color_scheme=scheme)
    dark = "document.body.classList.contains('dark')"
    assert page.evaluate(dark) is (scheme == "dark")
    page.click(f"[data-wb-theme='{'light' if scheme == 'dark' else 'dark'}']")
    page.wait_for_function(f"{dark} === {'false' if scheme == 'dark' else 'true'}")
    page.reload()
    page.wait_for_selector("#wb-new")
    assert page.evaluate(dark) is (scheme != "dark")
    page.click("[data-wb-theme='']")
    page.wait_for_function(f"{dark} === {'true' if scheme == 'dark' else 'false'}")


CONTRAST = """() => {
  const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const lum = (c) => { const p = c.match(/[\\d.]+/g).slice(0, 3).map(v => linear(v / 255));
    return .2126 * p[0] + .7152 * p[1] + .0722 * p[2]; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c && !/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255,255,255)'; };
  const low = [];
  for (const e of document.querySelectorAll('#wb-top *, #wb-tabs > .tab-wrapper *, #tab-runs *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility({visibilityProperty: true, opacityProperty: true}) || e.disabled) continue;
    const [a, b] = [lum(getComputedStyle(e).color), lum(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5)
      low.push(`${e.textContent.trim().slice(0, 40)} ${getComputedStyle(e).color} on ${ground(e)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_visible_text_has_enough_contrast(sealed: Callable[..., Any], server: PageServer, scheme: str) -> None:
    _, page, visitor = runs_page(sealed, server, color_scheme=scheme)
    choose(page, server.submit(visitor, "toys.fail.v1", how="user error"))
    page.wait_for_selector(".wb-failure")
    choose(page, server.submit(visitor, steps=3))
    page.wait_for_selector("#wb-run-head >> text=succeeded")
    page.wait_for_timeout(500)
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("lang", ["en-US", "zh-CN"])
@pytest.mark.parametrize("width", [420, 1440])
def test_nothing_is_wider_than_the_screen(
    sealed: Callable[..., Any], server: PageServer, width: int, lang: str
) -> None:
    _, page, visitor = runs_page(sealed, server, viewport={"width": width, "height": 800}, locale=lang)
    run = server.submit(visitor, steps=5, note="a-very-long-word-without-any-break-" * 20)
    choose(page, run)
    page.wait_for_selector("#wb-run-curves figure")
    for fold in ("request", "about", "environment"):
        page.click(f"[data-wb-fold={fold}] > summary")
    wide = """(w) => [...document.querySelectorAll('#wb-top *, #tab-runs *')].filter(e => e.checkVisibility()
      && e.getBoundingClientRect().right > w + 1 && !e.closest('.wb-fold, .wb-sr, [popover], svg'))
      .map(e => e.outerHTML.slice(0, 120))"""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(wide, width) == []
    page.click("#wb-new")
    page.wait_for_selector("#wb-go")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(wide, width) == []


def test_the_footer_of_gradio_is_not_there(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, _ = runs_page(sealed, server)
    assert page.locator("footer:visible").count() == 0 and "Built with Gradio" not in page.inner_text("body")


def test_a_quiet_page_sends_little_and_receives_next_to_nothing(sealed: Callable[..., Any], server: PageServer) -> None:
    _, page, visitor = runs_page(sealed, server)
    run = server.submit(visitor, steps=2)
    server.wait(visitor, run)
    choose(page, run)
    page.wait_for_selector("#wb-run-head >> text=succeeded")
    page.wait_for_timeout(3000)
    sizes: list[int] = []
    page.on("response", lambda r: sizes.append(len(r.body())) if "/gradio_api/" in r.url else None)
    page.wait_for_timeout(5000)
    assert sizes and len(sizes) <= 5 * 10 and max(sizes) < 2000, sizes


def test_the_page_comes_back_by_itself_after_the_server_was_killed(sealed: Callable[..., Any], tmp_path: Any) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = PageServer(home).start()
    try:
        one, page, visitor = runs_page(sealed, server)
        run = server.submit(visitor, steps=250, delay=0.1)
        choose(page, run)
        page.wait_for_selector("#wb-run-head >> text=running")
        server.kill()
        page.wait_for_selector(".wb-lost:visible")
        assert "Connection lost" in page.inner_text(".wb-lost")
        server.start()
        page.wait_for_function("!document.querySelector('.wb-lost') || document.querySelector('.wb-lost').hidden")
        page.wait_for_selector(f"#wb-run-head code:has-text('{run}')")
        state = server.state(visitor, run)
        assert state["status"] == "running" and state["step"] > 0, "the job went on without the server"
        step = state["step"]
        page.wait_for_selector("#wb-run-progress [role=progressbar]")
        assert cookie(one.context, server) == visitor
        end = time.monotonic() + 20
        while server.state(visitor, run)["step"] <= step and time.monotonic() < end:
            page.wait_for_timeout(200)
        assert server.state(visitor, run)["step"] > step
        server.call("cancel", [run], visitor)
        page.wait_for_selector("#wb-run-head >> text=cancelled")
    finally:
        server.stop()
    one.errors.clear()

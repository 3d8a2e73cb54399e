"""Compare in a real browser: bring systems, put a role right, read the verdict, look at a pair, open a segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.mt_cases import systems
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer

SIZE = 120
SCRIPT = "<script>document.title = 'owned'</script>"


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three systems, a reference under an odd name, a table with source and domain, and a file that is none."""
    folder = tmp_path_factory.mktemp("brought")
    made, reference = systems(3, SIZE)
    made["system 2"][5] = SCRIPT
    files = {f"{name}.txt": lines for name, lines in made.items()} | {"gold standard.txt": reference}
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"{line[::-1]}\t{'news' if i % 3 else 'talk'}" for i, line in enumerate(reference)]
    (folder / "about.tsv").write_text("\n".join(["source\tdomain", *rows]) + "\n", encoding="utf-8")
    (folder / "binary.txt").write_bytes(b"one\x00two")
    return [str(folder / name) for name in (*files, "about.tsv", "binary.txt")]


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed]) -> Iterator[Callable[..., Any]]:
    """Open the Translation tab as a new visitor."""

    def open_view(**options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=translation")
        page.wait_for_selector(".mt-view")
        return page

    yield open_view


def wide(page: Any) -> None:
    """Nothing sticks out of the page at the right."""
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_from_three_files_to_an_opened_segment(visit: Callable[..., Any], brought: list[str]) -> None:
    page = visit()
    page.locator(".mt-files input[type=file]").first.set_input_files(brought)
    page.locator(".mt-file").nth(5).wait_for()
    assert "binary file" in page.locator(".mt-file-bad").inner_text()
    page.get_by_role("combobox", name="What gold standard.txt is").select_option("reference")
    page.get_by_role("button", name="Remove binary.txt").click()
    page.locator(".mt-preview").wait_for()
    name = page.get_by_role("textbox", name="What system 1.txt is called")
    name.fill("second")
    name.press("Enter")
    page.get_by_role("button", name="Compare", exact=True).click()

    page.locator(".mt-systems tbody tr").nth(2).wait_for()
    assert page.locator(".mt-systems .mt-name").all_inner_texts() == ["system 0", "second", "system 2"]
    assert "tok:13a" in page.locator(".mt-sign").inner_text()
    page.locator(".mt-matrix button").first.click()
    page.locator(".co-chip", has_text="system 0 and second differ").wait_for()
    assert page.locator(".mt-grams").count() == 2
    count = page.locator(".mt-segments .co-count").inner_text()
    assert count.endswith(f"of {SIZE} segments") and not count.startswith(f"{SIZE} ")

    page.locator(".mt-segments .co-open").first.click()
    page.locator(".mt-reader .mt-text").nth(3).wait_for()
    assert page.locator(".mt-reader :is(ins, del)").count() > 0
    first = page.locator(".mt-reader h4").inner_text()
    page.keyboard.press("j")
    page.wait_for_function("was => document.querySelector('.mt-reader h4').innerText !== was", arg=first)
    page.keyboard.press("k")
    page.wait_for_function("was => document.querySelector('.mt-reader h4').innerText === was", arg=first)

    page.locator(".co-chip", has_text="differ").click()
    search = page.get_by_role("searchbox", name="Search in the segments")
    search.fill("owned")
    search.press("Enter")
    page.locator(".co-count", has_text=f"1 of {SIZE} segments").wait_for()
    page.locator(".mt-segments .co-open").first.click()
    page.locator(".mt-reader", has_text="owned").wait_for()
    assert page.title() != "owned"
    page.locator("[data-act=bucket]", has_text="talk").click()
    page.locator(".co-count", has_text="0 of").wait_for()
    search.fill("")
    search.press("Enter")
    page.locator(".co-chip", has_text="owned").wait_for(state="detached")

    with page.expect_download() as table:
        page.locator(".wb-files a", has_text="systems.tsv").click()
    lines = Path(table.value.path()).read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith("metric\tsystem\tscore") and len(lines) == 1 + 2 * 3 + 1
    page.reload()
    page.locator(".mt-systems .mt-name", has_text="second").wait_for()


def test_text_is_pasted_and_a_problem_is_told_without_losing_it(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name="Paste text").click()
    for name, text in (("A", "one\ntwo"), ("reference", "one\ntwo\nthree")):
        page.locator(".mt-paste textarea").fill(text)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Add the text").click()
        page.locator(".mt-file", has_text=f"{name}.txt").wait_for()
    page.locator(".mt-problems", has_text="1 too few").wait_for()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".toast-body", has_text="Everything stays").wait_for()
    assert page.locator(".mt-file").count() == 2


@pytest.mark.parametrize(
    ("options", "words", "metric"),
    [
        ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Compare the practice sample", "chrF"),
        ({"locale": "zh-CN"}, "比较练习样本", "chrF"),
    ],
)
def test_the_example_on_a_narrow_screen_and_in_chinese(
    visit: Callable[..., Any], options: dict[str, Any], words: str, metric: str
) -> None:
    page = visit(**options)
    page.get_by_role("button", name=words).click()
    page.locator(".mt-systems tbody tr").nth(2).wait_for()
    wide(page)
    page.locator(".mt-view").get_by_role("button", name=metric, exact=True).click()
    page.locator(f".mt-view [aria-pressed=true]:text-is('{metric}')").wait_for()
    page.locator(".mt-segments .co-open").nth(2).click()
    page.locator(".mt-reader").wait_for()
    wide(page)

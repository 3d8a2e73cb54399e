"""Filter and Compare in a real browser: bring a file, write a recipe, watch the run, compare, save, read a document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.mdfg.recipes import load_recipe, parse_recipe
from tests.backends.explore_cases import given
from tests.browser.conftest import Sealed
from tests.pageserver import PageServer

ROWS = 60


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with sixty documents, one of them a script, and two rows that are none."""
    path = tmp_path_factory.mktemp("brought") / "网页 1.jsonl"
    rows: list[Any] = given(ROWS - 1)
    script = "<script>document.title = 'owned'</script>"
    rows.append({"text": script + "书店在街角开了三十年，老板记得每一位客人。" * 3})
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join([*lines, "not json", '{"title": "no text"}']) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def visit(server: PageServer, sealed: Callable[..., Sealed]) -> Iterator[Callable[..., Any]]:
    """Open the Filter view as a new visitor."""
    def open_view(**options: Any) -> Any:
        page = sealed(**options).open(f"{server.url}/?tab=corpus")
        page.wait_for_selector(".cf-sheet")
        return page
    yield open_view


def begin(page: Any, path: Path) -> None:
    """Bring a file, write a rule of one's own, and filter."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Bring a file").click()
    chooser.value.set_files(str(path))
    page.locator(".cf-sources").get_by_text(path.name).wait_for()
    page.get_by_role("button", name="Recipe as YAML").first.click()
    text = page.locator(".cf-yaml textarea").first
    yaml = text.input_value()
    text.fill(yaml.replace("limit: 200", "limit: many"))
    page.locator(".cf-wrong").get_by_text("limit is 'many'; it must be a number").wait_for()
    text.fill(yaml.replace("limit: 200", "limit: 150").replace("name: zh-paper-code", "name: mine"))
    page.locator(".cf-rules b", has_text="150").wait_for()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.wait_for_selector(".cf-figures")


def test_from_a_file_to_the_reader(visit: Callable[..., Any], brought: Path) -> None:
    page = visit()
    begin(page, brought)
    assert page.locator(".cf-problems li").count() == 2
    assert f"{brought.name}, line {ROWS + 1}" in page.locator(".cf-problems").inner_text()
    assert f"of {ROWS} documents kept" in page.locator(".cf-figures").inner_text()
    with page.expect_download() as kept:
        page.locator(".wb-files a", has_text="kept.jsonl").click()
    lines = Path(kept.value.path()).read_bytes().rstrip().split(b"\n")
    assert str(len(lines)) == page.locator(".cf-figures b").first.inner_text()
    assert {json.loads(line)["source"]["name"] for line in lines} == {brought.name}

    page.get_by_role("button", name="Compare recipes on it").click()
    page.wait_for_selector(".cc-cell")
    before = page.locator(".cc-cell.cc-only_a b").inner_text()
    limit = page.locator(".cc-column.cc-b input[data-act=limit]").first
    limit.fill("330")
    limit.press("Enter")
    page.wait_for_selector(".cc-column.cc-b .cc-moved")
    page.wait_for_function("was => document.querySelector('.cc-cell.cc-only_a b').innerText !== was", arg=before)
    only_a = int(page.locator(".cc-cell.cc-only_a b").inner_text())
    page.locator(".cc-cell.cc-only_a").click()
    page.locator(".co-count", has_text=f"{only_a} of {ROWS} documents · only A keeps").wait_for()
    assert page.locator("[data-act=open]:visible").count() == only_a

    with page.expect_download() as saved:
        page.locator(".cc-column.cc-b").get_by_role("link", name="Save as YAML").click()
    recipe = parse_recipe(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert recipe.hash in page.locator(".cc-column.cc-b .cf-hash").inner_text()
    assert recipe.tests[0].limit == 330 and saved.value.suggested_filename.endswith(".yaml")
    assert len(recipe.tests) == len(load_recipe("zh-ratio").tests)

    page.locator("[data-act=open]:visible").first.click()
    page.locator(".co-reader .co-text:visible").wait_for()
    assert page.title() != "owned"


def test_a_side_that_stored_values_cannot_answer_is_run_and_then_compared(visit: Callable[..., Any],
                                                                         brought: Path) -> None:
    page = visit()
    begin(page, brought)
    page.get_by_role("button", name="Compare recipes on it").click()
    page.wait_for_selector(".cc-cell")
    page.locator(".cc-column.cc-b .cc-picker input").click()
    page.get_by_role("option", name="Chinese, FineWeb-2's thresholds").click()
    page.get_by_text("which this corpus does not hold").wait_for()
    page.locator(".cc-column.cc-b").get_by_role("button", name="Filter the same texts with it").click()
    page.get_by_text("These are the verdicts of that run itself").wait_for()
    page.locator(".co-count", has_text=f"{ROWS} documents compared").wait_for()
    assert page.locator(".cc-cell").count() == 4


@pytest.mark.parametrize(("options", "words"), [
    ({"viewport": {"width": 420, "height": 900}, "color_scheme": "dark"}, "Filter the sample"),
    ({"locale": "zh-CN"}, "过滤示例语料")])
def test_the_example_on_a_narrow_screen_and_in_chinese(visit: Callable[..., Any], options: dict[str, Any],
                                                       words: str) -> None:
    page = visit(**options)
    page.locator(".cf-work").get_by_role("button", name=words).click()
    page.wait_for_selector(".cf-figures")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.locator(".cf-work .dt-controls button:visible").nth(1).click()
    page.wait_for_selector(".cc-cell")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]

"""One server a file and one headless Chromium for all browser tests; every page is sealed off from the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pageserver import PageServer

SLOW = 30_000
"""Milliseconds that a browser step may take on a busy two-core machine."""
PICTURES = os.environ.get("WORKBENCH_PICTURES", "")
"""Folder for screenshots of failed tests and of the gallery; nowhere when empty."""

FAILED = pytest.StashKey[bool]()


def chromium() -> str | None:
    """A Chromium of the system; Playwright's own download is not used."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A server with a home of its own for each file of tests: what one file shares, another must not see."""
    home = tmp_path_factory.mktemp("browser") / "home"
    home.mkdir()
    server = PageServer(home).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Sealed:
    """A browser context whose pages may talk to this machine only; what they tried beyond it is kept."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options})
        self.context.set_default_timeout(SLOW)
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.context.route("**/*", self._route)

    def _route(self, route: Any) -> None:
        address = route.request.url
        if address.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:")):
            route.continue_()
        else:
            self.outside.append(address)
            route.abort()

    def open(self, address: str) -> Any:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.errors.append(message.text) if message.type == "error" and "Refused" in message.text else None
            ),
        )
        page.goto(address)
        page.wait_for_selector("#wb-tabs")
        page.wait_for_selector("#wb-strip .wb-cell >> nth=2")
        return page


def choose_view(page: Any, name: str) -> None:
    """Open a view of the tab that is shown; a narrow page keeps the last of them in a menu."""
    found = page.locator("#wb-tabs").get_by_role("tab", name=name, exact=True).and_(page.locator(":visible"))
    if found.count():
        found.last.click()
    else:
        page.locator(".overflow-menu button >> visible=true").last.click()
        page.locator(".overflow-dropdown button", has_text=name).first.click()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Leave on the item whether its call failed, so that fixtures can say what the page looked like."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


def told(one: Sealed) -> None:
    """Print where every page of a context is and what it tells the reader: the evidence of a failed test."""
    for page in one.context.pages:
        said = page.locator(".toast-wrap, .wb-lost:visible, [role=alert]:visible").all_inner_texts()
        print(f"{page.url} (focus in {page.evaluate('document.activeElement?.outerHTML?.slice(0, 120)')}) says {said}; "
              f"errors {one.errors}")


@pytest.fixture
def sealed(browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Sealed]]:
    """Make sealed contexts (one is one visitor); at the end none may have reached outside or thrown an error."""
    made: list[Sealed] = []

    def make(**options: Any) -> Sealed:
        made.append(Sealed(browser, **options))
        return made[-1]

    yield make
    for number, one in enumerate(made):
        if request.node.stash.get(FAILED, False):
            told(one)
        if PICTURES and one.context.pages:
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            one.context.pages[-1].screenshot(path=folder / f"{request.node.name[:60]}-{number}.png", full_page=True)
        one.context.close()
    assert not [address for one in made for address in one.outside]
    assert not [error for one in made for error in one.errors]

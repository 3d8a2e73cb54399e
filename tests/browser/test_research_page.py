"""From opening the tab to a trained agent and a branched comparison, as a new user goes, with a tiny random model."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_measure_page import tab
from tests.pageserver import PageServer
from workbench import sessions
from workbench.settings import load_settings

SLOW = 150_000
"""Milliseconds for a job or the first answer of a model on a busy machine."""
PICTURES = os.environ.get("WORKBENCH_PICTURES", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_lm: Path) -> Iterator[PageServer]:
    """A page whose default model is the tiny one."""
    home = tmp_path_factory.mktemp("research") / "home"
    home.mkdir()
    server = PageServer(home, {"WORKBENCH_DEFAULT_MODEL": f"path:{tiny_lm}"}).start()
    yield server
    server.stop()
    settings = load_settings(environ={"WORKBENCH_HOME": str(home)})
    for model in sessions.processes(settings):
        sessions.unload(settings, model.reference)


def picture(page: Any, name: str) -> None:
    """Keep what the page looks like, where pictures are wanted."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(PICTURES) / f"research-{name}.png", full_page=True)


def run_of(page: Any) -> str:
    return re.search(r"run=([\w-]+)", page.url)[1]


def say(page: Any, words: str) -> None:
    page.locator(".dt-say textarea").wait_for(state="visible", timeout=SLOW)
    page.locator(".dt-say textarea").fill(words)
    page.get_by_role("button", name="Say it").click()


def train(page: Any) -> str:
    """Press the one example of the Train view and wait for its result."""
    tab(page, "Train")
    page.get_by_role("button", name="Train a small agent").click()
    page.wait_for_selector("text=Measured on held-out dialogues", timeout=SLOW)
    page.wait_for_selector(".tr-train figure")
    picture(page, "1-trained")
    return run_of(page)


def talk(page: Any) -> str:
    """Talk to the agent: it chooses its strategy itself, then every strategy is tried for one turn."""
    page.get_by_role("button", name="Talk to it").click()
    page.wait_for_selector(".dt-start")
    page.click(".dt-start")
    say(page, "I cannot sleep since I lost my job.")
    page.wait_for_selector(".dt-turns .dt-supporter", timeout=SLOW)
    page.locator(".dt-say textarea").wait_for(state="visible", timeout=SLOW)
    page.locator(".dt-part").get_by_label("Supporter").check()
    page.wait_for_function("[...document.querySelectorAll('.dt-part input')].filter(i => i.checked).length >= 2")
    say(page, "The rent is due in ten days.")
    page.get_by_role("button", name="All strategies for this turn").click(timeout=SLOW)
    page.wait_for_selector(".rp-say >> nth=7", timeout=SLOW)
    picture(page, "2-replies")
    page.locator(".rp-say").nth(1).click()
    page.wait_for_selector("text=picked by a person", timeout=SLOW)
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.wait_for_selector(".dt-scroll .dt-end", timeout=SLOW)
    return run_of(page)


def branch(page: Any, run: str) -> str:
    """What if the supporter's second reply had followed another strategy?"""
    turn = page.locator(".dt-turns .dt-turn").nth(3)
    turn.hover()
    turn.locator("[data-act=branch]").click()
    form = page.locator(".dt-fork:visible").first
    form.get_by_label("Strategy").first.click()
    page.get_by_role("option", name="Information", exact=True).click()
    form.get_by_role("button", name="Start the branch").click()
    page.wait_for_url(lambda address: "run=" in address and run not in address)
    forked = run_of(page)
    page.wait_for_selector(".dt-lineage >> text=Information", timeout=SLOW)
    page.wait_for_function("document.querySelectorAll('.dt-turns .dt-turn').length >= 4", timeout=SLOW)
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.wait_for_selector(".dt-scroll .dt-end", timeout=SLOW)
    return forked


def test_a_new_user_trains_an_agent_talks_to_it_branches_and_compares(sealed: Callable[..., Any],
                                                                      server: PageServer) -> None:
    page = sealed().open(f"{server.url}/?tab=dialogue")
    trained = train(page)
    run = talk(page)
    forked = branch(page, run)
    assert len({trained, run, forked}) == 3
    page.click(".dt-lineage a")
    page.wait_for_selector(".dt-branches .dt-end >> nth=1", timeout=SLOW)
    assert page.locator(".dt-shared .dt-turn").count() == 3
    assert page.locator(".dt-branches article").count() >= 2
    picture(page, "3-compared")
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    picture(page, "4-compared-narrow")
    page.get_by_role("button", name="Make the pairs").click()
    page.wait_for_selector(".dt-compare .wb-bar code", timeout=SLOW)

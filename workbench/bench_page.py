"""``bench page``: what the whole workbench costs a stream of small updates, against an empty Gradio app.

Two servers are started, each with the same stream of 60 numbered updates: one on an otherwise empty ``gr.Blocks``, one
beside every tab of the workbench, each of which is opened once so that all its components and timers are there. A
headless Chromium measures from the press of the button to the 60th number on screen. The two are measured in turns and
the medians compared, so that a busy machine slows both alike. ``ratio`` is ours / theirs at 40 updates a second, four
times the rate of any stream of the workbench; the target is at most 1.3. ``burst`` is the same without any pause: it
shows the bare cost of one update, most of which is Gradio's search through the page's components.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.contract import Json, MissingResource
from workbench.evidence import Bench
from workbench.settings import Settings, load_settings

UPDATES, ROUNDS, WARM = 60, 7, 2
PACES = {"stream": 0.025, "burst": 0.0}
"""Seconds between two updates: four times as fast as any stream of the workbench (10 a second), and without a pause."""
TARGET = 1.3
MEASURE = """([count, name]) => new Promise((done) => {
  const box = document.querySelector('#bench-out');
  const start = performance.now();
  const watch = new MutationObserver(() => { if (box.textContent.includes('update ' + count)) {
    watch.disconnect(); done(performance.now() - start); } });
  watch.observe(box, {childList: true, subtree: true, characterData: true});
  document.querySelector('#bench-' + name).click();
})"""


def stream(pause: float) -> Iterator[str]:
    """Sixty small updates."""
    for number in range(1, UPDATES + 1):
        yield f"<b>update {number}</b>"
        time.sleep(pause)


def reset() -> str:
    """What the field shows between two rounds."""
    return "<b>ready</b>"


def panel() -> None:
    """The stream's components, in whatever Gradio context is open."""
    out = gr.HTML(reset(), elem_id="bench-out")
    for name, pause in PACES.items():
        gr.Button(name, elem_id=f"bench-{name}").click(partial(stream, pause), None, [out], show_progress="hidden",
                                                       api_visibility="private")
    gr.Button("reset", elem_id="bench-reset").click(reset, None, [out], queue=False, show_progress="hidden",
                                                         api_visibility="private")


def serve_empty() -> None:
    """The peer: Gradio as it comes, with the stream and nothing else, on a free port that it prints."""
    with gr.Blocks(analytics_enabled=False) as app:
        panel()
    _, address, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, ssr_mode=False)
    print(address, flush=True)
    app.block_thread()


def serve_ours() -> None:
    """The workbench with one more tab that holds the stream."""
    from workbench import shell, web
    from workbench.panel import Panel, Shell
    from workbench.service import Service

    def build(_: Shell) -> None:
        panel()
    settings = load_settings()
    web.run(lambda: shell.application(Service(settings), extra=(Panel("bench", "bench", 990, build),)), settings)


def run(settings: Settings, quick: bool = False) -> Bench:
    """Measure; the paced stream is the figure, the burst and the single rounds are printed before it.

    Raises ``MissingResource`` without Playwright or a Chromium.
    """
    found = measured(settings, quick)
    burst = found["burst"]
    print(f"{found['unit']}; the target is at most {found['target']:g}")
    print(f"without any pause: {burst['ratio']:.2f} (ours {burst['ours']:g}, theirs {burst['theirs']:g})")
    for pace, of in found["rounds"].items():
        print(f"{pace}: " + "; ".join(f"{who} {', '.join(map(str, values))}" for who, values in of.items()))
    return Bench(*(found[name] for name in ("name", "peer", "ratio", "ours", "theirs", "same_result")))


def measured(settings: Settings, quick: bool = False) -> dict[str, Json]:
    """Name, peer, ratio, ours and theirs (milliseconds), same_result, the burst and the single rounds."""
    rounds = 3 if quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder, _server("serve_empty", folder, settings) as peer, _server(
            "serve_ours", folder, settings) as own, _browser() as browser:
        pages = {"theirs": _open(browser, peer), "ours": _open(browser, own)}
        taken, same = {}, True
        for pace in PACES:
            taken[pace], ended = _measure(pages, pace, rounds)
            same = same and ended["ours"] == ended["theirs"]
    middle = {pace: {who: statistics.median(values) for who, values in of.items()} for pace, of in taken.items()}
    return {"name": "page", "peer": f"an empty Gradio {gr.__version__} app", **_compared(middle["stream"]),
            "same_result": same, "unit": f"ms for {UPDATES} updates, one every {PACES['stream'] * 1000:.0f} ms",
            "target": TARGET, "burst": _compared(middle["burst"]),
            "rounds": {pace: {who: [round(v, 1) for v in values] for who, values in of.items()}
                       for pace, of in taken.items()}}


def _compared(middle: dict[str, float]) -> dict[str, Json]:
    return {"ratio": round(middle["ours"] / middle["theirs"], 3), "ours": round(middle["ours"], 1),
            "theirs": round(middle["theirs"], 1)}


def _measure(pages: dict[str, Any], pace: str, rounds: int) -> tuple[dict[str, list[float]], dict[str, set[str]]]:
    """Milliseconds of every round by page, in turns, and what each page showed at the end."""
    taken: dict[str, list[float]] = {name: [] for name in pages}
    ended: dict[str, set[str]] = {name: set() for name in pages}
    for number in range(WARM + rounds):
        for name, page in pages.items():
            page.bring_to_front()
            milliseconds = float(page.evaluate(MEASURE, [UPDATES, pace]))
            ended[name].add(page.inner_text("#bench-out").strip())
            page.click("#bench-reset")
            page.wait_for_selector("#bench-out >> text=ready")
            if number >= WARM:
                taken[name].append(milliseconds)
    return taken, ended


@contextmanager
def _server(function: str, folder: str, settings: Settings) -> Iterator[str]:
    home = Path(folder) / function
    home.mkdir()
    environ = {**os.environ, "WORKBENCH_HOME": str(home), "WORKBENCH_PORT": "0", "WORKBENCH_HOST": "127.0.0.1",
               "WORKBENCH_MODELS": str(settings.models), "GRADIO_ANALYTICS_ENABLED": "False"}
    root = Path(__file__).resolve().parent.parent
    child = subprocess.Popen([sys.executable, "-c", f"from workbench import bench_page\nbench_page.{function}()"],
                             cwd=root, env=environ, text=True, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        line = next((line for line in child.stdout if "http://" in line), "")
        if not line:
            raise RuntimeError(f"{function} ended before it said its address (status {child.wait()})")
        yield "http://" + line.split("http://")[1].strip()
    finally:
        child.kill()
        child.wait()


@contextmanager
def _browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingResource("bench page needs the package playwright, which is not installed.",
                              advice="Install tests/requirements.txt.") from error
    if path is None:
        raise MissingResource("bench page needs a Chromium, and none is on this machine.",
                              advice="Install the system's chromium package.")
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


def _open(browser: Any, address: str) -> Any:
    """The page with every tab opened once and the stream's tab in front."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.wait_for_selector("#bench-stream, [role=tab]")
    for tab in page.locator("#wb-tabs > .tab-wrapper [role=tab]").all():
        tab.click()
        page.wait_for_timeout(1500)
    page.wait_for_selector("#bench-stream >> visible=true")
    page.wait_for_timeout(1000)
    return page

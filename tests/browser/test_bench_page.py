"""The page's benchmark measures what it says, in the shape that later work relies on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from workbench import bench_page
from workbench.contract import MissingResource
from workbench.evidence import read_bench
from workbench.settings import Settings


def test_the_benchmark_gives_its_figures(settings: Settings) -> None:
    pytest.importorskip("playwright.sync_api")
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium on this machine")
    code = (  # a process of its own: two Playwrights in one do not go together
        "import json\nfrom workbench import bench_page\nfrom workbench.settings import load_settings\n"
        "print(json.dumps(bench_page.measured(load_settings(), quick=True)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().split("\n")[-1])
    assert {"name", "peer", "ratio", "ours", "theirs", "same_result"} <= set(told) and told["same_result"] is True
    assert told["ratio"] == pytest.approx(told["ours"] / told["theirs"], abs=0.01)
    assert all(len(values) == 3 for of in told["rounds"].values() for values in of.values())


def test_the_command_line_can_read_and_show_it(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    values = {"name": "page", "peer": "an empty app", "ratio": 1.02, "ours": 1612.0, "theirs": 1582.0,
              "same_result": True, "unit": "ms for 60 updates", "target": 1.3,
              "burst": {"ratio": 1.85, "ours": 370.0, "theirs": 200.0},
              "rounds": {"stream": {"ours": [1612.0], "theirs": [1582.0]}}}
    monkeypatch.setattr(bench_page, "measured", lambda settings, quick: values)
    told = read_bench("page", bench_page.run(settings))
    assert (told.ratio, told.same_result) == (1.02, True)
    printed = capsys.readouterr().out
    assert "at most 1.3" in printed and "without any pause: 1.85" in printed and "stream: ours 1612.0" in printed


def test_without_a_browser_it_says_what_is_missing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingResource, match=r"chromium|playwright"), bench_page._browser():
        pass


@pytest.mark.parametrize(("ours", "theirs", "ratio"), [(130.0, 100.0, 1.3), (90.0, 100.0, 0.9)])
def test_the_ratio_is_ours_over_theirs(ours: float, theirs: float, ratio: float) -> None:
    assert bench_page._compared({"ours": ours, "theirs": theirs}) == {"ratio": ratio, "ours": ours, "theirs": theirs}


def test_the_stream_sends_every_number_once() -> None:
    sent = list(bench_page.stream(0.0))
    assert len(sent) == bench_page.UPDATES == 60 and sent[-1] == "<b>update 60</b>" and len(set(sent)) == 60

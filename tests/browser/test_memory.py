"""A model lives beside the web process: unloading it gives everything back, and the page stays small."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.pageserver import PageServer
from workbench.service import CLI, Service
from workbench.settings import load_settings

ALLOWED_MB = 50
"""How far the web process may be above its size after the first page, once the model is unloaded."""


def megabytes(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6


def test_unloading_a_model_from_the_page_gives_its_memory_back(
    sealed: Callable[..., Any], server: PageServer, tiny_lm: Path
) -> None:
    service = Service(replace(load_settings(), home=server.home))
    page = sealed().open(server.url)
    page.wait_for_timeout(2000)
    assert server.process is not None
    at_start = megabytes(server.process.pid)

    fields = {"supporter_model": f"path:{tiny_lm}", "seeker_model": f"path:{tiny_lm}",
              "counselor_model": f"path:{tiny_lm}", "min_turns": 2, "max_turns": 4, "max_new_tokens": 8}
    run_id = service.submit("sweetiechat.dialogue.v1", fields, visitor=CLI, shared=True)
    page.goto(f"{server.url}/?tab=dialogue&run={run_id}")
    run = service.wait(CLI, run_id, 120)
    assert run.status == "succeeded", service.log_tail(CLI, run_id)
    models = [m for m in service.status()["models"] if str(tiny_lm) in m["reference"]]
    assert len(models) == 1 and psutil.pid_exists(models[0]["pid"])
    began = time.monotonic()
    service.unload(models[0]["reference"])
    while psutil.pid_exists(models[0]["pid"]) and psutil.Process(models[0]["pid"]).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() - began < 10, "the model process is still there"
        time.sleep(0.05)
    assert not [m for m in service.status()["models"] if str(tiny_lm) in m["reference"]]

    page.wait_for_timeout(1000)
    assert megabytes(server.process.pid) - at_start <= ALLOWED_MB
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert not re.search(r"libtorch|/torch/", maps), "the web process has torch in memory"


@pytest.mark.parametrize("path", ["/workbench/health"])
def test_the_server_says_itself_that_torch_is_not_there(server: PageServer, path: str) -> None:
    answer = server.ask(path).json()
    assert answer["torch"] is False and answer["boot"]

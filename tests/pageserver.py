"""A real server process of the page for tests, and a plain HTTP client to it that hides nothing."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVE = "from workbench.settings import load_settings\nfrom workbench import shell\nshell.serve(load_settings())\n"


@dataclass
class Answer:
    """Status, headers (lower-case names; several of one name joined by newlines) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class PageServer:
    """``python -c 'shell.serve(..)'`` on a port of its own; ``kill`` is ``kill -9`` of the web process alone."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self, seconds: float = 90.0) -> PageServer:
        log = (self.home.parent / f"{self.home.name}.server.log").open("a+", encoding="utf-8")
        environ = {
            **os.environ,
            "WORKBENCH_HOME": str(self.home),
            "WORKBENCH_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
            "WORKBENCH_PLUGINS": "tests.toys",
            **self.environ,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=ROOT,
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        if "http://" not in line:
            log.seek(0)
            raise RuntimeError(f"the server did not start: {line}{log.read()[-4000:]}")
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.ask("/workbench/health").status in (200, 401):
                    return self
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the server does not answer")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: Any = None,
        seconds: float = 20.0,
    ) -> Answer:
        """One request. ``headers`` are sent as they are (``Host`` too); a body that is no bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=sent)
            got = connection.getresponse()
            names: dict[str, str] = {}
            for name, value in got.getheaders():
                names[name.lower()] = f"{names[name.lower()]}\n{value}" if name.lower() in names else value
            return Answer(got.status, names, got.read())
        finally:
            connection.close()

    def visitor(self) -> dict[str, str]:
        """The cookie header of a new visitor, as a browser would keep it."""
        line = self.ask("/workbench/health").headers["set-cookie"]
        return {"Cookie": line.split(";")[0]}

    def call(self, name: str, values: list[Any], headers: dict[str, str]) -> Answer:
        """Call a public endpoint the way the page's own client does."""
        return self.ask(f"/gradio_api/run/{name}", "POST", headers, {"data": values, "session_hash": "test-session"})

    def submit(self, headers: dict[str, str], task: str = "toys.count.v1", **fields: Any) -> str:
        answer = self.call("start", [task, fields], headers)
        assert answer.status == 200, answer.text
        return str(answer.json()["data"][0])

    def state(self, headers: dict[str, str], run_id: str) -> dict[str, Any]:
        return self.call("run", [run_id], headers).json()["data"][0]

    def wait(self, headers: dict[str, str], run_id: str, seconds: float = 40.0) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while (state := self.state(headers, run_id))["status"] in ("queued", "running") and time.monotonic() < end:
            time.sleep(0.2)
        return state

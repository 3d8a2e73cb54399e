"""Small HTTP servers that behave as model servers do, well or badly."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def sse(*events: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if done else [])
    return "".join(lines).encode()


def piece(text: str, why: str | None = None) -> dict:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": why}]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behave: Callable[[Handler, str, dict], None]
    seen: list[tuple[str, dict, dict]]

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self.behave(self, self.path, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        self.seen.append((self.path, body, dict(self.headers)))
        self.behave(self, self.path, body)

    def answer(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def models(self, *names: str) -> None:
        self.answer(json.dumps({"data": [{"id": name} for name in names]}).encode())

    def open_stream(self, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def part(self, data: bytes, pause: float = 0.0) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(data)
            self.wfile.flush()
        time.sleep(pause)


@contextlib.contextmanager
def serving(behave: Callable[[Handler, str, dict], None]) -> Iterator[tuple[str, list[tuple[str, dict, dict]]]]:
    """A server on a free port: its base address and the list of what it was sent."""
    seen: list[tuple[str, dict, dict]] = []
    handler = type("Behaving", (Handler,), {"behave": staticmethod(behave), "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    finally:
        server.shutdown()
        server.server_close()

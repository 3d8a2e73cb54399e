"""``serve``: open the page. One server a home, only on this machine, the default model fetched beside it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace

from workbench.contract import UserError
from workbench.settings import Settings
from workbench.verbs import OK, Verb, WrongUse

LOCK = "server.lock"
FETCH_TASK = "common.fetch_model.v1"
PORTS_TRIED = 50


def arguments(parser: ArgumentParser) -> None:
    """``--no-browser``; the rest are settings."""
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def serve(options: Namespace, settings: Settings) -> int:
    """Serve the page until Ctrl-C. Raises ``UserError`` where it cannot be served."""
    check_host(settings)
    settings = replace(settings, port=free_port(settings, given=options.setting_port is not None))
    with only_server(settings) as url:
        if not options.no_browser and has_display():
            threading.Thread(target=open_when_up, args=(url,), daemon=True).start()
        fetch_default_model(settings)
        from workbench.shell import serve as serve_page  # gradio: only this verb pays for it

        try:
            serve_page(settings)
        except KeyboardInterrupt:
            print("\nStopped. Runs that were started go on; `launch.py runs` lists them.", file=sys.stderr)
    return OK


def check_host(settings: Settings) -> None:
    """Refuse an address that other machines reach: whoever opens the page could run jobs as this user."""
    if not settings.loopback:
        raise WrongUse(
            f"The page is not served on {settings.host}: it has no users and passwords yet, so anyone who reaches "
            "it could run jobs and read results in your name.",
            advice=f"Reach it from elsewhere through `ssh -L {settings.port}:127.0.0.1:{settings.port} THIS_MACHINE`, "
                   "or serve it on 127.0.0.1 behind a reverse proxy that asks for a password, with "
                   "--allowed-hosts NAME.")


def free_port(settings: Settings, given: bool) -> int:
    """The port of the settings, or the next free one where it is taken and was not asked for by a flag."""
    first = settings.port
    ports = [first] if given or first == 0 else range(first, min(first + PORTS_TRIED, 65536))
    for port in ports:
        taken = _try(settings.host, port)
        if isinstance(taken, int):
            if first not in (0, port):
                print(f"Port {first} is taken; the page is on {port}.", file=sys.stderr)
            return taken
        if taken.errno == errno.EACCES:
            raise WrongUse(f"Port {port} cannot be opened: {taken.strerror}.", advice="Take one above 1023.")
        if taken.errno != errno.EADDRINUSE:
            raise WrongUse(f"{settings.host}:{port} cannot be opened: {taken.strerror}.",
                           advice="Check --host; 127.0.0.1 always works.")
    raise WrongUse(f"Port {first} is taken." if len(ports) == 1 else f"Ports {first} to {ports[-1]} are all taken.",
                   advice="Stop what uses it, or take another one: --port 0 picks any.")


def _try(host: str, port: int) -> int | OSError:
    """The port, if it can be had (for 0: one that the system picks), else why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
            probe.listen(1)
        except OSError as error:
            return error
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def only_server(settings: Settings) -> Iterator[str]:
    """Hold the home for this server and leave its address there; yields the address.

    Raises ``UserError`` saying where the other server is. The system frees the lock of a killed server."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        handle = os.open(settings.home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UserError(f"{settings.home} cannot be written: {error.strerror}.",
                        advice="Set WORKBENCH_HOME or --home to a folder of your own.") from error
    with os.fdopen(handle, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"A workbench serves {settings.home} already{_where(file.read())}.",
                            advice="Use that page, stop it with Ctrl-C, or give this one another --home.") from None
        host = f"[{settings.host.strip('[]')}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{settings.port}/"
        file.truncate(0)
        json.dump({"url": url, "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M")}, file)
        file.flush()
        yield url


def _where(text: str) -> str:
    try:
        record = json.loads(text)
        return f" at {record['url']} (process {record['pid']}, since {record['since']})"
    except (ValueError, KeyError, TypeError):
        return ""


def has_display() -> bool:
    """Whether a browser could show itself here."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_when_up(url: str, seconds: float = 90.0) -> None:
    """Open the browser as soon as the page answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}workbench/health", timeout=2):
            webbrowser.open(url)
            return
        time.sleep(0.3)


def fetch_default_model(settings: Settings) -> None:
    """Begin to fetch the default model in a job of its own, unless it is here or on its way already."""
    from workbench import hub
    from workbench.service import Service

    try:
        found = hub.state(settings.default_model, settings)
        if found.status not in ("to fetch", "to convert"):
            if found.status != "ready":
                print(f"The default model {settings.default_model} is not ready: {found.detail}", file=sys.stderr)
            return
        service = Service(settings)
        active = [run for run in service.runs("cli", task=FETCH_TASK)[0] if run.active]
        if not active:
            title = f"Fetch {hub.card(settings.default_model, settings).title}"
            service.submit(FETCH_TASK, {"reference": settings.default_model}, visitor="cli", title=title, shared=True)
    except UserError as error:
        print(f"The default model is not being fetched: {error}", file=sys.stderr)


VERBS = {"serve": Verb("open the page (the default verb)", arguments, serve)}

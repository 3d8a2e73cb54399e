"""The workbench's own addresses beside Gradio's, and the server process itself.

``/workbench/health`` tells the page which run of the server it talks to, ``/workbench/static/..`` are our style and
script, ``/workbench/runs/<run>/<artifact>`` hands out a run's files after asking the service who may have them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from workbench.contract import UserError
from workbench.security import VISITOR_COOKIE, App, visitor_id
from workbench.service import Service
from workbench.settings import Settings
from workbench.theme import FOLDER, stylesheet
from workbench.widgets.curves import chart_page

STATIC = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
KEEP = "public, max-age=31536000, immutable"
"""How long a browser may keep a static file: its address changes with its content."""


def new_boot() -> str:
    """A name for this run of the server; a page that sees another one reloads."""
    return secrets.token_hex(8)


def stamp() -> str:
    """A digest of every file the page's look is made of."""
    digest = hashlib.sha256(stylesheet().encode())
    for path in sorted(FOLDER.glob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def who(request: Request) -> str:
    """The owner id of the visitor who asks; ``""`` owns nothing."""
    return visitor_id(request.cookies.get(VISITOR_COOKIE, ""))


def routes(service: Service, boot: str) -> list[BaseRoute]:
    """The routes under ``/workbench``."""
    async def health(request: Request) -> Response:
        return JSONResponse({"boot": boot, "torch": "torch" in sys.modules}, headers={"cache-control": "no-store"})

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "style.css":
            return Response(stylesheet(), media_type="text/css", headers={"cache-control": KEEP})
        path = FOLDER / name
        if path.parent != FOLDER or path.suffix not in STATIC or not path.is_file():
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(path, media_type=STATIC[path.suffix], headers={"cache-control": KEEP})

    def artifact(request: Request) -> Response:
        try:
            path = service.artifact_path(who(request), request.path_params["run"], request.path_params["name"])
        except UserError as error:
            return PlainTextResponse(str(error), 404)
        if not path.is_file():
            return PlainTextResponse("This file is no longer there.", 404)
        return FileResponse(path, filename=path.name, media_type="application/octet-stream",
                            headers={"cache-control": "private, no-store"})

    def chart(request: Request) -> Response:
        owner, run_id = who(request), request.path_params["run"]
        try:
            page = chart_page(service.run(owner, run_id).title or run_id, service.metrics(owner, run_id))
        except UserError as error:
            return PlainTextResponse(str(error), 404)
        return Response(page, media_type="application/octet-stream", headers={
            "cache-control": "private, no-store",
            "content-disposition": f'attachment; filename="curves-{run_id}.html"'})
    return [Route("/workbench/health", health), Route("/workbench/static/{name}", static),
            Route("/workbench/charts/{run}", chart), Route("/workbench/runs/{run}/{name:path}", artifact)]


def access_key(settings: Settings) -> str:
    """The key that an address open to other machines asks for: kept in the home, ``""`` on a loopback address."""
    if settings.loopback:
        return ""
    path = Path(settings.home) / "access.key"
    kept = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if re.fullmatch(r"[0-9a-f]{32}", kept):
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # an emptied or edited key must not become an open door
    key = secrets.token_hex(16)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key)
    return key


def listen(settings: Settings) -> socket.socket:
    """A bound socket for the page. Raises ``UserError`` when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        listener.close()
        advice = {errno.EADDRINUSE: "Is a workbench running already? Stop it, or take another port: --port 0.",
                  errno.EACCES: "Take a port above 1023."}.get(error.errno or 0, "Check the settings host and port.")
        raise UserError(f"The page cannot be served on {settings.host}:{settings.port}: {error.strerror}.",
                        advice=advice) from error
    return listener


def address(settings: Settings, listener: socket.socket, key: str = "") -> str:
    """The address to open in a browser."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else next(iter(settings.allowed_hosts), "127.0.0.1")
    host = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{host}:{listener.getsockname()[1]}/" + (f"?key={key}" if key else "")


def run(make: Callable[[], App], settings: Settings, key: str = "") -> None:
    """Take the port, make the application, say where it is, and serve until interrupted."""
    listener = listen(settings)
    try:
        config = uvicorn.Config(make(), log_level="warning", timeout_graceful_shutdown=2, access_log=False,
                                server_header=False, lifespan="on")
        listener.listen(128)
        print(f"Language Workbench: {address(settings, listener, key)}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()

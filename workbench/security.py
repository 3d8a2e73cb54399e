"""What may reach the page and what may leave it: small ASGI layers, each refusing one kind of misuse.

Gradio answers any Host header, gives every origin CORS with credentials under any name but localhost, and offers
routes that the page never uses. These layers stand outside it, in this order: host, access key, origin, routes, upload
size, visitor, response headers. Nothing here knows a task or a run: who may see which run is ``service.py``'s.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from workbench.contract import UserError
from workbench.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

VISITOR_COOKIE, KEY_COOKIE = "wb_visitor", "wb_key"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_YEAR = 365 * 24 * 3600
ROUTES = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/(?:static|assets|svelte|workbench)/.+"
    r"|/gradio_api/(?:theme\.css|queue/(?:join|data)|(?:run|api|call)/[\w./-]+|info/?|upload|upload_progress|file=.+|"
    r"heartbeat/[\w-]+|reset/?|cancel/?|component_server/?)")
"""Every address that the page uses; the rest of Gradio's (proxy, deep links, monitoring, history ..) is not there."""
SMALL_BODY = 4 * 2**20
"""Bytes that a request other than an upload may carry: far above a 100,000-character scenario."""
POLICY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), payment=(), usb=(), microphone=(self)",
}


def content_policy(nonce: str) -> str:
    """The Content-Security-Policy: own origin only, no inline script but ours.

    ``unsafe-eval`` is there because Gradio compiles its HTML templates with ``Function``; a ``nonce`` for the
    document's own scripts is what keeps ``<img onerror=..>`` in a model's output from running.
    """
    return ("default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
            "connect-src 'self'; worker-src 'self' blob:; frame-src 'self' blob:")


def header(scope: Scope, name: bytes) -> str:
    """One request header as text; the empty string when it is not there."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def cookies(scope: Scope) -> dict[str, str]:
    """The request's cookies; a malformed header counts as none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header(scope, b"cookie"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def visitor_id(cookie: str) -> str:
    """The owner id of a visitor: a hash, so that a run's files never hold the cookie that opens them."""
    return "v-" + hashlib.sha256(cookie.encode()).hexdigest()[:24] if _TOKEN.fullmatch(cookie) else ""


async def refuse(send: Send, status: int, text: str, kind: str = "text/plain") -> None:
    """Answer with a short text and nothing else; never cached."""
    body = text.encode()
    headers = [(b"content-type", f"{kind}; charset=utf-8".encode()), (b"content-length", str(len(body)).encode()),
               (b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def host_names(settings: Settings) -> tuple[str, ...]:
    """The names that the page answers to. Raises ``UserError`` for an open address without any."""
    own = ("127.0.0.1", "localhost", "[::1]")
    if settings.loopback:
        return (*own, *settings.allowed_hosts)
    if not settings.allowed_hosts and settings.host in ("0.0.0.0", "::", "[::]"):
        raise UserError(f"host is {settings.host}, which opens the page to the network under names that are not known.",
                        advice="Name the ones people will type: --allowed-hosts gpu-box.lan,192.168.1.20.")
    return (*own, settings.host, *settings.allowed_hosts)


class Hosts:
    """Refuse a request for a name that is not ours: another site's name that was made to point here."""

    def __init__(self, app: App, names: Iterable[str]) -> None:
        self.app, self.names = app, {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and re.sub(r":\d+$", "", header(scope, b"host").lower()) not in self.names:
            await refuse(send, 400, "This name does not lead to the workbench (see the setting allowed_hosts).")
        else:
            await self.app(scope, receive, send)


class AccessKey:
    """When other machines can reach the page: only who once opened the address with the key gets further."""

    def __init__(self, app: App, key: str) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._same(cookies(scope).get(KEY_COOKIE, "")):
            await self.app(scope, receive, send)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key", [""])[0]
        if scope["method"] != "GET" or not self._same(given):
            await refuse(send, 401, "Open the address that the workbench printed at its start; it ends in ?key=...")
            return
        cookie = f"{KEY_COOKIE}={self.key}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax"
        await send({"type": "http.response.start", "status": 303, "headers": [
            (b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.key.encode())


class SameOrigin:
    """Refuse what another site's page sends. A link on another site may open ours, and nothing more."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._own(scope):
            await refuse(send, 403, "This request comes from another site.")
        else:
            await self.app(scope, receive, send)

    @staticmethod
    def _own(scope: Scope) -> bool:
        origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
        if origin:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and parts.netloc.lower() == header(scope, b"host").lower()
        opened = scope["method"] in ("GET", "HEAD") and header(scope, b"sec-fetch-mode") == "navigate" and header(
            scope, b"sec-fetch-dest") == "document"
        return site in ("", "same-origin", "none") or opened


class Routes:
    """Serve only the addresses that the page uses, and no path with a way out of its folder."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._wanted(scope):
            await refuse(send, 404, "There is nothing here.")
        else:
            await self.app(scope, receive, send)

    @staticmethod
    def _wanted(scope: Scope) -> bool:
        path = unquote(unquote(scope["path"]))
        climbs = ".." in re.split(r"[/\\]", path) or "\\" in path or "\x00" in path
        return not climbs and ROUTES.fullmatch(path) is not None and scope["method"] in ("GET", "HEAD", "POST")


class BodyCap:
    """Refuse a body above the cap, whether its length is declared or only shows while it streams in."""

    def __init__(self, app: App, upload_bytes: int) -> None:
        self.app, self.upload_bytes = app, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cap = self.upload_bytes if scope["path"].endswith("/upload") else min(SMALL_BODY, self.upload_bytes)
        declared = header(scope, b"content-length")
        if declared and not (declared.isdigit() and int(declared) <= cap):
            await refuse(send, 413, f"A request may carry at most {cap} bytes.")
            return
        await self._counted(scope, receive, send, cap)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, cap: int) -> None:
        seen, started, over = 0, False, False

        async def counting() -> Message:
            nonlocal seen, over
            message = await receive()
            seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if seen > cap:
                over = True
                return {"type": "http.disconnect"}
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if over and not started:
                return
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counting, watched)
        except Exception:
            if not over:
                raise
        if over and not started:
            await refuse(send, 413, f"A request may carry at most {cap} bytes.")


class Visitor:
    """Give every browser a random name of 128 bits in a cookie that no script can read."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _TOKEN.fullmatch(cookies(scope).get(VISITOR_COOKIE, "")):
            await self.app(scope, receive, send)
            return
        token = secrets.token_hex(16)
        kept = [(key, value) for key, value in scope["headers"] if key != b"cookie"]
        others = "; ".join(f"{k}={v}" for k, v in cookies(scope).items() if k != VISITOR_COOKIE)
        line = f"{VISITOR_COOKIE}={token}" + (f"; {others}" if others else "")
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        given = f"{VISITOR_COOKIE}={token}; Path=/; Max-Age={_YEAR}; HttpOnly; SameSite=Lax{secure}"

        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"set-cookie", given.encode())]
            await send(message)

        await self.app({**scope, "headers": [*kept, (b"cookie", line.encode())]}, receive, giving)


class Headers:
    """Put the content policy and its companions on every answer, whoever made it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        fixed = {**POLICY, "content-security-policy": content_policy(nonce)}

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message.get("headers", []) if k.decode("latin-1").lower() not in fixed
                        and not k.lower().startswith(b"access-control-")]
                message["headers"] = [*kept, *((k.encode(), v.encode()) for k, v in fixed.items())]
            await send(message)

        await self.app({**scope, "nonce": nonce}, receive, adding)


def protect(app: App, settings: Settings, key: str = "") -> App:
    """``app`` behind every layer, outermost first: headers, host, key (when given), origin, routes, body, visitor."""
    inner: App = BodyCap(Visitor(app), settings.upload_mb * 2**20)
    inner = SameOrigin(Routes(inner))
    if key:
        inner = AccessKey(inner, key)
    return Headers(Hosts(inner, host_names(settings)))


def public_names(names: Sequence[str]) -> list[str]:
    """Names of public endpoints, sorted, as the checked-in list has them (``/`` in front)."""
    return sorted(f"/{name.strip('/')}" for name in names)

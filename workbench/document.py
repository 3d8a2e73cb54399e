"""The page's HTML on its way out: the reader's language, their light or dark, and our own head elements.

Gradio writes one document for everybody and adds custom CSS and scripts only after it has started in the browser, which
flashes and leaves no place for a nonce. This layer rewrites the two answers that describe the page (``/`` and
``/config``): marks become texts (see ``text.py``), our stylesheet and script stand in the head from the first byte,
every inline script gets the request's nonce, and Gradio's social-media tags, which name outside addresses, go.
"""

from __future__ import annotations

import gzip
import html
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from workbench import text
from workbench.panel import Lang
from workbench.security import App, Message, Receive, Scope, Send, cookies, header

THEME_COOKIE = "wb_theme"
THEMES = ("light", "dark")
_SOCIAL = re.compile(r"\s*<meta\s+(?:property=\"og:|name=\"twitter:)[^>]*>", re.S)
_SELECTED = re.compile(r'("type":"tabs","props":\{[^{}]*?"selected":)"[\w-]*"')
_BOOT = """
const wb = window.wb = {lang: %(lang)s, theme: %(theme)s, boot: %(boot)s, words: %(words)s, first: location.search,
  tab() {}, keep() {}, open() {}, hold() {}, held() { return ""; }};
for (const [name, value] of [["language", wb.lang], ["languages", [wb.lang]]])
  Object.defineProperty(navigator, name, {get: () => value, configurable: true});
const media = window.matchMedia.bind(window);
wb.system = media("(prefers-color-scheme: dark)");
if (wb.theme) window.matchMedia = (query) => /prefers-color-scheme/.test(query) ? {
  matches: query.includes("dark") === (wb.theme === "dark"), media: query, onchange: null,
  addEventListener() {}, removeEventListener() {}, addListener() {}, removeListener() {}} : media(query);
document.documentElement.classList.toggle("wb-dark", wb.theme ? wb.theme === "dark" : wb.system.matches);
"""


@dataclass(frozen=True)
class Reader:
    """What the document must know of the one it is for. ``theme`` is empty when the system decides; ``tab`` is the
    one to open first."""

    lang: Lang
    theme: str
    nonce: str
    tab: str = ""


def rewrite(page: str, reader: Reader, boot: str, stamp: str) -> str:
    """The document for this reader. ``boot`` names this run of the server, ``stamp`` this state of the assets."""
    page = text.fill(_SOCIAL.sub("", page), reader.lang)
    if f'"elem_id":"tab-{reader.tab}"' in page:
        page = _SELECTED.sub(f'\\g<1>"{reader.tab}"', page, count=1)
    page = page.replace('<html\n\tlang="en"', f'<html\n\tlang="{reader.lang}"', 1)
    title = html.escape(text.say(reader.lang, "app.name"))
    words = {key: text.say(reader.lang, f"page.{key}") for key in ("lost", "back", "copied", "copy_failed")}
    script = _BOOT % {"lang": _js(reader.lang), "theme": _js(reader.theme), "boot": _js(boot), "words": _js(words)}
    ours = (f"<title>{title}</title><script>{script}</script>"
            f'<link rel="icon" href="/workbench/static/mark.svg?{stamp}" type="image/svg+xml">'
            f'<link rel="stylesheet" href="/workbench/static/style.css?{stamp}">'
            f'<script src="/workbench/static/answers.js?{stamp}"></script>'
            f'<script type="module" src="/workbench/static/page.js?{stamp}"></script>')
    page = page.replace("</head>", f"{ours}</head>", 1)
    return re.sub(r"<script(?=[\s>])", f'<script nonce="{reader.nonce}"', page)


def _js(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


class Document:
    """ASGI layer that rewrites ``/`` and ``/config``; everything else passes as it is."""

    def __init__(self, app: App, boot: str, stamp: str) -> None:
        self.app, self.boot, self.stamp = app, boot, stamp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in ("/", "/config", "/config/"):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def gather(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await self._answer(scope, send, start, bytes(body))

        plain = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, gather)

    async def _answer(self, scope: Scope, send: Send, start: Message, body: bytes) -> None:
        jar = cookies(scope)
        theme = jar.get(THEME_COOKIE, "")
        reader = Reader(text.choose(jar.get(text.COOKIE), header(scope, b"accept-language")),
                        theme if theme in THEMES else "", scope.get("nonce", ""),
                        parse_qs(scope.get("query_string", b"").decode("latin-1")).get("tab", [""])[0])
        headers = [(k, v) for k, v in start["headers"] if k not in (b"content-length", b"cache-control")]
        if start["status"] == 200 and body:
            said = body.decode()
            body = (rewrite(said, reader, self.boot, self.stamp) if scope["path"] == "/"
                    else text.fill(said, reader.lang)).encode()
        if "gzip" in header(scope, b"accept-encoding") and len(body) > 1024:
            body = gzip.compress(body, compresslevel=4)
            headers.append((b"content-encoding", b"gzip"))
        headers += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), (b"vary", b"cookie")]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

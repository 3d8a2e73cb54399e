"""Every text of the page in English and Simplified Chinese, and which of the two a reader gets.

Decision: the *server* decides the language, once, for labels and for what handlers return. ``gr.I18n`` decides in the
browser from ``navigator.language``: it knows no switch, sends every language to every reader, and does not reach
choices, HTML values or anything a handler returns, so that half a page would follow the cookie and half the browser.
Instead a fixed text is given as a *mark* (``mark("runs.title")`` is ``⟦runs.title⟧``) and ``document.py`` replaces all
marks when the page's one description leaves the server; handlers call ``say(lang, key)``. Gradio's own words follow
because the document also tells the browser code which language was chosen.

Texts lie in ``assets/text``: ``en.json`` and ``zh-CN.json``, plus ``<part>.<lang>.json`` for a tab that brings its own.
Keys are flat (``"runs.title"``), places are ``{name}``, and a test holds both languages to the same keys and places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from workbench.contract import Json
from workbench.panel import Lang

LANGUAGES: tuple[Lang, ...] = ("en", "zh-CN")
COOKIE = "wb_lang"
FOLDER = Path(__file__).resolve().parent.parent / "assets" / "text"
_MARK = re.compile(r"⟦([\w. -]+)⟧")
_PLACE = re.compile(r"\{(\w+)\}")
_SCRIPT_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"})


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(lang: Lang) -> Mapping[str, str]:
    """Every text of one language by key. Raises ``ValueError`` when two files give the same key."""
    found: dict[str, str] = {}
    for path in (FOLDER / f"{lang}.json", *sorted(FOLDER.glob(f"*.{lang}.json"))):
        for key, text in json.loads(path.read_text(encoding="utf-8")).items():
            if key in found:
                raise ValueError(f"{path.name} gives the text {key!r}, which another file gives already")
            found[key] = text
    return MappingProxyType(found)


def say(lang: str, key: str, /, **values: Json) -> str:
    """The text of ``key`` with its places filled in; English where a language lacks it, the key where both do.

    ``/``: a place may be called ``key`` or ``lang`` as well."""
    chosen: Lang = "zh-CN" if lang == "zh-CN" else "en"
    text = catalogue(chosen).get(key) or catalogue("en").get(key) or key
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), text)


@lru_cache(maxsize=1)
def _glossary() -> Mapping[str, str]:
    return MappingProxyType(dict(json.loads((FOLDER / "glossary.zh.json").read_text(encoding="utf-8"))))


def gloss(lang: str, english: str) -> str:
    """What a *method* says (task titles, field names, help) in the reader's language; as it stands where unknown.

    Methods know no texts of the page: they write English, and ``glossary.zh.json`` maps it, sentence by sentence."""
    return _glossary().get(english, english) if lang == "zh-CN" else english


def known(key: str) -> bool:
    """Whether there is a text of this key (some keys are made from the names of statuses or failures)."""
    return key in catalogue("en")


def places(text: str) -> set[str]:
    """The names of the places that ``say`` would fill in: ``places("{n} of {all}") == {"n", "all"}``."""
    return set(_PLACE.findall(text))


def mark(key: str) -> str:
    """A stand-in for the text of ``key`` that :func:`fill` replaces when the page is sent."""
    return f"⟦{key}⟧"


def fill(document: str, lang: Lang) -> str:
    """Replace every mark in JSON (also JSON inside a script element) by its text in ``lang``, escaped for both."""
    def text_of(found: re.Match[str]) -> str:
        if not known(found[1]):
            return found[0]
        return json.dumps(say(lang, found[1]), ensure_ascii=False)[1:-1].translate(_SCRIPT_UNSAFE)
    return _MARK.sub(text_of, document)


def choose(cookie: str | None, accept_language: str | None) -> Lang:
    """The language for a reader: the switch's cookie, else the most wanted known one of ``Accept-Language``."""
    if cookie in LANGUAGES:
        return "zh-CN" if cookie == "zh-CN" else "en"
    wishes: list[tuple[float, Lang]] = []
    for part in (accept_language or "").split(","):
        tag, _, weight = part.partition(";q=")
        primary = tag.strip().lower().split("-")[0]
        if primary in ("en", "zh"):
            wishes.append((_weight(weight), "zh-CN" if primary == "zh" else "en"))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else "en"


def _weight(text: str) -> float:
    try:
        return float(text) if text.strip() else 1.0
    except ValueError:
        return 0.0

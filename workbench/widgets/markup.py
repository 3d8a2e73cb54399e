"""HTML from plain values: escaping first, then the few shapes that every widget is made of."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable

from workbench.contract import Json
from workbench.text import say


def esc(value: Json) -> str:
    """``value`` as text that is safe between tags and inside a quoted attribute."""
    return html.escape(str(value), quote=True)


def element(name: str, inner: str = "", **attributes: Json) -> str:
    """``<name a="b">inner</name>``; ``inner`` is HTML already, attribute values are escaped here.

    ``class_`` is ``class``, ``data_x`` is ``data-x``; ``True`` writes a bare attribute, ``None`` and ``False`` none.
    """
    written = []
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(f" {attribute}")
        elif value is not None and value is not False:
            written.append(f' {attribute}="{esc(value)}"')
    return f"<{name}{''.join(written)}>{inner}</{name}>"


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """A list of terms and values (HTML) as ``<dl>``; rows without a value are left out."""
    inner = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in rows if value)
    return f'<dl class="wb-pairs">{inner}</dl>' if inner else ""


def copy_button(text: str, label: str) -> str:
    """A button that puts ``text`` on the clipboard (``page.js`` listens for ``data-wb-copy``)."""
    return element("button", esc(label), type="button", class_="wb-link", data_wb_copy=text)


def open_link(tab: str, run_id: str, label: str, verb: str = "") -> str:
    """A link that brings a run to a tab: a real address, taken over by ``page.js`` without loading the page anew."""
    query = f"?tab={tab}&run={run_id}" + (f"&do={verb}" if verb else "")
    return element("a", esc(label), class_="wb-link", href=query, data_wb_tab=tab, data_wb_run=run_id,
                   data_wb_do=verb or None)


def size(count: float, lang: str = "en") -> str:
    """Bytes in the largest unit that keeps the number at 1 or more: ``size(1536) == "1.5 kB"``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def duration(seconds: float, lang: str) -> str:
    """Seconds in words of one or two units: ``"8.4 s"``, ``"3 min 05 s"``, ``"2 h 10 min"``."""
    if seconds < 60:
        return say(lang, "time.s", s=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return say(lang, "time.min", m=minutes, s=f"{rest:02d}")
    return say(lang, "time.h", h=minutes // 60, m=f"{minutes % 60:02d}")


def moment(stamp: float | None) -> str:
    """A time as ``<time>`` in the server's zone, to the second in the attribute and the minute on screen."""
    if not stamp:
        return ""
    then = time.localtime(stamp)
    return element("time", time.strftime("%Y-%m-%d %H:%M", then), datetime=time.strftime("%Y-%m-%dT%H:%M:%S%z", then),
                   title=time.strftime("%Y-%m-%d %H:%M:%S", then))

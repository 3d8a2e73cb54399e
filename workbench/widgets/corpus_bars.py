"""Domains, files or words as rows that can be pressed: how many documents have it, and how many of those are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import known, say
from workbench.widgets.corpus_numbers import count
from workbench.widgets.markup import element, esc


@dataclass(frozen=True)
class Bar:
    """One value with the shown documents that have it and all of them."""

    value: str
    shown: int
    every: int


def bars(column: str, rows: Sequence[Bar], chosen: Sequence[str], lang: str, more: int = 0) -> str:
    """A titled list; a press on a row sends ``pick`` with ``column`` and the value. ``more`` values are not listed."""
    title = element("h5", esc(say(lang, f"corpus.bars.{column}")))
    if not rows:
        return element("div", title + element("p", esc(say(lang, f"corpus.bars.{column}.none")), class_="co-dim"),
                       class_="co-bars")
    top = max(1, *(row.every for row in rows))
    inner = "".join(_row(column, row, row.value in chosen, top, lang) for row in rows)
    rest = element("p", esc(say(lang, "corpus.bars.more", n=count(more))), class_="co-dim") if more else ""
    return element("div", title + element("div", inner, class_="co-list") + rest, class_="co-bars")


def value_name(column: str, value: str, lang: str) -> str:
    """What a value is called: domains have names in both languages, an empty value is said to be none."""
    if not value:
        return say(lang, "corpus.bars.nothing")
    key = f"corpus.domain.{value}"
    return say(lang, key) if column == "domains" and known(key) else value


def _row(column: str, row: Bar, on: bool, top: int, lang: str) -> str:
    name = value_name(column, row.value, lang)
    track = element("span", element("i", class_="co-b-every", style=f"width:{100 * row.every / top:.1f}%")
                    + element("i", class_="co-b-shown", style=f"width:{100 * row.shown / top:.1f}%"), class_="co-track")
    numbers = element("span", element("b", count(row.shown)) + f" / {count(row.every)}", class_="co-num")
    return element("button", element("span", esc(name), class_="co-name") + track + numbers, type="button",
                   class_="co-bar", aria_pressed="true" if on else "false", data_act="pick", data_key=column,
                   data_value=row.value, data_focus=f"{column}.{row.value}", title=say(
                       lang, "corpus.bars.title", name=name, n=count(row.shown), all=count(row.every)))

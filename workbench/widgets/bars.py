"""Shares as bars with their intervals, one row a name and one bar a series, and a mark where the reference lies.

Plain HTML whose widths are percentages: it fits any width, needs no script, and every number stands beside its bar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc

SERIES = 2
"""Bars side by side; their colours are ``--wb-c1`` and ``--wb-c2`` and the second one is hatched."""


@dataclass(frozen=True)
class Value:
    """A number with its interval; ``None`` where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bar:
    """One row: a name, a value for each series, and the reference's."""

    name: str
    values: tuple[Value, ...]
    reference: float | None = None


def bars(rows: Sequence[Bar], *, percent: bool = True, line: float | None = None, label: str = "") -> str:
    """All rows on one scale from 0 to the largest number that is drawn. ``line`` is a mark through all rows."""
    ends = [v for row in rows for value in row.values for v in (value.value, value.high)]
    ends += [*(row.reference for row in rows), line]
    top = max((v for v in ends if v is not None and math.isfinite(v)), default=0.0)
    if not rows or top <= 0:
        return ""
    inner = "".join(_row(row, top, percent, line) for row in rows)
    return element("div", inner, class_="br", role="table", aria_label=label or None)


def number(value: float | None, percent: bool) -> str:
    """A share in percent, or a number in two decimals; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f}" if percent else f"{value:.2f}"


def interval(value: Value, percent: bool) -> str:
    """``12.0 – 17.5``; nothing without an interval."""
    if value.low is None or value.high is None:
        return ""
    return f"{number(value.low, percent)} – {number(value.high, percent)}"


def _row(row: Bar, top: float, percent: bool, line: float | None) -> str:
    mark = _mark("br-ref", row.reference, top) + _mark("br-line", line, top)
    tracks = "".join(_track(value, place, top, percent, mark) for place, value in enumerate(row.values[:SERIES]))
    return element("div", element("span", esc(row.name), class_="br-name", role="rowheader", title=row.name)
                   + element("div", tracks, class_="br-tracks", role="cell"), class_="br-row", role="row")


def _track(value: Value, place: int, top: float, percent: bool, mark: str) -> str:
    fill = f'<i class="br-fill br-s{place + 1}" style="width:{_at(value.value, top)}"></i>' if value.value else ""
    whisker = ""
    if value.low is not None and value.high is not None:
        wide = 100 * max(0.0, value.high - value.low) / top
        whisker = f'<i class="br-whisker" style="left:{_at(value.low, top)};width:{wide:.2f}%"></i>'
    words = element("b", esc(number(value.value, percent))) + element("small", esc(interval(value, percent)))
    return element("div", element("span", fill + whisker + mark, class_="br-track")
                   + element("span", words, class_="br-num"), class_="br-line-of")


def _mark(name: str, value: float | None, top: float) -> str:
    return f'<i class="{name}" style="left:{_at(value, top)}"></i>' if value is not None and value >= 0 else ""


def _at(value: float | None, top: float) -> str:
    return f"{100 * min(1.0, max(0.0, (value or 0.0) / top)):.2f}%"


def stacked(rows: Sequence[tuple[str, Sequence[float | None]]], parts: Sequence[str], label: str = "") -> str:
    """Shares that fill a row: one row a name, one piece a part, in the order of ``parts``, with a key below."""
    def piece(place: int, share: float | None) -> str:
        if not share or not math.isfinite(share):
            return ""
        words = f"{parts[place]}: {100 * share:.1f} %"
        return element("span", element("b", f"{100 * share:.0f}") if share >= 0.06 else "", title=words,
                       class_=f"st-piece st-{place + 1}", style=f"flex-grow:{share:.5f}", aria_label=words, role="img")
    drawn = "".join(element("div", element("span", esc(name), class_="st-name") + element(
        "div", "".join(piece(place, share) for place, share in enumerate(shares)), class_="st-bar"), class_="st-row")
        for name, shares in rows)
    return element("div", drawn + key({name: f"st-{place + 1}" for place, name in enumerate(parts)}), class_="st",
                   aria_label=label or None) if rows else ""


def key(names: Mapping[str, str]) -> str:
    """What the colours mean: a mark of a class before each name."""
    return element("div", "".join(element("span", element("i", class_=mark) + esc(name))
                                  for name, mark in names.items()), class_="ms-key")

"""A histogram that is brushed: all documents behind, the shown ones in front (kept below dropped), limits as lines.

Bars stand on bins of the given edges, each bin equally wide on screen whatever it spans (so a long tail keeps its
shape); heights are linear, and a bin that holds anything is at least a hair high. The edges are sent with the drawing,
and ``corpus_press.PRESS`` turns a drag into the two edges that enclose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.files import dumps
from workbench.text import say
from workbench.widgets.corpus_numbers import amount, column_name, count, exact, field
from workbench.widgets.markup import element, esc

HEIGHT = 64
HAIR = 2.0
"""Height of the drawing and of the lowest bar that is not empty, in units of the drawing (ours)."""


@dataclass(frozen=True)
class Histogram:
    """Counts of one column: ``edges`` (bins + 1); ``every``, ``shown`` and ``kept`` of those (bins). ``missing`` of the
    shown ones have no value, ``alone`` when the filter holds just these. ``limits`` are where rules cut now; ``brush``
    is the span that the filter holds, ``None`` for none."""

    column: str
    edges: tuple[float, ...]
    every: tuple[int, ...]
    shown: tuple[int, ...]
    kept: tuple[int, ...]
    missing: int = 0
    alone: bool = False
    limits: tuple[float, ...] = ()
    brush: tuple[float | None, float | None] | None = None


def histogram(of: Histogram, lang: str) -> str:
    """The chart with its name, its range, and two fields that say the span exactly (for keyboards)."""
    bins = len(of.edges) - 1
    name = column_name(of.column, lang)
    if bins < 1 or not any(of.every):
        return element("div", element("h5", esc(name)) + element("p", esc(say(lang, "corpus.hist.empty")),
                                                                 class_="co-dim"), class_="co-hist")
    shade = '<i class="co-shade" data-shade hidden></i>' if of.brush is None else _shade(of)
    label = say(lang, "corpus.hist.label", name=name, n=count(sum(of.shown)), all=count(sum(of.every)))
    plot = element("div", _bars(of) + "".join(_limit(value, of.edges, lang) for value in of.limits) + shade,
                   class_="co-plot", data_brush=of.column, data_edges=dumps([float(exact(e)) for e in of.edges]),
                   role="img", aria_label=label, title=say(lang, "corpus.hist.drag"))
    missing = element("button", esc(say(lang, "corpus.hist.missing", n=count(of.missing))), type="button",
                      data_act="missing", data_key=of.column, data_focus=f"missing.{of.column}",
                      aria_pressed="true" if of.alone else "false") if of.missing or of.alone else ""
    ends = element("div", element("span", esc(amount(of.edges[0]))) + missing
                   + element("span", esc(amount(of.edges[-1]))), class_="co-ends")
    return element("div", element("h5", esc(name), title=of.column) + plot + ends + _fields(of, name, lang),
                   class_="co-hist")


def _bars(of: Histogram) -> str:
    top, bins = max(of.every), len(of.edges) - 1
    behind = "".join(_bar(i, n, top) for i, n in enumerate(of.every[:bins]))
    front = "".join(_bar(i, n, top) for i, n in enumerate(of.shown[:bins]))
    kept = "".join(_bar(i, n, top) for i, n in enumerate(of.kept[:bins]))
    return (f'<svg viewBox="0 0 {bins} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
            f'<g class="co-every">{behind}</g><g class="co-shown">{front}</g><g class="co-kept">{kept}</g></svg>')


def _bar(place: int, n: int, top: int) -> str:
    if not n:
        return ""
    high = max(HAIR, HEIGHT * n / max(1, top))
    return f'<rect x="{place + 0.04:.2f}" y="{HEIGHT - high:.1f}" width=".92" height="{high:.1f}"/>'


def position(value: float, edges: Sequence[float]) -> float:
    """Where ``value`` lies on bins of equal width, 0 (first edge) to 1 (last edge); clipped to them."""
    bins = len(edges) - 1
    for i in range(bins):
        if value < edges[i + 1] or i == bins - 1:
            wide = edges[i + 1] - edges[i]
            inside = (value - edges[i]) / wide if wide > 0 else 0.0
            return (i + min(1.0, max(0.0, inside))) / bins
    return 0.0


def _limit(value: float, edges: Sequence[float], lang: str) -> str:
    title = esc(say(lang, "corpus.hist.limit", value=amount(value)))
    return f'<i class="co-limit" style="left:{100 * position(value, edges):.2f}%" title="{title}"></i>'


def _shade(of: Histogram) -> str:
    low, high = of.brush or (None, None)
    left = 0.0 if low is None else position(low, of.edges)
    right = 1.0 if high is None else position(high, of.edges)
    place = f"left:{100 * left:.2f}%;width:{100 * max(0.004, right - left):.2f}%"
    return element("i", class_="co-shade", data_shade=True, style=place)


def _fields(of: Histogram, name: str, lang: str) -> str:
    low, high = of.brush or (None, None)

    def put(end: str, value: float | None) -> str:
        return field(type="number", step="any", value=None if value is None else f"{value:.6g}", data_act=end,
                     data_key=of.column, data_focus=f"{end}.{of.column}",
                     aria_label=say(lang, f"corpus.hist.{end}", name=name), placeholder=say(lang, f"corpus.{end}"))
    return element("div", put("low", low) + element("span", "–") + put("high", high), class_="co-span")

"""Two columns against each other: a grid of cells, darker where more of the shown documents lie; a press chooses one.

Shades are by the logarithm of the count (one document is visible beside ten thousand), and the count stands in the
title of every cell, so nothing hangs on colour alone. Row 0 is the lowest bin of ``y`` and is drawn at the bottom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.corpus_numbers import amount, column_name, count, exact
from workbench.widgets.markup import element, esc

LIGHTEST, DARKEST = 8.0, 88.0
"""How much of the accent a cell with one document and the fullest cell have, in percent (ours)."""


@dataclass(frozen=True)
class Heat:
    """Counts ``cells[row][column]`` of bins of ``y`` (rows) and ``x`` (columns); ``chosen`` is the span of x and of y
    that the filter holds, if it is one cell of the grid."""

    x: str
    y: str
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    cells: tuple[tuple[int, ...], ...]
    chosen: tuple[float, float, float, float] | None = None


def heat(of: Heat, lang: str) -> str:
    """The grid with the names of its axes; a sentence when no shown document has both values."""
    names = column_name(of.x, lang), column_name(of.y, lang)
    title = element("h5", esc(say(lang, "corpus.heat.title", x=names[0], y=names[1])))
    top = max((n for row in of.cells for n in row), default=0)
    if not top:
        return element("div", title + element("p", esc(say(lang, "corpus.heat.empty")), class_="co-dim"),
                       class_="co-heat")
    rows = "".join(element("div", "".join(_cell(of, row, column, top, lang) for column in range(len(of.x_edges) - 1)),
                           class_="co-heat-row") for row in reversed(range(len(of.y_edges) - 1)))
    grid = element("div", rows, class_="co-grid", role="group", aria_label=say(lang, "corpus.heat.label", n=count(
        sum(map(sum, of.cells))), x=names[0], y=names[1]))
    up = element("div", element("span", esc(amount(of.y_edges[-1]))) + element("b", esc(names[1]))
                 + element("span", esc(amount(of.y_edges[0]))), class_="co-up")
    along = element("div", element("span", esc(amount(of.x_edges[0]))) + element("b", esc(names[0]))
                    + element("span", esc(amount(of.x_edges[-1]))), class_="co-along")
    return element("div", title + element("div", up + grid + along, class_="co-axes"), class_="co-heat")


def shade(n: int, top: int) -> float:
    """Percent of the accent for ``n`` of at most ``top``: 0 for none, else linear in log(1 + n)."""
    if n <= 0:
        return 0.0
    share = math.log1p(n) / math.log1p(max(top, n))
    return LIGHTEST + (DARKEST - LIGHTEST) * share


def _cell(of: Heat, row: int, column: int, top: int, lang: str) -> str:
    span = (of.x_edges[column], of.x_edges[column + 1], of.y_edges[row], of.y_edges[row + 1])
    n = of.cells[row][column]
    title = say(lang, "corpus.heat.cell", n=count(n), x=_range(span[:2]), y=_range(span[2:]),
                xname=column_name(of.x, lang), yname=column_name(of.y, lang))
    if not n and span != of.chosen:
        return element("i", "", title=title)
    return element("button", "", type="button", style=f"--s:{shade(n, top):.0f}%", title=title,
                   aria_pressed="true" if span == of.chosen else None, data_act="cell", data_key=f"{of.x} {of.y}",
                   data_value=" ".join(map(exact, span)), data_focus=f"cell{row}.{column}")


def _range(span: Sequence[float]) -> str:
    return f"{amount(span[0])}–{amount(span[1])}"

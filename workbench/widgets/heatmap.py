"""What follows what, as a table of shaded cells: rows are the strategy now, columns the next one.

The shade is the share of the row (darkest at the largest share of the map); the number is in the cell, so nothing
hangs on colour alone. Counts stand at the end of a row, since a share of three transitions says little.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.loose import finite, listed
from workbench.widgets.markup import element, esc

FEW = 5
DARKEST = 45
"""A row with fewer transitions is pale (our default); and how much of the accent the darkest cell has, in percent:
words on it keep a contrast of 4.5 in both themes."""


def heatmap(names: Sequence[str], counts: Json, shares: Json, lang: str) -> str:
    """The table; ``counts[i][j]`` and ``shares[i][j]`` are of names i and j. Nothing without a transition."""
    rows = [[_number(listed(row), j) for j in range(len(names))] for row in listed(counts)[:len(names)]]
    parts = [[_number(listed(row), j) for j in range(len(names))] for row in listed(shares)[:len(names)]]
    total = sum(map(sum, rows))
    if not total or len(rows) != len(names) or len(parts) != len(names):
        return ""
    top = max(max(row) for row in parts) or 1.0
    columns = "".join(element("th", element("span", esc(name)), scope="col") for name in names)
    head = element("tr", element("td", esc(say(lang, "measure.heat.corner")), class_="hm-corner") + columns
                   + element("th", element("span", esc(say(lang, "measure.heat.n"))), scope="col"))
    body = "".join(_row(i, names, rows[i], parts[i], top, lang) for i in range(len(names)))
    table = element("table", element("thead", head) + element("tbody", body),
                    aria_label=say(lang, "measure.heat.label", n=int(total)))
    return element("div", table, class_="hm", tabindex="0")


def _row(place: int, names: Sequence[str], counts: Sequence[float], shares: Sequence[float], top: float,
         lang: str) -> str:
    cells = "".join(_cell(names[place], names[j], counts[j], shares[j], top, lang) for j in range(len(names)))
    n = int(sum(counts))
    return element("tr", element("th", esc(names[place]), scope="row") + cells
                   + element("td", str(n), class_="hm-n"), class_="hm-few" if n < FEW else None)


def _cell(now: str, after: str, count: float, share: float, top: float, lang: str) -> str:
    title = say(lang, "measure.heat.cell", now=now, after=after, share=f"{100 * share:.1f}", n=int(count))
    return element("td", f"{100 * share:.0f}" if count else "·", title=title,
                   style=f"--s:{DARKEST * share / top:.0f}%")


def _number(row: Sequence[Json], place: int) -> float:
    value = row[place] if place < len(row) else 0
    return float(value) if finite(value) and value > 0 else 0.0

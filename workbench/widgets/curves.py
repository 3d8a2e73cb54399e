"""Curves of a run: small inline SVG charts made on the server, and one interactive chart file for export.

Live curves are text that the page can take in place (a Plotly component would send and redraw everything); the export
is a Plotly page that carries its own script, so it opens anywhere without a network.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench.contract import UserError
from workbench.text import say
from workbench.widgets.markup import element, esc

Points = Sequence[tuple[int, float]]
WIDTH, HEIGHT = 300, 96
MOST_CHARTS, MOST_POINTS, COLOURS = 9, 200, 6
"""Nine charts of 200 points are about 20 kB, less than half of what one update may carry."""


def curves(metrics: Mapping[str, Points], lang: str) -> str:
    """Every metric as a small chart of its own with its last value; the first nine of them."""
    names = list(metrics)
    charts = "".join(chart(name, metrics[name], number) for number, name in enumerate(names[:MOST_CHARTS]))
    more = element("p", esc(say(lang, "runs.curves.more", n=len(names) - MOST_CHARTS)), class_="wb-dim") if len(
        names) > MOST_CHARTS else ""
    return f'<div class="wb-charts">{charts}</div>{more}' if charts else ""


def chart(name: str, points: Points, number: int = 0) -> str:
    """One chart: name, last value, the line, and the bounds of both axes in words."""
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    last = figure(points[-1][1]) if points else "–"
    head = f'<figcaption><b>{esc(name)}</b><span>{esc(last)}</span></figcaption>'
    if not finite:
        return f'<figure class="wb-chart">{head}</figure>'
    low, high = min(v for _, v in finite), max(v for _, v in finite)
    first, end = finite[0][0], finite[-1][0]
    label = f"{name}: {last}; {figure(low)} – {figure(high)}; {first} – {end}"
    lines = "".join(f'<path d="{path}"/>' for path in _paths(points, low, high, first, end))
    return (f'<figure class="wb-chart">{head}<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{esc(label)}" style="--c:var(--wb-c{number % COLOURS + 1})">'
            f'<path class="wb-grid" d="M0 .5H{WIDTH}M0 {HEIGHT / 2}H{WIDTH}M0 {HEIGHT - .5}H{WIDTH}"/>{lines}</svg>'
            f'<span class="wb-y"><i>{esc(figure(high))}</i><i>{esc(figure(low))}</i></span>'
            f'<span class="wb-x"><i>{first}</i><i>{end}</i></span></figure>')


def figure(value: float) -> str:
    """A number in at most four significant digits: ``0.01235``, ``1.2e-06``, ``not a number``."""
    return f"{value:.4g}" if math.isfinite(value) else "not a number" if math.isnan(value) else f"{value}"


def thin(points: Points, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most about ``most`` points that keep every peak: the lowest and highest of each of ``most / 2`` stretches."""
    if len(points) <= most:
        return list(points)
    kept: list[tuple[int, float]] = []
    size = len(points) / (most // 2)
    for part in range(most // 2):
        stretch = points[int(part * size):int((part + 1) * size)]
        values = [p for p in stretch if math.isfinite(p[1])] or list(stretch[:1])
        kept += sorted({min(values, key=lambda p: p[1]), max(values, key=lambda p: p[1])})
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def _paths(points: Points, low: float, high: float, first: int, end: int) -> Iterator[str]:
    across, up = max(1, end - first), (high - low) or 1.0
    line: list[str] = []
    for step, value in [*thin(points), (0, math.nan)]:
        if not math.isfinite(value):
            if line:
                yield "M" + "L".join(line if len(line) > 1 else [line[0], line[0]])
            line = []
            continue
        x = (step - first) / across * WIDTH
        y = HEIGHT / 2 if high == low else 3 + (high - value) / up * (HEIGHT - 6)
        line.append(f"{x:.1f} {y:.1f}")


def chart_page(title: str, metrics: Mapping[str, Points]) -> str:
    """A whole HTML file with every curve in an interactive Plotly chart. Raises ``UserError`` without Plotly."""
    found = importlib.util.find_spec("plotly")
    folder = Path(next(iter(found.submodule_search_locations or [""]))) if found else Path()
    source = folder / "package_data" / "plotly.min.js"  # read as text: importing plotly would stay in memory
    if not found or not source.is_file():
        raise UserError("The chart needs the package plotly, which is not installed.",
                        advice="Take metrics.jsonl instead, or run python3 launch.py doctor.")
    traces = [{"type": "scatter", "mode": "lines", "name": name, "x": [step for step, _ in points],
               "y": [value if math.isfinite(value) else None for _, value in points]}
              for name, points in metrics.items()]
    layout = {"title": {"text": title}, "hovermode": "x unified", "xaxis": {"title": {"text": "step"}}}
    data = json.dumps([traces, layout]).replace("<", "\\u003c")
    return (f'<!doctype html><meta charset="utf-8"><title>{esc(title)}</title>'
            '<div id="chart" style="height:95vh"></div>'
            f"<script>{source.read_text(encoding='utf-8')}</script>"
            f"<script>Plotly.newPlot('chart', ...{data}, {{responsive: true}})</script>")

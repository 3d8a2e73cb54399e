"""The threshold lab's charts: precision against recall with its interval, and both against the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc
from workbench.widgets.measured import number

Say = Callable[..., str]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 460, 300, 44, 12, 12, 38
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Dot:
    """One threshold: precision with its interval, recall, share of the documents at or above it."""

    threshold: float
    precision: float
    low: float
    high: float
    recall: float
    share: float


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def curve(dots: Sequence[Dot], now: Dot | None, prevalence: float | None, say: Say) -> str:
    """Precision against recall. Each labelled score is a point that can be pressed (``data-act="threshold"``); the
    chosen one is ringed; the dashed line is the prevalence: the precision of keeping everything."""
    ordered = sorted(dots, key=lambda dot: (dot.recall, -dot.threshold))
    band = " ".join(f"{_x(dot.recall):.1f},{_y(dot.high):.1f}" for dot in ordered)
    band += " " + " ".join(f"{_x(dot.recall):.1f},{_y(dot.low):.1f}" for dot in reversed(ordered))
    line = " ".join(f"{_x(dot.recall):.1f},{_y(dot.precision):.1f}" for dot in ordered)
    points = "".join(_point(dot, say) for dot in ordered)
    dashed = "" if prevalence is None else (
        f'<line class="cl-dash" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(prevalence):.1f}" y2="{_y(prevalence):.1f}"/>')
    ring = "" if now is None else _ring(now)
    inner = (f'<polygon class="cl-band" points="{band}"/>{dashed}<polyline class="cl-line cl-s1" points="{line}"/>'
             f"{points}{ring}")
    return _figure(say("label.lab.curve"), inner, say("label.lab.recall"), say("label.lab.precision"), TICKS)


def _ring(now: Dot) -> str:
    x = f"{_x(now.recall):.1f}"
    return (f'<line class="cl-whisker" x1="{x}" x2="{x}" y1="{_y(now.low):.1f}" y2="{_y(now.high):.1f}"/>'
            f'<circle class="cl-now" cx="{x}" cy="{_y(now.precision):.1f}" r="6"/>')


def _point(dot: Dot, say: Say) -> str:
    told = say("label.lab.point", threshold=number(dot.threshold), precision=number(dot.precision),
               recall=number(dot.recall))
    return (f'<circle class="cl-dot" cx="{_x(dot.recall):.1f}" cy="{_y(dot.precision):.1f}" r="3.5" '
            f'data-act="threshold" data-key="{dot.threshold!r}"><title>{esc(told)}</title></circle>')


def against_threshold(dots: Sequence[Dot], now: Dot | None, low: float, high: float, say: Say) -> str:
    """Precision, recall and the share of documents at or above each threshold."""
    width = (high - low) or 1.0
    lines = ""
    for number_of, name in ((1, "precision"), (2, "recall"), (3, "share")):
        path = " ".join(f"{_x((dot.threshold - low) / width):.1f},{_y(getattr(dot, name)):.1f}" for dot in dots)
        lines += f'<polyline class="cl-line cl-s{number_of}" points="{path}"/>'
    mark = "" if now is None else (f'<line class="cl-whisker" x1="{_x((now.threshold - low) / width):.1f}" '
                                   f'x2="{_x((now.threshold - low) / width):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    ticks = tuple(low + width * tick for tick in TICKS)
    key = "".join(f'<span><i class="cl-s{i}"></i>{esc(say(f"label.lab.{name}"))}</span>'
                  for i, name in enumerate(("precision", "recall", "share"), 1))
    return _figure(say("label.lab.by_threshold"), lines + mark, say("label.threshold"), "", ticks) + (
        f'<div class="ms-key cl-key">{key}</div>')


def _figure(title: str, inner: str, across: str, up: str, ticks: Sequence[float]) -> str:
    grid = "".join(f'<line class="cl-gridline" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(t):.1f}" y2="{_y(t):.1f}"/>'
                   f'<text x="{LEFT - 6}" y="{_y(t) + 4:.1f}" text-anchor="end">{t:g}</text>' for t in TICKS)
    below = "".join(f'<text x="{_x(place):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{value:.3g}</text>'
                    for place, value in zip(TICKS, ticks, strict=True))
    names = (f'<text class="cl-axisname" x="{_x(0.5):.0f}" y="{HEIGHT - 5}" text-anchor="middle">{esc(across)}</text>'
             + (f'<text class="cl-axisname" transform="translate(11 {_y(0.5):.0f}) rotate(-90)" text-anchor="middle">'
                f"{esc(up)}</text>" if up else ""))
    svg = element("svg", grid + below + names + inner, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    return f'<figure class="cl-chart"><figcaption>{esc(title)}</figcaption>{svg}</figure>'


def figures(rows: Sequence[tuple[str, str, str]]) -> str:
    """Named figures: (name, value, what to know about it)."""
    inner = "".join(f'<div><dt>{esc(name)}</dt><dd><b>{esc(value)}</b>{element("small", esc(note)) if note else ""}'
                    f"</dd></div>" for name, value, note in rows)
    return f'<dl class="dt cl-figures">{inner}</dl>'

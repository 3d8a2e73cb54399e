"""Quality against latency: curves of models in one chart, the table of their points, and gains at equal latency.

A model has a colour; its SM2 thresholds are dots on a full line, its wait-k points diamonds on a dashed one, the full
sentence a square. So the chart reads in grey too. Thin bars are 95 % intervals in both directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backends.sm2.requests import CurveResult, Gain, Point
from workbench.contract import Json
from workbench.widgets.loose import finite
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import grid, interval, number

Say = Callable[..., str]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 320, 40, 12, 12, 38
COLOURS, TICKS = 6, 5
LATENCIES = ("LAAL", "AP", "DAL", "CW")


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to pixels, with round ticks."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The pixel of a value; values outside stay at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float, most: float = math.inf) -> Axis:
    """A scale that holds all values (never below 0, never above ``most``), with steps of 1, 2 or 5 times a power of
    ten."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(1e-9, (high - low) * 0.06, abs(high) * 1e-3)
    low, high = max(0.0, low - room), min(most, high + room)
    high = max(high, low + 1e-6)
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return Axis(low, high, start, end, tuple(step * n for n in range(first, last + 1)))


def scales(points: Sequence[Point]) -> tuple[Axis, Axis]:
    """The scales of AL and of BLEU for points that have a latency."""
    across = axis([v for p in points for v in (lag(p), p.words_al_low, p.words_al_high) if finite(v)], LEFT,
                  WIDTH - RIGHT)
    return across, axis([v for p in points for v in (p.bleu_low, p.bleu, p.bleu_high)], HEIGHT - BOTTOM, TOP, 100.0)


def chart(curves: Mapping[str, CurveResult], say: Say, over: str = "") -> str:
    """BLEU over AL of words for up to six models, or nothing where no point has a latency. ``over`` is SVG on top."""
    shown = {name: [point for point in result.points if point.words.get("AL") is not None]
             for name, result in list(curves.items())[:COLOURS]}
    points = [point for some in shown.values() for point in some]
    if not points:
        return ""
    across, up = scales(points)
    drawn = "".join(_model(number, name, some, across, up) for number, (name, some) in enumerate(shown.items(), 1))
    label = "; ".join(f"{name}: " + ", ".join(f"{p.policy} {p.bleu:.1f} / {lag(p):.1f}" for p in some)
                      for name, some in shown.items())
    svg = element("svg", _frame(across, up, say) + drawn + over, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
                  aria_label=f"{say('translation.curve.label')}: {label}", class_="tl-curve")
    return element("figure", svg + legend(list(shown), say), class_="tl-chart")


def lag(point: Point) -> float:
    """AL in words; 0 where there is none."""
    return point.words.get("AL") or 0.0


def _frame(across: Axis, up: Axis, say: Say) -> str:
    lines = [f'<path class="tl-grid" d="M{LEFT} {up.at(v):.1f}H{WIDTH - RIGHT}"/>'
             f'<text x="{LEFT - 6}" y="{up.at(v) + 4:.1f}" text-anchor="end">{v:g}</text>' for v in up.ticks]
    lines += [f'<path class="tl-grid" d="M{across.at(v):.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
              f'<text x="{across.at(v):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{v:g}</text>'
              for v in across.ticks]
    names = (f'<text class="tl-axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 5}" text-anchor="end">'
             f'{esc(say("translation.curve.x"))}</text>'
             f'<text class="tl-axis" x="{LEFT + 6}" y="{TOP + 10}">{esc(say("translation.curve.y"))}</text>')
    return "".join(lines) + names


def _model(place: int, name: str, points: Sequence[Point], across: Axis, up: Axis) -> str:
    sm2 = sorted((p for p in points if p.kind == "sm2"), key=lag)
    others = sorted((p for p in points if p.kind != "sm2"), key=lag)
    parts = [_line(family, across, up, dashed) for family, dashed in ((others, True), (sm2, False))]
    parts += [_point(name, point, across, up) for point in (*others, *sm2)]
    return f'<g style="--c:var(--wb-c{place})">{"".join(parts)}</g>'


def _line(points: Sequence[Point], across: Axis, up: Axis, dashed: bool) -> str:
    if len(points) < 2:
        return ""
    path = "L".join(f"{across.at(lag(p)):.1f} {up.at(p.bleu):.1f}" for p in points)
    return f'<path class="tl-line{" tl-dashed" * dashed}" d="M{path}"/>'


def _point(name: str, point: Point, across: Axis, up: Axis) -> str:
    x, y = across.at(lag(point)), up.at(point.bleu)
    bars = f"M{x:.1f} {up.at(point.bleu_low):.1f}V{up.at(point.bleu_high):.1f}"
    if finite(point.words_al_low) and finite(point.words_al_high):
        bars += f"M{across.at(point.words_al_low):.1f} {y:.1f}H{across.at(point.words_al_high):.1f}"
    title = f"{name} · {point.policy}: BLEU {point.bleu:.2f} {interval(point.bleu_low, point.bleu_high)}, AL " \
            f"{lag(point):.2f} {interval(point.words_al_low, point.words_al_high)}"
    return (f'<g class="tl-point"><title>{esc(title)}</title><path class="tl-bars" d="{bars}"/>{mark(point.kind, x, y)}'
            "</g>")


def mark(kind: str, x: float, y: float) -> str:
    """A dot for SM2, a square for the full sentence, a diamond for wait-k."""
    if kind == "sm2":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if kind == "full":
        return f'<rect x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2"/>'
    return f'<path d="M{x:.1f} {y - 4.8:.1f}l4.8 4.8l-4.8 4.8l-4.8 -4.8z"/>'


def legend(names: Sequence[str], say: Say) -> str:
    """Colours of the models, marks of the policies."""
    models = "".join(f'<li><i class="tl-swatch" style="--c:var(--wb-c{place})"></i>{esc(name)}</li>'
                     for place, name in enumerate(names, 1)) if len(names) > 1 else ""
    marks = "".join(f'<li><svg viewBox="0 0 14 14" class="tl-mark" aria-hidden="true">{mark(kind, 7, 7)}</svg>'
                    f'{esc(say(f"translation.curve.{kind}"))}</li>' for kind in ("sm2", "wait-k", "full"))
    return f'<ul class="tl-legend">{models}{marks}</ul>'


def points(result: CurveResult, say: Say) -> str:
    """Every policy of one model: BLEU and AL with intervals, the other latencies, what else was counted."""
    known = any(point.sufficiency is not None for point in result.points)
    head = ["", "BLEU", esc(say("translation.curve.interval")), esc(say("translation.curve.al")),
            esc(say("translation.curve.interval")), *LATENCIES, esc(say("translation.curve.tokens")),
            esc(say("translation.curve.exact")), *([esc(say("translation.curve.sufficiency"))] if known else []),
            esc(say("translation.curve.seconds"))]
    rows = [_row(point, known, say) for point in result.points]
    return element("div", grid(head, rows), class_="tl-points")


def _row(point: Point, known: bool, say: Say) -> list[str]:
    name = say("translation.curve.full") if point.kind == "full" else point.policy
    cells = [esc(name), f"{point.bleu:.2f}", esc(bounds(point.bleu_low, point.bleu_high)),
             number(point.words.get("AL")), esc(bounds(point.words_al_low, point.words_al_high))]
    cells += [number(point.words.get(name)) for name in LATENCIES]
    cells += [number(point.tokens.get("AL")), f"{point.exact:.1%}"]
    return [*cells, *([number(point.sufficiency)] if known else []), f"{point.seconds:,.1f}"]


def bounds(low: Json, high: Json) -> str:
    """An interval with two decimals."""
    return f"[{low:.2f}, {high:.2f}]" if finite(low) and finite(high) else ""


def gained(gains: Mapping[str, Sequence[Gain]], say: Say) -> str:
    """Gains at equal latency, one line a threshold: how much, its interval, and whether it is more than chance."""
    several = len(gains) > 1
    rows = [[esc(f"{name} · {gain.policy}" if several else gain.policy), f"{gain.latency:.2f}", f"{gain.quality:.2f}",
             signed(gain.gain), esc(f"[{signed(gain.low)}, {signed(gain.high)}]"), esc(say(verdict(gain)))]
            for name, some in gains.items() for gain in some]
    if not rows:
        return ""
    head = ["", *(esc(say(f"translation.curve.{name}")) for name in ("al", "bleu", "gain", "interval", "verdict"))]
    return grid(head, rows) + element("p", esc(say("translation.curve.gain.help")), class_="tr-note")


def signed(value: float) -> str:
    """A difference with its sign: ``+1.20``, a real minus sign below zero."""
    return f"{value:+.2f}".replace("-", "\u2212")


def verdict(gain: Gain) -> str:
    """The key of what a gain says; beyond the curve's ends it is said so."""
    sure = "above" if gain.low > 0 else "below" if gain.high < 0 else "open"
    return f"translation.curve.is.{sure}{'.beyond' if gain.beyond else ''}"

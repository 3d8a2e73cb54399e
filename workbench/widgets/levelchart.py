"""Several courses of one level over the turns of a talk in one chart: a line for each branch, told apart three ways.

Colour, dash pattern and the letter at the end of each line say which branch it is, so that the chart reads in grey and
with any colour vision. Lines are steps, since a level holds until the next reading. The part that all share is drawn
once, in ink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

Say = Callable[..., str]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 168, 26, 30, 10, 22
LEVELS = 5
DASHES = ("", "7 3", "2 3", "9 3 2 3")
COLOURS = 4
SHIFT = 2.4
GAP = 12.0
"""Least distance of two letters at the right edge."""


@dataclass(frozen=True)
class Line:
    """One branch: its letter, and (place of the turn, level 1..5) in order."""

    letter: str
    points: tuple[tuple[int, float], ...]


def chart(lines: Sequence[Line], shared: int, say: Say) -> str:
    """The chart, or nothing when no line has two readings. ``shared`` first turns are common to all."""
    drawn = [line for line in lines if line.points]
    if not any(len(line.points) > 1 for line in drawn):
        return ""
    last = max(1, *(place for line in drawn for place, _ in line.points))
    trunk = [point for point in drawn[0].points if point[0] < shared]
    parts = [_grid(last, shared, say)]
    if len(trunk) > 1:
        parts.append(f'<path class="dt-trunk" d="{_steps(trunk, last)}"/>')
    heights = _apart([_y(line.points[-1][1]) for line in drawn])
    for line, height in zip(drawn, heights, strict=True):
        number = next(n for n, other in enumerate(lines) if other is line)
        parts.append(_line(line, number, shared, last, height))
    told = "; ".join(f"{line.letter}: {line.points[0][1]:.1f} – {line.points[-1][1]:.1f}" for line in drawn)
    label = escape(say("compare.chart.label", told=told), quote=True)
    return (f'<div class="dt dt-levels"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
            f'{"".join(parts)}</svg></div>')


def _x(place: float, last: int) -> float:
    return LEFT + place / last * (WIDTH - LEFT - RIGHT)


def _y(level: float) -> float:
    return TOP + (LEVELS - min(max(level, 1.0), float(LEVELS))) / (LEVELS - 1) * (HEIGHT - TOP - BOTTOM)


def _steps(points: Sequence[tuple[int, float]], last: int, shift: float = 0.0) -> str:
    (place, level), *rest = points
    return f"M{_x(place, last):.1f} {_y(level) + shift:.1f}" + "".join(
        f"H{_x(where, last):.1f}V{_y(value) + shift:.1f}" for where, value in rest)


def _line(line: Line, number: int, shared: int, last: int, height: float) -> str:
    trunk = [point for point in line.points if point[0] < shared]
    own = [*trunk[-1:], *(point for point in line.points if point[0] >= shared)]
    end_x, end_y = _x(line.points[-1][0], last), _y(line.points[-1][1])
    shift = SHIFT * number  # lines of the same level lie beside one another, not on top
    dash = f' stroke-dasharray="{DASHES[number % COLOURS]}"' if DASHES[number % COLOURS] else ""
    dots = "".join(f'<circle cx="{_x(place, last):.1f}" cy="{_y(level) + shift:.1f}" r="2.4"/>' for place, level in own)
    edge = WIDTH - RIGHT + 8
    return (f'<g class="dt-b{number % COLOURS + 1}"><path d="{_steps(own, last, shift)}"{dash}/>{dots}'
            f'<path class="dt-lead" d="M{end_x:.1f} {end_y:.1f}L{edge - 2} {height:.1f}"/>'
            f'<text x="{edge}" y="{height + 4:.1f}">{escape(line.letter)}</text></g>')


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights of the letters, moved so that any two are ``GAP`` apart and all stay inside."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    found = list(heights)
    for before, place in pairwise(order):
        found[place] = max(found[place], found[before] + GAP)
    over = max(0.0, (found[order[-1]] if order else 0.0) - (HEIGHT - BOTTOM))
    return [height - over for height in found] if over else found


def _grid(last: int, shared: int, say: Say) -> str:
    rows = "".join(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(level):.1f}" y2="{_y(level):.1f}"/>'
                   f'<text x="{LEFT - 7}" y="{_y(level) + 3.5:.1f}" text-anchor="end">{level}</text>'
                   for level in range(1, LEVELS + 1))
    every = max(1, round(last / 8))
    turns = "".join(f'<text x="{_x(place, last):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{place + 1}</text>'
                    for place in range(0, last + 1, every))
    fork = ""
    if 0 < shared <= last:
        x = _x(shared - 0.5, last)
        fork = (f'<line class="dt-fork" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{HEIGHT - BOTTOM}"/>'
                f'<text x="{x + 4:.1f}" y="{TOP + 2}">{escape(say("compare.chart.fork"))}</text>')
    return f'<g class="dt-grid">{rows}{turns}{fork}</g>'

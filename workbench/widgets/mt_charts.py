"""Small charts of a comparison: scores of parts of the test set, and a metric against people. Plain SVG and HTML.

A press on a part sends ``bucket`` of ``KIND.NUMBER``: the segments are then those of that part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.text import say
from workbench.widgets.markup import element, esc
from workbench.widgets.mt_scores import metric_name

SYSTEMS, PARTS = 6, 12
"""Systems and parts that a chart shows at most."""
_SPAN = re.compile(r"([\d.e+]+)(?: to ([\d.e+]+))? (words|times)")
WIDTH, HEIGHT, EDGE = 420, 280, 44


@dataclass(frozen=True)
class Bucket:
    """A part of the segments: its words, how many, each system's score; ``small``: too few to be trusted."""

    label: str
    segments: int
    scores: Mapping[str, float]
    small: bool


def buckets(kind: str, rows: Sequence[Bucket], names: Sequence[str], metric: str, chosen: int | None,
            lang: str) -> str:
    """One kind of parts: for each part a button and a bar for every system."""
    names, left = names[:SYSTEMS], len(names) - SYSTEMS
    top = max((abs(row.scores.get(name, 0.0)) for row in rows for name in names), default=0.0) or 1.0
    made = "".join(_bucket(kind, number, row, names, top, number == chosen, lang)
                   for number, row in enumerate(rows[:PARTS]))
    title = element("h5", esc(say(lang, f"translation_compare.bucket.{kind.replace(' ', '-')}")))
    more = [say(lang, "translation_compare.bucket.systems", n=SYSTEMS, total=SYSTEMS + left)] if left > 0 else []
    if len(rows) > PARTS:
        more.append(say(lang, "translation_compare.bucket.parts", n=PARTS, total=len(rows)))
    note = element("p", esc(" ".join(more)), class_="co-dim") if more else ""
    return element("section", title + made + note, class_="mt-buckets",
                   aria_label=f"{kind}, {metric_name(metric)}")


def _bucket(kind: str, number: int, row: Bucket, names: Sequence[str], top: float, on: bool, lang: str) -> str:
    told = say(lang, "translation_compare.bucket.small" if row.small else "translation_compare.bucket.n",
               n=f"{row.segments:,}")
    button = element("button", f"<bdi>{esc(label(row.label, lang))}</bdi> <small>{esc(told)}</small>", type="button",
                     data_act="bucket", data_key=f"{kind}.{number}", data_focus=f"bucket.{kind}.{number}",
                     aria_pressed=str(on).lower())
    bars = ""
    for place, name in enumerate(names):
        score = row.scores.get(name)
        if score is None or not math.isfinite(score):
            continue
        wide = 100 * min(1.0, abs(score) / top)
        bars += (f'<span class="mt-b" title="{esc(name)}"><i class="mt-c{place + 1}" style="width:{wide:.1f}%"></i>'
                 f"</span><span class='mt-bn'>{score:.1f}</span>")
    return element("div", button + element("div", bars, class_="mt-bs"), class_="mt-part")


def label(text: str, lang: str) -> str:
    """A part's words in the reader's language: spans of words and of counts are ours, a domain stands as it is."""
    found = _SPAN.fullmatch(text)
    if not found:
        return text
    span = f"{found[1]} – {found[2]}" if found[2] else found[1]
    return say(lang, f"translation_compare.bucket.{found[3]}", span=span)


def legend(names: Sequence[str]) -> str:
    """Which colour is which system."""
    return element("p", "".join(f'<span><i class="mt-c{place + 1}"></i><bdi>{esc(name)}</bdi></span>'
                                for place, name in enumerate(names[:SYSTEMS])), class_="mt-legend")


@dataclass(frozen=True)
class Scatter:
    """A metric against people over systems: points (name, metric, people); ``intervals`` are those (95 %) of
    ``pearson``, ``spearman``, ``kendall`` and ``segment_tau`` where they are known."""

    metric: str
    points: tuple[tuple[str, float, float], ...]
    pearson: float
    spearman: float
    kendall: float
    segment_tau: float | None
    segments: int
    warning: str
    intervals: Mapping[str, tuple[float, float]]


def scatter(of: Scatter, lang: str) -> str:
    """The points with their names, and the figures in words."""
    xs, ys = [p[1] for p in of.points], [p[2] for p in of.points]
    if not xs:
        return ""
    inner = _axes(xs, ys) + _named(of.points, xs, ys)
    title = say(lang, "translation_compare.scatter", metric=metric_name(of.metric), n=len(of.points))
    svg = (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{esc(title)}">{inner}'
           f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">{esc(metric_name(of.metric))}</text>'
           f'<text transform="translate(12 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
           f'{esc(say(lang, "translation_compare.people"))}</text></svg>')
    figures = [(name, _figure(value, of.intervals.get(key))) for name, key, value in (
        (say(lang, "translation_compare.pearson"), "pearson", of.pearson), ("Spearman ρ", "spearman", of.spearman),
        ("Kendall τ", "kendall", of.kendall),
        (say(lang, "translation_compare.segment_tau", n=f"{of.segments:,}"), "segment_tau", of.segment_tau))]
    told = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in figures if value)
    warning = element("p", esc(of.warning), class_="mt-warn") if of.warning else ""
    return element("figure", element("figcaption", esc(title)) + svg + f'<dl class="wb-pairs">{told}</dl>' + warning,
                   class_="mt-scatter")


def _figure(value: float | None, span: tuple[float, float] | None) -> str:
    """``0.640 [0.11, 0.88]``; nothing where there is no figure."""
    between = f" [{span[0]:.2f}, {span[1]:.2f}]" if span else ""
    return "" if value is None else f"{value:.3f}{between}"


def _place(value: float, values: Sequence[float], low: float, high: float) -> float:
    least, most = min(values), max(values)
    return low + (high - low) * ((value - least) / (most - least) if most > least else 0.5)


def _axes(xs: Sequence[float], ys: Sequence[float]) -> str:
    bottom, right = HEIGHT - EDGE, WIDTH - 16
    lines = f'<path d="M{EDGE} 12V{bottom}H{right}"/>'
    for values, along in ((xs, True), (ys, False)):
        for value in dict.fromkeys((min(values), max(values))):
            if along:
                lines += (f'<text x="{_place(value, xs, EDGE + 14, right - 60):.1f}" y="{bottom + 15}" '
                          f'text-anchor="middle">{value:.3g}</text>')
            else:
                lines += (f'<text x="{EDGE - 5}" y="{_place(value, ys, bottom - 14, 22) + 4:.1f}" '
                          f'text-anchor="end">{value:.3g}</text>')
    return lines


def _named(points: Sequence[tuple[str, float, float]], xs: Sequence[float], ys: Sequence[float]) -> str:
    """Every point with its name beside it: where it covers no point and no other name, else at its right."""
    places = [(_place(x, xs, EDGE + 14, WIDTH - 76), _place(y, ys, HEIGHT - EDGE - 14, 22)) for _, x, y in points]
    taken = [(left - 4, top - 4, left + 4, top + 4) for left, top in places]
    made = ""
    for (name, x, y), (left, top) in zip(points, places, strict=True):
        words = name if len(name) <= 18 else name[:17] + "…"
        wide = sum(11 if character > "\u2e80" else 6.2 for character in words)
        anchor, at, low, box = _free(left, top, wide, taken)
        taken.append(box)
        made += (f'<g><title>{esc(name)}: {x:.2f}, {y:.3f}</title><circle cx="{left:.1f}" cy="{top:.1f}" r="4"/>'
                 f'<text x="{at:.1f}" y="{low:.1f}" text-anchor="{anchor}">{esc(words)}</text></g>')
    return made


Box = tuple[float, float, float, float]


def _free(left: float, top: float, wide: float, taken: Sequence[Box]) -> tuple[str, float, float, Box]:
    """Anchor, place and box of a name: the first of right, left, above, below that is free; else one that fits."""
    found = []
    for anchor, at, low, start in (("start", left + 7, top + 4, left + 7), ("end", left - 7, top + 4, left - 7 - wide),
                                   ("middle", left, top - 8, left - wide / 2),
                                   ("middle", left, top + 15, left - wide / 2)):
        box = (start, low - 9, start + wide, low + 2)
        if start >= EDGE and start + wide <= WIDTH and low >= 10:
            found.append((anchor, at, low, box))
    fits = found or [("end", left - 7, top + 4, (left - 7 - wide, top - 5, left - 7, top + 6))]
    return next((one for one in fits if not any(_meet(one[3], other) for other in taken)), fits[0])


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

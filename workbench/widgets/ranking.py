"""The counselor's decision of one turn as bars: what it ranked, what it chose and the terms of each score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets.loose import finite, table, tables

Say = Callable[..., str]
"""``say(key, **values)``: a text of the page in the reader's language."""

TOP = 5
"""Bars shown before the rest is folded away."""


def shares(ranking: Sequence[Mapping[str, Json]]) -> list[float]:
    """Probabilities to draw, one for each entry: its own ``probability`` or softmax over ``score``.

    Scores that are not finite count as the lowest; an empty ranking gives an empty list.
    """
    given = [float(e["probability"]) for e in ranking if finite(e.get("probability"))]
    if ranking and len(given) == len(ranking):
        return [max(0.0, min(1.0, value)) for value in given]
    scores = [float(e["score"]) for e in ranking if finite(e.get("score"))]
    if not scores:
        return [0.0] * len(ranking)
    best = max(scores)
    raw = [math.exp(float(e["score"]) - best) if finite(e.get("score")) else 0.0 for e in ranking]
    return [value / sum(raw) for value in raw]


def bars(counselor: Mapping[str, Json], labels: Mapping[str, str], say: Say, *, fold: str, top: int = TOP) -> str:
    """Horizontal bars of the ranking, best first; ``fold`` is an id unique on the page for the fold-out.

    The fold-out is a checkbox, not ``<details>``: its state is a property of the element, so it stays open
    when the page replaces the markup around it four times a second.
    """
    ranking = tables(counselor.get("ranking"))
    if not ranking:
        return ""
    parts = shares(ranking)
    order = sorted(range(len(ranking)), key=lambda i: -parts[i])
    chosen = counselor.get("chosen")
    widest = max(parts) or 1.0
    seen = shown(order, [entry.get("strategy") == chosen for entry in ranking], top)
    rows = [_bar(ranking[i], parts[i], widest, chosen, labels, extra=i not in seen) for i in order]
    more = _terms([ranking[i] for i in order], [parts[i] for i in order], chosen, labels, say)
    name = escape(fold, quote=True)
    return (f'<div class="dt-bars"><input type="checkbox" class="dt-fold" id="{name}">'
            f'<ol class="dt-barlist">{"".join(rows)}</ol>'
            f'<label class="dt-more" for="{name}">{escape(say("dialogue.ranking.terms", count=len(ranking)))}</label>'
            f"{more}</div>")


def shown(order: Sequence[int], chosen: Sequence[bool], top: int) -> set[int]:
    """Which entries are drawn unfolded: the ``top`` best, the last of them giving way to a lower one that was drawn."""
    best = list(order[:top])
    lower = [i for i in order[top:] if chosen[i]]
    return set(best[:top - len(lower)] + lower)


def drawn(counselor: Mapping[str, Json]) -> float | None:
    """The probability of a choice that was drawn although another strategy ranked higher; else nothing."""
    ranking = tables(counselor.get("ranking"))
    parts = shares(ranking)
    own = [part for entry, part in zip(ranking, parts, strict=True) if entry.get("strategy") == counselor.get("chosen")]
    return own[0] if own and own[0] < max(parts) else None


def _bar(entry: Mapping[str, Json], share: float, widest: float, chosen: Json, labels: Mapping[str, str], *,
         extra: bool) -> str:
    key = str(entry.get("strategy", ""))
    classes = "dt-bar" + (" dt-chosen" if key == chosen else "") + (" dt-extra" if extra else "")
    hint = escape(" · ".join(f"{name} {number(value)}" for name, value in terms_of(entry).items()), quote=True)
    width = 100 * share / widest
    return (f'<li class="{classes}" title="{hint}"><span class="dt-barname">{escape(labels.get(key, key))}</span>'
            f'<span class="dt-track"><span class="dt-fill" style="width:{width:.1f}%"></span></span>'
            f'<span class="dt-num">{share:.2f}</span></li>')


def terms_of(entry: Mapping[str, Json]) -> dict[str, float]:
    """The logged terms of one score (``terms`` of the entry), then the score itself."""
    found = {str(k): float(v) for k, v in table(entry.get("terms")).items() if finite(v)}
    if finite(entry.get("score")):
        found["score"] = float(entry["score"])
    return found


def number(value: float) -> str:
    """Two decimals with a real minus sign, the way the tables print scores."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "\u2212")


def _terms(ranking: Sequence[Mapping[str, Json]], parts: Sequence[float], chosen: Json, labels: Mapping[str, str],
           say: Say) -> str:
    names: list[str] = []
    for entry in ranking:
        names += [name for name in terms_of(entry) if name not in names]
    names = [n for n in names if n != "score"] + (["score"] if "score" in names else [])
    head = "".join(f'<th scope="col">{escape(_term_name(name, say))}</th>' for name in names)
    body = []
    for entry, part in zip(ranking, parts, strict=True):
        key, values = str(entry.get("strategy", "")), terms_of(entry)
        cells = "".join(f"<td>{number(values[name]) if name in values else ''}</td>" for name in names)
        mark = ' class="dt-chosen"' if key == chosen else ""
        body.append(f'<tr{mark}><th scope="row">{escape(labels.get(key, key))}</th>{cells}<td>{part:.2f}</td></tr>')
    return (f'<div class="dt-terms"><table><thead><tr><th></th>{head}<th scope="col">p</th></tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>')


def _term_name(name: str, say: Say) -> str:
    known = ("history", "prior", "stage", "repeat", "score")
    return say(f"dialogue.ranking.term.{name}") if name in known else name

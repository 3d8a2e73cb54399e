"""Scores of one text by several scorers, and the text with what pushed a score marked in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from workbench.widgets.facts import fold
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import number

Say = Callable[..., str]
FIRST = 4
"""Outputs of one scorer that are shown at once; the others are folded."""
LEVELS = 5
"""Depths of the marks; a character's depth is its share of the strongest one, in fifths."""


@dataclass(frozen=True)
class Scored:
    """One scorer's word about a text: ``outputs`` are (name, what it is called, probability)."""

    reference: str
    title: str
    outputs: tuple[tuple[str, str, float], ...]
    verdict: str = ""
    note: str = ""


def scored(rows: Sequence[Scored], chosen: tuple[str, str], say: Say) -> str:
    """A list of scorers; each output is a button (``data-act="explain"``) that asks what pushed it."""
    inner = "".join(_scorer(row, chosen, say) for row in rows)
    return element("section", f"<h3>{esc(say('label.try.scores'))}</h3>{inner}", class_="dt cl-scores") if rows else ""


def _scorer(row: Scored, chosen: tuple[str, str], say: Say) -> str:
    made = [_output(row.reference, *output, (row.reference, output[0]) == chosen) for output in row.outputs]
    rest = row.outputs[FIRST:]
    opened = any((row.reference, name) == chosen for name, _, _ in rest)
    more = fold(row.reference, say("label.try.more", count=len(rest)), "".join(made[FIRST:]), opened) if rest else ""
    buttons = "".join(made[:FIRST]) + more
    verdict = element("span", esc(row.verdict), class_="cl-verdict") if row.verdict else ""
    note = element("p", esc(row.note), class_="tr-note") if row.note else ""
    outputs = f'<div class="cl-outputs">{buttons}</div>'
    return f'<div class="cl-scorer"><h4>{esc(row.title)}{verdict}</h4>{outputs}{note}</div>'


def _output(reference: str, name: str, title: str, value: float, on: bool) -> str:
    width = f"{100 * min(1.0, max(0.0, value)):.1f}%" if value == value else "0"
    return element(
        "button", f'<span class="cl-name">{esc(title)}</span><span class="dt-track"><span class="dt-fill" '
        f'style="width:{width}"></span></span><span class="dt-num">{number(value)}</span>', type="button",
        data_act="explain", data_key=f"{reference}|{name}", aria_pressed="true" if on else "false", class_="cl-output")


def pushed(text: str, shares: Sequence[float], parts: Sequence[tuple[str, int, float]], head: str, say: Say) -> str:
    """The text with marks, a legend, and the strongest parts as bars to the left (down) and right (up)."""
    legend = (f'<span><i class="cl-up cl-4"></i>{esc(say("label.try.up"))}</span>'
              f'<span><i class="cl-down cl-4"></i>{esc(say("label.try.down"))}</span>')
    strongest = max((abs(push) for _, _, push in parts), default=0.0) or 1.0
    rows = "".join(_part(name, times, push, push / strongest) for name, times, push in parts)
    empty = element("p", esc(say("label.try.nothing")), class_="tr-note") if not parts else ""
    return (f'<section class="dt cl-pushed"><h3>{esc(say("label.try.why"))}</h3><p class="tr-note">{esc(head)}</p>'
            f'<div class="ms-key">{legend}</div><div class="cl-text">{marked(text, shares)}</div>'
            f'{empty}<ol class="cl-parts">{rows}</ol></section>')


def _part(name: str, times: int, push: float, share: float) -> str:
    side = "up" if push > 0 else "down"
    shown = name.replace("\n", "⏎").replace(" ", "␣")
    count = f' <small>×{times}</small>' if times > 1 else ""
    return (f'<li><span class="cl-gram">{esc(shown)}{count}</span><span class="cl-axis"><i class="cl-{side}" '
            f'style="width:{50 * abs(share):.1f}%"></i></span><span class="dt-num">{_signed(push)}</span></li>')


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def marked(text: str, shares: Sequence[float]) -> str:
    """The text, escaped, in runs of equal depth: ``cl-up cl-3`` raises the score, ``cl-down cl-3`` lowers it."""
    most = max((abs(share) for share in shares), default=0.0)
    depths = [_depth(share, most) for share in shares]
    pieces = []
    for depth, run in groupby(zip(text, depths, strict=True), key=lambda pair: pair[1]):
        inner = esc("".join(one for one, _ in run)).replace("\n", "<br>")
        side = "up" if depth > 0 else "down"
        pieces.append(f'<mark class="cl-{side} cl-{abs(depth)}">{inner}</mark>' if depth else inner)
    return "".join(pieces)


def _depth(share: float, most: float) -> int:
    if not most:
        return 0
    depth = min(LEVELS - 1, int(abs(share) / most * LEVELS))
    return depth if share > 0 else -depth

"""Numbers of a corpus as short texts: counts with separators, values of four digits, names of columns and rules."""

from __future__ import annotations

import math

from workbench.contract import Json
from workbench.text import known, say
from workbench.widgets.markup import element


def count(value: float) -> str:
    """A whole number with separators: ``count(12345) == "12,345"``."""
    return f"{int(value):,}"


def amount(value: float | None) -> str:
    """A value in few digits: ``0.333``, ``12.5``, ``1,204``, ``1.5e-07``; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.1f}" if 100 <= abs(value) < 1000 else f"{value:.{2 if abs(value) < 0.001 else 3}g}"


def compared(comparison: str) -> str:
    """A comparison as a sign: ``compared("<=") == "≤"``."""
    return {"<=": "≤", ">=": "≥"}.get(comparison, comparison)


def exact(value: float) -> str:
    """A value as it can be read back without loss: ``200``, ``0.1``, ``1e-05``."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def part(some: float, whole: float) -> str:
    """A share in percent with one digit: ``part(1, 3) == "33.3 %"``; ``"<0.1 %"`` for what is more than nothing."""
    share = 100 * some / whole if whole else 0.0
    return "<0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"


def column_name(column: str, lang: str) -> str:
    """What a column is called in the reader's language; a scorer's output is ``scorer: output``."""
    if known(f"corpus.column.{column}"):
        return say(lang, f"corpus.column.{column}")
    scorer, dot, output = column.partition(".")
    kind = scorer.split("-")[0]
    if dot and known(f"corpus.kind.{kind}"):
        return say(lang, "corpus.column.of", kind=say(lang, f"corpus.kind.{kind}"), output=output)
    return column


def rule_name(rule: str, lang: str) -> str:
    """What a rule is called in the reader's language; its own name where it is not one of ours."""
    return say(lang, f"corpus.rule.{rule}") if known(f"corpus.rule.{rule}") else rule


def field(**attributes: Json) -> str:
    """An ``<input>``, which has no end; attributes as in :func:`workbench.widgets.markup.element`."""
    return element("input", **attributes).removesuffix("</input>")

"""Was a reference made from one of the systems? Then it favours that system, and the ranking says nothing.

For every reference the systems' chrF against it and the number of segments they have word for word in common with it
are compared over the systems. A reference is flagged for a system that is far out on both: chrF a margin above the
next system, and identical segments well above the next. (WMT22 en-zh: reference B and Online-B.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.common.mt.scores import scorer
from backends.common.mt.words import words

MARGIN = 8.0
"""chrF points above the next system (ours: between systems of one task the best lead seen otherwise is below 4)."""
SHARE, TIMES = 0.02, 2.0
"""Identical segments: at least this share of all, and so many times the next system's."""


@dataclass(frozen=True)
class Likeness:
    """How near a system is to a reference: chrF, and segments that are the same words."""

    reference: str
    system: str
    chrf: float
    identical: int


@dataclass(frozen=True)
class Bias:
    """A reference that looks made from a system's output; ``text`` says so with its figures."""

    reference: str
    system: str
    chrf: float
    next_chrf: float
    identical: int
    next_identical: int
    text: str


def likeness(systems: Mapping[str, Sequence[str]], references: Mapping[str, Sequence[str]]) -> list[Likeness]:
    """Every system against every reference alone. Empty segments are no likeness."""
    found = []
    for reference, wanted in references.items():
        metric = scorer("chrf", [wanted])
        plain = [words(line) for line in wanted]
        for system, lines in systems.items():
            same = sum(bool(target) and words(line) == target for line, target in zip(lines, plain, strict=True))
            found.append(Likeness(reference, system, float(metric.score(metric.statistics(lines).sum(0))), same))
    return found


def flags(table: Sequence[Likeness], segments: int) -> list[Bias]:
    """The references that should not be trusted. With one system nothing can be told."""
    found = []
    for reference in dict.fromkeys(row.reference for row in table):
        rows = sorted((row for row in table if row.reference == reference), key=lambda row: -row.chrf)
        if len(rows) < 2:
            continue
        top, second = rows[0], rows[1]
        others = max(row.identical for row in rows[1:])
        if top.chrf - second.chrf < MARGIN or top.identical < max(SHARE * segments, TIMES * others):
            continue
        text = (f"Reference {reference} looks made from {top.system}: chrF {top.chrf:.1f} against {second.chrf:.1f} of "
                f"the next system ({second.system}), and {top.identical:,} of {segments:,} segments are the same "
                f"(next {others:,}). Scores with it favour {top.system}.")
        found.append(Bias(reference, top.system, top.chrf, second.chrf, top.identical, others, text))
    return found

"""Agreement of annotators and acceptance of automatic labels: tables with intervals, one bar a score bin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc
from workbench.widgets.measured import grid, interval, number

Say = Callable[..., str]


@dataclass(frozen=True)
class Bar:
    """A share (0..1, ``None``: nothing is known) with its interval; ``documents`` were labelled, ``of`` are there."""

    name: str
    value: float | None
    low: float
    high: float
    documents: int
    of: int


@dataclass(frozen=True)
class PairRow:
    """Two annotators: documents of both, share of equal answers, Cohen's kappa (``None``: always one answer)."""

    first: str
    second: str
    documents: int
    agreed: float
    kappa: float | None


def agreement(pairs: Sequence[PairRow], fleiss: float | None, bounds: tuple[float, float] | None, documents: int,
              say: Say) -> str:
    """Fleiss' kappa of all with its interval, then every pair."""
    title = f"<h3>{esc(say('label.agreement'))}</h3>"
    if not documents:
        return f'<section class="dt tr-sheet">{title}{_note(say("label.agreement.none"))}</section>'
    shown = number(fleiss) + (f" {interval(*bounds)}" if bounds else "")
    head = [esc(say("label.pair")), esc(say("label.pair.documents")), esc(say("label.pair.equal")),
            esc(say("label.pair.kappa"))]
    rows = [[esc(f"{row.first} · {row.second}"), f"{row.documents:,}", f"{100 * row.agreed:.1f} %", number(row.kappa)]
            for row in pairs]
    words = say("label.agreement.fleiss", documents=f"{documents:,}")
    return (f'<section class="dt tr-sheet">{title}<p class="cl-figure"><b>{esc(shown)}</b> {esc(words)}</p>'
            f'{grid(head, rows)}{_note(say("label.agreement.help"))}</section>')


def acceptance(bins: Sequence[Bar], corpus: Bar, sample: Bar, covered: float, note: str, say: Say) -> str:
    """The share of accepted labels in the corpus, weighted by bins, and in every score bin."""
    title = f"<h3>{esc(say('label.acceptance'))}</h3>"
    if not sample.documents:
        return f'<section class="dt tr-sheet">{title}{_note(say("label.acceptance.none"))}{_note(note)}</section>'
    weighted = say("label.acceptance.corpus", documents=f"{sample.documents:,}", total=f"{corpus.of:,}",
                   covered=f"{100 * covered:.0f}")
    plain = say("label.acceptance.sample", value=_percent(sample.value), low=_percent(sample.low),
                high=_percent(sample.high))
    rows = "".join(_row(bar, say) for bar in bins)
    return (f'<section class="dt tr-sheet">{title}<p class="cl-figure"><b>{_percent(corpus.value)} '
            f'[{_percent(corpus.low)}, {_percent(corpus.high)}]</b> {esc(weighted)}</p>{_note(plain)}'
            f'<ol class="cl-bins">{rows}</ol>{_note(say("label.acceptance.help"))}{_note(note)}</section>')


def _row(bar: Bar, say: Say) -> str:
    told = say("label.bin", documents=f"{bar.documents:,}", of=f"{bar.of:,}")
    if bar.value is None:
        inner, shown = "", "–"
    else:
        left, right = 100 * bar.low, 100 * bar.high
        inner = (f'<i class="br-fill" style="width:{100 * bar.value:.1f}%"></i><i class="br-whisker" '
                 f'style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i>')
        shown = f"{_percent(bar.value)} [{_percent(bar.low)}, {_percent(bar.high)}]"
    return (f'<li class="br-s1"><span class="cl-binname">{esc(bar.name)}</span><span class="br-track">{inner}</span>'
            f'<span class="cl-bintext"><b>{esc(shown)}</b> <small>{esc(told)}</small></span></li>')


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _note(words: str) -> str:
    return element("p", esc(words), class_="tr-note") if words else ""

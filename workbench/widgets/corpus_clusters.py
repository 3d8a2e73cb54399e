"""Clusters of near-duplicates: the list, the members of one, and two members side by side with what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc
from workbench.widgets.measured import number

Say = Callable[..., str]
COLUMNS = ("cluster", "size", "kept", "longest")


@dataclass(frozen=True)
class Row:
    """One cluster of the list. ``decided``: ``""`` as the run has it, else what a person decided, in words."""

    number: int
    size: int
    kept: int
    passing: int
    longest: int
    decided: str = ""


@dataclass(frozen=True)
class MemberRow:
    """One document. ``stays``: whether it is kept in the end; ``best``: chosen by the policy of the run."""

    place: int
    title: str
    source: str
    length: int
    quality: float | None
    passes: bool
    kept: bool
    best: bool
    stays: bool
    alike: float
    estimate: float
    snippet: str


def clusters(rows: Sequence[Row], opened: int, say: Say) -> str:
    """The list; each cluster is a button, j and k open the next and the one before."""
    if not rows:
        return f'<div class="dt">{element("p", esc(say("label.clusters.none")), class_="tr-note")}</div>'
    lines = "".join(_line(row, row.number == opened, say) for row in rows)
    at = next((place for place, row in enumerate(rows) if row.number == opened), -1)
    after = rows[min(at + 1, len(rows) - 1)].number
    before = rows[max(at - 1, 0)].number
    jumps = (_jump(before, "k ArrowUp", say("label.clusters.before")) + _jump(after, "j ArrowDown",
                                                                             say("label.clusters.after")))
    head = "".join(f"<span>{esc(say(f'label.clusters.{name}'))}</span>" for name in COLUMNS)
    return (f'<div class="dt cl-list"><div class="cl-jumps">{jumps}</div><div class="cl-head" aria-hidden="true">{head}'
            f'</div><ol>{lines}</ol></div>')


def _jump(number_of: int, keys: str, name: str) -> str:
    return element("button", f"<kbd>{esc(keys[0])}</kbd>{esc(name)}", type="button", data_act="open",
                   data_key=number_of, data_shortcut=keys, class_="cl-value")


def _line(row: Row, on: bool, say: Say) -> str:
    told = say("label.clusters.line", size=row.size, kept=row.kept)
    decided = f'<em>{esc(row.decided)}</em>' if row.decided else ""
    return (f'<li><button type="button" data-act="open" data-key="{row.number}" aria-pressed="{str(on).lower()}" '
            f'aria-label="{esc(told)}"><span>#{row.number}</span><span>{row.size:,}</span><span>{row.kept:,}</span>'
            f"<span>{row.longest:,}</span>{decided}</button></li>")


def members(number_of: int, rows: Sequence[MemberRow], compared: int, why: str, more: int, say: Say) -> str:
    """The members with a box each (kept in the end), and the decisions on the whole cluster."""
    lines = "".join(_member(row, row.place == compared, say) for row in rows)
    rest = element("p", esc(say("label.clusters.more", count=f"{more:,}")), class_="tr-note") if more else ""
    buttons = "".join(_decide(act, key, shortcut, say) for act, key, shortcut in (
        ("accept", "", "a"), ("all", "", "e"), ("none", "", "x"), ("confirm", "keep", "Enter")))
    return (f'<section class="dt cl-members" data-place="{number_of}"><h3>#{number_of}</h3>'
            f'<p class="tr-note">{esc(why)}</p><ol>{lines}</ol>{rest}<div class="cl-answers">{buttons}</div></section>')


def _decide(act: str, key: str, shortcut: str, say: Say) -> str:
    shown = "⏎" if shortcut == "Enter" else shortcut
    return element("button", f"<kbd>{shown}</kbd>{esc(say(f'label.clusters.do.{act}'))}", type="button", data_act=act,
                   data_key=key or None, data_shortcut=shortcut, class_="cl-value",
                   title=say(f"label.clusters.do.{act}.help"))


def _member(row: MemberRow, compared: bool, say: Say) -> str:
    box = element("button", "✓", type="button", data_act="toggle", data_key=row.place,
                  aria_pressed=str(row.stays).lower(), aria_label=say("label.clusters.stays", place=row.place),
                  class_="cl-box")
    marks = [say("label.clusters.best")] if row.best else []
    marks += [say("label.clusters.failing")] if not row.passes else []
    facts = [say("label.clusters.chars", count=f"{row.length:,}")]
    facts += [say("label.clusters.quality", value=number(row.quality))] if row.quality is not None else []
    facts += [] if row.best else [say("label.clusters.alike", value=number(row.alike), estimate=number(row.estimate))]
    told = "".join(f"<em>{esc(mark)}</em>" for mark in marks) + esc(" · ".join([*facts, row.source]))
    return (f'<li class="{"cl-open" if compared else ""}">{box}<button type="button" class="cl-member" '
            f'data-act="compare" data-key="{row.place}" aria-pressed="{str(compared).lower()}"><b>{esc(row.title)}</b>'
            f'<span class="cl-snippet">{esc(row.snippet)}</span><small>{told}</small></button></li>')


def side_by_side(pieces: Sequence[tuple[str, str, int]], titles: tuple[str, str], note: str, say: Say) -> str:
    """Two texts in two columns. ``pieces`` are (same | removed | added | left out, text, length): what only the first
    has is struck in the left column, what only the second has is marked in the right one."""
    left = "".join(_piece(sort, text, length, "removed", say) for sort, text, length in pieces)
    right = "".join(_piece(sort, text, length, "added", say) for sort, text, length in pieces)
    columns = "".join(f'<div><h4>{esc(title)}</h4><div class="cl-document cl-diff" tabindex="0">{inner}</div></div>'
                      for title, inner in zip(titles, (left, right), strict=True))
    words = element("p", esc(note), class_="tr-note") if note else ""
    return f'<section class="dt cl-sides"><h3>{esc(say("label.diff"))}</h3>{words}<div>{columns}</div></section>'


def _piece(sort: str, text: str, length: int, mine: str, say: Say) -> str:
    inner = esc(text).replace("\n", "<br>")
    if sort == "same":
        return inner
    if sort == "left out":
        return f'<span class="cl-gap">{esc(say("label.diff.left_out", count=f"{length:,}"))}</span>'
    if sort != mine:
        return ""
    name = "del" if mine == "removed" else "ins"
    return f"<{name}>{inner}</{name}>"

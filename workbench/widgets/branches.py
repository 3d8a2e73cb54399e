"""Branches of one dialogue side by side: the shared beginning once, then a column each, turn by turn.

On a narrow page the columns become one: the turns of the same place stand under one another, each with its letter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from workbench.contract import Json
from workbench.widgets import outcome, private, transcript, worddiff
from workbench.widgets.loose import listed, table, tables

Say = Callable[..., str]
CELLS = 48
"""Turns drawn at once beside the shared ones; later ones come on request (architecture.md 5: at most 60)."""


@dataclass(frozen=True)
class Branch:
    """One column. ``changed`` says in words what was changed, ``link`` (HTML) opens its run, ``state`` says what it
    does now (empty once it has ended), ``live`` is the turn that is being written."""

    letter: str
    dialogue: Mapping[str, Json]
    changed: str
    link: str = ""
    state: str = ""
    live: Json = None


def legend(branches: Sequence[Branch], say: Say) -> str:
    """Letter, what was changed, what it does now, and the way to its run, for every branch."""
    rows = []
    for number, branch in enumerate(branches):
        state = f'<span class="dt-sub" role="status">{escape(branch.state)}</span>' if branch.state else ""
        rows.append(f'<li class="dt-b{number % 4 + 1}"><b class="dt-letter">{escape(branch.letter)}</b>'
                    f"<span>{escape(branch.changed)}</span>{state}{branch.link}</li>")
    return f'<div class="dt"><ul class="dt-legend">{"".join(rows)}</ul></div>' if rows else ""


def trunk(branch: Branch, shared: int, say: Say, lang: str) -> str:
    """The turns that all have, once; folded away when there are more than four (``page.js`` keeps the choice)."""
    turns = tables(branch.dialogue.get("turns"))[:shared]
    if not turns:
        return f'<div class="dt"><p class="dt-none">{escape(say("compare.shared.none"))}</p></div>'
    labels, facts = transcript.strategy_labels(branch.dialogue, lang), transcript.card_facts(branch.dialogue)
    news = transcript.newly_told(turns)
    first = max(0, len(turns) - transcript.WINDOW)
    rows = "".join(transcript.turn_row(turn, place, labels, facts, news[place], say, tools=())
                   for place, turn in enumerate(turns) if place >= first)
    opened = " open" if len(turns) <= 4 else ""
    title = escape(say("compare.shared", count=len(turns)))
    return (f'<div class="dt"><details class="dt-shared" data-wb-fold="compare-shared"{opened}><summary>{title}'
            f'</summary><div class="dt-turns">{rows}</div></details></div>')


def columns(branches: Sequence[Branch], shared: int, say: Say, lang: str, *, mark: bool = True,
            cells: int = CELLS) -> str:
    """The turns after the shared ones, row by row; with ``mark`` the words that the first column does not have."""
    if not branches:
        return ""
    rows = max(len(turns_of(branch)) for branch in branches) - shared
    drawn = min(rows, max(1, cells // len(branches)))
    head = "".join(f'<div class="dt-colhead dt-b{n % 4 + 1}"><b class="dt-letter">{escape(b.letter)}</b>'
                   f"<span>{escape(b.changed)}</span></div>" for n, b in enumerate(branches))
    body = "".join(_row(branches, shared + row, say, lang, mark) for row in range(max(0, drawn)))
    foot = "".join(f'<div class="dt-cell dt-b{n % 4 + 1}">{_ending(b, say)}</div>' for n, b in enumerate(branches))
    more = (f'<button type="button" class="dt-earlier" data-act="more">'
            f'{escape(say("compare.more", count=rows - drawn))}</button>') if rows > drawn else ""
    return (f'<div class="dt dt-branches" style="--n:{len(branches)}"><div class="dt-rowof dt-heads">{head}</div>{body}'
            f'{more}<div class="dt-rowof">{foot}</div></div>')


def turns_of(branch: Branch) -> list[Mapping[str, Json]]:
    """The turns of a branch, and after them the one that is being written."""
    turns = list(tables(branch.dialogue.get("turns")))
    live = branch.live
    if isinstance(live, Mapping) and live.get("role") in ("seeker", "supporter") and live.get("idx") == len(turns):
        turns.append({"role": live["role"], "text": live.get("text") or "", "strategy": live.get("strategy"),
                      "live": True})
    return turns


def _row(branches: Sequence[Branch], place: int, say: Say, lang: str, mark: bool) -> str:
    every = [turns_of(branch) for branch in branches]
    base = every[0][place] if place < len(every[0]) else None
    cells = []
    for number, (branch, turns) in enumerate(zip(branches, every, strict=True)):
        turn = turns[place] if place < len(turns) else None
        other = base if mark and number and base is not None and turn is not None and (
            base.get("role") == turn.get("role")) else None
        cells.append(_cell(branch, turn, place, number, other, say, lang))
    return f'<div class="dt-rowof">{"".join(cells)}</div>'


def _cell(branch: Branch, turn: Mapping[str, Json] | None, place: int, number: int, base: Mapping[str, Json] | None,
          say: Say, lang: str) -> str:
    colour = f"dt-b{number % 4 + 1}"
    if turn is None:
        return f'<div class="dt-cell dt-void {colour}"></div>'
    role = transcript.role_of(turn)
    caret = '<span class="dt-caret"></span>' if turn.get("live") else ""
    words, note = _words(turn, base, say)
    labels = transcript.strategy_labels(branch.dialogue, lang)
    below = transcript.decision(turn, labels, say, fold=f"dt-cmp-{branch.letter}-{place}") if role == "supporter" \
        else _feeling(turn, say)
    return (f'<article class="dt-cell dt-{role} {colour}"><header><b class="dt-letter">{escape(branch.letter)}</b>'
            f'<span class="dt-no">{place + 1}</span><span class="dt-role">{escape(say(f"dialogue.role.{role}"))}</span>'
            f'{note}</header><p class="dt-text">{words}{caret}</p>{below}</article>')


def _words(turn: Mapping[str, Json], base: Mapping[str, Json] | None, say: Say) -> tuple[str, str]:
    """The text as HTML, and a note on how it compares with the first column's."""
    text = str(turn.get("text") or "")
    if base is None or turn.get("live") or base.get("live"):
        return transcript.paragraph(text), ""
    found = worddiff.compare(str(base.get("text") or ""), text)
    key = "compare.same" if found.shared == 1.0 else "" if found.marked else "compare.other"
    note = f'<span class="dt-sub">{escape(say(key))}</span>' if key else ""
    return worddiff.marked(found), note


def _feeling(turn: Mapping[str, Json], say: Say) -> str:
    state = table(turn.get("private"))
    level = private.intensity(state)
    if level is None:
        return ""
    words = say("dialogue.private.intensity", level=level, levels=private.LEVELS)
    return (f'<div class="dt-feeling">{private.meter(level, words)}<b>{escape(str(state.get("emotion") or ""))}</b>'
            f'<span class="dt-num">{escape(words)}</span></div>')


def _ending(branch: Branch, say: Say) -> str:
    if branch.state:
        return f'<div class="dt-sub">{escape(branch.letter)} · {escape(branch.state)}</div>'
    return outcome.ending(branch.dialogue, say)


@dataclass(frozen=True)
class Measure:
    """One line of the table: a name with an explanation, and a value for each branch in words."""

    name: str
    hint: str
    values: tuple[str, ...]


def measures(letters: Sequence[str], rows: Sequence[Measure], say: Say) -> str:
    """What differs and what does not: lines with different values are set in bold."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col" class="dt-b{n % 4 + 1}"><b class="dt-letter">{escape(letter)}</b></th>'
                   for n, letter in enumerate(letters))
    body = "".join(
        f'<tr class="{"dt-differs" if len(set(row.values)) > 1 else ""}"><th scope="row">{escape(row.name)}'
        f'<span class="dt-sub">{escape(row.hint)}</span></th>'
        f'{"".join(f"<td>{escape(value)}</td>" for value in row.values)}</tr>' for row in rows)
    caption = escape(say("compare.table.caption"))
    return (f'<div class="dt dt-measures"><table><caption>{caption}</caption><thead><tr><th></th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def lineage(note: Json, changed: str, link: str, say: Say) -> str:
    """Beside a branch's case file: what it branches off, what was changed, and the way to the comparison."""
    if not isinstance(note, Mapping) or not note.get("of"):
        return ""
    steps = len(listed(note.get("lineage")))
    depth = f'<span class="dt-sub">{escape(say("branch.depth", count=steps))}</span>' if steps > 1 else ""
    return (f'<div class="dt dt-case dt-lineage"><section><h4>{escape(say("branch.lineage"))}{depth}</h4>'
            f"<p>{escape(changed)}</p><p>{link}</p></section></div>")

"""Translations of several systems side by side: a head for each system, and a table that grows while they write.

Values come from a run's own files (``backends.common.mt.systems.board``), which may have been edited by hand: what is
missing is left out, all is escaped. Presses: ``page`` (first line of another page) and ``play`` (place and reference).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.contract import Json
from workbench.text import known
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import duration, element, esc

Say = Callable[..., str]
ROWS = 50
"""Lines on one page."""
BUDGET, AROUND, LEAST, MOST = 185_000, 210, 60, 6000
"""Bytes of a page together, of what stands around the text of a cell, and fewest and most of a text (our default)."""
GOING = ("waiting", "loading", "writing")
PLAYED = "sm2"


def columns(value: Json) -> tuple[Mapping[str, Json], ...]:
    """The systems of a board."""
    return tables(table(value).get("systems"))


def count(value: Json) -> int:
    """A whole number that was meant to be one."""
    return int(value) if finite(value) else 0


def heads(board: Json, elapsed: float, say: Say, lang: str) -> str:
    """One card for each system: what it is, how far it is, its time and speed, or why it failed. ``elapsed`` are
    seconds since the run began."""
    total = sum(bool(str(row).strip()) for row in listed(table(board).get("rows")))
    cards = "".join(_head(column, number, total, elapsed, say, lang) for number, column in enumerate(columns(board)))
    return f'<div class="sy sy-heads">{cards}</div>' if cards else ""


def _head(column: Mapping[str, Json], number: int, total: int, elapsed: float, say: Say, lang: str) -> str:
    state, kind, error = str(column.get("state")), str(column.get("kind") or ""), table(column.get("error"))
    words = say(f"translation_systems.state.{state}") if known(f"translation_systems.state.{state}") else state
    named = say(f"translation_systems.kind.{kind}") if known(f"translation_systems.kind.{kind}") else kind
    done = count(column.get("done"))
    parts = [say("translation_systems.head.lines", done=done, total=total), *_times(column, elapsed, say, lang)]
    parts += [say(f"translation_systems.head.{name}", n=count(column.get(name)))
              for name in ("failed", "cut") if count(column.get(name))]
    why = (f'<p class="sy-bad" role="alert">{esc(error.get("cause", ""))} {esc(error.get("advice", ""))}</p>'
           if error else "")
    bar = element("div", f'<i style="width:{100 * done / max(1, total):.1f}%"></i>', class_="sy-bar",
                  role="progressbar", aria_valuemin=0, aria_valuemax=total, aria_valuenow=done,
                  aria_label=str(column.get("name")))
    return element("section", f'<h4>{esc(column.get("name", ""))} <small>{esc(named)}</small></h4>'
                   f'<p class="sy-state">{esc(words)}</p>{bar}<p>{esc(" · ".join(parts))}</p>{why}',
                   class_=f"sy-head sy-c{number % 6 + 1} sy-is-{state}", title=str(column.get("reference") or ""))


def _times(column: Mapping[str, Json], elapsed: float, say: Say, lang: str) -> list[str]:
    began, ended, first = column.get("began"), column.get("ended"), column.get("first")
    if not finite(began):
        return []
    until = ended if finite(ended) else elapsed
    found = [duration(max(0.0, until - began), lang)]
    if finite(first):
        found.append(say("translation_systems.head.first", time=duration(max(0.0, first - began), lang)))
    writing, tokens = column.get("writing"), column.get("tokens")
    if finite(writing) and writing > 0 and count(tokens):
        unit = "words" if column.get("kind") == "apertium" else "tokens"
        found.append(say(f"translation_systems.head.{unit}", n=f"{count(tokens) / writing:,.1f}"))
    return found


def side_by_side(board: Json, start: int, say: Say, playable: bool = True) -> str:
    """Fifty lines from ``start`` (from 0): the source and one column for each system."""
    rows = [str(row) for row in listed(table(board).get("rows"))]
    found = [(number, column) for number, column in enumerate(columns(board)) if _has_column(column)]
    if not rows or not found:
        return ""
    start = min(max(0, start), (len(rows) - 1) // ROWS * ROWS)
    shown = range(start, min(len(rows), start + ROWS))
    limit = max(LEAST, min(MOST, BUDGET // (len(shown) * (len(found) + 1)) - AROUND))
    head = "".join(f'<th>{esc(say(f"translation_systems.{name}"))}</th>' for name in ("line", "given")) + "".join(
        f'<th class="sy-c{number % 6 + 1}">{esc(column.get("name", ""))}</th>' for number, column in found)
    body = "".join(_row(place, rows[place], found, limit, say, playable) for place in shown)
    return (f'<div class="sy sy-grid">{_pages(start, len(rows), say)}<table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def _has_column(column: Mapping[str, Json]) -> bool:
    """A system that ended without a line has its head only."""
    return bool(table(column.get("lines"))) or str(column.get("state")) in GOING


def _row(place: int, source: str, found: Sequence[tuple[int, Mapping[str, Json]]], limit: int, say: Say,
         playable: bool) -> str:
    name = esc(say("translation_systems.given"))
    cells = "".join(_cell(place, column, number, limit, say, playable and bool(source))
                    for number, column in found) if source else f'<td colspan="{len(found)}"></td>'
    return (f'<tr><th scope="row">{place + 1}</th><td data-name="{name}" dir="auto">{_clipped(source, limit, say)}'
            f"</td>{cells}</tr>")


def _cell(place: int, column: Mapping[str, Json], number: int, limit: int, say: Say, playable: bool) -> str:
    line = table(table(column.get("lines")).get(str(place)))
    error = table(line.get("error"))
    done, going = bool(line.get("done")), str(column.get("state")) in GOING
    text = _clipped(str(line.get("text") or ""), limit, say)
    marks = ""
    if error:
        marks = f'<small class="sy-bad">{esc(error.get("cause", ""))} {esc(error.get("advice", ""))}</small>'
    elif done and not line.get("text"):
        marks = f'<small>{esc(say("translation_systems.empty_line"))}</small>'
    elif line and not done and going:
        marks = '<i class="sy-caret" aria-hidden="true"></i>'
    elif line and not done:
        marks = f'<small>{esc(say("translation_systems.broken_off"))}</small>'
    if line.get("cut"):
        marks += f'<small class="sy-warn">{esc(say("translation_systems.cut"))}</small>'
    if playable and done and column.get("kind") == PLAYED:
        marks += element("button", esc(say("translation_systems.play")), type="button", class_="sy-play",
                         data_act="play", data_key=f"{place} {column.get('reference', '')}",
                         title=say("translation_systems.play.help"))
    return f'<td class="sy-c{number % 6 + 1}" data-name="{esc(column.get("name", ""))}" dir="auto">{text}{marks}</td>'


def _clipped(text: str, limit: int, say: Say) -> str:
    size = len(esc(text).encode("utf-8", "replace"))
    if size <= limit:
        return esc(text)
    more = say("translation_systems.clipped", n=f"{len(text):,}")
    return f"{esc(text[:len(text) * limit // size])} <small>{esc(more)}</small>"


def _pages(start: int, total: int, say: Say) -> str:
    if total <= ROWS:
        return ""
    words = say("translation_systems.page", first=start + 1, last=min(total, start + ROWS), total=f"{total:,}")
    buttons = "".join(
        element("button", esc(say(f"translation_systems.{name}")), type="button", data_act="page", data_key=place,
                disabled=not 0 <= place < total)
        for name, place in (("before", start - ROWS), ("after", start + ROWS)))
    return f'<div class="sy-pages"><span>{esc(words)}</span>{buttons}</div>'

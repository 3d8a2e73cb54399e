"""What the Inspect view holds, as one line of text that stands in the page's address, and how every press changes it.

The line is a query (``show=dropped&failed=length&sort=quality&doc=17``): the parts of the selection as
``Selection.to_query`` writes them, and how the list is shown. ``of`` names the corpus, since a filter means nothing in
another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from backends.mdfg.explore.query import KINDS, Query
from backends.mdfg.explore.selection import Selection, Span
from workbench.contract import UserError, unknown

PAGE = 50
LISTS = ("domains", "sources", "words")
SHOWN = ("all", "kept", "dropped")


@dataclass(frozen=True)
class State:
    """The selection; the order and the page of the list; the open document; charts that were chosen (none: those of
    the recipe)."""

    of: str = ""
    selection: Selection = field(default_factory=Selection)
    sort: str = "place"
    down: bool = False
    offset: int = 0
    opened: int | None = None
    charts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The line for the address; empty for a fresh view."""
        own = {"sort": self.sort if self.sort != "place" or self.down else "", "down": "1" if self.down else "",
               "from": str(self.offset or ""), "doc": "" if self.opened is None else str(self.opened),
               "charts": ",".join(self.charts)}
        parts = {**self.selection.to_query(), **{key: value for key, value in own.items() if value}}
        return urlencode({"of": self.of, **parts}) if parts else ""


def read(text: str, of: str) -> State:
    """The state of a line for the corpus ``of``: a fresh one when the line is of another corpus.

    Raises ``UserError`` for a part that cannot be read."""
    parts = dict(parse_qsl(str(text or "").lstrip("?")))
    if parts.get("of", of) != of:
        return State(of)
    return State(of, Selection.from_query(parts), parts.get("sort") or "place", parts.get("down") == "1",
                 _whole(parts.get("from")) or 0, _whole(parts.get("doc")),
                 tuple(name for name in (parts.get("charts") or "").split(",") if name))


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 16 else None


def changed(state: State, act: str, key: str = "", value: str = "") -> State:
    """The state after a press. Raises ``UserError`` for a press that says nothing sensible (a forged one)."""
    change = CHANGES.get(act)
    if change is None:
        raise unknown("change of the filter", act, CHANGES)
    return change(state, key, value)


def select(state: State, **parts: Any) -> State:
    """The state with parts of its selection replaced: the list begins at its top again."""
    return replace(state, selection=replace(state.selection, **parts), offset=0)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{text!r} is no number.", advice="Write a number such as 0.5 or 200.")
    return value


def _toggled(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(one for one in values if one != value) if value in values else (*values, value)


def _failed(state: State, key: str, value: str) -> State:
    return select(state, failed=_toggled(state.selection.failed, key))


def _first(state: State, key: str, value: str) -> State:
    return select(state, first="" if state.selection.first == key else key)


def _only(state: State, key: str, value: str) -> State:
    return select(state, only="" if state.selection.only == key else key)


def _show(state: State, key: str, value: str) -> State:
    return select(state, show=key or "all")


def _spanned(state: State, span: Span | None, column: str) -> State:
    rest = tuple(one for one in state.selection.spans if one.column != column)
    return select(state, spans=rest if span is None else (*rest, span))


def span_of(selection: Selection, column: str) -> Span | None:
    """The range of a column that the selection holds."""
    return next((span for span in selection.spans if span.column == column), None)


def _brush(state: State, key: str, value: str) -> State:
    low, _, high = value.partition(" ")
    return _spanned(state, Span(key, _number(low), _number(high)), key)


def _missing(state: State, key: str, value: str) -> State:
    span = Span(key)
    return _spanned(state, None if span_of(state.selection, key) == span else span, key)


def _end(which: str) -> Callable[[State, str, str], State]:
    def change(state: State, key: str, value: str) -> State:
        old = span_of(state.selection, key) or Span(key)
        end = _number(value) if value.strip() else None
        new = replace(old, low=end) if which == "low" else replace(old, high=end)
        return _spanned(state, new if (new.low, new.high) != (None, None) else None, key)
    return change


def _cell(state: State, key: str, value: str) -> State:
    x, _, y = key.partition(" ")
    numbers = [_number(part) for part in value.split()]
    if len(numbers) != 4:
        raise UserError(f"A cell of the map is {value!r}; it must have four numbers.")
    spans = Span(x, *numbers[:2]), Span(y, *numbers[2:])
    held = all(span in state.selection.spans for span in spans)
    for span in spans:
        state = _spanned(state, None if held else span, span.column)
    return state


def _pick(state: State, key: str, value: str) -> State:
    if key not in LISTS:
        raise unknown("list", key, LISTS)
    if not value and key != "domains":  # only a domain can be none
        raise UserError(f"An entry of {key} was pressed that has no name.", advice="Press one of the listed rows.")
    return select(state, **{key: _toggled(getattr(state.selection, key), value)})


def _move(state: State, key: str, value: str) -> State:
    limit = _number(value)
    return replace(state, selection=state.selection.with_limit(_place(key), limit), offset=0)


def _reset(state: State, key: str, value: str) -> State:
    if not key:
        return select(state, moved=())
    return replace(state, selection=state.selection.with_limit(_place(key), None), offset=0)


def _cluster(state: State, key: str, value: str) -> State:
    number = _place(key)
    return select(state, cluster=None if state.selection.cluster == number else number)


def _place(text: str) -> int:
    found = _whole(text)
    if found is None:
        raise UserError(f"{text!r} is no place; places are whole numbers from 0.")
    return found


def _unchip(state: State, key: str, value: str) -> State:
    name, _, rest = key.partition(".")
    plain = {"show": "all", "first": "", "only": "", "cluster": None}
    if name in plain:
        return select(state, **{name: plain[name]})
    if name == "search":
        return searched(state, None)
    if name == "range":
        return _spanned(state, None, rest)
    if name == "moved":
        return _reset(state, rest, "")
    if name == "failed" or name in LISTS:
        return select(state, **{name: tuple(one for one in getattr(state.selection, name) if one != rest)})
    raise unknown("part of the filter", name, (*plain, "search", "range", "moved", "failed", *LISTS))


def _clear(state: State, key: str, value: str) -> State:
    return replace(State(state.of), charts=state.charts, opened=state.opened)


def _sort(state: State, key: str, value: str) -> State:
    down = not state.down if key == state.sort else key != "place"
    return replace(state, sort=key, down=down, offset=0)


def _page(state: State, key: str, value: str) -> State:
    return replace(state, offset=_place(key))


def _open(state: State, key: str, value: str) -> State:
    return replace(state, opened=_place(key))


def searched(state: State, query: Query | None) -> State:
    """The state with this search; hits come first, the best on top. Without one the list is in its own order again."""
    sort = ("score", True) if query else ("place", False) if state.sort == "score" else (state.sort, state.down)
    return replace(state, selection=replace(state.selection, search=query), sort=sort[0], down=sort[1], offset=0)


def query_of(kind: str, text: str, least: float | None) -> Query | None:
    """The search of the search box; none for an empty one."""
    if kind not in KINDS:
        raise unknown("kind of search", kind, KINDS)
    return Query(kind, text.strip(), least=least or 0.0) if text.strip() else None


def taught(state: State, way: str, place: int) -> State:
    """The concept with one more example or counter-example (or one less, when it was one already).

    A counter-example alone teaches nothing, so the concept begins with an example: ``UserError`` otherwise."""
    old = state.selection.search
    held: Mapping[str, tuple[int, ...]] = {
        "like": old.like if old and old.kind == "concept" else (),
        "unlike": old.unlike if old and old.kind == "concept" else ()}
    if way not in held:
        raise unknown("way to teach", way, held)
    other = "unlike" if way == "like" else "like"
    new = {way: tuple(p for p in held[way] if p != place) if place in held[way] else (*held[way], place),
           other: tuple(p for p in held[other] if p != place)}
    if not new["like"]:
        if new["unlike"]:
            raise UserError("A concept begins with an example.", advice='Press "more like this" on a document first.')
        return searched(state, None)
    return searched(state, Query("concept", like=new["like"], unlike=new["unlike"], least=0.5))


CHANGES: Mapping[str, Callable[[State, str, str], State]] = {
    "failed": _failed, "first": _first, "only": _only, "show": _show, "brush": _brush, "missing": _missing,
    "low": _end("low"), "high": _end("high"), "cell": _cell, "pick": _pick, "move": _move, "reset": _reset,
    "cluster": _cluster, "unchip": _unchip, "clear": _clear, "sort": _sort, "page": _page, "open": _open}

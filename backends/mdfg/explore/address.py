"""A selection as the parts of a web address and back.

``show=dropped``, ``failed=length,script``, ``range=n_chars~200~500`` (several with ``;``, an open end is left empty),
``domain``, ``source``, ``word`` (several with ``,``), ``cluster=12``, ``find=words:...`` with ``like``, ``unlike`` and
``least``, ``limit=0~150`` (test 0 now has the limit 150). Names are percent-encoded inside the lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote

from backends.mdfg.explore.query import Kind, Query
from backends.mdfg.explore.selection import Selection, Show, Span
from workbench.contract import UserError

KEYS = ("show", "failed", "first", "only", "range", "domain", "source", "word", "cluster", "find", "like", "unlike",
        "least", "limit")


def to_query(selection: Selection) -> dict[str, str]:
    """The parts of a selection that are set, by :data:`KEYS`."""
    found = {"show": "" if selection.show == "all" else selection.show, "first": selection.first,
             "only": selection.only, "failed": _list(selection.failed), "domain": _list(selection.domains),
             "source": _list(selection.sources), "word": _list(selection.words),
             "range": ";".join(f"{_safe(s.column)}~{_number(s.low)}~{_number(s.high)}" for s in selection.spans),
             "cluster": "" if selection.cluster is None else str(selection.cluster),
             "limit": ";".join(f"{index}~{_number(limit)}" for index, limit in selection.moved)}
    if (search := selection.search) is not None:
        found |= {"find": f"{search.kind}:{search.text}", "like": ",".join(map(str, search.like)),
                  "unlike": ",".join(map(str, search.unlike)), "least": _number(search.least) if search.least else ""}
    if selection.domains == ("",):  # a list of one empty name is not the empty list
        found["domain"] = ","
    return {key: found[key] for key in KEYS if found.get(key)}


def from_query(query: Mapping[str, str]) -> Selection:
    """The selection of these parts; keys of others are left alone."""
    get = {key: str(query.get(key) or "") for key in KEYS}
    return Selection(
        show=cast(Show, get["show"] or "all"), first=get["first"], only=get["only"], failed=_names(get["failed"]),
        domains=("",) if get["domain"] == "," else _names(get["domain"]), sources=_names(get["source"]),
        words=_names(get["word"]), search=_search(get),
        cluster=_read("cluster", int, get["cluster"]) if get["cluster"] else None,
        spans=tuple(_span(part) for part in get["range"].split(";") if part),
        moved=tuple(sorted(dict(_moved(part) for part in get["limit"].split(";") if part).items())))


def _search(get: Mapping[str, str]) -> Query | None:
    if not get["find"]:
        return None
    kind, _, text = get["find"].partition(":")
    return Query(cast(Kind, kind), text, _places("like", get["like"]), _places("unlike", get["unlike"]),
                 _read("least", float, get["least"]) if get["least"] else 0.0)


def _places(key: str, text: str) -> tuple[int, ...]:
    return tuple(_read(key, int, part) for part in text.split(",") if part)


def _span(part: str) -> Span:
    column, low, high = _cut("range", part, 3)
    return Span(unquote(column), _read("range", float, low) if low else None,
                _read("range", float, high) if high else None)


def _moved(part: str) -> tuple[int, float]:
    index, limit = _cut("limit", part, 2)
    return _read("limit", int, index), _read("limit", float, limit)


def _cut(key: str, part: str, pieces: int) -> list[str]:
    found = part.split("~")
    if len(found) != pieces:
        raise UserError(f"{key} in the address is {part!r}; it must have {pieces} parts with ~ between them.",
                        advice="Open the corpus again and choose the filter on the page.")
    return found


def _read(key: str, kind: Callable[[str], Any], text: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = float("nan")
    if value != value:
        raise UserError(f"{key} in the address is {text!r}; it must be a number.",
                        advice="Open the corpus again and choose the filter on the page.")
    return value


def _list(names: tuple[str, ...]) -> str:
    return ",".join(map(_safe, names))


def _names(text: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in text.split(",")) if text else ()


def _safe(name: str) -> str:
    return quote(name, safe="").replace("~", "%7E")


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value)).removesuffix(".0")

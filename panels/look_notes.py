"""What is looked at in a finished run, as a note of the page: written short, read with care, stepped along a list."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from workbench.widgets.loose import table

LONGEST = 200
"""Characters of a text in a note that are kept."""
Look = TypeVar("Look", bound=Any)


def write(look: Any, blank: Any) -> str:
    """A look (a dataclass of plain values) as the text of a note: only what differs from ``blank``."""
    return json.dumps({k: v for k, v in asdict(look).items() if v != getattr(blank, k)}, ensure_ascii=False)


def read(note: str, blank: Any) -> dict[str, Any]:
    """The fields of a note that are of the type they have in ``blank``; nothing of what is no note."""
    try:
        value = table(json.loads(note or "{}"))
    except (ValueError, RecursionError):
        return {}
    plain: dict[str, Any] = {}
    for name, default in asdict(blank).items():
        found: Any = value.get(name)
        if type(found) is type(default):
            plain[name] = (found[:LONGEST] if isinstance(found, str) else found if isinstance(found, bool)
                           else max(-1, min(found, 10**9)))
    return plain


def stepped(opened: int, value: str, order: Mapping[int, int]) -> int:
    """The number after (``value`` "1") or before the opened one, of listed numbers by place; the first where none of
    them is open, the same at an end of the list."""
    place = next((place for place, number in order.items() if number == opened), None)
    wanted = 0 if place is None else place + (1 if value == "1" else -1)
    return order.get(wanted, opened)


def number(key: str) -> int:
    """A place or an offset that a press names; 0 where it names none."""
    return int(key) if key.isdecimal() and len(key) < 10 else 0


def in_list(now: Look, data: Mapping[str, Any], sorts: Collection[str], order: Mapping[int, int] | None) -> Look:
    """The look after a press on a list of items, whatever they are: search in it, sort it, turn to the page at an
    offset, open the item of a number, step to the next one of ``order`` (numbers by place). Anything else changes
    nothing."""
    act, key, value = (str(data.get(name) or "") for name in ("act", "key", "value"))
    if act == "search":
        return replace(now, search=value.strip()[:LONGEST], page=0)
    if act == "sort" and value in sorts:
        return replace(now, sort=value, page=0)
    if act == "page":
        return replace(now, page=number(key))
    if act == "open" and key.isdecimal() and len(key) < 10:
        return replace(now, open=number(key))
    return replace(now, open=stepped(now.open, value, order or {})) if act == "step" else now

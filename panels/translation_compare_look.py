"""What is looked at in a comparison: metric, pair of systems, part, search, the opened segment. Kept as a note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from workbench.contract import Json
from workbench.widgets.loose import table
from workbench.widgets.mt_segments import SORTS

UNITS = ("word", "char")
LONGEST = 200


@dataclass(frozen=True)
class Look:
    """``pair`` are two numbers of systems (``"0.2"``), ``bucket`` is a kind of part and its number (``"length.1"``),
    ``open`` the number of a segment (-1: none), ``against`` the key of the text that others are marked against;
    ``page`` and ``pairs`` are offsets, ``of`` is the run that all this is about. Empty: as it comes."""

    of: str = ""
    metric: str = ""
    pair: str = ""
    bucket: str = ""
    search: str = ""
    sort: str = "spread"
    page: int = 0
    pairs: int = 0
    open: int = -1
    against: str = ""
    unit: str = ""

    def note(self) -> str:
        """As the text of a note: only what is not as it comes."""
        return json.dumps({k: v for k, v in asdict(self).items() if v != getattr(Look(), k)}, ensure_ascii=False)


def look(note: str, run: str = "") -> Look:
    """What a note says; what is not understood is as it comes, and so is a note about another ``run``."""
    try:
        value = table(json.loads(note or "{}"))
    except (ValueError, RecursionError):
        return Look(of=run)
    plain: dict[str, Any] = {}
    for name, default in asdict(Look()).items():
        found = value.get(name)
        if type(found) is type(default):
            plain[name] = found[:LONGEST] if isinstance(found, str) else max(-1, min(found, 10**9))
    made = Look(**plain)
    if run and made.of != run:
        return Look(of=run)
    return replace(made, sort=made.sort if made.sort in SORTS else "spread", page=max(0, made.page),
                   pairs=max(0, made.pairs), unit=made.unit if made.unit in UNITS else "")


def numbers(text: str) -> tuple[int, int] | None:
    """``"0.2"`` as two numbers that differ."""
    first, _, second = text.partition(".")
    if not (first.isdecimal() and second.isdecimal() and first != second and len(text) < 12):
        return None
    return int(first), int(second)


def pressed(now: Look, data: Mapping[str, Json], order: Mapping[int, int] | None = None) -> Look:
    """The look after a press; ``order`` are the shown segments by place, for the keys that go to the next one."""
    act, key, value = (str(data.get(name) or "") for name in ("act", "key", "value"))
    number = int(key) if key.isdecimal() and len(key) < 10 else 0
    if act == "metric":
        return replace(now, metric=key, pairs=0, page=0)
    if act == "pair" and numbers(key):
        return replace(now, pair="" if now.pair == key else key, page=0)
    if act == "bucket":
        return replace(now, bucket="" if now.bucket == key else key[:LONGEST], page=0)
    if act == "search":
        return replace(now, search=value.strip()[:LONGEST], page=0)
    if act == "unchip" and key in ("pair", "search", "bucket"):
        return replace(now, page=0, **{key: ""})
    if act == "sort" and value in SORTS:
        return replace(now, sort=value, page=0)
    if act in ("page", "pairs"):
        return replace(now, **{act: number})
    if act == "open" and key.isdecimal():
        return replace(now, open=number)
    if act == "against":
        return replace(now, against=value[:LONGEST])
    if act == "unit" and key in UNITS:
        return replace(now, unit=key)
    return _stepped(now, value, order or {}) if act == "step" else now


def _stepped(now: Look, value: str, order: Mapping[int, int]) -> Look:
    """The next or the one before of the shown segments; the first when none of them is open."""
    places = {index: place for place, index in order.items()}
    if not order:
        return now
    place = places.get(now.open)
    wanted = 0 if place is None else place + (1 if value == "1" else -1)
    return replace(now, open=order[wanted]) if wanted in order else now

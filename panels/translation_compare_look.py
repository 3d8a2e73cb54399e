"""What is looked at in a comparison: metric, pair of systems, part, search, the opened segment. Kept as a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from panels import look_notes
from panels.look_notes import LONGEST
from workbench.contract import Json
from workbench.widgets.mt_segments import SORTS

UNITS = ("word", "char")


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
        return look_notes.write(self, Look())


def look(note: str, run: str = "") -> Look:
    """What a note says; what is not understood is as it comes, and so is a note about another ``run``."""
    made = Look(**look_notes.read(note, Look()))
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
    if act == "metric":
        return replace(now, metric=key, pairs=0, page=0)
    if act == "pair" and numbers(key):
        return replace(now, pair="" if now.pair == key else key, page=0)
    if act == "bucket":
        return replace(now, bucket="" if now.bucket == key else key[:LONGEST], page=0)
    if act == "unchip" and key in ("pair", "search", "bucket"):
        dropped: dict[str, Any] = {key: ""}
        return replace(now, page=0, **dropped)
    if act == "pairs":
        return replace(now, pairs=look_notes.number(key))
    if act == "against":
        return replace(now, against=value[:LONGEST])
    if act == "unit" and key in UNITS:
        return replace(now, unit=key)
    return look_notes.in_list(now, data, SORTS, order)

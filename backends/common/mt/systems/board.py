"""Everything that systems have said so far, line by line: one table that the run keeps and the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.contract import Json

BOARD = "translations.json"
"""The artifact that holds a board."""
STATES = ("waiting", "loading", "writing", "done", "failed", "stopped")


@dataclass
class Column:
    """One system: its lines by place. A line is ``{"text", "done", ..}`` or ``{"error"}``."""

    name: str
    reference: str
    kind: str = ""
    state: str = "waiting"
    began: float | None = None
    first: float | None = None
    ended: float | None = None
    error: dict[str, str] = field(default_factory=dict)
    lines: dict[int, dict[str, Json]] = field(default_factory=dict)

    def count(self, key: str) -> int:
        """Lines that have something under this key."""
        return sum(bool(line.get(key)) for line in self.lines.values())

    @property
    def tokens(self) -> int:
        """Tokens of all finished lines."""
        return sum(int(line.get("tokens") or 0) for line in self.lines.values())

    @property
    def writing(self) -> float:
        """Seconds that the finished lines took, without loading."""
        return round(sum(float(line.get("seconds") or 0.0) for line in self.lines.values()), 3)

    def head(self) -> dict[str, Json]:
        """Everything but the lines. Seconds are from the beginning of the run."""
        return {"name": self.name, "reference": self.reference, "kind": self.kind, "state": self.state,
                "began": self.began, "first": self.first, "ended": self.ended, "error": self.error,
                "done": self.count("done"), "failed": self.count("error"), "cut": self.count("cut"),
                "tokens": self.tokens, "writing": self.writing}


class Board:
    """What is known of every system. ``take`` adds an event; ``news`` is what changed since the last ``saved``."""

    def __init__(self, names: Sequence[tuple[str, str]], rows: Sequence[str]) -> None:
        self.columns = {name: Column(name, reference) for name, reference in names}
        self.rows = list(rows)
        self._changed: set[tuple[str, int]] = set()

    def take(self, event: Mapping[str, Json], at: float) -> None:
        """Add one event that came ``at`` seconds after the beginning."""
        column = self.columns.get(str(event.get("system")))
        if column is None:
            return
        for key in ("kind", "state"):
            if key in event:
                setattr(column, key, str(event[key]))
        if event.get("state") == "loading":
            column.began = at
        if "error" in event and "line" not in event:
            column.error, column.state = dict(event["error"]), "failed"
        if column.state in ("done", "failed", "stopped") and column.ended is None:
            column.ended = at
        if "line" in event:
            self._line(column, event, at)

    def _line(self, column: Column, event: Mapping[str, Json], at: float) -> None:
        place = int(event["line"])
        line = column.lines.setdefault(place, {"text": ""})
        if column.state == "loading":
            column.state = "writing"
        if column.first is None and "error" not in event:
            column.first = at
        if "delta" in event:
            line["text"] = str(line["text"]) + str(event["delta"])
        else:
            column.lines[place] = {**{k: v for k, v in event.items() if k not in ("system", "line") and v},
                                   "text": " ".join(str(event.get("text") or "").split()),
                                   "done": "error" not in event}
        self._changed.add((column.name, place))

    def whole(self) -> dict[str, Json]:
        """All of it as JSON."""
        return {"rows": self.rows, "systems": [
            {**column.head(), "lines": {str(place): line for place, line in sorted(column.lines.items())}}
            for column in self.columns.values()]}

    def news(self) -> dict[str, Json]:
        """Heads, and the lines that changed since the board was saved."""
        found: dict[str, dict[str, Json]] = {name: {} for name in self.columns}
        for name, place in self._changed:
            found[name][str(place)] = self.columns[name].lines[place]
        return {"systems": [{**column.head(), "lines": found[column.name]} for column in self.columns.values()]}

    def saved(self) -> None:
        """Everything up to now is in the file."""
        self._changed.clear()

    def output(self, name: str) -> list[str]:
        """The translations of a system, one for each line of the text; empty where there is none."""
        lines = self.columns[name].lines
        return [str(lines[place]["text"]) if lines.get(place, {}).get("done") else ""
                for place in range(len(self.rows))]


def merged(whole: Any, news: Any) -> dict[str, Json]:
    """A saved board with later news over it; news of a line that the saved board has finished are old."""
    known = whole if isinstance(whole, Mapping) else {}
    late = {str(one.get("name")): one for one in _tables(news)}
    systems = []
    for saved in _tables(known):
        fresh = late.get(str(saved.get("name")), {})
        lines = dict(_lines(saved))
        lines.update({place: line for place, line in _lines(fresh).items() if not lines.get(place, {}).get("done")})
        ended = STATES.index(str(saved.get("state"))) >= 3 if saved.get("state") in STATES else False
        head = saved if ended or not fresh else fresh
        systems.append({**head, "lines": lines})
    rows = known.get("rows")
    return {"rows": [str(row) for row in rows] if isinstance(rows, list) else [], "systems": systems}


def _tables(value: Any) -> list[Mapping[str, Json]]:
    found = value.get("systems") if isinstance(value, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _lines(system: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    lines = system.get("lines")
    return {str(k): dict(v) for k, v in lines.items() if isinstance(v, Mapping)} if isinstance(lines, Mapping) else {}

"""All strategies for one turn: a row each with its probability, the candidate reply, and a button that says it.

Rows follow the ranking, the likeliest first, and grow while the model writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workbench.contract import Json
from workbench.text import known
from workbench.widgets.loose import finite, listed, table, tables
from workbench.widgets.markup import esc

Say = Callable[..., str]


@dataclass
class Candidates:
    """What a stream of ``sweetiechat.replies.v1`` has told so far."""

    order: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    chances: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    faults: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mode: str = ""
    done: bool = False

    def take(self, event: Json) -> None:
        """Add one event; an event of another shape changes nothing."""
        event = table(event)
        for row in tables(event.get("ranking")):
            self._name(row)
        self.mode = str(event.get("mode") or self.mode)
        written = table(event.get("text"))
        if written:
            self.texts[str(written.get("strategy"))] = str(written.get("text") or "")
        row = table(event.get("row"))
        if row:
            key = self._name(row)
            self.texts[key] = str(row.get("text") or "")
            self.faults[key] = tuple(str(fault) for fault in listed(row.get("faults")))
            self.ready.add(key)
        self.done = self.done or "done" in event

    def _name(self, row: Mapping[str, Json]) -> str:
        key = str(row.get("strategy"))
        if key not in self.order:
            self.order.append(key)
        self.labels.setdefault(key, str(row.get("label") or key))
        if finite(row.get("probability")):
            self.chances.setdefault(key, float(row["probability"]))
        return key


def replies(found: Candidates, turn: int, say: Say, labels: Mapping[str, str], gloss: Callable[[str], str]) -> str:
    """The table for the turn of this place (from 0); ``labels`` are names of strategies in the reader's language,
    ``gloss`` translates what a method says."""
    if not found.order:
        return f'<div class="dt rp"><p class="dt-wait" role="status">{esc(say("replies.reading"))}</p></div>'
    best = max(found.chances.values(), default=0.0)
    rows = "".join(_row(found, key, best, labels.get(key, found.labels[key]), say, gloss) for key in found.order)
    words = say(f"replies.by.{found.mode}") if known(f"replies.by.{found.mode}") else ""
    status = say("replies.done" if found.done else "replies.writing", ready=len(found.ready), count=len(found.order))
    return (f'<div class="dt rp"><h4>{esc(say("replies.title", turn=turn + 1))}</h4>'
            f'<p class="rp-note"><span role="status">{esc(status)}</span> {esc(words)}</p>'
            f'<ol class="rp-rows">{rows}</ol></div>')


def _row(found: Candidates, key: str, best: float, label: str, say: Say, gloss: Callable[[str], str]) -> str:
    chance = found.chances.get(key, 0.0)
    share = (f'<span class="dt-track"><span class="dt-fill" style="width:{100 * chance / best:.1f}%"></span></span>'
             f'<span class="dt-num">{chance:.2f}</span>') if best > 0 else ""
    text, ready = found.texts.get(key, ""), key in found.ready
    caret = "" if ready else '<i class="dt-caret"></i>'
    faults = " · ".join(gloss(name) for name in found.faults.get(key, ()))
    press = (f'<button type="button" class="rp-say" data-act="say" data-key="{esc(key)}">{esc(say("replies.say"))}'
             "</button>") if ready and text else ""
    return (f'<li class="dt-supporter"><div class="rp-head"><b>{esc(label)}</b>{share}</div>'
            f'<div class="rp-text">{esc(text)}{caret}' + (f"<small>{esc(faults)}</small>" if faults else "")
            + f"</div>{press}</li>")

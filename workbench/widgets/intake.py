"""The note of an import: what it is doing, what the file held, and every entry that was left out with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.contract import Json
from workbench.widgets.badge import KEYS
from workbench.widgets.loose import finite, table, tables
from workbench.widgets.markup import element, esc

Say = Callable[..., str]
MOST = 200
"""Lines of what was left out that are shown; the run's skipped.jsonl has all."""


def running(title: str, message: str, say: Say) -> str:
    """While the file is read."""
    words = message or say("intake.waiting")
    return _note(f"<p role='status'><b>{esc(title)}</b> {esc(words)}</p>")


def failed(title: str, cause: str, advice: str, say: Say) -> str:
    """Why nothing of the file can be used."""
    return _note(f"<p role='alert'><b>{esc(say('intake.failed', title=title))}</b> {esc(cause)} {esc(advice)}</p>")


def done(title: str, result: Mapping[str, Json], skipped: Sequence[Json], say: Say) -> str:
    """Counts of what was read, who wrote it as far as the file says, and what was left out."""
    counts = {name: int(value) if finite(value := result.get(name)) else 0
              for name in ("dialogues", "turns", "cards", "skipped")}
    parts = [say("intake.done", **counts, format=str(result.get("format") or "–"))]
    if counts["cards"]:
        parts.append(say("intake.cards", cards=counts["cards"]))
    strategies = table(result.get("strategies"))
    parts.append(say("intake.strategies", count=sum(v for v in strategies.values() if finite(v)), kinds=len(strategies))
                 if strategies else say("intake.no_strategies"))
    provenance = str(result.get("provenance") or "")
    made = say(KEYS[provenance]) if provenance in KEYS else provenance
    parts.append(say("intake.provenance", provenance=made) if made else say("intake.provenance.unknown"))
    head = f"<p role='status'><b>{esc(title)}</b> {esc(' '.join(parts))}</p>"
    return _note(head + _skipped(tables(list(skipped)), counts["skipped"], say))


def _skipped(rows: Sequence[Mapping[str, Json]], count: int, say: Say) -> str:
    if not rows:
        return ""
    lines = "".join(f"<li><b>{esc(row.get('where', ''))}</b> {esc(row.get('why', ''))}</li>" for row in rows[:MOST])
    more = f"<p>{esc(say('intake.more', count=len(rows) - MOST))}</p>" if len(rows) > MOST else ""
    summary = esc(say("intake.skipped", count=max(count, len(rows))))
    return f"<details open><summary>{summary}</summary><ul>{lines}</ul>{more}</details>"


def _note(inner: str) -> str:
    return element("div", inner, class_="dt qc-note")

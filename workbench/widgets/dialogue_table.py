"""The library's list of dialogues: one row a dialogue, each with a tick and a line that opens it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from html import escape

from workbench.widgets import quality

Say = Callable[..., str]
COLUMNS = ("problem", "opening", "status", "turns", "intensity", "stop", "strategies", "language", "model", "when")


@dataclass(frozen=True)
class Summary:
    """What the list shows of a dialogue. ``key`` finds it again: ``<run id>/<place in the run's file>``, with a ``q``
    before the place for a quarantined one. ``status`` is what became of it in quality control, a person included."""

    key: str
    run: str
    problem: str
    emotion: str
    language: str
    turns: int
    first: int | None
    last: int | None
    stop_reason: str
    strategies: tuple[str, ...]
    models: tuple[str, ...]
    created: str
    opening: str
    status: str = ""


def table(rows: Sequence[Summary], picked: Collection[str], opened: str, say: Say) -> str:
    """The rows of one page; ``picked`` rows are ticked, the ``opened`` one is marked."""
    if not rows:
        return f'<div class="dt"><p class="dt-none">{escape(say("dialogue.library.none"))}</p></div>'
    head = "".join(f'<th scope="col">{escape(say(f"dialogue.library.column.{name}"))}</th>' for name in COLUMNS)
    body = "".join(_row(row, row.key in picked, row.key == opened, say) for row in rows)
    return (f'<div class="dt dt-library"><table><thead><tr><th></th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def _row(row: Summary, picked: bool, opened: bool, say: Say) -> str:
    key = escape(row.key, quote=True)
    label = escape(say("dialogue.library.pick"), quote=True)
    tick = (f'<button type="button" role="checkbox" aria-checked="{"true" if picked else "false"}" class="dt-tick" '
            f'data-act="pick" data-key="{key}" aria-label="{label}"></button>')
    opener = (f'<button type="button" class="dt-open" data-act="open" data-key="{key}">'
              f'{escape(row.opening or say("dialogue.library.empty"))}</button>')
    change = f"{row.first} → {row.last}" if row.first is not None and row.last is not None else ""
    reason = say(f"dialogue.stop.{row.stop_reason}")
    cells = (escape(row.problem), opener, quality.mark(row.status, say), str(row.turns), escape(change), escape(reason),
             escape(", ".join(row.strategies)), escape(row.language), escape(", ".join(row.models)),
             escape(row.created))
    line = "".join(f'<td class="dt-c-{name}">{cell}</td>' for name, cell in zip(COLUMNS, cells, strict=True))
    return f'<tr class="{"dt-opened" if opened else ""}"><td>{tick}</td>{line}</tr>'

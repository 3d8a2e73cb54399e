"""What every Train view shows of a run in the same way: its head, the frame of its tables, the card of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench import reading
from workbench.contract import TERMINAL, Json, UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.text import gloss
from workbench.widgets import facts as folded
from workbench.widgets.markup import element, esc
from workbench.widgets.progress import failure_card, progress
from workbench.widgets.runlist import status_mark

CARD_CHARACTERS = 12_000


def head(run: Run, lang: str) -> str:
    """Title, status, progress and the reason of a failure. The last message of a run that succeeded says nothing."""
    title = element("div", f"<h3>{esc(gloss(lang, run.title) or run.task)}</h3>{status_mark(run.status, lang)}",
                    class_="wb-title")
    shown = replace(run, message="") if run.status == "succeeded" else run
    return title + progress(shown, lang) + failure_card(run.failure, lang)


def steering(run: Run, visitor: str) -> dict[str, Json]:
    """Whether ``stop`` and ``continue`` are offered: to its owner only."""
    mine = run.owner == visitor
    return {"stop": mine and run.status not in TERMINAL,
            "continue": mine and run.status in ("failed", "cancelled", "lost", "paused")}


def sheet(title: str, made_of: str, inner: str) -> str:
    """A section of figures under its title and its provenance badge (HTML)."""
    return f'<section class="dt tr-sheet"><h3>{esc(title)}</h3><div class="dt-made">{made_of}</div>{inner}</section>'


def card(run: Run, title: str, products: Sequence[str] = ("model",)) -> str:
    """The card that was saved with the first of these products that has one, folded."""
    for product in products:
        try:
            text = (reading.artifact_path(run.path, product) / "README.md").read_text(encoding="utf-8")
        except (UserError, OSError):
            continue
        shown = element("pre", esc(text.split("\n---\n", 1)[-1].strip()[:CARD_CHARACTERS]), class_="tr-card")
        return folded.fold("card", title, shown)
    return ""


def newest(shell: Shell, visitor: str, tasks: Sequence[str], most: int) -> list[Run]:
    """Runs of several tasks that this visitor may see, the newest first; ``most`` of each task."""
    found = [run for task in tasks for run in shell.service.runs(visitor, task=task, limit=most)[0]]
    return sorted(found, key=lambda run: run.created or 0, reverse=True)

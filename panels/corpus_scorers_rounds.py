"""Toxicity rounds: figures beside the control, the judge, and its texts to be labelled by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.corpus_label_desk import Say
from workbench.contract import UserError
from workbench.panel import Shell
from workbench.runs import Run
from workbench.widgets import corpus_rounds as widget
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import number

if TYPE_CHECKING:
    from backends.mdfg.explore.rounds import RoundsView

ONLY = ("undecided", "all", "toxic", "harmless", "against")
VALUES = ("toxic", "harmless", "unsure")
PAGE = 30


def figures(run: Run, say: Say) -> str:
    """The table of rounds with what the judge cost and how far people agree with it."""
    from backends.mdfg.explore.rounds import rounds_view

    try:
        view = rounds_view(run.path)
    except UserError as error:
        return element("p", esc(error), class_="tr-note")
    rows = [widget.Round(row.name, (row.f1, row.auc, row.precision_at_99, row.recall_at_99),
                         (row.control_f1, row.control_auc, None, None), row.gain,
                         (row.judged, row.found_toxic, row.for_people)) for row in view.rows]
    return widget.rounds(rows, say) + "".join(element("p", esc(line), class_="tr-note") for line in told(view, say))


def told(view: RoundsView, say: Say) -> list[str]:
    """Who judged, what it cost, its agreement with the pool's labels and with people here."""
    lines = [say("label.rounds.judge", name=view.judge, judged=f"{view.judged:,}", undecided=f"{view.undecided:,}",
                 tokens=f"{view.tokens:,}", seconds=number(view.seconds))]
    lines += [say("label.rounds.simulated")] if view.simulated else []
    lines.append(say("label.rounds.known", kappa=number(view.known_kappa), count=f"{view.known_texts:,}")
                 if view.known_texts else say("label.rounds.no_known"))
    lines.append(say("label.rounds.people", kappa=number(view.people_kappa), count=f"{view.people_texts:,}")
                 if view.people_texts else say("label.rounds.no_people"))
    return lines


def queue(run: Run, only: str, mine: bool, say: Say) -> str:
    """Judged texts with the judge's answers and buttons for a person's own."""
    from backends.mdfg.explore.rounds import judged_texts

    wanted: Any = only if only in ONLY else "undecided"
    found, total = judged_texts(run.path, wanted, limit=PAGE)
    rows = [widget.Judged(one.place, one.round, one.text, "" if one.toxic is None else VALUES[not one.toxic],
                          tuple(str(vote.get("raw", "")) for vote in one.votes), one.person) for one in found]
    return widget.queue(rows, total, mine, say)


def label(shell: Shell, request: gr.Request, run: Run, by: str, value: str, place: str) -> None:
    """Keep what a person says of a judged text. Raises ``UserError`` without a name, for another answer, for a place
    that there is not, and for a run of somebody else."""
    from backends.mdfg.explore.labels import TOXICITY, Label, checked, command_of
    from backends.mdfg.explore.rounds import judged_texts

    say = shell.lang(request)
    name = " ".join(by.split())[:60]
    if not name:
        raise UserError(shell.t(say, "label.no_name"))
    if run.owner != shell.visitor(request):
        raise UserError(shell.t(say, "label.not_mine"))
    found = next((one for one in judged_texts(run.path, limit=10**9)[0] if str(one.place) == place), None)
    if found is None:
        raise UserError(f"There is no judged text {place!r} in the run {run.id}.")
    made = checked(Label(found.place, found.id, TOXICITY.what, value, name, drawn="judged"), TOXICITY)
    shell.service.command(shell.visitor(request), run.id, command_of(made))

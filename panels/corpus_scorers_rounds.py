"""Toxicity rounds: figures beside the control, the judge, its texts to be labelled by a person, and these labels as a
file that a training reads."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from panels.corpus_label_desk import Say
from workbench.contract import UserError, unknown
from workbench.panel import QUEUED, QUICK, Shell
from workbench.runs import Run
from workbench.widgets import corpus_rounds as widget
from workbench.widgets.markup import element, esc
from workbench.widgets.measured import number

if TYPE_CHECKING:
    from backends.mdfg.explore.rounds import RoundsView

TASK = "mdfg.toxicity_rounds.v1"
ONLY = ("undecided", "all", "toxic", "harmless", "against")
VALUES = ("toxic", "harmless", "unsure")
PAGE = 30
FORMS = ("jsonl", "csv")


@dataclass(frozen=True)
class Answers:
    """The components that give people's answers away; ``row`` is there for a finished run of rounds only."""

    row: gr.Column
    form: gr.Radio
    export: gr.Button
    file: gr.File


def lay_out(shell: Shell) -> Answers:
    """Make the components of :class:`Answers`."""
    with gr.Column(visible=False) as row:
        with gr.Row(elem_classes="dt-controls"):
            form = gr.Radio([(name.upper(), name) for name in FORMS], value="jsonl", show_label=False,
                            container=False, elem_classes="dt-row")
            export = gr.Button(shell.label("label.rounds.export"), size="sm")
        file = gr.File(visible=False, label=shell.label("label.file"), interactive=False)
    return Answers(row, form, export, file)


def wire(shell: Shell, view: Answers, run: gr.Textbox) -> None:
    """Connect the button; another run takes the file away."""
    def give(run_id: str, form: str, request: gr.Request) -> Any:
        path, rows = answers(shell, request, run_id, form)
        gr.Info(shell.t(shell.lang(request), "label.rounds.exported", count=f"{rows:,}"), duration=8)
        return gr.update(value=str(path), visible=True)
    view.export.click(shell.guard(give), [run, view.form], [view.file], **QUEUED)
    run.change(lambda: gr.update(value=None, visible=False), None, [view.file], **QUICK)


def answers(shell: Shell, request: gr.Request, run_id: str, form: str) -> tuple[Path, int]:
    """Write the texts on which people agree with their labels, in a folder that nobody can guess: (file, rows).

    Raises ``UserError`` for another kind of run or form, and when there is nothing to write."""
    from backends.mdfg.explore.label_export import export_judged

    run = shell.service.run(shell.visitor(request), run_id)
    if run.task != TASK or run.status != "succeeded":
        raise UserError(f"The run {run_id} has no judged texts.", advice="Choose a finished run of toxicity rounds.")
    if form not in FORMS:
        raise unknown("layout", form, FORMS)
    folder = shell.service.settings.home / "cache" / "page" / secrets.token_hex(16)
    folder.mkdir(parents=True)
    path = folder / f"labels-toxicity.{form}"
    return path, export_judged(run.path, path, "csv" if form == "csv" else "jsonl")


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

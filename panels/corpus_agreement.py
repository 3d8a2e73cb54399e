"""Agreement: how far annotators agree beyond chance, and which automatic labels they accept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import gradio as gr

from panels import corpus_label_files
from panels.corpus_label_desk import LabelDesk, Learned, Say, Work, at_work, learned, left_out, not_known, note, written
from panels.dialogue_form import pane
from workbench.contract import UserError
from workbench.panel import LATEST, Shell
from workbench.widgets import corpus_agreement as shown

if TYPE_CHECKING:
    from backends.mdfg.explore.acceptance import BinAcceptance
    from backends.mdfg.explore.shares import Share


@dataclass(frozen=True)
class Agreement:
    """The components."""

    threshold: gr.Textbox
    html: Mapping[str, gr.HTML]
    files: corpus_label_files.LabelFiles


def lay_out(shell: Shell) -> Agreement:
    """Make the components."""
    with gr.Row(elem_classes="cl-setup"):
        threshold = gr.Textbox("", max_lines=1, max_length=20, label=shell.label("label.accept_from"),
                               info=shell.label("label.accept_from.help"))
    html = {"head": pane(), "agreement": pane(), "acceptance": pane()}
    return Agreement(threshold, html, corpus_label_files.lay_out(shell))


def wire(shell: Shell, view: Agreement, desk: LabelDesk, tabs: Sequence[gr.Tab]) -> None:
    """Draw when the part is opened, a setting changes or a label is given."""
    def draw(run_id: str, what: str, show: str, threshold: str, request: gr.Request) -> list[str]:
        return looks(shell, desk, request, (run_id, what, show), threshold)
    gr.on([*(tab.select for tab in tabs), desk.corpus.change, desk.what.change, desk.show.change,
           view.threshold.change], shell.guard(draw), [*desk.inputs, view.threshold], list(view.html.values()),
          **LATEST)
    corpus_label_files.wire(shell, view.files, desk)


def looks(shell: Shell, desk: LabelDesk, request: gr.Request, asked: tuple[str, str, str],
          threshold: str) -> list[str]:
    """How many labels there are, agreement, acceptance."""
    say = partial(shell.t, shell.lang(request))
    if not asked[0]:
        return [note(say("corpus.choose_first")), "", ""]
    try:
        limit = written(threshold, say("label.accept_from"), 0, 1)
        work = at_work(shell, desk, request, *asked)
        without = learned(shell, request, work, asked[1])
        return [head(work, asked[1], say), agreed(work, asked[1], say), accepted(work, asked[1], limit, without, say)]
    except UserError as error:
        return [note(str(error)), "", ""]


def head(work: Work, what: str, say: Say) -> str:
    """Labels and people, and commands that could not be read."""
    mine = work.labels.of(what)
    words = say("label.counted", labels=f"{len(mine):,}", documents=f"{len({one.place for one in mine}):,}",
                people=len(work.labels.annotators(what)), total=f"{work.corpus.total:,}")
    broken = say("label.broken", count=work.labels.broken) if work.labels.broken else ""
    return note(f"{words} {broken}".strip())


def agreed(work: Work, what: str, say: Say) -> str:
    """Kappa of every two annotators and of all."""
    from backends.mdfg.explore.agreement import agreement

    found = agreement(work.labels.of(what))
    pairs = [shown.PairRow(pair.first, pair.second, pair.documents, pair.agreed, pair.kappa) for pair in found.pairs]
    return shown.agreement(pairs, found.fleiss, found.interval, found.documents, say)


def accepted(work: Work, what: str, threshold: float | None, without: Learned, say: Say) -> str:
    """Acceptance by score bin and for the corpus."""
    from backends.mdfg.explore.acceptance import acceptance
    from backends.mdfg.explore.scored import said

    labels = work.labels.of(what)
    automatic = said(work.corpus, sorted({label.place for label in labels}), what, threshold)
    found = acceptance(work.population, labels, automatic, without=without.places)
    bars = [_bin(one) for one in found.bins if one.of]
    return shown.acceptance(bars, _bar("", found.corpus, work.population.documents),
                            _bar("", found.sample, work.population.documents), found.covered,
                            f"{left_out(found.left_out, say)} {not_known(without, say)}".strip(), say)


def _bin(one: BinAcceptance) -> shown.Bar:
    return _bar(f"{one.low:.3g} – {one.high:.3g}", one.accepted, one.of)


def _bar(name: str, share: Share, of: int) -> shown.Bar:
    return shown.Bar(name, share.value, share.low, share.high, share.documents, of)


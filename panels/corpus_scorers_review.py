"""What a person decides about a run that makes a scorer: judged texts of toxicity rounds, keywords of domain rounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import gradio as gr

from panels import corpus_scorers_domains as domains
from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_rounds as rounds
from workbench.contract import Json, UserError
from workbench.panel import Shell


@dataclass(frozen=True)
class Asked:
    """The run that is shown, decisions so far, the name of the person, which judged texts."""

    run: str
    picks: str = "{}"
    by: str = ""
    only: str = "undecided"


def shown(shell: Shell, request: gr.Request, asked: Asked) -> str:
    """Texts or keywords to decide about; nothing for a run that has none, or has not ended well."""
    say = partial(shell.t, shell.lang(request))
    visitor = shell.visitor(request)
    if not asked.run:
        return ""
    run = shell.service.run(visitor, asked.run)
    if run.status != "succeeded":
        return ""
    if run.task == kinds.KINDS["rounds"].task:
        return rounds.queue(run, asked.only, run.owner == visitor, say)
    if run.task == kinds.KINDS["domains"].task:
        return domains.proposals(shell.service.result(visitor, run.id) or {}, asked.picks, say)
    return ""


def decide(shell: Shell, request: gr.Request, asked: Asked, act: str, key: str) -> str:
    """Do what was pressed; the decisions about keywords afterwards. Raises ``UserError`` as the parts do."""
    run = shell.service.run(shell.visitor(request), asked.run)
    if run.task == kinds.KINDS["rounds"].task:
        rounds.label(shell, request, run, asked.by or "", act, key)
        return asked.picks
    return domains.toggled(asked.picks, key, act)


def next_round(shell: Shell, request: gr.Request, run_id: str, picks: str) -> dict[str, Json]:
    """The request of the round after this one. Raises ``UserError`` for a run of another kind, or no decision."""
    run = shell.service.run(shell.visitor(request), run_id)
    if run.task != kinds.KINDS["domains"].task:
        raise UserError(f"The run {run_id} proposes no keywords.", advice="Choose a round of domains.")
    return domains.next_round(run, picks, partial(shell.t, shell.lang(request)))

"""What can be measured, as a list to choose from: what comes with the project, and this visitor's runs."""

from __future__ import annotations

from backends.sweetiechat.measure_request import ESCONV
from backends.sweetiechat.measure_sources import FILES, PREDICTIONS
from backends.sweetiechat.train_data import PRACTICE
from panels import run_list
from panels.dialogue_shelf import METHOD
from workbench.panel import Shell
from workbench.runs import Run

MOST = 200
"""Runs that are looked through, the newest first."""


def offered(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """``(label, reference)``: the practice dialogues, then every run with dialogues or predictions."""
    found, _ = shell.service.runs(visitor, task=METHOD, limit=MOST)
    runs = [(run_list.line(run, lang), f"run:{run.id}") for run in found if holds(run)]
    return [(shell.t(lang, "measure.practice"), PRACTICE), *runs]


def holds(run: Run) -> bool:
    """Whether a run has made something that can be measured."""
    return any((run.path / "artifacts" / name).is_file() for name in (*FILES, PREDICTIONS))


def titles(shell: Shell, visitor: str, lang: str) -> dict[str, str]:
    """Names by reference, for everything that is offered and for ESConv's counts."""
    names = {reference: name for name, reference in offered(shell, visitor, lang)}
    return {**names, ESCONV: shell.t(lang, "measure.esconv")}

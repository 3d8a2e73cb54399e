"""What the workbench can do: the table of methods, panels, benchmarks and reproductions.

To add a method, write ``backends/<method>/`` with ``TASKS = (...)`` in its ``__init__`` and add its name
to ``METHODS``; a tab is one module under ``panels/`` and one name in ``PANELS``. Packages installed beside
the workbench can add both through the entry-point groups ``workbench.methods`` and ``workbench.panels``, and
``WORKBENCH_PLUGINS`` names further modules (comma separated). Everything is imported when it is asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import entry_points

from workbench.contract import Task, unknown

METHODS = ("backends.common", "backends.sweetiechat", "backends.mdfg", "backends.sm2", "backends.blsp_emo")
PANELS = ("panels.dialogue", "panels.corpus", "panels.translation", "panels.speech", "panels.runs")
BENCHES = {
    "compare": "backends.common.mt.bench:run",
    "corpus": "backends.mdfg.bench:run",
    "corpus-processes": "backends.mdfg.bench_processes:run",
    "corpus-query": "backends.mdfg.bench_query:run",
    "corpus-resume": "backends.mdfg.bench_resume:run",
    "dialogue": "backends.sweetiechat.bench:run",
    "page": "workbench.bench_page:run",
    "sm2": "backends.sm2.bench:run",
    "speech": "backends.blsp_emo.bench:run",
}
REPRODUCTIONS = {
    "barrier": "backends.sweetiechat.reproduce:barrier",
    "blsp-emo": "backends.blsp_emo.reproduce:run",
    "blsp-emo-smollm": "backends.blsp_emo.reproduce_smollm:run",
    "mdfg": "backends.mdfg.reproduce_mdfg:mdfg",
    "mdfg-models": "backends.mdfg.reproduce_mdfg_models:models",
    "ser": "backends.blsp_emo.reproduce_ser:run",
    "sm2": "backends.sm2.reproduce:run",
    "sm2-bundled": "backends.sm2.reproduce_bundled:run",
    "sweetiechat": "backends.sweetiechat.reproduce_sweetiechat:sweetiechat",
    "sweetiechat-agent": "backends.sweetiechat.reproduce_agent:agent",
    "sweetiechat-conditioning": "backends.sweetiechat.reproduce_conditioning:conditioning",
    "sweetiechat-counselor": "backends.sweetiechat.reproduce_counselor:counselor",
    "sweetiechat-metrics": "backends.sweetiechat.reproduce_metrics:metrics",
    "sweetiechat-training": "backends.sweetiechat.reproduce_training:training",
    "translation-stats": "backends.common.mt.reproduce:run",
}
SERVERS = {
    "blsp_emo": "backends.blsp_emo.serve:load",
    "whisper": "backends.common.speech.serve:load",
}
"""What loads a resident model, by the ``model_type`` of its config.json; every other one is a language model
(:data:`workbench.sessions.LOADER`)."""


def methods() -> tuple[str, ...]:
    """Dotted names of every package that offers tasks."""
    extra = os.environ.get("WORKBENCH_PLUGINS", "")
    return (*METHODS, *(p.value for p in entry_points(group="workbench.methods")),
            *(name.strip() for name in extra.split(",") if name.strip()))


def panels() -> tuple[str, ...]:
    """Dotted names of every module that offers a tab."""
    return (*PANELS, *(p.value for p in entry_points(group="workbench.panels")))


def tasks() -> dict[str, Task]:
    """Every task of every method that imports, by name; see :func:`failures` for the others."""
    return _survey()[0]


def failures() -> dict[str, str]:
    """Methods that do not import, with the reason: their tasks are missing, everything else works."""
    return _survey()[1]


def _survey() -> tuple[dict[str, Task], dict[str, str]]:
    found: dict[str, Task] = {}
    failed: dict[str, str] = {}
    for dotted in methods():
        try:
            offered = import_module(dotted).TASKS
        except Exception as error:  # any method may fail in any way; the others must not care
            failed[dotted] = f"{type(error).__name__}: {error}"
            continue
        for task in offered:
            if task.name in found:
                failed[dotted] = f"{task.name} is offered by another method already"
            found.setdefault(task.name, task)
    return found, failed


def task(name: str) -> Task:
    """The task of this name; ``UserError`` with the nearest names when there is none."""
    known = tasks()
    if name not in known:
        raise unknown("task", name, known)
    return known[name]

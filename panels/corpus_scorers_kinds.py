"""The three ways to make a scorer: their tasks and requests, what they can read, the runs there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backends.mdfg.domain_requests import DomainRoundsRequest
from backends.mdfg.scorer_requests import ToxicityRoundsRequest, TrainScorerRequest
from workbench.contract import Json
from workbench.panel import Shell
from workbench.text import gloss

FILTER = "mdfg.filter.v1"
TEXTS: Mapping[str, tuple[str, ...]] = {"train": ("kept.jsonl",), "rounds": ("kept.jsonl",),
                                        "domains": ("documents", "kept.jsonl")}
"""What of a filtering run each kind can read as texts."""
MOST = 40


@dataclass(frozen=True)
class Kind:
    """One way: its task, the class of its request, an example that ends in seconds, the fields that name data."""

    task: str
    request: Callable[[], type]
    example: Mapping[str, Json]
    sources: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "train": Kind("mdfg.train_scorer.v1", lambda: TrainScorerRequest, {"name": "toxicity", "practice": 600},
                  ("data", "pool")),
    "rounds": Kind("mdfg.toxicity_rounds.v1", lambda: ToxicityRoundsRequest, {"practice": 240, "budget": 40},
                   ("data", "pool")),
    "domains": Kind("mdfg.domain_rounds.v1", lambda: DomainRoundsRequest, {"practice": 600}, ("data", "test")),
}
TASKS = tuple(kind.task for kind in KINDS.values())


def sources(shell: Shell, visitor: str, lang: str, kind: str) -> list[tuple[str, str]]:
    """(words, reference) of the texts that this visitor's filtering runs have written."""
    found, _ = shell.service.runs(visitor, task=FILTER, status="succeeded", limit=MOST)
    return [(f"{gloss(lang, run.title) or run.task} · {run.id} · {name}", f"run:{run.id}/{name}")
            for run in found for name in TEXTS[kind] if (run.path / "artifacts" / name).exists()]


def choices(shell: Shell, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, run id) of every run of the three kinds, newest first."""
    found = []
    for task in TASKS:
        found += shell.service.runs(visitor, task=task, limit=MOST)[0]
    found.sort(key=lambda run: run.created or 0.0, reverse=True)
    return [(f"{gloss(lang, run.title) or run.task} · {run.id[9:11]}:{run.id[11:13]} · {run.id[-6:]}", run.id)
            for run in found]

"""What a visitor's runs have trained (agents, strategy classifiers), and the dialogues that one can train on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from panels import dialogue_shelf as shelf
from panels.run_list import when
from workbench import hub, hub_local
from workbench.contract import Json, UserError
from workbench.files import read_json
from workbench.runs import Run
from workbench.service import Service
from workbench.settings import Settings
from workbench.text import gloss, say
from workbench.widgets.loose import finite, listed, table

TRAIN, CLASSIFIER, EVALUATE = "sweetiechat.train.v1", "sweetiechat.classifier.v1", "sweetiechat.evaluate.v1"
PRACTICE = "practice"
MOST = 100
"""Runs that a list of choices looks through (our default)."""


@dataclass(frozen=True)
class Trained:
    """One product of a run: its reference (``run:ID/model``), a line to pick it by, and what its files say of it."""

    reference: str
    title: str
    facts: Mapping[str, Json]

    @property
    def variant(self) -> str:
        """``joint``, ``given`` or ``plain`` for an agent; empty for anything else."""
        return str(self.facts.get("variant") or "")

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of an agent's training dialogues."""
        return tuple(str(code) for code in listed(self.facts.get("languages")))


def agents(service: Service, visitor: str, lang: str) -> list[Trained]:
    """Trained agents that this visitor may talk to, newest first."""
    found = []
    for run in _done(service, visitor, TRAIN):
        facts = facts_of(run)
        if facts:
            name = str(run.fields.get("name") or run.title)
            words = say(lang, "train.agent", name=name, variant=gloss(lang, str(facts.get("variant"))), when=when(run))
            found.append(Trained(f"run:{run.id}/model", words, facts))
    return found


def facts_of(run: Run) -> Mapping[str, Json]:
    """What a trained model's folder says of itself (variant, strategies, languages); empty without a model."""
    return table(read_json(run.path / "artifacts" / "model" / "training.json", {}))


def classifiers(service: Service, visitor: str, lang: str, reads: str = "history") -> list[Trained]:
    """Trained classifiers that read histories (they counsel) or utterances (they check), newest first."""
    found = []
    for run in _done(service, visitor, CLASSIFIER):
        if run.fields.get("reads", "history") == reads and (run.path / "artifacts" / "classifier").is_dir():
            result = table(read_json(run.path / "result.json", {}))
            told = [entry for entry in listed(result.get("figures")) if table(entry).get("name") == "macro_f1"]
            value = table(told[0]).get("value") if told else None
            figure = f"{value:.3f}" if finite(value) else "–"
            words = say(lang, "train.classifier", f1=figure, data=", ".join(map(str, run.fields.get("data", ()))),
                        kind=gloss(lang, str(run.fields.get("kind"))), when=when(run))
            found.append(Trained(f"run:{run.id}/classifier", words, result))
    return found


def _done(service: Service, visitor: str, task: str) -> Iterator[Run]:
    found, _ = service.runs(visitor, task=task, status="succeeded", limit=MOST)
    yield from found


def data(service: Service, visitor: str, lang: str) -> list[tuple[str, str]]:
    """(words, reference) of what one can train on or measure: the practice dialogues, then runs that hold some."""
    found = [(say(lang, "train.data.practice"), PRACTICE)]
    for run in shelf.runs(service, visitor)[:MOST]:
        path = shelf.file_of(run)
        count = len(shelf.entries(path)) if path else 0
        if count:
            title = gloss(lang, run.title) or run.task
            found.append((say(lang, "train.data.run", title=title, count=count, when=when(run)), f"run:{run.id}"))
    return found


def readable(service: Service, visitor: str, reference: str) -> bool:
    """Whether a visitor may read what a reference names; only references to runs belong to somebody."""
    if not reference.startswith("run:"):
        return True
    try:
        service.run(visitor, reference.removeprefix("run:").partition("/")[0])
    except UserError:
        return False
    return True


def agent_of(service: Service, visitor: str, reference: str) -> Trained | None:
    """The agent that a reference names; nothing for any other model, or for one that this visitor may not read."""
    if not reference.startswith(("run:", "path:", "bundled:")) or not readable(service, visitor, reference):
        return None
    folder = _folder(reference, service.settings)
    facts = table(read_json(folder / "training.json", {})) if folder else {}
    return Trained(reference, reference, facts) if facts.get("method") == "sweetiechat" else None


def _folder(reference: str, settings: Settings) -> Path | None:
    try:
        return hub_local.locate(hub.parse(reference), settings)
    except (UserError, OSError):
        return None

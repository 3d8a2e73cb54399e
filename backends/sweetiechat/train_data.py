"""From references to dialogues to training examples: reading, leaving out, splitting, and saying what was done.

What is held out shares no dialogue and no scenario with what is trained on, also across files
(:mod:`backends.sweetiechat.importers.splitting`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.common.training.examples import Example, pack
from backends.sweetiechat.bring import place_of
from backends.sweetiechat.importers import import_dialogues, split
from backends.sweetiechat.library import ASSETS
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.reviews import DIALOGUES, standing, with_released
from backends.sweetiechat.train_text import Variant, replies_of
from workbench.contract import Context, MissingResource, UserError

PRACTICE = "practice"
"""Name of the dialogues that come with the project, enough to try every step on."""
REFUSED = ("rejected", "quarantined")


@dataclass(frozen=True)
class Source:
    """One data reference: its training and held-out dialogues, and what was left out of it, with the reason."""

    reference: str
    trained: tuple[Dialogue, ...]
    held_out: tuple[Dialogue, ...]
    left_out: tuple[str, ...]


def read_sources(references: Sequence[str], held_out: float, seed: int, context: Context,
                 only_accepted: bool = True) -> list[Source]:
    """Read every reference and split all of them together. Raises ``UserError`` when nothing is left to train on."""
    found, notes = [], []
    for number, reference in enumerate(references):
        dialogues, skipped = read_one(reference, context)
        kept = [d for d in dialogues if not (only_accepted and refused(d))]
        if len(kept) < len(dialogues):
            skipped.append(f"{len(dialogues) - len(kept)} dialogues that quality control did not accept")
        found.append([dataclasses.replace(d, id=f"{number}/{d.id}") for d in kept])
        notes.append(tuple(skipped))
        context.report(number + 1, len(references), f"read {len(dialogues)} dialogues of {reference}")
    every = [dialogue for part in found for dialogue in part]
    if not every:
        raise UserError("No dialogue is left to train on.", advice="Give data with accepted dialogues.")
    parts = split(every, {"train": 1 - held_out, "held_out": held_out}, seed)
    if not parts["train"]:
        raise UserError(f"held_out is {held_out:g}, and all {len(every)} dialogues belong together, so that none is "
                        "left to train on.", advice="Give more dialogues, or hold out none.")
    return [Source(reference, _of(parts["train"], number), _of(parts["held_out"], number), notes[number])
            for number, reference in enumerate(references)]


def _of(dialogues: Sequence[Dialogue], number: int) -> tuple[Dialogue, ...]:
    return tuple(d for d in dialogues if d.id.startswith(f"{number}/"))


def read_one(reference: str, context: Context) -> tuple[list[Dialogue], list[str]]:
    """The dialogues of one reference, and what the file held besides."""
    path = path_of(reference, context)
    imported = import_dialogues(path, cancelled=lambda read: context.report(0, 0, f"read {read} dialogues"))
    return with_released(path, imported.dialogues), [f"{where}: {why}" for where, why in imported.skipped]


def path_of(reference: str, context: Context) -> Path:
    """Where the dialogues of a reference lie."""
    if reference == PRACTICE:
        return ASSETS / "practice.esconv.json"
    if reference.startswith("run:"):
        return dialogues_in(context.resource(reference))
    if reference.startswith(("hub:", "path:", "bundled:", "package:")):
        return context.resource(reference)
    return place_of(reference, context)


def dialogues_in(path: Path) -> Path:
    """The file with the dialogues of a run's folder of artifacts; a file is itself. Raises ``MissingResource``."""
    if not path.is_dir():
        return path
    found = next((path / name for name in (DIALOGUES, "dialogue.json") if (path / name).is_file()), None)
    if found is None:
        raise MissingResource(f"The run {path.parent.name} has no dialogues.",
                              advice="Choose a run that generated or imported some.")
    return found


def refused(dialogue: Dialogue) -> bool:
    """Whether quality control rejected a dialogue or keeps it for a person who has not accepted it."""
    return standing(dialogue.qc) in REFUSED


def encode(tokenizer: Any, dialogues: Sequence[Dialogue], variant: Variant, length: int,
           tick: Callable[[int], None] = lambda done: None) -> list[Example]:
    """One example a dialogue, more where it is longer than ``length`` tokens."""
    examples: list[Example] = []
    for number, dialogue in enumerate(dialogues):
        examples += pack(tokenizer, dialogue.id, replies_of(dialogue, variant), length)
        tick(number + 1)
    return examples


def strategy_counts(dialogues: Sequence[Dialogue]) -> dict[str, int]:
    """How often each strategy is used, the most frequent first."""
    return dict(Counter(turn.strategy for d in dialogues for turn in d.said_by("supporter") if turn.strategy)
                .most_common())

"""What a training run remembers of its data: the held-out dialogues, and how to recognise those it was trained on.

``held_out.jsonl`` lies beside the model in the run and holds the dialogues that were kept apart. ``trained_on.json``
lies in the model's folder and holds a hash of everything by which a training dialogue can be recognised (scenario,
situation, opening words; see :mod:`backends.sweetiechat.importers.splitting`), so that an evaluation can leave such
dialogues out, in whatever file they come, while the words themselves stay in the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.sweetiechat.exchange import to_jsonl
from backends.sweetiechat.importers.building import digest
from backends.sweetiechat.importers.splitting import keys
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_data import Source
from workbench.contract import Context
from workbench.files import read_json, write_json, write_text

HELD_OUT, TRAINED_ON = "held_out.jsonl", "trained_on.json"


@dataclass(frozen=True)
class Known:
    """Hashes of the dialogues that a model was trained on; none for a model that does not say."""

    marks: frozenset[str]

    def has(self, dialogue: Dialogue) -> bool:
        """Whether it was trained on this dialogue, or on another one of the same scenario."""
        return any(mark in self.marks for mark in marks_of(dialogue))


def marks_of(dialogue: Dialogue) -> Iterable[str]:
    """Hashes of what a dialogue can be recognised by; its id alone tells nothing across files."""
    return (digest(kind, value) for kind, value in keys(dialogue) if kind != "dialogue")


def keep_held_out(sources: Sequence[Source], context: Context) -> None:
    """Write the held-out dialogues, if there are any, under the ids that they have in their files."""
    held_out = [dataclasses.replace(d, id=d.id.partition("/")[2]) for s in sources for d in s.held_out]
    if context.rank or not held_out:
        return
    path = context.run / "artifacts" / HELD_OUT
    path.parent.mkdir(exist_ok=True)
    write_text(path, to_jsonl(held_out))
    context.artifact(HELD_OUT, path, "dialogues")


def keep_marks(sources: Sequence[Source], folder: Path) -> None:
    """Write the hashes of the training dialogues into the model's folder."""
    write_json(folder / TRAINED_ON, sorted({mark for s in sources for d in s.trained for mark in marks_of(d)}))


def known_dialogues(folder: Path | None) -> Known:
    """The hashes in a model's folder."""
    found = read_json(folder / TRAINED_ON, []) if folder is not None else []
    return Known(frozenset(map(str, found)) if isinstance(found, list) else frozenset())

"""Request and result of the import task (:mod:`backends.sweetiechat.bring`). Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from workbench.contract import Knob
from workbench.fields import validate

SAMPLE = "sample"


@dataclass(frozen=True)
class ImportRequest:
    """Which file, and in which layout it is."""

    source: Annotated[str, Knob("path:/folder/file, the sha256 of a file that the page took in, or 'sample'", 1,
                                4000)] = SAMPLE
    layout: Annotated[Literal["jsonl", "esconv"], Knob(
        "jsonl: one dialogue a line, as the workbench exports it; esconv: ESConv's JSON")] = "esconv"

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class ImportResult:
    """What the file held; the dialogues are the artifact ``dialogues.jsonl``."""

    dialogues: int
    turns: int
    provenance: str = ""

"""Request and result of the import task (:mod:`task`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Knob
from workbench.fields import validate

SAMPLE = "sample"
"""The two dialogues that come with the project."""
FormatName = Literal["auto", "jsonl", "esconv", "failed-esconv", "esconv-tsv", "multiesc", "ppdpp", "predictions",
                     "extes", "escot", "smile", "emollm", "esceval", "sharegpt", "chat", "convokit", "csv"]


@dataclass(frozen=True)
class CorpusRequest:
    """Which file or folder, in which format, and how much of it."""

    source: Annotated[str, Knob("path:/folder/file or path:/folder, the sha256 of a file that the page took in, or "
                                "'sample'", 1, 4000)] = SAMPLE
    format: Annotated[FormatName, Knob("auto: told by the content of the file")] = "auto"
    strategy_set: Annotated[Literal["", "esconv-8", "extes-16", "escot-13"], Knob(
        "The set that the strategy labels belong to (empty: that of the format)")] = ""
    limit: Annotated[int, Knob("Read at most so many dialogues or cards (0: all)", 0, 10_000_000, 1)] = 0
    name: Annotated[str, Knob("What the file is called where it is named in reports (empty: its own name)", None, 200,
                              widget="hidden")] = ""

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class CorpusResult:
    """What the file held. Dialogues are the artifact ``dialogues.jsonl``, role cards ``cards.jsonl`` with their
    ``scenarios.jsonl``, and ``skipped.jsonl`` names what was left out and why."""

    format: str
    dialogues: int
    turns: int
    cards: int
    skipped: int
    provenance: str
    languages: Mapping[str, int] = field(default_factory=dict)
    strategies: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)

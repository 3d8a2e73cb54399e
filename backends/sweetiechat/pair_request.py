"""Request and result of ``sweetiechat.pair.v1``: branches of one dialogue, made ready for people to choose between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from workbench.contract import Knob, UserError
from workbench.fields import validate

EXAMPLE = ()
"""No branches named: the two bundled ones."""


@dataclass(frozen=True)
class PairRequest:
    """Two to four branches of one dialogue; every two of them become a pair in a blind, seeded order."""

    branches: Annotated[tuple[str, ...], Knob(
        "The branches, one a line: run:ID of a watched dialogue, or run:ID/dialogues.jsonl#N for the dialogue at place "
        "N (from 0) of a generated or imported run; empty: the two bundled example branches", None, 4)] = EXAMPLE
    labels: Annotated[tuple[str, ...], Knob("A name for each branch, for the analysis only; the people who judge do "
                                            "not see it (empty: A, B, ..)", None, 4)] = ()
    question: Annotated[str, Knob("What people are asked (empty: whom they would rather talk to)", None, 500)] = ""
    seed: Annotated[int, Knob("Decides which branch stands left; same seed, same order", 0, 2**31 - 1, 1)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if len(self.branches) == 1 or len(set(self.branches)) < len(self.branches):
            raise UserError(f"branches is {list(self.branches)!r}; it must name two to four different dialogues.")
        if self.labels and len(self.labels) != len(self.branches):
            raise UserError(f"There are {len(self.labels)} labels for {len(self.branches)} branches.",
                            advice="Give one for each, or none.")


@dataclass(frozen=True)
class PairResult:
    """What is in ``pairs.jsonl``: how many pairs, and how many first turns the branches share."""

    pairs: int
    branches: int
    shared_turns: int
    language: str
    provenance: str = "synthetic"

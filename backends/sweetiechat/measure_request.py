"""Request and result of the measuring task (:mod:`measure`); forms, command line and records are made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

DATA, COUNT, DRAW = "Data", "Counting", "Intervals"
ESCONV = "esconv"
"""Name of the reference that needs no file: the counts of strategies in ESConv's README."""


@dataclass(frozen=True)
class MeasureRequest:
    """What is measured, what it is compared with, and how it is counted. Every choice is ours but for the formulas."""

    data: Annotated[str, Knob("What is measured: 'practice', run:ID of a run with dialogues or predictions, or path: "
                              "and a file of any known format", 1, 4000, group=DATA)] = "practice"
    compare: Annotated[str, Knob("What it is compared with, named like data (empty: nothing)", None, 4000,
                                 group=DATA)] = ""
    reference: Annotated[str, Knob("Whose mix of strategies both are held against: 'esconv' (the published counts), or "
                                   "dialogues named like data", 1, 4000, group=DATA)] = ESCONV
    accepted: Annotated[Literal["all", "accepted", "refused"], Knob(
        "Which dialogues: all, those that quality control let pass, or those that it refused", group=DATA)] = "all"
    limit: Annotated[int, Knob("Take at most so many dialogues of each (0: all)", 0, 10_000_000, 1, group=DATA)] = 0
    strategies: Annotated[Literal["own", "esconv-8"], Knob(
        "Count strategies as they are labelled, or mapped to ESConv's eight; two different sets are always mapped",
        group=COUNT)] = "own"
    tokenizer: Annotated[Literal["auto", "treebank", "words", "chars", "jieba"], Knob(
        "How text is cut: auto takes treebank for English and single characters for Chinese", group=COUNT)] = "auto"
    quality: Annotated[Literal["stored", "now"], Knob(
        "Quality control: what was said when the dialogues were made, or judged anew", group=COUNT)] = "stored"
    rounds: Annotated[int, Knob("A talk succeeds when the feeling is down to 1 within so many supporter turns", 1, 200,
                                1, group=COUNT)] = 8
    resamples: Annotated[int, Knob("Draws of the bootstrap over dialogues", 10, 100_000, 10, group=DRAW)] = 1000
    level: Annotated[float, Knob("Share of the draws that an interval holds", 0.5, 0.999, 0.01, group=DRAW)] = 0.95
    seed: Annotated[int, Knob("Same seed, same intervals", 0, 2**31 - 1, 1, group=DRAW)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.compare.strip() and self.compare.strip() == self.data.strip():
            raise UserError(f"data and compare are both {self.data[:80]!r}; every difference would be 0.",
                            advice="Choose another one to compare with, or leave compare empty.")


@dataclass(frozen=True)
class Note:
    """Something to know about a figure: a ``code`` that the page has words for, the same in English, its values."""

    code: str
    text: str
    values: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One number with all it takes to compare it. ``name`` says the variant, ``shown`` of ``total`` ``counted`` (turns,
    dialogues, ..) went into it; ``low`` and ``high`` are the interval by dialogue, empty where there is none."""

    group: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    shown: int
    total: int
    counted: str
    tokenizer: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class MeasureResult:
    """The headline figures of the first source; everything is in the artifacts ``measure.json`` and ``figures.csv``.
    ``pairs`` are turns with a gold and a predicted strategy or reply."""

    dialogues: int
    turns: int
    pairs: int
    compared_dialogues: int
    compared_pairs: int
    provenance: str
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...] = ()

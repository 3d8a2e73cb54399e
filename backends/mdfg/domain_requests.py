"""Request and result of one round of keyword bootstrapping (:mod:`domain_task`). Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from backends.mdfg.scorer_requests import LabelField, Seed, TextField
from workbench.contract import Knob
from workbench.fields import validate

Words = Annotated[tuple[str, ...], Knob('Proposals, each as "label: word".', 0, 10_000)]


@dataclass(frozen=True)
class DomainRoundsRequest:
    """One round: keywords -> labels -> classifier -> sure texts -> proposals for keywords. The next round names this
    one in ``previous`` and says which proposals are accepted."""

    previous: Annotated[str, Knob("run:ID/round of the round before; empty: begin.", 0, 400)] = ""
    accepted: Words = ()
    rejected: Words = ()
    data: Annotated[tuple[str, ...], Knob(
        "References of texts (JSON lines, CSV, Parquet, or folders of them; run:ID/documents is a filtered corpus). "
        "None: those of the round before, or practice texts.", 0, 64)] = ()
    text_field: TextField = "text"
    keywords: Annotated[str, Knob("Lists as YAML, `law: [court, judge]`; empty: those of the round before, or the "
                                  "program's own Chinese ones.", 0, 200_000, widget="text")] = ""
    least: Annotated[int, Knob("Different keywords that a text needs for a label.", 1, 20, 1)] = 3
    sample: Annotated[int, Knob("Texts at most, drawn at random.", 20, 20_000, 1)] = 3000
    proposals: Annotated[int, Knob("Proposals for each label.", 1, 50, 1)] = 10
    test: Annotated[tuple[str, ...], Knob("References of texts with right labels, to measure on (exported labels).", 0,
                                          64)] = ()
    label_field: LabelField = "label"
    epochs: Annotated[int, Knob("Passes over the texts; 0: as many as make 400 steps, 5 to 30.", 0, 100, 1)] = 0
    practice: Annotated[int, Knob("How many practice texts, where no data are given.", 100, 20_000, 1)] = 600
    seed: Seed = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Proposal:
    """A proposed keyword: it occurs in ``inside`` of the sure texts of its label and in ``outside`` of the others.
    ``log_odds`` is ln(odds inside / odds outside) with .5 added to each count, ``strength`` that by its standard
    deviation; ``example`` is a piece of a text with it."""

    label: str
    word: str
    log_odds: float
    strength: float
    inside: int
    outside: int
    example: str


@dataclass(frozen=True)
class DomainRoundsResult:
    """Round ``number``. By label: texts that have it, texts the classifier is sure of, keywords, texts that gained and
    lost it since the round before (``changed`` in all). ``unused`` labels were found in no text. ``figures`` are
    measured on labelled texts, empty without any."""

    path: str
    number: int
    texts: int
    counts: Mapping[str, int]
    sure: Mapping[str, int]
    keywords: Mapping[str, int]
    proposals: tuple[Proposal, ...]
    changed: int
    gained: Mapping[str, int]
    lost: Mapping[str, int]
    unused: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    tested: int = 0
    leaked: int = 0
    provenance: str = "real data"
    seconds: float = 0.0

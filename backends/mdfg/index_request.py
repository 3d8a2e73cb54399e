"""What an index of meaning is made of, and what it says in the end (:mod:`index_task`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from backends.mdfg.requests import SAMPLE
from workbench.contract import Knob
from workbench.fields import validate

LSA = "lsa"


@dataclass(frozen=True)
class IndexRequest:
    """Make every document of a corpus a vector, so that it can be found by meaning."""

    corpus: Annotated[str, Knob("run:ID of the filtering run, path:/folder of its artifacts, or 'sample': the bundled "
                                "sample, filtered on the way", 1, 1000)] = SAMPLE
    method: Annotated[str, Knob("'lsa' (character n-grams, no model needed), or the reference of a BERT whose outputs "
                                "are averaged: hub:ORG/NAME, path:/folder", 1, 500)] = LSA
    dimensions: Annotated[int, Knob("Length of a vector", 8, 1024, 1)] = 128
    sample: Annotated[int, Knob("Documents from which the directions are learned", 20, 100_000, 1)] = 5000
    seed: Annotated[int, Knob("Seed of the sample and of the directions", 0, 2**31 - 1, 1)] = 0

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class IndexResult:
    """``explained``: share of the sample's energy that the directions hold; ``agreement``: for an encoder, the mean
    cosine between its vectors and those that queries get (1 for ``lsa``, where they are the same); ``unknown``:
    documents without any known n-gram, which no search finds; ``cut``: texts of more tokens than the encoder reads."""

    documents: int
    dimensions: int
    method: str
    sampled: int
    features: int
    explained: float
    agreement: float
    unknown: int
    cut: int
    fingerprint: str
    seconds: float
    documents_per_second: float

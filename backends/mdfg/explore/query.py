"""What is searched for in a corpus, and what is found: places of documents with a score each.

``search.find(corpus, query)`` answers a query; ``Corpus.hits`` keeps the answer and makes a table of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.contract import Knob, UserError
from workbench.fields import validate

Kind = Literal["words", "regex", "meaning", "concept"]
KINDS: tuple[Kind, ...] = ("words", "regex", "meaning", "concept")
LONGEST = 2000


@dataclass(frozen=True)
class Query:
    """One search. ``words``: all of them occur, ``-word`` does not; ``regex``: a pattern occurs; ``meaning``: the text
    is close to ``text`` or to the documents ``like``; ``concept``: learned from the documents ``like`` and ``unlike``.
    Documents are named by their places. Only hits of at least the score ``least`` count."""

    kind: Annotated[Kind, Knob("How to search")]
    text: Annotated[str, Knob("What to look for", None, LONGEST)] = ""
    like: Annotated[tuple[int, ...], Knob("Places of examples", None, 500)] = ()
    unlike: Annotated[tuple[int, ...], Knob("Places of counter-examples", None, 500)] = ()
    least: Annotated[float, Knob("Least score of a hit", -1e6, 1e6)] = 0.0

    def __post_init__(self) -> None:
        validate(self)
        if min((*self.like, *self.unlike), default=0) < 0:
            raise UserError(f"An example is {min((*self.like, *self.unlike))}; places of documents begin at 0.")
        if not (self.text.strip() or self.like):
            raise UserError("The search is empty.", advice="Write what to look for, or choose examples.")


@dataclass(frozen=True, eq=False)
class Hits:
    """What a query found: ``places`` (int64, ascending, each once) and ``scores`` (float64) of the same shape.
    ``note`` says what the reader should know, such as how far a search came before it was ended."""

    query: Query
    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    note: str = ""

    def __post_init__(self) -> None:
        if self.places.shape != self.scores.shape or self.places.ndim != 1:
            raise ValueError(f"places {self.places.shape} and scores {self.scores.shape} must be one list each")
        if len(self.places) > 1 and not bool((np.diff(self.places) > 0).all()):
            raise ValueError("places must ascend, each once")

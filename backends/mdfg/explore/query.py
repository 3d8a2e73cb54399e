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


NOTES = {
    "best": "the best {most} of {found}",
    "known": "only {share} of the pieces of this text occur in the sample of the index",
    "assumed": "{count} documents drawn from the corpus stand in for counter-examples",
    "tried": "{right} of {tried} examples are right when left out",
}
"""What a note can say; a page that speaks other languages has a text of its own for every key."""


@dataclass(frozen=True)
class Note:
    """One thing to know about hits: a key of :data:`NOTES` and the values for its places, as text."""

    key: str
    values: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The note in English."""
        return NOTES[self.key].format(**dict(self.values))


@dataclass(frozen=True, eq=False)
class Hits:
    """What a query found: ``places`` (int64, ascending, each once) and ``scores`` (float64) of the same shape.
    ``notes`` say what the reader should know, such as that only the best ones are hits."""

    query: Query
    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        if self.places.shape != self.scores.shape or self.places.ndim != 1:
            raise ValueError(f"places {self.places.shape} and scores {self.scores.shape} must be one list each")
        if len(self.places) > 1 and not bool((np.diff(self.places) > 0).all()):
            raise ValueError("places must ascend, each once")

    @property
    def note(self) -> str:
        """The notes in English, in one line; empty without any."""
        return "; ".join(note.text for note in self.notes)

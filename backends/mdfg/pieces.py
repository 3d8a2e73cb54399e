"""Quality piece by piece: the score of every piece of a document beside the score of the whole.

A mean hides one terrible piece, so a record says ``quality {score, segments[], model}`` (spec A6). Pieces are those of
:mod:`backends.mdfg.bert_eval.segments`: at most 510 characters, ended where a sentence ends, together the whole text.
BERTEval scores pieces anyway and merges them; an n-gram scorer judges the whole text, and here its pieces too (ours: a
short piece has fewer n-grams, so its score lies nearer to the middle). The column ``<scorer>.least`` is the smallest
score of a piece, not-a-number where nothing could be scored; rules may use it. Other scorers give no pieces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from backends.mdfg.bert_eval.segments import Segment, Tails, segments
from backends.mdfg.bert_eval.selection import Merged, aligned
from backends.mdfg.rules.evaluate import Columns
from backends.mdfg.scorers.base import Scorer, checked, columns
from backends.mdfg.scorers.ngram import NgramScorer, Stack

LEAST = "least"


@runtime_checkable
class Detailed(Protocol):
    """A scorer that says what it thinks of every piece (BERTEval)."""

    tails: Tails

    def detail(self, texts: Sequence[str]) -> list[Merged]:
        """Scores of the pieces of every text, and the merged ones."""
        ...


@dataclass(frozen=True)
class Pieces:
    """``ends[i]``: where each piece of text i ends (it begins where the one before ended); ``scores[i]``: the score of
    each, not-a-number for one that was not scored."""

    ends: list[list[int]]
    scores: list[list[float]]

    @property
    def least(self) -> np.ndarray:
        """The smallest score of every text, of shape (texts,)."""
        lowest = [min((s for s in scores if not math.isnan(s)), default=math.nan) for scores in self.scores]
        return np.array(lowest, dtype=np.float32)


def judge_of(scorers: Sequence[Scorer]) -> Scorer | None:
    """The scorer whose pieces are kept: the first that is called ``quality`` or ``quality-...``."""
    single = [inner for scorer in scorers for inner in (scorer.scorers if isinstance(scorer, Stack) else (scorer,))]
    return next((scorer for scorer in single if scorer.name.split("-")[0] == "quality"), None)


def model_of(scorers: Sequence[Scorer]) -> str:
    """Name and version of that scorer, empty without one."""
    judge = judge_of(scorers)
    return f"{judge.name}@{judge.version}" if judge is not None else ""


def scored(scorers: Sequence[Scorer], texts: Sequence[str]) -> tuple[Columns, Pieces | None]:
    """Columns of all scorers, and the pieces of the one that judges quality; no text is given to a network twice."""
    found: Columns = {}
    pieces, judge = None, judge_of(scorers)
    for scorer in scorers:
        if scorer is judge and isinstance(scorer, Detailed):
            details = scorer.detail(texts)
            values = np.array([(d.score or 0.0, d.least or 0.0) for d in details], dtype=np.float32).reshape(-1, 2)
            pieces = _of_details(scorer.tails, texts, details)
        else:
            values = checked(scorer, texts)
        found |= {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(columns(scorer))}
    if isinstance(judge, NgramScorer):
        pieces = of_ngrams(judge, texts, found[f"{judge.name}.{judge.outputs[0]}"])
        found.setdefault(f"{judge.name}.{LEAST}", pieces.least)
    return found, pieces


def of_ngrams(judge: NgramScorer, texts: Sequence[str], whole: np.ndarray) -> Pieces:
    """Pieces by an n-gram scorer; ``whole`` are the scores of the texts, taken over where a text is one piece."""
    cut = [segments(text) for text in texts]
    several = [row for row, found in enumerate(cut) if len(found) > 1]
    parts = [texts[row][s.begin:s.end] for row in several for s in cut[row] if s.scored]
    values = iter(judge.score(parts)[:, 0].tolist() if parts else [])
    scores = [[float(whole[row]) if s.scored else math.nan for s in found] if len(found) < 2
              else [next(values) if s.scored else math.nan for s in found] for row, found in enumerate(cut)]
    return Pieces([_ends(found) for found in cut], scores)


def _of_details(tails: Tails, texts: Sequence[str], details: Sequence[Merged]) -> Pieces:
    cut = [segments(text, tails) for text in texts]
    scores = [[score for score in detail.pieces if score is not None] for detail in details]
    every = [aligned(found, given) for found, given in zip(cut, scores, strict=True)]
    return Pieces([_ends(found) for found in cut],
                  [[math.nan if score is None else score for score in row] for row in every])


def _ends(found: Sequence[Segment]) -> list[int]:
    return [segment.end for segment in found]

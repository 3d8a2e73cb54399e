"""R0, the first training set of the toxicity model (spec A5): public sets, benign web texts, toxic rows doubled.

The paper's counts (toxic/benign): COLD 36,162/19,439; ToxiCN 12,922/5,550; SWSR 6,186/5,876; CDial-Bias 12,986/19,013;
web 0/80,000. They match train + dev + TEST of COLD, so a model of that recipe must never be compared on COLD test:
:func:`r0` refuses a test set that is in its training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.mdfg.labelled import Labelled
from backends.mdfg.leakage import leaks
from workbench.contract import UserError

TOXIC = "toxic"


@dataclass(frozen=True)
class TrainingSet:
    """Texts with their labels. Doubled rows are one row of weight 2 (the same loss), so that no copy of a training text
    can get among those that calibrate the model; ``counts`` are (toxic, benign) rows by source, doubled ones as two."""

    texts: tuple[str, ...]
    toxic: tuple[bool, ...]
    weights: tuple[float, ...]
    counts: Mapping[str, tuple[int, int]]
    dropped: int = 0

    def plus(self, texts: Sequence[str], toxic: Sequence[bool], source: str) -> TrainingSet:
        """The set with judged texts added, toxic ones doubled as in R0."""
        weights = _weights(toxic, True)
        return TrainingSet((*self.texts, *texts), (*self.toxic, *toxic), (*self.weights, *weights),
                           {**self.counts, source: _count(toxic, weights)}, self.dropped)


def _weights(toxic: Sequence[bool], double: bool) -> list[float]:
    return [2.0 if bad and double else 1.0 for bad in toxic]


def _count(toxic: Sequence[bool], weights: Sequence[float]) -> tuple[int, int]:
    bad = sum(weight for weight, label in zip(weights, toxic, strict=True) if label)
    return round(bad), round(sum(weights) - bad)


def r0(rows: Sequence[Labelled], benign: Sequence[str] = (), *, test: Sequence[str] = (), double: bool = True,
       near: str = "refuse") -> TrainingSet:
    """Build R0. ``near`` says what happens to training texts that the test set also has: ``refuse`` or ``drop``.

    Raises ``UserError`` for overlaps that are to be refused, no toxic or no benign row, or another ``near``."""
    if near not in ("refuse", "drop"):
        raise UserError(f"near is {near!r}; it must be 'refuse' or 'drop'.")
    texts = [row.text for row in rows] + list(benign)
    toxic = [TOXIC in row.labels for row in rows] + [False] * len(benign)
    sources = [row.source for row in rows] + ["web"] * len(benign)
    bad = {leak.test for leak in leaks(test, texts)} if test else set()
    if bad and near == "refuse":
        raise UserError(f"{len(bad)} of {len(texts)} training texts are copies or near-copies of test texts.",
                        advice="Take them out (near='drop'), or test on other texts.")
    kept = [i for i in range(len(texts)) if i not in bad and texts[i].strip()]
    if len({toxic[i] for i in kept}) < 2:
        raise UserError("The training set needs toxic and benign texts; one of the two is missing.")
    weights = _weights(toxic, double)
    counts = {name: _count([toxic[i] for i in places], [weights[i] for i in places]) for name in dict.fromkeys(sources)
              for places in [[i for i in kept if sources[i] == name]]}
    return TrainingSet(tuple(texts[i] for i in kept), tuple(toxic[i] for i in kept),
                       tuple(weights[i] for i in kept), counts, len(bad))

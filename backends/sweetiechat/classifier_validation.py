"""Cross-validation of strategy classifiers by dialogue, with the baselines that a classifier must beat.

All turns of a dialogue are in one fold, so no classifier is tested on a dialogue that it has seen. Figures are
macro-F1 over the declared strategies, weighted F1, accuracy, and how often the gold strategy is among the first three,
each with a bootstrap interval over dialogues. Baselines: always the most frequent strategy, and the same classifier
with nothing but the words of the last turn.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.classifier import top, train_linear
from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.metrics.intervals import Interval, bootstrap_sums, mean_of_sums, paired_sums
from backends.sweetiechat.metrics.strategy import accuracy, macro_f1, table, weighted_f1
from workbench.contract import UserError

Predictor = Callable[[Sequence[Case], Sequence[Case]], list[dict[str, float]]]
"""(training cases, test cases) -> p(strategy) of every test case."""
FIGURES = {"macro_f1": macro_f1, "weighted_f1": weighted_f1, "accuracy": accuracy}
FIRST = 3


@dataclass(frozen=True)
class Predicted:
    """Out-of-fold predictions: gold and said strategy of every case, whether gold was among the first three."""

    cases: tuple[Case, ...]
    said: tuple[str, ...]
    near: tuple[bool, ...]

    def tables(self, declared: Sequence[str]) -> NDArray[np.int64]:
        """One (said, gold) table a dialogue; shape (dialogues, strategies, strategies)."""
        groups: dict[int, list[int]] = {}
        for place, case in enumerate(self.cases):
            groups.setdefault(case.dialogue, []).append(place)
        return np.stack([table([self.cases[p].label for p in places], [self.said[p] for p in places], declared)
                         for _, places in sorted(groups.items())])

    def hits(self) -> NDArray[np.float64]:
        """(gold among the first three, turns) a dialogue."""
        found: dict[int, list[float]] = {}
        for case, near in zip(self.cases, self.near, strict=True):
            row = found.setdefault(case.dialogue, [0.0, 0.0])
            row[0] += near
            row[1] += 1
        return np.array([row for _, row in sorted(found.items())])


def folds_of(cases: Sequence[Case], folds: int, generator: random.Random) -> dict[int, int]:
    """Fold of each dialogue, as even as can be. Raises ``UserError`` for fewer dialogues than folds."""
    dialogues = sorted({case.dialogue for case in cases})
    if len(dialogues) < folds:
        raise UserError(f"There are {len(dialogues)} dialogues with strategies and {folds} folds; each fold needs one.",
                        advice="Give more dialogues or fewer folds.")
    generator.shuffle(dialogues)
    return {dialogue: place % folds for place, dialogue in enumerate(dialogues)}


def cross_validate(cases: Sequence[Case], predict: Predictor, folds: int, seed: int,
                   tick: Callable[[int], None] = lambda fold: None) -> Predicted:
    """Predict every case by a classifier that has not seen its dialogue."""
    fold_of = folds_of(cases, folds, random.Random(seed))
    said: dict[int, str] = {}
    near: dict[int, bool] = {}
    for fold in range(folds):
        tick(fold)
        places = [place for place, case in enumerate(cases) if fold_of[case.dialogue] == fold]
        known = [case for case in cases if fold_of[case.dialogue] != fold]
        for place, scores in zip(places, predict(known, [cases[p] for p in places]), strict=True):
            said[place] = top(scores, 1)[0]
            near[place] = cases[place].label in top(scores, FIRST)
    order = range(len(cases))
    return Predicted(tuple(cases), tuple(said[p] for p in order), tuple(near[p] for p in order))


def linear(reads: str, strength: float, gamma: float) -> Predictor:
    """The word classifier."""
    def predict(known: Sequence[Case], asked: Sequence[Case]) -> list[dict[str, float]]:
        model = train_linear(known, reads, strength, gamma)
        return [dict(zip(model.keys, row.tolist(), strict=True)) for row in model.scores(asked)]
    return predict


def majority(known: Sequence[Case], asked: Sequence[Case]) -> list[dict[str, float]]:
    """How often each strategy occurs, whatever is asked."""
    counts = Counter(case.label for case in known)
    return [{key: count / len(known) for key, count in sorted(counts.items())} for _ in asked]


def last_turn(cases: Sequence[Case]) -> list[Case]:
    """The cases with nothing before the last seeker turn."""
    return [dataclasses.replace(case, lines=tuple(line for line in case.lines if line.role == "seeker")[-1:])
            for case in cases]


def figures(found: Predicted, declared: Sequence[str], seed: int, resamples: int) -> dict[str, Interval]:
    """Every figure with its interval."""
    tables = found.tables(declared)
    intervals = {name: bootstrap_sums(tables, statistic, random.Random(seed), resamples)
                 for name, statistic in FIGURES.items()}
    return intervals | {"top_3": bootstrap_sums(found.hits(), mean_of_sums, random.Random(seed), resamples)}


def advantage(found: Predicted, other: Predicted, declared: Sequence[str], seed: int, resamples: int) -> Interval:
    """By how much the macro-F1 of ``found`` is above that of ``other``, paired by dialogue."""
    return paired_sums(other.tables(declared), found.tables(declared), macro_f1, random.Random(seed), resamples)

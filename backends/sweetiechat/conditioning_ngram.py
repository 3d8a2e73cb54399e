"""A word bigram model whose back-off knows the strategy: the smallest learner that can show conditioning, in seconds.

    p(w)        = (c(w) + 1) / (N + V)
    p(w | v)    = (c(v, w) + B p(w)) / (c(v) + B)                       without a strategy
    p(w | s)    = (c(s, w) + A p(w)) / (c(s) + A)
    q(w | v, s) = (c(v, w) + B p(w | s)) / (c(v) + B)
    p(w | v, s) = (c(s, v, w) + C q(w | v, s)) / (c(s, v) + C)          with a strategy

c counts words of supporter turns, v is the word before (a start mark at first; an end mark closes a turn), V the
vocabulary of words that occur twice, with one mark for all others. Every fifth training dialogue is set aside to choose
B for the model without strategies first, then A and C for the one with them; the test dialogues have no part in it.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sweetiechat.classifier_features import words
from backends.sweetiechat.conditioning_claims import Conditions, conditions
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_text import lines_of

GRID_A, GRID_B, GRID_C = (3e3, 1e4, 3e4), (40.0, 80.0, 160.0), (100.0, 300.0, 1000.0)
START, END, RARE = "<start>", "<end>", "<rare>"


@dataclass(frozen=True)
class Smoothing:
    """A, B and C of the module's formulas: how many counts the back-off is worth."""

    a: float = GRID_A[-1]
    b: float = GRID_B[1]
    c: float = GRID_C[-1]


@dataclass(frozen=True)
class Bigram:
    """Counts of a training corpus."""

    vocabulary: frozenset[str]
    one: Counter[str]
    pair: Counter[tuple[str, str]]
    before: Counter[str]
    by: Counter[tuple[str, str]]
    strategies: Counter[str]
    triple: Counter[tuple[str, str, str]]
    start: Counter[tuple[str, str]]

    @staticmethod
    def of(dialogues: Sequence[Dialogue]) -> Bigram:
        """Count the supporter's words."""
        turns = turns_of(dialogues)
        seen = Counter(word for _, text in turns for word in text)
        vocabulary = frozenset(word for word, count in seen.items() if count > 1)
        one, pair, before = Counter[str](), Counter[tuple[str, str]](), Counter[str]()
        by, strategies = Counter[tuple[str, str]](), Counter[str]()
        triple, start = Counter[tuple[str, str, str]](), Counter[tuple[str, str]]()
        for key, text in turns:
            path = [START, *(word if word in vocabulary else RARE for word in text), END]
            one.update(path[1:])
            pair.update(itertools.pairwise(path))
            before.update(path[:-1])
            by.update((key, word) for word in path[1:])
            strategies[key] += len(path) - 1
            triple.update((key, last, word) for last, word in itertools.pairwise(path))
            start.update((key, last) for last in path[:-1])
        return Bigram(vocabulary, one, pair, before, by, strategies, triple, start)

    def nll(self, text: Sequence[str], strategy: str, smoothing: Smoothing) -> float:
        """-log p of a turn with its end, in nats; without a strategy for ``""``."""
        path = [START, *(word if word in self.vocabulary else RARE for word in text), END]
        size, total = len(self.vocabulary) + 2, self.one.total()
        loss = 0.0
        for last, word in itertools.pairwise(path):
            base = (self.one[word] + 1) / (total + size)
            if strategy:
                base = (self.by[strategy, word] + smoothing.a * base) / (self.strategies[strategy] + smoothing.a)
            chance = (self.pair[last, word] + smoothing.b * base) / (self.before[last] + smoothing.b)
            if strategy:
                known = self.start[strategy, last]
                chance = (self.triple[strategy, last, word] + smoothing.c * chance) / (known + smoothing.c)
            loss -= math.log(chance)
        return loss


def turns_of(dialogues: Sequence[Dialogue]) -> list[tuple[str, list[str]]]:
    """(strategy, words) of every supporter turn that has a strategy."""
    return [(line.used, words(line.text)) for d in dialogues for line in lines_of(d)
            if line.role == "supporter" and line.used]


def choose(train: Sequence[Dialogue]) -> Smoothing:
    """The smoothing that predicts every fifth training dialogue best from the others."""
    model = Bigram.of([d for place, d in enumerate(train) if place % 5])
    aside = [(key, text) for key, text in turns_of(train[::5]) if key in model.strategies]

    def loss(smoothing: Smoothing, informed: bool) -> float:
        return sum(model.nll(text, key if informed else "", smoothing) for key, text in aside)

    b = min(GRID_B, key=lambda value: loss(Smoothing(b=value), False))
    return min((Smoothing(a, b, c) for a in GRID_A for c in GRID_C), key=lambda some: loss(some, True))


def wrong_strategy(gold: str, counts: Counter[str], generator: random.Random) -> str:
    """Another strategy, as often as it occurs: rare ones must not make the wrong condition look worse than it is."""
    others = sorted(key for key in counts if key != gold)
    return generator.choices(others, [counts[key] for key in others])[0]


def run(train: Sequence[Dialogue], test: Sequence[Dialogue], seed: int) -> Conditions:
    """Count, then measure the three conditions on the test dialogues."""
    began, generator = time.monotonic(), random.Random(seed)
    smoothing, model = choose(train), Bigram.of(train)
    rows = []
    for dialogue in test:
        row = [0.0, 0.0, 0.0, 0.0]
        for gold, text in turns_of([dialogue]):
            if gold not in model.strategies:
                continue
            wrong = wrong_strategy(gold, model.strategies, generator)
            for place, key in enumerate((gold, "", wrong)):
                row[place] += model.nll(text, key, smoothing)
            row[3] += len(text) + 1
        rows.append(row)
    return conditions("word bigram with strategy back-off", rows, time.monotonic() - began)

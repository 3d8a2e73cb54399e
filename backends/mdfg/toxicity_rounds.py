"""LLM in the loop (spec A5): score a pool, let a judge decide about what looks toxic, add it, train again.

    R0   the labelled sets alone
    R1   + judged texts of the pool with p(toxic) > .5 under R0
    R2   + judged texts with p(toxic) > .5 under R1, and so on

The control judges as many texts in every round, drawn at random: what it gains is due to more labels, what the rounds
gain beyond it is due to the choice. Subset sizes are not public; ``budget`` is ours. The pool and the test set are
disjoint by hash. Everything a judge saw and said is in the rounds, and so are the texts it could not decide.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from backends.mdfg.metrics_binary import at_threshold, auc, kappa
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.scorers.train_ngram import Recipe, train
from backends.mdfg.toxicity import SURE
from backends.mdfg.toxicity_data import TrainingSet
from backends.mdfg.toxicity_judges import Judge, Judgement
from backends.mdfg.ust_fit import disjoint
from workbench.contract import UserError

LOOK_TOXIC = 0.5
OUTPUT = "score"


@dataclass(frozen=True)
class Figures:
    """On the test set: F1 at .5, AUC, precision and recall at .99 and at .5 (``None`` where 0 / 0)."""

    f1: float
    auc: float | None
    sure_precision: float | None
    sure_recall: float | None
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True)
class ToxicityRound:
    """Round ``number``: figures of its model, then what was judged for the next one (nothing after the last)."""

    number: int
    figures: Figures | None
    looked_toxic: int
    judged: tuple[Judgement, ...] = ()
    for_people: int = 0
    found_toxic: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How many rounds after R0, how many texts are judged at most in each, and how models are trained. ``control``
    holds how many texts the control judges in each round, drawn at random (as many as the real rounds judged)."""

    rounds: int = 2
    budget: int = 400
    control: tuple[int, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.budget < 1:
            raise UserError(f"rounds is {self.rounds} and budget {self.budget}; both must be at least 1.")
        if self.control and len(self.control) != self.rounds:
            raise UserError(f"control holds {len(self.control)} counts for {self.rounds} rounds; it needs one a round.")


@dataclass(frozen=True)
class HeldOut:
    """Texts with human labels, in none of the other sets."""

    texts: tuple[str, ...]
    toxic: tuple[bool, ...]


def run_rounds(start: TrainingSet, pool: Sequence[str], judge: Judge, plan: Plan, generator: random.Random,
               test: HeldOut | None = None,
               report: Callable[[ToxicityRound], None] | None = None) -> tuple[NgramScorer, list[ToxicityRound]]:
    """(the last model, R0 to R``rounds``). Where ``plan.control`` is given, texts are drawn at random.

    Raises ``UserError`` when the pool or the training set shares a text with the test set."""
    if test is not None:
        disjoint(pool, test.texts)
        disjoint(start.texts, test.texts, "training set")
    known, log, left = start, [], set(range(len(pool)))
    for number in range(plan.rounds + 1):
        model = train_on(known, plan.recipe, generator)
        scores = model.score(pool)[:, 0]
        figures = None if test is None else figures_of(model, test)
        toxic_looking = [place for place in sorted(left) if scores[place] > LOOK_TOXIC]
        judged: list[Judgement] = []
        if number < plan.rounds:
            source = sorted(left) if plan.control else toxic_looking
            count = plan.control[number] if plan.control else plan.budget
            chosen = generator.sample(source, min(count, len(source)))
            judged = judge.judge([pool[i] for i in chosen], chosen)
            left -= set(chosen)
            sure = [one for one in judged if one.toxic is not None]
            known = known.plus([one.text for one in sure], [bool(one.toxic) for one in sure], f"R{number + 1}")
        log.append(_round(number, figures, len(toxic_looking), judged))
        if report is not None:
            report(log[-1])
    return model, log


def _round(number: int, figures: Figures | None, looked: int, judged: Sequence[Judgement]) -> ToxicityRound:
    votes = [vote for one in judged for vote in one.votes]
    return ToxicityRound(number, figures, looked, tuple(judged), sum(one.toxic is None for one in judged),
                         sum(one.toxic is True for one in judged), sum(vote.tokens for vote in votes),
                         sum(vote.seconds for vote in votes))


def train_on(known: TrainingSet, recipe: Recipe, generator: random.Random) -> NgramScorer:
    """A yes/no scorer of a training set."""
    labels = np.array(known.toxic, dtype=np.float32)[:, None]
    return train("toxicity", known.texts, labels, (OUTPUT,), recipe, generator, weights=known.weights)


def figures_of(model: NgramScorer, test: HeldOut) -> Figures:
    """The figures of one model."""
    scores = model.score(test.texts)[:, 0]
    half, sure = at_threshold(scores, test.toxic, LOOK_TOXIC), at_threshold(scores, test.toxic, SURE)
    return Figures(half.f1, auc(scores, test.toxic), sure.precision, sure.recall, half.precision, half.recall)


def judge_against_people(judged: Sequence[Judgement], people: Sequence[bool | None]) -> tuple[float | None, int]:
    """(Cohen's kappa, texts) of a judge against human labels, over the texts that both decided."""
    pairs = [(one.toxic, said) for one, said in zip(judged, people, strict=True)
             if one.toxic is not None and said is not None]
    return (kappa([a for a, _ in pairs], [b for _, b in pairs]) if pairs else None), len(pairs)

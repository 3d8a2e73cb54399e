"""Self-training rounds on a crawl: score under dropout, draw easy pseudo labels, train on them weighted (stage 2).

What the drawn texts become is the ``scheme``:

    "ust"           crawl pseudo-positives and pseudo-negatives, each with its own confidence
    "paradigm"      pseudo-negatives, and as many curated positives with the mean confidence (the official choice)
    "ust_paradigm"  as "paradigm", but a share 1 - ``paradigm_ratio`` of the positives is from the crawl

The official repository draws 200 candidates and trains on 32; these look like values for debugging, the real ones are
not public. Defaults here are ours. The pool must not hold a text of the test set: :func:`disjoint` checks by hash.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.mdfg.bert_eval.fit import SMALL_2, Plan, fit, predict
from backends.mdfg.bert_eval.network import BertEval
from backends.mdfg.ust import confidence, draw, easiness, pseudo_labels
from workbench.contract import UserError

Scheme = Literal["ust", "paradigm", "ust_paradigm"]


@dataclass(frozen=True)
class UstPlan:
    """One self-training run. ``size`` texts are trained on in each round, half of them positive."""

    rounds: int = 2
    candidates: int = 20_000
    passes: int = 3
    positive_ratio: float = 0.2
    negative_ratio: float = 0.5
    size: int = 2_000
    alpha: float = 1.0
    scheme: Scheme = "paradigm"
    paradigm_ratio: float = 0.9
    scale_confidence: bool = True
    fit: Plan = field(default_factory=lambda: SMALL_2)

    def __post_init__(self) -> None:
        for name, value, least in (("rounds", self.rounds, 1), ("candidates", self.candidates, 2),
                                   ("passes", self.passes, 2), ("size", self.size, 2)):
            if value < least:
                raise UserError(f"{name} is {value}; it must be at least {least}.")


@dataclass(frozen=True)
class UstRound:
    """What one round did. Purities (share of pseudo labels that are right) are known where truth is given."""

    number: int
    candidates: int
    positives: int
    negatives: int
    above: float
    below: float
    loss: float
    positive_purity: float | None
    negative_purity: float | None


def text_key(text: str) -> str:
    """A hash of the text without white space and case: copies that differ in layout only are one text."""
    return hashlib.blake2b("".join(text.lower().split()).encode("utf-8", "replace"), digest_size=16).hexdigest()


def disjoint(pool: Sequence[str], test: Sequence[str], what: str = "pool") -> None:
    """Raises ``UserError`` with a count when a text of the test set is also in the pool."""
    held = {text_key(text) for text in test}
    both = sum(text_key(text) in held for text in pool)
    if both:
        raise UserError(f"{both} of {len(pool)} texts of the {what} are also in the test set, so figures would be "
                        "too good.", advice=f"Take them out of the {what}.")


def self_train(network: BertEval, pool: Sequence[str], curated: Sequence[str], plan: UstPlan,
               generator: random.Random, *, truth: NDArray[np.bool_] | None = None,
               test: Sequence[str] = (), report: Callable[[UstRound], None] | None = None) -> list[UstRound]:
    """Train ``network`` on; returns what every round did. ``truth`` (of the pool) is only measured, never trained on.

    Raises ``UserError`` for a pool that overlaps the test set, or without curated texts where the scheme needs them."""
    disjoint(pool, test)
    if plan.scheme != "ust" and not curated:
        raise UserError(f"The scheme {plan.scheme} needs curated texts; there are none.",
                        advice='Give some, or take the scheme "ust".')
    rounds = []
    for number in range(1, plan.rounds + 1):
        places = np.array(generator.sample(range(len(pool)), min(plan.candidates, len(pool))), dtype=np.int64)
        scores = predict(network, [pool[i] for i in places], passes=plan.passes, generator=generator)
        found = pseudo_labels(scores, plan.positive_ratio, plan.negative_ratio)
        easy, sure = easiness(scores), confidence(scores, plan.alpha)
        half = plan.size // 2
        negative = draw(found.negative, easy, half, generator)
        positive = draw(found.positive, easy, half, generator) if plan.scheme != "paradigm" else np.zeros(0, np.int64)
        texts, labels, weights = _batch([pool[i] for i in places], curated, positive, negative, sure, plan, generator)
        losses = fit(network, texts, labels, plan.fit, generator, weights)
        gold = None if truth is None else truth[places]
        rounds.append(UstRound(number, len(places), len(found.positive), len(found.negative), found.above, found.below,
                               losses[-1], _share(gold, found.positive, True), _share(gold, found.negative, False)))
        if report is not None:
            report(rounds[-1])
    return rounds


def _share(gold: NDArray[np.bool_] | None, places: NDArray[np.int64], wanted: bool) -> float | None:
    return None if gold is None or not len(places) else float((gold[places] == wanted).mean())


def _batch(texts: Sequence[str], curated: Sequence[str], positive: NDArray[np.int64], negative: NDArray[np.int64],
           sure: NDArray[np.float64], plan: UstPlan,
           generator: random.Random) -> tuple[list[str], list[float], list[float]]:
    """Texts with labels and weights as the scheme wants them."""
    ours = len(negative) if plan.scheme == "paradigm" else round(len(negative) * plan.paradigm_ratio)
    if plan.scheme == "ust":
        ours = 0
    crawl = positive[:len(negative) - ours]
    chosen = generator.sample(range(len(curated)), ours) if ours <= len(curated) else [
        generator.randrange(len(curated)) for _ in range(ours)]
    mean = float(sure[negative].mean())
    words = [*(texts[i] for i in negative), *(texts[i] for i in crawl), *(curated[i] for i in chosen)]
    labels = [0.0] * len(negative) + [1.0] * (len(crawl) + ours)
    weights = np.array([*sure[negative], *sure[crawl], *[mean] * ours])
    return words, labels, (weights / weights.mean() if plan.scale_confidence else weights).tolist()

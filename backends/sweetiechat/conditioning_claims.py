"""From losses to claims: is a reply likelier under its own strategy than under none, and than under a wrong one?

Every learner hands over the negative log-likelihood (nats) of every test dialogue's replies under three conditions.
Differences are taken token by token over the same replies, and redrawn by whole dialogues (paired bootstrap).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.sweetiechat.metrics.intervals import Interval, mean_of_sums, paired_sums
from workbench.evidence import Claim

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Conditions:
    """Summed NLL of each test dialogue with the gold strategy, with none, with a wrong one, and its tokens; shape
    (dialogues,) each."""

    learner: str
    oracle: Rows
    none: Rows
    wrong: Rows
    tokens: Rows
    seconds: float = 0.0

    def perplexity(self, condition: str) -> float:
        """exp(sum of NLL / tokens)."""
        return float(math.exp(getattr(self, condition).sum() / self.tokens.sum()))

    def gain(self, worse: str, better: str, generator: random.Random, resamples: int = 2000) -> Interval:
        """Nats a token by which ``better`` is likelier than ``worse``, with its paired interval."""
        first, second = (np.stack([getattr(self, name), self.tokens], axis=1) for name in (better, worse))
        return paired_sums(first, second, mean_of_sums, generator, resamples)


def conditions(learner: str, rows: Sequence[Sequence[float]], seconds: float = 0.0) -> Conditions:
    """From one (oracle, none, wrong, tokens) a dialogue; dialogues without a reply are left out."""
    table = np.array([row for row in rows if row[3] > 0], dtype=np.float64).reshape(-1, 4)
    return Conditions(learner, table[:, 0], table[:, 1], table[:, 2], table[:, 3], seconds)


def claims(found: Conditions, seed: int) -> list[Claim]:
    """oracle < none, oracle < wrong and none < wrong, each as nats a token above 0. ``value`` is the gain, ``control``
    the perplexity that loses; the perplexity that wins is in the text."""
    made = []
    for worse, better in (("none", "oracle"), ("wrong", "oracle"), ("wrong", "none")):
        gain = found.gain(worse, better, random.Random(seed))
        known = gain.low is not None and gain.high is not None
        what = (f"{found.learner}: perplexity {better} {found.perplexity(better):.3f} < {worse} "
                f"{found.perplexity(worse):.3f} on {len(found.tokens)} dialogues ({int(found.tokens.sum())} tokens, "
                f"{found.seconds:.0f} s); value and interval in nats a token")
        made.append(Claim(what, gain.value, 0.0, gain.low is not None and gain.low > 0,
                          found.perplexity(worse), (gain.low, gain.high) if known else None))  # type: ignore[arg-type]
    return made

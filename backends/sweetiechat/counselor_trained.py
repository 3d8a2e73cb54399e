"""Counselor mode ``classifier``: p(s | h) of a trained strategy classifier (spec A.5, mode 3).

    S(s) = log p(s | h) + rebalance * log(1 / frequency of s in the training data)

and then stage and repetition as in every scored mode. With T = 1 and no other term the draw follows p(s | h) itself.
A strategy of the set that the classifier never saw has p = ``FLOOR``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from backends.sweetiechat.cast import Cast
from backends.sweetiechat.counselor_terms import weigh
from backends.sweetiechat.objects import Counsel, Dialogue
from workbench.contract import UserError

FLOOR = 1e-4
"""Least p that a logarithm is taken of (our default)."""


def classified(dialogues: Sequence[Dialogue], cast: Cast) -> list[Counsel]:
    """One decision a dialogue. Raises ``UserError`` for a strategy set that the classifier was not trained for, and
    where ``rebalance`` needs frequencies that it does not tell."""
    trained = cast.trained
    if trained is None:
        raise UserError("counselor is 'classifier' and no classifier is open.",
                        advice="Give one as run:ID/classifier.")
    strange = [key for key in trained.keys if key not in dialogues[0].strategy_set.keys]
    if strange:
        raise UserError(f"The classifier knows {', '.join(strange)}, which the strategy set "
                        f"{dialogues[0].strategy_set.name} does not have.",
                        advice="Choose the strategy set that it was trained on, or another classifier.")
    rebalance = cast.settings.rebalance
    if rebalance and not trained.frequencies:
        raise UserError(f"rebalance is {rebalance:g} and the classifier does not say how frequent its strategies are.",
                        advice="Set rebalance to 0, or train the classifier again.")
    return [weigh(d, terms(trained.chances(d), trained.frequencies, d.strategy_set.keys, rebalance), cast,
                  "classifier") for d in dialogues]


def terms(chances: Mapping[str, float], frequencies: Mapping[str, float], keys: Sequence[str],
          rebalance: float) -> dict[str, dict[str, float]]:
    """The classifier's two terms by strategy: ``history`` is log p, ``classes`` the re-weighting."""
    return {key: {"history": math.log(max(FLOOR, chances.get(key, 0.0))),
                  "classes": -rebalance * math.log(max(FLOOR, frequencies.get(key, 1.0))) if rebalance else 0.0}
            for key in keys}

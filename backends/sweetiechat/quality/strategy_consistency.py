"""Does each supporter turn carry out the strategy that was planned for it? A scorer's opinion, not a truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.quality.verdict import Limits, Verdict, turns_named
from workbench.contract import UserError

Scorer = Callable[[Sequence[str]], Sequence[Mapping[str, float]]]
"""Utterances -> for each a score of every strategy (p(strategy | utterance), or anything that ranks the same)."""
RULE = "strategy_consistency"


def rank(scores: Mapping[str, float], planned: str) -> int:
    """Place of the planned strategy, from 1. A tie counts against it, so that a scorer that knows nothing and gives
    all the same passes nobody. Raises ``UserError`` when the scorer does not know the strategy."""
    if planned not in scores:
        raise UserError(f"The scorer does not know the strategy {planned!r}; it knows {', '.join(scores)}.",
                        advice="Use a scorer that was trained on this strategy set.")
    return sum(score >= scores[planned] for score in scores.values())


def check_strategy_consistency(dialogue: Dialogue, scorer: Scorer | None, limits: Limits) -> Verdict:
    """Value: share of supporter turns whose strategy is among the first ``top_k``, and the other turns (from 0)."""
    planned = [(turn.idx, turn.strategy, turn.text) for turn in dialogue.said_by("supporter") if turn.strategy]
    if scorer is None:
        return Verdict(RULE, None, None, "not checked: no scorer was given")
    if not planned:
        return Verdict(RULE, None, None, "not checked: no turn has a planned strategy")
    scores = scorer([text for _, _, text in planned])
    if len(scores) != len(planned):
        raise UserError(f"The scorer answered {len(scores)} of {len(planned)} utterances; it must answer each.")
    off = [idx for (idx, key, _), row in zip(planned, scores, strict=True) if rank(row, key) > limits.top_k]
    share = 1 - len(off) / len(planned)
    found = f"{share:.0%} of the turns carry out their strategy"
    passed = share >= limits.min_consistent
    reason = found if passed else f"only {found} ({turns_named(off)} do not)"
    return Verdict(RULE, passed, {"share": share, "off": off, "top_k": limits.top_k}, reason)

"""From the terms of a score to a decision: what ``scored`` and ``classifier`` share (spec A.5).

    S'(s) = (what the mode says of s) + stage_weight * [s fits the stage] - repeat_weight * count_last3(s)
    P(s)  = softmax(S' / T) over the ``choice_top_k`` best (all of them for 0); argmax for T = 0, else a draw

Every term is kept in ``Ranked.terms``, and their sum is the score (both rounded to four places).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.objects import Counsel, CounselorMode, Dialogue, Ranked, Stage

LAST = 3


def stage_of(dialogue: Dialogue, max_turns: int) -> Stage:
    """Exploration, comforting, action: thirds of the longest talk (our default after Hill's order of stages)."""
    part = len(dialogue.turns) / max(1, max_turns)
    return "exploration" if part < 1 / 3 else "comforting" if part < 2 / 3 else "action"


def weigh(dialogue: Dialogue, said: Mapping[str, Mapping[str, float]], cast: Cast, mode: CounselorMode,
          notes: Sequence[str] = ()) -> Counsel:
    """The decision from the mode's own terms by strategy (every key of the set), with stage and repetition added."""
    settings = cast.settings
    stage = stage_of(dialogue, settings.max_turns)
    recent = [turn.strategy for turn in dialogue.said_by("supporter")][-LAST:]
    rows: list[tuple[str, float, dict[str, float]]] = []
    for item in dialogue.strategy_set.items:
        terms = {**said[item.key], "stage": settings.stage_weight * (item.stage == stage),
                 "repeat": -settings.repeat_weight * recent.count(item.key)}
        rows.append((item.key, sum(terms.values()), {k: round(v, 4) + 0.0 for k, v in terms.items()}))
    shares = among_best([score for _, score, _ in rows], settings.choice_temperature, settings.choice_top_k)
    ranking = sorted((Ranked(key, round(score, 4), round(share, 4), terms)
                      for (key, score, terms), share in zip(rows, shares, strict=True)), key=lambda r: -r.score)
    chosen = _draw(ranking, cast, dialogue) if settings.choice_temperature > 0 else ranking[0].strategy
    return Counsel(stage, tuple(ranking), chosen, _why(dialogue, ranking, chosen, cast), mode, notes=tuple(notes))


def among_best(scores: Sequence[float], temperature: float, count: int) -> list[float]:
    """:func:`softmax` over the ``count`` best scores, 0 for the others; over all for a count of 0. Of equal scores
    at the border the earlier ones stay."""
    if not 0 < count < len(scores):
        return softmax(scores, temperature)
    best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    shares = dict(zip(best, softmax([scores[i] for i in best], temperature), strict=True))
    return [shares.get(i, 0.0) for i in range(len(scores))]


def softmax(scores: Sequence[float], temperature: float) -> list[float]:
    """exp(score / T) / sum; at T = 0 all on the best."""
    best = max(scores)
    if temperature <= 0:
        return [float(i == scores.index(best)) for i in range(len(scores))]
    weights = [math.exp((score - best) / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]


def _draw(ranking: Sequence[Ranked], cast: Cast, dialogue: Dialogue) -> str:
    rng = cast.generator(seed_of(cast.settings.seed, dialogue.root, len(dialogue.turns), "strategy"))
    return rng.choices([r.strategy for r in ranking], [r.probability for r in ranking])[0]


def _why(dialogue: Dialogue, ranking: Sequence[Ranked], chosen: str, cast: Cast) -> str:
    label = {item.key: item.label(cast.wording.language) for item in dialogue.strategy_set.items}
    own = next(r for r in ranking if r.strategy == chosen)
    other = max((r for r in ranking if r.strategy != chosen), key=lambda r: r.score)
    drawn = "rationale_drawn" if other.score > own.score else "rationale_scored"
    return str(cast.wording.part("counselor")[drawn].format(
        label=label[chosen], score=own.score, probability=own.probability, second=label[other.strategy],
        second_score=other.score))

"""The turns that a supporter is measured at, and what it says there.

A case is a supporter turn of a real dialogue with everything that came before it: the real words, and the real
strategies of the *earlier* supporter turns, as in training. The strategy and the words of the turn itself are not in
the history; only mode ``oracle`` gives the strategy away, which a request must ask for by name. A reply is what a
dialogue would show: written once, then cleaned by the rules of :mod:`clean`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.common.language import Prompt
from backends.sweetiechat.agent import rankings
from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.counselor_scored import scored
from backends.sweetiechat.counselor_terms import softmax, stage_of
from backends.sweetiechat.counselor_trained import classified
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked
from backends.sweetiechat.supporter import supporter_turns
from backends.sweetiechat.train_text import GAP
from backends.sweetiechat.views import view_for

OTHER_ROLE = "seeker"


@dataclass(frozen=True)
class Case:
    """One turn to be measured: the dialogue up to it, its real strategy and its real words."""

    history: Dialogue
    turn: int
    gold: str
    reference: str


@dataclass(frozen=True)
class Prediction:
    """What the model said there; one line of ``predictions.jsonl``. ``said`` is empty where no strategy is used.
    ``probability`` is that of ``said`` by whoever chose it, ``rank`` the place of ``gold`` in the ranking (0: none).
    ``nll`` over ``nll_tokens`` is of the real words after the history and the strategy that was said (natural log,
    without an end token; 0 tokens where the model gives no probabilities)."""

    dialogue: str
    turn: int
    gold: str
    said: str
    probability: float
    rank: int
    reference: str
    response: str
    nll: float
    nll_tokens: int
    tokens: int
    finish: str
    faults: tuple[str, ...] = ()


def cases_of(dialogue: Dialogue, most: int) -> list[Case]:
    """The supporter turns with words and a strategy of the set that answer a seeker turn; of more than ``most`` (0: no
    limit) those that are spread most evenly, the first and the last among them."""
    found = []
    for place, turn in enumerate(dialogue.turns):
        answers = place > 0 and turn.role == "supporter" and dialogue.turns[place - 1].role == OTHER_ROLE
        if answers and turn.text.strip() and turn.strategy in dialogue.strategy_set.keys:
            history = dataclasses.replace(dialogue, turns=dialogue.turns[:place], stop_reason="running", qc={})
            found.append(Case(history, turn.idx, str(turn.strategy), turn.text))
    return spread(found, most)


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """At most ``most`` of them, at even distances."""
    if not 0 < most < len(cases):
        return list(cases)
    if most == 1:
        return [cases[len(cases) // 2]]
    return [cases[round(place * (len(cases) - 1) / (most - 1))] for place in range(most)]


def predict(cases: Sequence[Case], mode: str, cast: Cast,
            cancelled: Callable[[], None] | None = None) -> list[Prediction]:
    """What the model says at every case, in one batch."""
    histories = [case.history for case in cases]
    counsels = decisions(cases, mode, cast)
    made = supporter_turns(histories, counsels, cast, None, cancelled)
    losses = likelihoods(cases, counsels, cast)
    found = []
    for case, counsel, (turn, tokens), (nll, count) in zip(cases, counsels, made, losses, strict=True):
        order = [r.strategy for r in counsel.ranking] if counsel else []
        chances = {r.strategy: r.probability for r in counsel.ranking} if counsel else {}
        said = counsel.chosen if counsel else ""
        found.append(Prediction(
            case.history.id, case.turn, case.gold, said, chances.get(said, 0.0),
            order.index(case.gold) + 1 if case.gold in order else 0, case.reference, turn.text, nll, count, tokens,
            str(turn.meta["finish"]), tuple(turn.meta["faults"])))
    return found


def decisions(cases: Sequence[Case], mode: str, cast: Cast) -> list[Counsel | None]:
    """The strategy of every case by whoever decides in this mode. An agent's own is the likeliest of its p(s | h) (or a
    draw from it), so that every turn has one of the set; a model that is asked in the role-play's prompts is its own
    counselor. Nothing for an agent that knows no strategies."""
    histories = [case.history for case in cases]
    settings = cast.settings
    if cast.agent is not None and cast.agent.variant == "plain":
        return [None] * len(cases)
    if mode == "oracle":
        return [Counsel(stage_of(c.history, settings.max_turns), (), c.gold, "", "oracle") for c in cases]
    if mode == "counselor" or cast.agent is None:
        return [*(classified(histories, cast) if cast.trained else scored(histories, cast))]
    first = histories[0]
    rows = rankings(cast.models["supporter"], [cast.agent.prompt(h) for h in histories], first.strategy_set,
                    first.language)
    return [Counsel(stage_of(h, settings.max_turns), row, chosen(row, h, cast), "", "agent")
            for h, row in zip(histories, rows, strict=True)]


def chosen(ranking: Sequence[Ranked], history: Dialogue, cast: Cast) -> str:
    """The first of a ranking, or a draw from softmax(log p / T)."""
    if cast.settings.choice_temperature <= 0:
        return ranking[0].strategy
    rng = cast.generator(seed_of(cast.settings.seed, history.id, len(history.turns), "strategy"))
    shares = softmax([r.score for r in ranking], cast.settings.choice_temperature)
    return str(rng.choices([r.strategy for r in ranking], shares)[0])


def likelihoods(cases: Sequence[Case], counsels: Sequence[Counsel | None], cast: Cast) -> list[tuple[float, int]]:
    """(NLL, tokens) of the real words of every case after the strategy that was said."""
    if not cast.can_score("supporter"):
        return [(0.0, 0)] * len(cases)
    prompts: list[Prompt] = []
    for case, counsel in zip(cases, counsels, strict=True):
        if cast.agent is not None:
            prompts.append(cast.agent.prompt(case.history, counsel.chosen if counsel else ""))
        else:
            prompt = view_for("supporter", case.history, cast.wording, cast.voice("supporter"), counsel=counsel)
            prompts.append(dataclasses.replace(prompt, prefill=""))
    texts = [[(GAP[case.history.language] if prompt.prefill or prompt.text else "") + " ".join(case.reference.split())]
             for case, prompt in zip(cases, prompts, strict=True)]
    found = cast.models["supporter"].score(prompts, texts)
    return [(-math.fsum(row[0]), len(row[0])) for row in found]

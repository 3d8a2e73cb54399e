"""Counselor mode ``scored``: the language model's probability of each label, with the label's own prior taken off.

    S(s) = mean_k log p(tok_k(s) | prompt(h)) - beta * mean_k log p(tok_k(s) | prompt(null))

The null history is a talk of the same form without content ("..." five times). On 96 turns of ESConv's failed
dialogues SmolLM2's argmax then had a macro-F1 of .24, against .14 with a note that nothing was said, and .07 without
calibration (64 turns): chosen by that measurement, our default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.counselor_terms import weigh
from backends.sweetiechat.objects import Counsel, Dialogue, StrategySet
from backends.sweetiechat.views import view_for


def scored(dialogues: Sequence[Dialogue], cast: Cast, notes: Sequence[str] = ()) -> list[Counsel]:
    """One decision a dialogue, in one call of the model; the null history is scored once for each strategy set."""
    model, voice = cast.models["counselor"], cast.voice("counselor")
    labels = [_labels(d.strategy_set, cast) for d in dialogues]
    prompts = [view_for("counselor", d, cast.wording, voice, task="score") for d in dialogues]
    missing = {_null_key(d): (d, label) for d, label in zip(dialogues, labels, strict=True)
               if _null_key(d) not in cast.nulls}
    prompts += [view_for("counselor", d, cast.wording, voice, task="null") for d, _ in missing.values()]
    found = model.score(prompts, [*labels, *(label for _, label in missing.values())])
    means = [[_mean(tokens) for tokens in row] for row in found]
    for key, row in zip(missing, means[len(dialogues):], strict=True):
        cast.nulls[key] = row
    return [counsel_from_scores(d, row, cast.nulls[_null_key(d)], cast, notes)
            for d, row in zip(dialogues, means, strict=False)]


def counsel_from_scores(dialogue: Dialogue, here: Sequence[float], null: Sequence[float], cast: Cast,
                        notes: Sequence[str] = ()) -> Counsel:
    """The decision from mean log-probabilities per strategy: with this history, and with an empty one."""
    said = {item.key: {"history": given, "prior": -cast.settings.beta * prior}
            for item, given, prior in zip(dialogue.strategy_set.items, here, null, strict=True)}
    return weigh(dialogue, said, cast, "scored", notes)


def _labels(strategies: StrategySet, cast: Cast) -> list[str]:
    template = cast.wording.part("counselor")["score_continuation"]
    return [template.format(label=item.label(cast.wording.language)) for item in strategies.items]


def _null_key(dialogue: Dialogue) -> str:
    return f"{dialogue.strategy_set.name}/{dialogue.strategy_set.version}/{seed_of(*dialogue.strategy_set.items)}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else -math.inf

"""The strategy decision before each supporter turn (spec A.5), for many dialogues at once.

``scored``   S(s) = mean_k log p(tok_k(s) | prompt(h)) - beta * mean_k log p(tok_k(s) | prompt(null)), where the null
             history is a talk of the same form without content ("..." five times). On 96 turns of ESConv's failed
             dialogues SmolLM2's argmax then had a macro-F1 of .24, against .14 with a note that nothing was said,
             and .07 without calibration (64 turns): chosen by that measurement, our default.
             S'(s) = S(s) + stage_weight * stage_bonus(s) - repeat_weight * count_last3(s)
             P(s) = softmax(S' / T); argmax when T = 0, else a draw. All terms are kept in ``Ranked.terms``.
``prompt``   the model answers in JSON; a wrong answer gets one repair call, then ``scored``, then (a model that
             gives no probabilities) the first strategy of the stage that was not used lately. Every fall is noted.
``none``     no decision is asked for.   ``you``: a person's choice, see :mod:`commands`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked, Stage, StrategySet
from backends.sweetiechat.views import view_for
from workbench.contract import Json

LAST = 3
RATIONALE_WORDS = 40


def decide(dialogues: Sequence[Dialogue], cast: Cast, cancelled: Callable[[], None] | None = None) -> list[Counsel]:
    """One decision for each dialogue, in the mode that they were started with (``scored`` where a person who was to
    choose has given the role back)."""
    if dialogues[0].counselor == "prompt":
        return _prompted(dialogues, cast, cancelled)
    return _scored(dialogues, cast, ())


def stage_of(dialogue: Dialogue, max_turns: int) -> Stage:
    """Exploration, comforting, action: thirds of the longest talk (our default after Hill's order of stages)."""
    part = len(dialogue.turns) / max(1, max_turns)
    return "exploration" if part < 1 / 3 else "comforting" if part < 2 / 3 else "action"


def _scored(dialogues: Sequence[Dialogue], cast: Cast, notes: Sequence[str]) -> list[Counsel]:
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


def _labels(strategies: StrategySet, cast: Cast) -> list[str]:
    template = cast.wording.part("counselor")["score_continuation"]
    return [template.format(label=item.label(cast.wording.language)) for item in strategies.items]


def _null_key(dialogue: Dialogue) -> str:
    return f"{dialogue.strategy_set.name}/{dialogue.strategy_set.version}/{seed_of(*dialogue.strategy_set.items)}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else -math.inf


def counsel_from_scores(dialogue: Dialogue, here: Sequence[float], null: Sequence[float], cast: Cast,
                        notes: Sequence[str] = ()) -> Counsel:
    """The decision from mean log-probabilities per strategy: with this history, and with an empty one."""
    settings, items = cast.settings, dialogue.strategy_set.items
    stage = stage_of(dialogue, settings.max_turns)
    recent = [turn.strategy for turn in dialogue.said_by("supporter")][-LAST:]
    rows: list[tuple[str, float, dict[str, float]]] = []
    for item, given, prior in zip(items, here, null, strict=True):
        terms = {"history": given, "prior": -settings.beta * prior,
                 "stage": settings.stage_weight * (item.stage == stage),
                 "repeat": -settings.repeat_weight * recent.count(item.key)}
        rows.append((item.key, sum(terms.values()), {k: round(v, 4) + 0.0 for k, v in terms.items()}))
    shares = softmax([score for _, score, _ in rows], settings.choice_temperature)
    ranking = sorted((Ranked(key, round(score, 4), round(share, 4), terms)
                      for (key, score, terms), share in zip(rows, shares, strict=True)), key=lambda r: -r.score)
    chosen = _draw(ranking, cast, dialogue) if settings.choice_temperature > 0 else ranking[0].strategy
    return Counsel(stage, tuple(ranking), chosen, _why(dialogue, ranking, chosen, cast), "scored", notes=tuple(notes))


def softmax(scores: Sequence[float], temperature: float) -> list[float]:
    """exp(score / T) / sum; at T = 0 all on the best."""
    best = max(scores)
    if temperature <= 0:
        return [float(i == scores.index(best)) for i in range(len(scores))]
    weights = [math.exp((score - best) / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]


def _draw(ranking: Sequence[Ranked], cast: Cast, dialogue: Dialogue) -> str:
    rng = cast.generator(seed_of(cast.settings.seed, dialogue.id, len(dialogue.turns), "strategy"))
    return rng.choices([r.strategy for r in ranking], [r.probability for r in ranking])[0]


def _why(dialogue: Dialogue, ranking: Sequence[Ranked], chosen: str, cast: Cast) -> str:
    label = {item.key: item.label(cast.wording.language) for item in dialogue.strategy_set.items}
    own = next(r for r in ranking if r.strategy == chosen)
    other = max((r for r in ranking if r.strategy != chosen), key=lambda r: r.score)
    drawn = "rationale_drawn" if other.score > own.score else "rationale_scored"
    return str(cast.wording.part("counselor")[drawn].format(
        label=label[chosen], score=own.score, probability=own.probability, second=label[other.strategy],
        second_score=other.score))


def _prompted(dialogues: Sequence[Dialogue], cast: Cast, cancelled: Callable[[], None] | None) -> list[Counsel]:
    answers = _ask(dialogues, cast, "decide", [""] * len(dialogues), cancelled)
    wrong = [i for i, answer in enumerate(answers) if isinstance(answer, str)]
    if wrong:
        again = _ask([dialogues[i] for i in wrong], cast, "repair", [str(answers[i]) for i in wrong], cancelled)
        for i, answer in zip(wrong, again, strict=True):
            answers[i] = answer
    lost = [i for i, answer in enumerate(answers) if isinstance(answer, str)]
    if lost and cast.can_score("counselor"):
        notes = ["no valid JSON after one repair; scored instead"]
        for i, counsel in zip(lost, _scored([dialogues[i] for i in lost], cast, notes), strict=True):
            answers[i] = counsel
    return [answer if isinstance(answer, Counsel) else _default(d, cast, answer)
            for d, answer in zip(dialogues, answers, strict=True)]


def _ask(dialogues: Sequence[Dialogue], cast: Cast, task: str, problems: Sequence[str],
         cancelled: Callable[[], None] | None) -> list[Counsel | str]:
    voice = cast.voice("counselor")
    prompts = [view_for("counselor", d, cast.wording, voice, task=task, problem=p)
               for d, p in zip(dialogues, problems, strict=True)]
    seed = seed_of(cast.settings.seed, len(dialogues[0].turns), task)
    decoding = cast.decoding(seed, max_new_tokens=300, min_new_tokens=0, temperature=0.0, repetition_penalty=1.0,
                             no_repeat_ngram=0)
    replies = cast.models["counselor"].generate(prompts, decoding, None, cancelled)
    return [parse_counsel(reply.text, d, stage_of(d, cast.settings.max_turns))
            for reply, d in zip(replies, dialogues, strict=True)]


def parse_counsel(text: str, dialogue: Dialogue, stage: Stage) -> Counsel | str:
    """Read a JSON decision strictly; what is wrong with it, as text, when it cannot be used.

    A strategy counts only as a whole key or label, never as a word inside other words.
    """
    value = first_object(text)
    if value is None:
        return "there is no JSON object in it"
    names = {name.strip().lower(): item.key for item in dialogue.strategy_set.items
             for name in (item.key, item.label_en, item.label_zh)}
    chosen = names.get(str(value.get("chosen", "")).strip().lower())
    if chosen is None:
        return f"chosen is {str(value.get('chosen'))[:40]!r}"
    scores = _scores(value.get("ranking"), names)
    ranking = sorted((Ranked(key, scores.get(key, 0.0)) for key in dialogue.strategy_set.keys), key=lambda r: -r.score)
    said = str(value.get("stage", "")).strip().lower()
    known: tuple[Stage, ...] = ("exploration", "comforting", "action")
    words = str(value.get("rationale", "")).split()
    return Counsel(next((s for s in known if s == said), stage), tuple(ranking), chosen,
                   " ".join(words[:RATIONALE_WORDS]), "prompt", str(value.get("address", ""))[:200])


def _scores(rows: Json, names: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in rows if isinstance(rows, list) else ():
        key = names.get(str(row.get("strategy", "")).strip().lower()) if isinstance(row, dict) else None
        score = row.get("score") if isinstance(row, dict) else None
        if key and isinstance(score, int | float) and math.isfinite(score):
            found[key] = float(score)
    return found


def first_object(text: str) -> dict[str, Json] | None:
    """The first JSON object in a text, whatever stands around it."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _default(dialogue: Dialogue, cast: Cast, problem: str) -> Counsel:
    stage = stage_of(dialogue, cast.settings.max_turns)
    recent = {turn.strategy for turn in dialogue.said_by("supporter")[-LAST:]}
    items = dialogue.strategy_set.items
    item = next((i for i in items if i.stage == stage and i.key not in recent),
                next((i for i in items if i.key not in recent), items[0]))
    label = item.label(cast.wording.language)
    why = cast.wording.part("counselor")["rationale_default"].format(label=label, stage=stage)
    return Counsel(stage, (), item.key, why, "prompt", notes=(f"no valid JSON after one repair ({problem}); default",))

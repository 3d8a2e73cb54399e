"""Counselor mode ``prompt``: the model answers in JSON, which is read strictly.

A wrong answer gets one repair call, then ``scored``, then (a model that gives no probabilities) the first strategy of
the stage that was not used lately.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

from backends.sweetiechat.cast import Cast, seed_of
from backends.sweetiechat.counselor_scored import scored
from backends.sweetiechat.counselor_terms import LAST, stage_of
from backends.sweetiechat.objects import Counsel, Dialogue, Ranked, Stage
from backends.sweetiechat.views import view_for
from workbench.contract import Json

RATIONALE_WORDS = 40


def prompted(dialogues: Sequence[Dialogue], cast: Cast, cancelled: Callable[[], None] | None) -> list[Counsel]:
    """One decision a dialogue; every fall from JSON to a score or to the default is in its notes."""
    answers = _ask(dialogues, cast, "decide", [""] * len(dialogues), cancelled)
    wrong = [i for i, answer in enumerate(answers) if isinstance(answer, str)]
    if wrong:
        again = _ask([dialogues[i] for i in wrong], cast, "repair", [str(answers[i]) for i in wrong], cancelled)
        for i, answer in zip(wrong, again, strict=True):
            answers[i] = answer
    lost = [i for i, answer in enumerate(answers) if isinstance(answer, str)]
    if lost and cast.can_score("counselor"):
        notes = ["no valid JSON after one repair; scored instead"]
        for i, counsel in zip(lost, scored([dialogues[i] for i in lost], cast, notes), strict=True):
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

"""One round of the evolving pool: prompts about the smallest categories, candidates, rules, and who joined.

A round depends on the pool, its number and the seed only, so a run that was stopped between two rounds goes on as if it
had not been. Candidates are judged one after the other: the second of two that are alike meets the first in the pool.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sweetiechat.objects import ProblemType
from backends.sweetiechat.quality.verdict import Verdict
from backends.sweetiechat.scenarios.fit import Question, fits
from backends.sweetiechat.scenarios.pool import Pool, choose_examples, nearest, parent_of, smallest_categories
from backends.sweetiechat.scenarios.replies import Candidate, types_from_json, types_from_lines
from backends.sweetiechat.scenarios.type_rules import accepted_type, check_type, reasons
from backends.sweetiechat.scenarios.verdicts import passed
from backends.sweetiechat.scenarios.wording import types_prompt
from backends.sweetiechat.scenarios.writer import Writer
from workbench.contract import Json
from workbench.fields import to_json

STOPS = ("target", "dry spell", "rounds")


@dataclass(frozen=True)
class Growth:
    """Where the evolution stands: the pool, rounds done, rounds since the last new type, counts and sizes."""

    pool: Pool
    rounds: int = 0
    dry: int = 0
    rejected: int = 0
    sizes: tuple[int, ...] = ()

    def stop(self, target: int, dry_rounds: int, max_rounds: int) -> str:
        """Why no further round is made; empty while one is."""
        if len(self.pool.types) >= target:
            return "target"
        if self.rounds and self.dry >= dry_rounds:
            return "dry spell"
        return "rounds" if self.rounds >= max_rounds else ""


@dataclass(frozen=True)
class Asked:
    """One prompt of a round and the candidates that came back."""

    category: str
    shown: tuple[ProblemType, ...]
    candidates: tuple[Candidate, ...]


def next_round(state: Growth, writer: Writer) -> tuple[Growth, list[Json]]:
    """The state after one more round, and a line of the log for every candidate that did not join."""
    request, number = writer.request, state.rounds
    rng = writer.rng("round", number)
    asked = _ask(state.pool, writer, rng, number)
    pool, log, accepted = state.pool, list[Json](), 0
    for turn in asked:
        for candidate in turn.candidates:
            if len(pool.types) >= request.target:
                break
            verdicts, parent = judge(candidate, pool, turn.shown, writer)
            if passed(verdicts):
                kind = accepted_type(candidate, pool, parent)
                score, like = nearest(pool, f"{candidate.name}: {candidate.gloss}")
                pool = pool.with_type(kind, _birth(number, score, like, verdicts))
                accepted += 1
            else:
                log.append({"what": "type", "round": number, "reasons": reasons(verdicts),
                            "candidate": to_json(candidate), "verdicts": to_json(verdicts)})
    return Growth(pool, number + 1, 0 if accepted else state.dry + 1, state.rejected + len(log),
                  (*state.sizes, len(pool.types))), log


def _birth(number: int, score: float, like: ProblemType | None, verdicts: Sequence[Verdict]) -> dict[str, Json]:
    margin = next((verdict.value for verdict in verdicts if verdict.rule == "fit"), None)
    return {"round": number, "similarity": round(score, 4), "nearest": like.id if like else None, "fit": margin}


def _ask(pool: Pool, writer: Writer, rng: random.Random, number: int) -> list[Asked]:
    """Lines: one line from each of ``prompts * per_prompt`` prompts, since small models lose the form in a second one.
    JSON: ``per_prompt`` types from each of ``prompts`` prompts."""
    request = writer.request
    each = 1 if writer.wording.lines else request.per_prompt
    categories = smallest_categories(pool, request.prompts * request.per_prompt // each, rng)
    shown = [choose_examples(pool, category, request.examples, rng) for category in categories]
    prompts = [types_prompt(writer.wording, pool, kinds, category, each, f"types/{number}/{place}")
               for place, (category, kinds) in enumerate(zip(categories, shown, strict=True))]
    replies = writer.write(prompts, "types", writer.seed("types", number), each)
    texts = [reply.text for reply in replies]
    if writer.wording.lines:
        found = [types_from_lines(reply.text, reply.finish == "length") for reply in replies]
    else:
        found = _from_json(texts, pool, writer, shown, categories, number)
    return [Asked(category, kinds, tuple(candidates[:each]))
            for category, kinds, candidates in zip(categories, shown, found, strict=True)]


def _from_json(texts: Sequence[str], pool: Pool, writer: Writer, shown: Sequence[tuple[ProblemType, ...]],
               categories: Sequence[str], number: int) -> list[list[Candidate]]:
    """Candidates of JSON replies; a reply that cannot be read gets one repair, then counts as one wrong candidate."""
    found = [types_from_json(text) for text in texts]
    wrong = [place for place, value in enumerate(found) if isinstance(value, str)]
    prompts = [types_prompt(writer.wording, pool, shown[i], categories[i], writer.request.per_prompt,
                            f"types/{number}/{i}/repair", (texts[i], str(found[i]))) for i in wrong]
    seed = writer.seed("repair", number)
    replies = writer.write(prompts, "types", seed, writer.request.per_prompt) if prompts else []
    for place, reply in zip(wrong, replies, strict=True):
        found[place] = types_from_json(reply.text)
    return [value if isinstance(value, list) else [Candidate("", texts[place][:200], "", problem=value)]
            for place, value in enumerate(found)]


def judge(candidate: Candidate, pool: Pool, shown: Sequence[ProblemType],
          writer: Writer) -> tuple[list[Verdict], ProblemType | None]:
    """Every rule's verdict, and the parent that the type would have. ``fit`` is only asked when all else passed."""
    verdicts = check_type(candidate, pool, writer.words, writer.request.max_similarity)
    category = pool.category(candidate.category)
    parent = parent_of(pool, f"{candidate.name}: {candidate.gloss}", category.id if category else "", shown,
                       candidate.parent)
    if passed(verdicts) and writer.request.fit:
        names = [kind.name(pool.language) for kind in shown]
        contexts = [f"{name}:" for name in (candidate.name, *names)]
        verdicts = [*verdicts, *fits(writer.model, [Question(candidate.gloss, contexts[0], tuple(contexts[1:]))])]
    return verdicts, parent

"""The task ``mdfg.toxicity_rounds.v1``: R0 to R2 with a judge in the loop, the control, and the queue for people.

Artifacts: ``scorer`` (the last model), ``judgements.jsonl`` (every judged text with each prompt and raw answer) and
``queue.jsonl`` (texts that the judge could not decide). Judgements are kept as they are made: a run that was killed
asks for none of them again.
"""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from backends.mdfg.labelled import Labelled
from backends.mdfg.practice import YES, practice
from backends.mdfg.scorer_requests import RoundFigures, ToxicityRoundsRequest, ToxicityRoundsResult
from backends.mdfg.scorer_sources import labelled_texts, plain_texts, split
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.toxicity_data import TOXIC, TrainingSet, r0
from backends.mdfg.toxicity_judges import Judge, ModelJudge, SimulatedJudge
from backends.mdfg.toxicity_kept import KeptJudge
from backends.mdfg.toxicity_rounds import HeldOut, Plan, ToxicityRound, judge_against_people, run_rounds
from backends.mdfg.train_scorer_task import batch_of
from workbench.contract import Context, UserError
from workbench.fields import to_json


@dataclasses.dataclass(frozen=True)
class Pool:
    """Texts to be judged; ``toxic`` are human labels, where there are any."""

    texts: tuple[str, ...]
    toxic: tuple[bool, ...] | None


def run(request: ToxicityRoundsRequest, context: Context) -> ToxicityRoundsResult:
    """Read, run the rounds and the control, save. Raises ``UserError`` for data that cannot be learned from, and for a
    simulated judge without known labels."""
    import torch

    from backends.mdfg.scorers.train_ngram import Recipe

    torch.set_num_threads(1)
    began, generator = time.monotonic(), context.generator(request.seed)
    rows, pool, test = sources(request, context, generator)
    start = r0(rows, test=test.texts if test else (), near="drop")
    context.report(0, request.rounds + 1, f"{len(start.texts)} labelled texts, {len(pool.texts)} in the pool")
    recipe = Recipe(batch=batch_of(len(start.texts)))
    asked, close = judge_of(request, pool, context, generator)
    judge = KeptJudge(asked, context.run / "checkpoints" / "judgements.jsonl")
    try:
        plan = Plan(request.rounds, request.budget, recipe=recipe)
        model, rounds = followed(request, start, pool, judge, plan, test, context, "R")
        control: list[ToxicityRound] = []
        if request.control:
            counts = tuple(len(one.judged) for one in rounds[:-1])
            plan = Plan(request.rounds, request.budget, counts, recipe)
            _, control = followed(request, start, pool, judge, plan, test, context, "control ")
    finally:
        close()
    folder = context.run / "artifacts"
    from backends.mdfg.scorers import ngram_files

    card = {"name": "toxicity", "counts": {k: list(v) for k, v in start.counts.items()}, "judge": judge.name}
    ngram_files.save(dataclasses.replace(model, card=card), folder / "scorer")
    context.artifact("scorer", folder / "scorer", "scorer")
    write_judgements(rounds, folder, context)
    compared, count = against(rounds, pool)
    return ToxicityRoundsResult(str(folder / "scorer"), judge.name, tuple(map(shown, rounds)),
                                tuple(map(shown, control)), compared, count, sum(one.tokens for one in rounds),
                                "real data" if request.data else "synthetic", time.monotonic() - began)


def followed(request: ToxicityRoundsRequest, start: TrainingSet, pool: Pool, judge: Judge, plan: Plan,
             test: HeldOut | None, context: Context, word: str) -> tuple[NgramScorer, list[ToxicityRound]]:
    """The rounds, with progress and curves. Rounds and control begin with the same random numbers: their R0 is one."""
    def say(done: ToxicityRound) -> None:
        if done.figures is not None:
            prefix = "" if word == "R" else "control_"
            context.metric(done.number, **{f"{prefix}f1": done.figures.f1, f"{prefix}auc": done.figures.auc or 0.0})
        context.report(done.number, request.rounds + 1, f"{word}{done.number}: {len(done.judged)} judged")
    return run_rounds(start, pool.texts, judge, plan, context.generator(request.seed + 1), test, say)


def sources(request: ToxicityRoundsRequest, context: Context,
            generator: random.Random) -> tuple[list[Labelled], Pool, HeldOut | None]:
    """(labelled rows, pool, test texts): a labelled pool is split in two, an unlabelled one measures nothing."""
    if not request.data:
        rows = as_toxic(practice("toxicity", request.language, request.practice, generator), YES)
        pages = [_page(rows, generator) for _ in range(request.practice)]
        return _parted(rows, pages, request, generator)
    rows = as_toxic(labelled_texts(request.data, request.text_field, request.label_field, context), request.yes)
    if not request.pool:
        raise UserError("There is no pool of texts to judge.", advice="Give references in pool.")
    try:
        pages = as_toxic(labelled_texts(request.pool, request.text_field, request.label_field, context), request.yes)
    except UserError:
        if request.judge == "simulated":
            raise
        return rows, Pool(tuple(plain_texts(request.pool, request.text_field, context)), None), None
    return _parted(rows, pages, request, generator)


def _parted(rows: list[Labelled], pages: Sequence[Labelled], request: ToxicityRoundsRequest,
            generator: random.Random) -> tuple[list[Labelled], Pool, HeldOut | None]:
    rest, held = split(pages, lambda row: row.text, request.test_share, generator)
    pool = Pool(tuple(row.text for row in rest), tuple(TOXIC in row.labels for row in rest))
    return rows, pool, HeldOut(tuple(row.text for row in held), tuple(TOXIC in row.labels for row in held))


def _page(rows: Sequence[Labelled], generator: random.Random) -> Labelled:
    """A long page of several posts; one in four has a toxic post."""
    harmless = [row for row in rows if not row.labels]
    posts = generator.sample(harmless, min(6, len(harmless)))
    toxic = generator.random() < 0.25
    if toxic:
        posts[generator.randrange(len(posts))] = generator.choice([row for row in rows if row.labels])
    return Labelled("\n".join(row.text for row in posts), (TOXIC,) if toxic else (), "practice pages")


def as_toxic(rows: Sequence[Labelled], yes: Sequence[str]) -> list[Labelled]:
    """Rows whose labels are ``toxic`` or nothing."""
    wanted = {label.lower() for label in yes}
    return [dataclasses.replace(row, labels=(TOXIC,) if wanted & {x.lower() for x in row.labels} else ())
            for row in rows]


def judge_of(request: ToxicityRoundsRequest, pool: Pool, context: Context,
             generator: random.Random) -> tuple[Judge, Callable[[], None]]:
    """(the judge that was asked for, what closes it)."""
    if request.judge == "simulated":
        if pool.toxic is None:
            raise UserError("A simulated judge needs the known labels of the pool.",
                            advice="Give a pool with labels, or take a model as the judge.")
        return SimulatedJudge(pool.toxic, request.noise, generator), lambda: None
    from backends.common.language import open_model

    reference = request.model.strip() or context.default_model
    model = open_model(context, reference)
    return ModelJudge(model, reference, request.votes, lambda: context.report(0, 0, "judging")), model.close


def shown(done: ToxicityRound) -> RoundFigures:
    """A round as the result lists it."""
    rest = (len(done.judged), done.found_toxic, done.for_people)
    if done.figures is None:
        return RoundFigures(f"R{done.number}", None, None, None, None, *rest)
    f = done.figures
    return RoundFigures(f"R{done.number}", f.f1, f.auc, f.sure_precision, f.sure_recall, *rest)


def against(rounds: Sequence[ToxicityRound], pool: Pool) -> tuple[float | None, int]:
    """(kappa of the judge against the pool's human labels, texts)."""
    if pool.toxic is None:
        return None, 0
    known = dict(zip(pool.texts, pool.toxic, strict=True))
    judged = [one for done in rounds for one in done.judged]
    return judge_against_people(judged, [known.get(one.text) for one in judged])


def write_judgements(rounds: Sequence[ToxicityRound], folder: Path, context: Context) -> None:
    """Everything a judge saw and said, and what it could not decide."""
    lines = [(done.number + 1, one) for done in rounds for one in done.judged]
    for name, chosen in (("judgements.jsonl", lines), ("queue.jsonl", [x for x in lines if x[1].toxic is None])):
        path = folder / name
        path.write_text("".join(json.dumps({"round": number, **to_json(one)}, ensure_ascii=False) + "\n"
                                for number, one in chosen), encoding="utf-8")
        context.artifact(name, path, "table")

"""The task ``mdfg.train_scorer.v1``: labelled texts in, a scorer with its figures on held-out texts out."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backends.mdfg.domain import decide, empty_row
from backends.mdfg.labelled import Labelled
from backends.mdfg.leakage import without_leaks
from backends.mdfg.metrics_binary import at_threshold, auc, average_precision
from backends.mdfg.metrics_domain import domain_figures
from backends.mdfg.practice import Purpose, practice
from backends.mdfg.scorer_requests import TrainScorerRequest, TrainScorerResult
from backends.mdfg.scorer_sources import labelled_texts, plain_texts, split
from backends.mdfg.scorers.base import Scorer
from backends.mdfg.scorers.calibration import expected_error
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.ust_fit import disjoint
from workbench.contract import Context, Json, UserError

FOLDER = "scorer"
MOST_BATCH = 256
LEAST_HELD = 10
"""Held-out texts that must be left when near-copies are taken out (our default)."""


def run(request: TrainScorerRequest, context: Context) -> TrainScorerResult:
    """Read, split, train, measure, save. Raises ``UserError`` for data that cannot be learned from."""
    began = time.monotonic()
    generator = context.generator(request.seed)
    taught, teacher = lesson(request, context)
    rows = taught if taught and not request.data else read(request, context, generator)
    known, drawn = split(rows, lambda row: row.text, request.held_out, generator)
    if request.data and taught:
        known += [taught[i] for i in without_leaks([row.text for row in drawn], [row.text for row in taught])]
    held, near = fair(request, known, drawn)
    names, train_labels = labels_of(request, known)
    context.report(0, 1, f"{len(known)} texts to learn from, {len(held)} to measure on")
    folder = context.run / "artifacts" / FOLDER
    facts: dict[str, Json] = {"name": request.name, "data": list(request.data or request.pool) or ["practice texts"],
                              "texts": len(known), "provenance": provenance(request), **teacher}
    if request.method == "n-grams":
        scorer = ngram(request, known, train_labels, names, generator, folder, facts, context)
    else:
        scorer = berteval(request, known, train_labels, held, generator, folder, facts, context)
    figures = measured(request, scorer, held, names)
    context.artifact(FOLDER, folder, "scorer")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    context.report(1, 1, "done")
    return TrainScorerResult(str(folder), request.name, scorer.version, scorer.outputs, len(known), len(held), figures,
                             round(size / 1e6, 3), provenance(request), notes(request, held, near, len(drawn)),
                             time.monotonic() - began, near)


def provenance(request: TrainScorerRequest) -> str:
    """What a figure of this run says something about."""
    return "real data" if request.data or request.teacher.strip() else "synthetic"


def lesson(request: TrainScorerRequest, context: Context) -> tuple[list[Labelled], dict[str, Json]]:
    """(texts that the teacher has labelled, what the card says of it); nothing without a teacher."""
    if not request.teacher.strip():
        return [], {}
    from backends.mdfg.distil import distilled
    from backends.mdfg.scorers.opening import open_scorer

    teacher = open_scorer(context.resource(request.teacher.strip()), context.device)
    pool = plain_texts(request.pool, request.text_field, context)
    rows = distilled(pool, teacher, request.teacher_share, request.yes[0], context)
    return rows, {"teacher": {"reference": request.teacher.strip(), "version": teacher.version, "pool": len(pool),
                              "share": request.teacher_share, "texts": len(rows)}}


def read(request: TrainScorerRequest, context: Context, generator: random.Random) -> list[Labelled]:
    """The labelled texts; those without content are left out."""
    if request.data:
        rows = labelled_texts(request.data, request.text_field, request.label_field, context)
    else:
        purpose: Purpose = "toxicity" if request.name == "toxicity" else "quality"
        rows = practice(purpose, request.language, request.practice, generator)
    kept = [row for row in rows if row.text.strip()]
    if len(kept) < 10:
        raise UserError(f"There are {len(kept)} texts with content; a scorer needs at least 10.")
    return kept


def fair(request: TrainScorerRequest, known: Sequence[Labelled],
         held: Sequence[Labelled]) -> tuple[list[Labelled], int]:
    """(held-out texts to measure on, how many of the held-out texts have a near-copy in training).

    Near-copies are taken out, so nothing is measured on what was learned. Where fewer than ``LEAST_HELD`` texts or only
    one of two classes would be left, all stay and :func:`notes` says that the figures are too good."""
    places = without_leaks([row.text for row in known], [row.text for row in held])
    rows, near = [held[place] for place in places], len(held) - len(places)

    def classes(some: Sequence[Labelled]) -> set[bool]:
        return {bool(labels) for labels in labels_of(request, some)[1]}
    enough = len(rows) >= LEAST_HELD and classes(rows) == classes(held)
    return (rows if enough else list(held)), near


def labels_of(request: TrainScorerRequest,
              rows: Sequence[Labelled]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(names of the outputs, the outputs that each text has)."""
    if request.target == "labels":
        return tuple(sorted({label for row in rows for label in row.labels})), [row.labels for row in rows]
    wanted = {label.lower() for label in request.yes}
    return ("score",), [("score",) if wanted & {x.lower() for x in row.labels} else () for row in rows]


def ngram(request: TrainScorerRequest, rows: Sequence[Labelled], labels: Sequence[tuple[str, ...]],
          names: tuple[str, ...], generator: random.Random, folder: Path, facts: dict[str, Json],
          context: Context) -> Scorer:
    """Train and save an n-gram scorer; what is returned was read back from the files."""
    import torch

    from backends.mdfg.scorers import ngram_files
    from backends.mdfg.scorers.train_ngram import Recipe, train
    from backends.mdfg.scorers.train_ngram import labels_of as table_of

    torch.set_num_threads(1)
    plain = Recipe()
    recipe = Recipe(Grams(request.low, request.high, request.bits), dim=request.dim, drop=request.drop,
                    epochs=request.epochs or plain.epochs, batch=batch_of(len(rows)),
                    learning_rate=request.learning_rate or plain.learning_rate)

    def say(step: int, total: int, loss: float) -> None:
        context.metric(step, loss=loss)
        context.report(step, total, f"step {step}, loss {loss:.3f}")
    empty = empty_row(names) if request.target == "labels" else ()
    made = train(request.name, [row.text for row in rows], table_of(labels, names), names, recipe, generator,
                 empty=empty, card=facts, report=say)
    return ngram_files.load(ngram_files.save(made, folder))


def batch_of(texts: int) -> int:
    """256, or for few texts as many as make twenty steps a pass (16 at least)."""
    return min(MOST_BATCH, max(16, texts // 20))


def berteval(request: TrainScorerRequest, rows: Sequence[Labelled], labels: Sequence[tuple[str, ...]],
             held: Sequence[Labelled], generator: random.Random, folder: Path, facts: dict[str, Json],
             context: Context) -> Scorer:
    """Stage 1, stage 2 where there is a pool, save; on the run's device."""
    import torch

    from backends.mdfg.bert_eval import network as files
    from backends.mdfg.bert_eval.scorer import BertEvalScorer
    from backends.mdfg.bert_eval.train import make_network, stage_1, stage_2

    torch.set_num_threads(1)
    path = context.resource(request.encoder) if request.encoder.strip() else None
    network = make_network(path, Grams(request.low, request.high, min(request.bits, 16)), generator, context.device)
    texts, gold = [row.text for row in rows], [float(bool(label)) for label in labels]
    stage_1(network, texts, gold, request.epochs, request.learning_rate, request.margin_ranking, generator, context)
    if request.pool:
        pool = unseen(plain_texts(request.pool, request.text_field, context), [row.text for row in held])
        stage_2(network, pool, [text for text, yes in zip(texts, gold, strict=True) if yes],
                [row.text for row in held], request.rounds, request.scheme, request.margin_ranking, generator, context)
    files.save(network, folder, dict(facts))
    return BertEvalScorer.open(folder, context.device)


def unseen(pool: Sequence[str], test: Sequence[str]) -> list[str]:
    """The texts of a pool that have no near-copy in the test set. Raises ``UserError`` when an equal text is in both,
    and when nothing is left."""
    disjoint(pool, test)
    left = [pool[place] for place in without_leaks(test, pool)]
    if not left:
        raise UserError("Every text of the pool is a near-copy of a text that figures are measured on.",
                        advice="Give another pool.")
    return left


def measured(request: TrainScorerRequest, scorer: Scorer, held: Sequence[Labelled],
             names: tuple[str, ...]) -> dict[str, float | None]:
    """Figures on the held-out texts."""
    table = scorer.score([row.text for row in held])
    if request.target == "labels":
        gold = [row.labels or ("general",) for row in held]
        verdicts = decide(table, names)
        one = domain_figures([(v.single_label,) for v in verdicts], gold)
        several = domain_figures([v.multi_label for v in verdicts], gold)
        return {"top-1 precision": one.precision, "top-1 recall": one.recall, "precision": several.precision,
                "recall": several.recall, "micro-F1": several.micro_f1, "macro-F1": several.macro_f1}
    truth = np.array([bool(label) for label in labels_of(request, held)[1]])
    scores = table[:, 0].astype(np.float64)
    half, sure = at_threshold(scores, truth, 0.5), at_threshold(scores, truth, 0.99)
    return {"accuracy": half.accuracy, "macro-F1": half.macro_f1, "precision": half.precision, "recall": half.recall,
            "AUC": auc(scores, truth), "average precision": average_precision(scores, truth),
            "precision at .99": sure.precision, "recall at .99": sure.recall,
            "calibration error": expected_error(scores, truth)}


def notes(request: TrainScorerRequest, held: Sequence[Labelled], near: int = 0, drawn: int = 0) -> tuple[str, ...]:
    """What a reader of the figures must know; ``near`` of the ``drawn`` texts have a near-copy in training."""
    found = []
    if near and len(held) < drawn:
        found.append(f"{near} of {drawn} held-out texts have a near-copy among the training texts; they were left out.")
    elif near:
        found.append(f"{near} of {drawn} held-out texts have a near-copy among the training texts, too many to leave "
                     "out: the figures are too good.")
    if request.teacher.strip() and not request.data:
        found.append("The labels are the teacher's, of the texts it was surest of: the figures say how well it is "
                     "imitated.")
    elif not request.data:
        found.append("Practice texts are made from a few sentences: the figures say nothing about real text.")
    if len(held) < 200:
        found.append(f"Only {len(held)} texts were held out: figures are rough.")
    if request.method == "berteval" and request.margin_ranking == "official":
        found.append("The official margin ranking loss is always 0.")
    return tuple(found)

"""The task ``sweetiechat.classifier.v1``: cross-validate a strategy classifier by dialogue, then train it on all."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_at_work import FREQUENCIES
from backends.sweetiechat.classifier_features import Case, cases_of
from backends.sweetiechat.classifier_validation import (
    Predicted,
    Predictor,
    cross_validate,
    figures,
    last_turn,
    linear,
    majority,
)
from backends.sweetiechat.metrics.strategy import agreement
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train import default_model, threads_for
from backends.sweetiechat.train_data import read_one, refused
from backends.sweetiechat.train_requests import ClassifierRequest, ClassifierResult, SavedModel, Scored
from backends.sweetiechat.train_text import lines_of
from workbench.contract import Context, Json, UserError
from workbench.files import write_json


def run(request: ClassifierRequest, context: Context) -> ClassifierResult:
    """Read, validate, train, save. Raises ``UserError`` for data of several strategy sets or with too few dialogues."""
    began = time.monotonic()
    dialogues = read(request, context)
    declared = dialogues[0].strategy_set.keys
    cases = [case for place, d in enumerate(dialogues)
             for case in cases_of(lines_of(d), place, request.reads == "history")]
    states = hidden(request, dialogues, cases, context)
    found, plain, first = validate(request, cases, states, context)
    context.report(request.folds, request.folds + 1, "training on all dialogues")
    folder = context.run / "artifacts" / "classifier"
    made = agreement([c.label for c in found.cases], found.said, declared)
    result = ClassifierResult(
        (SavedModel(request.kind, str(folder)),), len({c.dialogue for c in cases}), len(cases),
        scored(found, plain, first, declared, request), {one.key: one.f1 for one in made.strategies}, made.bias,
        made.warnings, time.monotonic() - began)
    save(request, cases, states, folder, result, context)
    predictions = context.run / "artifacts" / "predictions.jsonl"
    predictions.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(found, dialogues)),
                           encoding="utf-8")
    context.artifact("predictions.jsonl", predictions, "table")
    context.artifact("classifier", folder, "classifier")
    context.report(request.folds + 1, request.folds + 1, "done")
    return result


def read(request: ClassifierRequest, context: Context) -> list[Dialogue]:
    """The dialogues that have strategies, all of one strategy set."""
    found: list[Dialogue] = []
    for number, reference in enumerate(request.data):
        found += [d for d in read_one(reference, context)[0]
                  if any(t.strategy for t in d.turns) and not (request.only_accepted and refused(d))]
        context.report(0, request.folds + 1, f"read {number + 1} of {len(request.data)} sources")
    if not found:
        raise UserError("No dialogue of the data has strategies.",
                        advice="Give dialogues whose supporter turns have one.")
    sets = {d.strategy_set.name: d.strategy_set.keys for d in found}
    if len(set(sets.values())) > 1:
        raise UserError(f"The data use the strategy sets {', '.join(sorted(sets))}; a classifier needs one.",
                        advice="Train one classifier for each set.")
    return found


def hidden(request: ClassifierRequest, dialogues: Sequence[Dialogue], cases: Sequence[Case],
           context: Context) -> Mapping[int, Any]:
    """State of each case by ``id``; empty where no language model is asked for."""
    if request.kind == "linear":
        return {}
    import torch

    from backends.sweetiechat.classifier_lm import Reader, index, read_all

    torch.set_num_threads(threads_for(context))
    reader = Reader(context.resource(request.model.strip() or default_model(context)), context.device)
    return index(cases, read_all(reader, dialogues, request.reads, lambda done: context.report(
        0, request.folds + 1, f"the model has read {done} of {len(dialogues)} dialogues")))


def predictor(request: ClassifierRequest, states: Mapping[int, Any]) -> Predictor:
    """Train on known cases, answer asked ones, in the way that is asked for."""
    words = linear(request.reads, request.strength, request.gamma)
    if request.kind == "linear":
        return words
    from backends.sweetiechat.classifier_lm import together, train_head

    def predict(known: Sequence[Case], asked: Sequence[Case]) -> list[dict[str, float]]:
        head = train_head(np.stack([states[id(c)] for c in known]), [c.label for c in known], request.reads,
                          gamma=request.gamma)
        table = head.scores(np.stack([states[id(c)] for c in asked]))
        if request.kind == "both":
            other = words(known, asked)
            table = together(table, np.array([[row[key] for key in head.keys] for row in other]))
        return [dict(zip(head.keys, row.tolist(), strict=True)) for row in table]
    return predict


def validate(request: ClassifierRequest, cases: Sequence[Case], states: Mapping[int, Any],
             context: Context) -> tuple[Predicted, Predicted, Predicted]:
    """Out-of-fold predictions of the classifier and of the two baselines."""
    total = request.folds + 1
    found = cross_validate(cases, predictor(request, states), request.folds, request.seed,
                           lambda fold: context.report(fold, total, f"fold {fold + 1} of {request.folds}"))
    plain = cross_validate(cases, majority, request.folds, request.seed)
    alone = last_turn(cases) if request.reads == "history" else cases
    first = cross_validate(alone, linear(request.reads, request.strength, request.gamma), request.folds, request.seed,
                           lambda fold: context.report(request.folds, total, f"baseline, fold {fold + 1}"))
    return found, plain, first


def scored(found: Predicted, plain: Predicted, first: Predicted, declared: Sequence[str],
           request: ClassifierRequest) -> tuple[Scored, ...]:
    """The figures of all three side by side."""
    mine, low, words = (figures(p, declared, request.seed, request.resamples) for p in (found, plain, first))
    return tuple(Scored(name, value.value, value.low, value.high, low[name].value, words[name].value)
                 for name, value in mine.items())


def save(request: ClassifierRequest, cases: Sequence[Case], states: Mapping[int, Any], folder: Path,
         result: ClassifierResult, context: Context) -> None:
    """Train on every case and write it down."""
    facts: dict[str, Json] = {"dialogues": result.dialogues, "turns": result.turns, "data": list(request.data),
                              "macro_f1": next(s.value for s in result.figures if s.name == "macro_f1")}
    folder.mkdir(parents=True, exist_ok=True)
    counts = Counter(case.label for case in cases)
    write_json(folder / FREQUENCIES, {key: count / len(cases) for key, count in sorted(counts.items())})
    if request.kind != "lm":
        train_linear(cases, request.reads, request.strength, request.gamma, facts).save(folder)
    if request.kind != "linear":
        from backends.sweetiechat.classifier_lm import train_head

        train_head(np.stack([states[id(c)] for c in cases]), [c.label for c in cases], request.reads,
                   request.model.strip() or default_model(context), request.gamma).save(folder)


def rows(found: Predicted, dialogues: Sequence[Dialogue]) -> list[dict[str, Json]]:
    """One line a turn: dialogue, gold and said strategy, whether gold was among the first three."""
    return [{"dialogue": dialogues[case.dialogue].id, "turn": len(case.lines), "gold": case.label, "said": said,
             "near": near} for case, said, near in zip(found.cases, found.said, found.near, strict=True)]

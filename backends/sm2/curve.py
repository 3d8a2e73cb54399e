"""The task ``sm2.curve.v1``: a test set by several policies, BLEU and latency with intervals, logs for SimulEval.

Intervals are percentiles of the bootstrap over sentences; all policies are resampled with the same draws, so curves can
be compared point by point. BLEU is the corpus BLEU of each draw (from sufficient statistics), latency the mean.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.common.mt.paired import bootstrap_scores
from backends.common.mt.scores import Array, Scorer, mean_statistics, scorer, segment_scorer
from backends.sm2.alignment import sufficiency
from backends.sm2.corpora import as_text, read_parallel
from backends.sm2.decode import translate
from backends.sm2.latency import mean
from backends.sm2.logs import Log, line_of
from backends.sm2.order_language import Language, sentences
from backends.sm2.policy import Policy, Trace
from backends.sm2.requests import CurveRequest, CurveResult, Point
from backends.sm2.storage import Translator
from backends.sm2.translate import check_ready, logged, open_model
from workbench.contract import Context
from workbench.fields import to_json
from workbench.files import write_json, write_text

TEST_SEED = 990_001
"""Sentences of the order language that no training seed makes (ours)."""


@dataclass(frozen=True)
class Chosen:
    """Source ids and texts, references, and what each target token needs where that is known."""

    ids: list[list[int]]
    source: tuple[str, ...]
    references: tuple[str, ...]
    reference_ids: list[list[int]]
    needed: list[tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Measured:
    """A policy's point with the statistics that it was made from."""

    point: Point
    logs: list[Log]
    traces: list[Trace]
    bleu: Array


def run(request: CurveRequest, context: Context) -> CurveResult:
    """Translate and measure. Raises ``UserError`` for files that do not match, or a threshold without confidence."""
    context.report(0, 0, "opening the model")
    translator = open_model(request.model, context)
    policies = policies_of(request)
    for policy in policies:
        check_ready(translator, policy.kind)
    test = chosen_set(request, translator, context)
    metric = scorer("bleu", [test.references], request.language)
    found = []
    for number, policy in enumerate(policies):
        found.append(measure(translator, test, policy, metric, request, context, (number, len(policies))))
    folder = context.run / "artifacts"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for one in found:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", one.point.policy).strip("-").lower() + ".log"
        write_text(folder / "logs" / name, "\n".join(line_of(log) for log in one.logs) + "\n")
        context.artifact(f"logs/{name}", folder / "logs" / name, "simuleval")
    result = CurveResult(tuple(one.point for one in found), metric.signature, len(test.ids))
    write_json(folder / "curve.json", to_json(result))
    context.artifact("curve.json", folder / "curve.json", "curve")
    return result


def policies_of(request: CurveRequest) -> list[Policy]:
    """The policies that are asked for, the most eager first."""
    common = {"min_read": request.min_read, "forbid_early_end": request.forbid_early_end}
    found = [Policy("sm2", threshold=t, **common) for t in sorted(request.thresholds)]  # type: ignore[arg-type]
    kind = "multipath" if request.multipath else "wait-k"
    found += [Policy(kind, k=k, **common) for k in sorted(request.waits)]  # type: ignore[arg-type]
    return [*found, *([Policy("full")] if request.full else [])]


def chosen_set(request: CurveRequest, translator: Translator, context: Context) -> Chosen:
    """The sentences that are translated."""
    needed = None
    if request.source:
        text = read_parallel((request.source,), (request.target,), False, context)
    else:
        made = sentences(Language(), request.sentences, context.generator(TEST_SEED))
        text, needed = as_text(Language(), made), [one.needed for one in made]
    source, target = text.source[:request.sentences], text.target[:request.sentences]
    encode = translator.vocabulary.encode
    return Chosen([encode(line) for line in source], source, target, [encode(line, target=True) for line in target],
                   needed)


def measure(translator: Translator, test: Chosen, policy: Policy, metric: Scorer, request: CurveRequest,
            context: Context, place: tuple[int, int] = (0, 1)) -> Measured:
    """One policy on the test set."""
    began = time.monotonic()
    traces = translate(translator.model, test.ids, policy, request.rows,
                       lambda: context.report(*place, f"translating: {policy.label}"))
    seconds = time.monotonic() - began
    logs = [logged(i, trace, test.ids[i], test.source[i], translator, test.references[i])
            for i, trace in enumerate(traces)]
    statistics = metric.statistics([log.prediction for log in logs])
    words = [log.words() for log in logs]
    tokens = [log.tokens(len(test.reference_ids[i])) for i, log in enumerate(logs)]
    low, high = interval(metric, statistics, request)
    lags = mean_statistics([one.al for one in words])
    al_low, al_high = interval(segment_scorer("AL"), lags, request)
    exact = np.mean([log.prediction == reference for log, reference in zip(logs, test.references, strict=True)])
    enough = [] if test.needed is None else [s for s in map(sufficiency, (t.delays for t in traces), test.needed)
                                             if s is not None]
    setting = {"sm2": policy.threshold, "full": 0.0}.get(policy.kind, float(policy.k))
    point = Point(policy.label, policy.kind, setting, float(metric.score(statistics.sum(0))), low, high,
                  _plain(mean(words).values()), al_low, al_high, _plain(mean(tokens).values()), float(exact),
                  float(np.mean(enough)) if enough else None, mean(words).undefined, round(seconds, 3))
    return Measured(point, logs, traces, statistics)


def interval(metric: Scorer, statistics: Array, request: CurveRequest) -> tuple[float, float]:
    """95 % of the bootstrap over sentences."""
    draws = bootstrap_scores(metric, {"": statistics}, request.resamples, request.seed)[""]
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    return float(low), float(high)


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def token_accuracy(traces: Sequence[Trace], references: Sequence[Sequence[int]]) -> float:
    """Share of reference tokens (end token included) that stand at their place in the output."""
    hits = sum(a == b for trace, wanted in zip(traces, references, strict=True)
               for a, b in zip(trace.tokens, wanted, strict=False))
    return hits / max(1, sum(map(len, references)))

"""The task ``sm2.curve.v1``: a test set by several policies, BLEU and latency with intervals, logs for SimulEval.

Intervals are percentiles of the bootstrap over sentences; all policies are resampled with the same draws, so curves can
be compared point by point. BLEU is the corpus BLEU of each draw (from sufficient statistics), latency the mean.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.common.mt.paired import bootstrap_scores
from backends.common.mt.scores import Array, Scorer, mean_statistics, scorer, segment_scorer
from backends.sm2.alignment import Dictionary, dictionary, sufficiency
from backends.sm2.compare_curves import STATISTICS, save_statistics
from backends.sm2.corpora import as_text, read_parallel
from backends.sm2.decode import translate
from backends.sm2.frontier import Cloud, gains
from backends.sm2.latency import mean
from backends.sm2.logs import Log, line_of
from backends.sm2.order_language import Language, sentences
from backends.sm2.policy import Policy, Trace
from backends.sm2.requests import CurveRequest, CurveResult, Gain, Point
from backends.sm2.storage import Translator
from backends.sm2.translate import check_ready, logged, open_model
from workbench.contract import Context
from workbench.fields import to_json
from workbench.files import dumps, write_json, write_text

TEST_SEED = 990_001
"""Sentences of the order language that no training seed makes (ours)."""


@dataclass(frozen=True)
class Chosen:
    """Source ids and texts, references, and what each target token needs: known, or by a dictionary for words."""

    ids: list[list[int]]
    source: tuple[str, ...]
    references: tuple[str, ...]
    reference_ids: list[list[int]]
    needed: list[tuple[int, ...]] | None = None
    dictionary: Dictionary | None = None


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
    context.report(len(policies), len(policies), "comparing the policies")
    folder = context.run / "artifacts"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for one in found:
        name = re.sub(r"[^A-Za-z0-9.]+", "-", one.point.policy).strip("-").lower() + ".log"
        write_text(folder / "logs" / name, "\n".join(line_of(log) for log in one.logs) + "\n")
        context.artifact(f"logs/{name}", folder / "logs" / name, "simuleval")
    result = CurveResult(tuple(one.point for one in found), metric.signature, len(test.ids),
                         gained(found, metric, request), fingerprint(test, metric))
    save_statistics(folder / STATISTICS, [cloud_of(one) for one in found])
    context.artifact(STATISTICS, folder / STATISTICS, "statistics")
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
                   needed, None if needed else dictionary(source, target))


def enough(test: Chosen, logs: Sequence[Log], traces: Sequence[Trace]) -> list[float]:
    """Sufficiency of each sentence where it can be told."""
    if test.needed:
        found = [sufficiency(trace.delays, needed) for trace, needed in zip(traces, test.needed, strict=True)]
    elif test.dictionary:
        found = [sufficiency(log.delays, test.dictionary.needed(log.source, log.prediction)) for log in logs]
    else:
        found = []
    return [share for share in found if share is not None]


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
    shares = enough(test, logs, traces)
    setting = {"sm2": policy.threshold, "full": 0.0}.get(policy.kind, float(policy.k))
    point = Point(policy.label, policy.kind, setting, float(metric.score(statistics.sum(0))), low, high,
                  _plain(mean(words).values()), al_low, al_high, _plain(mean(tokens).values()), float(exact),
                  float(np.mean(shares)) if shares else None, mean(words).undefined, round(seconds, 3))
    return Measured(point, logs, traces, statistics)


def cloud_of(measured: Measured) -> Cloud:
    """BLEU's statistics and AL of words, sentence by sentence."""
    return Cloud(measured.bleu, [log.words().al for log in measured.logs])


def gained(found: Sequence[Measured], metric: Scorer, request: CurveRequest) -> tuple[Gain, ...]:
    """SM2's thresholds over the model's own wait-k and full sentence; nothing when either is missing."""
    clouds = {one.point.policy: (one.point.kind, cloud_of(one)) for one in found}
    tested = {name: cloud for name, (kind, cloud) in clouds.items() if kind == "sm2"}
    family = {name: cloud for name, (kind, cloud) in clouds.items() if kind != "sm2"}
    if not tested or len(family) < 2:
        return ()
    return tuple(gains(tested, family, metric, request.resamples, request.seed))


def fingerprint(test: Chosen, metric: Scorer) -> str:
    """Of the sentences, their references and the way they are scored."""
    return hashlib.sha256(dumps([test.source, test.references, metric.signature]).encode()).hexdigest()[:16]


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

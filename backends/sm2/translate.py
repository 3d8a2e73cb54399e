"""The tasks ``sm2.translate.v1`` (many lines, a log for each) and ``sm2.states.v1`` (all states of one sentence)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

from backends.sm2.decode import check, translate
from backends.sm2.latency import mean
from backends.sm2.logs import Log, make_log
from backends.sm2.objective import floor
from backends.sm2.policy import Policy, Trace
from backends.sm2.requests import PolicyFields, StatesRequest, StatesResult, Translated, TranslateRequest
from backends.sm2.states import Session, whole
from backends.sm2.storage import Translator, open_translator
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json

PRACTICE = Path(__file__).parents[2] / "assets" / "sm2" / "order-language"
TOGETHER = 16


def open_model(reference: str, context: Context) -> Translator:
    """The model that is named, on the device of the run."""
    return open_translator(model_folder(reference, context), context.device)


def model_folder(reference: str, context: Context) -> Path:
    """The folder of a model; ``practice`` is the small one of the order language that comes with the project."""
    return PRACTICE if reference == "practice" else context.resource(reference)


def policy_of(fields: PolicyFields) -> Policy:
    """The policy of a request."""
    return Policy(fields.kind, fields.threshold, fields.k, fields.min_read, fields.forbid_early_end)


def check_ready(translator: Translator, kind: str) -> None:
    """Refuse a threshold on a confidence that was never trained."""
    if kind == "sm2" and not translator.ready:
        raise UserError(f"{translator.title} has no trained confidence, so SM2's threshold means nothing with it.",
                        advice="Fine-tune it with the objective sm2, or choose wait-k or full.")


def log_json(log: Log) -> dict[str, Json]:
    """A log with its latencies, as the page shows it."""
    return {**to_json(log), "words": _finite(log.words().values()), "tokens": _finite(log.tokens().values())}


def _finite(values: dict[str, float]) -> dict[str, Json]:
    return {name: round(value, 4) if math.isfinite(value) else None for name, value in values.items()}


def run(request: TranslateRequest, context: Context) -> Iterator[Json]:
    """Yield ``{"log": ...}`` for every line in order, and ``{"done": ...}``. Raises ``UserError`` for no text."""
    began = time.monotonic()
    lines = [line.strip() for line in request.text.split("\n") if line.strip()]
    if not lines:
        raise UserError("There is no text to translate.", advice="Write one sentence a line.")
    translator, policy, logs = open_model(request.model, context), policy_of(request.policy), list[Log]()
    check_ready(translator, policy.kind)
    ids = [translator.vocabulary.encode(line) for line in lines]
    check(translator.model, ids, policy)
    for start in range(0, len(lines), TOGETHER):
        places = range(start, min(len(lines), start + TOGETHER))
        traces = translate(translator.model, [ids[i] for i in places], policy, TOGETHER,
                           lambda done=start: context.report(done, len(lines), "translating"))  # type: ignore[misc]
        for place, trace in zip(places, traces, strict=True):
            logs.append(logged(place, trace, ids[place], lines[place], translator))
            yield {"log": log_json(logs[-1])}
    al = mean([log.words() for log in logs if log.source_length]).al
    yield {"done": to_json(Translated(len(logs), round(al, 4) if math.isfinite(al) else None,
                                      round(time.monotonic() - began, 3)))}


def logged(place: int, trace: Trace, ids: list[int], line: str, translator: Translator, reference: str = "") -> Log:
    """The log of a trace by this model."""
    return make_log(place, trace, ids, line, reference, translator.vocabulary, translator.model.shape.end)


def states(request: StatesRequest, context: Context) -> StatesResult:
    """Compute all states and every different translation of a sentence."""
    context.report(0, 0, "computing the states")
    translator = open_model(request.model, context)
    line = " ".join(request.text.split())
    ids = translator.vocabulary.encode(line)
    session = Session(translator.model, ids)
    base = Policy("sm2", min_read=request.min_read, k=request.k, forbid_early_end=request.forbid_early_end)
    found = session.sweep(base) if translator.ready else []
    ranges: list[dict[str, Json]] = []
    grids: list[Json] = []
    for one in found:
        context.report(len(grids), len(found), "states of each translation")
        ranges.append({"low": one.low, "high": one.high, "log": log_json(logged(0, one.trace, ids, line, translator))})
        grids.append([[round(c, 4) for c in row] for row in session.grid(one.trace.tokens)])
    overlay: dict[str, Json] = {}
    for kind in ("wait-k", "full"):
        policy = Policy(kind, k=request.k, forbid_early_end=request.forbid_early_end)
        overlay[policy.label] = log_json(logged(0, session.trace(policy), ids, line, translator))
    return StatesResult(tuple(translator.vocabulary.pieces(ids)), tuple(ranges), tuple(grids), overlay,
                        translator.ready, floor(translator.alpha),
                        not found or whole(found))

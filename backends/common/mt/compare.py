"""The task ``common.compare.v1``: files in, scores with their tests out (``comparison.json``, ``segments.jsonl``)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.common.mt import bias, buckets, segments
from backends.common.mt.campaigns import read_pearmut
from backends.common.mt.correlation import Correlation, correlate
from backends.common.mt.human import Ratings, system_scores
from backends.common.mt.human_wmt import read_da, read_esa, read_mqm
from backends.common.mt.paired import AllPairs, all_pairs
from backends.common.mt.practice import practice
from backends.common.mt.reading import decoded
from backends.common.mt.requests import CompareRequest, CompareResult, SystemRow
from backends.common.mt.scores import Array, Scorer, scorer, sentence
from backends.common.mt.uploads import Comparison, Role, Upload, gather
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_json, write_text


@dataclass(frozen=True)
class Scored:
    """One metric over all systems: its statistics and its tests."""

    metric: Scorer
    statistics: dict[str, Array]
    tests: AllPairs


def run(request: CompareRequest, context: Context) -> CompareResult:
    """Compare as asked. Raises ``UserError`` for files that cannot be compared, naming every reason."""
    began = time.monotonic()
    context.report(0, 0, "reading the files")
    comparison, remarks = read(request, context)
    if not comparison.references:
        raise UserError("There is no reference, so no score can be computed.", advice="Add a file of references.")
    scored = [score(name, comparison, request, context) for name in request.metrics]
    flags = bias.flags(bias.likeness(comparison.systems, comparison.references), comparison.size)
    context.report(0, 0, "human scores")
    people = correlations(scored, request, context)
    warnings = [*remarks, *(one.metric.warning for one in scored if one.metric.warning), *(f.text for f in flags)]
    write(scored, comparison, request, people, warnings, context)
    rows = tuple(row for one in scored for row in rows_of(one))
    return CompareResult(comparison.size, len(comparison.references),
                         {one.metric.name: one.metric.signature for one in scored}, rows, tuple(warnings),
                         round(time.monotonic() - began, 2))


def read(request: CompareRequest, context: Context) -> tuple[Comparison, list[str]]:
    """The comparison of the files that are named, and remarks on what was put right."""
    if not request.systems:
        if request.references or request.source:
            raise UserError("There are references or a source, but no system.", advice="Name files of translations.")
        return practice(), []
    roles: list[tuple[str, Role]] = [(name, "system") for name in request.systems]
    roles += [(name, "reference") for name in request.references]
    roles += [(name, "source") for name in [request.source] if name]
    roles += [(name, "domain") for name in [request.domains] if name]
    gathered = gather([_upload(name, role, context) for name, role in roles])
    if gathered.comparison is None:
        raise UserError(" ".join(gathered.problems),
                        advice="Nothing was changed; put the files right and compare again.")
    return gathered.comparison, [f"{note.file}{f', line {note.line}' if note.line else ''}: {note.text}"
                                 for note in gathered.notes]


def _upload(reference: str, role: Role, context: Context) -> Upload:
    path = context.resource(reference)
    try:
        return Upload(path.name, Path(path).read_bytes(), role)
    except OSError as error:
        raise UserError(f"{reference} cannot be read: {error.strerror}.", advice="Name a file.") from error


def score(name: str, comparison: Comparison, request: CompareRequest, context: Context) -> Scored:
    """One metric with its statistics for every system, and all pairs tested."""
    context.report(0, 0, f"{name}: references")
    metric = scorer(name, list(comparison.references.values()), request.language, request.tokenizer)
    total = len(comparison.systems)
    statistics = {}
    for number, (system, lines) in enumerate(comparison.systems.items()):
        context.report(number, total, f"{name}: {system}")
        statistics[system] = metric.statistics(lines)
    tests = all_pairs(metric, statistics, request.resamples, request.trials, request.seed, request.level,
                      lambda: context.report(total, total, f"{name}: testing pairs"))
    return Scored(metric, statistics, tests)


def rows_of(scored: Scored) -> list[SystemRow]:
    """The table of a metric, best system first."""
    wins = scored.tests.wins
    rows = [SystemRow(scored.metric.name, e.system, e.score, e.low, e.high,
                      sum(value > 0 for value in wins[e.system].values()),
                      sum(value < 0 for value in wins[e.system].values())) for e in scored.tests.estimates]
    return sorted(rows, key=lambda row: -scored.metric.sign * row.score)


def read_human(request: CompareRequest, context: Context) -> Ratings | None:
    """The human scores that are named, if any."""
    if not request.human:
        return None
    path = context.resource(request.human)
    text, _ = decoded(path.name, Path(path).read_bytes())
    if request.human_format == "pearmut":
        try:
            return read_pearmut(json.loads(text), path.name).ratings
        except ValueError as error:
            raise UserError(f"{path.name} is not valid JSON ({error}).") from error
    if request.human_format == "wmt-esa":
        source, _, target = request.human_pair.partition("-")
        return read_esa(text, path.name, source, target)
    return read_da(text, path.name) if request.human_format == "wmt-da" else read_mqm(text, path.name)


def correlations(scored: Sequence[Scored], request: CompareRequest, context: Context) -> list[Correlation]:
    """Every metric against the human scores, if there are any."""
    ratings = read_human(request, context)
    if ratings is None:
        return []
    found = []
    for one in scored:
        corpus = {e.system: e.score for e in one.tests.estimates}
        each = {name: sentence(one.metric, table) for name, table in one.statistics.items()}
        found.append(correlate(one.metric.name, corpus, each, ratings, one.metric.sign))
    write_json(context.run / "artifacts" / "human.json", {
        "protocol": ratings.protocol, "notes": list(ratings.notes),
        "systems": to_json(system_scores(ratings)), "correlations": to_json(found)})
    context.artifact("human.json", context.run / "artifacts" / "human.json", "human scores")
    return found


def bucketed(scored: Scored, comparison: Comparison, parts: int) -> dict[str, Json]:
    """The buckets that the data allows: by length of the reference, rarity of the source, domain."""
    reference = next(iter(comparison.references.values()))
    found = {"length": buckets.by_value(buckets.lengths(reference), "words", scored.metric, scored.statistics, parts)}
    if comparison.source is not None:
        found["source frequency"] = buckets.by_value(buckets.rarity(comparison.source), "times", scored.metric,
                                                     scored.statistics, parts)
    if comparison.domains is not None:
        found["domain"] = buckets.by_label(comparison.domains, scored.metric, scored.statistics)
    return {name: [{**to_json(bucket), "small": bucket.small} for bucket in row] for name, row in found.items()}


def write(scored: Sequence[Scored], comparison: Comparison, request: CompareRequest, people: Sequence[Correlation],
          warnings: Sequence[str], context: Context) -> None:
    """Write and list the artifacts."""
    folder = context.run / "artifacts"
    folder.mkdir(exist_ok=True)
    context.report(0, 0, "writing the tables")
    write_json(folder / "comparison.json", {
        "systems": list(comparison.systems), "references": list(comparison.references), "segments": comparison.size,
        "warnings": list(warnings), "metrics": {one.metric.name: {
            "signature": one.metric.signature, "tokenizer": one.metric.tokenizer, "warning": one.metric.warning,
            "tests": to_json(one.tests), "buckets": bucketed(one, comparison, request.parts)} for one in scored},
        "correlations": to_json(people)})
    context.artifact("comparison.json", folder / "comparison.json", "comparison")
    each = {name: sentence(scored[0].metric, table) for name, table in scored[0].statistics.items()}
    ranked = segments.by_disagreement(each, scored[0].metric.sign)
    lines = [dumps({**to_json(row), "metric": scored[0].metric.name, **_texts(row.index, comparison)})
             for row in ranked]
    write_text(folder / "segments.jsonl", "\n".join(lines) + "\n")
    context.artifact("segments.jsonl", folder / "segments.jsonl", "segments")


def _texts(index: int, comparison: Comparison) -> Mapping[str, Json]:
    return {"source": comparison.source[index] if comparison.source else None,
            "references": {name: lines[index] for name, lines in comparison.references.items()},
            "translations": {name: lines[index] for name, lines in comparison.systems.items()}}

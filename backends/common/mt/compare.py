"""The task ``common.compare.v1``: files in, scores with their tests out (``comparison.json``, ``segments.jsonl``)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backends.common.mt import bias, buckets, export, segments
from backends.common.mt.correlation import Correlation
from backends.common.mt.exports import exports
from backends.common.mt.neural import measured
from backends.common.mt.paired import Scored, all_pairs, too_coarse
from backends.common.mt.people import against, read_human
from backends.common.mt.practice import practice
from backends.common.mt.reading import within
from backends.common.mt.requests import NEURAL, CompareRequest, CompareResult, SystemRow
from backends.common.mt.roles import choices
from backends.common.mt.scores import Array, Scorer, scorer, sentence
from backends.common.mt.uploads import Comparison, Role, Upload, gather, with_choices
from backends.common.mt.words import language_of
from workbench.contract import Context, Json, UserError
from workbench.fields import to_json
from workbench.files import dumps, write_json, write_text


def run(request: CompareRequest, context: Context) -> CompareResult:
    """Compare as asked. Raises ``UserError`` for files that cannot be compared, naming every reason."""
    began = time.monotonic()
    context.report(0, 0, "reading the files")
    comparison, remarks = read(request, context)
    if not comparison.references:
        raise UserError("There is no reference, so no score can be computed.", advice="Add a file of references.")
    if not request.language:
        request = replace(request, language=language_of(next(iter(comparison.references.values()))))
    ratings = read_human(request, comparison, context)
    extra = exports(request, comparison, ratings)
    scored = [score(name, comparison, request, context) for name in request.metrics]
    flags = bias.flags(bias.likeness(comparison.systems, comparison.references), comparison.size)
    people = against(scored, ratings, context)
    coarse = too_coarse(len(comparison.systems), request.resamples, request.trials, request.level)
    warnings = [*(f.text for f in flags), *(one.metric.warning for one in scored if one.metric.warning),
                *([coarse] if coarse else []), *remarks, *people.remarks]  # the weightiest first: a page folds the rest
    rows = tuple(row for one in scored for row in rows_of(one))
    write(scored, comparison, request, Told(people.correlations, tuple(warnings), tuple(flags), rows, extra), context)
    return CompareResult(comparison.size, len(comparison.references),
                         {one.metric.name: one.metric.signature for one in scored}, rows, tuple(warnings),
                         round(time.monotonic() - began, 2))


def read(request: CompareRequest, context: Context) -> tuple[Comparison, list[str]]:
    """The comparison of the files that are named, and remarks on what was put right."""
    if request.files:
        return _compared([_chosen(number, name, request, context) for number, name in enumerate(request.files, 1)])
    if not request.systems:
        if request.references or request.source:
            raise UserError("There are references or a source, but no system.", advice="Name files of translations.")
        return practice(), []
    roles: list[tuple[str, Role]] = [(name, "system") for name in request.systems]
    roles += [(name, "reference") for name in request.references]
    roles += [(name, "source") for name in [request.source] if name]
    roles += [(name, "domain") for name in [request.domains] if name]
    return _compared([_upload(name, role, context) for name, role in roles])


def _compared(uploads: Sequence[Upload]) -> tuple[Comparison, list[str]]:
    gathered = gather(uploads)
    if gathered.comparison is None:
        raise UserError(" ".join(gathered.problems),
                        advice="Nothing was changed; put the files right and compare again.")
    return gathered.comparison, [f"{note.file}{f', line {note.line}' if note.line else ''}: {note.text}"
                                 for note in gathered.notes]


def _chosen(number: int, reference: str, request: CompareRequest, context: Context) -> Upload:
    """A file with what ``columns`` says of it."""
    said = [choice for choice in choices(request.columns, len(request.files)) if choice.file == number]
    return with_choices(_upload(reference, "", context), said)


def _upload(reference: str, role: Role, context: Context) -> Upload:
    path = context.resource(reference)
    return Upload(path.name, within(path), role)


def score(name: str, comparison: Comparison, request: CompareRequest, context: Context) -> Scored:
    """One metric with its statistics for every system, and all pairs tested."""
    if name in NEURAL:
        found = measured(name, comparison, request, context)
        return tested(found.metric, found.statistics, request, context)
    context.report(0, 0, f"{name}: references")
    metric = scorer(name, list(comparison.references.values()), request.language, request.tokenizer)
    total = len(comparison.systems)
    statistics = {}
    for number, (system, lines) in enumerate(comparison.systems.items()):
        context.report(number, total, f"{name}: {system}")
        statistics[system] = metric.statistics(lines)
    return tested(metric, statistics, request, context)


def tested(metric: Scorer, statistics: dict[str, Array], request: CompareRequest, context: Context) -> Scored:
    """A metric with its statistics, and every pair of systems tested."""
    total = len(statistics)
    tests = all_pairs(metric, statistics, request.resamples, request.trials, request.seed, request.level,
                      lambda: context.report(total, total, f"{metric.name}: testing pairs"))
    return Scored(metric, statistics, tests)


def rows_of(scored: Scored) -> list[SystemRow]:
    """The table of a metric, best system first."""
    wins = scored.tests.wins
    rows = [SystemRow(scored.metric.name, e.system, e.score, e.low, e.high,
                      sum(value > 0 for value in wins[e.system].values()),
                      sum(value < 0 for value in wins[e.system].values())) for e in scored.tests.estimates]
    return sorted(rows, key=lambda row: -scored.metric.sign * row.score)


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


@dataclass(frozen=True)
class Told:
    """What a comparison has found beside its scores."""

    people: Sequence[Correlation]
    warnings: tuple[str, ...]
    flags: tuple[bias.Bias, ...]
    rows: tuple[SystemRow, ...]
    extra: Mapping[str, str]


def write(scored: Sequence[Scored], comparison: Comparison, request: CompareRequest, told: Told,
          context: Context) -> None:
    """Write and list the artifacts."""
    folder = context.run / "artifacts"
    folder.mkdir(exist_ok=True)
    context.report(0, 0, "writing the tables")
    write_json(folder / "comparison.json", {
        "systems": list(comparison.systems), "references": list(comparison.references), "segments": comparison.size,
        "language": request.language, "level": request.level, "warnings": list(told.warnings),
        "bias": to_json(told.flags), "metrics": {one.metric.name: {
            "signature": one.metric.signature, "tokenizer": one.metric.tokenizer, "warning": one.metric.warning,
            "sign": one.metric.sign, "tests": to_json(one.tests),
            "buckets": bucketed(one, comparison, request.parts)} for one in scored},
        "rows": to_json(told.rows), "correlations": to_json(told.people)})
    context.artifact("comparison.json", folder / "comparison.json", "comparison")
    each = {name: sentence(scored[0].metric, table) for name, table in scored[0].statistics.items()}
    ranked = segments.by_disagreement(each, scored[0].metric.sign)
    texts = {row.index: _texts(row.index, comparison) for row in ranked}
    lines = [dumps({**to_json(row), "metric": scored[0].metric.name, **texts[row.index]}) for row in ranked]
    write_text(folder / "segments.jsonl", "\n".join(lines) + "\n")
    context.artifact("segments.jsonl", folder / "segments.jsonl", "segments")
    signatures = {one.metric.name: one.metric.signature for one in scored}
    for name, text in {
            "systems.tsv": export.systems_tsv(told.rows, signatures),
            "pairs.tsv": export.pairs_tsv([one.tests for one in scored]),
            "segments.tsv": export.segments_tsv(ranked, texts, scored[0].metric.name),
            "systems.md": export.markdown(told.rows, signatures, comparison.size),
            "systems.tex": export.latex(told.rows, signatures, comparison.size), **told.extra}.items():
        write_text(folder / name, text)
        context.artifact(name, folder / name, "export")


def _texts(index: int, comparison: Comparison) -> Mapping[str, Json]:
    return {"source": comparison.source[index] if comparison.source else None,
            "domain": comparison.domains[index] if comparison.domains else None,
            "references": {name: lines[index] for name, lines in comparison.references.items()},
            "translations": {name: lines[index] for name, lines in comparison.systems.items()}}

"""Human scores beside a comparison: the file that is named is read, brought to its segments, and held against metrics.

What is wrong with the file itself is an error before any metric is computed. What only prevents a correlation (other
names, too few systems) is a remark: the comparison goes on without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.common.mt.campaigns import parsed, read_pearmut
from backends.common.mt.correlation import Correlation, correlate
from backends.common.mt.human import Rating, Ratings, aligned, standardised, system_scores
from backends.common.mt.human_wmt import read_da, read_esa, read_mqm
from backends.common.mt.paired import Scored
from backends.common.mt.reading import decoded, read_table, within
from backends.common.mt.requests import CompareRequest
from backends.common.mt.scores import sentence
from backends.common.mt.uploads import Comparison
from workbench.contract import Context, UserError
from workbench.fields import to_json
from workbench.files import write_json

COLUMNS = ("system", "segment", "score")


@dataclass(frozen=True)
class People:
    """Every metric against the human scores, and what was odd about them."""

    correlations: tuple[Correlation, ...] = ()
    remarks: tuple[str, ...] = ()


def read_human(request: CompareRequest, comparison: Comparison, context: Context) -> Ratings | None:
    """The human scores that are named, if any, with the segments of the comparison. ``UserError`` for a bad file."""
    if not request.human:
        return None
    path = context.resource(request.human)
    data = within(path)
    if request.human_format == "table":
        return read_scores(path.name, data)
    text, _ = decoded(path.name, data)
    if request.human_format == "pearmut":
        found = read_pearmut(parsed(text, path.name), path.name).ratings
    elif request.human_format == "wmt-esa":
        source, _, target = request.human_pair.partition("-")
        found = read_esa(text, path.name, source, target)
    else:
        found = read_da(text, path.name) if request.human_format == "wmt-da" else read_mqm(text, path.name)
    return aligned(found, comparison.source)


def read_scores(name: str, data: bytes) -> Ratings:
    """Any table (csv, tsv, jsonl, xlsx) with the columns ``system``, ``segment`` (the line, from 1) and ``score``, and
    ``annotator`` where there are several people."""
    table = read_table(name, data)
    columns = {head.lower(): values for head, values in table.columns.items()}
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise UserError(f"{name} has the columns {', '.join(table.columns)}; {', '.join(missing)} is missing.",
                        advice="A table of human scores needs system, segment and score; annotator may be added.")
    people = columns.get("annotator", ("one person",) * table.rows)
    found = []
    for number, row in enumerate(zip(*(columns[column] for column in COLUMNS), people, strict=True), 1):
        try:
            segment, score = int(row[1]), float(row[2])
        except ValueError as error:
            raise UserError(f"{name}, entry {number}: segment is {row[1][:30]!r} and score {row[2][:30]!r}; both must "
                            "be numbers.") from error
        if segment < 1 or score != score or abs(score) == float("inf"):
            raise UserError(f"{name}, entry {number}: segment is {segment} and score {score}; segments count from 1 "
                            "and a score is a finite number.")
        found.append(Rating(row[0], segment - 1, score, row[3]))
    return Ratings("table", tuple(found))


def against(scored: Sequence[Scored], ratings: Ratings | None, context: Context) -> People:
    """Correlate every metric with the human scores, and write ``human.json``."""
    if ratings is None:
        return People()
    context.report(0, 0, "human scores")
    found, remarks = [], [*ratings.notes, *standardised(ratings.targets)[1]]
    checks = sum(rating.kind == "bad" for rating in ratings.ratings)
    remarks += [f"{checks:,} attention checks are not counted for systems"] if checks else []
    for one in scored:
        corpus = {e.system: e.score for e in one.tests.estimates}
        each = {name: sentence(one.metric, table) for name, table in one.statistics.items()}
        try:
            found.append(correlate(one.metric.name, corpus, each, ratings, one.metric.sign))
        except UserError as error:
            remarks.append(str(error))
    path = context.run / "artifacts" / "human.json"
    path.parent.mkdir(exist_ok=True)
    remarks = [f"human scores: {remark}" for remark in dict.fromkeys(remarks)]
    write_json(path, {"protocol": ratings.protocol, "notes": remarks, "systems": to_json(system_scores(ratings)),
                      "correlations": to_json(found)})
    context.artifact("human.json", path, "human scores")
    return People(tuple(found), tuple(remarks))

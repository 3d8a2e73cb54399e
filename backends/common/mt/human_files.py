"""Human scores as WMT's files, as :mod:`~backends.common.mt.human_wmt` reads them: crowd DA, ESA csv, MQM tsv.

What is written and read again is the same, spans included: their ends are exclusive here and inclusive in the files.
"""

from __future__ import annotations

import csv
import io
import json
import re
import statistics
from collections.abc import Mapping, Sequence

from backends.common.mt.human import Rating, Ratings, Span, standardised
from backends.common.mt.human_wmt import DA_HEAD, MQM_HEAD, weight
from workbench.contract import Json, UserError

CLOSE = 1e-6


def da_csv(ratings: Ratings) -> str:
    """WMT's DA scores: the mean over people of every segment of every system, of z too, and how many people.

    Segments count from 1; those of no place in a test set (below 0) are left out. White space in a system's name
    becomes ``_``, and behind the name stands a number, as in WMT's own files."""
    targets = [rating for rating in ratings.targets if rating.segment >= 0]
    made, _ = standardised(ratings.targets)
    values = {id(rating): z if rating.z is None else rating.z for rating, z in zip(ratings.targets, made, strict=True)}
    groups: dict[tuple[str, int], list[Rating]] = {}
    for rating in targets:
        groups.setdefault((rating.system, rating.segment), []).append(rating)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in groups), 1)}
    lines = [" ".join(DA_HEAD)]
    for (system, segment), rows in groups.items():
        raw, z = (statistics.fmean(column) for column in ([r.score for r in rows], [values[id(r)] for r in rows]))
        name = "_".join(system.split())
        lines.append(f"{name}.{numbers[system]} {segment + 1} {raw!r} {z!r} {len(rows)}")
    return "\n".join(lines) + "\n"


def esa_csv(ratings: Ratings, source: str, target: str) -> str:
    """WMT's ESA csv (no head, twelve columns). Languages have three letters."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for rating in ratings.ratings:
        writer.writerow([rating.annotator, rating.system, rating.segment, "BAD" if rating.kind == "bad" else "TGT",
                         source, target, rating.score, rating.document, False, _spans(rating), 0.0,
                         rating.seconds or 0.0])
    return out.getvalue()


def _spans(rating: Rating) -> str:
    marks: list[Mapping[str, Json]] = [mark(span) for span in rating.spans]
    return json.dumps([{"start_i": one["start_i"], "end_i": one["end_i"], "severity": one["severity"],
                        "error_type": one["category"]} for one in marks], ensure_ascii=False)


def mark(span: Span) -> dict[str, Json]:
    """A span as Appraise and Pearmut write it: ``end_i`` is the last character, ``"missing"`` is no place."""
    missing = span.start is None or span.end is None
    return {"start_i": "missing" if missing else span.start, "end_i": "missing" if missing else (span.end or 0) - 1,
            "severity": span.severity or None, "category": span.category or None}


def mqm_tsv(ratings: Ratings, source: Sequence[str], systems: Mapping[str, Sequence[str]]) -> str:
    """Google's MQM tsv: a line for each error, or one that says there is none, in the order of the segments.

    The texts are those that were rated. A rating of a segment or a system that is not among them is left out. Raises
    ``UserError`` where a score is not what its errors weigh: it is then of another protocol."""
    lines = ["\t".join(MQM_HEAD)]
    rows = [r for r in ratings.targets if r.system in systems and 0 <= r.segment < len(source)]
    for rating in sorted(rows, key=lambda one: one.segment):
        weighed = -sum(weight(span.category, span.severity) for span in rating.spans)
        if abs(weighed - rating.score) > CLOSE:
            raise UserError(f"{rating.annotator} gave segment {rating.segment + 1} of {rating.system} "
                            f"{rating.score:g}, and the errors marked there weigh {weighed:g}: no MQM scores.",
                            advice="Write them as wmt-esa or wmt-da.")
        text = _line(systems[rating.system][rating.segment])
        known = [rating.system, rating.document or "test", "1", str(rating.segment + 1), rating.annotator,
                 _line(source[rating.segment])]
        lines += ["\t".join([*known, _marked(text, span), span.category or "Other", span.severity or "Neutral"])
                  for span in rating.spans]
        lines += [] if rating.spans else ["\t".join([*known, text, "No-error", "No-error"])]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    """One cell of one line; as many characters as before."""
    return re.sub(r"[\t\r\n]", " ", text)


def _marked(text: str, span: Span) -> str:
    if span.start is None or span.end is None:
        return text
    return f"{text[:span.start]}<v>{text[span.start:span.end]}</v>{text[span.end:]}"

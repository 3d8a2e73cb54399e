"""WMT's files of human scores: crowd DA (spaces), ESA (csv without a head), MQM (tsv with ``<v>`` marks).

Every importer takes the text of a file and gives :class:`~backends.common.mt.human.Ratings`; a line that cannot be
read is an error that names it, because a silent gap would change the ranking.

ESA spans end inclusively in the files; here ends are exclusive. MQM weights are those of Google's README: minor 1,
major 5, minor Fluency/Punctuation 0.1, Non-translation 25, neutral 0; a rater's segment score is minus their sum.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence

from backends.common.mt.human import Rating, RatingKind, Ratings, Span
from backends.common.mt.reading import lines_of
from workbench.contract import Json, UserError

DA_HEAD = ("SYS", "SID", "RAW.SCR", "Z.SCR", "N")
ESA_COLUMNS = 12
MQM_HEAD = ("system", "doc", "doc_id", "seg_id", "rater", "source", "target", "category", "severity")
_NUMBER = re.compile(r"\.\d+$")
_MARK = re.compile(r"</?v>")


def read_da(text: str, name: str = "the file") -> Ratings:
    """WMT's ``ad-seg-scores``: SYS SID RAW.SCR Z.SCR N. SID counts from 1; the number behind a system's name is WMT's
    own and is taken off. Ratings are means over N people."""
    lines = lines_of(text)
    if not lines or tuple(lines[0].split()) != DA_HEAD:
        raise UserError(f"{name} begins with {lines[0][:60] if lines else ''!r}; WMT's DA scores begin with "
                        f"{' '.join(DA_HEAD)}.", advice="Choose another format.")
    found = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split()
        try:
            system, segment, raw, z, _ = cells
            found.append(Rating(_NUMBER.sub("", system), int(segment) - 1, float(raw), "mean of the crowd", z=float(z)))
        except ValueError as error:
            raise UserError(f"{name}, line {number} is {line[:60]!r}; it must be a system, a number and three "
                            "figures.") from error
    return Ratings("DA", tuple(found))


def read_esa(text: str, name: str = "the file", source: str = "", target: str = "") -> Ratings:
    """WMT's ESA csv: annotator, system, item, TGT or BAD, languages, score, document, flag, spans, begin, end.

    ``source`` and ``target`` (three letters, as in the file) choose a language pair; needed where there are several."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    for number, row in enumerate(rows, 1):
        if len(row) != ESA_COLUMNS:
            raise UserError(f"{name}, row {number} has {len(row)} columns; WMT's ESA csv has {ESA_COLUMNS}.",
                            advice="Choose another format.")
    pairs = sorted({(row[4], row[5]) for row in rows})
    wanted = [pair for pair in pairs if source in ("", pair[0]) and target in ("", pair[1])]
    if len(wanted) != 1:
        known = ", ".join("-".join(pair) for pair in pairs)
        raise UserError(f"{name} has the language pairs {known}; {source or '?'}-{target or '?'} names "
                        f"{len(wanted)} of them.", advice="Choose one, for example source eng, target zho.")
    return Ratings("ESA", tuple(_esa(row, number, name) for number, row in enumerate(rows, 1)
                                if (row[4], row[5]) == wanted[0]))


def _esa(row: Sequence[str], number: int, name: str) -> Rating:
    kind: RatingKind = "tutorial" if "tutorial" in row[1] else "bad" if row[3] != "TGT" else "target"
    try:
        spans = tuple(span(value) for value in json.loads(row[9]))
        return Rating(row[1], int(row[2]), float(row[6]), row[0], row[7].split("#")[0], kind, spans,
                      float(row[11]) - float(row[10]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{name}, row {number} cannot be read ({error}): {','.join(row)[:80]}") from error


def span(value: Mapping[str, Json]) -> Span:
    """An error span as Appraise and Pearmut write it: ``end_i`` is the last character; ``"missing"`` is no place."""
    start, end = value["start_i"], value["end_i"]
    severity = str(value.get("severity") or "")
    category = str(value.get("category") or value.get("error_type") or "")
    if not isinstance(start, int) or not isinstance(end, int):
        return Span(None, None, severity, category)
    return Span(start, end + 1, severity, category)


def read_mqm(text: str, name: str = "the file") -> Ratings:
    """Google's MQM tsv, one error a line; a rater's lines of a segment become one rating.

    Segments are numbered in the order of the file by (document, seg_id), their ids are ``segments``. A note tells how
    many targets a rater has edited: their text differs between raters, and so may the places of their spans."""
    rows = [line.split("\t") for line in lines_of(text)]
    if not rows or tuple(rows[0][:len(MQM_HEAD)]) != MQM_HEAD:
        raise UserError(f"{name} begins with {' '.join(rows[0])[:80] if rows else ''!r}; an MQM tsv begins with "
                        f"{' '.join(MQM_HEAD)}.", advice="Choose another format.")
    groups: dict[tuple[str, str, str], list[Sequence[str]]] = {}
    numbers: dict[str, int] = {}
    sources: list[str] = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) < len(MQM_HEAD):
            raise UserError(f"{name}, line {number} has {len(row)} columns; it needs {len(MQM_HEAD)}.")
        segment = f"{row[1]}:{row[3]}"
        if segment not in numbers:
            numbers[segment] = len(numbers)
            sources.append(_MARK.sub("", row[5]))
        groups.setdefault((row[0], segment, row[4]), []).append(row)
    texts: dict[tuple[str, str], set[str]] = {}
    found = []
    for (system, segment, rater), lines in groups.items():
        texts.setdefault((system, segment), set()).update(_MARK.sub("", row[6]) for row in lines)
        score = -sum(weight(row[7], row[8]) for row in lines)
        spans = tuple(one for row in lines if row[8].lower() != "no-error" for one in [_marked(row)])
        found.append(Rating(system, numbers[segment], score + 0.0, rater, lines[0][1], "target", spans))
    edited = sum(len(values) > 1 for values in texts.values())
    notes = (f"{edited:,} of {len(texts):,} targets differ between rows (edited by a rater); spans are in each row's "
             "own text",) if edited else ()
    return Ratings("MQM", tuple(found), notes, tuple(numbers), tuple(sources))


def weight(category: str, severity: str) -> float:
    """Google's MQM weights. Raises ``UserError`` for a severity that they do not have."""
    level, kind = severity.strip().lower(), category.strip().lower()
    if level in ("neutral", "no-error", ""):
        return 0.0
    if level not in ("minor", "major", "critical"):
        raise UserError(f"The MQM severity is {severity!r}; it must be Neutral, Minor, Major or No-error.")
    if kind.startswith("non-translation"):
        return 25.0
    if level == "minor":
        return 0.1 if kind == "fluency/punctuation" else 1.0
    return 5.0


def _marked(row: Sequence[str]) -> Span:
    """The place between ``<v>`` and ``</v>``, counted in the text without them; the source may be marked instead."""
    before, opened, rest = row[6].partition("<v>")
    if not opened:
        return Span(None, None, row[8], row[7])
    return Span(len(before), len(before) + len(_MARK.sub("", rest.partition("</v>")[0])), row[8], row[7])

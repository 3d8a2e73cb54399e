"""One page of documents: rows with their verdicts and scores, and a short piece of each text around what matters.

Rows are chosen and sorted by DuckDB from the table of numbers; only the texts of the rows on the page are read, and no
more than a snippet of each leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.counts import Count, count
from backends.mdfg.explore.judging import quoted
from backends.mdfg.explore.search import highlights
from backends.mdfg.explore.selection import Selection
from backends.mdfg.explore.texts import Document
from workbench.contract import UserError

ROWS = 50
MOST_ROWS = 200
SNIPPET, BEFORE = 90, 24
"""Characters of a snippet, and how many of them stand before what it is about."""
TOLD = 400
"""Longest title, file name or list of words of a row."""
FIELDS = ("source", "number", "n_chars", "quality", "toxicity", "domain", "sensitive_words", "dup_cluster", "dup_size")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Row:
    """A document in a list. ``failed``: every rule that drops it, ``first``: the first of them; ``score``: of the
    search; ``value``: what the page is sorted by; ``snippet`` without line ends, ``mark``: begin and end in it of the
    listed word, repeated piece or hit that it shows (0, 0: it is the beginning of the text)."""

    place: int
    id: str
    title: str
    source: str
    number: int
    n_chars: int
    kept: bool
    failed: tuple[str, ...]
    first: str
    quality: float | None
    toxicity: float | None
    domain: str
    words: tuple[str, ...]
    cluster: int
    cluster_size: int
    score: float | None
    value: float | None
    snippet: str
    mark: tuple[int, int]


@dataclass(frozen=True)
class Page:
    """Rows ``offset`` to ``offset + len(rows)`` of the ``count.shown`` documents that the selection shows."""

    rows: tuple[Row, ...]
    offset: int
    sort: str
    descending: bool
    count: Count


def page(corpus: Corpus, selection: Selection, sort: str = "place", descending: bool = False, offset: int = 0,
         limit: int = ROWS) -> Page:
    """A page sorted by ``place``, by a column of numbers, or by ``score`` (of the search; the best first is
    ``descending``). Documents without the value come last. Raises ``UserError`` for another order."""
    limit, offset = max(1, min(limit, MOST_ROWS)), max(0, offset)
    chosen = _chosen(corpus, selection, sort, descending, offset, limit)
    found = _fields(corpus, selection, [place for place, _ in chosen])
    documents = corpus.texts([place for place, _ in chosen], light=True)
    scores = _scores(corpus, selection, [place for place, _ in chosen])
    rows = tuple(_row(corpus, selection, document, {**found[place], "value": value}, scores)
                 for (place, value), document in zip(chosen, documents, strict=True))
    return Page(rows, offset, sort, descending, count(corpus, selection))


def places(corpus: Corpus, selection: Selection, sort: str = "place", descending: bool = False, offset: int = 0,
           limit: int = MOST_ROWS) -> list[int]:
    """Only the places of a page, for the reader's way to the next document and for exports."""
    chosen = _chosen(corpus, selection, sort, descending, max(0, offset), max(1, limit))
    return [place for place, _ in chosen]


def _chosen(corpus: Corpus, selection: Selection, sort: str, descending: bool, offset: int,
            limit: int) -> list[tuple[int, float | None]]:
    """Places of a page with the value that they are sorted by."""
    order, joined = _order(corpus, selection, sort)
    where = selection.where(corpus)
    found = corpus.rows(
        f"SELECT place, {order} AS value FROM {corpus.judged(selection.moved)} {joined} {where.clause} ORDER BY value "
        f"{'DESC' if descending else 'ASC'} NULLS LAST, place LIMIT {limit} OFFSET {offset}", where.parameters)
    return [(int(place), value) for place, value in found]


def _fields(corpus: Corpus, selection: Selection, wanted: Sequence[int]) -> dict[int, dict[str, Any]]:
    """:data:`FIELDS` of these documents, with the mask under the moved limits."""
    names = ("place", "mask", *FIELDS)
    rows = corpus.rows(f"SELECT place, {corpus.mask(selection.moved)}, {', '.join(FIELDS)} FROM docs "
                       "WHERE place IN (SELECT unnest(?::BIGINT[]))", [list(wanted)])
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def _order(corpus: Corpus, selection: Selection, sort: str) -> tuple[str, str]:
    if sort == "place":
        return "place", ""
    if sort == "score":
        if selection.search is None:
            raise UserError("The list is sorted by the score of a search, and nothing is searched for.",
                            advice="Search for something, or choose another order.")
        return "score", f"LEFT JOIN {corpus.hits_table(selection.search)} USING (place)"
    return quoted(corpus.column(sort).name), ""


def _scores(corpus: Corpus, selection: Selection, wanted: Sequence[int]) -> dict[int, float]:
    if selection.search is None or not wanted:
        return {}
    table = corpus.hits_table(selection.search)
    return dict(corpus.rows(f"SELECT place, score FROM {table} WHERE place IN (SELECT unnest(?::BIGINT[]))",
                            [list(wanted)]))


def _row(corpus: Corpus, selection: Selection, document: Document, row: Mapping[str, Any],
         scores: Mapping[int, float]) -> Row:
    failed = tuple(rule for i, rule in enumerate(corpus.recipe.names) if row["mask"] >> i & 1)
    first = failed[0] if failed else ""
    text, mark = snippet(document.text, _about(corpus, selection, document, first))
    return Row(
        place=document.place, id=document.id, title=document.title[:TOLD], source=row["source"][:TOLD],
        number=row["number"], n_chars=row["n_chars"], kept=not failed, failed=failed, first=first,
        quality=row["quality"], toxicity=row["toxicity"], domain=row["domain"] or "",
        words=tuple(word[:40] for word in (row["sensitive_words"] or ())[:10]), cluster=row["dup_cluster"],
        cluster_size=row["dup_size"], score=scores.get(document.place), value=row["value"], snippet=text, mark=mark)


def _about(corpus: Corpus, selection: Selection, document: Document, first: str) -> tuple[int, int]:
    """The place that a snippet shows: the first hit of the search, else what the first failing rule found."""
    if selection.search is not None and selection.search.kind in ("words", "regex"):
        found = highlights(corpus, selection.search, document.text)
        if found:
            return found[0]
    columns = {test.column.split("_")[0] for test in corpus.recipe.tests if test.rule == first}
    for kind, begins in (("sensitive", "sens"), ("traditional", "trad"), ("duplication", "dup")):
        spans = document.spans.get(kind, ())
        if begins in columns and len(spans) >= 2:
            return spans[0], spans[1]
    return 0, 0


def snippet(text: str, about: tuple[int, int] = (0, 0), length: int = SNIPPET) -> tuple[str, tuple[int, int]]:
    """A piece of at most ``length`` characters and two marks of omission around ``about``, with runs of white space
    as one space, and where ``about`` is in it."""
    begin, end = about
    start = max(0, begin - BEFORE) if end > begin else 0
    before = _SPACE.sub(" ", text[start:begin]) if end > begin else ""
    marked = _SPACE.sub(" ", text[begin:min(end, begin + length)])[:max(0, length - len(before))]
    rest = max(0, length - len(before) - len(marked))
    after = _SPACE.sub(" ", text[end:end + 2 * rest + 8])[:rest]
    head = "…" if start > 0 else ""
    tail = "…" if end + rest < len(text) or begin + length - len(before) < end else ""
    at = len(head) + len(before)
    return f"{head}{before}{marked}{after}{tail}", (at, at + len(marked)) if marked else (0, 0)

"""One document explained: its text in pieces with every place that a rule acted on, and every value beside its limit.

The places are looked for again by the run's own rules, so none is cut off; where the run's word list is gone, those
that the run stored are shown, and ``notes`` says so. Pieces do not overlap and together are the text; a piece that
several rules marked carries all of its marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.judging import condition, moved_tests
from backends.mdfg.explore.selection import Selection
from backends.mdfg.explore.texts import SPANS, Document
from backends.mdfg.rules.verdicts import rule_names
from backends.mdfg.words import NONE, WordList
from workbench.contract import UserError

LOW = 0.5
"""A piece of a text with a lower quality is marked, unless a rule of the recipe has a limit for it (our default)."""
LONGEST = 100_000
"""Characters of a text that the reader shows (our default); the values are those of the whole text."""
MARKED_BY: Mapping[str, tuple[str, ...]] = {
    "sensitive": ("sens_",), "traditional": ("trad_",), "duplication": ("dup_ratio",),
    "personal": ("phones", "identities", "emails")}


@dataclass(frozen=True)
class Mark:
    """Why a place is marked: ``kind`` (sensitive, traditional, duplication, personal, segment, search, or another that
    was given), ``note`` (category of the word, what the character becomes, kind of number, quality of the piece) and
    the rule that reads it."""

    kind: str
    note: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece of the text and its marks; none for plain text."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """One test of the recipe on this document: the value against the limit as it is now. ``fails``: the test drops the
    document; ``first``: its rule is the first that does; ``moved``: the limit is not the recipe's."""

    rule: str
    column: str
    value: float | None
    drop_if: str
    limit: float
    recipe_limit: float
    fails: bool
    first: bool
    moved: bool


@dataclass(frozen=True)
class Reading:
    """A document with its explanation. ``values``: everything measured, by column; ``marked``: places by kind;
    ``shown``: characters of the text that the pieces hold."""

    document: Document
    pieces: tuple[Piece, ...]
    judgements: tuple[Judgement, ...]
    values: Mapping[str, float | None]
    kept: bool
    first: str
    domain: str
    words: tuple[str, ...]
    source: str
    number: int
    cluster: int
    cluster_size: int
    marked: Mapping[str, int]
    shown: int
    notes: tuple[str, ...] = ()


Place = tuple[int, int, Mark]


def read(corpus: Corpus, place: int, selection: Selection | None = None, extra: Sequence[Place] = ()) -> Reading:
    """Explain the document at a place under the selection's limits, with its search marked. ``extra`` marks more
    places. Raises ``UserError`` for a place that is not in the corpus."""
    selection = selection or Selection()
    document = corpus.texts([place])[0]
    values = _values(corpus, place)
    judgements = _judged(corpus, place, selection, values)
    text = document.text[:LONGEST]
    found, notes = _evidence(corpus, document, text)
    found = [*found, *_low(corpus, selection, document), *_searched(corpus, selection, text), *extra]
    if len(document.text) > LONGEST:
        notes = (*notes, f"The first {LONGEST:,} of {len(document.text):,} characters are shown.")
    marked: dict[str, int] = {}
    for _, _, mark in found:
        marked[mark.kind] = marked.get(mark.kind, 0) + 1
    first = next((one.rule for one in judgements if one.first), "")
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float) or value is None}
    return Reading(document, pieces(text, found), judgements,
                   {name: numbers[name] for name in (column.name for column in corpus.columns) if name in numbers},
                   kept=not first, first=first, domain=str(values["domain"] or ""),
                   words=tuple(values["sensitive_words"] or ()), source=values["source"], number=values["number"],
                   cluster=values["dup_cluster"], cluster_size=values["dup_size"], marked=marked, shown=len(text),
                   notes=notes)


def _values(corpus: Corpus, place: int) -> dict[str, Any]:
    cursor = corpus.cursor().execute("SELECT * FROM docs WHERE place = ?", [place])
    names = [part[0] for part in cursor.description or ()]
    row = cursor.fetchone()
    if row is None:
        raise UserError(f"There is no document {place:,} in this corpus.")
    return dict(zip(names, row, strict=True))


def _judged(corpus: Corpus, place: int, selection: Selection, values: Mapping[str, Any]) -> tuple[Judgement, ...]:
    tests = moved_tests(corpus.recipe, selection.moved)
    asked = ", ".join(condition(test, corpus.single) for test in tests) or "true"
    verdicts = corpus.rows(f"SELECT {asked} FROM docs WHERE place = ?", [place])[0]
    failed = {test.rule for test, fails in zip(tests, verdicts, strict=False) if fails}
    first = next((rule for rule in rule_names(tests) if rule in failed), "")
    return tuple(Judgement(test.rule, test.column, values[test.column], test.drop_if, test.limit, was.limit,
                           bool(fails), bool(fails) and test.rule == first, test.limit != was.limit)
                 for test, was, fails in zip(tests, corpus.recipe.tests, verdicts, strict=False))


def _evidence(corpus: Corpus, document: Document, text: str) -> tuple[list[Place], tuple[str, ...]]:
    """Every place that explains a value, and what the reader should know about how it was found."""
    from backends.mdfg.rules.evaluate import Evaluator

    notes: tuple[str, ...] = ()
    try:
        found = corpus.evaluator.evidence(text)
    except UserError as error:
        found = Evaluator(corpus.recipe, WordList(NONE)).evidence(text)
        stored = document.spans.get("sensitive", ())
        found["sensitive"] = [(begin, end, "") for begin, end in zip(stored[::2], stored[1::2], strict=True)]
        notes = (f"The word list of the run cannot be read ({error.message}); only the places that the run stored are "
                 "marked.",)
    rules = {kind: _rule(corpus, kind) for kind in MARKED_BY}
    return [(begin, end, Mark(kind, note, rules[kind])) for kind in (*SPANS, "personal")
            for begin, end, note in found[kind]], notes


def _low(corpus: Corpus, selection: Selection, document: Document) -> list[Place]:
    """The pieces of low quality: those under the highest limit that a rule has for quality, else under :data:`LOW`."""
    quality = next((column.alias for column in corpus.columns if column.name == "quality"), "")
    names = (quality, f"{quality.partition('.')[0]}.least")
    tests = [test for test in moved_tests(corpus.recipe, selection.moved)
             if test.column in names and test.drop_if in ("<", "<=")]
    limit = max((test.limit for test in tests), default=LOW)
    return [(begin, end, Mark("segment", f"{score:.2f}", tests[0].rule if tests else ""))
            for begin, end, score in document.segments if score is not None and score < limit]


def _rule(corpus: Corpus, kind: str) -> str:
    """The first rule that reads what such a mark counts; empty where the recipe has none."""
    return next((test.rule for test in corpus.recipe.tests if test.column.startswith(MARKED_BY[kind])), "")


def _searched(corpus: Corpus, selection: Selection, text: str) -> list[Place]:
    from backends.mdfg.explore.search import highlights

    if selection.search is None or selection.search.kind not in ("words", "regex"):
        return []
    return [(begin, end, Mark("search", selection.search.text)) for begin, end in
            highlights(corpus, selection.search, text)]


def pieces(text: str, places: Sequence[Place]) -> tuple[Piece, ...]:
    """The text cut at every begin and end of a place; neighbours with the same marks are one piece."""
    size = len(text)
    spans = [(max(0, begin), min(size, end), mark) for begin, end, mark in places if begin < end and begin < size]
    cuts = sorted({0, size, *(begin for begin, _, _ in spans), *(end for _, end, _ in spans)})
    opening: dict[int, list[Mark]] = {}
    closing: dict[int, list[Mark]] = {}
    for begin, end, mark in spans:
        opening.setdefault(begin, []).append(mark)
        closing.setdefault(end, []).append(mark)
    live: list[Mark] = []
    found: list[Piece] = []
    for begin, end in pairwise(cuts):
        for mark in closing.get(begin, ()):
            live.remove(mark)
        live += opening.get(begin, [])
        marks = tuple(dict.fromkeys(live))
        if found and found[-1].marks == marks:
            found[-1] = Piece(found[-1].text + text[begin:end], marks)
        else:
            found.append(Piece(text[begin:end], marks))
    return tuple(found)

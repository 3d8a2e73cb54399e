"""What of a corpus is shown: verdicts, ranges, labels, a search, moved limits; as an address and as SQL.

The SQL is put together from fixed words, quoted names of columns that the corpus has, and bound parameters; nothing
that a visitor types becomes part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from backends.mdfg.explore.judging import Moved, quoted
from backends.mdfg.explore.query import Query
from workbench.contract import Knob, UserError, unknown
from workbench.fields import to_json, validate
from workbench.files import dumps, whole

if TYPE_CHECKING:
    from backends.mdfg.explore.corpus import Corpus

Show = Literal["all", "kept", "dropped"]
MOST = 10**15


@dataclass(frozen=True)
class Span:
    """low <= value < high; a ``high`` that reaches the column's highest value is no limit, so that no bin loses it.
    An end that is ``None`` is open; with both open the documents without a value are meant."""

    column: Annotated[str, Knob("Column", 1, 200)]
    low: Annotated[float | None, Knob("Least value")] = None
    high: Annotated[float | None, Knob("Value below which it stays")] = None

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Where:
    """A condition: SQL over the columns of ``docs`` and the parameters of its question marks."""

    sql: str = "true"
    parameters: tuple[Any, ...] = ()

    @property
    def clause(self) -> str:
        """The condition with its keyword; empty where everything is wanted."""
        return "" if self.sql == "true" else f"WHERE {self.sql}"


@dataclass(frozen=True)
class Selection:
    """The filter of the page; every part that is set must hold.

    ``failed``: any of these rules fails; ``first``: this rule is the first to fail; ``only``: it is the only one;
    ``domains`` and ``sources``: one of these (an empty domain: none is known); ``words``: any of these listed words
    occurs; ``cluster``: number of a cluster of near-duplicates; ``moved``: limits that were moved."""

    show: Annotated[Show, Knob("Documents by verdict")] = "all"
    failed: Annotated[tuple[str, ...], Knob("Any of these rules fails", None, 32)] = ()
    first: Annotated[str, Knob("The first rule that fails", None, 60)] = ""
    only: Annotated[str, Knob("The only rule that fails", None, 60)] = ""
    spans: Annotated[tuple[Span, ...], Knob("Ranges of values", None, 40)] = ()
    domains: Annotated[tuple[str, ...], Knob("Domains", None, 200)] = ()
    sources: Annotated[tuple[str, ...], Knob("Files", None, 200)] = ()
    words: Annotated[tuple[str, ...], Knob("Listed words", None, 200)] = ()
    cluster: Annotated[int | None, Knob("Cluster of near-duplicates")] = None
    search: Annotated[Query | None, Knob("Search")] = None
    moved: Annotated[tuple[tuple[int, float], ...], Knob("Limits that were moved", None, 200)] = ()

    def __post_init__(self) -> None:
        if self.show not in get_args(Show):
            raise unknown("verdict to show", self.show, get_args(Show))
        if self.cluster is not None and not 0 <= self.cluster < MOST:
            raise UserError(f"cluster is {self.cluster}; it must lie between 0 and {MOST:,}.")
        moved = {index: float(limit) for index, limit in self.moved}
        object.__setattr__(self, "moved", tuple(sorted(moved.items())))  # one order, so one hash

    @property
    def hash(self) -> str:
        """blake2b of everything above, 8 hex digits: it stands beside every count."""
        return hashlib.blake2b(dumps(to_json(self)).encode(), digest_size=4).hexdigest()

    @property
    def empty(self) -> bool:
        """Whether it shows the whole corpus with the limits of its recipe."""
        return self == Selection()

    def unjudged(self) -> Selection:
        """The same without what depends on verdicts: the documents that a funnel or a moved limit is about."""
        return replace(self, show="all", failed=(), first="", only="")

    def without(self, *columns: str) -> Selection:
        """The same without the ranges of these columns: a chart does not filter itself. ``domain``, ``source`` and
        ``words`` name those lists."""
        return replace(self, spans=tuple(span for span in self.spans if span.column not in columns),
                       domains=() if "domain" in columns else self.domains,
                       sources=() if "source" in columns else self.sources,
                       words=() if "words" in columns else self.words)

    def with_span(self, span: Span) -> Selection:
        """The same with this range of its column in the place of an earlier one."""
        return replace(self, spans=(*(one for one in self.spans if one.column != span.column), span))

    def with_limit(self, index: int, limit: float | None) -> Selection:
        """The same with the limit of a test moved, or with ``None`` moved back."""
        rest: Moved = tuple(pair for pair in self.moved if pair[0] != index)
        return replace(self, moved=rest if limit is None else (*rest, (index, float(limit))))

    def where(self, corpus: Corpus) -> Where:
        """The condition, over ``corpus.judged(self.moved)``. Raises ``UserError`` for a name that is not there."""
        parts, values = _verdict(self, corpus.recipe.names)
        for span in self.spans:
            sql, bound = _range(span, corpus)
            parts.append(sql)
            values += bound
        for sql, many in (("coalesce(domain, '')", self.domains), ("source", self.sources)):
            if many:
                parts.append(f"{sql} IN ({', '.join('?' * len(many))})")
                values += [whole(one) for one in many]
        if self.words:
            parts.append("list_has_any(sensitive_words, ?)")
            values.append([whole(word) for word in self.words])
        if self.cluster is not None:
            parts.append("dup_cluster = ?")
            values.append(self.cluster)
        if self.search is not None:
            parts.append(f"place IN (SELECT place FROM {corpus.hits_table(self.search)} WHERE score >= ?)")
            values.append(self.search.least)
        return Where(" AND ".join(parts), tuple(values)) if parts else Where()

    def to_query(self) -> dict[str, str]:
        """The parts that are set, for an address; :func:`from_query` gives the selection back."""
        from backends.mdfg.explore.address import to_query

        return to_query(self)

    @staticmethod
    def from_query(query: Mapping[str, str]) -> Selection:
        """The selection of an address. Raises ``UserError`` for a part that cannot be read; others are left alone."""
        from backends.mdfg.explore.address import from_query

        return from_query(query)


def _verdict(selection: Selection, rules: tuple[str, ...]) -> tuple[list[str], list[Any]]:
    for rule in (*selection.failed, *filter(None, (selection.first, selection.only))):
        if rule not in rules:
            raise UserError(f"The recipe of this corpus has no rule {rule!r}; it has {', '.join(rules) or 'none'}.")
    parts: list[str] = [] if selection.show == "all" else ["kept" if selection.show == "kept" else "NOT kept"]
    values: list[Any] = []
    if selection.failed:
        parts.append("(rule_fail & ?::UINTEGER) <> 0")
        values.append(sum(1 << rules.index(rule) for rule in dict.fromkeys(selection.failed)))
    if selection.first:
        parts.append("first_fail = ?")
        values.append(rules.index(selection.first))
    if selection.only:
        parts.append("rule_fail = ?::UINTEGER")
        values.append(1 << rules.index(selection.only))
    return parts, values


def _range(span: Span, corpus: Corpus) -> tuple[str, list[float]]:
    column, name = corpus.column(span.column), quoted(span.column)
    if span.low is None and span.high is None:
        return f"{name} IS NULL", []
    parts, values = [], []
    if span.low is not None:
        parts.append(f"{name} >= ?")
        values.append(float(span.low))
    if span.high is not None and (column.high is None or span.high < column.high):
        parts.append(f"{name} < ?")
        values.append(float(span.high))
    return " AND ".join(parts or [f"{name} IS NOT NULL"]), values

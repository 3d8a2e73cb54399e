"""One document as it is judged: its text with the places that explain the verdicts, and every value at its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.text import known, say
from workbench.widgets.corpus_numbers import amount, column_name, compared, count, rule_name
from workbench.widgets.markup import element, esc

LONGEST = 30_000
"""Characters of a text that are drawn at once; the reader says how much is left out (ours)."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text; ``kinds`` of evidence that cover it (none for plain text) and what each of them says."""

    text: str
    kinds: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Judged:
    """One test of one document: dropped when ``value drop_if limit``. ``moved`` when the limit is not the recipe's;
    ``first`` when this is the first rule that fails."""

    rule: str
    column: str
    value: float | None
    drop_if: str
    limit: float
    fails: bool
    first: bool = False
    moved: bool = False


def marked(pieces: Sequence[Piece], lang: str) -> str:
    """The text as HTML with its places marked, escaped; lines stay lines. Cut at :data:`LONGEST` characters."""
    made, room = [], LONGEST
    whole = sum(len(piece.text) for piece in pieces)
    for piece in pieces:
        if room <= 0:
            break
        made.append(_piece(piece, room, lang))
        room -= len(piece.text)
    more = element("p", esc(say(lang, "corpus.reader.cut", shown=count(LONGEST), all=count(whole))),
                   class_="co-dim") if whole > LONGEST else ""
    return element("div", "".join(made), class_="co-text", dir="auto", tabindex="0", role="document",
                   aria_label=say(lang, "corpus.reader.text")) + more


def _piece(piece: Piece, room: int, lang: str) -> str:
    text = esc(piece.text[:room])
    if not piece.kinds:
        return text
    names = ", ".join(kind_name(kind, lang) for kind in piece.kinds)
    title = f"{names}: {piece.note}" if piece.note else names
    return element("mark", text, class_="co-m " + " ".join(f"co-m-{_safe(kind)}" for kind in piece.kinds), title=title)


def kind_name(kind: str, lang: str) -> str:
    """What a kind of evidence is called."""
    key = f"corpus.evidence.{kind}"
    return say(lang, key) if known(key) else kind


def legend(kinds: Sequence[tuple[str, int]], lang: str) -> str:
    """The kinds of evidence that the text shows with how many places each has."""
    made = "".join(element("span", element("i", class_=f"co-m co-m-{_safe(kind)}")
                           + esc(f"{kind_name(kind, lang)} {count(n)}")) for kind, n in kinds if n)
    return element("div", made, class_="co-legend") if made else ""


def _safe(kind: str) -> str:
    return "".join(c for c in kind if c.isalnum() or c in "-_")


def values(tests: Sequence[Judged], lang: str) -> str:
    """Every test in order: value, comparison and limit, and whether it drops; the first failure is said to be it."""
    if not tests:
        return ""
    heads = "".join(element("th", esc(say(lang, f"corpus.values.{name}")), scope="col")
                    for name in ("rule", "value", "limit", "verdict"))
    body = "".join(_test(test, lang) for test in tests)
    return element("table", element("thead", element("tr", heads)) + element("tbody", body), class_="co-values")


def _test(test: Judged, lang: str) -> str:
    verdict = "first" if test.first else "fails" if test.fails else "passes"
    limit = f"{compared(test.drop_if)} {amount(test.limit)}"
    moved = element("small", esc(say(lang, "corpus.values.moved"))) if test.moved else ""
    return element("tr", element("th", esc(rule_name(test.rule, lang)) + element(
        "small", esc(column_name(test.column, lang))), scope="row", title=f"{test.rule}: {test.column}")
        + element("td", esc(amount(test.value))) + element("td", esc(limit) + moved)
        + element("td", esc(say(lang, f"corpus.values.{verdict}"))), class_=f"co-is-{verdict}")
